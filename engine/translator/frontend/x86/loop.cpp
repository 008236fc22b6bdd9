// Blocks that jump to themselves: what can be done once for all rounds.

#include <algorithm>
#include <utility>

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

// Whether the block jumps to itself, and nothing in it calls a handler.
bool BlockTranslator::loops() const
{
    if (!std::ranges::all_of(plan_, [](const Planned& p) { return p.lowering != nullptr; }))
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
        if (is_masked_at_rdi(i))
            used |= 1 << x86::rdi;
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

// Flags stay as they are. `in_round`: in the middle of one, so that what streams have in registers matters.
void BlockTranslator::move_lent(bool to_borrowers, bool in_round)
{
    for (const auto& [borrower, lender] : loans_) {
        const u8 from = to_borrowers ? lender : borrower, to = to_borrowers ? borrower : lender;
        a_.store(8, gpr_slot(from), host_of[lender]);
        a_.load(8, host_of[lender], gpr_slot(to));
    }
    for (const auto& [lender, to] : strip_loans_) {
        if (to_borrowers)
            a_.store(8, gpr_slot(lender), host_of[lender]);
        else if (in_round && to)
            a_.store(8, state_at(to), host_of[lender]);
        if (!to_borrowers)
            a_.load(8, host_of[lender], gpr_slot(lender));
        else if (in_round && to)
            a_.load(8, host_of[lender], state_at(to));
        else if (in_round)
            a_.load_imm(host_of[lender], 0);
    }
    if (to_borrowers && in_round && !streams_.empty() && count_register_ == none)
        a_.op_imm(0xc7, 8, 0, state_at(offset_strip_rounds), 0, 4);
}

void BlockTranslator::leave(const Residence& here, bool in_round)
{
    if (here.lent)
        move_lent(false, in_round);
}

void BlockTranslator::come_back(const Residence& here)
{
    if (here.vectors)
        a_.call_to(relative(thunks_.load_vectors));
    // It found them zero, perhaps: they need not stay so.
    if (here.uppers_told)
        a_.op_imm(0xc6, 1, 0, state_at(offset_uppers_used), 1, 1);
    if (here.lent)
        move_lent(true, true);
}

void BlockTranslator::return_loans()
{
    if (!here_.lent)
        return;
    move_lent(false, false);
    here_.lent = false;
    for (const auto& [borrower, lender] : loans_) {
        host_[borrower] = none;
        host_[lender] = host_of[lender];
    }
}

// Once more, with windows for its accesses to memory, and registers on loan.
void BlockTranslator::emit_loop()
{
    a_ = Assembler(entry_);
    slow_.clear();
    slow_tops_.clear();
    slow_spans_.clear();
    links_.clear();
    jumps_.clear();
    far_.clear();
    handlers_.clear();
    unknown_.clear();
    other_returns_.clear();
    deep_calls_.clear();
    calls_left_.clear();
    pages_left_.clear();
    exits_.clear();
    x87_loads_.clear();
    vector_loads_.clear();
    recipes_met_.clear();
    lend_registers();
    begin_round();
    const std::vector<Planned> plan_without = plan_;
    const bool strips = plan_streams();
    if (strips)
        lend_to_strips();
    begin_round();
    here_.lent = strips || !loans_.empty();
    if (here_.lent) {
        // For CodeStore::redirect().
        a_.nothing(5);
        move_lent(true, false);
    }
    if (strips)
        align_strips();
    else if (around_.is_busy())
        a_.nothing(a_.missing_to(line_of_code));
    loop_head_ = a_.at();
    u8* const asked = emit_request_check();
    const u8* const begin = a_.at();
    const Residence here = here_;
    if (strips)
        emit_strips(plan_without);
    else
        emit_body();
    emit_stubs();
    emit_asked(asked, begin);
    here_ = here;
    return_loans();
}

// As every jump to the loop's head finds it.
void BlockTranslator::begin_round()
{
    in_host_ = x87_loaded_ = here_.uppers_told = false;
    in_memory_ = true;
    slot_ = FlagSlot::unknown;
    made_by_ = {};
    for (const auto& [borrower, lender] : loans_) {
        host_[borrower] = host_of[lender];
        host_[lender] = none;
    }
}

}
