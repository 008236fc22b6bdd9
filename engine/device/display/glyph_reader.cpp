#include "engine/device/display/glyph_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "engine/base/bits.h"
#include "engine/device/display/code_page_437.h"

namespace engine {

namespace {
constexpr unsigned pixels_forgiven = 2;
constexpr u32 smallest_text = 3;    // letters; fewer are chance
constexpr u32 most_columns = 512, most_rows = 256;
constexpr u32 shortest_word = 3, least_contrast = 64;    // of bright text over a picture, as boot menus show it

// A cell of up to 16 rows, a byte a row.
struct Shape {
    u64 upper = 0, lower = 0;
    bool operator==(const Shape&) const = default;
    void set_row(unsigned row, u8 byte) { (row < 8 ? upper : lower) |= u64(byte) << (row % 8 * 8); }
    unsigned distance(const Shape& other) const
    {
        return unsigned(std::popcount(upper ^ other.upper) + std::popcount(lower ^ other.lower));
    }
};

struct HashShape {
    std::size_t operator()(const Shape& s) const { return s.upper * 0x9e3779b97f4a7c15 ^ (s.lower * 0xc2b2ae3d27d4eb4f >> 7); }
};

// What a shape means, with near misses remembered. A shape and its inverse mean the same letter in exchanged colours.
class Alphabet {
public:
    explicit Alphabet(const GlyphFont& font) : height_(font.height)
    {
        for (unsigned row = 0; row < height_; ++row)
            full_.set_row(row, 0xff);
        // Letters first, so that they win over the many look-alikes among the signs.
        for (const auto& [from, to] : {std::pair{0x20, 0x7f}, {0x80, 0xff}, {0x01, 0x20}})
            for (int character = from; character < to; ++character)
                add(u8(character), font);
    }

    unsigned height() const { return height_; }
    bool knows(const Shape& shape) const { return exact_.contains(shape) || exact_.contains(inverse(shape)); }

    std::optional<u8> find(const Shape& shape)
    {
        if (const auto known = exact_.find(shape); known != exact_.end())
            return known->second;
        const auto [entry, added] = guessed_.try_emplace(shape);
        if (added)
            entry->second = guess(shape);
        return entry->second;
    }

private:
    Shape inverse(const Shape& s) const { return {s.upper ^ full_.upper, s.lower ^ full_.lower}; }

    void add(u8 character, const GlyphFont& font)
    {
        Shape shape;
        for (unsigned row = 0; row < height_; ++row)
            shape.set_row(row, font.rows[character * 32u + row]);
        if (shape != Shape{} && shape != full_ && exact_.try_emplace(shape, character).second)
            shapes_.emplace_back(shape, character);
    }

    std::optional<u8> guess(const Shape& shape) const
    {
        if (const auto known = exact_.find(inverse(shape)); known != exact_.end())
            return known->second;
        unsigned best = pixels_forgiven + 1;
        std::optional<u8> found;
        const Shape other = inverse(shape);
        for (const auto& [glyph, character] : shapes_)
            if (const unsigned off = std::min(glyph.distance(shape), glyph.distance(other)); off < best) {
                best = off;
                found = character;
            }
        return found;
    }

