#pragma once
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// #GP(0) unless IOPL or the TSS's permission bitmap allows it. SDM vol. 1, 19.5.
void check_io_permission(Cpu& c, const Insn* i, u16 port, unsigned size);

// Before the access, once it can no longer fault: what system management mode may ask about it.
void note_port_access(Cpu& c, const Insn* i, u16 port, unsigned size, bool is_input, bool is_string);

}
