// What a disk tells of itself and lets be set: IDENTIFY DEVICE, SET FEATURES, SMART. ATA/ATAPI-6, 8.15, 8.46, 8.53.

#include <algorithm>

#include "engine/base/bits.h"
#include "engine/device/storage/ata_disk.h"

namespace engine {

namespace {

constexpr u32 default_heads = 16, default_sectors_per_track = 63, most_cylinders = 16383;
constexpr u64 largest_lba28 = 0x0fffffff;

// SET FEATURES, table 43.
enum : u8 {
    enable_write_cache = 0x02,
    set_transfer_mode = 0x03,
    disable_look_ahead = 0x55,
    keep_settings = 0x66,
    disable_write_cache = 0x82,
    enable_look_ahead = 0xaa,
    revert_settings = 0xcc,
};

// SMART, table 47.
enum : u8 {
    smart_read_data_command = 0xd0,
    smart_read_thresholds = 0xd1,
    smart_attribute_autosave = 0xd2,
    smart_save_attributes = 0xd3,
    smart_offline = 0xd4,
    smart_enable = 0xd8,
    smart_disable = 0xd9,
    smart_return_status = 0xda,
};

bool known_transfer_mode(u8 mode)
{
    const u8 number = mode & 7;
    switch (mode >> 3) {
    case 0:    // PIO default, with or without IORDY
        return number <= 1;
    case 1:    // PIO flow control
        return number <= 4;
    case 4:    // multiword DMA
        return number <= 2;
    case 8:    // Ultra DMA
        return number <= 5;
    default:
        return false;
    }
}

}

u32 AtaDisk::cylinders() const
{
    return u32(std::clamp<u64>(sectors() / (default_heads * default_sectors_per_track), 1, most_cylinders));
}

// 8.15, table 27: words 0-61 are the disk's, 100-103 its size.
std::array<u16, 256> AtaDisk::identity_words() const
{
    std::array<u16, 256> w{};
    const u64 total = sectors();
    const u32 track = u32(s_.heads) * s_.sectors_per_track;
    const u32 current_cylinders = u32(std::min<u64>(total / track, 65535));
    const auto put32 = [&w](unsigned at, u64 value) {
        w[at] = u16(value);
        w[at + 1] = u16(value >> 16);
    };
    w[0] = 0x0040;    // not removable
    w[1] = u16(cylinders());
    w[3] = default_heads;
    w[6] = default_sectors_per_track;
    put_text(std::span(w).subspan(10, 10), identity_.serial);
    put_text(std::span(w).subspan(23, 4), identity_.firmware);
    put_text(std::span(w).subspan(27, 20), identity_.model);
    w[54] = u16(current_cylinders);
    w[55] = s_.heads;
    w[56] = s_.sectors_per_track;
    put32(57, std::min<u64>(u64(current_cylinders) * track, largest_lba28));
    put32(60, std::min<u64>(total, largest_lba28));
    put32(100, total);
    put32(102, total >> 32);
    put_abilities(w);
    w[255] = 0x00a5;
    u8 sum = 0;
    for (const u16 word : w)
        sum = u8(sum + word + (word >> 8));
    w[255] |= u16(u8(-sum) << 8);
    return w;
}

void AtaDisk::put_abilities(std::array<u16, 256>& w) const
{
    const auto selected = [this](u8 group) { return s_.dma_mode >> 3 == group ? u16(0x100 << (s_.dma_mode & 7)) : u16(0); };
    w[47] = 0x8010;    // READ/WRITE MULTIPLE: up to 16 sectors
    w[48] = 1;    // 32-bit data port
    w[49] = 0x0b00;    // IORDY, LBA, DMA
    w[50] = 0x4000;
    w[51] = 0x0200;
    w[53] = 0x0007;    // words 54-58, 64-70 and 88 are valid
    w[59] = u16(s_.multiple ? 0x100 | s_.multiple : 0);
    w[63] = u16(0x0007 | selected(4));
    w[64] = 0x0003;    // PIO modes 3 and 4
    w[65] = w[66] = w[67] = w[68] = 120;    // ns a cycle
    w[80] = 0x00f0;    // ATA-4 to ATA-7
    w[82] = 0x4069;    // NOP, look-ahead, write cache, power management, SMART
    w[83] = 0x7400;    // FLUSH CACHE (EXT), 48-bit
    w[84] = 0x4040;    // FUA
    w[85] = u16(0x4008 | (s_.smart ? 1 : 0) | (s_.write_cache ? 0x20 : 0) | (s_.look_ahead ? 0x40 : 0));
    w[86] = 0x3400;
    w[87] = 0x4040;
    w[88] = u16(0x003f | selected(8));
    w[93] = drive_ & 1 ? 0x6b00 : 0x600b;    // 80-wire cable, diagnostics passed
    w[105] = 8;    // DATA SET MANAGEMENT: sectors of ranges
    w[106] = 0x4000;
    w[169] = 1;    // TRIM; what it leaves is not promised
    w[217] = 1;    // nothing turns
}

void AtaDisk::identify()
{
    const auto words = identity_words();
    reply({reinterpret_cast<const u8*>(words.data()), sizeof words});
}

void AtaDisk::set_features()
{
    switch (r_.feature) {
    case set_transfer_mode:
        if (!known_transfer_mode(r_.count))
            return abort_command();
        if (r_.count >> 3 >= 4)
            s_.dma_mode = r_.count;
        return succeed();
    case enable_write_cache:
    case disable_write_cache:
        s_.write_cache = r_.feature == enable_write_cache;
        // 8.46.9: what is cached goes to the medium.
        return s_.write_cache ? succeed() : flush();
    case enable_look_ahead:
    case disable_look_ahead:
        s_.look_ahead = r_.feature == enable_look_ahead;
        return succeed();
    case keep_settings:
    case revert_settings:
        return succeed();
    default:
        return abort_command();
    }
}

void AtaDisk::smart()
{
    const bool key = r_.lba_mid == 0x4f && r_.lba_high == 0xc2;
    if (!key || (!s_.smart && r_.feature != smart_enable))
        return abort_command();
    switch (r_.feature) {
    case smart_read_data_command:
        return smart_read_data(false);
    case smart_read_thresholds:
        return smart_read_data(true);
    case smart_enable:
    case smart_disable:
        s_.smart = r_.feature == smart_enable;
        return succeed();
    case smart_attribute_autosave:
    case smart_save_attributes:
    case smart_offline:
    case smart_return_status:    // LBA mid and high stay as they are: all is well
        return succeed();
    default:
        return abort_command();
    }
}

// The layout is the vendors' common one: 30 attributes of 12 bytes from offset 2.
void AtaDisk::smart_read_data(bool thresholds)
{
    struct Attribute {
        u8 id, flags, threshold;
    };
    constexpr std::array attributes{Attribute{5, 0x03, 10}, Attribute{9, 0x32, 0}, Attribute{12, 0x32, 0}};
    std::array<u8, 512> page{};
    page[0] = 0x10;
    std::size_t at = 2;
    for (const Attribute& a : attributes) {
        page[at] = a.id;
        page[at + 1] = thresholds ? a.threshold : a.flags;
        if (!thresholds)
            page[at + 3] = page[at + 4] = 100;
        at += 12;
    }
    if (!thresholds)
        page[368] = 0x03;    // saves attributes
    u8 sum = 0;
    for (const u8 byte : page)
        sum = u8(sum + byte);
    page[511] = u8(-sum);
    reply(page);
}

}
