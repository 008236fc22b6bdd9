// MMX: the guest's instruction on the host's unit, which holds its x87 registers then (x87.cpp).

#include "engine/cpu/x86/decoder.h"
#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

using enum x86::Operand;
using x86::OpcodeMap;

namespace {

bool has_immediate(const Insn& i)
{
    return i.row->operands[1] == Ib || i.row->operands[2] == Ib;
}
bool stores(const Insn& i)
{
    return i.row->operands[1] == P;
}

// Bytes of the memory operand.
unsigned memory_size(const Insn& i)
{
    const bool in_0f = in(OpcodeMap::map_0f, i);
    if (in_0f && i.opcode == 0xc4)    // PINSRW
        return 2;
    if (in_0f && (i.opcode == 0x6e || i.opcode == 0x7e))    // MOVD
        return i.rex_w() ? 8 : 4;
    if (in_0f && i.opcode >= 0x60 && i.opcode <= 0x62)    // PUNPCKL
        return 4;
    return i.row->traits & x86::aligned_16 ? 16 : 8;
}

}

bool has_mmx_operand(const Insn& i)
{
    for (const x86::Operand o : i.row->operands)
        if (o == P || o == Q || o == N)
            return true;
    return i.row->traits & x86::mmx;
}

bool has_xmm_operand(const Insn& i)
{
    const auto& o = i.row->operands;
    return o[0] == V || o[1] == W || o[1] == U;
}

bool mmx_suits(const Insn& i)
{
    return !((i.memory() || is_masked_at_rdi(i)) && (i.flags & Insn::flag_checked || i.address_size == 2));
}

MemoryUse mmx_memory(const Insn& i)
{
    return {u8(memory_size(i)), stores(i) ? Access::write : Access::read, (i.row->traits & x86::aligned_16) != 0};
}

void BlockTranslator::emit_mmx(const Insn& i)
{
    static constexpr u8 prefixes[] = {0, 0x66, 0xf3, 0xf2};
    if (has_xmm_operand(i))
        want_vectors();
    want_x87();
    if (is_masked_at_rdi(i))
        return emit_masked_at_rdi(i);
    if (i.memory())
        access(i);
    const u32 map = in(OpcodeMap::map_0f, i) ? 0x0f00u : in(OpcodeMap::map_0f38, i) ? 0x0f3800u : 0x0f3a00u;
    const auto& o = i.row->operands;
    if (o[0] == x86::Operand::none)    // EMMS
        return a_.value<u16>(u16(0x0f | i.opcode << 8));
    // Which of ModRM's registers is in which file.
    u8 reg = i.reg & 7, rm = i.rm & 7;
    if (o[0] == V)
        reg = xmm(i.reg);
    else if (o[0] == Gd)
        reg = begin_destination(u8(i.reg * 8), 8, false);
    else if (o[0] == N)
        reg = u8(i.modrm >> 3 & 7);
    const x86::Operand other = stores(i) ? o[0] : o[1];
    const bool general = other == Ey || other == Ed;
    if (!i.memory() && (other == W || other == U))
        rm = xmm(i.rm);
    else if (!i.memory() && general)
        rm = stores(i) ? begin_destination(u8(i.rm * 8), 8, false) : in_register(u8(i.rm * 8), 8);
    a_.op(map | i.opcode, i.rex_w() ? 8 : 4, reg, i.memory() ? operand_ : Rm::of(rm), prefixes[i.prefix]);
    if (has_immediate(i))
        a_.byte(u8(i.imm));
    if (o[0] == Gd)
        end_destination(u8(i.reg * 8), 8);
    else if (!i.memory() && general && stores(i))
        end_destination(u8(i.rm * 8), 8);
}

}
