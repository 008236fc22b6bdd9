// The drive as an ATA device: registers, packets in and data out, sense, the tray. The commands are in atapi_commands.cpp.

#include "engine/device/storage/atapi_drive.h"

#include <algorithm>

#include "engine/base/bits.h"

namespace engine {

namespace {

// ATA commands of a packet device, ATA/ATAPI-6, 8.
enum : u8 {
    device_reset_command = 0x08,
    packet_command = 0xa0,
    identify_packet_device_command = 0xa1,
    standby_immediate = 0xe0,
    idle_immediate = 0xe1,
    standby = 0xe2,
    idle = 0xe3,
    check_power_mode = 0xe5,
    sleep = 0xe6,
    flush_cache = 0xe7,
    set_features_command = 0xef,
};

// Interrupt reason, in the sector count register, 9.8.
constexpr u8 reason_command = 0x01, reason_to_host = 0x02;

constexpr u8 feature_dma = 0x01;
constexpr u8 set_transfer_mode = 0x03;
constexpr u32 sector_bytes = 2048;
constexpr u32 largest_chunk = 32;    // sectors read at once
constexpr u32 sync_bytes = 12, header_bytes = 4, ecc_bytes = 288;
constexpr u8 field_sync = 0x80, field_header = 0x20, field_data = 0x10, field_ecc = 0x08;

u8 to_bcd(u32 value)
{
    return u8(value / 10 % 10 << 4 | value % 10);
}

}

AtapiDrive::AtapiDrive(std::string name, unsigned drive, AtaCable& cable, DriveWires wires, std::unique_ptr<BlockDevice> disc)
    : AtaDevice(std::move(name), drive, cable, std::move(wires)),
      disc_(std::move(disc))
{
    put_signature();
}

// 9.12: EB14h, and no DRDY until the first command.
void AtapiDrive::put_signature()
{
    r_.count = r_.lba_low = 1;
    r_.lba_mid = 0x14;
    r_.lba_high = 0xeb;
    r_.device = 0;
    r_.status = 0;
    r_.error = 1;
}

void AtapiDrive::reset()
{
    const bool was_open = s_.tray_open;
    s_ = {};
    s_.tray_open = was_open;
    AtaDevice::reset();
}

void AtapiDrive::soft_reset()
{
    s_.stage = Stage::none;
    s_.blocks_left = 0;
    AtaDevice::soft_reset();
}

bool AtapiDrive::accepts_while_busy(u8 command) const
{
    return command == device_reset_command;
}

void AtapiDrive::execute(u8 command)
{
    switch (command) {
    case packet_command:
        return begin_packet();
    case identify_packet_device_command:
        return identify_packet_device();
    case device_reset_command:
        return device_reset();
    case set_features_command:
        return set_features();
    case check_power_mode:
        r_.count = 0xff;
        return finish(status_drdy | status_dsc);
    case standby_immediate:
    case standby:
    case idle_immediate:
    case idle:
    case sleep:
    case flush_cache:
        return finish(status_drdy | status_dsc);
    default:
        // 8.15.5: IDENTIFY DEVICE and its like are refused with the signature in place.
        put_signature();
        return abort_command();
    }
}

void AtapiDrive::device_reset()
{
    cancel();
    s_.stage = Stage::none;
    s_.blocks_left = 0;
    const u8 selected = r_.device & 0x10;
    put_signature();
    r_.device = selected;
}

void AtapiDrive::set_features()
{
    if (r_.feature == set_transfer_mode && r_.count >> 3 >= 4)
        s_.dma_mode = r_.count;
    finish(status_drdy | status_dsc);
}

void AtapiDrive::identify_packet_device()
{
    std::array<u16, 256> w{};
    const auto selected = [this](u8 group) { return s_.dma_mode >> 3 == group ? u16(0x100 << (s_.dma_mode & 7)) : u16(0); };
    w[0] = 0x85c0;    // CD, removable, answers PACKET within 50 us, 12-byte packets
    put_text(std::span(w).subspan(10, 10), "PC00000001");
    put_text(std::span(w).subspan(23, 4), "1.0");
    put_text(std::span(w).subspan(27, 20), "PADDOCK DVD-ROM");
    w[48] = 1;
    w[49] = 0x0b00;
    w[51] = 0x0200;
    w[53] = 0x0007;
    w[63] = u16(0x0007 | selected(4));
    w[64] = 0x0003;
    w[65] = w[66] = w[67] = w[68] = 120;
    w[80] = 0x00f0;
    w[82] = w[85] = 0x4218;    // NOP, DEVICE RESET, PACKET, power management
    w[83] = w[84] = w[87] = 0x4000;
    w[88] = u16(0x003f | selected(8));
    w[93] = drive_ & 1 ? 0x6b00 : 0x600b;
    s_.stage = Stage::none;
    s_.blocks_left = 0;
    const auto* bytes = reinterpret_cast<const u8*>(w.data());
    r_.buffer.assign(bytes, bytes + sizeof w);
    begin_data_in(512);
}

void AtapiDrive::begin_packet()
{
    s_.stage = Stage::packet;
    s_.dma = r_.feature & feature_dma;
    s_.byte_limit = u16(r_.lba_mid | r_.lba_high << 8);
    begin_data_out(u32(s_.packet.size()), u32(s_.packet.size()), false);
}

void AtapiDrive::announce_block(u32 length)
{
    switch (s_.stage) {
    case Stage::none:
        return;
    case Stage::packet:
        r_.count = reason_command;
        return;
    case Stage::data_in:
    case Stage::data_out:
        r_.count = s_.stage == Stage::data_in ? reason_to_host : 0;
        r_.lba_mid = u8(length);
        r_.lba_high = u8(length >> 8);
        return;
    }
}

void AtapiDrive::data_out_done()
{
    if (s_.stage == Stage::packet) {
        std::copy_n(r_.buffer.begin(), std::min(s_.packet.size(), r_.buffer.size()), s_.packet.begin());
        return run_packet();
    }
    mode_parameters();
}

void AtapiDrive::good()
{
    s_.stage = Stage::none;
    s_.blocks_left = 0;
    r_.count = reason_command | reason_to_host;
    finish(status_drdy | status_dsc);
}

void AtapiDrive::check_condition(u8 key, u8 asc, u8 ascq)
{
    s_.stage = Stage::none;
    s_.blocks_left = 0;
    s_.sense_key = key;
    s_.asc = asc;
    s_.ascq = ascq;
    r_.count = reason_command | reason_to_host;
    finish(status_drdy | status_dsc | status_err, u8(key << 4 | error_abrt));
}

// 8.23.5: an odd limit is rounded down, 0 and FFFF mean the most there is. Whole sectors where one fits.
u32 AtapiDrive::drq_block(u32 unit) const
{
    u32 limit = s_.byte_limit & 0xfffe;
    if (limit == 0)
        limit = s_.byte_limit ? 2 : 0xfffe;
    return limit >= unit ? limit / unit * unit : limit;
}

void AtapiDrive::send(u32 unit)
{
    s_.stage = Stage::data_in;
    if (s_.dma)
        begin_dma_in();
    else
        begin_data_in(drq_block(unit));
}

void AtapiDrive::reply(std::vector<u8> bytes, u32 allocation_length)
{
    r_.buffer = std::move(bytes);
    r_.buffer.resize(std::min<std::size_t>(r_.buffer.size(), allocation_length));
    if (r_.buffer.empty())
        return good();
    send(2);
}

void AtapiDrive::data_in_done()
{
    if (s_.stage != Stage::data_in)
        return;
    s_.lba += s_.chunk;
    s_.blocks_left -= std::min(s_.chunk, s_.blocks_left);
    if (s_.blocks_left > 0)
        return next_chunk();
    good();
}

u32 AtapiDrive::frame_size() const
{
    return (s_.fields & field_sync ? sync_bytes : 0) + (s_.fields & field_header ? header_bytes : 0)
        + (s_.fields & field_data ? sector_bytes : 0) + (s_.fields & field_ecc ? ecc_bytes : 0);
}

void AtapiDrive::start_reading(u64 lba, u64 count, u8 fields)
{
    if (lba > blocks() || count > blocks() - lba)
        return check_condition(5, 0x21);
    s_.fields = fields;
    s_.lba = u32(lba);
    s_.blocks_left = u32(count);
    if (count == 0 || frame_size() == 0)
        return good();
    next_chunk();
}

void AtapiDrive::next_chunk()
{
    // A chunk is a whole number of DRQ blocks, so that no block is shorter than it need be.
    const u32 in_block = std::clamp(drq_block(frame_size()) / frame_size(), 1u, largest_chunk);
    s_.chunk = std::min(s_.blocks_left, s_.dma ? largest_chunk : largest_chunk / in_block * in_block);
    s_.stage = Stage::data_in;
    request(BlockOperation::read, u64(s_.lba) * sector_bytes, u64(s_.chunk) * sector_bytes);
}

void AtapiDrive::request_done(BlockFault fault)
{
    if (fault == BlockFault::out_of_range)
        return check_condition(5, 0x21);
    if (fault != BlockFault::none)
        return check_condition(3, 0x11);    // unrecovered read error
    if (s_.fields != field_data)
        make_frames();
    if (r_.buffer.empty())
        return good();
    send(std::max(frame_size(), 2u));
}

// ECMA-130, 14: sync pattern, address and mode before the user data.
void AtapiDrive::make_frames()
{
    constexpr std::array<u8, sync_bytes> sync{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0};
    std::vector<u8> frames;
    frames.reserve(std::size_t(s_.chunk) * frame_size());
    for (std::size_t n = 0; (n + 1) * sector_bytes <= r_.buffer.size(); ++n) {
        const u32 address = u32(s_.lba + n) + 150;
        const std::array<u8, header_bytes> header{to_bcd(address / 75 / 60), to_bcd(address / 75 % 60), to_bcd(address % 75), 1};
        const auto data = r_.buffer.begin() + std::ptrdiff_t(n * sector_bytes);
        if (s_.fields & field_sync)
            frames.insert(frames.end(), sync.begin(), sync.end());
        if (s_.fields & field_header)
            frames.insert(frames.end(), header.begin(), header.end());
        if (s_.fields & field_data)
            frames.insert(frames.end(), data, data + sector_bytes);
        if (s_.fields & field_ecc)
            frames.insert(frames.end(), ecc_bytes, 0);
    }
    r_.buffer = std::move(frames);
}

u32 AtapiDrive::blocks() const
{
    return disc_ ? u32(std::min<u64>(disc_->size() / sector_bytes, 0xffffff00)) : 0;
}

std::unique_ptr<BlockDevice> AtapiDrive::change_disc(std::unique_ptr<BlockDevice> disc)
{
    const bool had_disc = disc_ && !s_.tray_open;
    const bool reading = r_.phase == Phase::waiting;
    if (reading)
        cancel();
    std::swap(disc, disc_);
    s_.tray_open = false;
    announce_disc(had_disc, reading);
    return disc;
}

void AtapiDrive::announce_disc(bool had_disc, bool was_reading)
{
    s_.event_removed |= had_disc;
    s_.event_new = disc_ != nullptr;
    s_.absent_once = had_disc && disc_;
    if (disc_ && !s_.absent_once && s_.attention_asc == 0)
        s_.attention_asc = 0x28;
    if (was_reading)
        check_condition(2, 0x3a, 1);
}

void AtapiDrive::press_eject()
{
    if (s_.locked)
        s_.event_eject = true;
    else
        set_tray(!s_.tray_open);
}

void AtapiDrive::set_tray(bool open)
{
    if (std::exchange(s_.tray_open, open) == open)
        return;
    if (disc_ && open)
        s_.event_removed = true;
    if (disc_ && !open) {
        s_.event_new = true;
        s_.attention_asc = 0x28;
        s_.attention_ascq = 0;
    }
    if (tray_listener_)
        tray_listener_(open);
}

void AtapiDrive::visit(StateVisitor& v)
{
    auto& [packet, stage, dma, byte_limit, sense_key, asc, ascq, attention_asc, attention_ascq, open, is_locked, absent_once, event_removed, event_new, event_eject, lba, blocks_left, chunk, fields, dma_mode, error_recovery, audio_control, disc_bytes]
        = s_;
    disc_bytes = disc_ ? disc_->size() : 0;
    v.field("packet", packet);
    v.field("stage", stage);
    v.field("dma", dma);
    v.field("byte_limit", byte_limit);
    v.field("sense_key", sense_key);
    v.field("asc", asc);
    v.field("ascq", ascq);
    v.field("attention_asc", attention_asc);
    v.field("attention_ascq", attention_ascq);
    v.field("tray_open", open);
    v.field("locked", is_locked);
    v.field("absent_once", absent_once);
    v.field("event_removed", event_removed);
    v.field("event_new", event_new);
    v.field("event_eject", event_eject);
    v.field("lba", lba);
    v.field("blocks_left", blocks_left);
    v.field("chunk", chunk);
    v.field("fields", fields);
    v.field("dma_mode", dma_mode);
    v.field("error_recovery", error_recovery);
    v.field("audio_control", audio_control);
    v.field("disc_bytes", disc_bytes);
    AtaDevice::visit(v);
}

bool AtapiDrive::restored()
{
    const bool reading = s_.blocks_left == 0 || frame_size() != 0;
    // Where another disc lies in the drive than the guest knows, it has to hear of it, and a request to the old one is over.
    const bool other_disc = s_.disc_bytes != (disc_ ? disc_->size() : 0);
    const bool was_reading = other_disc && r_.phase == Phase::waiting;
    if (was_reading)
        cancel();
    if (s_.stage > Stage::data_out || s_.chunk > largest_chunk || !reading || !AtaDevice::restored())
        return false;
    if (other_disc)
        announce_disc(s_.disc_bytes != 0 && !s_.tray_open, was_reading);
    return true;
}

}
