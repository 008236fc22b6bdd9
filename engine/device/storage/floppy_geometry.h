#pragma once
// Floppy disks as PCs know them, told apart by the size of their image.

#include <string>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

// The types that firmware keeps in CMOS 10h, a nibble a drive.
enum class FloppyDriveType : u8 { none = 0, double_5_25 = 1, high_5_25 = 2, double_3_5 = 3, high_3_5 = 4, extended_3_5 = 5 };

struct FloppyGeometry {
    u8 cylinders = 80, heads = 2, sectors = 18;    // sectors of 512 bytes a track
    u8 rates = 1 << 0;    // data rates it is read at: bits of the codes in CCR
    FloppyDriveType drive = FloppyDriveType::high_3_5;

    u32 bytes() const { return u32(cylinders) * heads * sectors * 512; }
};

// The disk that an image of `size` bytes is; one that is cut short counts as the smallest that holds it. `name` stands for
// the image in the error.
Result<FloppyGeometry> floppy_geometry(u64 size, const std::string& name);

}
