#include "engine/device/interrupt/apic_bus.h"

#include <thread>

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;
using Kind = LapicEvent::Kind;

namespace {
class LapicTest : public testing::Test {
protected:
    LapicTest()
    {
        for (unsigned n = 0; n < 2; ++n) {
            Lapic::Configuration c;
            c.id = n;
            c.bootstrap = n == 0;
            c.tsc_hz = 2'000'000'000;
            c.tsc = [this] { return 2 * clock.now(); };
            apics[n] = std::make_unique<Lapic>(queue, c);
            apics[n]->set_sink([this, n](LapicEvent e) { heard[n].push_back(e); });
            bus.add(*apics[n]);
        }
        bus.on_eoi = [this](u8 vector) { ended.push_back(vector); };
        for (auto& apic : apics)
            apic->write(0xf0, 0x1ff, 4);
    }
    u32 get(u64 offset) { return u32(one().read(offset, 4)); }
    void set(u64 offset, u32 value) { one().write(offset, value, 4); }
    Lapic& one() { return *apics[0]; }
    Lapic& two() { return *apics[1]; }
    void pass(u64 nanoseconds)
    {
        clock.advance(nanoseconds);
        queue.run_due();
    }
    bool send(u8 vector, u32 destination = 0, bool level = false)
    {
        return bus.deliver({destination, false, DeliveryMode::fixed, vector, level});
    }

    ManualClock clock;
    DeadlineQueue queue{clock};
    ApicBus bus;
    std::array<std::unique_ptr<Lapic>, 2> apics;
    std::array<std::vector<LapicEvent>, 2> heard;
    std::vector<u8> ended;
};
}

TEST_F(LapicTest, priorities_decide_what_is_deliverable)
{
    send(0x45);
    ASSERT_EQ(heard[0].size(), 1u);
    EXPECT_EQ(heard[0][0].kind, Kind::interrupt);
    EXPECT_TRUE(one().deliverable());
    one().set_cr8(4);
    EXPECT_FALSE(one().deliverable());
    EXPECT_EQ(one().accept(), -1);
    EXPECT_EQ(get(0x80), 0x40u);
    one().set_cr8(3);
    EXPECT_EQ(one().accept(), 0x45);
    EXPECT_EQ(get(0xa0), 0x40u);
    EXPECT_EQ(get(0x120), 1u << 5);
    send(0x46);
    EXPECT_FALSE(one().deliverable());
    send(0x51);
    EXPECT_EQ(one().accept(), 0x51);
    set(0xb0, 0);
    set(0xb0, 0);
    EXPECT_EQ(one().accept(), 0x46);
    EXPECT_TRUE(ended.empty());
}

TEST_F(LapicTest, only_level_vectors_tell_the_io_apic)
{
    send(0x60, 0, true);
    EXPECT_EQ(get(0x1b0), 1u);
    EXPECT_EQ(one().accept(), 0x60);
    set(0xb0, 0);
    EXPECT_EQ(ended, std::vector<u8>{0x60});
}

TEST_F(LapicTest, a_switched_off_apic_takes_no_vectors)
{
    set(0xf0, 0xff);
    EXPECT_FALSE(send(0x40));
    EXPECT_EQ(get(0x350) & 0x10000, 0x10000u);
    EXPECT_TRUE(bus.deliver({0, false, DeliveryMode::nmi, 0, false}));
    EXPECT_EQ(heard[0].back().kind, Kind::nmi);
}

TEST_F(LapicTest, commands_reach_other_processors)
{
    set(0x310, 1u << 24);
    set(0x300, 0x4500);
    set(0x300, 0x4608);
    ASSERT_EQ(heard[1].size(), 2u);
    EXPECT_EQ(heard[1][0].kind, Kind::init);
    EXPECT_EQ(heard[1][1].kind, Kind::startup);
    EXPECT_EQ(heard[1][1].vector, 8);
    EXPECT_EQ(two().read(0xf0, 4), 0xffu);
    EXPECT_EQ(two().read(0x20, 4), 0x01000000u);
    two().write(0xf0, 0x1ff, 4);

    set(0x300, 0x000c4041);    // all but self
    EXPECT_FALSE(one().deliverable());
    EXPECT_EQ(two().accept(), 0x41);
    set(0x300, 0x00044042);    // self
    EXPECT_EQ(one().accept(), 0x42);
    set(0x300, 0x8500);    // INIT level de-assert: ignored
    EXPECT_EQ(two().read(0xf0, 4), 0x1ffu);
}

