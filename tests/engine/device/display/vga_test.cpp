#include <gtest/gtest.h>

#include "engine/state/state_map.h"
#include "tests/engine/device/display/display_fixture.h"

namespace engine {
namespace {

class VgaTest : public testing::Test, public DisplayFixture {
protected:
    // The four planes' bytes at an address.
    u32 planes(u32 address) { return *reinterpret_cast<const u32*>(video_memory->data() + 4 * address); }
};

TEST_F(VgaTest, write_mode_0_rotates_and_masks)
{
    set_mode(mode_12);
    graphics(3, 0x03);
    sequencer(2, 0x05);
    poke(window + 10, 0x81);
    EXPECT_EQ(planes(10), 0x00300030u);
    graphics(3, 0);
    sequencer(2, 0x0f);
    graphics(8, 0x0f);
    peek(window + 10);
    poke(window + 10, 0xff);
    EXPECT_EQ(planes(10), 0x0f3f0f3fu);
}

TEST_F(VgaTest, set_reset_replaces_the_enabled_planes)
{
    set_mode(mode_12);
    graphics(0, 0x01);
    graphics(1, 0x03);
    poke(window, 0x5a);
    EXPECT_EQ(planes(0), 0x5a5a00ffu);
}

TEST_F(VgaTest, write_mode_1_copies_the_latches)
{
    set_mode(mode_12);
    for (u8 plane = 0; plane < 4; ++plane) {
        sequencer(2, u8(1 << plane));
        poke(window + 1, u8(0x11 * (plane + 1)));
    }
    sequencer(2, 0x0f);
    graphics(5, 1);
    EXPECT_EQ(peek(window + 1), 0x11);
    poke(window + 2, 0xee);
    EXPECT_EQ(planes(2), 0x44332211u);
    graphics(4, 2);
    EXPECT_EQ(peek(window + 2), 0x33);
    crtc(0x22, 0);
    EXPECT_EQ(in(0x3d5), 0x33);
}

TEST_F(VgaTest, write_mode_2_spreads_a_colour_through_the_mask)
{
    set_mode(mode_12);
    graphics(5, 2);
    graphics(8, 0x18);
    peek(window);
    poke(window, 0x09);
    EXPECT_EQ(planes(0), 0x18000018u);
}

TEST_F(VgaTest, write_mode_3_masks_with_the_data)
{
    set_mode(mode_12);
    poke(window, 0x00);
    graphics(5, 3);
    graphics(0, 0x0a);
    graphics(8, 0x7e);
    peek(window);
    poke(window, 0xc3);
    EXPECT_EQ(planes(0), 0x42004200u);
}

TEST_F(VgaTest, logical_functions_work_on_the_latches)
{
    set_mode(mode_12);
    poke(window, 0x3c);
    const std::array<u8, 4> expected{0x0f, 0x0c, 0x3f, 0x33};
    for (u8 function = 0; function < 4; ++function) {
        graphics(3, 0);
        poke(window, 0x3c);
        graphics(3, u8(function << 3));
        peek(window);
        poke(window, 0x0f);
        EXPECT_EQ(planes(0) & 0xff, expected[function]);
    }
}

TEST_F(VgaTest, read_mode_1_compares_colours)
{
    set_mode(mode_12);
    graphics(5, 2);
    graphics(8, 0xf0);
    peek(window);
    poke(window, 0x05);
    graphics(5, 0x08);
    graphics(2, 0x05);
    EXPECT_EQ(peek(window), 0xf0);
    graphics(7, 0x0a);
    EXPECT_EQ(peek(window), 0xff) << "planes 1 and 3 are 0 everywhere, and compared with 0";
    graphics(2, 0x02);
    EXPECT_EQ(peek(window), 0x00);
}

TEST_F(VgaTest, odd_even_splits_characters_and_attributes)
{
    set_mode(mode_03);
    memory.write(0xb8002, 0x1f41, 2);
    EXPECT_EQ(planes(2), 0x1f41u);
    EXPECT_EQ(memory.read(0xb8002, 2), 0x1f41u);
    EXPECT_EQ(memory.read(0xa0002, 2), 0xffffu) << "only b8000 to bffff is decoded";
}

TEST_F(VgaTest, chain_4_is_linear_and_becomes_plain_memory)
{
    set_mode(mode_13);
    memory.write(window + 5, 0x1234, 2);
    EXPECT_EQ(video_memory->data()[5], 0x34);
    EXPECT_EQ(memory.find(window).write, video_memory.get());
    sequencer(2, 0x02);
    EXPECT_NE(memory.find(window).io, nullptr) << "with a map mask the device must see the writes";
    memory.write(window, 0xaabbccdd, 4);
    EXPECT_EQ(planes(0), 0x0000cc00u);
    EXPECT_EQ(peek(window + 1), 0xcc);
}

TEST_F(VgaTest, io_select)
{
    set_mode(mode_12);
    EXPECT_EQ(in(0x3b4), 0xff);
    out(0x3c2, 0xe2);
    EXPECT_EQ(in(0x3d4), 0xff);
    out(0x3b4, 0x0e);
    out(0x3b5, 0x77);
    EXPECT_EQ(in(0x3b5), 0x77);
}

TEST_F(VgaTest, crtc_protection_spares_the_line_compare_bit)
{
    set_mode(mode_12);
    crtc(0x11, 0x8c);
    crtc(0, 0x11);
    crtc(7, 0x00);
    out(0x3d4, 0);
    EXPECT_EQ(in(0x3d5), 0x5f);
    out(0x3d4, 7);
    EXPECT_EQ(in(0x3d5), 0x2e);
}

TEST_F(VgaTest, attribute_flip_flop)
{
    out(0x3c2, 1);
    in(0x3da);
    out(0x3c0, 0x05);
    out(0x3c0, 0x2a);
    EXPECT_EQ(in(0x3c1), 0x2a);
    EXPECT_EQ(in(0x3c0), 0x05);
    out(0x3c0, 0x25);
    in(0x3da);
    out(0x3c0, 0x26);
    EXPECT_EQ(in(0x3c0), 0x26) << "the read of 3da made it an index again";
}

TEST_F(VgaTest, dac_reads_back_six_or_eight_bits)
{
    out(0x3c8, 7);
    for (const u8 value : {0xff, 0x41, 0x3f})
        out(0x3c9, u8(value));
    EXPECT_EQ(in(0x3c8), 8);
    out(0x3c7, 7);
    EXPECT_EQ(in(0x3c7), 3);
    EXPECT_EQ(in(0x3c9), 0x3f);
    EXPECT_EQ(in(0x3c9), 0x01);
    EXPECT_EQ(in(0x3c9), 0x3f);
    linear_mode(640, 480, 8, 0x60);
    out(0x3c8, 255);
    for (const u8 value : {0xff, 0x41, 0x80})
        out(0x3c9, u8(value));
    EXPECT_EQ(in(0x3c8), 0);
    out(0x3c7, 255);
    EXPECT_EQ(in(0x3c9), 0xff);
}

TEST_F(VgaTest, retrace_has_the_modes_timing)
{
    set_mode(mode_03);
    u64 rising = 0, in_retrace = 0, blank = 0;
    bool before = true;
    constexpr u64 samples = 100'000, step = 10'000;
    for (u64 n = 0; n < samples; ++n, clock.advance(step)) {
        const u8 status = in(0x3da);
        rising += status & 8 && !before;
        before = status & 8;
        in_retrace += before;
        blank += status & 1;
    }
    EXPECT_NEAR(double(rising), 70, 1);
    EXPECT_NEAR(double(in_retrace) / samples, 2.0 / 449, 0.002);
    EXPECT_NEAR(double(blank) / samples, 1 - 400.0 / 449 * 0.8, 0.05);
}

TEST_F(VgaTest, retrace_toggles_whatever_was_programmed)
{
    out(0x3c2, 1);
    for (u8 n = 0; n < 25; ++n)
        crtc(n, 0xff);
    bool seen[2] = {};
    for (int n = 0; n < 2000; ++n, clock.advance(20'000))
        seen[in(0x3da) >> 3 & 1] = true;
    EXPECT_TRUE(seen[0] && seen[1]);
}

TEST_F(VgaTest, state_survives_a_round_trip)
{
    set_mode(mode_13);
    linear_mode(800, 600, 16);
    dispi(8, 3);
    out(0x3c8, 9);
    out(0x3c9, 1);
    StateSaver saver;
    vga.visit(saver);
    DisplayFixture other;
    StateLoader loader(saver.map);
    other.vga.visit(loader);
    ASSERT_TRUE(other.vga.restored());
    StateSaver again;
    other.vga.visit(again);
    EXPECT_EQ(saver.map, again.map);
    EXPECT_EQ(other.dispi(1), 800);
    other.vga.refresh();
    EXPECT_EQ(other.mailbox.latest()->width, 800u);
}

TEST_F(VgaTest, impossible_states_are_refused)
{
    StateSaver saver;
    vga.visit(saver);
    for (const auto& [name, value] : std::initializer_list<std::pair<std::string, u64>>{
             {"vga.dac_component", 3}, {"dispi.bits", 7}, {"dispi.bank", 0xffff}, {"vga.crtc_index", 200}}) {
        StateMap broken = saver.map;
        ASSERT_TRUE(broken.scalars.contains(name));
        broken.scalars[name] = value;
        DisplayFixture other;
        StateLoader loader(broken);
        other.vga.visit(loader);
        EXPECT_FALSE(other.vga.restored()) << name;
    }
}

}
}
