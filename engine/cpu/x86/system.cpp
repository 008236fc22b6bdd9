// Control and debug registers, descriptor tables, model-specific registers, time, and the rest for operating systems.

#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/interrupt.h"
#include "engine/cpu/x86/msr.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/segments.h"
#include "engine/cpu/x86/smm.h"
#include "engine/device/interrupt/lapic.h"

namespace engine::x86 {

namespace {

constexpr u64 cr4_writable = cr4_vme | cr4_pvi | cr4_tsd | cr4_de | cr4_pse | cr4_pae | cr4_mce | cr4_pge | cr4_pce | cr4_osfxsr
    | cr4_osxmmexcpt | cr4_umip | cr4_fsgsbase | cr4_pcide | cr4_osxsave | cr4_smep | cr4_smap;

u64 read_cr(const Cpu& c, unsigned n)
{
    switch (n) {
    case 0:
        return c.cr0;
    case 2:
        return c.cr2;
    case 3:
        return c.cr3;
    case 4:
        return c.cr4;
    default:
        return c.lapic ? c.lapic->cr8() : 0;
    }
}

bool known_cr(unsigned n)
{
    return n == 0 || n == 2 || n == 3 || n == 4 || n == 8;
}

void mov_from_cr(Cpu& c, const Insn* i)
{
    if (!known_cr(i->reg))
        c.raise(i, invalid_opcode);
    const u64 value = read_cr(c, i->reg);
    c.gpr[i->rm] = c.code_64() ? value : u32(value);
    return next(c, i);
}

// PAE's four top entries are checked when they are loaded.
bool valid_pdptes(Cpu& c, const Insn* i, u64 cr3)
{
    (void)i;
    for (unsigned n = 0; n < 4; ++n) {
        const u64 entry = c.memory->dma_load<u64>((cr3 & 0xffffffe0) + 8 * n);
        if (entry & 1 && entry & 0xfffff000000001e6)
            return false;
    }
    return true;
}

void write_cr0(Cpu& c, const Insn* i, u64 value)
{
    const bool bad_cache = value & cr0_nw && !(value & cr0_cd);
    if (value >> 32 || (value & cr0_pg && !(value & cr0_pe)) || bad_cache)
        c.raise(i, general_protection, 0);
    value = (value & 0xe005003f) | cr0_et;
    const u64 changed = value ^ c.cr0;
    if (changed & cr0_pg) {
        if (value & cr0_pg && c.efer & efer_lme) {
            if (!(c.cr4 & cr4_pae) || c.seg[cs].attributes & attr_l)
                c.raise(i, general_protection, 0);
            c.efer |= efer_lma;
        } else if (value & cr0_pg && c.cr4 & cr4_pae) {
            if (!valid_pdptes(c, i, c.cr3))
                c.raise(i, general_protection, 0);
        } else if (!(value & cr0_pg)) {
            if (c.code_64() || c.cr4 & cr4_pcide)
                c.raise(i, general_protection, 0);
            c.efer &= ~efer_lma;
        }
    }
    c.cr0 = value;
    if (changed & (cr0_pg | cr0_wp | cr0_pe))
        flush_tlb(c);
    if (changed & cr0_pe)
        set_cpl(c, value & cr0_pe ? c.cpl : 0);
    update_mode(c);
}

// Bit 63 keeps what the TLB holds of a PCID.
void write_cr3(Cpu& c, const Insn* i, u64 value)
{
    constexpr u64 no_flush = u64(1) << 63, pcid = 0xfff;
    const bool tagged = c.cr4 & cr4_pcide;
    const bool keeps = tagged && value & no_flush;
    if (tagged)
        value &= ~no_flush;
    if (c.long_mode() && value >> 40)
        c.raise(i, general_protection, 0);
    if (c.cr0 & cr0_pg && c.cr4 & cr4_pae && !c.long_mode() && !valid_pdptes(c, i, value))
        c.raise(i, general_protection, 0);
    c.cr3 = c.long_mode() ? value : u32(value);
    c.soft_tlb.select(tagged ? u16(value & pcid) : u16(0));
    if (!keeps)
        c.soft_tlb.flush_pcid();
    update_mode(c);
}

void write_cr4(Cpu& c, const Insn* i, u64 value)
{
    const u64 writable = cr4_writable | (c.model->features & feature_pku ? cr4_pke : 0);
    const bool drops_pae = c.long_mode() && !(value & cr4_pae);
    const bool sets_pcide = value & ~c.cr4 & cr4_pcide;
    if (value & ~writable || drops_pae || (sets_pcide && (!c.long_mode() || c.cr3 & 0xfff)))
        c.raise(i, general_protection, 0);
    const u64 changed = value ^ c.cr4;
    if (changed & cr4_pae && value & cr4_pae && c.cr0 & cr0_pg && !valid_pdptes(c, i, c.cr3))
        c.raise(i, general_protection, 0);
    c.cr4 = value;
    if (changed & (cr4_pge | cr4_pae | cr4_pse | cr4_pcide | cr4_smep | cr4_smap | cr4_pke))
        flush_tlb(c);
    update_mode(c);
}

void mov_to_cr(Cpu& c, const Insn* i)
{
    const u64 value = c.code_64() ? c.gpr[i->rm] : u32(c.gpr[i->rm]);
    // RIP is set first: what changes the mode must not mask it by the new one.
    const u64 ip = c.next_ip(i);
    switch (i->reg) {
    case 0:
        write_cr0(c, i, value);
        break;
    case 2:
        c.cr2 = value;
        break;
    case 3:
        write_cr3(c, i, value);
        break;
    case 4:
        write_cr4(c, i, value);
        break;
    case 8:
        if (value >> 4)
            c.raise(i, general_protection, 0);
        if (c.lapic)
            c.lapic->set_cr8(u8(value));
        break;
    default:
        c.raise(i, invalid_opcode);
    }
    c.gpr[gpr_rip] = c.code_64() ? ip : u32(ip);
}

// DR4 and DR5 are DR6 and DR7 unless CR4.DE. General detect comes first.
unsigned debug_register(Cpu& c, const Insn* i)
{
    constexpr u64 general_detect = 1 << 13;
    if (i->reg > 7 || (c.cr4 & cr4_de && (i->reg == 4 || i->reg == 5)))
        c.raise(i, invalid_opcode);
    if (c.dr7 & general_detect) {
        report_debug(c, general_detect);
        c.rflags_other |= flag_rf;
        c.raise(i, debug_exception);
    }
    return i->reg == 4 || i->reg == 5 ? i->reg + 2u : i->reg;
}
void mov_from_dr(Cpu& c, const Insn* i)
{
    const unsigned n = debug_register(c, i);
    const u64 value = n < 4 ? c.dr[n] : n == 6 ? c.dr6 : c.dr7;
    c.gpr[i->rm] = c.code_64() ? value : u32(value);
    return next(c, i);
}
void mov_to_dr(Cpu& c, const Insn* i)
{
    const unsigned n = debug_register(c, i);
    const u64 value = c.code_64() ? c.gpr[i->rm] : u32(c.gpr[i->rm]);
    if (n >= 6 && value >> 32)
        c.raise(i, general_protection, 0);
    if (n < 4)
        c.dr[n] = value;
    else if (n == 6)
        c.dr6 = (value & 0xe00f) | 0xffff0ff0;
    else
        c.dr7 = (value & 0xffff2bff) | 0x400;
    flush_tlb(c);
    update_mode(c);
    return leave_block(c, i);
}

void clts(Cpu& c, const Insn* i)
{
    c.cr0 &= ~cr0_ts;
    update_mode(c);
    return leave_block(c, i);
}

void hlt(Cpu& c, const Insn* i)
{
    c.halted = true;
    return leave_block(c, i);
}

// LGDT and LIDT take 24 bits of base in 16-bit form.
void load_table(Cpu& c, const Insn* i, DescriptorTable& table)
{
    const u64 at = effective_address(c, i);
    const u16 limit = load<u16>(c, i, at);
    const u64 base_at = (at + 2) & i->address_mask;
    u64 base = c.code_64() ? load<u64>(c, i, base_at) : load<u32>(c, i, base_at);
    if (!c.code_64() && i->operand_size == 2)
        base &= 0xffffff;
    if (c.code_64() && !canonical(base))
        c.raise(i, general_protection, 0);
    table = {.base = base, .limit = limit};
}
void store_table(Cpu& c, const Insn* i, const DescriptorTable& table)
{
    if (c.cr4 & cr4_umip && c.cpl != 0)
        c.raise(i, general_protection, 0);
    const u64 at = effective_address(c, i);
    const u64 base_at = (at + 2) & i->address_mask;
    const u64 linear = linear_address<Access::write>(c, i, i->segment, base_at, 8);
    probe_write(c, i, linear, c.code_64() ? 8 : 4);
    store<u16>(c, i, at, table.limit);
    if (c.code_64())
        store<u64>(c, i, base_at, table.base);
    else
        store<u32>(c, i, base_at, u32(table.base));
}
void lgdt(Cpu& c, const Insn* i)
{
    load_table(c, i, c.gdtr);
    return next(c, i);
}
void lidt(Cpu& c, const Insn* i)
{
    load_table(c, i, c.idtr);
    return next(c, i);
}
void sgdt(Cpu& c, const Insn* i)
{
    store_table(c, i, c.gdtr);
    return next(c, i);
}
void sidt(Cpu& c, const Insn* i)
{
    store_table(c, i, c.idtr);
    return next(c, i);
}

void smsw(Cpu& c, const Insn* i)
{
    if (c.cr4 & cr4_umip && c.cpl != 0)
        c.raise(i, general_protection, 0);
    if (i->memory())
        store_operand<u16>(c, i, u16(c.cr0));
    else if (i->operand_size == 2)
        c.set_reg<u16>(i->dst, u16(c.cr0));
    else
        c.gpr[i->dst / 8] = i->operand_size == 8 ? c.cr0 : u32(c.cr0);
    return next(c, i);
}
// LMSW can set PE and never clear it.
void lmsw(Cpu& c, const Insn* i)
{
    const u16 value = i->memory() ? load_operand<u16>(c, i) : c.reg<u16>(i->dst);
    const u64 ip = c.next_ip(i);
    write_cr0(c, i, (c.cr0 & ~u64(0xe)) | (value & 0xf));
    c.gpr[gpr_rip] = u32(ip);
}

void invlpg(Cpu& c, const Insn* i)
{
    c.soft_tlb.flush_page((c.base[i->segment] + effective_address(c, i)) & c.linear_mask);
    return leave_block(c, i);
}

void invpcid(Cpu& c, const Insn* i)
{
    const u64 type = c.code_64() ? c.gpr[i->reg] : u32(c.gpr[i->reg]);
    const u64 at = effective_address(c, i);
    const u64 pcid = load<u64>(c, i, at);
    const u64 linear = load<u64>(c, i, (at + 8) & i->address_mask);
    const bool unused_pcid = type < 2 && pcid && !(c.cr4 & cr4_pcide);
    if (type > 3 || pcid >> 12 || unused_pcid || (type == 0 && !canonical(linear)))
        c.raise(i, general_protection, 0);
    if (type == 0)
        c.soft_tlb.flush_page(u16(pcid), linear);
    else if (type == 1)
        c.soft_tlb.flush_pcid(u16(pcid));
    else
        c.soft_tlb.flush_all(type == 3);
    return leave_block(c, i);
}

void rdmsr(Cpu& c, const Insn* i)
{
    u64 value = 0;
    if (!read_msr(c, u32(c.gpr[rcx]), value))
        c.raise(i, general_protection, 0);
    c.gpr[rax] = u32(value);
    c.gpr[rdx] = value >> 32;
    return next(c, i);
}
void wrmsr(Cpu& c, const Insn* i)
{
    if (!write_msr(c, u32(c.gpr[rcx]), u64(u32(c.gpr[rdx])) << 32 | u32(c.gpr[rax])))
        c.raise(i, general_protection, 0);
    return leave_block(c, i);
}

void rdtsc(Cpu& c, const Insn* i)
{
    if (c.cr4 & cr4_tsd && c.cpl != 0)
        c.raise(i, general_protection, 0);
    const u64 now = time_stamp(c);
    c.gpr[rax] = u32(now);
    c.gpr[rdx] = now >> 32;
    return next(c, i);
}
void rdtscp(Cpu& c, const Insn* i)
{
    if (c.cr4 & cr4_tsd && c.cpl != 0)
        c.raise(i, general_protection, 0);
    const u64 now = time_stamp(c);
    c.gpr[rax] = u32(now);
    c.gpr[rdx] = now >> 32;
    c.gpr[rcx] = u32(c.msr.tsc_aux);
    return next(c, i);
}
void rdpid(Cpu& c, const Insn* i)
{
    c.gpr[i->rm] = c.msr.tsc_aux;
    return next(c, i);
}

// RDRAND and RDSEED. No entropy now: carry clear and a zero, which the guest tries again.
template <class T> void random_number(Cpu& c, const Insn* i)
{
    const std::optional<u64> value = c.wires.entropy ? c.wires.entropy() : std::nullopt;
    c.set_reg<T>(i->dst, T(value.value_or(0)));
    c.lazy.set_all(value ? flag_c : 0);
    return next(c, i);
}

// No counters: CPUID leaf 0AH is absent.
void rdpmc(Cpu& c, const Insn* i)
{
    c.raise(i, general_protection, 0);
}

void cpuid_handler(Cpu& c, const Insn* i)
{
    const CpuidContext context{c.index, bool(c.cr4 & cr4_osxsave), bool(c.msr.apic_base & 0x800), c.xcr0, bool(c.cr4 & cr4_pke)};
    const CpuidResult r = cpuid(*c.model, context, u32(c.gpr[rax]), u32(c.gpr[rcx]));
    c.gpr[rax] = r.eax;
    c.gpr[rbx] = r.ebx;
    c.gpr[rcx] = r.ecx;
    c.gpr[rdx] = r.edx;
    return next(c, i);
}

void swapgs(Cpu& c, const Insn* i)
{
    std::swap(c.seg[gs].base, c.msr.kernel_gs_base);
    c.base[gs] = c.seg[gs].base;
    return next(c, i);
}

void rsm(Cpu& c, const Insn* i)
{
    if (!c.in_smm)
        c.raise(i, invalid_opcode);
    leave_smm(c);
}

// STAC and CLAC change which pages the supervisor's TLB context may reach.
void set_ac(Cpu& c, const Insn* i)
{
    set_flags(c, c.rflags() | flag_ac);
    return next(c, i);
}
void clear_ac(Cpu& c, const Insn* i)
{
    set_flags(c, c.rflags() & ~flag_ac);
    return next(c, i);
}

void require_fsgsbase(Cpu& c, const Insn* i)
{
    if (!c.code_64() || !(c.cr4 & cr4_fsgsbase))
        c.raise(i, invalid_opcode);
}
template <SegmentName name> void read_base(Cpu& c, const Insn* i)
{
    require_fsgsbase(c, i);
    c.gpr[i->rm] = i->rex_w() ? c.seg[name].base : u32(c.seg[name].base);
    return next(c, i);
}
template <SegmentName name> void write_base(Cpu& c, const Insn* i)
{
    require_fsgsbase(c, i);
    const u64 value = i->rex_w() ? c.gpr[i->rm] : u32(c.gpr[i->rm]);
    if (!canonical(value))
        c.raise(i, general_protection, 0);
    c.seg[name].base = c.base[name] = value;
    return next(c, i);
}

void does_nothing(Cpu& c, const Insn* i)
{
    return next(c, i);
}
void fence(Cpu& c, const Insn* i)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return next(c, i);
}
// SERIALIZE: each block's end is a place where all that came before is done.
void serialize(Cpu& c, const Insn* i)
{
    if (!(c.model->features & feature_serialize))
        c.raise(i, invalid_opcode);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return leave_block(c, i);
}
// A spinning vCPU lets others look: PAUSE ends the block.
void pause(Cpu& c, const Insn* i)
{
    return leave_block(c, i);
}
void clflush(Cpu& c, const Insn* i)
{
    load_operand<u8>(c, i);
    return next(c, i);
}

}

