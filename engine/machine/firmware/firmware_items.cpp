#include "engine/machine/firmware/firmware_items.h"

#include <algorithm>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/machine/firmware/acpi_tables.h"
#include "engine/machine/firmware/smbios.h"

namespace engine {

namespace {
// Keys of the fw_cfg interface
constexpr u16 key_uuid = 0x02, key_ram_size = 0x03, key_no_graphic = 0x04, key_cpu_count = 0x05, key_machine_id = 0x06,
              key_kernel_size = 0x08, key_initrd_size = 0x0b, key_boot_device = 0x0c, key_numa = 0x0d, key_boot_menu = 0x0e,
              key_max_cpus = 0x0f, key_command_line_size = 0x14, key_setup_size = 0x17;
constexpr u16 key_acpi_tables = 0x8000, key_smbios_entries = 0x8001, key_irq0_override = 0x8002;

// CMOS, as IBM's PC AT and SeaBIOS lay it out
constexpr u8 cmos_floppy = 0x10, cmos_equipment = 0x14, cmos_base_memory = 0x15, cmos_extended_memory = 0x17,
             cmos_extended_memory_2 = 0x30, cmos_memory_above_16m = 0x34, cmos_boot_flags = 0x38, cmos_boot_order = 0x3d,
             cmos_memory_above_4g = 0x5b, cmos_cpu_count = 0x5f;
constexpr u8 equipment_floppy = 0x01, equipment_fpu = 0x02, equipment_mouse = 0x04, equipment_floppy_count_shift = 6;
constexpr u64 kib = 1024, mib = 1024 * kib, unit_64k = 64 * kib;

template <class T> void append_le(std::vector<u8>& out, T value)
{
    const u8* bytes = reinterpret_cast<const u8*>(&value);
    out.insert(out.end(), bytes, bytes + sizeof value);
}

std::vector<u8> e820_file(const BoardDescription& board)
{
    std::vector<u8> file;
    for (const MemoryMapEntry& entry : memory_map(board)) {
        append_le(file, entry.first);
        append_le(file, entry.size);
        append_le(file, entry.type);
    }
    return file;
}

std::vector<u8> boot_order_file(const BoardDescription& board)
{
    std::vector<u8> file;
    for (const std::string& path : board.boot_paths) {
        file.insert(file.end(), path.begin(), path.end());
        file.push_back('\n');
    }
    if (!file.empty())
        file.back() = 0;
    return file;
}

u8 boot_nibble(const std::string& order, std::size_t place)
{
    switch (place < order.size() ? order[place] : ' ') {
    case 'a':
        return 1;
    case 'c':
        return 2;
    case 'd':
        return 3;
    case 'n':
        return 4;
    default:
        return 0;
    }
}
}

std::vector<MemoryMapEntry> memory_map(const BoardDescription& board)
{
    std::vector<MemoryMapEntry> map{
        {0, board.low_memory, MemoryMapEntry::ram},
        {BoardDescription::kvm_pages, BoardDescription::kvm_pages_size, MemoryMapEntry::reserved},
    };
    if (board.high_memory)
        map.push_back({BoardDescription::four_gib, board.high_memory, MemoryMapEntry::ram});
    return map;
}

void fill_fw_cfg(FwCfg& fw_cfg, const BoardDescription& board)
{
    fw_cfg.add_item(key_uuid, {board.uuid.begin(), board.uuid.end()});
    fw_cfg.add_value<u64>(key_ram_size, board.low_memory + board.high_memory);
    fw_cfg.add_value<u16>(key_no_graphic, 0);
    fw_cfg.add_value<u16>(key_cpu_count, u16(board.cpus));
    fw_cfg.add_value<u32>(key_machine_id, 0);
    fw_cfg.add_value<u32>(key_kernel_size, 0);
    fw_cfg.add_value<u32>(key_initrd_size, 0);
    fw_cfg.add_value<u16>(key_boot_device, u8(board.boot_order.empty() ? 'c' : board.boot_order.front()));
    fw_cfg.add_value<u64>(key_numa, 0);
    fw_cfg.add_value<u16>(key_boot_menu, 0);
    fw_cfg.add_value<u16>(key_max_cpus, u16(board.cpus));
    fw_cfg.add_value<u32>(key_command_line_size, 0);
    fw_cfg.add_value<u32>(key_setup_size, 0);
    fw_cfg.add_value<u16>(key_acpi_tables, 0);
    fw_cfg.add_value<u16>(key_smbios_entries, 0);
    fw_cfg.add_value<u32>(key_irq0_override, 1);

    fw_cfg.add_file("etc/e820", e820_file(board));
    if (!board.boot_paths.empty())
        fw_cfg.add_file("bootorder", boot_order_file(board));
    // Bit 7: the state exists. S3 and S4 are not offered; S5 is SLP_TYP 0.
    fw_cfg.add_file("etc/system-states", std::vector<u8>{0x80, 0, 0, 0x01, 0x02, 0x80});

    AcpiTables acpi = build_acpi_tables(board);
    fw_cfg.add_file(AcpiTables::rsdp_file, std::move(acpi.rsdp));
    fw_cfg.add_file(AcpiTables::tables_file, std::move(acpi.tables));
    fw_cfg.add_file("etc/table-loader", std::move(acpi.loader));
    SmbiosTables smbios = build_smbios(board);
    fw_cfg.add_file("etc/smbios/smbios-anchor", std::move(smbios.anchor));
    fw_cfg.add_file("etc/smbios/smbios-tables", std::move(smbios.tables));
}

std::vector<std::pair<u8, u8>> cmos_contents(const BoardDescription& board)
{
    std::vector<std::pair<u8, u8>> bytes;
    const auto word = [&](u8 index, u64 value) {
        bytes.emplace_back(index, u8(value));
        bytes.emplace_back(u8(index + 1), u8(value >> 8));
    };
    const u8 first = u8(board.floppies[0]), second = u8(board.floppies[1]);
    const unsigned drives = (first != 0) + (second != 0);
    bytes.emplace_back(cmos_floppy, u8(first << 4 | second));
    bytes.emplace_back(
        cmos_equipment,
        u8(equipment_fpu | equipment_mouse | (drives ? equipment_floppy | (drives - 1) << equipment_floppy_count_shift : 0)));

    const u64 extended = board.low_memory > mib ? (board.low_memory - mib) / kib : 0;
    word(cmos_base_memory, 640);
    word(cmos_extended_memory, std::min<u64>(extended, 0xffff));
    word(cmos_extended_memory_2, std::min<u64>(extended, 0xffff));
    const u64 above_16m = board.low_memory > 16 * mib ? (board.low_memory - 16 * mib) / unit_64k : 0;
    word(cmos_memory_above_16m, std::min<u64>(above_16m, 0xffff));
    const u64 above_4g = board.high_memory / unit_64k;
    word(cmos_memory_above_4g, above_4g);
    bytes.emplace_back(u8(cmos_memory_above_4g + 2), u8(above_4g >> 16));

    bytes.emplace_back(cmos_boot_order, u8(boot_nibble(board.boot_order, 0) | boot_nibble(board.boot_order, 1) << 4));
    bytes.emplace_back(cmos_boot_flags, u8(boot_nibble(board.boot_order, 2) << 4));
    bytes.emplace_back(cmos_cpu_count, u8(board.cpus - 1));
    return bytes;
}

std::string ide_boot_path(unsigned channel, unsigned unit)
{
    return text("/pci@i0cf8/ide@1,1/drive@", channel, "/disk@", unit);
}

std::string floppy_boot_path(unsigned drive)
{
    return text("/pci@i0cf8/isa@1/fdc@03f0/floppy@", drive);
}

std::string rom_boot_path(std::string_view fw_cfg_file)
{
    return text("/rom@", fw_cfg_file);
}

}
