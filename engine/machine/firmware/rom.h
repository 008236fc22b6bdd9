#pragma once
// Finds the firmware images on the host: SeaBIOS and its VGA BIOS, which Debian ships in the package seabios, and OVMF, which
// it ships in ovmf.

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

struct FirmwareImages {
    std::vector<u8> bios;    // ends at 4 GiB; a multiple of 4 KiB, 128 KiB to 4 MiB
    // Of firmware in flash: what the chip of its variables, which lies beneath it, holds when it is new. A multiple of 4 KiB, at
    // most 4 MiB; empty where the BIOS is a ROM.
    std::vector<u8> variables;
    std::vector<u8> vga_bios;    // an option ROM, at most 256 KiB
};

// `from` is a directory with files named as in Debian's package, or a BIOS image, to which Debian's VGA BIOS is added; ""
// is Debian's directory, MachineDefinition::uefi Debian's OVMF. An image named …CODE… is flash if …VARS… lies beside it.
Result<FirmwareImages> load_firmware(const std::string& from);

// A whole regular file of at most `limit` bytes. Errors name `what` the file is for: "the kernel".
Result<std::vector<u8>> read_whole_file(const std::string& path, u64 limit, const std::string& what);

}
