#include "engine/machine/snapshot_disks.h"

namespace engine {

SnapshotDisks::SnapshotDisks(const SnapshotDirectory& directory, std::vector<std::string> images) : directory_(directory)
{
    for (std::string& image : images)
        layers_.push_back({.image = std::move(image), .layers = {}, .size = 0});
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
    return disk.layers.empty() ? disk.image : directory_.file(disk.layers.back());
}

std::vector<std::string> SnapshotDisks::tops() const
{
    std::vector<std::string> tops;
    for (const DiskLayers& disk : layers_)
        tops.push_back(top(disk));
    return tops;
}

Result<std::vector<DiskLayers>> SnapshotDisks::branch(const std::vector<DiskLayers>& below, const std::string&) const
{
    return below;
}

}
