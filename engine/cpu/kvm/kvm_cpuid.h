#pragma once
// What a KVM vCPU says of itself: the processor model, without what this host's KVM can't give.

#include "engine/cpu/kvm/kvm_device.h"
#include "engine/cpu/x86/cpuid.h"

namespace engine {

// Which of the model's features that some machines don't have a guest would see.
u32 kvm_features(const KvmDevice& device, const x86::CpuModel& model);
Result<void> set_kvm_cpuid(const KvmDevice& device, const FileDescriptor& vcpu, const x86::CpuModel& model, u32 apic_id);

}
