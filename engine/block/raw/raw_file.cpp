#include "engine/block/raw/raw_file.h"

#include <algorithm>
#include <cerrno>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/new_file.h"

namespace engine {

namespace {
constexpr u64 largest_image = u64(1) << 62;
}

RawFile::RawFile(std::string path, std::unique_ptr<ImageFile> file, u64 file_size, u32 sector_size, bool read_only)
    : path_(std::move(path)),
      file_(std::move(file)),
      file_size_(file_size),
      size_(round_up(file_size, sector_size)),
      sector_size_(sector_size),
      read_only_(read_only)
{
}

Result<std::shared_ptr<RawFile>> RawFile::open_layer(const std::string& path, Medium medium, Access access, DiskCache cache)
{
    const bool writes = medium == Medium::disk && access == Access::read_write;
    auto file = open_image_file(path, writes ? Access::read_write : Access::read_only, cache);
    if (!file)
        return file.error();
    const u64 size = (*file)->size();
    const std::string what = "The image " + in_quotes(path) + " can't be used";
    if (size == 0)
        return Error{what, "it is empty", "Choose another image, or create a new one with a size"};
    if (medium == Medium::disk && size % 512 != 0)
        return Error{
            what, text("its size of ", size, " bytes is not a multiple of 512, so it is cut short or no raw disk image"),
            "Copy or download it again, or convert it to a raw image"};
    const u32 sector_size = medium == Medium::optical ? 2048 : 512;
    return std::shared_ptr<RawFile>(new RawFile(path, std::move(*file), size, sector_size, !writes));
}

Result<std::unique_ptr<BlockDevice>> RawFile::open(const std::string& path, Medium medium, Access access, WorkerPool& workers)
{
    auto layer = open_layer(path, medium, access);
    if (!layer)
        return layer.error();
    return std::unique_ptr<BlockDevice>(new DiskImage(std::move(*layer), workers));
}

BlockResult RawFile::execute(const BlockRequest& request)
{
    switch (request.operation) {
    case BlockOperation::read:
    case BlockOperation::write:
        return transfer(request);
    case BlockOperation::flush:
        if (const int error_number = read_only_ ? 0 : file_->flush())
            return image_failure(path_, "written to the disk", error_number);
        return {};
    case BlockOperation::discard:
    case BlockOperation::write_zeroes:
        return clear(request);
    }
    return {BlockFault::input_output, {}};
}

BlockResult RawFile::transfer(const BlockRequest& request)
{
    const auto segments = slice(request.segments, 0, request.length);
    if (request.operation == BlockOperation::read) {
        // Beyond the file's end is only what the last sector was rounded up by; anywhere else the file has shrunk under us.
        const u64 end = std::min(request.offset + request.length, file_size_);
        const int error_number = request.offset < end && file_->size() < end ? EIO : file_->read(request.offset, segments);
        return error_number ? image_failure(path_, "read", error_number) : BlockResult{};
    }
    if (const int error_number = file_->write(request.offset, segments))
        return image_failure(path_, "written", error_number);
    if (const int error_number = request.durable ? file_->flush() : 0)
        return image_failure(path_, "written to the disk", error_number);
    return {};
}

bool RawFile::read_at_once(const BlockRequest& request)
{
    return file_->read_at_once(request.offset, slice(request.segments, 0, request.length));
}

std::optional<ImageLayer::Place> RawFile::place(const BlockRequest& request)
{
    if (request.offset + request.length > file_size_)
        return std::nullopt;
    const auto parts = slice(request.segments, 0, request.length);
    if (request.operation == BlockOperation::write) {
        const ImageFile::Direct way = read_only_ ? ImageFile::Direct{} : file_->way_to_write(request.offset, parts);
        return way.descriptor < 0 ? std::nullopt : std::optional(Place{way.descriptor, request.offset, {way.hold}});
    }
    const int descriptor = file_->descriptor(request.offset, parts);
    return descriptor < 0 ? std::nullopt : std::optional(Place{descriptor, request.offset, {}});
}

bool RawFile::write_in_place(const BlockRequest& request)
{
    return !read_only_ && file_->write(request.offset, slice(request.segments, 0, request.length)) == 0;
}

BlockResult RawFile::clear(const BlockRequest& request)
{
    // A hole reads as zeroes too, and gives the space back.
    const bool zeroes = request.operation == BlockOperation::write_zeroes;
    const int error_number = zeroes ? file_->zero(request.offset, request.length) : file_->punch(request.offset, request.length);
    if (error_number == 0 || (!zeroes && error_number == EOPNOTSUPP))
        return {};
    return image_failure(path_, "written", error_number);
}

ImageLayer::Extent RawFile::extent(u64 offset, u64 most)
{
    const ImageFile::Stretch data = file_->next_data(offset);
    const u64 wall = data.begin > offset ? data.begin : data.end;
    // Holes end at the host's blocks, which may be smaller than our sectors.
    if (data.begin > offset && data.begin / sector_size_ * sector_size_ > offset)
        return {.length = std::min(most, data.begin / sector_size_ * sector_size_ - offset), .zero = true};
    if (wall <= offset)
        return {.length = most, .zero = offset >= file_size_};
    return {.length = std::min(most, std::max<u64>(round_up(wall - offset, sector_size_), sector_size_)), .zero = false};
}

BlockResult RawFile::seal()
{
    if (read_only_)
        return {};
    if (const int error_number = file_->flush())
        return image_failure(path_, "written to the disk", error_number);
    read_only_ = true;
    file_->share();
    return {};
}

Result<void> RawFile::resize(u64 size)
{
    size = round_up(size, sector_size_);
    int error_number = size == 0 || size > largest_image ? EFBIG : file_->resize(size);
    if (!error_number)
        error_number = file_->flush();
    if (error_number)
        return image_failure(path_, "resized", error_number).error;
    file_size_ = size_ = size;
    return {};
}

Result<void> create_raw(const std::string& path, u64 size)
{
    if (size == 0)
        return Error{"The disk image " + in_quotes(path) + " can't be created", "its size would be 0", "Give the disk a size"};
    if (size > largest_image)
        return cannot_create(path, EFBIG);
    auto file = NewFile::create(path);
    if (!file)
        return file.error();
    if (const int error_number = file->file().resize(round_up(size, 512)))
        return cannot_create(path, error_number);
    return file->keep();
}

}
