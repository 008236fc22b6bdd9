#include "tests/engine/block/iotests/io_image.h"

#include <condition_variable>
#include <cstdlib>
#include <filesystem>

#include "engine/block/open_image.h"
#include "engine/block/qcow2/image.h"
#include "engine/block/raw/raw_file.h"

using namespace engine;

namespace {

constexpr u64 sector = 512;
u64 down(u64 offset)
{
    return offset & ~(sector - 1);
}
u64 up(u64 offset)
{
    return down(offset + sector - 1);
}

// A temporary overlay on the image, and the folder it is in.
Result<std::shared_ptr<ImageLayer>> lay_over(std::shared_ptr<ImageLayer> below, std::string& folder)
{
    std::string pattern = (std::filesystem::temp_directory_path() / "paddock-iotests-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
        return Error{"There is no folder for a temporary overlay", "", ""};
    folder = pattern;
    const std::string path = folder + "/overlay.qcow2";
    const auto format = format_named(below->format());
    const std::string name = std::filesystem::absolute(below->name()).string();
    if (auto made = create_overlay(path, name, format.value_or(ImageFormat::raw), below->size()); !made)
        return made.error();
    return open_overlay(path, std::move(below));
}

}

Result<std::unique_ptr<IoImage>> IoImage::open(const ImageChoice& choice)
{
    std::unique_ptr<IoImage> image(new IoImage);
    image->choice_ = choice;
    if (auto opened = image->open_layers(); !opened)
        return opened.error();
    return image;
}

Result<void> IoImage::open_layers()
{
    OpenOptions options;
    if (const auto named = format_named(choice_.format))
        options.format = *named;
    const bool alone = choice_.read_only || choice_.temporary;
    auto layer = open_layer(choice_.path, alone ? ImageAccess::read_only : ImageAccess::read_write, options);
    if (layer && choice_.temporary)
        layer = lay_over(*layer, scratch_);
    if (!layer)
        return layer.error();
    workers_ = std::make_unique<WorkerPool>();
    disk_ = std::make_unique<DiskImage>(*layer, *workers_);
    return {};
}

IoImage::~IoImage()
{
    disk_.reset();
    if (!scratch_.empty())
        std::filesystem::remove_all(scratch_);
}

void IoImage::begin(BlockRequest request, BlockDevice::Completion done)
{
    disk_->submit(std::move(request), {}, std::move(done));
}

BlockResult IoImage::wait(BlockRequest request)
{
    std::mutex mutex;
    std::condition_variable there;
    std::optional<BlockResult> result;
    begin(std::move(request), [&](BlockResult how) {
        const std::lock_guard lock(mutex);
        result = std::move(how);
        there.notify_all();
    });
    std::unique_lock lock(mutex);
    there.wait(lock, [&] { return result.has_value(); });
    return *result;
}

BlockResult IoImage::read(u64 offset, std::span<u8> to)
{
    if (to.empty())
        return {};
    const u64 from = down(offset);
    std::vector<u8> bytes(up(offset + to.size()) - from);
    const BlockResult result
        = wait({.operation = BlockOperation::read, .offset = from, .length = bytes.size(), .segments = {bytes}});
    std::copy_n(bytes.begin() + std::ptrdiff_t(offset - from), to.size(), to.begin());
    return result;
}

BlockResult IoImage::write(u64 offset, std::span<const u8> from, bool durable)
{
    if (from.empty())
        return {};
    std::vector<u8> bytes;
    const u64 begins = down(offset), ends = up(offset + from.size());
    bytes.resize(ends - begins);
    const std::span<u8> all(bytes);
    // What the sectors at both ends keep.
    if (offset != begins)
        if (BlockResult there = read(begins, all.first(sector)); !there.ok())
            return there;
    if (offset + from.size() != ends)
        if (BlockResult there = read(ends - sector, all.last(sector)); !there.ok())
            return there;
    std::copy(from.begin(), from.end(), bytes.begin() + std::ptrdiff_t(offset - begins));
    return wait(
        {.operation = BlockOperation::write, .offset = begins, .length = bytes.size(), .segments = {bytes}, .durable = durable});
}

BlockResult IoImage::zero(u64 offset, u64 length)
{
    const u64 first = std::min(up(offset), offset + length), last = std::max(first, down(offset + length));
    const std::vector<u8> zeroes(sector);
    if (BlockResult head = write(offset, std::span(zeroes).first(first - offset), false); !head.ok())
        return head;
    if (BlockResult tail = write(last, std::span(zeroes).first(offset + length - last), false); !tail.ok())
        return tail;
    if (first == last)
        return {};
    return wait({.operation = BlockOperation::write_zeroes, .offset = first, .length = last - first});
}

BlockResult IoImage::discard(u64 offset, u64 length)
{
    const u64 first = up(offset), last = down(offset + length);
    if (first >= last)
        return {};
    return wait({.operation = BlockOperation::discard, .offset = first, .length = last - first});
}

BlockResult IoImage::flush()
{
    return wait({.operation = BlockOperation::flush});
}

Result<void> IoImage::resize(u64 size)
{
    const auto top = disk_->top();
    Result<void> result = Error{"The image can't be resized", "", ""};
    if (const auto image = std::dynamic_pointer_cast<qcow2::Image>(top))
        result = image->resize(size);
    else if (const auto raw = std::dynamic_pointer_cast<RawFile>(top))
        result = raw->resize(size);
    if (result)
        disk_ = std::make_unique<DiskImage>(top, *workers_);
    return result;
}

std::optional<BlockResult> IoImage::write_compressed(u64 offset, std::span<const u8> from)
{
    const auto image = std::dynamic_pointer_cast<qcow2::Image>(disk_->top());
    if (!image)
        return std::nullopt;
    const u64 cluster = image->header().cluster_size();
    const bool to_end = offset + from.size() == size();
    if (offset % cluster || (from.size() % cluster && !to_end))
        return std::nullopt;
    bool own = false;
    if (allocated(offset, from.size(), own) < from.size() || own)
        return std::nullopt;    // write_compressed() is for empty places
    for (u64 at = 0; at < from.size(); at += cluster) {
        const auto part = from.subspan(at, std::min<u64>(cluster, from.size() - at));
        std::vector<u8> whole(part.begin(), part.end());
        whole.resize(cluster);
        if (BlockResult result = image->write_compressed(offset + at, whole); !result.ok())
            return result;
    }
    return BlockResult{};
}

u64 IoImage::allocated(u64 offset, u64 most, bool& own) const
{
    const auto top = disk_->top();
    u64 at = down(offset);
    const u64 end = up(offset + most);
    for (bool first = true; at < end; first = false) {
        const ImageLayer::Extent extent = top->extent(at, end - at);
        if (first)
            own = extent.own;
        else if (extent.own != own)
            break;
        at += extent.length;
    }
    return std::min(at - offset, most);
}
