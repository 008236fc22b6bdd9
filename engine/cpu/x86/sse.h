#pragma once
// What the SSE handlers are made of: operands as host vectors, the checks each class of instruction begins with, and the
// templates that turn "a, b → result" into a handler. SDM vol. 1, chapters 9-12; vol. 3, 13.1 (CR0.EM, TS, CR4.OSFXSR).
//
// The arithmetic is the host's own: each operation is one instruction of the host's SSE, so results and the exception
// flags are exact. It needs a host with SSE4.2; AES and carry-less multiplication are written out (sse_crypto.cpp).
// Not modelled: where overflow or underflow is unmasked and traps, PE tells of the result as it would have been masked.

#include <bit>
#include <utility>

#include "engine/cpu/x86/access.h"
#include "engine/cpu/x86/fpu.h"

namespace engine::x86 {

using Lanes = u64 __attribute__((vector_size(16)));

inline Lanes lanes(const Xmm& value)
{
    return std::bit_cast<Lanes>(value);
}
inline Lanes lanes(u64 low, u64 high = 0)
{
    return Lanes{low, high};
}
inline Xmm xmm(Lanes value)
{
    return std::bit_cast<Xmm>(value);
}

// Lanes as an array of T and back.
template <class T> using Elements = std::array<T, 16 / sizeof(T)>;
template <class T> Elements<T> elements(Lanes value)
{
    return std::bit_cast<Elements<T>>(value);
}
template <class T> Lanes lanes(const Elements<T>& value)
{
    return std::bit_cast<Lanes>(value);
}

inline u8 immediate(const Insn* i)
{
    return u8(i->imm);
}

[[noreturn]] void refuse_sse(Cpu& c, const Insn* i);
inline void check_sse(Cpu& c, const Insn* i)
{
    if ((c.cr0 & (cr0_em | cr0_ts)) | (~c.cr4 & cr4_osfxsr)) [[unlikely]]
        refuse_sse(c, i);
}

// The second operand: Memory is how much of memory it reads (Xmm, u64, u32, u16); a register comes whole.
template <class Memory> Lanes source(Cpu& c, const Insn* i)
{
    if (!i->memory())
        return lanes(c.fpu.xmm[i->rm]);
    if constexpr (std::is_same_v<Memory, Xmm>)
        return lanes(load_xmm(c, i, effective_address(c, i)));
    else
        return lanes(load_operand<Memory>(c, i));
}

template <auto operation, class... Operands> auto with_immediate(const Insn* i, Operands... operands)
{
    if constexpr (requires { operation(operands..., u8()); })
        return operation(operands..., immediate(i));
    else
        return operation(operands...);
}

// xmm = operation(xmm, xmm/m [, imm8]).
template <auto operation, class Memory = Xmm> void packed(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Lanes b = source<Memory>(c, i);
    c.fpu.xmm[i->reg] = xmm(with_immediate<operation>(i, lanes(c.fpu.xmm[i->reg]), b));
    return next(c, i);
}

// xmm (in r/m) = operation(xmm, imm8): the shifts of groups 12 to 14.
template <auto operation> void packed_shift(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    c.fpu.xmm[i->rm] = xmm(operation(lanes(c.fpu.xmm[i->rm]), lanes(immediate(i))));
    return next(c, i);
}

// MXCSR, SDM vol. 1, 10.2.3.
constexpr u32 mxcsr_invalid = 1, mxcsr_denormal = 2, mxcsr_zero_divide = 4, mxcsr_overflow = 8, mxcsr_underflow = 16,
              mxcsr_precision = 32;
constexpr u32 mxcsr_flags = 0x3f, mxcsr_daz = 0x40, mxcsr_masks = 0x1f80, mxcsr_rounding = 0x6000, mxcsr_ftz = 0x8000;
constexpr u32 mxcsr_mask = 0xffff;
constexpr unsigned mxcsr_masks_shift = 7;

// Raises #XM (or #UD) if `raised` has an unmasked exception, else adds it to MXCSR.
[[noreturn]] void simd_exception(Cpu& c, const Insn* i, u32 raised);
inline void report_simd(Cpu& c, const Insn* i, u32 raised)
{
    if (raised & ~(c.fpu.mxcsr >> mxcsr_masks_shift)) [[unlikely]]
        simd_exception(c, i, raised);
    c.fpu.mxcsr |= raised;
}

// The guest's rounding and denormal modes on the host's unit, exceptions masked, for the life of `run`. The operations are
// volatile asm, as is the change of mode, so that the compiler keeps them in order.
template <class Run> u32 with_guest_mxcsr(Cpu& c, Run run)
{
    u32 host, raised;
    u32 guest = (c.fpu.mxcsr & (mxcsr_daz | mxcsr_rounding | mxcsr_ftz)) | mxcsr_masks;
    if (!(c.fpu.mxcsr & mxcsr_underflow << mxcsr_masks_shift))
        guest &= ~mxcsr_ftz;    // flush-to-zero is for masked underflow only
    asm volatile("stmxcsr %0" : "=m"(host));
    asm volatile("ldmxcsr %0" : : "m"(guest));
    run();
    asm volatile("stmxcsr %0" : "=m"(raised));
    asm volatile("ldmxcsr %0" : : "m"(host));
    return raised & mxcsr_flags;
}

// Which elements of a result an arithmetic instruction has rounded. An unmasked underflow is raised by an exact tiny
// result too, which a masked run doesn't flag: then we look at the result.
enum class Rounded : u8 { none, ps, pd, ss, sd };
u32 exact_underflow(Lanes result, Rounded rounded);
template <Rounded rounded> u32 underflow_of(const Cpu& c, Lanes result)
{
    if constexpr (rounded != Rounded::none)
        if (!(c.fpu.mxcsr & mxcsr_underflow << mxcsr_masks_shift)) [[unlikely]]
            return exact_underflow(result, rounded);
    return 0;
}

// xmm = operation(xmm, xmm/m [, imm8]) in floating point.
template <auto operation, Rounded rounded = Rounded::none, class Memory = Xmm> void packed_float(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Lanes b = source<Memory>(c, i);
    Lanes a = lanes(c.fpu.xmm[i->reg]);
    const u32 raised = with_guest_mxcsr(c, [&] { a = with_immediate<operation>(i, a, b); });
    report_simd(c, i, raised | underflow_of<rounded>(c, a));
    c.fpu.xmm[i->reg] = xmm(a);
    return next(c, i);
}

// (U)COMISS, (U)COMISD. The operation gives ZF, PF and CF.
template <auto operation, class Memory> void compare_float(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Lanes b = source<Memory>(c, i);
    const Lanes a = lanes(c.fpu.xmm[i->reg]);
    u64 flags = 0;
    const u32 raised = with_guest_mxcsr(c, [&] { flags = operation(a, b); });
    report_simd(c, i, raised);
    c.lazy.set_all(flags);
    return next(c, i);
}

// xmm = operation(xmm, general register or memory): CVTSI2SS, CVTSI2SD.
template <auto operation32, auto operation64> void float_from_integer(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const bool wide = i->rex_w();
    const u64 value = !i->memory() ? c.gpr[i->rm] : wide ? load_operand<u64>(c, i) : load_operand<u32>(c, i);
    Lanes a = lanes(c.fpu.xmm[i->reg]);
    const u32 raised = with_guest_mxcsr(c, [&] { a = wide ? operation64(a, value) : operation32(a, u32(value)); });
    report_simd(c, i, raised);
    c.fpu.xmm[i->reg] = xmm(a);
    return next(c, i);
}

// general register = operation(xmm/m): CVTSS2SI and its kin.
template <auto operation32, auto operation64, class Memory> void integer_from_float(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Lanes b = source<Memory>(c, i);
    u64 result = 0;
    const u32 raised = with_guest_mxcsr(c, [&] { result = i->rex_w() ? operation64(b) : operation32(b); });
    report_simd(c, i, raised);
    c.gpr[i->reg] = result;
    return next(c, i);
}

}
