#include "engine/cpu/x86/segments.h"

#include "engine/cpu/x86/run_loop.h"

namespace engine::x86 {

Segment Descriptor::segment() const
{
    u32 limit = u32((raw & 0xffff) | (raw >> 32 & 0xf0000));
    if (attributes() & attr_g)
        limit = limit << 12 | 0xfff;
    const u64 base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000) | raw_high << 32;
    return {.selector = selector, .attributes = attributes(), .limit = limit, .base = base};
}

namespace {
// Supervisor rights, implicit access: SMAP applies whatever AC says.
SoftTlbContext* system_context(Cpu& c)
{
    const bool smap = c.cr4 & cr4_smap;
    return &c.soft_tlb.context(smap ? TlbContextName::supervisor : TlbContextName::supervisor_user_allowed);
}
}

template <class T> T load_system(Cpu& c, const Insn* i, u64 linear)
{
    // A fault leaves with the supervisor's context in place; update_mode() on its delivery puts it right.
    SoftTlbContext* const before = c.tlb;
    c.tlb = system_context(c);
    const T value = load_linear<T>(c, i, linear & (c.long_mode() ? ~u64(0) : 0xffffffff));
    c.tlb = before;
    return value;
}
template <class T> void store_system(Cpu& c, const Insn* i, u64 linear, T value)
{
    SoftTlbContext* const before = c.tlb;
    c.tlb = system_context(c);
    store_linear<T>(c, i, linear & (c.long_mode() ? ~u64(0) : 0xffffffff), value);
    c.tlb = before;
}
template u8 load_system<u8>(Cpu&, const Insn*, u64);
template u16 load_system<u16>(Cpu&, const Insn*, u64);
template u32 load_system<u32>(Cpu&, const Insn*, u64);
template u64 load_system<u64>(Cpu&, const Insn*, u64);
template void store_system<u8>(Cpu&, const Insn*, u64, u8);
template void store_system<u16>(Cpu&, const Insn*, u64, u16);
template void store_system<u32>(Cpu&, const Insn*, u64, u32);
template void store_system<u64>(Cpu&, const Insn*, u64, u64);

bool find_descriptor(Cpu& c, const Insn* i, u16 selector, Descriptor& found)
{
    const bool local = selector & 4;
    const u64 base = local ? c.ldtr.base : c.gdtr.base;
    const u64 limit = local ? (c.ldtr.attributes & attr_p ? c.ldtr.limit : 0) : c.gdtr.limit;
    const u64 index = selector & 0xfff8;
    if (index + 7 > limit)
        return false;
    found = {.selector = selector, .raw = load_system<u64>(c, i, base + index), .raw_high = 0, .address = base + index};
    return true;
}

Descriptor fetch_descriptor(Cpu& c, const Insn* i, u16 selector, Vector vector)
{
    Descriptor found;
    if (!find_descriptor(c, i, selector, found))
        c.raise(i, vector, selector_error(c, selector));
    return found;
}

void set_accessed(Cpu& c, const Insn* i, Descriptor& d)
{
    if (d.attributes() & attr_accessed)
        return;
    d.raw |= u64(attr_accessed) << 40;
    store_system<u8>(c, i, d.address + 5, u8(d.raw >> 40));
}

void fetch_upper_half(Cpu& c, const Insn* i, Descriptor& d)
{
    d.raw_high = load_system<u64>(c, i, d.address + 8) & 0xffffffff;
}

void load_segment_real(Cpu& c, SegmentName name, u16 selector)
{
    Segment& s = c.seg[name];
    s.selector = selector;
    s.base = u64(selector) << 4;
    if (c.v86()) {
        constexpr u16 v86_data = 0xf3;
        s.limit = 0xffff;
        s.attributes = v86_data;
    }
}

namespace {
void load_null(Cpu& c, const Insn* i, SegmentName name, u16 selector)
{
    if (name == ss && (!c.code_64() || c.cpl == 3 || (selector & 3) != c.cpl))
        c.raise(i, general_protection, selector_error(c, selector));
    Segment& s = c.seg[name];
    s.selector = selector;
    s.attributes = name == ss ? u16(c.cpl << 5) : 0;
    s.limit = 0;
    s.base = 0;
}
}

