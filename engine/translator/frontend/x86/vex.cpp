// AVX, AVX2, FMA, F16C and BMI: as sse.cpp, with VEX before them.

#include "engine/cpu/x86/avx_handlers.h"
#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

using enum x86::Operand;
using x86::OpcodeMap;

namespace {

bool is_fused(const Insn& i)
{
    return in(OpcodeMap::map_0f38, i) && i.opcode >= 0x96 && i.opcode <= 0xbf;
}
bool is_general(const Insn& i)
{
    return !(i.row->traits & x86::avx);
}
// VPCMPESTRM to VPCMPISTRI: RAX, RDX and RCX are where the host has them.
bool compares_strings(const Insn& i)
{
    return in(OpcodeMap::map_0f3a, i) && i.opcode >= 0x60 && i.opcode <= 0x63;
}
bool compares(const Insn& i)
{
    if (in(OpcodeMap::map_0f, i))
        return (i.opcode & 0xfe) == 0x2e;
    if (compares_strings(i))
        return true;
    return in(OpcodeMap::map_0f38, i) && (i.opcode == 0x0e || i.opcode == 0x0f || i.opcode == 0x17);
}
bool has_immediate(const Insn& i)
{
    for (const x86::Operand o : i.row->operands)
        if (o == Ib || o == L)
            return true;
    return false;
}

// VEX.W, which for general registers, and lengths in these, counts in 64-bit mode only.
bool w_of(const Insn& i)
{
    for (const x86::Operand o : i.row->operands)
        if (o == Gy || o == Ey || o == By)
            return i.rex_w();
    return compares_strings(i) ? i.rex_w() : i.vex & Insn::vex_w;
}

unsigned size_in_0f(const Insn& i, unsigned full)
{
    const unsigned scalar = i.prefix == x86::pF3 ? 4 : i.prefix == x86::pF2 ? 8 : full;
    switch (i.opcode) {
    case 0x12:
        return i.prefix == x86::pF3 || (i.prefix == x86::pF2 && full == 32) ? full : 8;
    case 0x16:
        return i.prefix == x86::pF3 ? full : 8;
    case 0x13:
    case 0x17:
    case 0xd6:
        return 8;
    case 0x10:
    case 0x11:
    case 0x2c:
    case 0x2d:
    case 0x51:
    case 0x52:
    case 0x53:
    case 0x58:
    case 0x59:
    case 0x5c:
    case 0x5d:
    case 0x5e:
    case 0x5f:
    case 0xc2:
        return scalar;
    case 0x2e:
    case 0x2f:
        return i.prefix == x86::p66 ? 8 : 4;
    case 0x5a:
        return i.prefix == x86::np ? full / 2 : scalar;
    case 0x2a:
    case 0x6e:
        return i.rex_w() ? 8 : 4;
    case 0x7e:
        return i.prefix == x86::pF3 || i.rex_w() ? 8 : 4;
    case 0xc4:
        return 2;
    case 0xe6:
        return i.prefix == x86::pF3 ? full / 2 : full;
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xe1:
    case 0xe2:
    case 0xf1:
    case 0xf2:
    case 0xf3:
        return 16;
    default:
        return full;
    }
}

unsigned size_in_0f38(const Insn& i, unsigned full)
{
    static constexpr u8 widened[6] = {8, 4, 2, 8, 4, 8};    // PMOVSX and PMOVZX
    if ((i.opcode & 0xef) >= 0x20 && (i.opcode & 0xef) <= 0x25)
        return widened[i.opcode & 15] * full / 16;
    if (is_fused(i))
        return (i.opcode & 9) == 9 ? (i.vex & Insn::vex_w ? 8 : 4) : full;
    switch (i.opcode) {
    case 0x78:
        return 1;
    case 0x79:
        return 2;
    case 0x18:
    case 0x58:
        return 4;
    case 0x19:
    case 0x59:
        return 8;
    case 0x1a:
    case 0x5a:
        return 16;
    case 0x13:
        return full / 2;
    default:
        return full;
    }
}

unsigned size_in_0f3a(const Insn& i, unsigned full)
{
    switch (i.opcode) {
    case 0x14:
    case 0x20:
        return 1;
    case 0x15:
        return 2;
    case 0x0a:
    case 0x17:
    case 0x21:
        return 4;
    case 0x16:
    case 0x22:
        return i.rex_w() ? 8 : 4;
    case 0x0b:
        return 8;
    case 0x18:
    case 0x19:
    case 0x38:
    case 0x39:
        return 16;
    case 0x1d:
        return full / 2;
    default:
        return full;
    }
}

// Bytes of the memory operand.
unsigned memory_size(const Insn& i)
{
    if (is_general(i))
        return w_of(i) ? 8 : 4;
    const unsigned full = i.wide() ? 32 : 16;
    return in(OpcodeMap::map_0f, i)  ? size_in_0f(i, full)
        : in(OpcodeMap::map_0f38, i) ? size_in_0f38(i, full)
                                     : size_in_0f3a(i, full);
}

u32 needed_features(const Insn& i)
{
    using namespace x86;
    if (is_fused(i))
        return feature_fma;
    if ((in(OpcodeMap::map_0f38, i) && i.opcode == 0x13) || (in(OpcodeMap::map_0f3a, i) && i.opcode == 0x1d))
        return feature_f16c;
    if ((in(OpcodeMap::map_0f38, i) && i.opcode >= 0xdb && i.opcode <= 0xdf) || (in(OpcodeMap::map_0f3a, i) && i.opcode == 0xdf))
        return feature_vaes;
    if (in(OpcodeMap::map_0f3a, i) && i.opcode == 0x44)
        return feature_vpclmulqdq;
    return feature_avx2;    // and BMI, which is shown with it
}

// VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ.
bool is_masked(const Insn& i)
{
    return in(OpcodeMap::map_0f38, i) && ((i.opcode >= 0x2c && i.opcode <= 0x2f) || i.opcode == 0x8c || i.opcode == 0x8e);
}

// Not natively: MXCSR, and VZEROALL in 32-bit code, where the other eight registers keep what they hold.
bool left_to_handlers(const Insn& i, u32 mode)
{
    const bool is_64 = (mode & x86::mode_size_mask) == x86::mode_64;
    return in(OpcodeMap::map_0f, i) && (i.opcode == 0xae || (i.opcode == 0x77 && i.wide() && !is_64));
}

}

