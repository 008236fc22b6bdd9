// The stack, and where the run goes on.

#include <bit>

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

namespace {
constexpr unsigned guest_rsp = x86::rsp * 8;
}

void BlockTranslator::rip_plus(u8 to, u64 displacement)
{
    a_.load(address_size(), to, gpr_slot(x86::gpr_rip));
    if (displacement)
        a_.lea(address_size(), to, Rm::at(to, i32(i64(displacement))));
}

void write_link_stub(Assembler& a, unsigned address_size, unsigned in_page, u32 link, const u8* leave)
{
    a.load(address_size, scratch_a, gpr_slot(x86::gpr_rip));
    a.lea(address_size, scratch_a, Rm::at(scratch_a, i32(in_page)));
    a.store(8, gpr_slot(x86::gpr_rip), scratch_a);
    a.load_imm(scratch_b, link);
    a.jump_to(leave);
}

void BlockTranslator::follow(unsigned in_page, By by)
{
    if (in_page == block_.in_page)
        return Assembler::patch(leave_by(by), entry_);
    align_link(1);
    u8* const displacement = leave_by(by);
    if (const u8* const code = around_.code_at(in_page)) {
        jumps_.push_back({displacement, in_page});
        Assembler::patch(displacement, relative(code));
    } else {
        links_.push_back({displacement, in_page});
    }
}

// In place rather than in a thunk, so that the host predicts each jump by its own past. Where the table doesn't know the
// address it may not be canonical: then `unless`, if given, raises what is raised, with RSP back by `popped`.
void BlockTranslator::go_by_address(const Insn* unless, unsigned popped, By by)
{
    const unsigned half = likely_half();
    write_jump_lookup(a_);
    a_.op(0x3b, 8, scratch_a, Rm::at(scratch_b, offsetof(JumpTarget, rip)));
    u8* const unknown = a_.jump_if(cond_ne);
    a_.load(8, scratch_a, Rm::at(scratch_b, offsetof(JumpTarget, context)));
    a_.op(0x3b, 8, scratch_a, state_at(offset_context + half * sizeof(u64)));
    u8* const other_context = a_.jump_if(cond_ne);
    write_jump(a_, by);
    const u8* const in_context = relative(thunks_.jump_in_context[half ^ 1]);
    if (by == By::call) {
        calls_left_.push_back({unknown, relative(thunks_.jump_missed), a_.at()});
        calls_left_.push_back({other_context, in_context, a_.at()});
        return;
    }
    if (unless && in_64())
        unknown_.push_back({unknown, unless, popped});
    else
        Assembler::patch(unknown, relative(thunks_.jump_missed));
    Assembler::patch(other_context, in_context);
}

void BlockTranslator::go_to(u64 in_page, By by)
{
    if (in_page < page_size)
        return follow(unsigned(in_page), by);
    go_far(in_page, by);
}

// Until it is linked, and where page or context are others, by the table. `displacement` leads nowhere until then, and no
// context is 0.
void BlockTranslator::go_far(u64 in_page, By by)
{
    const i64 slot = around_.is_busy() && !shared_ && in_64() ? around_.slot_of_jump_at(in_page) : 0;
    FarStub far{.in_page = in_page, .link = around_.link_far(in_page, slot)};
    if (shared_) {
        a_.load(8, scratch_a, state_at(offset_far_targets));
        a_.load(8, scratch_b, far_target(far, offsetof(FarTarget, context)));
    } else {
        far.jump.context = a_.load_long_imm(scratch_b);
    }
    a_.op(0x3b, 8, scratch_b, state_at(offset_context + likely_half() * sizeof(u64)));
    far.other_context = a_.jump_if(cond_ne);
    far.in_context = a_.at();
    if (shared_)
        a_.load(8, scratch_b, far_target(far, offsetof(FarTarget, page)));
    else
        far.jump.page = a_.load_long_imm(scratch_b);
    a_.op(0x3b, 8, scratch_b, gpr_slot(x86::gpr_rip));
    far.other_page = a_.jump_if(cond_ne);
    if (slot) {
        go_by_slot(far, slot);
    } else {
        a_.lea(address_size(), scratch_b, Rm::at(scratch_b, i32(i64(in_page & ~page_mask))));
        a_.store(8, gpr_slot(x86::gpr_rip), scratch_b);
    }
    align_link(1);
    far.jump.displacement = leave_by(by);
    if (by == By::call)
        far.return_site = a_.at();
    far_.push_back(far);
}

