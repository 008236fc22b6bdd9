#include "engine/cpu/x86/block_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/base/bits.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/host_code_tier.h"
#include "engine/cpu/x86/mmu.h"
#include "engine/cpu/x86/rendezvous.h"

namespace engine::x86 {

namespace {
constexpr unsigned most_insns = Block::most_insns, most_branches = 6;
constexpr u64 segment_size = 1 << 20;
// With host code, and without.
constexpr u64 ring_beside_code = 8 << 20, ring_of_several = 4 << 20, ring_alone = 128 << 20;

u64 next_page(const Cpu& c, u64 linear)
{
    return ((linear & ~page_mask) + page_size) & c.linear_mask;
}

// Null: outside memory.
u8* code_address(Cpu& c, u64 linear)
{
    if (u8* const host = host_address(c, nullptr, linear, 1, Access::fetch))
        return host;
    const CodePage page = fetch_page(c, linear);
    return page.host ? page.host + (linear & page_mask) : nullptr;
}

void drop_writes(Cpu& c, u64 host_page)
{
    c.soft_tlb.drop_writes_to(host_page);
    if (c.rendezvous->alone())
        return;
    c.rendezvous->begin_exclusive(c);
    for (Cpu* other : c.rendezvous->cpus())
        other->soft_tlb.drop_writes_to(host_page);
    c.rendezvous->end_exclusive();
}

u64 size_of(const Block& block)
{
    return size_without_insns(block.length, block.straddles) + (block.insns ? sizeof(Insn) * (block.count + 1u) : 0);
}

// What has another in its place is found by nobody, whoever remembers it.
void outdate(Block& block)
{
    block.version = block.memory->code_version(block.page) - 1;
}

}

u64 generation_of(Cpu& c, const Block& block)
{
    const u64 linear = (c.base[cs] + c.gpr[gpr_rip]) & c.linear_mask;
    const u64 generation = c.soft_tlb.generation_of_code(*c.tlb, linear);
    const bool alike = !block.straddles || c.soft_tlb.generation_of_code(*c.tlb, next_page(c, linear)) == generation;
    return alike ? generation : 0;
}

BlockCache::BlockCache() : jumps_(jump_entries), buckets_(buckets), again_(again_entries), heats_(heats) { }

void BlockCache::set_budget(u64 ring)
{
    ring_ = ZeroedArray<u8>(ring);
    filled_.assign(ring / segment_size, 0);
}

Block*& BlockCache::bucket_of(const Block& block)
{
    return buckets_[hash_of_block(block.host, block.mode) & (buckets - 1)];
}
void BlockCache::list(Block& block)
{
    Block*& head = bucket_of(block);
    block.chain = head;
    block.listed = true;
    head = &block;
}
void BlockCache::unlist(Block& block)
{
    Block*& head = bucket_of(block);
    if (head == &block) {
        head = block.chain;
    } else {
        Block* at = head;
        while (at->chain != &block)
            at = at->chain;
        at->chain = block.chain;
    }
    block.listed = false;
    outdate(block);
}

template <class Visit> void BlockCache::for_blocks(u64 segment, Visit visit)
{
    for (u64 at = segment * segment_size; at < filled_[segment];) {
        Block& block = *reinterpret_cast<Block*>(&ring_[at]);
        at += size_of(block);
        if (block.listed)
            visit(block);
    }
}

void BlockCache::give_up(u64 segment)
{
    for_blocks(segment, [this](Block& block) {
        heats_[hash_of_block(block.host, block.mode) & (heats - 1)] = u8(std::min<u16>(block.heat, 0xff));
        unlist(block);
    });
    filled_[segment] = segment * segment_size;
    std::ranges::fill(jumps_, Jump{});
}

// `size` is a multiple of 8.
u8* BlockCache::allocate(u64 size)
{
    if (filled_[segment_] + size > (segment_ + 1) * segment_size) {
        segment_ = (segment_ + 1) % filled_.size();
        give_up(segment_);
    }
    u8* const at = &ring_[filled_[segment_]];
    filled_[segment_] += size;
    return at;
}

KeptBlocks::Kept BlockCache::keep(Cpu& c, Block& block)
{
    const KeptBlocks::Kept kept = kept_->keep(block);
    if (!kept.block)
        return kept;
    if (block.insns)
        unlist(block);
    const u64 linear = (c.base[cs] + c.gpr[gpr_rip]) & c.linear_mask;
    Jump& jump = jumps_[(linear ^ linear >> 12) & (jump_entries - 1)];
    if (jump.block == &block)
        jump.block = kept.block;
    return kept;
}

void BlockCache::forget_kept()
{
    std::ranges::fill(jumps_, Jump{});
    again_ = ZeroedArray<Again>(again_entries);
}

void BlockCache::forget_kept(unsigned segment)
{
    for (Jump& jump : jumps_)
        if (jump.block && kept_->holds(segment, *jump.block))
            jump = {};
    for (u64 n = 0; n < again_entries; ++n)
        if (const Block* const block = again_[n].block; block && kept_->holds(segment, *block))
            again_[n].block = nullptr;
}

const Insn* BlockCache::insn_at(u32 site)
{
    return insns(kept_->block_at(site)) + KeptBlocks::insn_at(site);
}

BlockCache::Again& BlockCache::again_of(const Block& block)
{
    const u64 at = std::bit_cast<u64>(&block) / alignof(Block);
    return again_[(at ^ at / again_entries) % again_entries];
}

const Insn* BlockCache::insns_again(const Block& block)
{
    Again& again = again_of(block);
    if (again.block != &block) {
        again.block = &block;
        decode_again(block, again.insns);
    }
    return again.insns.data();
}

bool BlockCache::current(Cpu& c, Block& b)
{
    const u64 split = std::min<u64>(b.length, page_size - b.in_page);
    if (b.memory->code_version(b.page) != b.version) {
        const u32 version = claim_code(c, *b.memory, (u64(b.page) << page_shift) + b.in_page, split);
        if (std::memcmp(reinterpret_cast<const u8*>(b.host), b.bytes(), split) != 0)
            return false;
        b.version = version;
    }
    if (b.straddles && !second_is_fresh(b)) {
        SecondPage& second = second_page(b);
        const u32 version = claim_code(c, *second.memory, u64(second.page) << page_shift, b.length - split);
        if (std::memcmp(second.data(), b.bytes() + split, b.length - split) != 0)
            return false;
        second.version = version;
    }
    return true;
}

// A straddling block also depends on where the next page is mapped.
bool BlockCache::leads_on(Cpu& c, u64 linear, Block& block)
{
    return (!block.straddles || code_address(c, next_page(c, linear)) == second_page(block).data()) && current(c, block);
}

Block* BlockCache::find_slow(Cpu& c, u64 linear, u32 mode)
{
    c.current = nullptr;
    c.block = nullptr;
    u8* const host = code_address(c, linear);
    if (!host)
        return nullptr;
    Block* at = buckets_[hash_of_block(u64(host), mode) & (buckets - 1)];
    while (at && (at->host != u64(host) || at->mode != mode))
        at = at->chain;
    if (at && leads_on(c, linear, *at))
        return at;
    if (at)
        unlist(*at);
    if (Block* const kept = kept_ ? kept_->find(u64(host), mode) : nullptr; kept && leads_on(c, linear, *kept))
        return kept;
    return build(c, linear, mode, host);
}

u32 BlockCache::claim_code(Cpu& c, MemoryBlock& memory, u64 offset, u64 length)
{
    const u64 page = offset >> page_shift;
    for (;;) {
        if (memory.set_code(offset, length)) {
            drop_writes(c, u64(memory.data()) + (offset & ~page_mask));
            // Another vCPU may have claimed more of the page meanwhile, and read it before the writers were gone.
            memory.renew_code_version(page);
        }
        const u32 version = memory.code_version(page);
        if (memory.marked(offset, length))
            return version;
    }
}

Block* BlockCache::build(Cpu& c, u64 linear, u32 mode, u8* host)
{
    const CodePage first = fetch_page(c, linear);
    if (!first.memory)
        return nullptr;
    const u64 in_page = linear & page_mask;
    // Claimed before the bytes are read; where the block will end is not known yet, so to the page's end.
    u64 page_left = page_size - in_page;
    const u32 version = claim_code(c, *first.memory, (first.page << page_shift) + in_page, std::min<u64>(page_left, most_insns));
    const unsigned most = mode & mode_single ? 1 : most_insns;
    Insn insns[most_insns + 1];
    u8 bytes[most_insns * longest_instruction];
    unsigned count = 0, branches = 0;
    u64 length = 0;
    u64 claimed = std::min<u64>(page_left, most_insns);
    CodePage second;
    u32 second_version = 0;
    while (count < most) {
        const u64 left = page_left - length;
        if (length + longest_instruction > claimed && claimed < page_left) {
            claimed = std::min<u64>(page_left, claimed + 64);
            claim_code(c, *first.memory, (first.page << page_shift) + in_page, claimed);
        }
        Insn& insn = insns[count];
        u8 window[longest_instruction];
        const u64 here = std::min<u64>(left, longest_instruction);
        std::memcpy(window, host + length, here);
        Decoded decoded = decode({window, here}, mode, u16(in_page + length), insn);
        if (decoded == Decoded::truncated) {
            if (count)
                break;
            second = fetch_page(c, next_page(c, linear));
            if (!second.memory)
                return nullptr;
            second_version = claim_code(c, *second.memory, second.page << page_shift, longest_instruction);
            std::memcpy(window + here, second.host, longest_instruction - here);
            decode({window, longest_instruction}, mode, u16(in_page + length), insn);
        }
        std::memcpy(bytes + length, window, insn.length);
        length += insn.length;
        ++count;
        const bool branch = insn.row->forms == jcc_forms.data(), loop = branch && insn.imm == in_page;
        branches += branch;
        const bool repeated = insn.row->traits & may_end_block && insn.prefix >= pF3;
        if (insn.row->traits & ends_block || repeated || length >= page_left || loop || branches == most_branches)
            break;
    }
    mark_end(insns[count], in_page + length);
    ++decoded_;

    const Block head{
        .host = u64(host),
        .memory = first.memory,
        .page = u32(first.page),
        .version = version,
        .mode = mode,
        .in_page = u16(in_page),
        .heat = std::exchange(heats_[hash_of_block(u64(host), mode) & (heats - 1)], u8(0)),
    };
    if (!ring_.size())
        set_budget(!c.tier ? ring_alone : c.rendezvous->alone() ? ring_beside_code : ring_of_several);
    return &add(
        head, std::span(bytes).first(length), std::span(insns).first(count + 1),
        {second.memory, u32(second.page), second_version});
}

Block& BlockCache::add(const Block& head, std::span<const u8> bytes, std::span<const Insn> insns, const SecondPage& second)
{
    const bool straddles = second.memory;
    const u64 without_insns = size_without_insns(bytes.size(), straddles);
    u8* const room = allocate(without_insns + insns.size_bytes());
    std::memcpy(room + without_insns, insns.data(), insns.size_bytes());
    Block& block = *reinterpret_cast<Block*>(room);
    block = head;
    block.insns = reinterpret_cast<const Insn*>(room + without_insns);
    block.length = u16(bytes.size());
    block.count = u8(insns.size() - 1);
    block.straddles = straddles;
    std::memcpy(block.bytes(), bytes.data(), bytes.size());
    if (straddles)
        second_page(block) = second;
    list(block);
    return block;
}

}
