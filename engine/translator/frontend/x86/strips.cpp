// Strips: in a block that jumps to itself, what is at addresses that move by the same distance in each round is looked up
// once for all rounds in which it stays on its page. The least of these numbers of rounds, over all such streams, is
// counted down; then they are looked up again. A round in which one isn't to be had is done by a second copy of the loop
// that looks up each access. After C++ was called the strip is over: what was looked up may not hold any more.

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

namespace {

constexpr unsigned most_bytes = 256;
constexpr i64 most_step = page_size / 2;
// Requests are looked for between strips.
constexpr i32 most_rounds = 1024;
constexpr unsigned reciprocal_bits = 20;    // a page times the reciprocal must fit 32 bits

Rm slot_of(unsigned stream)
{
    return state_at(offset_strips + 8 * stream);
}

}

// The one conditional jump to the block's start, or none.
unsigned BlockTranslator::back_edge() const
{
    unsigned found = block_.count;
    for (unsigned n = 0; n < block_.count; ++n)
        if (block_.insns[n].row->forms == x86::jcc_forms.data() && block_.insns[n].imm == block_.in_page) {
            if (found != block_.count)
                return block_.count;
            found = n;
        }
    return found;
}

// How general registers move in a round.
BlockTranslator::Moves BlockTranslator::moves_until(unsigned end) const
{
    Moves m;
    for (unsigned n = 0; n < end; ++n) {
        const Insn& i = block_.insns[n];
        const Lowering& lowering = *plan_[n].lowering;
        i64 constant = 0;
        if (stack_of(i, lowering, address_size()).use.size)
            m.anyhow |= 1u << x86::rsp;
        if (adds_constant(i, address_size(), constant)) {
            m.by_constants |= 1u << (i.dst >> 3);
            m.step[i.dst >> 3] += constant;
        } else {
            m.anyhow |= registers_written(i, lowering);
        }
    }
    return m;
}

bool BlockTranslator::plan_streams()
{
    streams_.clear();
    const unsigned edge = back_edge();
    if (!in_64() || edge == block_.count
        || std::ranges::any_of(plan_, [](const Planned& p) { return p.lowering->emit == &BlockTranslator::emit_access_check; }))
        return false;
    const Moves m = moves_until(edge);
    std::array<i64, x86::gpr_rip + 1> added{};
    for (unsigned n = 0; n < edge; ++n) {
        join_stream(n, m, added);
        i64 constant = 0;
        if (adds_constant(block_.insns[n], address_size(), constant))
            added[block_.insns[n].dst >> 3] += constant;
    }
    settle_streams();
    return !streams_.empty();
}

void BlockTranslator::join_stream(unsigned n, const Moves& m, const std::array<i64, x86::gpr_rip + 1>& added)
{
    const Insn& i = block_.insns[n];
    const MemoryUse use = plan_[n].memory;
    if (!i.memory() || !use.size || based(i) || i.address_size != 8 || i.base == x86::gpr_zero)
        return;
    const bool indexed = i.index != x86::gpr_zero;
    const auto suits = [&](u8 number) { return m.constantly(number) && (!m.any(number) || host_[number] != none); };
    const i64 step = m.step[i.base] + (indexed ? m.step[i.index] << i.scale : 0);
    const i64 offset = i.disp + added[i.base] + (indexed ? added[i.index] << i.scale : 0);
    if (!suits(i.base) || (indexed && !suits(i.index)) || std::abs(step) > most_step || std::abs(offset) > most_step << 8)
        return;
    const i32 low = i32(offset), high = low + use.size;
    plan_[n].in_stream = low;
    for (Stream& s : streams_) {
        if (s.base != i.base || s.index != i.index || s.scale != i.scale)
            continue;
        if (std::max(s.high, high) - std::min(s.low, low) > i32(most_bytes))
            continue;
        s.low = std::min(s.low, low);
        s.high = std::max(s.high, high);
        s.writes |= use.access == Access::write;
        plan_[n].stream = u8(&s - streams_.data());
        return;
    }
    if (streams_.size() == x86::HostCodeSlots::most_strips)
        return;
    plan_[n].stream = u8(streams_.size());
    streams_.push_back({
        .base = i.base,
        .index = i.index,
        .scale = i.scale,
        .base_moves = m.any(i.base),
        .index_moves = indexed && m.any(i.index),
        .writes = use.access == Access::write,
        .step = i32(step),
        .low = low,
        .high = high,
    });
}