bool vex_suits(const Insn& i, u32 mode)
{
    if ((i.memory() || is_masked_at_rdi(i)) && (i.flags & Insn::flag_checked || i.address_size == 2))
        return false;
    const u32 features = needed_features(i) | x86::feature_avx2;    // without it the upper halves are not the host's
    if ((x86::host_features() & features) != features)
        return false;
    return is_general(i) || (mode & x86::mode_avx && !left_to_handlers(i, mode));
}

MemoryUse vex_memory(const Insn& i)
{
    if (i.row->traits & x86::vsib || is_masked(i))
        return {};    // not all of it, and not in one piece
    const x86::Operand first = i.row->operands[0];
    const bool writes = first == W || first == M || ((first == Ey || first == Ed) && !is_general(i));
    return {u8(memory_size(i)), writes ? Access::write : Access::read, (i.row->traits & x86::aligned_16) != 0};
}

FlagUse vex_flags(const Insn& i)
{
    const auto* const f = i.row->forms;
    const bool counts = f == &x86::andn_forms || f == &x86::bzhi_forms || f == &x86::bextr_forms || f == &x86::blsr_forms
        || f == &x86::blsmsk_forms || f == &x86::blsi_forms;
    return counts || compares(i) ? FlagUse{0, all_flags, true} : FlagUse{};
}

// VZEROUPPER, VZEROALL. In 32-bit code the other eight keep their upper halves.
void BlockTranslator::emit_vzero(bool all)
{
    want_vectors();
    if (in_64()) {
        for (const u8 byte : {u8(0xc5), u8(all ? 0xfc : 0xf8), u8(0x77)})
            a_.byte(byte);
        a_.op_imm(0xc6, 1, 0, state_at(offset_uppers_used), 0, 1);
        here_.uppers_told = false;
        return;
    }
    for (u8 n = 0; n < 8; ++n)
        a_.vex(u8(OpcodeMap::map_0f), x86::np, false, false, 0x28, n, 0, Rm::of(n));    // VMOVAPS
}

