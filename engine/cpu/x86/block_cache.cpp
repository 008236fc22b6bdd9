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
constexpr unsigned most_insns = Block::most_insns, most_branches = 3;
constexpr u64 segment_size = 1 << 20;
// With host code, and without.
constexpr u64 ring_beside_code = 16 << 20, ring_alone = 128 << 20, kept_beside_code = 24 << 20;
constexpr unsigned site_insn_bits = 7;

u64 hash(u64 host, u32 mode)
{
    return (host ^ host >> 15 ^ u64(mode) * 0x9e3779b1);
}

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

SecondPage& second_of(Block& block)
{
    return *reinterpret_cast<SecondPage*>(block.bytes() + round_up(u64(block.length), alignof(SecondPage)));
}
u64 size_without_insns(u64 length, bool straddles)
{
    return sizeof(Block) + round_up(length, alignof(Insn)) + (straddles ? sizeof(SecondPage) : 0);
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

void mark_end(Insn& insn, u64 offset)
{
    insn = {};
    insn.handler = &end_of_block;
    insn.offset = u16(offset);
}
}

const SecondPage& second_page(const Block& block)
{
    return *reinterpret_cast<const SecondPage*>(block.bytes() + round_up(u64(block.length), alignof(SecondPage)));
}

bool holds_page(const Block& block, const MemoryBlock* memory, u64 page)
{
    return (block.memory == memory && block.page == page)
        || (block.straddles && second_page(block).memory == memory && second_page(block).page == page);
}

u64 generation_of(Cpu& c, const Block& block)
{
    const u64 linear = (c.base[cs] + c.gpr[gpr_rip]) & c.linear_mask;
    const u64 generation = c.soft_tlb.generation_of_code(*c.tlb, linear);
    const bool alike = !block.straddles || c.soft_tlb.generation_of_code(*c.tlb, next_page(c, linear)) == generation;
    return alike ? generation : 0;
}

// The decoder always has the bytes that the longest instruction would take: whether one is too long hangs on that.
void decode_again(const Block& block, DecodedBlock& to)
{
    u64 at = 0;
    for (unsigned n = 0; n < block.count; ++n) {
        std::array<u8, longest_instruction> window{};
        std::memcpy(window.data(), block.bytes() + at, std::min<u64>(block.length - at, window.size()));
        decode(window, block.mode, u16(block.in_page + at), to[n]);
        at += to[n].length;
    }
    mark_end(to[block.count], block.in_page + at);
}

BlockCache::BlockCache() : jumps_(jump_entries), buckets_(buckets), again_(again_entries), heats_(heats) { }

void BlockCache::set_budget(u64 ring, u64 kept)
{
    ring_ = ZeroedArray<u8>(ring);
    kept_ = ZeroedArray<u8>(kept);
    filled_.assign(ring / segment_size, 0);
}

bool BlockCache::goes_on(const Block& block)
{
    const SecondPage& second = second_page(block);
    return second.memory->code_version(second.page) == second.version;
}

Block*& BlockCache::bucket_of(const Block& block)
{
    return buckets_[hash(block.host, block.mode) & (buckets - 1)];
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
    Block** at = &bucket_of(block);
    while (*at != &block)
        at = &(*at)->chain;
    *at = block.chain;
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
        heats_[hash(block.host, block.mode) & (heats - 1)] = u8(std::min<u16>(block.heat, 0xff));
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

Block* BlockCache::keep(Cpu& c, Block& block)
{
    const u64 size = size_without_insns(block.length, block.straddles);
    if (std::exchange(kept_dropped_, false))
        kept_ = ZeroedArray<u8>(kept_.size());
    if (kept_used_ + size > kept_.size())
        return nullptr;
    Block& kept = *reinterpret_cast<Block*>(&kept_[kept_used_]);
    kept_used_ += size;
    std::memcpy(&kept, &block, size);
    again_of(kept).block = nullptr;
    unlist(block);
    list(kept);
    const u64 linear = (c.base[cs] + c.gpr[gpr_rip]) & c.linear_mask;
    Jump& jump = jumps_[(linear ^ linear >> 12) & (jump_entries - 1)];
    if (jump.block == &block)
        jump.block = &kept;
    return &kept;
}

void BlockCache::drop_kept()
{
    kept_used_ = 0;
    kept_dropped_ = true;
    std::ranges::fill(jumps_, Jump{});
    buckets_ = ZeroedArray<Block*>(buckets);
    for (u64 segment = 0; segment < filled_.size(); ++segment)
        for_blocks(segment, [this](Block& block) { list(block); });
}

u32 BlockCache::site(const Block& kept, unsigned insn) const
{
    const auto offset = u64(reinterpret_cast<const u8*>(&kept) - kept_.begin());
    return u32(offset / alignof(Block)) << site_insn_bits | insn;
}

const Insn* BlockCache::insn_at(u32 site)
{
    const u64 offset = u64(site >> site_insn_bits) * alignof(Block);
    const Block& block = *reinterpret_cast<const Block*>(&kept_[offset]);
    return insns(block) + (site & ((1u << site_insn_bits) - 1));
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
    if (b.straddles && !goes_on(b)) {
        SecondPage& second = second_of(b);
        const u32 version = claim_code(c, *second.memory, u64(second.page) << page_shift, b.length - split);
        if (std::memcmp(second.data(), b.bytes() + split, b.length - split) != 0)
            return false;
        second.version = version;
    }
    return true;
}

Block* BlockCache::find_slow(Cpu& c, u64 linear, u32 mode)
{
    c.current = nullptr;
    c.block = nullptr;
    u8* const host = code_address(c, linear);
    if (!host)
        return nullptr;
    Block* at = buckets_[hash(u64(host), mode) & (buckets - 1)];
    while (at && (at->host != u64(host) || at->mode != mode))
        at = at->chain;
    // A straddling block also depends on where the next page is mapped.
    if (at && (!at->straddles || code_address(c, next_page(c, linear)) == second_page(*at).data()) && current(c, *at))
        return at;
    if (at)
        unlist(*at);
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
        branches += insn.row->forms == jcc_forms.data();
        const bool repeated = insn.row->traits & may_end_block && insn.prefix >= pF3;
        if (insn.row->traits & ends_block || repeated || length >= page_left || branches == most_branches)
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
        .heat = std::exchange(heats_[hash(u64(host), mode) & (heats - 1)], u8(0)),
    };
    if (!ring_.size())
        set_budget(c.tier ? ring_beside_code : ring_alone, c.tier ? kept_beside_code : 0);
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
        second_of(block) = second;
    list(block);
    return block;
}

}
