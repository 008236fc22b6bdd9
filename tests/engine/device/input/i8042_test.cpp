#include "engine/device/input/i8042.h"

#include <gtest/gtest.h>

#include "engine/device/input/ps2_keyboard.h"
#include "engine/device/input/ps2_mouse.h"
#include "engine/state/state_map.h"

using namespace engine;

namespace {
using Bytes = std::vector<u8>;

struct Bench {
    ManualClock clock;
    DeadlineQueue deadlines{clock};
    PortSpace ports;
    IrqLine irq1, irq12;
    bool a20 = true;
    int resets = 0;
    u8 leds = 0;
    Ps2Keyboard keyboard{[this](u8 value) { leds = value; }};
    Ps2Mouse mouse;
    I8042 controller{deadlines, {irq1, irq12, keyboard, mouse, [this](bool on) { a20 = on; }, [this] { ++resets; }}};

    explicit Bench(u8 command_byte = 0x03)
    {
        controller.claim(ports);
        out(0x64, 0x60);
        out(0x60, command_byte);
    }
    u8 in(u16 port) { return u8(ports.read(port, 1)); }
    void out(u16 port, u8 value) { ports.write(port, value, 1); }
    void pass(u64 nanoseconds = 1'000'000)
    {
        clock.advance(nanoseconds);
        deadlines.run_due();
    }
    // All that comes, a millisecond apart at most.
    Bytes drain()
    {
        Bytes got;
        for (int patience = 0; patience < 4; ++patience) {
            while (in(0x64) & 1) {
                got.push_back(in(0x60));
                patience = 0;
            }
            pass();
        }
        return got;
    }
    Bytes ask_keyboard(u8 byte)
    {
        out(0x60, byte);
        return drain();
    }
    Bytes ask_mouse(u8 byte)
    {
        out(0x64, 0xd4);
        out(0x60, byte);
        return drain();
    }
    void tap(u16 code)
    {
        keyboard.key(code, true);
        keyboard.key(code, false);
    }
};
}

TEST(I8042, answers_its_own_commands)
{
    Bench b;
    const auto ask = [&](u8 command) {
        b.out(0x64, command);
        return b.drain();
    };
    EXPECT_EQ(ask(0xaa), (Bytes{0x55}));
    EXPECT_TRUE(b.in(0x64) & 4);
    EXPECT_EQ(ask(0xab), (Bytes{0}));
    EXPECT_EQ(ask(0xa9), (Bytes{0}));
    EXPECT_EQ(ask(0x20), (Bytes{0x03}));
    b.out(0x64, 0xad);
    b.out(0x64, 0xa7);
    EXPECT_EQ(ask(0x20), (Bytes{0x33}));
    b.out(0x64, 0x65);
    b.out(0x60, 0x77);
    EXPECT_EQ(ask(0x25), (Bytes{0x77}));
    b.out(0x64, 0xd3);
    b.out(0x60, 0x5a);
    EXPECT_EQ(b.in(0x64) & 0x21, 0x21);
    EXPECT_EQ(b.in(0x60), 0x5a);
}

TEST(I8042, moves_a20_and_resets)
{
    Bench b;
    b.out(0x64, 0xd1);
    b.out(0x60, 0xdd);
    EXPECT_FALSE(b.a20);
    b.out(0x64, 0xd0);
    EXPECT_EQ(b.in(0x60) & 3, 1);
    b.out(0x64, 0xdf);
    EXPECT_TRUE(b.a20);
    EXPECT_EQ(b.resets, 0);
    b.out(0x64, 0xfe);
    EXPECT_EQ(b.resets, 1);
    b.out(0x64, 0xd1);
    b.out(0x60, 0x02);
    EXPECT_EQ(b.resets, 2);
}

TEST(I8042, one_edge_a_byte_and_the_same_byte_until_the_next_has_come)
{
    Bench b(0x43);
    unsigned edges = 0;
    b.irq1.connect([&](bool level) { edges += level; });
    b.tap(0x1e);
    EXPECT_EQ(edges, 1u);
    EXPECT_EQ(b.in(0x60), 0x1e);
    EXPECT_FALSE(b.irq1.level());
    EXPECT_EQ(b.in(0x60), 0x1e) << "the BIOS behind a hooked handler reads it again";
    EXPECT_EQ(b.in(0x64) & 1, 0);
    b.pass();
    b.pass();
    EXPECT_EQ(edges, 2u);
    EXPECT_EQ(b.in(0x60), 0x9e);
}

