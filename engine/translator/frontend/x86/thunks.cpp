#include "engine/translator/frontend/x86/thunks.h"

#include <bit>
#include <cassert>
#include <cstring>
#include <vector>

#include "engine/cpu/x86/access.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/translator/frontend/x86/flag_recipe.h"
#include "engine/translator/frontend/x86/vector_moves.h"

namespace engine::translator {

using x86::Access;

namespace {

// A handler by itself: what follows `i` is a mark that stops it, or the block's end. If it raises, the state is already
// where the interpreter keeps it.
void run_handler(Cpu& c, const Insn* i)
{
    flags_to_interpreter(c);
    collect_mxcsr(c);
    save_x87(c);
    c.host_code.running = false;
    c.host_code.framed = true;
    i->handler(c, i);
    c.host_code.framed = false;
    c.host_code.running = true;
    c.host_code.flags = x86::pack_flags(c.lazy.all());
}

// After an instruction that ended its block: whether host code may go on at RIP. What the run loop looks for first is its
// business.
bool may_go_on(Cpu& c)
{
    const bool asked = c.request.pending() || c.halted || c.waiting_for_sipi || c.shutdown;
    const bool single = c.mode & x86::mode_single || c.single_next || c.shadow || c.pending_debug || c.flag(x86::flag_rf);
    if (asked || single) {
        set_host_mxcsr(host_mxcsr);    // its flags are collected, and the guest may just have cleared them
        return false;
    }
    begin_host_code(c);
    return true;
}

enum class GoOn : u8 { no, yes, without_calls };

// The handler of `i` and, from there on, of what follows it in its block. Calls are good for the context they were made in.
GoOn run_rest(Cpu& c, const Insn* i)
{
    const auto context = c.host_code.context;
    run_handler(c, i);
    if (!may_go_on(c))
        return GoOn::no;
    const bool same = c.host_code.context[0] == context[0] && c.host_code.context[1] == context[1];
    return same ? GoOn::yes : GoOn::without_calls;
}

GoOn run_rest_at(Cpu& c, u64 site)
{
    return run_rest(c, c.blocks->insn_at(u32(site)));
}

// The instruction is seldom needed, and may have to be decoded again.
u8* slow_access(Cpu& c, u64 site, u64 linear, unsigned size, Access access)
{
    if ((linear & page_mask) + size <= page_size)
        if (u8* const at = x86::probe_host(c, linear, size, access).host)
            return at;
    const Insn* const i = c.blocks->insn_at(u32(site));
    if (u8* const at = x86::host_address(c, i, linear, size, access))
        return at;
    run_handler(c, i);
    return nullptr;
}

// Null: the rest of the block is the interpreter's.
u8* slow_span(Cpu& c, const SpanCheck* s, u64 linear)
{
    constexpr u8 most_failures = 64;
    const x86::Probe found = x86::probe_host(c, linear, s->size, s->access);
    if (!found.host && !found.faults) {
        s->block->span_failures = u8(s->block->span_failures + 1);
        if (s->block->span_failures == most_failures)
            c.slots.apart = s->block;
    }
    return found.host;
}

GoOn run_rest_of_span(Cpu& c, const SpanCheck* s)
{
    return run_rest_at(c, s->site);
}

class Writer {
public:
    explicit Writer(CodeCache& cache) : cache_(cache), a_(cache.reserve(CodeCache::Part::hot, most_thunks)) { }

    Thunks write()
    {
        Thunks t;
        vectors(t);
        enter(t);
        leave(t);
        slow(t);
        handlers(t);
        flags(t);
        stack_window(t);
        for (const Access access : {Access::read, Access::write})
            t.move_site_window[unsigned(access)] = site_window_thunk(access);
        jump_by_address(t);
        cache_.commit(CodeCache::Part::hot, a_.at());
        return t;
    }

private:
    static constexpr u64 most_thunks = 8192;    // bytes

