#pragma once
// Draws what the display device shows, and only where it changed. Machine thread, machine's lock held, except where said.

#include <array>
#include <span>
#include <vector>

#include "engine/device/display/dirty_pages.h"
#include "engine/device/display/frame_publisher.h"
#include "engine/device/display/vga_picture.h"

namespace engine {

// Shapes of 256 characters: 32 bytes each, a byte a row from the top, leftmost pixel in bit 7.
struct GlyphFont {
    unsigned height = 0;
    std::array<u8, 256 * 32> rows{};
    bool operator==(const GlyphFont&) const = default;
};

class Scanout {
public:
    Scanout(
        MemoryBlock& vram, const Vga& vga, const BochsDisplay& bochs, const Clock& clock, DirtyRounds& rounds,
        FrameMailbox& mailbox);

    // Up to 60 times a second. Puts a frame into the mailbox and returns true if anything changed.
    bool refresh();
    // Draws all of it at the next refresh: memory or registers were replaced from outside.
    void invalidate() { complete_ = announce_ = true; }

    bool shows_text() const { return !linear_shown_ && picture_.kind == VgaPicture::Kind::text; }
    // What stands on the screen in text mode, as rows of code page 437; empty in other modes.
    std::vector<std::vector<u8>> text_rows() const;
    // The font that text mode used last; height 0 before that.
    const GlyphFont& text_font() const { return font_; }

private:
    struct Linear {
        BochsDisplay::Mode mode;
        bool blank = false;
        std::array<u32, 256> palette{};
        bool operator==(const Linear&) const = default;
    };
    struct Span {
        u64 first = 0, end = 0;
    };

    void update_description();
    void describe_rows();
    Span vga_span(const VgaLine& line) const;
    Span hull() const;
    void update_font();
    Blink blink_now() const;
    void force_blinking(const Blink& now);
    void draw_changed_rows(bool dirty);
    void draw_row(u32 y);
    void draw_linear(u32 y, u32* to) const;
    void draw_vga(u32 y, u32* to);
    void store_row(u32 y, const u32* from);
    bool cursor_in(const TextCursor& cursor, const VgaLine& line) const;

    MemoryBlock& vram_;
    const Vga& vga_;
    const BochsDisplay& bochs_;
    const Clock& clock_;
    DirtyPages pages_;
    FramePublisher publisher_;

    // What the picture was drawn from.
    u64 seen_vga_ = 0, seen_bochs_ = 0;
    bool linear_shown_ = false;
    Linear linear_;
    VgaPicture picture_;
    std::vector<VgaLine> lines_;
    std::vector<Span> spans_;    // of video memory, one a row
    TextCursor cursor_;
    Blink drawn_blink_;
    GlyphFont font_, other_font_;

    // The picture.
    u32 width_ = 720, height_ = 400;
    std::vector<u32> pixels_;
    std::vector<u8> blinking_rows_, forced_rows_;
    std::vector<u32> row_;
    bool complete_ = true;    // every row is to be drawn
    bool announce_ = true;    // even a picture that looks the same is news
    bool fonts_complete_ = true;
    Rectangle damage_;
};

}
