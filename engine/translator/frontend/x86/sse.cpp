// SSE: the guest's instruction with its own registers. The host's vector registers hold the guest's from the first block that
// wants them until C++ code is called, which may change them: `vectors_away` says where they are. MXCSR is the guest's while host code runs (x86_tier.cpp).

#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/sse.h"
#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

using enum x86::Operand;
using x86::OpcodeMap;

namespace {

// PCMPESTRM, PCMPESTRI, PCMPISTRM, PCMPISTRI: RAX, RDX and RCX are where the host has them.
bool compares_strings(const Insn& i)
{
    return in(OpcodeMap::map_0f3a, i) && i.opcode >= 0x60 && i.opcode <= 0x63;
}
bool compares(const Insn& i)
{
    return compares_strings(i) || (in(OpcodeMap::map_0f, i) && (i.opcode & 0xfe) == 0x2e)
        || (in(OpcodeMap::map_0f38, i) && i.opcode == 0x17);
}

unsigned scalar_size(const Insn& i)
{
    return i.prefix == x86::pF3 ? 4 : i.prefix == x86::pF2 ? 8 : 16;
}

unsigned size_in_0f(const Insn& i)
{
    switch (i.opcode) {
    case 0x12:
    case 0x13:
    case 0x16:
    case 0x17:
    case 0xd6:
    case 0x7e:
        return 8;
    case 0x2e:
    case 0x2f:
        return i.prefix == x86::p66 ? 8 : 4;
    case 0x5a:
        return i.prefix == x86::pF3 ? 4 : 8;
    case 0x6f:
    case 0x7f:
    case 0xf0:
        return 16;
    case 0xe6:
        return 8;
    default:
        return scalar_size(i);
    }
}

// Bytes of the memory operand.
unsigned memory_size(const Insn& i)
{
    const x86::Operand place = i.row->operands[0] == V ? i.row->operands[1] : i.row->operands[0];
    if (i.row->traits & x86::aligned_16 || compares_strings(i))
        return 16;
    if (in(OpcodeMap::map_0f, i)) {
        if (i.opcode == 0xc4)
            return 2;
        return place == Ey ? (i.rex_w() ? 8 : 4) : size_in_0f(i);
    }
    if (in(OpcodeMap::map_0f38, i)) {    // PMOVSX and PMOVZX
        static constexpr u8 sizes[6] = {8, 4, 2, 8, 4, 8};
        return sizes[(i.opcode & 15) % 6];
    }
    switch (i.opcode) {
    case 0x0b:
        return 8;
    case 0x14:
    case 0x20:
        return 1;
    case 0x15:
        return 2;
    case 0x16:
    case 0x22:
        return i.rex_w() ? 8 : 4;
    default:
        return 4;
    }
}

// PBLENDVB, BLENDVPS, BLENDVPD and SHA256RNDS2.
bool takes_xmm0(const Insn& i)
{
    return in(OpcodeMap::map_0f38, i) && (i.opcode == 0x10 || i.opcode == 0x14 || i.opcode == 0x15 || i.opcode == 0xcb);
}

bool has_immediate(const Insn& i)
{
    return i.row->operands[1] == Ib || i.row->operands[2] == Ib;
}

}

bool is_masked_at_rdi(const Insn& i)
{
    return in(OpcodeMap::map_0f, i) && i.opcode == 0xf7 && i.row->traits & (x86::sse | x86::mmx | x86::avx);
}

bool computes_with_floats(const Insn& i)
{
    const bool converts = i.opcode == 0x5a || i.opcode == 0x5b;
    const bool arithmetic = i.opcode == 0x51 || (i.opcode >= 0x58 && i.opcode <= 0x5f && !converts);
    const bool fused = i.opcode >= 0x96 && i.opcode <= 0xbf && (i.opcode & 0x0f) >= 6;
    const bool of_vectors = (in(OpcodeMap::map_0f, i) && arithmetic) || (in(OpcodeMap::map_0f38, i) && fused);
    return i.row->traits & x86::fpu || (of_vectors && i.row->traits & (x86::sse | x86::avx));
}

bool sse_suits(const Insn& i)
{
    const auto& o = i.row->operands;
    if (i.memory() && (i.flags & Insn::flag_checked || i.address_size == 2))
        return false;
    if (is_masked_at_rdi(i))
        return i.address_size != 2 && !(i.flags & Insn::flag_checked);
    const bool crypto = (in(OpcodeMap::map_0f38, i) && i.opcode >= 0xdb && i.opcode <= 0xdf)
        || (in(OpcodeMap::map_0f3a, i) && (i.opcode == 0x44 || i.opcode == 0xdf));
    static const bool host_has_crypto = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
    const bool sha = (in(OpcodeMap::map_0f38, i) && i.opcode >= 0xc8 && i.opcode <= 0xcd)
        || (in(OpcodeMap::map_0f3a, i) && i.opcode == 0xcc);
    if ((crypto && !host_has_crypto) || (sha && !(x86::host_features() & x86::feature_sha)))
        return false;
    return o[0] == V || o[1] == V || o[1] == U || o[1] == W || (o[0] == U && o[1] == Ib);
}

