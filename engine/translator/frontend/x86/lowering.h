#pragma once
// What the block translator does natively: a row for each instruction, by its handlers' forms. What has no row is done by
// its interpreter handler, called from the block.

#include "engine/cpu/x86/flags.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/insn.h"
#include "engine/cpu/x86/soft_tlb.h"
#include "engine/cpu/x86/state.h"

namespace engine::translator {

class BlockTranslator;

// The six arithmetic flags, as masks of RFLAGS.
using FlagMask = u16;
constexpr FlagMask all_flags = FlagMask(x86::flags_arithmetic);

struct FlagUse {
    FlagMask reads = 0;
    FlagMask kills = 0;    // given a value whatever they were
    bool modifies = false;    // flags that are not killed may change or stay: they must be in the host's before
};

// The memory operand's access; no bytes: none is accessed.
struct MemoryUse {
    u8 size = 0;
    x86::Access access = x86::Access::read;
    bool aligned = false;    // to its size, else the handler raises
};
// The first operand, if it is memory, is written; its size is the operand's.
MemoryUse usual_memory(const x86::Insn& i);

// General registers that it may change.
enum class Writes : u8 { destination, nothing, destination_source_rax, rax_rdx, others };

struct Lowering {
    const x86::Forms* forms;
    // Whether this instance is done natively.
    bool (*suits)(const x86::Insn&);
    FlagUse (*flags)(const x86::Insn&);
    void (BlockTranslator::*emit)(const x86::Insn&);
    u8 opcode = 0;    // for `emit`: of the host's instruction, or its number in a group
    Writes writes = Writes::destination;
    MemoryUse (*memory)(const x86::Insn&) = usual_memory;
    bool at_cpl_0 = false;    // natively there alone
};

// Null: call the handler. Looks at the instruction's size and operands too, and at the block's mode.
const Lowering* lowering_of(const x86::Insn& i, u32 mode);
// sse.cpp
bool sse_suits(const x86::Insn& i);
bool computes_with_floats(const x86::Insn& i);    // x87's too
bool is_masked_at_rdi(const x86::Insn& i);    // MASKMOVQ, MASKMOVDQU
FlagUse sse_flags(const x86::Insn& i);
MemoryUse sse_memory(const x86::Insn& i);
// vex.cpp
bool vex_suits(const x86::Insn& i, u32 mode);
FlagUse vex_flags(const x86::Insn& i);
MemoryUse vex_memory(const x86::Insn& i);
// mmx.cpp: with MMX operands, beside SSE's or not
bool has_mmx_operand(const x86::Insn& i);
bool has_xmm_operand(const x86::Insn& i);
bool mmx_suits(const x86::Insn& i);
MemoryUse mmx_memory(const x86::Insn& i);
// x87.cpp
bool x87_suits(const x86::Insn& i);
FlagUse x87_flags(const x86::Insn& i);
MemoryUse x87_memory(const x86::Insn& i);
// What the guest does with flags at `i`, native or not.
FlagUse flag_use(const x86::Insn& i, const Lowering* lowering);
// What it pushes to, or pops from: at [base + disp], and what is added to RSP.
struct Stack {
    u8 base = x86::rsp;
    i32 disp = 0;
    MemoryUse use;
    i32 moves = 0;
};
Stack stack_of(const x86::Insn& i, const Lowering& lowering, unsigned address_size);
// General registers that `i` may change, a bit each; RSP by a push or a pop is not among them.
u32 registers_written(const x86::Insn& i, const Lowering& lowering);

// What an instruction with constants adds to its destination, a general register of this size.
constexpr i32 most_added = 1 << 20;
bool adds_constant(const x86::Insn& i, unsigned size, i64& added);

// Operands as the row orders them.
enum class Place : u8 { none, reg, mem, imm };
Place place_of(const x86::Insn& i, unsigned operand);
inline bool ends_block(const x86::Insn& i)
{
    return i.row->traits & x86::ends_block || (i.row->traits & x86::may_end_block && i.prefix >= x86::pF3);
}
// Leaves it now and then when it is interpreted.
inline bool may_leave_block(const x86::Insn& i)
{
    return i.row->forms == x86::jcc_forms.data() || i.row->forms == &x86::sti_forms;
}
// Its operand is at RIP and a constant: `disp` from the start of its page.
inline bool goes_by_rip(const x86::Insn& i)
{
    return i.memory() && i.base == x86::gpr_rip && i.index == x86::gpr_zero && i.address_size == 8 && i.segment < x86::fs;
}
inline bool in(x86::OpcodeMap map, const x86::Insn& i)
{
    return i.map == map;
}
// Bytes of the source of MOVZX, MOVSX and MOVSXD.
unsigned source_size(const x86::Insn& i);

}
