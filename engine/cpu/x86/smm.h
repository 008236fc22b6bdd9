#pragma once
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// System management mode. SDM vol. 3, chapter 31 (34 in older editions); AMD64 vol. 2, 10.2 for the 64-bit save map.
void enter_smm(Cpu& c);
void leave_smm(Cpu& c);

}
