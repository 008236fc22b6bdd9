#pragma once
// Decoded blocks: straight runs of instructions within a page (the last one may straddle into the next), found by host
// address and mode. Each vCPU has its own. A block remembers the code version of its pages and its bytes: a store to
// its granules raises the version, and the block is compared and, if need be, decoded again when it is next entered.

#include <memory>
#include <vector>

#include "engine/base/zeroed_array.h"
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

struct Block {
    // Hot: looked at on every entry.
    Insn* insns;    // `count`, and the end mark
    const std::atomic<u32>* version_at;    // code version of the first page
    u32 version[2];
    bool straddles;
    u16 in_page;    // offset of the first byte
    u16 length;    // in bytes
    u16 count;    // of instructions
    u16 heat;    // how often it was entered without host code
    const u8* code;    // host code, null where there is none yet
    u8 span_failures;    // how often host code did not get its bytes in one piece
    bool no_spans;    // so it no longer tries

    u64 host;    // address of the first byte
    u32 mode;
    MemoryBlock* memory[2];    // second: where the last instruction straddles, else null
    u64 page[2];
    u8* bytes;    // `length`, as decoded
    Block* chain;
};

bool holds_page(const Block& block, const MemoryBlock* memory, u64 page);
// Where the page lies that a straddling block goes on in.
u8* second_page(const Block& block);
// The generation of the soft TLB that finding this block at RIP is good for. 0: none, as its two pages go by different ones.
u64 generation_of(Cpu& c, const Block& block);

class BlockCache {
public:
    BlockCache();

    // The block at RIP; raises what fetching it raises. `mode` is c.mode, with mode_single where one instruction is wanted.
    // Null where code lies outside memory.
    Block* find(Cpu& c, u32 mode)
    {
        const u64 linear = (c.base[cs] + c.gpr[gpr_rip]) & c.linear_mask;
        Jump& jump = jumps_[(linear ^ linear >> 12) & (jump_entries - 1)];
        if (jump.linear == linear && jump.mode == mode && holds(c.soft_tlb, jump.generation)) [[likely]] {
            Block& b = *jump.block;
            if (b.version_at->load(std::memory_order_acquire) == b.version[0] && (!b.straddles || goes_on(b))) [[likely]]
                return &b;
        }
        Block* const block = find_slow(c, linear, mode);
        if (block)
            jump = {linear, mode, generation_of(c, *block), block};
        return block;
    }
    void clear(Cpu& c);
    // Marks bytes of one page as code. From here on no vCPU keeps a writable translation of the page: all that is read of
    // it now is good for the code version that is returned.
    static u32 claim_code(Cpu& c, MemoryBlock& memory, u64 offset, u64 length);

    u64 decoded() const { return decoded_; }

private:
    struct Jump {
        u64 linear = ~u64(0);
        u32 mode = 0;
        u64 generation = 0;
        Block* block = nullptr;
    };
    static constexpr unsigned jump_entries = 1 << 14, buckets = 1 << 17;
    static constexpr std::size_t chunk_size = 1 << 20, budget = 128 << 20;

    static bool holds(const SoftTlb& tlb, u64 generation)
    {
        return generation == tlb.generation() || generation == tlb.global_generation();
    }
    // Whether a straddling block's second page still holds what it did.
    static bool goes_on(const Block& block) { return block.memory[1]->code_version(block.page[1]) == block.version[1]; }
    Block* find_slow(Cpu& c, u64 linear, u32 mode);
    Block* build(Cpu& c, u64 linear, u32 mode, u8* host);
    bool current(Cpu& c, Block& block);
    void* allocate(std::size_t size);

    std::vector<Jump> jumps_;
    ZeroedArray<Block*> buckets_;    // most of it is never touched
    std::vector<std::unique_ptr<u8[]>> chunks_;
    std::size_t used_ = chunk_size;
    u64 decoded_ = 0;
};

}
