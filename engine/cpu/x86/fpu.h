#pragma once
// What x87, MMX and SSE share: the x87 status word, pending x87 exceptions, and the images of FXSAVE.
// SDM vol. 1, chapter 8 and 10.5.

#include "engine/cpu/x86/access.h"

namespace engine::x86 {

// Status word, SDM vol. 1, 8.1.3. The low six bits are also the control word's masks.
constexpr u16 fsw_invalid = 1, fsw_denormal = 2, fsw_zero_divide = 4, fsw_overflow = 8, fsw_underflow = 16, fsw_precision = 32;
constexpr u16 fsw_exceptions = 0x3f, fsw_stack_fault = 0x40, fsw_summary = 0x80, fsw_busy = 0x8000;
constexpr u16 fsw_c0 = 0x100, fsw_c1 = 0x200, fsw_c2 = 0x400, fsw_c3 = 0x4000, fsw_conditions = fsw_c0 | fsw_c1 | fsw_c2 | fsw_c3;
constexpr u16 fsw_top = 0x3800;
constexpr unsigned fsw_top_shift = 11;
constexpr u16 fcw_initial = 0x37f, fcw_writable = 0x1f3f, fcw_always = 0x40;

inline unsigned x87_top(const FpuState& f)
{
    return f.status >> fsw_top_shift & 7;
}
inline void set_x87_top(FpuState& f, unsigned top)
{
    f.status = u16((f.status & ~fsw_top) | (top & 7) << fsw_top_shift);
}

// After any change of flags or masks: ES and B follow, and so does FERR# where the guest wants interrupts (CR0.NE clear).
void update_x87_summary(Cpu& c);
// Before a waiting instruction: an unmasked exception left by an earlier one is #MF, or FERR# and on when CR0.NE is clear.
void x87_exception(Cpu& c, const Insn* i);
inline void check_x87_exception(Cpu& c, const Insn* i)
{
    if (c.fpu.status & fsw_summary) [[unlikely]]
        x87_exception(c, i);
}

// The tag word of FSTENV (two bits a register) from the abridged tags and the contents.
u16 x87_tag_word(const FpuState& f);
u8 x87_valid_from_tag_word(u16 tags);

void fxsave(Cpu& c, const Insn* i);
void fxrstor(Cpu& c, const Insn* i);

// The legacy region of an FXSAVE or XSAVE image (SDM vol. 1, 10.5.1). Wide images hold 64-bit FIP and FDP (REX.W).
constexpr unsigned fx_image_size = 512, fx_xmm_offset = 160, fx_mxcsr_offset = 24;
void write_fx_x87(const FpuState& f, bool wide, u8* image);
void read_fx_x87(FpuState& f, bool wide, const u8* image);

}
