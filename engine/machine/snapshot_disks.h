#pragma once
// The disks of a machine with snapshots: each is an image with layers above it, and what is written goes to the topmost.
// A snapshot keeps the layers there are; the machine writes on into a new one.
//
// Where the machine stands is written down before anything is written to a new layer: a crash never loses what a guest was
// told is on its disk.
// What no snapshot needs apart any more is merged behind the machine's back (layer_keeper.h). A disk has at most 255 layers, one
// for each snapshot that is kept on the way from its image.

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/block/open_image.h"
#include "engine/snapshot/snapshot_directory.h"

namespace engine {

class SnapshotDisks {
public:
    // New layers that are made, opened, and not used yet.
    struct Branch {
        std::vector<DiskLayers> layers;
        std::vector<std::shared_ptr<ImageLayer>> tops;
    };

    // The directory outlives it.
    SnapshotDisks(const SnapshotDirectory& directory, const MachineDefinition& definition);

    // As the machine was left. False where the images of the definition are others than those the layers stand on.
    bool stand_on(const std::vector<DiskLayers>& layers);
    // The definition with the topmost layers in the images' place.
    MachineDefinition apply(MachineDefinition definition) const;
    // The machine is built; the images live as long as this is used.
    void attach(std::vector<DiskImage*> images);

    // Above these layers, files only. `mark` is part of their names.
    Result<std::vector<DiskLayers>> make_layers(const std::vector<DiskLayers>& below, const std::string& mark) const;
    void use(std::vector<DiskLayers> layers) { layers_ = std::move(layers); }
    // Above the layers in use, and above any others.
    Result<Branch> branch_here(const std::string& mark) const;
    Result<Branch> branch_from(const std::vector<DiskLayers>& below, const std::string& mark) const;
    // The machine at rest: writes go there from now on. Returns at once; on an error nothing has changed.
    Result<void> change(const Branch& branch);
    // Waits until all that was written before the last change is durable.
    Result<void> wait_sealed();

    // Whether a disk can't be given another layer.
    bool is_full() const;
    // Layers were merged: the disks go on over the new ones in place of those they were made of, which are closed. Any thread.
    void follow_merges();
    // Files of layers that the disks still write to, or have not made durable yet. Any thread.
    std::set<std::string> unfinished() const;

    const std::vector<DiskLayers>& layers() const { return layers_; }

private:
    std::string top(const DiskLayers& disk) const;
    std::size_t images_under(std::size_t disk, const DiskLayers& layers) const;
    ImageFormat format_under(std::size_t disk, const DiskLayers& layers) const;
    void follow_merges(std::size_t disk);
    DiskCache cache(std::size_t disk) const;

    const SnapshotDirectory& directory_;
    std::vector<std::string> images_paths_, formats_, caches_, folders_;
    std::vector<DiskLayers> layers_;
    std::vector<DiskImage*> images_;

    struct Sealing {
        std::mutex mutex;
        std::condition_variable changed;
        std::size_t under_way = 0;
        std::optional<Error> error;
    };
    std::shared_ptr<Sealing> sealing_ = std::make_shared<Sealing>();
};

}
