#pragma once
// Whether a processor can come to be in a state, as far as what executes it relies on that. A snapshot's is asked first.

#include "engine/cpu/x86/state.h"

namespace engine::x86 {

bool possible(const CpuState& s);

}
