// Memory operands: address and soft TLB.

#include <bit>

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

void BlockTranslator::address(const Insn& i)
{
    release_held();
    effective_address(i.base, i.index, i.scale, i.disp, scratch_a, i.address_size);
}

// The sum into `to`, or its four lower bytes.
void BlockTranslator::effective_address(u8 base_number, u8 index_number, u8 scale, i32 disp, u8 to, unsigned size)
{
    const auto in = [this](u8 number, u8 scratch) {
        if (host_[number] != none)
            return host_[number];
        if (scratch == scratch_a)
            release_held();
        a_.load(8, scratch, gpr_slot(number));
        return scratch;
    };
    if (base_number == x86::gpr_rip && index_number == x86::gpr_zero && to != scratch_a) {
        a_.load(8, to, gpr_slot(base_number));
        return a_.lea(size, to, Rm::at(to, disp));
    }
    const u8 base = base_number == x86::gpr_zero ? Rm::none : in(base_number, scratch_a);
    const u8 index = index_number == x86::gpr_zero ? Rm::none : in(index_number, scratch_b);
    if (base == Rm::none && index == Rm::none)
        a_.load_imm(to, size == 4 ? u64(u32(disp)) : u64(i64(disp)));
    else
        a_.lea(size, to, Rm::at(base, index, scale, disp));
}

// The entry into scratch_b. Its tag is the page's address, so tag ^ linear, in scratch_a, is the offset in the page, or
// beyond any page; "above" if it is or the access would leave the page.
void BlockTranslator::lookup(Access access, unsigned size)
{
    const i32 table = table_of(access);
    if (__builtin_cpu_supports("bmi2")) {
        a_.rorx(scratch_b, scratch_a, 8);
    } else {
        a_.load(4, scratch_b, Rm::of(scratch_a));
        a_.op_imm(0xc1, 4, 5, Rm::of(scratch_b), 8, 1);
    }
    a_.op_imm(0x81, 4, 4, Rm::of(scratch_b), (x86::SoftTlbContext::entries - 1) << 4, 4);
    a_.op(0x03, 8, scratch_b, state_at(offset_tlb));
    a_.op(0x33, 8, scratch_a, Rm::at(scratch_b, table));
    a_.op_imm(0x81, 8, 7, Rm::of(scratch_a), page_size - size, 4);
}

void BlockTranslator::access_linear(const Insn& i, unsigned size, Access access)
{
    lookup(access, size);
    u8* const slow = a_.jump_if(cond_a);
    a_.op(0x03, 8, scratch_a, Rm::at(scratch_b, table_of(access) + host_in_entry));
    slow_.push_back({slow, a_.at(), &i, access, u8(std::countr_zero(size)), 0, here_});
}

// Whether a window that stands so many bytes into Cpu has the address: "above or equal" if not. Its distance from the
// window's base goes to scratch_b.
void BlockTranslator::look_in_window(std::size_t window, unsigned size)
{
    a_.mov(scratch_b, scratch_a);
    compare_with_window(window, size);
}

// The same of an address that is in scratch_b already.
void BlockTranslator::compare_with_window(std::size_t window, unsigned size)
{
    const bool wide = size > x86::TlbWindow::narrow && size <= x86::TlbWindow::widest;
    a_.op(0x2b, 8, scratch_b, window_at(window, offsetof(x86::TlbWindow, base)));
    a_.op(0x3b, 8, scratch_b, window_at(window, wide ? offsetof(x86::TlbWindow, wide_limit) : offsetof(x86::TlbWindow, limit)));
}

void BlockTranslator::access_window(const Insn& i, unsigned size, Access access, std::size_t window, WindowUse use)
{
    look_in_window(window, size);
    u8* const outside = a_.jump_if(cond_ae);
    a_.op(0x03, 8, scratch_a, window_at(window, offsetof(x86::TlbWindow, addend)));
    slow_.push_back({outside, a_.at(), &i, access, u8(std::countr_zero(size)), window, here_, 0, use});
}

