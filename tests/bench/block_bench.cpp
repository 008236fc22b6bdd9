// block_bench FILE FORMAT read|write BYTES DEPTH COUNT STEP: requests of BYTES through the block layer as a machine has it,
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

class Run {
public:
    Run(DiskImage& disk, BlockOperation operation, u64 bytes, u64 count, u64 step)
        : disk_(disk),
          operation_(operation),
          bytes_(bytes),
          left_(count),
          step_(step)
    {
    }

    double time(u64 depth)
    {
        const auto began = std::chrono::steady_clock::now();
        buffers_.assign(depth, std::vector<u8>(bytes_, 0x5a));
        unsigned submitted = 0;
        std::unique_lock lock(mutex_);
        for (u64 n = 0; n < depth; ++n)
            free_.push_back(n);
        while (left_ > 0 || under_way_ > 0) {
            done_.wait(lock, [&] { return (!free_.empty() && left_ > 0) || under_way_ == 0; });
            while (!free_.empty() && left_ > 0) {
                const u64 buffer = free_.back();
                free_.pop_back();
                --left_;
                ++under_way_;
                lock.unlock();
                submit(buffer);
                lock.lock();
                ++submitted;
            }
        }
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    }
    bool failed() const { return failed_; }

private:
    void submit(u64 buffer)
    {
        BlockRequest request{.operation = operation_, .offset = offset_, .length = bytes_, .segments = {buffers_[buffer]}};
        offset_ += step_;
        if (offset_ + bytes_ > disk_.size())
            offset_ %= step_;
        disk_.submit(std::move(request), {}, [this, buffer](const BlockResult& result) {
            const std::lock_guard lock(mutex_);
            failed_ |= !result.ok();
            --under_way_;
            free_.push_back(buffer);
            done_.notify_one();
        });
    }

    DiskImage& disk_;
    BlockOperation operation_;
    u64 bytes_, left_, step_, offset_ = 0, under_way_ = 0;
    std::vector<std::vector<u8>> buffers_;
    std::mutex mutex_;
    std::condition_variable done_;
    std::vector<u64> free_;
    bool failed_ = false;
};

}

int main(int argc, char** argv)
{
    if (argc != 8)
        return 2;
    const auto number = [&](int at) { return std::strtoull(argv[at], nullptr, 10); };
    const bool writes = std::string(argv[3]) == "write";
    WorkerPool workers;
    auto disk = open_image(
        argv[1], writes ? ImageAccess::read_write : ImageAccess::read_only, workers, {.format = *format_named(argv[2])});
    if (!disk) {
        std::fprintf(stderr, "%s\n", disk.error().text().c_str());
        return 2;
    }
    Run run(**disk, writes ? BlockOperation::write : BlockOperation::read, number(4), number(6), number(7));
    std::printf("%.6f\n", run.time(number(5)));
    return run.failed();
}
