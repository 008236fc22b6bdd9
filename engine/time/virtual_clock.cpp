#include "engine/time/virtual_clock.h"

#include <ctime>

namespace engine {

namespace {
u64 host_nanoseconds()
{
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return u64(now.tv_sec) * 1'000'000'000 + u64(now.tv_nsec);
}
}

u64 VirtualClock::now() const
{
    const u64 started = started_at_.load(std::memory_order_acquire);
    const u64 base = base_.load(std::memory_order_relaxed);
    return started ? base + (host_nanoseconds() - started) : base;
}

void VirtualClock::start()
{
    if (!started_at_)
        started_at_.store(host_nanoseconds(), std::memory_order_release);
}

void VirtualClock::stop()
{
    base_ = now();
    started_at_.store(0, std::memory_order_release);
}

}
