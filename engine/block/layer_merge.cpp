#include "engine/block/layer_merge.h"

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "engine/base/text.h"
#include "engine/block/disk_copy.h"
#include "engine/block/open_image.h"
#include "engine/block/qcow2/create.h"
#include "engine/block/qcow2/image.h"

namespace engine {

namespace {

constexpr u64 flush_every = u64(32) << 20;    // bytes

// Stands for what lies below the run: nothing of it is copied, so nothing of it may be read.
class Unread final : public ImageLayer {
public:
    explicit Unread(u64 size) : size_(size) { }
    BlockResult execute(const BlockRequest&) override
    {
        return {BlockFault::input_output, {"The layers can't be merged", "One of them ends within a cluster of another", ""}};
    }
    u64 size() const override { return size_; }
    bool read_only() const override { return true; }
    std::string_view name() const override { return ""; }
    std::string_view format() const override { return "raw"; }

private:
    u64 size_;
};

Error not_mergeable(const std::string& path, const char* why)
{
    return {text("The layer ", in_quotes(path), " can't be merged with those below it"), why, ""};
}

}

bool LayerMerge::Identity::same_as_before() const
{
    struct stat then {
    }, now{};
    return ::fstat(file.get(), &then) == 0 && ::stat(path.c_str(), &now) == 0 && then.st_dev == now.st_dev
        && then.st_ino == now.st_ino;
}

Result<LayerMerge> LayerMerge::open(std::span<const std::string> run)
{
    LayerMerge merge;
    for (const std::string& path : run) {
        merge.identities_.push_back({path, FileDescriptor(::open(path.c_str(), O_PATH | O_CLOEXEC))});
        auto file = open_image_file(path, ImageAccess::read_only);
        if (!file)
            return file.error();
        auto header = qcow2::read_header(**file, path);
        if (!header)
            return header.error();
        if (header->nb_snapshots || header->backing_file.empty())
            return not_mergeable(path, "It isn't a mere layer");
        merge.bytes_ += (*file)->bytes_on_disk();
        if (!merge.topmost_) {
            merge.below_ = header->backing_file;
            merge.below_format_ = header->backing_format;
            merge.below_size_ = header->size;
            merge.cluster_bits_ = header->cluster_bits;
            merge.topmost_ = std::make_shared<Unread>(header->size);
        } else if (!same_place(path.substr(0, path.rfind('/') + 1) + header->backing_file, std::string(merge.topmost_->name()))) {
            return not_mergeable(path, "It lies over another one");
        }
        merge.cluster_bits_ = std::min(merge.cluster_bits_, header->cluster_bits);
        auto image = qcow2::Image::open(
            path, std::move(*file), std::move(*header), {.access = ImageAccess::read_only, .backing = std::move(merge.topmost_)});
        if (!image)
            return image.error();
        merge.topmost_ = std::move(*image);
    }
    return merge;
}

Result<void> LayerMerge::copy(u64 room_to_leave, const std::function<bool()>& go_on)
{
    const std::string& path = identities_.back().path;
    auto file = NewFile::create_to_replace(path);
    if (!file)
        return file.error();
    merged_ = std::make_unique<NewFile>(std::move(*file));
    const qcow2::NewImage image{
        .size = topmost_->size(),
        .cluster_bits = cluster_bits_,
        .backing_file = below_,
        .backing_format = below_format_,
    };
    auto target = CopyTarget::qcow2(*merged_, path, image, std::make_shared<Unread>(below_size_));
    if (!target)
        return target.error();
    const auto check = [&](double) {
        struct statvfs host { };
        const bool room = ::statvfs(path.c_str(), &host) != 0 || u64(host.f_bavail) * host.f_frsize >= room_to_leave;
        return room && (!go_on || go_on());
    };
    auto copied = copy_disk(*topmost_, *target, {.layers = identities_.size(), .flush_every = engine::flush_every}, check);
    if (!copied)
        merged_.reset();
    return copied;
}

Result<void> LayerMerge::replace_topmost()
{
    for (const Identity& layer : identities_)
        if (!layer.same_as_before())
            return not_mergeable(layer.path, "Its file is another one now");
    return merged_ ? merged_->replace() : not_mergeable(identities_.back().path, "Nothing was copied");
}

}
