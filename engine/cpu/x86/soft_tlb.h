#pragma once
// The soft TLB: guest linear page → host page, split by kind of access. An access inside one page of a filled entry is
// one xor and one compare; everything else is the slow path's business. TRANSLATOR.md section 3 has the measurements.

#include <array>
#include <vector>

#include "engine/base/types.h"

namespace engine::x86 {

struct TlbEntry {
    u64 tag = 0;    // page's linear address; while invalid a page that belongs to another index, which no access compares with
    u64 host = 0;    // where the page lies in the host's memory
};

enum class Access : u8 { read, write, fetch };

struct SoftTlbContext {
    static constexpr unsigned entries = 1024;
    std::array<std::array<TlbEntry, entries>, 3> by_access;
    std::array<std::array<bool, entries>, 3> global{};
    std::vector<u16> used;    // indices filled since the last flush, possibly repeated

    SoftTlbContext();
    TlbEntry& entry(Access access, u64 linear) { return by_access[unsigned(access)][linear >> page_shift & (entries - 1)]; }
    void fill(Access access, u64 linear, u64 host_page, bool is_global);
    void flush(bool keep_global);
    void flush_writes();
    void flush_page(u64 linear);
    void drop_writes_to(u64 host_page);

private:
    static bool valid(const TlbEntry& entry, unsigned index) { return (entry.tag >> page_shift & (entries - 1)) == index; }
    static void invalidate(TlbEntry& entry, unsigned index) { entry.tag = u64(index ^ 1) << page_shift; }
};

// Contexts by what the page tables allow: user, supervisor that may not touch user pages, supervisor that may.
enum class TlbContextName : u8 { user, supervisor, supervisor_user_allowed };

struct SoftTlb {
    std::array<SoftTlbContext, 3> contexts;
    u32 generation = 1;    // grows with every flush that may change where code lies
    void flush(bool keep_global);
    void flush_writes();
    void flush_page(u64 linear);
    void drop_writes_to(u64 host_page);
};

}
