#pragma once
#include <span>

#include "engine/base/types.h"

namespace engine {

// Fills `to` with what lies in the open file `file` from `offset` bytes on. False where it ends before or can't be read. Any
// thread; waits for the host.
bool read_file(int file, u64 offset, std::span<u8> to);

}
