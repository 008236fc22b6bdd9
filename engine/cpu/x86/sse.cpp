#include "engine/cpu/x86/sse.h"

namespace engine::x86 {

void refuse_sse(Cpu& c, const Insn* i)
{
    constexpr u64 sse_and_avx = 6;
    if (i->vex ? !(c.cr4 & cr4_osxsave) || ~c.xcr0 & sse_and_avx : c.cr0 & cr0_em || !(c.cr4 & cr4_osfxsr))
        c.raise(i, invalid_opcode);
    c.raise(i, device_not_available);
}

namespace {

u64 wide_address(Cpu& c, const Insn* i)
{
    const u64 offset = effective_address(c, i);
    if (i->row->traits & aligned_16 && (c.base[i->segment] + offset) & 31)
        c.raise(i, general_protection, 0);
    return offset;
}

}

Wide load_wide(Cpu& c, const Insn* i)
{
    Wide value;
    load_bytes(c, i, wide_address(c, i), &value, sizeof value);
    return value;
}

void store_wide(Cpu& c, const Insn* i, const Wide& value)
{
    store_bytes(c, i, wide_address(c, i), &value, sizeof value);
}

// SDM vol. 1, 11.5: unmasked invalid, denormal and zero-divide come before the result, and hide what rounding would raise.
void simd_exception(Cpu& c, const Insn* i, u32 raised)
{
    constexpr u32 before_result = mxcsr_invalid | mxcsr_denormal | mxcsr_zero_divide;
    const u32 unmasked = raised & ~(c.fpu.mxcsr >> mxcsr_masks_shift);
    if (unmasked & before_result)
        raised &= before_result;
    c.fpu.mxcsr |= raised;
    c.raise(i, c.cr4 & cr4_osxmmexcpt ? simd_error : invalid_opcode);
}

namespace {

template <class Bits> bool any_tiny(Lanes result, unsigned count)
{
    constexpr unsigned mantissa = sizeof(Bits) == 2 ? 10 : sizeof(Bits) == 4 ? 23 : 52;
    constexpr Bits magnitude = Bits(~Bits(0)) >> 1;
    const auto values = elements<Bits>(result);
    for (unsigned n = 0; n < count; ++n)
        if ((values[n] & magnitude) != 0 && (values[n] & magnitude) >> mantissa == 0)
            return true;
    return false;
}

}

u32 exact_underflow(Lanes result, Rounded rounded)
{
    bool tiny = false;
    switch (rounded) {
    case Rounded::none:
        break;
    case Rounded::ps:
        tiny = any_tiny<u32>(result, 4);
        break;
    case Rounded::pd:
        tiny = any_tiny<u64>(result, 2);
        break;
    case Rounded::ss:
        tiny = any_tiny<u32>(result, 1);
        break;
    case Rounded::sd:
        tiny = any_tiny<u64>(result, 1);
        break;
    case Rounded::ph:
        tiny = any_tiny<u16>(result, 4);
        break;
    }
    return tiny ? mxcsr_underflow : 0;
}

}
