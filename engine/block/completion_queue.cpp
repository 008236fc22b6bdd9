#include "engine/block/completion_queue.h"

namespace engine {

void CompletionQueue::post(CancelToken token, std::function<void()> event)
{
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = events_.empty();
        events_.push_back({std::move(token), std::move(event)});
    }
    if (first && wake_)
        wake_();
}

unsigned CompletionQueue::drain()
{
    std::vector<Event> events;
    {
        const std::lock_guard lock(mutex_);
        events.swap(events_);
    }
    unsigned ran = 0;
    for (Event& event : events) {
        ++sequence_;
        if (event.token.cancelled())
            continue;
        event.run();
        ++ran;
    }
    return ran;
}

bool CompletionQueue::empty() const
{
    const std::lock_guard lock(mutex_);
    return events_.empty();
}

}
