// What kernels do at every turn: interrupt flag, SWAPGS, STAC and CLAC, fences, PUSHF, and CMPXCHG8B and 16B. At CPL 0 where
// that matters; anything else is the handlers' business.

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

void BlockTranslator::or_flags(u64 flags)
{
    a_.op_imm(0x81, 4, 1, state_at(offset_rflags_other), flags, 4);
}
void BlockTranslator::clear_flags(u64 flags)
{
    a_.op_imm(0x81, 4, 4, state_at(offset_rflags_other), u32(~flags), 4);
}
void BlockTranslator::test_flags(u64 flags)
{
    a_.op_imm(0xf7, 4, 0, state_at(offset_rflags_other), flags, 4);
}

// CLI, CLD and STD by lowering_->opcode.
void BlockTranslator::emit_system_flag(const Insn&)
{
    constexpr u8 cli = 0xfa, std = 0xfd;
    spoil_flags();
    if (lowering_->opcode == cli)
        clear_flags(x86::flag_i);
    else if (lowering_->opcode == std)
        or_flags(x86::flag_d);
    else
        clear_flags(x86::flag_d);
}

// An instruction follows in the block, so that the shadow is over before anybody looks for interrupts.
void BlockTranslator::emit_sti(const Insn&)
{
    spoil_flags();
    test_flags(x86::flag_i);
    u8* const open = a_.jump_if(cond_ne);
    or_flags(x86::flag_i);
    leave(here_);
    a_.call_to(relative(thunks_.look_for_interrupts));
    come_back({.lent = here_.lent});
    a_.bind(open);
    here_.vectors = here_.uppers_told = false;
}

// STAC and CLAC by lowering_->opcode: with SMAP the supervisor's context is another one.
void BlockTranslator::emit_access_check(const Insn&)
{
    constexpr u8 stac = 0xcb;
    constexpr i32 step = i32(sizeof(x86::SoftTlbContext));
    const bool sets = lowering_->opcode == stac;
    spoil_flags();
    test_flags(x86::flag_ac);
    u8* const already = a_.jump_if(sets ? cond_ne : cond_e);
    if (sets)
        or_flags(x86::flag_ac);
    else
        clear_flags(x86::flag_ac);
    a_.op_imm(0xf7, 4, 0, state_at(offset_cr4), x86::cr4_smap, 4);
    u8* const unchecked = a_.jump_if(cond_e);
    a_.op_imm(0x81, 8, 0, state_at(offset_tlb), u32(sets ? step : -step), 4);
    for (const std::size_t limit : {offsetof(x86::TlbWindow, limit), offsetof(x86::TlbWindow, wide_limit)})
        a_.op_imm(0xc7, 8, 0, window_at(offset_stack_window, limit), 0, 4);
    a_.bind(already);
    a_.bind(unchecked);
}

void BlockTranslator::emit_swapgs(const Insn&)
{
    release_held();
    a_.load(8, scratch_a, state_at(offset_gs_base));
    a_.load(8, scratch_b, state_at(offset_kernel_gs_base));
    a_.store(8, state_at(offset_kernel_gs_base), scratch_a);
    a_.store(8, state_at(offset_gs_base), scratch_b);
    a_.store(8, state_at(offset_base + 8 * x86::gs), scratch_b);
}

// LFENCE, MFENCE, SFENCE.
void BlockTranslator::emit_fence(const Insn& i)
{
    a_.byte(0x0f);
    a_.byte(0xae);
    a_.byte(0xc0 | (i.modrm & 0x38));
}

// The packed flags hold RFLAGS' low byte in AH and O in AL. RF and VM are clear where host code runs.
void BlockTranslator::emit_pushf(const Insn& i)
{
    const unsigned size = i.operand_size;
    want_packed();
    access_top(i, host_rsp, -i32(size), size, Access::write);
    a_.op(0x0fb7, 4, scratch_b, state_at(offset_flags));
    a_.op(0x69, 4, scratch_b, Rm::of(scratch_b));
    a_.value<u32>(0x80001);    // O to bit 19
    a_.op_imm(0xc1, 4, 5, Rm::of(scratch_b), 8, 1);    // and down with it to bit 11
    a_.op_imm(0x81, 4, 4, Rm::of(scratch_b), x86::flags_arithmetic | 2, 4);
    a_.op(0x0b, 8, scratch_b, state_at(offset_rflags_other));
    a_.store(size, operand_, scratch_b);
    a_.lea(address_size(), host_rsp, Rm::at(host_rsp, -i32(size)));
}

// Only Z changes. RDX:RAX and RCX:RBX are where the host has them.
void BlockTranslator::emit_compare_exchange_double(const Insn& i)
{
    access(i);
    before_flags_change(lowering_->flags(i));
    a_.op_extended(0x0fc7, i.operand_size, 1, operand_, locks(i));
    flags_made();
}

}
