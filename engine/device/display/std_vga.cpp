#include "engine/device/display/std_vga.h"

#include <algorithm>

namespace engine {

namespace {
constexpr PciFunction::Identity identity{.vendor = 0x1234, .device = 0x1111, .class_code = 0x030000, .revision = 2};
constexpr u64 window_at = 0xa0000, window_size = 0x20000, plain_size = 0x10000;
constexpr u16 dispi_first = 0x1ce, dispi_count = 4;
// BAR2
constexpr u32 register_space = 0x1000;
constexpr u64 vga_at = 0x400, vga_end = 0x420, dispi_at = 0x500, dispi_end = 0x516, extension_at = 0x600;
constexpr std::array<u8, 8> extension{8, 0, 0, 0, 0x1e, 0x1e, 0x1e, 0x1e};    // size of these; little-endian
}

StdVga::StdVga(PciWires wires, const Parts& parts)
    : PciFunction(wires, identity),
      bochs_(parts.video_memory),
      vga_(parts.video_memory, parts.clock, bochs_),
      scanout_(parts.video_memory, vga_, bochs_, parts.clock, parts.dirty_rounds, parts.mailbox),
      edid_(make_edid(parts.preferred_width, parts.preferred_height)),
      video_memory_(parts.video_memory),
      port_claims_{{
          {0x3b4, 2, {*this, &StdVga::read_port, &StdVga::write_port, 0x3b4}},
          {0x3ba, 1, {*this, &StdVga::read_port, &StdVga::write_port, 0x3ba}},
          {0x3c0, 16, {*this, &StdVga::read_port, &StdVga::write_port, 0x3c0}},
          {0x3d4, 2, {*this, &StdVga::read_port, &StdVga::write_port, 0x3d4}},
          {0x3da, 1, {*this, &StdVga::read_port, &StdVga::write_port, 0x3da}},
      }},
      dispi_ports_(*this),
      registers_(*this),
      window_(*this, &StdVga::read_window, &StdVga::write_window)
{
    add_memory_window(0, u32(video_memory_.size()), video_memory_, true);
    add_register_window(2, register_space, registers_);
    if (parts.rom) {
        add_expansion_rom(u32(parts.rom->size()), *parts.rom);
        rom_fonts_ = fonts_in({parts.rom->data(), parts.rom->size()});
    }
    for (PortClaim& claim : port_claims_)
        wires_.ports.claim(claim.first, claim.count, claim.handler);
    wires_.ports.claim(dispi_first, dispi_count, dispi_ports_, 2);
    wires_.memory.add_io("VGA window", window_at, window_size, parts.window_priority, window_);
    plain_window_ = wires_.memory.add_ram("VGA plain window", window_at, plain_size, parts.window_priority, video_memory_, 0);
    wires_.memory.enable(plain_window_, false);
}

StdVga::~StdVga()
{
    for (PortClaim& claim : port_claims_)
        wires_.ports.release(claim.first, claim.count, claim.handler);
    wires_.ports.release(dispi_first, dispi_count, dispi_ports_);
}

void StdVga::reset()
{
    PciFunction::reset();
    bochs_.reset();
    vga_.reset();
    update_window();
}

void StdVga::visit(StateVisitor& v)
{
    PciFunction::visit(v);
    v.group("vga", vga_);
    v.group("dispi", bochs_);
}

bool StdVga::restored()
{
    if (!PciFunction::restored() || !bochs_.restored() || !vga_.restored())
        return false;
    update_window();
    scanout_.invalidate();
    return true;
}

u64 StdVga::Bytes::read(u64 offset, unsigned size)
{
    u64 value = 0;
    for (unsigned n = 0; n < size; ++n)
        value |= u64((device_.*read_)(first_ + offset + n)) << 8 * n;
    return value;
}

void StdVga::Bytes::write(u64 offset, u64 value, unsigned size)
{
    for (unsigned n = 0; n < size; ++n)
        (device_.*write_)(first_ + offset + n, u8(value >> 8 * n));
}

// Words at 1ce (index), 1cf and 1d0 (data). A lone byte is the lower half of its register.
u64 StdVga::DispiPorts::read(u64 offset, unsigned)
{
    return offset == 0 ? device_.bochs_.read_index() : device_.bochs_.read_data();
}

void StdVga::DispiPorts::write(u64 offset, u64 value, unsigned size)
{
    BochsDisplay& bochs = device_.bochs_;
    if (offset == 0)
        bochs.write_index(u16(value));
    else if (offset <= 2)
        bochs.write_data(size == 1 ? u16((bochs.read_data() & 0xff00) | (value & 0xff)) : u16(value));
    device_.update_window();
}

void StdVga::write_port(u64 port, u8 value)
{
    vga_.write_port(u16(port), value);
    update_window();
}

// Everything is read byte by byte; only the VGA's ports, which are bytes themselves, notice being read.
u64 StdVga::RegisterSpace::read(u64 offset, unsigned size)
{
    u64 value = 0;
    for (unsigned n = 0; n < size; ++n) {
        const u64 at = offset + n;
        const u8 byte
            = at >= vga_at && at < vga_end ? device_.vga_.read_port(u16(0x3c0 + at - vga_at)) : device_.read_register(at);
        value |= u64(byte) << 8 * n;
    }
    return value;
}

void StdVga::RegisterSpace::write(u64 offset, u64 value, unsigned size)
{
    for (unsigned n = 0; n < size; ++n, ++offset, value >>= 8) {
        if (offset >= vga_at && offset < vga_end) {
            device_.vga_.write_port(u16(0x3c0 + offset - vga_at), u8(value));
        } else if (offset >= dispi_at && offset < dispi_end) {
            if (size - n >= 2 && offset % 2 == 0) {
                device_.bochs_.write(u16((offset - dispi_at) / 2), u16(value));
                ++n, ++offset, value >>= 8;
            } else {
                device_.write_dispi(offset - dispi_at, u8(value));
            }
        }
    }
    device_.update_window();
}

void StdVga::write_dispi(u64 offset, u8 value)
{
    const u16 index = u16(offset / 2), old = bochs_.read(index);
    bochs_.write(index, offset & 1 ? u16((old & 0xff) | value << 8) : u16((old & 0xff00) | value));
}

u8 StdVga::read_register(u64 offset) const
{
    if (offset < edid_.size())
        return edid_[offset];
    if (offset < vga_at)
        return 0;
    if (offset >= dispi_at && offset < dispi_end)
        return u8(bochs_.read(u16((offset - dispi_at) / 2)) >> 8 * (offset & 1));
    if (offset >= extension_at && offset - extension_at < extension.size())
        return extension[offset - extension_at];
    return 0xff;
}

// As plain memory a0000 costs a guest nothing; the vCPUs then flag what they write like any other page.
void StdVga::update_window()
{
    if (vga_.changes() == window_vga_ && bochs_.changes() == window_bochs_)
        return;
    window_vga_ = vga_.changes();
    window_bochs_ = bochs_.changes();
    const auto at = vga_.plain_window();
    if (at == window_shows_)
        return;
    window_shows_ = at;
    wires_.memory.begin_changes();
    if (at)
        wires_.memory.show(plain_window_, &video_memory_, *at, &video_memory_, *at);
    wires_.memory.enable(plain_window_, at.has_value());
    wires_.memory.end_changes();
}

std::optional<ScreenText> StdVga::text_mode_text() const
{
    if (!scanout_.shows_text())
        return {};
    return screen_text_of(scanout_.text_rows());
}

std::vector<GlyphFont> StdVga::fonts() const
{
    std::vector<GlyphFont> fonts = rom_fonts_;
    const GlyphFont& shown = scanout_.text_font();
    if (shown.height && std::ranges::find(fonts, shown) == fonts.end())
        fonts.push_back(shown);
    return fonts;
}

}
