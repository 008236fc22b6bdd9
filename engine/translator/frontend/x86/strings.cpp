// REP MOVS and REP STOS: the host's own, where all of it is plain memory within a page on either side. What is not goes to the
// handler, which does page after page.

#include <bit>

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

namespace {
constexpr u8 rep = 0xf3;
}

// The guest address in scratch_a becomes the host's; "above" unless RCX elements from there on are to be had. scratch_b is
// how many would be.
void BlockTranslator::to_host_stretch(unsigned size, Access access)
{
    lookup(access, size);
    u8* const missed = a_.jump_if(cond_a);
    a_.op(0x03, 8, scratch_a, Rm::at(scratch_b, table_of(access) + host_in_entry));
    a_.load(4, scratch_b, Rm::of(scratch_a));
    a_.op_extended(0xf7, 4, 2, Rm::of(scratch_b));
    a_.op_imm(0x81, 4, 4, Rm::of(scratch_b), page_mask, 4);
    a_.lea(4, scratch_b, Rm::at(scratch_b, 1));
    if (size > 1)
        a_.op_imm(0xc1, 4, 5, Rm::of(scratch_b), unsigned(std::countr_zero(size)), 1);
    a_.op(0x3b, 8, host::rcx, Rm::of(scratch_b));
    a_.bind(missed);
}

// MOVS (A4) and STOS (AA) by lowering_->opcode. RDI and RSI are the host's addresses while the host repeats it.
void BlockTranslator::emit_repeated(const Insn& i)
{
    constexpr u8 movs = 0xa4;
    const unsigned size = i.operand_size;
    const bool moves = lowering_->opcode == movs;
    if (i.address_size != address_size())
        return end_with_handler(i);
    spoil_flags();
    test_flags(x86::flag_d);
    left_to_handler(cond_ne, i);
    if (!in_64())
        for (const u8 reg : {host::rcx, host::rdi, host::rsi})
            a_.load(4, reg, Rm::of(reg));
    if (moves) {
        a_.mov(scratch_a, host::rsi);
        add_segment_base(i);
        to_host_stretch(size, Access::read);
        left_to_handler(cond_a, i);
        a_.op(0x2b, 8, scratch_a, Rm::of(host::rsi));
        a_.store(8, state_at(offset_spill), scratch_a);
    }
    a_.mov(scratch_a, host::rdi);
    to_host_stretch(size, Access::write);
    left_to_handler(cond_a, i);
    a_.op(0x2b, 8, scratch_a, Rm::of(host::rdi));
    a_.op(0x03, 8, host::rdi, Rm::of(scratch_a));
    if (moves)
        a_.op(0x03, 8, host::rsi, state_at(offset_spill));
    if (size == 2)
        a_.byte(0x66);
    a_.byte(rep);
    if (size == 8)
        a_.byte(0x48);
    a_.byte(lowering_->opcode | (size != 1));
    a_.op(0x2b, 8, host::rdi, Rm::of(scratch_a));
    if (moves)
        a_.op(0x2b, 8, host::rsi, state_at(offset_spill));
    go_to(u64(i.offset) + i.length);
}

}
