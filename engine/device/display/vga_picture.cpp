#include "engine/device/display/vga_picture.h"

#include <algorithm>

namespace engine {

namespace {
constexpr u8 sr1_eight_dots = 0x01, sr1_half_clock = 0x08, sr1_screen_off = 0x20;
constexpr u8 gc5_interleave = 0x20, gc5_packed = 0x40, gc6_graphics = 0x01;
constexpr u8 ar10_line_graphics = 0x04, ar10_blink = 0x08, ar10_pan_ends = 0x20, ar10_palette_54 = 0x80;
constexpr u8 ar_index_source = 0x20;
constexpr u8 cr9_doubled = 0x80;
constexpr u8 cr14_double_word = 0x40, cr14_count_by_4 = 0x20;
constexpr u8 cr17_no_row_13 = 0x01, cr17_no_row_14 = 0x02, cr17_half_lines = 0x04, cr17_count_by_2 = 0x08, cr17_bit_15 = 0x20,
             cr17_byte = 0x40, cr17_running = 0x80;
constexpr u32 widest_undoubled = 400;

// Character Map Select: bit 2 of A in bit 5, of B in bit 4. Fonts lie 16 KiB apart, the odd ones 8 KiB after the even ones.
u32 font_address(unsigned number)
{
    return (number & 3) * 0x4000 + (number >> 2) * 0x2000;
}

void read_scan(VgaPicture& p, const Vga::State& s)
{
    const auto& c = s.crtc;
    p.scan_lines = (c[0x12] | (c[7] & 0x02u) << 7 | (c[7] & 0x40u) << 3) + 1;
    p.split_line = c[0x18] | (c[7] & 0x10u) << 4 | (c[9] & 0x40u) << 3;
    if (c[0x17] & cr17_half_lines) {
        p.scan_lines *= 2;
        p.split_line = p.split_line * 2 + 1;
    }
    p.rows = u8((c[9] & 0x1f) + 1);
    p.doubled = c[9] & cr9_doubled;
    p.preset_row = c[8] & 0x1f;
    p.byte_pan = c[8] >> 5 & 3;
    p.start = u32(c[0x0c] << 8 | c[0x0d]);
    p.pitch = c[0x13] * 2u;
    p.pan_ends_at_split = s.attribute[0x10] & ar10_pan_ends;
}

void read_addressing(VgaPicture& p, const Vga::State& s)
{
    const auto& c = s.crtc;
    p.unit = c[0x14] & cr14_double_word ? VgaPicture::Unit::double_word
        : c[0x17] & cr17_byte           ? VgaPicture::Unit::byte
                                        : VgaPicture::Unit::word;
    p.count_shift = c[0x14] & cr14_count_by_4 ? 2 : c[0x17] & cr17_count_by_2 ? 1 : 0;
    p.word_low_bit = c[0x17] & cr17_bit_15 ? 15 : 13;
    p.row_as_bit_13 = !(c[0x17] & cr17_no_row_13);
    p.row_as_bit_14 = !(c[0x17] & cr17_no_row_14);
}

void read_pan(VgaPicture& p, u8 pan)
{
    if (p.kind == VgaPicture::Kind::packed)
        p.pixel_pan = pan >> 1 & 3;
    else if (p.dots == 9)
        p.pixel_pan = pan >= 8 ? 0 : u8(pan + 1);
    else
        p.pixel_pan = pan & 7;
}

// Low resolutions get pixels as square as whole factors allow.
void choose_shape(VgaPicture& p, const Vga::State& s)
{
    const u32 wide = p.columns * p.dots;
    const bool narrow = wide <= widest_undoubled && (s.sequencer[1] & sr1_half_clock || p.kind == VgaPicture::Kind::packed);
    const bool rows_repeat = p.kind != VgaPicture::Kind::text && p.preset_row == 0 && p.scan_lines % 2 == 0
        && (p.doubled || (p.rows % 2 == 0 && !p.row_as_bit_13)) && (p.split_line % 2 == 1 || p.split_line >= p.scan_lines);
    p.line_step = narrow && rows_repeat ? 2 : 1;
    p.widening = narrow && !rows_repeat && p.scan_lines > 300 ? 2 : 1;
    p.width = wide * p.widening;
    p.height = p.scan_lines / p.line_step;
}

void read_colours(VgaPicture& p, const Vga::State& s, bool wide_dac)
{
    p.palette = palette_of(s, wide_dac);
    for (unsigned n = 0; n < 16; ++n) {
        u8 index = s.attribute[n] & 0x3f;
        if (s.attribute[0x10] & ar10_palette_54)
            index = u8((index & 0x0f) | (s.attribute[0x14] & 3) << 4);
        index |= u8((s.attribute[0x14] & 0x0c) << 4);
        p.colours[n] = p.palette[index];
    }
}

void read_text(VgaPicture& p, const Vga::State& s)
{
    const u8 select = s.sequencer[3];
    p.font_b = font_address((select & 3u) | (select >> 2 & 4u));
    p.font_a = font_address((select >> 2 & 3u) | (select >> 3 & 4u));
    p.line_graphics = s.attribute[0x10] & ar10_line_graphics;
    p.blinking = s.attribute[0x10] & ar10_blink;
    p.underline_row = s.crtc[0x14] & 0x1f;
}

// VBE's 16-colour modes: size and place from DISPI, everything else from the VGA.
void apply_bochs(VgaPicture& p, const BochsDisplay::Mode& mode)
{
    p.columns = (mode.width + 7) / 8;
    p.dots = 8;
    p.width = mode.width;
    p.height = p.scan_lines = mode.height;
    p.widening = p.line_step = p.rows = 1;
    p.doubled = p.row_as_bit_13 = p.row_as_bit_14 = false;
    p.preset_row = p.byte_pan = p.count_shift = 0;
    p.unit = VgaPicture::Unit::byte;
    p.pitch = mode.stride;
    p.start = mode.y_offset * mode.stride + mode.x_offset / 8;
    p.pixel_pan = mode.x_offset % 8;
    p.split_line = 0xffff;
}
}

std::array<u32, 256> palette_of(const Vga::State& s, bool wide_dac)
{
    std::array<u32, 256> palette;
    for (unsigned n = 0; n < 256; ++n) {
        const u8* colour = &s.dac[(n & s.dac_mask) * 3];
        u32 rgb = 0;
        for (unsigned part = 0; part < 3; ++part)
            rgb = rgb << 8 | (wide_dac ? colour[part] : u8((colour[part] & 0x3f) << 2 | (colour[part] & 0x3f) >> 4));
        palette[n] = 0xff000000 | rgb;
    }
    return palette;
}

VgaPicture picture_of(const Vga::State& s, const BochsDisplay& bochs)
{
    VgaPicture p;
    const bool planar_bochs = bochs.enabled();
    if (!(s.attribute_index & ar_index_source) || s.sequencer[1] & sr1_screen_off
        || !(s.crtc[0x17] & cr17_running || planar_bochs))
        return p;
    p.kind = planar_bochs                 ? VgaPicture::Kind::planar
        : !(s.graphics[6] & gc6_graphics) ? VgaPicture::Kind::text
        : s.graphics[5] & gc5_packed      ? VgaPicture::Kind::packed
        : s.graphics[5] & gc5_interleave  ? VgaPicture::Kind::interleaved
                                          : VgaPicture::Kind::planar;
    p.columns = s.crtc[1] + 1u;
    p.dots = p.kind == VgaPicture::Kind::text && !(s.sequencer[1] & sr1_eight_dots) ? 9
        : p.kind == VgaPicture::Kind::packed                                        ? 4
                                                                                    : 8;
    p.plane_enable = s.attribute[0x12] & 0x0f;
    read_scan(p, s);
    read_addressing(p, s);
    read_pan(p, s.attribute[0x13] & 0x0f);
    read_colours(p, s, bochs.wide_dac());
    if (p.kind == VgaPicture::Kind::text)
        read_text(p, s);
    choose_shape(p, s);
    if (planar_bochs) {
        apply_bochs(p, bochs.mode());
        p.address_mask = u32(bochs.plane_size() - 1);
    }
    return p;
}

TextCursor cursor_of(const Vga::State& s)
{
    const auto& c = s.crtc;
    TextCursor cursor{u32(c[0x0e] << 8 | c[0x0f]), u8(c[0x0a] & 0x1f), u8(c[0x0b] & 0x1f)};
    cursor.visible = !(c[0x0a] & 0x20) && cursor.first <= cursor.last;
    return cursor;
}

u32 VgaPicture::address(u32 row_start, u32 column, u8 row) const
{
    const u32 counter = row_start + (column >> count_shift);
    u32 address = counter;
    if (unit == Unit::word)
        address = counter << 1 | (counter >> word_low_bit & 1);
    if (row_as_bit_13)
        address = (address & ~0x2000u) | (row & 1u) << 13;
    if (row_as_bit_14)
        address = (address & ~0x4000u) | (row >> 1 & 1u) << 14;
    return address & address_mask;
}

std::vector<VgaLine> lines_of(const VgaPicture& p)
{
    std::vector<VgaLine> lines;
    lines.reserve(p.height);
    u32 start = p.start;
    u8 row = p.preset_row, byte_pan = p.byte_pan, pan = p.pixel_pan;
    bool repeat = false;
    for (u32 y = 0; y < p.scan_lines; ++y) {
        if (y % p.line_step == 0 && lines.size() < p.height)
            lines.push_back({start + byte_pan, row, pan});
        if (y == p.split_line) {
            start = 0;
            row = 0;
            repeat = false;
            if (p.pan_ends_at_split)
                byte_pan = pan = 0;
            continue;
        }
        if (p.doubled && (repeat = !repeat))
            continue;
        if (row + 1 == p.rows) {
            row = 0;
            start += p.pitch;
        } else {
            row = (row + 1) & 0x1f;
        }
    }
    return lines;
}

}
