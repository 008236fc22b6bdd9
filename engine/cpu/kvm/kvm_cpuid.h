#pragma once
// What a KVM vCPU says of itself: the processor model, without what this host's KVM can't give.

#include "engine/cpu/kvm/kvm_device.h"
#include "engine/cpu/x86/cpuid.h"

namespace engine {

// Whether a guest would see all of the model's features that some machines don't have.
bool kvm_shows(const KvmDevice& device, const x86::CpuModel& model);
Result<void> set_kvm_cpuid(const KvmDevice& device, const FileDescriptor& vcpu, const x86::CpuModel& model, u32 apic_id);

}
