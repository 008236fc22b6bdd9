#include "engine/device/platform/hpet.h"

#include <algorithm>

#include "engine/base/bits.h"
#include "engine/base/scale.h"

namespace engine {

namespace {
// Specification 1.0a, section 2.3
constexpr u64 capabilities = 0x00, general_config = 0x10, general_status = 0x20, main_counter = 0xf0;
constexpr u64 timers_base = 0x100, timer_stride = 0x20, timer_config = 0x00, timer_comparator = 0x08;
constexpr u64 period_femtoseconds = Hpet::tick_nanoseconds * 1'000'000;
constexpr u64 identity = period_femtoseconds << 32 | 0x8086'0001 | (Hpet::timer_count - 1) << 8 | 1 << 13 | 1 << 15;

constexpr u64 config_enable = 1, config_legacy = 2;
constexpr u64 tn_level = 1 << 1, tn_enable = 1 << 2, tn_periodic = 1 << 3, tn_can_repeat = 1 << 4, tn_is_64_bit = 1 << 5;
constexpr u64 tn_set_value = 1 << 6, tn_32_bit = 1 << 8, tn_route = 31 << 9;
constexpr u64 tn_writable = tn_level | tn_enable | tn_periodic | tn_set_value | tn_32_bit | tn_route;

constexpr u64 shortest_period = 2000;    // ticks
constexpr u64 never = Timer::never;
// Outputs: I/O APIC input + 1, or one of the legacy lines.
constexpr u8 no_output = 0, output_irq0 = 33, output_irq8 = 34;

u64 add(u64 a, u64 b)
{
    return a > never - b ? never : a + b;
}
u64 width_mask(const Hpet::TimerState& t)
{
    return t.config & tn_32_bit ? low_mask(32) : ~u64(0);
}
bool repeats(const Hpet::TimerState& t)
{
    return t.config & tn_periodic && t.period & width_mask(t);
}
}

Hpet::Hpet(DeadlineQueue& queue, Wires wires, u32 routes)
    : wires_(std::move(wires)),
      routes_(routes),
      queue_(queue),
      timer_(queue, [this] {
          run();
          arm();
      })
{
}

// Ticks since the counter was started.
u64 Hpet::elapsed() const
{
    const u64 now = queue_.now();
    return running() && now > s_.started ? (now - s_.started) / tick_nanoseconds : 0;
}

u64 Hpet::read(u64 offset, unsigned size)
{
    run();
    return read_register(offset & ~u64(7)) >> (8 * (offset & 7)) & low_mask(8 * size);
}

void Hpet::write(u64 offset, u64 value, unsigned size)
{
    if (offset % size || size < 4)
        return;
    run();
    const unsigned shift = 8 * (offset & 7);
    write_register(offset & ~u64(7), value << shift, low_mask(8 * size) << shift);
    arm();
}

u64 Hpet::read_register(u64 offset) const
{
    switch (offset) {
    case capabilities:
        return identity;
    case general_config:
        return s_.config;
    case general_status:
        return s_.status;
    case main_counter:
        return s_.counter + elapsed();
    default:
        break;
    }
    const u64 n = (offset - timers_base) / timer_stride;
    if (offset < timers_base || n >= timer_count)
        return 0;
    const TimerState& t = s_.timers[n];
    switch (offset % timer_stride) {
    case timer_config:
        return (t.config & ~tn_set_value) | tn_can_repeat | tn_is_64_bit | u64(routes_) << 32;
    case timer_comparator:
        return t.comparator;
    default:
        return 0;
    }
}

void Hpet::write_register(u64 offset, u64 value, u64 mask)
{
    const u64 merged = (read_register(offset) & ~mask) | (value & mask);
    switch (offset) {
    case general_config:
        return write_config(merged);
    case general_status:
        return clear_status(value & mask);
    case main_counter:
        s_.counter = merged;
        s_.started = queue_.now();
        for (unsigned n = 0; n < timer_count; ++n)
            schedule(n);
        return;
    default:
        break;
    }
    const u64 n = (offset - timers_base) / timer_stride;
    if (offset < timers_base || n >= timer_count)
        return;
    if (offset % timer_stride == timer_config && mask & low_mask(32))
        write_timer_config(unsigned(n), value);
    else if (offset % timer_stride == timer_comparator)
        write_comparator(unsigned(n), value, mask);
}

void Hpet::write_config(u64 value)
{
    const u64 changed = s_.config ^ value;
    if (changed & (config_legacy | config_enable))
        for (unsigned n = 0; n < timer_count; ++n)
            drive(n, false);
    if (changed & config_enable) {
        s_.counter += elapsed();
        s_.started = queue_.now();
    }
    s_.config = value & (config_enable | config_legacy);
    for (unsigned n = 0; n < timer_count; ++n) {
        if (changed & config_enable)
            schedule(n);
        // A level stays for as long as its status bit does.
        if (running() && s_.status >> n & 1)
            drive(n, true);
    }
    if (changed & config_legacy && wires_.legacy)
        wires_.legacy(legacy_replacement());
}

void Hpet::write_timer_config(unsigned n, u64 value)
{
    TimerState& t = s_.timers[n];
    const u64 before = t.config;
    const bool pending = s_.status >> n & 1;
    drive(n, false);
    t.config = value & tn_writable;
    t.comparator &= width_mask(t);
    if (!(t.config & tn_level))
        clear_status(u64(1) << n);
    else if (pending && t.config & tn_enable && running())
        drive(n, true);
    if ((before ^ t.config) & (tn_periodic | tn_32_bit))
        schedule(n);
}

// Section 2.3.9.2: in periodic mode a write sets the period, and the comparator itself only after VAL_SET.
void Hpet::write_comparator(unsigned n, u64 value, u64 mask)
{
    TimerState& t = s_.timers[n];
    const auto merge = [&](u64 old) { return ((old & ~mask) | (value & mask)) & width_mask(t); };
    if (!(t.config & tn_periodic) || t.config & tn_set_value) {
        t.comparator = merge(t.comparator);
        schedule(n);
    }
    if (t.config & tn_periodic)
        t.period = merge(t.period);
    if (mask & 1)
        t.config &= ~tn_set_value;
}

void Hpet::clear_status(u64 status_bits)
{
    for (unsigned n = 0; n < timer_count; ++n) {
        if (!(status_bits >> n & 1) || !(s_.status >> n & 1))
            continue;
        s_.status &= ~(u64(1) << n);
        drive(n, false);
    }
}

// When the counter will next equal the comparator.
void Hpet::schedule(unsigned n)
{
    TimerState& t = s_.timers[n];
    const u64 now = elapsed();
    t.expiry = running() ? add(now, (t.comparator - (s_.counter + now)) & width_mask(t)) : never;
}

void Hpet::expire(unsigned n, u64 now)
{
    TimerState& t = s_.timers[n];
    const u64 late = now - t.expiry;
    if (repeats(t)) {
        const u64 period = t.period & width_mask(t);
        const u64 step = (late / period + 1) * period;
        t.comparator = (t.comparator + step) & width_mask(t);
        t.expiry = add(t.expiry, step);
    } else {
        t.expiry = t.config & tn_32_bit ? add(t.expiry, ((late >> 32) + 1) << 32) : never;
    }
    if (!(t.config & tn_enable))
        return;
    if (t.config & tn_level)
        s_.status |= u64(1) << n;
    else
        drive(n, false);
    drive(n, true);
}

void Hpet::run()
{
    const u64 now = elapsed();
    for (unsigned n = 0; running() && n < timer_count; ++n)
        if (s_.timers[n].expiry <= now)
            expire(n, now);
}

void Hpet::arm()
{
    u64 next = never;
    for (const TimerState& t : s_.timers) {
        if (!running() || !(t.config & tn_enable) || t.expiry == never)
            continue;
        const bool storm = repeats(t) && (t.period & width_mask(t)) < shortest_period;
        next = std::min(next, storm ? std::max(t.expiry, elapsed() + shortest_period) : t.expiry);
    }
    timer_.arm(next == never ? never : add(s_.started, scale(next, tick_nanoseconds, 1)));
}

u8 Hpet::output_of(unsigned n) const
{
    if (legacy_replacement() && n < 2)
        return n ? output_irq8 : output_irq0;
    const unsigned pin = unsigned(s_.timers[n].config & tn_route) >> 9;
    return routes_ >> pin & 1 ? u8(pin + 1) : no_output;
}

void Hpet::drive(unsigned n, bool level)
{
    s_.timers[n].asserted = level;
    const u8 output = level ? output_of(n) : no_output;
    if (output == raised_[n])
        return;
    set_wire(raised_[n], false);
    raised_[n] = output;
    set_wire(output, true);
}

void Hpet::set_wire(u8 output, bool level)
{
    if (output == output_irq0)
        wires_.irq0.set(level);
    else if (output == output_irq8)
        wires_.irq8.set(level);
    else if (output != no_output && wires_.pin)
        wires_.pin(output - 1u, level);
}

void Hpet::reset()
{
    const bool legacy = legacy_replacement();
    for (unsigned n = 0; n < timer_count; ++n)
        drive(n, false);
    s_ = {};
    arm();
    if (legacy && wires_.legacy)
        wires_.legacy(false);
}

void Hpet::TimerState::visit(StateVisitor& v)
{
    auto& [config_bits, comparator_value, period_ticks, next_expiry, output_asserted] = *this;
    v.field("config", config_bits);
    v.field("comparator", comparator_value);
    v.field("period", period_ticks);
    v.field("expiry", next_expiry);
    v.field("asserted", output_asserted);
}

void Hpet::visit(StateVisitor& v)
{
    auto& [config, status, counter, started, timers] = s_;
    v.field("config", config);
    v.field("status", status);
    v.field("counter", counter);
    v.field("started", started);
    v.groups("timers", timers);
}

bool Hpet::restored()
{
    if (s_.config & ~(config_enable | config_legacy) || s_.status >> timer_count)
        return false;
    for (const TimerState& t : s_.timers)
        if (t.config & ~tn_writable || t.asserted > 1)
            return false;
    if (wires_.legacy)
        wires_.legacy(legacy_replacement());
    for (unsigned n = 0; n < timer_count; ++n)
        drive(n, s_.timers[n].asserted);
    arm();
    return true;
}

}
