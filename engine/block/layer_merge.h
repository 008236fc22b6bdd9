#pragma once
// Makes one qcow2 image of several that lie over each other, for what no longer needs them apart.
//
// The new image is written beside them and shows what the topmost shows; it lies over what the lowest lies over. Then it takes
// the topmost's name, in one step: whoever opens that name finds the one or the other whole, whoever has them open reads on in
// the old ones, and all that lies above needs no change. Nothing of the old images is written to. The others of them are of no
// more use, but stay. The images have to be complete: nobody writes to them any more.
//
// Not done: sharing the larger image's clusters with the new one on file systems that can (reflinks); all is copied.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"
#include "engine/block/image_layer.h"
#include "engine/block/new_file.h"

namespace engine {

class LayerMerge {
public:
    // `run` are the images' paths, the lowest first, at least two. Fails where one doesn't lie over the one before it, isn't
    // qcow2, is being written to, or has snapshots inside. Waits for the host.
    static Result<LayerMerge> open(std::span<const std::string> run);

    // Bytes that the images take now, which is the most that has to be copied.
    u64 bytes() const { return bytes_; }
    // Writes the new image and makes it durable; it has no name yet, and is gone with this object. `go_on` is asked every 2 MiB
    // or so. Stops with an error where the answer is no, or the host's disk has less than `room_to_leave` bytes left.
    Result<void> copy(u64 room_to_leave, const std::function<bool()>& go_on);
    // Gives it the topmost's name, durably. An error, and nothing has changed, where the run's files are not those any more
    // that were opened; who calls sees to it that nobody replaces them meanwhile.
    Result<void> replace_topmost();

private:
    // A file of the host that keeps its number while this lives.
    struct Identity {
        std::string path;
        FileDescriptor file;
        bool same_as_before() const;
    };
    LayerMerge() = default;

    std::vector<Identity> identities_;
    std::shared_ptr<ImageLayer> topmost_;
    std::string below_, below_format_;    // as the lowest's header says it
    u64 below_size_ = 0;
    u32 cluster_bits_ = 0;    // of the finest of them
    u64 bytes_ = 0;
    std::unique_ptr<NewFile> merged_;
};

}
