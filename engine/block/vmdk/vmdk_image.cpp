#include "engine/block/vmdk/vmdk_image.h"

#include <algorithm>
#include <array>

#include <zlib.h>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine {

namespace {

constexpr u64 sector = 512;
constexpr u64 most_grain = 16 << 20;    // bytes
// The sparse extent header, by byte.
constexpr u32 at_version = 4, at_flags = 8, at_capacity = 12, at_grain_size = 20, at_descriptor_offset = 28,
              at_descriptor_size = 36, at_entries_per_table = 44, at_directory = 56, at_compression = 77;
constexpr u32 flag_zero_grains = 1 << 2, flag_packed = 1 << 16;
constexpr u64 directory_at_end = ~u64(0);
constexpr u16 deflate = 1;
constexpr u32 grain_absent = 0, grain_zero = 1;
constexpr u64 packed_header = 12;    // of a packed grain: its sector, and the bytes that follow

bool is_sparse(std::span<const u8> header)
{
    return load_le<u32>(header.data()) == 0x564d444b;    // "KDMV"
}

}

Result<std::shared_ptr<ImageLayer>> VmdkImage::open(const std::string& path, std::unique_ptr<ImageFile> file)
{
    const std::shared_ptr<VmdkImage> image(new VmdkImage(path));
    if (auto loaded = image->load(std::move(file)); !loaded)
        return loaded.error();
    return std::shared_ptr<ImageLayer>(image);
}

Result<void> VmdkImage::load(std::unique_ptr<ImageFile> file)
{
    std::array<u8, sector> header{};
    if (const int error_number = file->read(0, header))
        return unreadable(error_number);
    const bool sparse = is_sparse(header);
    u64 at = 0, length = std::min(file->size(), longest_vmdk_descriptor);
    if (sparse) {
        at = load_le<u64>(&header[at_descriptor_offset]);
        length = load_le<u64>(&header[at_descriptor_size]);
        if (length > longest_vmdk_descriptor / sector || at > largest_foreign_table)
            return damage("its descriptor lies at an impossible place");
        at *= sector;
        length *= sector;
    }
    std::vector<u8> words(length);
    if (const int error_number = file->read(at, words))
        return unreadable(error_number);
    const std::string description(words.begin(), words.end());
    if (!sparse && description.rfind("# Disk DescriptorFile", 0) != 0)
        return unusable("it is no VMDK image", "Choose another image");
    const auto descriptor = parse_vmdk_descriptor(description);
    if (!descriptor)
        return unusable(descriptor.error().why);
    if (descriptor.value().differs)
        return unusable("it only holds what differs from another image", "Merge it with the program that made it");
    if (!sparse)
        return load_described(descriptor.value());
    Extent extent{.kind = VmdkDescriptor::Extent::Kind::sparse, .file = std::move(file)};
    if (auto loaded = load_sparse(extent, true); !loaded)
        return loaded;
    size_ = extent.end;
    extents_.push_back(std::move(extent));
    return {};
}

Result<void> VmdkImage::load_described(const VmdkDescriptor& descriptor)
{
    const auto slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : path_.substr(0, slash + 1);
    for (const VmdkDescriptor::Extent& described : descriptor.extents) {
        Extent extent{
            .kind = described.kind,
            .begin = size_,
            .end = size_ + described.sectors * sector,
            .offset = described.offset * sector};
        if (described.kind != VmdkDescriptor::Extent::Kind::zero) {
            auto file = open_image_file(folder + described.file, ImageAccess::read_only);
            if (!file)
                return file.error();
            extent.file = std::move(*file);
        }
        if (described.kind == VmdkDescriptor::Extent::Kind::sparse)
            if (auto loaded = load_sparse(extent, false); !loaded)
                return loaded;
        size_ = extent.end;
        extents_.push_back(std::move(extent));
    }
    return size_ ? Result<void>{} : Result<void>{unusable("its descriptor names no extents", "Choose another image")};
}