TEST(I8042, keyboard_bytes_wait_while_its_interface_is_off)
{
    Bench b;
    b.out(0x64, 0xad);
    b.tap(0x1e);
    EXPECT_EQ(b.drain(), Bytes{});
    b.out(0x64, 0xae);
    EXPECT_EQ(b.drain(), (Bytes{0x1c, 0xf0, 0x1c}));
}

TEST(Ps2Keyboard, knows_three_sets)
{
    Bench b;
    b.tap(0xe048);
    b.tap(0x41);
    EXPECT_EQ(b.drain(), (Bytes{0xe0, 0x75, 0xe0, 0xf0, 0x75, 0x83, 0xf0, 0x83}));
    EXPECT_EQ(b.ask_keyboard(0xf0), (Bytes{0xfa}));
    EXPECT_EQ(b.ask_keyboard(1), (Bytes{0xfa}));
    b.tap(0xe048);
    EXPECT_EQ(b.drain(), (Bytes{0xe0, 0x48, 0xe0, 0xc8}));
    b.ask_keyboard(0xf0);
    b.ask_keyboard(3);
    b.tap(0xe048);
    EXPECT_EQ(b.drain(), (Bytes{0x63, 0xf0, 0x63}));
    b.ask_keyboard(0xf0);
    EXPECT_EQ(b.ask_keyboard(0), (Bytes{0xfa, 3}));
    b.ask_keyboard(0xf9);
    b.keyboard.key(0x1e, true);
    b.keyboard.key(0x1e, true);
    b.keyboard.key(0x1e, false);
    EXPECT_EQ(b.drain(), (Bytes{0x1c})) << "make only: no repeat and no break";
}

TEST(Ps2Keyboard, translation_gives_back_set_1_for_every_key)
{
    for (u16 code = 1; code < 0x59; ++code) {
        if (code == 0x55)
            continue;
        Bench b(0x43);
        b.tap(code);
        EXPECT_EQ(b.drain(), (Bytes{u8(code), u8(code | 0x80)})) << code;
    }
}

TEST(Ps2Keyboard, pause_and_print_screen)
{
    Bench b(0x43);
    b.tap(0xe11d);
    EXPECT_EQ(b.drain(), (Bytes{0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5}));
    b.tap(0xe037);
    EXPECT_EQ(b.drain(), (Bytes{0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa}));
    b.keyboard.key(0x38, true);
    b.tap(0xe037);
    EXPECT_EQ(b.drain(), (Bytes{0x38, 0x54, 0xd4}));
    b.keyboard.key(0x38, false);
    b.keyboard.key(0x1d, true);
    b.drain();
    b.tap(0xe11d);
    EXPECT_EQ(b.drain(), (Bytes{0xe0, 0x46, 0xe0, 0xc6}));
}

TEST(Ps2Keyboard, commands)
{
    Bench b;
    EXPECT_EQ(b.ask_keyboard(0xff), (Bytes{0xfa, 0xaa}));
    EXPECT_EQ(b.ask_keyboard(0xf2), (Bytes{0xfa, 0xab, 0x83}));
    EXPECT_EQ(b.ask_keyboard(0xfe), (Bytes{0x83}));
    EXPECT_EQ(b.ask_keyboard(0xee), (Bytes{0xee}));
    b.ask_keyboard(0xed);
    EXPECT_EQ(b.ask_keyboard(6), (Bytes{0xfa}));
    EXPECT_EQ(b.leds, 6);
    b.ask_keyboard(0xf5);
    b.tap(0x1e);
    EXPECT_EQ(b.drain(), Bytes{});
    b.ask_keyboard(0xed);
    EXPECT_EQ(b.ask_keyboard(0xf4), (Bytes{0xfa})) << "a command where an argument was due is a command";
    EXPECT_EQ(b.ask_keyboard(0x11), (Bytes{0xfe}));
    b.tap(0x1e);
    EXPECT_EQ(b.drain(), (Bytes{0x1c, 0xf0, 0x1c}));
}

TEST(Ps2Keyboard, an_overrun_is_told_and_room_is_announced)
{
    Bench b;
    int room = 0;
    b.keyboard.on_room([&] { ++room; });
    for (int n = 0; n < 40; ++n)
        b.tap(0xe048);
    EXPECT_FALSE(b.keyboard.has_room());
    const Bytes got = b.drain();
    EXPECT_LE(got.size(), 25u);
    EXPECT_EQ(got.back(), 0x00);
    EXPECT_GT(room, 0);
}

