#pragma once
// Copying the content of a disk into a new image, leaving out what reads as zeroes.

#include <functional>
#include <memory>

#include "engine/block/image_layer.h"
#include "engine/block/new_file.h"
#include "engine/block/qcow2/create.h"

namespace engine {

class CopyTarget {
public:
    static Result<CopyTarget> raw(NewFile& file, const std::string& path, u64 size);
    // `below` is what the new image lies over, if anything.
    static Result<CopyTarget>
    qcow2(NewFile& file, const std::string& path, const qcow2::NewImage& image, std::shared_ptr<ImageLayer> below);

    // Whole sectors, in order of offsets. compressed: one cluster.
    BlockResult write(u64 offset, std::span<u8> bytes, bool compressed);
    BlockResult write_zeroes(u64 offset, u64 length);
    BlockResult flush();    // so that what is left for the end is little
    BlockResult finish();
    bool lies_over_another() const { return below_; }
    u64 grain() const { return grain_; }    // bytes that are left out or written at a time

private:
    CopyTarget() = default;

    std::string path_;
    ImageFile* file_ = nullptr;
    std::shared_ptr<ImageLayer> image_;    // qcow2
    bool below_ = false;
    u64 grain_ = 65536;
};

constexpr std::size_t whole_chain = ~std::size_t(0);

struct CopyOptions {
    std::size_t layers = whole_chain;    // so many from the topmost on; what those below them show is left out
    bool compress = false;    // else only what was compressed
    u64 flush_every = 0;    // bytes; 0: only at the end
};

// `progress` as in disk_tool.h. The target is finished at the end.
Result<void>
copy_disk(ImageLayer& source, CopyTarget& target, const CopyOptions& options, const std::function<bool(double)>& progress);

// What a chain of layers shows at `offset`: as ImageLayer::extent, looking through to the lowest, or to the last of `layers`.
ImageLayer::Extent extent_of_chain(ImageLayer& top, u64 offset, u64 most, std::size_t layers = whole_chain);

}
