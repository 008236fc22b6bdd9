// What EVEX instructions do: the host's form of each between a frame's registers and its memory, with the guest's operands.
// Memory is read and written element by element where an opmask or a page's end leaves some out. SDM vol. 2, 2.7.5 and 2.8.
#include <algorithm>

#include "engine/cpu/x86/avx_handlers.h"
#include "engine/cpu/x86/evex.h"
#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/host_forms.h"

namespace engine::x86 {

namespace {

using enum Operand;
using VectorBytes = std::array<u64, 8>;

constexpr unsigned longest_form = 13;

void check_avx512(Cpu& c, const Insn* i, u32 feature)
{
    constexpr u64 components = xcr0_sse | xcr0_avx | xcr0_avx512;
    if (!(c.cr4 & cr4_osxsave) || ~c.xcr0 & components || !(c.model->features & feature))
        c.raise(i, invalid_opcode);
    if (c.cr0 & cr0_ts)
        c.raise(i, device_not_available);
}

VectorBytes vector_register(const Cpu& c, u8 n)
{
    if (n >= 16)
        return c.fpu.zmm[n - 16u].q;
    const auto &low = c.fpu.xmm[n].q, &high = c.fpu.ymm_high[n].q;
    const auto& top = c.fpu.zmm_high[n].q;
    return {low[0], low[1], high[0], high[1], top[0], top[1], top[2], top[3]};
}

void set_vector_register(Cpu& c, u8 n, const VectorBytes& value)
{
    if (n >= 16) {
        c.fpu.zmm[n - 16u].q = value;
        return;
    }
    c.fpu.xmm[n].q = {value[0], value[1]};
    c.fpu.ymm_high[n].q = {value[2], value[3]};
    c.fpu.zmm_high[n].q = {value[4], value[5], value[6], value[7]};
    const bool top = value[4] | value[5] | value[6] | value[7];
    c.slots.zmm_used |= top;
    c.slots.uppers_used |= top || value[2] | value[3];
}

bool writes_memory(const Insn* i)
{
    const Operand first = i->row->operands[0];
    return i->memory() && (first == W || first == M || first == Ed || first == Eq || first == KW);
}

// Elements of memory that are chosen, a bit each.
u64 chosen_elements(const Cpu& c, const Insn* i)
{
    const EvexRow& row = evex_row(*i);
    const unsigned count = memory_bytes(*i) / row.element;
    const u64 all = low_mask(count);
    if (!i->dst)
        return all;
    const u64 mask = c.fpu.opmask[i->dst];
    if ((row.rules & lig) == lig)
        return mask & 1;
    if (row.rules & packs)
        return low_mask(unsigned(std::popcount(mask & all)));
    const bool repeated = row.extent <= Extent::bytes_32 && !(row.rules & all_of_memory) && !writes_memory(i);
    if (!repeated)
        return mask & all;
    // Each element of memory goes to several of the destination.
    u64 used = 0;
    const unsigned in_vector = vector_bytes(*i) / row.element;
    for (unsigned n = 0; n < in_vector; n += count)
        used |= (mask & low_mask(in_vector)) >> n & all;
    return used;
}

void load_one(Cpu& c, const Insn* i, u64 offset, unsigned size, u8* to)
{
    const auto load_as = [&](auto type) {
        type = load_element<decltype(type)>(c, i, offset);
        std::memcpy(to, &type, sizeof type);
    };
    size == 1 ? load_as(u8()) : size == 2 ? load_as(u16()) : size == 4 ? load_as(u32()) : load_as(u64());
}

void store_one(Cpu& c, const Insn* i, u64 offset, unsigned size, const u8* from)
{
    const auto store_as = [&](auto type) {
        std::memcpy(&type, from, sizeof type);
        store_element<decltype(type)>(c, i, offset, type);
    };
    size == 1 ? store_as(u8()) : size == 2 ? store_as(u16()) : size == 4 ? store_as(u32()) : store_as(u64());
}

bool is_scalar_access(unsigned size)
{
    return size <= 8;
}

// #AC, as Intel's have it: for eight bytes and less, but not for halves that become singles or come of them.
void check_scalar(Cpu& c, const Insn* i, u64 offset, unsigned size)
{
    if (!is_scalar_access(size) || !c.soft_tlb.checks_alignment(c.tlb)) [[likely]]
        return;
    constexpr u8 vcvtph2ps = 0x13, vcvtps2ph = 0x1d;
    const bool from_halves = i->map == OpcodeMap::map_0f38 && i->prefix == p66 && i->opcode == vcvtph2ps;
    const bool to_halves = i->map == OpcodeMap::map_0f3a && i->opcode == vcvtps2ph;
    if (!from_halves && !to_halves)
        check_alignment(c, i, (c.base[i->segment] + offset) & c.linear_mask, size);
}

void check_aligned(Cpu& c, const Insn* i, u64 offset, unsigned size)
{
    if (i->row->traits & aligned_16 && (c.base[i->segment] + offset) & (size - 1))
        c.raise(i, general_protection, 0);
}

// The host's bytes for a linear address, if all of them are plain memory of one page that has been looked up. Null: one by one.
u8* plain_memory(Cpu& c, const Insn* i, u64 offset, unsigned size, Access access)
{
    if (i->flags & Insn::flag_checked)
        return nullptr;
    const u64 linear = (c.base[i->segment] + offset) & c.linear_mask;
    const TlbEntry& entry = c.tlb->entry(access, linear);
    return (linear ^ entry.tag) <= page_size - size ? std::bit_cast<u8*>(entry.host + (linear ^ entry.tag)) : nullptr;
}

void load_chosen(Cpu& c, const Insn* i, u64 offset, unsigned size, unsigned element, u64 chosen, u8* to)
{
    for (unsigned n = 0; n < size / element; ++n)
        if (bit(chosen, n))
            load_one(c, i, (offset + n * element) & i->address_mask, element, to + n * element);
}

// What the memory operand is to the instruction, at the frame's memory. What is not chosen is anything.
void load_memory(Cpu& c, const Insn* i, u8* to)
{
    const EvexRow& row = evex_row(*i);
    const u64 offset = effective_address(c, i);
    const u64 chosen = row.element ? chosen_elements(c, i) : 0;
    const bool whole = !i->dst || row.rules & all_of_memory;
    if (!whole && !chosen)
        return;
    if (i->vex & Insn::evex_b) {
        check_scalar(c, i, offset, row.element);
        return load_one(c, i, offset, row.element, to);
    }
    const unsigned size = memory_bytes(*i);
    check_aligned(c, i, offset, size);
    check_scalar(c, i, offset, size);
    if (const u8* const plain = plain_memory(c, i, offset, size, Access::read)) {
        std::memcpy(to, plain, size);
        return;
    }
    if (!whole)
        load_chosen(c, i, offset, size, row.element, chosen, to);
    else if (is_scalar_access(size))
        load_one(c, i, offset, size, to);
    else
        load_bytes(c, i, offset, to, size);
}

// All that is chosen can be written, before any of it is.
void probe_store(Cpu& c, const Insn* i, u64 offset, unsigned size, u64 chosen)
{
    const EvexRow& row = evex_row(*i);
    const auto probe = [&](u64 at, unsigned bytes) {
        probe_write(c, i, linear_address<Access::write>(c, i, i->segment, at & i->address_mask, bytes), bytes);
    };
    if (row.rules & all_of_memory)
        probe(offset, size);
    for (unsigned n = 0; n < size / row.element; ++n)
        if (bit(chosen, n))
            probe(offset + n * row.element, row.element);
}

void store_memory(Cpu& c, const Insn* i, const u8* from)
{
    const EvexRow& row = evex_row(*i);
    const unsigned size = memory_bytes(*i);
    const u64 offset = effective_address(c, i), chosen = chosen_elements(c, i);
    if (!chosen && !(row.rules & all_of_memory))
        return;
    check_aligned(c, i, offset, size);
    check_scalar(c, i, offset, size);
    if (!i->dst)
        return is_scalar_access(size) ? store_one(c, i, offset, size, from) : store_bytes(c, i, offset, from, size);
    u8* const plain = plain_memory(c, i, offset, size, Access::write);
    if (!plain)
        probe_store(c, i, offset, size, chosen);
    for (unsigned n = 0; n < size / row.element; ++n) {
        if (!bit(chosen, n))
            continue;
        const unsigned at = n * row.element;
        if (plain)
            std::memcpy(plain + at, from + at, row.element);
        else
            store_one(c, i, (offset + at) & i->address_mask, row.element, from + at);
    }
}

bool group_opcode(const Row& row)
{
    return row.operands[0] == H;
}

// The host's form, from ModRM on.
u8* append_operands(const Insn* i, u8* to)
{
    constexpr u8 register_2 = 0xc2, rdi_disp32 = 0x87;
    const u8 reg = group_opcode(*i->row) ? u8(i->modrm & 0x38) : u8(0);
    if (i->memory()) {
        *to++ = rdi_disp32 | reg;
        *to++ = frame_memory_at;
        for (unsigned n = 0; n < 3; ++n)
            *to++ = 0;
    } else {
        *to++ = register_2 | reg;
    }
    if (has_operand(*i->row, Ib))
        *to++ = u8(i->imm);
    return to;
}

std::span<const u8> evex_form(const Insn* i, std::array<u8, longest_form>& bytes)
{
    constexpr u8 no_extensions = 0xf0, p1_fixed = 4, no_vvvv = 0x78, vvvv_1 = 0x70, no_v_upper = 8;
    const bool vvvv = (has_operand(*i->row, H) || has_operand(*i->row, KH)) && !(i->row->traits & register_vvvv && i->memory());
    const u8 w = i->vex & Insn::vex_w ? 0x80 : 0;
    const u8 z = i->vex & Insn::evex_z ? 0x80 : 0, b = i->vex & Insn::evex_b ? 0x10 : 0;
    u8* at = bytes.data();
    *at++ = 0x62;
    *at++ = no_extensions | u8(i->map);
    *at++ = w | (vvvv ? vvvv_1 : no_vvvv) | p1_fixed | i->prefix;
    *at++ = z | u8(i->evex_length() << 5) | b | no_v_upper | (i->dst ? 1 : 0);
    *at++ = i->opcode;
    return {bytes.data(), append_operands(i, at)};
}

std::span<const u8> vex_form(const Insn* i, std::array<u8, longest_form>& bytes)
{
    constexpr u8 no_extensions = 0xe0, no_vvvv = 0x78, vvvv_1 = 0x70;
    const bool general = has_operand(*i->row, Gy) || has_operand(*i->row, Ey);
    const u8 w = (general ? i->rex_w() : i->vex & Insn::vex_w) ? 0x80 : 0, length = i->wide() ? 4 : 0;
    u8* at = bytes.data();
    *at++ = 0xc4;
    *at++ = no_extensions | u8(i->map);
    *at++ = w | (has_operand(*i->row, KH) ? vvvv_1 : no_vvvv) | length | i->prefix;
    *at++ = i->opcode;
    return {bytes.data(), append_operands(i, at)};
}

void load_registers(const Cpu& c, const Insn* i, HostFrame& frame)
{
    for (const Operand o : i->row->operands) {
        if (o == V)
            frame.zmm[0] = vector_register(c, i->reg);
        else if (o == H)
            frame.zmm[1] = vector_register(c, i->vvvv);
        else if ((o == W || o == U) && !i->memory())
            frame.zmm[2] = vector_register(c, i->rm);
        else if (o == KV)
            frame.opmask[0] = c.fpu.opmask[i->reg & 7];
        else if (o == KH)
            frame.opmask[1] = c.fpu.opmask[i->vvvv & 7];
        else if ((o == KW || o == KU) && !i->memory())
            frame.opmask[2] = c.fpu.opmask[i->rm & 7];
        else if ((o == Ed || o == Eq || o == Ey) && !i->memory())
            frame.rdx = c.gpr[i->rm];
    }
    if (i->is_evex() && i->dst)
        frame.opmask[1] = c.fpu.opmask[i->dst];
}

void store_register(Cpu& c, const Insn* i, const HostFrame& frame)
{
    switch (i->row->operands[0]) {
    case V:
        return set_vector_register(c, i->reg, frame.zmm[0]);
    case H:
        return set_vector_register(c, i->vvvv, frame.zmm[1]);
    case W:
        return set_vector_register(c, i->rm, frame.zmm[2]);
    case KV:
        c.fpu.opmask[i->reg & 7] = frame.opmask[0];
        return;
    case KW:
    case KU:
        c.fpu.opmask[i->rm & 7] = frame.opmask[2];
        return;
    case Gd:
    case Gq:
    case Gy:
        c.gpr[i->reg] = frame.rax;
        return;
    default:
        c.gpr[i->rm] = frame.rdx;
    }
}

// Whether a tiny result raises an exception rather than being flushed to zero, if that is asked for.
bool raises_underflow(const Cpu& c, const Insn* i)
{
    const bool suppressed = i->vex & Insn::evex_b && !i->memory();
    return evex_row(*i).rounded && !suppressed && !(c.fpu.mxcsr & mxcsr_underflow << mxcsr_masks_shift);
}

// An unmasked underflow is raised by an exact tiny result too, which the masked run doesn't flag.
u32 exact_underflow_of(const Cpu& c, const Insn* i, const HostFrame& frame)
{
    if (!raises_underflow(c, i))
        return 0;
    const EvexRow& row = evex_row(*i);
    const Operand to = row.operands[0];
    const auto* const from = reinterpret_cast<const u8*>(
        to == V           ? frame.zmm.data()
            : i->memory() ? &frame.memory
                          : &frame.zmm[2]);
    const bool one = (row.rules & lig) == lig;
    const unsigned count = one ? 1 : memory_bytes(*i) / (to == V ? row.element : row.rounded);
    const u64 chosen = i->dst ? c.fpu.opmask[i->dst] : ~u64(0);
    const auto tiny = [&](auto bits, unsigned mantissa, unsigned n) {
        using Bits = decltype(bits);
        std::memcpy(&bits, from + n * sizeof bits, sizeof bits);
        const Bits magnitude = Bits(bits << 1);
        return magnitude && !(magnitude >> (mantissa + 1));
    };
    for (unsigned n = 0; n < count; ++n)
        if (bit(chosen, n)
            && (row.rounded == 2       ? tiny(u16(), 10, n)
                    : row.rounded == 4 ? tiny(u32(), 23, n)
                                       : tiny(u64(), 52, n)))
            return mxcsr_underflow;
    return 0;
}

void run_form(Cpu& c, const Insn* i, HostFrame& frame, std::span<const u8> form)
{
    frame.mxcsr = (c.fpu.mxcsr & (mxcsr_daz | mxcsr_rounding | mxcsr_ftz)) | mxcsr_masks;
    if (i->is_evex() && raises_underflow(c, i))
        frame.mxcsr &= ~mxcsr_ftz;
    if (!run_host_form(frame, form))
        c.raise(i, invalid_opcode);
}

template <class T, class Index> struct VectorOf {
    std::array<T, 64 / sizeof(T)> elements;
    std::array<Index, 64 / sizeof(Index)> indices;
};

template <class Index> u64 element_address(const Cpu& c, const Insn* i, Index index)
{
    return (effective_address(c, i) + (u64(i64(index)) << i->scale)) & i->address_mask;
}

template <class T, class Index> VectorOf<T, Index> gathered(const Cpu& c, const Insn* i)
{
    return {
        std::bit_cast<std::array<T, 64 / sizeof(T)>>(vector_register(c, i->reg)),
        std::bit_cast<std::array<Index, 64 / sizeof(Index)>>(vector_register(c, i->src))};
}

template <class T, class Index> unsigned element_count(const Insn* i)
{
    return vector_bytes(*i) / unsigned(std::max(sizeof(T), sizeof(Index)));
}

// Element by element, its bit cleared once it is there: after a fault the instruction goes on where it was.
template <class T, class Index> void gather(Cpu& c, const Insn* i)
{
    const unsigned count = element_count<T, Index>(i);
    auto [elements, indices] = gathered<T, Index>(c, i);
    std::fill(elements.begin() + count, elements.end(), T(0));
    u64& mask = c.fpu.opmask[i->dst];
    for (unsigned n = 0; n < count; ++n) {
        if (!bit(mask, n))
            continue;
        elements[n] = load_element<T>(c, i, element_address(c, i, indices[n]));
        set_vector_register(c, i->reg, std::bit_cast<VectorBytes>(elements));
        mask &= ~(u64(1) << n);
    }
    set_vector_register(c, i->reg, std::bit_cast<VectorBytes>(elements));
    mask = 0;
}

template <class T, class Index> void scatter(Cpu& c, const Insn* i)
{
    const unsigned count = element_count<T, Index>(i);
    const auto [elements, indices] = gathered<T, Index>(c, i);
    u64& mask = c.fpu.opmask[i->dst];
    for (unsigned n = 0; n < count; ++n) {
        if (!bit(mask, n))
            continue;
        store_element<T>(c, i, element_address(c, i, indices[n]), elements[n]);
        mask &= ~(u64(1) << n);
    }
    mask = 0;
}

}

void evex_general(Cpu& c, const Insn* i)
{
    const EvexRow& row = evex_row(*i);
    check_avx512(c, i, row.feature);
    HostFrame frame;
    load_registers(c, i, frame);
    auto* const memory = reinterpret_cast<u8*>(&frame.memory);
    const bool stores = writes_memory(i);
    if (i->memory() && !stores)
        load_memory(c, i, memory);
    std::array<u8, longest_form> bytes;
    run_form(c, i, frame, evex_form(i, bytes));
    report_simd(c, i, (frame.mxcsr & mxcsr_flags) | exact_underflow_of(c, i, frame));
    if (row.rules & compares)
        c.lazy.set_all(frame.flags & flags_arithmetic);
    else if (stores)
        store_memory(c, i, memory);
    else
        store_register(c, i, frame);
    return next(c, i);
}

void evex_gather(Cpu& c, const Insn* i)
{
    check_avx512(c, i, evex_row(*i).feature);
    const bool quadwords = i->opcode & 1, wide = evex_row(*i).element == 8;
    if (quadwords)
        wide ? gather<u64, i64>(c, i) : gather<u32, i64>(c, i);
    else
        wide ? gather<u64, i32>(c, i) : gather<u32, i32>(c, i);
    return next(c, i);
}

void evex_scatter(Cpu& c, const Insn* i)
{
    check_avx512(c, i, evex_row(*i).feature);
    const bool quadwords = i->opcode & 1, wide = evex_row(*i).element == 8;
    if (quadwords)
        wide ? scatter<u64, i64>(c, i) : scatter<u32, i64>(c, i);
    else
        wide ? scatter<u64, i32>(c, i) : scatter<u32, i32>(c, i);
    return next(c, i);
}

// KORTEST and KTEST give flags and have no destination.
void opmask_general(Cpu& c, const Insn* i)
{
    constexpr u8 kortest = 0x98, ktest = 0x99;
    check_avx512(c, i, feature_avx512);
    HostFrame frame;
    load_registers(c, i, frame);
    auto* const memory = reinterpret_cast<u8*>(&frame.memory);
    const unsigned size = (i->vex & Insn::vex_w ? 4u : 1u) << (i->prefix == np ? 1 : 0);
    const bool stores = writes_memory(i);
    if (i->memory())
        check_scalar(c, i, effective_address(c, i), size);
    if (i->memory() && !stores)
        load_one(c, i, effective_address(c, i), size, memory);
    std::array<u8, longest_form> bytes;
    run_form(c, i, frame, vex_form(i, bytes));
    if (i->map == OpcodeMap::map_0f && (i->opcode == kortest || i->opcode == ktest))
        c.lazy.set_all(frame.flags & flags_arithmetic);
    else if (stores)
        store_one(c, i, effective_address(c, i), size, memory);
    else
        store_register(c, i, frame);
    return next(c, i);
}

}
