#pragma once
// Merges the layers of a running machine's disks beside it, on a thread of its own, and has the disks go on over the merged ones.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/machine/snapshot_disks.h"
#include "engine/snapshot/layer_merger.h"

namespace engine {

class LayerKeeper {
public:
    // Both outlive it.
    LayerKeeper(const SnapshotDirectory& directory, SnapshotDisks& disks);
    ~LayerKeeper() { stop(); }
    LayerKeeper(const LayerKeeper&) = delete;
    LayerKeeper& operator=(const LayerKeeper&) = delete;

    // Any thread. Looks in so much time, or sooner where that was asked for, whether there is anything to merge.
    void wake(std::chrono::milliseconds after);
    // Any thread. At once, on the caller's thread, and only until every disk can be given another layer, if that comes to be.
    void make_room();
    // Gives up what is under way; nothing is merged any more.
    void stop();

private:
    void run();
    void merge(const std::function<bool()>& enough);

    LayerMerger merger_;
    SnapshotDisks& disks_;
    std::mutex merging_;    // one at a time
    std::mutex mutex_;    // guards what follows
    std::condition_variable changed_;
    std::optional<std::chrono::steady_clock::time_point> due_;
    std::thread thread_;    // from the first wake() on
    std::atomic<bool> stopping_ = false;
};

}