    const u8* here() const { return cache_.executable(a_.at()); }
    void save()
    {
        for (unsigned n = 0; n < pinned_count; ++n)
            a_.store(8, gpr_slot(n), host_of[n]);
        a_.op_imm(0x83, 4, 7, state_at(offset_vectors_away), 0, 1);
        u8* const away = a_.jump_if(cond_ne);
        a_.call_to(store_vectors_);
        a_.bind(away);
    }
    void restore()
    {
        for (unsigned n = 0; n < pinned_count; ++n)
            a_.load(8, host_of[n], gpr_slot(n));
    }
    void cpu_to(u8 reg) { a_.lea(8, reg, Rm::at(state_register, -state_bias)); }
    template <class Function> void call(Function* function)
    {
        a_.load_imm(host::rax, std::bit_cast<u64>(function));
        a_.op_extended(0xff, 4, 2, Rm::of(host::rax));
    }
    void move_stack(int bytes) { a_.op_imm(0x83, 8, bytes < 0 ? 5 : 0, Rm::of(host::rsp), u64(bytes < 0 ? -bytes : bytes), 1); }

    static constexpr u8 kept[] = {host::rbx, host::rbp, host::r12, host::r13, host::r14, host::r15};
    void push(u8 reg)
    {
        if (reg & 8)
            a_.byte(0x41);
        a_.byte(0x50 | (reg & 7));
    }
    void pop(u8 reg)
    {
        if (reg & 8)
            a_.byte(0x41);
        a_.byte(0x58 | (reg & 7));
    }

    void enter(Thunks& t)
    {
        const u8* const to_no_call = here();
        a_.load(8, host::rsp, state_at(offset_returns_base));
        go_on_.push_back(a_.jump());

        t.enter = reinterpret_cast<Thunks::Enter>(reinterpret_cast<u64>(here()));
        for (const u8 reg : kept)
            push(reg);
        move_stack(-8 - i32(sizeof(ReturnFrame)));
        a_.mov(state_register, host::rdi);
        a_.load_imm(scratch_a, std::bit_cast<u64>(to_no_call));
        a_.store(8, Rm::at(host::rsp, offsetof(ReturnFrame, host)), scratch_a);
        a_.op_imm(0xc7, 8, 0, Rm::at(host::rsp, offsetof(ReturnFrame, guest)), 0, 4);
        a_.store(8, state_at(offset_returns_base), host::rsp);
        a_.lea(8, scratch_a, Rm::at(host::rsp, -i32(most_return_frames * sizeof(ReturnFrame))));
        a_.store(8, state_at(offset_returns_limit), scratch_a);
        a_.mov(scratch_a, host::rsi);
        restore();
        a_.op_extended(0xff, 4, 4, Rm::of(scratch_a));
    }

    void leave(Thunks& t)
    {
        t.leave_unlinked = here();
        a_.load_imm(scratch_b, 0);
        t.leave = here();
        save();
        a_.mov(host::rax, scratch_b);
        u8* const returns = a_.at();
        a_.load(8, host::rsp, state_at(offset_returns_base));
        move_stack(8 + sizeof(ReturnFrame));
        for (unsigned n = std::size(kept); n-- > 0;)
            pop(kept[n]);
        a_.byte(0xc3);
        saved_return_ = returns;
    }
    // With everything saved and, in AL, whether to go on at RIP.
    void go_on()
    {
        a_.op_imm(0x80, 1, 7, Rm::of(host::rax), u64(GoOn::yes), 1);
        u8* const leaves = a_.jump_if(cond_b);
        u8* const keeps_calls = a_.jump_if(cond_e);
        a_.load(8, host::rsp, state_at(offset_returns_base));
        a_.bind(keeps_calls);
        restore();
        a_.load(8, scratch_a, gpr_slot(x86::gpr_rip));
        go_on_.push_back(a_.jump());
        a_.bind(leaves);
        leave_saved();
    }
    // Leaves with everything saved and nothing to link.
    void leave_saved()
    {
        a_.load_imm(host::rax, 0);
        a_.jump_to(saved_return_);
    }

