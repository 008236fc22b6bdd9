#pragma once
// Protection keys: a user page has one of sixteen, and PKRU says what may not be done to pages with each. SDM vol. 3, 4.6.2.

#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

constexpr unsigned pte_key_shift = 59;

// Whether data in a user page with this entry may not be read, or not be written where PKRU's second bit counts.
inline bool key_forbids(const Cpu& c, u64 entry, bool write)
{
    constexpr u32 no_access = 1, no_write = 2;
    if (!(c.cr4 & cr4_pke) || !c.long_mode())
        return false;
    const u32 rights = c.msr.pkru >> (entry >> pte_key_shift & 15) * 2;
    return rights & (write ? no_access | no_write : no_access);
}

// What the soft TLB holds by the old value goes.
void write_pkru(Cpu& c, u32 value);

void rdpkru(Cpu& c, const Insn* i);
void wrpkru(Cpu& c, const Insn* i);

}