constinit const Forms mov_from_cr_forms = any_form<&mov_from_cr>;
constinit const Forms mov_to_cr_forms = any_form<&mov_to_cr>;
constinit const Forms mov_from_dr_forms = any_form<&mov_from_dr>;
constinit const Forms mov_to_dr_forms = any_form<&mov_to_dr>;
constinit const Forms clts_forms = any_form<&clts>;
constinit const Forms hlt_forms = any_form<&hlt>;
constinit const Forms lgdt_forms = any_form<&lgdt>;
constinit const Forms lidt_forms = any_form<&lidt>;
constinit const Forms sgdt_forms = any_form<&sgdt>;
constinit const Forms sidt_forms = any_form<&sidt>;
constinit const Forms smsw_forms = any_form<&smsw>;
constinit const Forms lmsw_forms = any_form<&lmsw>;
constinit const Forms invlpg_forms = any_form<&invlpg>;
constinit const Forms invpcid_forms = any_form<&invpcid>;
constinit const Forms wbinvd_forms = any_form<&does_nothing>;
constinit const Forms rdmsr_forms = any_form<&rdmsr>;
constinit const Forms wrmsr_forms = any_form<&wrmsr>;
constinit const Forms rdtsc_forms = any_form<&rdtsc>;
constinit const Forms rdtscp_forms = any_form<&rdtscp>;
constinit const Forms rdpid_forms = any_form<&rdpid>;
constinit const Forms rdrand_forms = sized_forms(nullptr, &random_number<u16>, &random_number<u32>, &random_number<u64>);
constinit const Forms rdpmc_forms = any_form<&rdpmc>;
constinit const Forms cpuid_forms = any_form<&cpuid_handler>;
constinit const Forms swapgs_forms = any_form<&swapgs>;
constinit const Forms rsm_forms = any_form<&rsm>;
constinit const Forms clac_forms = any_form<&clear_ac>;
constinit const Forms stac_forms = any_form<&set_ac>;
constinit const Forms rdfsbase_forms = any_form<&read_base<fs>>;
constinit const Forms rdgsbase_forms = any_form<&read_base<gs>>;
constinit const Forms wrfsbase_forms = any_form<&write_base<fs>>;
constinit const Forms wrgsbase_forms = any_form<&write_base<gs>>;
constinit const Forms pause_forms = any_form<&pause>;
constinit const Forms fence_forms = any_form<&fence>;
constinit const Forms serialize_forms = any_form<&serialize>;
constinit const Forms prefetch_forms = any_form<&does_nothing>;
constinit const Forms clflush_forms = any_form<&clflush>;

}
