// The opcode lists of all files, put together into maps by prefix column.

#include <array>

#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/sse_tables.h"
#include "engine/cpu/x86/vex_tables.h"

namespace engine::x86 {

namespace {

using Columns = std::array<std::array<const Row*, 256>, 4>;

struct Maps {
    std::array<Columns, 4> by_map{}, vex{};
    unsigned conflicts = 0;

    Maps()
    {
        add(OpcodeMap::one_byte, one_byte_opcodes());
        add(OpcodeMap::map_0f, two_byte_opcodes());
        add(OpcodeMap::map_0f, simd_opcodes_0f());
        add(OpcodeMap::map_0f38, map_0f38_opcodes());
        add(OpcodeMap::map_0f38, simd_opcodes_0f38());
        add(OpcodeMap::map_0f3a, simd_opcodes_0f3a());
        add_vex(OpcodeMap::map_0f, vex_opcodes_0f());
        add_vex(OpcodeMap::map_0f38, vex_opcodes_0f38());
        add_vex(OpcodeMap::map_0f3a, vex_opcodes_0f3a());
    }

    void add(OpcodeMap map, std::span<const Opcode> list) { add(by_map[unsigned(map)], list); }
    void add_vex(OpcodeMap map, std::span<const Opcode> list) { add(vex[unsigned(map)], list); }
    void add(Columns& columns, std::span<const Opcode> list)
    {
        for (const Opcode& line : list)
            for (unsigned column = 0; column < 4; ++column)
                if (line.prefix == any_prefix || line.prefix == column)
                    claim(columns[column], line);
    }
    void claim(std::array<const Row*, 256>& column, const Opcode& line)
    {
        for (unsigned opcode = line.first; opcode <= line.last; ++opcode) {
            conflicts += column[opcode] != nullptr;
            column[opcode] = &line.row;
        }
    }
};

const Maps& maps()
{
    static const Maps instance;
    return instance;
}

}

const Row* row_at(OpcodeMap map, Prefix prefix, u8 opcode)
{
    return maps().by_map[unsigned(map)][prefix][opcode];
}

const Row* vex_row_at(OpcodeMap map, Prefix prefix, u8 opcode)
{
    return maps().vex[unsigned(map)][prefix][opcode];
}

unsigned opcode_conflicts()
{
    return maps().conflicts;
}

}
