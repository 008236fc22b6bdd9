#include "engine/device/interrupt/apic_bus.h"

namespace engine {

void ApicBus::add(Lapic& lapic)
{
    lapics_.push_back(&lapic);
    lapic.connect(*this);
}

bool ApicBus::deliver(const InterruptMessage& message)
{
    if (message.mode == DeliveryMode::lowest_priority)
        return deliver_lowest(message);
    bool accepted = false;
    for (Lapic* lapic : lapics_)
        if (lapic->matches(message))
            accepted |= lapic->deliver(message);
    return accepted;
}

bool ApicBus::deliver(const InterruptMessage& message, Shorthand shorthand, Lapic& from)
{
    if (shorthand == Shorthand::none)
        return deliver(message);
    if (shorthand == Shorthand::self)
        return from.deliver(message);
    bool accepted = false;
    for (Lapic* lapic : lapics_)
        if (lapic != &from || shorthand == Shorthand::all)
            accepted |= lapic->deliver(message);
    return accepted;
}

bool ApicBus::deliver_lowest(const InterruptMessage& message)
{
    InterruptMessage fixed = message;
    fixed.mode = DeliveryMode::fixed;
    // Twice: a chosen APIC may be switched off by its guest before the message arrives.
    for (int attempt = 0; attempt < 2; ++attempt) {
        Lapic* chosen = nullptr;
        unsigned lowest = ~0u;
        const unsigned first = next_.fetch_add(1, std::memory_order_relaxed);
        for (std::size_t n = 0; n < lapics_.size(); ++n) {
            Lapic* lapic = lapics_[(first + n) % lapics_.size()];
            if (!lapic->matches(message))
                continue;
            if (const unsigned priority = lapic->arbitration_priority(); priority < lowest) {
                lowest = priority;
                chosen = lapic;
            }
        }
        if (!chosen)
            return false;
        if (chosen->deliver(fixed))
            return true;
    }
    return false;
}

bool ApicBus::deliver_msi(u64 address, u32 data)
{
    // Message address and data, SDM figures 11-24 and 11-25.
    constexpr u64 window = 0xfee00000, hint = 1 << 3, logical = 1 << 2;
    constexpr u32 asserted = 1 << 14, level = 1 << 15;
    if ((address & ~u64(0xfffff)) != window || (data & level && !(data & asserted)))
        return false;
    InterruptMessage message;
    message.destination = InterruptMessage::widen(u8(address >> 12));
    message.logical = address & logical;
    message.mode = DeliveryMode(data >> 8 & 7);
    message.vector = u8(data);
    message.level_triggered = data & level;
    if (address & hint && message.logical && message.mode == DeliveryMode::fixed)
        message.mode = DeliveryMode::lowest_priority;
    return deliver(message);
}

}
