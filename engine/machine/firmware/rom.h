#pragma once
// Finds the firmware images on the host: SeaBIOS and its VGA BIOS, which Debian ships in the package seabios.

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

struct FirmwareImages {
    std::vector<u8> bios;    // ends at 4 GiB; a multiple of 64 KiB, 128 KiB to 4 MiB
    std::vector<u8> vga_bios;    // an option ROM, at most 256 KiB
};

// `from` is a directory with files named as in Debian's package, or a BIOS image, to which Debian's VGA BIOS is added; ""
// is Debian's directory.
Result<FirmwareImages> load_firmware(const std::string& from);

// A whole regular file of at most `limit` bytes. Errors name `what` the file is for: "the kernel".
Result<std::vector<u8>> read_whole_file(const std::string& path, u64 limit, const std::string& what);

}
