// Instructions on selectors and descriptors.

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/segments.h"

namespace engine::x86 {

namespace {

// To memory 16 bits, to a register by operand size.
void store_selector(Cpu& c, const Insn* i, u16 value)
{
    if (i->memory())
        store_operand<u16>(c, i, value);
    else if (i->operand_size == 2)
        c.set_reg<u16>(i->dst, value);
    else
        c.gpr[i->dst / 8] = value;
}
u16 selector_operand(Cpu& c, const Insn* i, u8 offset)
{
    return i->memory() ? load_operand<u16>(c, i) : c.reg<u16>(offset);
}

void mov_from_segment(Cpu& c, const Insn* i)
{
    if (i->reg >= segment_count)
        c.raise(i, invalid_opcode);
    store_selector(c, i, c.seg[i->reg].selector);
    return next(c, i);
}

void mov_to_segment(Cpu& c, const Insn* i)
{
    if (i->reg >= segment_count || i->reg == cs)
        c.raise(i, invalid_opcode);
    load_segment(c, i, SegmentName(i->reg), selector_operand(c, i, i->src));
    if (i->reg == ss)
        c.shadow = c.trap_shadow = true;
    return leave_block(c, i);
}

// LES, LDS, LSS, LFS, LGS by the opcode.
void load_far_pointer(Cpu& c, const Insn* i)
{
    SegmentName name = gs;
    switch (i->opcode) {
    case 0xc4:
        name = es;
        break;
    case 0xc5:
        name = ds;
        break;
    case 0xb2:
        name = ss;
        break;
    case 0xb4:
        name = fs;
        break;
    default:
        break;
    }
    const u64 at = effective_address(c, i);
    const u64 offset = i->operand_size == 2 ? load<u16>(c, i, at)
        : i->operand_size == 4              ? load<u32>(c, i, at)
                                            : load<u64>(c, i, at);
    const u16 selector = load<u16>(c, i, (at + i->operand_size) & i->address_mask);
    load_segment(c, i, name, selector);
    if (i->operand_size == 2)
        c.set_reg<u16>(i->dst, u16(offset));
    else
        c.gpr[i->dst / 8] = offset;
    return leave_block(c, i);
}

void check_umip(Cpu& c, const Insn* i)
{
    if (c.cr4 & cr4_umip && c.cpl != 0)
        c.raise(i, general_protection, 0);
}

void sldt(Cpu& c, const Insn* i)
{
    check_umip(c, i);
    store_selector(c, i, c.ldtr.selector);
    return next(c, i);
}
void str(Cpu& c, const Insn* i)
{
    check_umip(c, i);
    store_selector(c, i, c.tr.selector);
    return next(c, i);
}
void lldt(Cpu& c, const Insn* i)
{
    load_ldtr(c, i, selector_operand(c, i, i->dst), general_protection);
    return leave_block(c, i);
}
void ltr(Cpu& c, const Insn* i)
{
    load_tr(c, i, selector_operand(c, i, i->dst));
    return leave_block(c, i);
}

void set_zero_flag(Cpu& c, bool value)
{
    c.lazy.set_all((c.lazy.all() & ~flag_z) | (value ? flag_z : 0));
}

// A descriptor that LAR, LSL, VERR and VERW may look at; they clear ZF rather than fault.
bool visible(Cpu& c, const Insn* i, u16 selector, Descriptor& d)
{
    if ((selector & 0xfffc) == 0 || !find_descriptor(c, i, selector, d))
        return false;
    return d.conforming() || (d.dpl() >= c.cpl && d.dpl() >= unsigned(selector & 3));
}

void verr(Cpu& c, const Insn* i)
{
    Descriptor d;
    const bool ok = visible(c, i, selector_operand(c, i, i->dst), d) && d.readable();
    set_zero_flag(c, ok);
    return next(c, i);
}
void verw(Cpu& c, const Insn* i)
{
    Descriptor d;
    const bool ok = visible(c, i, selector_operand(c, i, i->dst), d) && d.writable_data();
    set_zero_flag(c, ok);
    return next(c, i);
}

// Types that LAR knows beside code and data; LSL knows those with a limit.
bool lar_type(const Cpu& c, unsigned type)
{
    if (c.long_mode())
        return type == ldt_type || type == tss_32_available || type == tss_32_busy || type == call_gate_32;
    constexpr unsigned known = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 11 | 1 << 12;
    return known >> type & 1;
}
bool lsl_type(const Cpu& c, unsigned type)
{
    const bool wide = type == ldt_type || type == tss_32_available || type == tss_32_busy;
    return wide || (!c.long_mode() && (type == tss_16_available || type == tss_16_busy));
}

void set_by_size(Cpu& c, const Insn* i, u32 value)
{
    if (i->operand_size == 2)
        c.set_reg<u16>(i->dst, u16(value));
    else
        c.gpr[i->dst / 8] = value;
}

void lar(Cpu& c, const Insn* i)
{
    Descriptor d;
    const bool ok = visible(c, i, selector_operand(c, i, i->src), d) && (!d.system() || lar_type(c, d.type()));
    if (ok)
        set_by_size(c, i, u32(d.raw >> 32) & 0x00ffff00);
    set_zero_flag(c, ok);
    return next(c, i);
}
void lsl(Cpu& c, const Insn* i)
{
    Descriptor d;
    const bool ok = visible(c, i, selector_operand(c, i, i->src), d) && (!d.system() || lsl_type(c, d.type()));
    if (ok)
        set_by_size(c, i, d.segment().limit);
    set_zero_flag(c, ok);
    return next(c, i);
}

// Memory is written only if the selector changes: a read-only segment may hold it otherwise.
void arpl(Cpu& c, const Insn* i)
{
    const u16 rpl = c.reg<u16>(i->src) & 3;
    const u16 selector = selector_operand(c, i, i->dst);
    const bool raised = (selector & 3) < rpl;
    const u16 adjusted = u16((selector & ~3) | rpl);
    if (raised && i->memory())
        store_operand<u16>(c, i, adjusted);
    else if (raised)
        c.set_reg<u16>(i->dst, adjusted);
    set_zero_flag(c, raised);
    return next(c, i);
}

}

constinit const Forms mov_from_segment_forms = any_form<&mov_from_segment>;
constinit const Forms mov_to_segment_forms = any_form<&mov_to_segment>;
constinit const Forms lds_forms = any_form<&load_far_pointer>;
constinit const Forms sldt_forms = any_form<&sldt>;
constinit const Forms str_forms = any_form<&str>;
constinit const Forms lldt_forms = any_form<&lldt>;
constinit const Forms ltr_forms = any_form<&ltr>;
constinit const Forms verr_forms = any_form<&verr>;
constinit const Forms verw_forms = any_form<&verw>;
constinit const Forms lar_forms = any_form<&lar>;
constinit const Forms lsl_forms = any_form<&lsl>;
constinit const Forms arpl_forms = any_form<&arpl>;

}
