#pragma once
// Real-time clock and CMOS memory. Motorola MC146818A data sheet, with a PC's 128 bytes and the century at 32h.
//
// The clock follows the virtual clock: `epoch_seconds` is the wall-clock time at virtual time 0, and what the guest sets is
// kept as an offset. Nothing runs unless an enabled interrupt is to come. An update shows at the end of its cycle; UIP is up
// during the 244 + 1984 µs before. The memory outlives reset(), as the battery has it.
// Not modelled: daylight saving, the square wave output, time bases other than 32 768 Hz (the clock stands still), days that
// a month does not have (they become the next month's), and the re-injection of periodic interrupts that came too fast.

#include <array>
#include <functional>

#include "engine/device/device.h"
#include "engine/device/io_window.h"
#include "engine/device/irq_line.h"
#include "engine/memory/port_space.h"
#include "engine/time/deadline_queue.h"

namespace engine {

class Mc146818 final : public Device {
public:
    static constexpr unsigned size = 128, century = 0x32;

    static constexpr std::array<u8, size> power_on()
    {
        std::array<u8, size> bytes{};
        bytes[0x0a] = 0x26;    // running, 1024 Hz
        bytes[0x0b] = 0x02;    // BCD, 24 hours
        return bytes;
    }

    struct State {
        std::array<u8, size> bytes = power_on();    // 0-9 and the century: as last shown or set
        u8 index = 0;
        u8 nmi_masked = 0;    // port 70, bit 7
        u8 flags = 0;    // register C, bits 6-4
        u64 phase = 0;    // ns of the divider chain at virtual time 0, below one second
        u64 second_offset = 0;    // two's complement: seconds since the epoch minus the chain's seconds
        u8 weekday_offset = 0;    // days the guest's weekday is ahead of the calendar's
        u64 seen = 0;    // virtual time up to which flags are known
    };

    // `irq8` outlives the clock.
    Mc146818(DeadlineQueue& queue, IrqLine& irq8, u64 epoch_seconds);

    // Ports 70-71.
    void claim(PortSpace& ports);

    // For the board to fill in, and to keep. The clock's own registers (0-0dh, 32h) are not here while it runs.
    u8& cmos(unsigned index) { return s_.bytes[index % size]; }
    bool nmi_masked() const { return s_.nmi_masked; }
    void on_nmi_mask(std::function<void(bool masked)> listener) { nmi_mask_listener_ = std::move(listener); }
    // What the guest sees moves by this much at once; alarms in between are passed over. After a load, before restored().
    void shift(i64 seconds) { s_.second_offset += u64(seconds); }
    // Seconds since the epoch that the guest sees now.
    i64 seconds() const { return seconds_at(chain()); }

    std::string_view name() const override { return "rtc"; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

private:
    u8 read_port(u64 offset);
    void write_port(u64 offset, u8 value);
    u8 read_register(u8 index);
    void write_register(u8 index, u8 value);
    void write_a(u8 value);
    void write_b(u8 value);
    u8 read_c();

    u64 chain() const { return queue_.now() + s_.phase; }
    i64 seconds_at(u64 chain) const { return i64(chain / 1'000'000'000 + s_.second_offset); }
    bool divider_runs() const { return (s_.bytes[0x0a] & 0x70) == 0x20; }
    bool running() const { return divider_runs() && !(s_.bytes[0x0b] & 0x80); }
    void set_time();
    void show_time();
    u8 encode(unsigned value) const;
    unsigned decode(u8 value) const;
    u8 encode_hour(unsigned hour) const;
    unsigned decode_hour(u8 value) const;

    bool alarm_matches(unsigned field, unsigned value) const;
    i64 next_alarm(i64 after) const;
    unsigned periodic_shift() const;
    u64 periodic_count(u64 chain) const;
    u64 next_event() const;
    void sync();
    void update();

    State s_;
    IrqLine& irq8_;
    DeadlineQueue& queue_;
    std::function<void(bool)> nmi_mask_listener_;
    Timer timer_;
    IoWindow<Mc146818> ports_;
};

}
