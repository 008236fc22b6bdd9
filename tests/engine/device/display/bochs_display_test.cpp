#include <gtest/gtest.h>

#include "tests/engine/device/display/display_fixture.h"

namespace engine {
namespace {

class BochsDisplayTest : public testing::Test, public DisplayFixture { };

TEST_F(BochsDisplayTest, identifies_itself)
{
    EXPECT_EQ(dispi(0), 0xb0c5);
    dispi(0, 0xb0c0);
    EXPECT_EQ(dispi(0), 0xb0c0);
    dispi(0, 0x1234);
    EXPECT_EQ(dispi(0), 0xb0c0);
    EXPECT_EQ(dispi(10), 512);
    EXPECT_EQ(dispi(99), 0xffff);
    dispi(4, 2);
    EXPECT_EQ(dispi(1), 2560);
    EXPECT_EQ(dispi(2), 1600);
    EXPECT_EQ(dispi(3), 32);
}

TEST_F(BochsDisplayTest, mode_with_a_wider_virtual_screen)
{
    linear_mode(1024, 768, 32);
    EXPECT_EQ(dispi(6), 1024);
    EXPECT_EQ(dispi(7), 8192);
    dispi(6, 2000);
    dispi(8, 5000);
    dispi(9, 60000);
    EXPECT_EQ(dispi(6), 2000);
    EXPECT_EQ(dispi(8), 976);
    EXPECT_EQ(dispi(9), 4194 - 768);
}

TEST_F(BochsDisplayTest, the_largest_mode_fits)
{
    linear_mode(2560, 1600, 32);
    const auto frame = shown();
    EXPECT_EQ(frame->width, 2560u);
    EXPECT_EQ(frame->height, 1600u);
}

TEST_F(BochsDisplayTest, every_hostile_mode_stays_within_the_memory)
{
    for (const u64 size : {u64(256) << 10, u64(1) << 20, u64(32) << 20}) {
        auto block = std::move(*MemoryBlock::create("small", size));
        BochsDisplay d(*block);
        for (const u16 bits : {4, 8, 15, 16, 24, 32})
            for (const u16 width : {0, 1, 7, 640, 1366, 2560, 0xffff})
                for (const u16 height : {0, 1, 480, 1600, 0xffff})
                    for (const u16 virtual_width : {0, 3, 1000, 0x7fff, 0xffff})
                        for (const u16 offset : {0, 5, 0xffff}) {
                            d.reset();
                            d.write(1, width);
                            d.write(2, height);
                            d.write(3, bits);
                            d.write(4, 1);
                            d.write(6, virtual_width);
                            d.write(8, offset);
                            d.write(9, offset);
                            d.write(5, offset);
                            const auto& m = d.mode();
                            const u64 room = bits == 4 ? d.plane_size() : size;
                            const u64 bytes = bits == 4 ? 1 : (bits + 7) / 8;
                            ASSERT_GE(m.width, 1u);
                            ASSERT_GE(m.height, 1u);
                            ASSERT_GE(m.virtual_width, m.width + m.x_offset);
                            const u64 last = u64(m.y_offset + m.height - 1) * m.stride
                                + (bits == 4 ? (m.x_offset + m.width + 7) / 8 : (m.x_offset + m.width) * bytes);
                            ASSERT_LE(last, room) << width << "x" << height << "x" << bits << " virtual " << virtual_width;
                            ASSERT_LT(d.bank_offset(), size);
                        }
    }
}

TEST_F(BochsDisplayTest, enabling_clears_the_screen_unless_told_not_to)
{
    video_memory->data()[100] = 1;
    linear_mode(640, 480, 32, 0xc0);
    EXPECT_EQ(video_memory->data()[100], 1);
    linear_mode(640, 480, 32);
    EXPECT_EQ(video_memory->data()[100], 0);
}

TEST_F(BochsDisplayTest, the_bank_moves_the_window)
{
    linear_mode(1024, 768, 8, 0);
    dispi(5, 3);
    poke(window + 4, 0x5a);
    EXPECT_EQ(video_memory->data()[0x30004], 0x5a);
    EXPECT_EQ(peek(window + 4), 0x5a);
    dispi(5, 0xffff);
    EXPECT_EQ(dispi(5), 511);
    poke(window + 0xffff, 0xa5);
    EXPECT_EQ(video_memory->data()[(32 << 20) - 1], 0xa5);
}

TEST_F(BochsDisplayTest, sixteen_colours_are_planar_and_banked)
{
    set_mode(mode_12);
    linear_mode(1280, 1024, 4, 0);
    dispi(5, 1);
    graphics(5, 2);
    poke(window + 0, 0x0c);
    EXPECT_EQ(video_memory->data()[4 * 0x10000 + 2], 0xff);
    const auto frame = shown();
    const u32 y = 0x10000 / 160, x = 0x10000 % 160 * 8;
    EXPECT_EQ(frame->width, 1280u);
    EXPECT_EQ(pixel(*frame, x, y), colour(12));
    EXPECT_EQ(pixel(*frame, x + 8, y), colour(0));
}

TEST_F(BochsDisplayTest, registers_in_memory)
{
    vga.write_config(0x10, 0xe0000000, 4);
    vga.write_config(0x18, 0xf0000000, 4);
    vga.write_config(4, 2, 2);
    EXPECT_EQ(memory.read(0xf0000000, 8), 0x00ffffffffffff00u);
    EXPECT_EQ(memory.read(0xf0000500, 2), 0xb0c5u);
    memory.write(0xf0000502, 320, 2);
    memory.write(0xf0000504, 200, 2);
    memory.write(0xf0000506, 32 | 0x41 << 16, 4);
    memory.write(0xf000041a, 0, 1);
    memory.read(0xf000041a, 1);
    memory.write(0xf0000400, 0x20, 1);
    EXPECT_EQ(dispi(1), 320);
    EXPECT_EQ(dispi(4), 0x41);
    EXPECT_EQ(memory.read(0xf0000604, 4), 0x1e1e1e1eu);
    memory.write(0xe0000000 + 4 * 321, 0x00123456, 4);
    const auto frame = shown();
    EXPECT_EQ(frame->width, 320u);
    EXPECT_EQ(pixel(*frame, 1, 1), 0xff123456u);
}

}
}
