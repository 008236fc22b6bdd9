#include "engine/device/display/edid.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <string_view>

#include "engine/base/bits.h"

namespace engine {

namespace {
struct Size {
    u32 width, height;
};
constexpr u32 dots_per_metre = 3780;    // 96 to the inch

// E-EDID 1.4, 3.9: aspect ratio codes.
u16 standard_timing(Size size)
{
    const u32 ratio = size.width * 100 / size.height;
    const u32 aspect = ratio == 160 ? 0 : ratio == 133 ? 1 : ratio == 125 ? 2 : 3;
    return u16((size.width / 8 - 31) | aspect << 14);
}

u32 sync_lines(Size size)
{
    const u32 ratio = size.width * 100 / size.height;
    return ratio == 133 ? 4 : ratio == 177 ? 5 : ratio == 160 ? 6 : ratio == 125 ? 7 : 10;
}

// 3.10.2, with CVT 1.2's reduced blanking version 1.
void detailed_timing(std::span<u8> to, Size size)
{
    constexpr u32 blank_dots = 160, front_dots = 48, sync_dots = 32, front_lines = 3, back_lines = 6;
    const u32 sync = sync_lines(size);
    const u32 line_nanoseconds = (16'666'667 - 460'000) / size.height;
    const u32 blank_lines = std::max(460'000 / line_nanoseconds + 1, front_lines + sync + back_lines);
    const u64 hertz = u64(size.width + blank_dots) * (size.height + blank_lines) * 60;
    store_le<u16>(&to[0], u16(std::min<u64>(hertz / 250'000 * 25, 0xffff)));
    const u32 mm_wide = size.width * 1000 / dots_per_metre, mm_high = size.height * 1000 / dots_per_metre;
    to[2] = u8(size.width);
    to[3] = u8(blank_dots);
    to[4] = u8(size.width >> 8 << 4 | blank_dots >> 8);
    to[5] = u8(size.height);
    to[6] = u8(blank_lines);
    to[7] = u8(size.height >> 8 << 4 | blank_lines >> 8);
    to[8] = front_dots;
    to[9] = sync_dots;
    to[10] = u8(front_lines << 4 | sync);
    to[11] = 0;
    to[12] = u8(mm_wide);
    to[13] = u8(mm_high);
    to[14] = u8((mm_wide >> 8 & 15) << 4 | (mm_high >> 8 & 15));
    to[17] = 0x1a;    // separate syncs, horizontal positive
}

void text_descriptor(std::span<u8> to, u8 kind, std::string_view words)
{
    std::ranges::fill(to.first(5), u8(0));
    to[3] = kind;
    std::ranges::fill(to.subspan(5), u8(' '));
    std::ranges::copy(words, to.begin() + 5);
    if (words.size() < 13)
        to[5 + words.size()] = '\n';
}

void range_limits(std::span<u8> to)
{
    constexpr std::array<u8, 18> limits{0,  0,    0,    0xfd, 0,   50,  125, 30,  160,
                                        60, 0x01, '\n', ' ',  ' ', ' ', ' ', ' ', ' '};    // Hz, kHz, 10 MHz; no formula
    std::ranges::copy(limits, to.begin());
}

void finish(std::span<u8> block)
{
    block[127] = 0;
    block[127] = u8(-std::accumulate(block.begin(), block.end(), 0));
}

void base_block(std::span<u8> b, Size preferred)
{
    constexpr std::array<u8, 8> header{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    constexpr std::array<u8, 10> srgb{0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};
    std::ranges::copy(header, b.begin());
    store_be<u16>(&b[8], u16(('P' - '@') << 10 | ('D' - '@') << 5 | ('K' - '@')));
    store_le<u16>(&b[10], 1);
    b[16] = 0;
    b[17] = 2025 - 1990;
    b[18] = 1;
    b[19] = 4;
    b[20] = 0xa5;    // digital, 8 bits a colour, DisplayPort
    b[21] = u8(std::clamp<u32>(preferred.width * 100 / dots_per_metre, 1, 255));
    b[22] = u8(std::clamp<u32>(preferred.height * 100 / dots_per_metre, 1, 255));
    b[23] = 120;    // gamma 2.2
    b[24] = 0x07;    // sRGB, preferred timing is native, continuous frequency
    std::ranges::copy(srgb, b.begin() + 25);
    b[35] = 0x21;    // 640x480 and 800x600, 60 Hz
    b[36] = 0x08;    // 1024x768, 60 Hz
    constexpr std::array<Size, 8> standard{
        {{1152, 864}, {1280, 720}, {1280, 800}, {1280, 1024}, {1440, 900}, {1600, 900}, {1680, 1050}, {1920, 1080}}};
    for (std::size_t n = 0; n < standard.size(); ++n)
        store_le<u16>(&b[38 + 2 * n], standard_timing(standard[n]));
    detailed_timing(b.subspan(54, 18), preferred);
    range_limits(b.subspan(72, 18));
    text_descriptor(b.subspan(90, 18), 0xfc, "Paddock");
    text_descriptor(b.subspan(108, 18), 0xff, "1");
    b[126] = 1;
    finish(b);
}

void extension_block(std::span<u8> b)
{
    constexpr u8 cea_timing = 2, revision = 3, first_timing = 4;
    constexpr std::array<Size, 5> sizes{{{2560, 1600}, {2560, 1440}, {2048, 1152}, {1920, 1200}, {1600, 1200}}};
    b[0] = cea_timing;
    b[1] = revision;
    b[2] = first_timing;
    for (std::size_t n = 0; n < sizes.size(); ++n)
        detailed_timing(b.subspan(first_timing + 18 * n, 18), sizes[n]);
    finish(b);
}
}

Edid make_edid(u32 width, u32 height)
{
    Edid edid{};
    const Size preferred{std::clamp<u32>(width, 640, 4088), std::clamp<u32>(height, 480, 4095)};
    base_block(std::span(edid).first(128), preferred);
    extension_block(std::span(edid).last(128));
    return edid;
}

}
