#pragma once
// The log of a VHDX image that was not closed in order: [MS-VHDX] 2.3. What it would change is laid over the file in memory, and
// the file stays as it is.

#include <array>
#include <memory>

#include "engine/block/image_file.h"

namespace engine {

using VhdxGuid = std::array<u8, 16>;

struct VhdxLogPlace {
    u64 offset = 0, length = 0;    // bytes in the file, both multiples of 1 MiB
    VhdxGuid guid{};    // that all of its entries bear
};

// `file` as it is once the log is replayed; read only. An error's `what` says why that can't be, as a part of a sentence.
Result<std::unique_ptr<ImageFile>> with_log_replayed(std::unique_ptr<ImageFile> file, const VhdxLogPlace& log);

}
