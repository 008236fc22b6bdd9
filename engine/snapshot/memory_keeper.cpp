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
    return written_in != MemoryBlock::missing && (!knows_changes() || written_in > parts_[block].clean);
}

bool MemoryKeeper::changed(unsigned block, u64 page) const
{
    return dirty(block, blocks_[block]->written_in(page));
}

void MemoryKeeper::freeze()
{
    const std::lock_guard lock(mutex_);
    for (unsigned n = 0; n < blocks_.size(); ++n) {
        parts_[n].saved.assign(blocks_[n]->pages(), false);
        parts_[n].kept.clear();
        parts_[n].frozen = blocks_[n]->begin_epoch(this);
    }
    free_.resize(pool_pages_);
    for (u32 number = 0; number < pool_pages_; ++number)
        free_[number] = u32(pool_pages_ - 1 - number);
    oldest_.clear();
    oldest_at_ = 0;
    copies_ = waits_ = 0;
    block_ = 0;
    page_ = data_ = passed_ = 0;
    active_ = true;
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

void MemoryKeeper::walk(Batch& batch)
{
    for (; block_ < blocks_.size(); ++block_, page_ = data_ = 0) {
        MemoryBlock& memory = *blocks_[block_];
        for (; page_ < memory.pages() && batch.count < pages_in_chunk; ++page_, ++passed_) {
            if (!knows_changes() && page_ >= data_) {
                const off_t data = ::lseek(memory.file(), off_t(page_ << page_shift), SEEK_DATA);
                const u64 next = data < 0 ? memory.pages() : u64(data) >> page_shift;
                passed_ += next - page_;
                page_ = next;
                const off_t hole = data < 0 ? -1 : ::lseek(memory.file(), data, SEEK_HOLE);
                data_ = hole < 0 ? memory.pages() : (u64(hole) + page_mask) >> page_shift;
                if (page_ >= memory.pages())
                    break;
            }
            const u32 written = memory.written_in(page_);
            if (written != MemoryBlock::missing && (written > parts_[block_].frozen || dirty(block_, written)))
                batch.places[batch.count++] = {block_, page_};
        }
        if (page_ < memory.pages())
            return;
    }
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
        if (!knows_changes())
            continue;
        const PageTable& before = base_->at(block->name());
        for (u64 page = 0; page < table.size(); ++page)
            if (before[page])
                table[page] = before[page];
    }
    return tables;
}

Result<SharedTables> MemoryKeeper::save(PageStore& store, const Progress& progress)
{
    if (base_)
        for (const auto& [name, table] : *base_)
            for (const PageRef ref : table)
                store.learn(ref);
    auto tables = std::make_shared<PageTables>(tables_to_change());
    std::vector<PageTable*> by_block;
    u64 total = 0;
    for (const MemoryBlock* const block : blocks_) {
        by_block.push_back(&tables->at(block->name()));
        total += block->pages();
    }
    constexpr u64 between_reports = 8192;    // pages
    u64 reported = 0;
    for (Batch batch;; batch.count = 0) {
        take_kept(batch);
        if (!batch.count)
            walk(batch);
        if (!batch.count)
            break;
        copy(batch);
        for (unsigned n = 0; n < batch.count; ++n) {
            if (!batch.wanted[n])
                continue;
            const auto ref = store.add(batch.page(n));
            if (!ref)
                return ref.error();
            (*by_block[batch.places[n].block])[batch.places[n].page] = ref.value();
        }
        if (progress && passed_ - reported >= between_reports)
            progress(reported = passed_, total);
    }
    return SharedTables(std::move(tables));
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
    if (pool_)
        madvise(pool_, pool_pages_ * page_size, MADV_DONTNEED);
}

}
