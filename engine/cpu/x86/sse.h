#pragma once
// What the SSE and AVX handlers are made of: operands as host vectors, the checks each class of instruction begins with, and the
// templates that turn "a, b → result" into a handler. SDM vol. 1, chapters 9-12; vol. 3, 13.1 (CR0.EM, TS, CR4.OSFXSR).
//
// The arithmetic is the host's own: each operation is one instruction of the host's SSE, so results and the exception
// flags are exact; 256 bits are two lanes of 128. It needs a host with SSE4.2; AES and carry-less multiplication are written out (sse_crypto.cpp).
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
    constexpr u64 sse_and_avx = 6;
    const bool refused = i->vex ? (c.cr0 & cr0_ts) | (~c.cr4 & cr4_osxsave) | (~c.xcr0 & sse_and_avx)
                                : (c.cr0 & (cr0_em | cr0_ts)) | (~c.cr4 & cr4_osfxsr);
    if (refused) [[unlikely]]
        refuse_sse(c, i);
}

// A YMM register, or an XMM register with zero above it.
struct Wide {
    Lanes low{}, high{};
};

// How much of memory an operation's second operand is. Xmm: all of it, 16 or 32 bytes; u64, u32, u16: a scalar, whatever
// VEX.L says. The rest are for operations that are not lane by lane.
template <unsigned n> struct Widening {
};    // each lane of the result comes from `n` bytes of the source
struct Count { };    // 16 bytes for both lanes

template <class Memory> struct MemoryOf {
    using type = Memory;
};
template <> struct MemoryOf<Widening<8>> {
    using type = u64;
};
template <> struct MemoryOf<Widening<4>> {
    using type = u32;
};
template <> struct MemoryOf<Widening<2>> {
    using type = u16;
};
template <> struct MemoryOf<Count> {
    using type = Xmm;
};
template <class Memory> constexpr bool is_scalar = std::is_integral_v<Memory>;

// The second operand, 16 bytes of it or the scalar; a register comes whole.
template <class Memory> Lanes source(Cpu& c, const Insn* i)
{
    if (!i->memory())
        return lanes(c.fpu.xmm[i->rm]);
    using Loaded = typename MemoryOf<Memory>::type;
    if constexpr (std::is_same_v<Loaded, Xmm>)
        return lanes(load_xmm(c, i, effective_address(c, i)));
    else
        return lanes(load_operand<Loaded>(c, i));
}

// The 32 bytes of memory; aligned_16 rows want them aligned to 32.
Wide load_wide(Cpu& c, const Insn* i);
void store_wide(Cpu& c, const Insn* i, const Wide& value);

template <unsigned n> Wide widened(Cpu& c, const Insn* i)
{
    using Both = std::conditional_t<n == 8, Xmm, std::conditional_t<n == 4, u64, u32>>;
    const Lanes all = source<Both>(c, i);
    const unsigned shift = 8 * n & 63;
    return {all, n == 8 ? lanes(all[1]) : lanes(all[0] >> shift)};
}

// The second operand of a 256-bit instruction, lane by lane.
template <class Memory> Wide wide_source(Cpu& c, const Insn* i)
{
    if constexpr (std::is_same_v<Memory, Widening<8>>)
        return widened<8>(c, i);
    else if constexpr (std::is_same_v<Memory, Widening<4>>)
        return widened<4>(c, i);
    else if constexpr (std::is_same_v<Memory, Widening<2>>)
        return widened<2>(c, i);
    else if constexpr (std::is_same_v<Memory, Count>) {
        const Lanes count = source<Xmm>(c, i);
        return {count, count};
    } else {
        return i->memory() ? load_wide(c, i) : Wide{lanes(c.fpu.xmm[i->rm]), lanes(c.fpu.ymm_high[i->rm])};
    }
}

// The first operand is the destination itself, with VEX a register of its own.
inline u8 first_register(const Insn* i)
{
    return i->vex ? i->vvvv : i->reg;
}
inline Lanes first(const Cpu& c, const Insn* i)
{
    return lanes(c.fpu.xmm[first_register(i)]);
}
inline Lanes first_high(const Cpu& c, const Insn* i)
{
    return lanes(c.fpu.ymm_high[first_register(i)]);
}

