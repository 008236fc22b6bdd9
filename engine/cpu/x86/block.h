#pragma once
// A straight run of decoded instructions within a page; the last one may straddle into the next. It remembers the code version of
// its pages and its bytes: a store to its granules raises the version, and the block is compared and, if need be, decoded again
// when it is next entered.

#include <array>

#include "engine/base/published.h"
#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

// Followed by its bytes, as decoded; by a SecondPage if it straddles; and in a BlockCache's ring by its instructions. What
// is published may change while other vCPUs look at it.
struct Block {
    const Insn* insns;    // `count`, and the end mark; null: thrown away, BlockCache::insns() has them
    Published<const u8*> code;    // host code, null where there is none yet
    u64 host;    // address of the first byte
    MemoryBlock* memory;
    Published<Block*> chain;
    u32 page;    // within memory
    Published<u32> version;
    u32 mode;
    u16 in_page;    // offset of the first byte
    u16 length;    // in bytes
    Published<u16> heat;    // how often it was entered without host code
    u8 count;    // of instructions
    Published<u8> span_failures;    // how often host code did not get its bytes in one piece
    Published<bool> no_spans;    // so it no longer tries
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
    Published<u32> version;

    u8* data() const { return memory->data() + (u64(page) << page_shift); }
};
const SecondPage& second_page(const Block& block);
SecondPage& second_page(Block& block);

bool holds_page(const Block& block, const MemoryBlock* memory, u64 page);
// Whether its pages have not been written to since it was last compared with them.
bool second_is_fresh(const Block& block);
inline bool is_fresh(const Block& block)
{
    return block.memory->code_version(block.page) == block.version && (!block.straddles || second_is_fresh(block));
}
// In bytes, of a block of `length` with its bytes and SecondPage.
u64 size_without_insns(u64 length, bool straddles);
u64 hash_of_block(u64 host, u32 mode);

using DecodedBlock = std::array<Insn, Block::most_insns + 1>;
// Fills in what `block` was decoded to, with the end mark.
void decode_again(const Block& block, DecodedBlock& to);
void mark_end(Insn& insn, u64 offset);

}
