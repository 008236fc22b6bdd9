#include "engine/translator/x86_tier.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/mmu.h"
#include "engine/cpu/x86/rendezvous.h"
#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

namespace {

constexpr u16 never = 0xffff;
// A page that is rewritten again and again must be run ever more often in between: twice as often after each so many.
constexpr unsigned rewrites_to_double = 8, most_doublings = 8;

// So often does a jump to another page go by the table, in a context it was not linked in, before it is linked in that one.
constexpr u32 least_patience = 16, most_patience = 1 << 14;

void stop_chain(Cpu&, const Insn*) { }

// Only its handler is read of the mark behind the instruction.
struct AloneInsn {
    Insn insn;
    x86::Handler stop;
};

class X86Tier final : public x86::HostCodeTier, private BlockSurroundings {
public:
    X86Tier(Cpu& c, std::unique_ptr<CodeCache> cache, const X86TierOptions& options)
        : hot_(options.hot),
          linked_(options.linked),
          perf_map_(options.perf_map),
          counted_(c),
          cache_(std::move(cache)),
          thunks_(write_thunks(*cache_)),
          targets_(jump_table_entries)
    {
        c.host_code.jump_table = targets_.data();
        cache_->keep();
    }

    bool run(Cpu& c, Block& entered) override
    {
        c.block = nullptr;
        Block* const translated = entered.code ? &entered : translated_if_worth(c, entered);
        if (!translated) {
            pending_link_ = 0;
            return false;
        }
        Block& b = *translated;
        if (pending_link_ && linked_)
            complete_link(c, b);
        begin_host_code(c);
        const u64 rip = c.gpr[x86::gpr_rip];
        const u64 generation = x86::generation_of(c, b);
        if (linked_ && generation)
            targets_[jump_table_index(rip)] = {rip, jump_context(generation, c.mode), b.code, rip - b.in_page};
        c.gpr[x86::gpr_rip] = rip - b.in_page;
        ++counts_.runs;
        inside_ = true;
        pending_link_ = thunks_.enter(biased(c), b.code);
        inside_ = false;
        if (pending_link_)
            ++counts_.unlinked;
        else if (c.request.load(std::memory_order_relaxed))
            ++counts_.requests;
        left(c);
        return true;
    }

    TranslatorCounts counts() const override;
    std::optional<TranslatedBlock> translation_of(Cpu& c, u64 linear) override;

    void left(Cpu& c) override
    {
        if (std::exchange(inside_, false))
            ++counts_.faults;
        if (c.host_code.running)
            c.lazy.set_all(x86::unpack_flags(c.host_code.flags));
        if (c.host_code.running || c.host_code.framed) {
            collect_mxcsr(c);
            set_host_mxcsr(host_mxcsr);
        }
        save_x87(c);
        c.host_code.running = false;
        c.host_code.framed = false;
        if (Block* const apart = std::exchange(c.slots.apart, nullptr); apart && apart->code)
            drop_spans(*apart);
    }

    void drop_stale(Cpu& c) override
    {
        bool everything = false;
        const std::vector<u64> stale = c.rendezvous->take_stale(c, everything);
        if (everything)
            return clear(c);
        for (const u64 page : stale)
            drop_page(page);
    }

    void clear(Cpu& c) override
    {
        std::erase_if(pages_, [](const auto& page) { return page.second.rewrites == 0; });
        for (auto& [page, content] : pages_)
            content = {.blocks = {}, .far_links = {}, .rewrites = content.rewrites};
        c.blocks->drop_kept();
        c.slots.apart = nullptr;
        ++counts_.drops_of_all;
        cache_->clear();
        links_.clear();
        far_links_.clear();
        alone_.clear();
        rests_.clear();
        span_checks_.clear();
        std::ranges::fill(targets_, JumpTarget{});
        pending_link_ = 0;
    }

private:
    struct Translated {
        Block* block;
        u32 entry, miss, link;    // counted from the start of the code
    };
    struct Page {
        std::vector<Translated> blocks;
        std::vector<u32> far_links;    // from other pages, by index
        unsigned rewrites = 0;
    };
    // Of jumps that are not linked or may have to be linked anew; there are several for each block. Numbers to leave with tell
    // the two apart by their lowest bit; 0 is none.
    struct Link {
        u64 host;    // address that it leads to
        u32 displacement;    // counted, like what follows, from the start of the code
        u32 mode;
    };
    struct LinkToPage {
        u32 page, context, half, displacement;    // FarJump's
        i64 in_page;
        u64 target_page = 0;    // that knows of it
        u32 mode;
        u32 patience = least_patience, next_patience = least_patience;
    };
    static constexpr u64 far_bit = 1;

