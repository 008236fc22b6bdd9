#pragma once
// Decoded blocks: straight runs of instructions within a page (the last one may straddle into the next), found by host
// address and mode. Each vCPU has its own. A block remembers the code version of its pages and its bytes: a store to
// its granules raises the version, and the block is compared and, if need be, decoded again when it is next entered.
//
// Decoded instructions are some twenty times as large as their bytes, and most are wanted a few times only. So new blocks lie
// in a ring with their instructions until newer ones need the room; what host code was made of is kept without them, and
// decoded again where the interpreter must help out.

#include <array>
#include <span>
#include <vector>

#include "engine/base/zeroed_array.h"
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// Followed by its bytes, as decoded; by a SecondPage if it straddles; and in the ring by its instructions.
struct Block {
    const Insn* insns;    // `count`, and the end mark; null: thrown away, BlockCache::insns() has them
    const u8* code;    // host code, null where there is none yet
    u64 host;    // address of the first byte
    MemoryBlock* memory;
    Block* chain;
    u32 page;    // within memory
    u32 version;
    u32 mode;
    u16 in_page;    // offset of the first byte
    u16 length;    // in bytes
    u16 heat;    // how often it was entered without host code
    u8 count;    // of instructions
    u8 span_failures;    // how often host code did not get its bytes in one piece
    bool no_spans;    // so it no longer tries
    bool straddles;
    bool listed;    // to be found

    static constexpr unsigned most_insns = 64;

    const u8* bytes() const { return reinterpret_cast<const u8*>(this + 1); }
    u8* bytes() { return reinterpret_cast<u8*>(this + 1); }
};

static_assert(sizeof(Block) == 64);

// Where a straddling block goes on.
struct SecondPage {
    MemoryBlock* memory;
    u32 page;
    u32 version;

    u8* data() const { return memory->data() + (u64(page) << page_shift); }
};
const SecondPage& second_page(const Block& block);

bool holds_page(const Block& block, const MemoryBlock* memory, u64 page);
// The generation of the soft TLB that finding this block at RIP is good for. 0: none, as its two pages go by different ones.
u64 generation_of(Cpu& c, const Block& block);

using DecodedBlock = std::array<Insn, Block::most_insns + 1>;
// Fills in what `block` was decoded to, with the end mark.
void decode_again(const Block& block, DecodedBlock& to);

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
            if (b.memory->code_version(b.page) == b.version && (!b.straddles || goes_on(b))) [[likely]]
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

    // The block that takes the place of `block` from here on and stays until drop_kept(); its `insns` are good until the
    // next find(), and the caller takes them away. Null: there is no room.
    Block* keep(Cpu& c, Block& block);
    // Blocks are decoded anew when they are next found. What was kept may still be read until keep() is next called.
    void drop_kept();
    // What find() does when it has decoded a block: `insns` with the end mark; of `head` what does not follow from the rest.
    Block& add(const Block& head, std::span<const u8> bytes, std::span<const Insn> insns, const SecondPage& second = {});
    // Names an instruction of a kept block.
    u32 site(const Block& kept, unsigned insn) const;
    const Insn* insn_at(u32 site);

    u64 decoded() const { return decoded_; }
    // In bytes: `ring` of new blocks, a multiple of a MiB, 2 MiB at the least. Before the first find().
    void set_budget(u64 ring, u64 kept);

private:
    struct Jump {
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
    // Whether a straddling block's second page still holds what it did.
    static bool goes_on(const Block& block);
    Block* find_slow(Cpu& c, u64 linear, u32 mode);
    Block* build(Cpu& c, u64 linear, u32 mode, u8* host);
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
    ZeroedArray<u8> ring_, kept_;
    std::vector<u64> filled_;
    u64 segment_ = 0, kept_used_ = 0;
    bool kept_dropped_ = false;    // whose memory goes when there is something to keep again
    u64 decoded_ = 0;
};

}
