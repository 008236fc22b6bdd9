#include "engine/translator/code_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/mmu.h"
#include "engine/cpu/x86/rendezvous.h"

namespace engine::translator {

namespace {

// A page that is rewritten again and again must be run ever more often in between: twice as often after each so many.
constexpr unsigned rewrites_to_double = 8, most_doublings = 8;
// A jump to another page takes more than that, with what is out of line.
constexpr u64 least_far_jump = 128;    // bytes
// Of a period, before a block is busy.
constexpr unsigned least_samples = 2;

void stop_chain(Cpu&, const Insn*) { }

}

CodeUser::CodeUser(Cpu& c, u64 most_far_targets) : cpu(c), targets(jump_table_entries), far(most_far_targets)
{
    c.host_code.jump_table = targets.data();
    c.slots.far_targets = &far[0];
}

std::shared_ptr<CodeStore> CodeStore::create(const X86TierOptions& options)
{
    auto cache = CodeCache::create(options.code_budget);
    if (!cache)
        return nullptr;
    return std::shared_ptr<CodeStore>(new CodeStore(std::move(*cache), options));
}

CodeStore::CodeStore(std::unique_ptr<CodeCache> cache, const X86TierOptions& options)
    : options_(options),
      cache_(std::move(cache)),
      thunks_(write_thunks(*cache_)),
      kept_(std::make_shared<x86::KeptBlocks>(options.kept_budget, cache_->regions())),
      far_of_region_(u32(cache_->region_size() / least_far_jump)),
      regions_(cache_->regions()),
      busy_(*kept_)
{
    cache_->keep();
    reuse();
}

std::unique_ptr<CodeUser> CodeStore::add_user(Cpu& c)
{
    auto user = std::make_unique<CodeUser>(c, u64(far_of_region_) * regions_.size());
    c.slots.pack_flags = thunks_.pack_recipe;
    c.blocks->share(kept_);
    const std::lock_guard lock(lock_);
    users_.push_back(user.get());
    return user;
}

void CodeStore::remove_user(CodeUser& user)
{
    const std::lock_guard lock(lock_);
    forget(user);
    has_left(user, user.must_leave);
    std::erase(users_, &user);
    for (auto& [host, page] : pages_)
        std::erase_if(page.far_uses, [&](const FarUse& use) { return use.user == &user; });
}

CodeStore::Page& CodeStore::page_at(u64 host)
{
    Page& page = pages_[host];
    if (!page.number)
        page.number = ++last_page_number_;
    return page;
}

// With some for stubs.
bool CodeStore::has_room()
{
    constexpr u64 most = BlockTranslator::most_code, stubs = 16 << 10;
    // No block has as many far jumps as that.
    constexpr u32 most_far_jumps = 4 * Block::most_insns;
    return filled().far_links.size() + most_far_jumps <= far_of_region_ && cache_->reserve(CodeCache::Part::hot, most)
        && cache_->reserve(CodeCache::Part::cold, most + stubs);
}

bool CodeStore::reached_heat(const Block& b)
{
    const auto page = pages_.find(page_of(b));
    const unsigned rewrites = page == pages_.end() ? 0 : page->second.rewrites;
    return b.heat >= options_.hot << std::min(rewrites / rewrites_to_double, most_doublings);
}

// The pages are looked at with the lock held: a store behind that is told to whoever takes it next.
Block* CodeStore::translated_if_worth(CodeUser& user, Block& b)
{
    Cpu& c = user.cpu;
    if (still_to_forget_ || !reached_heat(b))
        return nullptr;
    b.memory->set_code_listener(c.rendezvous);
    if (b.straddles)
        x86::second_page(b).memory->set_code_listener(c.rendezvous);
    if (!x86::is_fresh(b))
        return nullptr;
    const Block* before = nullptr;
    Block* const kept = keep(user, b, before);
    if (kept && !kept->code)
        translate(user, *kept, b.insns ? b.insns : c.blocks->insns(*kept), before);
    return kept;
}

// Null: there is no room yet.
Block* CodeStore::keep(CodeUser& user, Block& b, const Block*& before)
{
    if (!make_room(user))
        return nullptr;
    x86::KeptBlocks::Kept kept = user.cpu.blocks->keep(user.cpu, b);
    if (!kept.block && begin_region(user))
        kept = user.cpu.blocks->keep(user.cpu, b);
    before = kept.before;
    if (kept.block && before) {
        busy_.move(*before, *kept.block);
        windows_.move(*before, *kept.block);
    }
    return kept.block;
}

CodeStore::Emitted CodeStore::emit(CodeUser& user, Block& b, const Insn* insns)
{
    cpu_ = &user.cpu;
    block_ = &b;
    insns_ = insns;
    computes_ = b.mode & x86::mode_user && std::any_of(insns, insns + b.count, computes_with_floats);
    gains_when_busy_ = false;
    Block with_insns = b;
    with_insns.insns = insns;
    BlockTranslator translator(with_insns, thunks_, *cache_, *this);
    const BlockTranslator::Result result = translator.translate();
    return {result, translator.starts(), translator.jumps()};
}

void CodeStore::translate(CodeUser& user, Block& b, const Insn* insns, const Block* before)
{
    const auto began = std::chrono::steady_clock::now();
    const Emitted result = emit(user, b, insns);
    cache_->commit(CodeCache::Part::hot, result.end);
    cache_->commit(CodeCache::Part::cold, result.cold_end);
    const Translated translated{
        &b, cache_->offset_of(result.entry), cache_->offset_of(result.miss), cache_->offset_of(result.link), gains_when_busy_};
    Page& page = page_at(page_of(b));
    knows_of(page_of(b), page);
    for (const BlockTranslator::Jump& jump : result.jumps)
        page.jumps.push_back({cache_->offset_of(jump.displacement), u16(jump.in_page), u16(b.mode)});
    lead_on(page, translated, before);
    page.blocks.push_back(translated);
    busy_.placed(translated.entry, b);
    busy_.placed(cache_->offset_of(result.cold), b);
    if (b.straddles) {
        const u64 second = u64(x86::second_page(b).data());
        knows_of(second, page_at(second));
        page_at(second).blocks.push_back(translated);
    }
    b.code = cache_->executable(result.entry);
    ++user.counts.blocks;
    user.counts.guest_bytes += b.length;
    user.counts.host_bytes += u64(result.end - result.entry) + u64(result.cold_end - result.cold);
    user.counts.nanoseconds += u64((std::chrono::steady_clock::now() - began).count());
    if (options_.perf_map)
        tell_perf_map(user, result);
}

// A block that was translated before: what jumps straight there goes to the new code from here on; the tables, and calls that
// have yet to return, by way of the old one.
void CodeStore::lead_on(const Page& page, const Translated& to, const Block* before)
{
    for (const Translated& t : page.blocks) {
        if (t.block != to.block && t.block != before)
            continue;
        redirect(t, to.entry);
        const auto move = [&](u32 displacement) {
            if (Assembler::target_of(cache_->at(displacement)) == cache_->at(t.entry))
                set_displacement(displacement, cache_->executable(cache_->at(to.entry)));
        };
        for (const Jump& jump : page.jumps)
            move(jump.displacement);
        for (const FarUse& use : page.far_uses)
            if (is_current(use, page))
                move(find_far_link(use.far)->displacement);
    }
}

void CodeStore::tell_perf_map(const CodeUser& user, const BlockTranslator::Result& result)
{
    const Cpu& c = user.cpu;
    const u64 linear = (c.base[x86::cs] + c.gpr[x86::gpr_rip]) & c.linear_mask;
    const unsigned bits = bits_of(*block_);
    options_.perf_map->add(cache_->executable(result.entry), u64(result.end - result.entry), linear, bits);
    options_.perf_map->add(cache_->executable(result.cold), u64(result.cold_end - result.cold), linear, bits);
}

void CodeStore::redirect(const Translated& t, u32 to)
{
    u8* const entry = cache_->at(t.entry);
    u64 bytes = 0;
    std::memcpy(&bytes, entry, sizeof bytes);
    constexpr u64 jump_bits = 40;
    const u32 distance = to - (t.entry + 5);
    bytes = (bytes & ~u64(0) << jump_bits) | u64(distance) << 8 | redirect_opcode;
    std::atomic_ref(*reinterpret_cast<u64*>(entry)).store(bytes, std::memory_order_release);
}

// When it is next entered.
void CodeStore::translate_again(Block& b)
{
    for (const Translated& t : page_at(page_of(b)).blocks)
        if (t.block == &b)
            redirect(t, t.miss);
    b.code = nullptr;
}

void CodeStore::drop_spans(Block& b)
{
    if (still_to_forget_ || !b.code)
        return;
    translate_again(b);
    b.no_spans = true;
}

bool CodeStore::gains_when_busy(const Block& b)
{
    return std::ranges::any_of(
        page_at(page_of(b)).blocks, [&](const Translated& t) { return t.block == &b && t.gains_when_busy; });
}

// A kernel loses its windows too often: each change of address space takes them.
bool CodeStore::look_at_samples(CodeUser& user, std::span<const u64> addresses, unsigned weight)
{
    if (still_to_forget_)
        return false;
    bool any = false;
    for (const u64 address : addresses) {
        const auto offset = u32(address - u64(code().data()));
        ++regions_[cache_->region_of(offset)].samples;
        Block* const b = busy_.seen(offset, weight);
        if (b && b->code) {
            const bool may_become_busy = b->mode & x86::mode_user && gains_when_busy(*b) && !busy_.is_busy(*b);
            const bool becomes_busy = may_become_busy && busy_.samples_of(*b) >= least_samples && busy_.make_busy(*b);
            const bool gives_up = windows_.give_up(*b, busy_.weight_of(*b), user.cpu.soft_tlb);
            if (gives_up || becomes_busy)
                translate_again(*b);
            any |= may_become_busy || gives_up;
        }
        if (busy_.period_begins())
            user.cpu.soft_tlb.forgive_misses();
    }
    return any;
}

unsigned CodeStore::window(unsigned n, Access access, WindowUse use)
{
    if (is_busy())
        return windows_.of(*block_, n, access, use);
    gains_when_busy_ = true;
    return use == WindowUse::loop ? windows_.shared(block_->mode & x86::mode_user, access) : 0;
}

unsigned CodeStore::page_window(i64 distance, Access access)
{
    return has_page_windows() ? windows_.of_page(page_of(*block_), block_->mode, distance, access) : 0;
}

void CodeStore::drop_page(CodeUser& user, u64 page)
{
    const auto at = pages_.find(page);
    if (still_to_forget_ || at == pages_.end())
        return;
    for (const Translated& t : at->second.blocks)
        t.block->heat = 0;
    drop_code(at->second);
    ++user.counts.pages_dropped;
    ++at->second.rewrites;
}

// Blocks that jump to one another within a page go together.
void CodeStore::drop_code(Page& page)
{
    for (const Translated& t : page.blocks) {
        t.block->code = nullptr;
        redirect(t, t.miss);
    }
    page.blocks.clear();
    page.jumps.clear();
    for (const FarUse& use : page.far_uses)
        if (is_current(use, page))
            unlink_far(use);
    page.far_uses.clear();
}

void CodeStore::drop_all(CodeUser& user)
{
    if (still_to_forget_)
        return;
    ++user.counts.drops_of_all;
    kept_->forget();
    still_to_forget_ = users_.size();
    for (CodeUser* const each : users_) {
        each->must_forget = true;
        if (each == &user)
            continue;
        each->cpu.request.ask(x86::request_stale_code);
    }
}

void CodeStore::forget(CodeUser& user)
{
    if (!std::exchange(user.must_forget, false))
        return;
    std::ranges::fill(user.targets, JumpTarget{});
    user.far = ZeroedArray<FarTarget>(user.far.size());
    user.cpu.slots.far_targets = &user.far[0];
    user.pending_link = 0;
    user.cpu.slots.apart = nullptr;
    user.cpu.soft_tlb.forget_site_windows();
    user.cpu.blocks->forget_kept();
    if (--still_to_forget_ == 0)
        reuse();
}

void CodeStore::reuse()
{
    std::erase_if(pages_, [](const auto& page) { return page.second.rewrites == 0; });
    for (auto& [host, page] : pages_)
        page = {.number = page.number, .rewrites = page.rewrites};
    kept_->reuse();
    busy_.clear();
    windows_.clear();
    cache_->fill(filled_ = 0);
    full_.clear();
    free_.clear();
    for (unsigned n = 0; n < regions_.size(); ++n) {
        regions_[n] = {};
        if (n != filled_)
            free_.push_back(n);
    }
    emptied_.reset();
    still_to_leave_ = 0;
    for (CodeUser* const each : users_)
        each->must_leave = 0;
}

const Insn* CodeStore::alone(const Insn& i)
{
    return &filled().alone.emplace_back(AloneInsn{i, &stop_chain}).insn;
}

const Insn* CodeStore::rest(const Insn& i)
{
    const Insn* const end = insns_ + block_->count + 1;
    auto& rests = filled().rests;
    rests.push_back(std::make_unique_for_overwrite<Insn[]>(std::size_t(end - &i)));
    std::copy(&i, end, rests.back().get());
    return rests.back().get();
}

const u8* CodeStore::code_at(unsigned in_page)
{
    return options_.linked ? link_to(page_of(*block_) + in_page, block_->mode) : nullptr;
}

const u8* CodeStore::link_to(u64 host, u32 mode)
{
    const Translated* newest = nullptr;
    const auto at = pages_.find(host & ~page_mask);
    if (at != pages_.end())
        for (const Translated& t : at->second.blocks)
            if (t.block->host == host && t.block->mode == mode && t.block->code)
                newest = &t;
    return newest ? cache_->executable(cache_->at(newest->link)) : nullptr;
}

const SpanCheck* CodeStore::span_check(const Insn& i, unsigned size, Access access)
{
    auto& checks = filled().span_checks;
    checks.push_back({block_, site(i), u16(size), access});
    return &checks.back();
}

bool CodeStore::shares_memory()
{
    return !cpu_->rendezvous->alone();
}

void CodeStore::looked_at(unsigned in_page, unsigned length)
{
    x86::BlockCache::claim_code(*cpu_, *block_->memory, (u64(block_->page) << page_shift) + in_page, length);
}

// The translated block that has this address in it, without leaving a trace in the guest.
Block* CodeStore::covering(Cpu& c, u64 linear)
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
std::optional<TranslatedBlock> CodeStore::translation_of(CodeUser& user, u64 linear)
{
    Block* const b = still_to_forget_ ? nullptr : covering(user.cpu, linear);
    if (!b || !has_room())
        return {};
    const Insn* const insns = user.cpu.blocks->insns(*b);
    const Emitted again = emit(user, *b, insns);
    TranslatedBlock told{.bits = bits_of(*b), .host_address = u64(cache_->executable(again.entry))};
    told.guest_address = (linear & ~page_mask) + b->in_page;
    told.guest.assign(b->bytes(), b->bytes() + b->length);
    told.host.assign(again.entry, again.end);
    for (unsigned n = 0; n < b->count && n < again.starts.size(); ++n)
        told.starts.push_back({u32(insns[n].offset - b->in_page), again.starts[n]});
    return told;
}

}
