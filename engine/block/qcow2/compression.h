#pragma once
// Compressed clusters: raw deflate (RFC 1951) or zstd frames (RFC 8878).

#include <span>
#include <vector>

#include "engine/block/qcow2/layout.h"

namespace engine::qcow2 {

// Fills `to`, one cluster, from data that may be followed by anything. False where it is no such data.
bool decompress(Compression type, std::span<const u8> from, std::span<u8> to);

// Empty where the data would not get smaller.
std::vector<u8> compress(Compression type, std::span<const u8> from);

}
