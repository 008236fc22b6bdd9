#pragma once
// Far jumps, calls and returns, and task switches. SDM vol. 3, 6.8 and chapter 8.

#include "engine/cpu/x86/segments.h"

namespace engine::x86 {

// All end the block and leave RIP at the target.
void far_jump(Cpu& c, const Insn* i, u16 selector, u64 offset);
void far_call(Cpu& c, const Insn* i, u16 selector, u64 offset);
void far_return(Cpu& c, const Insn* i, u16 release);

enum class TaskSwitch : u8 { jump, call, iret, interrupt };
// `next_rip` is saved in the old task. `error` is pushed on the new task's stack when `has_error`.
void switch_task(Cpu& c, const Insn* i, Descriptor tss, TaskSwitch why, u64 next_rip, bool has_error = false, u32 error = 0);

}
