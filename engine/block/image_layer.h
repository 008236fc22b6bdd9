#pragma once
// One layer of a disk: an open image of some format, on top of another where it is an overlay. A layer does what it is asked
// while the caller waits; DiskImage (disk_image.h) makes a BlockDevice of the topmost.
//
// Every method may be called from any thread, several at once. Two callers must not change overlapping bytes at a time;
// DiskImage sees to that.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/block/block_device.h"

namespace engine {

class ImageLayer {
public:
    virtual ~ImageLayer() = default;

    // Carries out a request that makes sense for this layer, and changes nothing where the layer is read-only. After no_space
    // the same request may be made again.
    virtual BlockResult execute(const BlockRequest& request) = 0;
    // A read that needs no waiting for the host's disk. False: nothing is done, the request has to be executed.
    virtual bool read_at_once(const BlockRequest& request) { return (void)request, false; }

    // Where the bytes that a read asks for lie in one piece in a file of the host, or where a write may put its own past the
    // host's cache with nothing else to be changed; they stay there as long as `hold` lives.
    struct Place {
        int descriptor = -1;
        u64 offset = 0;
        std::vector<std::shared_ptr<void>> hold{};
    };
    // Nothing where they don't, or where that can't be said at once.
    virtual std::optional<Place> place(const BlockRequest& request) { return (void)request, std::nullopt; }
    // Whether writes wait for the host's disk.
    virtual bool past_cache() const { return false; }
    // A write that changes nothing but bytes of this layer's file which are this disk's already, and waits for no more than that
    // file. False: the request has to be executed.
    virtual bool write_in_place(const BlockRequest& request) { return (void)request, false; }

    virtual u64 size() const = 0;    // bytes, whole sectors
    virtual u32 sector_size() const { return 512; }
    virtual bool read_only() const = 0;
    virtual std::string_view name() const = 0;    // path of the image
    virtual std::string_view format() const = 0;    // "raw", "qcow2" … as backing files are named

    // What a reader finds at `offset`, for copying: the answer holds for `length` bytes, at least one sector, at most `most`.
    struct Extent {
        u64 length = 0;
        bool zero = false;    // reads as zeroes
        bool own = true;    // this layer says so, not one below
        bool compressed = false;
    };
    virtual Extent extent(u64 offset, u64 most) { return (void)offset, Extent{.length = most}; }

    // Writes down what is still in memory, makes it durable, and turns read-only, so that others may read the image. No request
    // is under way. Waits.
    virtual BlockResult seal() { return {}; }
    virtual std::shared_ptr<ImageLayer> backing() const { return {}; }
    // Goes on over another layer in place of the one below it, which shows the same bytes. Requests that are under way end on
    // the one before, which lives until then.
    virtual void change_backing(const std::shared_ptr<ImageLayer>& same) { (void)same; }
};

// Whether bytes of `layer` are known to read as zeroes, as those beyond its end do. Nothing is read for it.
bool reads_as_zeroes(ImageLayer& layer, u64 offset, u64 length);

// Reads bytes of `layer`, as zeroes beyond its end.
BlockResult read_layer(ImageLayer& layer, u64 offset, std::vector<std::span<u8>> to, u64 length);

}
