#pragma once
// Blocks that host code was made of, without their instructions, for all vCPUs of a machine: found by host address and mode.
// They lie in segments, which are filled one at a time and given up one at a time. Finding takes no lock. Whoever adds and
// gives up is one at a time. Memory is used again only when nobody can have a pointer to it any more: the owner knows when.

#include <vector>

#include "engine/base/zeroed_array.h"
#include "engine/cpu/x86/block.h"

namespace engine::x86 {

class KeptBlocks {
public:
    // `size` in bytes, all together. The first segment is the one that is filled.
    explicit KeptBlocks(u64 size, unsigned segments = 1);

    // The newest one of several; null: none.
    Block* find(u64 host, u32 mode) const;
    struct Kept {
        Block* block;    // null: there is no room in the segment
        const Block* before;    // the same one, in whose place it is; null: none
    };
    // A copy of `block`, or what is kept already, has the same bytes, and has code or is in the segment that is filled.
    // `block` may be a kept one.
    Kept keep(const Block& block);
    // From here on; it must be empty.
    void fill(unsigned segment) { filled_ = segment; }
    bool holds(unsigned segment, const Block& block) const;
    // Some blocks of the segment are found no longer, and visited, at most so many. True: so it is with all of them. What was
    // kept may still be read until clear().
    template <class Visit> bool give_up(unsigned segment, unsigned most, Visit visit)
    {
        Segment& s = segments_[segment];
        for (; s.given_up < s.used && most; --most) {
            Block& block = *reinterpret_cast<Block*>(&memory_[s.given_up]);
            s.given_up += size_without_insns(block.length, block.straddles);
            unlist(block);
            visit(block);
        }
        return s.given_up == s.used;
    }
    void clear(unsigned segment) { segments_[segment] = emptied(segment); }
    // None is found from here on, of any segment. What was kept may still be read until reuse().
    void forget();
    void reuse();

    // Names an instruction of a kept block.
    u32 site(const Block& kept, unsigned insn) const;
    const Block& block_at(u32 site) const;
    Block& block_at(u32 site);
    static unsigned insn_at(u32 site) { return site & ((1u << site_insn_bits) - 1); }

private:
    static constexpr unsigned buckets = 1 << 17, site_insn_bits = 7;
    struct Segment {
        u64 used, given_up;    // up to where, from the memory's start
    };

    static u64 bucket_of(u64 host, u32 mode) { return hash_of_block(host, mode) & (buckets - 1); }
    Segment emptied(u64 segment) const { return {segment * segment_size_, segment * segment_size_}; }
    void unlist(const Block& block);
    u64 offset_of(const Block& kept) const { return u64(reinterpret_cast<const u8*>(&kept) - memory_.begin()); }

    ZeroedArray<Published<Block*>> buckets_;    // most are never touched
    ZeroedArray<u8> memory_;
    const u64 segment_size_;
    std::vector<Segment> segments_;
    unsigned filled_ = 0;
};

}
