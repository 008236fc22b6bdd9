#pragma once
#include <atomic>

#include "engine/base/types.h"

namespace engine {

// The machine's time in nanoseconds since power-on. It stands still while the machine is paused.
class Clock {
public:
    virtual ~Clock() = default;
    // Any thread.
    virtual u64 now() const = 0;
};

// Follows the host's monotonic clock while running.
class VirtualClock final : public Clock {
public:
    u64 now() const override;
    void start();
    void stop();
    bool running() const { return started_at_.load(std::memory_order_acquire) != 0; }
    // Continues from `nanoseconds` (a restored snapshot). Only while stopped.
    void set(u64 nanoseconds) { base_ = nanoseconds; }

private:
    std::atomic<u64> base_ = 0;
    std::atomic<u64> started_at_ = 0;    // host nanoseconds; 0 while stopped
};

// A clock that tests turn by hand.
class ManualClock final : public Clock {
public:
    u64 now() const override { return now_; }
    void advance(u64 nanoseconds) { now_ += nanoseconds; }

private:
    u64 now_ = 0;
};

}
