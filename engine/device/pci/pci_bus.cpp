#include "engine/device/pci/pci_bus.h"

#include "engine/base/bits.h"

namespace engine {

namespace {
constexpr u16 config_address_port = 0xcf8, config_data_port = 0xcfc;
constexpr u32 config_enable = 0x80000000, config_address_writable = 0x80fffffc;
constexpr u8 command = 0x04, header_type = 0x0e, interrupt_pin = 0x3d;
constexpr u8 header_multi_function = 0x80;
constexpr unsigned command_interrupt_disable = 10;
}

PciBus::PciBus(std::function<void(unsigned, bool)> pirq) : pirq_(std::move(pirq)) { }

void PciBus::add(unsigned device, unsigned function, PciFunction& pci_function)
{
    slot(device, function).function = &pci_function;
    pci_function.interrupt().connect([this, device, function](bool) { update_interrupt(device, function); });
}

void PciBus::claim(PortSpace& ports)
{
    ports.claim(config_address_port, 4, address_port_, 4);
    ports.claim(config_data_port, 4, data_port_, 4);
}

u32 PciBus::read_config(unsigned device, unsigned function, u8 offset, unsigned size)
{
    PciFunction* target = slot(device, function).function;
    if (!target)
        return u32(low_mask(8 * size));
    u32 value = target->read_config(offset, size);
    if (offset <= header_type && offset + size > header_type && multi_function(device))
        value |= u32(header_multi_function) << (8 * (header_type - offset));
    return value;
}

void PciBus::write_config(unsigned device, unsigned function, u8 offset, u32 value, unsigned size)
{
    PciFunction* target = slot(device, function).function;
    if (!target)
        return;
    target->write_config(offset, value, size);
    update_interrupt(device, function);
}

bool PciBus::multi_function(unsigned device) const
{
    for (unsigned n = 1; n < function_count; ++n)
        if (slots_[device * function_count + n].function)
            return true;
    return false;
}

void PciBus::update_interrupt(unsigned device, unsigned function)
{
    Slot& source = slot(device, function);
    const u32 pin = source.function->read_config(interrupt_pin, 1);
    const bool disabled = bit(source.function->read_config(command, 2), command_interrupt_disable);
    const bool level = pin != 0 && !disabled && source.function->interrupt().level();
    if (level == source.asserted)
        return;
    source.asserted = level;
    const unsigned pirq = pirq_of(device, pin - 1);
    const bool was = asserted_[pirq] != 0;
    asserted_[pirq] += level ? 1u : ~0u;
    if (was != (asserted_[pirq] != 0))
        pirq_(pirq, level);
}

u64 PciBus::AddressPort::read(u64, unsigned size)
{
    return size == 4 ? bus.s_.config_address : low_mask(8 * size);
}

void PciBus::AddressPort::write(u64, u64 value, unsigned size)
{
    if (size == 4)
        bus.s_.config_address = u32(value) & config_address_writable;
}

u64 PciBus::DataPort::read(u64 offset, unsigned size)
{
    const u32 address = bus.s_.config_address;
    if (!(address & config_enable) || bits(address, 16, 8) != 0)
        return low_mask(8 * size);
    return bus.read_config(
        unsigned(bits(address, 11, 5)), unsigned(bits(address, 8, 3)), u8((address & 0xfc) + (offset & 3)), size);
}

void PciBus::DataPort::write(u64 offset, u64 value, unsigned size)
{
    const u32 address = bus.s_.config_address;
    if (!(address & config_enable) || bits(address, 16, 8) != 0)
        return;
    bus.write_config(
        unsigned(bits(address, 11, 5)), unsigned(bits(address, 8, 3)), u8((address & 0xfc) + (offset & 3)), u32(value), size);
}

void PciBus::visit(StateVisitor& v)
{
    auto& [config_address] = s_;
    v.field("config_address", config_address);
}

bool PciBus::restored()
{
    s_.config_address &= config_address_writable;
    for (unsigned device = 0; device < device_count; ++device)
        for (unsigned function = 0; function < function_count; ++function)
            if (slot(device, function).function)
                update_interrupt(device, function);
    return true;
}

}
