#pragma once
// Pages of guest memory on disk, in segments of compressed chunks; FORMAT.md, "Segments". Written once, never moved.
//
// A reference names a page in this store; 0 is the page of zeroes. Equal pages are stored once where their hashes meet:
// they are compared byte by byte, so that no guest can choose what another page holds.

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <time.h>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"
#include "engine/base/types.h"

namespace engine {

using PageRef = u64;

constexpr unsigned pages_in_chunk = 16;
constexpr u64 chunk_alignment = 16;    // bytes

constexpr unsigned slot_of(PageRef ref)
{
    return unsigned(ref & 15);
}
constexpr u64 offset_of(PageRef ref)
{
    return (ref >> 4 & ((u64(1) << 40) - 1)) * chunk_alignment;
}
constexpr u32 segment_of(PageRef ref)
{
    return u32(ref >> 44);
}
constexpr PageRef make_ref(u32 segment, u64 offset, unsigned slot)
{
    return u64(segment) << 44 | offset / chunk_alignment << 4 | slot;
}
constexpr PageRef chunk_of(PageRef ref)
{
    return ref & ~u64(15);
}
constexpr u32 most_segments = 1 << 20;

struct Chunk {
    unsigned count = 0;
    std::array<u64, pages_in_chunk> hashes{};
    std::vector<u8> pages;    // `count` pages

    const u8* page(unsigned slot) const { return pages.data() + slot * page_size; }
};

u64 page_hash(const u8* page);
bool is_zero_page(const u8* page);

class PageStore {
public:
    explicit PageStore(std::string directory) : directory_(std::move(directory)) { }
    PageStore(const PageStore&) = delete;
    PageStore& operator=(const PageStore&) = delete;

    // Any thread. The number by which references name the segment `id`; it need not be readable.
    Result<u32> segment_number(const std::string& id);
    std::string segment_id(u32 number) const;
    // Any thread. The chunk that holds the page, checked.
    Result<std::shared_ptr<const Chunk>> read(PageRef ref);
    // Bytes that the chunk takes in its segment, 0 where there is none.
    u64 chunk_length(PageRef ref);

    // One thread at a time: a new segment, pages into it, its end. Nothing counts before finish(), which makes it last. From
    // begin() until what refers to the pages is written down, no space is freed (SnapshotDirectory::lock).
    Result<void> begin(const std::string& id);
    Result<PageRef> add(const u8* page);
    // Pages equal to those of this chunk need not be written again.
    void learn(PageRef chunk);
    Result<u64> finish();    // bytes written
    // Takes back what was begun, or finished, last.
    void abandon();
    u64 bytes_written() const { return writing_ ? writing_->end : 0; }

private:
    struct Segment {
        std::string id;
        std::shared_ptr<const FileDescriptor> file{};
        bool tried = false;
        timespec changed{};    // by the host's clock, as it was last seen
    };
    struct Writing {
        std::string id;
        u32 number = 0;
        FileDescriptor file;
        u64 end = 0;    // of what is written
        Chunk chunk;
    };

    std::string path(const std::string& id) const;
    std::shared_ptr<const FileDescriptor> file_of(u32 number);    // null where there is none
    void forget_freed();
    void forget(u32 segment);
    Result<std::shared_ptr<const Chunk>> load(PageRef chunk);
    const u8* content(PageRef ref, std::shared_ptr<const Chunk>& holder);
    Result<void> write_chunk();
    Result<void> write_at_end(std::span<const u8> bytes);

    std::string directory_;
    mutable std::mutex mutex_;
    std::deque<Segment> segments_;
    std::map<std::string, u32> numbers_;
    static constexpr std::size_t most_cached = 128;    // chunks
    std::unordered_map<PageRef, std::shared_ptr<const Chunk>> cache_;
    std::deque<PageRef> cached_;    // oldest first

    // The writer's.
    std::unordered_map<u64, PageRef> by_hash_;
    std::unordered_set<PageRef> learnt_;
    std::unique_ptr<Writing> writing_;
    std::optional<u32> last_;    // the segment that was finished last, and may be taken back
};

}
