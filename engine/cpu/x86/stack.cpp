// Stack instructions.

#include "engine/cpu/x86/stack.h"

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/segments.h"

namespace engine::x86 {

namespace {

template <class T, Form form> void push_operand(Cpu& c, const Insn* i)
{
    if constexpr (form == form_rr)
        push<T>(c, i, c.reg<T>(i->dst));
    else if constexpr (form == form_ri)
        push<T>(c, i, T(i->imm));
    else
        push<T>(c, i, load_operand<T>(c, i));
    return next(c, i);
}

template <class T> void pop_register(Cpu& c, const Insn* i)
{
    const T value = load_stack<T>(c, i, c.gpr[rsp]);
    set_stack_pointer(c, c.gpr[rsp] + sizeof(T));
    c.set_reg<T>(i->dst, value);
    return next(c, i);
}

// The address of POP's memory operand is computed with the stack pointer already moved.
template <class T> void pop_memory(Cpu& c, const Insn* i)
{
    const T value = load_stack<T>(c, i, c.gpr[rsp]);
    const u64 before = c.gpr[rsp];
    set_stack_pointer(c, before + sizeof(T));
    const u64 offset = effective_address(c, i);
    c.gpr[rsp] = before;
    store<T>(c, i, offset, value);
    set_stack_pointer(c, before + sizeof(T));
    return next(c, i);
}

// A 32-bit push of a segment register writes two bytes and leaves the other two of its slot.
void push_segment(Cpu& c, const Insn* i)
{
    const u16 selector = c.seg[i->reg].selector;
    if (i->operand_size == 8) {
        push<u64>(c, i, selector);
    } else {
        const u64 to = c.gpr[rsp] - i->operand_size;
        store_stack<u16>(c, i, to, selector);
        set_stack_pointer(c, to);
    }
    return next(c, i);
}

void pop_segment(Cpu& c, const Insn* i)
{
    const u16 selector = load_stack<u16>(c, i, c.gpr[rsp]);
    const u64 after = c.gpr[rsp] + i->operand_size;
    const u64 stack_mask = c.stack_mask;
    load_segment(c, i, SegmentName(i->reg), selector);
    c.gpr[rsp] = (c.gpr[rsp] & ~stack_mask) | (after & stack_mask);
    if (i->reg == ss)
        c.shadow = c.trap_shadow = true;
    leave_block(c, i);
}

template <class T> void pusha(Cpu& c, const Insn* i)
{
    const T before = c.reg<T>(rsp * 8);
    StackCursor stack(c, i, sizeof(T));
    for (unsigned n = 0; n < 8; ++n)
        stack.push(n == rsp ? before : c.reg<T>(u8(n * 8)));
    stack.commit();
    return next(c, i);
}
template <class T> void popa(Cpu& c, const Insn* i)
{
    StackCursor stack(c, i, sizeof(T));
    std::array<T, 8> values;
    for (unsigned n = 8; n-- > 0;)
        values[n] = T(stack.pop());
    stack.commit();
    for (unsigned n = 0; n < 8; ++n)
        if (n != rsp)
            c.set_reg<T>(u8(n * 8), values[n]);
    return next(c, i);
}

template <class T> void pushf(Cpu& c, const Insn* i)
{
    u64 value = c.rflags() & ~(flag_vm | flag_rf);
    if (c.v86() && c.iopl() < 3) {
        // SDM vol. 3, 20.2.7: with VME a 16-bit PUSHF shows VIF as IF and IOPL as 3.
        if (!(c.cr4 & cr4_vme) || sizeof(T) != 2)
            c.raise(i, general_protection, 0);
        value = (value & ~flag_i) | flag_iopl | (c.flag(flag_vif) ? flag_i : 0);
    }
    push<T>(c, i, T(value));
    return next(c, i);
}

template <class T> void popf(Cpu& c, const Insn* i)
{
    constexpr u64 upper = sizeof(T) == 2 ? 0 : flag_ac | flag_id;
    u64 writable = flags_arithmetic | flag_t | flag_d | flag_nt | upper;
    const bool by_vme = c.v86() && c.iopl() < 3;
    if (by_vme && (!(c.cr4 & cr4_vme) || sizeof(T) != 2))
        c.raise(i, general_protection, 0);
    u64 value = load_stack<T>(c, i, c.gpr[rsp]);
    if (by_vme) {
        if (value & flag_t || (value & flag_i && c.flag(flag_vip)))
            c.raise(i, general_protection, 0);
        value = (value & ~flag_vif) | (value & flag_i ? flag_vif : 0);
        writable |= flag_vif;
    } else {
        if (c.cpl == 0 && !c.v86())
            writable |= flag_iopl;
        if (c.cpl <= c.iopl() || !c.protected_mode())
            writable |= flag_i;
    }
    set_stack_pointer(c, c.gpr[rsp] + sizeof(T));
    const u64 cleared = sizeof(T) == 2 ? 0 : flag_rf;
    set_flags(c, (c.rflags() & ~(writable | cleared)) | (value & writable));
    leave_block(c, i);
}

// ENTER: the last access is tested before RSP and RBP change.
template <class T> void enter(Cpu& c, const Insn* i)
{
    const u16 size = u16(i->imm);
    const unsigned level = unsigned(i->imm >> 16) & 31;
    StackCursor stack(c, i, sizeof(T));
    stack.push(c.reg<T>(rbp * 8));
    const u64 frame = (c.gpr[rsp] & ~c.stack_mask) | (stack.position() & c.stack_mask);
    if (level) {
        u64 outer = c.gpr[rbp];
        for (unsigned n = 1; n < level; ++n) {
            outer -= sizeof(T);
            stack.push(load_stack<T>(c, i, outer));
        }
        stack.push(frame);
    }
    stack.skip(u64(-i64(size)));
    const u64 linear = linear_address<Access::write>(c, i, ss, stack.position() & c.stack_mask, sizeof(T));
    probe_write(c, i, linear, sizeof(T));
    check_alignment(c, i, linear, sizeof(T));
    // The stack's width decides how much of RBP changes, not the operand's.
    const u64 kept = c.stack_mask == 0xffff ? c.gpr[rbp] & ~u64(0xffff) : 0;
    c.gpr[rbp] = kept | (frame & c.stack_mask);
    stack.commit();
    return next(c, i);
}

template <class T> void leave(Cpu& c, const Insn* i)
{
    const T value = load_stack<T>(c, i, c.gpr[rbp]);
    set_stack_pointer(c, c.gpr[rbp] + sizeof(T));
    c.set_reg<T>(rbp * 8, value);
    return next(c, i);
}

}

constinit const Forms push_forms = {{{
    {nullptr, &push_operand<u16, form_rr>, &push_operand<u32, form_rr>, &push_operand<u64, form_rr>},
    {},
    {nullptr, &push_operand<u16, form_mr>, &push_operand<u32, form_mr>, &push_operand<u64, form_mr>},
    {},
    {},
}}};
constinit const Forms push_imm_forms
    = sized_forms(nullptr, &push_operand<u16, form_ri>, &push_operand<u32, form_ri>, &push_operand<u64, form_ri>);
constinit const Forms pop_forms = {{{
    {nullptr, &pop_register<u16>, &pop_register<u32>, &pop_register<u64>},
    {},
    {nullptr, &pop_memory<u16>, &pop_memory<u32>, &pop_memory<u64>},
    {},
    {},
}}};
constinit const Forms push_segment_forms = any_form<&push_segment>;
constinit const Forms pop_segment_forms = any_form<&pop_segment>;
constinit const Forms pusha_forms = sized_forms(nullptr, &pusha<u16>, &pusha<u32>, nullptr);
constinit const Forms popa_forms = sized_forms(nullptr, &popa<u16>, &popa<u32>, nullptr);
constinit const Forms pushf_forms = sized_forms(nullptr, &pushf<u16>, &pushf<u32>, &pushf<u64>);
constinit const Forms popf_forms = sized_forms(nullptr, &popf<u16>, &popf<u32>, &popf<u64>);
constinit const Forms enter_forms = sized_forms(nullptr, &enter<u16>, &enter<u32>, &enter<u64>);
constinit const Forms leave_forms = sized_forms(nullptr, &leave<u16>, &leave<u32>, &leave<u64>);

}
