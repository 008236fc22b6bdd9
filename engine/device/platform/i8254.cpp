#include "engine/device/platform/i8254.h"

#include <algorithm>

#include "engine/base/scale.h"

namespace engine {

namespace {
using Channel = I8254::Channel;

constexpr u64 nanoseconds = 1'000'000'000;
constexpr u64 shortest_interval = 20'000;    // ns between two runs of the timer in fast periodic modes
// Ticks in State count from here, so that a period may begin before the clock does.
constexpr u64 bias = u64(1) << 32;
constexpr u64 never = Timer::never;

// Control word and read-back command, data sheet figures 7 and 11
constexpr u8 read_back_no_count = 0x20, read_back_no_status = 0x10;
constexpr u8 status_out = 0x80, status_null_count = 0x40;

u32 from_bcd(u16 value)
{
    return (value >> 12) * 1000u + (value >> 8 & 15) * 100u + (value >> 4 & 15) * 10u + (value & 15);
}
u16 to_bcd(u32 value)
{
    return u16((value / 1000 % 10) << 12 | (value / 100 % 10) << 8 | (value / 10 % 10) << 4 | value % 10);
}

bool periodic(const Channel& c)
{
    return c.mode == 2 || c.mode == 3;
}
bool triggered(const Channel& c)
{
    return c.mode == 1 || c.mode == 5;
}
u32 high_ticks(u32 count)
{
    return (count + 1) / 2;
}

// Clocks counted so far. While the count is being loaded, none.
u64 elapsed(const Channel& c, u64 now)
{
    return !c.counting ? c.elapsed : now > c.origin ? now - c.origin : 0;
}

bool out_at(const Channel& c, u64 now)
{
    if (!c.loaded)
        return c.mode != 0;
    const u64 e = elapsed(c, now);
    switch (c.mode) {
    case 0:
        return e >= c.count;
    case 1:
        return !c.counting || now < c.origin || e >= c.count;
    case 2:
        return !c.counting || c.count < 2 || e % c.count != c.count - 1;
    case 3:
        return !c.counting || e % c.count < high_ticks(c.count);
    default:
        return !c.counting || e != c.count;
    }
}

u16 value_at(const Channel& c, u64 now)
{
    const u64 e = elapsed(c, now);
    const u64 modulus = c.bcd ? 10000 : 0x10000;
    u64 value = 0;
    if (c.mode == 2) {
        value = c.count - e % c.count;
    } else if (c.mode == 3) {
        const u64 phase = e % c.count, high = high_ticks(c.count);
        value = (c.count & ~1u) - 2 * (phase < high ? phase : phase - high);
    } else {
        value = c.count % modulus + modulus - e % modulus;
    }
    return c.bcd ? to_bcd(u32(value % modulus)) : u16(value);
}

// The first rise of OUT after `after`.
u64 next_rise(const Channel& c, u64 after)
{
    if (!c.loaded || !c.counting || (c.count < 2 && periodic(c)))
        return never;
    if (periodic(c))
        return after < c.origin ? c.origin + c.count : after + c.count - (after - c.origin) % c.count;
    const u64 rise = c.origin + c.count + (c.mode >= 4);
    return rise > after ? rise : never;
}

// When a new count takes over from the old one: mode 2 ends its period, mode 3 its half.
u64 switch_tick(const Channel& c, u64 after)
{
    if (after < c.origin)
        return c.origin;
    const u64 phase = (after - c.origin) % c.count;
    if (c.mode == 3 && phase < high_ticks(c.count) && c.count > 1)
        return after - phase + high_ticks(c.count);
    return after - phase + c.count;
}

void start(Channel& c, u64 origin)
{
    if (c.next_count)
        c.count = std::exchange(c.next_count, 0u);
    c.counting = 1;
    c.origin = origin;
    c.elapsed = 0;
}

void stop(Channel& c, u64 now)
{
    c.elapsed = elapsed(c, now);
    c.counting = 0;
}
}

I8254::I8254(DeadlineQueue& queue, IrqLine& irq0)
    : irq0_(irq0),
      queue_(queue),
      timer_(queue, [this] { update(false); }),
      ports_(*this, &I8254::read_port, &I8254::write_port)
{
    reset();
}

void I8254::claim(PortSpace& ports)
{
    ports.claim(0x40, 4, ports_);
}

u64 I8254::tick() const
{
    return bias + scale(queue_.now(), frequency, nanoseconds);
}

// Brings a channel up to now; tells whether OUT rose meanwhile.
bool I8254::sync(Channel& c)
{
    const u64 now = tick();
    bool rose = false;
    if (c.counting && c.next_count && periodic(c)) {
        const u64 at = switch_tick(c, c.seen);
        if (at <= now) {
            rose = next_rise(c, c.seen) <= at;
            const bool half = c.mode == 3 && at > c.origin && (at - c.origin) % c.count;
            start(c, half ? at - high_ticks(c.next_count) : at);
            c.seen = at;
        }
    }
    rose |= next_rise(c, c.seen) <= now;
    c.seen = now;
    return rose;
}

// Shows channel 0's OUT, and waits for its next rise. `rose`: OUT went up since it was last shown.
void I8254::update(bool rose)
{
    Channel& c = s_.channels[0];
    rose |= sync(c);
    const u64 now = tick();
    if (rose) {
        irq0_.set(false);
        irq0_.set(true);
    }
    // The low clock of modes 2 and 4 is left to the rise that ends it.
    if (!rose || c.mode == 3 || c.mode == 0)
        irq0_.set(out_at(c, now) || (c.loaded && c.counting && (c.mode == 2 || c.mode >= 4) && irq0_.level()));
    u64 next = next_rise(c, now);
    if (c.counting && (c.mode == 3 || (c.next_count && periodic(c))))
        next = std::min(next, switch_tick(c, now));
    if (next == never)
        return timer_.cancel();
    const u64 at = scale_up(next - bias, nanoseconds, frequency);
    const bool storm = periodic(c) && c.count < scale(shortest_interval, frequency, nanoseconds);
    timer_.arm(storm ? std::max(at, queue_.now() + shortest_interval) : at);
}

bool I8254::out(unsigned channel)
{
    if (channel > 2)
        return false;
    sync(s_.channels[channel]);
    return out_at(s_.channels[channel], tick());
}

u32 I8254::tone(unsigned channel)
{
    if (channel > 2)
        return 0;
    Channel& c = s_.channels[channel];
    sync(c);
    return c.mode == 3 && c.loaded && c.counting && c.count > 1 ? u32(frequency / c.count) : 0;
}

void I8254::set_gate(unsigned channel, bool level)
{
    if (channel > 2 || s_.channels[channel].gate == u8(level))
        return;
    Channel& c = s_.channels[channel];
    bool rose = sync(c);
    const u64 now = tick();
    const bool before = out_at(c, now);
    c.gate = level;
    if (!level && !triggered(c))
        stop(c, now);
    else if (level && c.loaded && (periodic(c) || triggered(c)))
        start(c, now + 1);
    else if (level && c.loaded && !c.write_high) {
        c.counting = 1;
        c.origin = now - c.elapsed;
    }
    rose |= !before && out_at(c, now);
    if (channel == 0)
        update(rose);
}

// Registers

u8 I8254::read_port(u64 offset)
{
    return offset < 3 ? read_count(s_.channels[offset]) : 0xff;
}

void I8254::write_port(u64 offset, u8 value)
{
    Channel& zero = s_.channels[0];
    bool rose = sync(zero);
    const bool before = out_at(zero, tick());
    if (offset < 3)
        write_count(s_.channels[offset], value);
    else
        write_control(value);
    rose |= !before && out_at(zero, tick());
    update(rose);
}

void I8254::write_control(u8 value)
{
    if (value >> 6 == 3)
        return read_back(value);
    Channel& c = s_.channels[value >> 6];
    sync(c);
    if (!(value & 0x30))
        return latch_count(c);
    const u8 mode = value >> 1 & 7;
    Channel fresh;
    fresh.mode = mode > 5 ? mode & 3 : mode;
    fresh.bcd = value & 1;
    fresh.access = value >> 4 & 3;
    fresh.gate = c.gate;
    fresh.seen = c.seen;
    fresh.count = c.count;
    c = fresh;
}

void I8254::read_back(u8 value)
{
    for (unsigned n = 0; n < 3; ++n) {
        Channel& c = s_.channels[n];
        if (!(value >> (n + 1) & 1))
            continue;
        sync(c);
        if (!(value & read_back_no_count))
            latch_count(c);
        if (value & read_back_no_status || c.status_latched)
            continue;
        const u64 now = tick();
        const bool null_count = !c.loaded || c.next_count || (c.counting && now < c.origin);
        c.status_latched = 1;
        c.latched_status
            = u8((out_at(c, now) ? status_out : 0) | (null_count ? status_null_count : 0) | c.access << 4 | c.mode << 1 | c.bcd);
    }
}

void I8254::latch_count(Channel& c)
{
    if (c.count_latched)
        return;
    c.count_latched = 1;
    c.latched_count = value_at(c, tick());
}

u8 I8254::read_count(Channel& c)
{
    if (c.status_latched) {
        c.status_latched = 0;
        return c.latched_status;
    }
    sync(c);
    const u16 value = c.count_latched ? c.latched_count : value_at(c, tick());
    const bool high = c.access == 2 || (c.access == 3 && c.read_high);
    if (c.access == 3)
        c.read_high ^= 1;
    if (c.access != 3 || high)
        c.count_latched = 0;
    return u8(high ? value >> 8 : value);
}

void I8254::write_count(Channel& c, u8 value)
{
    sync(c);
    if (c.access == 3 && !c.write_high) {
        c.low_byte = value;
        c.write_high = 1;
        // Mode 0: the first byte stops the count and lowers OUT.
        if (c.mode == 0) {
            c.loaded = 0;
            stop(c, tick());
        }
        return;
    }
    const u16 raw = u16(c.access == 1 ? value : c.access == 2 ? value << 8 : value << 8 | c.low_byte);
    c.write_high = 0;
    const u32 count = c.bcd ? from_bcd(raw) : raw;
    load(c, count ? count : c.bcd ? 10000 : 0x10000);
}

void I8254::load(Channel& c, u32 count)
{
    const bool first = !c.loaded;
    c.loaded = 1;
    c.next_count = count;
    if (triggered(c) || (periodic(c) && c.counting && !first))
        return;
    start(c, tick() + 1);
    if (!c.gate)
        stop(c, c.origin);
}

// Life cycle

void I8254::reset()
{
    const u64 now = tick();
    for (unsigned n = 0; n < 3; ++n) {
        s_.channels[n] = {};
        s_.channels[n].gate = n != 2;
        s_.channels[n].seen = now;
    }
    update(false);
}

void Channel::visit(StateVisitor& v)
{
    auto& [mode_, bcd_, access_, write_high_, read_high_, low_byte_, count_latched_, latched_count_, status_latched_, latched_status_, gate_, loaded_, counting_, count_, next_count_, origin_, elapsed_, seen_]
        = *this;
    v.field("mode", mode_);
    v.field("bcd", bcd_);
    v.field("access", access_);
    v.field("write_high", write_high_);
    v.field("read_high", read_high_);
    v.field("low_byte", low_byte_);
    v.field("count_latched", count_latched_);
    v.field("latched_count", latched_count_);
    v.field("status_latched", status_latched_);
    v.field("latched_status", latched_status_);
    v.field("gate", gate_);
    v.field("loaded", loaded_);
    v.field("counting", counting_);
    v.field("count", count_);
    v.field("next_count", next_count_);
    v.field("origin", origin_);
    v.field("elapsed", elapsed_);
    v.field("seen", seen_);
}

void I8254::visit(StateVisitor& v)
{
    auto& [channels] = s_;
    v.groups("channels", channels);
}

bool I8254::restored()
{
    constexpr u64 latest = bias + (u64(1) << 60);
    for (const Channel& c : s_.channels) {
        if (c.mode > 5 || c.access < 1 || c.access > 3 || c.count < 1 || c.count > 0x10000 || c.next_count > 0x10000)
            return false;
        if (c.origin > latest || c.elapsed > latest || c.seen > latest || c.seen < bias || (c.counting && c.origin < bias / 2))
            return false;
    }
    update(false);
    return true;
}

}
