#include <gtest/gtest.h>

#include <fstream>

#include "engine/device/display/code_page_437.h"
#include "tests/engine/device/display/display_fixture.h"

namespace engine {
namespace {

GlyphFont test_font()
{
    GlyphFont font{16, {}};
    for (unsigned c = 0; c < 256; ++c)
        for (unsigned row = 0; row < 16; ++row)
            font.rows[c * 32 + row] = DisplayFixture::test_glyph(u8(c), row);
    return font;
}

void draw(Frame& f, u32 x, u32 y, std::string_view text, u32 ink, u32 ground)
{
    for (const char c : text) {
        for (u32 row = 0; row < 16; ++row)
            for (u32 dot = 0; dot < 8; ++dot)
                f.pixels[(y + row) * f.width + x + dot] = DisplayFixture::test_glyph(u8(c), row) & 0x80 >> dot ? ink : ground;
        x += 8;
    }
}

Frame blank(u32 width, u32 height, u32 colour = 0xff202020)
{
    return {1, width, height, {}, std::vector<u32>(width * height, colour)};
}

TEST(GlyphReaderTest, reads_any_two_colours)
{
    Frame f = blank(640, 400);
    draw(f, 0, 0, "login: root", 0xffaaaaaa, 0xff202020);
    draw(f, 16, 32, "Password:", 0xff0000ff, 0xffffffff);
    const ScreenText t = read_glyphs(f, std::array{test_font()});
    EXPECT_EQ(t.rows, "login: root\n\n  Password:");
    EXPECT_TRUE(t.from_glyphs);
}

TEST(GlyphReaderTest, forgives_two_pixels_and_no_more)
{
    Frame f = blank(640, 400);
    draw(f, 0, 0, "abcdefghij", 0xffffffff, 0xff000000);
    f.pixels[2 * 640 + 3] ^= 0xffffff;
    f.pixels[5 * 640 + 6] ^= 0xffffff;
    EXPECT_EQ(read_glyphs(f, std::array{test_font()}).rows, "abcdefghij");
}

TEST(GlyphReaderTest, finds_text_that_does_not_start_at_the_corner)
{
    Frame f = blank(803, 601);
    draw(f, 5, 11, "GRUB version 2.06", 0xffffffff, 0xff202020);
    draw(f, 5, 27, "Loading Linux", 0xffffffff, 0xff202020);
    EXPECT_EQ(read_glyphs(f, std::array{test_font()}).rows, "GRUB version 2.06\nLoading Linux");
}

TEST(GlyphReaderTest, finds_bright_words_over_a_photograph)
{
    Frame f = blank(640, 480);
    for (u32 y = 0; y < f.height; ++y)
        for (u32 x = 0; x < f.width; ++x)
            f.pixels[y * f.width + x] = 0xff000000 | (x / 8 + y / 9) << 8 | (40 + y / 6 + (x * 7 + y * 3) % 5);
    const auto over = [&](u32 x, u32 y, std::string_view text, u32 ink) {
        for (const char c : text) {
            for (u32 row = 0; row < 16; ++row)
                for (u32 dot = 0; dot < 8; ++dot)
                    if (DisplayFixture::test_glyph(u8(c), row) & 0x80 >> dot)
                        f.pixels[(y + row) * f.width + x + dot] = ink;
            x += 8;
        }
    };
    over(136, 152, "installer menu", 0xffffffff);
    over(136, 184, "Install", 0xffd0d0d0);
    const ScreenText t = read_glyphs(f, std::array{test_font()});
    EXPECT_NE(t.rows.find("installer menu"), std::string::npos) << t.rows;
    EXPECT_NE(t.rows.find("Install"), std::string::npos) << t.rows;
}

TEST(GlyphReaderTest, pictures_have_no_text)
{
    Frame f = blank(640, 480);
    for (u32 n = 0; n < f.pixels.size(); ++n)
        f.pixels[n] = n * 2654435761u;
    EXPECT_EQ(read_glyphs(f, std::array{test_font()}).rows, "");
    EXPECT_EQ(read_glyphs(blank(640, 480), std::array{test_font()}).rows, "");
    EXPECT_EQ(read_glyphs(blank(3, 3), std::array{test_font()}).rows, "");
    EXPECT_EQ(read_glyphs({}, {}).rows, "");
}

TEST(GlyphReaderTest, finds_a_font_in_an_image)
{
    std::vector<u8> rom(20000, 0x5c);
    const GlyphFont font = test_font();
    u8* at = &rom[777];
    for (unsigned c = 0; c < 256; ++c)
        std::memcpy(at + c * 16, &font.rows[c * 32], 16);
    std::memset(at + 0xdb * 16, 0xff, 16);
    std::memset(at + 0xdd * 16, 0xf0, 16);
    std::memset(at + 0xde * 16, 0x0f, 16);
    std::memset(at + 0xdc * 16 + 8, 0xff, 8);
    std::memset(at + 0xdf * 16, 0xff, 8);
    const auto fonts = fonts_in(rom);
    ASSERT_EQ(fonts.size(), 1u);
    EXPECT_EQ(fonts[0].height, 16u);
    EXPECT_TRUE(std::equal(&font.rows['A' * 32], &font.rows['B' * 32], &fonts[0].rows['A' * 32]));
    EXPECT_TRUE(fonts_in(std::span(rom).first(1000)).empty());
    EXPECT_TRUE(fonts_in({}).empty());
}

TEST(GlyphReaderTest, finds_the_fonts_of_the_installed_video_bios)
{
    std::ifstream file("/usr/share/seabios/vgabios-stdvga.bin", std::ios::binary);
    if (!file)
        GTEST_SKIP() << "no SeaBIOS here";
    const std::vector<u8> rom((std::istreambuf_iterator<char>(file)), {});
    const auto fonts = fonts_in(rom);
    ASSERT_EQ(fonts.size(), 3u);
    EXPECT_EQ(fonts[0].height, 16u);
    EXPECT_EQ(fonts[1].height, 14u);
    EXPECT_EQ(fonts[2].height, 8u);
}

TEST(GlyphReaderTest, text_mode_gives_its_text)
{
    DisplayFixture d;
    EXPECT_FALSE(d.vga.text_mode_text());
    d.set_mode(mode_03);
    d.load_font();
    d.crtc(0x0a, 0x20);
    d.put_text(0, 0, "C:\\>dir");
    d.put_text(0, 2, "\xc9\xcd\xbb \x9c");
    d.vga.refresh();
    ASSERT_TRUE(d.vga.text_mode_text());
    EXPECT_EQ(d.vga.text_mode_text()->rows, "C:\\>dir\n\n╔═╗ £");
    EXPECT_FALSE(d.vga.text_mode_text()->from_glyphs);
    ASSERT_EQ(d.vga.fonts().size(), 1u);
    EXPECT_EQ(d.vga.fonts()[0], test_font());
    EXPECT_EQ(read_glyphs(*d.mailbox.latest(), d.vga.fonts()).rows, "C:\\>dir\n\n╔═╗ £") << "nine columns wide";
}

TEST(CodePage437Test, names_its_characters)
{
    EXPECT_EQ(text_of(std::array<u8, 6>{'a', 0, 0x80, 0xff, ' ', 0}), "a Ç");
    EXPECT_EQ(unicode_of(0xdb), U'█');
    EXPECT_EQ(unicode_of(0x1a), U'→');
}

}
}
