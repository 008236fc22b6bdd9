#pragma once
// Room for host code, mapped twice: written through one mapping, executed through the other, so that no page is ever both.
// Each mapping has an inaccessible page before and behind it. One thread.

#include <memory>

#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine::translator {

class CodeCache {
public:
    // `size` in bytes, rounded up to whole pages; host memory is taken as it fills.
    static Result<std::unique_ptr<CodeCache>> create(u64 size);
    ~CodeCache();
    CodeCache(const CodeCache&) = delete;
    CodeCache& operator=(const CodeCache&) = delete;

    // Null when fewer than `most` bytes are left. What is written there counts once commit() was told of its end.
    u8* reserve(u64 most) { return used_ + most <= size_ ? writable_ + used_ : nullptr; }
    void commit(const u8* end) { used_ = (u64(end - writable_) + 15) & ~u64(15); }
    // Everything behind the first `kept` bytes goes.
    void clear(u64 kept) { used_ = kept; }
    u64 used() const { return used_; }

    const u8* executable(const u8* written) const { return written - writable_ + executable_; }
    u8* writable(const u8* run) const { return writable_ + (run - executable_); }

private:
    CodeCache(u64 size, u8* writable, u8* executable) : size_(size), writable_(writable), executable_(executable) { }

    u64 size_;
    u8* writable_;
    u8* executable_;
    u64 used_ = 0;
};

}
