#include "engine/device/storage/ata_channel.h"

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine {

namespace {

// ATA/ATAPI-6, 7: command block registers by offset.
enum : unsigned { reg_data = 0, reg_device = 6, reg_status_command = 7, register_count = 8 };

// Device control register, 7.4.
constexpr u8 control_nien = 0x02, control_srst = 0x04, control_hob = 0x80;
constexpr u8 device_dev = 0x10;

constexpr u8 execute_device_diagnostic = 0x90;

}

AtaChannel::AtaChannel(IrqLine& intrq, AtaBusMaster& bus_master) : intrq_(intrq), bus_master_(bus_master) { }

u64 AtaChannel::CommandBlock::read(u64 offset, unsigned size)
{
    if (offset == reg_data) {
        AtaDevice* const device = channel.selected();
        return device ? device->read_data(size) : 0;
    }
    u64 value = 0;
    for (unsigned n = 0; n < size; ++n)
        value |= u64(offset + n < register_count ? channel.read_register(unsigned(offset + n)) : 0xff) << (8 * n);
    return value;
}

void AtaChannel::CommandBlock::write(u64 offset, u64 value, unsigned size)
{
    if (offset == reg_data) {
        if (AtaDevice* const device = channel.selected())
            device->write_data(u32(value), size);
        return;
    }
    for (unsigned n = 0; n < size && offset + n < register_count; ++n)
        channel.write_register(unsigned(offset + n), u8(value >> (8 * n)));
}

u64 AtaChannel::ControlBlock::read(u64, unsigned size)
{
    // Alternate status: looks without acknowledging.
    const AtaDevice* const device = channel.selected();
    return (low_mask(8 * size) & ~u64(0xff)) | (device ? device->status() : 0);
}

void AtaChannel::ControlBlock::write(u64, u64 value, unsigned)
{
    channel.write_control(u8(value));
}

u8 AtaChannel::read_register(unsigned offset)
{
    AtaDevice* const device = selected();
    if (!device)
        return 0;
    const u8 value = device->read_register(offset, s_.high_order);
    if (offset == reg_status_command) {
        device->acknowledge_interrupt();
        interrupt_changed();
    }
    return value;
}

void AtaChannel::write_register(unsigned offset, u8 value)
{
    s_.high_order = false;
    if (s_.control & control_srst)
        return;
    if (offset == reg_status_command)
        return write_command(value);
    // Both devices hear every write; the device bit chooses who answers.
    for (const auto& device : devices_)
        if (device)
            device->write_register(offset, value);
    if (offset == reg_device) {
        s_.selected = value & device_dev ? 1 : 0;
        interrupt_changed();
    }
}

void AtaChannel::write_command(u8 command)
{
    if (command != execute_device_diagnostic) {
        if (AtaDevice* const device = selected())
            device->write_command(command);
        return;
    }
    // 8.9: both devices carry it out, device 0 reports for both.
    for (const auto& device : devices_)
        if (device)
            device->diagnose();
    s_.selected = 0;
    if (AtaDevice* const device = devices_[0].get())
        device->raise_interrupt();
}

void AtaChannel::write_control(u8 value)
{
    const u8 before = s_.control;
    s_.control = value & (control_nien | control_srst);
    s_.high_order = value & control_hob;
    for (const auto& device : devices_) {
        if (device && value & ~before & control_srst)
            device->begin_soft_reset();
        if (device && ~value & before & control_srst)
            device->soft_reset();
    }
    if (value & control_srst)
        s_.selected = 0;
    interrupt_changed();
}

void AtaChannel::interrupt_changed()
{
    const AtaDevice* const device = selected();
    intrq_.set(device && device->intrq() && !(s_.control & control_nien));
}

void AtaChannel::bus_master_started()
{
    for (const auto& device : devices_)
        if (device)
            device->bus_master_started();
}

void AtaChannel::reset()
{
    s_ = {};
    for (const auto& device : devices_)
        if (device)
            device->reset();
    interrupt_changed();
}

void AtaChannel::visit(StateVisitor& v)
{
    auto& [control, selected_device, high_order] = s_;
    v.field("control", control);
    v.field("selected", selected_device);
    v.field("high_order", high_order);
    for (unsigned n = 0; n < devices_.size(); ++n)
        if (devices_[n])
            v.group(text("device.", n), *devices_[n]);
}

bool AtaChannel::restored()
{
    if (s_.selected > 1)
        return false;
    for (const auto& device : devices_)
        if (device && !device->restored())
            return false;
    interrupt_changed();
    return true;
}

}
