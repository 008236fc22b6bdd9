#pragma once
#include <array>

#include "engine/base/types.h"

namespace engine::x86 {

// What a machine's processors say of themselves; fixed for a machine's life, so that snapshots move between hosts.
struct CpuModel {
    unsigned cpus = 1;
    u64 tsc_hz = 1'000'000'000;
};

struct CpuidResult {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// `os_bits`: CR4.OSXSAVE and the local APIC's enable bit show through in leaf 1.
struct CpuidContext {
    u32 apic_id = 0;
    bool osxsave = false;
    bool apic_enabled = true;
};

// SDM vol. 2, CPUID. Only what the interpreter and KVM both have.
CpuidResult cpuid(const CpuModel& model, const CpuidContext& context, u32 leaf, u32 subleaf);

}
