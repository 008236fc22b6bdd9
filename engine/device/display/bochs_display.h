#pragma once
// The Bochs display interface ("VBE DISPI"): an index and a data register that set a linear mode of any size.
// Source: Bochs VBE display API documentation. Ids b0c0 to b0c5. Modes stay within the video memory whatever is written.
// Not modelled: the DDC register, separate read and write banks, palettes converted when the DAC's width changes.

#include <bit>

#include "engine/base/types.h"
#include "engine/memory/memory_block.h"
#include "engine/state/state_visitor.h"

namespace engine {

class BochsDisplay {
public:
    static constexpr u16 max_width = 2560, max_height = 1600;

    struct State {
        u16 index = 0;
        u16 id = 0xb0c5;
        u16 width = 0, height = 0;    // as written; mode() has them within bounds
        u16 bits = 8;
        u16 enable = 0;
        u16 bank = 0;
        u16 virtual_width = 0;
        u16 x_offset = 0, y_offset = 0;
    };

    // A mode that fits the video memory. `stride` is in bytes; with 4 bits in bytes of one plane.
    struct Mode {
        u32 width = 0, height = 0;
        u32 bits = 0;
        u32 virtual_width = 0, virtual_height = 0;
        u32 x_offset = 0, y_offset = 0;
        u32 stride = 0;
        bool operator==(const Mode&) const = default;
    };

    explicit BochsDisplay(MemoryBlock& vram) : vram_(vram) { }

    // Ports 1ce (index) and 1cf, 1d0 (data).
    u16 read_index() const { return s_.index; }
    void write_index(u16 value) { s_.index = value; }
    u16 read_data() const { return read(s_.index); }
    void write_data(u16 value) { write(s_.index, value); }
    u16 read(u16 index) const;
    void write(u16 index, u16 value);

    bool enabled() const { return s_.enable & 1; }
    bool linear() const { return enabled() && s_.bits != 4; }
    bool wide_dac() const { return s_.enable & 0x20; }
    // Only meaningful while enabled.
    const Mode& mode() const { return mode_; }
    // Of the 64 KiB window at a0000, in bytes (4 bits: of each plane).
    u64 bank_offset() const { return u64(s_.bank) << 16; }
    // Bytes in each plane with 4 bits, a power of two.
    u64 plane_size() const { return std::bit_floor(vram_.size() / 4); }
    // Grows with every change that can be seen.
    u64 changes() const { return changes_; }

    void reset();
    void visit(StateVisitor& visitor);
    bool restored();

private:
    u16 banks() const { return u16(vram_.size() >> 16 < 0xffff ? vram_.size() >> 16 : 0xffff); }
    void write_enable(u16 value);
    void update_mode();
    void clear_screen();

    State s_;
    MemoryBlock& vram_;
    Mode mode_;
    u64 changes_ = 1;
};

}
