#pragma once
// Merges layers that no snapshot needs apart any more, which gives back room and keeps chains short.
//
// One merge writes a new file for a run of layers, durable before it takes the name of the topmost of them; then the others are
// deleted. A crash leaves the old layers or the new one under that name, and at worst files that nothing needs, which the next
// sweep deletes. Snapshots, linked clones and the present go on naming what they named.
//
// What is merged is chosen by what has to be copied for it: a run is left as it is where a large layer would be written anew for
// the sake of little, so that over time each byte is copied a few times only. In a long chain that counts no more.

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/snapshot/disk_layers.h"

namespace engine {

constexpr std::size_t long_chain = 32;    // layers

class LayerMerger {
public:
    explicit LayerMerger(const SnapshotDirectory& directory);    // outlives it

    // Whether the layers in question are still written to: names of files.
    using Unfinished = std::function<std::set<std::string>()>;
    // All merges that are worth it; `merged` is called after each. Ends early where `go_on` says no, or where it can't go on
    // for now: the host's disk is too full, or somebody else has the directory. Returns bytes given back. Any thread, which
    // waits for another that copies and calls `go_on`; two at a time, or in two processes, do no harm but work twice.
    u64 merge(const Unfinished& unfinished, const std::function<bool()>& go_on, const std::function<void()>& merged = {}) const;

private:
    // What needs which layers, which stays so while it is held.
    struct Survey {
        FileDescriptor lock;
        LayerUse use;
    };
    Result<Survey> survey() const;
    Result<std::optional<std::vector<std::string>>>
    find_work(const Unfinished& unfinished, const std::set<std::string>& failed) const;
    Result<u64>
    merge_run(const std::vector<std::string>& run, const Unfinished& unfinished, const std::function<bool()>& go_on) const;

    const SnapshotDirectory& directory_;
};

// The part of one of the runs that is merged first, lowest first; nothing where none is worth it.
std::optional<std::vector<std::string>> choose_merge(std::span<const LayerRun> runs);

}
