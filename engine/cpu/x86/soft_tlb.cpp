#include "engine/cpu/x86/soft_tlb.h"

#include <algorithm>
#include <utility>

namespace engine::x86 {

SoftTlbContext::SoftTlbContext()
{
    for (auto& table : by_access)
        for (unsigned index = 0; index < entries; ++index)
            invalidate(table[index], index);
}

void SoftTlbContext::fill(Access access, u64 linear, u64 host_page, bool is_global, bool has_key)
{
    const u64 page = linear & ~page_mask;
    const u16 index = u16(linear >> page_shift & (entries - 1));
    TlbEntry& to = by_access[unsigned(access)][index];
    to.tag = page;
    to.host = host_page;
    global[unsigned(access)][index] = is_global;
    if (std::vector<u16>& list = is_global ? used_globally : used; list.size() < entries)
        list.push_back(index);
    if (has_key && keyed.size() < entries)
        keyed.push_back(index);
}

// With too many to tell all of them go.
bool SoftTlbContext::drop_keyed()
{
    if (keyed.empty())
        return false;
    stack_window = {};
    const auto drop = [&](unsigned index) {
        for (const Access access : {Access::read, Access::write})
            invalidate(by_access[unsigned(access)][index], index);
    };
    if (keyed.size() >= entries)
        for (unsigned index = 0; index < entries; ++index)
            drop(index);
    for (const u16 index : keyed)
        drop(index);
    keyed.clear();
    return true;
}

template <class Visit> void SoftTlbContext::for_used(Visit visit, bool globally_too)
{
    const std::size_t global_ones = globally_too ? used_globally.size() : 0;
    if (used.size() >= entries || global_ones >= entries) {
        for (unsigned index = 0; index < entries; ++index)
            visit(index);
        return;
    }
    for (const u16 index : used)
        visit(index);
    for (std::size_t n = 0; n < global_ones; ++n)
        visit(used_globally[n]);
}

void SoftTlbContext::flush(bool keep_global)
{
    stack_window = {};
    if (keep_global)
        drop_keyed();
    else
        keyed.clear();
    for_used(
        [&](unsigned index) {
            for (unsigned access = 0; access < 3; ++access)
                if (!keep_global || !global[access][index])
                    invalidate(by_access[access][index], index);
        },
        !keep_global);
    used.clear();
    if (!keep_global)
        used_globally.clear();
}

void SoftTlbContext::flush_writes()
{
    stack_window = {};
    auto& table = by_access[unsigned(Access::write)];
    for_used([&](unsigned index) { invalidate(table[index], index); });
}

void SoftTlbContext::flush_page(u64 linear)
{
    stack_window = {};
    const unsigned index = linear >> page_shift & (entries - 1);
    for (auto& table : by_access)
        if ((table[index].tag ^ linear) < page_size)
            invalidate(table[index], index);
}

void SoftTlbContext::drop_writes_to(u64 host_page)
{
    stack_window = {};
    auto& table = by_access[unsigned(Access::write)];
    for_used([&](unsigned index) {
        if (valid(table[index], index) && table[index].host == host_page)
            invalidate(table[index], index);
    });
}

// The lists grow no longer than they would have without, if the last to be filled are the first to be forgotten.
void SoftTlbContext::forget_write(u64 linear)
{
    stack_window = {};
    const unsigned index = linear >> page_shift & (entries - 1);
    TlbEntry& entry = by_access[unsigned(Access::write)][index];
    if ((entry.tag ^ linear) >= page_size)
        return;
    invalidate(entry, index);
    std::vector<u16>& list = global[unsigned(Access::write)][index] ? used_globally : used;
    if (!list.empty() && list.size() < entries && list.back() == index)
        list.pop_back();
}

// Where only the page is compared an odd base is none.
static void forget(TlbWindow& window)
{
    window.limit = window.wide_limit = 0;
    window.base |= 1;
}

SoftTlb::SoftTlb() : current_(tables_.emplace_back(std::make_unique<Tables>()).get()), window_owner_(&current_->contexts[0])
{
    renew(current_->code);
    renew(global_code_);
    std::ranges::for_each(sites, forget);
}

SoftTlbContext& SoftTlb::checking_context()
{
    if (!checking_)
        checking_ = std::make_unique<SoftTlbContext>();
    return *checking_;
}

void SoftTlb::change_context(const SoftTlbContext* from, SoftTlbContext* to)
{
    if (from == to && window_owner_ == to)
        return;
    if (checks_alignment(from) || checks_alignment(to))
        forget_site_windows();
    window_owner_->stack_window = from == window_owner_ ? stack_window : TlbWindow{};
    stack_window = to->stack_window;
    window_owner_ = to;
}

void SoftTlb::forget_site_windows()
{
    for (u32 n = std::exchange(moved_sites, last_moved); n != last_moved;) {
        forget(sites[n]);
        if (n < shared_windows)
            sites[n].missed = 0;
        n = std::exchange(sites[n].next, 0);
    }
}

// All of them if they are many: a look at each would take longer than they take to come back.
template <class Condition> void SoftTlb::forget_site_windows(Condition condition)
{
    constexpr unsigned many = 64;
    unsigned seen = 0;
    for (u32 n = moved_sites; n != last_moved; n = sites[n].next)
        if (++seen > many)
            return forget_site_windows();
    for (u32 n = moved_sites; n != last_moved; n = sites[n].next)
        if (condition(sites[n]))
            forget(sites[n]);
}

void SoftTlb::forgive_misses()
{
    for (TlbWindow& window : sites)
        window.missed = 0;
}

void SoftTlb::renew(CodePages& code)
{
    code.generation = ++last_generation_;
    code.pages.reset();
}

void SoftTlb::forget_code(CodePages& code, u64 linear)
{
    if (code.pages[page_hash(linear)])
        code.generation = ++last_generation_;
}

u64 SoftTlb::generation_of_code(SoftTlbContext& from, u64 linear)
{
    CodePages& code = from.is_global(Access::fetch, linear) ? global_code_ : current_->code;
    code.pages.set(page_hash(linear));
    return code.generation;
}

SoftTlb::Tables* SoftTlb::find(u16 pcid)
{
    for (const auto& tables : tables_)
        if (tables->pcid == pcid)
            return tables.get();
    return nullptr;
}

void SoftTlb::flush(Tables& tables)
{
    forget_windows();
    renew(tables.code);
    for (SoftTlbContext& context : tables.contexts)
        context.flush(true);
}

void SoftTlb::select(u16 pcid)
{
    if (current_->pcid != pcid) {
        forget_site_windows();
        current_ = find(pcid);
        if (!current_ && tables_.size() < most_tables) {
            tables_.push_back(std::make_unique<Tables>());
            current_ = tables_.back().get();
            renew(current_->code);
        } else if (!current_) {
            current_ = std::ranges::min_element(tables_, {}, [](const auto& tables) { return tables->selected; })->get();
            flush(*current_);
        }
        current_->pcid = pcid;
        catch_up(*current_);
    }
    current_->selected = ++selections_;
}

void SoftTlb::catch_up(Tables& tables)
{
    for (SoftTlbContext& context : tables.contexts) {
        if (tables.all_writes_stale)
            context.flush_writes();
        else
            for (const u64 host_page : tables.stale_writes)
                context.drop_writes_to(host_page);
    }
    tables.stale_writes.clear();
    tables.all_writes_stale = false;
}

void SoftTlb::flush_pcid()
{
    flush(*current_);
}

void SoftTlb::flush_pcid(u16 pcid)
{
    if (Tables* const tables = find(pcid))
        flush(*tables);
}

void SoftTlb::flush_all(bool keep_global)
{
    forget_windows();
    for (const auto& tables : tables_) {
        renew(tables->code);
        for (SoftTlbContext& context : tables->contexts)
            context.flush(keep_global);
    }
    if (!keep_global)
        renew(global_code_);
}

void SoftTlb::flush_page(u64 linear)
{
    flush_page(current_->pcid, linear);
}

// Global pages go from all of them, and so may the page of another PCID.
void SoftTlb::flush_page(u16 pcid, u64 linear)
{
    stack_window = {};
    forget_site_windows([&](const TlbWindow& window) { return window.base == (linear & ~page_mask); });
    forget_code(global_code_, linear);
    for (const auto& tables : tables_) {
        if (tables->pcid == pcid)
            forget_code(tables->code, linear);
        for (SoftTlbContext& context : tables->contexts)
            context.flush_page(linear);
    }
}

void SoftTlb::drop_keyed()
{
    bool any = false;
    for (const auto& tables : tables_)
        for (SoftTlbContext& context : tables->contexts)
            any |= context.drop_keyed();
    if (any)
        forget_windows();
}

void SoftTlb::flush_writes()
{
    forget_windows();
    for (SoftTlbContext& context : current_->contexts)
        context.flush_writes();
    for (const auto& tables : tables_)
        tables->all_writes_stale = tables.get() != current_;
}

void SoftTlb::drop_writes_to(u64 host_page)
{
    stack_window = {};
    forget_site_windows([&](const TlbWindow& window) { return window.base + window.addend == host_page; });
    for (SoftTlbContext& context : current_->contexts)
        context.drop_writes_to(host_page);
    for (const auto& tables : tables_) {
        if (tables.get() == current_)
            continue;
        if (tables->stale_writes.size() < most_stale_writes)
            tables->stale_writes.push_back(host_page);
        else
            tables->all_writes_stale = true;
    }
}

void SoftTlb::forget_write(SoftTlbContext& context, u64 linear)
{
    stack_window = {};
    forget_site_windows([&](const TlbWindow& window) { return window.base == (linear & ~page_mask); });
    context.forget_write(linear);
}

}
