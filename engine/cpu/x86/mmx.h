#pragma once
// What the MMX handlers are made of. MMn is the significand of the x87's physical register n; an MMX instruction makes
// all eight tags valid and TOP zero, and a register it writes gets an exponent of all ones. SDM vol. 1, 9.2.1 and 9.6.2.
//
// The arithmetic is that of SSE on the low half of a register, so no host MMX instruction is ever executed.

#include "engine/cpu/x86/sse.h"

namespace engine::x86 {

// #UD, #NM and a pending x87 exception. SSE instructions with an MMX operand check CR4.OSFXSR too.
[[noreturn]] void refuse_mmx(Cpu& c, const Insn* i);
inline void check_mmx(Cpu& c, const Insn* i)
{
    if (c.cr0 & (cr0_em | cr0_ts)) [[unlikely]]
        refuse_mmx(c, i);
    check_x87_exception(c, i);
}

inline void enter_mmx(Cpu& c)
{
    set_x87_top(c.fpu, 0);
    c.fpu.valid = 0xff;
}
inline u64 mm(const Cpu& c, u8 n)
{
    return c.fpu.registers[n & 7].significand;
}
inline void set_mm(Cpu& c, u8 n, u64 value)
{
    enter_mmx(c);
    c.fpu.registers[n & 7] = {value, 0xffff};
}

template <class Memory = u64> u64 mmx_source(Cpu& c, const Insn* i)
{
    return i->memory() ? load_operand<Memory>(c, i) : mm(c, i->rm);
}

// mm = low half of operation(mm, mm/m [, imm8]).
template <auto operation, class Memory = u64> void mmx_packed(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    const Lanes b = lanes(mmx_source<Memory>(c, i));
    set_mm(c, i->reg, with_immediate<operation>(i, lanes(mm(c, i->reg)), b)[0]);
    return next(c, i);
}

// mm (in r/m) = operation(mm, imm8).
template <auto operation> void mmx_shift(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    set_mm(c, i->rm, operation(lanes(mm(c, i->rm)), lanes(immediate(i)))[0]);
    return next(c, i);
}

// The horizontal SSE operations take the low half of their result from the first operand and the high half from the
// second; MMX has both operands in one register.
template <Lanes (*operation)(Lanes, Lanes)> Lanes both_in_one(Lanes a, Lanes b)
{
    return operation(lanes(a[0], b[0]), Lanes{});
}
// The high half of an unpacking is in the high half of the same operation on low halves.
template <Lanes (*unpack_low)(Lanes, Lanes)> Lanes high_of(Lanes a, Lanes b)
{
    return lanes(unpack_low(a, b)[1]);
}

}
