// Graphics: what the shift registers make of the four planes' bytes.

#include "engine/device/display/vga_picture.h"

#include "engine/base/bits.h"

namespace engine {

namespace {
// One pixel a bit: each plane gives a bit of the colour.
u32* draw_planar(const VgaPicture& p, u32 planes, u32* to)
{
    for (int dot = 7; dot >= 0; --dot) {
        const u32 one = planes >> dot;
        const u32 index = (one & 1) | (one >> 7 & 2) | (one >> 14 & 4) | (one >> 21 & 8);
        *to++ = p.colours[index & p.plane_enable];
    }
    return to;
}

// Two bits a pixel, first from planes 0 and 2, then from 1 and 3.
u32* draw_interleaved(const VgaPicture& p, u32 planes, u32* to)
{
    for (int half = 0; half < 2; ++half, planes >>= 8)
        for (int shift = 6; shift >= 0; shift -= 2) {
            const u32 index = (planes >> shift & 3) | (planes >> (16 + shift) & 3) << 2;
            *to++ = p.colours[index & p.plane_enable];
        }
    return to;
}

// A byte a pixel, one from each plane. It goes through the attribute controller, which lets it pass in four-bit halves; with
// the palette that every BIOS sets that changes nothing.
u32* draw_packed(const VgaPicture& p, u32 planes, u32* to)
{
    for (int plane = 0; plane < 4; ++plane, planes >>= 8)
        *to++ = p.palette[planes & 0xff];
    return to;
}
}

void draw_graphics_line(const VgaPicture& p, const VgaLine& line, const u8* planes, u32* to)
{
    for (u32 column = 0; column <= p.columns; ++column) {
        const u32 bytes = load_le<u32>(planes + u64(p.address(line.start, column, line.row)) * 4);
        if (p.kind == VgaPicture::Kind::packed)
            to = draw_packed(p, bytes, to);
        else if (p.kind == VgaPicture::Kind::interleaved)
            to = draw_interleaved(p, bytes, to);
        else
            to = draw_planar(p, bytes, to);
    }
}

}