// Past the jump there, which was seen when this one was linked: the slot may hold something else by now. The page's address is
// in scratch_b.
void BlockTranslator::go_by_slot(FarStub& far, i64 slot)
{
    far.slot_window = around_.page_window(slot & ~i64(page_mask), Access::read);
    far.slot_elsewhere = look_at_page(far.slot_window, i32(slot & ~i64(page_mask)));
    far.at_slot = a_.at();
    a_.load(8, scratch_a, Rm::at(scratch_a, i32(slot & i64(page_mask))));
    far.jump.target = a_.load_long_imm(scratch_b);
    a_.op(0x3b, 8, scratch_b, Rm::of(scratch_a));
    far.other_target = a_.jump_if(cond_ne);
    a_.op_imm(0x81, 8, 4, Rm::of(scratch_b), ~page_mask, 4);
    a_.store(8, gpr_slot(x86::gpr_rip), scratch_b);
}

// With what the vCPU has of them in scratch_a.
Rm BlockTranslator::far_target(const FarStub& s, std::size_t offset)
{
    return Rm::at(scratch_a, i32((s.link >> 1) * sizeof(FarTarget) + offset));
}

// What the table doesn't know is linked as soon as there is code; what it knows, when it was found there often.
void BlockTranslator::emit_far_stubs()
{
    const unsigned half = likely_half();
    for (const FarStub& s : far_) {
        around_.place_far(s.link, s.jump);
        u8* no_slot = nullptr;
        if (s.slot_window) {
            a_.bind(s.slot_elsewhere);
            move_page_window(s.slot_window, Access::read, s.at_slot);
            no_slot = a_.jump();
        }
        a_.bind(s.jump.displacement);
        a_.bind(s.other_context);
        a_.op(0x3b, 8, scratch_b, state_at(offset_context + (half ^ 1) * sizeof(u64)));
        a_.jump_if_to(cond_e, s.in_context);
        a_.bind(s.other_page);
        if (s.slot_window) {
            a_.bind(no_slot);
            a_.bind(s.other_target);
        }
        if (s.return_site)
            call_from_stub(s.return_site);
        rip_plus(scratch_a, s.in_page);
        write_jump_lookup(a_);
        a_.op(0x3b, 8, scratch_a, Rm::at(scratch_b, offsetof(JumpTarget, rip)));
        u8* const unknown = a_.jump_if(cond_ne);
        a_.load(8, scratch_a, Rm::at(scratch_b, offsetof(JumpTarget, context)));
        a_.op(0x3b, 8, scratch_a, state_at(offset_context + half * sizeof(u64)));
        a_.jump_if_to(cond_ne, relative(thunks_.jump_in_context[half ^ 1]));
        a_.load(8, scratch_a, state_at(offset_far_targets));
        const Rm patience = far_target(s, offsetof(FarTarget, patience));
        a_.op_extended(0xff, 2, 1, patience);
        a_.op_imm(0x83, 2, 7, patience, u64(-least_patience), 1);
        u8* const impatient = a_.jump_if(cond_l);
        write_jump(a_);
        a_.bind(impatient);
        a_.load(8, scratch_a, Rm::at(scratch_b, offsetof(JumpTarget, rip)));
        a_.bind(unknown);
        a_.store(8, gpr_slot(x86::gpr_rip), scratch_a);
        a_.load_imm(scratch_b, s.link);
        a_.jump_to(relative(thunks_.leave));
    }
}

// Whether the target in scratch_a is canonical: "equal" if so.
void BlockTranslator::compare_canonical()
{
    a_.mov(scratch_b, scratch_a);
    a_.op_imm(0xc1, 8, 4, Rm::of(scratch_b), 16, 1);
    a_.op_imm(0xc1, 8, 7, Rm::of(scratch_b), 16, 1);
    a_.op(0x3b, 8, scratch_b, Rm::of(scratch_a));
}

void BlockTranslator::emit_unknown_stubs()
{
    for (const UnknownTarget& u : unknown_) {
        a_.bind(u.from);
        compare_canonical();
        a_.jump_if_to(cond_e, relative(thunks_.jump_missed));
        a_.lea(8, host_rsp, Rm::at(host_rsp, -i32(u.popped)));
        a_.load_imm(scratch_b, around_.site(*u.insn));
        a_.jump_to(relative(thunks_.end_at_site));
    }
}

