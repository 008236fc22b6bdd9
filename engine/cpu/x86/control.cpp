// Near branches, loops, software interrupts, SYSCALL and its kin.

#include "engine/cpu/x86/condition.h"
#include "engine/cpu/x86/far.h"
#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/interrupt.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/stack.h"

namespace engine::x86 {

namespace {

// The target must lie within CS, or be canonical in 64-bit mode: checked before anything is pushed.
[[gnu::always_inline]] inline void check_target(Cpu& c, const Insn* i, u64 target)
{
    if (c.code_64()) {
        if (!canonical(target)) [[unlikely]]
            c.raise(i, general_protection, 0);
    } else if (target > c.seg[cs].limit) [[unlikely]] {
        c.raise(i, general_protection, 0);
    }
}

// imm of a relative branch counts from the page's start.
template <class T> [[gnu::always_inline]] inline u64 relative_target(const Cpu& c, const Insn* i)
{
    return T(c.gpr[gpr_rip] + i->imm);
}

// Not taken, it leaves the block going.
template <class T, unsigned code> void jcc(Cpu& c, const Insn* i)
{
    if (condition_is<code>(c.lazy)) {
        const u64 target = relative_target<T>(c, i);
        check_target(c, i, target);
        c.gpr[gpr_rip] = target;
        return;
    }
    return next(c, i);
}

template <class T> void jcc_any(Cpu& c, const Insn* i)
{
    if (condition(c, i->opcode & 15)) {
        const u64 target = relative_target<T>(c, i);
        check_target(c, i, target);
        c.gpr[gpr_rip] = target;
        return;
    }
    return next(c, i);
}

template <class T> void jmp(Cpu& c, const Insn* i)
{
    const u64 target = relative_target<T>(c, i);
    check_target(c, i, target);
    c.gpr[gpr_rip] = target;
}

template <class T> T branch_operand(Cpu& c, const Insn* i)
{
    return i->memory() ? load_operand<T>(c, i) : c.reg<T>(i->dst);
}

template <class T> void jmp_indirect(Cpu& c, const Insn* i)
{
    const u64 target = branch_operand<T>(c, i);
    check_target(c, i, target);
    c.gpr[gpr_rip] = target;
}

template <class T> void call(Cpu& c, const Insn* i)
{
    const u64 target = relative_target<T>(c, i);
    check_target(c, i, target);
    push<T>(c, i, T(c.next_ip(i)));
    c.gpr[gpr_rip] = target;
}
template <class T> void call_indirect(Cpu& c, const Insn* i)
{
    const u64 target = branch_operand<T>(c, i);
    check_target(c, i, target);
    push<T>(c, i, T(c.next_ip(i)));
    c.gpr[gpr_rip] = target;
}

template <class T> void ret(Cpu& c, const Insn* i)
{
    const u64 target = load_stack<T>(c, i, c.gpr[rsp]);
    check_target(c, i, target);
    set_stack_pointer(c, c.gpr[rsp] + sizeof(T) + u16(i->imm));
    c.gpr[gpr_rip] = target;
}

// LOOPNE, LOOPE, LOOP (E0-E2) and JCXZ (E3) count by address size.
u64 counter(const Cpu& c, const Insn* i)
{
    return c.gpr[rcx] & i->address_mask;
}
void set_counter(Cpu& c, const Insn* i, u64 value)
{
    if (i->address_size == 2)
        c.set_reg<u16>(rcx * 8, u16(value));
    else if (i->address_size == 4)
        c.set_reg<u32>(rcx * 8, u32(value));
    else
        c.gpr[rcx] = value;
}

u64 masked_target(Cpu& c, const Insn* i)
{
    const u64 target = (c.gpr[gpr_rip] + i->imm) & low_mask(8u * i->operand_size);
    check_target(c, i, target);
    return target;
}

void loop(Cpu& c, const Insn* i)
{
    const u64 count = (counter(c, i) - 1) & i->address_mask;
    const bool again = count != 0 && (i->opcode == 0xe2 || c.lazy.z() == (i->opcode == 0xe1));
    const u64 target = again ? masked_target(c, i) : 0;
    set_counter(c, i, count);
    if (!again)
        return leave_block(c, i);
    c.gpr[gpr_rip] = target;
}
void jcxz(Cpu& c, const Insn* i)
{
    if (counter(c, i) != 0)
        return leave_block(c, i);
    c.gpr[gpr_rip] = masked_target(c, i);
}

void jmp_far(Cpu& c, const Insn* i)
{
    far_jump(c, i, u16(i->imm >> 32), u32(i->imm));
}
void call_far(Cpu& c, const Insn* i)
{
    far_call(c, i, u16(i->imm >> 32), u32(i->imm));
}

struct FarPointer {
    u16 selector;
    u64 offset;
};
FarPointer load_far_pointer(Cpu& c, const Insn* i)
{
    const u64 at = effective_address(c, i);
    const u64 selector_at = (at + i->operand_size) & i->address_mask;
    const u64 offset = i->operand_size == 2 ? load<u16>(c, i, at)
        : i->operand_size == 4              ? load<u32>(c, i, at)
                                            : load<u64>(c, i, at);
    return {load<u16>(c, i, selector_at), offset};
}
void jmp_far_indirect(Cpu& c, const Insn* i)
{
    const FarPointer to = load_far_pointer(c, i);
    far_jump(c, i, to.selector, to.offset);
}
void call_far_indirect(Cpu& c, const Insn* i)
{
    const FarPointer to = load_far_pointer(c, i);
    far_call(c, i, to.selector, to.offset);
}
void ret_far(Cpu& c, const Insn* i)
{
    far_return(c, i, u16(i->imm));
}
void iret(Cpu& c, const Insn* i)
{
    interrupt_return(c, i);
}

void int_n(Cpu& c, const Insn* i)
{
    software_interrupt(c, i, u8(i->imm), SoftwareInterrupt::int_n);
}
void int1(Cpu& c, const Insn* i)
{
    software_interrupt(c, i, debug_exception, SoftwareInterrupt::int1);
}
void int3(Cpu& c, const Insn* i)
{
    software_interrupt(c, i, breakpoint, SoftwareInterrupt::int3);
}
void into(Cpu& c, const Insn* i)
{
    if (!c.lazy.o())
        return leave_block(c, i);
    software_interrupt(c, i, overflow_exception, SoftwareInterrupt::into);
}

template <class T> void bound(Cpu& c, const Insn* i)
{
    using Signed = std::make_signed_t<T>;
    const u64 at = effective_address(c, i);
    const auto low = Signed(load<T>(c, i, at));
    const auto high = Signed(load<T>(c, i, (at + sizeof(T)) & i->address_mask));
    const auto index = Signed(c.reg<T>(i->dst));
    if (index < low || index > high)
        c.raise(i, bound_exceeded);
    return next(c, i);
}

// SYSCALL and SYSRET trap by TF as it is behind them.
void step_by_new_flags(Cpu& c)
{
    constexpr u32 single_step = 1 << 14;
    c.no_step = true;
    if (c.flag(flag_t))
        c.pending_debug |= single_step;
}

// Flat segments as SYSCALL, SYSENTER and their returns load them without looking at a descriptor. The mode is still to be updated.
constexpr u16 flat_code = 0x809b, flat_data = 0xc093, long_code = 0x2000, default_32 = 0x4000;

void load_flat(Cpu& c, u16 code_selector, u16 stack_selector, unsigned cpl, bool code_64)
{
    const u16 dpl = u16(cpl << 5);
    c.seg[cs]
        = {.selector = code_selector,
           .attributes = u16(flat_code | dpl | (code_64 ? long_code : default_32)),
           .limit = 0xffffffff,
           .base = 0};
    c.seg[ss] = {.selector = stack_selector, .attributes = u16(flat_data | dpl), .limit = 0xffffffff, .base = 0};
    c.cpl = u8(cpl);
}

void syscall(Cpu& c, const Insn* i)
{
    if (!(c.efer & efer_sce) || !c.long_mode())
        c.raise(i, invalid_opcode);
    const bool from_64 = c.code_64();
    c.gpr[rcx] = c.next_ip(i);
    c.gpr[11] = c.rflags() & ~flag_rf;
    const u16 selector = u16(c.msr.star >> 32) & 0xfffc;
    const u64 flags = c.rflags() & ~(c.msr.syscall_mask | flag_rf);
    load_flat(c, selector, u16(selector + 8), 0, true);
    set_flags(c, flags);
    step_by_new_flags(c);
    c.gpr[gpr_rip] = from_64 ? c.msr.lstar : c.msr.cstar;
}

void sysret(Cpu& c, const Insn* i)
{
    if (!(c.efer & efer_sce) || !c.long_mode())
        c.raise(i, invalid_opcode);
    if (c.cpl != 0)
        c.raise(i, general_protection, 0);
    const bool to_64 = i->rex_w();
    const u64 target = to_64 ? c.gpr[rcx] : u32(c.gpr[rcx]);
    if (!canonical(target))
        c.raise(i, general_protection, 0);
    const u16 base = u16(c.msr.star >> 48);
    load_flat(c, u16((to_64 ? base + 16 : base) | 3), u16((base + 8) | 3), 3, to_64);
    constexpr u64 restorable = 0x3c7fd7;
    set_flags(c, (c.gpr[11] & restorable) | 2);
    step_by_new_flags(c);
    c.gpr[gpr_rip] = target;
}

void sysenter(Cpu& c, const Insn* i)
{
    if (!c.protected_mode() || (c.msr.sysenter_cs & 0xfffc) == 0)
        c.raise(i, general_protection, 0);
    const u16 selector = u16(c.msr.sysenter_cs) & 0xfffc;
    const bool wide = c.long_mode();
    const u64 flags = c.rflags() & ~(flag_vm | flag_i | flag_rf);
    load_flat(c, selector, u16(selector + 8), 0, wide);
    set_flags(c, flags);
    c.gpr[rsp] = wide ? c.msr.sysenter_esp : u32(c.msr.sysenter_esp);
    c.gpr[gpr_rip] = wide ? c.msr.sysenter_eip : u32(c.msr.sysenter_eip);
}

void sysexit(Cpu& c, const Insn* i)
{
    if (!c.protected_mode() || (c.msr.sysenter_cs & 0xfffc) == 0 || c.cpl != 0)
        c.raise(i, general_protection, 0);
    const u16 base = u16(c.msr.sysenter_cs);
    const bool to_64 = i->rex_w();
    const u64 target = to_64 ? c.gpr[rdx] : u32(c.gpr[rdx]);
    const u64 stack = to_64 ? c.gpr[rcx] : u32(c.gpr[rcx]);
    if (!canonical(target) || !canonical(stack))
        c.raise(i, general_protection, 0);
    load_flat(c, u16((base + (to_64 ? 32 : 16)) | 3), u16((base + (to_64 ? 40 : 24)) | 3), 3, to_64);
    update_mode(c);
    c.gpr[rsp] = stack;
    c.gpr[gpr_rip] = target;
}

}

// One handler a condition; the 16-bit form is rare and shares one.
template <unsigned code> constexpr Forms one_jcc = sized_forms(nullptr, &jcc_any<u16>, &jcc<u32, code>, &jcc<u64, code>);
constinit const std::array<Forms, 16> jcc_forms{
    one_jcc<0>, one_jcc<1>, one_jcc<2>,  one_jcc<3>,  one_jcc<4>,  one_jcc<5>,  one_jcc<6>,  one_jcc<7>,
    one_jcc<8>, one_jcc<9>, one_jcc<10>, one_jcc<11>, one_jcc<12>, one_jcc<13>, one_jcc<14>, one_jcc<15>,
};
constinit const Forms jmp_forms = sized_forms(nullptr, &jmp<u16>, &jmp<u32>, &jmp<u64>);
constinit const Forms jmp_indirect_forms = sized_forms(nullptr, &jmp_indirect<u16>, &jmp_indirect<u32>, &jmp_indirect<u64>);
constinit const Forms call_forms = sized_forms(nullptr, &call<u16>, &call<u32>, &call<u64>);
constinit const Forms call_indirect_forms = sized_forms(nullptr, &call_indirect<u16>, &call_indirect<u32>, &call_indirect<u64>);
constinit const Forms ret_forms = sized_forms(nullptr, &ret<u16>, &ret<u32>, &ret<u64>);
constinit const Forms loop_forms = any_form<&loop>;
constinit const Forms jcxz_forms = any_form<&jcxz>;
constinit const Forms jmp_far_forms = any_form<&jmp_far>;
constinit const Forms call_far_forms = any_form<&call_far>;
constinit const Forms jmp_far_indirect_forms = any_form<&jmp_far_indirect>;
constinit const Forms call_far_indirect_forms = any_form<&call_far_indirect>;
constinit const Forms ret_far_forms = any_form<&ret_far>;
constinit const Forms iret_forms = any_form<&iret>;
constinit const Forms int_forms = any_form<&int_n>;
constinit const Forms int1_forms = any_form<&int1>;
constinit const Forms int3_forms = any_form<&int3>;
constinit const Forms into_forms = any_form<&into>;
constinit const Forms ud_forms = any_form<&undefined_opcode>;
constinit const Forms bound_forms = sized_forms(nullptr, &bound<u16>, &bound<u32>, nullptr);
constinit const Forms syscall_forms = any_form<&syscall>;
constinit const Forms sysret_forms = any_form<&sysret>;
constinit const Forms sysenter_forms = any_form<&sysenter>;
constinit const Forms sysexit_forms = any_form<&sysexit>;

void undefined_opcode(Cpu& c, const Insn* i)
{
    c.raise(i, invalid_opcode);
}
void too_long(Cpu& c, const Insn* i)
{
    c.raise(i, general_protection, 0);
}
void end_of_block(Cpu& c, const Insn* i)
{
    c.gpr[gpr_rip] += i->offset;
    if (!c.code_64())
        c.gpr[gpr_rip] = u32(c.gpr[gpr_rip]);
}

}
