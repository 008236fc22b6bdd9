// Text: a character and its attribute in planes 0 and 1, the letters' shapes in plane 2.

#include "engine/device/display/vga_picture.h"

namespace engine {

namespace {
constexpr u8 attribute_blink = 0x80, attribute_font = 0x08;

// The shape of a character in one row, leftmost pixel in bit 8.
u32 shape(const VgaPicture& p, const u8* planes, u8 character, u8 attribute, u8 row)
{
    const u32 font = attribute & attribute_font ? p.font_a : p.font_b;
    const u8 byte = planes[((font + character * 32u + row) & 0xffff) * 4 + 2];
    const bool continues = p.line_graphics && character >= 0xc0 && character <= 0xdf;
    return u32(byte) << 1 | (continues ? byte & 1 : 0);
}
}

bool draw_text_line(const VgaPicture& p, const VgaLine& line, const u8* planes, const Blink& blink, u32* to)
{
    bool blinks = false;
    for (u32 column = 0; column <= p.columns; ++column) {
        const u8* cell = planes + u64(p.address(line.start, column, line.row)) * 4;
        const u8 character = cell[0], attribute = cell[1];
        u32 bits = shape(p, planes, character, attribute, line.row);
        if (line.row == p.underline_row && (attribute & 0x77) == 0x01)
            bits = 0x1ff;
        if (p.blinking && attribute & attribute_blink) {
            blinks = true;
            if (!blink.characters_shown)
                bits = 0;
        }
        const TextCursor& cursor = blink.cursor;
        if (cursor.visible && ((line.start + column) & 0xffff) == cursor.address && line.row >= cursor.first
            && line.row <= cursor.last)
            bits = 0x1ff;
        const u32 foreground = p.colours[attribute & 0x0f & p.plane_enable];
        const u32 background = p.colours[(p.blinking ? attribute >> 4 & 7 : attribute >> 4) & p.plane_enable];
        const u32 difference = foreground ^ background;
        for (unsigned dot = 0; dot < p.dots; ++dot)
            *to++ = background ^ (difference & (0u - (bits >> (8 - dot) & 1)));
    }
    return blinks;
}

}
