#pragma once
// A disk or disc made of image layers: what block_device.h promises, for every format. Requests run on the worker pool, reads
// of what the host has in memory at once on the caller's thread.

#include "engine/block/image_layer.h"
#include "engine/block/request_queue.h"

namespace engine {

class DiskImage final : public BlockDevice {
public:
    DiskImage(std::shared_ptr<ImageLayer> top, WorkerPool& workers);
    // Finishes what is under way; the layers write down what they hold in memory.
    ~DiskImage() override;

    void submit(BlockRequest request, CancelToken token, Completion done) override;
    u64 size() const override { return size_; }
    u32 sector_size() const override { return sector_size_; }
    bool read_only() const override { return read_only_; }
    std::string_view name() const override { return name_; }

    // Any thread. The layer that serves requests from now on.
    std::shared_ptr<ImageLayer> top() const { return requests_.layer(); }

    // Atomically changes the topmost layer while the machine runs, without waiting: requests submitted before are carried out
    // and completed on the old layer, all submitted after go to `next`, once those are done. `next` is usually an overlay of
    // top() (open_overlay), or another image altogether (a machine that goes back to a snapshot). It has this disk's size
    // and sector size and can be written where this one can; an error otherwise, and nothing happens.
    // `sealed` is called on a worker when the old layer is complete: all that was written to it is durable and its file may
    // be read by others; or with the fault that prevented it, after which the old layer must not be relied on.
    Result<void> change_top(std::shared_ptr<ImageLayer> next, std::function<void(BlockResult)> sealed);

private:
    u64 size_;
    u32 sector_size_;
    bool read_only_;
    std::string name_;
    RequestQueue requests_;
};

}