// Behind compare_with_window(), with the linear address in scratch_a: looks between the limits, moves the stack's window or the
// site's, or asks the table alone where that is not to be had. Falls through where it has no such page, with the address still.
void BlockTranslator::emit_window_miss(const WindowMiss& m)
{
    u8 *stays = nullptr, *leaves_page[2]{};
    if (m.size > x86::TlbWindow::narrow) {
        a_.op(0x3b, 8, scratch_b, window_at(m.window, offsetof(x86::TlbWindow, limit)));
        u8* const outside = a_.jump_if(cond_ae);
        a_.op_imm(0x81, 4, 7, Rm::of(scratch_b), page_size - m.size, 4);
        leaves_page[0] = a_.jump_if(cond_a);
        a_.op(0x03, 8, scratch_a, window_at(m.window, offsetof(x86::TlbWindow, addend)));
        a_.jump_to(m.back);
        a_.bind(outside);
        a_.load(4, scratch_b, Rm::of(scratch_a));
        a_.op_imm(0x81, 4, 4, Rm::of(scratch_b), page_mask, 4);
        a_.op_imm(0x81, 4, 7, Rm::of(scratch_b), page_size - m.size, 4);
        leaves_page[1] = a_.jump_if(cond_a);
    }
    if (m.window == offset_stack_window) {
        a_.call_to(relative(thunks_.move_stack_window));
    } else {
        if (m.use != WindowUse::chain) {
            a_.op_imm(0x81, 4, 7, window_at(m.window, offsetof(x86::TlbWindow, missed)), x86::TlbWindow::most_misses, 4);
            stays = a_.jump_if(cond_ae);
        }
        a_.load_imm(scratch_b, number_of_site_window(m.window));
        a_.call_to(relative(thunks_.move_site_window[unsigned(m.access)]));
    }
    a_.jump_if_to(cond_ae, m.back);
    if (stays)
        a_.bind(stays);
    lookup(m.access, m.size);
    u8* const absent = a_.jump_if(cond_a);
    a_.op(0x03, 8, scratch_a, Rm::at(scratch_b, table_of(m.access) + host_in_entry));
    a_.jump_to(m.back);
    a_.bind(absent);
    a_.op(0x33, 8, scratch_a, Rm::at(scratch_b, table_of(m.access)));
    for (u8* const leaves : leaves_page)
        if (leaves)
            a_.bind(leaves);
}

void BlockTranslator::access(const Insn& i)
{
    const auto& [lowering, use, memory, after, at_target, vectors, member, top, stream, in_stream, page_window] = plan_[now_];
    const unsigned size = memory.size;
    if (stream != none)
        return access_stream(i, stream);
    if (member.span != none) {
        access_span(member);
        if (memory.aligned && !page_window)
            require_alignment(i, size, member);
        return;
    }
    if (page_window)
        return access_at_page(i, page_window);
    spoil_flags();
    const WindowUse waits = window_use(now_);
    std::size_t window = 0;
    if (i.base == x86::rsp && !based(i) && size <= x86::TlbWindow::widest)
        window = offset_stack_window;
    else if (size <= x86::TlbWindow::widest)
        window = window_here(i, memory.access, waits);
    if (window && keeps_base(i)) {
        release_held();
        if (memory.aligned)
            require_alignment(i, size);
        return access_by_base(i, host_[i.base], i.disp, size, memory.access, window, waits);
    }
    address(i);
    add_segment_base(i);
    operand_ = Rm::at(scratch_a);
    if (memory.aligned)
        require_alignment(i, size);
    if (window)
        access_window(i, size, memory.access, window, waits);
    else
        access_linear(i, size, memory.access);
}

// Whether its operand is at a register and a constant, and is used once at the most after the register has changed.
bool BlockTranslator::keeps_base(const Insn& i) const
{
    using B = BlockTranslator;
    const auto emit = plan_[now_].lowering->emit;
    const bool once = emit == &B::emit_mov || emit == &B::emit_extend || emit == &B::emit_alu || emit == &B::emit_sse;
    const bool alone = i.index == x86::gpr_zero && i.address_size == 8 && !based(i) && host_[i.base] != none;
    return in_64() && once && alone && !(plan_[now_].memory.aligned && i.disp & i32(plan_[now_].memory.size - 1));
}

// Of a thread's data, or this instruction's own, in loops and where much time is spent. 0: none. With SMAP a supervisor's pages
// depend on AC.
std::size_t BlockTranslator::window_here(const Insn& i, Access access, WindowUse use)
{
    if (block_.mode & x86::mode_smap)
        return 0;
    const bool of_thread = based(i) && i.base == x86::gpr_zero && i.index == x86::gpr_zero;
    unsigned number = of_thread ? around_.thread_window(access) : 0;
    if (!number)
        number = around_.window(now_, access, use);
    return number ? site_window(number) : 0;
}