// A 128-bit result: legacy instructions leave what is above alone, VEX clears it.
inline void set_vector(Cpu& c, const Insn* i, u8 n, Lanes value)
{
    c.fpu.xmm[n] = xmm(value);
    if (i->vex) {
        c.fpu.ymm_high[n] = {};
        c.fpu.zmm_high[n] = {};
    }
}
inline void set_vector(Cpu& c, u8 n, const Wide& value)
{
    c.fpu.xmm[n] = xmm(value.low);
    c.fpu.ymm_high[n] = xmm(value.high);
    c.fpu.zmm_high[n] = {};
    c.slots.uppers_used = true;
}

// `high` is how far the immediate's bits for the upper lane are above those for the lower.
template <auto operation, unsigned high = 0, class... Operands> auto with_immediate(const Insn* i, Operands... operands)
{
    if constexpr (requires { operation(operands..., u8()); })
        return operation(operands..., u8(immediate(i) >> high));
    else
        return operation(operands...);
}

// x = operation(x, x/m [, imm8]), in one lane or two.
template <auto operation, class Memory = Xmm, unsigned high = 0> void packed(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if constexpr (!is_scalar<Memory>)
        if (i->wide()) {
            const Wide b = wide_source<Memory>(c, i);
            set_vector(
                c, i->reg,
                {with_immediate<operation>(i, first(c, i), b.low), with_immediate<operation, high>(i, first_high(c, i), b.high)});
            return next(c, i);
        }
    const Lanes b = source<Memory>(c, i);
    set_vector(c, i, i->reg, with_immediate<operation>(i, first(c, i), b));
    return next(c, i);
}

// x = operation(x in r/m, imm8): the shifts of groups 12 to 14.
template <auto operation> void packed_shift(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Lanes count = lanes(immediate(i));
    const u8 to = i->vex ? i->vvvv : i->rm;
    const Lanes low = operation(lanes(c.fpu.xmm[i->rm]), count);
    if (i->wide())
        set_vector(c, to, {low, operation(lanes(c.fpu.ymm_high[i->rm]), count)});
    else
        set_vector(c, i, to, low);
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
enum class Rounded : u8 { none, ps, pd, ss, sd, ph };
u32 exact_underflow(Lanes result, Rounded rounded);
template <Rounded rounded> u32 underflow_of(const Cpu& c, Lanes result)
{
    if constexpr (rounded != Rounded::none)
        if (!(c.fpu.mxcsr & mxcsr_underflow << mxcsr_masks_shift)) [[unlikely]]
            return exact_underflow(result, rounded);
    return 0;
}

// x = operation(x, x/m [, imm8]) in floating point. Exceptions are those of all lanes together.
template <auto operation, Rounded rounded = Rounded::none, class Memory = Xmm> void packed_float(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if constexpr (!is_scalar<Memory>)
        if (i->wide()) {
            const Wide b = wide_source<Memory>(c, i);
            Wide a{first(c, i), first_high(c, i)};
            const u32 raised = with_guest_mxcsr(c, [&] {
                a.low = with_immediate<operation>(i, a.low, b.low);
                a.high = with_immediate<operation>(i, a.high, b.high);
            });
            report_simd(c, i, raised | underflow_of<rounded>(c, a.low) | underflow_of<rounded>(c, a.high));
            set_vector(c, i->reg, a);
            return next(c, i);
        }
    const Lanes b = source<Memory>(c, i);
    Lanes a = first(c, i);
    const u32 raised = with_guest_mxcsr(c, [&] { a = with_immediate<operation>(i, a, b); });
    report_simd(c, i, raised | underflow_of<rounded>(c, a));
    set_vector(c, i, i->reg, a);
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
    Lanes a = first(c, i);
    const u32 raised = with_guest_mxcsr(c, [&] { a = wide ? operation64(a, value) : operation32(a, u32(value)); });
    report_simd(c, i, raised);
    set_vector(c, i, i->reg, a);
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
