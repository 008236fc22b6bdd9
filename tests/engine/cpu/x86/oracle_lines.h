#pragma once
// What the host oracle tries: the rows of the opcode tables that a process may execute, each with its encoding.

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/x87_tables.h"

namespace engine::x86::test {

struct Line {
    const Row* row;
    OpcodeMap map;
    Prefix prefix;
    u8 opcode;
    int reg;    // of a group, else -1
    bool vex = false;
    u8 modrm = 0;    // of an x87 instruction between registers

    bool x87() const { return map == OpcodeMap::one_byte && opcode >= 0xd8 && opcode <= 0xdf; }
};

// What a process may not execute, what depends on more than registers and memory, what leaves the straight line, and what
// the SSE tests look at more closely. Privileged rows stay: both sides must refuse them.
inline bool out_of_scope(const Row& row)
{
    static const std::set<std::string_view> names{
        "jcc",     "xgetbv", "rdtsc",  "rdtscp", "rdpmc",  "cpuid",   "sldt",    "str",     "verr",      "verw",     "lar",
        "lsl",     "smsw",   "sgdt",   "sidt",   "fxsave", "fxrstor", "ldmxcsr", "push fs", "push gs",   "rdfsbase", "rdgsbase",
        "fnstenv", "fnsave", "fldenv", "frstor", "rsm",    "clflush", "emms",    "fwait",   "prefetchw", "xsavec"};
    if (row.traits & invalid_in_64 || names.contains(row.name))
        return true;
    const bool segment = std::ranges::find(row.operands, Operand::Sw) != row.operands.end();
    return segment || row.traits & ignores_mod || (row.traits & ends_block && !(row.traits & privileged));
}

inline void add_lines(std::vector<Line>& lines, OpcodeMap map)
{
    for (unsigned opcode = 0; opcode < 256; ++opcode)
        for (const Prefix prefix : {np, p66, pF3, pF2}) {
            const Row* row = row_at(map, prefix, u8(opcode));
            const bool any = row && row == row_at(map, np, u8(opcode)) && prefix != np;
            if (!row || any || (map == OpcodeMap::map_0f && (opcode == 0x01 || opcode == 0xae)))
                continue;
            for (int reg = 0; row->group && reg < 8; ++reg)
                if (row->group[reg].forms && !out_of_scope(row->group[reg]))
                    lines.push_back({&row->group[reg], map, prefix, u8(opcode), reg});
            if (!row->group && !out_of_scope(*row))
                lines.push_back({row, map, prefix, u8(opcode), -1});
        }
}

inline void add_vex_lines(std::vector<Line>& lines, OpcodeMap map)
{
    for (unsigned opcode = 0; opcode < 256; ++opcode)
        for (const Prefix prefix : {np, p66, pF3, pF2}) {
            const Row* row = vex_row_at(map, prefix, u8(opcode));
            for (int reg = 0; row && row->group && reg < 8; ++reg)
                if (row->group[reg].forms && !out_of_scope(row->group[reg]))
                    lines.push_back({&row->group[reg], map, prefix, u8(opcode), reg, true});
            if (row && !row->group)
                lines.push_back({row, map, prefix, u8(opcode), -1, true});
        }
}

inline void add_x87_lines(std::vector<Line>& lines)
{
    for (unsigned opcode = 0xd8; opcode <= 0xdf; ++opcode)
        for (unsigned modrm = 0; modrm < 0x100; modrm += modrm < 0x38 ? 8 : modrm == 0x38 ? 0xc0 - 0x38 : 1) {
            const Row* row = x87_row(u8(opcode), u8(modrm));
            if (row && !out_of_scope(*row))
                lines.push_back({row, OpcodeMap::one_byte, np, u8(opcode), int(modrm >> 3 & 7), false, u8(modrm)});
        }
}

// FCOMI clears C1 on Intel's processors and leaves it on AMD's.
inline bool leaves_c1_unsettled(const Row& row)
{
    return std::string_view(row.name).find("omi") != std::string_view::npos;
}

// Needs of the host what the model takes from it.
inline bool host_has(const Line& line)
{
    const std::string_view name = line.row->name;
    if (!line.vex)
        return !name.starts_with("sha") || host_features() & feature_sha;
    if (line.row->traits & avx512)
        return host_avx512_features();
    const u32 features = name.starts_with("vf")             ? feature_fma
        : name.starts_with("vcvtph") || name == "vcvtps2ph" ? feature_f16c
        : name.starts_with("vaes")                          ? feature_vaes
        : name == "vpclmulqdq"                              ? feature_vpclmulqdq
                                                            : feature_avx2;
    return (host_features() & features) == features;
}

// Which vectors in memory are checked for alignment is each processor's own: Intel's check none of 16 or 32 bytes, nor the
// halves of VCVTPH2PS and VCVTPS2PH.
inline bool aligns_in_its_own_way(const Line& line)
{
    const std::string_view name = line.row->name;
    const bool vector = line.row->traits & (sse | avx | avx512) || name.starts_with("maskmov");
    return vector && (!__builtin_cpu_is("intel") || name == "vcvtph2ps" || name == "vcvtps2ph");
}

inline std::vector<Line> all_lines()
{
    std::vector<Line> lines;
    for (const OpcodeMap map : {OpcodeMap::map_0f, OpcodeMap::map_0f38, OpcodeMap::map_0f3a})
        add_vex_lines(lines, map);
    for (const OpcodeMap map : {OpcodeMap::one_byte, OpcodeMap::map_0f, OpcodeMap::map_0f38, OpcodeMap::map_0f3a})
        add_lines(lines, map);
    add_x87_lines(lines);
    std::erase_if(lines, [](const Line& line) { return !host_has(line); });
    return lines;
}

inline bool has(const Row& row, std::initializer_list<Operand> which)
{
    return std::ranges::any_of(row.operands, [&](Operand o) { return std::ranges::find(which, o) != which.end(); });
}

}
