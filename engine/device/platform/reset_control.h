#pragma once
// The two ports by which software resets a PC: system control port A (92), which also holds the fast A20 gate, and the
// reset control register (cf9). 82371SB (PIIX3) data sheet, sections 2.5.6 ("P92") and 2.5.7 ("RC").

#include <functional>

#include "engine/device/device.h"
#include "engine/device/io_window.h"
#include "engine/memory/port_space.h"

namespace engine {

class ResetControl final : public Device {
public:
    struct State {
        u8 port92 = 0;    // bit 1: A20 enabled by this port
        u8 rc = 0;
    };
    enum class Reset : u8 { processor, system };
    struct Wires {
        // Told of changes only. The board enables A20 while this or the keyboard controller asks for it.
        std::function<void(bool enabled)> a20;
        // Must only ask for the reset: it is called inside the guest's port write.
        std::function<void(Reset)> reset;
    };

    explicit ResetControl(Wires wires);

    void claim(PortSpace& ports);
    bool a20() const { return s_.port92 & 2; }

    std::string_view name() const override { return "reset-control"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    u8 read_port92(u64) { return s_.port92; }
    void write_port92(u64, u8 value);
    u8 read_rc(u64) { return s_.rc; }
    void write_rc(u64, u8 value);
    void ask(Reset kind);

    State s_;
    Wires wires_;
    IoWindow<ResetControl> port92_, rc_;
};

}
