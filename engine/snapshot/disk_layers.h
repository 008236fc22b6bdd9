#pragma once
// Which layers of a machine's disks lie over which, and who needs them.
//
// What a snapshot lists are the layers that there were when it was taken. Since then some may have been merged into the one above
// them (layer_merger.h), so what lies under a layer is what its own header says; the list tells only the topmost, and serves
// where a header can't be read.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/snapshot/snapshot_directory.h"

namespace engine {

class LayerChains {
public:
    explicit LayerChains(const SnapshotDirectory& directory);    // outlives it

    // File names, lowest first. Each header is read once.
    std::vector<std::string> chain(const DiskLayers& disk);
    // Whether the headers say it.
    bool is_sure(const DiskLayers& disk);

private:
    std::optional<std::string> below(const std::string& layer);    // "" for an image outside the directory

    const SnapshotDirectory& directory_;
    std::string place_;
    std::map<std::string, std::optional<std::string>> below_;
};

// Layers one over the other, lowest first, all but the last needed by nothing but the next: they can become one. All are complete.
struct LayerRun {
    std::vector<std::string> layers;
    std::vector<u64> bytes;    // on the host's disk, of each
    std::size_t chain = 0;    // layers of the longest chain that they are part of

    bool contains(std::span<const std::string> part) const;
};

class LayerUse {
public:
    // Looks at all that is written down in the directory. The caller holds the directory's lock, so that no snapshot is being
    // taken. An error where something can't be read: it may need anything.
    static Result<LayerUse> survey(const SnapshotDirectory& directory);

    bool needed(const std::string& layer) const { return layers_.contains(layer); }
    // `unfinished`: what somebody still writes to although it is written down as complete.
    std::vector<LayerRun> runs(const std::set<std::string>& unfinished) const;

private:
    struct Layer {
        std::set<std::string> above;
        bool point = false;    // somebody shows what it shows
        bool complete = false;    // a snapshot needs it, or the machine has gone on above it
        bool left_alone = false;    // is written to, or can't be read
        u64 bytes = 0;
        std::size_t chain = 0;
    };
    enum class Owner : u8 { snapshot, machine, trial };
    void add(const std::vector<DiskLayers>& disks, Owner owner, LayerChains& chains);
    // The one that it can be merged into, or null.
    const std::string* next(const std::string& layer, const std::set<std::string>& unfinished) const;

    std::map<std::string, Layer> layers_;
};

}
