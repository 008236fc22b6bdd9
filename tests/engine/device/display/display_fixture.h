#pragma once
// A display device that tests program like a BIOS would. The register values are those of IBM's standard modes.

#include <cstring>
#include <initializer_list>

#include "engine/device/display/std_vga.h"

namespace engine {

struct ModeRegisters {
    u8 miscellaneous;
    std::array<u8, 5> sequencer;
    std::array<u8, 25> crtc;
    std::array<u8, 9> graphics;
    std::array<u8, 5> attribute;    // from 10
};

// clang-format off
inline constexpr ModeRegisters mode_03{0x67, {3, 0, 3, 0, 2},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff}, {0x0c, 0, 0x0f, 8, 0}};
inline constexpr ModeRegisters mode_04{0x63, {3, 9, 3, 0, 2},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0, 0x96, 0xb9, 0xa2, 0xff},
    {0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff}, {1, 0, 3, 0, 0}};
inline constexpr ModeRegisters mode_12{0xe3, {3, 1, 0x0f, 0, 6},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf, 0x28, 0, 0xe7, 0x04, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff}, {1, 0, 0x0f, 0, 0}};
inline constexpr ModeRegisters mode_13{0x63, {3, 1, 0x0f, 0, 0x0e},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff}, {0x41, 0, 0x0f, 0, 0}};
inline constexpr ModeRegisters mode_x{0xe3, {3, 1, 0x0f, 0, 6},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0d, 0x3e, 0, 0x41, 0, 0, 0, 0, 0, 0, 0xea, 0xac, 0xdf, 0x28, 0, 0xe7, 0x06, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff}, {0x41, 0, 0x0f, 0, 0}};
// clang-format on

struct DisplayFixture {
    static constexpr u64 window = 0xa0000;

    ManualClock clock;
    AddressSpace memory;
    PortSpace ports;
    ImmediateRounds rounds;
    FrameMailbox mailbox;
    std::unique_ptr<MemoryBlock> video_memory = std::move(*MemoryBlock::create("video memory", StdVga::default_video_memory));
    StdVga vga{{memory, ports}, {.video_memory = *video_memory, .clock = clock, .dirty_rounds = rounds, .mailbox = mailbox}};

    void out(u16 port, u8 value) { ports.write(port, value, 1); }
    u8 in(u16 port) { return u8(ports.read(port, 1)); }
    void indexed(u16 port, u8 index, u8 value) { ports.write(port, u32(index | value << 8), 2); }
    void sequencer(u8 index, u8 value) { indexed(0x3c4, index, value); }
    void graphics(u8 index, u8 value) { indexed(0x3ce, index, value); }
    void crtc(u8 index, u8 value) { indexed(0x3d4, index, value); }
    void attribute(u8 index, u8 value)
    {
        in(0x3da);
        out(0x3c0, index);
        out(0x3c0, value);
        out(0x3c0, 0x20);
    }
    void dispi(u16 index, u16 value)
    {
        ports.write(0x1ce, index, 2);
        ports.write(0x1cf, value, 2);
    }
    u16 dispi(u16 index)
    {
        ports.write(0x1ce, index, 2);
        return u16(ports.read(0x1d0, 2));
    }
    void linear_mode(u16 width, u16 height, u16 bits, u16 flags = 0x40)
    {
        dispi(4, 0);
        dispi(1, width);
        dispi(2, height);
        dispi(3, bits);
        dispi(4, u16(flags | 1));
        out(0x3c2, 0x67);
        attribute(0x10, 1);
    }
    // Attribute n shows DAC colour n, and DAC colour n is {n, 2n, 3n} modulo 64.
    void set_mode(const ModeRegisters& mode)
    {
        dispi(4, 0);
        out(0x3c2, mode.miscellaneous);
        for (u8 n = 0; n < 5; ++n)
            sequencer(n, mode.sequencer[n]);
        crtc(0x11, 0);
        for (u8 n = 0; n < 25; ++n)
            crtc(n, mode.crtc[n]);
        for (u8 n = 0; n < 9; ++n)
            graphics(n, mode.graphics[n]);
        for (u8 n = 0; n < 16; ++n)
            attribute(n, n);
        for (u8 n = 0; n < 5; ++n)
            attribute(u8(0x10 + n), mode.attribute[n]);
        out(0x3c6, 0xff);
        out(0x3c8, 0);
        for (unsigned n = 0; n < 256; ++n)
            for (unsigned part = 1; part <= 3; ++part)
                out(0x3c9, u8(n * part & 63));
    }
    static u32 colour(unsigned n)
    {
        u32 rgb = 0xff;
        for (unsigned part = 1; part <= 3; ++part) {
            const u32 six = n * part & 63;
            rgb = rgb << 8 | (six << 2 | six >> 4);
        }
        return rgb;
    }
    void poke(u64 address, u8 value) { memory.write(address, value, 1); }
    u8 peek(u64 address) { return u8(memory.read(address, 1)); }
    void put_text(u32 column, u32 row, std::string_view text, u8 attribute_byte = 7)
    {
        u64 at = 0xb8000 + 2 * (row * 80 + column);
        for (const char c : text) {
            memory.write(at, u8(c) | attribute_byte << 8, 2);
            at += 2;
        }
    }
    // A font whose letters all differ: row r of character c is c rotated by r; blanks stay blank, as does
    // the last row, so that no letter is another's inverse.
    static u8 test_glyph(u8 character, unsigned row)
    {
        if (character == ' ' || character == 0 || character == 0xff || row >= 15)
            return 0;
        const unsigned turn = row % 8;
        return u8(character << turn | character >> (8 - turn)) ^ u8(row * 0x35);
    }
    void load_font(u64 plane_address = 0)
    {
        sequencer(2, 4);
        sequencer(4, 6);
        graphics(5, 0);
        graphics(6, 4);
        for (unsigned c = 0; c < 256; ++c)
            for (unsigned row = 0; row < 32; ++row)
                poke(window + plane_address + c * 32 + row, test_glyph(u8(c), row));
        sequencer(2, 3);
        sequencer(4, 2);
        graphics(5, 0x10);
        graphics(6, 0x0e);
    }

    std::shared_ptr<const Frame> shown()
    {
        vga.refresh();
        return mailbox.latest();
    }
    static u32 pixel(const Frame& f, u32 x, u32 y) { return f.pixels[u64(y) * f.width + x]; }
};

}
