#pragma once
// I/O APIC, 24 pins. Intel 82093AA data sheet; version 0x20 adds the EOI register (ICH data sheets, "EOIR").
//
// Machine's lock held everywhere. `deliver` never comes back into the I/O APIC: a level-triggered pin is looked at again on
// end_of_interrupt(), on a change of its line and on a write to its entry, so a line that nobody clears costs one message
// for each EOI and no more.
// Not modelled: the pins' polarity (lines are asserted or not) and the delivery status (delivery is instant).

#include <array>
#include <functional>

#include "engine/device/device.h"
#include "engine/device/interrupt/interrupt_message.h"

namespace engine {

class IoApic final : public Device, public IoHandler {
public:
    static constexpr unsigned pin_count = 24;
    // Returns whether some local APIC accepted the message.
    using Deliver = std::function<bool(const InterruptMessage&)>;

    struct State {
        u8 id = 0;
        u8 index = 0;    // IOREGSEL
        u32 lines = 0;    // levels of the pins
        std::array<u64, pin_count> redirection = [] {
            std::array<u64, pin_count> entries{};
            entries.fill(0x10000);
            return entries;
        }();
    };

    explicit IoApic(Deliver deliver) : deliver_(std::move(deliver)) { }

    void set_pin(unsigned pin, bool level);
    // A local APIC finished a level-triggered vector.
    void end_of_interrupt(u8 vector);

    // 4 KiB of registers, at fec00000.
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;

    std::string_view name() const override { return "ioapic"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    u32 read_register() const;
    void write_register(u32 value);
    void evaluate(unsigned pin);
    bool send(unsigned pin);

    State s_;
    Deliver deliver_;
};

}
