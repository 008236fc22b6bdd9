#include "engine/device/platform/i8254.h"

#include <gtest/gtest.h>

#include "engine/device/platform/system_control.h"
#include "engine/state/state_map.h"

using namespace engine;

namespace {
class I8254Test : public testing::Test {
protected:
    I8254Test()
    {
        pit.claim(ports);
        port61.claim(ports);
        irq0.connect([this](bool level) { rises += level; });
    }
    void out(u16 port, u8 value) { ports.write(port, value, 1); }
    u8 in(u16 port) { return u8(ports.read(port, 1)); }
    void program(unsigned channel, unsigned mode, u16 count, bool bcd = false)
    {
        out(0x43, u8(channel << 6 | 0x30 | mode << 1 | bcd));
        out(u16(0x40 + channel), u8(count));
        out(u16(0x40 + channel), u8(count >> 8));
    }
    u16 count(unsigned channel)
    {
        out(0x43, u8(channel << 6));
        const u8 low = in(u16(0x40 + channel));
        return u16(low | in(u16(0x40 + channel)) << 8);
    }
    // To the moment when `ticks` ticks have passed since the clock began.
    void to_tick(u64 ticks)
    {
        const u64 at = (ticks * 1'000'000'000 + I8254::frequency - 1) / I8254::frequency;
        while (clock.now() < at) {
            const u64 next = std::min(std::max(queue.next(), clock.now()), at);
            clock.advance(next - clock.now());
            queue.run_due();
            if (queue.next() > at)
                clock.advance(at - clock.now());
        }
        queue.run_due();
    }

    ManualClock clock;
    DeadlineQueue queue{clock};
    PortSpace ports;
    IrqLine irq0;
    unsigned rises = 0;
    I8254 pit{queue, irq0};
    SystemControlPort port61{{clock, [this](bool on) { pit.set_gate(2, on); }, [this] { return pit.out(2); }, {}}};
};
}

TEST_F(I8254Test, mode_2_raises_irq_0_every_period_without_drift)
{
    program(0, 2, 1193);
    rises = 0;
    const u64 second = 1'193'182;
    to_tick(10 * second);
    EXPECT_EQ(rises, (10 * second - 1) / 1193);
}

TEST_F(I8254Test, zero_counts_65536)
{
    program(0, 3, 0);
    rises = 0;
    to_tick(65536);
    EXPECT_EQ(rises, 0u);
    to_tick(65537);
    EXPECT_EQ(rises, 1u);
    to_tick(1 + 65536 + 32768 + 5);
    EXPECT_FALSE(irq0.level());
}

TEST_F(I8254Test, mode_0_counts_once_and_goes_on_counting)
{
    program(0, 0, 100);
    EXPECT_FALSE(irq0.level());
    to_tick(100);
    EXPECT_FALSE(irq0.level());
    EXPECT_EQ(count(0), 1);
    to_tick(101);
    EXPECT_TRUE(irq0.level());
    to_tick(103);
    EXPECT_EQ(count(0), 0xfffe);
    out(0x40, 9);    // the first byte stops it
    EXPECT_FALSE(irq0.level());
}

TEST_F(I8254Test, counts_are_latched_and_read_in_the_programmed_order)
{
    program(0, 2, 0x1234);
    to_tick(1 + 0x34);
    out(0x43, 0x00);
    to_tick(0x200);
    EXPECT_EQ(in(0x40), 0x00);
    EXPECT_EQ(in(0x40), 0x12);
    EXPECT_EQ(count(0), 0x1234 - 0x1ff);
    out(0x43, 0x24);    // high byte only
    out(0x40, 0x12);
    to_tick(0x200 + 0x301);
    EXPECT_EQ(in(0x40), 0x0f);
}

TEST_F(I8254Test, bcd)
{
    program(2, 2, 0x1000, true);
    out(0x61, 1);
    to_tick(1 + 1);
    EXPECT_EQ(count(2), 0x0999);
}

TEST_F(I8254Test, read_back_tells_status_before_count)
{
    program(0, 3, 1000);
    to_tick(1 + 100);
    out(0x43, 0xc2);
    EXPECT_EQ(in(0x40), 0x80 | 0x30 | 0x06);
    EXPECT_EQ(in(0x40), 800 & 0xff);
    EXPECT_EQ(in(0x40), 800 >> 8);
    to_tick(1 + 600);
    out(0x43, 0xe2);
    EXPECT_EQ(in(0x40), 0x36);
    out(0x40, 1);
    out(0x40, 1);
    out(0x43, 0xe2);
    EXPECT_EQ(in(0x40), 0x76);    // null count until the half period ends
}

TEST_F(I8254Test, a_new_count_takes_over_after_the_period)
{
    program(0, 2, 1000);
    rises = 0;
    to_tick(1 + 500);
    out(0x40, 0xd0);
    out(0x40, 0x07);    // 2000
    to_tick(1 + 1000);
    EXPECT_EQ(rises, 1u);
    to_tick(1 + 2999);
    EXPECT_EQ(rises, 1u);
    to_tick(1 + 3000);
    EXPECT_EQ(rises, 2u);
}

TEST_F(I8254Test, channel_2_obeys_its_gate_and_shows_in_port_61)
{
    program(2, 3, 100);
    EXPECT_EQ(in(0x61) & 0x23, 0x20);
    EXPECT_EQ(pit.tone(2), 0u);
    out(0x61, 0x03);
    EXPECT_TRUE(port61.speaker_data());
    EXPECT_EQ(pit.tone(2), 11931u);
    to_tick(1 + 60);
    EXPECT_EQ(in(0x61) & 0x23, 0x03);
    out(0x61, 0x00);
    EXPECT_EQ(in(0x61) & 0x20, 0x20);

    program(2, 0, 50);    // as delay loops use it
    to_tick(500);
    EXPECT_EQ(in(0x61) & 0x20, 0x00);
    out(0x61, 0x01);
    to_tick(549);
    EXPECT_EQ(in(0x61) & 0x20, 0x00);
    to_tick(550);
    EXPECT_EQ(in(0x61) & 0x20, 0x20);
}

TEST_F(I8254Test, mode_1_is_triggered_and_retriggered)
{
    program(2, 1, 10);
    EXPECT_TRUE(pit.out(2));
    out(0x61, 1);
    to_tick(5);
    EXPECT_FALSE(pit.out(2));
    out(0x61, 0);
    out(0x61, 1);
    to_tick(5 + 10);
    EXPECT_FALSE(pit.out(2));
    to_tick(5 + 11);
    EXPECT_TRUE(pit.out(2));
}

TEST_F(I8254Test, modes_4_and_5_strobe_for_one_clock)
{
    program(2, 5, 10);
    out(0x61, 1);
    to_tick(11);
    EXPECT_FALSE(pit.out(2));
    to_tick(12);
    EXPECT_TRUE(pit.out(2));
    program(0, 4, 10);
    rises = 0;
    to_tick(12 + 11);
    EXPECT_EQ(rises, 0u);
    to_tick(12 + 12);
    EXPECT_EQ(rises, 1u);
    to_tick(100'000);
    EXPECT_EQ(rises, 1u);
}

TEST_F(I8254Test, a_storm_is_merged)
{
    program(0, 2, 2);
    rises = 0;
    to_tick(1'193'182 / 100);
    EXPECT_LE(rises, 501u);
    EXPECT_GE(rises, 400u);
}

TEST_F(I8254Test, refresh_toggles)
{
    const u8 before = in(0x61) & 0x10;
    to_tick(18);
    EXPECT_NE(in(0x61) & 0x10, before);
    to_tick(36);
    EXPECT_EQ(in(0x61) & 0x10, before);
}

TEST_F(I8254Test, state_comes_back_as_it_was)
{
    program(0, 2, 1000);
    program(2, 3, 77);
    out(0x61, 3);
    to_tick(5555);
    StateSaver saved, again;
    pit.visit(saved);
    IrqLine line;
    I8254 other(queue, line);
    StateLoader loader(saved.map);
    other.visit(loader);
    EXPECT_TRUE(other.restored());
    other.visit(again);
    EXPECT_EQ(saved.map.scalars["channels.2.origin"], again.map.scalars["channels.2.origin"]);
    EXPECT_EQ(other.out(2), pit.out(2));
    EXPECT_EQ(line.level(), irq0.level());
    StateSaver first, second;
    pit.out(0), pit.out(1), pit.out(2), other.out(0), other.out(1), other.out(2);
    pit.visit(first);
    other.visit(second);
    EXPECT_EQ(first.map, second.map);
    saved.map.scalars["channels.0.count"] = 0;
    StateLoader bad(saved.map);
    other.visit(bad);
    EXPECT_FALSE(other.restored());
}
