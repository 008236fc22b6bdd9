#pragma once
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// The sixteen conditions by the opcode's low four bits: O NO B AE E NE BE A S NS P NP L GE LE G.
template <unsigned code> [[gnu::always_inline]] inline bool condition_is(const LazyFlags& f)
{
    if constexpr (code == 0)
        return f.o();
    else if constexpr (code == 2)
        return f.c();
    else if constexpr (code == 4)
        return f.z();
    else if constexpr (code == 6)
        return f.c() || f.z();
    else if constexpr (code == 8)
        return f.s();
    else if constexpr (code == 10)
        return f.p();
    else if constexpr (code == 12)
        return f.s() != f.o();
    else if constexpr (code == 14)
        return f.z() || f.s() != f.o();
    else
        return !condition_is<code - 1>(f);
}

inline bool condition(const Cpu& c, unsigned code)
{
    const LazyFlags& f = c.lazy;
    bool met = false;
    switch (code >> 1) {
    case 0:
        met = f.o();
        break;
    case 1:
        met = f.c();
        break;
    case 2:
        met = f.z();
        break;
    case 3:
        met = f.c() || f.z();
        break;
    case 4:
        met = f.s();
        break;
    case 5:
        met = f.p();
        break;
    case 6:
        met = f.s() != f.o();
        break;
    default:
        met = f.z() || f.s() != f.o();
        break;
    }
    return met != (code & 1);
}

}
