#include "engine/cpu/x86/cpuid.h"

#include <bit>
#include <cstring>
#include <span>
#include <utility>

#include <cpuid.h>

namespace engine::x86 {

namespace {

// Leaf 1 EDX: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 HTT.
constexpr u32 leaf1_edx = 0x078bfbff;
constexpr u32 edx_htt = 1 << 28, edx_apic = 1 << 9;
// Leaf 1 ECX: SSE3 PCLMULQDQ SSSE3 CX16 PCID SSE4.1 SSE4.2 x2APIC MOVBE POPCNT TSC-deadline AES XSAVE RDRAND, and the hypervisor bit.
constexpr u32 leaf1_ecx = 1u << 0 | 1u << 1 | 1u << 9 | 1u << 13 | 1u << 17 | 1u << 19 | 1u << 20 | 1u << 21 | 1u << 22 | 1u << 23
    | 1u << 24 | 1u << 25 | 1u << 26 | 1u << 30 | 1u << 31;
constexpr u32 ecx_osxsave = 1 << 27;
// Leaf 7 EBX: FSGSBASE BMI1 SMEP BMI2 ERMS INVPCID RDSEED ADX SMAP CLFLUSHOPT CLWB; ECX: UMIP RDPID; EDX: FSRM, SPEC_CTRL, ARCH_CAPABILITIES.
constexpr u32 leaf7_ebx
    = 1u << 0 | 1u << 3 | 1u << 7 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 18 | 1u << 19 | 1u << 20 | 1u << 23 | 1u << 24;
constexpr u32 leaf7_ecx = 1u << 2 | 1u << 22;
constexpr u32 leaf7_edx = 1u << 4 | 1u << 26 | 1u << 29;
// Extended leaf 1: LAHF in 64-bit mode, LZCNT, PREFETCHW; SYSCALL, NX, RDTSCP, long mode.
constexpr u32 extended1_ecx = 1u << 0 | 1u << 5 | 1u << 8;
constexpr u32 extended1_edx = 1u << 11 | 1u << 20 | 1u << 27 | 1u << 29;

constexpr u32 family_model_stepping = 0x000506e3;    // family 6, Skylake class
constexpr char brand[48] = "Paddock Virtual Processor";

CpuidResult brand_part(unsigned part)
{
    CpuidResult r;
    std::memcpy(&r, brand + 16 * part, 16);
    return r;
}

// The features that not every machine has, in the words that show them.
struct FeatureBit {
    Feature feature;
    u32 bit;    // or all of several
};
constexpr FeatureBit leaf1_ecx_bits[] = {{feature_fma, 1 << 12}, {feature_avx, 1 << 28}, {feature_f16c, 1 << 29}};
constexpr u32 ebx_avx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;    // F, DQ, CD, BW, VL
constexpr FeatureBit leaf7_ebx_bits[]
    = {{feature_tsc_adjust, 1 << 1},
       {feature_avx2, 1 << 5},
       {feature_avx512, ebx_avx512},
       {feature_avx512_ifma, 1 << 21},
       {feature_sha, 1 << 29}};
constexpr FeatureBit leaf7_ecx_bits[] = {{feature_avx512_vbmi, 1 << 1},    {feature_pku, 1 << 3},
                                         {feature_avx512_vbmi2, 1 << 6},   {feature_vaes, 1 << 9},
                                         {feature_vpclmulqdq, 1 << 10},    {feature_avx512_vnni, 1 << 11},
                                         {feature_avx512_bitalg, 1 << 12}, {feature_avx512_vpopcntdq, 1 << 14}};
constexpr FeatureBit leaf7_edx_bits[] = {{feature_serialize, 1 << 14}, {feature_avx512_fp16, 1 << 23}};
constexpr FeatureBit leaf0d_eax_bits[] = {{feature_xsaves, 1 << 3}};    // of subleaf 1
constexpr u32 ecx_ospke = 1 << 4;

u32 shown(std::span<const FeatureBit> bits, u32 features)
{
    u32 word = 0;
    for (const auto& [feature, bit] : bits)
        word |= features & feature ? bit : 0;
    return word;
}
u32 found(std::span<const FeatureBit> bits, u32 word)
{
    u32 features = 0;
    for (const auto& [feature, bit] : bits)
        features |= (word & bit) == bit ? u32(feature) : 0;
    return features;
}

// Leaf 0DH.
CpuidResult extended_states(const CpuModel& m, const CpuidContext& x, u32 subleaf)
{
    constexpr u32 xsaveopt = 1, xsavec = 2, xgetbv_1 = 4;
    const u64 supported = supported_components(m);
    if (subleaf == 0)
        return {u32(supported), xsave_size(x.xcr0), xsave_size(supported), 0};
    if (subleaf == 1)
        return {xsaveopt | xsavec | xgetbv_1 | shown(leaf0d_eax_bits, m.features), compacted_size(x.xcr0), 0, 0};
    for (const auto& [component, at, size] : xsave_components)
        if (subleaf < 64 && component == u64(1) << subleaf && supported & component)
            return {size, at, 0, 0};
    return {};
}

u32 detect_usual_features()
{
    u32 shown_by_host = feature_tsc_adjust;    // KVM has it everywhere
    for (const auto& [leaf, subleaf] : {std::pair{7u, 0u}, {0xdu, 1u}}) {
        CpuidResult r;
        if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx))
            shown_by_host |= features_shown(leaf, subleaf, r);
    }
    return host_features() | (shown_by_host & host_independent_features);
}

