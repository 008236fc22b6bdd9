#pragma once
// Brings memory in from the store as it is touched, and the rest of it behind the guest's back.

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/memory/memory_block.h"
#include "engine/snapshot/page_table.h"

namespace engine {

class MemorySource final : public MemoryBlock::PageSource {
public:
    // `on_damage`: a page can't be had, and reads as zeroes now. Any thread, once.
    using OnDamage = std::function<void(const Error& error)>;

    MemorySource(std::vector<MemoryBlock*> blocks, PageStore& store, OnDamage on_damage);
    ~MemorySource() override;

    // With every accessor standing still, after stop(): where missing pages come from. Each block has a table of its size.
    void set_tables(SharedTables tables);
    // Brings in the whole of one block, now. False if a page could not be had.
    bool bring_all(unsigned block);
    // Begins to bring in the rest, on a thread of its own.
    void start();
    // Any thread but that one: ends it. Missing pages still come when they are touched.
    void stop();

    void bring(MemoryBlock& memory, u64 page) override;
    bool sound() const { return !damaged_; }

private:
    void run();
    static void populate(MemoryBlock& block, u64 first, u64 end);
    bool bring(unsigned block, u64 page);

    std::vector<MemoryBlock*> blocks_;
    PageStore& store_;
    OnDamage on_damage_;
    SharedTables tables_;
    std::vector<const PageTable*> by_block_;
    std::mutex filling_;
    std::atomic<bool> stopping_ = false, damaged_ = false;
    std::thread thread_;
};

}
