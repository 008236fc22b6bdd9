#pragma once
// System control port B (61): the speaker's gate and data, NMI enables, refresh and timer outputs. IBM PC/AT Technical
// Reference, "Speaker"; bits as in the 82371SB (PIIX3) data sheet, section 2.5.5 ("NMISC").
// Not modelled: the NMI sources behind bits 6 and 7 (SERR# and IOCHK#), which always read as quiet.

#include <functional>

#include "engine/device/device.h"
#include "engine/memory/port_space.h"
#include "engine/time/virtual_clock.h"

namespace engine {

class SystemControlPort final : public Device, public IoHandler {
public:
    struct State {
        u8 control = 0;    // bits 3-0
    };
    struct Wires {
        const Clock& clock;
        std::function<void(bool)> gate2;    // to the timer's channel 2
        std::function<bool()> out2;    // from it
        std::function<void()> speaker_changed;    // gate or data changed; may be empty
    };

    explicit SystemControlPort(Wires wires) : wires_(std::move(wires)) { }

    void claim(PortSpace& ports) { ports.claim(0x61, 1, *this); }

    // The speaker's data bit: OUT2 reaches the speaker.
    bool speaker_data() const { return s_.control & 2; }

    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;

    std::string_view name() const override { return "system-control"; }
    void reset() override { write(0, 0, 1); }
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    State s_;
    Wires wires_;
};

}
