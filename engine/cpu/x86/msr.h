#pragma once
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// False: #GP(0). SDM vol. 4.
bool read_msr(Cpu& c, u32 number, u64& value);
bool write_msr(Cpu& c, u32 number, u64 value);

u64 time_stamp(const Cpu& c);

}
