// Spans: what a block does at [base + index * scale + disp] with the same registers is looked up once. Whoever comes first has the soft TLB asked
// about all bytes from the lowest to the highest; the others find the host's address in a slot of Cpu, or still in
// scratch_a, and need neither lookup nor compare, so that the flags stay where they are. Where the bytes are not to be had
// together (two pages that are apart, registers of a device, a fault) the interpreter does the rest of the block; a block
// that this happens to often is translated again without spans.

#include <algorithm>
#include <bit>

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

namespace {

constexpr unsigned most_bytes = 256;
constexpr i32 most_distance = 1 << 30;    // of a page from RIP

Rm slot_of(const Span& s)
{
    return state_at(offset_spans + 8 * s.slot);
}

}

// Into an open span with the same registers, if one is near, or into a new one.
void BlockTranslator::join_span(Member& member, const Span& alone)
{
    for (std::size_t n = spans_.size(); n-- > 0;) {
        Span& s = spans_[n];
        const i32 low = std::min(s.low, alone.low), high = std::max(s.high, alone.high);
        const bool alike = s.open && s.base == alone.base && s.index == alone.index && s.scale == alone.scale
            && s.page_window == alone.page_window;
        // Pages may share a window.
        const bool near = alone.page_window ? !((s.low ^ alone.low) & ~i32(page_mask)) : u32(high - low) <= most_bytes;
        if (!alike || !near || (alone.writes && !s.writes && s.sealed))
            continue;
        s.low = low;
        s.high = high;
        s.writes |= alone.writes;
        s.last = alone.last;
        ++s.members;
        member = {u8(n), alone.low};
        return;
    }
    if (spans_.size() == none)
        return;
    member = {u8(spans_.size()), alone.low};
    spans_.push_back(alone);
}

void BlockTranslator::plan_spans()
{
    using namespace x86;
    spans_.clear();
    if (block_.no_spans)
        return;
    std::array<i32, gpr_rip + 1> added{};
    const auto close = [&](auto condition) {
        for (Span& s : spans_)
            s.open &= !condition(s);
    };
    for (unsigned n = 0; n < block_.count; ++n) {
        const Insn& i = block_.insns[n];
        Planned& p = plan_[n];
        if (!p.lowering) {
            close([](const Span&) { return true; });
            continue;
        }
        const auto join = [&](Member& member, u8 base, u8 index, u8 scale, i32 disp, const MemoryUse& use, u16 window = 0) {
            const i32 there = added[base], low = there + disp, most = window ? most_distance : most_added;
            if (disp > -most && disp < most && there > -most_added && there < most_added)
                join_span(
                    member,
                    {.base = base,
                     .index = index,
                     .scale = scale,
                     .writes = use.access == Access::write,
                     .first = u16(n),
                     .last = u16(n),
                     .base_there = there,
                     .low = low,
                     .high = low + use.size,
                     .page_window = window});
        };
        if (i.memory() && p.memory.size && i.base != gpr_zero && !based(i) && i.address_size == address_size())
            join(p.operand, i.base, i.index, i.scale, i.disp, p.memory, p.page_window);
        const Stack top = stack_of(i, *p.lowering, address_size());
        if (top.use.size)
            join(p.top, top.base, gpr_zero, 0, top.disp, top.use);
        added[rsp] += top.moves;
        if (p.lowering->emit == &BlockTranslator::emit_jcc)
            for (Span& s : spans_)
                s.sealed = true;
        const u32 written = registers_written(i, *p.lowering);
        i64 constant = 0;
        const bool moves = adds_constant(i, address_size(), constant);
        const unsigned moved = i.dst >> 3;
        if (moves)
            added[moved] += i32(constant);
        close([&](const Span& s) { return moves ? s.index == moved : written >> s.base & 1 || written >> s.index & 1; });
        for (unsigned number = 0; number < 16 && !moves; ++number)
            if (written >> number & 1)
                added[number] = 0;
    }
    settle_spans();
}

