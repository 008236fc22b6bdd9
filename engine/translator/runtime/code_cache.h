#pragma once
// Room for host code, mapped twice: written through one mapping, executed through the other, so that no page is ever both.
// Each mapping has an inaccessible page before and behind it. It is filled region by region, and used again likewise. What runs
// often and what seldom does lie apart in each, so that the host's caches and TLB have more of the first. One thread.

#include <array>
#include <memory>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine::translator {

class CodeCache {
public:
    enum class Part { hot, cold };
    static constexpr u64 large_page = 2 << 20;    // bytes
    // `size` in bytes, a MiB at the least, rounded down to whole regions; host memory is taken as it fills, in large pages where
    // the host can.
    static Result<std::unique_ptr<CodeCache>> create(u64 size);
    ~CodeCache();
    CodeCache(const CodeCache&) = delete;
    CodeCache& operator=(const CodeCache&) = delete;

    unsigned regions() const { return unsigned(size_ / region_size_); }    // 4 to 255
    u64 region_size() const { return region_size_; }    // bytes, from 256 KiB on
    unsigned region_of(u32 offset) const { return unsigned(offset / region_size_); }
    // What is written from here on goes there, from its start.
    void fill(unsigned region);
    // Room for `most` bytes, null when there is none left in the region. What is written there counts once commit() was told of
    // its end.
    u8* reserve(Part part, u64 most);
    void commit(Part part, const u8* end);
    // What was committed until now, in the first region, stays there.
    void keep() { kept_ = part(Part::hot).used; }

    u64 size() const { return size_; }    // bytes
    const u8* executable(const u8* written) const { return written - writable_ + executable_; }
    u8* writable(const u8* run) const { return writable_ + (run - executable_); }
    // A place in the writable mapping in less room than a pointer takes: caches are smaller than 4 GiB.
    u32 offset_of(const u8* written) const { return u32(written - writable_); }
    u8* at(u32 offset) const { return writable_ + offset; }

private:
    struct Room {
        u64 used = 0, end = 0;    // from the mapping's start
    };
    CodeCache(u64 size, u64 region_size, u8* writable, u8* executable);
    Room& part(Part part) { return parts_[unsigned(part)]; }
    void take_large_pages(u64 begin, u64 end);

    u64 size_, region_size_;
    u8* writable_;
    u8* executable_;
    u64 kept_ = 0;
    std::array<Room, 2> parts_;
    std::array<u64, 2> written_{};    // to each part, ever
    std::vector<bool> large_;    // pages that were taken
};

}
