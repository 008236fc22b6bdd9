#include "engine/device/storage/ata_disk.h"

#include <algorithm>

#include "engine/base/bits.h"

namespace engine {

namespace {

constexpr u8 trait_extended = 1, trait_dma = 2, trait_multiple = 4, trait_write = 8, trait_durable = 16, trait_verify = 32;

constexpr u8 device_lba = 0x40;    // device register: address is an LBA
constexpr u32 sector_bytes = 512;
constexpr u32 largest_chunk = 128;    // sectors read or written at once
constexpr u32 largest_multiple = 16;
constexpr u32 most_trim_sectors = 8;
constexpr u8 mode_active = 0xff, mode_standby = 0x00;

}

// ATA/ATAPI-6, 8; ACS-2 for 06.
const std::array<AtaDisk::Command, 256> AtaDisk::commands = [] {
    std::array<Command, 256> table{};
    const auto row = [&](u8 first, u8 last, void (AtaDisk::*run)(), u8 traits = 0) {
        for (unsigned code = first; code <= last; ++code)
            table[code] = {run, traits};
    };
    // clang-format off
    row(0x06, 0x06, &AtaDisk::data_set_management, trait_extended | trait_dma | trait_write);
    row(0x10, 0x1f, &AtaDisk::recalibrate);
    row(0x20, 0x21, &AtaDisk::read_write);                                                   // READ SECTOR(S)
    row(0x24, 0x24, &AtaDisk::read_write, trait_extended);                                   // READ SECTOR(S) EXT
    row(0x25, 0x25, &AtaDisk::read_write, trait_extended | trait_dma);                       // READ DMA EXT
    row(0x27, 0x27, &AtaDisk::read_native_max, trait_extended);
    row(0x29, 0x29, &AtaDisk::read_write, trait_extended | trait_multiple);                  // READ MULTIPLE EXT
    row(0x30, 0x31, &AtaDisk::read_write, trait_write);                                      // WRITE SECTOR(S)
    row(0x34, 0x34, &AtaDisk::read_write, trait_write | trait_extended);                     // WRITE SECTOR(S) EXT
    row(0x35, 0x35, &AtaDisk::read_write, trait_write | trait_extended | trait_dma);         // WRITE DMA EXT
    row(0x39, 0x39, &AtaDisk::read_write, trait_write | trait_extended | trait_multiple);    // WRITE MULTIPLE EXT
    row(0x3c, 0x3c, &AtaDisk::read_write, trait_write);                                      // WRITE VERIFY
    row(0x3d, 0x3d, &AtaDisk::read_write, trait_write | trait_extended | trait_dma | trait_durable);
    row(0x40, 0x41, &AtaDisk::verify, trait_verify);
    row(0x42, 0x42, &AtaDisk::verify, trait_verify | trait_extended);
    row(0x70, 0x7f, &AtaDisk::seek);
    row(0x91, 0x91, &AtaDisk::initialize_parameters);
    row(0x94, 0x94, &AtaDisk::standby);
    row(0x95, 0x95, &AtaDisk::idle);
    row(0x96, 0x96, &AtaDisk::standby);
    row(0x97, 0x97, &AtaDisk::idle);
    row(0x98, 0x98, &AtaDisk::check_power);
    row(0x99, 0x99, &AtaDisk::sleep);
    row(0xb0, 0xb0, &AtaDisk::smart);
    row(0xc4, 0xc4, &AtaDisk::read_write, trait_multiple);                                   // READ MULTIPLE
    row(0xc5, 0xc5, &AtaDisk::read_write, trait_write | trait_multiple);                     // WRITE MULTIPLE
    row(0xc6, 0xc6, &AtaDisk::set_multiple);
    row(0xc8, 0xc9, &AtaDisk::read_write, trait_dma);                                        // READ DMA
    row(0xca, 0xcb, &AtaDisk::read_write, trait_write | trait_dma);                          // WRITE DMA
    row(0xce, 0xce, &AtaDisk::read_write, trait_write | trait_extended | trait_multiple | trait_durable);
    row(0xe0, 0xe0, &AtaDisk::standby);
    row(0xe1, 0xe1, &AtaDisk::idle);
    row(0xe2, 0xe2, &AtaDisk::standby);
    row(0xe3, 0xe3, &AtaDisk::idle);
    row(0xe5, 0xe5, &AtaDisk::check_power);
    row(0xe6, 0xe6, &AtaDisk::sleep);
    row(0xe7, 0xe7, &AtaDisk::flush);
    row(0xea, 0xea, &AtaDisk::flush, trait_extended);
    row(0xec, 0xec, &AtaDisk::identify);
    row(0xef, 0xef, &AtaDisk::set_features);
    row(0xf8, 0xf8, &AtaDisk::read_native_max);
    // clang-format on
    return table;
}();

AtaDisk::AtaDisk(
    std::string name, unsigned drive, AtaCable& cable, DriveWires wires, std::unique_ptr<BlockDevice> disk, DiskIdentity identity)
    : AtaDevice(std::move(name), drive, cable, std::move(wires)),
      disk_(std::move(disk)),
      identity_(std::move(identity))
{
    put_signature();
}

void AtaDisk::put_signature()
{
    r_.count = r_.lba_low = 1;
    r_.lba_mid = r_.lba_high = r_.device = 0;
    r_.status = status_drdy | status_dsc;
    r_.error = 1;
}

void AtaDisk::reset()
{
    s_ = {};
    AtaDevice::reset();
}

void AtaDisk::soft_reset()
{
    s_.asleep = s_.standby = false;
    s_.sectors_left = s_.chunk = 0;
    AtaDevice::soft_reset();
}

void AtaDisk::execute(u8 command)
{
    // 6.9: only a reset wakes a sleeping device.
    if (s_.asleep)
        return;
    s_.command = command;
    s_.sectors_left = s_.chunk = 0;
    s_.sector_by_sector = false;
    if (const auto run = commands[command].run)
        (this->*run)();
    else
        abort_command();
}

void AtaDisk::succeed()
{
    finish(status_drdy | status_dsc);
}

bool AtaDisk::load_address()
{
    const u32 low = u32(r_.lba_low | r_.lba_mid << 8 | r_.lba_high << 16);
    if (has(trait_extended)) {
        s_.lba = low | u64(r_.lba_low_before) << 24 | u64(r_.lba_mid_before) << 32 | u64(r_.lba_high_before) << 40;
        s_.sectors_left = r_.count | u32(r_.count_before) << 8;
        s_.sectors_left = s_.sectors_left ? s_.sectors_left : 65536;
    } else {
        s_.sectors_left = r_.count ? r_.count : 256;
        s_.lba = low | u64(r_.device & 15) << 24;
        if (!(r_.device & device_lba)) {
            const u32 cylinder = low >> 8, head = r_.device & 15, sector = r_.lba_low;
            if (sector == 0 || sector > s_.sectors_per_track || head >= s_.heads)
                return false;
            s_.lba = (u64(cylinder) * s_.heads + head) * s_.sectors_per_track + sector - 1;
        }
    }
    return s_.lba + s_.sectors_left <= sectors();
}

void AtaDisk::store_address(u64 lba)
{
    const bool chs = !has(trait_extended) && !(r_.device & device_lba);
    if (chs) {
        const u64 track = lba / s_.sectors_per_track;
        r_.lba_low = u8(lba % s_.sectors_per_track + 1);
        r_.lba_mid = u8(track / s_.heads);
        r_.lba_high = u8(track / s_.heads >> 8);
        r_.device = u8((r_.device & 0xf0) | track % s_.heads);
        return;
    }
    r_.lba_low = u8(lba);
    r_.lba_mid = u8(lba >> 8);
    r_.lba_high = u8(lba >> 16);
    if (has(trait_extended)) {
        r_.lba_low_before = u8(lba >> 24);
        r_.lba_mid_before = u8(lba >> 32);
        r_.lba_high_before = u8(lba >> 40);
    } else {
        r_.device = u8((r_.device & 0xf0) | (lba >> 24 & 15));
    }
}

u32 AtaDisk::drq_block() const
{
    return sector_bytes * (has(trait_multiple) ? std::max<u32>(s_.multiple, 1) : 1);
}

void AtaDisk::read_write()
{
    if (has(trait_multiple) && s_.multiple == 0)
        return abort_command();
    if (has(trait_write) && disk_->read_only())
        return abort_command();
    s_.standby = false;
    if (!load_address())
        return finish(status_drdy | status_dsc | status_err, error_idnf);
    next_chunk();
}

void AtaDisk::verify()
{
    if (!load_address())
        return finish(status_drdy | status_dsc | status_err, error_idnf);
    next_chunk();
}

void AtaDisk::next_chunk()
{
    const bool first = s_.chunk == 0;
    s_.chunk = std::min(s_.sectors_left, s_.sector_by_sector ? 1 : largest_chunk);
    if (!has(trait_write))
        return request(BlockOperation::read, s_.lba * sector_bytes, s_.chunk * sector_bytes);
    if (has(trait_dma))
        return begin_dma_out(s_.chunk * sector_bytes);
    begin_data_out(s_.chunk * sector_bytes, drq_block(), !first);
}

void AtaDisk::data_out_done()
{
    if (s_.command == 0x06)
        return next_trim_range();
    const bool durable = has(trait_durable) || !s_.write_cache;
    request(BlockOperation::write, s_.lba * sector_bytes, s_.chunk * sector_bytes, durable);
}

void AtaDisk::request_done(BlockFault fault)
{
    if (fault != BlockFault::none)
        return chunk_failed(fault);
    if (r_.operation == BlockOperation::flush)
        return succeed();
    if (r_.operation == BlockOperation::discard)
        return next_trim_range();
    if (r_.operation == BlockOperation::read && !has(trait_verify))
        return has(trait_dma) ? begin_dma_in() : begin_data_in(drq_block());
    s_.lba += s_.chunk;
    s_.sectors_left -= std::min(s_.chunk, s_.sectors_left);
    if (s_.sectors_left > 0)
        return next_chunk();
    store_address(s_.lba - 1);
    succeed();
}

void AtaDisk::data_in_done()
{
    if (s_.sectors_left == 0)
        return;
    s_.lba += s_.chunk;
    s_.sectors_left -= std::min(s_.chunk, s_.sectors_left);
    if (s_.sectors_left > 0)
        return next_chunk();
    store_address(s_.lba - 1);
    if (has(trait_dma))
        succeed();
}

void AtaDisk::chunk_failed(BlockFault fault)
{
    if (r_.operation == BlockOperation::read && s_.chunk > 1) {
        s_.sector_by_sector = true;
        return next_chunk();
    }
    if (r_.operation == BlockOperation::read || r_.operation == BlockOperation::write)
        store_address(s_.lba);
    const bool unreadable = r_.operation == BlockOperation::read && fault != BlockFault::out_of_range;
    finish(status_drdy | status_dsc | status_err, unreadable ? error_unc : error_abrt);
}

void AtaDisk::flush()
{
    request(BlockOperation::flush, 0, 0);
}

// ACS-2, 7.10: up to 64 ranges a sector, each a 48-bit LBA and a 16-bit count.
void AtaDisk::data_set_management()
{
    const u32 count = r_.count | u32(r_.count_before) << 8;
    if (!(r_.feature & 1) || count == 0 || count > most_trim_sectors || disk_->read_only())
        return abort_command();
    s_.trim_range = 0;
    begin_dma_out(count * sector_bytes);
}

void AtaDisk::next_trim_range()
{
    while ((s_.trim_range + 1) * 8 <= r_.buffer.size()) {
        const u64 range = load_le<u64>(&r_.buffer[s_.trim_range++ * 8]);
        const u64 lba = bits(range, 0, 48), count = range >> 48;
        if (count == 0)
            continue;
        if (lba + count > sectors())
            return finish(status_drdy | status_dsc | status_err, error_idnf | error_abrt);
        return request(BlockOperation::discard, lba * sector_bytes, count * sector_bytes);
    }
    succeed();
}

void AtaDisk::seek()
{
    r_.count = 1;
    if (!load_address())
        return finish(status_drdy | status_dsc | status_err, error_idnf);
    s_.sectors_left = 0;
    succeed();
}

void AtaDisk::recalibrate()
{
    r_.lba_mid = r_.lba_high = 0;
    succeed();
}

void AtaDisk::initialize_parameters()
{
    if (r_.count == 0)
        return abort_command();
    s_.sectors_per_track = r_.count;
    s_.heads = u16((r_.device & 15) + 1);
    succeed();
}

void AtaDisk::set_multiple()
{
    const bool power_of_two = (r_.count & (r_.count - 1)) == 0;
    if (r_.count > largest_multiple || !power_of_two)
        return abort_command();
    s_.multiple = r_.count;
    succeed();
}

void AtaDisk::read_native_max()
{
    if (has(trait_extended)) {
        store_address(sectors() - 1);
    } else {
        r_.device |= device_lba;
        store_address(std::min<u64>(sectors(), 0x0fffffff) - 1);
    }
    succeed();
}

void AtaDisk::idle()
{
    s_.standby = false;
    succeed();
}

void AtaDisk::standby()
{
    s_.standby = true;
    succeed();
}

void AtaDisk::sleep()
{
    s_.asleep = true;
    succeed();
}

void AtaDisk::check_power()
{
    r_.count = s_.standby ? mode_standby : mode_active;
    succeed();
}

void AtaDisk::reply(std::span<const u8> sector)
{
    r_.buffer.assign(sector.begin(), sector.end());
    begin_data_in(sector_bytes);
}

void AtaDisk::visit(StateVisitor& v)
{
    auto& [lba, sectors_left, chunk, command, sector_by_sector, heads, sectors_per_track, multiple, dma_mode, write_cache, look_ahead, smart_enabled, asleep, in_standby, trim_range]
        = s_;
    v.field("lba", lba);
    v.field("sectors_left", sectors_left);
    v.field("chunk", chunk);
    v.field("command", command);
    v.field("sector_by_sector", sector_by_sector);
    v.field("heads", heads);
    v.field("sectors_per_track", sectors_per_track);
    v.field("multiple", multiple);
    v.field("dma_mode", dma_mode);
    v.field("write_cache", write_cache);
    v.field("look_ahead", look_ahead);
    v.field("smart", smart_enabled);
    v.field("asleep", asleep);
    v.field("standby", in_standby);
    v.field("trim_range", trim_range);
    AtaDevice::visit(v);
}

bool AtaDisk::restored()
{
    const bool geometry = s_.heads >= 1 && s_.heads <= 16 && s_.sectors_per_track >= 1 && s_.sectors_per_track <= 255;
    const bool transfer = s_.lba <= sectors() && s_.sectors_left <= 65536 && s_.chunk <= largest_chunk
        && (s_.sectors_left == 0 || s_.chunk <= s_.sectors_left) && s_.trim_range <= most_trim_sectors * sector_bytes / 8;
    return geometry && transfer && s_.multiple <= largest_multiple && AtaDevice::restored();
}

}
