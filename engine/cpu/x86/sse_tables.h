#pragma once
// The MMX and SSE rows of the opcode maps (SDM vol. 2, appendix A.3), up to SSE4.2, AES, PCLMULQDQ and SHA. The 0F AE group, POPCNT, MOVNTI,
// MOVBE and the prefetches are the integer tables' rows; FXSAVE and FXRSTOR (fpu.h), LDMXCSR and STMXCSR serve 0F AE.

#include <span>

#include "engine/cpu/x86/fpu.h"
#include "engine/cpu/x86/insn.h"

namespace engine::x86 {

std::span<const Opcode> simd_opcodes_0f();
std::span<const Opcode> simd_opcodes_0f38();
std::span<const Opcode> simd_opcodes_0f3a();

void ldmxcsr(Cpu& c, const Insn* i);
void stmxcsr(Cpu& c, const Insn* i);

}
