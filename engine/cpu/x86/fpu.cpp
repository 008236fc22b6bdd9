#include "engine/cpu/x86/fpu.h"

#include <cstring>

#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/sse.h"

namespace engine::x86 {

void update_x87_summary(Cpu& c)
{
    const bool pending = c.fpu.status & ~c.fpu.control & fsw_exceptions;
    c.fpu.status = u16((c.fpu.status & ~(fsw_summary | fsw_busy)) | (pending ? fsw_summary | fsw_busy : 0));
    if (!pending && c.x87_exception_pending && c.wires.ferr)
        c.wires.ferr(false);
    c.x87_exception_pending = pending && c.x87_exception_pending;
}

void x87_exception(Cpu& c, const Insn* i)
{
    if (c.cr0 & cr0_ne)
        c.raise(i, x87_error);
    c.x87_exception_pending = true;
    if (c.wires.ferr)
        c.wires.ferr(true);
}

u16 x87_tag_word(const FpuState& f)
{
    constexpr u16 tag_valid = 0, tag_zero = 1, tag_special = 2, tag_empty = 3;
    u16 tags = 0;
    for (unsigned n = 0; n < 8; ++n) {
        const X87Register& r = f.registers[n];
        const unsigned exponent = r.sign_exponent & 0x7fff;
        u16 tag = tag_special;
        if (!bit(f.valid, n))
            tag = tag_empty;
        else if (exponent == 0 && r.significand == 0)
            tag = tag_zero;
        else if (exponent != 0 && exponent != 0x7fff && bit(r.significand, 63))
            tag = tag_valid;
        tags = u16(tags | tag << (2 * n));
    }
    return tags;
}

u8 x87_valid_from_tag_word(u16 tags)
{
    u8 valid = 0;
    for (unsigned n = 0; n < 8; ++n)
        valid = u8(valid | ((tags >> (2 * n) & 3) != 3) << n);
    return valid;
}

void write_fx_x87(const FpuState& f, bool wide, u8* image)
{
    store_le<u16>(image, f.control);
    store_le<u16>(image + 2, f.status);
    image[4] = f.valid;
    image[5] = 0;
    store_le<u16>(image + 6, f.opcode);
    store_le<u64>(image + 8, f.instruction_pointer);
    store_le<u64>(image + 16, f.data_pointer);
    if (!wide) {
        store_le<u32>(image + 12, f.instruction_selector);
        store_le<u32>(image + 20, f.data_selector);
    }
    for (unsigned n = 0; n < 8; ++n) {
        const X87Register& r = f.registers[(x87_top(f) + n) & 7];
        store_le<u64>(image + 32 + 16 * n, r.significand);
        store_le<u64>(image + 40 + 16 * n, r.sign_exponent);
    }
}

void read_fx_x87(FpuState& f, bool wide, const u8* image)
{
    f.control = u16((load_le<u16>(image) & fcw_writable) | fcw_always);
    f.status = load_le<u16>(image + 2);
    f.valid = image[4];
    f.opcode = load_le<u16>(image + 6) & 0x7ff;
    f.instruction_pointer = wide ? load_le<u64>(image + 8) : load_le<u32>(image + 8);
    f.instruction_selector = wide ? u16(0) : load_le<u16>(image + 12);
    f.data_pointer = wide ? load_le<u64>(image + 16) : load_le<u32>(image + 16);
    f.data_selector = wide ? u16(0) : load_le<u16>(image + 20);
    for (unsigned n = 0; n < 8; ++n)
        f.registers[(x87_top(f) + n) & 7] = {load_le<u64>(image + 32 + 16 * n), load_le<u16>(image + 40 + 16 * n)};
}

namespace {

// XMM8-15 exist in 64-bit mode only; the rest of the image is the guest's to use.
unsigned xmm_count(const Cpu& c)
{
    return c.code_64() ? 16 : 8;
}
unsigned used_size(const Cpu& c)
{
    return fx_xmm_offset + 16 * xmm_count(c);
}

u64 image_address(Cpu& c, const Insn* i)
{
    if (c.cr0 & (cr0_em | cr0_ts))
        c.raise(i, device_not_available);
    const u64 offset = effective_address(c, i);
    if ((c.base[i->segment] + offset) & 15)
        c.raise(i, general_protection, 0);
    return offset;
}

void save_image(Cpu& c, const Insn* i)
{
    const u64 offset = image_address(c, i);
    u8 image[fx_image_size];
    write_fx_x87(c.fpu, i->rex_w(), image);
    store_le<u32>(image + fx_mxcsr_offset, c.fpu.mxcsr);
    store_le<u32>(image + fx_mxcsr_offset + 4, mxcsr_mask);
    std::memcpy(image + fx_xmm_offset, c.fpu.xmm.data(), 16 * xmm_count(c));
    store_bytes(c, i, offset, image, used_size(c));
}

void load_image(Cpu& c, const Insn* i)
{
    const u64 offset = image_address(c, i);
    u8 image[fx_image_size];
    load_bytes(c, i, offset, image, sizeof image);
    const u32 mxcsr = load_le<u32>(image + fx_mxcsr_offset);
    if (mxcsr & ~mxcsr_mask)
        c.raise(i, general_protection, 0);
    read_fx_x87(c.fpu, i->rex_w(), image);
    update_x87_summary(c);
    c.fpu.mxcsr = mxcsr;
    std::memcpy(c.fpu.xmm.data(), image + fx_xmm_offset, 16 * xmm_count(c));
}

}

void fxsave(Cpu& c, const Insn* i)
{
    save_image(c, i);
    return next(c, i);
}

void fxrstor(Cpu& c, const Insn* i)
{
    load_image(c, i);
    update_mode(c);
    return leave_block(c, i);
}

}
