#include "engine/cpu/x86/possible_state.h"

namespace engine::x86 {

bool possible(const CpuState& s)
{
    constexpr u64 protection = 1, paging = u64(1) << 31, physical_address_extension = 1 << 5;    // of CR0 and CR4
    constexpr u64 long_mode_active = 1 << 10;
    constexpr u64 xcr0_x87 = 1, xcr0_sse = 2, xcr0_avx = 4, xcr0_avx512 = 0xe0;
    constexpr u32 mxcsr_bits = 0xffff;
    const bool paged = !(s.cr0 & paging) || s.cr0 & protection;
    const bool wide = !(s.efer & long_mode_active) || (s.cr0 & paging && s.cr4 & physical_address_extension);
    // MXCSR is loaded into the host's own: a reserved bit would fault there.
    const u64 wide_ones = s.xcr0 & xcr0_avx512;
    const bool vectors = s.fpu.mxcsr <= mxcsr_bits && s.xcr0 & xcr0_x87 && (!(s.xcr0 & xcr0_avx) || s.xcr0 & xcr0_sse)
        && (!wide_ones || (wide_ones == xcr0_avx512 && s.xcr0 & xcr0_avx));
    return s.run_state <= RunState::wait_for_sipi && paged && wide && vectors && s.cr8 <= 15;
}

}
