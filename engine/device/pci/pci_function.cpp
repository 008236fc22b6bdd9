#include "engine/device/pci/pci_function.h"

#include <algorithm>
#include <bit>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine {

namespace {
// PCI 3.0, 6.1: the type 0 header.
constexpr u8 vendor_id = 0x00, device_id = 0x02, command = 0x04, status = 0x06, revision_id = 0x08, class_code = 0x09;
constexpr u8 cache_line_size = 0x0c, latency_timer = 0x0d, first_bar = 0x10, after_bars = 0x28, subsystem_vendor_id = 0x2c,
             subsystem_id = 0x2e, rom_base = 0x30, interrupt_line = 0x3c, interrupt_pin = 0x3d;

constexpr u16 command_io = 0x0001, command_memory = 0x0002, command_master = 0x0004, command_interrupt_disable = 0x0400;
constexpr u8 status_interrupt = 0x08;
constexpr u8 status_high_sticky = 0xf9;    // errors: cleared by writing ones

constexpr u32 bar_ports = 1, bar_prefetchable = 8, rom_enable = 1;
constexpr u32 smallest_rom = 0x800;
constexpr u64 port_count = 0x10000;
constexpr int window_priority = 1;

u32 bar_size(u32 wanted, u32 smallest)
{
    return wanted > 0x80000000 ? 0x80000000 : std::bit_ceil(std::max(wanted, smallest));
}
}

PciFunction::PciFunction(PciWires wires, const Identity& identity) : wires_(wires)
{
    define_config16(vendor_id, identity.vendor, 0);
    define_config16(device_id, identity.device, 0);
    define_config16(command, 0, command_io | command_memory | command_master | command_interrupt_disable);
    define_config(revision_id, identity.revision, 0);
    define_config(class_code, u8(identity.class_code), 0);
    define_config16(class_code + 1, u16(identity.class_code >> 8), 0);
    define_config(cache_line_size, 0, 0xff);
    define_config(latency_timer, 0, 0xff);
    define_config16(subsystem_vendor_id, identity.subsystem_vendor, 0);
    define_config16(subsystem_id, identity.subsystem, 0);
    define_config(interrupt_pin, identity.interrupt_pin, 0);
    if (identity.interrupt_pin)
        define_config(interrupt_line, 0, 0xff);
}

u32 PciFunction::read_config(u8 offset, unsigned size)
{
    u32 value = 0;
    for (unsigned n = 0; n < size && offset + n < s_config_.size(); ++n) {
        u8 byte = s_config_[offset + n];
        if (offset + n == status && interrupt_.level())
            byte |= status_interrupt;
        value |= u32(byte) << (8 * n);
    }
    return value;
}

void PciFunction::write_config(u8 offset, u32 value, unsigned size)
{
    const unsigned end = std::min(offset + size, unsigned(s_config_.size()));
    bool decoding_changes = false;
    for (unsigned at = offset; at < end; ++at, value >>= 8) {
        u8& byte = s_config_[at];
        if (at == status + 1)
            byte &= u8(~(value & status_high_sticky));
        else
            byte = u8((byte & ~writable_[at]) | (value & writable_[at]));
        decoding_changes |= (at & ~1u) == command || (at >= first_bar && at < after_bars) || (at & ~3u) == rom_base;
    }
    if (decoding_changes)
        update_windows();
    config_written(offset, end - offset);
}

void PciFunction::config_written(u8, unsigned) { }

void PciFunction::define_config(u8 offset, u8 reset_value, u8 writable)
{
    s_config_[offset] = reset_values_[offset] = reset_value;
    writable_[offset] = writable;
}

void PciFunction::define_config16(u8 offset, u16 reset_value, u16 writable)
{
    define_config(offset, u8(reset_value), u8(writable));
    define_config(u8(offset + 1), u8(reset_value >> 8), u8(writable >> 8));
}

void PciFunction::define_bar(unsigned window, u32 size, u32 type_bits)
{
    windows_[window].size = size;
    const u32 writable = ~(size - 1) | (window == rom_window ? rom_enable : 0);
    define_config16(bar_offset(window), u16(type_bits), u16(writable));
    define_config16(u8(bar_offset(window) + 2), 0, u16(writable >> 16));
}

