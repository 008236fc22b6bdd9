#pragma once
// What handlers that end a block, and the code that changes privilege or mode, ask of the run loop.

#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// Ends the block: the next instruction is looked up anew. Sets RIP behind `i`; jump_to sets any other.
inline void leave_block(Cpu& c, const Insn* i)
{
    c.gpr[gpr_rip] = c.next_ip(i);
    if (!c.code_64())
        c.gpr[gpr_rip] = u32(c.gpr[gpr_rip]);
}

// After a change of CS, SS, other segments' limits, CR0, CR4, EFER, CPL, RFLAGS.TF/VM/AC or debug registers: recomputes
// everything that is derived from them.
void update_mode(Cpu& c);
// After RFLAGS.IF was set: what waits is taken at the next block edge.
void look_for_interrupts(Cpu& c);
// Every translation goes, and the tables are those of the PCID in CR3.
void flush_tlb(Cpu& c);
// Sets RFLAGS whole, with all that follows from it.
void set_flags(Cpu& c, u64 value);
void set_cpl(Cpu& c, unsigned cpl);

// SDM vol. 3, 10.3 (reset and INIT).
void reset_cpu(Cpu& c, bool init);
void load_state(Cpu& c, const CpuState& from);
void save_state(const Cpu& c, CpuState& to);
// The same without asking the local APIC: CR8 is 0.
void save_registers(const Cpu& c, CpuState& to);

inline bool canonical(u64 address)
{
    return u64(i64(address << 16) >> 16) == address;
}

}
