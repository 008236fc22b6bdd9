#pragma once
// How handlers reach operands: registers, memory through the soft TLB, stack. `i` names the instruction for faults.

#include "engine/base/bits.h"
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// The tail call that threads a block together.
inline void next(Cpu& c, const Insn* i)
{
    return (i + 1)->handler(c, i + 1);
}

[[gnu::always_inline]] inline u64 effective_address(const Cpu& c, const Insn* i)
{
    return (c.gpr[i->base] + (c.gpr[i->index] << i->scale) + u64(i64(i->disp))) & i->address_mask;
}

// Slow paths, mmu.cpp. They check, walk, fill the TLB, reach registers, split at page ends; they do not return on a fault.
u64 load_slow(Cpu& c, const Insn* i, u64 linear, unsigned size);
void store_slow(Cpu& c, const Insn* i, u64 linear, u64 value, unsigned size);
// Raises #GP or #SS when [offset, offset + size) leaves the segment, or may not be accessed so.
void check_segment(Cpu& c, const Insn* i, unsigned segment, u64 offset, unsigned size, Access access);
// #AC where alignment is checked and the address is no multiple of `alignment`, a power of two. SDM vol. 3, 6.15. The
// functions for 1 to 8 bytes do so by themselves. More at once, from memory into a vector register, may lie anywhere: what
// has to be aligned then raises #GP.
void check_alignment(Cpu& c, const Insn* i, u64 linear, unsigned alignment);
// The host address of a linear one if it is plain memory and the access stays within the page, else null. May fault.
u8* host_address(Cpu& c, const Insn* i, u64 linear, unsigned size, Access access);

// The same without a fault, for bytes that may also lie in two pages if the host has these side by side.
struct Probe {
    u8* host = nullptr;
    bool faults = false;
};
Probe probe_host(Cpu& c, u64 linear, unsigned size, Access access);

// Plain memory of a page that holds code, for a store of several bytes: none where host_address() would do, or where
// nothing but store_slow() does. The caller tells `memory` when it has written. May fault, and leave the block first.
struct OverCode {
    u8* host = nullptr;
    MemoryBlock* memory = nullptr;
    u64 offset = 0;
};
OverCode address_over_code(Cpu& c, const Insn* i, u64 linear, unsigned size);

template <class T> [[gnu::always_inline]] inline T load_linear(Cpu& c, const Insn* i, u64 linear)
{
    const TlbEntry& entry = c.tlb->entry(Access::read, linear);
    if ((linear ^ entry.tag) <= page_size - sizeof(T)) [[likely]] {
        T value;
        __builtin_memcpy(&value, reinterpret_cast<const void*>(entry.host + (linear ^ entry.tag)), sizeof value);
        return value;
    }
    return T(load_slow(c, i, linear, sizeof(T)));
}

template <class T> [[gnu::always_inline]] inline void store_linear(Cpu& c, const Insn* i, u64 linear, T value)
{
    const TlbEntry& entry = c.tlb->entry(Access::write, linear);
    if ((linear ^ entry.tag) <= page_size - sizeof(T)) [[likely]] {
        __builtin_memcpy(reinterpret_cast<void*>(entry.host + (linear ^ entry.tag)), &value, sizeof value);
        return;
    }
    store_slow(c, i, linear, value, sizeof(T));
}

// `offset` within a segment → linear address, checked where the segment is not flat.
template <Access access>
[[gnu::always_inline]] inline u64 linear_address(Cpu& c, const Insn* i, unsigned segment, u64 offset, unsigned size)
{
    if (i->flags & Insn::flag_checked) [[unlikely]]
        check_segment(c, i, segment, offset, size, access);
    return (c.base[segment] + offset) & c.linear_mask;
}

template <class T> [[gnu::always_inline]] inline T load(Cpu& c, const Insn* i, u64 offset)
{
    return load_linear<T>(c, i, linear_address<Access::read>(c, i, i->segment, offset, sizeof(T)));
}
template <class T> [[gnu::always_inline]] inline void store(Cpu& c, const Insn* i, u64 offset, T value)
{
    store_linear<T>(c, i, linear_address<Access::write>(c, i, i->segment, offset, sizeof(T)), value);
}
// The instruction's memory operand.
template <class T> [[gnu::always_inline]] inline T load_operand(Cpu& c, const Insn* i)
{
    return load<T>(c, i, effective_address(c, i));
}
template <class T> [[gnu::always_inline]] inline void store_operand(Cpu& c, const Insn* i, T value)
{
    store<T>(c, i, effective_address(c, i), value);
}

// 16 bytes. `aligned_16` rows raise #GP(0) for a misaligned address. A store that crosses a page checks both pages first.
Xmm load_xmm(Cpu& c, const Insn* i, u64 offset);
void store_xmm(Cpu& c, const Insn* i, u64 offset, const Xmm& value);
// Any number of bytes, both pages checked before the first byte is written (FXSAVE, FSAVE, x87 80-bit stores).
void load_bytes(Cpu& c, const Insn* i, u64 offset, void* to, unsigned size, unsigned alignment = 1);
void store_bytes(Cpu& c, const Insn* i, u64 offset, const void* from, unsigned size, unsigned alignment = 1);

// The r/m operand, register or memory. `rm` as a register uses Insn::dst for E-first rows: the decoder puts the byte
// offset of the r/m register into dst or src by the operand's place in the row.
template <class T> [[gnu::always_inline]] inline T load_src(Cpu& c, const Insn* i)
{
    return i->memory() ? load_operand<T>(c, i) : c.reg<T>(i->src);
}

}
