#include "engine/translator/busy_blocks.h"

#include <algorithm>
#include <utility>

namespace engine::translator {

// Mostly behind all others of its stretch.
void BusyBlocks::placed(u32 offset, const x86::Block& block)
{
    const std::size_t stretch = offset >> stretch_bits;
    if (stretch >= stretches_.size())
        stretches_.resize(stretch + 1);
    std::vector<Place>& places = stretches_[stretch];
    places.insert(std::ranges::upper_bound(places, offset, {}, &Place::offset), {offset, blocks_.site(block, 0)});
}

x86::Block* BusyBlocks::seen(u32 offset, unsigned weight)
{
    if (++samples_ == period) {
        samples_ = 0;
        for (auto& [block, state] : states_)
            state.samples = state.weight = 0;
    }
    const std::size_t stretch = offset >> stretch_bits;
    if (stretch >= stretches_.size())
        return nullptr;
    const auto behind = std::ranges::upper_bound(stretches_[stretch], offset, {}, &Place::offset);
    if (behind == stretches_[stretch].begin())
        return nullptr;
    x86::Block& block = blocks_.block_at((behind - 1)->site);
    State& state = states_[&block];
    ++state.samples;
    state.weight += weight;
    return &block;
}

BusyBlocks::State BusyBlocks::state_of(const x86::Block& block) const
{
    const auto at = states_.find(&block);
    return at == states_.end() ? State{} : at->second;
}

void BusyBlocks::move(const x86::Block& from, const x86::Block& to)
{
    if (auto state = states_.extract(&from)) {
        state.key() = &to;
        states_.insert(std::move(state));
    }
}

void BusyBlocks::clear(u32 begin, u32 end)
{
    for (u32 stretch = begin >> stretch_bits; stretch < stretches_.size() && stretch << stretch_bits < end; ++stretch)
        std::erase_if(stretches_[stretch], [&](const Place& place) { return place.offset >= begin && place.offset < end; });
}

void BusyBlocks::clear()
{
    stretches_.clear();
    states_.clear();
}

}
