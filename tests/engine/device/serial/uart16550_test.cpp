#include "engine/device/serial/uart16550.h"

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;

namespace {
struct Bench {
    ManualClock clock;
    DeadlineQueue deadlines{clock};
    IrqLine irq;
    std::string sent;
    Uart16550 uart{"uart.0", deadlines, irq, [this](std::string_view bytes) { sent += bytes; }};

    u8 in(u64 port) { return u8(uart.read(port, 1)); }
    void out(u64 port, u8 value) { uart.write(port, value, 1); }
    void pass(u64 nanoseconds)
    {
        for (u64 n = 0; n < nanoseconds; n += 10'000) {
            clock.advance(10'000);
            deadlines.run_due();
        }
    }
    void type(std::string_view text) { uart.receive({reinterpret_cast<const u8*>(text.data()), text.size()}); }
    void fast() { out(3, 0x80), out(0, 1), out(1, 0), out(3, 3), out(4, 0x0b); }
};
constexpr u64 millisecond = 1'000'000;
}

TEST(Uart16550, sends_in_batches_and_interrupts_when_empty)
{
    Bench b;
    b.fast();
    b.out(1, 2);
    EXPECT_TRUE(b.irq.level());
    EXPECT_EQ(b.in(2), 0x02);
    EXPECT_FALSE(b.irq.level());
    b.out(0, 'h');
    EXPECT_TRUE(b.irq.level());
    b.out(0, 'i');
    EXPECT_EQ(b.sent, "");
    b.pass(3 * millisecond);
    EXPECT_EQ(b.sent, "hi");
    b.out(0, '\n');
    EXPECT_EQ(b.sent, "hi\n");
    EXPECT_EQ(b.in(5) & 0x60, 0x60);
}

TEST(Uart16550, out2_gates_the_interrupt)
{
    Bench b;
    b.out(1, 2);
    EXPECT_FALSE(b.irq.level());
    b.out(4, 8);
    EXPECT_TRUE(b.irq.level());
    b.out(4, 0x18);
    EXPECT_FALSE(b.irq.level());
}

TEST(Uart16550, without_fifo_each_byte_has_its_own_edge)
{
    Bench b;
    b.fast();
    b.out(1, 1);
    unsigned edges = 0;
    b.irq.connect([&](bool level) { edges += level; });
    b.type("abc");
    std::string got;
    for (int n = 0; n < 3; ++n) {
        b.pass(millisecond);
        EXPECT_EQ(b.in(2), 0x04);
        EXPECT_EQ(b.in(5) & 3, 1);
        got += char(b.in(0));
        EXPECT_FALSE(b.irq.level());
    }
    EXPECT_EQ(got, "abc");
    EXPECT_EQ(edges, 3u);
    b.pass(millisecond);
    EXPECT_EQ(b.in(5) & 1, 0);
}

TEST(Uart16550, fifo_interrupts_at_its_level_and_by_time_out)
{
    Bench b;
    b.fast();
    b.out(2, 0x81);
    b.out(1, 1);
    EXPECT_EQ(b.in(2), 0xc1);
    b.type("1234567");
    b.pass(100'000);
    b.pass(2 * millisecond);
    EXPECT_EQ(b.in(2), 0xcc) << "below the level of 8: only the time-out";
    EXPECT_EQ(b.in(0), '1');
    EXPECT_FALSE(b.irq.level()) << "a read ends the time-out";
    b.type("89abcdefghijklmnopq");
    b.pass(4 * millisecond);
    EXPECT_EQ(b.in(2), 0xc4);
    EXPECT_EQ(b.in(5) & 3, 1) << "the backlog waits, it does not overrun";
    std::string got;
    for (int n = 0; n < 60; ++n) {
        if (b.in(5) & 1)
            got += char(b.in(0));
        b.pass(100'000);
    }
    EXPECT_EQ(got, "23456789abcdefghijklmnopq");
}

TEST(Uart16550, loop_back_carries_bytes_and_modem_lines)
{
    Bench b;
    b.fast();
    EXPECT_EQ(b.in(6) & 0xf0, 0xb0);
    b.out(4, 0x10);
    EXPECT_EQ(b.in(6), 0x0b) << "CTS, DSR and DCD fell";
    b.out(4, 0x1f);
    EXPECT_EQ(b.in(6), 0xfb);
    b.out(4, 0x1b);
    EXPECT_EQ(b.in(6), 0xb4) << "the ring ended";
    b.out(0, 'x');
    b.out(0, 'y');
    EXPECT_EQ(b.in(5) & 3, 3) << "one byte deep: overrun";
    EXPECT_EQ(b.in(5) & 2, 0);
    EXPECT_EQ(b.in(0), 'y');
    EXPECT_EQ(b.sent, "");
}

TEST(Uart16550, backlog_is_bounded)
{
    Bench b;
    const std::vector<u8> much(Uart16550::backlog_limit + 5, 'z');
    EXPECT_EQ(b.uart.receive(much), Uart16550::backlog_limit);
    EXPECT_EQ(b.uart.receive(much), 0u);
}

TEST(Uart16550, state_survives_a_round_trip_and_nonsense_is_refused)
{
    Bench a, b;
    a.fast();
    a.out(2, 0x41);
    a.out(1, 5);
    a.type("hello");
    a.pass(millisecond);
    StateSaver saved;
    a.uart.visit(saved);
    StateLoader loader(saved.map);
    b.uart.visit(loader);
    ASSERT_TRUE(b.uart.restored());
    StateSaver again;
    b.uart.visit(again);
    EXPECT_EQ(saved.map, again.map);
    EXPECT_TRUE(b.irq.level());
    EXPECT_EQ(b.in(0), 'h');
    saved.map.scalars["rx_count"] = 99;
    StateLoader bad(saved.map);
    b.uart.visit(bad);
    EXPECT_FALSE(b.uart.restored());
}
