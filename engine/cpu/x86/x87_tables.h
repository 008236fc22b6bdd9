#pragma once
// The x87 opcodes D8 to DF by ModRM, SDM vol. 2, appendix A.5, and the undocumented aliases that software relies on.

#include "engine/cpu/x86/insn.h"

namespace engine::x86 {

// Null is #UD.
const Row* x87_row(u8 opcode, u8 modrm);
void fwait(Cpu& c, const Insn* i);    // 9B

}
