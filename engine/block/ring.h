#pragma once
// Reads and writes that wait for the host's disk, many at a time without a thread for each: io_uring(7), by liburing.

#include <functional>
#include <memory>
#include <vector>

#include <sys/uio.h>

#include "engine/base/types.h"

namespace engine {

class Ring {
public:
    // Null where the kernel has none or refuses it, as in many containers, and where Paddock was built without liburing.
    static std::unique_ptr<Ring> make();
    // Nothing is under way any more.
    virtual ~Ring() = default;

    // Any thread; returns at once. `done` is called on the ring's thread with the number of bytes moved, which may be too
    // small, or a negative error number. Descriptor and memory last until then. False: there is no room, and nothing happens.
    enum class Way : u8 { read, write };
    virtual bool move(Way way, int file, u64 offset, std::vector<iovec> parts, std::function<void(int)> done) = 0;
};

}