void BlockTranslator::tell_uppers()
{
    if (!std::exchange(here_.uppers_told, true))
        a_.op_imm(0xc6, 1, 0, state_at(offset_uppers_used), 1, 1);
}

void BlockTranslator::emit_vex(const Insn& i)
{
    if (in(OpcodeMap::map_0f, i) && i.opcode == 0x77)
        return emit_vzero(i.wide());
    if (is_general(i))
        return emit_vex_general(i);
    want_vectors();
    if (i.wide())
        tell_uppers();
    if (is_masked_at_rdi(i))
        return emit_masked_at_rdi(i);
    if (i.row->traits & x86::vsib)
        return emit_gather(i);
    if (is_masked(i))
        return emit_masked(i);
    if (i.memory())
        access(i);
    const auto& o = i.row->operands;
    const bool no_vvvv = i.row->traits & x86::register_vvvv && i.memory();
    u8 reg = u8(i.modrm >> 3 & 7), vvvv = 0;
    Rm rm = operand_;
    for (unsigned n = 0; n < o.size(); ++n) {
        if (o[n] == V)
            reg = i.reg;
        else if (o[n] == H && !no_vvvv)
            vvvv = i.vvvv;
        else if ((o[n] == W || o[n] == U) && !i.memory())
            rm = Rm::of(i.rm);
        else if ((o[n] == Ey || o[n] == Ed) && !i.memory())
            rm = Rm::of(n == 0 ? begin_destination(u8(i.rm * 8), 8, false) : in_register(u8(i.rm * 8), 8));
        else if (o[n] == Gd || o[n] == Gy)
            reg = begin_destination(u8(i.reg * 8), 8, false);
    }
    a_.vex(u8(i.map), i.prefix, w_of(i), i.wide(), i.opcode, reg, vvvv, rm);
    if (has_immediate(i))
        a_.byte(u8(i.imm));
    if (o[0] == Gd || o[0] == Gy)
        end_destination(u8(i.reg * 8), 8);
    else if ((o[0] == Ey || o[0] == Ed) && !i.memory())
        end_destination(u8(i.rm * 8), 8);
    if (compares(i))
        flags_made();
}

// Two destinations; where both are one it has the upper half.
void BlockTranslator::emit_mulx(const Insn& i)
{
    const u8 high_at = host_[i.reg], low_at = host_[i.vvvv];
    const u8 high = high_at != none ? high_at : scratch_b;
    const u8 low = low_at != none ? low_at : high_at != none || i.reg == i.vvvv ? scratch_b : scratch_a;
    if (low == scratch_a)
        release_held();
    a_.vex(u8(i.map), i.prefix, w_of(i), false, i.opcode, high, low, i.memory() ? operand_ : guest(u8(i.rm * 8)));
    if (low_at == none && i.reg != i.vvvv)
        a_.store(8, gpr_slot(i.vvvv), low);
    if (high_at == none)
        a_.store(8, gpr_slot(i.reg), high);
}

// BMI1 and BMI2: r/m may be a slot in memory, a register in vvvv may not.
void BlockTranslator::emit_vex_general(const Insn& i)
{
    const auto& o = i.row->operands;
    const FlagUse use = vex_flags(i);
    const bool vvvv_is_destination = o[0] == By;
    if (i.memory())
        access(i);
    if (i.row->forms == &x86::mulx_forms)
        return emit_mulx(i);
    u8 vvvv = 0, reg = u8(i.modrm >> 3 & 7);
    if (o[0] == By || o[1] == By || o[2] == By) {
        const u8 offset = u8(i.vvvv * 8);
        vvvv = vvvv_is_destination ? begin_destination(offset, 8, false) : in_register(offset, 8);
    }
    if (!vvvv_is_destination)
        reg = begin_destination(u8(i.reg * 8), 8, false);
    a_.vex(u8(i.map), i.prefix, w_of(i), false, i.opcode, reg, vvvv, i.memory() ? operand_ : guest(u8(i.rm * 8)));
    if (has_immediate(i))
        a_.byte(u8(i.imm));
    end_destination(u8((vvvv_is_destination ? i.vvvv : i.reg) * 8), 8);
    if (use.modifies)
        flags_made();
}

}
