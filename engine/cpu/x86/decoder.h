#pragma once
// Bytes to Insn, by the opcode tables. SDM vol. 2, chapter 2 and appendix A.

#include <span>

#include "engine/cpu/x86/insn.h"

namespace engine::x86 {

enum class Decoded : u8 { ok, truncated };

// `bytes` starts at the instruction; `mode` is a ModeKey; `offset` is the instruction's in its page.
// What is no instruction decodes to one that raises #UD (or #GP when it is longer than 15 bytes).
// truncated: more bytes are needed than given (never for 15 or more).
Decoded decode(std::span<const u8> bytes, u32 mode, u16 offset, Insn& to);

constexpr unsigned longest_instruction = 15;

// The tables, for tests and the disassembly view.
const Row* row_at(OpcodeMap map, Prefix prefix, u8 opcode);
const Row* vex_row_at(OpcodeMap map, Prefix prefix, u8 opcode);
// Number of opcodes that two rows claim; must be zero.
unsigned opcode_conflicts();

// Opcode lists, one file each.
std::span<const Opcode> one_byte_opcodes();
std::span<const Opcode> two_byte_opcodes();
std::span<const Opcode> map_0f38_opcodes();
// Register forms of 0F 01, 0F AE and 0F C7, which are instructions of their own; null: none.
const Row* register_only_row(u8 opcode, Prefix prefix, u8 modrm);

}
