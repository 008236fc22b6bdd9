#pragma once
// CRC-32C (Castagnoli), RFC 3720, B.4.

#include <span>

#include "engine/base/types.h"

namespace engine {

// `before` is the result for the bytes in front, 0 for none.
u32 crc32c(std::span<const u8> bytes, u32 before = 0);

}
