#pragma once
// A machine's processors, memory and interrupt messages under /dev/kvm. The interrupt chips are split (api.rst 7.5,
// KVM_CAP_SPLIT_IRQCHIP): the kernel has the local APICs, Paddock the 8259s and the I/O APIC.
//
// Threads: wired and destroyed by the machine's owner; deliver(), set_intr(), reset() with the machine's lock held.
// Not modelled: ExtINT messages (an I/O APIC pin in that mode) and SMIs; a local APIC's timer goes on while the machine
// is paused.

#include <bitset>
#include <memory>
#include <vector>

#include "engine/cpu/kvm/kvm_device.h"
#include "engine/cpu/kvm/kvm_gate.h"
#include "engine/cpu/kvm/kvm_memory.h"
#include "engine/cpu/kvm/kvm_time.h"
#include "engine/cpu/kvm/kvm_vcpu.h"
#include "engine/cpu/x86/cpuid.h"
#include "engine/device/interrupt/lapic.h"

namespace engine {

class KvmMachine {
public:
    struct Wires {
        AddressSpace& memory;
        PortSpace& ports;
        const Clock& clock;
        // Called on vCPU threads; both take the machine's lock themselves.
        std::function<u8()> acknowledge_interrupt;
        std::function<void(u8 vector)> end_of_interrupt;    // of a level-triggered vector
    };

    // `count`: 1 to 32 processors.
    static Result<std::unique_ptr<KvmMachine>> create(unsigned count, Wires wires);

    const std::vector<std::unique_ptr<KvmVcpu>>& vcpus() const { return vcpus_; }
    const x86::CpuModel& model() const { return model_; }
    // Every vCPU out of the guest. False: not all of them are to be had. A guest that has run goes on seeing those that it
    // saw, for KVM takes no other CPUID then.
    bool take_features(u32 features);

    // Whether some local APIC took the message.
    bool deliver(const InterruptMessage& message);
    // Every vCPU out of the guest: vectors once level-triggered that are neither requested nor in service anywhere. The
    // kernel may still owe the report of their end, which is no part of the state.
    std::vector<u8> finished_vectors() const;
    // Before the display looks at `block`'s dirty flags, or a snapshot at its epochs.
    void flag_writes(MemoryBlock& block) { memory_->flag_writes(block); }
    // Every vCPU out of the guest.
    void reset();

private:
    KvmMachine(KvmDevice device, FileDescriptor vm, Wires wires)
        : device_(std::move(device)),
          vm_(std::move(vm)),
          wires_(std::move(wires))
    {
    }
    Result<void> build(unsigned count);
    Result<void> add_vcpu(unsigned index);
    KvmMemory::LogClears choose_log();
    void choose_tsc_rate();
    void watch_end_of_interrupt(u8 vector);

    KvmDevice device_;
    FileDescriptor vm_;
    Wires wires_;
    x86::CpuModel model_;
    KvmGate gate_;
    std::unique_ptr<KvmTime> time_;
    std::unique_ptr<KvmMemory> memory_;
    std::vector<std::unique_ptr<KvmVcpu>> vcpus_;
    std::bitset<256> watched_;    // vectors whose end of interrupt comes out of the kernel
};

}
