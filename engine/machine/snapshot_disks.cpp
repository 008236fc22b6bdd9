#include "engine/machine/snapshot_disks.h"

#include <filesystem>

#include "engine/base/text.h"
#include "engine/snapshot/disk_layers.h"

namespace engine {

namespace {
// Images in the machine's folder are named as seen from the snapshots, so that both can move together.
std::string portable(const std::string& image, const std::string& directory)
{
    const std::filesystem::path at = std::filesystem::absolute(image).lexically_normal();
    const auto folder = std::filesystem::absolute(directory).lexically_normal().parent_path();
    const auto relative = at.lexically_relative(folder);
    return relative.empty() || *relative.begin() == ".." ? at.string() : ("../" / relative).string();
}
}

SnapshotDisks::SnapshotDisks(const SnapshotDirectory& directory, const MachineDefinition& definition)
    : directory_(directory),
      images_paths_(definition.disks),
      formats_(definition.disk_formats),
      caches_(definition.disk_caches),
      folders_(definition.image_folders)
{
    formats_.resize(images_paths_.size());
    caches_.resize(images_paths_.size());
    for (const std::string& image : images_paths_) {
        layers_.push_back(
            {.image = directory.path().empty() ? image : portable(image, directory.path()), .layers = {}, .size = 0});
        // The images below the layers may lie where the definition has them.
        folders_.push_back(std::filesystem::absolute(image).parent_path());
    }
}

bool SnapshotDisks::stand_on(const std::vector<DiskLayers>& layers)
{
    if (layers.size() != layers_.size())
        return false;
    for (std::size_t n = 0; n < layers.size(); ++n)
        if (layers[n].image != layers_[n].image)
            return false;
    layers_ = layers;
    return true;
}

std::string SnapshotDisks::top(const DiskLayers& disk) const
{
    return directory_.file(disk.layers.back());
}

// A name that means nothing was refused when the machine was built.
DiskCache SnapshotDisks::cache(std::size_t disk) const
{
    return disk < caches_.size() ? cache_named(caches_[disk]).value_or(DiskCache::writeback) : DiskCache::writeback;
}

void SnapshotDisks::attach(std::vector<DiskImage*> images)
{
    images_ = std::move(images);
    for (std::size_t n = 0; n < images_.size() && n < layers_.size(); ++n)
        layers_[n].size = images_[n]->size();
}

MachineDefinition SnapshotDisks::apply(MachineDefinition definition) const
{
    definition.disk_formats = formats_;
    for (std::size_t n = 0; n < layers_.size(); ++n) {
        if (layers_[n].layers.empty())
            continue;
        definition.disks[n] = top(layers_[n]);
        definition.disk_formats[n] = format_name(ImageFormat::qcow2);
    }
    definition.image_folders = folders_;
    return definition;
}

ImageFormat SnapshotDisks::format_under(std::size_t disk, const DiskLayers& layers) const
{
    if (!layers.layers.empty())
        return ImageFormat::qcow2;
    return formats_[disk].empty() ? format_of_path(images_paths_[disk]) : format_named(formats_[disk]).value_or(ImageFormat::raw);
}

std::size_t SnapshotDisks::images_under(std::size_t disk, const DiskLayers& layers) const
{
    const std::string under = layers.layers.empty() ? images_paths_[disk] : top(layers);
    return images_of_chain(under, format_under(disk, layers)).size();
}

bool SnapshotDisks::is_full() const
{
    for (std::size_t n = 0; n < layers_.size(); ++n)
        if (images_under(n, layers_[n]) + 1 > most_layers)
            return true;
    return false;
}

Result<std::vector<DiskLayers>> SnapshotDisks::make_layers(const std::vector<DiskLayers>& below, const std::string& mark) const
{
    std::vector<DiskLayers> layers = below;
    LayerChains chains(directory_);
    for (std::size_t n = 0; n < layers.size(); ++n) {
        DiskLayers& disk = layers[n];
        const std::size_t images = images_under(n, disk);
        if (images + 1 > most_layers)
            return Error{
                "The snapshot can't be taken",
                text(
                    "The disk lies in ", images, " files, one for each snapshot on the way to this one, and there can't be more"),
                "Delete some of the snapshots before it; they are gone for good once the machine's window was closed"};
        const std::string name = text("disk-", n, "-", mark, ".qcow2");
        const std::string under = disk.layers.empty() ? images_paths_[n] : top(disk);
        if (auto made = create_overlay(directory_.file(name), under, format_under(n, disk), disk.size); !made)
            return made.error();
        // Without those that were merged.
        disk.layers = chains.chain(disk);
        disk.layers.push_back(name);
    }
    return layers;
}

Result<SnapshotDisks::Branch> SnapshotDisks::branch_here(const std::string& mark) const
{
    auto made = make_layers(layers_, mark);
    if (!made)
        return made.error();
    Branch branch{std::move(*made), {}};
    for (std::size_t n = 0; n < branch.layers.size(); ++n) {
        auto opened = open_overlay(top(branch.layers[n]), images_[n]->top(), cache(n));
        if (!opened)
            return opened.error();
        branch.tops.push_back(std::move(*opened));
    }
    return branch;
}

Result<SnapshotDisks::Branch> SnapshotDisks::branch_from(const std::vector<DiskLayers>& below, const std::string& mark) const
{
    auto made = make_layers(below, mark);
    if (!made)
        return made.error();
    Branch branch{std::move(*made), {}};
    for (std::size_t n = 0; n < branch.layers.size(); ++n) {
        auto opened = open_layer(
            top(branch.layers[n]), ImageAccess::read_write,
            {.format = ImageFormat::qcow2, .trusted_folders = folders_, .cache = cache(n)});
        if (!opened)
            return opened.error();
        branch.tops.push_back(std::move(*opened));
    }
    return branch;
}

Result<void> SnapshotDisks::change(const Branch& branch)
{
    for (std::size_t n = 0; n < branch.tops.size(); ++n)
        if (branch.tops.size() != images_.size() || branch.tops[n]->size() != images_[n]->size())
            return Error{
                "The machine can't go on with these disks", "They have other sizes than its own",
                "Give it back the disks it had"};
    {
        const std::lock_guard lock(sealing_->mutex);
        sealing_->under_way += branch.tops.size();
        sealing_->error.reset();
    }
    for (std::size_t n = 0; n < branch.tops.size(); ++n) {
        const auto sealed = [sealing = sealing_](const BlockResult& result) {
            {
                const std::lock_guard lock(sealing->mutex);
                --sealing->under_way;
                if (!result.ok())
                    sealing->error = result.error;
            }
            sealing->changed.notify_all();
        };
        if (auto changed = images_[n]->change_top(branch.tops[n], sealed); !changed)
            sealed({BlockFault::input_output, changed.error()});
    }
    layers_ = branch.layers;
    return {};
}

Result<void> SnapshotDisks::wait_sealed()
{
    std::unique_lock lock(sealing_->mutex);
    sealing_->changed.wait(lock, [this] { return sealing_->under_way == 0; });
    return sealing_->error ? Result<void>(*sealing_->error) : Result<void>();
}

std::set<std::string> SnapshotDisks::unfinished() const
{
    std::set<std::string> names;
    for (const DiskImage* const image : images_)
        for (auto layer = image->top(); layer; layer = layer->backing())
            if (!layer->read_only())
                names.insert(std::filesystem::path(layer->name()).filename());
    return names;
}

void SnapshotDisks::follow_merges()
{
    for (std::size_t n = 0; n < images_.size(); ++n)
        follow_merges(n);
}

// Goes down what is open and what the headers say side by side. Where they part, the layer above was replaced by one that holds
// what the next few hold.
void SnapshotDisks::follow_merges(std::size_t disk)
{
    auto layer = images_[disk]->top();
    const ImageFormat format = format_named(layer->format()).value_or(ImageFormat::raw);
    const auto names = images_of_chain(std::string(layer->name()), format);
    std::shared_ptr<ImageLayer> above;
    for (std::size_t n = 1; n < names.size(); ++n) {
        auto below = layer->backing();
        if (!below)
            return;
        if (!same_place(std::string(below->name()), names[n])) {
            while (below && !same_place(std::string(below->name()), names[n]))
                below = below->backing();
            // Another merge has come between; there will be a next time.
            if (!above || !below)
                return;
            auto merged = open_overlay(names[n - 1], below, cache(disk), ImageAccess::read_only);
            if (!merged || merged.value()->size() != layer->size())
                return;
            above->change_backing(*merged);
            layer = *merged;
        }
        above = std::move(layer);
        layer = std::move(below);
    }
}

}