Result<void> VmdkImage::load_sparse(Extent& extent, bool alone)
{
    std::array<u8, sector> header{};
    if (const int error_number = extent.file->read(0, header))
        return unreadable(error_number);
    if (!is_sparse(header))
        return unusable("one of its extents is of a kind that is not known here");
    const u64 end = extent.file->size();
    // Written as a stream, the place of the directory is known only at the end: there is a second header.
    if (load_le<u64>(&header[at_directory]) == directory_at_end && end > 2 * sector)
        if (const int error_number = extent.file->read(end / sector * sector - 2 * sector, header))
            return unreadable(error_number);
    const u32 version = load_le<u32>(&header[at_version]), flags = load_le<u32>(&header[at_flags]);
    if (!is_sparse(header) || version < 1 || version > 3)
        return unusable(text("it is of version ", version, " of the format"));
    const u64 capacity = load_le<u64>(&header[at_capacity]), grain = load_le<u64>(&header[at_grain_size]);
    extent.grains_per_table = load_le<u32>(&header[at_entries_per_table]);
    extent.packed = flags & flag_packed;
    extent.zero_grains = flags & flag_zero_grains;
    if (extent.packed && load_le<u16>(&header[at_compression]) != deflate)
        return unusable("its compression is not known here");
    if (capacity == 0 || capacity > u64(1) << 40 || grain == 0 || grain > most_grain / sector || !std::has_single_bit(grain))
        return damage("its header can't be");
    if (extent.grains_per_table == 0 || extent.grains_per_table > 65536)
        return damage(text("its tables would have ", extent.grains_per_table, " entries"));
    extent.grain = grain * sector;
    if (alone)
        extent.end = capacity * sector;
    if (extent.end - extent.begin > capacity * sector)
        return damage("an extent is shorter than the descriptor says");
    return load_directory(extent, load_le<u64>(&header[at_directory]), capacity);
}

Result<void> VmdkImage::load_directory(Extent& extent, u64 offset, u64 capacity)
{
    const u64 reach = extent.grain / sector * extent.grains_per_table, entries = (capacity + reach - 1) / reach;
    if (entries * 4 > largest_foreign_table || offset > extent.file->size() / sector)
        return damage("its directory lies at an impossible place");
    std::vector<u8> bytes(entries * 4);
    if (const int error_number = extent.file->read(offset * sector, bytes))
        return unreadable(error_number);
    extent.directory.resize(entries);
    for (u64 n = 0; n < entries; ++n)
        extent.directory[n] = load_le<u32>(&bytes[4 * n]);
    return {};
}

int VmdkImage::place(u64 offset, u64 most, Place& place)
{
    const auto after = std::ranges::upper_bound(extents_, offset, {}, &Extent::end);
    if (after == extents_.end())
        return damaged;
    Extent& extent = *after;
    const u64 within = offset - extent.begin;
    place.length = std::min(most, extent.end - offset);
    place.zero = extent.kind == VmdkDescriptor::Extent::Kind::zero;
    place.file = extent.file.get();
    place.offset = extent.offset + within;
    return extent.kind == VmdkDescriptor::Extent::Kind::sparse ? place_sparse(extent, within, place) : 0;
}

int VmdkImage::place_sparse(Extent& extent, u64 within, Place& place)
{
    const u64 number = within / extent.grain, index = number / extent.grains_per_table;
    place.length = std::min(place.length, extent.grain - within % extent.grain);
    place.zero = true;
    if (index >= extent.directory.size() || extent.directory[index] == 0)
        return 0;
    u32 grain = 0;
    {
        const std::lock_guard lock(mutex_);
        if (extent.known_table != index) {
            extent.known_table = ~u64(0);
            extent.table.resize(extent.grains_per_table * 4);
            if (const int error_number = extent.file->read(extent.directory[index] * sector, extent.table))
                return error_number;
            extent.known_table = index;
        }
        grain = load_le<u32>(&extent.table[4 * (number % extent.grains_per_table)]);
    }
    if (grain == grain_absent || (grain == grain_zero && extent.zero_grains))
        return 0;
    place.zero = false;
    place.offset = grain * sector + (extent.packed ? 0 : within % extent.grain);
    if (!extent.packed)
        return 0;
    std::array<u8, packed_header> header{};
    if (const int error_number = extent.file->read(place.offset, header))
        return error_number;
    place.packed = load_le<u32>(&header[8]);
    place.within = within % extent.grain;
    place.offset += packed_header;
    return place.packed == 0 || place.packed > 2 * extent.grain ? damaged : 0;
}

bool VmdkImage::unpack(const Place& place, std::vector<u8>& to)
{
    std::vector<u8> from(place.packed);
    if (place.file->read(place.offset, from))
        return false;
    u64 grain = 0;
    for (const Extent& extent : extents_)
        if (extent.file.get() == place.file)
            grain = extent.grain;
    to.assign(grain, 0);
    uLongf length = to.size();
    return uncompress(to.data(), &length, from.data(), from.size()) == Z_OK;
}

}
