// Making room: regions of the code are filled one after the other, and emptied beside the work.

#include <algorithm>

#include "engine/translator/code_store.h"

namespace engine::translator {

namespace {

// With each block that is translated; with each that has to wait for room.
constexpr unsigned steps_to_a_page = 4, most_steps_at_once = 16;
constexpr unsigned blocks_at_once = 64;

}

bool CodeStore::make_room(CodeUser& user)
{
    if (++steps_ % steps_to_a_page == 0)
        empty_some(user);
    return has_room() || begin_region(user);
}

// False: none is free yet.
bool CodeStore::begin_region(CodeUser& user)
{
    for (unsigned n = 0; free_.empty() && n < most_steps_at_once && empty_some(user); ++n) { }
    if (free_.empty())
        return false;
    full_.push_back(filled_);
    filled_ = free_.front();
    free_.pop_front();
    cache_->fill(filled_);
    kept_->fill(filled_);
    if (free_.empty()) {
        emptied_ = choose_emptied();
        std::erase(full_, *emptied_);
    }
    return true;
}

// Of the older half of them the one with the fewest samples.
unsigned CodeStore::choose_emptied()
{
    const auto older = std::span(full_).first((full_.size() + 1) / 2);
    const unsigned chosen = *std::ranges::min_element(older, {}, [this](unsigned n) { return regions_[n].samples; });
    for (Region& r : regions_)
        r.samples /= 2;
    return chosen;
}

// First its code, then its blocks. False: there is nothing to do.
bool CodeStore::empty_some(CodeUser& user)
{
    if (!emptied_ || still_to_leave_)
        return false;
    std::vector<u64>& pages = regions_[*emptied_].pages;
    if (!pages.empty()) {
        const u64 page = pages.back();
        pages.pop_back();
        empty_page(page);
        return true;
    }
    const bool all = kept_->give_up(*emptied_, blocks_at_once, [this](Block& b) {
        b.code = nullptr;
        busy_.forget(b);
        windows_.forget(b);
    });
    if (all)
        ask_to_leave(user);
    return true;
}

void CodeStore::ask_to_leave(CodeUser& user)
{
    ++user.counts.regions_emptied;
    still_to_leave_ = users_.size();
    ++last_leave_;
    for (CodeUser* const each : users_) {
        each->must_leave = last_leave_;
        each->cpu.request.ask(x86::request_stale_code);
    }
}

void CodeStore::empty_page(u64 host)
{
    const auto at = pages_.find(host);
    if (at == pages_.end())
        return;
    Page& page = at->second;
    if (page.region == *emptied_)
        page.region = no_region;
    for (const Translated& t : page.blocks) {
        if (is_emptied(t.entry))
            t.block->code = nullptr;
        if (is_emptied(t.entry) || is_redirected_into_emptied(t))
            redirect(t, t.miss);
    }
    lead_jumps_elsewhere(host, page);
    forget_old_far_uses(page);
    std::erase_if(page.far_uses, [this](const FarUse& use) {
        if (!leads_into_emptied(find_far_link(use.far)->displacement))
            return false;
        unlink_far(use);
        return true;
    });
    std::erase_if(page.blocks, [this](const Translated& t) { return is_emptied(t.entry); });
    if (page.blocks.empty() && page.jumps.empty() && page.far_uses.empty() && !page.rewrites)
        pages_.erase(at);
}

// Those that are not in the region themselves. Where there is no room for stubs the page is translated again.
void CodeStore::lead_jumps_elsewhere(u64 host, Page& page)
{
    std::erase_if(page.jumps, [this](const Jump& jump) { return is_emptied(jump.displacement); });
    std::ranges::sort(page.jumps, {}, &Jump::displacement);
    const auto same = [](const Jump& a, const Jump& b) { return a.displacement == b.displacement; };
    page.jumps.erase(std::unique(page.jumps.begin(), page.jumps.end(), same), page.jumps.end());
    const auto leads_there = [this](const Jump& jump) { return leads_into_emptied(jump.displacement); };
    const auto stubs = u64(std::ranges::count_if(page.jumps, leads_there));
    if (!cache_->reserve(CodeCache::Part::cold, stubs * most_link_stub))
        return drop_code(page);
    for (const Jump& jump : page.jumps)
        if (leads_there(jump))
            lead_elsewhere(host, page, jump);
}

// If not, nobody would hear of a jump in what is left of it.
bool CodeStore::has_emptied(const Page& page) const
{
    return std::ranges::any_of(page.blocks, [this](const Translated& t) { return is_emptied(t.entry); });
}

bool CodeStore::leads_into_emptied(u32 displacement)
{
    return is_emptied(cache_->offset_of(Assembler::target_of(cache_->at(displacement))));
}

// Code does not begin with a jump of itself.
bool CodeStore::is_redirected_into_emptied(const Translated& t)
{
    return *cache_->at(t.entry) == redirect_opcode && leads_into_emptied(t.entry + 1);
}

void CodeStore::lead_elsewhere(u64 host, Page& page, const Jump& jump)
{
    const unsigned address_size = (jump.mode & x86::mode_size_mask) == x86::mode_64 ? 8 : 4;
    if (const u8* const code = link_to(host + jump.in_page, jump.mode))
        return set_displacement(jump.displacement, code);
    knows_of(host, page);
    u8* const stub = cache_->reserve(CodeCache::Part::cold, most_link_stub);
    const u32 link = link_to_place(cache_->at(jump.displacement), host + jump.in_page, jump.mode);
    Assembler a(stub);
    write_link_stub(a, address_size, jump.in_page, link, cache_->writable(thunks_.leave));
    cache_->commit(CodeCache::Part::cold, a.at());
    set_displacement(jump.displacement, cache_->executable(stub));
}

void CodeStore::knows_of(u64 host, Page& page)
{
    if (page.region != filled_)
        filled().pages.push_back(host);
    page.region = filled_;
}

std::optional<CodeStore::Leave> CodeStore::region_to_leave(const CodeUser& user) const
{
    return user.must_leave ? std::optional(Leave{*emptied_, user.must_leave}) : std::nullopt;
}

void CodeStore::leave_region(CodeUser& user, unsigned region)
{
    const u64 begin = u64(code().data()) + region * cache_->region_size(), size = cache_->region_size();
    for (JumpTarget& target : user.targets)
        if (u64(target.code) - begin < size)
            target = {};
    user.pending_link = 0;
    user.cpu.slots.apart = nullptr;
    user.cpu.soft_tlb.forget_site_windows();
    user.cpu.blocks->forget_kept(region);
}

CodeStore::Region CodeStore::has_left(CodeUser& user, u32 number)
{
    if (!number || user.must_leave != number)
        return {};
    user.must_leave = 0;
    const u64 first_far = u64(*emptied_) * far_of_region_;
    for (u64 n = 0; n < regions_[*emptied_].far_links.size(); ++n)
        user.far[first_far + n] = {};
    if (--still_to_leave_)
        return {};
    const unsigned region = *emptied_;
    emptied_.reset();
    const auto begin = u32(region * cache_->region_size());
    busy_.clear(begin, u32(begin + cache_->region_size()));
    windows_.reuse();
    kept_->clear(region);
    free_.push_back(region);
    return std::exchange(regions_[region], {});
}

}