    static Cpu* biased(Cpu& c) { return reinterpret_cast<Cpu*>(reinterpret_cast<u8*>(&c) + state_bias); }

    // Flat code of 32 or 64 bits.
    static bool translatable(const Block& b)
    {
        using namespace x86;
        constexpr u32 flat_32 = mode_32 | mode_flat | mode_zero_base | mode_stack_32;
        const bool is_64 = (b.mode & mode_size_mask) == mode_64;
        return !(b.mode & mode_single) && (is_64 || (b.mode & flat_32) == flat_32);
    }

    // The block that `b` is from here on, null: not yet.
    Block* translated_if_worth(Cpu& c, Block& b)
    {
        if (b.heat == never || ++b.heat < hot_)
            return nullptr;
        if (!translatable(b)) {
            b.heat = never;
            return nullptr;
        }
        if (b.heat < hot_ << std::min(pages_[page_of(b)].rewrites / rewrites_to_double, most_doublings))
            return nullptr;
        Block* const kept = !has_room() ? nullptr : b.insns ? c.blocks->keep(c, b) : &b;
        if (kept)
            return translate(c, *kept);
        clear(c);
        b.heat = u16(hot_ - 1);
        return nullptr;
    }

    bool has_room()
    {
        constexpr u64 most = BlockTranslator::most_code;
        return cache_->reserve(CodeCache::Part::hot, most) && cache_->reserve(CodeCache::Part::cold, most);
    }

    static u64 page_of(const Block& b) { return b.host - b.in_page; }

    Block* translate(Cpu& c, Block& b)
    {
        const auto began = std::chrono::steady_clock::now();
        cpu_ = &c;
        block_ = &b;
        b.memory->set_code_listener(c.rendezvous);
        if (b.straddles)
            x86::second_page(b).memory->set_code_listener(c.rendezvous);
        b.insns = c.blocks->insns(b);
        BlockTranslator translator(b, thunks_, *cache_, *this);
        const BlockTranslator::Result result = translator.translate();
        b.insns = nullptr;
        cache_->commit(CodeCache::Part::hot, result.end);
        cache_->commit(CodeCache::Part::cold, result.cold_end);
        b.code = cache_->executable(result.entry);
        const Translated translated{
            &b, cache_->offset_of(result.entry), cache_->offset_of(result.miss), cache_->offset_of(result.link)};
        std::vector<Translated>& of_page = pages_[page_of(b)].blocks;
        lead_on(of_page, translated);
        of_page.push_back(translated);
        if (b.straddles)
            pages_[u64(x86::second_page(b).data())].blocks.push_back(translated);
        ++counts_.blocks;
        counts_.guest_bytes += b.length;
        counts_.host_bytes += u64(result.end - result.entry) + u64(result.cold_end - result.cold);
        counts_.nanoseconds += u64((std::chrono::steady_clock::now() - began).count());
        if (perf_map_) {
            const u64 linear = (c.base[x86::cs] + c.gpr[x86::gpr_rip]) & c.linear_mask;
            perf_map_->add(b.code, u64(result.end - result.entry), linear, bits_of(b));
            perf_map_->add(cache_->executable(result.cold), u64(result.cold_end - result.cold), linear, bits_of(b));
        }
        return &b;
    }
    static unsigned bits_of(const Block& b) { return (b.mode & x86::mode_size_mask) == x86::mode_64 ? 64 : 32; }
    Block* covering(Cpu& c, u64 linear);

    void complete_link(Cpu& c, Block& b)
    {
        if (pending_link_ & far_bit)
            return complete_far_link(c, b, far_links_[pending_link_ >> 1]);
        const Link& link = links_[(pending_link_ >> 1) - 1];
        if (link.mode != b.mode || link.host != b.host)
            return;
        if (const u8* const code = link_to(b.host, b.mode))
            Assembler::patch(cache_->at(link.displacement), cache_->writable(code));
    }

