#include "engine/cpu/x86/state.h"

#include <string>

namespace engine::x86 {

void Segment::visit(StateVisitor& v)
{
    auto& [selector, attributes, limit, base] = *this;
    v.field("selector", selector);
    v.field("attributes", attributes);
    v.field("limit", limit);
    v.field("base", base);
}

void DescriptorTable::visit(StateVisitor& v)
{
    auto& [base, limit] = *this;
    v.field("base", base);
    v.field("limit", limit);
}

void FpuState::visit(StateVisitor& v)
{
    v.field("control", control);
    v.field("status", status);
    v.field("valid", valid);
    v.field("opcode", opcode);
    v.field("instruction_pointer", instruction_pointer);
    v.field("data_pointer", data_pointer);
    v.field("instruction_selector", instruction_selector);
    v.field("data_selector", data_selector);
    for (unsigned n = 0; n < registers.size(); ++n) {
        v.field("st" + std::to_string(n) + ".significand", registers[n].significand);
        v.field("st" + std::to_string(n) + ".sign_exponent", registers[n].sign_exponent);
    }
    for (unsigned n = 0; n < xmm.size(); ++n)
        v.field("xmm" + std::to_string(n), xmm[n].q);
    for (unsigned n = 0; n < ymm_high.size(); ++n)
        v.field("ymm_high" + std::to_string(n), ymm_high[n].q);
    for (unsigned n = 0; n < zmm_high.size(); ++n)
        v.field("zmm_high" + std::to_string(n), zmm_high[n].q);
    for (unsigned n = 0; n < zmm.size(); ++n)
        v.field("zmm" + std::to_string(n + zmm_high.size()), zmm[n].q);
    v.field("opmask", opmask);
    v.field("mxcsr", mxcsr);
}

CpuState::CpuState()
{
    constexpr u16 data = 0x0093, code = 0x009b, local_descriptor_table = 0x0082, busy_task_16 = 0x008b;
    segments.fill({.selector = 0, .attributes = data, .limit = 0xffff, .base = 0});
    segments[cs] = {.selector = 0xf000, .attributes = code, .limit = 0xffff, .base = 0xffff0000};
    ldtr = {.selector = 0, .attributes = local_descriptor_table, .limit = 0xffff, .base = 0};
    tr = {.selector = 0, .attributes = busy_task_16, .limit = 0xffff, .base = 0};
}

void CpuState::visit(StateVisitor& v)
{
    v.field("gpr", gpr);
    v.field("rip", rip);
    v.field("rflags", rflags);
    v.groups("segments", segments);
    v.group("ldtr", ldtr);
    v.group("tr", tr);
    v.group("gdtr", gdtr);
    v.group("idtr", idtr);
    v.field("cr0", cr0);
    v.field("cr2", cr2);
    v.field("cr3", cr3);
    v.field("cr4", cr4);
    v.field("cr8", cr8);
    v.field("xcr0", xcr0);
    v.field("dr", dr);
    v.field("dr6", dr6);
    v.field("dr7", dr7);
    v.group("fpu", fpu);
    v.field("efer", efer);
    v.field("star", star);
    v.field("lstar", lstar);
    v.field("cstar", cstar);
    v.field("syscall_mask", syscall_mask);
    v.field("kernel_gs_base", kernel_gs_base);
    v.field("sysenter_cs", sysenter_cs);
    v.field("sysenter_esp", sysenter_esp);
    v.field("sysenter_eip", sysenter_eip);
    v.field("pat", pat);
    v.field("apic_base", apic_base);
    v.field("misc_enable", misc_enable);
    v.field("feature_control", feature_control);
    v.field("tsc_aux", tsc_aux);
    v.field("mtrr_default", mtrr_default);
    v.field("mtrr_fixed", mtrr_fixed);
    v.field("mtrr_variable", mtrr_variable);
    v.field("tsc_offset", tsc_offset);
    v.field("tsc_adjust", tsc_adjust);
    v.field("pkru", pkru);
    v.field("spec_ctrl", spec_ctrl);
    v.field("smbase", smbase);
    v.field("run_state", run_state);
    v.field("in_smm", in_smm);
    v.field("nmi_blocked", nmi_blocked);
    v.field("nmi_pending", nmi_pending);
    v.field("smi_pending", smi_pending);
    v.field("interrupt_shadow", interrupt_shadow);
}

}
