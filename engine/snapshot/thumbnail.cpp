#include "engine/snapshot/thumbnail.h"

#include <algorithm>

namespace engine {

namespace {
u32 mean(const Frame& frame, u32 left, u32 top, u32 right, u32 bottom)
{
    std::array<u64, 3> sums{};
    for (u32 y = top; y < bottom; ++y)
        for (u32 x = left; x < right; ++x)
            for (unsigned n = 0; n < sums.size(); ++n)
                sums[n] += frame.pixels[std::size_t(y) * frame.width + x] >> 8 * n & 0xff;
    u32 pixel = 0xff000000;
    const u64 count = u64(right - left) * (bottom - top);
    for (unsigned n = 0; n < sums.size(); ++n)
        pixel |= u32(sums[n] / count) << 8 * n;
    return pixel;
}
}

Thumbnail make_thumbnail(const Frame& frame, u32 most)
{
    const u64 longer = std::max(frame.width, frame.height);
    if (!frame.width || !frame.height || frame.pixels.size() < u64(frame.width) * frame.height)
        return {};
    const u64 divisor = std::max<u64>(longer, most);
    Thumbnail small{
        .width = std::max(u32(frame.width * u64(most) / divisor), 1u),
        .height = std::max(u32(frame.height * u64(most) / divisor), 1u),
        .pixels = {}};
    small.pixels.reserve(std::size_t(small.width) * small.height);
    const auto edge = [](u32 n, u32 of, u32 all) { return u32(u64(n) * all / of); };
    for (u32 y = 0; y < small.height; ++y)
        for (u32 x = 0; x < small.width; ++x)
            small.pixels.push_back(mean(
                frame, edge(x, small.width, frame.width), edge(y, small.height, frame.height),
                edge(x + 1, small.width, frame.width), edge(y + 1, small.height, frame.height)));
    return small;
}

}
