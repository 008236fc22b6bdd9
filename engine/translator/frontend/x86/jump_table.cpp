#include "engine/translator/frontend/x86/jump_table.h"

namespace engine::translator {

using x86::Access;
using x86::SoftTlbContext;

void write_jump_lookup(Assembler& a)
{
    static_assert(sizeof(JumpTarget) == 32);
    a.op(0x69, 4, scratch_b, Rm::of(scratch_a));
    a.value(jump_table_factor);
    a.op_imm(0xc1, 4, 5, Rm::of(scratch_b), jump_table_shift - 5, 1);
    a.op_imm(0x83, 4, 4, Rm::of(scratch_b), u64(-32), 1);
    a.op(0x03, 8, scratch_b, state_at(offset_jump_table));
}

void write_jump(Assembler& a, By by)
{
    a.load(8, scratch_a, Rm::at(scratch_b, offsetof(JumpTarget, rip)));
    a.op_imm(0x81, 8, 4, Rm::of(scratch_a), ~page_mask, 4);
    a.store(8, gpr_slot(x86::gpr_rip), scratch_a);
    a.op_extended(0xff, 4, by == By::call ? 2 : 4, Rm::at(scratch_b, offsetof(JumpTarget, code)));
}

// Whose page is in the table of fetches is marked as code: SoftTlb::fetched().
void write_renewal(Assembler& a)
{
    const auto push = [&](u8 reg) { a.byte(0x50 + reg); };
    const auto pop = [&](u8 reg) { a.byte(0x58 + reg); };
    push(host::rax);
    push(host::rcx);
    // Of the same mode.
    a.op(0x33, 4, scratch_a, state_at(offset_context));
    a.op_imm(0xf7, 4, 0, Rm::of(scratch_a), (1 << context_mode_bits) - 1, 4);
    u8* const other_mode = a.jump_if(cond_ne);
    a.load(8, host::rax, Rm::at(scratch_b, offsetof(JumpTarget, rip)));
    a.load(4, host::rcx, Rm::of(host::rax));
    a.op_imm(0xc1, 4, 5, Rm::of(host::rcx), page_shift, 1);
    a.op_imm(0x81, 4, 4, Rm::of(host::rcx), SoftTlbContext::entries - 1, 4);
    a.load(8, scratch_a, state_at(offset_tlb));
    const i32 globals = offsetof(SoftTlbContext, global) + unsigned(Access::fetch) * SoftTlbContext::entries;
    a.op_imm(0x80, 1, 7, Rm::at(scratch_a, host::rcx, 0, globals), 0, 1);
    u8* const is_global = a.jump_if(cond_ne);
    a.op_imm(0xc1, 4, 4, Rm::of(host::rcx), 4, 1);
    a.op(0x03, 8, host::rcx, Rm::of(scratch_a));
    a.op(0x33, 8, host::rax, Rm::at(host::rcx, table_of(Access::fetch)));
    a.op_imm(0x81, 8, 7, Rm::of(host::rax), page_size - 1, 4);
    u8* const absent = a.jump_if(cond_a);
    a.load(8, host::rax, Rm::at(host::rcx, table_of(Access::fetch) + host_in_entry));
    a.op(0x3b, 8, host::rax, Rm::at(scratch_b, offsetof(JumpTarget, host_page)));
    u8* const elsewhere = a.jump_if(cond_ne);
    a.load(8, host::rax, state_at(offset_context));
    a.store(8, Rm::at(scratch_b, offsetof(JumpTarget, context)), host::rax);
    pop(host::rcx);
    pop(host::rax);
    write_jump(a);
    for (u8* const fails : {other_mode, is_global, absent, elsewhere})
        a.bind(fails);
    pop(host::rcx);
    pop(host::rax);
}

}
