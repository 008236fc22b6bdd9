// x87 stack and register instructions that do no arithmetic. SDM vol. 1, 8.1.2 and 8.3.
#include "engine/cpu/x86/x87.h"

#include "engine/cpu/x86/x87_templates.h"

namespace engine::x86 {

void refuse_x87(Cpu& c, const Insn* i)
{
    c.raise(i, device_not_available);
}

bool report_x87(Cpu& c, u16 host_status)
{
    constexpr u16 before_result = fsw_invalid | fsw_denormal | fsw_zero_divide;
    const u16 raised = host_status & fsw_exceptions;
    c.fpu.status = u16((c.fpu.status & ~fsw_c1) | raised | (host_status & fsw_c1));
    if (raised & ~c.fpu.control) [[unlikely]]
        update_x87_summary(c);
    return !(raised & ~c.fpu.control & before_result);
}

bool report_stack_fault(Cpu& c, StackFault fault)
{
    c.fpu.status = u16((c.fpu.status & ~fsw_c1) | fsw_invalid | fsw_stack_fault | (fault == StackFault::overflow ? fsw_c1 : 0));
    update_x87_summary(c);
    return c.fpu.control & fsw_invalid;
}

// True if ST(n) may be read; else reports the underflow.
static bool readable(Cpu& c, unsigned n)
{
    if (!st_empty(c.fpu, n)) {
        set_conditions(c, fsw_c1, 0);
        return true;
    }
    return false;
}

void fld_m80(Cpu& c, const Insn* i)
{
    X87Register value;
    load_bytes(c, i, effective_address(c, i), &value, 10, 8);
    if (st_empty(c.fpu, 7)) {
        set_conditions(c, fsw_c1, 0);
        x87_push(c.fpu, value);
    } else if (report_stack_fault(c, StackFault::overflow)) {
        x87_push(c.fpu, x87_indefinite);
    }
}

void fstp_m80(Cpu& c, const Insn* i)
{
    const bool underflow = st_empty(c.fpu, 0);
    const bool stores = !underflow || (c.fpu.control & fsw_invalid);
    if (stores)
        store_bytes(c, i, effective_address(c, i), underflow ? &x87_indefinite : &st(c.fpu, 0), 10, 8);
    if (underflow)
        report_stack_fault(c, StackFault::underflow);
    else
        set_conditions(c, fsw_c1, 0);
    if (stores)
        x87_pop(c.fpu);
}

void fld_register(Cpu& c, const Insn* i)
{
    const bool readable_source = readable(c, st_operand(i));
    if (readable_source && st_empty(c.fpu, 7)) {
        const X87Register value = st(c.fpu, st_operand(i));
        x87_push(c.fpu, value);
    } else if (report_stack_fault(c, readable_source ? StackFault::overflow : StackFault::underflow)) {
        x87_push(c.fpu, x87_indefinite);
    }
}

// False if the store was refused.
static bool copy_to_register(Cpu& c, const Insn* i)
{
    if (readable(c, 0))
        set_st(c.fpu, st_operand(i), st(c.fpu, 0));
    else if (report_stack_fault(c, StackFault::underflow))
        set_st(c.fpu, st_operand(i), x87_indefinite);
    else
        return false;
    return true;
}

void fst_register(Cpu& c, const Insn* i)
{
    copy_to_register(c, i);
}

void fstp_register(Cpu& c, const Insn* i)
{
    if (copy_to_register(c, i))
        x87_pop(c.fpu);
}

void fstpnce(Cpu& c, const Insn* i)
{
    set_conditions(c, fsw_c1, 0);
    if (!st_empty(c.fpu, 0))
        set_st(c.fpu, st_operand(i), st(c.fpu, 0));
    x87_pop(c.fpu);
}

void fxch(Cpu& c, const Insn* i)
{
    FpuState& f = c.fpu;
    const unsigned n = st_operand(i);
    const bool empty = st_empty(f, 0) || st_empty(f, n);
    if (empty && !report_stack_fault(c, StackFault::underflow))
        return;
    if (!empty)
        set_conditions(c, fsw_c1, 0);
    const X87Register first = st_empty(f, 0) ? x87_indefinite : st(f, 0);
    const X87Register second = st_empty(f, n) ? x87_indefinite : st(f, n);
    set_st(f, 0, second);
    set_st(f, n, first);
}

constexpr u16 sign_bit = 0x8000;

void fchs(Cpu& c, const Insn*)
{
    if (readable(c, 0))
        st(c.fpu, 0).sign_exponent ^= sign_bit;
    else if (report_stack_fault(c, StackFault::underflow))
        set_st(c.fpu, 0, x87_indefinite);
}

void fabs(Cpu& c, const Insn*)
{
    if (readable(c, 0))
        st(c.fpu, 0).sign_exponent &= u16(~sign_bit);
    else if (report_stack_fault(c, StackFault::underflow))
        set_st(c.fpu, 0, x87_indefinite);
}

void fxam(Cpu& c, const Insn*)
{
    if (!st_empty(c.fpu, 0)) {
        const X87Outcome r = on_host(fcw_initial, st(c.fpu, 0), X87Register{}, [] { asm volatile("fxam"); });
        set_conditions(c, fsw_conditions, r.status);
        return;
    }
    const bool negative = st(c.fpu, 0).sign_exponent & sign_bit;
    set_conditions(c, fsw_conditions, u16(fsw_c3 | fsw_c0 | (negative ? fsw_c1 : 0)));
}

void compare_zero(Cpu& c, const Insn*)
{
    if (st_empty(c.fpu, 0)) {
        compare_empty(c, Answer::conditions, Pops::none);
        return;
    }
    const X87Outcome r = on_host(c.fpu.control, st(c.fpu, 0), X87Register{}, [] { asm volatile("ftst"); });
    compare_with(c, Answer::conditions, Pops::none, r.status);
}

void ffree(Cpu& c, const Insn* i)
{
    set_st_empty(c.fpu, st_operand(i));
    set_conditions(c, fsw_c1, 0);
}

void ffreep(Cpu& c, const Insn* i)
{
    ffree(c, i);
    x87_pop(c.fpu);
}

void fincstp(Cpu& c, const Insn*)
{
    set_x87_top(c.fpu, x87_top(c.fpu) + 1);
    set_conditions(c, fsw_c1, 0);
}

void fdecstp(Cpu& c, const Insn*)
{
    set_x87_top(c.fpu, x87_top(c.fpu) - 1);
    set_conditions(c, fsw_c1, 0);
}

void fnop(Cpu&, const Insn*) { }

// Their ModRM says ST(1) by itself (DE D9, DA E9).
void fcompp(Cpu& c, const Insn* i)
{
    compare_register<[] { asm volatile("fcom %st(1)"); }, Answer::conditions, Pops::two>(c, i);
}

void fucompp(Cpu& c, const Insn* i)
{
    compare_register<[] { asm volatile("fucom %st(1)"); }, Answer::conditions, Pops::two>(c, i);
}

}
