#include "engine/machine/interrupt_router.h"

#include <gtest/gtest.h>

using namespace engine;

namespace {
struct Bench {
    std::vector<u8> vectors;
    I8259Pair pic;
    IoApic ioapic{[this](const InterruptMessage& message) {
        vectors.push_back(message.vector);
        return true;
    }};
    InterruptRouter router{pic, ioapic};
    PortSpace ports;
    Bench()
    {
        pic.claim(ports);
        for (const u16 port : {0x20, 0xa0}) {
            ports.write(port, 0x11, 1);
            ports.write(u16(port + 1), port == 0x20 ? 0x20 : 0x28, 1);
            ports.write(u16(port + 1), port == 0x20 ? 4 : 2, 1);
            ports.write(u16(port + 1), 1, 1);
            ports.write(u16(port + 1), 0, 1);
        }
        // I/O APIC pin n gives vector 40 + n, edge-triggered.
        for (unsigned pin = 0; pin < IoApic::pin_count; ++pin) {
            ioapic.write(0, 0x10 + 2 * pin, 4);
            ioapic.write(0x10, 0x40 + pin, 4);
        }
    }
    bool pic_requests(unsigned irq)
    {
        ports.write(0x20, 0x0a, 1);
        ports.write(0xa0, 0x0a, 1);
        return (irq < 8 ? ports.read(0x20, 1) >> irq : ports.read(0xa0, 1) >> (irq - 8)) & 1;
    }
};
using Source = InterruptRouter::Source;
}

TEST(InterruptRouter, isa_requests_reach_both_controllers)
{
    Bench b;
    b.router.isa(0).set(true);
    b.router.isa(4).set(true);
    EXPECT_TRUE(b.pic_requests(0));
    EXPECT_TRUE(b.pic_requests(4));
    EXPECT_EQ(b.vectors, (std::vector<u8>{0x42, 0x44})) << "request 0 is pin 2";
}

TEST(InterruptRouter, a_shared_request_stays_up_until_its_last_source_is_quiet)
{
    Bench b;
    b.router.set_irq(9, Source::power, true);
    b.router.set_irq(9, Source::pci, true);
    b.router.set_irq(9, Source::power, false);
    EXPECT_TRUE(b.pic_requests(9));
    b.router.set_irq(9, Source::pci, false);
    EXPECT_FALSE(b.pic_requests(9));
    EXPECT_EQ(b.vectors, (std::vector<u8>{0x49}));
}

TEST(InterruptRouter, hpet_takes_the_places_of_timer_and_clock)
{
    Bench b;
    b.router.isa(0).set(true);
    b.router.replace_timers(true);
    EXPECT_FALSE(b.pic_requests(0));
    b.router.hpet_legacy(0).set(true);
    b.router.hpet_legacy(1).set(true);
    EXPECT_TRUE(b.pic_requests(0));
    EXPECT_TRUE(b.pic_requests(8));
    b.router.hpet_legacy(0).set(false);
    EXPECT_FALSE(b.pic_requests(0));
    b.router.replace_timers(false);
    EXPECT_TRUE(b.pic_requests(0)) << "the 8254's line was up all the time";
}

TEST(InterruptRouter, pins_beyond_the_isa_ones_and_nonsense)
{
    Bench b;
    b.router.set_irq(20, Source::test, true);
    b.router.set_irq(99, Source::test, true);
    b.router.set_irq(2, Source::test, true);
    EXPECT_EQ(b.vectors, (std::vector<u8>{0x54}));
}
