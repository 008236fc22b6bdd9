#include "engine/cpu/kvm/kvm_lapic.h"

#include <algorithm>

#include "engine/base/bits.h"
#include "engine/device/interrupt/lapic_registers.h"

namespace engine {

using namespace lapic_registers;

namespace {
constexpr u64 register_step = 16;

u32 get(const kvm_lapic_state& page, unsigned index)
{
    return load_le<u32>(page.regs + register_step * index);
}
void put(kvm_lapic_state& page, unsigned index, u32 value)
{
    store_le<u32>(page.regs + register_step * index, value);
}

// SDM 11.5.4: the divide configuration's bits 0, 1 and 3 say by how much, 111 by one.
u64 tick(u32 divide)
{
    return u64(1) << ((((divide >> 1 & 4) | (divide & 3)) + 1) & 7);
}
bool counts(const Lapic::State& s)
{
    constexpr u32 tsc_deadline_mode = 1 << 18;
    return !(s.lvt[Lapic::lvt_timer] & tsc_deadline_mode) && s.initial_count;
}
}

Lapic::State lapic_from_kvm(const kvm_lapic_state& page, const KvmLapicContext& context)
{
    Lapic::State s;
    const bool x2apic = context.base & base_x2apic;
    s.base = context.base;
    s.id = x2apic ? get(page, reg_id) & 0xff : get(page, reg_id) >> 24;
    s.tpr = u8(get(page, reg_tpr));
    s.ldr = x2apic ? 0 : get(page, reg_ldr);
    s.dfr = x2apic ? s.dfr : get(page, reg_dfr);
    s.svr = get(page, reg_svr) & svr_writable;
    for (unsigned n = 0; n < s.isr.size(); ++n) {
        s.isr[n] = get(page, reg_isr + n);
        s.tmr[n] = get(page, reg_tmr + n);
        s.irr[n] = get(page, reg_irr + n);
    }
    s.esr = get(page, reg_esr);
    s.icr = get(page, reg_icr) | u64(get(page, reg_icr_high)) << 32;
    for (unsigned n = 0; n < s.lvt.size(); ++n)
        s.lvt[n] = get(page, reg_lvt + n) & (lvt_writable[n] | lvt_remote_irr);
    s.initial_count = get(page, reg_initial_count);
    s.divide = get(page, reg_divide) & divide_writable;
    if (const u32 left = get(page, reg_current_count); counts(s) && left)
        s.next_expiry = context.now + left * tick(s.divide);
    s.tsc_deadline = context.tsc_deadline;
    return s;
}

kvm_lapic_state lapic_to_kvm(const Lapic::State& s, u64 now)
{
    kvm_lapic_state page{};
    const bool x2apic = s.base & base_x2apic;
    put(page, reg_id, x2apic ? s.id : s.id << 24);
    put(page, reg_version, version);
    put(page, reg_tpr, s.tpr);
    put(page, reg_ldr, x2apic ? x2apic_logical_id(s.id) : s.ldr);
    put(page, reg_dfr, s.dfr);
    put(page, reg_svr, s.svr);
    for (unsigned n = 0; n < s.isr.size(); ++n) {
        put(page, reg_isr + n, s.isr[n]);
        put(page, reg_tmr + n, s.tmr[n]);
        put(page, reg_irr + n, s.irr[n]);
    }
    put(page, reg_esr, s.esr);
    put(page, reg_icr, u32(s.icr));
    put(page, reg_icr_high, u32(s.icr >> 32));
    for (unsigned n = 0; n < s.lvt.size(); ++n)
        put(page, reg_lvt + n, s.lvt[n]);
    put(page, reg_initial_count, s.initial_count);
    put(page, reg_divide, s.divide);
    if (counts(s) && s.next_expiry != Timer::never) {
        const u64 left = s.next_expiry > now ? (s.next_expiry - now) / tick(s.divide) : 0;
        put(page, reg_current_count, u32(std::clamp<u64>(left, 1, s.initial_count)));
    }
    return page;
}

}
