#pragma once
// A few threads for work that waits for the host: reading and writing images. One that runs out of jobs looks out for the next
// for some microseconds before it sleeps, so that a guest which makes request after request doesn't pay for waking it each time.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/block/ring.h"

namespace engine {

class WorkerPool {
public:
    // Without a number: as many as are of use, which are more where each request that waits for the disk needs one.
    explicit WorkerPool(unsigned threads = 0);
    // Finishes what was handed in. Whatever uses the pool is gone by then.
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    // Any thread. Jobs begin in the order in which they were handed in.
    void run(std::function<void()> job);

    // For requests that need no thread; null where there is none.
    Ring* ring() const { return ring_.get(); }

private:
    void work();
    void look_out(std::unique_lock<std::mutex>& lock);

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> jobs_;
    std::atomic<bool> anything_ = false;    // jobs, or the end
    bool looking_out_ = false;    // one of them; it needs no waking
    bool stopping_ = false;
    std::vector<std::thread> threads_;
    std::unique_ptr<Ring> ring_ = Ring::make();
};

}