void BlockTranslator::emit_push(const Insn& i)
{
    const unsigned size = i.operand_size;
    const bool immediate = place_of(i, 0) == Place::imm;
    if (i.memory()) {
        access(i);
        a_.load(size, scratch_b, operand_);
        a_.store(8, state_at(offset_spill), scratch_b);
    }
    // RSP moves when nothing can fault any more.
    access_top(i, host_rsp, -i32(size), size, Access::write);
    if (i.memory()) {
        a_.load(8, scratch_b, state_at(offset_spill));
        a_.store(size, operand_, scratch_b);
    } else if (immediate) {
        a_.op_imm(0xc7, size, 0, operand_, i.imm, size == 2 ? 2 : 4);
    } else {
        a_.store(size, operand_, in_register(i.dst, size));
    }
    a_.lea(address_size(), host_rsp, Rm::at(host_rsp, -i32(size)));
}

void BlockTranslator::emit_pop(const Insn& i)
{
    const unsigned size = i.operand_size;
    access_top(i, host_rsp, 0, size, Access::read);
    a_.load(size, begin_destination(i.dst, size, false), operand_);
    end_destination(i.dst, size);
    if (i.dst != guest_rsp)
        a_.lea(address_size(), host_rsp, Rm::at(host_rsp, i32(size)));
}

void BlockTranslator::emit_leave(const Insn& i)
{
    access_top(i, host_rbp, 0, i.operand_size, Access::read);
    a_.load(i.operand_size, scratch_b, operand_);
    a_.lea(address_size(), host_rsp, Rm::at(host_rbp, i.operand_size));
    a_.mov(host_rbp, scratch_b);
}

void BlockTranslator::emit_jcc(const Insn& i)
{
    const unsigned condition = i.opcode & 15;
    want_flags();
    const bool to_head = loop_head_ && i.imm == block_.in_page;
    bool wants_flags = plan_[now_].at_target.live && !in_memory_;
    // Backwards means mostly taken.
    const FlagRecipe recipe = plan_[now_].at_target.read ? FlagRecipe{} : located(made_by_);
    if (wants_flags && (to_head || i.imm < i.offset)) {
        keep_flags(recipe);
        wants_flags = false;
    }
    if (to_head)
        return a_.jump_if_to(condition, loop_head_);
    if (wants_flags || here_.lent || i.imm >= page_size)
        return void(exits_.push_back({a_.jump_if(condition), i.imm, here_, wants_flags, recipe}));
    if (i.imm == block_.in_page) {
        a_.jump_if_to(condition, entry_);
    } else if (const u8* const code = around_.code_at(unsigned(i.imm))) {
        align_link(2);
        jumps_.push_back({a_.jump_if(condition), unsigned(i.imm)});
        Assembler::patch(jumps_.back().displacement, relative(code));
    } else {
        align_link(2);
        links_.push_back({a_.jump_if(condition), unsigned(i.imm)});
    }
}

void BlockTranslator::emit_jmp(const Insn& i)
{
    spoil_flags();
    go_to(i.imm);
}

// JCXZ and LOOP.
void BlockTranslator::emit_counted_branch(const Insn& i)
{
    constexpr u8 loop = 0xe2;
    const unsigned size = i.address_size;
    spoil_flags();
    if (i.opcode == loop)
        a_.lea(size, host::rcx, Rm::at(host::rcx, -1));
    a_.op(0x85, size, host::rcx, Rm::of(host::rcx));
    u8* const stays = a_.jump_if(i.opcode == loop ? cond_e : cond_ne);
    go_to(i.imm);
    a_.bind(stays);
    go_to(u64(i.offset) + i.length);
}

// Pushes the address of the next instruction.
void BlockTranslator::push_return(const Insn& i)
{
    const unsigned size = address_size();
    access_top(i, host_rsp, -i32(size), size, Access::write);
    rip_plus(scratch_b, u64(i.offset) + i.length);
    a_.store(size, operand_, scratch_b);
    a_.lea(size, host_rsp, Rm::at(host_rsp, -i32(size)));
}

// Behind push_return(), which leaves the address in scratch_b: before the host's own call.
void BlockTranslator::begin_call()
{
    constexpr u8 push_scratch_b[]{0x41, 0x57};
    a_.op(0x3b, 8, host::rsp, state_at(offset_returns_limit));
    u8* const too_many = a_.jump_if(cond_b);
    const u8* const back = a_.at();
    deep_calls_.push_back({too_many, back});
    for (const u8 byte : push_scratch_b)
        a_.byte(byte);
}

