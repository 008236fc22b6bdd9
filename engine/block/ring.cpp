#include "engine/block/ring.h"

#ifdef PADDOCK_URING

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <mutex>
#include <thread>

#include <liburing.h>
#include <pthread.h>

namespace engine {

namespace {

constexpr unsigned most_under_way = 128;

class UringRing final : public Ring {
public:
    explicit UringRing(const io_uring& ring) : ring_(ring)
    {
        // Signals belong to the program's own threads.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread([this] { reap(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    ~UringRing() override
    {
        {
            const std::lock_guard lock(mutex_);
            // Nothing is under way, so there is room.
            if (io_uring_sqe* const entry = io_uring_get_sqe(&ring_)) {
                io_uring_prep_nop(entry);
                io_uring_sqe_set_data(entry, nullptr);
            }
            io_uring_submit(&ring_);
        }
        thread_.join();
        io_uring_queue_exit(&ring_);
    }

    bool move(Way way, int file, u64 offset, std::vector<iovec> parts, std::function<void(int)> done) override
    {
        if (parts.size() > IOV_MAX)
            return false;
        auto job = std::make_unique<Job>(Job{std::move(parts), std::move(done)});
        const std::lock_guard lock(mutex_);
        io_uring_sqe* const entry = under_way_ < most_under_way ? io_uring_get_sqe(&ring_) : nullptr;
        if (!entry)
            return false;
        const auto prepare = way == Way::read ? io_uring_prep_readv : io_uring_prep_writev;
        prepare(entry, file, job->parts.data(), unsigned(job->parts.size()), offset);
        io_uring_sqe_set_data(entry, job.release());
        ++under_way_;
        // What the kernel does not take now, it takes with the next one or when it has been asked again.
        while (io_uring_submit(&ring_) == -EINTR) { }
        return true;
    }

private:
    struct Job {
        std::vector<iovec> parts;
        std::function<void(int)> done;
    };

    void reap()
    {
        pthread_setname_np(pthread_self(), "disk ring");
        for (;;) {
            io_uring_cqe* found = nullptr;
            if (io_uring_wait_cqe(&ring_, &found) != 0 || !found) {
                const std::lock_guard lock(mutex_);
                io_uring_submit(&ring_);
                continue;
            }
            const std::unique_ptr<Job> job(static_cast<Job*>(io_uring_cqe_get_data(found)));
            const int result = found->res;
            io_uring_cqe_seen(&ring_, found);
            if (!job)
                return;
            --under_way_;
            job->done(result);
        }
    }

    std::mutex mutex_;    // of submitting
    io_uring ring_;
    std::atomic<unsigned> under_way_ = 0;
    std::thread thread_;
};

}

std::unique_ptr<Ring> Ring::make()
{
    io_uring ring{};
    if (io_uring_queue_init(most_under_way, &ring, 0) != 0)
        return nullptr;
    return std::make_unique<UringRing>(ring);
}

}

#else

namespace engine {
std::unique_ptr<Ring> Ring::make()
{
    return nullptr;
}
}

#endif
