#include "engine/machine/firmware/dsdt.h"

#include "engine/base/text.h"
#include "engine/device/pci/pci_bus.h"
#include "engine/device/pci/piix4_pm.h"
#include "engine/device/platform/vm_generation_id.h"
#include "engine/machine/firmware/aml.h"

namespace engine {

using namespace aml;

namespace {
constexpr std::array<std::string_view, 4> links{"LNKA", "LNKB", "LNKC", "LNKD"}, routes{"PRQA", "PRQB", "PRQC", "PRQD"};
constexpr u64 route_disabled = 0x80, route_irq = 0x0f;
constexpr u64 present_and_working = 0x0b, present_but_disabled = 0x09;
constexpr unsigned pci_pins = 4, isa_bridge_device = 1;
constexpr u32 hpet_base = 0xfed00000, hpet_size = 0x400;

// A PIRQ router register as a PNP0C0F link (ACPI 6.2.13).
Bytes interrupt_link(unsigned n)
{
    const Bytes route = reference(text("\\_SB.PCI0.ISA.", routes[n]));
    return device(
        links[n],
        concatenate({
            name("_HID", eisa_id("PNP0C0F")),
            name("_UID", integer(n)),
            name("_PRS", resources({interrupts({5, 10, 11})})),
            method(
                "_STA", 0,
                concatenate(
                    {if_true(bit_and(route, integer(route_disabled)), return_value(integer(present_but_disabled))),
                     return_value(integer(present_and_working))})),
            method("_DIS", 0, bit_or(route, integer(route_disabled), route)),
            name("BUFR", resources({interrupts({0})})),
            method(
                "_CRS", 0,
                concatenate(
                    {create_dword_field(reference("BUFR"), 5, "IRQN"),
                     store(bit_and(route, integer(route_irq)), reference("IRQN")), return_value(reference("BUFR"))})),
            method("_SRS", 1, concatenate({create_dword_field(argument(0), 5, "IRQW"), store(reference("IRQW"), route)})),
        }));
}

// The power management function's INTA#, which is the SCI and cannot be moved.
Bytes sci_link()
{
    return device(
        "LNKS",
        concatenate({
            name("_HID", eisa_id("PNP0C0F")),
            name("_UID", integer(links.size())),
            name("_PRS", resources({interrupts({Piix4Pm::sci_irq})})),
            name("_CRS", resources({interrupts({Piix4Pm::sci_irq})})),
            name("_STA", integer(present_and_working)),
            method("_DIS", 0, {}),
            method("_SRS", 1, {}),
        }));
}

Bytes interrupt_routing()
{
    std::vector<Bytes> entries;
    for (unsigned slot = 0; slot < PciBus::device_count; ++slot)
        for (unsigned pin = 0; pin < pci_pins; ++pin) {
            const std::string_view link = slot == isa_bridge_device && pin == 0 ? "LNKS" : links[PciBus::pirq_of(slot, pin)];
            entries.push_back(
                package({integer(u64(slot) << 16 | 0xffff), integer(pin), reference(text("\\_SB.", link)), integer(0)}));
        }
    return name("_PRT", package(entries));
}

Bytes root_resources(const BoardDescription& board)
{
    const Bytes windows = concatenate({
        bus_numbers(0, 0xff),
        io_ports(0xcf8, 8),
        port_window(0, 0xcf7),
        port_window(0xd00, 0xffff),
        memory_window(0xa0000, 0xbffff, true),
        memory_window(u32(board.low_memory), u32(BoardDescription::pci_window_end - 1), false),
    });
    if (!board.pci_window64_size)
        return name("_CRS", resources({windows}));
    return name(
        "_CRS", resources({windows, memory_window64(board.pci_window64, board.pci_window64 + board.pci_window64_size - 1)}));
}

Bytes isa_device(std::string_view path, std::string_view id, Terms descriptors)
{
    return device(path, concatenate({name("_HID", eisa_id(id)), name("_CRS", resources(descriptors))}));
}

Bytes isa_devices(const BoardDescription& board)
{
    Bytes devices = concatenate({
        isa_device("PIC", "PNP0000", {io_ports(0x20, 2), io_ports(0xa0, 2), io_ports(0x4d0, 2), irq(2)}),
        isa_device("TIMR", "PNP0100", {io_ports(0x40, 4), irq(0)}),
        isa_device("DMAC", "PNP0200", {io_ports(0x00, 16), io_ports(0x81, 15), io_ports(0xc0, 32), dma_channel(4)}),
        isa_device("RTC", "PNP0B00", {io_ports(0x70, 2), irq(8)}),
        isa_device("SPKR", "PNP0800", {io_ports(0x61, 1)}),
        isa_device("FPU", "PNP0C04", {io_ports(0xf0, 16), irq(13)}),
        isa_device("KBD", "PNP0303", {io_ports(0x60, 1), io_ports(0x64, 1), irq(1)}),
        isa_device("MOU", "PNP0F13", {irq(12)}),
        // What belongs to the board itself: ports 92 and b2, fw_cfg, the PM and SMBus blocks, the general purpose events.
        isa_device(
            "MBRD", "PNP0C02",
            {io_ports(0x92, 1), io_ports(0xb2, 2), io_ports(0x510, 12), io_ports(0x600, 64), io_ports(0x700, 16),
             io_ports(0xafe0, 4)}),
    });
    const auto add = [&](const Bytes& more) { devices.insert(devices.end(), more.begin(), more.end()); };
    if (board.floppies[0] != FloppyDrive::none)
        add(isa_device("FDC0", "PNP0700", {io_ports(0x3f2, 4), io_ports(0x3f7, 1), irq(6), dma_channel(2)}));
    if (board.serial_port)
        add(device(
            "COM1",
            concatenate(
                {name("_HID", eisa_id("PNP0501")), name("_UID", integer(1)),
                 name("_CRS", resources({io_ports(0x3f8, 8), irq(4)}))})));
    return devices;
}

Bytes pci_root(const BoardDescription& board)
{
    return device(
        "PCI0",
        concatenate({
            name("_HID", eisa_id("PNP0A03")),
            name("_UID", integer(0)),
            root_resources(board),
            interrupt_routing(),
            device(
                "ISA",
                concatenate({
                    name("_ADR", integer(u64(isa_bridge_device) << 16)),
                    operation_region("P40C", Space::pci_config, 0x60, 4),
                    byte_fields("P40C", {routes[0], routes[1], routes[2], routes[3]}),
                    isa_devices(board),
                })),
        }));
}

Bytes hpet_device()
{
    return device(
        "HPET",
        concatenate(
            {name("_HID", eisa_id("PNP0103")), name("_UID", integer(0)),
             name("_CRS", resources({memory32_fixed(hpet_base, hpet_size, false)}))}));
}

// The longer name is Microsoft's, the shorter one what ACPI has room for.
Bytes generation_id_device()
{
    return device(
        "VGEN",
        concatenate({
            name("_HID", string("PDDK0001")),
            name("_CID", package({string("VM_Gen_Counter"), string("VMGENCTR")})),
            name("_DDN", string("VM_Gen_Counter")),
            name("_CRS", resources({memory32_fixed(u32(VmGenerationId::base), u32(VmGenerationId::size), false)})),
            name("ADDR", package({integer(VmGenerationId::base), integer(0)})),
        }));
}

Bytes general_purpose_events()
{
    constexpr u64 device_specific = 0x80;
    static_assert(VmGenerationId::event == 5);
    return scope("\\_GPE", method("_E05", 0, notify("\\_SB.VGEN", device_specific)));
}

Bytes processors(unsigned count)
{
    Bytes all;
    for (unsigned n = 0; n < count; ++n) {
        const Bytes one = processor("C" + hex(n, 3), u8(n));
        all.insert(all.end(), one.begin(), one.end());
    }
    return scope("\\_PR", all);
}
}

std::vector<u8> build_dsdt_body(const BoardDescription& board)
{
    Bytes system = pci_root(board);
    const auto add = [&](const Bytes& more) { system.insert(system.end(), more.begin(), more.end()); };
    for (unsigned n = 0; n < links.size(); ++n)
        add(interrupt_link(n));
    add(sci_link());
    if (board.hpet)
        add(hpet_device());
    add(generation_id_device());
    return concatenate({
        processors(board.cpus),
        scope("\\_SB", system),
        general_purpose_events(),
        name("\\_S5", package({integer(0), integer(0), integer(0), integer(0)})),
    });
}

}
