#pragma once
// The disks of a machine with snapshots: each is an image with layers above it, and what is written goes to the topmost.
// A snapshot keeps the layers there are; the machine writes on into a new one.
//
// Where the machine stands is written down before anything is written to a new layer: a crash never loses what a guest was
// told is on its disk.

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/snapshot/snapshot_directory.h"

namespace engine {

class SnapshotDisks {
public:
    SnapshotDisks(const SnapshotDirectory& directory, std::vector<std::string> images);

    // As the machine was left. False where the images of the definition are others than those the layers stand on.
    bool stand_on(const std::vector<DiskLayers>& layers);
    // New layers above these, made and durable: where the machine writes when it goes on from a snapshot. `mark` is part of
    // the files' names.
    Result<std::vector<DiskLayers>> branch(const std::vector<DiskLayers>& below, const std::string& mark) const;
    // The machine uses these from now on.
    void use(std::vector<DiskLayers> layers) { layers_ = std::move(layers); }

    const std::vector<DiskLayers>& layers() const { return layers_; }
    // What to open, in the definition's order.
    std::vector<std::string> tops() const;
    std::string top(const DiskLayers& disk) const;

private:
    const SnapshotDirectory& directory_;
    std::vector<DiskLayers> layers_;
};

}
