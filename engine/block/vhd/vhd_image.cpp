#include "engine/block/vhd/vhd_image.h"

#include <algorithm>
#include <array>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine {

namespace {

constexpr u64 sector = 512, footer_bytes = 512, header_bytes = 1024;
constexpr u32 at_data_offset = 16, at_current_size = 48, at_type = 60;    // footer
constexpr u32 at_table_offset = 16, at_entries = 28, at_block_size = 32;    // dynamic disk header
constexpr u32 type_fixed = 2, type_dynamic = 3;
constexpr u32 block_absent = 0xffffffff;

bool begins_with(std::span<const u8> bytes, std::string_view wanted)
{
    return std::equal(wanted.begin(), wanted.end(), bytes.begin());
}

}

Result<std::shared_ptr<ImageLayer>> VhdImage::open(const std::string& path, std::unique_ptr<ImageFile> file)
{
    const std::shared_ptr<VhdImage> image(new VhdImage(path, std::move(file)));
    if (auto loaded = image->load(); !loaded)
        return loaded.error();
    return std::shared_ptr<ImageLayer>(image);
}

Result<void> VhdImage::load()
{
    // The footer stands at the end; a dynamic disk has a copy at the beginning, which is there even if the end is cut off.
    std::array<u8, footer_bytes> footer{};
    const u64 end = file_->size();
    if (end < footer_bytes)
        return damage("it is too short");
    if (const int error_number = file_->read(0, footer))
        return unreadable(error_number);
    if (!begins_with(footer, "conectix"))
        if (const int error_number = file_->read(end - footer_bytes, footer))
            return unreadable(error_number);
    if (!begins_with(footer, "conectix"))
        return unusable("it is no VHD image", "Choose another image");
    size_ = load_be<u64>(&footer[at_current_size]);
    const u32 type = load_be<u32>(&footer[at_type]);
    if (size_ == 0 || size_ % sector || size_ > (u64(1) << 45))
        return damage(text("the disk would have ", size_, " bytes"));
    if (type == type_fixed) {
        fixed_ = true;
        return size_ <= end - footer_bytes ? Result<void>{} : Result<void>{damage("it is cut short")};
    }
    if (type != type_dynamic)
        return unusable("it only holds what differs from another image", "Merge it with the program that made it");
    return load_dynamic(load_be<u64>(&footer[at_data_offset]));
}

Result<void> VhdImage::load_dynamic(u64 header_offset)
{
    std::array<u8, header_bytes> header{};
    if (header_offset > file_->size())
        return damage("its header lies beyond its end");
    if (const int error_number = file_->read(header_offset, header))
        return unreadable(error_number);
    if (!begins_with(header, "cxsparse"))
        return damage("it has no header");
    block_size_ = load_be<u32>(&header[at_block_size]);
    const u64 entries = load_be<u32>(&header[at_entries]), table_offset = load_be<u64>(&header[at_table_offset]);
    if (block_size_ < sector || block_size_ > (u64(1) << 30) || !std::has_single_bit(block_size_))
        return damage(text("its blocks would have ", block_size_, " bytes"));
    if (entries * 4 > largest_foreign_table || entries < (size_ + block_size_ - 1) / block_size_ || table_offset > file_->size())
        return damage(text("it would have ", entries, " blocks"));
    bitmap_size_ = round_up(block_size_ / sector / 8, sector);
    std::vector<u8> table(entries * 4);
    if (const int error_number = file_->read(table_offset, table))
        return unreadable(error_number);
    blocks_.resize(entries);
    for (u64 n = 0; n < entries; ++n)
        blocks_[n] = load_be<u32>(&table[4 * n]);
    return {};
}

int VhdImage::place(u64 offset, u64 most, Place& place)
{
    place.file = file_.get();
    if (fixed_) {
        place.length = most;
        place.zero = false;
        place.offset = offset;
        return 0;
    }
    const u64 within = offset % block_size_;
    const u32 block = blocks_[offset / block_size_];
    place.length = std::min(most, block_size_ - within);
    place.zero = block == block_absent;
    place.offset = block * sector + bitmap_size_ + within;
    if (place.zero)
        return 0;
    // A bit for each sector of the block says whether it was ever written; others are zero, whatever lies there.
    std::vector<u8> bitmap(bitmap_size_);
    if (const int error_number = file_->read(block * sector, bitmap))
        return error_number;
    const auto written = [&](u64 n) { return bit(bitmap[n / 8], unsigned(7 - n % 8)); };
    const u64 first = within / sector;
    u64 next = first + 1;
    while (next * sector < within + place.length && written(next) == written(first))
        ++next;
    place.zero = !written(first);
    place.length = std::min(place.length, next * sector - within);
    return 0;
}

}
