#pragma once
// AVX-512: instructions with EVEX, and those with VEX that work on opmasks. SDM vol. 2, 2.7. A row says what an instruction's
// operands are; the host's own processor does the rest (host_forms.h), so that one handler does nearly all.
// Not modelled: BF16, VP2INTERSECT, ER, PF, 4FMAPS, 4VNNIW, and GFNI with any prefix; CPUID shows none of them.

#include <span>

#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/insn.h"

namespace engine::x86 {

// Bytes of the memory operand: so many, or a part of the vector's length. low_or_full: 8 of 16, and all of the longer ones.
enum class Extent : u8 {
    no_memory,
    bytes_1,
    bytes_2,
    bytes_4,
    bytes_8,
    bytes_16,
    bytes_32,
    full,
    half,
    quarter,
    eighth,
    low_or_full
};

enum EvexRule : u32 {
    w0 = 1 << 0,    // EVEX.W as the row has it
    w1 = 1 << 1,
    wig = w0 | w1,
    l128 = 1 << 2,    // vector lengths that there are
    l256 = 1 << 3,
    l512 = 1 << 4,
    vl = l128 | l256 | l512,
    lig = 1 << 5 | vl,    // a scalar: the length says nothing
    masks = 1 << 6,    // an opmask may be named
    merging = masks | 1 << 7,    // and EVEX.z with it, unless the destination is memory
    needs_mask = masks | 1 << 8,    // k0 is none
    // What EVEX.b is.
    broadcast = 1 << 9,    // of one element in memory
    sae = 1 << 10,    // between registers: no exceptions
    rounding = 1 << 11,    // and a rounding mode in place of the length
    b_ignored = 1 << 12,    // nothing between registers
    all_of_memory = 1 << 13,    // is read whatever the opmask says
    packs = 1 << 14,    // memory has the chosen elements alone: VCOMPRESS, VEXPAND
    distinct = 1 << 15,    // the destination is none of the sources
    compares = 1 << 16,    // gives flags
};

struct EvexRow : Row {
    Extent extent = Extent::no_memory;
    u8 element = 0;    // bytes in memory that go with a bit of the opmask, or are broadcast
    u8 rounded = 0;    // bytes of an element that was rounded and may underflow, 0: none
    u32 rules = 0;    // EvexRule
    u32 feature = 0;    // Feature
};

// A line of the opcode lists. `reg` is ModRM.reg where it is part of the opcode, else -1.
struct EvexOpcode {
    Prefix prefix;
    u8 opcode;
    i8 reg;
    EvexRow row;
};

void evex_general(Cpu& c, const Insn* i);
void evex_gather(Cpu& c, const Insn* i);
void evex_scatter(Cpu& c, const Insn* i);
void opmask_general(Cpu& c, const Insn* i);    // with VEX

// The opcode lists, and all of them by what an instruction begins with; null where there is none.
std::span<const EvexOpcode> evex_opcodes_0f();
std::span<const EvexOpcode> evex_opcodes_0f38();
std::span<const EvexOpcode> evex_opcodes_0f3a();
std::span<const EvexOpcode> evex_opcodes_5();
std::span<const EvexOpcode> evex_opcodes_6();
std::span<const EvexOpcode> evex_opcodes(OpcodeMap map);
const EvexRow* evex_row_at(OpcodeMap map, Prefix prefix, u8 opcode, bool w, u8 reg);

inline const EvexRow& evex_row(const Insn& i)
{
    return static_cast<const EvexRow&>(*i.row);
}
bool has_operand(const Row& row, Operand which);
bool has_general_operand(const Row& row);
// 16, 32 or 64; of what has EVEX.b between registers 64.
unsigned vector_bytes(const Insn& i);
// Of the memory operand, without regard to opmasks.
unsigned memory_bytes(const Insn& i);
// What an 8-bit displacement is counted in.
unsigned displacement_unit(const Insn& i);
// Whether the fields of `i`, which are as the bytes have them, are allowed by its row. `high` are EVEX.R, X, B and R' as they
// would extend registers: bits 3 to 0.
bool evex_allowed(Insn& i, u8 high, bool in_64);

// For the lists.
constexpr EvexOpcode evex(
    Prefix prefix, u8 opcode, const char* name, std::array<Operand, 4> operands, Extent extent, u8 element, u32 rules,
    u32 feature = feature_avx512, u8 rounded = 0, u32 traits = 0, i8 reg = -1)
{
    EvexOpcode line{prefix, opcode, reg, {}};
    line.row.name = name;
    line.row.operands = operands;
    line.row.forms = !(traits & vsib) ? &any_form<evex_general>
        : operands[0] == Operand::M   ? &any_form<evex_scatter>
                                      : &any_form<evex_gather>;
    line.row.traits = traits | avx512 | has_modrm;
    line.row.extent = extent;
    line.row.element = element;
    line.row.rounded = rounded;
    line.row.rules = rules;
    line.row.feature = feature;
    return line;
}

}
