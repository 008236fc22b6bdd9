#include "engine/block/vdi/vdi_image.h"

#include <algorithm>
#include <array>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine {

namespace {

constexpr u32 signature = 0xbeda107f, version_1_1 = 0x00010001;
constexpr u32 block_absent = 0xffffffff, block_zero = 0xfffffffe;

// Places in the header.
constexpr u32 at_signature = 0x40, at_version = 0x44, at_type = 0x4c, at_blocks_offset = 0x154, at_data_offset = 0x158,
              at_sector_size = 0x168, at_disk_size = 0x170, at_block_size = 0x178, at_block_extra = 0x17c, at_blocks = 0x180,
              header_bytes = 0x200;
constexpr u32 type_dynamic = 1, type_fixed = 2;

}

Result<std::shared_ptr<ImageLayer>> VdiImage::open(const std::string& path, std::unique_ptr<ImageFile> file)
{
    const std::shared_ptr<VdiImage> image(new VdiImage(path, std::move(file)));
    if (auto loaded = image->load(); !loaded)
        return loaded.error();
    return std::shared_ptr<ImageLayer>(image);
}

Result<void> VdiImage::load()
{
    std::array<u8, header_bytes> header{};
    if (const int error_number = file_->read(0, header))
        return unreadable(error_number);
    const auto number = [&](u32 at) { return load_le<u32>(&header[at]); };
    if (number(at_signature) != signature)
        return unusable("it is no VDI image", "Choose another image");
    if (number(at_version) != version_1_1)
        return unusable(text("it is of version ", number(at_version) >> 16, ".", number(at_version) & 0xffff, " of the format"));
    if (number(at_type) != type_dynamic && number(at_type) != type_fixed)
        return unusable("it only holds what differs from another image", "Merge it in VirtualBox first");
    size_ = load_le<u64>(&header[at_disk_size]);
    block_size_ = number(at_block_size);
    data_ = number(at_data_offset);
    stride_ = block_size_ + number(at_block_extra);
    if (number(at_sector_size) != 512 || size_ == 0 || size_ % 512)
        return damage(text("the disk would have ", size_, " bytes"));
    if (block_size_ < 4096 || block_size_ > (u64(1) << 30) || block_size_ % 512)
        return damage(text("its blocks would have ", block_size_, " bytes"));
    const u64 blocks = number(at_blocks);
    if (blocks * 4 > largest_foreign_table || blocks < (size_ + block_size_ - 1) / block_size_)
        return damage(text("it would have ", blocks, " blocks"));
    std::vector<u8> table(blocks * 4);
    if (const int error_number = file_->read(number(at_blocks_offset), table))
        return unreadable(error_number);
    blocks_.resize(blocks);
    for (u64 n = 0; n < blocks; ++n)
        blocks_[n] = load_le<u32>(&table[4 * n]);
    return {};
}

int VdiImage::place(u64 offset, u64 most, Place& place)
{
    const u64 within = offset % block_size_;
    const u32 block = blocks_[offset / block_size_];
    place.length = std::min(most, block_size_ - within);
    place.zero = block == block_absent || block == block_zero;
    place.file = file_.get();
    place.offset = data_ + block * stride_ + within;
    return 0;
}

}
