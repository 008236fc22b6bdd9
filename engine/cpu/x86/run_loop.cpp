// What follows from the state of a processor: mode, masks, TLB context; and the way in and out of the canonical state.

#include "engine/cpu/x86/run_loop.h"

#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/fpu.h"
#include "engine/cpu/x86/protection_keys.h"
#include "engine/cpu/x86/segments.h"
#include "engine/cpu/x86/smm.h"
#include "engine/device/interrupt/lapic.h"

namespace engine::x86 {

namespace {

bool flat(const Cpu& c)
{
    const bool checks_type = c.protected_mode() && !c.v86();
    for (const SegmentName name : {es, cs, ss, ds}) {
        const Segment& s = c.seg[name];
        if (s.limit != 0xffffffff)
            return false;
        if (!checks_type)
            continue;
        constexpr u16 present_segment = attr_p | attr_s;
        if ((s.attributes & present_segment) != present_segment)
            return false;
        if (name == cs ? !(s.attributes & attr_readable)
                       : (s.attributes & (attr_code | attr_writable | attr_expand_down)) != attr_writable)
            return false;
    }
    return true;
}

u32 code_size(const Cpu& c)
{
    const u16 attributes = c.seg[cs].attributes;
    if (c.long_mode() && attributes & attr_l)
        return mode_64;
    return attributes & attr_db ? mode_32 : mode_16;
}

SoftTlbContext* tlb_context(Cpu& c)
{
    TlbContextName name = TlbContextName::supervisor_user_allowed;
    if (c.cpl == 3 && c.cr0 & cr0_am && c.flag(flag_ac)) [[unlikely]]
        return &c.soft_tlb.checking_context();
    if (c.cpl == 3)
        name = TlbContextName::user;
    else if (c.cr4 & cr4_smap && !c.flag(flag_ac))
        name = TlbContextName::supervisor;
    return &c.soft_tlb.context(name);
}

void use_context(Cpu& c, SoftTlbContext* context)
{
    c.soft_tlb.change_context(c.tlb, context);
    c.tlb = context;
}

}

void update_mode(Cpu& c)
{
    const bool v86 = c.protected_mode() && c.v86();
    u32 mode = v86 ? u32(mode_16) : code_size(c);
    const bool is_64 = mode == mode_64;
    if (is_64 || flat(c))
        mode |= mode_flat;
    if (c.protected_mode() && !v86)
        mode |= mode_protected;
    if (c.cpl == 3)
        mode |= mode_user;
    if (c.cpl != 0)
        mode |= mode_unprivileged;
    if (c.cpl != 3 && c.cr4 & cr4_smap)
        mode |= mode_smap;
    const bool breakpoints = c.dr7 & 0xff;
    if (c.flag(flag_t) || breakpoints)
        mode |= mode_single;
    if (is_64 || !(c.seg[es].base | c.seg[cs].base | c.seg[ss].base | c.seg[ds].base))
        mode |= mode_zero_base;
    constexpr u32 all_masked = 0x1f80;
    if (!(c.cr0 & (cr0_em | cr0_ts)) && c.cr4 & cr4_osfxsr && (c.fpu.mxcsr & all_masked) == all_masked)
        mode |= mode_sse;
    const bool avx_on = c.cr4 & cr4_osxsave && !(~c.xcr0 & (xcr0_sse | xcr0_avx));
    if (!(c.cr0 & cr0_ts) && avx_on && (c.fpu.mxcsr & all_masked) == all_masked)
        mode |= mode_avx;
    if (!(c.cr0 & (cr0_em | cr0_ts)) && (c.fpu.control & fsw_exceptions) == fsw_exceptions)
        mode |= mode_x87;
    // 64-bit code, too, runs with either: the kernel is entered with a null SS from programs.
    const bool stack_32 = !is_64 && c.seg[ss].attributes & attr_db;
    if (stack_32)
        mode |= mode_stack_32;
    c.mode = mode;
    c.stack_mask = is_64 ? ~u64(0) : stack_32 ? 0xffffffff : 0xffff;
    c.linear_mask = is_64 ? ~u64(0) : 0xffffffff;
    for (unsigned n = 0; n < segment_count; ++n)
        c.base[n] = is_64 && n < fs ? 0 : c.seg[n].base;
    use_context(c, tlb_context(c));
}

void set_flags(Cpu& c, u64 value)
{
    const bool enables = value & flag_i && !c.flag(flag_i);
    c.set_rflags(value);
    if (c.protected_mode() && c.v86())
        c.cpl = 3;
    update_mode(c);
    if (enables)
        look_for_interrupts(c);
}

void look_for_interrupts(Cpu& c)
{
    if (!c.lapic || c.lapic->deliverable() || c.lapic->ext_int_pending())
        c.request.add(request_interrupt, std::memory_order_relaxed);
}

void flush_tlb(Cpu& c)
{
    constexpr u64 pcid = 0xfff;
    c.soft_tlb.flush_all(false);
    c.soft_tlb.select(c.cr4 & cr4_pcide ? u16(c.cr3 & pcid) : u16(0));
    use_context(c, tlb_context(c));
}

void set_cpl(Cpu& c, unsigned cpl)
{
    c.cpl = u8(cpl);
    update_mode(c);
}

void load_state(Cpu& c, const CpuState& s)
{
    std::copy(s.gpr.begin(), s.gpr.end(), c.gpr.begin());
    c.gpr[gpr_zero] = 0;
    c.gpr[gpr_rip] = s.rip;
    c.set_rflags(s.rflags);
    c.seg = s.segments;
    c.ldtr = s.ldtr;
    c.tr = s.tr;
    c.gdtr = s.gdtr;
    c.idtr = s.idtr;
    c.cr0 = s.cr0;
    c.cr2 = s.cr2;
    c.cr3 = s.cr3;
    c.cr4 = s.cr4;
    c.efer = s.efer;
    // A state from a host with more: what this one cannot execute stays off.
    const u64 avx = host_features() & feature_avx ? 0 : xcr0_avx, avx_512 = host_avx512_features() ? 0 : xcr0_avx512;
    c.xcr0 = s.xcr0 & ~(avx | avx_512);
    c.dr = s.dr;
    c.dr6 = s.dr6;
    c.dr7 = s.dr7;
    c.fpu = s.fpu;
    c.slots.uppers_used = c.slots.zmm_used = true;
    if (c.msr.pkru != s.pkru)
        write_pkru(c, s.pkru);
    c.msr = s;
    c.halted = s.run_state == RunState::halted;
    c.waiting_for_sipi = s.run_state == RunState::wait_for_sipi;
    c.in_smm = s.in_smm;
    c.nmi_blocked = s.nmi_blocked;
    c.shadow = s.interrupt_shadow;
    c.request.add(u32(request_interrupt) | (s.smi_pending ? u32(request_smi) : 0));
    if (s.nmi_pending)
        c.ask_nmi();
    take_view(c);
    const bool real = !(c.cr0 & cr0_pe);
    set_cpl(c, real ? 0 : c.v86() ? 3 : dpl_of(c.seg[ss].attributes));
}

void save_state(const Cpu& c, CpuState& s)
{
    save_registers(c, s);
    s.cr8 = c.lapic ? c.lapic->cr8() : 0;
}

void save_registers(const Cpu& c, CpuState& s)
{
    s = c.msr;
    std::copy_n(c.gpr.begin(), s.gpr.size(), s.gpr.begin());
    s.rip = c.gpr[gpr_rip];
    s.rflags = c.rflags();
    s.segments = c.seg;
    s.ldtr = c.ldtr;
    s.tr = c.tr;
    s.gdtr = c.gdtr;
    s.idtr = c.idtr;
    s.cr0 = c.cr0;
    s.cr2 = c.cr2;
    s.cr3 = c.cr3;
    s.cr4 = c.cr4;
    s.cr8 = 0;
    s.efer = c.efer;
    s.xcr0 = c.xcr0;
    s.dr = c.dr;
    s.dr6 = c.dr6;
    s.dr7 = c.dr7;
    s.fpu = c.fpu;
    s.run_state = c.waiting_for_sipi ? RunState::wait_for_sipi : c.halted ? RunState::halted : RunState::running;
    s.in_smm = c.in_smm;
    s.nmi_blocked = c.nmi_blocked;
    s.interrupt_shadow = c.shadow;
    const u32 pending = c.request.pending();
    s.nmi_pending = pending & request_nmi || c.nmi_latched;
    s.smi_pending = pending & request_smi || c.smi_latched;
}

void reset_cpu(Cpu& c, bool init)
{
    CpuState fresh;
    if (init) {
        // INIT leaves the FPU, XCR0, the caching bits of CR0 and the model-specific registers as they are.
        const CpuState kept = c.msr;
        const FpuState fpu = c.fpu;
        const u64 cache_bits = c.cr0 & (cr0_cd | cr0_nw);
        fresh = kept;
        const CpuState start;
        fresh.gpr = {};
        fresh.rip = start.rip;
        fresh.rflags = start.rflags;
        fresh.segments = start.segments;
        fresh.ldtr = start.ldtr;
        fresh.tr = start.tr;
        fresh.gdtr = start.gdtr;
        fresh.idtr = start.idtr;
        fresh.cr0 = 0x10 | cache_bits;
        fresh.cr2 = fresh.cr3 = fresh.cr4 = 0;
        fresh.xcr0 = c.xcr0;
        fresh.efer = 0;
        fresh.dr = {};
        fresh.dr6 = start.dr6;
        fresh.dr7 = start.dr7;
        fresh.fpu = fpu;
        fresh.in_smm = fresh.nmi_blocked = fresh.nmi_pending = fresh.smi_pending = fresh.interrupt_shadow = false;
    }
    constexpr u64 family_model_stepping = 0x506e3;
    fresh.gpr[rdx] = family_model_stepping;
    fresh.run_state = c.index == 0 ? RunState::running : RunState::wait_for_sipi;
    constexpr u64 bootstrap = 0x100;
    if (!init)
        fresh.apic_base = 0xfee00800 | (c.index == 0 ? bootstrap : 0);
    // What came since INIT was seen counts: the SIPI follows at its heels. Code that is to be dropped is whatever happens.
    if (!init)
        c.request.forget(~u32(request_stale_code));
    c.nmis.store(0);
    c.pending_debug = 0;
    c.nmi_latched = c.smi_latched = false;
    c.single_next = false;
    c.delivering = -1;
    c.delivering_external = false;
    load_state(c, fresh);
}

}
