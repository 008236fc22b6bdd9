#pragma once
// Which back end runs a machine's processors, and why.

#include "engine/engine.h"
#include "engine/machine/processors.h"

namespace engine {

struct AcceleratorChoice {
    Machine::AcceleratorInUse in_use;
    std::function<Result<std::unique_ptr<Processors>>(unsigned count, Processors::Wires wires)> make_processors;
};

AcceleratorChoice choose_accelerator(Accelerator wanted);

}