// One member alone has nothing to share. The first spans get the slots.
void BlockTranslator::settle_spans()
{
    u8 slot = 0;
    for (Span& s : spans_)
        s.slot = s.members > 1 && slot < x86::HostCodeSlots::most_spans ? slot++ : none;
    for (Planned& p : plan_)
        for (Member* const m : {&p.operand, &p.top})
            if (m->span != none && spans_[m->span].slot == none)
                m->span = none;
}

void BlockTranslator::access_span(Member member)
{
    Span& s = spans_[member.span];
    if (held_ != member.span) {
        release_held();
        if (s.kept)
            a_.load(8, scratch_a, slot_of(s));
        else
            check_span(s);
    }
    held_ = member.span;
    operand_ = Rm::at(scratch_a, s.page_window ? member.offset & i32(page_mask) : member.offset - s.low);
}

// Before scratch_a is used for something else: what it has of a span goes to the slot, if the span is wanted again.
void BlockTranslator::release_held()
{
    if (held_ != none) {
        Span& s = spans_[held_];
        if (now_ <= s.last && !s.kept) {
            a_.store(8, slot_of(s), scratch_a);
            s.kept = true;
        }
    }
    held_ = none;
}

void BlockTranslator::check_span(Span& s)
{
    spoil_flags();
    const unsigned size = s.size();
    const Access access = s.writes ? Access::write : Access::read;
    SlowSpan slow{{}, nullptr, around_.span_check(block_.insns[s.first], size, access), 0, here_, &s};
    if (s.page_window) {
        a_.load(8, scratch_b, gpr_slot(x86::gpr_rip));
        slow.from[0] = look_at_page(s.page_window, s.low & ~i32(page_mask));
        slow.back = a_.at();
        return slow_spans_.push_back(slow);
    }
    effective_address(s.base, s.index, s.scale, s.low - s.base_there, scratch_a, address_size());
    slow.window_use = window_use(s.last);
    slow.window = s.base == x86::rsp ? offset_stack_window : window_here(block_.insns[s.first], access, slow.window_use);
    if (slow.window) {
        look_in_window(slow.window, size);
        slow.from[0] = a_.jump_if(cond_ae);
        if (size > x86::TlbWindow::widest) {
            a_.op_imm(0x81, 4, 7, Rm::of(scratch_b), page_size - size, 4);
            slow.from[1] = a_.jump_if(cond_a);
        }
        a_.op(0x03, 8, scratch_a, window_at(slow.window, offsetof(x86::TlbWindow, addend)));
    } else {
        lookup(access, size);
        slow.from[0] = a_.jump_if(cond_a);
        a_.op(0x03, 8, scratch_a, Rm::at(scratch_b, table_of(access) + host_in_entry));
    }
    slow.back = a_.at();
    slow_spans_.push_back(slow);
}

void BlockTranslator::emit_span_stubs()
{
    for (const SlowSpan& s : slow_spans_) {
        a_.bind(s.from[0]);
        if (s.from[1])
            a_.bind(s.from[1]);
        const Access access = s.check->access;
        const i32 in_page = s.span->low & i32(page_mask);
        if (s.span->page_window) {
            move_page_window(s.span->page_window, access, s.back);
            a_.lea(8, scratch_a, Rm::at(scratch_a, in_page));
        } else if (s.window) {
            emit_window_miss({s.window, s.window_use, s.check->size, access, s.back});
        } else {
            a_.op(0x33, 8, scratch_a, Rm::at(scratch_b, table_of(access)));
        }
        leave(s.here);
        a_.load_imm(scratch_b, std::bit_cast<u64>(s.check));
        a_.call_to(relative(thunks_.slow_span));
        come_back(s.here);
        if (s.span->page_window)
            a_.lea(8, scratch_a, Rm::at(scratch_a, -in_page));
        a_.jump_to(s.back);
    }
}

}
