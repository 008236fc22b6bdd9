#pragma once
// The canonical state of a processor in and out of a KVM vCPU: KVM_GET/SET_REGS, SREGS, XSAVE, DEBUGREGS, MSRS, VCPU_EVENTS
// and MP_STATE. Only while the vCPU is not in KVM_RUN and nothing is being injected.
//
// Not here: the time stamp (KvmVcpu) and the local APIC (kvm_lapic.h). Not modelled: the selectors of the last x87
// instruction and operand, which a 64-bit host doesn't keep, and SMM. XCR0 keeps its reset value: the processor model has
// no XSAVE.

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"
#include "engine/cpu/x86/state.h"

namespace engine {

Result<void> save_kvm_state(const FileDescriptor& vcpu, x86::CpuState& to);
Result<void> load_kvm_state(const FileDescriptor& vcpu, const x86::CpuState& from);

// One model-specific register. Writing what KVM does not have returns false.
u64 read_kvm_msr(const FileDescriptor& vcpu, u32 index);
bool write_kvm_msr(const FileDescriptor& vcpu, u32 index, u64 value);

}
