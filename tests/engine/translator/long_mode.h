#pragma once
// A bare machine in long mode.

#include "tests/engine/cpu/x86/bare_machine.h"

namespace engine {

// The first 2 MiB are where they are.
inline void enter_long_mode(BareMachine& m, bool user)
{
    constexpr u64 tables = 0x1f0000, large = 0x80, present_writable = 3, user_page = 4;
    const u64 entry = present_writable | (user ? user_page : 0);
    for (u64 level = 0; level < 3; ++level) {
        const u64 value = level == 2 ? large | entry : (tables + (level + 1) * page_size) | entry;
        std::memcpy(m.at(tables + level * page_size), &value, sizeof value);
    }
    constexpr u64 pae = 0x20, paging = u64(1) << 31, lme_lma = 0x500;
    m.state.cr3 = tables;
    m.state.cr4 |= pae;
    m.state.cr0 |= paging;
    m.state.efer = lme_lma;
    m.state.segments[x86::cs].attributes = user ? 0xa0fb : 0xa09b;
    for (u64 n = 8; n < 16; ++n)
        m.state.gpr[n] = 0x0101010101010101 * n;
}

}
