#pragma once
// Where the outside world hands its events to a machine: disk completions, packets, keys. Events are numbered in the order
// in which they were posted, and run on the machine thread in that order. A device that is reset drops those it no longer
// waits for through its CancelSource.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/base/types.h"

namespace engine {

// Says whether what was asked for is still wanted. A default token never is cancelled. Any thread.
class CancelToken {
public:
    CancelToken() = default;
    bool cancelled() const { return flag_ && flag_->load(std::memory_order_acquire); }

private:
    friend class CancelSource;
    explicit CancelToken(std::shared_ptr<const std::atomic<bool>> flag) : flag_(std::move(flag)) { }
    std::shared_ptr<const std::atomic<bool>> flag_;
};

// The requester's end. Machine's lock held.
class CancelSource {
public:
    CancelSource() = default;
    ~CancelSource() { cancel(); }
    CancelSource(const CancelSource&) = delete;
    CancelSource& operator=(const CancelSource&) = delete;

    CancelToken token() const { return CancelToken(flag_); }
    // Cancels whatever holds a token given until now; tokens given from now on are good.
    void cancel()
    {
        flag_->store(true, std::memory_order_release);
        flag_ = std::make_shared<std::atomic<bool>>(false);
    }

private:
    std::shared_ptr<std::atomic<bool>> flag_ = std::make_shared<std::atomic<bool>>(false);
};

class CompletionQueue {
public:
    // Any thread. `event` runs in a later drain(), unless `token` is cancelled by then.
    void post(CancelToken token, std::function<void()> event);
    void post(std::function<void()> event) { post({}, std::move(event)); }

    // Machine thread, machine's lock held: runs what had been posted when it was called. Returns how many events ran.
    unsigned drain();
    // Any thread.
    bool empty() const;
    // Number of the event that runs now or ran last; the first one is 1. Machine thread.
    u64 sequence() const { return sequence_; }

    // Called on the posting thread when the queue stops being empty; must only wake the machine thread. Set before use.
    void on_post(std::function<void()> wake) { wake_ = std::move(wake); }

private:
    struct Event {
        CancelToken token;
        std::function<void()> run;
    };

    mutable std::mutex mutex_;
    std::vector<Event> events_;
    u64 sequence_ = 0;
    std::function<void()> wake_;
};

}
