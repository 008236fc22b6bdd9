#include "engine/device/interrupt/i8259.h"

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;

namespace {
class I8259Test : public testing::Test {
protected:
    I8259Test()
    {
        pic.claim(ports);
        initialise(0x01);
    }
    void initialise(u8 icw4)
    {
        for (const auto& [port, base, cascade] : {std::tuple{0x20, 0x08, 0x04}, std::tuple{0xa0, 0x70, 0x02}}) {
            out(u16(port), 0x11);
            out(u16(port + 1), u8(base));
            out(u16(port + 1), u8(cascade));
            out(u16(port + 1), icw4);
        }
    }
    void out(u16 port, u8 value) { ports.write(port, value, 1); }
    u8 in(u16 port) { return u8(ports.read(port, 1)); }
    u8 in_service(u16 port)
    {
        out(port, 0x0b);
        const u8 value = in(port);
        out(port, 0x0a);
        return value;
    }

    PortSpace ports;
    I8259Pair pic;
};
}

TEST_F(I8259Test, an_edge_interrupts_once_and_waits_for_its_end)
{
    pic.irq(1).set(true);
    EXPECT_TRUE(pic.intr().level());
    EXPECT_EQ(pic.acknowledge(), 0x09);
    EXPECT_FALSE(pic.intr().level());
    EXPECT_EQ(in_service(0x20), 0x02);
    out(0x20, 0x20);
    EXPECT_EQ(in_service(0x20), 0x00);
    EXPECT_FALSE(pic.intr().level());
    pic.irq(1).set(false);
    pic.irq(1).set(true);
    EXPECT_TRUE(pic.intr().level());
}

TEST_F(I8259Test, a_level_interrupts_until_it_falls)
{
    out(0x4d1, 0xff);
    EXPECT_EQ(in(0x4d1), 0xde);
    pic.irq(11).set(true);
    EXPECT_EQ(pic.acknowledge(), 0x73);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    EXPECT_TRUE(pic.intr().level());
    pic.irq(11).set(false);
    EXPECT_FALSE(pic.intr().level());
}

TEST_F(I8259Test, priorities_nest_and_the_slave_comes_through_irq_2)
{
    pic.irq(8).set(true);
    pic.irq(3).set(true);
    EXPECT_EQ(pic.acknowledge(), 0x70);    // the cascade's level 2 is before 3
    EXPECT_FALSE(pic.intr().level());
    pic.irq(0).set(true);
    EXPECT_EQ(pic.acknowledge(), 0x08);
    EXPECT_EQ(in_service(0x20), 0x05);
    out(0x20, 0x20);
    EXPECT_EQ(in_service(0x20), 0x04);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    EXPECT_EQ(pic.acknowledge(), 0x0b);
}

TEST_F(I8259Test, a_request_that_is_gone_is_spurious_and_not_in_service)
{
    pic.irq(4).set(true);
    pic.irq(4).set(false);
    EXPECT_FALSE(pic.intr().level());
    EXPECT_EQ(pic.acknowledge(), 0x0f);
    EXPECT_EQ(in_service(0x20), 0x00);
}

TEST_F(I8259Test, masks_hold_requests_back)
{
    out(0x21, 0xff);
    EXPECT_EQ(in(0x21), 0xff);
    pic.irq(5).set(true);
    EXPECT_FALSE(pic.intr().level());
    EXPECT_EQ(in(0x20), 0x20);
    out(0x21, 0xdf);
    EXPECT_TRUE(pic.intr().level());
}

TEST_F(I8259Test, special_mask_mode_lets_lower_priorities_in)
{
    pic.irq(1).set(true);
    pic.acknowledge();
    pic.irq(6).set(true);
    EXPECT_FALSE(pic.intr().level());
    out(0x21, 0x02);
    out(0x20, 0x68);
    EXPECT_TRUE(pic.intr().level());
    out(0x20, 0x48);
    EXPECT_FALSE(pic.intr().level());
}

TEST_F(I8259Test, rotation_moves_the_served_level_to_the_end)
{
    pic.irq(0).set(true);
    pic.acknowledge();
    out(0x20, 0xa0);
    pic.irq(0).set(false);
    pic.irq(0).set(true);
    pic.irq(7).set(true);
    EXPECT_EQ(pic.acknowledge(), 0x0f);
    EXPECT_EQ(in_service(0x20), 0x80);
    out(0x20, 0xe7);
    EXPECT_EQ(pic.acknowledge(), 0x08);
}

TEST_F(I8259Test, automatic_end_of_interrupt)
{
    initialise(0x03);
    pic.irq(3).set(true);
    EXPECT_EQ(pic.acknowledge(), 0x0b);
    EXPECT_EQ(in_service(0x20), 0x00);
}

TEST_F(I8259Test, poll_acknowledges)
{
    out(0x20, 0x0c);
    EXPECT_EQ(in(0x20), 0x00);
    pic.irq(6).set(true);
    out(0x20, 0x0c);
    EXPECT_EQ(in(0x20), 0x86);
    EXPECT_EQ(in_service(0x20), 0x40);
}

TEST_F(I8259Test, state_comes_back_as_it_was)
{
    pic.irq(9).set(true);
    pic.irq(3).set(true);
    pic.acknowledge();
    StateSaver saved;
    pic.visit(saved);

    I8259Pair other;
    StateLoader loader(saved.map);
    other.visit(loader);
    EXPECT_TRUE(other.restored());
    EXPECT_EQ(other.intr().level(), pic.intr().level());
    // The devices show their lines again; that is no new edge.
    other.irq(3).set(true);
    StateSaver again;
    other.visit(again);
    EXPECT_EQ(saved.map, again.map);
    saved.map.scalars["chips.1.lowest"] = 9;
    StateLoader bad(saved.map);
    other.visit(bad);
    EXPECT_FALSE(other.restored());
}
