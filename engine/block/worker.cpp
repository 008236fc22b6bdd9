#include "engine/block/worker.h"

#include <csignal>
#include <pthread.h>

namespace engine {

namespace {
constexpr unsigned beside_a_ring = 4, without_a_ring = 16;    // threads
constexpr unsigned turns_of_looking_out = 100;    // of some 40 to 150 cycles each: 2 to 5 µs
}

WorkerPool::WorkerPool(unsigned threads)
{
    // Signals belong to the program's own threads: vCPUs are kicked with them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (threads == 0)
        threads = ring_ ? beside_a_ring : without_a_ring;
    for (unsigned n = 0; n < threads; ++n)
        threads_.emplace_back([this] { work(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

WorkerPool::~WorkerPool()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        anything_.store(true, std::memory_order_relaxed);
    }
    wake_.notify_all();
    for (auto& thread : threads_)
        thread.join();
}

void WorkerPool::run(std::function<void()> job)
{
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        anything_.store(true, std::memory_order_relaxed);
        wake = !looking_out_;
    }
    if (wake)
        wake_.notify_one();
}

void WorkerPool::look_out(std::unique_lock<std::mutex>& lock)
{
    static const unsigned turns = std::thread::hardware_concurrency() > 1 ? turns_of_looking_out : 0;
    if (looking_out_ || turns == 0)
        return;
    looking_out_ = true;
    lock.unlock();
    for (unsigned turn = 0; turn < turns && !anything_.load(std::memory_order_relaxed); ++turn)
        __builtin_ia32_pause();
    lock.lock();
    looking_out_ = false;
}

void WorkerPool::work()
{
    std::unique_lock lock(mutex_);
    for (bool fresh = true;; fresh = false) {
        if (jobs_.empty() && !stopping_ && !fresh)
            look_out(lock);
        wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty())
            return;
        {
            const auto job = std::move(jobs_.front());
            jobs_.pop_front();
            // Whoever handed in the next one while this thread looked out has woken nobody.
            const bool more = !jobs_.empty();
            anything_.store(more || stopping_, std::memory_order_relaxed);
            lock.unlock();
            if (more)
                wake_.notify_one();
            job();
        }
        lock.lock();
    }
}

}
