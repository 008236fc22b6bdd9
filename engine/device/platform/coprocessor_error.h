#pragma once
// The PC/AT's way to report x87 errors: FERR# raises IRQ 13, and a write to port f0 takes it back. IBM PC/AT Technical
// Reference, "Math coprocessor"; 82371SB (PIIX3) data sheet, section 2.5.8 ("Coprocessor error").

#include "engine/device/device.h"
#include "engine/device/irq_line.h"
#include "engine/memory/port_space.h"

namespace engine {

class CoprocessorError final : public Device, public IoHandler {
public:
    struct State {
        bool error = false;
    };

    // `irq13` outlives the device.
    explicit CoprocessorError(IrqLine& irq13) : irq13_(irq13) { }
    void claim(PortSpace& ports) { ports.claim(0xf0, 2, *this); }

    void set_ferr(bool level)
    {
        s_.error = level;
        irq13_.set(level);
    }

    u64 read(u64, unsigned) override { return 0xff; }
    void write(u64, u64, unsigned) override { set_ferr(false); }

    std::string_view name() const override { return "coprocessor-error"; }
    void reset() override { set_ferr(false); }
    void visit(StateVisitor& v) override
    {
        auto& [error] = s_;
        v.field("error", error);
    }
    bool restored() override
    {
        irq13_.set(s_.error);
        return true;
    }

private:
    State s_;
    IrqLine& irq13_;
};

}
