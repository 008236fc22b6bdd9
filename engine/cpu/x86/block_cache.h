#pragma once
// Decoded blocks of a vCPU, found by host address and mode.
//
// Decoded instructions are some twenty times as large as their bytes, and most are wanted a few times only. So new blocks lie
// in a ring with their instructions until newer ones need the room; what host code was made of is kept without them, for all
// vCPUs, and decoded again where the interpreter must help out.

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/zeroed_array.h"
#include "engine/cpu/x86/kept_blocks.h"

namespace engine::x86 {

// The generation of the soft TLB that finding this block at RIP is good for. 0: none, as its two pages go by different ones.
u64 generation_of(Cpu& c, const Block& block);

class BlockCache {
public:
    BlockCache();

    // The block at RIP; raises what fetching it raises. `mode` is c.mode, with mode_single where one instruction is wanted.
    // Null where code lies outside memory. It is good until the next call, unless keep() has been told of it.
    Block* find(Cpu& c, u32 mode)
    {
        const u64 linear = (c.base[cs] + c.gpr[gpr_rip]) & c.linear_mask;
        Jump& jump = jumps_[(linear ^ linear >> 12) & (jump_entries - 1)];
        if (jump.linear == linear && jump.mode == mode && holds(c.soft_tlb, jump.generation)) [[likely]] {
            Block& b = *jump.block;
            if (is_fresh(b)) [[likely]]
                return &b;
        }
        Block* const block = find_slow(c, linear, mode);
        if (block)
            jump = {linear, mode, generation_of(c, *block), block};
        return block;
    }
    // Good until the next call of this or of find().
    const Insn* insns(const Block& block) { return block.insns ? block.insns : insns_again(block); }
    // Marks bytes of one page as code. From here on no vCPU keeps a writable translation of the page: all that is read of
    // it now is good for the code version that is returned.
    static u32 claim_code(Cpu& c, MemoryBlock& memory, u64 offset, u64 length);

    // Before the first find(). A block is looked for there too.
    void share(std::shared_ptr<KeptBlocks> kept) { kept_ = std::move(kept); }
    // KeptBlocks', of the last block found, whose place it takes from here on.
    KeptBlocks::Kept keep(Cpu& c, Block& block);
    // Forgets where kept blocks are and what they were decoded to; of all, or of a segment.
    void forget_kept();
    void forget_kept(unsigned segment);
    // What find() does when it has decoded a block: `insns` with the end mark; of `head` what does not follow from the rest.
    Block& add(const Block& head, std::span<const u8> bytes, std::span<const Insn> insns, const SecondPage& second = {});
    const Insn* insn_at(u32 site);    // KeptBlocks'

    u64 decoded() const { return decoded_; }
    // In bytes: `ring` of new blocks, a multiple of a MiB, 2 MiB at the least. Before the first find().
    void set_budget(u64 ring);

private:
    struct alignas(32) Jump {    // within a line of the host's cache
        u64 linear = ~u64(0);
        u32 mode = 0;
        u64 generation = 0;
        Block* block = nullptr;
    };
    struct Again {
        const Block* block;
        DecodedBlock insns;
    };
    static constexpr unsigned jump_entries = 1 << 14, buckets = 1 << 17, again_entries = 1 << 9, heats = 1 << 18;

    static bool holds(const SoftTlb& tlb, u64 generation)
    {
        return generation == tlb.generation() || generation == tlb.global_generation();
    }
    Block* find_slow(Cpu& c, u64 linear, u32 mode);
    Block* build(Cpu& c, u64 linear, u32 mode, u8* host);
    bool leads_on(Cpu& c, u64 linear, Block& block);
    bool current(Cpu& c, Block& block);
    u8* allocate(u64 size);
    void give_up(u64 segment);
    template <class Visit> void for_blocks(u64 segment, Visit visit);
    Block*& bucket_of(const Block& block);
    void list(Block& block);
    void unlist(Block& block);
    Again& again_of(const Block& block);
    const Insn* insns_again(const Block& block);

    std::vector<Jump> jumps_;
    // Most of these is never touched.
    ZeroedArray<Block*> buckets_;
    ZeroedArray<Again> again_;
    ZeroedArray<u8> heats_;    // by hash, of blocks that have made room
    // In segments, each a MiB that is given up at once. `filled_`: up to where there are blocks in each.
    ZeroedArray<u8> ring_;
    std::vector<u64> filled_;
    u64 segment_ = 0, decoded_ = 0;
    std::shared_ptr<KeptBlocks> kept_;    // null: none
};

}
