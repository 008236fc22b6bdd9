#include "engine/cpu/x86/interrupt.h"

#include <utility>

#include "engine/cpu/x86/far.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/segments.h"
#include "engine/cpu/x86/stack.h"

namespace engine::x86 {

namespace {

struct Event {
    u8 vector;
    bool software;    // INT n, INT3, INTO: DPL of the gate counts
    bool has_error;
    u32 error;
    u64 return_ip;
};

// Faults while an event is delivered have no instruction; RIP already is where they return to.
const Insn* plain_insn()
{
    static const Insn plain{
        .handler = nullptr,
        .imm = 0,
        .address_mask = ~u64(0),
        .row = nullptr,
        .disp = 0,
        .dst = 0,
        .src = 0,
        .base = gpr_zero,
        .index = gpr_zero,
        .scale = 0,
        .segment = ss,
        .offset = 0,
        .length = 0,
        .operand_size = 8,
        .address_size = 8,
        .flags = Insn::flag_checked,
        .reg = 0,
        .rm = 0,
        .opcode = 0,
        .prefix = 0,
        .modrm = 0};
    return &plain;
}

u32 vector_error(const Cpu& c, const Event& e)
{
    return u32(e.vector) * 8 + 2 + u32(c.delivering_external && !e.software);
}

void deliver_real(Cpu& c, const Event& e)
{
    const Insn* const i = plain_insn();
    if (u32(e.vector) * 4 + 3 > c.idtr.limit)
        c.raise(i, general_protection, vector_error(c, e));
    const u32 target = load_linear<u32>(c, i, c.idtr.base + u64(e.vector) * 4);
    StackCursor stack(c, i, 2);
    stack.push(c.rflags());
    stack.push(c.seg[cs].selector);
    stack.push(e.return_ip);
    stack.commit();
    load_segment_real(c, cs, u16(target >> 16));
    set_flags(c, c.rflags() & ~(flag_i | flag_t | flag_ac | flag_rf));
    c.gpr[gpr_rip] = u16(target);
}

struct Gate {
    Descriptor descriptor;
    u64 offset;
    unsigned size;    // of a stack slot
    bool clears_if;
};

// Where the frame goes, and with what width.
class Frame {
public:
    Frame(Cpu& c, u64 base, u64 wrap, u64 at, unsigned size) : c_(c), base_(base), wrap_(wrap), at_(at), size_(size) { }
    void push(u64 value)
    {
        at_ -= size_;
        const u64 linear = base_ + (at_ & wrap_);
        if (size_ == 2)
            store_system<u16>(c_, plain_insn(), linear, u16(value));
        else if (size_ == 4)
            store_system<u32>(c_, plain_insn(), linear, u32(value));
        else
            store_system<u64>(c_, plain_insn(), linear, value);
    }
    u64 position() const { return at_; }

private:
    Cpu& c_;
    u64 base_, wrap_, at_;
    unsigned size_;
};

void push_frame(Frame& frame, const Cpu& c, const Event& e, bool with_stack)
{
    if (with_stack) {
        frame.push(c.seg[ss].selector);
        frame.push(c.gpr[rsp]);
    }
    frame.push(c.rflags());
    frame.push(c.seg[cs].selector);
    frame.push(e.return_ip);
    if (e.has_error)
        frame.push(e.error);
}

void after_entry(Cpu& c, const Gate& gate)
{
    u64 flags = c.rflags() & ~(flag_t | flag_nt | flag_rf | flag_vm);
    if (gate.clears_if)
        flags &= ~flag_i;
    set_flags(c, flags);
    c.gpr[gpr_rip] = gate.offset;
}

Descriptor gate_code(Cpu& c, const Descriptor& gate)
{
    const Insn* const i = plain_insn();
    const u16 selector = gate.gate_selector();
    if ((selector & 0xfffc) == 0)
        c.raise(i, general_protection, u32(c.delivering_external));
    const Descriptor code = fetch_descriptor(c, i, selector, general_protection);
    if (!code.code() || code.dpl() > c.cpl)
        c.raise(i, general_protection, selector_error(c, selector));
    if (!code.present())
        c.raise(i, segment_not_present, selector_error(c, selector));
    return code;
}

void set_code(Cpu& c, Descriptor& code, unsigned cpl)
{
    set_accessed(c, plain_insn(), code);
    c.seg[cs] = code.segment();
    c.seg[cs].selector = u16((code.selector & ~3) | cpl);
}

void deliver_long(Cpu& c, const Event& e, Gate& gate)
{
    const Insn* const i = plain_insn();
    fetch_upper_half(c, i, gate.descriptor);
    gate.offset |= gate.descriptor.raw_high << 32;
    Descriptor code = gate_code(c, gate.descriptor);
    if (!(code.attributes() & attr_l) || code.attributes() & attr_db)
        c.raise(i, general_protection, selector_error(c, code.selector));
    const unsigned level = code.conforming() ? c.cpl : code.dpl();
    const bool inner = level < c.cpl;
    u64 top = c.gpr[rsp];
    if (const unsigned ist = gate.descriptor.gate_ist())
        top = interrupt_stack(c, i, ist);
    else if (inner)
        top = stack_from_tss(c, i, level).offset;
    if (!canonical(top))
        c.raise(i, stack_fault, u32(c.delivering_external));
    if (!canonical(gate.offset))
        c.raise(i, general_protection, u32(c.delivering_external));
    Frame frame(c, 0, ~u64(0), top & ~u64(15), 8);
    push_frame(frame, c, e, true);
    set_code(c, code, level);
    if (inner)
        c.seg[ss] = {.selector = u16(level), .attributes = u16(level << 5), .limit = 0, .base = 0};
    set_cpl(c, level);
    c.gpr[rsp] = frame.position();
    after_entry(c, gate);
}

void deliver_inner(Cpu& c, const Event& e, const Gate& gate, Descriptor& code)
{
    const Insn* const i = plain_insn();
    const unsigned level = code.dpl();
    const bool from_v86 = c.v86();
    const StackPointer inner = stack_from_tss(c, i, level);
    const Segment stack = checked_stack_segment(c, i, inner.selector, level, invalid_tss);
    if (gate.offset > code.segment().limit)
        c.raise(i, general_protection, u32(c.delivering_external));
    const u64 wrap = stack.attributes & attr_db ? 0xffffffff : 0xffff;
    Frame frame(c, stack.base, wrap, inner.offset, gate.size);
    if (from_v86)
        for (const SegmentName name : {gs, fs, ds, es})
            frame.push(c.seg[name].selector);
    push_frame(frame, c, e, true);
    if (from_v86)
        for (const SegmentName name : {gs, fs, ds, es})
            c.seg[name] = {.selector = 0, .attributes = 0, .limit = 0, .base = 0};
    set_code(c, code, level);
    c.seg[ss] = stack;
    c.rflags_other &= ~flag_vm;
    set_cpl(c, level);
    c.gpr[rsp] = (c.gpr[rsp] & ~wrap) | (frame.position() & wrap);
    after_entry(c, gate);
}

void deliver_same(Cpu& c, const Event& e, const Gate& gate, Descriptor& code)
{
    const Insn* const i = plain_insn();
    if (gate.offset > code.segment().limit)
        c.raise(i, general_protection, u32(c.delivering_external));
    StackCursor stack(c, i, gate.size);
    stack.push(c.rflags());
    stack.push(c.seg[cs].selector);
    stack.push(e.return_ip);
    if (e.has_error)
        stack.push(e.error);
    stack.commit();
    set_code(c, code, c.cpl);
    after_entry(c, gate);
}

void deliver_by_task(Cpu& c, const Event& e, const Descriptor& gate)
{
    const Insn* const i = plain_insn();
    const u16 selector = gate.gate_selector();
    if (selector & 4)
        c.raise(i, general_protection, selector_error(c, selector));
    const Descriptor tss = fetch_descriptor(c, i, selector, general_protection);
    if (!tss.system() || (tss.type() != tss_16_available && tss.type() != tss_32_available))
        c.raise(i, general_protection, selector_error(c, selector));
    if (!tss.present())
        c.raise(i, segment_not_present, selector_error(c, selector));
    switch_task(c, i, tss, TaskSwitch::interrupt, e.return_ip, e.has_error, e.error);
}

void deliver_protected(Cpu& c, const Event& e)
{
    const Insn* const i = plain_insn();
    const bool wide = c.long_mode();
    const u64 at = u64(e.vector) * (wide ? 16 : 8);
    if (at + (wide ? 15 : 7) > c.idtr.limit)
        c.raise(i, general_protection, vector_error(c, e));
    Gate gate{};
    gate.descriptor
        = {.selector = 0, .raw = load_system<u64>(c, i, c.idtr.base + at), .raw_high = 0, .address = c.idtr.base + at};
    const unsigned type = gate.descriptor.type();
    const bool gate_32 = type == interrupt_gate_32 || type == trap_gate_32;
    const bool gate_16 = !wide && (type == interrupt_gate_16 || type == trap_gate_16);
    const bool task = !wide && type == task_gate;
    if (!gate.descriptor.system() || (!gate_32 && !gate_16 && !task) || (e.software && gate.descriptor.dpl() < c.cpl))
        c.raise(i, general_protection, vector_error(c, e));
    if (!gate.descriptor.present())
        c.raise(i, segment_not_present, vector_error(c, e));
    if (task)
        return deliver_by_task(c, e, gate.descriptor);
    gate.clears_if = type == interrupt_gate_32 || type == interrupt_gate_16;
    gate.offset = gate_32 ? gate.descriptor.gate_offset() : gate.descriptor.gate_offset() & 0xffff;
    gate.size = wide ? 8 : gate_32 ? 4 : 2;
    if (wide)
        return deliver_long(c, e, gate);
    Descriptor code = gate_code(c, gate.descriptor);
    const bool inner = !code.conforming() && code.dpl() < c.cpl;
    if (c.v86() && (!inner || code.dpl() != 0))
        c.raise(i, general_protection, selector_error(c, code.selector));
    if (inner)
        return deliver_inner(c, e, gate, code);
    deliver_same(c, e, gate, code);
}

void deliver(Cpu& c, const Event& e)
{
    if (c.protected_mode())
        deliver_protected(c, e);
    else
        deliver_real(c, e);
}

// INT n in virtual-8086 mode with VME: the redirection bitmap below the I/O bitmap. SDM vol. 3, 20.3.
bool redirected_by_vme(Cpu& c, const Insn* i, u8 vector)
{
    if (!(c.cr4 & cr4_vme))
        return false;
    const u32 io_bitmap = load_system<u16>(c, i, c.tr.base + 0x66);
    if (io_bitmap < 32)
        return false;
    const u32 at = io_bitmap - 32 + vector / 8;
    if (at > c.tr.limit)
        return false;
    return !(load_system<u8>(c, i, c.tr.base + at) >> (vector & 7) & 1);
}

void deliver_redirected(Cpu& c, const Insn* i, u8 vector)
{
    const u32 target = load_linear<u32>(c, i, u64(vector) * 4);
    u64 flags = c.rflags();
    const bool virtual_if = c.iopl() < 3;
    if (virtual_if)
        flags = (flags & ~flag_i) | flag_iopl | (c.flag(flag_vif) ? flag_i : 0);
    StackCursor stack(c, i, 2);
    stack.push(flags);
    stack.push(c.seg[cs].selector);
    stack.push(c.next_ip(i));
    stack.commit();
    load_segment_real(c, cs, u16(target >> 16));
    set_flags(c, c.rflags() & ~(flag_t | flag_nt | (virtual_if ? flag_vif : flag_i)));
    c.gpr[gpr_rip] = u16(target);
}

}

void software_interrupt(Cpu& c, const Insn* i, u8 vector, SoftwareInterrupt kind)
{
    if (c.v86() && kind == SoftwareInterrupt::int_n) {
        if (redirected_by_vme(c, i, vector))
            return deliver_redirected(c, i, vector);
        if (c.iopl() < 3)
            c.raise(i, general_protection, 0);
    }
    // A fault on the way returns to the INT itself: RIP still stands at it.
    const u64 return_ip = c.next_ip(i);
    c.gpr[gpr_rip] = c.ip(i);
    c.no_step = true;
    if (kind == SoftwareInterrupt::int1)
        report_debug(c, std::exchange(c.pending_debug, 0));
    deliver(c, {vector, kind != SoftwareInterrupt::int1, false, 0, return_ip});
}

void report_debug(Cpu& c, u32 causes)
{
    constexpr u64 breakpoints = 15, general_detect = 1 << 13;
    c.dr6 = (c.dr6 & ~breakpoints) | causes;
    c.dr7 &= ~general_detect;
}

void deliver_external(Cpu& c, u8 vector)
{
    c.delivering_external = true;
    deliver(c, {vector, false, false, 0, c.gpr[gpr_rip]});
    c.delivering_external = false;
}

void deliver_exception(Cpu& c, u8 vector, bool has_error, u32 error)
{
    const bool is_fault = vector != breakpoint && vector != overflow_exception;
    if (is_fault && vector != debug_exception && c.protected_mode())
        c.rflags_other |= flag_rf;
    deliver(c, {vector, false, has_error && c.protected_mode(), error, c.gpr[gpr_rip]});
}

namespace {

void iret_real(Cpu& c, const Insn* i)
{
    StackCursor stack(c, i, i->operand_size);
    const u64 offset = stack.pop();
    const u16 selector = u16(stack.pop());
    const u64 value = stack.pop();
    if (offset > c.seg[cs].limit && !c.v86())
        c.raise(i, general_protection, 0);
    u64 writable = i->operand_size == 2 ? 0x7fd5 : 0x257fd5;
    if (c.v86())
        writable &= ~flag_iopl;
    stack.commit();
    load_segment_real(c, cs, selector);
    set_flags(c, (c.rflags() & ~writable) | (value & writable));
    c.gpr[gpr_rip] = offset;
}

void iret_v86(Cpu& c, const Insn* i)
{
    if (c.iopl() == 3)
        return iret_real(c, i);
    if (!(c.cr4 & cr4_vme) || i->operand_size != 2)
        c.raise(i, general_protection, 0);
    StackCursor stack(c, i, 2);
    const u64 offset = stack.pop();
    const u16 selector = u16(stack.pop());
    const u64 value = stack.pop();
    if ((value & flag_i && c.flag(flag_vip)) || value & flag_t)
        c.raise(i, general_protection, 0);
    constexpr u64 writable = (flags_arithmetic | flag_t | flag_d | flag_nt);
    stack.commit();
    load_segment_real(c, cs, selector);
    set_flags(c, (c.rflags() & ~(writable | flag_vif)) | (value & writable) | (value & flag_i ? flag_vif : 0));
    c.gpr[gpr_rip] = offset;
}

void iret_from_task(Cpu& c, const Insn* i)
{
    const u16 selector = load_system<u16>(c, i, c.tr.base);
    if (selector & 4)
        c.raise(i, invalid_tss, selector_error(c, selector));
    const Descriptor tss = fetch_descriptor(c, i, selector, invalid_tss);
    if (!tss.system() || (tss.type() != tss_16_busy && tss.type() != tss_32_busy))
        c.raise(i, invalid_tss, selector_error(c, selector));
    if (!tss.present())
        c.raise(i, segment_not_present, selector_error(c, selector));
    switch_task(c, i, tss, TaskSwitch::iret, c.next_ip(i));
}

void return_to_v86(Cpu& c, StackCursor& stack, u64 offset, u16 code, u64 flags)
{
    const u64 new_rsp = stack.pop();
    std::array<u16, 5> selectors;
    for (u16& selector : selectors)
        selector = u16(stack.pop());
    set_flags(c, (flags & 0x3f7fd5) | 2);
    load_segment_real(c, cs, code);
    constexpr std::array order{ss, es, ds, fs, gs};
    for (unsigned n = 0; n < order.size(); ++n)
        load_segment_real(c, order[n], selectors[n]);
    c.gpr[rsp] = u32(new_rsp);
    set_cpl(c, 3);
    c.gpr[gpr_rip] = u16(offset);
}

u64 iret_flags(const Cpu& c, unsigned size, u64 value)
{
    u64 writable = flags_arithmetic | flag_t | flag_d | flag_nt;
    if (size != 2)
        writable |= flag_rf | flag_ac | flag_id;
    if (c.cpl <= c.iopl())
        writable |= flag_i;
    if (c.cpl == 0) {
        writable |= flag_iopl;
        if (size != 2)
            writable |= flag_vif | flag_vip;
    }
    return (c.rflags() & ~writable) | (value & writable);
}

void iret_protected(Cpu& c, const Insn* i)
{
    StackCursor stack(c, i, i->operand_size);
    const u64 offset = stack.pop();
    const u16 selector = u16(stack.pop());
    const u64 flags = stack.pop();
    if (flags & flag_vm && c.cpl == 0 && !c.long_mode() && i->operand_size == 4)
        return return_to_v86(c, stack, offset, selector, flags);
    if ((selector & 0xfffc) == 0)
        c.raise(i, general_protection, 0);
    const unsigned to_level = selector & 3;
    Descriptor d = fetch_descriptor(c, i, selector, general_protection);
    const bool level_fits = d.conforming() ? d.dpl() <= to_level : d.dpl() == to_level;
    if (!d.code() || to_level < c.cpl || !level_fits)
        c.raise(i, general_protection, selector_error(c, selector));
    if (!d.present())
        c.raise(i, segment_not_present, selector_error(c, selector));
    const bool to_64 = c.long_mode() && d.attributes() & attr_l;
    if (to_64 ? !canonical(offset) : u32(offset) > d.segment().limit)
        c.raise(i, general_protection, 0);
    const bool outer = to_level > c.cpl;
    Segment new_ss = c.seg[ss];
    u64 new_rsp = 0;
    if (outer || c.code_64()) {
        new_rsp = stack.pop();
        const u16 stack_selector = u16(stack.pop());
        if ((stack_selector & 0xfffc) == 0 && to_64 && to_level != 3 && unsigned(stack_selector & 3) == to_level)
            new_ss = {.selector = stack_selector, .attributes = u16(to_level << 5), .limit = 0, .base = 0};
        else
            new_ss = checked_stack_segment(c, i, stack_selector, to_level, general_protection);
    }
    const bool with_stack = outer || c.code_64();
    const u64 new_flags = iret_flags(c, i->operand_size, flags);
    set_accessed(c, i, d);
    c.seg[cs] = d.segment();
    c.seg[ss] = new_ss;
    set_flags(c, new_flags);
    if (!with_stack)
        stack.commit();
    set_cpl(c, to_level);
    if (with_stack) {
        if (c.code_64())
            c.gpr[rsp] = new_rsp;
        else
            set_stack_pointer(c, new_rsp);
    }
    if (outer) {
        drop_inner_segments(c);
        update_mode(c);
    }
    c.gpr[gpr_rip] = to_64 ? offset : u32(offset);
}

}

void interrupt_return(Cpu& c, const Insn* i)
{
    if (!c.protected_mode())
        iret_real(c, i);
    else if (c.v86())
        iret_v86(c, i);
    else if (c.flag(flag_nt)) {
        if (c.long_mode())
            c.raise(i, general_protection, 0);
        iret_from_task(c, i);
    } else
        iret_protected(c, i);
    c.nmi_blocked = false;
    if (std::exchange(c.nmi_latched, false))
        c.ask_nmi();
}

}
