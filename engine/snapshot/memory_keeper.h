#pragma once
// Saves what memory held at one instant while its guest runs on. The saver walks the pages; a writer that is about to change
// one that is not saved yet copies it to a pool first, and where the pool is full waits for the saver, who then empties it
// before it walks on.
//
// Which pages changed since the snapshot before, the base, is known from the epochs in which they were written.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "engine/memory/memory_block.h"
#include "engine/snapshot/page_table.h"

namespace engine {

class MemoryKeeper final : public MemoryBlock::PageKeeper {
public:
    static constexpr std::size_t usual_pool = 16384;    // pages

    // told: of each write before it happens. untold: any page may have changed, and nobody may write before save() is done.
    enum class Writers : u8 { told, untold };

    explicit MemoryKeeper(std::vector<MemoryBlock*> blocks, Writers writers = Writers::told, std::size_t pool_pages = usual_pool);
    ~MemoryKeeper() override;

    // With every accessor standing still. The memory is now as these tables say: the next snapshot holds what changes from
    // here on.
    void set_base(SharedTables tables);
    const SharedTables& base() const { return base_; }
    bool has_base() const { return base_ != nullptr; }
    // What needn't be looked for: what changed since the base is known.
    bool knows_changes() const { return has_base() && writers_ == Writers::told; }
    // Whether a page may differ from the base. Writers standing still.
    bool changed(unsigned block, u64 page) const;

    // With every writer standing still: what memory holds now is to be saved.
    void freeze();
    // The saver's thread, after freeze(). Writers may run.
    using Progress = std::function<void(u64 done, u64 total)>;    // pages
    Result<SharedTables> save(PageStore& store, const Progress& progress);
    // What save() returned is on disk for good, and the base from here on. Without this call the old one stays.
    void accept(SharedTables tables);
    // Nothing more is kept; after save(), or in its place.
    void release();

    const std::vector<MemoryBlock*>& blocks() const { return blocks_; }
    u64 copies() const { return copies_; }    // made for writers since freeze()
    u64 waits() const { return waits_; }    // of writers for room

    void keep(MemoryBlock& memory, u64 page) override;

private:
    static constexpr u32 no_buffer = ~u32(0);    // the page was all zeroes
    struct Part {
        u32 clean = 0;    // pages last written in this epoch or before are as in the base
        u32 frozen = 0;    // the epoch that is being saved
        std::vector<bool> saved;
        std::unordered_map<u64, u32> kept;    // buffers by page
    };
    struct Place {
        unsigned block;
        u64 page;
    };
    struct Batch;

    PageTables tables_to_change() const;
    bool dirty(unsigned block, u32 written_in) const;
    u8* buffer(u32 number) { return pool_ + u64(number) * page_size; }
    void take_kept(Batch& batch);
    void walk(Batch& batch);
    void copy(Batch& batch);

    std::vector<MemoryBlock*> blocks_;
    Writers writers_;
    SharedTables base_;
    u8* pool_ = nullptr;
    std::size_t pool_pages_;

    std::mutex mutex_;
    std::condition_variable room_;
    bool active_ = false;
    std::vector<Part> parts_;    // by block
    std::vector<u32> free_;
    std::vector<Place> oldest_;    // kept pages in the order in which they came, from oldest_at_ on
    std::size_t oldest_at_ = 0;
    u64 copies_ = 0, waits_ = 0;

    // The saver's place.
    unsigned block_ = 0;
    u64 page_ = 0, data_ = 0;    // no page in front of data_ has ever been touched
    u64 passed_ = 0;
};

}