    // Returns with the host address that `function` finds, or goes on behind this where it finds none: nothing is returned
    // to then.
    template <class Function> void return_address_from(Function* function)
    {
        cpu_to(host::rdi);
        a_.mov(host::rsi, scratch_b);
        a_.mov(host::rdx, scratch_a);
        move_stack(-8);
        call(function);
        move_stack(8);
        a_.op(0x85, 8, host::rax, Rm::of(host::rax));
        u8* const none = a_.jump_if(cond_e);
        a_.mov(scratch_a, host::rax);
        restore();
        a_.byte(0xc3);
        a_.bind(none);
        move_stack(8);
    }

    void slow(Thunks& t)
    {
        u8* const common = a_.at();
        save();
        pop(host::rcx);
        pop(host::r8);
        return_address_from(&slow_access);
        leave_saved();
        slow_span_thunk(t);
        for (unsigned access = 0; access < 2; ++access)
            for (unsigned log = 0; log < 6; ++log) {
                t.slow[access][log] = here();
                a_.byte(0x6a);
                a_.byte(access);
                a_.byte(0x6a);
                a_.byte(1u << log);
                a_.jump_to(common);
            }
    }

    void slow_span_thunk(Thunks& t)
    {
        t.slow_span = here();
        save();
        return_address_from(&slow_span);
        end_by(&run_rest_of_span);
    }

    // With everything saved and what `function` wants in scratch_b.
    template <class Function> void end_by(Function* function)
    {
        cpu_to(host::rdi);
        a_.mov(host::rsi, scratch_b);
        call(function);
        go_on();
    }

    void handlers(Thunks& t)
    {
        t.call_handler = here();
        save();
        cpu_to(host::rdi);
        a_.mov(host::rsi, scratch_b);
        move_stack(-8);
        call(&run_handler);
        move_stack(8);
        restore();
        a_.byte(0xc3);

        t.end_with_handler = here();
        save();
        end_by(&run_rest);

        t.end_at_site = here();
        save();
        end_by(&run_rest_at);

        t.load_x87 = call_with_state(&load_x87);
        t.look_for_interrupts = call_with_state(&x86::look_for_interrupts);
    }
    const u8* call_with_state(void (*function)(Cpu&))
    {
        const u8* const at = here();
        save();
        cpu_to(host::rdi);
        move_stack(-8);
        call(function);
        move_stack(8);
        restore();
        a_.byte(0xc3);
        return at;
    }

    // Does the recipe's instruction again, in one of the pieces that stand behind each other in the order of its numbers.
    void flags(Thunks& t)
    {
        constexpr unsigned log_piece = 4;
        t.pack_flags = here();
        push(host::rax);
        push(host::rcx);
        a_.op_byte_source(0x0fb6, 4, host::rax, state_at(offset_flags));
        a_.op(0x0fbf, 8, host::rcx, state_at(offset_flags + sizeof(u16)));
        a_.op_imm(0xf6, 1, 0, Rm::of(host::rax), FlagRecipe::immediate_bit, 1);
        u8* const immediate = a_.jump_if(cond_ne);
        a_.load(8, host::rcx, state_at(offset_flags_from_too));
        a_.bind(immediate);
        a_.op_imm(0x83, 4, 4, Rm::of(host::rax), FlagRecipe::number_mask, 1);
        a_.op_imm(0xc1, 4, 4, Rm::of(host::rax), log_piece, 1);
        u8* const pieces = a_.load_long_imm(scratch_b);
        a_.op(0x03, 8, scratch_b, Rm::of(host::rax));
        a_.load(8, host::rax, state_at(offset_flags_from));
        a_.op_extended(0xff, 4, 4, Rm::of(scratch_b));
        const u8* const packs = a_.at();
        write_pack_flags(a_);
        pop(host::rcx);
        pop(host::rax);
        a_.byte(0xc3);
        const u64 first = std::bit_cast<u64>(here());
        std::memcpy(pieces, &first, sizeof first);
        for (unsigned number = 0; number < FlagRecipe::numbers; ++number) {
            u8* const next = a_.at() + (1u << log_piece);
            write_recipe(a_, FlagRecipe::of_number(number));
            a_.jump_to(packs);
            assert(a_.at() <= next);
            a_ = Assembler(next);
        }
        t.pack_recipe = reinterpret_cast<void (*)(Cpu*)>(std::bit_cast<u64>(here()));
        push(host::rbp);
        push(scratch_b);
        a_.mov(state_register, host::rdi);
        a_.call_to(cache_.writable(t.pack_flags));
        pop(scratch_b);
        pop(host::rbp);
        a_.byte(0xc3);
    }

