#pragma once
// Ranges of clusters or blocks that are used at a time: shared by those who move data there, alone by one who changes more.

#include <condition_variable>
#include <mutex>
#include <vector>

#include "engine/base/types.h"

namespace engine {

class RangeLocks {
public:
    enum class Use : u8 { shared, alone };

    // Held while it lives; a thread holds one at a time.
    class Guard {
    public:
        Guard(RangeLocks& locks, u64 first, u64 last, Use use) : locks_(&locks), first_(first), last_(last), use_(use)
        {
            locks.lock(first, last, use);
        }
        // Empty where it would have to wait.
        static Guard attempt(RangeLocks& locks, u64 first, u64 last, Use use);
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        ~Guard()
        {
            if (locks_)
                locks_->unlock(first_, last_, use_);
        }
        explicit operator bool() const { return locks_; }

    private:
        Guard(RangeLocks* held, u64 first, u64 last, Use use) : locks_(held), first_(first), last_(last), use_(use) { }

        RangeLocks* locks_;
        u64 first_, last_;
        Use use_;
    };

private:
    struct Held {
        u64 first, last;
        Use use;
    };
    void lock(u64 first, u64 last, Use use);
    void unlock(u64 first, u64 last, Use use);
    bool free(u64 first, u64 last, Use use) const;

    std::mutex mutex_;
    std::condition_variable released_;
    std::vector<Held> held_;
    unsigned waiting_ = 0;
};

}
