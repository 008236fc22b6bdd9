#pragma once
// Room for host code, mapped twice: written through one mapping, executed through the other, so that no page is ever both.
// Each mapping has an inaccessible page before and behind it. What runs often and what seldom does lie apart, so that the
// host's caches and TLB have more of the first. One thread.

#include <algorithm>
#include <array>
#include <memory>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine::translator {

class CodeCache {
public:
    enum class Part { hot, cold };
    static constexpr u64 large_page = 2 << 20;    // bytes
    // `size` in bytes, rounded up to whole pages; host memory is taken as it fills, in large pages where the host can. A part has at most half of it in one piece.
    static Result<std::unique_ptr<CodeCache>> create(u64 size);
    ~CodeCache();
    CodeCache(const CodeCache&) = delete;
    CodeCache& operator=(const CodeCache&) = delete;

    // Room for `most` bytes, null when there is none left. What is written there counts once commit() was told of its end.
    u8* reserve(Part part, u64 most);
    void commit(Part part, const u8* end) { parts_[unsigned(part)].used = (u64(end - writable_) + 15) & ~u64(15); }
    // What was committed until now stays when the rest is cleared.
    void keep()
    {
        kept_ = parts_;
        kept_taken_ = taken_;
    }
    void clear()
    {
        parts_ = kept_;
        taken_ = kept_taken_;
    }

    u64 size() const { return size_; }    // bytes
    const u8* executable(const u8* written) const { return written - writable_ + executable_; }
    u8* writable(const u8* run) const { return writable_ + (run - executable_); }
    // A place in the writable mapping in less room than a pointer takes: caches are smaller than 4 GiB.
    u32 offset_of(const u8* written) const { return u32(written - writable_); }
    u8* at(u32 offset) const { return writable_ + offset; }

private:
    // The parts take chunks by turns, as they fill.
    struct Chunk {
        u64 used = 0, end = 0;    // from the mapping's start
    };
    CodeCache(u64 size, u8* writable, u8* executable) : size_(size), writable_(writable), executable_(executable) { }
    u64 chunk_size() const { return std::min(large_page, size_ / 2); }

    u64 size_;
    u8* writable_;
    u8* executable_;
    u64 taken_ = 0, kept_taken_ = 0;    // by chunks
    std::array<Chunk, 2> parts_, kept_;
};

}
