#include "engine/device/interrupt/lapic.h"

#include <algorithm>
#include <bit>

#include "engine/base/scale.h"
#include "engine/base/text.h"
#include "engine/device/interrupt/lapic_call.h"
#include "engine/device/interrupt/lapic_registers.h"

namespace engine {

using namespace lapic_registers;

namespace {
constexpr int none = -1;

int highest(const Lapic::Set& set)
{
    for (int word = 7; word >= 0; --word)
        if (set[unsigned(word)])
            return 32 * word + std::bit_width(set[unsigned(word)]) - 1;
    return none;
}

bool has(const Lapic::Set& set, u8 vector)
{
    return set[vector / 32] >> vector % 32 & 1;
}
void add(Lapic::Set& set, u8 vector)
{
    set[vector / 32] |= 1u << vector % 32;
}
void remove(Lapic::Set& set, u8 vector)
{
    set[vector / 32] &= ~(1u << vector % 32);
}

DeliveryMode delivery_mode(u32 entry)
{
    return DeliveryMode(entry >> 8 & 7);
}
}

Lapic::Lapic(DeadlineQueue& queue, Configuration configuration)
    : queue_(queue),
      configuration_(std::move(configuration)),
      name_(text("lapic.", configuration_.id)),
      timer_(queue, [this] {
          const Call call(*this);
          poll_timer();
          arm_timer();
      })
{
    reset();
}

int Lapic::accept()
{
    if (!deliverable())
        return none;
    const Call call(*this);
    update();
    if (!deliverable())
        return none;
    const u8 vector = u8(highest(s_.irr));
    remove(s_.irr, vector);
    add(s_.isr, vector);
    return vector;
}

bool Lapic::accept_ext_int()
{
    const Call call(*this);
    const bool wanted = s_.ext_int_message || (s_.lint0 && ext_int_passes());
    s_.ext_int_message = 0;
    return wanted;
}

// Follows the state: what the CPU loop reads, and what it must be told.
void Lapic::update()
{
    const int request = highest(s_.irr);
    const bool deliverable = globally_enabled() && software_enabled() && request > (processor_priority() | 0xf);
    if (deliverable && !deliverable_.load(std::memory_order_relaxed))
        event(LapicEvent::Kind::interrupt);
    deliverable_.store(deliverable, std::memory_order_relaxed);
    const bool ext_int = s_.ext_int_message || (s_.lint0 && ext_int_passes());
    if (ext_int && !ext_int_.load(std::memory_order_relaxed))
        event(LapicEvent::Kind::ext_int);
    ext_int_.store(ext_int, std::memory_order_relaxed);
}

u8 Lapic::processor_priority() const
{
    const int service = highest(s_.isr);
    const u8 service_class = service == none ? 0 : u8(service & 0xf0);
    return (s_.tpr & 0xf0) >= service_class ? s_.tpr : service_class;
}

bool Lapic::ext_int_passes() const
{
    const u32 entry = s_.lvt[lvt_lint0];
    return !globally_enabled() || (!(entry & lvt_masked) && delivery_mode(entry) == DeliveryMode::ext_int);
}

bool Lapic::ext_int_enabled() const
{
    const std::lock_guard lock(mutex_);
    return ext_int_passes();
}

u8 Lapic::cr8() const
{
    const std::lock_guard lock(mutex_);
    return s_.tpr >> 4;
}

void Lapic::set_cr8(u8 value)
{
    const Call call(*this);
    s_.tpr = u8(value << 4);
}

u64 Lapic::base() const
{
    const std::lock_guard lock(mutex_);
    return s_.base;
}

// Messages

bool Lapic::matches(const InterruptMessage& message) const
{
    const std::lock_guard lock(mutex_);
    if (!globally_enabled())
        return false;
    const u32 destination = message.destination;
    if (destination == InterruptMessage::broadcast)
        return true;
    if (!message.logical)
        return destination == (x2apic() ? configuration_.id : s_.id);
    if (x2apic()) {
        const u32 logical_id = x2apic_logical_id(configuration_.id);
        return destination >> 16 == logical_id >> 16 && destination & logical_id & 0xffff;
    }
    const u8 wanted = u8(destination), own = u8(s_.ldr >> 24);
    if (destination > 0xff)
        return false;
    return s_.dfr >> 28 == 0xf ? wanted & own : wanted >> 4 == own >> 4 && wanted & own & 0xf;
}

unsigned Lapic::arbitration_priority() const
{
    const std::lock_guard lock(mutex_);
    return software_enabled() ? processor_priority() : 0x100;
}

bool Lapic::deliver(const InterruptMessage& message)
{
    const Call call(*this);
    if (!globally_enabled())
        return false;
    switch (message.mode) {
    case DeliveryMode::fixed:
    case DeliveryMode::lowest_priority:
        if (!software_enabled())
            return false;
        accept_vector(message.vector, message.level_triggered);
        return true;
    case DeliveryMode::smi:
        event(LapicEvent::Kind::smi);
        return true;
    case DeliveryMode::nmi:
        event(LapicEvent::Kind::nmi);
        return true;
    case DeliveryMode::init:
        take_init();
        return true;
    case DeliveryMode::startup:
        outbox_.startup_vector = message.vector;
        event(LapicEvent::Kind::startup);
        return true;
    case DeliveryMode::ext_int:
        s_.ext_int_message = 1;
        return true;
    default:
        return false;
    }
}

void Lapic::accept_vector(u8 vector, bool level_triggered)
{
    if (vector < 16) {
        error(error_received_vector);
        return;
    }
    add(s_.irr, vector);
    level_triggered ? add(s_.tmr, vector) : remove(s_.tmr, vector);
}

void Lapic::error(u32 bits)
{
    const bool fresh = bits & ~s_.errors;
    s_.errors |= bits;
    const u32 entry = s_.lvt[lvt_error];
    if (!fresh || entry & lvt_masked)
        return;
    if (u8(entry) < 16) {
        s_.errors |= error_received_vector;
        return;
    }
    add(s_.irr, u8(entry));
    remove(s_.tmr, u8(entry));
}

void Lapic::take_init()
{
    clear_registers();
    event(LapicEvent::Kind::init);
}

void Lapic::end_of_interrupt()
{
    const int vector = highest(s_.isr);
    if (vector == none)
        return;
    remove(s_.isr, u8(vector));
    if (!has(s_.tmr, u8(vector)))
        return;
    outbox_.eoi_vector = vector;
    for (const LocalVector pin : {lvt_lint0, lvt_lint1}) {
        u32& entry = s_.lvt[pin];
        if (!(entry & lvt_remote_irr) || u8(entry) != vector)
            continue;
        entry &= ~lvt_remote_irr;
        if (pin == lvt_lint0 ? s_.lint0 : s_.lint1)
            local_interrupt(pin);
    }
}

// SDM 11.6.1: what is written to the ICR goes out as a message.
void Lapic::send_command()
{
    const u32 low = u32(s_.icr);
    InterruptMessage& message = outbox_.message;
    message = {};
    message.mode = delivery_mode(low);
    message.vector = u8(low);
    message.logical = low & icr_logical;
    message.destination = x2apic() ? u32(s_.icr >> 32) : InterruptMessage::widen(u8(s_.icr >> 56));
    const auto shorthand = Shorthand(low >> 18 & 3);

    const bool vectored = message.mode == DeliveryMode::fixed || message.mode == DeliveryMode::lowest_priority;
    if (vectored && message.vector < 16)
        return error(error_sent_vector);
    const bool init_deassert = message.mode == DeliveryMode::init && low & icr_level_triggered && !(low & icr_assert);
    const bool unsendable = message.mode == DeliveryMode::reserved || message.mode == DeliveryMode::ext_int;
    if (init_deassert || unsendable || (shorthand == Shorthand::self && !vectored))
        return;
    outbox_.command = true;
    outbox_.shorthand = u8(shorthand);
}

// Pins and local sources

void Lapic::set_pin(LocalVector entry, bool level)
{
    const Call call(*this);
    u8& pin = entry == lvt_lint0 ? s_.lint0 : s_.lint1;
    if (pin == u8(level))
        return;
    pin = level;
    if (!level)
        return;
    if (globally_enabled())
        local_interrupt(entry);
    else if (entry == lvt_lint1)
        event(LapicEvent::Kind::nmi);
}

void Lapic::raise_local(LocalVector entry)
{
    const Call call(*this);
    if (entry != lvt_thermal && entry != lvt_performance)
        return;
    const u32 before = s_.lvt[entry];
    if (globally_enabled())
        local_interrupt(entry);
    // SDM 11.5.1: a performance-monitoring interrupt masks its own entry.
    if (entry == lvt_performance && !(before & lvt_masked))
        s_.lvt[entry] |= lvt_masked;
}

void Lapic::local_interrupt(LocalVector which)
{
    u32& entry = s_.lvt[which];
    if (entry & lvt_masked)
        return;
    const bool pin = which == lvt_lint0 || which == lvt_lint1;
    switch (which == lvt_timer || which == lvt_error ? DeliveryMode::fixed : delivery_mode(entry)) {
    case DeliveryMode::fixed: {
        const bool level = pin && entry & lvt_level;
        if (level && entry & lvt_remote_irr)
            return;
        if (level && u8(entry) >= 16)
            entry |= lvt_remote_irr;
        return accept_vector(u8(entry), level);
    }
    case DeliveryMode::smi:
        return event(LapicEvent::Kind::smi);
    case DeliveryMode::nmi:
        return event(LapicEvent::Kind::nmi);
    case DeliveryMode::init:
        return take_init();
    default:
        return;    // ExtINT is a level that update() follows
    }
}

// Timer, SDM 11.5.4

Lapic::TimerMode Lapic::timer_mode() const
{
    const u32 mode = s_.lvt[lvt_timer] >> 17 & 3;
    return mode == 0 ? TimerMode::one_shot : mode == 1 ? TimerMode::periodic : TimerMode::tsc_deadline;
}

// Handles the expiry that is due, wherever the time comes to be looked at.
void Lapic::poll_timer()
{
    if (timer_mode() == TimerMode::tsc_deadline) {
        if (s_.tsc_deadline && configuration_.tsc && configuration_.tsc() >= s_.tsc_deadline) {
            s_.tsc_deadline = 0;
            local_interrupt(lvt_timer);
        }
        return;
    }
    const u64 now = queue_.now();
    if (s_.next_expiry > now)
        return;
    const u64 period = s_.initial_count * timer_tick();
    if (timer_mode() == TimerMode::periodic && period)
        s_.next_expiry += ((now - s_.next_expiry) / period + 1) * period;
    else
        s_.next_expiry = Timer::never;
    local_interrupt(lvt_timer);
}

void Lapic::arm_timer()
{
    if (s_.lvt[lvt_timer] & lvt_masked)
        return timer_.cancel();
    const u64 now = queue_.now();
    if (timer_mode() != TimerMode::tsc_deadline) {
        const bool storm = timer_mode() == TimerMode::periodic && s_.initial_count * timer_tick() < shortest_period;
        return timer_.arm(
            storm && s_.next_expiry != Timer::never ? std::max(s_.next_expiry, now + shortest_period) : s_.next_expiry);
    }
    if (!s_.tsc_deadline || !configuration_.tsc || !configuration_.tsc_hz)
        return timer_.cancel();
    const u64 tsc = configuration_.tsc();
    const u64 ticks = s_.tsc_deadline > tsc ? s_.tsc_deadline - tsc : 0;
    const u64 wait = std::min(scale(ticks, 1'000'000'000, configuration_.tsc_hz), longest_wait) + 1;
    timer_.arm(now + wait);
}

u32 Lapic::current_count()
{
    poll_timer();
    arm_timer();
    if (timer_mode() == TimerMode::tsc_deadline || s_.next_expiry == Timer::never)
        return 0;
    const u64 tick = timer_tick();
    return u32(std::min<u64>((s_.next_expiry - queue_.now() + tick - 1) / tick, s_.initial_count));
}

void Lapic::start_timer(u32 count)
{
    poll_timer();
    if (timer_mode() == TimerMode::tsc_deadline)
        return;
    s_.initial_count = count;
    s_.next_expiry = count ? queue_.now() + count * timer_tick() : Timer::never;
    arm_timer();
}

void Lapic::write_divide(u32 value)
{
    const u32 left = current_count();
    s_.divide = value & divide_writable;
    if (s_.next_expiry != Timer::never)
        s_.next_expiry = queue_.now() + left * timer_tick();
    arm_timer();
}

bool Lapic::write_tsc_deadline(u64 value)
{
    poll_timer();
    if (timer_mode() != TimerMode::tsc_deadline)
        return true;
    s_.tsc_deadline = value;
    poll_timer();
    arm_timer();
    return true;
}

void Lapic::tsc_changed()
{
    const Call call(*this);
    poll_timer();
    arm_timer();
}

// Life cycle

void Lapic::clear_registers()
{
    const State before = s_;
    s_ = {};
    s_.base = before.base;
    s_.id = before.id;
    s_.lint0 = before.lint0;
    s_.lint1 = before.lint1;
    timer_.cancel();
}

void Lapic::reset(bool bootstrap)
{
    const Call call(*this);
    clear_registers();
    s_.base = reset_base | (bootstrap ? base_bootstrap : 0);
    s_.id = configuration_.id & 0xff;
    if (bootstrap)
        s_.lvt[lvt_lint0] = u32(DeliveryMode::ext_int) << 8;
}

void Lapic::visit(StateVisitor& v)
{
    const std::lock_guard lock(mutex_);
    visit(v, s_);
}

void Lapic::visit(StateVisitor& v, State& state)
{
    auto& [base_msr, id_register, tpr, ldr, dfr, svr, isr, tmr, irr, esr, errors, icr, lvt, initial_count, divide, next_expiry, tsc_deadline, lint0, lint1, ext_int_message]
        = state;
    v.field("base", base_msr);
    v.field("id", id_register);
    v.field("tpr", tpr);
    v.field("ldr", ldr);
    v.field("dfr", dfr);
    v.field("svr", svr);
    v.field("isr", isr);
    v.field("tmr", tmr);
    v.field("irr", irr);
    v.field("esr", esr);
    v.field("errors", errors);
    v.field("icr", icr);
    v.field("lvt", lvt);
    v.field("initial_count", initial_count);
    v.field("divide", divide);
    v.field("next_expiry", next_expiry);
    v.field("tsc_deadline", tsc_deadline);
    v.field("lint0", lint0);
    v.field("lint1", lint1);
    v.field("ext_int_message", ext_int_message);
}

bool Lapic::restored()
{
    const Call call(*this);
    for (unsigned n = 0; n < lvt_count; ++n)
        if (s_.lvt[n] & ~(lvt_writable[n] | lvt_remote_irr))
            return false;
    const bool impossible_mode = x2apic() && (!globally_enabled() || !configuration_.x2apic);
    if (impossible_mode || (s_.base & 0xfff & ~(base_bootstrap | base_x2apic | base_enable)) || s_.svr & ~svr_writable
        || s_.divide & ~divide_writable || (s_.isr[0] | s_.irr[0]) & 0xffff || s_.lint0 > 1 || s_.lint1 > 1)
        return false;
    arm_timer();
    return true;
}

}
