#include "engine/cpu/kvm/kvm_cpuid.h"

#include <algorithm>
#include <utility>

#include <linux/kvm.h>

#include "engine/cpu/kvm/kvm_list.h"

namespace engine {

using x86::CpuidResult;

namespace {
using CpuidTable = KvmList<kvm_cpuid_entry2, 256>;

struct Leaf {
    u32 number;
    u32 subleaves;    // 0: the leaf has none
};
constexpr Leaf leaves[] = {{0, 0},          {1, 0},          {2, 0},          {4, 5},          {6, 0},          {7, 1},
                           {0xb, 3},        {0xd, 10},       {0x15, 0},       {0x40000000, 0}, {0x80000000, 0}, {0x80000001, 0},
                           {0x80000002, 0}, {0x80000003, 0}, {0x80000004, 0}, {0x80000006, 0}, {0x80000007, 0}, {0x80000008, 0}};

// These KVM has whatever it lists: it lists them only for some kinds of its own interrupt chips. HTT only counts.
constexpr u32 ecx_x2apic = 1 << 21, ecx_tsc_deadline = 1 << 24, ecx_hypervisor = 1u << 31, edx_apic = 1 << 9, edx_htt = 1 << 28;

// Takes from `model` the features of `leaf` that the host doesn't have; every other word stays the model's.
CpuidResult both(const KvmDevice& device, const CpuidTable& host, u32 leaf, u32 subleaf, CpuidResult model)
{
    kvm_cpuid_entry2 has{};
    for (const kvm_cpuid_entry2& entry : host.entries())
        if (entry.function == leaf && entry.index == subleaf)
            has = entry;
    switch (leaf) {
    case 1: {
        const u32 deadline = device.extension(KVM_CAP_TSC_DEADLINE_TIMER) > 0 ? ecx_tsc_deadline : 0;
        model.ecx &= has.ecx | ecx_hypervisor | ecx_x2apic | deadline;
        model.edx &= has.edx | edx_apic | edx_htt;
        return model;
    }
    // KVM keeps EBX of subleaves 0 and 1 itself. The component's size and place are the same on every host.
    case 0xd:
        return {model.eax & has.eax, model.ebx, model.ecx, model.edx};
    case 7:
        return {0, model.ebx & has.ebx, model.ecx & has.ecx, model.edx & has.edx};
    case 0x80000001:
        return {model.eax, model.ebx, model.ecx & has.ecx, model.edx & has.edx};
    case 0x80000007:
        return {0, 0, 0, model.edx & has.edx};
    default:
        return model;
    }
}
}

// XSAVE's components must also lie where the model has them, for the processor itself writes the images.
u32 kvm_features(const KvmDevice& device, const x86::CpuModel& model)
{
    CpuidTable host;
    host.offer_all();
    if (control(device.file(), kvm_request::get_supported_cpuid, host.data()) != 0)
        return 0;
    u32 shown = 0;
    for (const auto& [leaf, subleaf] : {std::pair{1u, 0u}, {7u, 0u}, {0xdu, 1u}})
        shown |= x86::features_shown(leaf, subleaf, both(device, host, leaf, subleaf, x86::cpuid(model, {}, leaf, subleaf)));
    for (const kvm_cpuid_entry2& entry : host.entries())
        for (const auto& [component, at, size] : x86::xsave_components)
            if (entry.function == 0xd && entry.index < 64 && component == u64(1) << entry.index
                && (entry.ebx != at || entry.eax != size)) {
                shown &= component == x86::xcr0_pkru ? ~u32(x86::feature_pku) : ~u32(0);
                shown &= component & x86::xcr0_avx512 ? ~x86::avx512_features : ~u32(0);
            }
    return model.features & shown;
}

Result<void> set_kvm_cpuid(const KvmDevice& device, const FileDescriptor& vcpu, const x86::CpuModel& model, u32 apic_id)
{
    CpuidTable host, guest;
    host.offer_all();
    if (control(device.file(), kvm_request::get_supported_cpuid, host.data()) != 0)
        return kvm_error("say which processor features it supports");
    // The time stamp's rate as a ratio says the truth only for the model's round rate.
    const bool round_rate = model.tsc_hz % 1'000'000'000 == 0;
    for (const Leaf& leaf : leaves) {
        if (leaf.number == 0x15 && !round_rate)
            continue;
        for (u32 subleaf = 0; subleaf < std::max(leaf.subleaves, 1u); ++subleaf) {
            const CpuidResult r
                = both(device, host, leaf.number, subleaf, x86::cpuid(model, {.apic_id = apic_id}, leaf.number, subleaf));
            guest.add(
                {.function = leaf.number,
                 .index = subleaf,
                 .flags = leaf.subleaves ? u32(KVM_CPUID_FLAG_SIGNIFCANT_INDEX) : 0,
                 .eax = r.eax,
                 .ebx = r.ebx,
                 .ecx = r.ecx,
                 .edx = r.edx});
        }
    }
    if (control(vcpu, kvm_request::set_cpuid, guest.data()) != 0)
        return kvm_error("take the processor model");
    return {};
}

}
