#pragma once
// Host memory that a guest sees as RAM, ROM or video memory, with what must be remembered of each of its pages.

#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"
#include "engine/base/types.h"
#include "engine/base/zeroed_array.h"

namespace engine {

class MemoryBlock {
public:
    // `size` is rounded up to whole pages. The memory is zero, backed by a memfd and allocated on first touch.
    static Result<std::unique_ptr<MemoryBlock>> create(std::string name, u64 size);
    ~MemoryBlock();
    MemoryBlock(const MemoryBlock&) = delete;
    MemoryBlock& operator=(const MemoryBlock&) = delete;

    const std::string& name() const { return name_; }
    u8* data() { return data_; }
    const u8* data() const { return data_; }
    u64 size() const { return size_; }
    u64 pages() const { return size_ >> page_shift; }
    int file() const { return file_.get(); }
    // For the one who saves the memory: readable whatever its protection.
    const u8* content(u64 page) const { return back_door_ + (page << page_shift); }

    // Any thread. A vCPU's cached translation for writing is only handed out for pages without code, and marks them dirty.
    bool holds_code(u64 page) const { return code_[page].load(std::memory_order_acquire) != 0; }
    // Whether [offset, offset + length), within one page, touches a 64-byte granule that holds code.
    bool holds_code(u64 offset, u64 length) const
    {
        return code_[offset >> page_shift].load(std::memory_order_acquire) & granules(offset & page_mask, length);
    }
    // True if the page held no code before. Marks go away again when a page is written often: whoever relies on them reads
    // the code version after setting them, and then asks marked().
    bool set_code(u64 offset, u64 length)
    {
        return code_[offset >> page_shift].fetch_or(granules(offset & page_mask, length), std::memory_order_acq_rel) == 0;
    }
    bool marked(u64 offset, u64 length) const
    {
        const u64 wanted = granules(offset & page_mask, length);
        return (code_[offset >> page_shift].load(std::memory_order_acquire) & wanted) == wanted;
    }
    void set_dirty(u64 page)
    {
        if (!dirty_[page].load(std::memory_order_relaxed))
            dirty_[page].store(true, std::memory_order_release);
    }
    // Clears and returns the flag. The display's owner is the one reader.
    bool take_dirty(u64 page)
    {
        return dirty_[page].load(std::memory_order_relaxed) && dirty_[page].exchange(false, std::memory_order_acq_rel);
    }

    // Grows with every write to a granule of the page that holds code, and when the marks go; decoded blocks remember it.
    u32 code_version(u64 page) const { return versions_[page].load(std::memory_order_acquire); }
    void renew_code_version(u64 page) { versions_[page].fetch_add(1, std::memory_order_acq_rel); }
    const std::atomic<u32>* code_version_of(u64 page) const { return &versions_[page]; }

    // Told, on the writing thread, of each page whose version has grown. Set by whoever translates code from this memory.
    class CodeListener {
    public:
        virtual ~CodeListener() = default;
        virtual void code_written(const MemoryBlock& memory, u64 page) = 0;
    };
    void set_code_listener(CodeListener* listener) { code_listener_.store(listener, std::memory_order_release); }

    // After any write that did not go through a vCPU's cached translation.
    void written(u64 offset, u64 length);

    // Epochs. Each page remembers the epoch in which it was last written, so that what changed since an instant is known,
    // and what it held then can be kept. Before any access the accessor asks, once for each page and epoch when it writes;
    // a vCPU's cached translation for writing is only handed out after asking, and dropped before the next epoch begins.
    static constexpr u32 missing = ~u32(0);    // the page's content has yet to be brought in
    class PageKeeper {
    public:
        virtual ~PageKeeper() = default;
        // The page is about to be written for the first time in this epoch: keeps its content where that is wanted, then
        // calls own(). On the writer's thread; may wait for room.
        virtual void keep(MemoryBlock& memory, u64 page) = 0;
    };
    class PageSource {
    public:
        virtual ~PageSource() = default;
        // Fills a missing page by fill(), whatever happens. On the accessor's thread.
        virtual void bring(MemoryBlock& memory, u64 page) = 0;
    };
    void before_write(u64 page)
    {
        if (epochs_[page].load(std::memory_order_acquire) != epoch_.load(std::memory_order_relaxed)) [[unlikely]]
            claim(page);
    }
    void before_read(u64 page)
    {
        if (epochs_[page].load(std::memory_order_acquire) == missing) [[unlikely]]
            bring_in(page);
    }
    // Takes the host's memory for a page that is about to be written, and for those around it: in a virtual host each page
    // fault is dear. Any thread.
    void populate(u64 page)
    {
        if (!populated_[page / populated_at_once].load(std::memory_order_relaxed)) [[unlikely]]
            populate_around(page);
    }