TEST_F(LapicTest, logical_destinations)
{
    one().write(0xd0, 0x01000000, 4);
    two().write(0xd0, 0x02000000, 4);
    EXPECT_TRUE(bus.deliver({0x02, true, DeliveryMode::fixed, 0x50, false}));
    EXPECT_FALSE(one().deliverable());
    EXPECT_EQ(two().accept(), 0x50);
    for (auto& apic : apics)
        apic->write(0xe0, 0x0fffffff, 4);
    one().write(0xd0, 0x11000000, 4);
    two().write(0xd0, 0x21000000, 4);
    EXPECT_TRUE(bus.deliver({0x11, true, DeliveryMode::fixed, 0x51, false}));
    EXPECT_EQ(one().accept(), 0x51);
    EXPECT_FALSE(bus.deliver({0x32, true, DeliveryMode::fixed, 0x52, false}));
}

TEST_F(LapicTest, lowest_priority_goes_to_the_idler)
{
    one().set_cr8(8);
    for (int n = 0; n < 3; ++n) {
        EXPECT_TRUE(bus.deliver_msi(0xfee0000c | 0xffu << 12, 0x4171));
        EXPECT_EQ(two().accept(), 0x71);
        two().write(0xb0, 0, 4);
    }
    EXPECT_FALSE(one().deliverable());
    EXPECT_FALSE(bus.deliver_msi(0xfed00000, 0x71));
}