void PciFunction::add_port_window(unsigned bar, unsigned size, IoHandler& handler, unsigned widest)
{
    Window& window = windows_[bar];
    window.kind = Window::Kind::ports;
    window.handler = &handler;
    window.widest = widest;
    define_bar(bar, bar_size(size, 4), bar_ports);
}

void PciFunction::add_register_window(unsigned bar, u32 size, IoHandler& handler)
{
    Window& window = windows_[bar];
    window.kind = Window::Kind::registers;
    // Whole pages (6.2.5.1 allows a device to take more than it uses), so that no window shares a page with memory.
    define_bar(bar, bar_size(size, u32(page_size)), 0);
    wires_.memory.begin_changes();
    window.region
        = wires_.memory.add_io(text("pci ", hex(config16(device_id), 4), " bar ", bar), 0, window.size, window_priority, handler);
    wires_.memory.enable(window.region, false);
    wires_.memory.end_changes();
}

void PciFunction::add_memory_window(unsigned bar, u32 size, MemoryBlock& block, bool prefetchable)
{
    Window& window = windows_[bar];
    window.kind = Window::Kind::memory;
    define_bar(bar, bar_size(size, u32(page_size)), prefetchable ? bar_prefetchable : 0);
    wires_.memory.begin_changes();
    window.region = wires_.memory.add_ram(
        text("pci ", hex(config16(device_id), 4), " bar ", bar), 0, std::min<u64>(window.size, block.size()), window_priority,
        block, 0);
    wires_.memory.enable(window.region, false);
    wires_.memory.end_changes();
}

void PciFunction::add_expansion_rom(u32 size, MemoryBlock& block)
{
    Window& window = windows_[rom_window];
    window.kind = Window::Kind::rom;
    define_bar(rom_window, bar_size(std::max(size, smallest_rom), u32(page_size)), 0);
    wires_.memory.begin_changes();
    window.region = wires_.memory.add_rom(
        text("pci ", hex(config16(device_id), 4), " rom"), 0, std::min<u64>(window.size, block.size()), window_priority, block,
        0);
    wires_.memory.enable(window.region, false);
    wires_.memory.end_changes();
}

void PciFunction::update_windows()
{
    std::array<u32, 7> wanted{};
    bool changes = false;
    const u16 decode = config16(command);
    for (unsigned n = 0; n < windows_.size(); ++n) {
        const Window& window = windows_[n];
        if (window.kind == Window::Kind::none)
            continue;
        const u32 bar = load_le<u32>(&s_config_[bar_offset(n)]);
        const bool ports = window.kind == Window::Kind::ports;
        const bool enabled = decode & (ports ? command_io : command_memory) && (n != rom_window || bar & rom_enable);
        const u32 base = bar & ~(window.size - 1);
        // A register being sized holds all ones: a window that would reach the very top is not meant.
        const bool fits = base != 0 && u64(base) + window.size < (ports ? port_count + 1 : u64(1) << 32);
        wanted[n] = enabled && fits ? base : 0;
        changes |= wanted[n] != window.mapped_at;
    }
    if (!changes)
        return;
    wires_.memory.begin_changes();
    for (unsigned n = 0; n < windows_.size(); ++n)
        place(windows_[n], wanted[n]);
    wires_.memory.end_changes();
}

void PciFunction::place(Window& window, u32 at)
{
    if (window.mapped_at == at)
        return;
    if (window.kind == Window::Kind::ports) {
        if (window.mapped_at)
            wires_.ports.release(u16(window.mapped_at), window.size, *window.handler);
        if (at)
            wires_.ports.claim(u16(at), window.size, *window.handler, window.widest);
    } else {
        if (at)
            wires_.memory.move(window.region, at);
        wires_.memory.enable(window.region, at != 0);
    }
    window.mapped_at = at;
}

void PciFunction::reset()
{
    s_config_ = reset_values_;
    interrupt_.set(false);
    update_windows();
}

void PciFunction::visit(StateVisitor& v)
{
    v.field("config", s_config_);
}

bool PciFunction::restored()
{
    if (config16(vendor_id) != u16(reset_values_[0] | reset_values_[1] << 8)
        || config16(device_id) != u16(reset_values_[2] | reset_values_[3] << 8))
        return false;
    for (unsigned at = first_bar; at < after_bars; ++at)
        s_config_[at] = u8((s_config_[at] & writable_[at]) | (reset_values_[at] & ~writable_[at]));
    update_windows();
    return true;
}

}
