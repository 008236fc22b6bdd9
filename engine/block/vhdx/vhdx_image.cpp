#include "engine/block/vhdx/vhdx_image.h"

#include <algorithm>
#include <array>

#include "engine/base/bits.h"
#include "engine/base/crc32c.h"
#include "engine/base/text.h"
#include "engine/block/vhdx/vhdx_log.h"

namespace engine {

namespace {

constexpr u64 kibibyte = 1024, mebibyte = 1024 * 1024;
// [MS-VHDX] 2.2: the places that are fixed.
constexpr std::array<u64, 2> header_offsets{64 * kibibyte, 128 * kibibyte}, region_table_offsets{192 * kibibyte, 256 * kibibyte};
constexpr u64 header_bytes = 4096, region_table_bytes = 64 * kibibyte, metadata_table_bytes = 64 * kibibyte;

using Guid = VhdxGuid;
// As they stand in the file, with the first three parts little-endian.
constexpr Guid bat_region{0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08};
constexpr Guid metadata_region{0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e};
constexpr Guid file_parameters{0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b};
constexpr Guid virtual_disk_size{0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8};
constexpr Guid logical_sector_size{0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47,
                                   0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f};

constexpr u32 has_parent = 2;    // file parameters
// 2.5.1.1: states of payload blocks.
constexpr u64 block_state_bits = 7, block_fully_present = 6, block_partially_present = 7;
constexpr u64 block_offset_bits = ~(mebibyte - 1);

bool is_at(std::span<const u8> bytes, std::size_t at, const Guid& guid)
{
    return std::equal(guid.begin(), guid.end(), bytes.begin() + std::ptrdiff_t(at));
}

bool begins_with(std::span<const u8> bytes, std::string_view wanted)
{
    return std::equal(wanted.begin(), wanted.end(), bytes.begin());
}

// 2.2: CRC-32C with the field itself, at byte 4, taken as zero.
bool sum_is_right(std::vector<u8> bytes)
{
    const u32 wanted = load_le<u32>(&bytes[4]);
    store_le(&bytes[4], u32(0));
    return crc32c(bytes) == wanted;
}

}

Result<std::shared_ptr<ImageLayer>> VhdxImage::open(const std::string& path, std::unique_ptr<ImageFile> file)
{
    const std::shared_ptr<VhdxImage> image(new VhdxImage(path, std::move(file)));
    if (auto loaded = image->load(); !loaded)
        return loaded.error();
    return std::shared_ptr<ImageLayer>(image);
}

Result<void> VhdxImage::load()
{
    for (const auto step :
         {&VhdxImage::check_headers, &VhdxImage::find_regions, &VhdxImage::read_metadata, &VhdxImage::read_table})
        if (auto done = (this->*step)(); !done)
            return done;
    return {};
}

Result<void> VhdxImage::check_headers()
{
    std::vector<u8> current;
    std::array<u8, 8> identifier{};
    if (const int error_number = file_->read(0, identifier))
        return unreadable(error_number);
    if (!begins_with(identifier, "vhdxfile"))
        return unusable("it is no VHDX image", "Choose another image");
    for (const u64 offset : header_offsets) {
        std::vector<u8> header(header_bytes);
        if (const int error_number = file_->read(offset, header))
            return unreadable(error_number);
        const bool newer = current.empty() || load_le<u64>(&header[8]) > load_le<u64>(&current[8]);
        if (begins_with(header, "head") && newer && sum_is_right(header))
            current = std::move(header);
    }
    if (current.empty())
        return damage("neither of its headers is sound");
    if (load_le<u16>(&current[66]) != 1)
        return unusable(text("it is of version ", load_le<u16>(&current[66]), " of the format"));
    return replay_log(current);
}

// Without a log all is in its place.
Result<void> VhdxImage::replay_log(std::span<const u8> header)
{
    VhdxLogPlace log{load_le<u64>(&header[72]), load_le<u32>(&header[68])};
    std::copy_n(header.begin() + 48, log.guid.size(), log.guid.begin());
    if (log.guid == VhdxGuid{})
        return {};
    if (load_le<u16>(&header[64]) != 0)
        return unusable(text("its log is of version ", load_le<u16>(&header[64]), " of the format"));
    auto replayed = with_log_replayed(std::move(file_), log);
    if (!replayed)
        return damage(replayed.error().what);
    file_ = std::move(*replayed);
    return {};
}

Result<void> VhdxImage::find_regions()
{
    for (const u64 offset : region_table_offsets) {
        std::vector<u8> table(region_table_bytes);
        if (const int error_number = file_->read(offset, table))
            return unreadable(error_number);
        const u32 count = load_le<u32>(&table[8]);
        if (!begins_with(table, "regi") || count > 2047 || !sum_is_right(table))
            continue;
        for (std::size_t at = 16; at < 16 + 32 * std::size_t(count); at += 32) {
            const Region region{load_le<u64>(&table[at + 16]), load_le<u32>(&table[at + 24])};
            if (is_at(table, at, bat_region))
                table_region_ = region;
            else if (is_at(table, at, metadata_region))
                metadata_region_ = region;
            else if (load_le<u32>(&table[at + 28]) & 1)
                return unusable("it needs a region that is not known here");
        }
        const u64 end = file_->size();
        for (const Region& region : {table_region_, metadata_region_})
            if (region.length == 0 || region.offset > end || region.length > end - region.offset)
                return damage("a region lies beyond its end");
        return {};
    }
    return damage("neither of its region tables is sound");
}

Result<void> VhdxImage::read_metadata()
{
    std::vector<u8> table(metadata_table_bytes);
    if (const int error_number = file_->read(metadata_region_.offset, table))
        return unreadable(error_number);
    const u16 count = load_le<u16>(&table[10]);
    if (!begins_with(table, "metadata") || count > 2047)
        return damage("its metadata can't be read");
    u32 flags = 0;
    for (std::size_t at = 32; at < 32 + 32 * std::size_t(count); at += 32) {
        const u64 offset = load_le<u32>(&table[at + 16]);
        std::array<u8, 8> item{};
        if (offset + item.size() > metadata_region_.length)
            return damage("its metadata lies beyond its region");
        if (const int error_number = file_->read(metadata_region_.offset + offset, item))
            return unreadable(error_number);
        if (is_at(table, at, file_parameters)) {
            block_size_ = load_le<u32>(&item[0]);
            flags = load_le<u32>(&item[4]);
        } else if (is_at(table, at, virtual_disk_size)) {
            size_ = load_le<u64>(item.data());
        } else if (is_at(table, at, logical_sector_size)) {
            logical_sector_ = load_le<u32>(item.data());
        }
    }
    if (flags & has_parent)
        return unusable("it only holds what differs from another image", "Merge it with the program that made it");
    if (size_ == 0 || size_ % 512 || size_ > (u64(64) << 40))
        return damage(text("the disk would have ", size_, " bytes"));
    if (block_size_ < mebibyte || block_size_ > 256 * mebibyte || !std::has_single_bit(block_size_))
        return damage(text("its blocks would have ", block_size_, " bytes"));
    if (logical_sector_ != 512 && logical_sector_ != 4096)
        return damage(text("its sectors would have ", logical_sector_, " bytes"));
    return {};
}

Result<void> VhdxImage::read_table()
{
    chunk_ratio_ = (u64(1) << 23) * logical_sector_ / block_size_;
    const u64 blocks = (size_ + block_size_ - 1) / block_size_, entries = blocks + (blocks - 1) / chunk_ratio_;
    if (entries * 8 > largest_foreign_table || entries * 8 > table_region_.length)
        return damage("its table of blocks is too short");
    std::vector<u8> table(entries * 8);
    if (const int error_number = file_->read(table_region_.offset, table))
        return unreadable(error_number);
    blocks_.resize(blocks);
    for (u64 n = 0; n < blocks; ++n)
        blocks_[n] = load_le<u64>(&table[8 * (n + n / chunk_ratio_)]);
    return {};
}

int VhdxImage::place(u64 offset, u64 most, Place& place)
{
    const u64 within = offset % block_size_, entry = blocks_[offset / block_size_], state = entry & block_state_bits;
    place.length = std::min(most, block_size_ - within);
    place.zero = state != block_fully_present;
    place.file = file_.get();
    place.offset = (entry & block_offset_bits) + within;
    if (state == block_partially_present)
        return damaged;
    return place.offset >= u64(1) << 62 ? damaged : 0;
}

}
