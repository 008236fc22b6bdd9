#include "engine/cpu/x86/far.h"

#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/stack.h"

namespace engine::x86 {

namespace {

void check_offset(Cpu& c, const Insn* i, const Segment& code, u64 offset)
{
    const bool to_64 = c.long_mode() && code.attributes & attr_l;
    if (to_64 ? !canonical(offset) : offset > code.limit)
        c.raise(i, general_protection, 0);
}

void enter_code(Cpu& c, const Insn* i, Descriptor& d, unsigned cpl, u64 offset)
{
    set_accessed(c, i, d);
    Segment code = d.segment();
    code.selector = u16((d.selector & ~3) | cpl);
    c.seg[cs] = code;
    set_cpl(c, cpl);
    c.gpr[gpr_rip] = offset;
}

// A code segment reached without a gate, at the present privilege.
void check_direct(Cpu& c, const Insn* i, const Descriptor& d)
{
    const bool allowed = d.conforming() ? d.dpl() <= c.cpl : d.dpl() == c.cpl && unsigned(d.selector & 3) <= c.cpl;
    const bool both = c.long_mode() && d.attributes() & attr_l && d.attributes() & attr_db;
    if (!allowed || both)
        c.raise(i, general_protection, selector_error(c, d.selector));
    if (!d.present())
        c.raise(i, segment_not_present, selector_error(c, d.selector));
}

struct GateTarget {
    Descriptor code;
    u64 offset;
    unsigned size;    // of a stack slot
    unsigned words;
};

GateTarget call_gate(Cpu& c, const Insn* i, Descriptor gate)
{
    const u32 error = selector_error(c, gate.selector);
    if (gate.dpl() < c.cpl || gate.dpl() < unsigned(gate.selector & 3))
        c.raise(i, general_protection, error);
    if (!gate.present())
        c.raise(i, segment_not_present, error);
    u64 offset = gate.gate_offset();
    unsigned size = gate.type() == call_gate_16 ? 2 : 4;
    if (c.long_mode()) {
        if (gate.type() != call_gate_32)
            c.raise(i, general_protection, error);
        fetch_upper_half(c, i, gate);
        offset |= gate.raw_high << 32;
        size = 8;
    } else if (size == 2) {
        offset &= 0xffff;
    }
    const u16 selector = gate.gate_selector();
    if ((selector & 0xfffc) == 0)
        c.raise(i, general_protection, 0);
    const Descriptor code = fetch_descriptor(c, i, selector, general_protection);
    const bool long_code = code.attributes() & attr_l && !(code.attributes() & attr_db);
    if (!code.code() || code.dpl() > c.cpl || (c.long_mode() && !long_code))
        c.raise(i, general_protection, selector_error(c, selector));
    if (!code.present())
        c.raise(i, segment_not_present, selector_error(c, selector));
    return {code, offset, size, gate.gate_words()};
}

void jump_through_gate(Cpu& c, const Insn* i, const Descriptor& gate)
{
    GateTarget to = call_gate(c, i, gate);
    if (!to.code.conforming() && to.code.dpl() != c.cpl)
        c.raise(i, general_protection, selector_error(c, to.code.selector));
    check_offset(c, i, to.code.segment(), to.offset);
    enter_code(c, i, to.code, c.cpl, to.offset);
}

void call_same_level(Cpu& c, const Insn* i, GateTarget& to)
{
    check_offset(c, i, to.code.segment(), to.offset);
    StackCursor stack(c, i, to.size);
    stack.push(c.seg[cs].selector);
    stack.push(c.next_ip(i));
    const unsigned cpl = c.cpl;
    set_accessed(c, i, to.code);
    stack.commit();
    enter_code(c, i, to.code, cpl, to.offset);
}

// Parameters are read from the old stack before the new one is written.
void call_inner_level(Cpu& c, const Insn* i, GateTarget& to)
{
    const unsigned level = to.code.dpl();
    const StackPointer inner = stack_from_tss(c, i, level);
    const Segment old_ss = c.seg[ss];
    const u64 old_rsp = c.gpr[rsp];
    const Segment old_cs = c.seg[cs];
    const u64 return_ip = c.next_ip(i);
    std::array<u64, 31> parameters{};
    if (to.size != 8) {
        StackCursor outer(c, i, to.size);
        for (unsigned n = 0; n < to.words; ++n)
            parameters[n] = outer.pop();
    }
    Segment new_ss{.selector = u16(level), .attributes = u16(level << 5), .limit = 0, .base = 0};
    if (!c.long_mode())
        new_ss = checked_stack_segment(c, i, inner.selector, level, invalid_tss);
    check_offset(c, i, to.code.segment(), to.offset);
    set_accessed(c, i, to.code);

    const u64 wrap = c.long_mode() ? ~u64(0) : new_ss.attributes & attr_db ? 0xffffffff : 0xffff;
    const auto write = [&](u64 offset, u64 value) {
        const u64 linear = new_ss.base + (offset & wrap);
        if (to.size == 2)
            store_system<u16>(c, i, linear, u16(value));
        else if (to.size == 4)
            store_system<u32>(c, i, linear, u32(value));
        else
            store_system<u64>(c, i, linear, value);
    };
    u64 at = inner.offset;
    write(at -= to.size, old_ss.selector);
    write(at -= to.size, old_rsp);
    if (to.size != 8)
        for (unsigned n = to.words; n-- > 0;)
            write(at -= to.size, parameters[n]);
    write(at -= to.size, old_cs.selector);
    write(at -= to.size, return_ip);
    c.seg[ss] = new_ss;
    enter_code(c, i, to.code, level, to.offset);
    c.gpr[rsp] = (c.gpr[rsp] & ~wrap) | (at & wrap);
    if (c.long_mode())
        c.gpr[rsp] = at;
}

void call_through_gate(Cpu& c, const Insn* i, const Descriptor& gate)
{
    GateTarget to = call_gate(c, i, gate);
    if (!to.code.conforming() && to.code.dpl() < c.cpl)
        return call_inner_level(c, i, to);
    call_same_level(c, i, to);
}

// What a far transfer to a system descriptor does; `what` is the transfer itself.
void system_transfer(Cpu& c, const Insn* i, Descriptor& d, TaskSwitch what)
{
    const u32 error = selector_error(c, d.selector);
    const unsigned type = d.type();
    if (type == call_gate_32 || (type == call_gate_16 && !c.long_mode()))
        return what == TaskSwitch::jump ? jump_through_gate(c, i, d) : call_through_gate(c, i, d);
    const bool task = type == task_gate || type == tss_16_available || type == tss_32_available;
    if (c.long_mode() || !task || d.dpl() < c.cpl || d.dpl() < unsigned(d.selector & 3))
        c.raise(i, general_protection, error);
    if (!d.present())
        c.raise(i, segment_not_present, error);
    if (type == task_gate) {
        const u16 selector = d.gate_selector();
        if (selector & 4)
            c.raise(i, general_protection, selector_error(c, selector));
        d = fetch_descriptor(c, i, selector, general_protection);
        if (!d.system() || (d.type() != tss_16_available && d.type() != tss_32_available))
            c.raise(i, general_protection, selector_error(c, selector));
        if (!d.present())
            c.raise(i, segment_not_present, selector_error(c, selector));
    }
    switch_task(c, i, d, what, c.next_ip(i));
}

void real_far(Cpu& c, u16 selector, u64 offset)
{
    load_segment_real(c, cs, selector);
    update_mode(c);
    c.gpr[gpr_rip] = offset;
}

}

void far_jump(Cpu& c, const Insn* i, u16 selector, u64 offset)
{
    if (!c.protected_mode() || c.v86()) {
        if (offset > c.seg[cs].limit)
            c.raise(i, general_protection, 0);
        return real_far(c, selector, offset);
    }
    if ((selector & 0xfffc) == 0)
        c.raise(i, general_protection, 0);
    Descriptor d = fetch_descriptor(c, i, selector, general_protection);
    if (d.system())
        return system_transfer(c, i, d, TaskSwitch::jump);
    if (!d.code())
        c.raise(i, general_protection, selector_error(c, selector));
    check_direct(c, i, d);
    check_offset(c, i, d.segment(), offset);
    enter_code(c, i, d, c.cpl, offset);
}

void far_call(Cpu& c, const Insn* i, u16 selector, u64 offset)
{
    if (!c.protected_mode() || c.v86()) {
        if (offset > c.seg[cs].limit)
            c.raise(i, general_protection, 0);
        StackCursor stack(c, i, i->operand_size);
        stack.push(c.seg[cs].selector);
        stack.push(c.next_ip(i));
        stack.commit();
        return real_far(c, selector, offset);
    }
    if ((selector & 0xfffc) == 0)
        c.raise(i, general_protection, 0);
    Descriptor d = fetch_descriptor(c, i, selector, general_protection);
    if (d.system())
        return system_transfer(c, i, d, TaskSwitch::call);
    if (!d.code())
        c.raise(i, general_protection, selector_error(c, selector));
    check_direct(c, i, d);
    GateTarget to{d, offset, i->operand_size, 0};
    call_same_level(c, i, to);
}

void far_return(Cpu& c, const Insn* i, u16 release)
{
    StackCursor stack(c, i, i->operand_size);
    const u64 offset = stack.pop();
    const u16 selector = u16(stack.pop());
    if (!c.protected_mode() || c.v86()) {
        if (offset > c.seg[cs].limit)
            c.raise(i, general_protection, 0);
        stack.skip(release);
        stack.commit();
        return real_far(c, selector, offset);
    }
    const unsigned to_level = selector & 3;
    if ((selector & 0xfffc) == 0)
        c.raise(i, general_protection, 0);
    Descriptor d = fetch_descriptor(c, i, selector, general_protection);
    const bool level_fits = d.conforming() ? d.dpl() <= to_level : d.dpl() == to_level;
    if (!d.code() || to_level < c.cpl || !level_fits)
        c.raise(i, general_protection, selector_error(c, selector));
    if (!d.present())
        c.raise(i, segment_not_present, selector_error(c, selector));
    check_offset(c, i, d.segment(), offset);
    stack.skip(release);
    if (to_level == c.cpl) {
        stack.commit();
        return enter_code(c, i, d, to_level, offset);
    }
    const u64 outer_rsp = stack.pop();
    const u16 outer_ss = u16(stack.pop());
    Segment new_ss{.selector = outer_ss, .attributes = u16(to_level << 5), .limit = 0, .base = 0};
    const bool null_allowed = c.long_mode() && d.attributes() & attr_l && to_level != 3;
    if ((outer_ss & 0xfffc) != 0 || !null_allowed)
        new_ss = checked_stack_segment(c, i, outer_ss, to_level, general_protection);
    c.seg[ss] = new_ss;
    enter_code(c, i, d, to_level, offset);
    set_stack_pointer(c, outer_rsp + release);
    drop_inner_segments(c);
    update_mode(c);
}

}
