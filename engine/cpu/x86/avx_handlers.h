#pragma once
// The handlers and operations behind the VEX tables that SSE does not have.

#include "engine/cpu/x86/avx_operations.h"
#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/sse_handlers.h"

namespace engine::x86 {

// avx_move.cpp: between lanes, through masks, by vectors of addresses.
void vbroadcast_8(Cpu& c, const Insn* i);
void vbroadcast_16(Cpu& c, const Insn* i);
void vbroadcast_32(Cpu& c, const Insn* i);
void vbroadcast_64(Cpu& c, const Insn* i);
void vbroadcast_128(Cpu& c, const Insn* i);
void vinsert_128(Cpu& c, const Insn* i);
void vextract_128(Cpu& c, const Insn* i);
void vperm2_128(Cpu& c, const Insn* i);
void vpermd(Cpu& c, const Insn* i);    // and VPERMPS
void vpermq(Cpu& c, const Insn* i);    // and VPERMPD
void vmask_load_32(Cpu& c, const Insn* i);
void vmask_load_64(Cpu& c, const Insn* i);
void vmask_store_32(Cpu& c, const Insn* i);
void vmask_store_64(Cpu& c, const Insn* i);
void vgather_32_by_32(Cpu& c, const Insn* i);    // data by indices
void vgather_64_by_32(Cpu& c, const Insn* i);
void vgather_32_by_64(Cpu& c, const Insn* i);
void vgather_64_by_64(Cpu& c, const Insn* i);
void vzeroupper(Cpu& c, const Insn* i);
void vzeroall(Cpu& c, const Insn* i);

// Elements of a vector that lies in memory: their alignment is not checked.
template <class T> T load_element(Cpu& c, const Insn* i, u64 offset)
{
    if (!c.soft_tlb.checks_alignment(c.tlb)) [[likely]]
        return load<T>(c, i, offset);
    T value;
    load_bytes(c, i, offset, &value, sizeof value);
    return value;
}
template <class T> void store_element(Cpu& c, const Insn* i, u64 offset, T value)
{
    if (!c.soft_tlb.checks_alignment(c.tlb)) [[likely]]
        return store<T>(c, i, offset, value);
    store_bytes(c, i, offset, &value, sizeof value);
}

// Operations in one lane.
Lanes vpermilps(Lanes a, Lanes order);
Lanes vpermilpd(Lanes a, Lanes order);
Lanes vpermilpd_constant(Lanes a, Lanes b, u8 order);
Lanes vpsllvd(Lanes a, Lanes counts);
Lanes vpsllvq(Lanes a, Lanes counts);
Lanes vpsrlvd(Lanes a, Lanes counts);
Lanes vpsrlvq(Lanes a, Lanes counts);
Lanes vpsravd(Lanes a, Lanes counts);

// What the host lacks, the guest lacks: CPUID hides it, and here it is #UD.
inline void require_host(Cpu& c, const Insn* i, Feature feature)
{
    if (!(host_features() & feature))
        c.raise(i, invalid_opcode);
}

// x = operation(x, x, x/m), fused multiplication and addition.
template <auto operation, Rounded rounded, class Memory = Xmm> void fused(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    require_host(c, i, feature_fma);
    const bool wide = i->wide() && !is_scalar<Memory>;
    const Wide d = wide ? wide_source<Xmm>(c, i) : Wide{source<Memory>(c, i)};
    Wide a{lanes(c.fpu.xmm[i->reg]), lanes(c.fpu.ymm_high[i->reg])};
    const u32 raised = with_guest_mxcsr(c, [&] {
        a.low = operation(a.low, first(c, i), d.low);
        a.high = wide ? operation(a.high, first_high(c, i), d.high) : Lanes{};
    });
    report_simd(c, i, raised | underflow_of<rounded>(c, a.low) | underflow_of<rounded>(c, a.high));
    set_vector(c, i->reg, a);
    return next(c, i);
}

// The low half of operation(x/m) from each lane, side by side: conversions from 256 to 128 bits.
template <auto operation, Rounded rounded = Rounded::none> void narrowed_float(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Wide b = wide_source<Xmm>(c, i);
    Lanes low{}, high{};
    const u32 raised = with_guest_mxcsr(c, [&] {
        low = operation(Lanes{}, b.low);
        high = operation(Lanes{}, b.high);
    });
    report_simd(c, i, raised | underflow_of<rounded>(c, low) | underflow_of<rounded>(c, high));
    set_vector(c, i, i->reg, lanes(low[0], high[0]));
    return next(c, i);
}

// F16C, avx_half.cpp.
void singles_from_halves(Cpu& c, const Insn* i);
void halves_from_singles(Cpu& c, const Insn* i);

}
