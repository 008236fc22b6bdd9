#pragma once
// What was written since begin(), so that it can be taken back: for running the same code twice. While a processor has one,
// its soft TLB gives a page away for writing only after the slow path has told of it, and until the next begin() or end().

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/bits.h"
#include "engine/cpu/x86/soft_tlb.h"

namespace engine::x86 {

class WriteJournal {
public:
    // Host memory of a page, as it was and, after take_back(), as it had become.
    struct Page {
        u64* memory;
        std::array<u64, page_size / 8> before, after;
    };

    explicit WriteJournal(SoftTlb& tlb) : tlb_(tlb) { }

    void begin()
    {
        used_ = 0;
        device_ = taken_back_ = false;
        recording_ = true;
    }
    void end()
    {
        recording_ = false;
        for (; !given_.empty(); given_.pop_back())
            tlb_.forget_write(*given_.back().context, given_.back().linear);
    }
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
        Page& page = *pages_[used_++];
        page.memory = memory;
        std::memcpy(page.before.data(), memory, page_size);
        if (taken_back_)
            page.after = page.before;
    }
    // Whether the soft TLB may give away the page at `linear`, of which it was just told; end() takes it back.
    bool gives_away(SoftTlbContext& context, u64 linear)
    {
        if (recording_)
            given_.push_back({&context, linear});
        return recording_;
    }
    // Word by word, so that what a device writes beside it stays.
    void take_back()
    {
        taken_back_ = true;
        for (auto& page : pages()) {
            std::memcpy(page->after.data(), page->memory, page_size);
            for_differences(page->after.data(), page->before.data(), [&](unsigned n) { page->memory[n] = page->before[n]; });
        }
    }
    // As it was when it was taken back, whatever has been written since.
    void put_back()
    {
        for (auto& page : pages())
            for_differences(page->memory, page->after.data(), [&](unsigned n) { page->memory[n] = page->after[n]; });
    }
    std::span<std::unique_ptr<Page>> pages() { return {pages_.data(), used_}; }

    // Calls `visit` with the index of each word that differs in two pages.
    template <class Visit> static void for_differences(const u64* a, const u64* b, Visit visit)
    {
        constexpr unsigned at_once = 64;
        for (unsigned first = 0; first < page_size / 8; first += at_once) {
            if (std::memcmp(a + first, b + first, at_once * 8) == 0)
                continue;
            for (unsigned n = first; n < first + at_once; ++n)
                if (a[n] != b[n])
                    visit(n);
        }
    }

private:
    struct Given {
        SoftTlbContext* context;
        u64 linear;
    };

    SoftTlb& tlb_;
    std::vector<std::unique_ptr<Page>> pages_;
    std::vector<Given> given_;
    std::size_t used_ = 0;
    bool recording_ = false, device_ = false, taken_back_ = false;
};

}
