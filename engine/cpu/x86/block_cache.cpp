#include "engine/cpu/x86/block_cache.h"

#include <algorithm>
#include <cstring>

#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/host_code_tier.h"
#include "engine/cpu/x86/mmu.h"
#include "engine/cpu/x86/rendezvous.h"

namespace engine::x86 {

namespace {
constexpr unsigned most_insns = 64, most_branches = 3;

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
}

namespace {
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
}

bool holds_page(const Block& block, const MemoryBlock* memory, u64 page)
{
    return (block.memory[0] == memory && block.page[0] == page) || (block.memory[1] == memory && block.page[1] == page);
}

u8* second_page(const Block& block)
{
    return block.memory[1]->data() + (block.page[1] << page_shift);
}

u64 generation_of(Cpu& c, const Block& block)
{
    const u64 linear = (c.base[cs] + c.gpr[gpr_rip]) & c.linear_mask;
    const u64 generation = c.soft_tlb.generation_of_code(*c.tlb, linear);
    const bool alike = !block.straddles || c.soft_tlb.generation_of_code(*c.tlb, next_page(c, linear)) == generation;
    return alike ? generation : 0;
}

BlockCache::BlockCache() : jumps_(jump_entries), buckets_(buckets) { }

void BlockCache::clear(Cpu& c)
{
    if (c.tier)
        c.tier->clear();
    std::ranges::fill(jumps_, Jump{});
    buckets_ = ZeroedArray<Block*>(buckets);
    chunks_.clear();
    used_ = chunk_size;
}

void* BlockCache::allocate(std::size_t size)
{
    size = (size + 15) & ~std::size_t(15);
    if (used_ + size > chunk_size) {
        chunks_.push_back(std::make_unique_for_overwrite<u8[]>(chunk_size));
        used_ = 0;
    }
    void* const at = chunks_.back().get() + used_;
    used_ += size;
    return at;
}

bool BlockCache::current(Cpu& c, Block& b)
{
    for (unsigned n = 0; n < 2 && b.memory[n]; ++n) {
        if (b.memory[n]->code_version(b.page[n]) == b.version[n])
            continue;
        const u64 split = std::min<u64>(b.length, page_size - b.in_page);
        const u64 begin = n == 0 ? b.in_page : 0, length = n == 0 ? split : b.length - split;
        const u32 version = claim_code(c, *b.memory[n], (b.page[n] << page_shift) + begin, length);
        const u8* const now = n == 0 ? reinterpret_cast<const u8*>(b.host) : second_page(b);
        if (std::memcmp(now, b.bytes + (n == 0 ? 0 : split), length) != 0)
            return false;
        b.version[n] = version;
    }
    return true;
}

Block* BlockCache::find_slow(Cpu& c, u64 linear, u32 mode)
{
    c.current = nullptr;
    u8* const host = code_address(c, linear);
    if (!host)
        return nullptr;
    Block** at = &buckets_[hash(u64(host), mode) & (buckets - 1)];
    for (; *at; at = &(*at)->chain) {
        Block& b = **at;
        if (b.host != u64(host) || b.mode != mode)
            continue;
        // A straddling block also depends on where the next page is mapped.
        if (b.straddles && code_address(c, next_page(c, linear)) != second_page(b))
            break;
        if (current(c, b))
            return &b;
        break;
    }
    if (*at)
        *at = (*at)->chain;
    if (chunks_.size() * chunk_size > budget)
        clear(c);
    Block* const built = build(c, linear, mode, host);
    if (built) {
        Block*& head = buckets_[hash(u64(host), mode) & (buckets - 1)];
        built->chain = head;
        head = built;
    }
    return built;
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
    insns[count] = {};
    insns[count].handler = &end_of_block;
    insns[count].offset = u16(in_page + length);
    ++decoded_;

    auto* const block = static_cast<Block*>(allocate(sizeof(Block)));
    *block = {};
    block->version_at = first.memory->code_version_of(first.page);
    block->version[0] = version;
    block->version[1] = second_version;
    block->straddles = second.memory != nullptr;
    block->in_page = u16(in_page);
    block->length = u16(length);
    block->count = u16(count);
    block->host = u64(host);
    block->mode = mode;
    block->memory[0] = first.memory;
    block->memory[1] = second.memory;
    block->page[0] = first.page;
    block->page[1] = second.page;
    block->insns = static_cast<Insn*>(allocate(sizeof(Insn) * (count + 1)));
    std::memcpy(block->insns, insns, sizeof(Insn) * (count + 1));
    block->bytes = static_cast<u8*>(allocate(length));
    std::memcpy(block->bytes, bytes, length);
    return block;
}

}
