#pragma once
// A disk in memory for tests: completes at once, or when told to, and fails where it is told to.

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include "engine/block/block_device.h"

namespace engine {

// Shared by a disk and the test that looks at it.
struct MemoryDiskContent {
    std::vector<u8> bytes;
    std::optional<u64> bad_sector;    // of 512 bytes
    bool full = false;
    bool hold = false;    // keep requests until released
    unsigned flushes = 0, writes = 0;
    std::vector<std::function<void()>> held;

    void release()
    {
        auto waiting = std::exchange(held, {});
        for (auto& carry_out : waiting)
            carry_out();
    }
};

class MemoryDisk final : public BlockDevice {
public:
    MemoryDisk(MemoryDiskContent& content, u32 sector_size = 512, bool read_only = false)
        : content_(content),
          sector_size_(sector_size),
          read_only_(read_only)
    {
    }

    void submit(BlockRequest request, CancelToken token, Completion done) override
    {
        if (!content_.hold)
            return done(carry_out(request));
        content_.held.push_back([this, request, token, done] {
            done(token.cancelled() ? BlockResult{BlockFault::cancelled, {}} : carry_out(request));
        });
    }
    u64 size() const override { return content_.bytes.size(); }
    u32 sector_size() const override { return sector_size_; }
    bool read_only() const override { return read_only_; }
    std::string_view name() const override { return "memory"; }

private:
    BlockResult carry_out(const BlockRequest& request)
    {
        if (!request_makes_sense(*this, request))
            return {BlockFault::out_of_range, {"out of range", "", ""}};
        const u64 first = request.offset / 512, end = (request.offset + request.length) / 512;
        if (content_.bad_sector && *content_.bad_sector >= first && *content_.bad_sector < end)
            return {BlockFault::input_output, {"bad sector", "", ""}};
        u8* at = content_.bytes.data() + request.offset;
        switch (request.operation) {
        case BlockOperation::read:
            for (const auto& part : request.segments) {
                std::memcpy(part.data(), at, part.size());
                at += part.size();
            }
            return {};
        case BlockOperation::write:
            if (content_.full)
                return {BlockFault::no_space, {"The disk is full", "", ""}};
            ++content_.writes;
            for (const auto& part : request.segments) {
                std::memcpy(at, part.data(), part.size());
                at += part.size();
            }
            return {};
        case BlockOperation::flush:
            ++content_.flushes;
            return {};
        default:
            std::fill_n(at, request.length, u8(0));
            return {};
        }
    }

    MemoryDiskContent& content_;
    u32 sector_size_;
    bool read_only_;
};

}
