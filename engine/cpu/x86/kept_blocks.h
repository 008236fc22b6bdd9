#pragma once
// Blocks that host code was made of, without their instructions, for all vCPUs of a machine: found by host address and mode.
// Finding takes no lock. Whoever adds and forgets is one at a time. Memory is used again only when nobody can have a
// pointer to it any more: the owner knows when.

#include "engine/base/zeroed_array.h"
#include "engine/cpu/x86/block.h"

namespace engine::x86 {

class KeptBlocks {
public:
    explicit KeptBlocks(u64 size);    // bytes

    // The newest one of several; null: none.
    Block* find(u64 host, u32 mode) const;
    // A copy of `block`, or what is kept already and has the same bytes. Null: there is no room.
    Block* keep(const Block& block);
    // None is found from here on. What was kept may still be read until reuse().
    void forget();
    void reuse();

    // Names an instruction of a kept block.
    u32 site(const Block& kept, unsigned insn) const;
    const Block& block_at(u32 site) const;
    Block& block_at(u32 site);
    static unsigned insn_at(u32 site) { return site & ((1u << site_insn_bits) - 1); }

private:
    static constexpr unsigned buckets = 1 << 17, site_insn_bits = 7;
    static u64 bucket_of(u64 host, u32 mode) { return hash_of_block(host, mode) & (buckets - 1); }

    ZeroedArray<Published<Block*>> buckets_;    // most are never touched
    ZeroedArray<u8> memory_;
    u64 used_ = 0;
};

}
