// How the processor reaches the planes: IBM's "Graphics Controller" chapter, write modes 0 to 3 and read modes 0 and 1.

#include "engine/device/display/vga.h"

#include "engine/base/bits.h"

namespace engine {

namespace {
enum : u8 {
    gc_set_reset,
    gc_enable_set_reset,
    gc_colour_compare,
    gc_data_rotate,
    gc_read_map,
    gc_mode,
    gc_miscellaneous,
    gc_colour_dont_care,
    gc_bit_mask,
};
constexpr u8 mode_read_1 = 0x08, mode_odd_even = 0x10;
constexpr u8 miscellaneous_chain_odd_even = 0x02;
constexpr u8 sr_map_mask = 2, sr_memory_mode = 4;
constexpr u8 memory_mode_sequential = 0x04, memory_mode_chain_4 = 0x08;
constexpr u32 planes_size = 0x10000;    // bytes in each plane of a plain VGA

constexpr u32 spread(u8 planes)
{
    return (planes & 1 ? 0xffu : 0) | (planes & 2 ? 0xff00u : 0) | (planes & 4 ? 0xff0000u : 0) | (planes & 8 ? 0xff000000u : 0);
}
constexpr u32 repeat(u8 byte)
{
    return byte * 0x01010101u;
}
}

std::optional<u32> Vga::window_address(u32 offset) const
{
    switch (s_.graphics[gc_miscellaneous] >> 2 & 3) {
    case 0:
        return offset & 0x1ffff;
    case 1:
        return offset < 0x10000 ? std::optional(offset) : std::nullopt;
    case 2:
        return offset - 0x10000 < 0x8000 ? std::optional(offset - 0x10000) : std::nullopt;
    default:
        return offset - 0x18000 < 0x8000 ? std::optional(offset - 0x18000) : std::nullopt;
    }
}

Vga::Place Vga::place(u32 address) const
{
    const u8 map = s_.sequencer[sr_map_mask];
    const u8 read_map = s_.graphics[gc_read_map];
    if (bochs_.enabled())
        return {u32((bochs_.bank_offset() + address) & (bochs_.plane_size() - 1)), map, read_map};
    if (s_.sequencer[sr_memory_mode] & memory_mode_chain_4)
        return {address >> 2, u8(map & 1 << (address & 3)), u8(address & 3)};
    Place p{address % planes_size, map, read_map};
    const bool chains = s_.graphics[gc_miscellaneous] & miscellaneous_chain_odd_even;
    const bool odd_even_mode = s_.graphics[gc_mode] & mode_odd_even;
    // Three bits say odd/even and should agree. Where they don't, the sequencer needs one of the other two on its side, and
    // then A0 chooses the plane and no longer the place: firmware written for emulators sets no more than that.
    const bool odd_even = !(s_.sequencer[sr_memory_mode] & memory_mode_sequential) && (chains || odd_even_mode);
    if (chains || odd_even)
        p.index = (p.index & ~1u) | (address >> 16 & 1);
    if (odd_even)
        p.writable_planes &= address & 1 ? 0x0a : 0x05;
    if (odd_even_mode)
        p.read_plane = u8((read_map & 2) | (address & 1));
    return p;
}

u8 Vga::read_memory(u32 offset)
{
    if (bochs_.linear()) {
        const u64 at = bochs_.bank_offset() + offset;
        return offset < 0x10000 && at < vram_.size() ? vram_.data()[at] : 0xff;
    }
    const auto address = window_address(offset);
    if (!address)
        return 0xff;
    const Place p = place(*address);
    s_.latch = load_le<u32>(vram_.data() + u64(p.index) * 4);
    if (!(s_.graphics[gc_mode] & mode_read_1))
        return u8(s_.latch >> 8 * p.read_plane);
    u32 differs = (s_.latch ^ spread(s_.graphics[gc_colour_compare])) & spread(s_.graphics[gc_colour_dont_care]);
    differs |= differs >> 16;
    return u8(~(differs | differs >> 8));
}

// What write modes 0 to 3 make of a byte, for all four planes.
u32 Vga::combine(u8 value) const
{
    const u8 turn = s_.graphics[gc_data_rotate] & 7;
    const u8 rotated = u8(value >> turn | value << (8 - turn));
    const u32 set_reset = spread(s_.graphics[gc_set_reset]);
    u32 data = 0;
    u8 mask = s_.graphics[gc_bit_mask];
    switch (s_.graphics[gc_mode] & 3) {
    case 0: {
        const u32 enabled = spread(s_.graphics[gc_enable_set_reset]);
        data = (repeat(rotated) & ~enabled) | (set_reset & enabled);
        break;
    }
    case 1:
        return s_.latch;
    case 2:
        data = spread(value & 0x0f);
        break;
    default:
        data = set_reset;
        mask &= rotated;
        break;
    }
    switch (s_.graphics[gc_data_rotate] >> 3 & 3) {
    case 1:
        data &= s_.latch;
        break;
    case 2:
        data |= s_.latch;
        break;
    case 3:
        data ^= s_.latch;
        break;
    default:
        break;
    }
    return (data & repeat(mask)) | (s_.latch & ~repeat(mask));
}

void Vga::write_memory(u32 offset, u8 value)
{
    if (bochs_.linear()) {
        const u64 at = bochs_.bank_offset() + offset;
        if (offset < 0x10000 && at < vram_.size()) {
            vram_.before_write(at, 1);
            vram_.data()[at] = value;
            vram_.written(at, 1);
        }
        return;
    }
    const auto address = window_address(offset);
    if (!address)
        return;
    const Place p = place(*address);
    u8* cell = vram_.data() + u64(p.index) * 4;
    const u32 planes = spread(p.writable_planes);
    const u32 old = load_le<u32>(cell);
    const u32 result = (old & ~planes) | (combine(value) & planes);
    if (result == old)
        return;
    vram_.before_write(u64(p.index) * 4, 4);
    store_le<u32>(cell, result);
    vram_.written(u64(p.index) * 4, 4);
}

std::optional<u64> Vga::plain_window() const
{
    if (bochs_.linear())
        return bochs_.bank_offset() + 0x10000 <= vram_.size() ? std::optional(bochs_.bank_offset()) : std::nullopt;
    const auto& g = s_.graphics;
    const bool plain = s_.sequencer[sr_memory_mode] & memory_mode_chain_4 && s_.sequencer[sr_map_mask] == 0x0f
        && g[gc_enable_set_reset] == 0 && g[gc_data_rotate] == 0 && !(g[gc_mode] & (mode_read_1 | 3))
        && (g[gc_miscellaneous] >> 2 & 3) == 1 && g[gc_bit_mask] == 0xff;
    return plain && !bochs_.enabled() ? std::optional<u64>(0) : std::nullopt;
}

}
