#include "engine/device/platform/hpet.h"

#include <map>

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;

namespace {
class HpetTest : public testing::Test {
protected:
    HpetTest()
    {
        irq0.connect([this](bool level) { rises0 += level; });
    }
    u64 get(u64 offset, unsigned size = 8) { return hpet.read(offset, size); }
    void set(u64 offset, u64 value, unsigned size = 8) { hpet.write(offset, value, size); }
    void pass(u64 ticks)
    {
        for (const u64 end = clock.now() + ticks * Hpet::tick_nanoseconds; clock.now() < end;) {
            clock.advance(std::min(std::max(queue.next(), clock.now()), end) - clock.now());
            queue.run_due();
            if (queue.next() > end)
                clock.advance(end - clock.now());
        }
        queue.run_due();
    }

    ManualClock clock;
    DeadlineQueue queue{clock};
    std::map<unsigned, unsigned> pin_rises;
    std::map<unsigned, bool> pins;
    bool legacy = false;
    IrqLine irq0, irq8;
    unsigned rises0 = 0;
    Hpet hpet{
        queue,
        {[this](unsigned pin, bool level) {
             pins[pin] = level;
             pin_rises[pin] += level;
         },
         irq0, irq8, [this](bool on) { legacy = on; }}};
};
constexpr u64 level = 2, enable = 4, periodic = 8, set_value = 0x40, wide_32 = 0x100;
constexpr u64 route(u64 pin)
{
    return pin << 9;
}
}

TEST_F(HpetTest, says_what_it_is)
{
    EXPECT_EQ(get(0), 0x00989680'8086a201u);
    EXPECT_EQ(get(4, 4), 10'000'000u);
    EXPECT_EQ(get(0x100), 0x00f00004'00000030u);
    EXPECT_EQ(get(0x3f8), 0u);
}

TEST_F(HpetTest, counts_only_while_enabled)
{
    pass(100);
    EXPECT_EQ(get(0xf0), 0u);
    set(0x10, 1);
    pass(100);
    EXPECT_EQ(get(0xf0), 100u);
    EXPECT_EQ(get(0xf4, 4), 0u);
    set(0x10, 0);
    pass(100);
    EXPECT_EQ(get(0xf0), 100u);
    set(0xf0, 0xffffffffffff0000);
    set(0x10, 1);
    pass(0x10001);
    EXPECT_EQ(get(0xf0), 1u);
}

TEST_F(HpetTest, one_shot_edge)
{
    set(0x10, 1);
    set(0x100, enable | route(20));
    set(0x108, 5000);
    pass(4999);
    EXPECT_EQ(pin_rises[20], 0u);
    pass(1);
    EXPECT_EQ(pin_rises[20], 1u);
    pass(1'000'000);
    EXPECT_EQ(pin_rises[20], 1u);
    EXPECT_EQ(get(0x20), 0u);
    set(0x108, 10);    // passed long ago
    pass(1'000'000);
    EXPECT_EQ(pin_rises[20], 1u);
}

TEST_F(HpetTest, a_32_bit_timer_matches_once_a_wrap)
{
    set(0x10, 1);
    set(0x120, enable | wide_32 | route(21));
    set(0x128, 0xffffffff'00000100);
    EXPECT_EQ(get(0x128), 0x100u);
    pass(0x100 + (u64(1) << 32));
    EXPECT_EQ(pin_rises[21], 2u);
}

TEST_F(HpetTest, levels_stay_until_their_status_is_written)
{
    set(0x10, 1);
    set(0x140, level | enable | route(22));
    set(0x148, 3000);
    pass(3000);
    EXPECT_TRUE(pins[22]);
    EXPECT_EQ(get(0x20), 4u);
    set(0x20, 3);
    EXPECT_TRUE(pins[22]);
    set(0x20, 4);
    EXPECT_FALSE(pins[22]);
    EXPECT_EQ(get(0x20), 0u);
}

TEST_F(HpetTest, periodic_and_legacy_replacement)
{
    set(0x10, 3);
    EXPECT_TRUE(legacy);
    set(0x100, enable | periodic | set_value);
    set(0x108, 50'000);
    set(0x108, 10'000);
    pass(49'999);
    EXPECT_EQ(rises0, 0u);
    pass(1);
    EXPECT_EQ(rises0, 1u);
    pass(100'000);
    EXPECT_EQ(rises0, 11u);
    EXPECT_EQ(get(0x108), 160'000u);
    clock.advance(10 * 35'000);    // late: one interrupt, no drift
    queue.run_due();
    EXPECT_EQ(rises0, 12u);
    EXPECT_EQ(get(0x108), 190'000u);
    set(0x10, 0);
    EXPECT_FALSE(legacy);
    EXPECT_FALSE(irq0.level());
    EXPECT_EQ(queue.next(), Timer::never);
}

TEST_F(HpetTest, a_storm_is_merged)
{
    set(0x10, 1);
    set(0x100, enable | periodic | set_value | route(20));
    set(0x108, 1);
    pass(1'000'000);
    EXPECT_LE(pin_rises[20], 501u);
    EXPECT_GE(pin_rises[20], 400u);
}

TEST_F(HpetTest, forbidden_routes_lead_nowhere)
{
    set(0x10, 1);
    set(0x100, enable | route(31));
    set(0x108, 10);
    pass(10);
    EXPECT_TRUE(pins.empty());
}

TEST_F(HpetTest, state_comes_back_as_it_was)
{
    set(0x10, 1);
    set(0x100, enable | periodic | set_value | route(20));
    set(0x108, 5000);
    set(0x140, level | enable | route(22));
    set(0x148, 6000);
    pass(7777);
    StateSaver saved, again;
    hpet.visit(saved);
    std::map<unsigned, bool> seen;
    IrqLine a, b;
    Hpet other(queue, {[&](unsigned pin, bool on) { seen[pin] = on; }, a, b, {}});
    StateLoader loader(saved.map);
    other.visit(loader);
    EXPECT_TRUE(other.restored());
    other.visit(again);
    EXPECT_EQ(saved.map, again.map);
    EXPECT_EQ(seen, pins);
    EXPECT_EQ(other.read(0xf0, 8), get(0xf0));
    saved.map.scalars["status"] = 0x100;
    StateLoader bad(saved.map);
    other.visit(bad);
    EXPECT_FALSE(other.restored());
}