// XCR0 as the host's kernel has set it.
u64 host_components()
{
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0, enabled = 0, upper = 0;
    __get_cpuid(1, &eax, &ebx, &ecx, &edx);
    if (ecx & ecx_osxsave)
        asm("xgetbv" : "=a"(enabled), "=d"(upper) : "c"(0));
    return u64(upper) << 32 | enabled;
}

u32 detect_features()
{
    CpuidResult one, seven;
    __get_cpuid(1, &one.eax, &one.ebx, &one.ecx, &one.edx);
    __get_cpuid_count(7, 0, &seven.eax, &seven.ebx, &seven.ecx, &seven.edx);
    return features_shown(1, 0, one) | features_shown(7, 0, seven);
}

u32 detect_host_features()
{
    const u32 features = detect_features() & ~(host_independent_features | avx512_features);
    // All but SHA are AVX, which the host's kernel must have switched on.
    const bool avx = features & feature_avx && !(~host_components() & (xcr0_sse | xcr0_avx));
    return avx ? features : features & feature_sha;
}

u32 detect_host_avx512_features()
{
    const u32 features = detect_features() & avx512_features;
    const bool usable = features & feature_avx512 && host_features() & feature_avx2 && !(~host_components() & xcr0_avx512);
    return usable ? features : 0;
}

CpuidResult vendor(u32 highest)
{
    return {highest, 0x756e6547, 0x6c65746e, 0x49656e69};    // "GenuineIntel"
}

// Deterministic cache parameters: L1D, L1I 32 KiB, L2 1 MiB, L3 8 MiB.
CpuidResult caches(const CpuModel& m, u32 subleaf)
{
    struct Cache {
        u32 type, level, ways, sets;
    };
    constexpr Cache list[] = {{1, 1, 8, 64}, {2, 1, 8, 64}, {3, 2, 16, 1024}, {3, 3, 16, 8192}};
    if (subleaf >= std::size(list))
        return {};
    const Cache& c = list[subleaf];
    const u32 sharing = c.level == 3 ? m.cpus - 1 : 0;
    return {c.type | c.level << 5 | 1u << 8 | sharing << 14 | (m.cpus - 1) << 26, (c.ways - 1) << 22 | 63, c.sets - 1, 0};
}

