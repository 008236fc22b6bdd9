#pragma once
// The processors of a machine with what connects them, on one back end.

#include <memory>
#include <mutex>
#include <vector>

#include "engine/base/result.h"
#include "engine/cpu/vcpu.h"
#include "engine/device/display/dirty_pages.h"
#include "engine/device/interrupt/interrupt_message.h"
#include "engine/memory/address_space.h"
#include "engine/memory/port_space.h"
#include "engine/time/deadline_queue.h"

namespace engine {

class Processors {
public:
    // What processors need of their board.
    struct Wires {
        AddressSpace& memory;
        PortSpace& ports;
        DeadlineQueue& deadlines;
        std::mutex& machine_lock;
        // The rest is called on vCPU threads with the machine's lock held.
        std::function<u8()> acknowledge_interrupt;    // the 8259 pair's INTA cycle
        std::function<void(u8 vector)> end_of_interrupt;    // of a level-triggered vector, for the I/O APIC
        std::function<void(bool level)> ferr;
        bool perf_map = false;    // MachineDefinition's
    };

    virtual ~Processors() = default;

    virtual std::vector<Vcpu*> vcpus() = 0;
    virtual bool has_smm() const = 0;
    // Whether guests' writes ask MemoryBlock::before_write().
    virtual bool tells_of_writes() const { return true; }
    // Machine's lock held.
    virtual bool deliver(const InterruptMessage& message) = 0;
    virtual void set_intr(bool level) = 0;
    virtual DirtyRounds& dirty_rounds() = 0;
    // What CPUID shows beyond what every machine has: x86::Feature. A machine keeps what it began with, wherever it goes on.
    virtual u32 features() const = 0;
    // Machine's lock held, every vCPU out of the guest. False where not all of them are to be had: nothing changes then.
    virtual bool take_features(u32 features) = 0;
    // Machine's lock held, every vCPU out of the guest.
    virtual void reset() = 0;
    virtual void visit(StateVisitor& visitor) = 0;
    virtual bool restored() = 0;
};

Result<std::unique_ptr<Processors>> make_translator(unsigned count, Processors::Wires wires);
Result<std::unique_ptr<Processors>> make_interpreter(unsigned count, Processors::Wires wires);
// The translator, checked by the interpreter. Fails for more than one vCPU.
Result<std::unique_ptr<Processors>> make_lockstep(unsigned count, Processors::Wires wires);
// Fails where /dev/kvm can't be used at all; does not ask whether an operating system would run on it.
Result<std::unique_ptr<Processors>> make_kvm(unsigned count, Processors::Wires wires);

}
