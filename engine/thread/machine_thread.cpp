#include "engine/thread/machine_thread.h"

#include <chrono>

#include <pthread.h>
#include <sys/prctl.h>

namespace engine {

MachineThread::MachineThread(Work work, std::function<void()> events, std::function<void()> between)
    : work_(work),
      events_(std::move(events)),
      between_(std::move(between))
{
    work_.deadlines.on_earlier([this] { wake(); });
}

void MachineThread::start()
{
    thread_ = std::thread([this] { run(); });
}

void MachineThread::stop()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable())
        thread_.join();
}

void MachineThread::wake()
{
    {
        const std::lock_guard lock(mutex_);
        if (woken_)
            return;
        woken_ = true;
    }
    changed_.notify_one();
}

void MachineThread::run()
{
    pthread_setname_np(pthread_self(), "machine");
    // The kernel may otherwise be 50 µs late with every timer, which guests' clocks show.
    prctl(PR_SET_TIMERSLACK, 1000ul, 0ul, 0ul, 0ul);
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_)
                return;
            woken_ = false;
        }
        {
            const std::lock_guard lock(work_.machine_lock);
            events_();
            if (work_.clock.running())
                work_.deadlines.run_due();
        }
        between_();
        sleep();
    }
}

void MachineThread::sleep()
{
    const u64 next = work_.clock.running() ? work_.deadlines.next() : Timer::never;
    const u64 now = work_.clock.now();
    if (next <= now)
        return;
    std::unique_lock lock(mutex_);
    const auto called = [this] { return woken_ || stopping_; };
    constexpr u64 longest = 60'000'000'000;
    if (next - now > longest)
        changed_.wait(lock, called);
    else
        changed_.wait_for(lock, std::chrono::nanoseconds(next - now), called);
}

}
