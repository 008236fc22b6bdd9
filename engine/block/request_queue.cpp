#include "engine/block/request_queue.h"

#include <algorithm>

namespace engine {

namespace {

bool changes_content(BlockOperation operation)
{
    return operation == BlockOperation::write || operation == BlockOperation::write_zeroes
        || operation == BlockOperation::discard;
}

bool conflict(const BlockRequest& a, const BlockRequest& b)
{
    const bool overlap = a.offset < b.offset + b.length && b.offset < a.offset + a.length;
    return overlap && (changes_content(a.operation) || changes_content(b.operation));
}

}

RequestQueue::~RequestQueue()
{
    std::unique_lock lock(mutex_);
    closing_ = true;
    idle_.wait(lock, [this] { return entries_.empty(); });
}

void RequestQueue::submit(BlockRequest request, CancelToken token, BlockDevice::Completion done)
{
    std::unique_lock lock(mutex_);
    entries_.push_back({std::move(request), std::move(token), std::move(done)});
    start_what_can();
}

bool RequestQueue::must_wait(Entries::const_iterator entry) const
{
    return std::any_of(entries_.begin(), entry, [&](const Entry& earlier) { return conflict(earlier.request, entry->request); });
}

void RequestQueue::start_what_can()
{
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
        if (entry->running || must_wait(entry))
            continue;
        entry->running = true;
        workers_.run([this, entry] { run(entry); });
    }
}

void RequestQueue::run(Entries::iterator entry)
{
    bool wanted = false;
    {
        const std::lock_guard lock(mutex_);
        wanted = !closing_ && !entry->token.cancelled();
    }
    BlockResult result{BlockFault::cancelled, {}};
    if (wanted)
        result = execute_(entry->request);
    entry->request.memory.reset();
    entry->done(std::move(result));
    std::unique_lock lock(mutex_);
    entries_.erase(entry);
    start_what_can();
    if (entries_.empty())
        idle_.notify_all();
}

}