// Of instruction `n`'s operand. A chain's load gives the register that it goes by, which nobody else does in the block or its loop.
WindowUse BlockTranslator::window_use(unsigned n) const
{
    const auto written = [this](unsigned m) {
        const Lowering* const lowering = plan_[m].lowering;
        return lowering ? registers_written(block_.insns[m], *lowering) : ~u32(0);
    };
    const Insn& i = block_.insns[n];
    u32 links = 0;
    if (around_.is_busy() && i.memory() && plan_[n].memory.access == Access::read)
        links = (u32(1) << i.base | u32(1) << i.index) & written(n);
    const unsigned end = links ? back_edge() : 0;
    for (unsigned m = 0; m < end; ++m)
        links &= m == n ? links : ~written(m);
    if (links)
        return WindowUse::chain;
    return loop_head_ ? WindowUse::loop : WindowUse::access;
}

// Of an operand that goes by RIP, so that it is known where in its page it is: where that page is looked for. 0: it is not there
// alone, or not aligned as it has to be.
unsigned BlockTranslator::page_window_of(const Insn& i, const MemoryUse& use)
{
    const u32 in_page = u32(i.disp) & u32(page_mask);
    if (!goes_by_rip(i) || in_page + use.size > page_size || (use.aligned && in_page % use.size) || block_.mode & x86::mode_smap)
        return 0;
    return around_.page_window(i.disp & ~i32(page_mask), use.access);
}

// The place in the host's memory of what lies `page` bytes from the page in scratch_b, into scratch_a. Where the jump that is
// returned goes its linear address is in scratch_b.
u8* BlockTranslator::look_at_page(unsigned number, i32 page)
{
    const std::size_t window = site_window(number);
    a_.lea(8, scratch_b, Rm::at(scratch_b, page));
    a_.op(0x3b, 8, scratch_b, window_at(window, offsetof(x86::TlbWindow, base)));
    u8* const elsewhere = a_.jump_if(cond_ne);
    a_.load(8, scratch_a, window_at(window, offsetof(x86::TlbWindow, host)));
    return elsewhere;
}

void BlockTranslator::access_at_page(const Insn& i, unsigned number)
{
    const MemoryUse& use = plan_[now_].memory;
    spoil_flags();
    release_held();
    a_.load(8, scratch_b, gpr_slot(x86::gpr_rip));
    u8* const elsewhere = look_at_page(number, i.disp & ~i32(page_mask));
    slow_.push_back({elsewhere, a_.at(), &i, use.access, u8(std::countr_zero(use.size)), 0, here_, u16(number)});
    operand_ = Rm::at(scratch_a, i.disp & i32(page_mask));
}

// From there: back with the page's place, or falls through with its linear address in scratch_a.
void BlockTranslator::move_page_window(unsigned number, Access access, const u8* back)
{
    a_.mov(scratch_a, scratch_b);
    a_.load_imm(scratch_b, number);
    a_.call_to(relative(thunks_.move_site_window[unsigned(access)]));
    a_.jump_if_to(cond_ae, back);
}

void BlockTranslator::access_top(const Insn& i, u8 base, i32 disp, unsigned size, Access access)
{
    const Member member = plan_[now_].top;
    if (member.span != none)
        return access_span(member);
    spoil_flags();
    release_held();
    if (!in_64()) {
        operand_ = Rm::at(scratch_a);
        a_.lea(address_size(), scratch_a, Rm::at(base, disp));
        return access_window(i, size, access, offset_stack_window, WindowUse::access);
    }
    access_by_base(i, base, disp, size, access, offset_stack_window, WindowUse::access);
}

// At [base + disp], which is needed as a sum for the compare alone. The operand is good while the register, the host's, stays what
// it is.
void BlockTranslator::access_by_base(
    const Insn& i, u8 base, i32 disp, unsigned size, Access access, std::size_t window, WindowUse use)
{
    a_.lea(8, scratch_b, Rm::at(base, disp));
    compare_with_window(window, size);
    u8* const outside = a_.jump_if(cond_ae);
    a_.load(8, scratch_a, window_at(window, offsetof(x86::TlbWindow, addend)));
    slow_tops_.push_back({outside, a_.at(), &i, access, u8(std::countr_zero(size)), base, disp, here_, window, use});
    operand_ = Rm::at(scratch_a, base, 0, disp);
}

void BlockTranslator::emit_slow_tops()
{
    for (const SlowTop& s : slow_tops_) {
        const u8* const found = a_.at();
        a_.op(0x2b, 8, scratch_a, Rm::of(s.base));
        a_.lea(8, scratch_a, Rm::at(scratch_a, -s.disp));
        a_.jump_to(s.back);
        a_.bind(s.from);
        a_.lea(8, scratch_a, Rm::at(s.base, s.disp));
        emit_window_miss({s.window, s.window_use, 1u << s.log_size, s.access, found});
        leave(s.here);
        a_.load_imm(scratch_b, around_.site(*s.insn));
        a_.call_to(relative(thunks_.slow[unsigned(s.access)][s.log_size]));
        come_back(s.here);
        a_.jump_to(found);
    }
}