TEST_F(LapicTest, one_shot_and_periodic_timer)
{
    set(0x3e0, 0x0b);    // by 1
    set(0x320, 0x30);
    set(0x380, 1'000'000);
    pass(250'000);
    EXPECT_EQ(get(0x390), 750'000u);
    EXPECT_FALSE(one().deliverable());
    pass(750'000);
    EXPECT_EQ(one().accept(), 0x30);
    EXPECT_EQ(get(0x390), 0u);
    set(0xb0, 0);
    pass(10'000'000);
    EXPECT_FALSE(one().deliverable());

    set(0x3e0, 0x03);    // by 16
    set(0x320, 0x20031);
    set(0x380, 62'500);
    for (int n = 0; n < 3; ++n) {
        pass(1'000'000);
        EXPECT_EQ(one().accept(), 0x31);
        set(0xb0, 0);
    }
    pass(3'500'000);
    EXPECT_EQ(one().accept(), 0x31);
    set(0xb0, 0);
    EXPECT_FALSE(one().deliverable());
    EXPECT_EQ(get(0x390), 31'250u);
}

TEST_F(LapicTest, a_timer_that_runs_masked_counts_and_is_silent)
{
    set(0x3e0, 0x0b);
    set(0x320, 0x10030);
    set(0x380, 1000);
    pass(2000);
    set(0x320, 0x30);
    EXPECT_FALSE(one().deliverable());
    EXPECT_EQ(queue.next(), Timer::never);
}

TEST_F(LapicTest, tsc_deadline)
{
    u64 value = 1;
    EXPECT_TRUE(one().write_msr(0x6e0, 5000));
    EXPECT_TRUE(one().read_msr(0x6e0, value));
    EXPECT_EQ(value, 0u);    // not in that mode
    set(0x320, 0x40035);
    EXPECT_TRUE(one().write_msr(0x6e0, 20'000));
    pass(9'000);
    EXPECT_FALSE(one().deliverable());
    pass(1'001);
    EXPECT_EQ(one().accept(), 0x35);
    EXPECT_TRUE(one().read_msr(0x6e0, value));
    EXPECT_EQ(value, 0u);
    set(0xb0, 0);
    EXPECT_TRUE(one().write_msr(0x6e0, 1));    // long past
    EXPECT_EQ(one().accept(), 0x35);
    set(0xb0, 0);
    EXPECT_TRUE(one().write_msr(0x6e0, 100'000));
    EXPECT_TRUE(one().write_msr(0x6e0, 0));
    EXPECT_EQ(queue.next(), Timer::never);
}

TEST_F(LapicTest, pins)
{
    set(0x350, 0x10700);
    EXPECT_FALSE(one().ext_int_enabled());
    set(0x350, 0x700);
    EXPECT_TRUE(one().ext_int_enabled());
    one().set_lint0(true);
    EXPECT_TRUE(one().ext_int_pending());
    EXPECT_TRUE(one().accept_ext_int());
    EXPECT_EQ(heard[0].back().kind, Kind::ext_int);
    one().set_lint0(false);
    EXPECT_FALSE(one().ext_int_pending());
    set(0x360, 0x400);
    one().set_lint1(true);
    EXPECT_EQ(heard[0].back().kind, Kind::nmi);
    one().set_lint1(false);
    set(0x360, 0x8077);    // fixed, level
    one().set_lint1(true);
    EXPECT_EQ(one().accept(), 0x77);
    EXPECT_TRUE(get(0x360) & 0x4000);
    set(0xb0, 0);
    EXPECT_EQ(one().accept(), 0x77);
}

TEST_F(LapicTest, the_boot_processor_lets_the_8259_through_from_the_start)
{
    one().reset();
    two().reset();
    EXPECT_TRUE(one().ext_int_enabled());
    EXPECT_FALSE(two().ext_int_enabled());
    EXPECT_EQ(one().base(), 0xfee00900u);
    EXPECT_EQ(two().base(), 0xfee00800u);
}

TEST_F(LapicTest, errors_are_latched_by_a_write)
{
    set(0x370, 0xfe);
    set(0x300, 0x4005);
    EXPECT_EQ(one().accept(), 0xfe);
    EXPECT_EQ(get(0x280), 0u);
    set(0x280, 0);
    EXPECT_EQ(get(0x280), 0x20u);
    set(0x370, 0x03);    // an error vector that is an error itself
    send(0x02);
    get(0x3c0);
    set(0x280, 0);
    EXPECT_EQ(get(0x280), 0xc0u);
}

TEST_F(LapicTest, x2apic_mode_and_its_faults)
{
    u64 value = 0;
    EXPECT_FALSE(one().read_msr(0x802, value));
    EXPECT_FALSE(one().write_msr(0x1b, 0xfee00500));    // x2APIC without enable
    EXPECT_FALSE(one().write_msr(0x1b, u64(1) << 45 | 0x900));
    ASSERT_TRUE(one().write_msr(0x1b, 0xfee00d00));
    EXPECT_FALSE(one().write_msr(0x1b, 0xfee00900));    // only by way of disabled
    EXPECT_EQ(one().read(0x20, 4), 0xffffffffffffffffu);
    EXPECT_TRUE(one().read_msr(0x80d, value));
    EXPECT_EQ(value, 1u);
    EXPECT_TRUE(one().write_msr(0x808, 0x20));
    EXPECT_EQ(one().cr8(), 2);
    EXPECT_FALSE(one().write_msr(0x808, 0x100));
    EXPECT_FALSE(one().write_msr(0x80b, 1));
    EXPECT_FALSE(one().write_msr(0x80e, 0));
    EXPECT_FALSE(one().write_msr(0x802, 0));
    EXPECT_FALSE(one().read_msr(0x80b, value));
    EXPECT_FALSE(one().read_msr(0x831, value));
    EXPECT_TRUE(one().write_msr(0x83f, 0x99));
    EXPECT_EQ(one().accept(), 0x99);
    EXPECT_TRUE(one().write_msr(0x830, u64(1) << 32 | 0x4045));
    EXPECT_EQ(two().accept(), 0x45);
    ASSERT_TRUE(one().write_msr(0x1b, 0xfee00100));
    EXPECT_FALSE(one().write_msr(0x1b, 0xfee00d00));
    ASSERT_TRUE(one().write_msr(0x1b, 0xfee00900));
    EXPECT_EQ(get(0xf0), 0xffu);
}

TEST_F(LapicTest, processors_interrupt_each_other_at_once)
{
    const auto work = [](Lapic& from, u32 other) {
        for (int n = 0; n < 2000; ++n) {
            from.write(0x310, other << 24, 4);
            from.write(0x300, u32(0x4020 + n % 0xd0), 4);
            if (from.accept() >= 0)
                from.write(0xb0, 0, 4);
        }
    };
    for (auto& apic : apics)
        apic->set_sink({});
    std::thread a(work, std::ref(one()), 1), b(work, std::ref(two()), 0);
    a.join();
    b.join();
    for (auto& apic : apics)
        while (apic->accept() >= 0)
            apic->write(0xb0, 0, 4);
    EXPECT_FALSE(one().deliverable());
}

TEST_F(LapicTest, state_comes_back_as_it_was)
{
    set(0x320, 0x20030);
    set(0x380, 5000);
    send(0x55);
    send(0x66, 0, true);
    one().accept();
    StateSaver saved, again;
    one().visit(saved);
    Lapic other(queue, {});
    StateLoader loader(saved.map);
    other.visit(loader);
    EXPECT_TRUE(other.restored());
    other.visit(again);
    EXPECT_EQ(saved.map, again.map);
    EXPECT_FALSE(other.deliverable());
    other.write(0xb0, 0, 4);
    EXPECT_EQ(other.accept(), 0x55);
    other.write(0xb0, 0, 4);
    pass(20'000);
    EXPECT_EQ(other.accept(), 0x30);
    saved.map.scalars["base"] = 0x400;
    StateLoader bad(saved.map);
    other.visit(bad);
    EXPECT_FALSE(other.restored());
}
