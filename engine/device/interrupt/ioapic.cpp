#include "engine/device/interrupt/ioapic.h"

#include "engine/base/bits.h"

namespace engine {

namespace {
// Memory mapped registers, 82093AA section 3.1
constexpr u64 ioregsel = 0x00, iowin = 0x10, eoir = 0x40;
// Registers behind them, section 3.2
constexpr u8 ioapicid = 0x00, ioapicver = 0x01, ioapicarb = 0x02, ioredtbl = 0x10;
constexpr u32 version = (IoApic::pin_count - 1) << 16 | 0x20;
// Redirection table, section 3.2.4
constexpr u64 rte_logical = 1 << 11, rte_remote_irr = 1 << 14, rte_level = 1 << 15, rte_masked = 1 << 16;
constexpr u64 rte_writable_low = 0x1afff, rte_writable_high = 0xff;

DeliveryMode delivery_mode(u64 entry)
{
    return DeliveryMode(entry >> 8 & 7);
}

// Only these modes know a level that waits for an EOI; the others are edges whatever the entry says.
bool waits_for_eoi(u64 entry)
{
    return entry & rte_level
        && (delivery_mode(entry) == DeliveryMode::fixed || delivery_mode(entry) == DeliveryMode::lowest_priority);
}
}

void IoApic::set_pin(unsigned pin, bool level)
{
    if (pin >= pin_count || (s_.lines >> pin & 1) == u32(level))
        return;
    s_.lines ^= 1u << pin;
    if (!level)
        return;
    if (waits_for_eoi(s_.redirection[pin]))
        evaluate(pin);
    else if (!(s_.redirection[pin] & rte_masked))
        send(pin);
}

void IoApic::end_of_interrupt(u8 vector)
{
    for (unsigned pin = 0; pin < pin_count; ++pin) {
        u64& entry = s_.redirection[pin];
        if (!(entry & rte_remote_irr) || u8(entry) != vector)
            continue;
        entry &= ~rte_remote_irr;
        evaluate(pin);
    }
}

void IoApic::evaluate(unsigned pin)
{
    u64& entry = s_.redirection[pin];
    const bool wanted = s_.lines >> pin & 1 && !(entry & (rte_masked | rte_remote_irr)) && waits_for_eoi(entry);
    if (!wanted)
        return;
    // Set first: the EOI may come, on another processor, before send() returns.
    entry |= rte_remote_irr;
    if (!send(pin))
        entry &= ~rte_remote_irr;
}

bool IoApic::send(unsigned pin)
{
    const u64 entry = s_.redirection[pin];
    InterruptMessage message;
    message.destination = InterruptMessage::widen(u8(entry >> 56));
    message.logical = entry & rte_logical;
    message.mode = delivery_mode(entry);
    message.vector = u8(entry);
    message.level_triggered = waits_for_eoi(entry);
    return deliver_ && deliver_(message);
}

u64 IoApic::read(u64 offset, unsigned)
{
    switch (offset) {
    case ioregsel:
        return s_.index;
    case iowin:
        return read_register();
    default:
        return ~u64(0);
    }
}

void IoApic::write(u64 offset, u64 value, unsigned)
{
    switch (offset) {
    case ioregsel:
        s_.index = u8(value);
        break;
    case iowin:
        write_register(u32(value));
        break;
    case eoir:
        end_of_interrupt(u8(value));
        break;
    default:
        break;
    }
}

u32 IoApic::read_register() const
{
    switch (s_.index) {
    case ioapicid:
    case ioapicarb:
        return u32(s_.id) << 24;
    case ioapicver:
        return version;
    default:
        break;
    }
    const unsigned place = unsigned(s_.index - ioredtbl);
    if (s_.index < ioredtbl || place >= 2 * pin_count)
        return ~u32(0);
    return u32(s_.redirection[place / 2] >> (place & 1 ? 32 : 0));
}

void IoApic::write_register(u32 value)
{
    if (s_.index == ioapicid)
        s_.id = value >> 24 & 0x0f;
    const unsigned place = unsigned(s_.index - ioredtbl);
    if (s_.index < ioredtbl || place >= 2 * pin_count)
        return;
    u64& entry = s_.redirection[place / 2];
    const u64 writable = place & 1 ? rte_writable_high << 56 : rte_writable_low;
    const u64 wide = place & 1 ? u64(value) << 32 : value;
    entry = (entry & ~writable) | (wide & writable);
    // Guests without the EOI register clear a stuck remote IRR by making the pin edge-triggered for a moment.
    if (!(entry & rte_level))
        entry &= ~rte_remote_irr;
    evaluate(place / 2);
}

void IoApic::reset()
{
    const u32 lines = s_.lines;
    s_ = {};
    s_.lines = lines;
}

void IoApic::visit(StateVisitor& v)
{
    auto& [id, index, lines, redirection] = s_;
    v.field("id", id);
    v.field("index", index);
    v.field("lines", lines);
    v.field("redirection", redirection);
}

bool IoApic::restored()
{
    for (const u64 entry : s_.redirection)
        if (entry & ~(rte_writable_low | rte_remote_irr | rte_writable_high << 56))
            return false;
    return s_.id < 16 && !(s_.lines >> pin_count);
}

}
