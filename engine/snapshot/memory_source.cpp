#include "engine/snapshot/memory_source.h"

#include <algorithm>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace engine {

MemorySource::MemorySource(std::vector<MemoryBlock*> blocks, PageStore& store, OnDamage on_damage)
    : blocks_(std::move(blocks)),
      store_(store),
      on_damage_(std::move(on_damage))
{
}

MemorySource::~MemorySource()
{
    stop();
    for (MemoryBlock* const block : blocks_)
        block->set_source(nullptr);
}

void MemorySource::set_tables(SharedTables tables)
{
    tables_ = std::move(tables);
    by_block_.clear();
    damaged_ = false;
    for (MemoryBlock* const block : blocks_) {
        by_block_.push_back(&tables_->at(block->name()));
        block->set_source(this);
    }
}

void MemorySource::bring(MemoryBlock& memory, u64 page)
{
    bring(unsigned(std::ranges::find(blocks_, &memory) - blocks_.begin()), page);
}

// The page, and those beside it that lie in the same chunk.
bool MemorySource::bring(unsigned n, u64 page)
{
    static constexpr std::array<u8, page_size> zeroes{};
    MemoryBlock& block = *blocks_[n];
    const PageTable& table = *by_block_[n];
    const PageRef ref = table[page];
    std::shared_ptr<const Chunk> chunk;
    if (ref) {
        auto read = store_.read(ref);
        if (read)
            chunk = std::move(*read);
        else if (!damaged_.exchange(true) && on_damage_)
            on_damage_(read.error());
    }
    const std::lock_guard lock(filling_);
    block.fill(page, chunk ? chunk->page(slot_of(ref)) : zeroes.data());
    if (!chunk)
        return !ref;
    const u64 first = page - std::min<u64>(page, pages_in_chunk - 1), end = std::min<u64>(page + pages_in_chunk, table.size());
    for (u64 near = first; near < end; ++near)
        if (table[near] && chunk_of(table[near]) == chunk_of(ref) && slot_of(table[near]) < chunk->count)
            block.fill(near, chunk->page(slot_of(table[near])));
    return true;
}

bool MemorySource::bring_all(unsigned n)
{
    bool sound = true;
    for (u64 page = 0; page < blocks_[n]->pages(); ++page)
        if (blocks_[n]->written_in(page) == MemoryBlock::missing)
            sound &= bring(n, page);
    return sound;
}

void MemorySource::start()
{
    stop();
    stopping_ = false;
    thread_ = std::thread([this] { run(); });
}

// Has the host give memory to pages that are about to be filled: dear one by one, cheap together.
void MemorySource::populate(MemoryBlock& block, u64 first, u64 end)
{
#ifdef MADV_POPULATE_WRITE
    for (u64 page = first; page < end; ++page)
        if (block.written_in(page) != MemoryBlock::missing)
            return;
    madvise(block.data() + (first << page_shift), (end - first) << page_shift, MADV_POPULATE_WRITE);
#endif
}

void MemorySource::run()
{
    pthread_setname_np(pthread_self(), "bring memory in");
    // The guest goes first.
    constexpr int polite = 10;
    setpriority(PRIO_PROCESS, id_t(gettid()), polite);
    constexpr u64 together = 64;    // pages
    for (unsigned n = 0; n < blocks_.size(); ++n)
        for (u64 page = 0; page < blocks_[n]->pages() && !stopping_ && !damaged_; ++page) {
            if (page % together == 0)
                populate(*blocks_[n], page, std::min(page + together, blocks_[n]->pages()));
            if (blocks_[n]->written_in(page) == MemoryBlock::missing)
                bring(n, page);
        }
}

void MemorySource::stop()
{
    stopping_ = true;
    if (thread_.joinable())
        thread_.join();
}

}
