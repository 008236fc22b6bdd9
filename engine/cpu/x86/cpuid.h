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
    feature_avx512 = 1 << 11,    // F, CD, BW, DQ and VL
    feature_avx512_ifma = 1 << 12,
    feature_avx512_vbmi = 1 << 13,
    feature_avx512_vbmi2 = 1 << 14,
    feature_avx512_vnni = 1 << 15,
    feature_avx512_bitalg = 1 << 16,
    feature_avx512_vpopcntdq = 1 << 17,
    feature_avx512_fp16 = 1 << 18,
};
constexpr u32 avx512_features = feature_avx512 | feature_avx512_ifma | feature_avx512_vbmi | feature_avx512_vbmi2
    | feature_avx512_vnni | feature_avx512_bitalg | feature_avx512_vpopcntdq | feature_avx512_fp16;
constexpr u32 host_independent_features = feature_pku | feature_tsc_adjust | feature_xsaves | feature_serialize;
u32 host_features();
// AVX-512 and what belongs to it, of the host's; none where it has no AVX-512. A machine has them only if it is asked for: here
// each instruction is a call of its handler, which a guest that would otherwise take AVX2's does not want.
u32 host_avx512_features();
// All that a machine on the interpreter or the translator may have here.
inline u32 most_features()
{
    return host_features() | host_independent_features | host_avx512_features();
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
constexpr u64 xcr0_x87 = 1, xcr0_sse = 2, xcr0_avx = 4, xcr0_opmask = 32, xcr0_zmm_high = 64, xcr0_zmm = 128, xcr0_pkru = 512;
constexpr u64 xcr0_avx512 = xcr0_opmask | xcr0_zmm_high | xcr0_zmm;
constexpr unsigned xsave_legacy_size = 512, xsave_header_size = 64;
u64 supported_components(const CpuModel& model);

// What lies behind the header: `at` in the standard format, as on Intel's processors with AVX-512.
struct XsaveComponent {
    u64 component;    // its bit
    unsigned at, size;    // bytes
};
constexpr XsaveComponent xsave_avx{xcr0_avx, 576, 256}, xsave_opmask{xcr0_opmask, 1088, 64},
    xsave_zmm_high{xcr0_zmm_high, 1152, 512}, xsave_zmm{xcr0_zmm, 1664, 1024}, xsave_pkru{xcr0_pkru, 2688, 8};
constexpr XsaveComponent xsave_components[] = {xsave_avx, xsave_opmask, xsave_zmm_high, xsave_zmm, xsave_pkru};
// In the compacted format of an image with these components each follows those before it.
constexpr unsigned compacted_at(const XsaveComponent& of, u64 components)
{
    unsigned at = xsave_legacy_size + xsave_header_size;
    for (const XsaveComponent& other : xsave_components)
        if (other.component & components && other.component < of.component)
            at += other.size;
    return at;
}

// Bytes of an image with these components, in either format.
unsigned xsave_size(u64 components);
unsigned compacted_size(u64 components);

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