void BlockTranslator::add_segment_base(const Insn& i)
{
    if (based(i))
        a_.op(0x03, 8, scratch_a, state_at(offset_base + 8 * i.segment));
}

// The handler raises what is raised otherwise.
void BlockTranslator::require_alignment(const Insn& i, unsigned alignment)
{
    spoil_flags();
    u8 address = operand_.reg;
    if (i.index == x86::gpr_zero && host_[i.base] != none && !(i.disp & i32(alignment - 1)) && !based(i)) {
        address = host_[i.base];
    } else if (operand_.disp & i32(alignment - 1)) {
        address = scratch_b;
        a_.lea(8, address, operand_);
    }
    a_.op_imm(0xf6, 1, 0, Rm::of(address), alignment - 1, 1);
    u8* const misaligned = a_.jump_if(cond_ne);
    handlers_.push_back({misaligned, &i, a_.at(), here_, x87_loaded_});
}

// Of accesses by the same base the first speaks for others that are multiples of it away.
void BlockTranslator::require_alignment(const Insn& i, unsigned alignment, Member member)
{
    Span& s = spans_[member.span];
    if (alignment <= s.aligned && !((member.offset - s.aligned_at) & i32(alignment - 1)))
        return;
    require_alignment(i, alignment);
    if (alignment >= s.aligned) {
        s.aligned = u8(alignment);
        s.aligned_at = member.offset;
    }
}

void BlockTranslator::emit_stubs()
{
    for (const Exit& s : exits_) {
        a_.bind(s.from);
        if (s.wants_flags)
            save_flags(s.recipe);
        leave(s.here, false);
        go_to(s.target);
    }
    hot_end_ = a_.at();
    a_ = Assembler(cold_);
    for (const SlowAccess& s : slow_) {
        const i32 in_page = s.insn->disp & i32(page_mask);
        a_.bind(s.from);
        if (s.window) {
            emit_window_miss({s.window, s.window_use, 1u << s.log_size, s.access, s.back});
        } else if (s.page_window) {
            move_page_window(s.page_window, s.access, s.back);
            a_.lea(8, scratch_a, Rm::at(scratch_a, in_page));
        } else {
            a_.op(0x33, 8, scratch_a, Rm::at(scratch_b, table_of(s.access)));
        }
        leave(s.here);
        a_.load_imm(scratch_b, around_.site(*s.insn));
        a_.call_to(relative(thunks_.slow[unsigned(s.access)][s.log_size]));
        come_back(s.here);
        if (s.page_window)
            a_.lea(8, scratch_a, Rm::at(scratch_a, -in_page));
        a_.jump_to(s.back);
    }
    emit_slow_tops();
    emit_span_stubs();
    emit_return_stubs();
    emit_unknown_stubs();
    emit_far_stubs();
    for (const Jump& s : links_) {
        a_.bind(s.displacement);
        write_link_stub(a_, address_size(), s.in_page, around_.link(s.displacement, s.in_page), relative(thunks_.leave));
    }
    for (const HandlerStub& s : handlers_) {
        a_.bind(s.from);
        leave(s.here);
        a_.load_imm(scratch_b, std::bit_cast<u64>(s.back ? around_.alone(*s.insn) : around_.rest(*s.insn)));
        if (!s.back) {
            a_.jump_to(relative(thunks_.end_with_handler));
            continue;
        }
        a_.call_to(relative(thunks_.call_handler));
        if (s.x87_loaded)
            a_.call_to(relative(thunks_.load_x87));
        come_back(s.here);
        a_.jump_to(s.back);
    }
    for (const VectorLoad& s : vector_loads_) {
        a_.bind(s.from);
        a_.call_to(relative(thunks_.load_vectors));
        a_.jump_to(s.back);
    }
    for (const RecipeMet& s : recipes_met_) {
        a_.bind(s.from);
        a_.call_to(relative(thunks_.pack_flags));
        a_.jump_to(s.back);
    }
    for (const X87Load& s : x87_loads_) {
        a_.bind(s.from);
        leave(s.here);
        a_.call_to(relative(thunks_.load_x87));
        come_back(s.here);
        a_.jump_to(s.back);
    }
}

}
