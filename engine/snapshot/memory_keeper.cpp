#include "engine/snapshot/memory_keeper.h"

#include <algorithm>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

namespace engine {

struct MemoryKeeper::Batch {
    std::array<Place, pages_in_chunk> places{};
    std::array<bool, pages_in_chunk> wanted{};
    std::vector<u8> pages = std::vector<u8>(pages_in_chunk * page_size);
    unsigned count = 0;

    u8* page(unsigned n) { return pages.data() + n * page_size; }
};

MemoryKeeper::MemoryKeeper(std::vector<MemoryBlock*> blocks, Writers writers, std::size_t pool_pages)
    : blocks_(std::move(blocks)),
      writers_(writers),
      pool_pages_(pool_pages),
      parts_(blocks_.size())
{
    void* const pool
        = mmap(nullptr, pool_pages_ * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pool == MAP_FAILED)
        pool_pages_ = 0;
    else
        pool_ = static_cast<u8*>(pool);
}

MemoryKeeper::~MemoryKeeper()
{
    release();
    if (pool_)
        munmap(pool_, pool_pages_ * page_size);
}

void MemoryKeeper::set_base(SharedTables tables)
{
    base_ = std::move(tables);
    for (unsigned n = 0; n < blocks_.size(); ++n)
        parts_[n].clean = blocks_[n]->begin_epoch(nullptr);
}

bool MemoryKeeper::dirty(unsigned block, u32 written_in) const
{
    return written_in != MemoryBlock::missing && (!has_base() || written_in > parts_[block].clean);
}

// By the saver who walks the pages.
bool MemoryKeeper::wanted(unsigned block, u32 written_in) const
{
    const Part& part = parts_[block];
    if (part.copied)
        return written_in > part.copied && written_in != MemoryBlock::missing;
    // Claimed since it was frozen: it may have been dirty before.
    const bool claimed = writers_ == Writers::told && written_in > part.frozen && written_in != MemoryBlock::missing;
    return claimed || dirty(block, written_in);
}

bool MemoryKeeper::changed(unsigned block, u64 page) const
{
    return dirty(block, blocks_[block]->written_in(page));
}

MemoryKeeper::Writing MemoryKeeper::freeze(Writing wish)
{
    const std::lock_guard lock(mutex_);
    PageKeeper* const keeper = writers_ == Writers::told ? this : nullptr;
    for (unsigned n = 0; n < blocks_.size(); ++n)
        parts_[n].frozen = blocks_[n]->begin_epoch(keeper);
    rewind();
    copies_ = waits_ = 0;
    if (writers_ == Writers::logged)
        return writing_ = wish == Writing::goes_on && keep_rest() ? Writing::goes_on : Writing::waits;
    for (unsigned n = 0; n < blocks_.size(); ++n)
        parts_[n].saved.assign(blocks_[n]->pages(), false);
    empty_pool();
    active_ = true;
    return wish;
}

void MemoryKeeper::rewind()
{
    block_ = 0;
    page_ = data_ = passed_ = reported_ = 0;
}

void MemoryKeeper::empty_pool()
{
    for (Part& part : parts_)
        part.kept.clear();
    free_.resize(pool_pages_);
    for (u32 number = 0; number < pool_pages_; ++number)
        free_[number] = u32(pool_pages_ - 1 - number);
    oldest_.clear();
    oldest_at_ = 0;
}

void MemoryKeeper::keep(MemoryBlock& memory, u64 page)
{
    const auto block = unsigned(std::ranges::find(blocks_, &memory) - blocks_.begin());
    std::unique_lock lock(mutex_);
    for (;;) {
        const u32 written = memory.written_in(page);
        if (written == memory.epoch())
            return;
        if (!active_ || block >= blocks_.size() || parts_[block].saved[page] || !dirty(block, written))
            break;
        Part& part = parts_[block];
        if (is_zero_page(memory.content(page))) {
            part.kept[page] = no_buffer;
            break;
        }
        if (!free_.empty()) {
            const u32 number = free_.back();
            free_.pop_back();
            std::memcpy(buffer(number), memory.content(page), page_size);
            part.kept[page] = number;
            oldest_.push_back({block, page});
            ++copies_;
            break;
        }
        ++waits_;
        room_.wait(lock);
    }
    memory.own(page);
}

// Half the pool is in use: what lies there goes first.
void MemoryKeeper::take_kept(Batch& batch)
{
    const std::lock_guard lock(mutex_);
    if (free_.size() > pool_pages_ / 2)
        return;
    for (; oldest_at_ < oldest_.size() && batch.count < pages_in_chunk; ++oldest_at_) {
        const Place place = oldest_[oldest_at_];
        if (parts_[place.block].kept.contains(place.page))
            batch.places[batch.count++] = place;
    }
    if (oldest_at_ == oldest_.size()) {
        oldest_.clear();
        oldest_at_ = 0;
    }
}

// The saver's next page; false behind the last one.
bool MemoryKeeper::next(Place& place)
{
    for (; block_ < blocks_.size(); ++block_, page_ = data_ = 0) {
        const MemoryBlock& memory = *blocks_[block_];
        const bool all = !has_base() && !parts_[block_].copied;    // that were ever touched
        while (page_ < memory.pages()) {
            if (all && page_ >= data_) {
                const off_t data = ::lseek(memory.file(), off_t(page_ << page_shift), SEEK_DATA);
                const u64 begin = data < 0 ? memory.pages() : u64(data) >> page_shift;
                passed_ += begin - page_;
                page_ = begin;
                const off_t hole = data < 0 ? -1 : ::lseek(memory.file(), data, SEEK_HOLE);
                data_ = hole < 0 ? memory.pages() : (u64(hole) + page_mask) >> page_shift;
                continue;
            }
            if (const u32 copied = parts_[block_].copied) {
                const u64 found = memory.written_after(copied, page_);
                passed_ += found - page_;
                if ((page_ = found) == memory.pages())
                    break;
            }
            place = {block_, page_++};
            ++passed_;
            if (wanted(place.block, memory.written_in(place.page)))
                return true;
        }
    }
    return false;
}

// The pages as they were at freeze(). A page that is written meanwhile is in the pool by then.
void MemoryKeeper::copy(Batch& batch)
{
    for (unsigned n = 0; n < batch.count; ++n) {
        const auto [block, page] = batch.places[n];
        std::memcpy(batch.page(n), blocks_[block]->content(page), page_size);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::lock_guard lock(mutex_);
    bool room = false;
    for (unsigned n = 0; n < batch.count; ++n) {
        const auto [block, page] = batch.places[n];
        Part& part = parts_[block];
        const auto kept = part.kept.find(page);
        const u32 written = blocks_[block]->written_in(page);
        // Claimed since, and not kept: it was clean, or is saved already.
        batch.wanted[n] = !part.saved[page] && (kept != part.kept.end() || written <= part.frozen);
        part.saved[page] = true;
        if (kept == part.kept.end())
            continue;
        if (kept->second == no_buffer) {
            std::memset(batch.page(n), 0, page_size);
        } else {
            std::memcpy(batch.page(n), buffer(kept->second), page_size);
            free_.push_back(kept->second);
            room = true;
        }
        part.kept.erase(kept);
    }
    if (room)
        room_.notify_all();
}

// The tables to begin with: the base's, where only changes are looked for.
PageTables MemoryKeeper::tables_to_change() const
{
    PageTables tables;
    for (const MemoryBlock* const block : blocks_) {
        PageTable& table = tables[block->name()] = PageTable(block->pages());
        if (!has_base())
            continue;
        const PageTable& before = base_->at(block->name());
        for (u64 page = 0; page < table.size(); ++page)
            if (before[page])
                table[page] = before[page];
    }
    return tables;
}

void MemoryKeeper::begin_tables(PageStore& store)
{
    if (base_)
        for (const auto& [name, table] : *base_)
            for (const PageRef ref : table)
                store.learn(ref);
    tables_ = std::make_shared<PageTables>(tables_to_change());
    by_block_.clear();
    for (const MemoryBlock* const block : blocks_)
        by_block_.push_back(&tables_->at(block->name()));
}

Result<void> MemoryKeeper::put(PageStore& store, Place place, const u8* page)
{
    const auto ref = store.add(page);
    if (!ref)
        return ref.error();
    (*by_block_[place.block])[place.page] = ref.value();
    return {};
}

void MemoryKeeper::report(const Progress& progress)
{
    constexpr u64 between_reports = 8192;    // pages
    if (!progress || passed_ - reported_ < between_reports)
        return;
    u64 total = 0;
    for (const MemoryBlock* const block : blocks_)
        total += block->pages();
    progress(reported_ = passed_, total);
}

Result<SharedTables> MemoryKeeper::save(PageStore& store, const Progress& progress)
{
    if (!tables_)
        begin_tables(store);
    const auto saved = writers_ == Writers::told ? save_told(store, progress) : save_logged(store, progress);
    if (!saved)
        return saved.error();
    return SharedTables(std::exchange(tables_, nullptr));
}

Result<void> MemoryKeeper::save_told(PageStore& store, const Progress& progress)
{
    for (Batch batch;; batch.count = 0) {
        take_kept(batch);
        if (!batch.count)
            while (batch.count < pages_in_chunk && next(batch.places[batch.count]))
                ++batch.count;
        if (!batch.count)
            return {};
        copy(batch);
        for (unsigned n = 0; n < batch.count; ++n)
            if (batch.wanted[n])
                if (auto put_there = put(store, batch.places[n], batch.page(n)); !put_there)
                    return put_there;
        report(progress);
    }
}

void MemoryKeeper::accept(SharedTables tables)
{
    const std::lock_guard lock(mutex_);
    for (Part& part : parts_)
        part.clean = part.frozen;
    base_ = std::move(tables);
}

void MemoryKeeper::release()
{
    {
        const std::lock_guard lock(mutex_);
        active_ = false;
    }
    room_.notify_all();
    for (MemoryBlock* const block : blocks_)
        block->set_keeper(nullptr);
    for (Part& part : parts_) {
        part.copied = 0;
        part.kept.clear();
    }
    tables_.reset();
    if (pool_)
        madvise(pool_, pool_pages_ * page_size, MADV_DONTNEED);
}

}
