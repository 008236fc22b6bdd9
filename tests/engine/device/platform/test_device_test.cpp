#include "engine/device/platform/test_device.h"

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;

namespace {
struct Bench {
    ManualClock clock;
    DeadlineQueue deadlines{clock};
    PortSpace ports;
    AddressSpace memory;
    int code = -1;
    u32 lines = 0;
    std::string said;
    TestDevice device{
        {[this](int value) { code = value; },
         [this](unsigned gsi, bool level) { lines = level ? lines | 1u << gsi : lines & ~(1u << gsi); }}};
    DebugConsole console{deadlines, [this](std::string_view bytes) { said += bytes; }};
    Bench()
    {
        device.claim(ports, memory, 1);
        console.claim(ports);
    }
};
}

TEST(TestDevice, exit_code_is_twice_and_one)
{
    Bench b;
    b.ports.write(0xf4, 0x10, 4);
    EXPECT_EQ(b.code, 0x21);
    b.ports.write(0xf4, 0, 1);
    EXPECT_EQ(b.code, 1);
}

TEST(TestDevice, storage_of_any_width)
{
    Bench b;
    b.ports.write(0xe0, 0x12345678, 4);
    EXPECT_EQ(b.ports.read(0xe1, 1), 0x56u);
    b.ports.write(0xe2, 0xbeef, 2);
    EXPECT_EQ(b.ports.read(0xe0, 4), 0xbeef5678u);
    b.ports.write(0xe4, 1, 4);
    b.memory.write(0xff00fff8, 0x1122334455667788, 8);
    EXPECT_EQ(b.memory.read(0xff00fffc, 4), 0x11223344u);
    EXPECT_EQ(b.memory.read(0xff00fffc, 8), ~u64(0));
}

TEST(TestDevice, sets_interrupt_inputs_and_drops_them_on_reset)
{
    Bench b;
    b.ports.write(0x2009, 1, 1);
    b.ports.write(0x2017, 1, 1);
    EXPECT_EQ(b.lines, 1u << 9 | 1u << 23);
    b.ports.write(0x2009, 0, 1);
    EXPECT_EQ(b.lines, 1u << 23);
    b.device.reset();
    EXPECT_EQ(b.lines, 0u);
}

TEST(DebugConsole, says_that_it_listens_and_gives_lines)
{
    Bench b;
    EXPECT_EQ(b.ports.read(0x402, 1), 0xe9u);
    for (const char c : std::string("hi\nx"))
        b.ports.write(0x402, u8(c), 1);
    EXPECT_EQ(b.said, "hi\n");
    b.clock.advance(5'000'000);
    b.deadlines.run_due();
    EXPECT_EQ(b.said, "hi\nx");
}

TEST(TestDevice, state_survives_a_round_trip)
{
    Bench a, b;
    a.ports.write(0xe0, 7, 4);
    a.ports.write(0x2005, 1, 1);
    a.memory.write(0xff000010, 9, 1);
    StateSaver saver;
    a.device.visit(saver);
    StateLoader loader(saver.map);
    b.device.visit(loader);
    ASSERT_TRUE(b.device.restored());
    EXPECT_EQ(b.lines, 1u << 5);
    EXPECT_EQ(b.ports.read(0xe0, 4), 7u);
    EXPECT_EQ(b.memory.read(0xff000010, 1), 9u);
}
