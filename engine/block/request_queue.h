#pragma once
// Runs an image's requests on the worker pool: in parallel, except that requests which overlap with a write between them
// keep their order. What block_device.h promises about order, cancellation and the end is kept here, for every format.

#include <condition_variable>
#include <list>
#include <mutex>

#include "engine/block/block_device.h"
#include "engine/block/worker.h"

namespace engine {

class RequestQueue {
public:
    // Carries out one request, on a worker, waiting as long as it takes.
    using Execute = std::function<BlockResult(const BlockRequest&)>;

    RequestQueue(WorkerPool& workers, Execute execute) : workers_(workers), execute_(std::move(execute)) { }
    // Lets what has begun finish and completes the rest as cancelled.
    ~RequestQueue();
    RequestQueue(const RequestQueue&) = delete;
    RequestQueue& operator=(const RequestQueue&) = delete;

    // Any thread.
    void submit(BlockRequest request, CancelToken token, BlockDevice::Completion done);

private:
    struct Entry {
        BlockRequest request;
        CancelToken token;
        BlockDevice::Completion done;
        bool running = false;
    };
    using Entries = std::list<Entry>;

    void start_what_can();
    bool must_wait(Entries::const_iterator entry) const;
    void run(Entries::iterator entry);

    WorkerPool& workers_;
    Execute execute_;
    std::mutex mutex_;
    std::condition_variable idle_;
    Entries entries_;    // in order of submission
    bool closing_ = false;
};

}
