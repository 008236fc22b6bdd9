#pragma once
// Who has which of the soft TLBs' site windows: an access of a block's instruction, until the code is dropped. Numbers are the
// same for all vCPUs; each has windows of its own. One thread at a time.

#include <unordered_map>
#include <vector>

#include "engine/cpu/x86/block.h"

namespace engine::translator {

class SiteWindows {
public:
    // One that loops which are not busy share, by number: of all programs or of the kernel, and of one kind of access.
    unsigned shared(bool user, x86::Access access);
    // Its own; 0: there is none left, or the one it had was given up.
    unsigned of(const x86::Block& block, unsigned insn, x86::Access access, bool in_loop);
    // Those of a block that a vCPU missed so often, for so many samples, that they don't pay. False: there were none.
    bool give_up(const x86::Block& block, unsigned samples, const x86::SoftTlb& tlb);
    void clear() { sites_.clear(), taken_ = x86::SoftTlb::shared_windows; }

private:
    struct Site {
        u8 insn;
        x86::Access access;
        bool in_loop;    // of a block that jumps to itself: it pays there even so
        u16 window;
    };

    unsigned taken_ = x86::SoftTlb::shared_windows, next_shared_ = 0;
    std::unordered_map<const x86::Block*, std::vector<Site>> sites_;
};

}
