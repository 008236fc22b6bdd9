#pragma once
// High precision event timer. IA-PC HPET specification 1.0a: three 64-bit timers, all periodic-capable, at 100 MHz.
//
// A level-triggered timer holds its output until its status bit is written; an edge-triggered one raises it at each expiry and
// leaves it up until the next, so that an 8259 does not lose it. Expiries closer together than 20 µs are merged.
// Not modelled: FSB (MSI) delivery, which the capabilities don't offer.

#include <array>
#include <functional>

#include "engine/device/device.h"
#include "engine/device/irq_line.h"
#include "engine/time/deadline_queue.h"

namespace engine {

class Hpet final : public Device, public IoHandler {
public:
    static constexpr unsigned timer_count = 3;
    static constexpr u64 tick_nanoseconds = 10;

    struct TimerState {
        u64 config = 0;    // the writable bits
        u64 comparator = ~u64(0);
        u64 period = 0;
        u64 expiry = Timer::never;    // ticks after `started`
        u8 asserted = 0;

        void visit(StateVisitor& visitor);
    };
    struct State {
        u64 config = 0;
        u64 status = 0;
        u64 counter = 0;    // while stopped; else the value at `started`
        u64 started = 0;    // virtual time
        std::array<TimerState, timer_count> timers{};
    };
    struct Wires {
        std::function<void(unsigned pin, bool level)> pin;    // I/O APIC inputs
        IrqLine& irq0;    // legacy replacement: timer 0, in place of the 8254
        IrqLine& irq8;    // timer 1, in place of the RTC
        std::function<void(bool active)> legacy;    // told of changes; may be empty
    };

    // `routes`: the I/O APIC inputs that timers may be routed to, a bit each.
    Hpet(DeadlineQueue& queue, Wires wires, u32 routes = 0x00f00004);

    bool legacy_replacement() const { return s_.config & 2; }

    // 1 KiB of registers, at fed00000; 32- and 64-bit accesses.
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;

    std::string_view name() const override { return "hpet"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    bool running() const { return s_.config & 1; }
    u64 elapsed() const;
    u64 read_register(u64 offset) const;
    void write_register(u64 offset, u64 value, u64 mask);
    void write_config(u64 value);
    void write_timer_config(unsigned n, u64 value);
    void write_comparator(unsigned n, u64 value, u64 mask);
    void clear_status(u64 bits);

    void schedule(unsigned n);
    void expire(unsigned n, u64 now);
    void run();
    void arm();
    u8 output_of(unsigned n) const;
    void drive(unsigned n, bool level);
    void set_wire(u8 output, bool level);

    State s_;
    Wires wires_;
    u32 routes_;
    DeadlineQueue& queue_;
    std::array<u8, timer_count> raised_{};    // which output each timer holds up, 0 for none
    Timer timer_;
};

}
