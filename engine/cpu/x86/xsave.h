#pragma once
// XCR0 and the XSAVE images: which components a processor has, which are in use, and where they lie. SDM vol. 1, chapter 13.

#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/insn.h"

namespace engine::x86 {

// Components that are not in their initial configuration (XINUSE), of those in XCR0.
u64 components_in_use(const Cpu& c);

// False: #GP.
bool write_xcr0(Cpu& c, u64 value);

void xsave(Cpu& c, const Insn* i);
void xsaveopt(Cpu& c, const Insn* i);
void xsavec(Cpu& c, const Insn* i);
void xsaves(Cpu& c, const Insn* i);
void xrstor(Cpu& c, const Insn* i);
void xrstors(Cpu& c, const Insn* i);
void xgetbv(Cpu& c, const Insn* i);
void xsetbv(Cpu& c, const Insn* i);

}
