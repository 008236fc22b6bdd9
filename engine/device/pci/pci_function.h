#pragma once
// A function on the PCI bus: its configuration space and its windows. PCI Local Bus Specification 3.0, chapter 6.

#include <array>
#include <functional>

#include "engine/device/device.h"
#include "engine/device/irq_line.h"
#include "engine/memory/address_space.h"
#include "engine/memory/port_space.h"

namespace engine {

// What a function is wired to. The references outlive the function.
struct PciWires {
    AddressSpace& memory;
    PortSpace& ports;
};

class PciFunction : public Device {
public:
    struct Identity {
        u16 vendor, device;
        u32 class_code;    // class << 16 | subclass << 8 | programming interface
        u8 revision = 0;
        u8 interrupt_pin = 0;    // 1 = INTA#
        u16 subsystem_vendor = 0x1af4, subsystem = 0x1100;
    };

    PciFunction(PciWires wires, const Identity& identity);

    // Machine's lock held. `offset + size` stays within 256.
    u32 read_config(u8 offset, unsigned size);
    void write_config(u8 offset, u32 value, unsigned size);

    // INTx#; the bus connects it to a PIRQ.
    IrqLine& interrupt() { return interrupt_; }

    // Reset configuration space and windows; a function overrides it, calls this first and then resets its own state.
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

protected:
    // Windows, declared in the constructor. A window appears and moves as the guest programs BAR and command register.
    void add_port_window(unsigned bar, unsigned size, IoHandler& handler, unsigned widest);
    void add_register_window(unsigned bar, u32 size, IoHandler& handler);
    void add_memory_window(unsigned bar, u32 size, MemoryBlock& block, bool prefetchable);
    void add_expansion_rom(u32 size, MemoryBlock& block);

    // Marks bits of a configuration byte as writable by the guest, and gives its reset value.
    void define_config(u8 offset, u8 reset_value, u8 writable);
    void define_config16(u8 offset, u16 reset_value, u16 writable);
    u8 config(u8 offset) const { return s_config_[offset]; }
    u16 config16(u8 offset) const { return u16(s_config_[offset] | s_config_[offset + 1] << 8); }
    void set_config(u8 offset, u8 value) { s_config_[offset] = value; }
    bool bus_master() const { return s_config_[4] & 4; }

    // After a guest's write to [offset, offset + size), once the bytes and windows are up to date.
    virtual void config_written(u8 offset, unsigned size);

    PciWires wires_;

private:
    struct Window {
        enum class Kind : u8 { none, ports, registers, memory, rom } kind = Kind::none;
        u32 size = 0;
        IoHandler* handler = nullptr;
        unsigned widest = 0;
        AddressSpace::RegionId region = 0;
        u32 mapped_at = 0;    // 0: not mapped
    };
    static constexpr unsigned rom_window = 6;
    static constexpr u8 bar_offset(unsigned window) { return window == rom_window ? 0x30 : u8(0x10 + 4 * window); }
    void define_bar(unsigned window, u32 size, u32 type_bits);
    void update_windows();
    void place(Window& window, u32 at);

    std::array<u8, 256> s_config_{};
    std::array<u8, 256> reset_values_{};
    std::array<u8, 256> writable_{};
    std::array<Window, 7> windows_{};
    IrqLine interrupt_;
};

}
