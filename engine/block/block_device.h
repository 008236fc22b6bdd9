#pragma once
// A disk, whatever lies behind it: the contract between storage devices above and image formats below.
//
// Requests are asynchronous. Each submitted request is completed exactly once, on a thread of the implementation's
// choosing, possibly before submit() returns; a device model passes the completion on to the machine thread through its
// CompletionQueue. Requests may be carried out and completed in any order, with one exception: where a write overlaps
// another request, the one submitted first is carried out first. So a write that a reset cancelled too late can never
// overwrite one that was asked for afterwards.
//
// Offsets and lengths come from guests: every value of every field is answered, with a fault where it makes no sense.

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"
#include "engine/block/completion_queue.h"

namespace engine {

// discard: the content is of no more use; reads back as zeroes or as it was. write_zeroes: reads back as zeroes.
enum class BlockOperation : u8 { read, write, flush, discard, write_zeroes };

// no_space: the host's disk is full; nothing is wrong with the request, and the same one may succeed later.
enum class BlockFault : u8 { none, out_of_range, read_only, input_output, no_space, cancelled };

struct BlockResult {
    BlockFault fault = BlockFault::none;
    Error error;    // in words, where there is a fault

    bool ok() const { return fault == BlockFault::none; }
};

struct BlockRequest {
    BlockOperation operation = BlockOperation::read;
    u64 offset = 0;    // bytes, a multiple of the sector size; 0 for flush
    u64 length = 0;    // bytes, a multiple of the sector size; the segments' sum for read and write
    std::vector<std::span<u8>> segments{};    // read into, or written from
    std::shared_ptr<void> memory{};    // held until the request is completed, so that the segments outlive a
        // requester that no longer waits
    bool durable = false;    // write: completes only when a power failure can't undo it
};

class BlockDevice {
public:
    using Completion = std::function<void(BlockResult)>;

    // Completes everything still under way first, as cancelled where it has not begun.
    virtual ~BlockDevice() = default;

    // Any thread, without waiting for the disk. The request is complete in itself: nothing of it is looked up later in the
    // requester. While `token` is cancelled before the request has begun, it completes as cancelled and has no effect.
    // `done` must be quick and must not call this device.
    virtual void submit(BlockRequest request, CancelToken token, Completion done) = 0;

    // Constant while the device lives. Any thread.
    virtual u64 size() const = 0;    // bytes, a multiple of the sector size
    virtual u32 sector_size() const = 0;    // bytes: 512 for disks, 2048 for optical discs
    virtual bool read_only() const = 0;
    virtual std::string_view name() const = 0;    // for a person: the path of the image
};

// Whether `request` lies within `device` and describes itself without contradiction.
bool request_makes_sense(const BlockDevice& device, const BlockRequest& request);

}
