#pragma once
// Reads text off a picture by comparing its cells with the shapes of a font. Any colours, two in a cell; bright words are
// also found over a photograph.

#include <span>
#include <vector>

#include "engine/device/display/frame.h"
#include "engine/device/display/scanout.h"

namespace engine {

// The fonts of 8, 14 and 16 rows in a video BIOS image, as far as it has them. They are found by the block-drawing
// characters, which look the same in every font of code page 437.
std::vector<GlyphFont> fonts_in(std::span<const u8> rom);

// Rows of text, tried with each font in cells of 8 and 9 columns, from the top left and at other places. Cells that show no
// letter become blanks; `rows` is empty if most do. Any thread; takes some milliseconds.
ScreenText read_glyphs(const Frame& frame, std::span<const GlyphFont> fonts);

// Code page 437 rows as ScreenText; leaves no blank rows at the end.
ScreenText screen_text_of(const std::vector<std::vector<u8>>& rows);

}
