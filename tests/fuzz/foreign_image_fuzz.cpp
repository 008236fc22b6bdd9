// Any bytes as a VDI, VHD, VHDX or VMDK image; the first byte says which.

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "engine/base/bits.h"
#include "engine/block/vdi/vdi_image.h"
#include "engine/block/vhd/vhd_image.h"
#include "engine/block/vhdx/vhdx_image.h"
#include "engine/block/vmdk/vmdk_image.h"
#include "engine/base/crc32c.h"
#include "tests/engine/block/memory_file.h"

using namespace engine;

namespace {

void put_sum_right(std::span<u8> summed)
{
    store_le<u32>(&summed[4], 0);
    store_le<u32>(&summed[4], crc32c(summed));
}

// Where the first header has a log's name: that log, with one entry and one sector of data whose sum is right.
void place_log(std::span<u8> image, std::span<u8> header)
{
    constexpr std::size_t mebibyte = 1 << 20, sector = 4096;
    store_le<u16>(&header[64], 0);
    store_le<u16>(&header[66], 1);
    store_le<u32>(&header[68], mebibyte);
    store_le<u64>(&header[72], mebibyte);
    const auto entry = image.subspan(mebibyte, 2 * sector);
    std::ranges::copy(std::string_view("loge"), entry.begin());
    store_le<u32>(&entry[8], u32(entry.size()));
    std::ranges::copy(header.subspan(48, 16), entry.begin() + 32);
    std::ranges::copy(std::string_view("data"), entry.begin() + sector);
    store_le<u32>(&entry[sector + 4], load_le<u32>(&entry[20]));
    store_le<u32>(&entry[2 * sector - 4], load_le<u32>(&entry[16]));
    put_sum_right(entry);
}

// VHDX has its tables far apart: the input follows in pieces, one each 64 KiB, the ninth being the log. The sums over its two
// headers, its two tables of regions and the log's entry are put right, so that what they say is looked at.
std::vector<u8> spread(std::span<const u8> bytes)
{
    constexpr std::size_t piece = 256, places = 8, header_bytes = 4096, distance = 65536, log_at = 1 << 20, size = 2 << 20;
    std::vector<u8> image(size);
    for (std::size_t at = 0, place = 0; at < bytes.size() && place <= places; at += piece, ++place)
        std::ranges::copy(
            bytes.subspan(at, std::min(piece, bytes.size() - at)),
            image.begin() + std::ptrdiff_t(place == places ? log_at : place * distance));
    const auto header = std::span(image).subspan(distance, header_bytes);
    if (std::any_of(header.begin() + 48, header.begin() + 64, [](u8 byte) { return byte != 0; }))
        place_log(image, header);
    for (std::size_t place = 1; place <= 4; ++place)
        put_sum_right(std::span(image).subspan(place * distance, place <= 2 ? header_bytes : distance));
    return image;
}

}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    constexpr std::array open{&VdiImage::open, &VhdImage::open, &VhdxImage::open, &VmdkImage::open};
    std::vector<u8> bytes(data + 1, data + size);
    if (data[0] % open.size() == 2)
        bytes = spread(bytes);
    auto image = open[data[0] % open.size()]("fuzz", std::make_unique<MemoryFile>(std::move(bytes)));
    if (!image)
        return 0;
    std::vector<u8> content(std::min<u64>((*image)->size(), 65536));
    const u64 length = content.size();
    for (const u64 offset : {u64(0), ((*image)->size() - length) / 512 * 512})
        (void)(*image)->execute({.operation = BlockOperation::read, .offset = offset, .length = length, .segments = {content}});
    (void)(*image)->extent(0, (*image)->size());
    return 0;
}
