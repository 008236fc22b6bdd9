#include "engine/cpu/x86/soft_tlb.h"

namespace engine::x86 {

SoftTlbContext::SoftTlbContext()
{
    for (auto& table : by_access)
        for (unsigned index = 0; index < entries; ++index)
            invalidate(table[index], index);
}

void SoftTlbContext::fill(Access access, u64 linear, u64 host_page, bool is_global)
{
    const u64 page = linear & ~page_mask;
    const u16 index = u16(linear >> page_shift & (entries - 1));
    TlbEntry& to = by_access[unsigned(access)][index];
    to.tag = page;
    to.host = host_page;
    global[unsigned(access)][index] = is_global;
    if (used.size() < 2 * entries)
        used.push_back(index);
}

void SoftTlbContext::flush(bool keep_global)
{
    const auto drop = [&](unsigned index) {
        bool kept = false;
        for (unsigned access = 0; access < 3; ++access) {
            if (keep_global && global[access][index])
                kept |= valid(by_access[access][index], index);
            else
                invalidate(by_access[access][index], index);
        }
        return kept;
    };
    if (used.size() >= 2 * entries) {
        used.clear();
        for (unsigned index = 0; index < entries; ++index)
            if (drop(index))
                used.push_back(u16(index));
        return;
    }
    std::size_t kept = 0;
    for (const u16 index : used)
        if (drop(index))
            used[kept++] = index;
    used.resize(kept);
}

void SoftTlbContext::flush_writes()
{
    auto& table = by_access[unsigned(Access::write)];
    for (unsigned index = 0; index < entries; ++index)
        invalidate(table[index], index);
}

void SoftTlbContext::flush_page(u64 linear)
{
    const unsigned index = linear >> page_shift & (entries - 1);
    for (auto& table : by_access)
        if ((table[index].tag ^ linear) < page_size)
            invalidate(table[index], index);
}

void SoftTlbContext::drop_writes_to(u64 host_page)
{
    auto& table = by_access[unsigned(Access::write)];
    for (unsigned index = 0; index < entries; ++index)
        if (valid(table[index], index) && table[index].host == host_page)
            invalidate(table[index], index);
}

void SoftTlb::flush(bool keep_global)
{
    ++generation;
    for (auto& context : contexts)
        context.flush(keep_global);
}

void SoftTlb::flush_writes()
{
    for (auto& context : contexts)
        context.flush_writes();
}

void SoftTlb::flush_page(u64 linear)
{
    ++generation;
    for (auto& context : contexts)
        context.flush_page(linear);
}

void SoftTlb::drop_writes_to(u64 host_page)
{
    for (auto& context : contexts)
        context.drop_writes_to(host_page);
}

}
