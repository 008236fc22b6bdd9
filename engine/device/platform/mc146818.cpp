#include "engine/device/platform/mc146818.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "engine/base/scale.h"

namespace engine {

namespace {
// Data sheet, figure 10 ("Address map")
enum Register : u8 { seconds_register, seconds_alarm, minutes, minutes_alarm, hours, hours_alarm, weekday, day, month, year };
constexpr u8 reg_a = 0x0a, reg_b = 0x0b, reg_c = 0x0c, reg_d = 0x0d;
constexpr u8 a_uip = 0x80, a_rate = 0x0f;
constexpr u8 b_set = 0x80, b_pie = 0x40, b_aie = 0x20, b_uie = 0x10, b_sqwe = 0x08, b_binary = 0x04, b_24_hours = 0x02;
constexpr u8 c_irqf = 0x80, interrupt_bits = b_pie | b_aie | b_uie;
constexpr u8 d_valid = 0x80;
constexpr u8 hour_pm = 0x80, alarm_any = 0xc0;

constexpr u64 second = 1'000'000'000, oscillator = 32768;
constexpr u64 update_window = 244'000 + 1'984'000;    // table 5, 32 768 Hz: tBUC + tUC
constexpr i64 day_seconds = 86400, no_alarm = std::numeric_limits<i64>::max();

i64 floor_modulo(i64 value, i64 divisor)
{
    return (value % divisor + divisor) % divisor;
}
}

Mc146818::Mc146818(DeadlineQueue& queue, IrqLine& irq8, u64 epoch_seconds)
    : irq8_(irq8),
      queue_(queue),
      timer_(
          queue,
          [this] {
              sync();
              update();
          }),
      ports_(*this, &Mc146818::read_port, &Mc146818::write_port)
{
    s_.second_offset = epoch_seconds;
    s_.seen = queue_.now();
}

void Mc146818::claim(PortSpace& ports)
{
    ports.claim(0x70, 2, ports_);
}

u8 Mc146818::read_port(u64 offset)
{
    return offset & 1 ? read_register(s_.index) : 0xff;
}

void Mc146818::write_port(u64 offset, u8 value)
{
    if (offset & 1)
        return write_register(s_.index, value);
    s_.index = value % size;
    const u8 masked = value >> 7;
    if (masked != std::exchange(s_.nmi_masked, masked) && nmi_mask_listener_)
        nmi_mask_listener_(masked);
}

u8 Mc146818::read_register(u8 index)
{
    switch (index) {
    case reg_a: {
        const bool updating = running() && chain() % second >= second - update_window;
        return u8(s_.bytes[reg_a] | (updating ? a_uip : 0));
    }
    case reg_c:
        return read_c();
    case reg_d:
        return d_valid;
    default:
        if (running() && (index < reg_a || index == century))
            show_time();
        return s_.bytes[index];
    }
}

void Mc146818::write_register(u8 index, u8 value)
{
    sync();
    const bool time
        = index == century || (index <= year && index != seconds_alarm && index != minutes_alarm && index != hours_alarm);
    if (time && running())
        show_time();
    switch (index) {
    case reg_a:
        write_a(value);
        break;
    case reg_b:
        write_b(value);
        break;
    case reg_c:
    case reg_d:
        break;
    default:
        s_.bytes[index] = value;
        if (time && running())
            set_time();
    }
    update();
}

void Mc146818::write_a(u8 value)
{
    if (running())
        show_time();
    const bool ran = divider_runs();
    s_.bytes[reg_a] = value & u8(~a_uip);
    if (ran || !divider_runs())
        return;
    // The first update comes half a second after the divider chain is let go.
    s_.phase = (second + second / 2 - queue_.now() % second) % second;
    if (running())
        set_time();
}

void Mc146818::write_b(u8 value)
{
    if (running())
        show_time();
    const bool ran = running();
    s_.bytes[reg_b] = value & b_set ? value & u8(~b_uie) : value;
    if (!ran && running())
        set_time();
}

u8 Mc146818::read_c()
{
    sync();
    const u8 flags = std::exchange(s_.flags, u8(0));
    const bool interrupting = flags & s_.bytes[reg_b] & interrupt_bits;
    update();
    return u8(flags | (interrupting ? c_irqf : 0));
}

// Time of day

u8 Mc146818::encode(unsigned value) const
{
    return u8(s_.bytes[reg_b] & b_binary ? value : value / 10 % 10 << 4 | value % 10);
}

unsigned Mc146818::decode(u8 value) const
{
    return s_.bytes[reg_b] & b_binary ? value : (value >> 4) * 10u + (value & 15);
}

u8 Mc146818::encode_hour(unsigned hour) const
{
    if (s_.bytes[reg_b] & b_24_hours)
        return encode(hour);
    return u8(encode(hour % 12 ? hour % 12 : 12) | (hour >= 12 ? hour_pm : 0));
}

unsigned Mc146818::decode_hour(u8 value) const
{
    if (s_.bytes[reg_b] & b_24_hours)
        return decode(value);
    return decode(value & u8(~hour_pm)) % 12 + (value & hour_pm ? 12 : 0);
}

// Puts the present time into the registers.
void Mc146818::show_time()
{
    using namespace std::chrono;
    const i64 now = seconds();
    const i64 in_day = floor_modulo(now, day_seconds);
    const i64 day_number = (now - in_day) / day_seconds;
    const year_month_day date{sys_days{days{day_number}}};
    const unsigned full_year = unsigned(floor_modulo(int(date.year()), 10000));

    auto& b = s_.bytes;
    b[seconds_register] = encode(unsigned(in_day % 60));
    b[minutes] = encode(unsigned(in_day / 60 % 60));
    b[hours] = encode_hour(unsigned(in_day / 3600));
    b[weekday] = encode(unsigned(floor_modulo(day_number + 4 + s_.weekday_offset, 7)) + 1);
    b[day] = encode(unsigned(date.day()));
    b[month] = encode(unsigned(date.month()));
    b[year] = encode(full_year % 100);
    b[century] = encode(full_year / 100);
}

// Makes the registers the present time.
void Mc146818::set_time()
{
    using namespace std::chrono;
    const auto& b = s_.bytes;
    const auto first = std::chrono::year(int(decode(b[century]) % 100 * 100 + decode(b[year]) % 100)) / January / 1;
    const sys_days date = sys_days{first + months(int(decode(b[month])) - 1)} + days(int(decode(b[day])) - 1);
    const i64 day_number = date.time_since_epoch().count();
    const i64 now
        = day_number * day_seconds + decode_hour(b[hours]) * 3600 + decode(b[minutes]) * 60 + decode(b[seconds_register]);
    s_.second_offset = u64(now) - chain() / second;
    s_.weekday_offset = u8(floor_modulo(i64(decode(b[weekday])) - 1 - (day_number + 4), 7));
}

// Interrupts

bool Mc146818::alarm_matches(unsigned field, unsigned value) const
{
    const u8 alarm = s_.bytes[field];
    return (alarm & alarm_any) == alarm_any || alarm == (field == hours_alarm ? encode_hour(value) : encode(value));
}

// The first second after `after` at which the alarm strikes.
i64 Mc146818::next_alarm(i64 after) const
{
    std::array<bool, 60> second_strikes{}, minute_strikes{};
    for (unsigned n = 0; n < 60; ++n) {
        second_strikes[n] = alarm_matches(seconds_alarm, n);
        minute_strikes[n] = alarm_matches(minutes_alarm, n);
    }
    if (std::ranges::find(second_strikes, true) == second_strikes.end()
        || std::ranges::find(minute_strikes, true) == minute_strikes.end())
        return no_alarm;
    const i64 start = floor_modulo(after, day_seconds);
    for (i64 at = start + 1; at <= start + day_seconds;) {
        if (!alarm_matches(hours_alarm, unsigned(at / 3600 % 24)))
            at += 3600 - at % 3600;
        else if (!minute_strikes[unsigned(at / 60 % 60)])
            at += 60 - at % 60;
        else if (!second_strikes[unsigned(at % 60)])
            ++at;
        else
            return after + (at - start);
    }
    return no_alarm;
}

// Register A, table 5: the interrupt comes every 2^shift periods of the oscillator. 0: never.
unsigned Mc146818::periodic_shift() const
{
    const unsigned rate = s_.bytes[reg_a] & a_rate;
    return rate == 0 ? 0 : rate <= 2 ? rate + 6 : rate - 1;
}

u64 Mc146818::periodic_count(u64 chain) const
{
    return scale(chain, oscillator, second) >> periodic_shift();
}

// Finds what happened since the last look.
void Mc146818::sync()
{
    const u64 before = std::exchange(s_.seen, queue_.now()) + s_.phase, now = chain();
    if (!divider_runs())
        return;
    if (periodic_shift() && periodic_count(before) != periodic_count(now))
        s_.flags |= b_pie;
    if (!running() || before / second == now / second)
        return;
    s_.flags |= b_uie;
    if (next_alarm(seconds_at(before)) <= seconds_at(now))
        s_.flags |= b_aie;
}

// Virtual time of the next enabled interrupt.
u64 Mc146818::next_event() const
{
    const u8 enabled = s_.bytes[reg_b];
    const u64 now = chain();
    u64 next = Timer::never;
    if (enabled & b_pie && periodic_shift() && divider_runs())
        next = scale_up((periodic_count(now) + 1) << periodic_shift(), second, oscillator);
    if (enabled & b_uie && running())
        next = std::min(next, (now / second + 1) * second);
    if (enabled & b_aie && running())
        if (const i64 alarm = next_alarm(seconds_at(now)); alarm != no_alarm)
            next = std::min(next, (now / second + u64(alarm - seconds_at(now))) * second);
    return next == Timer::never ? next : next - s_.phase;
}

void Mc146818::update()
{
    const bool interrupting = s_.flags & s_.bytes[reg_b] & interrupt_bits;
    irq8_.set(interrupting);
    // While the line is up nothing more can be told; reading register C finds out the rest.
    if (interrupting)
        timer_.cancel();
    else
        timer_.arm(next_event());
}

// Life cycle

void Mc146818::reset()
{
    sync();
    s_.bytes[reg_b] &= u8(~(interrupt_bits | b_sqwe));
    s_.flags = 0;
    update();
}

void Mc146818::visit(StateVisitor& v)
{
    auto& [bytes, index, nmi_masked_bit, flags, phase, second_offset, weekday_offset, seen] = s_;
    v.field("bytes", bytes);
    v.field("index", index);
    v.field("nmi_masked", nmi_masked_bit);
    v.field("flags", flags);
    v.field("phase", phase);
    v.field("second_offset", second_offset);
    v.field("weekday_offset", weekday_offset);
    v.field("seen", seen);
}

bool Mc146818::restored()
{
    constexpr i64 furthest = i64(1) << 38;
    const i64 offset = i64(s_.second_offset);
    if (s_.index >= size || s_.nmi_masked > 1 || s_.phase >= second || s_.weekday_offset > 6 || offset > furthest
        || offset < -furthest)
        return false;
    s_.seen = std::min(s_.seen, queue_.now());
    update();
    return true;
}

}
