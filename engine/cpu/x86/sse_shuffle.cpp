// Operations whose immediate (or XMM0) says which elements go where. The host has them with constants only, so they are
// written out. SDM vol. 2, under each name.
#include "engine/cpu/x86/sse_handlers.h"
#include "engine/cpu/x86/sse_operations.h"

namespace engine::x86 {

namespace {

// Element n of b for each set bit n of `choice`, else of a.
template <class T> Lanes blend(Lanes a, Lanes b, unsigned choice)
{
    auto result = elements<T>(a);
    const auto other = elements<T>(b);
    for (unsigned n = 0; n < result.size(); ++n)
        if (bit(choice, n))
            result[n] = other[n];
    return lanes<T>(result);
}

// Four words from `base` on, in the order of four 2-bit fields.
Lanes shuffle_words(Lanes b, u8 order, unsigned base)
{
    const auto from = elements<u16>(b);
    auto result = from;
    for (unsigned n = 0; n < 4; ++n)
        result[base + n] = from[base + (order >> (2 * n) & 3)];
    return lanes<u16>(result);
}

template <class T> Lanes blend_by_sign(Lanes a, Lanes b, const Xmm& mask)
{
    const auto signs = std::bit_cast<Elements<T>>(mask);
    unsigned choice = 0;
    for (unsigned n = 0; n < signs.size(); ++n)
        choice |= unsigned(signs[n] >> (8 * sizeof(T) - 1)) << n;
    return blend<T>(a, b, choice);
}

template <class T> void blend_by_xmm0(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Lanes b = source<Xmm>(c, i);
    c.fpu.xmm[i->reg] = xmm(blend_by_sign<T>(lanes(c.fpu.xmm[i->reg]), b, c.fpu.xmm[0]));
    return next(c, i);
}

using Stage = Lanes (*)(Lanes, Lanes);

template <Stage stage, Rounded rounded> Lanes run_stage(Cpu& c, const Insn* i, Lanes a, Lanes b)
{
    const u32 raised = with_guest_mxcsr(c, [&] { a = stage(a, b); });
    report_simd(c, i, raised | underflow_of<rounded>(c, a));
    return a;
}

// DPPS and DPPD: an unmasked exception of the products keeps the sums from being made. Unselected products are +0 and
// raise nothing, which is what zero operands give.
template <class T, Rounded rounded, Stage multiply, Stage add_pairs> void dot_product(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u8 masks = immediate(i);
    const Lanes b = source<Xmm>(c, i), zero{};
    Lanes sum
        = run_stage<multiply, rounded>(c, i, blend<T>(zero, lanes(c.fpu.xmm[i->reg]), masks >> 4), blend<T>(zero, b, masks >> 4));
    for (unsigned left = 16 / sizeof(T); left > 1; left /= 2)
        sum = run_stage<add_pairs, rounded>(c, i, sum, sum);
    c.fpu.xmm[i->reg] = xmm(blend<T>(zero, sum, masks & 15));
    return next(c, i);
}

}

Lanes pshufd(Lanes, Lanes b, u8 order)
{
    const auto from = elements<u32>(b);
    return lanes<u32>({from[order & 3], from[order >> 2 & 3], from[order >> 4 & 3], from[order >> 6]});
}

Lanes pshuflw(Lanes, Lanes b, u8 order)
{
    return shuffle_words(b, order, 0);
}
Lanes pshufhw(Lanes, Lanes b, u8 order)
{
    return shuffle_words(b, order, 4);
}

Lanes shufps(Lanes a, Lanes b, u8 order)
{
    const auto first = elements<u32>(a), second = elements<u32>(b);
    return lanes<u32>({first[order & 3], first[order >> 2 & 3], second[order >> 4 & 3], second[order >> 6]});
}

Lanes shufpd(Lanes a, Lanes b, u8 order)
{
    return lanes(a[order & 1], b[order >> 1 & 1]);
}
Lanes blendps(Lanes a, Lanes b, u8 choice)
{
    return blend<u32>(a, b, choice);
}
Lanes blendpd(Lanes a, Lanes b, u8 choice)
{
    return blend<u64>(a, b, choice);
}
Lanes pblendw(Lanes a, Lanes b, u8 choice)
{
    return blend<u16>(a, b, choice);
}

// The two operands side by side, a above b, moved right.
Lanes palignr(Lanes a, Lanes b, u8 bytes)
{
    const auto high = elements<u8>(a), low = elements<u8>(b);
    Elements<u8> result{};
    for (unsigned n = 0; n < 16; ++n) {
        const unsigned from = n + bytes;
        result[n] = from < 16 ? low[from] : from < 32 ? high[from - 16] : u8(0);
    }
    return lanes<u8>(result);
}

Lanes pslldq(Lanes a, Lanes bytes)
{
    return bytes[0] > 15 ? Lanes{} : palignr(a, Lanes{}, u8(16 - bytes[0]));
}
Lanes psrldq(Lanes a, Lanes bytes)
{
    return palignr(Lanes{}, a, u8(bytes[0]));
}

Lanes palignr_mmx(Lanes a, Lanes b, u8 bytes)
{
    return palignr(Lanes{}, lanes(b[0], a[0]), bytes);
}

Lanes pshufb_mmx(Lanes a, Lanes b)
{
    constexpr u64 index_bits = 0x8787878787878787;
    return host::pshufb(a, lanes(b[0] & index_bits));
}

// Eight sums of four absolute differences: of one group of four bytes of b with eleven bytes of a.
Lanes mpsadbw(Lanes a, Lanes b, u8 offsets)
{
    const auto window = elements<u8>(a), block = elements<u8>(b);
    const unsigned first = 4 * (offsets >> 2 & 1), group = 4 * (offsets & 3);
    Elements<u16> sums{};
    for (unsigned n = 0; n < 8; ++n)
        for (unsigned k = 0; k < 4; ++k) {
            const int difference = int(window[first + n + k]) - int(block[group + k]);
            sums[n] = u16(sums[n] + (difference < 0 ? -difference : difference));
        }
    return lanes<u16>(sums);
}

void dpps(Cpu& c, const Insn* i)
{
    return dot_product<u32, Rounded::ps, host::mulps, host::haddps>(c, i);
}
void dppd(Cpu& c, const Insn* i)
{
    return dot_product<u64, Rounded::pd, host::mulpd, host::haddpd>(c, i);
}

void pblendvb(Cpu& c, const Insn* i)
{
    return blend_by_xmm0<u8>(c, i);
}
void blendvps(Cpu& c, const Insn* i)
{
    return blend_by_xmm0<u32>(c, i);
}
void blendvpd(Cpu& c, const Insn* i)
{
    return blend_by_xmm0<u64>(c, i);
}

}
