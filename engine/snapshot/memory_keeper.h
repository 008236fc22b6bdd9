#pragma once
// Saves what memory held at one instant while its guest runs on.
//
// Where writers ask before they write, the saver walks the pages after the instant; a writer that is about to change one that
// is not saved yet copies it to a pool first, and where the pool is full waits for the saver, who then empties it before it
// walks on. Where writes are only logged, as KVM does, the saver walks the pages before the instant and again those that were
// written meanwhile, which go to the pool, until few are left: those are copied to it at the instant.
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
    static constexpr std::size_t usual_pool = 16384, pool_for_logged = 65536;    // pages; taken from the host as they are needed

    // told: of each write before it happens. logged: afterwards, when the log is read (MemoryBlock::note_written).
    enum class Writers : u8 { told, logged };

    explicit MemoryKeeper(std::vector<MemoryBlock*> blocks, Writers writers = Writers::told, std::size_t pool_pages = usual_pool);
    ~MemoryKeeper() override;

    // With every accessor standing still. The memory is now as these tables say: the next snapshot holds what changes from
    // here on.
    void set_base(SharedTables tables);
    const SharedTables& base() const { return base_; }
    bool has_base() const { return base_ != nullptr; }
    // Whether a page may differ from the base. Writers standing still, and their log just read.
    bool changed(unsigned block, u64 page) const;

    // Writers::logged, the saver's thread, before freeze(): copies while they run. `read_log` reads their log, then does what
    // it is given before anybody else reads it.
    using Progress = std::function<void(u64 done, u64 total)>;    // pages
    using ReadLog = std::function<void(const std::function<void()>& then)>;
    Result<void> copy_ahead(PageStore& store, const ReadLog& read_log, const Progress& progress);

    // With every writer standing still, and their log just read: what memory holds now is to be saved. Whether they may
    // write before save() is done: logged ones may not where nothing was copied ahead, or more is left than the pool holds.
    enum class Writing : u8 { goes_on, waits };
    Writing freeze(Writing wanted = Writing::goes_on);
    // The saver's thread, after freeze().
    Result<SharedTables> save(PageStore& store, const Progress& progress);
    // What save() returned is on disk for good, and the base from here on. Without this call the old one stays.
    void accept(SharedTables tables);
    // Nothing more is kept; after save(), or in its place.
    void release();

    const std::vector<MemoryBlock*>& blocks() const { return blocks_; }
    u64 copies() const { return copies_; }    // made for writers in and since freeze()
    u64 waits() const { return waits_; }    // of writers for room

    void keep(MemoryBlock& memory, u64 page) override;

private:
    static constexpr u32 no_buffer = ~u32(0);    // the page was all zeroes
    struct Part {
        u32 clean = 0;    // pages last written in this epoch or before are as in the base
        u32 frozen = 0;    // the epoch that is being saved
        u32 copied = 0;    // pages last written in this epoch or before were copied ahead; 0: none were
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
    bool wanted(unsigned block, u32 written_in) const;
    void begin_tables(PageStore& store);
    void empty_pool();
    void rewind();
    bool next(Place& place);
    Result<void> put(PageStore& store, Place place, const u8* page);
    void report(const Progress& progress);
    u8* buffer(u32 number) { return pool_ + u64(number) * page_size; }

    // told
    void take_kept(Batch& batch);
    void copy(Batch& batch);
    Result<void> save_told(PageStore& store, const Progress& progress);

    // logged
    u64 left() const;
    void touch_pool(u64 pages);
    bool keep_now(Place place);
    bool keep_rest();
    Result<void> copy_all(PageStore& store, const Progress& progress);
    Result<void> copy_again(PageStore& store);
    Result<void> save_logged(PageStore& store, const Progress& progress);

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

    // The saver's: what is being made, and how far it has come.
    std::shared_ptr<PageTables> tables_;
    std::vector<PageTable*> by_block_;
    Writing writing_ = Writing::goes_on;
    unsigned block_ = 0;
    u64 page_ = 0, data_ = 0;    // no page in front of data_ has ever been touched
    u64 passed_ = 0, reported_ = 0;
};

}
