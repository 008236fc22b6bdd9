#include "engine/device/storage/piix3_ide.h"

#include <algorithm>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine {

namespace {

// PCI configuration, 82371SB 2.3.
constexpr u8 reg_command = 0x04, reg_status = 0x06, reg_idetim = 0x40, reg_sidetim = 0x44;
constexpr u16 command_io = 0x0001, idetim_decode = 0x8000;
constexpr u16 status_fast_back_to_back_medium = 0x0280;
constexpr unsigned bus_master_bar = 4, bus_master_ports = 16;

// Bus master registers, 2.7.
enum : unsigned { bmicom = 0, bmista = 2, bmidtp = 4 };
constexpr u8 command_start = 0x01, command_to_memory = 0x08;
constexpr u8 status_active = 0x01, status_error = 0x02, status_interrupt = 0x04, status_capable = 0x60;

constexpr u32 descriptor_end = 0x80000000;

struct Ports {
    u16 command_block, control_block;
};
constexpr std::array<Ports, 2> legacy_ports{{{0x1f0, 0x3f6}, {0x170, 0x376}}};
constexpr unsigned command_block_size = 8, control_block_size = 1, data_port_width = 4;

}

void BusMasterEngine::State::visit(StateVisitor& v)
{
    auto& [command_, status_, table_, next_descriptor_, address_, left_, last_] = *this;
    v.field("command", command_);
    v.field("status", status_);
    v.field("table", table_);
    v.field("next_descriptor", next_descriptor_);
    v.field("address", address_);
    v.field("left", left_);
    v.field("last", last_);
}

u8 BusMasterEngine::read(unsigned offset) const
{
    switch (offset) {
    case bmicom:
        return s_.command;
    case bmista:
        return s_.status;
    case bmidtp:
    case bmidtp + 1:
    case bmidtp + 2:
    case bmidtp + 3:
        return u8(s_.table >> (8 * (offset - bmidtp)));
    default:
        return 0;
    }
}

void BusMasterEngine::write(unsigned offset, u8 value, bool& started)
{
    if (offset >= bmidtp && offset < bmidtp + 4) {
        const unsigned shift = 8 * (offset - bmidtp);
        s_.table = ((s_.table & ~(u32(0xff) << shift)) | u32(value) << shift) & ~u32(3);
        return;
    }
    if (offset == bmista) {
        s_.status = u8((s_.status & (status_active | (~value & (status_error | status_interrupt)))) | (value & status_capable));
        return;
    }
    if (offset != bmicom)
        return;
    const bool was_started = s_.command & command_start;
    // The direction stays as it is while the engine is active.
    s_.command = s_.status & status_active ? u8((s_.command & command_to_memory) | (value & command_start))
                                           : value & (command_start | command_to_memory);
    if (!(value & command_start)) {
        s_.status &= u8(~status_active);
        return;
    }
    if (was_started)
        return;
    s_.status |= status_active;
    s_.next_descriptor = s_.table;
    s_.left = 0;
    s_.last = false;
    started = true;
}

void BusMasterEngine::interrupt_raised()
{
    s_.status |= status_interrupt;
}

void BusMasterEngine::stop(bool failed)
{
    s_.status = u8((s_.status & ~status_active) | (failed ? status_error : 0));
}

bool BusMasterEngine::next_stretch()
{
    if (s_.last) {
        stop(false);
        return false;
    }
    std::array<u8, 8> descriptor{};
    if (!memory_.dma_read(s_.next_descriptor, descriptor)) {
        stop(true);
        return false;
    }
    const u32 count = load_le<u32>(&descriptor[4]);
    s_.address = load_le<u32>(&descriptor[0]) & ~u32(1);
    s_.left = (count & 0xfffe) ? count & 0xfffe : 0x10000;
    s_.last = count & descriptor_end;
    s_.next_descriptor += 8;
    return true;
}

template <class Byte, class Move> u32 BusMasterEngine::transfer(std::span<Byte> bytes, Move move)
{
    u32 done = 0;
    while (done < bytes.size() && s_.status & status_active) {
        if (s_.left == 0 && !next_stretch())
            break;
        const u32 count = std::min(s_.left, u32(bytes.size()) - done);
        if (!move(s_.address, bytes.subspan(done, count))) {
            stop(true);
            break;
        }
        done += count;
        s_.address += count;
        s_.left -= count;
    }
    // The end of the last stretch ends the engine's work, not that of a device that has more.
    if (s_.left == 0 && s_.last)
        stop(false);
    return done;
}

u32 BusMasterEngine::to_memory(std::span<const u8> bytes)
{
    if (!(s_.command & command_to_memory))
        return 0;
    return transfer(bytes, [this](u32 at, std::span<const u8> part) { return memory_.dma_write(at, part); });
}

u32 BusMasterEngine::from_memory(std::span<u8> bytes)
{
    if (s_.command & command_to_memory)
        return 0;
    return transfer(bytes, [this](u32 at, std::span<u8> part) { return memory_.dma_read(at, part); });
}

