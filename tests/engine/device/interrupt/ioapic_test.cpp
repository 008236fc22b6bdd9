#include "engine/device/interrupt/ioapic.h"

#include <vector>

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;

namespace {
class IoApicTest : public testing::Test {
protected:
    u32 get(u8 index)
    {
        apic.write(0, index, 4);
        return u32(apic.read(0x10, 4));
    }
    void set(u8 index, u32 value)
    {
        apic.write(0, index, 4);
        apic.write(0x10, value, 4);
    }
    void entry(unsigned pin, u32 low, u8 destination = 0)
    {
        set(u8(0x11 + 2 * pin), u32(destination) << 24);
        set(u8(0x10 + 2 * pin), low);
    }

    std::vector<InterruptMessage> sent;
    bool accepted = true;
    IoApic apic{[this](const InterruptMessage& m) {
        sent.push_back(m);
        return accepted;
    }};
};
constexpr u32 level = 0x8000, masked = 0x10000, remote_irr = 0x4000;
}

TEST_F(IoApicTest, identifies_itself)
{
    EXPECT_EQ(get(1), 0x00170020u);
    EXPECT_EQ(get(0x10), masked);
    EXPECT_EQ(get(0x40), 0xffffffffu);
    set(0, 0xff000000);
    EXPECT_EQ(get(0), 0x0f000000u);
}

TEST_F(IoApicTest, edges_go_out_once_and_are_lost_while_masked)
{
    entry(4, 0x34 | masked, 3);
    apic.set_pin(4, true);
    entry(4, 0x34, 3);
    EXPECT_TRUE(sent.empty());
    apic.set_pin(4, false);
    apic.set_pin(4, true);
    apic.set_pin(4, true);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].vector, 0x34);
    EXPECT_EQ(sent[0].destination, 3u);
    EXPECT_FALSE(sent[0].level_triggered);
}

TEST_F(IoApicTest, a_level_is_sent_again_at_each_end_of_interrupt)
{
    entry(10, 0x51 | level | 0x900, 0xff);
    apic.set_pin(10, true);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].level_triggered);
    EXPECT_TRUE(sent[0].logical);
    EXPECT_EQ(sent[0].mode, DeliveryMode::lowest_priority);
    EXPECT_EQ(sent[0].destination, InterruptMessage::broadcast);
    EXPECT_TRUE(get(0x24) & remote_irr);
    apic.end_of_interrupt(0x50);
    EXPECT_EQ(sent.size(), 1u);
    apic.end_of_interrupt(0x51);
    EXPECT_EQ(sent.size(), 2u);
    apic.set_pin(10, false);
    apic.write(0x40, 0x51, 4);
    EXPECT_FALSE(get(0x24) & remote_irr);
    EXPECT_EQ(sent.size(), 2u);
}

TEST_F(IoApicTest, unmasking_finds_a_level_and_edge_mode_clears_remote_irr)
{
    entry(16, 0x60 | level | masked);
    apic.set_pin(16, true);
    EXPECT_TRUE(sent.empty());
    entry(16, 0x60 | level);
    EXPECT_EQ(sent.size(), 1u);
    entry(16, 0x60 | masked);
    entry(16, 0x60 | level | masked);
    EXPECT_FALSE(get(0x30) & remote_irr);
    entry(16, 0x60 | level);
    EXPECT_EQ(sent.size(), 2u);
}

TEST_F(IoApicTest, a_level_that_nobody_takes_is_offered_again)
{
    accepted = false;
    entry(9, 0x61 | level);
    apic.set_pin(9, true);
    EXPECT_FALSE(get(0x22) & remote_irr);
    accepted = true;
    entry(9, 0x61 | level);
    EXPECT_EQ(sent.size(), 2u);
    EXPECT_TRUE(get(0x22) & remote_irr);
}

TEST_F(IoApicTest, state_comes_back_as_it_was)
{
    entry(10, 0x51 | level, 7);
    apic.set_pin(10, true);
    StateSaver saved, again;
    apic.visit(saved);
    IoApic other({});
    StateLoader loader(saved.map);
    other.visit(loader);
    EXPECT_TRUE(other.restored());
    other.visit(again);
    EXPECT_EQ(saved.map, again.map);
    saved.map.scalars["lines"] = 0xff000000;
    StateLoader bad(saved.map);
    other.visit(bad);
    EXPECT_FALSE(other.restored());
}
