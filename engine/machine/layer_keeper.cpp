#include "engine/machine/layer_keeper.h"

#include <csignal>

#include <pthread.h>

namespace engine {

LayerKeeper::LayerKeeper(const SnapshotDirectory& directory, SnapshotDisks& disks) : merger_(directory), disks_(disks) { }

void LayerKeeper::wake(std::chrono::milliseconds after)
{
    const std::lock_guard lock(mutex_);
    if (stopping_)
        return;
    const auto at = std::chrono::steady_clock::now() + after;
    due_ = due_ ? std::min(*due_, at) : at;
    if (!thread_.joinable()) {
        // Signals belong to the program's own threads: vCPUs are kicked with them.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread([this] { run(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    changed_.notify_all();
}

void LayerKeeper::stop()
{
    std::thread thread;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        thread.swap(thread_);
    }
    changed_.notify_all();
    if (thread.joinable())
        thread.join();
}

void LayerKeeper::run()
{
    pthread_setname_np(pthread_self(), "layers");
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (!due_) {
            changed_.wait(lock);
        } else if (std::chrono::steady_clock::now() < *due_) {
            changed_.wait_until(lock, *due_);
        } else {
            due_.reset();
            lock.unlock();
            merge([] { return false; });
            lock.lock();
        }
    }
}

void LayerKeeper::make_room()
{
    merge([this] { return !disks_.is_full(); });
}

void LayerKeeper::merge(const std::function<bool()>& enough)
{
    const std::lock_guard one_at_a_time(merging_);
    std::atomic<bool> done = false;    // asked for by the thread that copies
    const auto go_on = [&] { return !stopping_ && !done; };
    const auto merged = [&] {
        disks_.follow_merges();
        done = enough();
    };
    // Others may have merged while this machine ran.
    merged();
    merger_.merge([this] { return disks_.unfinished(); }, go_on, merged);
}

}