TEST(Ps2Mouse, plain_reports)
{
    Bench b;
    EXPECT_EQ(b.ask_mouse(0xff), (Bytes{0xfa, 0xaa, 0x00}));
    b.mouse.move(5, 5, 0, 0);
    EXPECT_EQ(b.drain(), Bytes{}) << "reporting is off";
    EXPECT_EQ(b.ask_mouse(0xf4), (Bytes{0xfa}));
    b.mouse.move(5, -3, 2, 1);
    EXPECT_TRUE(b.irq12.level());
    EXPECT_EQ(b.drain(), (Bytes{0x09, 5, 3}));
    b.mouse.move(0, 0, 0, 1);
    EXPECT_EQ(b.drain(), Bytes{}) << "nothing changed";
    b.mouse.move(-300, 10, 0, 0);
    EXPECT_EQ(b.drain(), (Bytes{0x38, 0x01, 0xf6, 0x18, 0xd3, 0x00})) << "the rest of a long way comes next";
    EXPECT_EQ(b.ask_mouse(0xe9), (Bytes{0xfa, 0x20, 2, 100}));
    EXPECT_EQ(b.ask_mouse(0xe1), (Bytes{0xfe}));
}

TEST(Ps2Mouse, knocks_bring_wheel_and_buttons)
{
    Bench b;
    const auto knock = [&](std::initializer_list<u8> rates) {
        for (const u8 rate : rates) {
            b.ask_mouse(0xf3);
            b.ask_mouse(rate);
        }
        return b.ask_mouse(0xf2);
    };
    EXPECT_EQ(knock({100, 200, 80}), (Bytes{0xfa, 0}));
    EXPECT_EQ(knock({200, 100, 80}), (Bytes{0xfa, 3}));
    b.ask_mouse(0xf4);
    b.mouse.move(0, 0, 1, 0);
    EXPECT_EQ(b.drain(), (Bytes{0x08, 0, 0, 0xff}));
    EXPECT_EQ(knock({200, 200, 80}), (Bytes{0xfa, 4}));
    b.mouse.move(0, 0, -2, 0x18);
    EXPECT_EQ(b.drain(), (Bytes{0x08, 0, 0, 0x32}));
    EXPECT_EQ(b.ask_mouse(0xff), (Bytes{0xfa, 0xaa, 0}));
    EXPECT_EQ(b.ask_mouse(0xf2), (Bytes{0xfa, 0}));
}

TEST(Ps2Mouse, remote_and_wrap_modes)
{
    Bench b;
    b.ask_mouse(0xf0);
    b.mouse.move(3, 0, 0, 2);
    EXPECT_EQ(b.drain(), Bytes{});
    EXPECT_EQ(b.ask_mouse(0xeb), (Bytes{0xfa, 0x0a, 3, 0}));
    b.ask_mouse(0xee);
    EXPECT_EQ(b.ask_mouse(0xf4), (Bytes{0xf4}));
    EXPECT_EQ(b.ask_mouse(0xec), (Bytes{0xfa}));
}

TEST(I8042, state_survives_a_round_trip)
{
    Bench a(0x43), b;
    a.ask_mouse(0xf4);
    a.keyboard.key(0xe048, true);
    a.mouse.move(700, 20, 0, 1);
    a.in(0x60);
    const auto save = [](Bench& bench) {
        StateSaver saver;
        saver.group("controller", bench.controller);
        saver.group("keyboard", bench.keyboard);
        saver.group("mouse", bench.mouse);
        return saver.map;
    };
    const StateMap saved = save(a);
    StateLoader loader(saved);
    loader.group("controller", b.controller);
    loader.group("keyboard", b.keyboard);
    loader.group("mouse", b.mouse);
    b.clock.advance(a.clock.now());
    EXPECT_EQ(save(b), saved);
    ASSERT_TRUE(b.keyboard.restored() && b.mouse.restored() && b.controller.restored());
    EXPECT_EQ(a.drain(), b.drain());

    StateMap bad = saved;
    bad.scalars["keyboard.keys.head"] = 200;
    StateLoader bad_loader(bad);
    bad_loader.group("keyboard", b.keyboard);
    EXPECT_FALSE(b.keyboard.restored());
}
