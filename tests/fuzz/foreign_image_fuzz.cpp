// Any bytes as a VDI, VHD, VHDX or VMDK image; the first byte says which.

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/block/vdi/vdi_image.h"
#include "engine/block/vhd/vhd_image.h"
#include "engine/block/vhdx/vhdx_image.h"
#include "engine/block/vmdk/vmdk_image.h"
#include "tests/engine/block/memory_file.h"

using namespace engine;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    constexpr std::array open{&VdiImage::open, &VhdImage::open, &VhdxImage::open, &VmdkImage::open};
    std::vector<u8> bytes(data + 1, data + size);
    // VHDX has its tables far apart: the input follows in pieces.
    if (data[0] % open.size() == 2) {
        std::vector<u8> spread(512 * 1024);
        for (std::size_t at = 0, piece = 0; at < bytes.size() && piece < 8; at += 256, ++piece)
            std::copy_n(
                bytes.begin() + std::ptrdiff_t(at), std::min<std::size_t>(256, bytes.size() - at),
                spread.begin() + std::ptrdiff_t(piece * 65536));
        bytes = std::move(spread);
    }
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
