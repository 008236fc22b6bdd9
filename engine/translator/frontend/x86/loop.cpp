// Blocks that jump to themselves: what can be done once for all rounds.

#include <algorithm>
#include <utility>

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

// Whether the block may keep its vector registers while it runs round and round: it jumps to itself, and nothing in it calls
// a handler.
bool BlockTranslator::loops() const
{
    if (vectors_left_ || !std::ranges::all_of(plan_, [](const Planned& p) { return p.lowering != nullptr; }))
        return false;
    return std::ranges::any_of(block_.insns, block_.insns + block_.count, [&](const Insn& i) {
        return i.row->forms == x86::jcc_forms.data() && i.imm == block_.in_page;
    });
}

// By number; more than there are.
u16 BlockTranslator::registers_used() const
{
    u16 used = 0;
    for (unsigned n = 0; n < block_.count; ++n) {
        const Insn& i = block_.insns[n];
        for (const unsigned number :
             {unsigned(i.dst >> 3), unsigned(i.src >> 3), unsigned(i.base), unsigned(i.index), unsigned(i.reg), unsigned(i.rm),
              unsigned(i.vvvv)})
            if (number < 16)
                used |= u16(1 << number);
        if (i.row->forms == &x86::leave_forms)
            used |= 1 << x86::rbp;
    }
    return used;
}

// Registers that live in memory get those of others that the loop leaves alone. None that instructions imply.
void BlockTranslator::lend_registers()
{
    constexpr u8 lenders[]{11, 10, 9, 8, x86::rdi, x86::rsi, x86::rbp};
    const u16 used = registers_used();
    loans_.clear();
    lenders_left_.clear();
    strip_loans_.clear();
    u8 borrower = pinned_count;
    for (const u8 lender : lenders) {
        if (used >> lender & 1)
            continue;
        while (borrower < 16 && !(used >> borrower & 1))
            ++borrower;
        if (borrower == 16)
            lenders_left_.push_back(lender);
        else
            loans_.push_back({borrower++, lender});
    }
}

// Flags stay as they are.
void BlockTranslator::move_lent(bool to_borrowers)
{
    for (const auto& [borrower, lender] : loans_) {
        const u8 from = to_borrowers ? lender : borrower, to = to_borrowers ? borrower : lender;
        a_.store(8, gpr_slot(from), host_of[lender]);
        a_.load(8, host_of[lender], gpr_slot(to));
    }
    for (const auto& [lender, to] : strip_loans_) {
        if (to_borrowers)
            a_.store(8, gpr_slot(lender), host_of[lender]);
        if (!to_borrowers)
            a_.load(8, host_of[lender], gpr_slot(lender));
        else if (to)
            a_.load(8, host_of[lender], state_at(to));
        else
            a_.load_imm(host_of[lender], 0);
    }
    if (to_borrowers && !streams_.empty() && count_register_ == none)
        a_.op_imm(0xc7, 8, 0, state_at(offset_strip_rounds), 0, 4);
}

void BlockTranslator::return_lent()
{
    for (const auto& [borrower, lender] : loans_) {
        host_[borrower] = none;
        host_[lender] = host_of[lender];
    }
}

// Once more, with the vector registers that the body was seen to use loaded before the loop and stored behind it, windows
// for its accesses to memory, and registers on loan.
void BlockTranslator::emit_loop()
{
    Vectors used = vectors_used_;
    // In the first round they are not zero yet.
    avx_used_ |= used.high_zero != 0;
    used.high_dirty |= std::exchange(used.high_zero, u16(0));
    a_ = Assembler(entry_);
    slow_.clear();
    slow_spans_.clear();
    links_.clear();
    far_.clear();
    handlers_.clear();
    unknown_.clear();
    other_returns_.clear();
    deep_calls_.clear();
    exits_.clear();
    x87_loads_.clear();
    lend_registers();
    begin_round(used);
    const std::vector<Planned> plan_without = plan_;
    const bool strips = plan_streams();
    if (strips)
        lend_to_strips();
    used.lent = strips || !loans_.empty();
    begin_round(used);
    load_vectors(vectors_);
    loop_head_ = a_.at();
    u8* const asked = emit_request_check();
    if (strips)
        emit_strips(used, plan_without);
    else
        emit_body();
    emit_stubs();
    a_.bind(asked);
    vectors_ = used;
    forget_vectors();
}

// As every jump to the loop's head finds it.
void BlockTranslator::begin_round(const Vectors& used)
{
    in_host_ = x87_loaded_ = false;
    in_memory_ = true;
    vectors_ = used;
    for (const auto& [borrower, lender] : loans_) {
        host_[borrower] = host_of[lender];
        host_[lender] = none;
    }
}

}
