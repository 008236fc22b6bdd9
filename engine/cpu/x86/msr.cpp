#include "engine/cpu/x86/msr.h"

#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/device/interrupt/lapic.h"

namespace engine::x86 {

namespace {

enum Msr : u32 {
    ia32_tsc = 0x10,
    ia32_platform_id = 0x17,
    ia32_apic_base = 0x1b,
    ia32_feature_control = 0x3a,
    ia32_tsc_adjust = 0x3b,
    ia32_spec_ctrl = 0x48,
    ia32_pred_cmd = 0x49,
    ia32_bios_updt_trig = 0x79,
    ia32_bios_sign_id = 0x8b,
    platform_info = 0xce,
    ia32_mtrrcap = 0xfe,
    ia32_arch_capabilities = 0x10a,
    ia32_sysenter_cs = 0x174,
    ia32_sysenter_esp,
    ia32_sysenter_eip,
    ia32_mcg_cap = 0x179,
    ia32_mcg_status = 0x17a,
    ia32_misc_enable = 0x1a0,
    ia32_mtrr_physbase0 = 0x200,
    ia32_mtrr_physmask7 = 0x20f,
    ia32_mtrr_fix64k = 0x250,
    ia32_mtrr_fix16k_first = 0x258,
    ia32_mtrr_fix16k_last = 0x259,
    ia32_mtrr_fix4k_first = 0x268,
    ia32_mtrr_fix4k_last = 0x26f,
    ia32_pat = 0x277,
    ia32_mtrr_def_type = 0x2ff,
    ia32_tsc_deadline = 0x6e0,
    x2apic_first = 0x800,
    x2apic_last = 0x83f,
    ia32_xss = 0xda0,
    ia32_efer = 0xc0000080,
    ia32_star,
    ia32_lstar,
    ia32_cstar,
    ia32_fmask,
    ia32_fs_base = 0xc0000100,
    ia32_gs_base,
    ia32_kernel_gs_base,
    ia32_tsc_aux,
};

// RDCL_NO, IBRS_ALL, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, GDS_NO, RFDS_NO, ITS_NO:
// an interpreter does not speculate for its guest.
constexpr u64 arch_capabilities = 1ull << 0 | 1ull << 1 | 1ull << 4 | 1ull << 5 | 1ull << 6 | 1ull << 8 | 1ull << 13 | 1ull << 14
    | 1ull << 15 | 1ull << 20 | 1ull << 26 | 1ull << 27 | 1ull << 62;
constexpr u64 microcode_revision = 0xffull << 32;
constexpr u64 mtrr_capabilities = 8 | 1 << 8 | 1 << 10;    // eight variable ranges, fixed ranges, write-combining

u64* mtrr_fixed(Cpu& c, u32 n)
{
    if (n == ia32_mtrr_fix64k)
        return &c.msr.mtrr_fixed[0];
    if (n >= ia32_mtrr_fix16k_first && n <= ia32_mtrr_fix16k_last)
        return &c.msr.mtrr_fixed[1 + n - ia32_mtrr_fix16k_first];
    if (n >= ia32_mtrr_fix4k_first && n <= ia32_mtrr_fix4k_last)
        return &c.msr.mtrr_fixed[3 + n - ia32_mtrr_fix4k_first];
    return nullptr;
}

// Registers that are plain 64-bit storage.
u64* plain(Cpu& c, u32 n)
{
    switch (n) {
    case ia32_feature_control:
        return &c.msr.feature_control;
    case ia32_sysenter_cs:
        return &c.msr.sysenter_cs;
    case ia32_misc_enable:
        return &c.msr.misc_enable;
    case ia32_mtrr_def_type:
        return &c.msr.mtrr_default;
    case ia32_star:
        return &c.msr.star;
    case ia32_fmask:
        return &c.msr.syscall_mask;
    case ia32_spec_ctrl:
        return &c.msr.spec_ctrl;
    default:
        break;
    }
    if (n >= ia32_mtrr_physbase0 && n <= ia32_mtrr_physmask7)
        return &c.msr.mtrr_variable[n - ia32_mtrr_physbase0];
    return mtrr_fixed(c, n);
}

// Registers that hold a canonical address.
u64* address(Cpu& c, u32 n)
{
    switch (n) {
    case ia32_sysenter_esp:
        return &c.msr.sysenter_esp;
    case ia32_sysenter_eip:
        return &c.msr.sysenter_eip;
    case ia32_lstar:
        return &c.msr.lstar;
    case ia32_cstar:
        return &c.msr.cstar;
    case ia32_kernel_gs_base:
        return &c.msr.kernel_gs_base;
    case ia32_fs_base:
        return &c.seg[fs].base;
    case ia32_gs_base:
        return &c.seg[gs].base;
    default:
        return nullptr;
    }
}

bool local_apic_msr(u32 n)
{
    return n == ia32_apic_base || n == ia32_tsc_deadline || (n >= x2apic_first && n <= x2apic_last);
}

bool write_efer(Cpu& c, u64 value)
{
    if (value & ~(efer_sce | efer_lme | efer_lma | efer_nxe))
        return false;
    if (c.cr0 & cr0_pg && (value ^ c.efer) & efer_lme)
        return false;
    c.efer = (value & ~efer_lma) | (c.efer & efer_lma);
    flush_tlb(c);
    update_mode(c);
    return true;
}

bool write_pat(Cpu& c, u64 value)
{
    for (unsigned n = 0; n < 8; ++n) {
        const u64 type = value >> (8 * n) & 0xff;
        if (type == 2 || type == 3 || type > 7)
            return false;
    }
    c.msr.pat = value;
    return true;
}

// What the guest adds to its time stamp it finds in IA32_TSC_ADJUST.
void move_time_stamp(Cpu& c, u64 by)
{
    c.msr.tsc_offset += by;
    c.msr.tsc_adjust += by;
    if (c.lapic)
        c.lapic->tsc_changed();
}

bool has(const Cpu& c, Feature feature)
{
    return c.model->features & feature;
}

}

u64 time_stamp(const Cpu& c)
{
    return (c.wires.tsc ? c.wires.tsc() : 0) + c.msr.tsc_offset;
}

bool read_msr(Cpu& c, u32 n, u64& value)
{
    if (c.lapic && local_apic_msr(n))
        return c.lapic->read_msr(n, value);
    if (const u64* at = plain(c, n)) {
        value = *at;
        return true;
    }
    if (const u64* at = address(c, n)) {
        value = *at;
        return true;
    }
    switch (n) {
    case ia32_tsc:
        value = time_stamp(c);
        return true;
    case ia32_tsc_adjust:
        value = c.msr.tsc_adjust;
        return has(c, feature_tsc_adjust);
    case ia32_xss:
        value = 0;
        return has(c, feature_xsaves);
    case ia32_efer:
        value = c.efer;
        return true;
    case ia32_pat:
        value = c.msr.pat;
        return true;
    case ia32_tsc_aux:
        value = c.msr.tsc_aux;
        return true;
    case ia32_mtrrcap:
        value = mtrr_capabilities;
        return true;
    case ia32_arch_capabilities:
        value = arch_capabilities;
        return true;
    case ia32_bios_sign_id:
        value = microcode_revision;
        return true;
    case ia32_platform_id:
    case ia32_mcg_cap:
    case ia32_mcg_status:
        value = 0;
        return true;
    case platform_info:
        value = (c.model->tsc_hz / 100'000'000) << 8;
        return true;
    default:
        return false;
    }
}

bool write_msr(Cpu& c, u32 n, u64 value)
{
    if (c.lapic && local_apic_msr(n)) {
        const bool ok = c.lapic->write_msr(n, value);
        if (ok && n == ia32_apic_base) {
            c.msr.apic_base = c.lapic->base();
            flush_tlb(c);
        }
        return ok;
    }
    if (u64* at = plain(c, n)) {
        *at = value;
        return true;
    }
    if (u64* at = address(c, n)) {
        if (!canonical(value))
            return false;
        *at = value;
        update_mode(c);
        return true;
    }
    switch (n) {
    case ia32_tsc:
        move_time_stamp(c, value - time_stamp(c));
        return true;
    case ia32_tsc_adjust:
        if (!has(c, feature_tsc_adjust))
            return false;
        move_time_stamp(c, value - c.msr.tsc_adjust);
        return true;
    case ia32_xss:    // there are no supervisor components
        return has(c, feature_xsaves) && value == 0;
    case ia32_efer:
        return write_efer(c, value);
    case ia32_pat:
        return write_pat(c, value);
    case ia32_tsc_aux:
        if (value >> 32)
            return false;
        c.msr.tsc_aux = value;
        return true;
    case ia32_pred_cmd:
        return (value & ~u64(1)) == 0;
    case ia32_bios_updt_trig:
    case ia32_bios_sign_id:
    case ia32_mcg_status:
        return true;
    default:
        return false;
    }
}

}
