#pragma once
// What can be wrong with a machine's definition before anything of it is built, in words.

#include "engine/engine.h"

namespace engine {

constexpr u64 most_memory_mib = 1 << 20;
constexpr unsigned most_cpus = 32, most_disks = 2;

Result<void> check_definition(const MachineDefinition& definition);

// Letters of MachineDefinition::boot_order for a machine that names none: what is there, floppy, disk, optical drive.
std::string usual_boot_order(const MachineDefinition& definition);

}