// Behind it: what the return comes to.
void BlockTranslator::end_call(const Insn& i, bool within_page)
{
    const u64 next = u64(i.offset) + i.length;
    a_.lea(8, host::rsp, Rm::at(host::rsp, sizeof(u64)));
    a_.lea(address_size(), scratch_a, Rm::at(scratch_a, -i32(next)));
    come_back_to_page(within_page);
    go_to(next);
}

// A call whose frame is begun but that is not the block's own: the return finds its way to the block's site.
void BlockTranslator::call_from_stub(const u8* return_site)
{
    u8* const on = a_.call();
    a_.jump_to(return_site);
    a_.bind(on);
}

// The page's address is in scratch_a. It came by way of both stacks, and the next call pushes what stands in RIP's place: to keep a
// program's calls from waiting for each other, RIP gets a constant or stays what it is.
void BlockTranslator::come_back_to_page(bool within_page)
{
    const Rm rip = gpr_slot(x86::gpr_rip);
    if (within_page) {
        a_.op(0x3b, 8, scratch_a, rip);
        pages_left_.push_back({a_.jump_if(cond_ne), a_.at()});
    } else if (around_.is_busy()) {
        a_.load_imm(scratch_b, around_.page_now());
        a_.op(0x3b, 8, scratch_b, Rm::of(scratch_a));
        u8* const elsewhere = a_.jump_if(cond_ne);
        a_.store(8, rip, scratch_b);
        pages_left_.push_back({elsewhere, a_.at()});
    } else {
        around_.would_gain();
        a_.store(8, rip, scratch_a);
    }
}

void BlockTranslator::emit_return_stubs()
{
    for (const DeepCall& d : deep_calls_) {
        a_.bind(d.from);
        a_.load(8, host::rsp, state_at(offset_returns_base));
        a_.jump_to(d.back);
    }
    for (const CallLeft& c : calls_left_) {
        a_.bind(c.from);
        call_from_stub(c.return_site);
        a_.jump_to(c.to);
    }
    for (const PageLeft& p : pages_left_) {
        a_.bind(p.from);
        a_.store(8, gpr_slot(x86::gpr_rip), scratch_a);
        a_.jump_to(p.back);
    }
    for (const OtherReturn& r : other_returns_) {
        a_.bind(r.from);
        a_.load(8, host::rsp, state_at(offset_returns_base));
        go_by_address(r.insn, r.popped);
    }
}

void BlockTranslator::emit_call(const Insn& i)
{
    spoil_flags();
    push_return(i);
    begin_call();
    go_to(i.imm, By::call);
    end_call(i, i.imm < page_size);
}

// The operand of an indirect branch, into scratch_a.
void BlockTranslator::load_target(const Insn& i)
{
    spoil_flags();
    if (i.memory()) {
        access(i);
        release_held();
        a_.load(address_size(), scratch_a, operand_);
    } else {
        release_held();
        a_.load(address_size(), scratch_a, guest(i.dst));
    }
}

void BlockTranslator::emit_jmp_indirect(const Insn& i)
{
    load_target(i);
    go_by_address(&i);
}

void BlockTranslator::emit_call_indirect(const Insn& i)
{
    load_target(i);
    if (in_64()) {
        // Before anything is pushed.
        compare_canonical();
        handlers_.push_back({a_.jump_if(cond_ne), &i, nullptr, {}, false});
    }
    a_.store(8, state_at(offset_spill), scratch_a);
    push_return(i);
    begin_call();
    a_.load(8, scratch_a, state_at(offset_spill));
    go_by_address(nullptr, 0, By::call);
    end_call(i, false);
}

void BlockTranslator::emit_ret(const Insn& i)
{
    constexpr u8 ret = 0xc3;
    const unsigned size = address_size();
    spoil_flags();
    access_top(i, host_rsp, 0, size, Access::read);
    a_.load(size, scratch_a, operand_);
    const unsigned popped = size + u16(i.imm);
    a_.lea(size, host_rsp, Rm::at(host_rsp, i32(popped)));
    a_.op(0x3b, 8, scratch_a, Rm::at(host::rsp, offsetof(ReturnFrame, guest)));
    other_returns_.push_back({a_.jump_if(cond_ne), &i, popped});
    a_.byte(ret);
}

}
