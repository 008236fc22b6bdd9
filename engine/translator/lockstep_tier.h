#pragma once
// The translator checked against the interpreter while a guest runs: every block's host code is run, what it did to memory is
// taken back, the interpreter does the same again, and registers, flags, memory and faults must be alike.
//
// Not compared: blocks that reach a device, the clock or chance, since those can't be asked twice (the report at the end
// says how many); the x87's last instruction and data pointers, which host code leaves alone. Flags may differ that the
// manual leaves undefined, and others as long as nothing reads them before they are made anew. For one vCPU.

#include <memory>

#include "engine/cpu/x86/host_code_tier.h"

namespace engine::translator {

// The first difference goes to standard error, with both states, and stops the guest as failed. `checked` comes back after
// each block.
std::unique_ptr<x86::HostCodeTier> make_lockstep_tier(x86::Cpu& c, std::unique_ptr<x86::HostCodeTier> checked);

}
