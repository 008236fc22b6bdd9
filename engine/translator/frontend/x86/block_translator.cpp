#include "engine/translator/frontend/x86/block_translator.h"

#include <algorithm>
#include <bit>

#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/handlers.h"

namespace engine::translator {

BlockTranslator::BlockTranslator(const Block& block, const Thunks& thunks, CodeCache& cache, BlockSurroundings& around)
    : block_(block),
      thunks_(thunks),
      cache_(cache),
      around_(around),
      a_(cache.reserve(CodeCache::Part::hot, most_code)),
      entry_(a_.at()),
      cold_(cache.reserve(CodeCache::Part::cold, most_code)),
      shared_(around.shares_memory())
{
    if (around_.is_busy()) {
        a_.nothing(a_.missing_to(line_of_code));
        entry_ = a_.at();
    }
    host_.fill(none);
    std::ranges::copy(host_of, host_.begin());
}

// From a place in this page on. Looks at `left` instructions at the most, both ways where the run may go two.
BlockTranslator::FlagsAhead BlockTranslator::flags_ahead(u64 in_page, unsigned& left)
{
    const u8* const page = reinterpret_cast<const u8*>(block_.host - block_.in_page);
    FlagsAhead ahead;
    FlagMask killed = 0;
    // Who runs into what lies over the page's end will mostly want them; who jumps to another page won't.
    FlagMask read_beyond = 0;
    // Counted before its target is looked at: a branch may lead to itself.
    for (u64 at = in_page; killed != all_flags && left != 0;) {
        if (at >= page_size)
            break;
        --left;
        read_beyond = all_flags;
        Insn insn;
        const u64 here = std::min<u64>(x86::longest_instruction, page_size - at);
        around_.looked_at(unsigned(at), unsigned(here));
        if (x86::decode({page + at, here}, block_.mode, u16(at), insn) != x86::Decoded::ok)
            break;
        at += insn.length;
        if (at < page_size)
            read_beyond = 0;
        const Lowering* const lowering = lowering_of(insn, block_.mode);
        const FlagUse use = flag_use(insn, lowering);
        ahead.join({use.reads, lowering ? use.reads : FlagMask(0)}, killed);
        killed |= use.kills;
        if (insn.row->forms == x86::jcc_forms.data())
            ahead.join(flags_ahead(insn.imm, left), killed);
        else if (insn.row->forms == &x86::jmp_forms || insn.row->forms == &x86::call_forms)
            at = insn.imm, read_beyond = 0;
        else if (ends_block(insn) || may_leave_block(insn)) {
            read_beyond = 0;
            break;
        }
    }
    ahead.join({all_flags, read_beyond}, killed);
    return ahead;
}

BlockTranslator::FlagsAhead BlockTranslator::flags_ahead(u64 in_page)
{
    unsigned left = 16;
    return flags_ahead(in_page, left);
}

static bool uses_vectors(const Insn& i, const Lowering& l)
{
    return l.emit == &BlockTranslator::emit_sse || (l.emit == &BlockTranslator::emit_mmx && has_xmm_operand(i))
        || (l.emit == &BlockTranslator::emit_vex && i.row->traits & x86::avx);
}

void BlockTranslator::plan()
{
    plan_.resize(block_.count);
    const Insn& last = block_.insns[block_.count - 1];
    const u64 next = u64(last.offset) + last.length;
    FlagsAhead ahead{all_flags, 0};
    if (!ends_block(last)) {
        ahead = next < page_size ? flags_ahead(next) : FlagsAhead{all_flags, all_flags};
    } else if (const Lowering* const l = lowering_of(last, block_.mode)) {
        if (l->emit == &BlockTranslator::emit_jmp || l->emit == &BlockTranslator::emit_call)
            ahead = flags_ahead(last.imm);
        else if (l->emit == &BlockTranslator::emit_counted_branch)
            (ahead = flags_ahead(last.imm)).join(flags_ahead(next), 0);
        else if (l->emit == &BlockTranslator::emit_repeated)
            ahead = flags_ahead(next);
        else if (l->emit == &BlockTranslator::emit_x87)
            ahead = flags_ahead(next);
    }
    for (unsigned n = block_.count; n-- > 0;) {
        const Insn& i = block_.insns[n];
        Planned& p = plan_[n];
        p.lowering = lowering_of(i, block_.mode);
        p.use = flag_use(i, p.lowering);
        p.memory = p.lowering && i.memory() ? p.lowering->memory(i) : MemoryUse{};
        p.operand = p.top = {};
        p.page_window = u16(p.memory.size ? page_window_of(i, p.memory) : 0);
        p.after = ahead;
        p.vectors = p.lowering && (uses_vectors(i, *p.lowering) || (n + 1u < block_.count && plan_[n + 1].vectors));
        if (p.lowering && p.lowering->emit == &BlockTranslator::emit_jcc)
            ahead.join(p.at_target = flags_ahead(i.imm), 0);
        // The block's own reads find the recipe's operands.
        ahead = {FlagMask((ahead.live & ~p.use.kills) | p.use.reads), FlagMask(ahead.read & ~p.use.kills)};
    }
    plan_spans();
}

void BlockTranslator::call_handler(const Insn& i)
{
    spoil_flags();
    a_.load_imm(scratch_b, std::bit_cast<u64>(around_.alone(i)));
    a_.call_to(relative(thunks_.call_handler));
    here_.vectors = here_.uppers_told = x87_loaded_ = false;
    in_host_ = false;
    in_memory_ = true;
    slot_ = FlagSlot::packed;
}

void BlockTranslator::end_with_handler(const Insn& i)
{
    spoil_flags();
    a_.load_imm(scratch_b, std::bit_cast<u64>(around_.rest(i)));
    a_.jump_to(relative(thunks_.end_with_handler));
}

void BlockTranslator::emit_body()
{
    bool ended = false;
    starts_.clear();
    held_ = none;
    for (Span& s : spans_) {
        s.kept = false;
        s.aligned = 0;
    }
    for (unsigned n = 0; n < block_.count && !ended; ++n) {
        const Insn& i = block_.insns[n];
        starts_.push_back(u32(a_.at() - entry_));
        const Planned& p = plan_[n];
        now_ = n;
        lowering_ = p.lowering;
        live_after_ = p.after.live;
        live_before_ = FlagMask((p.after.live & ~p.use.kills) | p.use.reads);
        read_before_ = FlagMask(p.after.read & ~p.use.kills);
        ended = ends_block(i);
        // STI's shadow needs an instruction behind it.
        if (i.row->forms == &x86::sti_forms && n + 1u == block_.count)
            lowering_ = nullptr;
        if (!lowering_ && may_leave_block(i))
            ended = true;
        if (p.vectors && !here_.vectors && !in_host_)
            want_vectors();
        if (ended)
            return_loans();
        if (lowering_)
            (this->*lowering_->emit)(i);
        else if (ended)
            end_with_handler(i);
        else
            call_handler(i);
        forget_changed(i);
    }
    if (!ended) {
        live_before_ = live_after_;
        read_before_ = plan_.back().after.read;
        spoil_flags();
        return_loans();
        go_to(u64(block_.in_page) + block_.length);
    }
}

// Looks for requests and, if they are wanted, for the vector registers.
u8* BlockTranslator::emit_request_check()
{
    // As long as a jump, which another thread may write over it: CodeStore::redirect().
    constexpr unsigned ds = 0x3e, rex = 0x40;
    here_.vectors = plan_.front().vectors;
    a_.byte(ds);
    if (!here_.vectors)
        a_.byte(rex);
    a_.op(0x85, here_.vectors ? 8 : 4, state_register, state_at(offset_request));
    return a_.jump_if(cond_ne);
}

void BlockTranslator::emit_asked(u8* asked, const u8* back)
{
    a_.bind(asked);
    if (!plan_.front().vectors)
        return;
    a_.op_imm(0x83, 4, 7, state_at(offset_request), 0, 1);
    u8* const leaves = a_.jump_if(cond_ne);
    a_.call_to(relative(thunks_.load_vectors));
    a_.jump_to(back);
    a_.bind(leaves);
}

// When the block is dropped, a jump to `miss` is written over its entry. A block that straddles is linked to by way of the
// table, which knows whether the next page is still where it was.
BlockTranslator::Result BlockTranslator::translate()
{
    plan();
    u8* const asked = emit_request_check();
    const u8* const begin = a_.at();
    emit_body();
    if (loops()) {
        emit_loop();
    } else {
        emit_stubs();
        emit_asked(asked, begin);
    }
    u8* const miss = a_.at();
    rip_plus(scratch_a, block_.in_page);
    a_.store(8, gpr_slot(x86::gpr_rip), scratch_a);
    a_.jump_to(relative(thunks_.leave_unlinked));
    u8* link = entry_;
    if (block_.straddles) {
        link = a_.at();
        rip_plus(scratch_a, block_.in_page);
        go_by_address();
    }
    return {entry_, hot_end_, miss, link, cold_, a_.at()};
}

}
