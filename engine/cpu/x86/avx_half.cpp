// F16C: half-precision numbers in memory and registers. SDM vol. 1, 14.4.
#include "engine/cpu/x86/avx_handlers.h"
#include "engine/cpu/x86/forms.h"

namespace engine::x86 {

void singles_from_halves(Cpu& c, const Insn* i)
{
    require_host(c, i, feature_f16c);
    return packed_float<host::vcvtph2ps, Rounded::none, Widening<8>>(c, i);
}

// The destination is in r/m: 8 bytes, or 16 from 256 bits.
void halves_from_singles(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    require_host(c, i, feature_f16c);
    Lanes low{}, high{};
    const u32 raised = with_guest_mxcsr(c, [&] {
        low = host::vcvtps2ph(lanes(c.fpu.xmm[i->reg]), immediate(i));
        if (i->wide())
            high = host::vcvtps2ph(lanes(c.fpu.ymm_high[i->reg]), immediate(i));
    });
    const u32 underflow = underflow_of<Rounded::ph>(c, low) | underflow_of<Rounded::ph>(c, high);
    const Lanes result = lanes(low[0], high[0]);
    if (!i->memory()) {
        report_simd(c, i, raised | underflow);
        set_vector(c, i, i->rm, result);
        return next(c, i);
    }
    const u64 offset = effective_address(c, i);
    const unsigned size = i->wide() ? 16 : 8;
    // A page fault comes before the exceptions of the conversion.
    probe_write(c, i, linear_address<Access::write>(c, i, i->segment, offset, size), size);
    report_simd(c, i, raised | underflow);
    if (i->wide())
        store_xmm(c, i, offset, xmm(result));
    else
        store<u64>(c, i, offset, result[0]);
    return next(c, i);
}

}
