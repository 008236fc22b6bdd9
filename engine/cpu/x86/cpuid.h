#pragma once
#include <array>

#include "engine/base/types.h"

namespace engine::x86 {

// Features that not every machine has. The first seven only on a host that has them: handlers, and the translator's code, are
// the host's own forms. The rest came when there were machines already, which go on without.
enum Feature : u32 {
    feature_avx = 1,
    feature_avx2 = 2,
    feature_fma = 4,
    feature_f16c = 8,
    feature_sha = 16,
    feature_vaes = 32,
    feature_vpclmulqdq = 64,
    feature_pku = 128,
    feature_tsc_adjust = 256,
    feature_xsaves = 512,
    feature_serialize = 1024,
};
constexpr u32 host_independent_features = feature_pku | feature_tsc_adjust | feature_xsaves | feature_serialize;
u32 host_features();
// All that a machine on the interpreter or the translator may have here.
inline u32 most_features()
{
    return host_features() | host_independent_features;
}
// What a new one has: of the newer features those of the host, so that it can go on under KVM.
u32 usual_features();

// What a machine's processors say of themselves; fixed for a machine's life, so that snapshots move between hosts.
struct CpuModel {
    unsigned cpus = 1;
    u64 tsc_hz = 1'000'000'000;
    u32 features = usual_features();    // Feature
};

// XCR0's bits and the XSAVE image, SDM vol. 1, 13.1 and 13.4.
constexpr u64 xcr0_x87 = 1, xcr0_sse = 2, xcr0_avx = 4, xcr0_pkru = 1 << 9;
constexpr unsigned xsave_legacy_size = 512, xsave_header_size = 64, xsave_avx_size = 256, xsave_pkru_size = 8;
constexpr unsigned xsave_avx_at = xsave_legacy_size + xsave_header_size;
constexpr unsigned xsave_pkru_at = 2688;    // in the standard format, where Intel's processors with AVX-512 have it
u64 supported_components(const CpuModel& model);
// In the compacted format of an image with these components PKRU follows what comes before it.
constexpr unsigned compacted_pkru_at(u64 components)
{
    return xsave_avx_at + (components & xcr0_avx ? xsave_avx_size : 0);
}

struct CpuidResult {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// What shows through: CR4.OSXSAVE and the local APIC's enable bit in leaf 1, CR4.PKE in leaf 7, XCR0 in leaf 0DH.
struct CpuidContext {
    u32 apic_id = 0;
    bool osxsave = false;
    bool apic_enabled = true;
    u64 xcr0 = 1;
    bool ospke = false;
};

// SDM vol. 2, CPUID. Only what the interpreter and KVM both have.
CpuidResult cpuid(const CpuModel& model, const CpuidContext& context, u32 leaf, u32 subleaf);
// The features that a word of a leaf shows.
u32 features_shown(u32 leaf, u32 subleaf, const CpuidResult& result);

}
