#pragma once
// The options that describe a machine, shared by `create` and `boot`.

#include "app/command_line/arguments.h"
#include "engine/engine.h"

namespace app {

std::vector<Option> sizeOptions();    // --memory, --cpus, --accel
std::vector<Option> bootOptions();    // --cdrom, --disk, --floppy, --kernel, --initrd, --append

// Fills in what was given. Whether the machine can exist is the engine's to say; that the words are numbers, ours.
engine::Result<void> applySizes(const Arguments& arguments, engine::MachineDefinition& definition);
engine::Result<void> applyCdrom(const Arguments& arguments, engine::MachineDefinition& definition);
// The disc as well.
engine::Result<void> applyMedia(const Arguments& arguments, engine::MachineDefinition& definition);

}
