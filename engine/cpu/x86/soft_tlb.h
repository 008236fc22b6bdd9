#pragma once
// The soft TLB: guest linear page → host page, split by kind of access. An access inside one page of a filled entry is
// one xor and one compare; everything else is the slow path's business. TRANSLATOR.md section 3 has the measurements.

#include <array>
#include <bitset>
#include <memory>
#include <vector>

#include "engine/base/types.h"

namespace engine::x86 {

struct TlbEntry {
    u64 tag = 0;    // page's linear address; while invalid a page that belongs to another index, which no access compares with
    u64 host = 0;    // where the page lies in the host's memory
};

// A page that host code looks at before it looks at a table: good while the table is. Linear addresses below `limit` from
// `base` on, `addend` away from the host's.
struct TlbWindow {
    static constexpr u64 narrow = 8, widest = 128;    // bytes of an access, or of several together
    u64 base = 0, limit = 0, addend = 0;
    u64 wide_limit = 0;    // likewise, of those wider than `narrow`: what is between the two has to be looked at
    // Of site windows:
    static constexpr u32 most_misses = 1 << 14;    // from there on it stays where it is, but for a chain's
    u32 missed = 0;    // how often lately, but for moves to the next page
    u32 next = 0;    // of those that were moved since all were forgotten, by number; 0: this one was not
    u64 host = 0;    // where `base` lies in the host's memory
};

enum class Access : u8 { read, write, fetch };

// Who waits for what a window finds: hardly anybody, a loop's each round, or the next load of a chain, in which each gives the
// address of the one after it.
enum class WindowUse : u8 { access, loop, chain };

struct SoftTlbContext {
    static constexpr unsigned entries = 4096;
    std::array<std::array<TlbEntry, entries>, 3> by_access;
    std::array<std::array<bool, entries>, 3> global{};
    std::vector<u16> keyed;    // indices filled with pages that PKRU may restrict, likewise
    // Indices filled since the last flush, with pages of one address space and with global ones, possibly repeated; `entries`
    // of them: too many to tell.
    std::vector<u16> used, used_globally;
    TlbWindow stack_window;    // while another context is in use

    SoftTlbContext();
    TlbEntry& entry(Access access, u64 linear) { return by_access[unsigned(access)][linear >> page_shift & (entries - 1)]; }
    void fill(Access access, u64 linear, u64 host_page, bool is_global, bool has_key);
    // True: there were some.
    bool drop_keyed();
    void flush(bool keep_global);
    void flush_writes();
    void flush_page(u64 linear);
    void drop_writes_to(u64 host_page);
    void forget_write(u64 linear);
    bool is_global(Access access, u64 linear) const
    {
        const unsigned index = linear >> page_shift & (entries - 1);
        return (by_access[unsigned(access)][index].tag ^ linear) < page_size && global[unsigned(access)][index];
    }

private:
    // Calls `visit` with the index of every entry that may be filled.
    template <class Visit> void for_used(Visit visit, bool globally_too = true);
    static bool valid(const TlbEntry& entry, unsigned index) { return (entry.tag >> page_shift & (entries - 1)) == index; }
    static void invalidate(TlbEntry& entry, unsigned index) { entry.tag = u64(index ^ 1) << page_shift; }
};

// Contexts by what the page tables allow: user, supervisor that may not touch user pages, supervisor that may.
enum class TlbContextName : u8 { user, supervisor, supervisor_user_allowed };

// Each PCID has tables of its own, for as many as are kept: a change of address space that keeps them costs nothing. Global
// pages are entered in each. SDM vol. 3, 4.10.
class SoftTlb {
public:
    SoftTlb();

    // The stack's page, readable and writable, of the context that is in use.
    TlbWindow stack_window;
    // Of places in host code that are run in one mode and make one kind of access: each has its own, but the first are shared by
    // several that do the same. From 1 on: 0 is none.
    static constexpr unsigned site_windows = 8192, shared_windows = 128;
    static constexpr u32 last_moved = ~u32(0);    // the end of the list of those that were moved
    u32 moved_sites = last_moved;    // its head
    std::array<TlbWindow, site_windows> sites;

