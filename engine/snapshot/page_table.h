#pragma once
// Where each page of a block of memory lies in the store; FORMAT.md, PAGE and SEGM.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/base/zeroed_array.h"
#include "engine/snapshot/page_store.h"

namespace engine {

// By page. `stretches` are where a table that was read is not zero, as [begin, end): guests use little of much memory.
struct PageTable : ZeroedArray<PageRef> {
    using ZeroedArray::ZeroedArray;
    std::vector<std::pair<u64, u64>> stretches;
};
using PageTables = std::map<std::string, PageTable>;    // by the block's name
using SharedTables = std::shared_ptr<const PageTables>;    // may be null: there are none

// Segments as SEGM numbers them.
class SegmentList {
public:
    explicit SegmentList(PageStore& store) : store_(store) { }
    static Result<SegmentList> unpack(std::span<const u8> bytes, PageStore& store, const std::string& name);
    std::vector<u8> pack() const;

    PageRef to_file(PageRef ref);
    // False where SEGM has no such segment.
    bool from_file(PageRef& ref) const;
    const std::vector<u32>& numbers() const { return numbers_; }

private:
    PageStore& store_;
    std::vector<u32> numbers_;    // in the store, by number in SEGM
    std::map<u32, u32> listed_;
};

std::vector<u8> pack_pages(const PageTable& table, SegmentList& segments);
// `most` bounds the pages that are believed.
Result<PageTable> unpack_pages(std::span<const u8> bytes, const SegmentList& segments, u64 most, const std::string& name);

}
