// The VGA's ports.

#include "engine/device/display/vga.h"

#include "engine/base/bits.h"

namespace engine {

namespace {
// Bits that exist. Sequencer: reset, clocking mode, map mask, character map select, memory mode.
constexpr std::array<u8, 5> sequencer_bits{0x03, 0x3d, 0x0f, 0x3f, 0x0e};
// Graphics controller: set/reset, its enable, colour compare, rotate, read map, mode, miscellaneous, don't care, bit mask.
constexpr std::array<u8, 9> graphics_bits{0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
// Attribute controller: palette, mode control, overscan, plane enable, pel panning, colour select.
constexpr u8 attribute_bits(u8 index)
{
    constexpr std::array<u8, 5> bits{0xef, 0xff, 0x3f, 0x0f, 0x0f};
    return index < 0x10 ? 0x3f : bits[index - 0x10];
}
constexpr u8 misc_colour = 0x01;
constexpr u8 crtc_overflow = 0x07, crtc_line_compare_8 = 0x10;
constexpr u8 crtc_retrace_end = 0x11, crtc_protect = 0x80;
constexpr u8 crtc_graphics_latch = 0x22, crtc_attribute_toggle = 0x24;    // read-only, undocumented by IBM but on every VGA
constexpr u8 status0_switch_sense = 0x10;
constexpr u8 status1_retrace = 0x08, status1_not_displaying = 0x01;

struct Beam {
    u64 frame;    // nanoseconds
    u32 lines, shown_lines, retrace_first, retrace_length;
    u32 dots, shown_dots;
};

Beam beam_of(const Vga::State& s)
{
    const auto& c = s.crtc;
    const u32 dots_per_character = s.sequencer[1] & 1 ? 8 : 9;
    Beam b{};
    b.dots = (c[0] + 5u) * dots_per_character;
    b.shown_dots = (c[1] + 1u) * dots_per_character;
    b.lines = (c[6] | (c[7] & 0x01u) << 8 | (c[7] & 0x20u) << 4) + 2u;
    b.shown_lines = (c[0x12] | (c[7] & 0x02u) << 7 | (c[7] & 0x40u) << 3) + 1u;
    b.retrace_first = c[0x10] | (c[7] & 0x04u) << 6 | (c[7] & 0x80u) << 2;
    b.retrace_length = ((c[0x11] - b.retrace_first) & 0x0f) + (c[0x11] % 16 == b.retrace_first % 16 ? 16 : 0);
    u64 clock = (s.miscellaneous >> 2 & 3) == 1 ? 28'322'000 : 25'175'000;
    if (s.sequencer[1] & 0x08)
        clock /= 2;
    if (c[0x17] & 0x04)
        clock /= 2;
    b.frame = u64(b.dots) * b.lines * 1'000'000'000 / clock;
    return b;
}

// What a multi-frequency monitor would get: 60 Hz, five lines in a hundred blank.
Beam beam_of(const BochsDisplay::Mode& mode)
{
    const u32 blank = mode.height / 20 + 3;
    return {16'666'667, mode.height + blank, mode.height, mode.height + blank / 3, blank / 3 + 1, 100, 80};
}

// Half-programmed registers must not stop programs that wait for the retrace.
void make_plausible(Beam& b)
{
    if (b.frame < 4'000'000 || b.frame > 100'000'000)
        b.frame = 14'268'000;
    if (b.lines < 100 || b.retrace_first >= b.lines) {
        b.lines = 449;
        b.shown_lines = 400;
        b.retrace_first = 412;
        b.retrace_length = 2;
    }
}
}

// The CRT controller's ports are at 3dx for colour and at 3bx for monochrome monitors.
bool Vga::answers(u16 port) const
{
    return port >> 4 != (s_.miscellaneous & misc_colour ? 0x3b : 0x3d);
}

void Vga::change(u8& part, unsigned value)
{
    changes_ += part != value;
    part = u8(value);
}

u8 Vga::read_port(u16 port)
{
    if (!answers(port))
        return 0xff;
    switch (port) {
    case 0x3c0:
        return s_.attribute_index;
    case 0x3c1:
        return read_attribute();
    case 0x3c2:
        return status0_switch_sense;
    case 0x3c4:
        return s_.sequencer_index;
    case 0x3c5:
        return s_.sequencer_index < s_.sequencer.size() ? s_.sequencer[s_.sequencer_index] : 0;
    case 0x3c6:
    case 0x3c7:
    case 0x3c8:
    case 0x3c9:
        return read_dac_port(port);
    case 0x3ca:
        return s_.feature_control;
    case 0x3cc:
        return s_.miscellaneous;
    case 0x3ce:
        return s_.graphics_index;
    case 0x3cf:
        return s_.graphics_index < s_.graphics.size() ? s_.graphics[s_.graphics_index] : 0;
    case 0x3b4:
    case 0x3d4:
        return s_.crtc_index;
    case 0x3b5:
    case 0x3d5:
        return read_crtc();
    case 0x3ba:
    case 0x3da:
        s_.attribute_data_next = 0;
        return input_status_1();
    default:
        return 0xff;
    }
}

void Vga::write_port(u16 port, u8 value)
{
    if (!answers(port))
        return;
    switch (port) {
    case 0x3c0:
        write_attribute(value);
        return;
    case 0x3c2:
        change(s_.miscellaneous, value & 0xef);
        return;
    case 0x3c4:
        s_.sequencer_index = value & 7;
        return;
    case 0x3c5:
        if (const u8 n = s_.sequencer_index; n < s_.sequencer.size())
            change(s_.sequencer[n], value & sequencer_bits[n]);
        return;
    case 0x3c6:
    case 0x3c7:
    case 0x3c8:
    case 0x3c9:
        write_dac_port(port, value);
        return;
    case 0x3ce:
        s_.graphics_index = value & 0x0f;
        return;
    case 0x3cf:
        if (const u8 n = s_.graphics_index; n < s_.graphics.size())
            change(s_.graphics[n], value & graphics_bits[n]);
        return;
    case 0x3b4:
    case 0x3d4:
        s_.crtc_index = value & 0x3f;
        return;
    case 0x3b5:
    case 0x3d5:
        write_crtc(value);
        return;
    case 0x3ba:
    case 0x3da:
        s_.feature_control = value & 0x0b;
        return;
    default:
        return;
    }
}

u8 Vga::read_attribute() const
{
    const u8 index = s_.attribute_index & 0x1f;
    return index < s_.attribute.size() ? s_.attribute[index] : 0;
}

void Vga::write_attribute(u8 value)
{
    if (!s_.attribute_data_next) {
        changes_ += (s_.attribute_index ^ value) >> 5 & 1;
        s_.attribute_index = value & 0x3f;
    } else if (const u8 index = s_.attribute_index & 0x1f; index < s_.attribute.size()) {
        change(s_.attribute[index], value & attribute_bits(index));
    }
    s_.attribute_data_next ^= 1;
}

u8 Vga::read_crtc() const
{
    if (s_.crtc_index < s_.crtc.size())
        return s_.crtc[s_.crtc_index];
    if (s_.crtc_index == crtc_graphics_latch)
        return u8(s_.latch >> 8 * (s_.graphics[4] & 3));
    if (s_.crtc_index == crtc_attribute_toggle)
        return u8(s_.attribute_data_next << 7);
    return 0;
}

void Vga::write_crtc(u8 value)
{
    const u8 index = s_.crtc_index;
    if (index >= s_.crtc.size())
        return;
    if (s_.crtc[crtc_retrace_end] & crtc_protect && index <= crtc_overflow) {
        if (index != crtc_overflow)
            return;
        value = u8((s_.crtc[index] & ~crtc_line_compare_8) | (value & crtc_line_compare_8));
    }
    change(s_.crtc[index], value);
}

u8 Vga::read_dac_port(u16 port)
{
    switch (port) {
    case 0x3c6:
        return s_.dac_mask;
    case 0x3c7:
        return s_.dac_reads ? 3 : 0;
    case 0x3c8:
        return s_.dac_write_index;
    default:
        return read_dac();
    }
}

void Vga::write_dac_port(u16 port, u8 value)
{
    switch (port) {
    case 0x3c6:
        change(s_.dac_mask, value);
        return;
    case 0x3c7:
        s_.dac_read_index = value;
        s_.dac_write_index = u8(value + 1);
        break;
    case 0x3c8:
        s_.dac_write_index = value;
        break;
    default:
        write_dac(value);
        return;
    }
    s_.dac_component = 0;
    s_.dac_reads = port == 0x3c7;
}

u8 Vga::read_dac()
{
    const u8 value = s_.dac[s_.dac_read_index * 3u + s_.dac_component % 3];
    if (++s_.dac_component >= 3) {
        s_.dac_component = 0;
        ++s_.dac_read_index;
    }
    return value;
}

void Vga::write_dac(u8 value)
{
    if (!bochs_.wide_dac())
        value &= 0x3f;
    if (s_.dac_component < 2) {
        s_.dac_pending[s_.dac_component++] = value;
        return;
    }
    u8* colour = &s_.dac[s_.dac_write_index * 3u];
    colour[0] = s_.dac_pending[0];
    colour[1] = s_.dac_pending[1];
    colour[2] = value;
    ++s_.dac_write_index;
    s_.dac_component = 0;
    ++changes_;
}

u8 Vga::input_status_1() const
{
    Beam b = bochs_.linear() ? beam_of(bochs_.mode()) : beam_of(s_);
    make_plausible(b);
    const u64 into_frame = clock_.now() % b.frame;
    const u64 dot = into_frame * b.lines * b.dots / b.frame;
    const u32 line = u32(dot / b.dots);
    u8 status = 0;
    if (line >= b.shown_lines || dot % b.dots >= b.shown_dots)
        status |= status1_not_displaying;
    if (line - b.retrace_first < b.retrace_length)
        status |= status1_retrace | status1_not_displaying;
    return status;
}

void Vga::reset()
{
    s_ = {};
    ++changes_;
}

void Vga::visit(StateVisitor& v)
{
    auto& [miscellaneous, feature_control, sequencer_index, sequencer, graphics_index, graphics, crtc_index, crtc, attribute_index, attribute_data_next, attribute, dac_mask, dac_reads, dac_read_index, dac_write_index, dac_component, dac_pending, dac, latch]
        = s_;
    v.field("miscellaneous", miscellaneous);
    v.field("feature_control", feature_control);
    v.field("sequencer_index", sequencer_index);
    v.field("sequencer", sequencer);
    v.field("graphics_index", graphics_index);
    v.field("graphics", graphics);
    v.field("crtc_index", crtc_index);
    v.field("crtc", crtc);
    v.field("attribute_index", attribute_index);
    v.field("attribute_data_next", attribute_data_next);
    v.field("attribute", attribute);
    v.field("dac_mask", dac_mask);
    v.field("dac_reads", dac_reads);
    v.field("dac_read_index", dac_read_index);
    v.field("dac_write_index", dac_write_index);
    v.field("dac_component", dac_component);
    v.field("dac_pending", dac_pending);
    v.field("dac", dac);
    v.field("latch", latch);
}

bool Vga::restored()
{
    ++changes_;
    return s_.dac_component < 3 && s_.attribute_data_next < 2 && s_.sequencer_index < 8 && s_.graphics_index < 16
        && s_.crtc_index < 64 && s_.attribute_index < 64;
}

}
