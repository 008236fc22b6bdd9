#include "engine/machine/interrupt_router.h"

namespace engine {

namespace {
constexpr unsigned pit_irq = 0, cascade_irq = 2, rtc_irq = 8;
}

InterruptRouter::InterruptRouter(I8259Pair& pic, IoApic& ioapic) : pic_(pic), ioapic_(ioapic)
{
    for (unsigned irq = 0; irq < isa_.size(); ++irq)
        isa_[irq].connect([this, irq](bool level) { isa_changed(irq, level); });
    hpet_legacy_[0].connect([this](bool level) { set_irq(pit_irq, Source::hpet, level); });
    hpet_legacy_[1].connect([this](bool level) { set_irq(rtc_irq, Source::hpet, level); });
}

void InterruptRouter::isa_changed(unsigned irq, bool level)
{
    const bool replaced = timers_replaced_ && (irq == pit_irq || irq == rtc_irq);
    set_irq(irq, Source::isa, level && !replaced);
}

void InterruptRouter::replace_timers(bool replaced)
{
    timers_replaced_ = replaced;
    isa_changed(pit_irq, isa_[pit_irq].level());
    isa_changed(rtc_irq, isa_[rtc_irq].level());
}

void InterruptRouter::set_irq(unsigned irq, Source source, bool level)
{
    if (irq >= irq_sources_.size())
        return set_pin(irq, source, level);
    const u8 mask = u8(1 << unsigned(source));
    irq_sources_[irq] = u8(level ? irq_sources_[irq] | mask : irq_sources_[irq] & ~mask);
    if (irq == cascade_irq)
        return;
    pic_.irq(irq).set(irq_sources_[irq] != 0);
    set_pin(irq == pit_irq ? 2 : irq, source, level);
}

void InterruptRouter::set_pin(unsigned pin, Source source, bool level)
{
    if (pin >= pin_sources_.size())
        return;
    const u8 mask = u8(1 << unsigned(source)), before = pin_sources_[pin];
    pin_sources_[pin] = u8(level ? before | mask : before & ~mask);
    if ((before != 0) != (pin_sources_[pin] != 0))
        ioapic_.set_pin(pin, pin_sources_[pin] != 0);
}

}
