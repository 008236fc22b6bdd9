#include "engine/block/image_layer.h"

#include <algorithm>

namespace engine {

bool reads_as_zeroes(ImageLayer& layer, u64 offset, u64 length)
{
    const u64 end = offset + length;
    for (u64 at = offset; at < end && at < layer.size();) {
        // Extents begin at sectors.
        const u64 sector = at / layer.sector_size() * layer.sector_size();
        const ImageLayer::Extent extent = layer.extent(sector, std::min(end, layer.size()) - sector);
        const u64 until = std::min(sector + extent.length, end);
        const auto below = layer.backing();
        if (!extent.zero && (extent.own || !below || !reads_as_zeroes(*below, at, until - at)))
            return false;
        at = until;
    }
    return true;
}

}
