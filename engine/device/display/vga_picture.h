#pragma once
// From registers to pixels: what the CRT, graphics and attribute controllers make of the planes, as a plain value that can be
// compared with the one before, and the routines that draw one scan line of it. Sources as for vga.h.

#include <array>
#include <vector>

#include "engine/base/types.h"
#include "engine/device/display/vga.h"

namespace engine {

struct VgaPicture {
    enum class Kind : u8 { blank, text, planar, interleaved, packed };

    Kind kind = Kind::blank;
    u32 width = 0, height = 0;    // as shown
    u32 columns = 0;    // character clocks in a row
    u8 dots = 8;    // pixels in a character clock
    u8 widening = 1;    // each pixel is shown so many times
    u8 line_step = 1;    // every so many scan lines one is shown

    u32 scan_lines = 0;
    u32 start = 0, pitch = 0;    // address counter at the top, and from row to row
    u32 split_line = 0;    // the scan line after which the address starts at 0
    u8 preset_row = 0, rows = 1;    // scan lines in a character row
    bool doubled = false;
    bool pan_ends_at_split = false;
    u8 byte_pan = 0, pixel_pan = 0;

    enum class Unit : u8 { byte, word, double_word } unit = Unit::byte;
    u8 count_shift = 0;    // the address counter moves every 1 << count_shift character clocks
    u8 word_low_bit = 13;    // the counter's bit that word mode puts into address bit 0
    bool row_as_bit_13 = false, row_as_bit_14 = false;
    u32 address_mask = 0xffff;

    u32 font_a = 0, font_b = 0;    // addresses in plane 2
    bool line_graphics = false;    // c0 to df repeat their eighth column in the ninth
    bool blinking = false;    // attribute bit 7 blinks rather than brightens
    u8 underline_row = 0xff;

    u8 plane_enable = 0x0f;
    std::array<u32, 16> colours{};    // of attributes and planar pixels
    std::array<u32, 256> palette{};

    bool operator==(const VgaPicture&) const = default;

    // Address in the planes of character clock `column` of a row.
    u32 address(u32 row_start, u32 column, u8 row) const;
};

// One scan line as shown.
struct VgaLine {
    u32 start = 0;    // address counter at its left
    u8 row = 0;    // within the character row
    u8 pan = 0;    // pixels
    bool operator==(const VgaLine&) const = default;
};

struct TextCursor {
    u32 address = 0;
    u8 first = 1, last = 0;    // rows of the cell
    bool visible = false;
    bool operator==(const TextCursor&) const = default;
};

struct Blink {
    TextCursor cursor;    // not visible while in its dark phase
    bool characters_shown = true;
};

// `planes` is the start of video memory, of which at least 4 * (address_mask + 1) bytes exist.
VgaPicture picture_of(const Vga::State& registers, const BochsDisplay& bochs);
TextCursor cursor_of(const Vga::State& registers);
std::array<u32, 256> palette_of(const Vga::State& registers, bool wide_dac);
std::vector<VgaLine> lines_of(const VgaPicture& picture);

// Room that a line's pixels may need before panning and widening.
constexpr u32 line_room(const VgaPicture& picture)
{
    return (picture.columns + 2) * 9 + 16;
}
// Draws `columns` + 1 character clocks. Returns whether blinking characters are among them (text only).
bool draw_text_line(const VgaPicture& picture, const VgaLine& line, const u8* planes, const Blink& blink, u32* to);
void draw_graphics_line(const VgaPicture& picture, const VgaLine& line, const u8* planes, u32* to);

}
