#pragma once
// zstd frames (RFC 8878), one for each piece of data.

#include <span>
#include <vector>

#include "engine/base/types.h"

namespace engine {

// Empty where it would not become smaller.
std::vector<u8> compress(std::span<const u8> bytes, int level);
// Fills `to` exactly; false for anything else than a frame of that length.
bool decompress(std::span<const u8> bytes, std::span<u8> to);

}
