#pragma once
// A processor run by the kernel's virtual machine monitor. The local APIC and HLT are the kernel's; the 8259's interrupts,
// ports and registers in memory come out to here.
//
// run() comes back for a kick only with every instruction and interrupt under way finished, so that save() sees a state
// between two instructions.
// Not modelled: FERR# (a guest with CR0.NE clear gets no IRQ 13), SMM, counting of instructions.

#include <optional>

#include <pthread.h>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"
#include "engine/cpu/kvm/kvm_cpuid.h"
#include "engine/cpu/kvm/kvm_gate.h"
#include "engine/cpu/kvm/kvm_memory.h"
#include "engine/cpu/kvm/kvm_time.h"
#include "engine/cpu/vcpu.h"
#include "engine/device/interrupt/lapic.h"
#include "engine/memory/port_space.h"

struct kvm_run;

namespace engine {

class KvmVcpu final : public Vcpu {
public:
    struct Wires {
        AddressSpace& memory;
        PortSpace& ports;
        KvmMemory& slots;
        KvmGate& gate;
        KvmTime& time;
        // Called on the vCPU's thread; both take the machine's lock themselves.
        std::function<u8()> acknowledge_interrupt;
        std::function<void(u8 vector)> end_of_interrupt;
    };

    // `vcpu`: what KVM_CREATE_VCPU gave, with its CPUID set; `run_size`: bytes of the page it shares.
    static Result<std::unique_ptr<KvmVcpu>> create(unsigned index, FileDescriptor vcpu, std::size_t run_size, Wires wires);
    ~KvmVcpu() override;
    KvmVcpu(const KvmVcpu&) = delete;
    KvmVcpu& operator=(const KvmVcpu&) = delete;

    // Before its first run: another CPUID. False: KVM refuses.
    bool take_model(const KvmDevice& device, const x86::CpuModel& model);

    VcpuExit run() override;
    void kick() override { ask(request_kick); }

    void save(x86::CpuState& to) override;
    void load(const x86::CpuState& from) override;
    // The local APIC is reset with it.
    void reset() override;

    void set_intr(bool level) override;
    void raise_nmi() override { ask(request_nmi); }
    void raise_smi() override { }
    std::string failure() const override { return failure_; }
    u64 instructions() const override { return 0; }

    // While not in run(): the local APIC, which goes in after load().
    Lapic::State save_lapic() const;
    void load_lapic(const Lapic::State& from);

private:
    enum Request : u32 { request_kick = 1, request_nmi = 2 };
    class Presence;

    KvmVcpu(unsigned index, FileDescriptor vcpu, kvm_run* run, std::size_t run_size, Wires wires);

    void ask(u32 what);
    void interrupt();
    void set_immediate_exit(bool immediate);
    bool immediate_exit() const;

    std::optional<VcpuExit> enter();
    std::optional<VcpuExit> enter_immediately();
    std::optional<VcpuExit> settle();
    bool event_in_flight() const;
    void offer_interrupt();

    std::optional<VcpuExit> handle_exit();
    void access_ports();
    void access_memory();
    VcpuExit failed(std::string why);
    std::string internal_error() const;

    bool tsc_offset(u64& offset) const;
    void set_tsc_offset(u64 offset);
    void follow_clock();
    u64 clock_base();

    const unsigned index_;
    const FileDescriptor vcpu_;
    kvm_run* const run_;
    const std::size_t run_size_;
    Wires wires_;

    KvmGate::Visitor visitor_;
    std::atomic<u32> requests_ = 0;
    std::atomic<bool> intr_ = false;
    std::mutex thread_mutex_;
    std::optional<pthread_t> thread_;    // within run()
    int thread_id_ = 0;

    // The vCPU's own thread.
    bool unfinished_access_ = false;    // KVM has not yet taken the result of the last port or memory access
    bool vector_in_flight_ = false;    // KVM was given a vector and has not entered the guest since
    u64 applied_base_ = 0;    // KvmTime's base in KVM's offset of this vCPU
    std::string failure_;
};

}
