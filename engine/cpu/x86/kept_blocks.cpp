#include "engine/cpu/x86/kept_blocks.h"

#include <cstring>

namespace engine::x86 {

namespace {

bool alike(const Block& a, const Block& b)
{
    if (a.length != b.length || a.straddles != b.straddles || std::memcmp(a.bytes(), b.bytes(), a.length) != 0)
        return false;
    return !a.straddles || second_page(a).data() == second_page(b).data();
}

}

KeptBlocks::KeptBlocks(u64 size, unsigned segments)
    : buckets_(buckets),
      memory_(size),
      segment_size_(size / segments & ~u64(alignof(Block) - 1))
{
    for (unsigned n = 0; n < segments; ++n)
        segments_.push_back(emptied(n));
}

Block* KeptBlocks::find(u64 host, u32 mode) const
{
    Block* at = buckets_[bucket_of(host, mode)];
    while (at && (at->host != host || at->mode != mode))
        at = at->chain;
    return at;
}

KeptBlocks::Kept KeptBlocks::keep(const Block& block)
{
    Block* const before = find(block.host, block.mode);
    const bool same = before && alike(*before, block);
    if (same && (before->code || holds(filled_, *before))) {
        before->version = block.version;
        if (block.straddles)
            second_page(*before).version = second_page(block).version;
        return {before, nullptr};
    }
    const u64 size = size_without_insns(block.length, block.straddles);
    Segment& segment = segments_[filled_];
    if (segment.used + size > (filled_ + 1) * segment_size_)
        return {nullptr, nullptr};
    Block& kept = *reinterpret_cast<Block*>(&memory_[segment.used]);
    segment.used += size;
    kept = block;
    kept.insns = nullptr;
    std::memcpy(kept.bytes(), block.bytes(), size - sizeof(Block));
    Published<Block*>& head = buckets_[bucket_of(block.host, block.mode)];
    kept.chain = head;
    head = &kept;
    if (before)
        unlist(*before);
    // Whoever remembers it is to look for it.
    if (same)
        before->version = before->memory->code_version(before->page) - 1;
    return {&kept, same ? before : nullptr};
}

// Whoever stands at it goes on from there.
void KeptBlocks::unlist(const Block& block)
{
    Published<Block*>* at = &buckets_[bucket_of(block.host, block.mode)];
    while (Block* const next = *at) {
        if (next == &block) {
            *at = next->chain;
            return;
        }
        at = &next->chain;
    }
}

bool KeptBlocks::holds(unsigned segment, const Block& block) const
{
    return offset_of(block) - segment * segment_size_ < segment_size_;
}

void KeptBlocks::forget()
{
    for (u64 n = 0; n < buckets_.size(); ++n)
        if (buckets_[n])
            buckets_[n] = nullptr;
}

void KeptBlocks::reuse()
{
    memory_ = ZeroedArray<u8>(memory_.size());
    for (unsigned n = 0; n < segments_.size(); ++n)
        clear(n);
    filled_ = 0;
}

u32 KeptBlocks::site(const Block& kept, unsigned insn) const
{
    return u32(offset_of(kept) / alignof(Block)) << site_insn_bits | insn;
}

const Block& KeptBlocks::block_at(u32 site) const
{
    return *reinterpret_cast<const Block*>(&memory_[u64(site >> site_insn_bits) * alignof(Block)]);
}

Block& KeptBlocks::block_at(u32 site)
{
    return *reinterpret_cast<Block*>(&memory_[u64(site >> site_insn_bits) * alignof(Block)]);
}

}