    // Every page that the range touches.
    void before_write(u64 offset, u64 length);
    void before_read(u64 offset, u64 length);

    u32 epoch() const { return epoch_.load(std::memory_order_relaxed); }
    u32 written_in(u64 page) const { return epochs_[page].load(std::memory_order_seq_cst); }
    // The first page from `page` on that was written after that epoch; pages() where there is none. Millions of pages a
    // millisecond.
    u64 written_after(u32 epoch, u64 page) const;
    // With every writer standing still. Returns the epoch that has ended. Either may be null.
    u32 begin_epoch(PageKeeper* keeper);
    void set_keeper(PageKeeper* keeper) { keeper_.store(keeper, std::memory_order_release); }
    void own(u64 page);
    // For writers that are known of only afterwards: the page was written since that was looked for last, and counts as
    // written in this epoch. Any thread.
    void note_written(u64 page)
    {
        set_dirty(page);
        if (written_in(page) != missing)
            epochs_[page].store(epoch(), std::memory_order_seq_cst);
    }
    // With every accessor standing still: the pages from `first` on are to be brought in, or are as they were in no epoch.
    void set_source(PageSource* source) { source_.store(source, std::memory_order_release); }
    void set_missing(u64 page);
    void set_clean(u64 page) { epochs_[page].store(0, std::memory_order_release); }
    // Gives a missing page its content, unless somebody else was quicker. The source calls it with a lock held.
    void fill(u64 page, const u8* content);
    // For a source that gives content otherwise, with the same lock held: the page is as it was in no epoch, if it was missing.
    bool settle(u64 page);
    // With every accessor standing still: gives the host back its memory; the pages are zero. False: they are as they were.
    bool discard(u64 first, u64 count);

    // For tests, before blocks are made: the host's page protection follows the epochs, so that whoever forgets to ask is
    // stopped by SIGSEGV. Slow, and good for small memories.
    static void guard_strictly(bool on) { strict_ = on; }

private:
    static u64 granules(u64 in_page, u64 length)
    {
        const u64 first = in_page >> 6, last = (in_page + length - 1) >> 6;
        return (~u64(0) >> (63 - (last - first))) << first;
    }

    MemoryBlock(std::string name, u64 size, FileDescriptor file, u8* data, u8* back_door);
    static constexpr u64 populated_at_once = 16;    // pages
    void populate_around(u64 page);
    void claim(u64 page);
    void bring_in(u64 page);
    void forget_code(u64 page);
    void protect(u64 page, u64 count, int protection);

    std::string name_;
    u64 size_;
    FileDescriptor file_;
    u8* data_;
    ZeroedArray<std::atomic<bool>> dirty_;
    ZeroedArray<std::atomic<bool>> populated_;    // by populated_at_once pages
    ZeroedArray<std::atomic<u64>> code_;
    ZeroedArray<std::atomic<u8>> slow_writes_;    // since the page last had no code
    ZeroedArray<std::atomic<u32>> versions_;
    std::atomic<CodeListener*> code_listener_ = nullptr;

    static bool strict_;
    u8* back_door_;    // the same memory, where protection doesn't matter; data_ unless strict
    ZeroedArray<std::atomic<u32>> epochs_;    // 0: not written since the block was made or its content replaced
    std::atomic<u32> epoch_ = 1;
    std::atomic<PageKeeper*> keeper_ = nullptr;
    std::atomic<PageSource*> source_ = nullptr;
};

}