// Alignment is looked at once as well, where it can't change. What shares a span with a stream looks for itself.
void BlockTranslator::settle_streams()
{
    for (unsigned n = 0; n < block_.count; ++n) {
        Planned& p = plan_[n];
        if (p.stream == none || !p.memory.aligned)
            continue;
        Stream& s = streams_[p.stream];
        s.alignment = std::max(s.alignment, p.memory.size);
    }
    for (unsigned n = 0; n < block_.count; ++n) {
        Planned& p = plan_[n];
        if (p.stream == none)
            continue;
        const Stream& s = streams_[p.stream];
        if (s.alignment && (s.step % s.alignment || (p.memory.aligned && (p.in_stream - s.low) % p.memory.size)))
            p.stream = none;
    }
    std::vector<u8> broken(spans_.size());
    for (const Planned& p : plan_)
        if (p.stream != none && p.operand.span != none)
            broken[p.operand.span] = true;
    for (Planned& p : plan_)
        for (Member* const m : {&p.operand, &p.top})
            if (m->span != none && broken[m->span])
                m->span = none;
}

// The countdown and the streams get registers that the loop leaves alone, as far as there are any.
void BlockTranslator::lend_to_strips()
{
    count_register_ = none;
    std::size_t next = 0;
    for (const u8 lender : lenders_left_) {
        if (count_register_ == none) {
            count_register_ = host_of[lender];
            strip_loans_.push_back({lender, 0});
        } else if (next < streams_.size()) {
            streams_[next].reg = host_of[lender];
            strip_loans_.push_back({lender, offset_strips + 8 * next});
            ++next;
        }
    }
    // Both registers and the addend make one too many.
    for (Planned& p : plan_)
        if (p.stream != none) {
            const Stream& s = streams_[p.stream];
            if (s.reg == none && s.base_moves && s.index_moves)
                p.stream = none;
        }
}

void BlockTranslator::access_stream(const Insn& i, unsigned number)
{
    const Stream& s = streams_[number];
    u8 addend = s.reg;
    if (addend == none) {
        release_held();
        addend = scratch_a;
        a_.load(8, addend, slot_of(number));
    }
    if (s.base_moves && s.index_moves) {
        release_held();
        a_.lea(8, scratch_a, Rm::at(host_[s.base], host_[s.index], s.scale, i.disp));
        operand_ = Rm::at(scratch_a, addend, 0);
    } else if (s.base_moves) {
        operand_ = Rm::at(addend, host_[s.base], 0, i.disp);
    } else if (s.index_moves) {
        operand_ = Rm::at(addend, host_[s.index], s.scale, i.disp);
    } else {
        operand_ = Rm::at(addend, i.disp);
    }
}

void BlockTranslator::emit_count_down(const u8* refill)
{
    if (count_register_ != none)
        a_.op_imm(0x83, 8, 5, Rm::of(count_register_), 1, 1);
    else
        a_.op_imm(0x83, 8, 5, state_at(offset_strip_rounds), 1, 1);
    a_.jump_if_to(cond_b, refill);
}

// What host addresses are above guest addresses, with the registers that don't move added to it, into the stream's register
// if it has one. The table's entry is in scratch_b.
void BlockTranslator::emit_addend(unsigned number)
{
    const Stream& s = streams_[number];
    const i32 table = table_of(s.writes ? Access::write : Access::read);
    const u8 to = s.reg != none ? s.reg : scratch_a;
    a_.load(8, to, Rm::at(scratch_b, table + host_in_entry));
    a_.op(0x2b, 8, to, Rm::at(scratch_b, table));
    if (!s.base_moves)
        a_.op(0x03, 8, to, guest(u8(s.base * 8)));
    if (s.index != x86::gpr_zero && !s.index_moves) {
        a_.load(8, scratch_b, guest(u8(s.index * 8)));
        a_.lea(8, to, Rm::at(to, scratch_b, s.scale));
    }
    if (s.reg == none)
        a_.store(8, slot_of(number), to);
}

