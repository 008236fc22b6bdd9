#pragma once
// The x87: what its handlers are made of. SDM vol. 1, chapter 8.
//
// Arithmetic runs on the host's x87 under the guest's control word, unmasked exceptions included: x87 exceptions are
// deferred to the next waiting instruction, and we look at the status word and clear it before there is one. So results,
// C1, exact underflow, the scaled results of unmasked overflow and "destination unchanged" are all the host's own.
// Stack faults are ours, for the operands come from the guest's registers by physical number.

#include "engine/cpu/x86/fpu.h"
#include "engine/cpu/x86/run_loop.h"

namespace engine::x86 {

// Default NaN ("real indefinite"), SDM vol. 1, 4.8.3.7.
constexpr X87Register x87_indefinite{0xc000000000000000, 0xffff};

inline X87Register& st(FpuState& f, unsigned n)
{
    return f.registers[(x87_top(f) + n) & 7];
}
inline bool st_empty(const FpuState& f, unsigned n)
{
    return !bit(f.valid, (x87_top(f) + n) & 7);
}
inline void set_st(FpuState& f, unsigned n, const X87Register& value)
{
    st(f, n) = value;
    f.valid = u8(f.valid | 1u << ((x87_top(f) + n) & 7));
}
inline void set_st_empty(FpuState& f, unsigned n)
{
    f.valid = u8(f.valid & ~(1u << ((x87_top(f) + n) & 7)));
}
inline void x87_pop(FpuState& f)
{
    set_st_empty(f, 0);
    set_x87_top(f, x87_top(f) + 1);
}
inline void x87_push(FpuState& f, const X87Register& value)
{
    set_x87_top(f, x87_top(f) - 1);
    set_st(f, 0, value);
}

[[noreturn]] void refuse_x87(Cpu& c, const Insn* i);
inline void check_x87(Cpu& c, const Insn* i)
{
    if (c.cr0 & (cr0_em | cr0_ts)) [[unlikely]]
        refuse_x87(c, i);
}

// What FSTENV tells about the last instruction that was not a control instruction.
inline void note_x87_instruction(Cpu& c, const Insn* i)
{
    FpuState& f = c.fpu;
    f.opcode = u16((i->opcode & 7) << 8 | i->modrm);
    f.instruction_pointer = c.ip(i);
    f.instruction_selector = c.seg[cs].selector;
    if (i->memory()) {
        f.data_pointer = effective_address(c, i);
        f.data_selector = c.seg[i->segment].selector;
    }
}

using X87Body = void (*)(Cpu&, const Insn*);
// Apart, so that operands on a body's stack frame don't keep a compiler from making next() a jump.
template <X87Body body> [[gnu::noinline]] void x87_apart(Cpu& c, const Insn* i)
{
    body(c, i);
}

// Arithmetic, loads, stores, comparisons: waits for pending exceptions, and is remembered.
template <X87Body body> void x87(Cpu& c, const Insn* i)
{
    check_x87(c, i);
    check_x87_exception(c, i);
    x87_apart<body>(c, i);
    note_x87_instruction(c, i);
    return next(c, i);
}

// Control instructions, the waiting ones and the FN… ones.
template <X87Body body> void x87_control(Cpu& c, const Insn* i)
{
    check_x87(c, i);
    check_x87_exception(c, i);
    x87_apart<body>(c, i);
    return next(c, i);
}
template <X87Body body> void x87_no_wait(Cpu& c, const Insn* i)
{
    check_x87(c, i);
    x87_apart<body>(c, i);
    return next(c, i);
}

// Those that may mask or unmask exceptions.
template <X87Body body> void x87_mask(Cpu& c, const Insn* i)
{
    check_x87(c, i);
    check_x87_exception(c, i);
    x87_apart<body>(c, i);
    update_mode(c);
    return leave_block(c, i);
}
template <X87Body body> void x87_mask_no_wait(Cpu& c, const Insn* i)
{
    check_x87(c, i);
    x87_apart<body>(c, i);
    update_mode(c);
    return leave_block(c, i);
}

inline void set_conditions(Cpu& c, u16 which, u16 from)
{
    c.fpu.status = u16((c.fpu.status & ~which) | (from & which));
}

// Merges exceptions and C1 of a host status word. False if an unmasked invalid, denormal or zero-divide left the
// destination, the other condition codes and the stack as they were.
bool report_x87(Cpu& c, u16 host_status);
enum class StackFault : u8 { underflow, overflow };
// Invalid operation with SF. True if masked: the destination becomes indefinite.
bool report_stack_fault(Cpu& c, StackFault fault);

// The top two registers of the host's x87 after an operation, and its status word.
struct X87Outcome {
    X87Register st0, st1;
    u16 status;
};

// Between these the host's x87 holds our operands. No code that could use it may stand in between. What the process has
// computed with long double has left its flags there: with the guest's control word they would be pending exceptions.
inline void begin_on_host(u16 control, const X87Register& st0, const X87Register& st1)
{
    asm volatile("fnclex\n\tfldt %0\n\tfldt %1\n\tfldcw %2" : : "m"(st1), "m"(st0), "m"(control));
}
inline X87Outcome end_on_host()
{
    X87Outcome r{};
    const u16 host_control = fcw_initial;    // what the System V ABI gives every thread
    asm volatile("fnstsw %0\n\tfnclex\n\tfldcw %3\n\tfstpt %1\n\tfstpt %2\n\tfnclex\n\temms"
                 : "=m"(r.status), "+m"(r.st0), "+m"(r.st1)
                 : "m"(host_control));
    return r;
}
template <class Run> X87Outcome on_host(u16 control, const X87Register& st0, const X87Register& st1, Run run)
{
    begin_on_host(control, st0, st1);
    run();
    return end_on_host();
}

// x87_load_store.cpp, x87_arithmetic.cpp, x87_control.cpp: bodies that rows name.
void fld_m80(Cpu& c, const Insn* i);
void fstp_m80(Cpu& c, const Insn* i);
void fld_register(Cpu& c, const Insn* i);
void fst_register(Cpu& c, const Insn* i);
void fstp_register(Cpu& c, const Insn* i);
void fstpnce(Cpu& c, const Insn* i);    // D9 D8: FSTP that doesn't store from an empty register
void fxch(Cpu& c, const Insn* i);
void fchs(Cpu& c, const Insn* i);
void fabs(Cpu& c, const Insn* i);
void compare_zero(Cpu& c, const Insn* i);    // FTST
void fxam(Cpu& c, const Insn* i);
void ffree(Cpu& c, const Insn* i);
void ffreep(Cpu& c, const Insn* i);
void fincstp(Cpu& c, const Insn* i);
void fdecstp(Cpu& c, const Insn* i);
void fnop(Cpu& c, const Insn* i);
void fcompp(Cpu& c, const Insn* i);
void fucompp(Cpu& c, const Insn* i);

void fldcw(Cpu& c, const Insn* i);
void fnstcw(Cpu& c, const Insn* i);
void fnstsw(Cpu& c, const Insn* i);
void fnstsw_ax(Cpu& c, const Insn* i);
void fnclex(Cpu& c, const Insn* i);
void fninit(Cpu& c, const Insn* i);
void fldenv(Cpu& c, const Insn* i);
void fnstenv(Cpu& c, const Insn* i);
void frstor(Cpu& c, const Insn* i);
void fnsave(Cpu& c, const Insn* i);
void no_operation(Cpu& c, const Insn* i);    // FNENI, FNDISI, FNSETPM: the 8087's and 80287's

}
