#include "engine/machine/firmware/smbios.h"

#include <algorithm>
#include <initializer_list>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine {

namespace {
constexpr u64 kib = 1024, mib = 1024 * kib, gib = 1024 * mib;
constexpr u64 largest_module = 16 * gib;
constexpr u8 other = 1, unknown = 2, safe = 3, not_specified = 0;

// DSP0134, 7: structure types and the handles this board gives them
enum Type : u8 {
    bios = 0,
    system = 1,
    chassis = 3,
    processor = 4,
    memory_array = 16,
    memory_device = 17,
    mapped_range = 19,
    boot_information = 32,
    end_of_table = 127
};
enum Handle : u16 {
    bios_handle = 0x000,
    system_handle = 0x100,
    chassis_handle = 0x300,
    processor_handle = 0x400,
    array_handle = 0x1000,
    device_handle = 0x1100,
    range_handle = 0x1300,
    boot_handle = 0x2000,
    end_handle = 0x7f00,
    none_handle = 0xfffe
};

class Tables {
public:
    // Starts a structure; string numbers in it count from 1.
    Tables& begin(Type type, u16 handle)
    {
        structure_ = {type, 0, u8(handle), u8(handle >> 8)};
        return *this;
    }
    Tables& number(u64 value, unsigned width)
    {
        for (unsigned n = 0; n < width; ++n)
            structure_.push_back(u8(value >> (8 * n)));
        return *this;
    }
    Tables& bytes(std::initializer_list<unsigned> values)
    {
        for (const unsigned value : values)
            structure_.push_back(u8(value));
        return *this;
    }
    void end(std::initializer_list<std::string_view> strings)
    {
        structure_[1] = u8(structure_.size());
        for (const std::string_view s : strings) {
            structure_.insert(structure_.end(), s.begin(), s.end());
            structure_.push_back(0);
        }
        structure_.resize(structure_.size() + (strings.size() ? 1 : 2));
        largest_ = std::max(largest_, structure_.size());
        ++count_;
        content_.insert(content_.end(), structure_.begin(), structure_.end());
    }
    const std::vector<u8>& content() const { return content_; }
    std::size_t largest() const { return largest_; }
    unsigned count() const { return count_; }

private:
    std::vector<u8> structure_, content_;
    std::size_t largest_ = 0;
    unsigned count_ = 0;
};

void add_identity(Tables& t, const BoardDescription& board)
{
    constexpr u64 characteristics_not_supported = 1 << 3;
    constexpr u8 acpi_supported = 0x01, is_virtual_machine = 0x10;
    t.begin(bios, bios_handle).bytes({1, 2}).number(0xe800, 2).bytes({3, 0});
    t.number(characteristics_not_supported, 8).bytes({acpi_supported, is_virtual_machine, 0, 0, 0xff, 0xff});
    t.end({"SeaBIOS", "1", "04/01/2014"});

    // The first three fields of the UUID are little-endian (7.2.1).
    constexpr std::array<u8, 16> order{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    constexpr u8 wake_up_power_switch = 6;
    t.begin(system, system_handle).bytes({1, 2, 3, 0});
    for (const u8 n : order)
        t.number(board.uuid[n], 1);
    t.bytes({wake_up_power_switch, 0, 0}).end({"Paddock", "Virtual PC (i440FX + PIIX)", "1"});

    t.begin(chassis, chassis_handle).bytes({1, other, 2, 0, 0, safe, safe, safe, unknown}).number(0, 4).bytes({0, 0, 0, 0, 0});
    t.end({"Paddock", "1"});
}

void add_processor(Tables& t, const BoardDescription& board)
{
    constexpr u8 central_processor = 3, populated_and_enabled = 0x41;
    constexpr u16 no_cache = 0xffff, is_64_bit_and_multi_core = 0x000c;
    constexpr u16 megahertz = 2000;
    const u8 cores = u8(board.cpus);
    t.begin(processor, processor_handle).bytes({1, central_processor, other, 2}).number(0, 8);
    t.bytes({3, 0}).number(0, 2).number(megahertz, 2).number(megahertz, 2).bytes({populated_and_enabled, other});
    t.number(no_cache, 2).number(no_cache, 2).number(no_cache, 2).bytes({0, 0, 0, cores, cores, cores});
    t.number(is_64_bit_and_multi_core, 2).number(other, 2);
    t.end({"CPU 0", "Paddock", "virtual"});
}

void add_memory(Tables& t, const BoardDescription& board)
{
    constexpr u8 on_system_board = 3, system_memory = 3, multi_bit_ecc = 6, dimm = 9, ram = 7;
    constexpr u32 array_size_is_extended = 0x80000000;
    constexpr u16 no_error_information = 0xfffe, other_detail = 0x0002;
    const u64 total = board.low_memory + board.high_memory;
    const u64 modules = std::max<u64>(1, round_up(total, largest_module) / largest_module);

    const bool extended = total / kib >= array_size_is_extended;
    t.begin(memory_array, array_handle).bytes({on_system_board, system_memory, multi_bit_ecc});
    t.number(extended ? array_size_is_extended : total / kib, 4).number(no_error_information, 2).number(modules, 2);
    t.number(extended ? total : 0, 8).end({});

    for (u64 n = 0; n < modules; ++n) {
        const u64 size = std::min(largest_module, total - n * largest_module);
        const std::string locator = text("DIMM ", n);
        t.begin(memory_device, u16(device_handle + n)).number(array_handle, 2).number(no_error_information, 2);
        t.number(0xffff, 2).number(0xffff, 2).number(size / mib, 2).bytes({dimm, 0, 1, 0, ram}).number(other_detail, 2);
        t.number(0, 2).bytes({2, 0, 0, 0, not_specified}).number(0, 4).number(0, 2).number(0, 6).end({locator, "Paddock"});
    }

    const auto range = [&](u64 first, u64 size, u16 handle) {
        const bool wide = first >= BoardDescription::four_gib;
        t.begin(mapped_range, handle).number(wide ? ~0u : first / kib, 4).number(wide ? ~0u : (first + size) / kib - 1, 4);
        t.number(array_handle, 2).number(1, 1).number(wide ? first : 0, 8).number(wide ? first + size - 1 : 0, 8).end({});
    };
    range(0, board.low_memory, range_handle);
    if (board.high_memory)
        range(BoardDescription::four_gib, board.high_memory, range_handle + 1);
}
}

SmbiosTables build_smbios(const BoardDescription& board)
{
    Tables t;
    add_identity(t, board);
    add_processor(t, board);
    add_memory(t, board);
    t.begin(boot_information, boot_handle).bytes({0, 0, 0, 0, 0, 0, 0}).end({});
    t.begin(end_of_table, end_handle).end({});

    constexpr std::size_t anchor_size = 31, intermediate_at = 16;
    SmbiosTables out;
    out.tables = t.content();
    out.anchor.resize(anchor_size);
    u8* anchor = out.anchor.data();
    std::copy_n("_SM_", 4, anchor);
    anchor[5] = anchor_size;
    anchor[6] = 2;    // version 2.8
    anchor[7] = 8;
    store_le<u16>(anchor + 8, u16(t.largest()));
    std::copy_n("_DMI_", 5, anchor + intermediate_at);
    store_le<u16>(anchor + 22, u16(out.tables.size()));
    store_le<u16>(anchor + 28, u16(t.count()));
    anchor[30] = 0x28;
    return out;
}

}