CpuidResult topology(const CpuModel& m, const CpuidContext& x, u32 subleaf)
{
    const u32 shift = u32(std::bit_width(m.cpus - 1));
    if (subleaf == 0)
        return {0, 1, 1 << 8, x.apic_id};
    if (subleaf == 1)
        return {shift, m.cpus, 2 << 8 | 1, x.apic_id};
    return {0, 0, subleaf, x.apic_id};
}

}

u32 host_features()
{
    static const u32 features = detect_host_features();
    return features;
}

u32 host_avx512_features()
{
    static const u32 features = detect_host_avx512_features();
    return features;
}

u32 usual_features()
{
    static const u32 features = detect_usual_features();
    return features;
}

unsigned xsave_size(u64 components)
{
    unsigned size = xsave_legacy_size + xsave_header_size;
    for (const XsaveComponent& c : xsave_components)
        size = c.component & components ? c.at + c.size : size;
    return size;
}

unsigned compacted_size(u64 components)
{
    return compacted_at({~u64(0), 0, 0}, components);
}

u64 supported_components(const CpuModel& model)
{
    return xcr0_x87 | xcr0_sse | (model.features & feature_avx ? xcr0_avx : 0)
        | (model.features & feature_avx512 ? xcr0_avx512 : 0) | (model.features & feature_pku ? xcr0_pkru : 0);
}

u32 features_shown(u32 leaf, u32 subleaf, const CpuidResult& r)
{
    if (leaf == 1)
        return found(leaf1_ecx_bits, r.ecx);
    if (leaf == 7 && subleaf == 0)
        return found(leaf7_ebx_bits, r.ebx) | found(leaf7_ecx_bits, r.ecx) | found(leaf7_edx_bits, r.edx);
    return leaf == 0xd && subleaf == 1 ? found(leaf0d_eax_bits, r.eax) : 0;
}

CpuidResult cpuid(const CpuModel& m, const CpuidContext& x, u32 leaf, u32 subleaf)
{
    switch (leaf) {
    case 0:
        return vendor(0x15);
    case 1:
        return {
            family_model_stepping, 8u << 8 | m.cpus << 16 | x.apic_id << 24,
            leaf1_ecx | shown(leaf1_ecx_bits, m.features) | (x.osxsave ? ecx_osxsave : 0),
            (leaf1_edx & (x.apic_enabled ? ~0u : ~edx_apic)) | (m.cpus > 1 ? edx_htt : 0)};
    case 2:
        return {0x00feff01, 0, 0, 0};
    case 4:
        return caches(m, subleaf);
    case 6:
        return {1u << 2, 0, 0, 0};    // ARAT: the APIC timer never stops
    case 7:
        return subleaf == 0
            ? CpuidResult{0, leaf7_ebx | shown(leaf7_ebx_bits, m.features), leaf7_ecx | shown(leaf7_ecx_bits, m.features) | (x.ospke ? ecx_ospke : 0), leaf7_edx | shown(leaf7_edx_bits, m.features)}
            : CpuidResult{};
    case 0xb:
        return topology(m, x, subleaf);
    case 0xd:
        return extended_states(m, x, subleaf);
    case 0x15:
        return {1'000, u32(m.tsc_hz / 1'000'000), 1'000'000'000, 0};    // the crystal is the local APIC's 1 GHz
    case 0x40000000:
        return {0x40000000, 0x64646150, 0x506b636f, 0x6b636f64};
    case 0x80000000:
        return {0x80000008, 0, 0, 0};
    case 0x80000001:
        return {0, 0, extended1_ecx, extended1_edx};
    case 0x80000002:
        return brand_part(0);
    case 0x80000003:
        return brand_part(1);
    case 0x80000004:
        return brand_part(2);
    case 0x80000006:
        return {0, 0, 1024u << 16 | 8u << 12 | 64, 0};
    case 0x80000007:
        return {0, 0, 0, 1u << 8};    // invariant TSC
    case 0x80000008:
        return {48u << 8 | 40, 0, 0, 0};
    default:
        return {};
    }
}

}