    // From the page that the jump would be on if it led here; if something else led here, it is never found there.
    void complete_far_link(Cpu& c, Block& b, LinkToPage& link)
    {
        const u64 generation = x86::generation_of(c, b);
        if (!generation || link.mode != b.mode || (u64(link.in_page) & page_mask) != b.in_page)
            return;
        const u64 address_mask = bits_of(b) == 64 ? ~u64(0) : 0xffffffff;
        const u64 page = (c.gpr[x86::gpr_rip] - u64(link.in_page)) & address_mask;
        const u64 context = jump_context(generation, c.mode);
        const std::size_t half = generation == c.soft_tlb.global_generation() ? 1 : 0;
        std::memcpy(cache_->at(link.page), &page, sizeof page);
        std::memcpy(cache_->at(link.context), &context, sizeof context);
        *cache_->at(link.half) = u8(i32(offset_context + half * sizeof(u64)) - state_bias);
        Assembler::patch(cache_->at(link.displacement), cache_->writable(b.code));
        link.patience = link.next_patience;
        link.next_patience = std::min(2 * link.next_patience, most_patience);
        if (std::exchange(link.target_page, page_of(b)) != page_of(b))
            pages_[page_of(b)].far_links.push_back(u32(pending_link_ >> 1));
    }

    // Others of the page still jump to what the block was before it lost its spans.
    void lead_on(const std::vector<Translated>& of_page, const Translated& to)
    {
        for (const Translated& t : of_page)
            if (t.block == to.block)
                redirect(t, to.entry);
    }

    void redirect(const Translated& t, u32 to) { Assembler(cache_->at(t.entry)).jump_to(cache_->at(to)); }

    // It is translated again when it is next entered.
    void drop_spans(Block& b)
    {
        for (const Translated& t : pages_[page_of(b)].blocks)
            if (t.block == &b)
                redirect(t, t.miss);
        b.code = nullptr;
        b.no_spans = true;
    }

    // Blocks that jump to one another within a page go together.
    void drop_page(u64 page)
    {
        const auto at = pages_.find(page);
        if (at == pages_.end())
            return;
        for (const Translated& t : at->second.blocks) {
            t.block->code = nullptr;
            t.block->heat = 0;
            redirect(t, t.miss);
        }
        at->second.blocks.clear();
        for (const u32 index : std::exchange(at->second.far_links, {}))
            unlink(far_links_[index]);
        ++counts_.pages_dropped;
        ++at->second.rewrites;
        pending_link_ = 0;
    }
    void unlink(LinkToPage& link)
    {
        constexpr u64 nowhere = 0;
        std::memcpy(cache_->at(link.context), &nowhere, sizeof nowhere);
        link.target_page = 0;
    }
    const Insn* alone(const Insn& i) override { return &alone_.emplace_back(AloneInsn{i, &stop_chain}).insn; }
    const Insn* rest(const Insn& i) override
    {
        const Insn* const end = block_->insns + block_->count + 1;
        rests_.push_back(std::make_unique_for_overwrite<Insn[]>(std::size_t(end - &i)));
        std::copy(&i, end, rests_.back().get());
        return rests_.back().get();
    }
    u32 site(const Insn& i) override { return cpu_->blocks->site(*block_, unsigned(&i - block_->insns)); }
    u32 link(u8* displacement, unsigned in_page) override
    {
        links_.push_back({page_of(*block_) + in_page, cache_->offset_of(displacement), block_->mode});
        return u32(links_.size() << 1);
    }
    FarLink link_far(const FarJump& jump, u64 in_page) override
    {
        const auto offset = [this](const u8* at) { return cache_->offset_of(at); };
        far_links_.push_back({
            .page = offset(jump.page),
            .context = offset(jump.context),
            .half = offset(jump.half),
            .displacement = offset(jump.displacement),
            .in_page = i64(in_page),
            .mode = block_->mode,
        });
        return {u32((far_links_.size() - 1) << 1 | far_bit), &far_links_.back().patience};
    }
    const u8* code_at(unsigned in_page) override { return linked_ ? link_to(page_of(*block_) + in_page, block_->mode) : nullptr; }
    const u8* link_to(u64 host, u32 mode)
    {
        const Translated* newest = nullptr;
        const auto at = pages_.find(host & ~page_mask);
        if (at != pages_.end())
            for (const Translated& t : at->second.blocks)
                if (t.block->host == host && t.block->mode == mode && t.block->code)
                    newest = &t;
        return newest ? cache_->executable(cache_->at(newest->link)) : nullptr;
    }
    const SpanCheck* span_check(const Insn& i, unsigned size, Access access) override
    {
        span_checks_.push_back({block_, site(i), u16(size), access});
        return &span_checks_.back();
    }
    unsigned next_window() override { return next_window_++ % x86::SoftTlb::loop_windows; }
    bool shares_memory() override { return !cpu_->rendezvous->alone(); }
    void looked_at(unsigned in_page, unsigned length) override
    {
        x86::BlockCache::claim_code(*cpu_, *block_->memory, (u64(block_->page) << page_shift) + in_page, length);
    }