// The countdown is at most what the offset in the page, in scratch_a, has room for; if this is the `first` stream to say so
// it is exactly that. Spoils scratch_b.
void BlockTranslator::emit_rounds(const Stream& s, bool first)
{
    constexpr u32 cmovb = 0x0f42;
    const u32 step = u32(std::abs(s.step));
    const bool in_register = count_register_ != none;
    const Rm count = in_register ? Rm::of(count_register_) : state_at(offset_strip_rounds);
    const u8 rounds = first && in_register ? count_register_ : scratch_b;
    // With the round that begins now.
    if (s.step > 0) {
        a_.load_imm(rounds, page_size - u64(s.high - s.low) + step);
        a_.op(0x2b, 4, rounds, Rm::of(scratch_a));
    } else {
        a_.lea(4, rounds, Rm::at(scratch_a, i32(step)));
    }
    if (!std::has_single_bit(step)) {
        // A step more may be less than a round more: the reciprocal is too small.
        a_.op_imm(0x81, 4, 5, Rm::of(rounds), step, 4);
        a_.op(0x69, 4, rounds, Rm::of(rounds));
        a_.value(u32((1u << reciprocal_bits) / step));
        a_.op_imm(0xc1, 4, 5, Rm::of(rounds), reciprocal_bits, 1);
        a_.op_imm(0x83, 4, 0, Rm::of(rounds), 1, 1);
    } else if (step != 1) {
        a_.op_imm(0xc1, 4, 5, Rm::of(rounds), unsigned(std::countr_zero(step)), 1);
    }
    if (first) {
        if (!in_register)
            a_.store(8, count, rounds);
    } else if (in_register) {
        a_.op(0x3b, 4, rounds, count);
        a_.op(cmovb, 4, count_register_, Rm::of(rounds));
    } else {
        a_.op(0x3b, 4, rounds, count);
        u8* const enough = a_.jump_if(cond_ae);
        a_.store(8, count, rounds);
        a_.bind(enough);
    }
}

// Returns the jumps taken where something is not to be had.
std::vector<u8*> BlockTranslator::emit_refill()
{
    std::vector<u8*> missed;
    const auto is_used = [&](const Stream& s) {
        return std::ranges::any_of(plan_, [&](const Planned& p) { return p.stream == &s - streams_.data(); });
    };
    const auto says_rounds = std::ranges::find_if(streams_, [&](const Stream& s) { return is_used(s) && s.step != 0; });
    const bool bounded = says_rounds != streams_.end() && std::abs(says_rounds->step) * most_rounds >= i32(page_size);
    if (!bounded)
        a_.op_imm(0xc7, 8, 0, count_register_ != none ? Rm::of(count_register_) : state_at(offset_strip_rounds), most_rounds, 4);
    for (unsigned number = 0; number < streams_.size(); ++number) {
        const Stream& s = streams_[number];
        if (!is_used(s))
            continue;
        effective_address(s.base, s.index, s.scale, s.low, scratch_a, 8);
        if (s.alignment) {
            a_.op_imm(0xf6, 1, 0, Rm::of(scratch_a), s.alignment - 1u, 1);
            missed.push_back(a_.jump_if(cond_ne));
        }
        lookup(s.writes ? Access::write : Access::read, unsigned(s.high - s.low));
        missed.push_back(a_.jump_if(cond_a));
        const bool spills = s.step && s.reg == none;
        if (spills)
            a_.store(8, state_at(offset_spill), scratch_a);
        emit_addend(number);
        if (spills)
            a_.load(8, scratch_a, state_at(offset_spill));
        if (s.step)
            emit_rounds(s, bounded && &s == &*says_rounds);
    }
    return missed;
}

// So that a round begins with a line of the host's cache of instructions: a short loop takes half as long again elsewhere.
void BlockTranslator::align_strips()
{
    u8* const head = a_.at();
    emit_request_check();
    emit_refill();
    const unsigned missing = a_.missing_to(line_of_code);
    a_ = Assembler(head);
    a_.nothing(missing);
}

// After the loop's head, where requests were looked for: the loop by strips, then as it is without.
void BlockTranslator::emit_strips(const std::vector<Planned>& plan_without)
{
    const Residence here = here_;
    u8* const refill = std::exchange(loop_head_, nullptr);
    const std::vector<u8*> missed = emit_refill();
    loop_head_ = a_.at();
    emit_count_down(refill);
    emit_body();
    const std::vector<u32> starts = starts_;
    for (u8* const jump : missed)
        a_.bind(jump);
    begin_round();
    here_ = here;
    plan_ = plan_without;
    loop_head_ = refill;
    emit_body();
    starts_ = starts;
}

}