    void vectors(Thunks& t)
    {
        t.load_vectors = here();
        vectors_.load();
        a_.byte(0xc3);
        store_vectors_ = a_.at();
        vectors_.store();
        a_.byte(0xc3);
    }

    // The entry of the linear address in scratch_a, into RAX. "Above" if the page is not there or ends too soon; the tag goes to
    // scratch_b.
    void look_up_window(Access access)
    {
        a_.load(4, host::rax, Rm::of(scratch_a));
        a_.op_imm(0xc1, 4, 5, Rm::of(host::rax), 8, 1);
        a_.op_imm(0x81, 4, 4, Rm::of(host::rax), (x86::SoftTlbContext::entries - 1) << 4, 4);
        a_.op(0x03, 8, host::rax, state_at(offset_tlb));
        a_.load(8, scratch_b, Rm::at(host::rax, table_of(access)));
        a_.op(0x33, 8, scratch_b, Rm::of(scratch_a));
        a_.op_imm(0x81, 8, 7, Rm::of(scratch_b), page_size - x86::TlbWindow::narrow, 4);
        a_.load(8, scratch_b, Rm::at(host::rax, table_of(access)));
    }
    // With an entry's address in RAX and its tag in scratch_b.
    template <class Field> void move_window(Access access, Field field)
    {
        a_.store(8, field(offsetof(x86::TlbWindow, base)), scratch_b);
        a_.op_imm(0xc7, 8, 0, field(offsetof(x86::TlbWindow, limit)), page_size - x86::TlbWindow::narrow + 1, 4);
        a_.op_imm(0xc7, 8, 0, field(offsetof(x86::TlbWindow, wide_limit)), page_size - x86::TlbWindow::widest + 1, 4);
        a_.op_extended(0xf7, 8, 3, Rm::of(scratch_b));    // neg
        a_.op(0x03, 8, scratch_b, Rm::at(host::rax, table_of(access) + host_in_entry));
        a_.store(8, field(offsetof(x86::TlbWindow, addend)), scratch_b);
        a_.op(0x03, 8, scratch_a, Rm::of(scratch_b));
        a_.load(8, scratch_b, Rm::at(host::rax, table_of(access) + host_in_entry));
        a_.store(8, field(offsetof(x86::TlbWindow, host)), scratch_b);
    }
    void return_carry(bool set)
    {
        a_.byte(set ? 0xf9 : 0xf8);
        a_.byte(0xc3);
    }

    void stack_window(Thunks& t)
    {
        t.move_stack_window = here();
        push(host::rax);
        look_up_window(Access::write);
        u8* const none = a_.jump_if(cond_a);
        move_window(Access::write, [](std::size_t offset) { return window_at(offset_stack_window, offset); });
        pop(host::rax);
        return_carry(false);
        a_.bind(none);
        pop(host::rax);
        return_carry(true);
    }

