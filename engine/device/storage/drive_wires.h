#pragma once
// What every drive is wired to beside its bus.

#include <functional>

#include "engine/base/result.h"
#include "engine/block/completion_queue.h"

namespace engine {

// Activity lamps: IDE drives are 0 to 3 (primary master first), floppy drives 4 and 5. Machine's lock held.
using DriveListener = std::function<void(unsigned drive, bool write)>;

// The host can't carry out a request now (its disk is full). The request is kept; the drive's retry_failed() repeats it.
// Machine's lock held.
using StoppedByHost = std::function<void(const Error& error)>;

struct DriveWires {
    CompletionQueue& completions;    // outlives the drive
    DriveListener active{};
    StoppedByHost on_stopped_by_host{};
};

}
