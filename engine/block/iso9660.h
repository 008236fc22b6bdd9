#pragma once
// What an optical disc image says about itself: ECMA-119 (ISO 9660) volume descriptors, the El Torito 1.0 boot catalogue,
// Rock Ridge (IEEE P1282) names in the root directory. Enough to offer a fitting new machine; the image is untrusted.

#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

// El Torito platform identifiers.
enum class BootPlatform : u8 { pc_bios = 0x00, power_pc = 0x01, mac = 0x02, efi = 0xef };

struct IsoInfo {
    // As on the disc without padding; control characters removed. "" where the disc says nothing.
    std::string volume;
    std::string system, publisher, preparer, application;
    u64 volume_size = 0;    // bytes the disc claims; 0 where it doesn't say
    u64 file_size = 0;    // bytes there are

    bool bootable = false;
    std::vector<BootPlatform> platforms;    // of the bootable entries, each once

    std::string disk_info;    // .disk/info (Debian, Ubuntu): first line, at most 4 KiB
    std::string tree_info;    // .treeinfo (Fedora, SUSE …): at most 64 KiB

    bool udf = false;    // also, or only, a UDF volume (Windows, DVDs)
    bool truncated() const { return volume_size > file_size; }
    // What is wrong with the disc although it can be used; an empty `what` where nothing is.
    Error warning;

    bool boots_on(BootPlatform platform) const;
};

// Where the bytes of an image come from. False where `to` can't be filled entirely.
class IsoSource {
public:
    virtual ~IsoSource() = default;
    virtual bool read(u64 offset, std::span<u8> to) = 0;
    virtual u64 size() const = 0;
};

// `name` stands for the image in errors.
Result<IsoInfo> read_iso(IsoSource& source, const std::string& name);
// Reads a few sectors on the calling thread.
Result<IsoInfo> read_iso(const std::string& path);

}
