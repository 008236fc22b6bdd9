#include "engine/device/storage/floppy_geometry.h"

#include <array>

#include "engine/base/text.h"

namespace engine {

namespace {

// Data rate codes of CCR and DSR, 82078 table 2-7.
constexpr u8 rate_500k = 1 << 0, rate_300k = 1 << 1, rate_250k = 1 << 2, rate_1m = 1 << 3;

using enum FloppyDriveType;

// Smallest first.
// clang-format off
constexpr std::array geometries{
    FloppyGeometry{40, 1,  8, rate_300k | rate_250k, high_5_25},     // 160 KiB
    FloppyGeometry{40, 1,  9, rate_300k | rate_250k, high_5_25},     // 180 KiB
    FloppyGeometry{40, 2,  8, rate_300k | rate_250k, high_5_25},     // 320 KiB
    FloppyGeometry{40, 2,  9, rate_300k | rate_250k, high_5_25},     // 360 KiB
    FloppyGeometry{80, 2,  9, rate_250k,             high_3_5},      // 720 KiB
    FloppyGeometry{80, 2, 15, rate_500k,             high_5_25},     // 1.2 MB
    FloppyGeometry{80, 2, 18, rate_500k,             high_3_5},      // 1.44 MB
    FloppyGeometry{80, 2, 21, rate_500k,             high_3_5},      // 1.68 MB (DMF)
    FloppyGeometry{82, 2, 21, rate_500k,             high_3_5},      // 1.72 MB
    FloppyGeometry{80, 2, 36, rate_1m,               extended_3_5},  // 2.88 MB
};
// clang-format on

}

Result<FloppyGeometry> floppy_geometry(u64 size, const std::string& name)
{
    for (const FloppyGeometry& geometry : geometries)
        if (size <= geometry.bytes())
            return geometry;
    return Error{
        "\"" + name + "\" is not a floppy image", text("its ", size, " bytes are more than a floppy disk holds"),
        "Use it as a disk or as a CD instead"};
}

}
