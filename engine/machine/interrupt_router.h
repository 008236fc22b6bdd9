#pragma once
// Joins everything that may raise an interrupt request, and leads it to the 8259 pair and the I/O APIC: ISA request n is
// pin n, except that request 0 is pin 2.

#include <array>

#include "engine/device/interrupt/i8259.h"
#include "engine/device/interrupt/ioapic.h"

namespace engine {

// Machine's lock held.
class InterruptRouter {
public:
    enum class Source : u8 { isa, hpet, pci, power, test };

    InterruptRouter(I8259Pair& pic, IoApic& ioapic);
    InterruptRouter(const InterruptRouter&) = delete;
    InterruptRouter& operator=(const InterruptRouter&) = delete;

    // An ISA device's request, 0 to 15.
    IrqLine& isa(unsigned irq) { return isa_[irq & 15]; }
    // HPET's legacy lines: 0 in place of the 8254, 1 in place of the RTC.
    IrqLine& hpet_legacy(unsigned line) { return hpet_legacy_[line & 1]; }
    void set_irq(unsigned irq, Source source, bool level);
    // An I/O APIC pin alone, 0 to 23.
    void set_pin(unsigned pin, Source source, bool level);
    // HPET's legacy replacement takes the places of the 8254 and the RTC.
    void replace_timers(bool replaced);

private:
    void isa_changed(unsigned irq, bool level);

    I8259Pair& pic_;
    IoApic& ioapic_;
    std::array<IrqLine, 16> isa_;
    std::array<IrqLine, 2> hpet_legacy_;
    std::array<u8, 16> irq_sources_{};
    std::array<u8, IoApic::pin_count> pin_sources_{};
    bool timers_replaced_ = false;
};

}