    unsigned height_;
    Shape full_;
    std::unordered_map<Shape, u8, HashShape> exact_;
    std::vector<std::pair<Shape, u8>> shapes_;
    std::unordered_map<Shape, std::optional<u8>, HashShape> guessed_;
};

struct Grid {
    u32 left, top, width, height;    // of the first cell
    u32 columns(const Frame& f) const { return f.width > left ? std::min((f.width - left) / width, most_columns) : 0; }
    u32 rows(const Frame& f) const { return f.height > top ? std::min((f.height - top) / height, most_rows) : 0; }
};

enum class Cell : u8 { blank, two_colours, picture };

bool is_blank(const u32* pixels, u32 stride, u32 height)
{
    for (u32 column = 1; column < 8; ++column)
        if (pixels[column] != pixels[0])
            return false;
    for (u32 row = 1; row < height; ++row)
        if (std::memcmp(pixels, pixels + u64(row) * stride, 8 * sizeof *pixels) != 0)
            return false;
    return true;
}

// The cell's pixels that differ from its top left one; a cell of more than two colours is a picture. Only the first eight
// columns count.
Cell shape_at(const Frame& frame, u32 x, u32 y, u32 height, Shape& shape)
{
    const u32* pixel = &frame.pixels[u64(y) * frame.width + x];
    const u32 ground = pixel[0];
    u32 ink = ground;
    shape = {};
    if (is_blank(pixel, frame.width, height))
        return Cell::blank;
    for (u32 row = 0; row < height; ++row, pixel += frame.width) {
        u8 byte = 0;
        for (u32 column = 0; column < 8; ++column) {
            const u32 colour = pixel[column];
            if (colour == ground)
                continue;
            if (ink != ground && colour != ink)
                return Cell::picture;
            ink = colour;
            byte |= u8(0x80 >> column);
        }
        shape.set_row(row, byte);
    }
    return Cell::two_colours;
}

struct Reading {
    std::vector<std::vector<u8>> rows;
    i64 score = 0;    // pixels that were understood, less those that were not
    u32 letters = 0, strangers = 0;
};

Reading read_grid(const Frame& frame, const Grid& grid, Alphabet& alphabet)
{
    Reading reading;
    Shape shape;
    for (u32 row = 0; row < grid.rows(frame); ++row) {
        std::vector<u8>& line = reading.rows.emplace_back(grid.columns(frame), u8(' '));
        for (u32 column = 0; column < line.size(); ++column) {
            const Cell cell = shape_at(frame, grid.left + column * grid.width, grid.top + row * grid.height, grid.height, shape);
            if (cell == Cell::blank)
                continue;
            const auto letter = cell == Cell::two_colours ? alphabet.find(shape) : std::nullopt;
            if (letter) {
                line[column] = *letter;
                ++reading.letters;
            } else {
                ++reading.strangers;
            }
        }
    }
    reading.score = (i64(reading.letters) - i64(reading.strangers)) * grid.width * grid.height;
    return reading;
}

// The colour that most of the picture has, from a sample.
u32 ground_of(const Frame& frame)
{
    std::unordered_map<u32, u32> counts;
    const u64 step = std::max<u64>(1, frame.pixels.size() / 4096 | 1);
    u32 best = 0, most = 0;
    for (u64 at = 0; at < frame.pixels.size(); at += step)
        if (const u32 count = ++counts[frame.pixels[at]]; count > most) {
            most = count;
            best = frame.pixels[at];
        }
    return best;
}

// Every pixel as a bit that says whether it is ink; `eight(x, y)` are eight of a row.
class Ink {
public:
    template <class IsInk>
    Ink(const Frame& frame, IsInk is_ink) : stride_((frame.width + 7) / 8 + 2),
                                            bits_(u64(stride_) * frame.height)
    {
        for (u32 y = 0; y < frame.height; ++y)
            for (u32 x = 0; x < frame.width; ++x)
                if (is_ink(frame.pixels[u64(y) * frame.width + x]))
                    bits_[u64(y) * stride_ + x / 8] |= u8(0x80 >> x % 8);
    }
    u8 eight(u32 x, u32 y) const
    {
        const u8* at = &bits_[u64(y) * stride_ + x / 8];
        return u8((at[0] << 8 | at[1]) >> (8 - x % 8));
    }

private:
    u32 stride_;
    std::vector<u8> bits_;
};

// The grid's offset at which most cells are letters exactly, looking at no more than a sample of rows of cells.
Grid best_offset(const Frame& frame, const Ink& ink, Grid grid, const Alphabet& alphabet)
{
    Grid best = grid;
    u32 most = 0;
    for (grid.top = 0; grid.top < grid.height; ++grid.top)
        for (grid.left = 0; grid.left < grid.width; ++grid.left) {
            u32 found = 0;
            const u32 columns = grid.columns(frame), rows = grid.rows(frame), step = 1 + rows / 64;
            for (u32 row = 0; row < rows; row += step)
                for (u32 column = 0; column < columns; ++column) {
                    Shape shape;
                    for (u32 n = 0; n < grid.height; ++n)
                        shape.set_row(n, ink.eight(grid.left + column * grid.width, grid.top + row * grid.height + n));
                    found += shape != Shape{} && alphabet.knows(shape);
                }
            if (found > most) {
                most = found;
                best = grid;
            }
        }
    return best;
}

// ITU-R BT.601 luma, 0 to 255.
u32 brightness(u32 colour)
{
    return ((colour >> 16 & 0xff) * 77 + (colour >> 8 & 0xff) * 150 + (colour & 0xff) * 29) >> 8;
}

// Two thirds of the way from the picture's usual brightness to its greatest.
u32 bright_of(const Frame& frame)
{
    std::array<u64, 256> counts{};
    for (const u32 colour : frame.pixels)
        ++counts[brightness(colour)];
    u64 seen = 0;
    u32 usual = 0, greatest = 0;
    for (u32 level = 0; level < counts.size(); ++level) {
        if (seen <= frame.pixels.size() / 2)
            usual = level;
        if (counts[level] != 0)
            greatest = level;
        seen += counts[level];
    }
    return usual + (greatest - usual) * 2 / 3;
}

// The pixels nearly as bright as the cell's brightest; none where the cell has little contrast.
Shape bright_shape_at(const Frame& frame, u32 x, u32 y, u32 height)
{
    std::array<u8, 8 * 16> levels{};
    u32 least = 255, most = 0;
    for (u32 row = 0; row < height; ++row)
        for (u32 column = 0; column < 8; ++column) {
            const u32 level = brightness(frame.pixels[u64(y + row) * frame.width + x + column]);
            levels[row * 8 + column] = u8(level);
            least = std::min(least, level);
            most = std::max(most, level);
        }
    Shape shape;
    if (most - least < least_contrast)
        return shape;
    for (u32 row = 0; row < height; ++row) {
        u8 byte = 0;
        for (u32 column = 0; column < 8; ++column)
            byte |= u8((levels[row * 8 + column] > most - (most - least) / 4) << (7 - column));
        shape.set_row(row, byte);
    }
    return shape;
}

// A picture looks like a letter here and there, but not like several in a row. Returns the letters kept.
u32 drop_lone_letters(std::vector<u8>& line)
{
    u32 kept = 0;
    for (auto at = line.begin(); at != line.end();) {
        const auto end = std::find(at, line.end(), u8(' '));
        if (u32(end - at) < shortest_word)
            std::fill(at, end, u8(' '));
        else
            kept += u32(end - at);
        at = end == line.end() ? end : end + 1;
    }
    return kept;
}

Reading read_over_picture(const Frame& frame, Alphabet& alphabet)
{
    const Ink ink(frame, [bright = bright_of(frame)](u32 colour) { return brightness(colour) > bright; });
    const Grid grid = best_offset(frame, ink, {0, 0, 8, alphabet.height()}, alphabet);
    Reading reading;
    for (u32 row = 0; row < grid.rows(frame); ++row) {
        std::vector<u8>& line = reading.rows.emplace_back(grid.columns(frame), u8(' '));
        for (u32 column = 0; column < line.size(); ++column)
            if (const Shape shape
                = bright_shape_at(frame, grid.left + column * grid.width, grid.top + row * grid.height, grid.height);
                shape != Shape{})
                line[column] = alphabet.find(shape).value_or(' ');
        reading.letters += drop_lone_letters(line);
    }
    return reading;
}

// Structure that tells a font of `height` rows in code page 437: blanks, and the block-drawing characters db to df.
bool is_font(std::span<const u8> bytes, unsigned height)
{
    const auto all = [&](unsigned character, unsigned first, unsigned end, u8 value) {
        const auto rows = bytes.subspan(character * height);
        return std::all_of(rows.begin() + first, rows.begin() + end, [&](u8 row) { return row == value; });
    };
    return all(0x00, 0, height, 0) && all(0x20, 0, height, 0) && all(0xff, 0, height, 0) && all(0xdb, 0, height, 0xff)
        && all(0xdd, 0, height, 0xf0) && all(0xde, 0, height, 0x0f) && all(0xdc, height - 2, height, 0xff)
        && all(0xdf, 0, 2, 0xff) && !all('A', 0, height, 0);
}
}

std::vector<GlyphFont> fonts_in(std::span<const u8> rom)
{
    std::vector<GlyphFont> fonts;
    for (const unsigned height : {16u, 14u, 8u})
        for (std::size_t at = 0; at + 256 * height <= rom.size(); ++at) {
            if (rom[at + 0xdb * height] != 0xff || !is_font(rom.subspan(at, 256 * height), height))
                continue;
            GlyphFont& font = fonts.emplace_back(GlyphFont{height, {}});
            for (unsigned character = 0; character < 256; ++character)
                std::memcpy(&font.rows[character * 32], &rom[at + character * height], height);
            break;
        }
    return fonts;
}

ScreenText read_glyphs(const Frame& frame, std::span<const GlyphFont> fonts)
{
    if (frame.pixels.size() < u64(frame.width) * frame.height)
        return {};
    Reading best;
    bool blank = true;
    std::optional<Ink> ink;
    const auto good = [](const Reading& r) { return r.letters >= smallest_text && r.letters >= 3 * r.strangers; };
    const auto keep = [&](Reading reading) {
        blank &= reading.letters + reading.strangers == 0;
        if (reading.score > best.score)
            best = std::move(reading);
    };
    std::vector<Alphabet> alphabets;
    for (const GlyphFont& font : fonts)
        if (font.height >= 8 && font.height <= 16)
            alphabets.emplace_back(font);
    for (Alphabet& alphabet : alphabets)
        for (const u32 width : {8u, 9u})
            keep(read_grid(frame, {0, 0, width, alphabet.height()}, alphabet));
    if (!good(best) && !blank)
        for (Alphabet& alphabet : alphabets) {
            if (alphabet.height() != 16)
                continue;
            if (!ink)
                ink.emplace(frame, [ground = ground_of(frame)](u32 colour) { return colour != ground; });
            keep(read_grid(frame, best_offset(frame, *ink, {0, 0, 8, 16}, alphabet), alphabet));
        }
    if (!good(best) && !blank)
        for (Alphabet& alphabet : alphabets)
            if (Reading reading = alphabet.height() == 16 ? read_over_picture(frame, alphabet) : Reading();
                reading.letters > best.letters) {
                best = std::move(reading);
                best.strangers = 0;
            }
    if (best.letters < smallest_text || best.letters < best.strangers)
        return {"", true};
    ScreenText text = screen_text_of(best.rows);
    text.from_glyphs = true;
    return text;
}

ScreenText screen_text_of(const std::vector<std::vector<u8>>& rows)
{
    ScreenText text;
    for (const auto& row : rows)
        text.rows += text_of(row) + '\n';
    while (!text.rows.empty() && text.rows.back() == '\n')
        text.rows.pop_back();
    return text;
}

}