void load_segment(Cpu& c, const Insn* i, SegmentName name, u16 selector)
{
    if (!c.protected_mode() || c.v86()) {
        load_segment_real(c, name, selector);
        return update_mode(c);
    }
    if ((selector & 0xfffc) == 0) {
        load_null(c, i, name, selector);
        return update_mode(c);
    }
    if (name == ss) {
        c.seg[ss] = checked_stack_segment(c, i, selector, c.cpl, general_protection);
        return update_mode(c);
    }
    Descriptor d = fetch_descriptor(c, i, selector, general_protection);
    const bool privilege = d.conforming() || (d.dpl() >= c.cpl && d.dpl() >= unsigned(selector & 3));
    if (d.system() || !d.readable() || !privilege)
        c.raise(i, general_protection, selector_error(c, selector));
    if (!d.present())
        c.raise(i, segment_not_present, selector_error(c, selector));
    set_accessed(c, i, d);
    c.seg[name] = d.segment();
    update_mode(c);
}

Segment checked_stack_segment(Cpu& c, const Insn* i, u16 selector, unsigned cpl, Vector vector)
{
    if ((selector & 0xfffc) == 0)
        c.raise(i, vector, selector_error(c, selector));
    Descriptor d = fetch_descriptor(c, i, selector, vector);
    if ((selector & 3) != cpl || d.dpl() != cpl || !d.writable_data())
        c.raise(i, vector, selector_error(c, selector));
    if (!d.present())
        c.raise(i, stack_fault, selector_error(c, selector));
    set_accessed(c, i, d);
    return d.segment();
}

void drop_inner_segments(Cpu& c)
{
    for (const SegmentName name : {es, ds, fs, gs}) {
        Segment& s = c.seg[name];
        const bool conforming_code
            = (s.attributes & (attr_s | attr_code | attr_conforming)) == (attr_s | attr_code | attr_conforming);
        if ((s.selector & 0xfffc) == 0 || (!conforming_code && dpl_of(s.attributes) < c.cpl)) {
            s.selector = 0;
            s.attributes = 0;
            if (!c.long_mode() || name == es || name == ds)
                s.base = 0;
        }
    }
}

StackPointer stack_from_tss(Cpu& c, const Insn* i, unsigned level)
{
    const auto require = [&](u32 end) {
        if (end > c.tr.limit)
            c.raise(i, invalid_tss, selector_error(c, c.tr.selector));
    };
    if (c.long_mode()) {
        require(level * 8 + 11);
        return {u16(level), load_system<u64>(c, i, c.tr.base + 4 + level * 8)};
    }
    if ((c.tr.attributes & attr_type) == tss_32_busy) {
        require(level * 8 + 9);
        return {load_system<u16>(c, i, c.tr.base + 8 + level * 8), load_system<u32>(c, i, c.tr.base + 4 + level * 8)};
    }
    require(level * 4 + 5);
    return {load_system<u16>(c, i, c.tr.base + 4 + level * 4), load_system<u16>(c, i, c.tr.base + 2 + level * 4)};
}

u64 interrupt_stack(Cpu& c, const Insn* i, unsigned ist)
{
    const u32 offset = 0x24 + (ist - 1) * 8;
    if (offset + 7 > c.tr.limit)
        c.raise(i, invalid_tss, selector_error(c, c.tr.selector));
    return load_system<u64>(c, i, c.tr.base + offset);
}

void load_ldtr(Cpu& c, const Insn* i, u16 selector, Vector vector)
{
    if ((selector & 0xfffc) == 0) {
        c.ldtr = {.selector = selector, .attributes = 0, .limit = 0, .base = 0};
        return;
    }
    if (selector & 4)
        c.raise(i, vector, selector_error(c, selector));
    Descriptor d = fetch_descriptor(c, i, selector, vector);
    if (!d.system() || d.type() != ldt_type)
        c.raise(i, vector, selector_error(c, selector));
    if (!d.present())
        c.raise(i, vector == general_protection ? segment_not_present : vector, selector_error(c, selector));
    if (c.long_mode())
        fetch_upper_half(c, i, d);
    if (!canonical(d.segment().base))
        c.raise(i, vector, selector_error(c, selector));
    c.ldtr = d.segment();
}

void load_tr(Cpu& c, const Insn* i, u16 selector)
{
    if ((selector & 0xfffc) == 0 || selector & 4)
        c.raise(i, general_protection, selector_error(c, selector));
    Descriptor d = fetch_descriptor(c, i, selector, general_protection);
    const bool fits = d.type() == tss_32_available || (d.type() == tss_16_available && !c.long_mode());
    if (!d.system() || !fits)
        c.raise(i, general_protection, selector_error(c, selector));
    if (!d.present())
        c.raise(i, segment_not_present, selector_error(c, selector));
    if (c.long_mode())
        fetch_upper_half(c, i, d);
    if (!canonical(d.segment().base))
        c.raise(i, general_protection, selector_error(c, selector));
    d.raw |= u64(attr_busy) << 40;
    store_system<u8>(c, i, d.address + 5, u8(d.raw >> 40));
    c.tr = d.segment();
}

}
