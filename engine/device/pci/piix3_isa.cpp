#include "engine/device/pci/piix3_isa.h"

#include "engine/base/bits.h"

namespace engine {

namespace {
// 290550, 2.2
constexpr u8 command = 0x04, status = 0x06, io_recovery = 0x4c, xbus_select = 0x4e, pirq_route = 0x60, top_of_memory = 0x69,
             misc_status = 0x6a, motherboard_irq_route = 0x70, motherboard_dma = 0x76, chip_select = 0x78, apic_base = 0x80,
             deterministic_latency = 0x82, smi_control = 0xa0, smi_enable = 0xa2, event_enable = 0xa4, fast_off_timer = 0xa8,
             smi_request = 0xaa, clock_low = 0xac, clock_high = 0xae;
constexpr u8 route_disabled = 0x80, route_irq = 0x0f;
// IRQ 0, 1, 2, 8 and 13 belong to the board.
constexpr u16 routable = 0xdef8;
}

Piix3Isa::Piix3Isa(PciWires wires, std::function<void(unsigned, bool)> irq)
    : PciFunction(wires, {.vendor = 0x8086, .device = 0x7000, .class_code = 0x060100}),
      irq_(std::move(irq))
{
    define_config16(command, 0x0007, 0x0108);
    define_config16(status, 0x0200, 0);
    define_config(io_recovery, 0x4d, 0xff);
    define_config16(xbus_select, 0x0003, 0xffff);
    for (unsigned n = 0; n < pirq_count; ++n)
        define_config(u8(pirq_route + n), route_disabled, route_disabled | route_irq);
    define_config(top_of_memory, 0x02, 0xfe);
    define_config16(misc_status, 0, 0x0084);
    define_config(motherboard_irq_route, route_disabled, 0xef);
    define_config16(motherboard_dma, 0x0c0c, 0x8f8f);
    define_config16(chip_select, 0x0002, 0xffff);
    define_config(apic_base, 0, 0x7f);
    define_config(deterministic_latency, 0, 0x0f);
    define_config(smi_control, 0x08, 0x1f);
    define_config16(smi_enable, 0, 0x01ff);
    define_config16(event_enable, 0, 0xffff);
    define_config16(event_enable + 2, 0, 0xe000);
    define_config(fast_off_timer, 0x0f, 0xff);
    define_config16(smi_request, 0, 0x01ff);
    define_config(clock_low, 0, 0xff);
    define_config(clock_high, 0, 0xff);
}

void Piix3Isa::set_pirq(unsigned pirq, bool level)
{
    pirq_levels_[pirq & 3] = level;
    update_irqs();
}

void Piix3Isa::config_written(u8 offset, unsigned size)
{
    if (offset < pirq_route + pirq_count && offset + size > pirq_route)
        update_irqs();
}

void Piix3Isa::update_irqs()
{
    u16 wanted = 0;
    for (unsigned n = 0; n < pirq_count; ++n) {
        const u8 route = config(u8(pirq_route + n));
        if (pirq_levels_[n] && !(route & route_disabled))
            wanted |= u16(1u << (route & route_irq)) & routable;
    }
    const u16 changes = wanted ^ driven_;
    driven_ = wanted;
    for (unsigned irq = 0; irq < irq_count; ++irq)
        if (bit(changes, irq))
            irq_(irq, bit(wanted, irq));
}

void Piix3Isa::reset()
{
    PciFunction::reset();
    update_irqs();
}

bool Piix3Isa::restored()
{
    if (!PciFunction::restored())
        return false;
    update_irqs();
    return true;
}

}
