// What moves data between lanes, by masks and by vectors of addresses. SDM vol. 2, under each name.
#include "engine/cpu/x86/avx_handlers.h"

#include <algorithm>

#include "engine/cpu/x86/forms.h"

namespace engine::x86 {

namespace {

// Both lanes as an array of T.
template <class T> using WideElements = std::array<T, 32 / sizeof(T)>;
template <class T> WideElements<T> wide_register(const Cpu& c, u8 n)
{
    return std::bit_cast<WideElements<T>>(std::array<Xmm, 2>{c.fpu.xmm[n], c.fpu.ymm_high[n]});
}
template <class T> void set_wide_register(Cpu& c, u8 n, const WideElements<T>& value)
{
    const auto halves = std::bit_cast<std::array<Xmm, 2>>(value);
    c.fpu.xmm[n] = halves[0];
    c.fpu.ymm_high[n] = halves[1];
    c.fpu.zmm_high[n] = {};
    c.slots.uppers_used = true;
}
template <class T> unsigned element_count(const Insn* i)
{
    return (i->wide() ? 32 : 16) / sizeof(T);
}
template <class T> bool chosen(T mask)
{
    return mask >> (8 * sizeof(T) - 1);
}

template <class T> void broadcast(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const T value = i->memory() ? load_operand<T>(c, i) : std::bit_cast<Elements<T>>(c.fpu.xmm[i->rm])[0];
    WideElements<T> result{};
    for (unsigned n = 0; n < element_count<T>(i); ++n)
        result[n] = value;
    set_wide_register<T>(c, i->reg, result);
    return next(c, i);
}

template <class T> void mask_load(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u64 offset = effective_address(c, i);
    const auto mask = wide_register<T>(c, i->vvvv);
    WideElements<T> result{};
    for (unsigned n = 0; n < element_count<T>(i); ++n)
        if (chosen(mask[n]))
            result[n] = load_element<T>(c, i, (offset + n * sizeof(T)) & i->address_mask);
    set_wide_register<T>(c, i->reg, result);
    return next(c, i);
}

// All that is chosen can be written, before any of it is.
template <class T> void mask_store(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u64 offset = effective_address(c, i);
    const auto mask = wide_register<T>(c, i->vvvv), value = wide_register<T>(c, i->reg);
    const auto each = [&](auto use) {
        for (unsigned n = 0; n < element_count<T>(i); ++n)
            if (chosen(mask[n]))
                use((offset + n * sizeof(T)) & i->address_mask, value[n]);
    };
    each([&](u64 at, T) { probe_write(c, i, linear_address<Access::write>(c, i, i->segment, at, sizeof(T)), sizeof(T)); });
    each([&](u64 at, T element) { store_element<T>(c, i, at, element); });
    return next(c, i);
}

// Element by element, its mask cleared once it is there: after a fault the instruction goes on where it was.
template <class T, class Index> void gather(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const unsigned count = std::min(element_count<T>(i), element_count<Index>(i));
    const auto indices = wide_register<Index>(c, i->src);
    const u64 base = effective_address(c, i);
    auto mask = wide_register<T>(c, i->vvvv), result = wide_register<T>(c, i->reg);
    for (unsigned n = 0; n < count; ++n) {
        if (!chosen(mask[n]))
            continue;
        const u64 index = u64(i64(indices[n]));
        result[n] = load_element<T>(c, i, (base + (index << i->scale)) & i->address_mask);
        mask[n] = 0;
        set_wide_register<T>(c, i->reg, result);
        set_wide_register<T>(c, i->vvvv, mask);
    }
    for (unsigned n = count; n < result.size(); ++n)
        result[n] = 0;
    set_wide_register<T>(c, i->reg, result);
    set_wide_register<T>(c, i->vvvv, {});
    return next(c, i);
}

enum class Shift : u8 { left, right, right_signed };
template <class T, Shift how> Lanes shift_each(Lanes a, Lanes counts)
{
    constexpr T width = 8 * sizeof(T);
    auto values = elements<T>(a);
    const auto by = elements<T>(counts);
    for (unsigned n = 0; n < values.size(); ++n) {
        if constexpr (how == Shift::right_signed)
            values[n] = T(std::make_signed_t<T>(values[n]) >> std::min<T>(by[n], width - 1));
        else if (by[n] >= width)
            values[n] = 0;
        else
            values[n] = how == Shift::left ? values[n] << by[n] : values[n] >> by[n];
    }
    return lanes<T>(values);
}

// Registers that there are outside 64-bit mode.
unsigned register_count(const Cpu& c)
{
    return c.code_64() ? 16 : 8;
}

}

void vbroadcast_8(Cpu& c, const Insn* i)
{
    return broadcast<u8>(c, i);
}
void vbroadcast_16(Cpu& c, const Insn* i)
{
    return broadcast<u16>(c, i);
}
void vbroadcast_32(Cpu& c, const Insn* i)
{
    return broadcast<u32>(c, i);
}
void vbroadcast_64(Cpu& c, const Insn* i)
{
    return broadcast<u64>(c, i);
}
void vbroadcast_128(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Lanes value = source<Xmm>(c, i);
    set_vector(c, i->reg, {value, value});
    return next(c, i);
}

void vinsert_128(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Lanes value = source<Xmm>(c, i);
    const bool upper = immediate(i) & 1;
    set_vector(c, i->reg, {upper ? first(c, i) : value, upper ? value : first_high(c, i)});
    return next(c, i);
}

void vextract_128(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Xmm value = immediate(i) & 1 ? c.fpu.ymm_high[i->reg] : c.fpu.xmm[i->reg];
    if (i->memory())
        store_xmm(c, i, effective_address(c, i), value);
    else
        set_vector(c, i, i->rm, lanes(value));
    return next(c, i);
}

// For each lane: bits 1:0 choose one of the four, bit 3 clears.
void vperm2_128(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Wide b = wide_source<Xmm>(c, i);
    const Lanes from[4] = {first(c, i), first_high(c, i), b.low, b.high};
    const auto lane = [&](unsigned control) { return control & 8 ? Lanes{} : from[control & 3]; };
    set_vector(c, i->reg, {lane(immediate(i)), lane(immediate(i) >> 4)});
    return next(c, i);
}

void vpermd(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const auto order = wide_register<u32>(c, i->vvvv);
    const Wide b = wide_source<Xmm>(c, i);
    const auto from = std::bit_cast<WideElements<u32>>(b);
    WideElements<u32> result;
    for (unsigned n = 0; n < result.size(); ++n)
        result[n] = from[order[n] & 7];
    set_wide_register<u32>(c, i->reg, result);
    return next(c, i);
}

void vpermq(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const auto from = std::bit_cast<WideElements<u64>>(wide_source<Xmm>(c, i));
    WideElements<u64> result;
    for (unsigned n = 0; n < result.size(); ++n)
        result[n] = from[immediate(i) >> (2 * n) & 3];
    set_wide_register<u64>(c, i->reg, result);
    return next(c, i);
}

void vmask_load_32(Cpu& c, const Insn* i)
{
    return mask_load<u32>(c, i);
}
void vmask_load_64(Cpu& c, const Insn* i)
{
    return mask_load<u64>(c, i);
}
void vmask_store_32(Cpu& c, const Insn* i)
{
    return mask_store<u32>(c, i);
}
void vmask_store_64(Cpu& c, const Insn* i)
{
    return mask_store<u64>(c, i);
}

void vgather_32_by_32(Cpu& c, const Insn* i)
{
    return gather<u32, i32>(c, i);
}
void vgather_64_by_32(Cpu& c, const Insn* i)
{
    return gather<u64, i32>(c, i);
}
void vgather_32_by_64(Cpu& c, const Insn* i)
{
    return gather<u32, i64>(c, i);
}
void vgather_64_by_64(Cpu& c, const Insn* i)
{
    return gather<u64, i64>(c, i);
}

void vzeroupper(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    std::fill_n(c.fpu.ymm_high.begin(), register_count(c), Xmm{});
    std::fill_n(c.fpu.zmm_high.begin(), register_count(c), ZmmHigh{});
    return next(c, i);
}

void vzeroall(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    std::fill_n(c.fpu.xmm.begin(), register_count(c), Xmm{});
    std::fill_n(c.fpu.ymm_high.begin(), register_count(c), Xmm{});
    std::fill_n(c.fpu.zmm_high.begin(), register_count(c), ZmmHigh{});
    return next(c, i);
}

Lanes vpermilps(Lanes a, Lanes order)
{
    const auto from = elements<u32>(a), by = elements<u32>(order);
    return lanes<u32>({from[by[0] & 3], from[by[1] & 3], from[by[2] & 3], from[by[3] & 3]});
}
Lanes vpermilpd(Lanes a, Lanes order)
{
    return lanes(a[order[0] >> 1 & 1], a[order[1] >> 1 & 1]);
}
Lanes vpermilpd_constant(Lanes, Lanes b, u8 order)
{
    return shufpd(b, b, order);
}

Lanes vpsllvd(Lanes a, Lanes counts)
{
    return shift_each<u32, Shift::left>(a, counts);
}
Lanes vpsllvq(Lanes a, Lanes counts)
{
    return shift_each<u64, Shift::left>(a, counts);
}
Lanes vpsrlvd(Lanes a, Lanes counts)
{
    return shift_each<u32, Shift::right>(a, counts);
}
Lanes vpsrlvq(Lanes a, Lanes counts)
{
    return shift_each<u64, Shift::right>(a, counts);
}
Lanes vpsravd(Lanes a, Lanes counts)
{
    return shift_each<u32, Shift::right_signed>(a, counts);
}

}
