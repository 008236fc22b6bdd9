#pragma once
// PUSH and POP as far transfers, interrupts and the stack instructions need them.

#include "engine/cpu/x86/access.h"

namespace engine::x86 {

[[gnu::always_inline]] inline void set_stack_pointer(Cpu& c, u64 value)
{
    c.gpr[rsp] = (c.gpr[rsp] & ~c.stack_mask) | (value & c.stack_mask);
    if (c.stack_mask == 0xffffffff)
        c.gpr[rsp] = u32(c.gpr[rsp]);
}

template <class T> [[gnu::always_inline]] inline void store_stack(Cpu& c, const Insn* i, u64 offset, T value)
{
    store_linear<T>(c, i, linear_address<Access::write>(c, i, ss, offset & c.stack_mask, sizeof(T)), value);
}
template <class T> [[gnu::always_inline]] inline T load_stack(Cpu& c, const Insn* i, u64 offset)
{
    return load_linear<T>(c, i, linear_address<Access::read>(c, i, ss, offset & c.stack_mask, sizeof(T)));
}

template <class T> [[gnu::always_inline]] inline void push(Cpu& c, const Insn* i, T value)
{
    store_stack<T>(c, i, c.gpr[rsp] - sizeof(T), value);
    set_stack_pointer(c, c.gpr[rsp] - sizeof(T));
}

// A stack being worked on: the pointer is committed only when all is done. Word size is chosen at run time.
class StackCursor {
public:
    StackCursor(Cpu& c, const Insn* i, unsigned size) : c_(c), i_(i), size_(size), at_(c.gpr[rsp]) { }

    void push(u64 value)
    {
        at_ -= size_;
        if (size_ == 2)
            store_stack<u16>(c_, i_, at_, u16(value));
        else if (size_ == 4)
            store_stack<u32>(c_, i_, at_, u32(value));
        else
            store_stack<u64>(c_, i_, at_, value);
    }
    u64 pop()
    {
        const u64 value = size_ == 2 ? load_stack<u16>(c_, i_, at_)
            : size_ == 4             ? load_stack<u32>(c_, i_, at_)
                                     : load_stack<u64>(c_, i_, at_);
        at_ += size_;
        return value;
    }
    void skip(u64 bytes) { at_ += bytes; }
    u64 position() const { return at_; }
    void commit() { set_stack_pointer(c_, at_); }

private:
    Cpu& c_;
    const Insn* i_;
    unsigned size_;
    u64 at_;
};

}
