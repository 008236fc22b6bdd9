#pragma once
// Who has which of the soft TLBs' site windows: an access of a block's instruction, until the code is dropped. Numbers are the
// same for all vCPUs; each has windows of its own. One thread at a time.

#include <array>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/cpu/x86/block.h"

namespace engine::translator {

class SiteWindows {
public:
    // As many are for pages.
    static constexpr unsigned page_windows = 2048;

    // One that loops which are not busy share, by number: of all programs or of the kernel, and of one kind of access.
    unsigned shared(bool user, x86::Access access);
    // One for what programs have at FS or GS and a constant: a thread's own data, mostly on one page.
    static unsigned of_thread(x86::Access access) { return (2 + unsigned(access)) * of_a_kind; }
    // Its own; 0: there is none left, or the one it had was given up.
    unsigned of(const x86::Block& block, unsigned insn, x86::Access access, x86::WindowUse use);
    // What all blocks of a mode on a page of code find so many bytes from that page on, which are a multiple of a page's. If
    // there are many, it is shared with others of programs or of the kernel, and of one kind of access.
    unsigned of_page(u64 host_page, u32 mode, i64 distance, x86::Access access);
    // Those of a block that a vCPU missed so often, for samples of this weight together, that they don't pay. False: there were
    // none.
    bool give_up(const x86::Block& block, unsigned weight, const x86::SoftTlb& tlb);
    // `to` is the same block from here on.
    void move(const x86::Block& from, const x86::Block& to);
    // The block is gone. Others may have its windows when every vCPU has forgotten them: reuse().
    void forget(const x86::Block& block);
    void reuse();
    void clear();

private:
    struct Site {
        u8 insn;
        x86::Access access;
        x86::WindowUse use;
        u16 window;
        bool given_up = false;
    };

    static constexpr unsigned of_a_kind = x86::SoftTlb::shared_windows / 4;
    static constexpr unsigned first_page = x86::SoftTlb::shared_windows, first = first_page + page_windows;

    unsigned taken_ = first, next_shared_ = 0;
    std::array<unsigned, 4> next_of_kind_{};
    std::map<std::tuple<u64, u32, i64, x86::Access>, u16> pages_;
    std::unordered_map<const x86::Block*, std::vector<Site>> sites_;
    std::vector<u16> gone_, free_;
};

}
