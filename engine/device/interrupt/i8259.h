#pragma once
// The PC/AT's two cascaded 8259A interrupt controllers. Intel 8259A data sheet; edge/level registers (ELCR) and their
// read-only bits as in the 82371SB (PIIX3) data sheet, section 2.5.3.
//
// As on the chip, an edge-triggered request whose line falls before it is acknowledged is gone, and the acknowledge cycle
// then yields the spurious IRQ 7 or 15: a device holds its line up until the guest has served it.
// Not modelled: MCS-80 mode, buffered mode, and ICW1's LTIM, which the PIIX3 replaces by the ELCR.

#include <array>

#include "engine/device/device.h"
#include "engine/device/io_window.h"
#include "engine/device/irq_line.h"
#include "engine/memory/port_space.h"

namespace engine {

class I8259Pair final : public Device {
public:
    struct Chip {
        u8 lines = 0;    // levels of IR0-IR7
        u8 edges = 0;    // edge-triggered requests not yet acknowledged
        u8 isr = 0;
        u8 imr = 0;
        u8 elcr = 0;
        u8 icw2 = 0;
        u8 icw4 = 0;
        u8 next_icw = 0;    // 2, 3, 4: the initialisation word awaited at A0 = 1; 0 when initialised
        u8 expects_icw4 = 0;
        u8 single = 0;
        u8 lowest = 7;    // the level of lowest priority
        u8 rotate_on_aeoi = 0;
        u8 special_mask = 0;
        u8 poll = 0;
        u8 read_isr = 0;

        void visit(StateVisitor& visitor);
    };
    struct State {
        std::array<Chip, 2> chips{};
    };

    I8259Pair();
    I8259Pair(const I8259Pair&) = delete;
    I8259Pair& operator=(const I8259Pair&) = delete;

    // Ports 20-21, a0-a1 and 4d0-4d1.
    void claim(PortSpace& ports);

    // Requests, n = 0-15, raised while the device wants service. IRQ 2 is the cascade and leads nowhere.
    IrqLine& irq(unsigned n) { return irqs_[n & 15]; }
    // To the processor (or LINT0).
    IrqLine& intr() { return intr_; }
    // The processor's INTA cycle: the vector to take.
    u8 acknowledge();

    std::string_view name() const override { return "pic"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    u8 read_master(u64 offset) { return read_chip(0, offset & 1); }
    void write_master(u64 offset, u8 value) { write_chip(0, offset & 1, value); }
    u8 read_slave(u64 offset) { return read_chip(1, offset & 1); }
    void write_slave(u64 offset, u8 value) { write_chip(1, offset & 1, value); }
    u8 read_elcr(u64 offset) { return s_.chips[offset & 1].elcr; }
    void write_elcr(u64 offset, u8 value);

    u8 read_chip(unsigned which, bool a0);
    void write_chip(unsigned which, bool a0, u8 value);
    void set_line(unsigned n, bool level);
    u8 requests(unsigned which) const;
    int pending(unsigned which) const;
    void take(Chip& chip, unsigned level);
    u8 poll(unsigned which);
    void update();

    State s_;
    std::array<IrqLine, 16> irqs_;
    IrqLine intr_;
    IoWindow<I8259Pair> master_, slave_, elcr_;
};

}
