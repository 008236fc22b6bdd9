#pragma once
// Runs one instruction of the host's on values in memory: how AVX-512's handlers compute. The instruction names register 0 in
// ModRM.reg, 1 in vvvv, 2 in ModRM.r/m, opmask 1 as EVEX.aaa, and as memory [RDI + disp32] within the frame.

#include <array>
#include <span>

#include "engine/base/types.h"

namespace engine::x86 {

struct alignas(64) HostFrame {
    std::array<std::array<u64, 8>, 3> zmm;
    std::array<u64, 8> memory;
    std::array<u64, 3> opmask;
    u64 rax, rdx;    // general registers 0 and 2
    u64 flags;    // afterwards
    u32 mxcsr, host_mxcsr;    // the instruction's, before and after it; ours
};
constexpr u8 frame_memory_at = 192;
static_assert(offsetof(HostFrame, memory) == frame_memory_at);

// False if the host gives no memory for code. Any thread; each has its own code.
bool run_host_form(HostFrame& frame, std::span<const u8> instruction);

}
