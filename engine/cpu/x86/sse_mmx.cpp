// Handlers that move between MMX registers and the rest of the machine. SDM vol. 1, 9.4, 10.4.3, 11.4.2.
#include "engine/cpu/x86/mmx.h"
#include "engine/cpu/x86/sse_handlers.h"
#include "engine/cpu/x86/sse_operations.h"

namespace engine::x86 {

namespace {

// SSE instructions that read an MMX register enter MMX state, which those that read memory instead do not.
void cvt_from_mmx_check(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    check_x87_exception(c, i);
}

template <auto operation, class Memory> void cvt_to_mmx(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    check_x87_exception(c, i);
    Lanes b = source<Memory>(c, i);
    if constexpr (std::is_same_v<Memory, u64>)
        b[1] = 0;    // the other two elements must not raise anything
    Lanes result{};
    const u32 raised = with_guest_mxcsr(c, [&] { result = operation(Lanes{}, b); });
    enter_mmx(c);    // also when the conversion then traps
    report_simd(c, i, raised);
    set_mm(c, i->reg, result[0]);
    return next(c, i);
}

}

void emms(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    set_x87_top(c.fpu, 0);
    c.fpu.valid = 0;
    return next(c, i);
}

void movd_to_mmx(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    u64 value;
    if (i->rex_w())
        value = i->memory() ? load_operand<u64>(c, i) : c.gpr[i->rm];
    else
        value = i->memory() ? load_operand<u32>(c, i) : u32(c.gpr[i->rm]);
    set_mm(c, i->reg, value);
    return next(c, i);
}

void movd_from_mmx(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    const u64 value = i->rex_w() ? mm(c, i->reg) : u32(mm(c, i->reg));
    if (!i->memory())
        c.gpr[i->rm] = value;
    else if (i->rex_w())
        store_operand<u64>(c, i, value);
    else
        store_operand<u32>(c, i, u32(value));
    enter_mmx(c);
    return next(c, i);
}

void movq_mmx_load(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    set_mm(c, i->reg, mmx_source(c, i));
    return next(c, i);
}

void movq_mmx_store(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    if (i->memory())
        store_operand<u64>(c, i, mm(c, i->reg));
    else
        set_mm(c, i->rm, mm(c, i->reg));
    enter_mmx(c);
    return next(c, i);
}

void movq2dq(Cpu& c, const Insn* i)
{
    cvt_from_mmx_check(c, i);
    c.fpu.xmm[i->reg] = Xmm{{mm(c, i->rm), 0}};
    enter_mmx(c);
    return next(c, i);
}

void movdq2q(Cpu& c, const Insn* i)
{
    cvt_from_mmx_check(c, i);
    set_mm(c, i->reg, c.fpu.xmm[i->rm].q[0]);
    return next(c, i);
}

void maskmovq(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    check_alignment(c, i, (c.base[i->segment] + (c.gpr[rdi] & i->address_mask)) & c.linear_mask, 8);
    for (unsigned n = 0; n < 8; ++n)
        if (bit(mm(c, i->rm), 8 * n + 7))
            store<u8>(c, i, (c.gpr[rdi] + n) & i->address_mask, u8(mm(c, i->reg) >> (8 * n)));
    enter_mmx(c);
    return next(c, i);
}

void pmovmskb_mmx(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    u64 mask = 0;
    for (unsigned n = 0; n < 8; ++n)
        mask |= u64(bit(mm(c, i->rm), 8 * n + 7)) << n;
    c.gpr[i->reg] = mask;
    enter_mmx(c);
    return next(c, i);
}

void pinsrw_mmx(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    const u16 value = i->memory() ? load_operand<u16>(c, i) : u16(c.gpr[i->rm]);
    const unsigned shift = 16 * (immediate(i) & 3);
    set_mm(c, i->reg, (mm(c, i->reg) & ~(u64(0xffff) << shift)) | u64(value) << shift);
    return next(c, i);
}

void pextrw_mmx(Cpu& c, const Insn* i)
{
    check_mmx(c, i);
    c.gpr[i->reg] = u16(mm(c, i->rm) >> (16 * (immediate(i) & 3)));
    enter_mmx(c);
    return next(c, i);
}

void cvtpi2ps(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if (!i->memory())
        check_x87_exception(c, i);
    const Lanes b = lanes(mmx_source(c, i));
    Lanes result{};
    const u32 raised = with_guest_mxcsr(c, [&] { result = host::cvtdq2ps(Lanes{}, b); });
    if (!i->memory())
        enter_mmx(c);
    report_simd(c, i, raised);
    c.fpu.xmm[i->reg].q[0] = result[0];
    return next(c, i);
}

void cvtpi2pd(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if (!i->memory())
        check_x87_exception(c, i);
    c.fpu.xmm[i->reg] = xmm(host::cvtdq2pd(Lanes{}, lanes(mmx_source(c, i))));
    if (!i->memory())
        enter_mmx(c);
    return next(c, i);
}

void cvtps2pi(Cpu& c, const Insn* i)
{
    return cvt_to_mmx<host::cvtps2dq, u64>(c, i);
}
void cvttps2pi(Cpu& c, const Insn* i)
{
    return cvt_to_mmx<host::cvttps2dq, u64>(c, i);
}
void cvtpd2pi(Cpu& c, const Insn* i)
{
    return cvt_to_mmx<host::cvtpd2dq, Xmm>(c, i);
}
void cvttpd2pi(Cpu& c, const Insn* i)
{
    return cvt_to_mmx<host::cvttpd2dq, Xmm>(c, i);
}

}
