#include "engine/device/display/bochs_display.h"

#include <algorithm>
#include <cstring>

namespace engine {

namespace {
enum : u16 {
    index_id,
    index_xres,
    index_yres,
    index_bpp,
    index_enable,
    index_bank,
    index_virt_width,
    index_virt_height,
    index_x_offset,
    index_y_offset,
    index_video_memory_64k,
};
constexpr u16 enable_enabled = 0x01, enable_getcaps = 0x02, enable_no_clear = 0x80, enable_writable = 0xe3;

bool known_depth(u16 bits)
{
    return bits == 4 || bits == 8 || bits == 15 || bits == 16 || bits == 24 || bits == 32;
}
}

u16 BochsDisplay::read(u16 index) const
{
    const bool capabilities = s_.enable & enable_getcaps;
    switch (index) {
    case index_id:
        return s_.id;
    case index_xres:
        return capabilities ? max_width : s_.width;
    case index_yres:
        return capabilities ? max_height : s_.height;
    case index_bpp:
        return capabilities ? 32 : s_.bits;
    case index_enable:
        return s_.enable;
    case index_bank:
        return s_.bank;
    case index_virt_width:
        return enabled() ? u16(mode_.virtual_width) : s_.virtual_width;
    case index_virt_height:
        return u16(mode_.virtual_height);
    case index_x_offset:
        return s_.x_offset;
    case index_y_offset:
        return s_.y_offset;
    case index_video_memory_64k:
        return banks();
    default:
        return 0xffff;
    }
}

void BochsDisplay::write(u16 index, u16 value)
{
    switch (index) {
    case index_id:
        if (value >= 0xb0c0 && value <= 0xb0c5)
            s_.id = value;
        return;
    case index_xres:
        s_.width = std::min(value, max_width);
        break;
    case index_yres:
        s_.height = std::min(value, max_height);
        break;
    case index_bpp:
        if (value == 0)
            s_.bits = 8;
        else if (known_depth(value))
            s_.bits = value;
        break;
    case index_enable:
        write_enable(value);
        break;
    case index_bank:
        s_.bank = u16(std::min<u32>(value, banks() ? banks() - 1u : 0u));
        ++changes_;
        return;
    case index_virt_width:
        s_.virtual_width = value;
        break;
    case index_x_offset:
        s_.x_offset = value;
        break;
    case index_y_offset:
        s_.y_offset = value;
        break;
    default:
        return;
    }
    update_mode();
}

void BochsDisplay::write_enable(u16 value)
{
    const bool starts = value & enable_enabled && !enabled();
    s_.enable = value & enable_writable;
    if (!starts)
        return;
    s_.virtual_width = s_.width;
    s_.x_offset = s_.y_offset = 0;
    s_.bank = 0;
    update_mode();
    if (!(value & enable_no_clear))
        clear_screen();
}

// Every product is of clamped 32-bit values in 64 bits, and every derived line ends within the memory.
void BochsDisplay::update_mode()
{
    ++changes_;
    if (!enabled()) {
        mode_ = {};
        return;
    }
    const u64 memory = s_.bits == 4 ? plane_size() : vram_.size();
    const u64 pixel_bits = s_.bits == 4 ? 1 : (s_.bits + 7) / 8 * 8;
    const u64 pixels = std::min<u64>(memory * 8 / pixel_bits, 1u << 30);
    Mode& m = mode_;
    m.bits = s_.bits;
    m.width = u32(std::min<u64>(std::clamp<u32>(s_.width, 1, max_width), pixels / 8 * 8));
    m.virtual_width = std::max<u32>(s_.virtual_width, m.width);
    if (m.bits == 4)
        m.virtual_width = (m.virtual_width + 7) / 8 * 8;
    m.height = u32(std::clamp<u64>(s_.height, 1, std::min<u64>(max_height, std::max<u64>(1, pixels / m.width))));
    // A virtual screen too wide to show `height` rows of gives way to the rows.
    if (u64(m.virtual_width) * m.height > pixels)
        m.virtual_width = std::max<u32>(m.width, u32(pixels / m.height / 8 * 8));
    if (m.bits == 4)
        m.virtual_width = (m.virtual_width + 7) / 8 * 8;
    m.height = u32(std::min<u64>(m.height, pixels / m.virtual_width));
    m.stride = u32(m.virtual_width * pixel_bits / 8);
    m.virtual_height = u32(std::min<u64>(memory / m.stride, 0xffff));
    m.height = std::min(m.height, m.virtual_height);
    m.x_offset = std::min<u32>(s_.x_offset, m.virtual_width - m.width);
    m.y_offset = std::min<u32>(s_.y_offset, m.virtual_height - m.height);
    s_.x_offset = u16(m.x_offset);
    s_.y_offset = u16(m.y_offset);
}

void BochsDisplay::clear_screen()
{
    const u64 planes = mode_.bits == 4 ? 4 : 1;
    const u64 length = std::min<u64>(vram_.size(), u64(mode_.stride) * mode_.height * planes);
    vram_.before_write(0, length);
    std::memset(vram_.data(), 0, length);
    vram_.written(0, length);
}

void BochsDisplay::reset()
{
    s_ = {};
    update_mode();
}

void BochsDisplay::visit(StateVisitor& v)
{
    auto& [index, id, width, height, bits, enable, bank, virtual_width, x_offset, y_offset] = s_;
    v.field("index", index);
    v.field("id", id);
    v.field("width", width);
    v.field("height", height);
    v.field("bits", bits);
    v.field("enable", enable);
    v.field("bank", bank);
    v.field("virtual_width", virtual_width);
    v.field("x_offset", x_offset);
    v.field("y_offset", y_offset);
}

bool BochsDisplay::restored()
{
    if (!known_depth(s_.bits) || s_.bank >= std::max<u16>(banks(), 1) || s_.width > max_width || s_.height > max_height)
        return false;
    update_mode();
    return true;
}

}
