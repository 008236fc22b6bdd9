#pragma once
// What firmware and guests are told about the board: the one source of the fw_cfg items, ACPI tables, SMBIOS and CMOS.

#include <array>
#include <string>
#include <vector>

#include "engine/base/types.h"

namespace engine {

enum class FloppyDrive : u8 { none = 0, drive_360k = 1, drive_1200k = 2, drive_720k = 3, drive_1440k = 4, drive_2880k = 5 };

struct BoardDescription {
    u64 low_memory = 0;    // bytes of RAM from address 0 to the PCI hole, at most pci_window_end
    u64 high_memory = 0;    // bytes of RAM from 4 GiB up
    unsigned cpus = 1;    // APIC ids 0 to cpus - 1
    std::array<u8, 16> uuid{};    // as SMBIOS prints it, network byte order
    std::array<FloppyDrive, 2> floppies{FloppyDrive::drive_1440k, FloppyDrive::none};
    bool serial_port = true;    // COM1
    bool hpet = true;
    // A window for PCI above 4 GiB and RAM; size 0: none.
    u64 pci_window64 = 0, pci_window64_size = 0;
    // Who boots first: letters d optical, c disk, a floppy, n network; at most 3 count.
    std::string boot_order = "cda";
    // OpenFirmware paths for the file "bootorder", most wanted first.
    std::vector<std::string> boot_paths;

    static constexpr u64 four_gib = u64(1) << 32;
    static constexpr u64 pci_window_end = 0xfec00000;
    static constexpr u64 kvm_pages = 0xfffbc000, kvm_pages_size = 0x4000;    // identity map and TSS of /dev/kvm
};

}
