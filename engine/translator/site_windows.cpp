#include "engine/translator/site_windows.h"

#include <algorithm>
#include <array>
#include <utility>

namespace engine::translator {

using x86::SoftTlb;

unsigned SiteWindows::shared(bool user, x86::Access access)
{
    // Number 0 is none, and a thread's are the first ones of programs.
    const unsigned n = 1 + next_shared_++ % (of_a_kind - 1);
    return (unsigned(user) * 2 + unsigned(access)) * of_a_kind + n;
}

unsigned SiteWindows::of(const x86::Block& block, unsigned insn, x86::Access access, x86::WindowUse use)
{
    std::vector<Site>& sites = sites_[&block];
    const auto at = std::ranges::find_if(sites, [&](const Site& site) { return site.insn == insn && site.access == access; });
    if (at != sites.end())
        return at->given_up ? 0 : at->window;
    if (free_.empty() && taken_ == SoftTlb::site_windows)
        return 0;
    if (free_.empty())
        free_.push_back(u16(taken_++));
    sites.push_back({u8(insn), access, use, free_.back()});
    free_.pop_back();
    return sites.back().window;
}

void SiteWindows::move(const x86::Block& from, const x86::Block& to)
{
    if (auto sites = sites_.extract(&from)) {
        sites.key() = &to;
        sites_.insert(std::move(sites));
    }
}

void SiteWindows::forget(const x86::Block& block)
{
    const auto sites = sites_.find(&block);
    if (sites == sites_.end())
        return;
    for (const Site& site : sites->second)
        gone_.push_back(site.window);
    sites_.erase(sites);
}

void SiteWindows::reuse()
{
    free_.insert(free_.end(), gone_.begin(), gone_.end());
    gone_.clear();
}

// Old code goes on with the number it was given.
unsigned SiteWindows::of_page(u64 host_page, u32 mode, i64 distance, x86::Access access)
{
    if (pages_.size() == page_windows)
        pages_.clear();
    const auto [at, is_new] = pages_.try_emplace(std::tuple{host_page, mode, distance, access});
    if (is_new) {
        // Most are for what programs read.
        constexpr std::array<unsigned, 5> begins{0, page_windows / 32, page_windows / 16, page_windows * 11 / 16, page_windows};
        const unsigned kind = unsigned((mode & x86::mode_user) != 0) * 2 + unsigned(access);
        at->second = u16(first_page + begins[kind] + next_of_kind_[kind]++ % (begins[kind + 1] - begins[kind]));
    }
    return at->second;
}

void SiteWindows::clear()
{
    sites_.clear();
    pages_.clear();
    gone_.clear();
    free_.clear();
    taken_ = first;
}

bool SiteWindows::give_up(const x86::Block& block, unsigned weight, const SoftTlb& tlb)
{
    // They cost a fiftieth of the block's time then, of which a window saves more, or a tenth: a chain's saves half of it.
    constexpr u32 most_of_an_access = 4000, most_of_a_chain = 1 << 15;
    const u32 most = std::min(most_of_an_access * weight, x86::TlbWindow::most_misses);
    const auto sites = sites_.find(&block);
    if (sites == sites_.end())
        return false;
    bool any = false;
    for (Site& site : sites->second)
        if (site.use != x86::WindowUse::loop && !site.given_up
            && tlb.sites[site.window].missed >= (site.use == x86::WindowUse::chain ? most_of_a_chain * weight : most))
            site.given_up = any = true;
    return any;
}

}
