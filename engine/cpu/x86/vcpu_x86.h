#pragma once
// Vcpu without KVM: the interpreter over decoded blocks (tier 0 of the translator, and its reference).

#include <functional>
#include <memory>

#include "engine/cpu/vcpu.h"
#include "engine/cpu/x86/cpuid.h"
#include "engine/device/interrupt/lapic.h"
#include "engine/memory/address_space.h"
#include "engine/memory/port_space.h"

namespace engine {

namespace x86 {
class Rendezvous;
class HostCodeTier;
struct Cpu;
}

// All vCPUs of a machine share memory, ports, model and rendezvous; every one has its own Lapic, whose sink this sets.
struct InterpreterParts {
    AddressSpace& memory;
    PortSpace& ports;
    Lapic& lapic;
    VcpuWires wires;
    const x86::CpuModel& model;
    std::shared_ptr<x86::Rendezvous> rendezvous;
    unsigned index = 0;
    // Makes the tier above the interpreter; null: none.
    std::function<std::unique_ptr<x86::HostCodeTier>(x86::Cpu&)> make_tier;
};

std::shared_ptr<x86::Rendezvous> make_rendezvous();
std::unique_ptr<Vcpu> make_interpreter_vcpu(InterpreterParts parts);

}