MemoryUse sse_memory(const Insn& i)
{
    const bool stores = i.row->operands[1] == V;
    return {u8(memory_size(i)), stores ? Access::write : Access::read, (i.row->traits & x86::aligned_16) != 0};
}

FlagUse sse_flags(const Insn& i)
{
    return compares(i) ? FlagUse{0, all_flags, true} : FlagUse{};
}

// Flags spoiled where the block did not see it coming.
void BlockTranslator::want_vectors()
{
    if (here_.vectors)
        return;
    spoil_flags();
    a_.op_imm(0x83, 4, 7, state_at(offset_vectors_away), 0, 1);
    vector_loads_.push_back({a_.jump_if(cond_ne), a_.at()});
    here_.vectors = true;
}

u8 BlockTranslator::xmm(u8 number)
{
    want_vectors();
    return number;
}

void BlockTranslator::emit_sse(const Insn& i)
{
    static constexpr u8 prefixes[] = {0, 0x66, 0xf3, 0xf2};
    const u32 map = in(OpcodeMap::map_0f, i) ? 0x0f00u : in(OpcodeMap::map_0f38, i) ? 0x0f3800u : 0x0f3a00u;
    const auto op = [&](u8 reg, const Rm& rm) {
        a_.op(map | i.opcode, i.rex_w() ? 8 : 4, reg, rm, prefixes[i.prefix]);
        if (has_immediate(i))
            a_.byte(u8(i.imm));
    };
    const auto& o = i.row->operands;
    const bool stores = o[1] == V;
    want_vectors();
    if (is_masked_at_rdi(i))
        return emit_masked_at_rdi(i);
    if (i.memory())
        access(i);
    if (takes_xmm0(i))
        xmm(0);

    if (o[0] == U)    // shifts by an immediate
        return op(i.modrm >> 3 & 7, Rm::of(xmm(i.rm)));
    if (o[0] == V) {
        Rm from = operand_;
        const bool general = o[1] == Ey || o[1] == Ed;
        if (!i.memory())
            from = Rm::of(general ? in_register(u8(i.rm * 8), 8) : xmm(i.rm));
        op(xmm(i.reg), from);
        if (compares(i))
            flags_made();
        return;
    }
    if (stores) {
        const u8 from = xmm(i.reg);
        if (i.memory())
            return op(from, operand_);
        if (o[0] != W) {    // a general register
            op(from, Rm::of(begin_destination(u8(i.rm * 8), 8, false)));
            return end_destination(u8(i.rm * 8), 8);
        }
        return op(from, Rm::of(xmm(i.rm)));
    }
    const Rm from = i.memory() ? operand_ : Rm::of(xmm(i.rm));
    op(begin_destination(u8(i.reg * 8), 8, false), from);
    end_destination(u8(i.reg * 8), 8);
}

// The host's register holds the guest's, but for flags that handlers have raised since.
void BlockTranslator::emit_store_mxcsr(const Insn& i)
{
    spoil_flags();
    access(i);
    a_.op_extended(0x0fae, 4, 3, state_at(offset_spill));
    a_.load(4, scratch_b, state_at(offset_spill));
    a_.op(0x0b, 4, scratch_b, state_at(offset_mxcsr));
    a_.store(4, operand_, scratch_b);
}

// Ends its block: with an exception unmasked, blocks of another mode follow.
void BlockTranslator::emit_load_mxcsr(const Insn& i)
{
    constexpr u32 masks = 0x1f80;
    spoil_flags();
    access(i);
    release_held();
    a_.load(4, scratch_a, operand_);
    a_.mov(scratch_b, scratch_a);
    a_.op_imm(0x81, 4, 4, Rm::of(scratch_b), ~x86::mxcsr_mask | masks, 4);
    a_.op_imm(0x81, 4, 7, Rm::of(scratch_b), masks, 4);
    handlers_.push_back({a_.jump_if(cond_ne), &i, nullptr, {}, false});
    a_.store(4, state_at(offset_mxcsr), scratch_a);
    a_.op_extended(0x0fae, 4, 2, state_at(offset_mxcsr));
    go_to(u64(i.offset) + i.length);
}

}
