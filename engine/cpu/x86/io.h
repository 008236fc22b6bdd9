#pragma once
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// #GP(0) unless IOPL or the TSS's permission bitmap allows it. SDM vol. 1, 19.5.
void check_io_permission(Cpu& c, const Insn* i, u16 port, unsigned size);

}
