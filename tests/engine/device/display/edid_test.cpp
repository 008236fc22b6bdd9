#include <gtest/gtest.h>

#include <numeric>

#include "engine/device/display/edid.h"

namespace engine {
namespace {

TEST(EdidTest, both_blocks_sum_to_zero)
{
    for (const auto& [width, height] : {std::pair{1280u, 800u}, {1920u, 1080u}, {2560u, 1600u}, {0u, 0u}, {~0u, ~0u}}) {
        const Edid e = make_edid(width, height);
        EXPECT_EQ(std::accumulate(e.begin(), e.begin() + 128, 0) % 256, 0);
        EXPECT_EQ(std::accumulate(e.begin() + 128, e.end(), 0) % 256, 0);
        EXPECT_EQ(e[126], 1);
    }
}

TEST(EdidTest, prefers_the_given_size)
{
    const Edid e = make_edid(1280, 800);
    EXPECT_EQ(e[56] | (e[58] & 0xf0) << 4, 1280);
    EXPECT_EQ(e[59] | (e[61] & 0xf0) << 4, 800);
    const u32 total = (1280 + (e[57] | (e[58] & 15) << 8)) * (800u + (e[60] | (e[61] & 15) << 8));
    EXPECT_NEAR((e[54] | e[55] << 8) * 10000.0 / total, 60, 0.5);
    EXPECT_EQ(e[54] | e[55] << 8, 7100) << "CVT's reduced blanking mode of 71 MHz";
}

TEST(EdidTest, lists_2560_by_1600)
{
    const Edid e = make_edid(1280, 800);
    EXPECT_EQ(e[128 + 4 + 2] | (e[128 + 4 + 4] & 0xf0) << 4, 2560);
    EXPECT_EQ(e[128 + 4 + 5] | (e[128 + 4 + 7] & 0xf0) << 4, 1600);
}

}
}
