#include "engine/block/disk_image.h"

#include "engine/base/text.h"
#include "engine/block/image_file.h"

namespace engine {

DiskImage::DiskImage(std::shared_ptr<ImageLayer> top, WorkerPool& workers)
    : size_(top->size()),
      sector_size_(top->sector_size()),
      read_only_(top->read_only()),
      name_(top->name()),
      requests_(workers, std::move(top))
{
}

DiskImage::~DiskImage() = default;

void DiskImage::submit(BlockRequest request, CancelToken token, Completion done)
{
    const bool writes = request.operation != BlockOperation::read && request.operation != BlockOperation::flush;
    if (!request_makes_sense(*this, request))
        return done({BlockFault::out_of_range, {"A request lies beyond the end of " + in_quotes(name_), "", ""}});
    if (writes && read_only_)
        return done({BlockFault::read_only, {"The image " + in_quotes(name_) + " is read-only", "", ""}});
    requests_.submit(std::move(request), std::move(token), std::move(done));
}

Result<void> DiskImage::change_top(std::shared_ptr<ImageLayer> next, std::function<void(BlockResult)> sealed)
{
    const std::string what = text("The disk can't go on with ", in_quotes(next->name()));
    if (next->size() != size_ || next->sector_size() != sector_size_)
        return Error{what, text("it has ", next->size(), " bytes and the disk ", size_), "Choose an image of the same size"};
    if (next->read_only() && !read_only_)
        return Error{what, "it can't be written to", "Open it for writing"};
    requests_.change_layer(std::move(next), std::move(sealed));
    return {};
}

BlockResult read_layer(ImageLayer& layer, u64 offset, std::vector<std::span<u8>> to, u64 length)
{
    const u64 there = offset >= layer.size() ? 0 : std::min(length, layer.size() - offset);
    if (there < length) {
        fill_with_zeroes(slice(to, there, length - there));
        std::vector<std::span<u8>> front;
        for (const iovec& part : slice(to, 0, there))
            front.emplace_back(static_cast<u8*>(part.iov_base), part.iov_len);
        to = std::move(front);
    }
    if (there == 0)
        return {};
    return layer.execute({.operation = BlockOperation::read, .offset = offset, .length = there, .segments = std::move(to)});
}

}