    const unsigned hot_;
    const bool linked_;
    const std::shared_ptr<PerfMap> perf_map_;
    const Cpu& counted_;
    struct {
        Counter blocks, guest_bytes, host_bytes, nanoseconds, runs, unlinked, requests, faults, pages_dropped, drops_of_all;
    } counts_;
    std::unique_ptr<CodeCache> cache_;
    Thunks thunks_;
    std::vector<JumpTarget> targets_;
    std::unordered_map<u64, Page> pages_;
    std::deque<Link> links_;
    std::deque<LinkToPage> far_links_;
    std::deque<AloneInsn> alone_;
    std::vector<std::unique_ptr<Insn[]>> rests_;
    std::deque<SpanCheck> span_checks_;
    u64 pending_link_ = 0;    // its number
    unsigned next_window_ = 0;
    bool inside_ = false;    // host code
    Cpu* cpu_ = nullptr;    // while translating
    Block* block_ = nullptr;
};

TranslatorCounts X86Tier::counts() const
{
    const u64 runs = counts_.runs.value(), told = counts_.unlinked.value() + counts_.requests.value() + counts_.faults.value();
    return {
        .blocks = counts_.blocks.value(),
        .guest_bytes = counts_.guest_bytes.value(),
        .host_bytes = counts_.host_bytes.value(),
        .nanoseconds = counts_.nanoseconds.value(),
        .runs = runs,
        .unlinked = counts_.unlinked.value(),
        .requests = counts_.requests.value(),
        .faults = counts_.faults.value(),
        .others = runs - std::min(runs, told),
        .tlb_fills = counted_.tlb_fills.value(),
        .pages_dropped = counts_.pages_dropped.value(),
        .drops_of_all = counts_.drops_of_all.value(),
    };
}

// The translated block that has this address in it, without leaving a trace in the guest.
Block* X86Tier::covering(Cpu& c, u64 linear)
{
    u64 physical = 0;
    if (!x86::peek(c, linear, physical))
        return nullptr;
    physical = x86::masked_physical(c, physical);
    const FlatRange* const range = x86::find_range(c, physical);
    if (!range || !range->read)
        return nullptr;
    const u64 host = u64(range->read->data()) + range->read_offset + (physical - range->first);
    const auto page = pages_.find(host & ~page_mask);
    if (page == pages_.end())
        return nullptr;
    for (const Translated& t : page->second.blocks)
        if (host - t.block->host < t.block->length && bits_of(*t.block) == (c.code_64() ? 64u : 32u))
            return t.block;
    return nullptr;
}

// Where each instruction begins is found by translating the block once more, behind the code that counts.
std::optional<TranslatedBlock> X86Tier::translation_of(Cpu& c, u64 linear)
{
    Block* const b = covering(c, linear);
    if (!b || !has_room())
        return {};
    cpu_ = &c;
    block_ = b;
    b->insns = c.blocks->insns(*b);
    BlockTranslator translator(*b, thunks_, *cache_, *this);
    const BlockTranslator::Result again = translator.translate();
    TranslatedBlock told{.bits = bits_of(*b), .host_address = u64(cache_->executable(again.entry))};
    told.guest_address = (linear & ~page_mask) + b->in_page;
    told.guest.assign(b->bytes(), b->bytes() + b->length);
    told.host.assign(again.entry, again.end);
    for (unsigned n = 0; n < b->count && n < translator.starts().size(); ++n)
        told.starts.push_back({u32(b->insns[n].offset - b->in_page), translator.starts()[n]});
    b->insns = nullptr;
    return told;
}

}

std::unique_ptr<x86::HostCodeTier> make_x86_tier(Cpu& c, const X86TierOptions& options)
{
    // Room for the thunks and the largest block at the least.
    auto cache = CodeCache::create(std::max(options.code_budget, 4 * BlockTranslator::most_code));
    if (!cache)
        return nullptr;
    return std::make_unique<X86Tier>(c, std::move(*cache), options);
}

}
