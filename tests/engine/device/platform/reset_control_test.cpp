#include "engine/device/platform/reset_control.h"

#include <vector>

#include <gtest/gtest.h>

using namespace engine;

namespace {
struct ResetControlTest : testing::Test {
    PortSpace ports;
    std::vector<bool> a20;
    std::vector<ResetControl::Reset> resets;
    ResetControl control{{[this](bool on) { a20.push_back(on); }, [this](ResetControl::Reset kind) { resets.push_back(kind); }}};
    ResetControlTest() { control.claim(ports); }
};
using Resets = std::vector<ResetControl::Reset>;
}

TEST_F(ResetControlTest, port_92_gates_a20_and_resets_on_a_rising_bit)
{
    ports.write(0x92, 2, 1);
    ports.write(0x92, 2, 1);
    ports.write(0x92, 3, 1);
    ports.write(0x92, 3, 1);
    EXPECT_EQ(ports.read(0x92, 1), 3u);
    ports.write(0x92, 0, 1);
    EXPECT_EQ(a20, (std::vector<bool>{true, false}));
    EXPECT_EQ(resets, Resets{ResetControl::Reset::processor});
}

TEST_F(ResetControlTest, cf9_resets_what_it_is_told_to)
{
    ports.write(0xcf9, 0x02, 1);
    EXPECT_TRUE(resets.empty());
    ports.write(0xcf9, 0x06, 1);
    ports.write(0xcf9, 0x06, 1);
    ports.write(0xcf9, 0x00, 1);
    ports.write(0xcf9, 0x04, 1);
    EXPECT_EQ(resets, (Resets{ResetControl::Reset::system, ResetControl::Reset::processor}));
}
