#include "engine/snapshot/memory_source.h"

#include <algorithm>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace engine {

namespace {
constexpr std::array<u8, page_size> zeroes{};
}

MemorySource::MemorySource(std::vector<MemoryBlock*> blocks, PageStore& store, OnDamage on_damage, Accessors accessors)
    : blocks_(std::move(blocks)),
      store_(store),
      on_damage_(std::move(on_damage)),
      accessors_(accessors),
      watched_(blocks_.size())
{
}

MemorySource::~MemorySource()
{
    stop();
    if (fault_thread_.joinable()) {
        faults_->interrupt();
        fault_thread_.join();
    }
    for (unsigned n = 0; n < blocks_.size(); ++n) {
        release(n);
        blocks_[n]->set_source(nullptr);
    }
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
    if (accessors_ == Accessors::asking)
        return;
    if (!faults_)
        faults_ = PageFaults::open();
    for (unsigned n = 0; faults_ && n < blocks_.size(); ++n)
        watch(n);
    if (faults_ && !fault_thread_.joinable())
        fault_thread_ = std::thread([this] { serve_faults(); });
}

// From here on the host has no memory for what is missing. What is zero is not missing: the kernel, or serve(), makes it so.
void MemorySource::watch(unsigned n)
{
    MemoryBlock& block = *blocks_[n];
    const PageTable& table = *by_block_[n];
    watched_[n] = faults_->watch(block.data(), block.size());
    if (!watched_[n])
        return;
    for (u64 first = 0, end = 0; first < block.pages(); first = end + 1) {
        for (end = first; end < block.pages() && block.written_in(end) == MemoryBlock::missing; ++end)
            if (!table[end])
                block.settle(end);
        if (first == end || block.discard(first, end - first))
            continue;
        for (u64 page = first; page < end; ++page)
            block.set_missing(page);
        return release(n);
    }
}

void MemorySource::release(unsigned n)
{
    if (watched_[n].exchange(false))
        faults_->release(blocks_[n]->data(), blocks_[n]->size());
}

void MemorySource::serve_faults()
{
    pthread_setname_np(pthread_self(), "page faults");
    while (const u8* const at = faults_->next()) {
        const std::lock_guard lock(serving_);
        for (unsigned n = 0; n < blocks_.size(); ++n)
            if (at >= blocks_[n]->data() && at < blocks_[n]->data() + blocks_[n]->size())
                serve(n, u64(at - blocks_[n]->data()) >> page_shift);
    }
}

void MemorySource::serve(unsigned n, u64 page)
{
    MemoryBlock& block = *blocks_[n];
    if (block.written_in(page) == MemoryBlock::missing)
        bring(n, page);
    // Given by now; or never touched, as those beside it may be.
    const std::lock_guard lock(filling_);
    constexpr u64 together = 16;    // pages
    for (u64 end = std::min(page + together, block.pages()); watched_[n] && page < end; ++page)
        if (block.written_in(page) == MemoryBlock::missing
            || faults_->give(block.data() + (page << page_shift), zeroes.data()) != PageFaults::Given::now)
            return;
}

void MemorySource::bring(MemoryBlock& memory, u64 page)
{
    bring(unsigned(std::ranges::find(blocks_, &memory) - blocks_.begin()), page);
}

void MemorySource::damage(const Error& error)
{
    if (!damaged_.exchange(true) && on_damage_)
        on_damage_(error);
}

void MemorySource::fill(unsigned n, u64 page, const u8* content)
{
    MemoryBlock& block = *blocks_[n];
    if (!watched_[n])
        return block.fill(page, content);
    // What is written to the page from here on waits for its content, and counts as written.
    if (!block.settle(page) || faults_->give(block.data() + (page << page_shift), content) == PageFaults::Given::now)
        return;
    damage(
        {"The guest's memory can't be brought in", "The host has no memory left for it", "Close other programs, then try again"});
    release(n);
}

// The page, and those beside it that lie in the same chunk.
bool MemorySource::bring(unsigned n, u64 page)
{
    const PageTable& table = *by_block_[n];
    const PageRef ref = table[page];
    std::shared_ptr<const Chunk> chunk;
    if (ref) {
        auto read = store_.read(ref);
        if (read)
            chunk = std::move(*read);
        else
            damage(read.error());
    }
    const std::lock_guard lock(filling_);
    fill(n, page, chunk ? chunk->page(slot_of(ref)) : zeroes.data());
    if (!chunk)
        return !ref;
    const u64 first = page - std::min<u64>(page, pages_in_chunk - 1), end = std::min<u64>(page + pages_in_chunk, table.size());
    for (u64 near = first; near < end; ++near)
        if (table[near] && chunk_of(table[near]) == chunk_of(ref) && slot_of(table[near]) < chunk->count)
            fill(n, near, chunk->page(slot_of(table[near])));
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
            if (page % together == 0 && !watched_[n])
                populate(*blocks_[n], page, std::min(page + together, blocks_[n]->pages()));
            if (blocks_[n]->written_in(page) == MemoryBlock::missing)
                bring(n, page);
        }
    if (stopping_ || damaged_)
        return;
    const std::scoped_lock locks(serving_, filling_);
    for (unsigned n = 0; n < blocks_.size(); ++n)
        release(n);
}

void MemorySource::stop()
{
    stopping_ = true;
    if (thread_.joinable())
        thread_.join();
}

}
