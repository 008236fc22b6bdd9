#pragma once
// Interrupts and exceptions on their way to a handler, and back. SDM vol. 3, chapter 6.

#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

enum class SoftwareInterrupt : u8 { int_n, int1, int3, into };
void software_interrupt(Cpu& c, const Insn* i, u8 vector, SoftwareInterrupt kind);
void interrupt_return(Cpu& c, const Insn* i);

// From the run loop, with RIP at the instruction to return to. May raise.
void deliver_external(Cpu& c, u8 vector);
void deliver_exception(Cpu& c, u8 vector, bool has_error, u32 error);

// What a #DB tells in DR6, before it is delivered. SDM vol. 3, 18.2.3: the breakpoints' bits are its own, the others are only
// ever added, and DR7.GD goes off.
void report_debug(Cpu& c, u32 causes);

}
