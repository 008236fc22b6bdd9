#pragma once
// The kernel's local APIC as Paddock's own one names its state, so that a snapshot fits both.
// Not modelled: the expiry of a periodic timer is exact to what its count register shows.

#include <linux/kvm.h>

#include "engine/device/interrupt/lapic.h"

namespace engine {

// What of the state is not on the page of registers.
struct KvmLapicContext {
    u64 base = 0;    // IA32_APIC_BASE
    u64 tsc_deadline = 0;
    u64 now = 0;    // virtual nanoseconds; the timer counts the same 1 GHz in both
};

Lapic::State lapic_from_kvm(const kvm_lapic_state& page, const KvmLapicContext& context);
kvm_lapic_state lapic_to_kvm(const Lapic::State& state, u64 now);

}
