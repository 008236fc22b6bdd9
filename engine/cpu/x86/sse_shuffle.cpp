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

// With VEX the register of the mask is in the last byte.
template <class T> void blend_by_register(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const unsigned mask = immediate(i) >> 4 & (c.code_64() ? 15 : 7);
    if (i->wide()) {
        const Wide b = wide_source<Xmm>(c, i);
        const Lanes low = blend_by_sign<T>(first(c, i), b.low, c.fpu.xmm[mask]);
        set_vector(c, i->reg, {low, blend_by_sign<T>(first_high(c, i), b.high, c.fpu.ymm_high[mask])});
    } else {
        const Lanes b = source<Xmm>(c, i);
        set_vector(c, i, i->reg, blend_by_sign<T>(first(c, i), b, c.fpu.xmm[mask]));
    }
    return next(c, i);
}

using Stage = Lanes (*)(Lanes, Lanes);

template <Stage stage, Rounded rounded> Wide run_stage(Cpu& c, const Insn* i, Wide a, const Wide& b)
{
    const u32 raised = with_guest_mxcsr(c, [&] {
        a.low = stage(a.low, b.low);
        if (i->wide())
            a.high = stage(a.high, b.high);
    });
    report_simd(c, i, raised | underflow_of<rounded>(c, a.low) | underflow_of<rounded>(c, a.high));
    return a;
}

// Which of two NaNs their sum is, the makers of processors see differently: some add to each product its neighbour, DPPS to
// each neighbour its product, others the first two and the last two.
bool host_adds_in_place()
{
    static const bool answer = [] {
        constexpr u64 quiet_nan = 0x7ff8'0000'0000'0000, one = 0x3ff0'0000'0000'0000;
        Lanes sum = lanes(quiet_nan | 1, quiet_nan | 2);
        if (__builtin_cpu_supports("sse4.1"))
            asm volatile("dppd $0x33, %1, %0" : "+x"(sum) : "x"(lanes(one, one)));
        return sum[1] == (quiet_nan | 2);
    }();
    return answer;
}

Lanes add_two(Lanes a, Lanes b)
{
    return host_adds_in_place() ? host::addpd(a, lanes(a[1], a[0])) : host::haddpd(a, b);
}
Lanes add_pairs(Lanes a, Lanes b)
{
    const auto of = elements<u32>(a);
    return host_adds_in_place() ? host::addps(lanes<u32>({of[1], of[0], of[3], of[2]}), a) : host::haddps(a, b);
}
Lanes add_halves(Lanes a, Lanes b)
{
    return host_adds_in_place() ? host::addps(a, lanes(a[1], a[0])) : host::haddps(a, b);
}

// DPPS and DPPD: an unmasked exception of the products keeps the sums from being made. Unselected products are +0 and
// raise nothing, which is what zero operands give.
template <class T, Rounded rounded, Stage multiply, Stage... adds> void dot_product(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u8 masks = immediate(i);
    const auto chosen = [](const Wide& of, unsigned by) {
        return Wide{blend<T>(Lanes{}, of.low, by), blend<T>(Lanes{}, of.high, by)};
    };
    const Wide a{first(c, i), i->wide() ? first_high(c, i) : Lanes{}},
        b = i->wide() ? wide_source<Xmm>(c, i) : Wide{source<Xmm>(c, i)};
    Wide sum = run_stage<multiply, rounded>(c, i, chosen(a, masks >> 4), chosen(b, masks >> 4));
    ((sum = run_stage<adds, rounded>(c, i, sum, sum)), ...);
    sum = chosen(sum, masks & 15);
    if (i->wide())
        set_vector(c, i->reg, sum);
    else
        set_vector(c, i, i->reg, sum.low);
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
    return dot_product<u32, Rounded::ps, host::mulps, add_pairs, add_halves>(c, i);
}
void dppd(Cpu& c, const Insn* i)
{
    return dot_product<u64, Rounded::pd, host::mulpd, add_two>(c, i);
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
void vpblendvb(Cpu& c, const Insn* i)
{
    return blend_by_register<u8>(c, i);
}
void vblendvps(Cpu& c, const Insn* i)
{
    return blend_by_register<u32>(c, i);
}
void vblendvpd(Cpu& c, const Insn* i)
{
    return blend_by_register<u64>(c, i);
}

}
