#include "engine/snapshot/layer_merger.h"

#include <algorithm>
#include <limits>

#include <thread>

#include <pthread.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/block/layer_merge.h"

namespace engine {

namespace {

constexpr u64 cheap = u64(16) << 20;    // bytes; layers of so little in all are always merged
constexpr u64 most_left = u64(512) << 20, part_left = 20;    // bytes of the host's disk, or a part of it
constexpr u64 least_part = 4;    // else the smaller ones together are at least this part of the largest

constexpr int lowest_priority = 19;
// ioprio_set(2): of one thread, best effort, the lowest level.
constexpr int ioprio_of_thread = 1, ioprio_best_effort = 2 << 13, ioprio_lowest = 7;

// On a thread that gives way to all others. It can't be the caller's: that one has to be quick again once it holds a lock.
Result<void> copy_aside(LayerMerge& merge, u64 room_to_leave, const std::function<bool()>& go_on)
{
    Result<void> copied;
    std::thread aside([&] {
        pthread_setname_np(pthread_self(), "merge layers");
        const auto self = id_t(::syscall(SYS_gettid));
        // Where that isn't allowed it is only less polite.
        (void)::setpriority(PRIO_PROCESS, self, lowest_priority);
        (void)::syscall(SYS_ioprio_set, ioprio_of_thread, int(self), ioprio_best_effort | ioprio_lowest);
        copied = merge.copy(room_to_leave, go_on);
    });
    aside.join();
    return copied;
}

// Merging never takes the last of the host's disk, which guests may need.
struct HostRoom {
    u64 left = 0, to_leave = 0;    // bytes
};
HostRoom room_at(const std::string& folder)
{
    struct statvfs host { };
    if (::statvfs(folder.c_str(), &host) != 0)
        return {};
    return {u64(host.f_bavail) * host.f_frsize, std::min(most_left, u64(host.f_blocks) * host.f_frsize / part_left)};
}

}

std::optional<std::vector<std::string>> choose_merge(std::span<const LayerRun> runs)
{
    std::optional<std::vector<std::string>> best;
    double least = std::numeric_limits<double>::infinity();    // bytes copied for each layer saved
    for (const LayerRun& run : runs)
        for (std::size_t begin = 0; begin < run.layers.size(); ++begin) {
            u64 sum = run.bytes[begin], largest = sum;
            for (std::size_t end = begin + 1; end < run.layers.size(); ++end) {
                sum += run.bytes[end];
                largest = std::max(largest, run.bytes[end]);
                const bool worth_it = sum <= cheap || (sum - largest) * least_part >= largest || run.chain > long_chain;
                const double price = double(sum) / double(end - begin);
                if (!worth_it || price >= least)
                    continue;
                least = price;
                best.emplace(run.layers.begin() + std::ptrdiff_t(begin), run.layers.begin() + std::ptrdiff_t(end) + 1);
            }
        }
    return best;
}

LayerMerger::LayerMerger(const SnapshotDirectory& directory) : directory_(directory) { }

u64 LayerMerger::merge(
    const Unfinished& unfinished, const std::function<bool()>& go_on, const std::function<void()>& merged) const
{
    u64 freed = 0;
    std::set<std::string> failed;
    while (go_on()) {
        const auto run = find_work(unfinished, failed);
        if (!run || !run.value())
            break;
        const auto given_back = merge_run(*run.value(), unfinished, go_on);
        if (given_back) {
            freed += given_back.value();
            if (merged)
                merged();
        } else {
            // It stays as it is; others may do better.
            failed.insert(run.value()->begin(), run.value()->end());
        }
    }
    return freed;
}

Result<LayerMerger::Survey> LayerMerger::survey() const
{
    auto lock = directory_.lock(SnapshotDirectory::Use::exclusive);
    if (!lock)
        return lock.error();
    auto use = LayerUse::survey(directory_);
    if (!use)
        return use.error();
    return Survey{std::move(*lock), std::move(*use)};
}

Result<std::optional<std::vector<std::string>>>
LayerMerger::find_work(const Unfinished& unfinished, const std::set<std::string>& failed) const
{
    if (!directory_.has("."))
        return std::optional<std::vector<std::string>>();
    const auto survey = this->survey();
    if (!survey)
        return survey.error();
    std::set<std::string> left_alone = unfinished();
    left_alone.insert(failed.begin(), failed.end());
    return choose_merge(survey.value().use.runs(left_alone));
}

Result<u64> LayerMerger::merge_run(
    const std::vector<std::string>& run, const Unfinished& unfinished, const std::function<bool()>& go_on) const
{
    std::vector<std::string> paths;
    u64 before = 0;
    for (const std::string& layer : run) {
        paths.push_back(directory_.file(layer));
        before += directory_.size(layer);
    }
    auto merge = LayerMerge::open(paths);
    if (!merge)
        return merge.error();
    const HostRoom room = room_at(directory_.path());
    if (room.left < merge->bytes() + room.to_leave)
        return Error{"The layers can't be merged", "The host's disk is too full", "Make room on it"};
    if (auto copied = copy_aside(*merge, room.to_leave, go_on); !copied)
        return copied.error();
    // The snapshots may have been put in order meanwhile.
    const auto survey = this->survey();
    if (!survey)
        return survey.error();
    const auto runs = survey.value().use.runs(unfinished());
    if (std::ranges::none_of(runs, [&](const LayerRun& now) { return now.contains(run); }))
        return Error{"The layers can't be merged", "They are needed apart again", ""};
    if (auto replaced = merge->replace_topmost(); !replaced)
        return replaced.error();
    for (const std::string& layer : run)
        if (layer != run.back())
            directory_.remove(layer);
    const u64 after = directory_.size(run.back());
    return before > after ? before - after : 0;
}

}
