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

KeptBlocks::KeptBlocks(u64 size) : buckets_(buckets), memory_(size) { }

Block* KeptBlocks::find(u64 host, u32 mode) const
{
    Block* at = buckets_[bucket_of(host, mode)];
    while (at && (at->host != host || at->mode != mode))
        at = at->chain;
    return at;
}

Block* KeptBlocks::keep(const Block& block)
{
    Block* const before = find(block.host, block.mode);
    if (before && alike(*before, block)) {
        before->version = block.version;
        if (block.straddles)
            second_page(*before).version = second_page(block).version;
        return before;
    }
    const u64 size = size_without_insns(block.length, block.straddles);
    if (used_ + size > memory_.size())
        return nullptr;
    Block& kept = *reinterpret_cast<Block*>(&memory_[used_]);
    used_ += size;
    kept = block;
    kept.insns = nullptr;
    std::memcpy(kept.bytes(), block.bytes(), size - sizeof(Block));
    Published<Block*>& head = buckets_[bucket_of(block.host, block.mode)];
    kept.chain = head;
    head = &kept;
    // Whoever stands at the one that is taken out goes on from there.
    for (Block* at = &kept; before && at; at = at->chain)
        if (at->chain == before) {
            at->chain = before->chain;
            break;
        }
    return &kept;
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
    used_ = 0;
}

u32 KeptBlocks::site(const Block& kept, unsigned insn) const
{
    const auto offset = u64(reinterpret_cast<const u8*>(&kept) - memory_.begin());
    return u32(offset / alignof(Block)) << site_insn_bits | insn;
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
