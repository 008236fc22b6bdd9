#pragma once
// 8254 programmable interval timer. Intel 8254 data sheet; on the PC its clock is 1 193 182 Hz, channel 0 raises IRQ 0,
// channel 1 once refreshed memory and channel 2 is the speaker's.
//
// Nothing happens for each tick: counts and outputs follow from the virtual clock, exactly, when somebody looks. Only
// channel 0 has a timer, for the next rise of OUT; its falls in modes 2 and 4 are shown just before that rise.
// Rises closer together than 20 µs are merged. Not modelled: reading back a count in the one clock in which it is loaded.

#include <array>

#include "engine/device/device.h"
#include "engine/device/io_window.h"
#include "engine/device/irq_line.h"
#include "engine/memory/port_space.h"
#include "engine/time/deadline_queue.h"

namespace engine {

class I8254 final : public Device {
public:
    static constexpr u64 frequency = 1'193'182;

    struct Channel {
        u8 mode = 0;
        u8 bcd = 0;
        u8 access = 3;    // 1 low byte, 2 high byte, 3 low then high
        u8 write_high = 0;    // the byte that comes next, where both do
        u8 read_high = 0;
        u8 low_byte = 0;
        u8 count_latched = 0;
        u16 latched_count = 0;
        u8 status_latched = 0;
        u8 latched_status = 0;
        u8 gate = 1;
        u8 loaded = 0;    // a count was written since the control word
        u8 counting = 0;    // `origin` holds; otherwise the count stands still at `elapsed`
        u32 count = 0x10000;    // 1 to 65536: the period or delay in force
        u32 next_count = 0;    // modes 1, 2, 3, 5: takes over with the next period or trigger; 0 if none
        u64 origin = 0;    // the tick at which counting starts from `count`, biased
        u64 elapsed = 0;    // ticks counted when it stopped
        u64 seen = 0;    // rises of OUT are known up to this tick, biased

        void visit(StateVisitor& visitor);
    };
    struct State {
        std::array<Channel, 3> channels{};
    };

    // `irq0` outlives the timer.
    I8254(DeadlineQueue& queue, IrqLine& irq0);

    // Ports 40-43.
    void claim(PortSpace& ports);

    // Channels 0 to 2.
    bool out(unsigned channel);
    void set_gate(unsigned channel, bool level);
    // For a speaker: the channel's square wave in Hz, 0 while it makes none.
    u32 tone(unsigned channel);

    std::string_view name() const override { return "pit"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    u8 read_port(u64 offset);
    void write_port(u64 offset, u8 value);
    void write_control(u8 value);
    void read_back(u8 value);
    void write_count(Channel& channel, u8 value);
    void load(Channel& channel, u32 count);
    u8 read_count(Channel& channel);
    void latch_count(Channel& channel);

    u64 tick() const;
    bool sync(Channel& channel);
    void update(bool rose);

    State s_;
    IrqLine& irq0_;
    DeadlineQueue& queue_;
    Timer timer_;
    IoWindow<I8254> ports_;
};

}
