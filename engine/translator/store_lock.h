#pragma once
// Who may translate, link or drop: one vCPU of the machine at a time.

#include <atomic>
#include <mutex>

#include "engine/base/types.h"

namespace engine::translator {

// Taken by turns of some microseconds each.
class StoreLock {
public:
    void lock()
    {
        mutex_.lock();
        begin_turn();
    }
    bool try_lock()
    {
        if (!mutex_.try_lock())
            return false;
        begin_turn();
        return true;
    }
    // Looks again until most turns would be over. `missed`: the turn that it was in vain for last; its owner has no processor,
    // perhaps, and is not waited for twice.
    bool try_for_a_while(u32& missed);
    void unlock() { mutex_.unlock(); }

private:
    void begin_turn() { turn_.store(turn_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }

    std::mutex mutex_;
    std::atomic<u32> turn_ = 0;
};

}
