#pragma once
// Where a machine's randomness comes from: the one door by which it enters, so that a recorder has one thing to record.

#include <optional>

#include "engine/base/types.h"

namespace engine {

// 64 bits of the host's; empty where it has none to give now. Any thread.
std::optional<u64> host_entropy();

}
