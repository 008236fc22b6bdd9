#include "engine/block/disk_copy.h"

#include <algorithm>
#include <cstring>

#include "engine/block/qcow2/image.h"

namespace engine {

namespace {

constexpr u64 most_at_once = 2 << 20;

bool all_zero(std::span<const u8> bytes)
{
    return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Writes what is not zero of a stretch, grain by grain, neighbours at once.
BlockResult write_stretch(CopyTarget& target, u64 offset, std::span<u8> bytes, bool compressed)
{
    for (u64 at = 0; at < bytes.size();) {
        const u64 first = std::min<u64>(bytes.size() - at, target.grain() - (offset + at) % target.grain());
        const bool zero = all_zero(bytes.subspan(at, first));
        u64 end = at + first;
        while (end < bytes.size() && !(compressed && !zero)) {
            const u64 next = std::min<u64>(bytes.size() - end, target.grain());
            if (all_zero(bytes.subspan(end, next)) != zero)
                break;
            end += next;
        }
        BlockResult result;
        if (!zero)
            result = target.write(offset + at, bytes.subspan(at, end - at), compressed);
        else if (target.lies_over_another())
            result = target.write_zeroes(offset + at, end - at);
        if (!result.ok())
            return result;
        at = end;
    }
    return {};
}

}

Result<CopyTarget> CopyTarget::raw(NewFile& file, const std::string& path, u64 size)
{
    CopyTarget target;
    target.path_ = path;
    target.file_ = &file.file();
    target.grain_ = 4096;
    if (const int error_number = target.file_->resize(size))
        return cannot_create(path, error_number);
    return target;
}

Result<CopyTarget>
CopyTarget::qcow2(NewFile& file, const std::string& path, const qcow2::NewImage& image, std::shared_ptr<ImageLayer> below)
{
    CopyTarget target;
    target.path_ = path;
    target.file_ = &file.file();
    target.below_ = below != nullptr;
    if (auto written = qcow2::write_new_image(file.file(), image, path); !written)
        return written.error();
    auto header = qcow2::read_header(file.file(), path);
    if (!header)
        return header.error();
    target.grain_ = header->cluster_size();
    auto opened = qcow2::Image::open(path, file.another(), *header, {.backing = std::move(below)});
    if (!opened)
        return opened.error();
    target.image_ = std::move(*opened);
    return target;
}

BlockResult CopyTarget::write(u64 offset, std::span<u8> bytes, bool compressed)
{
    if (!image_) {
        const int error_number = file_->write(offset, bytes);
        return error_number ? image_failure(path_, "written", error_number) : BlockResult{};
    }
    // The last cluster of a disk may be cut off; compressed it is whole.
    if (compressed && bytes.size() == grain_)
        return static_cast<qcow2::Image&>(*image_).write_compressed(offset, bytes);
    return image_->execute({.operation = BlockOperation::write, .offset = offset, .length = bytes.size(), .segments = {bytes}});
}

BlockResult CopyTarget::write_zeroes(u64 offset, u64 length)
{
    return image_ ? image_->execute({.operation = BlockOperation::write_zeroes, .offset = offset, .length = length})
                  : BlockResult{};
}

BlockResult CopyTarget::flush()
{
    if (image_)
        return image_->execute({.operation = BlockOperation::flush});
    const int error_number = file_->flush();
    return error_number ? image_failure(path_, "written to the disk", error_number) : BlockResult{};
}

BlockResult CopyTarget::finish()
{
    BlockResult sealed = image_ ? image_->seal() : BlockResult{};
    image_.reset();
    return sealed;
}

ImageLayer::Extent extent_of_chain(ImageLayer& top, u64 offset, u64 most, std::size_t layers)
{
    if (offset >= top.size())
        return {.length = most, .zero = true};
    ImageLayer::Extent extent = top.extent(offset, std::min(most, top.size() - offset));
    const auto below = top.backing();
    if (extent.own || !below || layers <= 1)
        return extent;
    return extent_of_chain(*below, offset, extent.length, layers - 1);
}

Result<void>
copy_disk(ImageLayer& source, CopyTarget& target, const CopyOptions& options, const std::function<bool(double)>& progress)
{
    std::vector<u8> buffer(std::max(most_at_once, target.grain()));
    const u64 size = source.size();
    BlockResult result;
    u64 unflushed = 0;
    for (u64 offset = 0; offset < size && result.ok();) {
        if (progress && !progress(double(offset) / double(size)))
            return Error{"The copy of " + in_quotes(source.name()) + " was stopped", "", ""};
        if (options.flush_every && unflushed >= options.flush_every) {
            unflushed = 0;
            if (result = target.flush(); !result.ok())
                break;
        }
        const auto extent = extent_of_chain(source, offset, size - offset, options.layers);
        // Grains are left out or written whole.
        u64 length = std::min(extent.length, size - offset);
        const u64 whole
            = offset + length == size ? length : std::max((offset + length) / target.grain() * target.grain(), offset) - offset;
        const bool mine = extent.own || options.layers == whole_chain;
        if (mine && extent.zero && whole > 0) {
            length = whole;
            if (target.lies_over_another())
                result = target.write_zeroes(offset, length);
        } else if (mine) {
            length = whole ? whole : std::min(target.grain() - offset % target.grain(), size - offset);
            length = std::min<u64>(length, buffer.size());
            const auto bytes = std::span(buffer).first(length);
            result = read_layer(source, offset, {bytes}, length);
            unflushed += length;
            if (result.ok())
                result = write_stretch(target, offset, bytes, options.compress || extent.compressed);
        }
        offset += length;
    }
    if (result.ok())
        result = target.finish();
    if (!result.ok())
        return result.error;
    if (progress)
        progress(1);
    return {};
}

}
