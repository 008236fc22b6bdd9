#include "engine/device/platform/mc146818.h"

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;

namespace {
constexpr u64 second = 1'000'000'000;
constexpr u64 epoch = 1'709'251'199;    // Thursday, 29 February 2024, 23:59:59

class Mc146818Test : public testing::Test {
protected:
    Mc146818Test() { rtc.claim(ports); }
    u8 get(u8 index)
    {
        ports.write(0x70, index, 1);
        return u8(ports.read(0x71, 1));
    }
    void set(u8 index, u8 value)
    {
        ports.write(0x70, index, 1);
        ports.write(0x71, value, 1);
    }
    void pass(u64 nanoseconds)
    {
        clock.advance(nanoseconds);
        queue.run_due();
    }
    std::vector<u8> time() { return {get(0x32), get(9), get(8), get(7), get(4), get(2), get(0), get(6)}; }

    ManualClock clock;
    DeadlineQueue queue{clock};
    PortSpace ports;
    IrqLine irq8;
    Mc146818 rtc{queue, irq8, epoch};
};
using Bytes = std::vector<u8>;
}

TEST_F(Mc146818Test, tells_the_time_in_bcd_and_across_a_leap_day)
{
    EXPECT_EQ(time(), (Bytes{0x20, 0x24, 0x02, 0x29, 0x23, 0x59, 0x59, 0x05}));
    pass(second);
    EXPECT_EQ(time(), (Bytes{0x20, 0x24, 0x03, 0x01, 0x00, 0x00, 0x00, 0x06}));
    EXPECT_EQ(get(0x0d), 0x80);
    EXPECT_EQ(ports.read(0x70, 1), 0xffu);
}

TEST_F(Mc146818Test, binary_and_twelve_hours)
{
    set(0x0b, 0x04);
    EXPECT_EQ(get(4), 0x80 | 11);
    EXPECT_EQ(get(2), 59);
    pass(second);
    EXPECT_EQ(get(4), 12);
}

TEST_F(Mc146818Test, the_guest_sets_the_clock)
{
    set(0x0b, 0x82);
    for (const auto& [index, value] :
         {std::pair{0x32, 0x19}, {9, 0x99}, {8, 0x12}, {7, 0x31}, {4, 0x23}, {2, 0x59}, {0, 0x58}, {6, 6}})
        set(u8(index), u8(value));
    pass(5 * second);
    EXPECT_EQ(get(0), 0x58);
    set(0x0b, 0x02);
    pass(2 * second);
    EXPECT_EQ(time(), (Bytes{0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00, 0x07}));
    EXPECT_EQ(rtc.seconds(), 946'684'800);
}

TEST_F(Mc146818Test, an_update_is_announced)
{
    EXPECT_EQ(get(0x0a), 0x26);
    pass(second - 2'000'000);
    EXPECT_EQ(get(0x0a), 0xa6);
    EXPECT_EQ(get(0), 0x59);
    pass(2'000'000);
    EXPECT_EQ(get(0x0a), 0x26);
    EXPECT_EQ(get(0), 0x00);
    EXPECT_EQ(get(0x0c) & 0x10, 0x10);
    EXPECT_EQ(get(0x0c), 0x00);
}

TEST_F(Mc146818Test, the_divider_holds_the_clock)
{
    set(0x0a, 0x76);
    pass(10 * second);
    EXPECT_EQ(get(0), 0x59);
    set(0x0a, 0x26);
    pass(second / 2 - 1);
    EXPECT_EQ(get(0), 0x59);
    pass(1);
    EXPECT_EQ(get(0), 0x00);
}

TEST_F(Mc146818Test, periodic_interrupts_come_at_the_chosen_rate)
{
    EXPECT_EQ(queue.next(), Timer::never);
    get(0x0c);
    set(0x0b, 0x42);
    unsigned interrupts = 0;
    while (clock.now() < second) {
        pass(std::min(queue.next(), second) - clock.now());
        if (irq8.level()) {
            ++interrupts;
            EXPECT_EQ(get(0x0c) & 0xc0, 0xc0);
            EXPECT_FALSE(irq8.level());
        }
    }
    EXPECT_EQ(interrupts, 1024u);
}

TEST_F(Mc146818Test, update_ended_interrupt)
{
    set(0x0b, 0x12);
    pass(second - 1);
    EXPECT_FALSE(irq8.level());
    pass(1);
    EXPECT_TRUE(irq8.level());
    EXPECT_EQ(queue.next(), Timer::never);
    EXPECT_EQ(get(0x0c) & 0x90, 0x90);
    EXPECT_FALSE(irq8.level());
}

TEST_F(Mc146818Test, alarm)
{
    set(5, 0x00);
    set(3, 0x30);
    set(1, 0x15);
    set(0x0b, 0x22);
    EXPECT_EQ(queue.next(), second * (1 + 30 * 60 + 15));
    pass(queue.next());
    EXPECT_TRUE(irq8.level());
    EXPECT_EQ(get(0x0c) & 0xa0, 0xa0);
    EXPECT_EQ(queue.next(), second * (1 + 30 * 60 + 15 + 86400));
    set(5, 0xff);
    EXPECT_EQ(queue.next(), second * (1 + 30 * 60 + 15 + 3600));
    set(1, 0x77);    // no such second
    EXPECT_EQ(queue.next(), Timer::never);
}

TEST_F(Mc146818Test, memory_outlives_a_reset_and_bit_7_masks_nmi)
{
    bool masked = false;
    rtc.on_nmi_mask([&](bool on) { masked = on; });
    rtc.cmos(0x10) = 0x40;
    set(0x0b, 0x72);
    ports.write(0x70, 0x90, 1);
    EXPECT_TRUE(masked);
    EXPECT_EQ(ports.read(0x71, 1), 0x40u);
    rtc.reset();
    EXPECT_EQ(get(0x10), 0x40);
    EXPECT_EQ(get(0x0b), 0x02);
    EXPECT_FALSE(rtc.nmi_masked());
}

TEST_F(Mc146818Test, nonsense_as_a_date_is_survived)
{
    set(0x0b, 0x86);
    for (const u8 index : {0, 2, 4, 6, 7, 8, 9, 0x32})
        set(index, 0xff);
    set(0x0b, 0x02);
    time();
    pass(second);
    SUCCEED();
}

TEST_F(Mc146818Test, state_comes_back_as_it_was)
{
    set(0x0b, 0x52);
    pass(second / 3);
    StateSaver saved, again;
    rtc.visit(saved);
    IrqLine line;
    Mc146818 other(queue, line, 0);
    StateLoader loader(saved.map);
    other.visit(loader);
    EXPECT_TRUE(other.restored());
    other.visit(again);
    EXPECT_EQ(saved.map, again.map);
    EXPECT_EQ(line.level(), irq8.level());
    EXPECT_EQ(other.seconds(), rtc.seconds());
    saved.map.scalars["phase"] = second;
    StateLoader bad(saved.map);
    other.visit(bad);
    EXPECT_FALSE(other.restored());
}
