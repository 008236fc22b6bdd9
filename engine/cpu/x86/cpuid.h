#pragma once
#include <array>

#include "engine/base/types.h"

namespace engine::x86 {

// Features that a machine has only on a host that has them: handlers, and the translator's code, are the host's own forms.
enum HostFeature : u32 {
    feature_avx = 1,
    feature_avx2 = 2,
    feature_fma = 4,
    feature_f16c = 8,
    feature_sha = 16,
    feature_vaes = 32,
    feature_vpclmulqdq = 64,
};
u32 host_features();

// What a machine's processors say of themselves; fixed for a machine's life, so that snapshots move between hosts.
struct CpuModel {
    unsigned cpus = 1;
    u64 tsc_hz = 1'000'000'000;
    u32 features = host_features();    // HostFeature
};

// XCR0's bits and the XSAVE image, SDM vol. 1, 13.1 and 13.4.
constexpr u64 xcr0_x87 = 1, xcr0_sse = 2, xcr0_avx = 4;
constexpr unsigned xsave_legacy_size = 512, xsave_header_size = 64, xsave_avx_size = 256;
u64 supported_components(const CpuModel& model);

struct CpuidResult {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// What shows through: CR4.OSXSAVE and the local APIC's enable bit in leaf 1, XCR0 in leaf 0DH.
struct CpuidContext {
    u32 apic_id = 0;
    bool osxsave = false;
    bool apic_enabled = true;
    u64 xcr0 = 1;
};

// SDM vol. 2, CPUID. Only what the interpreter and KVM both have.
CpuidResult cpuid(const CpuModel& model, const CpuidContext& context, u32 leaf, u32 subleaf);

}
