// What EVEX's fields say, and whether they may. SDM vol. 2, 2.7.
#include "engine/cpu/x86/evex.h"

#include <algorithm>
#include <array>
#include <utility>

namespace engine::x86 {

namespace {

constexpr unsigned map_count = 7, columns = 4 * 256;

// Where in its list the lines of a prefix and opcode begin; these are sorted by them.
struct Index {
    std::array<std::array<u16, columns + 1>, map_count> first{};

    Index()
    {
        for (unsigned map = 0; map < map_count; ++map) {
            const auto list = evex_opcodes(OpcodeMap(map));
            std::size_t at = 0;
            for (unsigned column = 0; column <= columns; ++column) {
                while (at < list.size() && list[at].opcode * 4u + list[at].prefix < column)
                    ++at;
                first[map][column] = u16(at);
            }
        }
    }
};

bool needs_registers_apart(const Insn& i)
{
    return evex_row(i).rules & distinct;
}

// Vector registers that the instruction reads beside memory's index.
bool destination_is_a_source(const Insn& i)
{
    if (i.row->traits & vsib)
        return i.reg == i.src;
    return i.reg == i.vvvv || (!i.memory() && i.reg == i.rm);
}

bool mask_allowed(const Insn& i)
{
    const u32 rules = evex_row(i).rules;
    const Operand destination = i.row->operands[0];
    const bool to_memory = i.memory() && (destination == Operand::W || destination == Operand::M);
    const u8 opmask = i.dst;
    if (i.vex & Insn::evex_z && (!opmask || (rules & merging) != merging || to_memory))
        return false;
    return opmask ? rules & masks : (rules & needs_mask) != needs_mask;
}

bool length_allowed(const Insn& i)
{
    const u32 rules = evex_row(i).rules;
    if (i.vex & Insn::evex_b && i.memory() && !(rules & broadcast))
        return false;
    if (i.vex & Insn::evex_b && !i.memory())
        return rules & (rounding | sae | b_ignored);
    return i.evex_length() < 3 && rules & l128 << i.evex_length();
}

}

std::span<const EvexOpcode> evex_opcodes(OpcodeMap map)
{
    switch (map) {
    case OpcodeMap::map_0f:
        return evex_opcodes_0f();
    case OpcodeMap::map_0f38:
        return evex_opcodes_0f38();
    case OpcodeMap::map_0f3a:
        return evex_opcodes_0f3a();
    case OpcodeMap::map_5:
        return evex_opcodes_5();
    case OpcodeMap::map_6:
        return evex_opcodes_6();
    default:
        return {};
    }
}

const EvexRow* evex_row_at(OpcodeMap map, Prefix prefix, u8 opcode, bool w, u8 reg)
{
    static const Index index;
    if (unsigned(map) >= map_count)
        return nullptr;
    const auto list = evex_opcodes(map);
    const unsigned column = opcode * 4u + prefix;
    for (unsigned at = index.first[unsigned(map)][column]; at < index.first[unsigned(map)][column + 1]; ++at)
        if (list[at].row.rules & (w ? w1 : w0) && (list[at].reg < 0 || u8(list[at].reg) == reg))
            return &list[at].row;
    return nullptr;
}

bool has_operand(const Row& row, Operand which)
{
    return std::ranges::find(row.operands, which) != row.operands.end();
}

bool has_general_operand(const Row& row)
{
    using enum Operand;
    return std::ranges::any_of(row.operands, [](Operand o) { return o == Gd || o == Gq || o == Ed || o == Eq; });
}

unsigned vector_bytes(const Insn& i)
{
    constexpr unsigned longest = 64;
    const bool in_registers = i.vex & Insn::evex_b && !i.memory() && evex_row(i).rules & (rounding | sae);
    return in_registers || i.evex_length() > 2 ? longest : 16u << i.evex_length();
}

unsigned memory_bytes(const Insn& i)
{
    const Extent extent = evex_row(i).extent;
    const unsigned length = vector_bytes(i);
    switch (extent) {
    case Extent::no_memory:
        return 0;
    case Extent::full:
        return length;
    case Extent::half:
        return length / 2;
    case Extent::quarter:
        return length / 4;
    case Extent::eighth:
        return length / 8;
    case Extent::low_or_full:
        return length == 16 ? 8 : length;
    default:
        return 1u << (unsigned(extent) - unsigned(Extent::bytes_1));
    }
}

unsigned displacement_unit(const Insn& i)
{
    const EvexRow& row = evex_row(i);
    const bool one_element = i.vex & Insn::evex_b || row.rules & packs || row.traits & vsib;
    return one_element ? row.element : memory_bytes(i);
}

bool evex_allowed(Insn& i, u8 high, bool in_64)
{
    using enum Operand;
    constexpr u8 r_upper = 1, x = 4, r = 8, v_upper = 16;
    const Row& row = *i.row;
    const bool vector_index = row.traits & vsib;
    const bool vvvv_used = (has_operand(row, H) || has_operand(row, KH)) && !(row.traits & register_vvvv && i.memory());
    if (i.memory() && evex_row(i).extent == Extent::no_memory && !vector_index)
        return false;
    if (!vvvv_used && (vector_index ? i.vvvv & 15 : i.vvvv))
        return false;
    if (!in_64 && i.vvvv & v_upper)
        return false;
    if (in_64 && has_operand(row, KV) && high & (r | r_upper))
        return false;
    if (in_64 && (has_operand(row, Gd) || has_operand(row, Gq)) && high & r_upper)
        return false;
    if (in_64 && !has_operand(row, KV) && high & r_upper)
        i.reg |= 16;
    if (!i.memory() && in_64 && high & x && (has_operand(row, W) || has_operand(row, U)))
        i.rm |= 16;
    if (has_operand(row, KU))
        i.rm &= 7;
    if (vector_index) {
        if ((i.modrm & 7) != 4 || i.address_size == 2)
            return false;
        i.src |= i.vvvv & v_upper;
        i.vvvv = 0;
    }
    if (!in_64)
        i.vvvv &= 7;
    if (needs_registers_apart(i) && destination_is_a_source(i))
        return false;
    return mask_allowed(i) && length_allowed(i);
}

}
