#pragma once
// What was written since begin(), so that it can be taken back: for running the same code twice. While a processor has one,
// its soft TLB gives no page away for writing, and every store comes by the slow path that tells.

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/base/bits.h"

namespace engine::x86 {

class WriteJournal {
public:
    // Host memory of a page, as it was and, after take_back(), as it had become.
    struct Page {
        u64* memory;
        std::array<u64, page_size / 8> before, after;
    };

    void begin()
    {
        used_ = 0;
        device_ = false;
        recording_ = true;
    }
    void end() { recording_ = false; }
    // A device was reached: that can't be taken back.
    void touch_device() { device_ = true; }
    bool touched_device() const { return device_; }

    void about_to_write(u8* host)
    {
        if (!recording_)
            return;
        auto* const memory = reinterpret_cast<u64*>(u64(host) & ~page_mask);
        if (std::ranges::any_of(pages(), [&](const auto& page) { return page->memory == memory; }))
            return;
        if (used_ == pages_.size())
            pages_.push_back(std::make_unique<Page>());
        pages_[used_]->memory = memory;
        std::memcpy(pages_[used_]->before.data(), memory, page_size);
        ++used_;
    }
    // Word by word, so that what a device writes beside it stays.
    void take_back()
    {
        for (auto& page : pages()) {
            std::memcpy(page->after.data(), page->memory, page_size);
            for (unsigned n = 0; n < page->before.size(); ++n)
                if (page->before[n] != page->after[n])
                    page->memory[n] = page->before[n];
        }
    }
    // As it was when it was taken back, whatever has been written since.
    void put_back()
    {
        for (auto& page : pages())
            for (unsigned n = 0; n < page->after.size(); ++n)
                if (page->memory[n] != page->after[n])
                    page->memory[n] = page->after[n];
    }
    std::span<std::unique_ptr<Page>> pages() { return {pages_.data(), used_}; }

private:
    std::vector<std::unique_ptr<Page>> pages_;
    std::size_t used_ = 0;
    bool recording_ = false, device_ = false;
};

}
