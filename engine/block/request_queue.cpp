#include "engine/block/request_queue.h"

#include <algorithm>
#include <utility>

#include "engine/block/image_file.h"

namespace engine {

namespace {

constexpr u64 largest_at_once = 128 * 1024;    // bytes copied or handed to the host on the submitting thread
constexpr u64 largest_small_write = 32 * 1024;    // bytes; larger ones rather overlap with each other's completion
constexpr std::size_t most_in_group = 4;    // completed together
constexpr unsigned most_writers = 2;    // one writes while the other one completes
constexpr unsigned most_groups = 16;    // before a worker turns to something else

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
    idle_.wait(lock, [this] { return idle(); });
}

void RequestQueue::submit(BlockRequest request, CancelToken token, BlockDevice::Completion done)
{
    std::unique_lock lock(mutex_);
    const auto entry = entries_.insert(
        entries_.end(), {.request = std::move(request), .token = std::move(token), .done = std::move(done), .layer = layer_});
    ++waiting_;
    if (must_wait(entry))
        return;
    if (!may_go_at_once(*entry)) {
        start(entry);
        return;
    }
    entry->running = true;
    --waiting_;
    lock.unlock();
    try_at_once(entry);
}

bool RequestQueue::may_go_at_once(const Entry& entry)
{
    const BlockRequest& request = entry.request;
    return request.length <= largest_at_once
        && (request.operation == BlockOperation::read
            || (request.operation == BlockOperation::write && !request.durable && entry.layer->past_cache()));
}

void RequestQueue::try_at_once(Entries::iterator entry)
{
    if (entry->request.operation == BlockOperation::read && wanted(*entry) && entry->layer->read_at_once(entry->request)) {
        entry->request.memory.reset();
        entry->done({});
        const std::lock_guard lock(mutex_);
        finish(entry);
        return;
    }
    if (!move_by_ring(entry))
        workers_.run([this, entry] { run(entry); });
}

bool RequestQueue::move_by_ring(Entries::iterator entry)
{
    Ring* const ring = workers_.ring();
    auto place = ring && wanted(*entry) ? entry->layer->place(entry->request) : std::nullopt;
    if (!place)
        return false;
    auto hold = std::make_shared<std::vector<std::shared_ptr<void>>>(std::move(place->hold));
    return ring->move(
        entry->request.operation == BlockOperation::write ? Ring::Way::write : Ring::Way::read, place->descriptor, place->offset,
        slice(entry->request.segments, 0, entry->request.length), [this, entry, hold](int result) {
            hold->clear();
            // A worker finds out what is wrong.
            if (result < 0 || u64(result) != entry->request.length)
                return workers_.run([this, entry] { run(entry); });
            entry->request.memory.reset();
            entry->done({});
            const std::lock_guard lock(mutex_);
            finish(entry);
        });
}

void RequestQueue::change_layer(std::shared_ptr<ImageLayer> next, std::function<void(BlockResult)> sealed)
{
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.insert(entries_.end(), {.layer = layer_, .sealed = std::move(sealed), .changes_layer = true});
    layer_ = std::move(next);
    ++waiting_;
    if (!must_wait(entry))
        start(entry);
}

std::shared_ptr<ImageLayer> RequestQueue::layer() const
{
    const std::lock_guard lock(mutex_);
    return layer_;
}

bool RequestQueue::must_wait(Entries::const_iterator entry) const
{
    if (entry->changes_layer)
        return entry != entries_.begin();
    return std::any_of(entries_.begin(), entry, [&](const Entry& earlier) {
        return earlier.changes_layer || conflict(earlier.request, entry->request);
    });
}

bool RequestQueue::is_small_write(const Entry& entry)
{
    return !entry.changes_layer && entry.request.operation == BlockOperation::write && !entry.request.durable
        && entry.request.length <= largest_small_write && !entry.layer->past_cache();
}

void RequestQueue::start(Entries::iterator entry)
{
    entry->running = true;
    --waiting_;
    if (!is_small_write(*entry)) {
        workers_.run([this, entry] { run(entry); });
        return;
    }
    writes_.push_back(entry);
    if (writers_ < most_writers) {
        ++writers_;
        workers_.run([this] { write_what_is_ready(); });
    }
}

void RequestQueue::write_what_is_ready()
{
    std::vector<Entries::iterator> group;
    std::unique_lock lock(mutex_);
    for (unsigned groups = 0; !writes_.empty() && groups < most_groups; ++groups) {
        const std::size_t count = std::min(writes_.size(), most_in_group);
        group.assign(writes_.begin(), writes_.begin() + std::ptrdiff_t(count));
        writes_.erase(writes_.begin(), writes_.begin() + std::ptrdiff_t(count));
        lock.unlock();
        write_group(group);
        lock.lock();
        for (const auto entry : group)
            finish(entry);
    }
    // Others who use the workers come between.
    if (!writes_.empty()) {
        workers_.run([this] { write_what_is_ready(); });
        return;
    }
    --writers_;
    if (idle())
        idle_.notify_all();
}

// Leaves in `group` what is done.
void RequestQueue::write_group(std::vector<Entries::iterator>& group)
{
    std::erase_if(group, [this](Entries::iterator entry) {
        const bool written = wanted(*entry) && entry->layer->write_in_place(entry->request);
        // The rest has others run beside it; it may have to read first, or wait for room.
        if (!written)
            workers_.run([this, entry] { run(entry); });
        return !written;
    });
    // Together, so that the requester is woken once.
    for (const auto entry : group) {
        entry->request.memory.reset();
        entry->done({});
    }
}

void RequestQueue::start_what_can()
{
    for (auto entry = entries_.begin(); waiting_ > 0 && entry != entries_.end(); ++entry)
        if (!entry->running && !must_wait(entry))
            start(entry);
}

BlockResult RequestQueue::carry_out(const Entry& entry)
{
    if (entry.request.operation != BlockOperation::flush)
        return entry.layer->execute(entry.request);
    // What the guest wrote before a change of layers is to be durable as well.
    std::vector<std::shared_ptr<ImageLayer>> unsealed;
    {
        const std::lock_guard lock(mutex_);
        unsealed = unsealed_;
    }
    for (const auto& layer : unsealed)
        if (BlockResult result = seal(layer); !result.ok())
            return result;
    return entry.layer->execute(entry.request);
}

BlockResult RequestQueue::seal(const std::shared_ptr<ImageLayer>& layer)
{
    BlockResult result = layer->seal();
    const std::lock_guard lock(mutex_);
    if (result.ok())
        std::erase(unsealed_, layer);
    return result;
}

void RequestQueue::finish(Entries::iterator entry)
{
    entries_.erase(entry);
    start_what_can();
    if (idle())
        idle_.notify_all();
}

void RequestQueue::run_change(Entries::iterator entry)
{
    const auto layer = std::move(entry->layer);
    const auto sealed = std::move(entry->sealed);
    {
        // Those that come after need not wait until all is durable.
        const std::lock_guard lock(mutex_);
        unsealed_.push_back(layer);
        ++sealing_;
        finish(entry);
    }
    BlockResult result = seal(layer);
    if (sealed)
        sealed(std::move(result));
    const std::lock_guard lock(mutex_);
    --sealing_;
    if (idle())
        idle_.notify_all();
}

bool RequestQueue::wanted(const Entry& entry) const
{
    return !closing_ && !entry.token.cancelled();
}

void RequestQueue::run(Entries::iterator entry)
{
    if (entry->changes_layer)
        return run_change(entry);
    BlockResult result{BlockFault::cancelled, {}};
    if (wanted(*entry))
        result = carry_out(*entry);
    entry->request.memory.reset();
    entry->done(std::move(result));
    const std::lock_guard lock(mutex_);
    finish(entry);
}

}
