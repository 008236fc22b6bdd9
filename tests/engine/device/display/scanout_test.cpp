#include <gtest/gtest.h>

#include <map>

#include "tests/engine/device/display/display_fixture.h"

namespace engine {
namespace {

class ScanoutTest : public testing::Test, public DisplayFixture {
protected:
    void show_text_mode()
    {
        set_mode(mode_03);
        load_font();
        crtc(0x0e, 0x7f);
    }
};

TEST_F(ScanoutTest, text_has_nine_dots_and_sixteen_rows)
{
    show_text_mode();
    put_text(2, 1, "A\xc4", 0x1e);
    const auto f = shown();
    ASSERT_EQ(f->width, 720u);
    ASSERT_EQ(f->height, 400u);
    for (u32 row = 0; row < 16; ++row)
        for (u32 dot = 0; dot < 9; ++dot) {
            const bool ink = dot < 8 && test_glyph('A', row) & 0x80 >> dot;
            EXPECT_EQ(pixel(*f, 18 + dot, 16 + row), colour(ink ? 14 : 1));
            const bool line = test_glyph(0xc4, row) & 0x80 >> std::min(dot, 7u);
            EXPECT_EQ(pixel(*f, 27 + dot, 16 + row), colour(line ? 14 : 1));
        }
    EXPECT_EQ(pixel(*f, 0, 0), colour(0));
}

// As firmware does that knows the adapter from emulators alone: everything else is as the adapter powered on.
TEST_F(ScanoutTest, text_needs_no_video_bios)
{
    vga.reset();
    out(0x3c2, 1);
    sequencer(2, 4);
    graphics(8, 0xff);
    for (unsigned row = 0; row < 16; ++row)
        poke(window + 'A' * 32 + row, test_glyph('A', row));
    sequencer(2, 3);
    graphics(6, 0x0c);
    graphics(5, 0x10);
    crtc(9, 0x0f);
    crtc(1, 0x4f);
    crtc(0x13, 0x28);
    crtc(0x12, 0x8f);
    crtc(7, 0x02);
    crtc(0x18, 0xff);
    attribute(1, 1);
    out(0x3c8, 1);
    for (unsigned part = 1; part <= 3; ++part)
        out(0x3c9, u8(part));
    sequencer(1, 1);
    put_text(2, 1, "A", 0x01);
    const auto f = shown();
    ASSERT_EQ(f->width, 640u);
    ASSERT_EQ(f->height, 400u);
    for (u32 row = 0; row < 16; ++row)
        for (u32 dot = 0; dot < 8; ++dot)
            EXPECT_EQ(pixel(*f, 16 + dot, 16 + row), colour(test_glyph('A', row) & 0x80 >> dot ? 1 : 0));
}

TEST_F(ScanoutTest, only_what_changed_is_damaged)
{
    show_text_mode();
    shown();
    EXPECT_FALSE(vga.refresh());
    EXPECT_FALSE(vga.refresh());
    put_text(10, 3, "x");
    ASSERT_TRUE(vga.refresh());
    const Rectangle d = mailbox.latest()->damage;
    EXPECT_GE(d.x, 90u);
    EXPECT_LE(d.x + d.width, 99u);
    EXPECT_GE(d.y, 48u);
    EXPECT_LE(d.y + d.height, 64u);
}

TEST_F(ScanoutTest, damage_grows_while_nobody_looks)
{
    show_text_mode();
    shown();
    put_text(0, 0, "x");
    ASSERT_TRUE(vga.refresh());
    EXPECT_NE(mailbox.peek(), nullptr);
    EXPECT_FALSE(mailbox.fetched());
    put_text(79, 24, "x");
    ASSERT_TRUE(vga.refresh());
    const auto f = mailbox.latest();
    EXPECT_LT(f->damage.y, 16u);
    EXPECT_GT(f->damage.y + f->damage.height, 384u);
}

TEST_F(ScanoutTest, kept_frames_do_not_change)
{
    show_text_mode();
    std::vector<std::shared_ptr<const Frame>> kept;
    std::vector<std::vector<u32>> copies;
    for (u32 n = 0; n < 8; ++n) {
        put_text(n, n, "Z");
        kept.push_back(shown());
        copies.push_back(kept.back()->pixels);
        if (n >= 4)
            kept[n - 4].reset();
    }
    for (u32 n = 4; n < 8; ++n)
        EXPECT_EQ(kept[n]->pixels, copies[n]);
    EXPECT_EQ(pixel(*kept[7], 0, 0), copies[0][0]);
    EXPECT_EQ(kept[7]->pixels[0], kept[6]->pixels[0]);
}

TEST_F(ScanoutTest, cursor_and_blinking_redraw_their_cells_only)
{
    show_text_mode();
    put_text(0, 5, "b", 0x87);
    crtc(0x0e, 0);
    crtc(0x0f, 80);
    const auto f = shown();
    EXPECT_EQ(pixel(*f, 3, 16 + 13), colour(0)) << "a blank of attribute 0 has a black cursor";
    put_text(0, 1, " ");
    EXPECT_EQ(pixel(*shown(), 3, 16 + 13), colour(7));
    clock.advance(270'000'000);
    ASSERT_TRUE(vga.refresh());
    EXPECT_EQ(mailbox.latest()->damage, (Rectangle{0, 29, 9, 2}));
    EXPECT_EQ(pixel(*mailbox.latest(), 3, 29), colour(0));
    clock.advance(280'000'000);
    ASSERT_TRUE(vga.refresh());
    const auto dark = mailbox.latest();
    for (u32 row = 0; row < 16; ++row)
        EXPECT_EQ(pixel(*dark, 0, 80 + row), colour(0));
    EXPECT_FALSE(vga.refresh());
}

TEST_F(ScanoutTest, a_second_font_and_a_changed_one)
{
    show_text_mode();
    load_font(0x4000);
    sequencer(3, 0x04);
    put_text(0, 0, "\xdb", 0x0f);
    put_text(1, 0, "\xdb", 0x07);
    auto f = shown();
    EXPECT_EQ(pixel(*f, 0, 0), colour(15));
    sequencer(2, 4);
    sequencer(4, 6);
    graphics(5, 0);
    graphics(6, 4);
    poke(window + 0x4000 + 0xdb * 32, 0x00);
    poke(window + 0xdb * 32, 0xff);
    f = shown();
    EXPECT_EQ(pixel(*f, 0, 0), colour(0)) << "attribute bit 3 selects font A";
    EXPECT_EQ(pixel(*f, 9 + 2, 0), colour(7));
}

TEST_F(ScanoutTest, planar_sixteen_colours)
{
    set_mode(mode_12);
    graphics(5, 2);
    graphics(8, 0x20);
    peek(window);
    poke(window + 80 * 479 + 79, 0x0d);
    const auto f = shown();
    ASSERT_EQ(f->width, 640u);
    ASSERT_EQ(f->height, 480u);
    EXPECT_EQ(pixel(*f, 632 + 2, 479), colour(13));
    EXPECT_EQ(pixel(*f, 632 + 3, 479), colour(0));
}

TEST_F(ScanoutTest, mode_13h_and_mode_x)
{
    set_mode(mode_13);
    poke(window + 320 * 199 + 319, 200);
    poke(window + 321, 99);
    auto f = shown();
    ASSERT_EQ(f->width, 320u);
    ASSERT_EQ(f->height, 200u);
    EXPECT_EQ(pixel(*f, 319, 199), colour(200));
    EXPECT_EQ(pixel(*f, 1, 1), colour(99));

    set_mode(mode_x);
    sequencer(2, 0x04);
    poke(window + 80 * 239 + 1, 77);
    f = shown();
    ASSERT_EQ(f->width, 320u);
    ASSERT_EQ(f->height, 240u);
    EXPECT_EQ(pixel(*f, 6, 239), colour(77));
    EXPECT_EQ(pixel(*f, 7, 239), colour(0));
}

TEST_F(ScanoutTest, start_address_panning_and_split)
{
    set_mode(mode_x);
    crtc(0x0c, 0x40);
    sequencer(2, 0x01);
    poke(window + 0x4000, 50);
    poke(window, 60);
    EXPECT_EQ(pixel(*shown(), 0, 0), colour(50));
    crtc(0x18, 99);
    crtc(0x07, 0x2e);
    crtc(0x09, 0x01);
    auto f = shown();
    EXPECT_EQ(pixel(*f, 0, 50), colour(60)) << "after scan line 99 the address starts at 0";
    EXPECT_EQ(pixel(*f, 0, 49), colour(0));
    attribute(0x13, 2);
    sequencer(2, 0x02);
    poke(window + 0x4000, 51);
    f = shown();
    EXPECT_EQ(pixel(*f, 0, 0), colour(51));
    EXPECT_EQ(pixel(*f, 0, 50), colour(0)) << "the panning goes on below the split";
    attribute(0x10, 0x61);
    EXPECT_EQ(pixel(*shown(), 0, 50), colour(60));
}

TEST_F(ScanoutTest, cga_colours_interleave_rows_and_bits)
{
    set_mode(mode_04);
    poke(0xb8000, 0x1b);
    poke(0xb8001, 0xc0);
    poke(0xba000, 0x40);
    const auto f = shown();
    ASSERT_EQ(f->width, 320u);
    ASSERT_EQ(f->height, 200u);
    for (u32 x = 0; x < 4; ++x)
        EXPECT_EQ(pixel(*f, x, 0), colour(x));
    EXPECT_EQ(pixel(*f, 4, 0), colour(3));
    EXPECT_EQ(pixel(*f, 0, 1), colour(1));
    EXPECT_EQ(pixel(*f, 0, 2), colour(0));
}

TEST_F(ScanoutTest, linear_depths)
{
    const std::map<u16, std::pair<u32, u32>> cases{
        {15, {0x7c1f, 0xffff00ff}}, {16, {0xf81f, 0xffff00ff}}, {24, {0x8040c0, 0xff8040c0}}, {32, {0x55102030, 0xff102030}}};
    for (const auto& [bits, values] : cases) {
        linear_mode(64, 32, bits);
        const u32 bytes = (bits + 7) / 8;
        std::memcpy(video_memory->data() + 65 * bytes, &values.first, bytes);
        video_memory->written(65 * bytes, bytes);
        const auto f = shown();
        EXPECT_EQ(pixel(*f, 1, 1), values.second) << bits;
        EXPECT_EQ(pixel(*f, 0, 1), 0xff000000) << bits;
    }
    set_mode(mode_13);
    linear_mode(64, 32, 8);
    poke(window + 66, 33);
    EXPECT_EQ(pixel(*shown(), 2, 1), colour(33));
}

TEST_F(ScanoutTest, blanking_shows_black_in_the_same_size)
{
    linear_mode(64, 32, 32);
    std::memset(video_memory->data(), 0x7f, 64 * 32 * 4);
    video_memory->written(0, 64 * 32 * 4);
    EXPECT_EQ(pixel(*shown(), 5, 5), 0xff7f7f7fu);
    in(0x3da);
    out(0x3c0, 0);
    const auto f = shown();
    EXPECT_EQ(f->width, 64u);
    EXPECT_EQ(pixel(*f, 5, 5), 0xff000000u);
}

TEST_F(ScanoutTest, a_page_stays_suspect_until_its_round_is_settled)
{
    class Rounds final : public DirtyRounds {
    public:
        u64 begin() override { return ++begun; }
        bool settled(u64 round) override { return round <= done; }
        u64 begun = 0, done = 0;
    } slow;
    BochsDisplay bochs(*video_memory);
    Vga core(*video_memory, clock, bochs);
    Scanout scanout(*video_memory, core, bochs, clock, slow, mailbox);
    core.write_port(0x3c0, 0x20);
    for (const auto& [index, value] : {std::pair<u16, u16>{1, 64}, {2, 64}, {3, 32}, {4, 1}})
        bochs.write(index, value);
    scanout.refresh();
    ASSERT_EQ(slow.begun, 1u);
    video_memory->data()[0] = 1;    // through a translation made before the round began
    EXPECT_TRUE(scanout.refresh());
    video_memory->data()[0] = 2;
    slow.done = 1;
    EXPECT_TRUE(scanout.refresh()) << "written before the round was settled";
    video_memory->data()[0] = 3;
    EXPECT_FALSE(scanout.refresh());
}

}
}
