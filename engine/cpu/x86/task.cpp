// Hardware task switches. SDM vol. 3, chapter 8.

#include "engine/cpu/x86/far.h"
#include "engine/cpu/x86/interrupt.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/stack.h"

namespace engine::x86 {

namespace {

// Offsets of a TSS's fields: {32-bit, 16-bit}.
struct Layout {
    unsigned width, cr3, ip, flags, registers, segments, ldt, minimum_limit;
    unsigned segment_count;
};
constexpr Layout layout_32{4, 0x1c, 0x20, 0x24, 0x28, 0x48, 0x60, 0x67, 6};
constexpr Layout layout_16{2, 0, 0x0e, 0x10, 0x12, 0x22, 0x2a, 0x2b, 4};
constexpr u32 trap_flag_at = 0x64;

bool is_32(unsigned type)
{
    return type & 8;
}

u32 load_field(Cpu& c, const Insn* i, const Layout& l, u64 at)
{
    return l.width == 4 ? load_system<u32>(c, i, at) : load_system<u16>(c, i, at);
}
void store_field(Cpu& c, const Insn* i, const Layout& l, u64 at, u64 value)
{
    if (l.width == 4)
        store_system<u32>(c, i, at, u32(value));
    else
        store_system<u16>(c, i, at, u16(value));
}

void save_old_task(Cpu& c, const Insn* i, TaskSwitch why, u64 next_rip)
{
    const Layout& l = is_32(c.tr.attributes & attr_type) ? layout_32 : layout_16;
    const u64 base = c.tr.base;
    u64 flags = c.rflags();
    if (why == TaskSwitch::iret)
        flags &= ~flag_nt;
    store_field(c, i, l, base + l.ip, next_rip);
    store_field(c, i, l, base + l.flags, flags);
    for (unsigned n = 0; n < 8; ++n)
        store_field(c, i, l, base + l.registers + n * l.width, c.gpr[n]);
    for (unsigned n = 0; n < l.segment_count; ++n)
        store_system<u16>(c, i, base + l.segments + n * l.width, c.seg[n].selector);
}

void mark_busy(Cpu& c, const Insn* i, const Descriptor& d, bool busy)
{
    const u8 type = load_system<u8>(c, i, d.address + 5);
    store_system<u8>(c, i, d.address + 5, u8(busy ? type | attr_busy : type & ~attr_busy));
}

// Segments of the new task; faults happen in the new task's context, with its selectors already in place.
void load_task_segments(Cpu& c, const Insn* i, const std::array<u16, segment_count>& selectors)
{
    if (c.v86()) {
        for (unsigned n = 0; n < segment_count; ++n)
            load_segment_real(c, SegmentName(n), selectors[n]);
        set_cpl(c, 3);
        return;
    }
    const u16 code_selector = selectors[cs];
    const unsigned cpl = code_selector & 3;
    if ((code_selector & 0xfffc) == 0)
        c.raise(i, invalid_tss, selector_error(c, code_selector));
    Descriptor code = fetch_descriptor(c, i, code_selector, invalid_tss);
    const bool fits = code.conforming() ? code.dpl() <= cpl : code.dpl() == cpl;
    if (!code.code() || !fits)
        c.raise(i, invalid_tss, selector_error(c, code_selector));
    if (!code.present())
        c.raise(i, segment_not_present, selector_error(c, code_selector));
    c.seg[ss] = checked_stack_segment(c, i, selectors[ss], cpl, invalid_tss);
    set_accessed(c, i, code);
    c.seg[cs] = code.segment();
    set_cpl(c, cpl);
    for (const SegmentName name : {es, ds, fs, gs}) {
        const u16 selector = selectors[name];
        if ((selector & 0xfffc) == 0)
            continue;
        Descriptor d = fetch_descriptor(c, i, selector, invalid_tss);
        const bool privilege = d.conforming() || (d.dpl() >= cpl && d.dpl() >= unsigned(selector & 3));
        if (d.system() || !d.readable() || !privilege)
            c.raise(i, invalid_tss, selector_error(c, selector));
        if (!d.present())
            c.raise(i, segment_not_present, selector_error(c, selector));
        set_accessed(c, i, d);
        c.seg[name] = d.segment();
    }
}

struct NewTask {
    u32 cr3 = 0, ip = 0, flags = 0;
    std::array<u32, 8> registers{};
    std::array<u16, segment_count> segments{};
    u16 ldt = 0;
    bool trap = false;
};

NewTask read_task(Cpu& c, const Insn* i, const Layout& l, u64 base)
{
    NewTask task;
    if (l.width == 4) {
        task.cr3 = load_system<u32>(c, i, base + l.cr3);
        task.trap = load_system<u16>(c, i, base + trap_flag_at) & 1;
    }
    task.ip = load_field(c, i, l, base + l.ip);
    task.flags = load_field(c, i, l, base + l.flags);
    for (unsigned n = 0; n < 8; ++n)
        task.registers[n] = load_field(c, i, l, base + l.registers + n * l.width) | (l.width == 2 ? 0xffff0000 : 0);
    for (unsigned n = 0; n < l.segment_count; ++n)
        task.segments[n] = load_system<u16>(c, i, base + l.segments + n * l.width);
    task.ldt = load_system<u16>(c, i, base + l.ldt);
    return task;
}

}

void switch_task(Cpu& c, const Insn* i, Descriptor tss, TaskSwitch why, u64 next_rip, bool has_error, u32 error)
{
    const bool wide = is_32(tss.type());
    const Layout& l = wide ? layout_32 : layout_16;
    const Segment target = tss.segment();
    if (target.limit < l.minimum_limit)
        c.raise(i, invalid_tss, selector_error(c, tss.selector));
    // Every page of both TSSs is touched before anything changes.
    const NewTask task = read_task(c, i, l, target.base);
    const bool nests = why == TaskSwitch::call || why == TaskSwitch::interrupt;
    save_old_task(c, i, why, next_rip);
    if (nests)
        store_system<u16>(c, i, target.base, c.tr.selector);
    if (!nests) {
        Descriptor old;
        if (find_descriptor(c, i, c.tr.selector, old))
            mark_busy(c, i, old, false);
    }
    if (why != TaskSwitch::iret)
        mark_busy(c, i, tss, true);

    c.tr = target;
    c.tr.attributes |= attr_busy;
    c.cr0 |= cr0_ts;
    if (wide && c.cr0 & cr0_pg) {
        c.cr3 = task.cr3;
        c.soft_tlb.flush_pcid();
    }
    for (unsigned n = 0; n < 8; ++n)
        c.gpr[n] = task.registers[n];
    c.gpr[gpr_rip] = task.ip;
    u64 flags = (task.flags & 0x3f7fd5) | 2;
    if (!wide)
        flags &= 0xffff;
    if (nests)
        flags |= flag_nt;
    c.dr7 &= ~u64(0x155);
    for (unsigned n = 0; n < segment_count; ++n)
        c.seg[n] = {.selector = task.segments[n], .attributes = 0, .limit = 0, .base = 0};
    c.ldtr = {.selector = task.ldt, .attributes = 0, .limit = 0, .base = 0};
    set_flags(c, flags);
    set_cpl(c, c.v86() ? 3 : task.segments[cs] & 3);
    load_ldtr(c, nullptr, task.ldt, invalid_tss);
    load_task_segments(c, nullptr, task.segments);
    update_mode(c);
    if (has_error) {
        Insn plain{};
        plain.flags = Insn::flag_checked;
        StackCursor stack(c, &plain, wide ? 4 : 2);
        stack.push(error);
        stack.commit();
    }
    if (task.trap)
        c.pending_debug |= 1u << 15;
    if (c.gpr[gpr_rip] > c.seg[cs].limit)
        c.raise(nullptr, general_protection, 0);
}

}
