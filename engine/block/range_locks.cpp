#include "engine/block/range_locks.h"

#include <algorithm>

namespace engine {

bool RangeLocks::free(u64 first, u64 last, Use use) const
{
    return std::ranges::none_of(held_, [&](const Held& held) {
        return held.first <= last && first <= held.last && (held.use == Use::alone || use == Use::alone);
    });
}

RangeLocks::Guard RangeLocks::Guard::attempt(RangeLocks& locks, u64 first, u64 last, Use use)
{
    const std::lock_guard lock(locks.mutex_);
    if (!locks.free(first, last, use))
        return Guard(nullptr, first, last, use);
    locks.held_.push_back({first, last, use});
    return Guard(&locks, first, last, use);
}

void RangeLocks::lock(u64 first, u64 last, Use use)
{
    std::unique_lock lock(mutex_);
    ++waiting_;
    released_.wait(lock, [&] { return free(first, last, use); });
    --waiting_;
    held_.push_back({first, last, use});
}

void RangeLocks::unlock(u64 first, u64 last, Use use)
{
    const std::lock_guard lock(mutex_);
    const auto mine = std::ranges::find_if(
        held_, [&](const Held& held) { return held.first == first && held.last == last && held.use == use; });
    *mine = held_.back();
    held_.pop_back();
    if (waiting_)
        released_.notify_all();
}

}
