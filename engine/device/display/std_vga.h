#pragma once
// The display adapter: VGA and Bochs display on the PCI bus, as 1234:1111.
//
// BAR0 is the video memory. BAR2 holds registers: 000 EDID, 400 VGA ports from 3c0, 500 DISPI words, 600 size and byte order.
// Beside them stand the VGA's ports, DISPI's at 1ce to 1d1 and the window at a0000, whatever the command register says.
// Not modelled: big-endian frame buffers. The video memory is saved by its owner, not by visit().

#include <optional>
#include <span>

#include "engine/device/display/bochs_display.h"
#include "engine/device/display/edid.h"
#include "engine/device/display/glyph_reader.h"
#include "engine/device/display/scanout.h"
#include "engine/device/display/vga.h"
#include "engine/device/pci/pci_function.h"

namespace engine {

class StdVga final : public PciFunction {
public:
    static constexpr u64 default_video_memory = 32 << 20;

    struct Parts {
        MemoryBlock& video_memory;    // 1 MiB to 256 MiB, a power of two
        MemoryBlock* rom = nullptr;    // the video BIOS, at most 16 MiB
        const Clock& clock;
        DirtyRounds& dirty_rounds;
        FrameMailbox& mailbox;
        int window_priority = 1;    // of a0000 to bffff in the address space
        u32 preferred_width = 1280, preferred_height = 800;
    };
    StdVga(PciWires wires, const Parts& parts);
    ~StdVga() override;

    std::string_view name() const override { return "vga.0"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

    // Machine thread, machine's lock held, up to 60 times a second. True if a frame went into the mailbox.
    bool refresh() { return scanout_.refresh(); }
    // The whole picture again with the next refresh.
    void invalidate() { scanout_.invalidate(); }

    // Machine's lock held. Text mode's text, else nothing; then read_glyphs() of the latest frame with fonts(), which needs
    // no lock, is the way.
    std::optional<ScreenText> text_mode_text() const;
    std::vector<GlyphFont> fonts() const;

    // What EDID asks guests for from now on.
    void set_preferred_size(u32 width, u32 height) { edid_ = make_edid(width, height); }

private:
    // A range of bytes, each a register.
    class Bytes final : public IoHandler {
    public:
        using Read = u8 (StdVga::*)(u64 offset);
        using Write = void (StdVga::*)(u64 offset, u8 value);
        Bytes(StdVga& device, Read reader, Write writer, u64 first = 0)
            : device_(device),
              read_(reader),
              write_(writer),
              first_(first)
        {
        }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;

    private:
        StdVga& device_;
        Read read_;
        Write write_;
        u64 first_;    // added to offsets
    };
    class RegisterSpace final : public IoHandler {
    public:
        explicit RegisterSpace(StdVga& device) : device_(device) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;

    private:
        StdVga& device_;
    };
    class DispiPorts final : public IoHandler {
    public:
        explicit DispiPorts(StdVga& device) : device_(device) { }
        u64 read(u64 offset, unsigned size) override;
        void write(u64 offset, u64 value, unsigned size) override;

    private:
        StdVga& device_;
    };

    u8 read_port(u64 port) { return vga_.read_port(u16(port)); }
    void write_port(u64 port, u8 value);
    u8 read_window(u64 offset) { return vga_.read_memory(u32(offset)); }
    void write_window(u64 offset, u8 value) { vga_.write_memory(u32(offset), value); }
    u8 read_register(u64 offset) const;
    void write_dispi(u64 offset, u8 value);
    void update_window();

    BochsDisplay bochs_;
    Vga vga_;
    Scanout scanout_;
    Edid edid_;
    MemoryBlock& video_memory_;
    std::vector<GlyphFont> rom_fonts_;

    struct PortClaim {
        u16 first;
        unsigned count;
        Bytes handler;
    };
    std::array<PortClaim, 5> port_claims_;
    DispiPorts dispi_ports_;
    RegisterSpace registers_;
    Bytes window_;
    AddressSpace::RegionId plain_window_ = 0;    // a0000 to affff as nothing but video memory
    u64 window_vga_ = 0, window_bochs_ = 0;    // changes() that the window was set for
    std::optional<u64> window_shows_;
};

}
