#pragma once
// Finds the blocks that time is spent in, by samples of where host code is. One thread at a time.

#include <unordered_map>
#include <vector>

#include "engine/cpu/x86/kept_blocks.h"

namespace engine::translator {

class BusyBlocks {
public:
    explicit BusyBlocks(x86::KeptBlocks& blocks) : blocks_(blocks) { }

    // Code of `block` begins so far into the code cache.
    void placed(u32 offset, const x86::Block& block);
    // A sample from there, see Sampler::weight(): the block that it is of, null: none that is known.
    x86::Block* seen(u32 offset, unsigned weight);
    // Samples of a period of so many together, in the one that is running.
    static constexpr unsigned period = 256;
    unsigned samples_of(const x86::Block& block) const { return state_of(block).samples; }
    unsigned weight_of(const x86::Block& block) const { return state_of(block).weight; }
    bool period_begins() const { return samples_ == 0; }
    // True if it was not already.
    bool make_busy(const x86::Block& block) { return !std::exchange(states_[&block].busy, true); }
    bool is_busy(const x86::Block& block) const { return state_of(block).busy; }
    // `to` is the same block from here on.
    void move(const x86::Block& from, const x86::Block& to);
    void forget(const x86::Block& block) { states_.erase(&block); }
    // Code in [begin, end) is gone.
    void clear(u32 begin, u32 end);
    void clear();

private:
    static constexpr unsigned stretch_bits = 21;
    struct Place {
        u32 offset, site;
    };
    struct State {
        unsigned samples = 0, weight = 0;
        bool busy = false;
    };

    State state_of(const x86::Block& block) const;

    x86::KeptBlocks& blocks_;
    std::vector<std::vector<Place>> stretches_;    // each in order
    std::unordered_map<const x86::Block*, State> states_;
    unsigned samples_ = 0;
};

}
