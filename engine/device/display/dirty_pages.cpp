#include "engine/device/display/dirty_pages.h"

#include <algorithm>

namespace engine {

bool DirtyPages::settled(u64 round)
{
    if (asked_ != round + 1) {
        asked_ = round + 1;
        answer_ = rounds_.settled(round);
    }
    return answer_;
}

bool DirtyPages::collect(u64 first, u64 end)
{
    end = std::min(end, block_.size());
    if (first >= end)
        return false;
    rounds_.flag_writes(block_);
    fresh_.clear();
    asked_ = 0;
    bool any_dirty = false;
    for (u64 page = first >> page_shift; page <= (end - 1) >> page_shift; ++page) {
        dirty_[page] = unsettled_[page] != 0;
        if (unsettled_[page] && settled(unsettled_[page] - 1))
            unsettled_[page] = 0;
        if (block_.take_dirty(page)) {
            dirty_[page] = 1;
            fresh_.push_back(page);
        }
        any_dirty |= dirty_[page] != 0;
    }
    if (!fresh_.empty()) {
        const u64 round = rounds_.begin() + 1;
        for (const u64 page : fresh_)
            unsettled_[page] = round;
    }
    return any_dirty;
}

bool DirtyPages::any(u64 first, u64 end) const
{
    end = std::min(end, block_.size());
    for (u64 at = first & ~page_mask; at < end; at += page_size)
        if (dirty_[at >> page_shift])
            return true;
    return false;
}

}
