// Any bytes as a VDI, VHD, VHDX or VMDK image; the first byte says which.

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/bits.h"
#include "engine/block/vdi/vdi_image.h"
#include "engine/block/vhd/vhd_image.h"
#include "engine/block/vhdx/vhdx_image.h"
#include "engine/block/vmdk/vmdk_image.h"
#include "engine/snapshot/crc32c.h"
#include "tests/engine/block/memory_file.h"

using namespace engine;

namespace {

// VHDX has its tables far apart: the input follows in pieces, one each 64 KiB. The sums over its two headers and its two
// tables of regions are put right, so that what they say is looked at.
std::vector<u8> spread(std::span<const u8> bytes)
{
    constexpr std::size_t piece = 256, places = 8, header_bytes = 4096, distance = 65536;
    std::vector<u8> image(places * distance);
    for (std::size_t at = 0, place = 0; at < bytes.size() && place < places; at += piece, ++place)
        std::ranges::copy(
            bytes.subspan(at, std::min(piece, bytes.size() - at)), image.begin() + std::ptrdiff_t(place * distance));
    for (std::size_t place = 1; place <= 4; ++place) {
        const auto summed = std::span(image).subspan(place * distance, place <= 2 ? header_bytes : distance);
        store_le<u32>(&summed[4], 0);
        store_le<u32>(&summed[4], crc32c(summed));
    }
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
