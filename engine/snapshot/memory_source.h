#pragma once
// Brings memory in from the store as it is touched, and the rest of it behind the guest's back.
//
// Who asks before an access is served on its thread. Where the kernel accesses memory for a guest, nobody asks: missing pages
// then have none of the host's memory, and its page faults are served on a thread of their own, where this user may have
// them (page_faults.h).

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "engine/memory/memory_block.h"
#include "engine/memory/page_faults.h"
#include "engine/snapshot/page_table.h"

namespace engine {

class MemorySource final : public MemoryBlock::PageSource {
public:
    // `on_damage`: a page can't be had, and reads as zeroes now. Any thread, once.
    using OnDamage = std::function<void(const Error& error)>;

    // Who accesses memory: those alone who ask before (MemoryBlock::before_read), or the kernel too.
    enum class Accessors : u8 { asking, kernel };

    MemorySource(std::vector<MemoryBlock*> blocks, PageStore& store, OnDamage on_damage, Accessors accessors = Accessors::asking);
    ~MemorySource() override;

    // With every accessor standing still, after stop(): no page comes any more, until what this returns is gone. Pages that
    // are to be missing are said to be so meanwhile.
    std::unique_lock<std::mutex> hold() { return std::unique_lock(serving_); }
    // In hold(): where missing pages come from. Each block has a table of its size.
    void set_tables(SharedTables tables);
    // Whether a block's pages come as they are touched. Otherwise the block has to be brought in before anybody goes on.
    bool comes_when_touched(unsigned block) const { return accessors_ == Accessors::asking || watched_[block]; }
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
    void fill(unsigned block, u64 page, const u8* content);
    void damage(const Error& error);
    void watch(unsigned block);
    void release(unsigned block);
    void serve_faults();
    void serve(unsigned block, u64 page);

    std::vector<MemoryBlock*> blocks_;
    PageStore& store_;
    OnDamage on_damage_;
    SharedTables tables_;
    std::vector<const PageTable*> by_block_;
    Accessors accessors_;
    std::mutex serving_, filling_;    // the latter within the former
    std::atomic<bool> stopping_ = false, damaged_ = false;
    std::thread thread_;
    std::unique_ptr<PageFaults> faults_;    // null: this user may not have them, or nobody needs them
    std::vector<std::atomic<bool>> watched_;    // by block
    std::thread fault_thread_;
};

}
