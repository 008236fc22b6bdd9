#pragma once
// Bodies of x87 instructions by their shape; the operation itself is one instruction of the host (x87_tables.cpp).

#include <type_traits>

#include "engine/cpu/x86/x87.h"

namespace engine::x86 {

inline unsigned st_operand(const Insn* i)
{
    return i->modrm & 7;
}

// Adds another operand to ST(0): operation(T&).
template <auto operation, class T> void arithmetic_memory(Cpu& c, const Insn* i)
{
    T operand = load_operand<T>(c, i);
    FpuState& f = c.fpu;
    if (st_empty(f, 0)) {
        if (report_stack_fault(c, StackFault::underflow))
            set_st(f, 0, x87_indefinite);
        return;
    }
    const X87Outcome r = on_host(f.control, st(f, 0), X87Register{}, [&] { operation(operand); });
    if (report_x87(c, r.status))
        set_st(f, 0, r.st0);
}

enum class Into : u8 { st0, sti };
enum class Pops : u8 { none, one, two };
inline void pop(Cpu& c, Pops pops)
{
    for (unsigned n = 0; n < unsigned(pops); ++n)
        x87_pop(c.fpu);
}

// destination = operation(destination, the other of ST(0) and ST(i)).
template <auto operation, Into into, Pops pops = Pops::none> void arithmetic(Cpu& c, const Insn* i)
{
    FpuState& f = c.fpu;
    const unsigned to = into == Into::st0 ? 0 : st_operand(i);
    const unsigned other = into == Into::st0 ? st_operand(i) : 0;
    X87Register result = x87_indefinite;
    if (st_empty(f, to) || st_empty(f, other)) {
        if (!report_stack_fault(c, StackFault::underflow))
            return;
    } else {
        const X87Outcome r = on_host(f.control, st(f, to), st(f, other), [] { operation(); });
        if (!report_x87(c, r.status))
            return;
        result = r.st0;
    }
    set_st(f, to, result);
    pop(c, pops);
}

// ST(0) = operation(ST(0)); `conditions` are the codes it sets besides C1.
template <auto operation, u16 conditions = 0> void unary(Cpu& c, const Insn*)
{
    FpuState& f = c.fpu;
    set_conditions(c, conditions & fsw_c2, 0);
    if (st_empty(f, 0)) {
        if (report_stack_fault(c, StackFault::underflow))
            set_st(f, 0, x87_indefinite);
        return;
    }
    const X87Outcome r = on_host(f.control, st(f, 0), X87Register{}, [] { operation(); });
    if (!report_x87(c, r.status))
        return;
    set_conditions(c, conditions, r.status);
    set_st(f, 0, r.st0);
}

inline bool is_nan(const X87Register& r)
{
    return (r.sign_exponent & 0x7fff) == 0x7fff && r.significand << 1 != 0;
}

// ST(0) = operation(ST(0), ST(1)): FPREM, FPREM1, FSCALE.
template <auto operation, u16 conditions = 0> void binary(Cpu& c, const Insn*)
{
    FpuState& f = c.fpu;
    set_conditions(c, conditions & fsw_c2, 0);
    if (st_empty(f, 0) || st_empty(f, 1)) {
        if (report_stack_fault(c, StackFault::underflow))
            set_st(f, 0, x87_indefinite);
        return;
    }
    const X87Outcome r = on_host(f.control, st(f, 0), st(f, 1), [] { operation(); });
    if (!report_x87(c, r.status))
        return;
    // A remainder that is no number says nothing of a quotient.
    set_conditions(c, is_nan(r.st0) ? u16(conditions & fsw_c2) : conditions, r.status);
    set_st(f, 0, r.st0);
}

// ST(1) = operation(ST(1), ST(0)), pop: FYL2X, FYL2XP1, FPATAN.
template <auto operation> void binary_pop(Cpu& c, const Insn*)
{
    FpuState& f = c.fpu;
    X87Register result = x87_indefinite;
    if (st_empty(f, 0) || st_empty(f, 1)) {
        if (!report_stack_fault(c, StackFault::underflow))
            return;
    } else {
        const X87Outcome r = on_host(f.control, st(f, 0), st(f, 1), [] { operation(); });
        if (!report_x87(c, r.status))
            return;
        result = r.st0;
    }
    set_st(f, 1, result);
    x87_pop(f);
}

// ST(0) becomes one result and another is pushed: FPTAN, FSINCOS, FXTRACT. C2 set means out of range and nothing done.
template <auto operation, u16 conditions = 0> void unary_push(Cpu& c, const Insn*)
{
    FpuState& f = c.fpu;
    set_conditions(c, conditions & fsw_c2, 0);
    if (st_empty(f, 0) || !st_empty(f, 7)) {
        if (report_stack_fault(c, st_empty(f, 0) ? StackFault::underflow : StackFault::overflow)) {
            set_st(f, 0, x87_indefinite);
            x87_push(f, x87_indefinite);
        }
        return;
    }
    const X87Outcome r = on_host(f.control, st(f, 0), X87Register{}, [] { operation(); });
    if (!report_x87(c, r.status))
        return;
    set_conditions(c, conditions, r.status);
    if (conditions & r.status & fsw_c2)
        return;
    set_st(f, 0, r.st1);
    x87_push(f, r.st0);
}

// Pushes what operation(T&) loads.
template <auto operation, class T> void load_memory(Cpu& c, const Insn* i)
{
    T operand;
    if constexpr (std::is_integral_v<T>)
        operand = load_operand<T>(c, i);
    else
        load_bytes(c, i, effective_address(c, i), &operand, sizeof operand, 8);
    FpuState& f = c.fpu;
    if (!st_empty(f, 7)) {
        if (report_stack_fault(c, StackFault::overflow))
            x87_push(f, x87_indefinite);
        return;
    }
    const X87Outcome r = on_host(f.control, X87Register{}, X87Register{}, [&] { operation(operand); });
    report_x87(c, r.status);
    if (!(r.status & ~f.control & fsw_invalid))    // a denormal is loaded even if it traps
        x87_push(f, r.st0);
}

template <auto operation> void load_constant(Cpu& c, const Insn*)
{
    FpuState& f = c.fpu;
    if (!st_empty(f, 7)) {
        if (report_stack_fault(c, StackFault::overflow))
            x87_push(f, x87_indefinite);
        return;
    }
    const X87Outcome r = on_host(f.control, X87Register{}, X87Register{}, [] { operation(); });
    report_x87(c, r.status);
    x87_push(f, r.st0);
}

// Stores what operation(T&) makes of ST(0). The store comes before any flag changes, for it can fault.
template <auto operation, class T, Pops pops = Pops::none> void store_memory(Cpu& c, const Insn* i)
{
    FpuState& f = c.fpu;
    const bool underflow = st_empty(f, 0);
    T result{};
    const u16 control = underflow ? u16(f.control | fsw_exceptions) : f.control;
    const X87Outcome r = on_host(control, underflow ? x87_indefinite : st(f, 0), X87Register{}, [&] { operation(result); });
    const u16 unmasked = u16((underflow ? fsw_invalid : r.status) & ~f.control & fsw_exceptions & ~fsw_precision);
    if (!unmasked) {
        if constexpr (std::is_integral_v<T>)
            store_operand<T>(c, i, result);
        else
            store_bytes(c, i, effective_address(c, i), &result, sizeof result, 8);
    }
    if (underflow)
        report_stack_fault(c, StackFault::underflow);
    else
        report_x87(c, r.status);
    if (!unmasked)
        pop(c, pops);
}

// Comparisons answer in C0, C2 and C3 or in RFLAGS. An unmasked invalid operand gives no answer, an unmasked denormal one
// gives it and doesn't pop.
enum class Answer : u8 { conditions, rflags };
inline void give_answer(Cpu& c, Answer answer, u16 status)
{
    if (answer == Answer::conditions)
        set_conditions(c, fsw_c0 | fsw_c2 | fsw_c3, status);
    else
        c.lazy.set_all((status & fsw_c0 ? flag_c : 0) | (status & fsw_c2 ? flag_p : 0) | (status & fsw_c3 ? flag_z : 0));
}
inline void compare_empty(Cpu& c, Answer answer, Pops pops)
{
    if (!report_stack_fault(c, StackFault::underflow))
        return;
    give_answer(c, answer, fsw_c0 | fsw_c2 | fsw_c3);
    pop(c, pops);
}
inline void compare_with(Cpu& c, Answer answer, Pops pops, u16 host_status)
{
    const bool goes_on = report_x87(c, host_status);
    if (!(host_status & ~c.fpu.control & fsw_invalid))
        give_answer(c, answer, host_status);
    if (goes_on)
        pop(c, pops);
}

template <auto operation, Answer answer = Answer::conditions, Pops pops = Pops::none> void compare_register(Cpu& c, const Insn* i)
{
    FpuState& f = c.fpu;
    if (st_empty(f, 0) || st_empty(f, st_operand(i)))
        return compare_empty(c, answer, pops);
    const X87Outcome r = on_host(f.control, st(f, 0), st(f, st_operand(i)), [] { operation(); });
    compare_with(c, answer, pops, r.status);
}

template <auto operation, class T, Pops pops = Pops::none> void compare_memory(Cpu& c, const Insn* i)
{
    T operand = load_operand<T>(c, i);
    FpuState& f = c.fpu;
    if (st_empty(f, 0))
        return compare_empty(c, Answer::conditions, pops);
    const X87Outcome r = on_host(f.control, st(f, 0), X87Register{}, [&] { operation(operand); });
    compare_with(c, Answer::conditions, pops, r.status);
}

// ST(0) = ST(i) if `condition` of the flags is `wanted`.
template <u64 condition, bool wanted> void conditional_move(Cpu& c, const Insn* i)
{
    FpuState& f = c.fpu;
    if (st_empty(f, 0) || st_empty(f, st_operand(i))) {
        if (report_stack_fault(c, StackFault::underflow))
            set_st(f, 0, x87_indefinite);
        return;
    }
    if (((c.lazy.all() & condition) != 0) == wanted)
        set_st(f, 0, st(f, st_operand(i)));
}

}