    // From one context to another. `from` is the one that the window may have been moved in since.
    void change_context(const SoftTlbContext* from, SoftTlbContext* to);

    // The user's while alignment is checked: it is never filled, so that each access comes by the slow path.
    SoftTlbContext& checking_context();
    bool checks_alignment(const SoftTlbContext* context) const { return checking_ && context == checking_.get(); }
    bool of_user(const SoftTlbContext* context) const
    {
        return context == &current_->contexts[unsigned(TlbContextName::user)] || checks_alignment(context);
    }

    SoftTlbContext& context(TlbContextName name) { return current_->contexts[unsigned(name)]; }
    const SoftTlbContext& context(TlbContextName name) const { return current_->contexts[unsigned(name)]; }
    // Says which code a jump's target is good for: grow with every flush that may change where it lies, and never repeat.
    // Code on global pages outlives a change of PCID.
    u64 generation() const { return current_->code.generation; }
    u64 global_generation() const { return global_code_.generation; }
    // The one of the two that holds for code at `linear`, which was fetched in `from`; remembers that there is such code.
    u64 generation_of_code(SoftTlbContext& from, u64 linear);
    // There may be such code from here on, as the page's translation for fetches is known to `from`.
    void fetched(SoftTlbContext& from, u64 linear) { generation_of_code(from, linear); }

    // The tables of `pcid` from here on; contexts move.
    void select(u16 pcid);
    // What the current PCID or, by INVPCID, another one holds; global pages stay.
    void flush_pcid();
    void flush_pcid(u16 pcid);
    void forget_site_windows();
    void forgive_misses();    // of site windows: they are counted from 0 again
    // All that every PCID holds, with global pages or without.
    void flush_all(bool keep_global);
    void flush_page(u64 linear);
    void flush_page(u16 pcid, u64 linear);
    void flush_writes();
    void drop_writes_to(u64 host_page);
    // As if the page had not been filled for writing.
    void forget_write(SoftTlbContext& context, u64 linear);
    // Pages with a protection key but 0, of every PCID.
    void drop_keyed();

private:
    // Where code may have been run from since all was flushed, by a hash of the page: with room for all pages of a large program,
    // so that its data is seldom taken for code. Programs and a 64-bit kernel don't meet: all jumps of the kernel would have
    // to be found anew.
    static constexpr unsigned code_page_bits = 17;
    struct CodePages {
        u64 generation = 0;
        std::bitset<1 << code_page_bits> pages;
    };
    struct Tables {
        std::array<SoftTlbContext, 3> contexts;
        CodePages code;
        u16 pcid = 0;
        u64 selected = 0;    // when last, in calls of select()
        // What it may still let write, unseen while another was in use: these host pages, or any if they are many.
        std::vector<u64> stale_writes;
        bool all_writes_stale = false;
    };
    static constexpr std::size_t most_stale_writes = 8;
    static constexpr unsigned most_tables = 8;
    static unsigned page_hash(u64 linear)
    {
        const u64 page = linear >> page_shift, half = linear >> 63;
        return unsigned((page ^ page >> (code_page_bits - 1)) << 1 & ((1 << code_page_bits) - 1)) | unsigned(half);
    }

    Tables* find(u16 pcid);
    void renew(CodePages& code);
    void forget_code(CodePages& code, u64 linear);
    void flush(Tables& tables);
    static void catch_up(Tables& tables);
    template <class Condition> void forget_site_windows(Condition condition);
    void forget_windows()
    {
        stack_window = {};
        forget_site_windows();
    }

    std::vector<std::unique_ptr<Tables>> tables_;
    Tables* current_;
    std::unique_ptr<SoftTlbContext> checking_;    // seldom wanted
    SoftTlbContext* window_owner_;
    CodePages global_code_;
    u64 last_generation_ = 0, selections_ = 0;
};

}
