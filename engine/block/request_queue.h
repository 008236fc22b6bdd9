#pragma once
// Runs a disk's requests on the worker pool: in parallel, except that requests which overlap with a write between them
// keep their order. What waits for the host's disk and changes no tables goes by the ring, where there is one. Small writes to
// the host's cache are done by two workers at most, in groups whose requester is woken once: the host lets one thread at a time
// write to a file, and waking threads costs more than the writing. What block_device.h promises about order, cancellation and
// the end is kept here, for every format.

#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>

#include "engine/block/image_layer.h"
#include "engine/block/worker.h"

namespace engine {

class RequestQueue {
public:
    RequestQueue(WorkerPool& workers, std::shared_ptr<ImageLayer> layer) : workers_(workers), layer_(std::move(layer)) { }
    // Lets what has begun finish and completes the rest as cancelled.
    ~RequestQueue();
    RequestQueue(const RequestQueue&) = delete;
    RequestQueue& operator=(const RequestQueue&) = delete;

    // Any thread. Small reads are tried on the caller's thread first.
    void submit(BlockRequest request, CancelToken token, BlockDevice::Completion done);

    // Any thread, without waiting. Requests submitted from now on are carried out by `next`, once all before are done; the old
    // layer is sealed beside them, and a flush makes sure of it. `sealed` hears how that went, on a worker.
    void change_layer(std::shared_ptr<ImageLayer> next, std::function<void(BlockResult)> sealed);
    std::shared_ptr<ImageLayer> layer() const;

private:
    struct Entry {
        BlockRequest request;
        CancelToken token;
        BlockDevice::Completion done;
        std::shared_ptr<ImageLayer> layer;
        std::function<void(BlockResult)> sealed;
        bool changes_layer = false;    // waits for all before and lets all after wait
        bool running = false;
    };
    using Entries = std::list<Entry>;

    bool must_wait(Entries::const_iterator entry) const;
    void start(Entries::iterator entry);
    void start_what_can();
    void run(Entries::iterator entry);
    void try_at_once(Entries::iterator entry);
    bool move_by_ring(Entries::iterator entry);
    void write_what_is_ready();
    void write_group(std::vector<Entries::iterator>& group);
    static bool may_go_at_once(const Entry& entry);
    static bool is_small_write(const Entry& entry);
    bool wanted(const Entry& entry) const;
    void run_change(Entries::iterator entry);
    BlockResult carry_out(const Entry& entry);
    BlockResult seal(const std::shared_ptr<ImageLayer>& layer);
    void finish(Entries::iterator entry);
    bool idle() const { return entries_.empty() && sealing_ == 0 && writers_ == 0; }

    WorkerPool& workers_;
    mutable std::mutex mutex_;
    std::condition_variable idle_;
    std::shared_ptr<ImageLayer> layer_;
    Entries entries_;    // in order of submission
    std::size_t waiting_ = 0;    // of them, those that have not been started
    std::vector<Entries::iterator> writes_;    // started, and not yet tried in place
    unsigned writers_ = 0;    // jobs that carry them out
    std::vector<std::shared_ptr<ImageLayer>> unsealed_;    // replaced, and perhaps not yet durable
    unsigned sealing_ = 0;
    std::atomic<bool> closing_ = false;
};

}
