#include "engine/block/qcow2/image.h"

#include <algorithm>
#include <cerrno>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/block/qcow2/check.h"

namespace engine::qcow2 {

namespace {
constexpr u64 l2_cache_bytes = 32 << 20;    // 256 GiB of disk at the usual cluster size
}

Image::Image(std::string path, std::unique_ptr<ImageFile> file, Header header, Options options)
    : path_(std::move(path)),
      file_(std::move(file)),
      header_(std::move(header)),
      read_only_(options.access == ImageAccess::read_only || !options.snapshot.empty()),
      size_(round_up(header_.size, 512)),
      backing_(std::move(options.backing)),
      refcounts_(*file_, header_),
      l2_(*file_, header_.cluster_size(), l2_cache_bytes)
{
}

Result<std::shared_ptr<Image>>
Image::open(const std::string& path, std::unique_ptr<ImageFile> file, Header header, Options options)
{
    const std::string what = "The image " + in_quotes(path) + " can't be ";
    if (header.corrupt() && options.access == ImageAccess::read_write && options.snapshot.empty())
        return Error{
            what + "written to", "it was marked as damaged when a contradiction was found in it",
            "Repair it with “paddock disk check --repair”, or open a backup of it"};
    const std::string snapshot = options.snapshot;
    const std::shared_ptr<Image> image(new Image(path, std::move(file), std::move(header), std::move(options)));
    if (auto loaded = image->load(snapshot); !loaded)
        return loaded.error();
    return image;
}

Result<void> Image::load(const std::string& wanted)
{
    if (const int error_number = refcounts_.load())
        return image_failure(path_, "read", error_number).error;
    auto snapshots = read_snapshots(*file_, header_, path_);
    // The disk itself can be read all the same; but a write could spoil what is not known.
    if (!snapshots && (!read_only_ || !wanted.empty()))
        return snapshots.error();
    if (snapshots)
        snapshots_ = std::move(*snapshots);
    for (const Snapshot& snapshot : snapshots_)
        refcounts_.protect(snapshot.l1_table_offset, l1_clusters(snapshot.l1_size));
    if (header_.nb_snapshots)
        refcounts_.protect(header_.snapshots_offset, 1);
    if (wanted.empty()) {
        if (auto loaded = load_l1(header_.l1_table_offset, header_.l1_size); !loaded)
            return loaded;
        return repair_if_dirty();
    }
    const Snapshot* found = find_snapshot(wanted);
    if (!found)
        return no_snapshot(wanted);
    size_ = round_up(found->disk_size, 512);
    return load_l1(found->l1_table_offset, found->l1_size);
}

Result<void> Image::load_l1(u64 offset, u32 entries)
{
    if (const int error_number = read_l1(offset, entries, l1_))
        return image_failure(path_, "read", error_number).error;
    protect_l1(offset);
    return {};
}

Result<void> Image::repair_if_dirty()
{
    if (!header_.dirty() || read_only_)
        return {};
    auto repaired = repair(*file_, header_, path_);
    if (!repaired)
        return repaired.error();
    return refcounts_.load() == 0 && load_l1(header_.l1_table_offset, header_.l1_size)
        ? Result<void>{}
        : Result<void>{image_failure(path_, "read", EIO).error};
}

Image::~Image()
{
    // What can't be written now was never promised.
    if (!read_only_)
        (void)write_all();
}

// Clusters become free only after a first round; a second notes that too.
BlockResult Image::write_all()
{
    BlockResult written = write_metadata();
    return written.ok() ? write_metadata() : written;
}

BlockResult Image::seal()
{
    if (read_only_)
        return {};
    if (BlockResult written = write_all(); !written.ok())
        return written;
    read_only_ = true;
    file_->share();
    return {};
}

BlockResult Image::failure(const char* doing, int error_number)
{
    if (error_number != damaged_image)
        return image_failure(path_, doing, error_number);
    // Marked, so that nobody writes to it before it is repaired.
    const std::lock_guard lock(mutex_);
    damaged_ = true;
    if (!read_only_ && header_.version >= 3 && !header_.corrupt()) {
        std::array<u8, 8> features{};
        header_.incompatible_features |= incompatible_corrupt;
        if (file_->read(header_incompatible_features, features) == 0) {
            store_be(features.data(), load_be<u64>(features.data()) | incompatible_corrupt);
            (void)(file_->write(header_incompatible_features, features) || file_->flush());
        }
    }
    return {
        BlockFault::input_output,
        {text("The image ", in_quotes(path_), " is damaged"), refcounts_.damage, "Repair it with “paddock disk check --repair”"}};
}

BlockResult Image::execute(const BlockRequest& request)
{
    if (request.operation != BlockOperation::read && read_only_)
        return request.operation == BlockOperation::flush
            ? BlockResult{}
            : BlockResult{BlockFault::read_only, {"The image " + in_quotes(path_) + " is read-only", "", ""}};
    switch (request.operation) {
    case BlockOperation::read: {
        const auto guard = lock_clusters(request.offset, request.length, RangeLocks::Use::shared);
        return read(request.offset, request.segments, 0, request.length);
    }
    case BlockOperation::write:
        if (BlockResult written = write(request); !written.ok() || !request.durable)
            return written;
        return write_metadata();
    case BlockOperation::flush:
        return write_metadata();
    case BlockOperation::discard:
    case BlockOperation::write_zeroes:
        return clear(request);
    }
    return {BlockFault::input_output, {}};
}

RangeLocks::Guard Image::lock_clusters(u64 offset, u64 length, RangeLocks::Use use)
{
    return {ranges_, offset >> header_.cluster_bits, (offset + std::max<u64>(length, 1) - 1) >> header_.cluster_bits, use};
}

RangeLocks::Guard Image::try_clusters(const BlockRequest& request)
{
    return RangeLocks::Guard::attempt(
        ranges_, request.offset >> header_.cluster_bits,
        (request.offset + std::max<u64>(request.length, 1) - 1) >> header_.cluster_bits, RangeLocks::Use::shared);
}

// Without waiting for the lock or for a table.
bool Image::map_at_once(u64 offset, u64 most, Mapping& mapping)
{
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock)
        return false;
    const u64 index = offset / header_.l2_reach();
    const u64 table = index < l1_.size() ? l1_[index] & offset_bits : 0;
    return (!table || l2_.holds(table)) && map(offset, most, mapping) == 0;
}

