// The register file: IA32_APIC_BASE, the xAPIC page and the x2APIC MSRs.
#include "engine/device/interrupt/lapic_registers.h"

#include "engine/base/bits.h"
#include "engine/device/interrupt/lapic_call.h"

namespace engine {

using namespace lapic_registers;

namespace {
constexpr bool in_range(unsigned index, unsigned first, unsigned count)
{
    return index >= first && index < first + count;
}

// x2APIC mode: what RDMSR finds, SDM table 11-6.
bool x2apic_readable(unsigned index)
{
    switch (index) {
    case reg_id:
    case reg_version:
    case reg_tpr:
    case reg_ppr:
    case reg_ldr:
    case reg_svr:
    case reg_esr:
    case reg_icr:
    case reg_initial_count:
    case reg_current_count:
    case reg_divide:
        return true;
    default:
        return in_range(index, reg_isr, 24) || in_range(index, reg_lvt, Lapic::lvt_count);
    }
}

// The bits that WRMSR may have set, or 0 for a register that cannot be written at all.
bool x2apic_writable(unsigned index, u64& allowed)
{
    switch (index) {
    case reg_eoi:
    case reg_esr:
        allowed = 0;
        return true;
    case reg_tpr:
    case reg_self_ipi:
        allowed = 0xff;
        return true;
    case reg_svr:
        allowed = svr_writable;
        return true;
    case reg_icr:
        allowed = u64(0xffffffff) << 32 | icr_writable;
        return true;
    case reg_initial_count:
        allowed = 0xffffffff;
        return true;
    case reg_divide:
        allowed = divide_writable;
        return true;
    default:
        if (!in_range(index, reg_lvt, Lapic::lvt_count))
            return false;
        allowed = lvt_writable[index - reg_lvt] | lvt_status | lvt_remote_irr;
        return true;
    }
}
}

u64 Lapic::read(u64 offset, unsigned size)
{
    const Call call(*this);
    if (!globally_enabled() || x2apic())
        return ~u64(0);
    // Other than aligned 32-bit accesses are undefined; a part of a register reads as that part.
    const unsigned byte = offset & 15;
    if (byte + size > 4)
        return 0;
    return read_register(unsigned(offset >> 4) & 0xff) >> (8 * byte) & low_mask(8 * size);
}

void Lapic::write(u64 offset, u64 value, unsigned size)
{
    const Call call(*this);
    if (globally_enabled() && !x2apic() && !(offset & 15) && size >= 4)
        write_register(unsigned(offset >> 4) & 0xff, u32(value));
}

u32 Lapic::read_register(unsigned index)
{
    if (in_range(index, reg_isr, 8))
        return s_.isr[index - reg_isr];
    if (in_range(index, reg_tmr, 8))
        return s_.tmr[index - reg_tmr];
    if (in_range(index, reg_irr, 8))
        return s_.irr[index - reg_irr];
    if (in_range(index, reg_lvt, lvt_count))
        return s_.lvt[index - reg_lvt];
    switch (index) {
    case reg_id:
        return x2apic() ? configuration_.id : s_.id << 24;
    case reg_version:
        return version;
    case reg_tpr:
        return s_.tpr;
    case reg_apr:
    case reg_ppr:
        return processor_priority();
    case reg_ldr:
        return x2apic() ? x2apic_logical_id(configuration_.id) : s_.ldr;
    case reg_dfr:
        return s_.dfr;
    case reg_svr:
        return s_.svr;
    case reg_esr:
        return s_.esr;
    case reg_icr:
        return u32(s_.icr);
    case reg_icr_high:
        return u32(s_.icr >> 32);
    case reg_initial_count:
        return s_.initial_count;
    case reg_current_count:
        return current_count();
    case reg_divide:
        return s_.divide;
    case reg_eoi:
    case reg_rrd:
        return 0;
    default:
        error(error_register);
        return 0;
    }
}

void Lapic::write_register(unsigned index, u32 value)
{
    if (in_range(index, reg_lvt, lvt_count))
        return write_local_vector(LocalVector(index - reg_lvt), value);
    switch (index) {
    case reg_id:
        s_.id = value >> 24;
        break;
    case reg_tpr:
        s_.tpr = u8(value);
        break;
    case reg_eoi:
        end_of_interrupt();
        break;
    case reg_ldr:
        s_.ldr = value & 0xff000000;
        break;
    case reg_dfr:
        s_.dfr = value | 0x0fffffff;
        break;
    case reg_svr:
        write_spurious(value);
        break;
    case reg_esr:
        s_.esr = std::exchange(s_.errors, 0);
        break;
    case reg_icr:
        s_.icr = (s_.icr & ~low_mask(32)) | (value & icr_writable);
        send_command();
        break;
    case reg_icr_high:
        s_.icr = (s_.icr & low_mask(32)) | u64(value & 0xff000000) << 32;
        break;
    case reg_initial_count:
        start_timer(value);
        break;
    case reg_divide:
        write_divide(value);
        break;
    default:
        error(error_register);
        break;
    }
}

void Lapic::write_spurious(u32 value)
{
    poll_timer();
    s_.svr = value & svr_writable;
    if (!software_enabled())
        for (u32& entry : s_.lvt)
            entry |= lvt_masked;
    arm_timer();
}

void Lapic::write_local_vector(LocalVector entry, u32 value)
{
    poll_timer();
    const TimerMode before = timer_mode();
    u32& stored = s_.lvt[entry];
    const u32 remote_irr = value & lvt_level ? stored & lvt_remote_irr : 0;
    stored = (value & lvt_writable[entry]) | remote_irr;
    if (!software_enabled())
        stored |= lvt_masked;
    if (entry == lvt_timer) {
        if ((before == TimerMode::tsc_deadline) != (timer_mode() == TimerMode::tsc_deadline)) {
            s_.next_expiry = Timer::never;
            s_.tsc_deadline = 0;
        }
        arm_timer();
    }
    // A level that was up all the time counts as soon as its entry lets it through.
    const bool up = entry == lvt_lint0 ? s_.lint0 : entry == lvt_lint1 ? s_.lint1 : false;
    if (up && stored & lvt_level && (stored >> 8 & 7) == u32(DeliveryMode::fixed))
        local_interrupt(entry);
}

bool Lapic::write_x2apic(unsigned index, u64 value)
{
    u64 allowed = 0;
    if (!x2apic_writable(index, allowed) || value & ~allowed)
        return false;
    if (index == reg_icr) {
        s_.icr = value;
        send_command();
    } else if (index == reg_self_ipi) {
        value < 16 ? error(error_sent_vector) : accept_own(u8(value));
    } else {
        write_register(index, u32(value));
    }
    return true;
}

void Lapic::accept_own(u8 vector)
{
    if (software_enabled())
        accept_vector(vector, false);
}

bool Lapic::write_base(u64 value)
{
    const u64 modes = base_enable | (configuration_.x2apic ? base_x2apic : 0);
    const u64 address = low_mask(configuration_.physical_bits) & ~page_mask;
    if (value & ~(address | modes | base_bootstrap))
        return false;
    const bool enable = value & base_enable, extended = value & base_x2apic;
    // SDM figure 11-27: x2APIC mode is entered from xAPIC mode and left by disabling.
    if ((extended && !enable) || (extended && !globally_enabled()) || (x2apic() && enable && !extended))
        return false;
    if (!enable && globally_enabled())
        clear_registers();
    if (!enable || (extended && !x2apic()))
        s_.id = configuration_.id & 0xff;
    s_.base = value;
    return true;
}

bool Lapic::read_msr(u32 msr, u64& value)
{
    const Call call(*this);
    if (msr == msr_base) {
        value = s_.base;
        return true;
    }
    if (msr == msr_tsc_deadline) {
        poll_timer();
        value = s_.tsc_deadline;
        return true;
    }
    const unsigned index = msr - msr_x2apic_first;
    if (msr < msr_x2apic_first || msr > msr_x2apic_last || !x2apic() || !x2apic_readable(index))
        return false;
    value = index == reg_icr ? s_.icr : read_register(index);
    return true;
}

bool Lapic::write_msr(u32 msr, u64 value)
{
    const Call call(*this);
    if (msr == msr_base)
        return write_base(value);
    if (msr == msr_tsc_deadline)
        return write_tsc_deadline(value);
    return msr >= msr_x2apic_first && msr <= msr_x2apic_last && x2apic() && write_x2apic(msr - msr_x2apic_first, value);
}

}
