#include "engine/time/deadline_queue.h"

namespace engine {

Timer::Timer(DeadlineQueue& queue, std::function<void()> callback) : queue_(queue), callback_(std::move(callback)) { }

Timer::~Timer()
{
    cancel();
}

void Timer::arm(u64 at)
{
    bool earliest = false;
    {
        const std::lock_guard lock(queue_.mutex_);
        if (at_ == at)
            return;
        if (at_ != never)
            queue_.alarms_.erase({at_, this});
        at_ = at;
        if (at_ != never) {
            const auto place = queue_.alarms_.insert({at_, this}).first;
            earliest = place == queue_.alarms_.begin();
        }
    }
    if (earliest && queue_.wake_)
        queue_.wake_();
}

void Timer::cancel()
{
    const std::lock_guard lock(queue_.mutex_);
    if (at_ != never)
        queue_.alarms_.erase({at_, this});
    at_ = never;
}

bool Timer::armed() const
{
    const std::lock_guard lock(queue_.mutex_);
    return at_ != never;
}

u64 DeadlineQueue::next() const
{
    const std::lock_guard lock(mutex_);
    return alarms_.empty() ? Timer::never : alarms_.begin()->first;
}

void DeadlineQueue::run_due()
{
    // An alarm that re-arms itself in the past must not keep the machine thread here for ever.
    constexpr int most = 10'000;
    for (int n = 0; n < most; ++n) {
        Timer* due = nullptr;
        {
            const std::lock_guard lock(mutex_);
            if (alarms_.empty() || alarms_.begin()->first > clock_.now())
                return;
            due = alarms_.begin()->second;
            alarms_.erase(alarms_.begin());
            due->at_ = Timer::never;
        }
        due->callback_();
    }
}

}
