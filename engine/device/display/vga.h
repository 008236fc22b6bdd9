#pragma once
// The VGA: sequencer, graphics controller, CRT controller, attribute controller, DAC and its 256 KiB in four planes.
// Sources: IBM Personal System/2 Hardware Interface Technical Reference, "Video Subsystem"; the FreeVGA project's notes.
//
// The planes lie interleaved at the start of the video memory: byte 4 * address + plane. Chain-4 and double-word mode both
// use the address / 4 instead of the hardware's rotated address, so that mode 13h is linear and can be mapped; only a
// program that writes in one of the two and shows in the other would see the difference.
// Not modelled: the vertical interrupt, the light pen, the odd/even page and RAM enable bits of the miscellaneous register,
// display skew, overscan, the sense comparators, a mode's picture changing in the middle of a frame.

#include <array>
#include <optional>

#include "engine/base/types.h"
#include "engine/device/display/bochs_display.h"
#include "engine/memory/memory_block.h"
#include "engine/state/state_visitor.h"
#include "engine/time/virtual_clock.h"

namespace engine {

class Vga {
    // IBM leaves open how a VGA powers on. This one runs in words, underlines nothing and shows all planes, so that
    // firmware without a video BIOS, which loads only what makes its text, has a picture.
    static constexpr std::array<u8, 0x19> power_on_crtc()
    {
        std::array<u8, 0x19> crtc{};
        crtc[0x14] = 0x1f;
        crtc[0x17] = 0xa3;
        return crtc;
    }
    static constexpr std::array<u8, 0x15> power_on_attribute()
    {
        std::array<u8, 0x15> attribute{};
        attribute[0x12] = 0x0f;
        return attribute;
    }

public:
    struct State {
        u8 miscellaneous = 0;
        u8 feature_control = 0;
        u8 sequencer_index = 0;
        std::array<u8, 5> sequencer{};
        u8 graphics_index = 0;
        std::array<u8, 9> graphics{};
        u8 crtc_index = 0;
        std::array<u8, 0x19> crtc = power_on_crtc();
        u8 attribute_index = 0;    // with bit 5, the palette address source
        u8 attribute_data_next = 0;    // the flip-flop of port 3c0
        std::array<u8, 0x15> attribute = power_on_attribute();
        u8 dac_mask = 0xff;
        u8 dac_reads = 0;    // port 3c7 was written last
        u8 dac_read_index = 0, dac_write_index = 0;
        u8 dac_component = 0;    // 0 red, 1 green, 2 blue
        std::array<u8, 2> dac_pending{};
        std::array<u8, 768> dac{};
        u32 latch = 0;    // plane n in bits 8n to 8n + 7
    };

    // The block holds at least 256 KiB.
    Vga(MemoryBlock& vram, const Clock& clock, const BochsDisplay& bochs) : vram_(vram), clock_(clock), bochs_(bochs) { }

    // Ports 3b0 to 3df. Unknown ones read all ones.
    u8 read_port(u16 port);
    void write_port(u16 port, u8 value);

    // The window at a0000; `offset` below 20000.
    u8 read_memory(u32 offset);
    void write_memory(u32 offset, u8 value);
    // Where in video memory a0000 to affff stands while it is nothing but memory.
    std::optional<u64> plain_window() const;

    const State& state() const { return s_; }
    // Grows with every register write that can be seen on the screen or moves the window.
    u64 changes() const { return changes_; }

    void reset();
    void visit(StateVisitor& visitor);
    bool restored();

private:
    // vga_registers.cpp
    bool answers(u16 port) const;
    void change(u8& part, unsigned value);
    u8 read_attribute() const;
    void write_attribute(u8 value);
    u8 read_crtc() const;
    void write_crtc(u8 value);
    u8 read_dac_port(u16 port);
    void write_dac_port(u16 port, u8 value);
    u8 read_dac();
    void write_dac(u8 value);
    u8 input_status_1() const;
    // vga_memory.cpp
    struct Place {
        u32 index;    // of the 32 bits that hold the four planes' bytes
        u8 writable_planes;
        u8 read_plane;
    };
    std::optional<u32> window_address(u32 offset) const;
    Place place(u32 address) const;
    u32 combine(u8 value) const;

    State s_;
    MemoryBlock& vram_;
    const Clock& clock_;
    const BochsDisplay& bochs_;
    u64 changes_ = 1;
};

}
