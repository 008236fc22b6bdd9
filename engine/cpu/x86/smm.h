#pragma once
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// System management mode. SDM vol. 3, chapter 31 (34 in older editions); AMD64 vol. 2, 10.2 for the 64-bit save map.
void enter_smm(Cpu& c);
void leave_smm(Cpu& c);

inline Viewer viewer(const Cpu& c)
{
    return c.in_smm ? Viewer::smm : Viewer::everyone;
}
// Memory as the processor sees it in or out of the mode, from now on.
void take_view(Cpu& c);

}
