#include "engine/device/display/scanout.h"

#include <algorithm>
#include <cstring>

#include "engine/base/bits.h"

namespace engine {

namespace {
constexpr u64 cursor_half_period = 266'000'000, character_half_period = 533'000'000;    // 16 and 32 frames of a slow monitor
constexpr u64 planes_bytes = 0x40000;
constexpr u8 palette_source = 0x20;
constexpr u32 opaque = 0xff000000;

// Each colour's highest bits fill up its lowest.
u32 from_555(u32 v)
{
    return opaque | (v & 0x7c00) << 9 | (v & 0x7000) << 4 | (v & 0x03e0) << 6 | (v & 0x0380) << 1 | (v & 0x1f) << 3
        | (v & 0x1c) >> 2;
}

u32 from_565(u32 v)
{
    return opaque | (v & 0xf800) << 8 | (v & 0xe000) << 3 | (v & 0x07e0) << 5 | (v & 0x0600) >> 1 | (v & 0x1f) << 3
        | (v & 0x1c) >> 2;
}
}

Scanout::Scanout(
    MemoryBlock& vram, const Vga& vga, const BochsDisplay& bochs, const Clock& clock, DirtyRounds& rounds, FrameMailbox& mailbox)
    : vram_(vram),
      vga_(vga),
      bochs_(bochs),
      clock_(clock),
      pages_(vram, rounds),
      publisher_(mailbox)
{
}

bool Scanout::refresh()
{
    if (vga_.changes() != seen_vga_ || bochs_.changes() != seen_bochs_ || complete_)
        update_description();
    const Span range = hull();
    const bool dirty = pages_.collect(range.first, range.end);
    if (shows_text() && (dirty || fonts_complete_))
        update_font();
    const Blink now = blink_now();
    if (shows_text())
        force_blinking(now);
    drawn_blink_ = now;
    const bool forced = std::ranges::find(forced_rows_, 1) != forced_rows_.end();
    if (!complete_ && !dirty && !forced)
        return false;
    draw_changed_rows(dirty);
    if (announce_)
        damage_ = {0, 0, width_, height_};
    complete_ = announce_ = false;
    if (damage_.empty())
        return false;
    publisher_.publish(pixels_, width_, height_, damage_);
    return true;
}

void Scanout::draw_changed_rows(bool dirty)
{
    damage_ = {};
    for (u32 y = 0; y < height_; ++y)
        if (complete_ || forced_rows_[y] || (dirty && pages_.any(spans_[y].first, spans_[y].end)))
            draw_row(y);
    std::ranges::fill(forced_rows_, u8(0));
}

void Scanout::update_description()
{
    seen_vga_ = vga_.changes();
    seen_bochs_ = bochs_.changes();
    const Vga::State& s = vga_.state();
    const bool linear = bochs_.linear();
    if (linear) {
        Linear next{bochs_.mode(), !(s.attribute_index & palette_source)};
        if (next.mode.bits == 8)
            next.palette = palette_of(s, bochs_.wide_dac());
        complete_ |= !linear_shown_ || next != linear_;
        linear_ = next;
    } else {
        const VgaPicture next = picture_of(s, bochs_);
        complete_ |= linear_shown_ || next != picture_;
        picture_ = next;
    }
    linear_shown_ = linear;
    cursor_ = cursor_of(s);
    if (complete_)
        describe_rows();
}

void Scanout::describe_rows()
{
    const u32 old_width = width_, old_height = height_;
    if (linear_shown_) {
        width_ = linear_.mode.width;
        height_ = linear_.mode.height;
    } else if (picture_.kind != VgaPicture::Kind::blank) {
        width_ = picture_.width;
        height_ = picture_.height;
    }
    if (width_ != old_width || height_ != old_height || pixels_.empty()) {
        pixels_.assign(u64(width_) * height_, opaque);
        announce_ = true;
    }
    spans_.assign(height_, {});
    blinking_rows_.assign(height_, 0);
    forced_rows_.assign(height_, 0);
    row_.assign(std::max(width_, line_room(picture_)), opaque);
    lines_.clear();
    fonts_complete_ = true;
    if (linear_shown_) {
        const auto& m = linear_.mode;
        const u64 bytes = (m.bits + 7) / 8;
        for (u32 y = 0; y < height_; ++y) {
            const u64 first = u64(m.y_offset + y) * m.stride + m.x_offset * bytes;
            spans_[y] = {first, first + m.width * bytes};
        }
    } else if (picture_.kind != VgaPicture::Kind::blank) {
        lines_ = lines_of(picture_);
        lines_.resize(height_);
        for (u32 y = 0; y < height_; ++y)
            spans_[y] = vga_span(lines_[y]);
    }
}

// Where a row's bytes lie. A row that wraps around, or whose addresses jump, counts as all of the planes.
Scanout::Span Scanout::vga_span(const VgaLine& line) const
{
    const u64 all = u64(picture_.address_mask) + 1;
    u64 first = picture_.address(line.start, 0, line.row);
    u64 last = picture_.address(line.start, picture_.columns + 1, line.row);
    if (last < first || last - first > 4 * picture_.columns + 8)
        return {0, 4 * all};
    first &= ~u64(1);
    last |= 1;
    return {4 * first, 4 * std::min(last + 1, all)};
}

Scanout::Span Scanout::hull() const
{
    if (shows_text())
        return {0, planes_bytes};
    Span range{~u64(0), 0};
    for (const Span& s : spans_) {
        range.first = std::min(range.first, s.first);
        range.end = std::max(range.end, s.end);
    }
    return range;
}

// The letters' shapes share their pages with the text, so a change of text only looks like one of the font.
void Scanout::update_font()
{
    fonts_complete_ = false;
    const auto differs = [&](GlyphFont& font, u32 base) {
        if (!complete_ && !pages_.any(u64(base) * 4, (u64(base) + 0x2000) * 4))
            return false;
        GlyphFont next{picture_.rows, {}};
        for (u32 n = 0; n < next.rows.size(); ++n)
            next.rows[n] = vram_.data()[((base + n) & 0xffff) * 4 + 2];
        return std::exchange(font, next) != next;
    };
    const bool first = differs(font_, picture_.font_b);
    const bool second = picture_.font_a != picture_.font_b && differs(other_font_, picture_.font_a);
    complete_ |= first || second;
}

Blink Scanout::blink_now() const
{
    const u64 now = clock_.now();
    Blink blink{cursor_, now / character_half_period % 2 == 0};
    blink.cursor.visible &= now / cursor_half_period % 2 == 0;
    return blink;
}

bool Scanout::cursor_in(const TextCursor& cursor, const VgaLine& line) const
{
    return cursor.visible && line.row >= cursor.first && line.row <= cursor.last
        && ((cursor.address - line.start) & 0xffff) <= picture_.columns;
}

void Scanout::force_blinking(const Blink& now)
{
    const bool cursor_changed = now.cursor != drawn_blink_.cursor && (now.cursor.visible || drawn_blink_.cursor.visible);
    const bool phase_changed = now.characters_shown != drawn_blink_.characters_shown;
    if (complete_ || (!cursor_changed && !phase_changed))
        return;
    for (u32 y = 0; y < height_; ++y) {
        if (cursor_changed && (cursor_in(now.cursor, lines_[y]) || cursor_in(drawn_blink_.cursor, lines_[y])))
            forced_rows_[y] = 1;
        if (phase_changed && blinking_rows_[y])
            forced_rows_[y] = 1;
    }
}

void Scanout::draw_row(u32 y)
{
    if (linear_shown_)
        draw_linear(y, row_.data());
    else
        draw_vga(y, row_.data());
    store_row(y, row_.data());
}

void Scanout::draw_linear(u32 y, u32* to) const
{
    const u8* from = vram_.data() + spans_[y].first;
    const u32 width = width_;
    if (linear_.blank || spans_[y].end > vram_.size()) {
        std::fill_n(to, width, opaque);
        return;
    }
    switch (linear_.mode.bits) {
    case 8:
        for (u32 x = 0; x < width; ++x)
            to[x] = linear_.palette[from[x]];
        return;
    case 15:
        for (u32 x = 0; x < width; ++x)
            to[x] = from_555(load_le<u16>(from + 2 * x));
        return;
    case 16:
        for (u32 x = 0; x < width; ++x)
            to[x] = from_565(load_le<u16>(from + 2 * x));
        return;
    case 24:
        for (u32 x = 0; x < width; ++x)
            to[x] = opaque | u32(from[3 * x + 2]) << 16 | u32(from[3 * x + 1]) << 8 | from[3 * x];
        return;
    default:
        for (u32 x = 0; x < width; ++x)
            to[x] = opaque | load_le<u32>(from + 4 * x);
        return;
    }
}

void Scanout::draw_vga(u32 y, u32* to)
{
    if (picture_.kind == VgaPicture::Kind::blank) {
        std::fill_n(to, width_, opaque);
        return;
    }
    const VgaLine& line = lines_[y];
    if (picture_.kind == VgaPicture::Kind::text)
        blinking_rows_[y] = draw_text_line(picture_, line, vram_.data(), drawn_blink_, to);
    else
        draw_graphics_line(picture_, line, vram_.data(), to);
    if (line.pan)
        std::memmove(to, to + line.pan, (line_room(picture_) - line.pan) * sizeof *to);
    if (picture_.widening == 2)
        for (u32 x = width_; x-- > 0;)
            to[x] = to[x / 2];
}

void Scanout::store_row(u32 y, const u32* from)
{
    u32* to = &pixels_[u64(y) * width_];
    if (std::memcmp(to, from, width_ * sizeof *to) == 0)
        return;
    const u32 first = u32(std::mismatch(from, from + width_, to).first - from);
    u32 end = width_;
    while (from[end - 1] == to[end - 1])
        --end;
    std::memcpy(to + first, from + first, (end - first) * sizeof *to);
    damage_ = united(damage_, {first, y, end - first, 1});
}

std::vector<std::vector<u8>> Scanout::text_rows() const
{
    std::vector<std::vector<u8>> rows;
    if (!shows_text())
        return rows;
    const VgaLine* previous = nullptr;
    for (const VgaLine& line : lines_) {
        const bool begins = !previous || line.start != previous->start || line.row < previous->row;
        previous = &line;
        if (!begins)
            continue;
        std::vector<u8>& row = rows.emplace_back(picture_.columns);
        for (u32 column = 0; column < picture_.columns; ++column)
            row[column] = vram_.data()[u64(picture_.address(line.start, column, line.row)) * 4];
    }
    return rows;
}

}