    const u8* site_window_thunk(Access access)
    {
        const auto field = [](std::size_t offset) { return Rm::at(host::rcx, i32(offset)); };
        const Rm missed = field(offsetof(x86::TlbWindow, missed)), next = field(offsetof(x86::TlbWindow, next));
        const u8* const at = here();
        push(host::rax);
        push(host::rcx);
        push(scratch_b);
        a_.op(0x69, 4, scratch_b, Rm::of(scratch_b));
        a_.value<u32>(sizeof(x86::TlbWindow));
        a_.lea(8, host::rcx, Rm::at(state_register, scratch_b, 0, i32(offset_site_windows) - state_bias));
        look_up_window(access);
        u8* const none = a_.jump_if(cond_a);
        // Page after page is as good as staying.
        a_.op(0x2b, 8, scratch_b, field(offsetof(x86::TlbWindow, base)));
        a_.op_imm(0x81, 8, 7, Rm::of(scratch_b), page_size, 4);
        u8* const next_page = a_.jump_if(cond_e);
        a_.op_extended(0xff, 4, 0, missed);
        a_.bind(next_page);
        a_.op(0x03, 8, scratch_b, field(offsetof(x86::TlbWindow, base)));
        move_window(access, field);
        a_.op_imm(0x83, 4, 7, next, 0, 1);
        u8* const listed = a_.jump_if(cond_ne);
        a_.load(4, scratch_b, state_at(offset_moved_sites));
        a_.store(4, next, scratch_b);
        a_.load(4, scratch_b, Rm::at(host::rsp));
        a_.store(4, state_at(offset_moved_sites), scratch_b);
        a_.bind(listed);
        pop(scratch_b);
        pop(host::rcx);
        pop(host::rax);
        return_carry(false);
        a_.bind(none);
        pop(scratch_b);
        pop(host::rcx);
        pop(host::rax);
        return_carry(true);
        return at;
    }

    void jump_by_address(Thunks& t)
    {
        // Those that look for themselves come here with the entry in scratch_b: its context is that of the other half.
        t.jump_in_context[0] = other_context(0);
        t.jump_in_context[1] = other_context(1);
        t.jump_by_address = here();
        for (u8* const jump : go_on_)
            a_.bind(jump);
        write_jump_lookup(a_);
        a_.op(0x3b, 8, scratch_a, Rm::at(scratch_b, offsetof(JumpTarget, rip)));
        u8* const other_address = a_.jump_if(cond_ne);
        a_.load(8, scratch_a, Rm::at(scratch_b, offsetof(JumpTarget, context)));
        a_.op(0x3b, 8, scratch_a, state_at(offset_context));
        a_.jump_if_to(cond_ne, cache_.writable(t.jump_in_context[1]));
        write_jump(a_);
        a_.bind(other_address);
        t.jump_missed = here();
        a_.store(8, gpr_slot(x86::gpr_rip), scratch_a);
        a_.jump_to(cache_.writable(t.leave_unlinked));
        a_.patch(missed_[0], cache_.writable(t.jump_missed));
        a_.patch(missed_[1], cache_.writable(t.jump_missed));
    }
    const u8* other_context(unsigned n)
    {
        const u8* const at = here();
        a_.op(0x3b, 8, scratch_a, state_at(offset_context + n * sizeof(u64)));
        u8* const neither = a_.jump_if(cond_ne);
        write_jump(a_);
        a_.bind(neither);
        write_renewal(a_);
        a_.load(8, scratch_a, Rm::at(scratch_b, offsetof(JumpTarget, rip)));
        missed_[n] = a_.jump();
        return at;
    }

    CodeCache& cache_;
    Assembler a_;
    u8* saved_return_ = nullptr;
    u8* store_vectors_ = nullptr;
    std::vector<u8*> go_on_;
    u8* missed_[2] = {};
    VectorMoves vectors_{a_};
};

}

Thunks write_thunks(CodeCache& cache)
{
    return Writer(cache).write();
}

}