Piix3Ide::Channel::Channel(AddressSpace& memory, IrqLine& irq)
    : engine(memory),
      interrupt([this, &irq](bool level) {
          if (level && !restoring)
              engine.interrupt_raised();
          irq.set(level);
      }),
      ata(interrupt, engine)
{
}

Piix3Ide::Piix3Ide(PciWires wires, IrqLine& irq14, IrqLine& irq15, DriveWires drive_wires)
    : PciFunction(wires, {.vendor = 0x8086, .device = 0x7010, .class_code = 0x010180}),
      drive_wires_(std::move(drive_wires)),
      channels_{Channel(wires.memory, irq14), Channel(wires.memory, irq15)}
{
    define_config16(reg_status, status_fast_back_to_back_medium, 0);
    // The chip wakes with its ports off; UEFI firmware never turns them on, and where nothing answers it waits for minutes.
    define_config16(reg_idetim, idetim_decode, 0xffff);
    define_config16(reg_idetim + 2, idetim_decode, 0xffff);
    define_config(reg_sidetim, 0, 0xff);
    add_port_window(bus_master_bar, bus_master_ports, *this, 4);
}

Piix3Ide::~Piix3Ide()
{
    set_config(reg_command, 0);
    update_decoding();
}

std::string Piix3Ide::drive_name(unsigned drive) const
{
    return text("ide.", drive);
}

AtaDisk& Piix3Ide::attach_disk(unsigned drive, std::unique_ptr<BlockDevice> disk, DiskIdentity identity)
{
    AtaChannel& channel = channels_[drive >> 1 & 1].ata;
    auto device
        = std::make_unique<AtaDisk>(drive_name(drive), drive, channel, drive_wires_, std::move(disk), std::move(identity));
    AtaDisk& attached = *device;
    channel.attach(drive, std::move(device));
    return attached;
}

AtapiDrive& Piix3Ide::attach_optical(unsigned drive, std::unique_ptr<BlockDevice> disc)
{
    AtaChannel& channel = channels_[drive >> 1 & 1].ata;
    auto device = std::make_unique<AtapiDrive>(drive_name(drive), drive, channel, drive_wires_, std::move(disc));
    AtapiDrive& attached = *device;
    channel.attach(drive, std::move(device));
    return attached;
}

void Piix3Ide::retry_failed()
{
    for (unsigned n = 0; n < 4; ++n)
        if (AtaDevice* const device = drive(n))
            device->retry_failed();
}

void Piix3Ide::config_written(u8 offset, unsigned size)
{
    const auto touches = [&](u8 first, unsigned count) { return offset < first + count && first < offset + size; };
    if (touches(reg_command, 2) || touches(reg_idetim, 4))
        update_decoding();
}

void Piix3Ide::update_decoding()
{
    for (unsigned n = 0; n < channels_.size(); ++n) {
        Channel& channel = channels_[n];
        const bool wanted = config16(reg_command) & command_io && config16(u8(reg_idetim + 2 * n)) & idetim_decode;
        if (std::exchange(channel.decoded, wanted) == wanted)
            continue;
        const Ports& ports = legacy_ports[n];
        if (wanted) {
            wires_.ports.claim(ports.command_block, command_block_size, channel.ata.command_block(), data_port_width);
            wires_.ports.claim(ports.control_block, control_block_size, channel.ata.control_block());
        } else {
            wires_.ports.release(ports.command_block, command_block_size, channel.ata.command_block());
            wires_.ports.release(ports.control_block, control_block_size, channel.ata.control_block());
        }
    }
}

u64 Piix3Ide::read(u64 offset, unsigned size)
{
    u64 value = 0;
    for (unsigned n = 0; n < size; ++n)
        value |= u64(channels_[(offset + n) >> 3 & 1].engine.read((offset + n) & 7)) << (8 * n);
    return value;
}

void Piix3Ide::write(u64 offset, u64 value, unsigned size)
{
    for (unsigned n = 0; n < size; ++n) {
        Channel& channel = channels_[(offset + n) >> 3 & 1];
        bool started = false;
        channel.engine.write((offset + n) & 7, u8(value >> (8 * n)), started);
        if (started)
            channel.ata.bus_master_started();
    }
}

void Piix3Ide::reset()
{
    PciFunction::reset();
    for (Channel& channel : channels_) {
        channel.engine.reset();
        channel.ata.reset();
    }
    update_decoding();
}

void Piix3Ide::visit(StateVisitor& v)
{
    PciFunction::visit(v);
    for (unsigned n = 0; n < channels_.size(); ++n) {
        v.group(text("bus_master.", n), channels_[n].engine);
        v.group(text("channel.", n), channels_[n].ata);
    }
}

bool Piix3Ide::restored()
{
    if (!PciFunction::restored())
        return false;
    update_decoding();
    return std::ranges::all_of(channels_, [](Channel& channel) {
        // A line that was up already doesn't rise again.
        channel.restoring = true;
        const bool possible = channel.ata.restored();
        channel.restoring = false;
        return possible;
    });
}

}
