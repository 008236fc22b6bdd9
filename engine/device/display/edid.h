#pragma once
// What the monitor says of itself. VESA E-EDID 1.4 with a CEA-861 extension that lists further sizes.

#include <array>

#include "engine/base/types.h"

namespace engine {

using Edid = std::array<u8, 256>;

// A 60 Hz monitor (CVT reduced blanking) that prefers `width` x `height` pixels, clamped to 640 x 480 … 4088 x 4095, and
// lists the usual sizes up to 2560 x 1600.
Edid make_edid(u32 width, u32 height);

}
