// What the keeper does where writes are only logged: it copies ahead of the instant.
#include <algorithm>
#include <array>
#include <cstring>

#include <sys/mman.h>

#include "engine/snapshot/memory_keeper.h"

namespace engine {

namespace {
// What can be copied while a guest waits without anybody noticing: 4 MiB, 2 to 4 ms. A guest that writes so fast that its
// rest does not come down to this within so many rounds waits for the rest as it is.
constexpr u64 little = 1024;    // pages
constexpr unsigned most_rounds = 12;
}

Result<void> MemoryKeeper::copy_ahead(PageStore& store, const ReadLog& read_log, const Progress& progress)
{
    begin_tables(store);
    empty_pool();
    std::vector<u32> ended(blocks_.size());
    for (unsigned round = 0; round < most_rounds; ++round) {
        read_log([&] {
            for (unsigned n = 0; n < blocks_.size(); ++n)
                ended[n] = blocks_[n]->begin_epoch(nullptr);
        });
        const u64 rest = round ? left() : 0;
        touch_pool(rest + little);
        if (round && rest <= little)
            return {};
        rewind();
        if (auto copied = round ? copy_again(store) : copy_all(store, progress); !copied)
            return copied;
        for (unsigned n = 0; n < blocks_.size(); ++n)
            parts_[n].copied = ended[n];
    }
    touch_pool(left() + little);
    return {};
}

u64 MemoryKeeper::left() const
{
    u64 count = 0;
    for (unsigned n = 0; n < blocks_.size(); ++n)
        for (u64 page = 0; (page = blocks_[n]->written_after(parts_[n].copied, page)) < blocks_[n]->pages(); ++page)
            ++count;
    return count;
}

// The host gives the pool's next pages now, together, and not when the guest waits for each. Buffers are taken in order.
void MemoryKeeper::touch_pool(u64 pages)
{
    const u64 count = std::min<u64>(pages, free_.size());
    if (!count)
        return;
    u8* const first = buffer(free_.back());
    if (madvise(first, count * page_size, MADV_POPULATE_WRITE) == 0)
        return;
    for (u64 n = 0; n < count; ++n)
        first[n * page_size] = 0;
}

// To the store at once. What is written meanwhile comes again.
Result<void> MemoryKeeper::copy_all(PageStore& store, const Progress& progress)
{
    std::array<u8, page_size> page{};
    for (Place place{}; next(place); report(progress)) {
        std::memcpy(page.data(), blocks_[place.block]->content(place.page), page_size);
        if (auto put_there = put(store, place, page.data()); !put_there)
            return put_there;
    }
    return {};
}

// What was written meanwhile may be written again soon: to the pool, as far as that goes, and later to the store.
Result<void> MemoryKeeper::copy_again(PageStore& store)
{
    std::array<u8, page_size> page{};
    for (Place place{}; next(place);) {
        if (keep_now(place))
            continue;
        std::memcpy(page.data(), blocks_[place.block]->content(place.page), page_size);
        if (auto put_there = put(store, place, page.data()); !put_there)
            return put_there;
    }
    return {};
}

bool MemoryKeeper::keep_now(Place place)
{
    Part& part = parts_[place.block];
    auto kept = part.kept.find(place.page);
    if (kept == part.kept.end()) {
        if (free_.empty())
            return false;
        kept = part.kept.emplace(place.page, free_.back()).first;
        free_.pop_back();
    }
    std::memcpy(buffer(kept->second), blocks_[place.block]->content(place.page), page_size);
    return true;
}

// The writers stand still until this is done.
bool MemoryKeeper::keep_rest()
{
    if (!tables_)
        return false;
    for (Place place{}; next(place); ++copies_)
        if (!keep_now(place)) {
            rewind();
            return false;
        }
    return true;
}

// What is still in memory, where writers wait for that, is newer than what is kept.
Result<void> MemoryKeeper::save_logged(PageStore& store, const Progress& progress)
{
    if (writing_ == Writing::waits)
        for (Place place{}; next(place); report(progress)) {
            parts_[place.block].kept.erase(place.page);
            if (auto put_there = put(store, place, blocks_[place.block]->content(place.page)); !put_there)
                return put_there;
        }
    for (unsigned n = 0; n < blocks_.size(); ++n) {
        std::vector<std::pair<u64, u32>> kept(parts_[n].kept.begin(), parts_[n].kept.end());
        std::ranges::sort(kept);    // neighbours share chunks
        for (const auto& [page, number] : kept)
            if (auto put_there = put(store, {n, page}, buffer(number)); !put_there)
                return put_there;
    }
    return {};
}

}
