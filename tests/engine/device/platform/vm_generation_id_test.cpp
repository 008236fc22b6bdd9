#include "engine/device/platform/vm_generation_id.h"

#include <gtest/gtest.h>

using namespace engine;

TEST(VmGenerationIdTest, shows_its_bits_and_nothing_behind_them)
{
    VmGenerationId id([] {});
    id.set({0x0706050403020100, 0x0f0e0d0c0b0a0908});
    EXPECT_EQ(id.read(0, 8), 0x0706050403020100u);
    EXPECT_EQ(id.read(8, 4), 0x0b0a0908u);
    EXPECT_EQ(id.read(6, 4), 0x09080706u);
    EXPECT_EQ(id.read(12, 8), 0x0f0e0d0cu);
    EXPECT_EQ(id.read(0xff8, 8), 0u);
    id.write(0, 1, 8);
    EXPECT_EQ(id.read(0, 8), 0x0706050403020100u);
}

TEST(VmGenerationIdTest, tells_of_another_but_not_of_the_first_nor_of_a_reset)
{
    unsigned told = 0;
    VmGenerationId id([&] { ++told; });
    id.set({1, 2});
    id.set({1, 2});
    EXPECT_EQ(told, 0u);
    id.reset();
    EXPECT_EQ(id.id().low, 1u);
    id.set({1, 3});
    EXPECT_EQ(told, 1u);
}
