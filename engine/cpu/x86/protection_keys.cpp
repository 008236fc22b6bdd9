#include "engine/cpu/x86/protection_keys.h"

#include "engine/cpu/x86/access.h"
#include "engine/cpu/x86/run_loop.h"

namespace engine::x86 {

// Pages with key 0 are not told apart from those that no key restricts: hardly anybody ever changes its rights.
void write_pkru(Cpu& c, u32 value)
{
    constexpr u32 key_0 = 3;
    const u32 changed = c.msr.pkru ^ value;
    c.msr.pkru = value;
    if (!(c.cr4 & cr4_pke) || !changed)
        return;
    if (changed & key_0)
        flush_tlb(c);
    else
        c.soft_tlb.drop_keyed();
}

namespace {
void require_keys(Cpu& c, const Insn* i)
{
    if (!(c.cr4 & cr4_pke))
        c.raise(i, invalid_opcode);
    if (u32(c.gpr[rcx]))
        c.raise(i, general_protection, 0);
}
}

void rdpkru(Cpu& c, const Insn* i)
{
    require_keys(c, i);
    c.gpr[rax] = c.msr.pkru;
    c.gpr[rdx] = 0;
    return next(c, i);
}

void wrpkru(Cpu& c, const Insn* i)
{
    require_keys(c, i);
    if (u32(c.gpr[rdx]))
        c.raise(i, general_protection, 0);
    write_pkru(c, u32(c.gpr[rax]));
    return leave_block(c, i);
}

}