bool Image::read_at_once(const BlockRequest& request)
{
    const auto guard = try_clusters(request);
    if (!guard)
        return false;
    for (u64 done = 0; done < request.length;) {
        Mapping mapping;
        if (!map_at_once(request.offset + done, request.length - done, mapping))
            return false;
        const auto part = slice(request.segments, done, mapping.length);
        const bool nothing_below = mapping.entry.kind == Kind::absent && !mapping.below;
        if (mapping.entry.kind == Kind::zero || nothing_below)
            fill_with_zeroes(part);
        else if (mapping.entry.kind != Kind::data || !file_->read_at_once(mapping.entry.host, part))
            return false;
        done += mapping.length;
    }
    return true;
}

namespace {
// What is held of a layer goes before the layer itself.
struct HeldBelow {
    std::shared_ptr<ImageLayer> layer;
    std::vector<std::shared_ptr<void>> held;
};
}

std::optional<ImageLayer::Place> Image::place(const BlockRequest& request)
{
    const std::shared_ptr<RangeLocks::Guard> guard(new RangeLocks::Guard(try_clusters(request)));
    Mapping mapping;
    if (!*guard || !map_at_once(request.offset, request.length, mapping) || mapping.length < request.length)
        return std::nullopt;
    auto found = place_of(mapping, request);
    if (!found || found->descriptor < 0)
        return std::nullopt;
    // The layer below may be given up for another meanwhile.
    if (mapping.below)
        found->hold = {std::make_shared<HeldBelow>(HeldBelow{std::move(mapping.below), std::move(found->hold)})};
    found->hold.push_back(guard);
    return found;
}

std::optional<ImageLayer::Place> Image::place_of(const Mapping& mapping, const BlockRequest& request)
{
    const auto parts = [&] { return slice(request.segments, 0, request.length); };
    if (request.operation == BlockOperation::write) {
        if (!mapping.writable || read_only_ || !prepared_)
            return std::nullopt;
        ImageFile::Direct way = file_->way_to_write(mapping.entry.host, parts());
        return Place{way.descriptor, mapping.entry.host, {std::move(way.hold)}};
    }
    if (mapping.entry.kind == Kind::data)
        return Place{file_->descriptor(mapping.entry.host, parts()), mapping.entry.host, {}};
    const bool below = mapping.below && request.offset + request.length <= mapping.below->size();
    return below ? mapping.below->place(request) : std::nullopt;
}

bool Image::write_in_place(const BlockRequest& request)
{
    const auto guard = try_clusters(request);
    if (!guard || read_only_ || !prepared_)
        return false;
    for (u64 done = 0; done < request.length;) {
        Mapping mapping;
        {
            const std::lock_guard lock(mutex_);
            if (map(request.offset + done, request.length - done, mapping) != 0)
                return false;
        }
        if (!mapping.writable || file_->write(mapping.entry.host, slice(request.segments, done, mapping.length)) != 0)
            return false;
        done += mapping.length;
    }
    return true;
}

std::shared_ptr<ImageLayer> Image::backing() const
{
    const std::lock_guard lock(mutex_);
    return backing_;
}

void Image::change_backing(const std::shared_ptr<ImageLayer>& same)
{
    // The old one goes once the lock is free, here or with the last request that reads it.
    std::shared_ptr<ImageLayer> old = same;
    const std::lock_guard lock(mutex_);
    backing_.swap(old);
}

ImageLayer::Extent Image::extent(u64 offset, u64 most)
{
    const auto guard = lock_clusters(offset, 1, RangeLocks::Use::shared);
    Mapping mapping;
    const std::lock_guard lock(mutex_);
    if (map(offset, most, mapping) != 0)
        return {.length = most};
    const bool own = mapping.entry.kind != Kind::absent;
    return {
        .length = mapping.length,
        .zero = mapping.entry.kind == Kind::zero || (!own && !backing_),
        .own = own,
        .compressed = mapping.entry.kind == Kind::compressed,
    };
}

}
