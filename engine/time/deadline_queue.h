#pragma once
// The one mechanism for all timed behaviour: timers sorted by virtual time, run on the machine thread.

#include <functional>
#include <limits>
#include <mutex>
#include <set>
#include <utility>

#include "engine/time/virtual_clock.h"

namespace engine {

class DeadlineQueue;

// A one-shot alarm. The callback runs on the machine thread with the machine's lock held.
class Timer {
public:
    Timer(DeadlineQueue& queue, std::function<void()> callback);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    // Any thread. `at` is in virtual nanoseconds; a time in the past fires at once. Re-arming moves the alarm.
    void arm(u64 at);
    void cancel();
    bool armed() const;

private:
    friend class DeadlineQueue;
    DeadlineQueue& queue_;
    std::function<void()> callback_;
    u64 at_ = never;

public:
    static constexpr u64 never = std::numeric_limits<u64>::max();
};

class DeadlineQueue {
public:
    explicit DeadlineQueue(const Clock& clock) : clock_(clock) { }

    const Clock& clock() const { return clock_; }
    u64 now() const { return clock_.now(); }

    // Virtual time of the earliest alarm, or Timer::never. Any thread.
    u64 next() const;
    // Runs every alarm that is due, earliest first. Machine thread (or a test), machine's lock held.
    void run_due();
    // Called from any thread when the earliest alarm moved forward; must only wake the machine thread.
    void on_earlier(std::function<void()> wake) { wake_ = std::move(wake); }

private:
    friend class Timer;
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::set<std::pair<u64, Timer*>> alarms_;
    std::function<void()> wake_;
};

}
