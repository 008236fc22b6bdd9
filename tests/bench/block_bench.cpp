// block_bench FILE FORMAT read|write BYTES DEPTH COUNT STEP [CACHE]: requests of BYTES through the block layer as a machine has it,
// DEPTH at a time, COUNT in all, each STEP bytes after the one before (round the disk), as `qemu-img bench` makes them.
// Says how long it took in seconds.

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "engine/block/open_image.h"

using namespace engine;

namespace {

// As a machine does it: completions are posted, and the queue wakes whoever waits when it stops being empty.
class Run {
public:
    Run(DiskImage& disk, BlockOperation operation, u64 bytes, u64 count, u64 step)
        : disk_(disk),
          operation_(operation),
          left_(count),
          step_(step),
          memory_(bytes + alignment, 0x5a),
          buffer_(aligned(memory_, bytes))
    {
        completions_.on_post([this] {
            const std::lock_guard lock(mutex_);
            woken_ = true;
            changed_.notify_one();
        });
    }

    double time(u64 depth)
    {
        const auto began = std::chrono::steady_clock::now();
        while (left_ > 0 || under_way_ > 0) {
            for (; under_way_ < depth && left_ > 0; --left_, ++under_way_)
                submit();
            if (completions_.drain() > 0)
                continue;
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return woken_ || !completions_.empty(); });
            woken_ = false;
        }
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    }
    bool failed() const { return failed_; }

private:
    // As a guest's memory is.
    static constexpr u64 alignment = 4096;
    static std::span<u8> aligned(std::vector<u8>& memory, u64 bytes)
    {
        const u64 odd = reinterpret_cast<std::uintptr_t>(memory.data()) % alignment;
        return std::span(memory).subspan(odd ? alignment - odd : 0, bytes);
    }

    // All requests use the same memory, which is what qemu-img bench does.
    void submit()
    {
        BlockRequest request{.operation = operation_, .offset = offset_, .length = buffer_.size(), .segments = {buffer_}};
        offset_ += step_;
        if (offset_ + buffer_.size() > disk_.size())
            offset_ %= step_;
        disk_.submit(std::move(request), {}, [this](const BlockResult& result) {
            completions_.post([this, ok = result.ok()] {
                failed_ |= !ok;
                --under_way_;
            });
        });
    }

    DiskImage& disk_;
    BlockOperation operation_;
    u64 left_, step_, offset_ = 0, under_way_ = 0;
    std::vector<u8> memory_;
    std::span<u8> buffer_;
    CompletionQueue completions_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool woken_ = false, failed_ = false;
};

}

int main(int argc, char** argv)
{
    const auto cache = cache_named(argc == 9 ? argv[8] : "writeback");
    if (argc < 8 || argc > 9 || !cache)
        return 2;
    const auto number = [&](int at) { return std::strtoull(argv[at], nullptr, 10); };
    const bool writes = std::string(argv[3]) == "write";
    WorkerPool workers;
    auto disk = open_image(
        argv[1], writes ? ImageAccess::read_write : ImageAccess::read_only, workers,
        {.format = *format_named(argv[2]), .cache = *cache});
    if (!disk) {
        std::fprintf(stderr, "%s\n", disk.error().text().c_str());
        return 2;
    }
    Run run(**disk, writes ? BlockOperation::write : BlockOperation::read, number(4), number(6), number(7));
    std::printf("%.6f\n", run.time(number(5)));
    return run.failed();
}
