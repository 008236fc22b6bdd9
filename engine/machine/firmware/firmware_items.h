#pragma once
// What the firmware reads about the machine: the fw_cfg items, the memory map, the boot order and the CMOS bytes.

#include <utility>

#include "engine/machine/firmware/board_description.h"
#include "engine/machine/firmware/fw_cfg.h"

namespace engine {

struct MemoryMapEntry {
    u64 first, size;
    u32 type;    // E820: 1 RAM, 2 reserved

    static constexpr u32 ram = 1, reserved = 2;
};

// What the board knows; firmware adds its own areas.
std::vector<MemoryMapEntry> memory_map(const BoardDescription& board);

// All items and files, ACPI and SMBIOS among them; the caller may add more afterwards.
void fill_fw_cfg(FwCfg& fw_cfg, const BoardDescription& board);

// Index and value of each CMOS byte that firmware reads; the clock's own registers are not among them.
std::vector<std::pair<u8, u8>> cmos_contents(const BoardDescription& board);

// OpenFirmware paths as SeaBIOS forms them. Channel 0 is the primary, unit 0 the master.
std::string ide_boot_path(unsigned channel, unsigned unit);
std::string floppy_boot_path(unsigned drive);
std::string rom_boot_path(std::string_view fw_cfg_file);

}
