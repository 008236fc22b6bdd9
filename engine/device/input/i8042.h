#pragma once
// The PC's keyboard controller with the PS/2 auxiliary port. Intel 8042 and IBM PS/2 Hardware Interface Technical Reference.
//
// A byte from a device takes as long as its wire would need, so that a second read of port 60 inside one interrupt
// handler sees the same byte again, as handlers that chain to the BIOS expect.
// Not modelled: the controller's password, its own program (commands ac, e0's test lines beyond the clocks).

#include <functional>

#include "engine/device/device.h"
#include "engine/device/input/ps2_device.h"
#include "engine/device/irq_line.h"
#include "engine/memory/port_space.h"
#include "engine/time/deadline_queue.h"

namespace engine {

class I8042 final : public Device {
public:
    // Where the controller's pins and plugs go. The callbacks run with the machine's lock held.
    struct Wires {
        IrqLine& keyboard_irq;    // IRQ 1
        IrqLine& mouse_irq;    // IRQ 12
        Ps2Device& keyboard;
        Ps2Device& mouse;
        std::function<void(bool enabled)> set_a20;
        std::function<void()> reset_machine;
    };

    I8042(DeadlineQueue& deadlines, Wires wires);
    // Ports 60 (data) and 64 (status and command).
    void claim(PortSpace& space);

    std::string_view name() const override { return "i8042"; }
    void reset() override;
    void visit(StateVisitor& v) override;
    bool restored() override;

private:
    enum class Source : u8 { controller, keyboard, mouse };
    struct State {
        std::array<u8, 32> ram{0x30};    // byte 0 is the command byte: both interfaces off until the BIOS has tested them
        u8 status = 0x10;
        u8 output = 0;
        u8 output_port = 0xcf;
        u8 waiting_command = 0;    // a command that takes its argument through port 60
        Source source = Source::controller;
        bool translating_break = false;
        ByteQueue<8> replies;    // of the controller itself
        u64 free_at = 0;    // virtual time from which the next device byte can be here
    };
    struct DataPort : IoHandler {
        I8042& owner;
        explicit DataPort(I8042& controller) : owner(controller) { }
        u64 read(u64, unsigned) override { return owner.read_data(); }
        void write(u64, u64 value, unsigned) override { owner.write_data(u8(value)); }
    };
    struct CommandPort : IoHandler {
        I8042& owner;
        explicit CommandPort(I8042& controller) : owner(controller) { }
        u64 read(u64, unsigned) override { return owner.s_.status; }
        void write(u64, u64 value, unsigned) override { owner.command(u8(value)); }
    };

    u8 read_data();
    void write_data(u8 value);
    void command(u8 value);
    void command_without_argument(u8 value);
    void finish_command(u8 argument);
    void write_command_byte(u8 value);
    void write_output_port(u8 value);
    u8 read_output_port() const;
    void reply(u8 value);
    void show(u8 value, Source source);
    void transfer();
    u8 translate(u8 byte, bool& complete);
    bool enabled(Source source) const;
    void update_irqs();

    State s_;

    Wires wires_;
    DeadlineQueue& deadlines_;
    Timer next_byte_;
    DataPort data_port_{*this};
    CommandPort command_port_{*this};
    bool transferring_ = false;
};

}
