#pragma once
// Which pages of video memory may have changed since they were last drawn.

#include <vector>

#include "engine/memory/memory_block.h"

namespace engine {

// A page is flagged when a vCPU is given a translation for writing to it, and may be written through that long after its
// flag was taken. A round begins after flags were taken; it is settled once every vCPU has dropped the translations it had
// then. Machine's lock held.
class DirtyRounds {
public:
    virtual ~DirtyRounds() = default;
    // Before the flags of `block` are looked at: flags the writes that only the back end knows of.
    virtual void flag_writes(MemoryBlock& block) { (void)block; }
    virtual u64 begin() = 0;
    virtual bool settled(u64 round) = 0;
};

// For vCPUs that flag every write (or log it, as KVM does before the flags are looked at).
class ImmediateRounds : public DirtyRounds {
public:
    u64 begin() override { return 0; }
    bool settled(u64) override { return true; }
};

class DirtyPages {
public:
    DirtyPages(MemoryBlock& block, DirtyRounds& rounds)
        : block_(block),
          rounds_(rounds),
          dirty_(block.pages()),
          unsettled_(block.pages())
    {
    }

    // Looks at the pages that hold bytes [first, end), clamped to the block; true if any of them may have changed.
    bool collect(u64 first, u64 end);
    // As of the last collect(), which covered these bytes.
    bool any(u64 first, u64 end) const;

private:
    bool settled(u64 round);

    MemoryBlock& block_;
    DirtyRounds& rounds_;
    std::vector<u8> dirty_;
    std::vector<u64> unsettled_;    // 0, or the round of the page's last flag, plus 1
    std::vector<u64> fresh_;
    u64 asked_ = 0;    // the round asked for last, plus 1
    bool answer_ = false;
};

}
