#include "engine/memory/memory_block.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine {

Result<std::unique_ptr<MemoryBlock>> MemoryBlock::create(std::string name, u64 size)
{
    size = round_up(size, page_size);
    const auto failed = [&](int error) {
        return Error{
            text("Cannot get ", size >> 20, " MiB of memory for ", name), system_error_text(error),
            "Give the machine less memory, or close other programs"};
    };
    FileDescriptor file{memfd_create(name.c_str(), MFD_CLOEXEC)};
    if (!file.valid() || ftruncate(file.get(), off_t(size)) != 0)
        return failed(errno);
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file.get(), 0);
    if (data == MAP_FAILED)
        return failed(errno);
    void* back_door = data;
    if (strict_)
        back_door = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file.get(), 0);
    if (back_door == MAP_FAILED)
        return failed(errno);
    return std::unique_ptr<MemoryBlock>(
        new MemoryBlock(std::move(name), size, std::move(file), static_cast<u8*>(data), static_cast<u8*>(back_door)));
}

bool MemoryBlock::strict_ = false;

MemoryBlock::MemoryBlock(std::string name, u64 size, FileDescriptor file, u8* data, u8* back_door)
    : name_(std::move(name)),
      size_(size),
      file_(std::move(file)),
      data_(data),
      dirty_(size >> page_shift),
      populated_(size / (populated_at_once << page_shift) + 1),
      code_(size >> page_shift),
      slow_writes_(size >> page_shift),
      versions_(size >> page_shift),
      back_door_(back_door),
      epochs_(size >> page_shift)
{
}

MemoryBlock::~MemoryBlock()
{
    munmap(data_, size_);
    if (back_door_ != data_)
        munmap(back_door_, size_);
}

// Where the kernel does not know how, pages are taken one by one as before.
void MemoryBlock::populate_around(u64 page)
{
    const u64 chunk = page / populated_at_once, first = chunk * populated_at_once << page_shift;
    populated_[chunk].store(true, std::memory_order_relaxed);
    madvise(back_door_ + first, std::min(size_ - first, populated_at_once << page_shift), MADV_POPULATE_WRITE);
}

void MemoryBlock::written(u64 offset, u64 length)
{
    // A page of code that is written again and again is data by now: without marks, stores to it are fast.
    constexpr u8 most_slow_writes = 64;
    // The bytes are seen before the marks are looked at.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    while (length) {
        const u64 page = offset >> page_shift;
        const u64 here = std::min(length, page_size - (offset & page_mask));
        set_dirty(page);
        // An epoch that began between the question and the write has it too: where vCPUs run on, epochs do not wait for devices.
        if (const u32 asked = written_in(page); asked != epoch() && asked != missing) [[unlikely]]
            epochs_[page].store(epoch(), std::memory_order_seq_cst);
        if (holds_code(page)) {
            const bool worn
                = here == page_size || slow_writes_[page].fetch_add(1, std::memory_order_relaxed) + 1 >= most_slow_writes;
            const bool hit = holds_code(offset, here);
            if (worn) {
                code_[page].store(0, std::memory_order_release);
                slow_writes_[page].store(0, std::memory_order_relaxed);
            }
            if (hit || worn) {
                renew_code_version(page);
                if (CodeListener* const listener = code_listener_.load(std::memory_order_acquire))
                    listener->code_written(*this, page);
            }
        }
        offset += here;
        length -= here;
    }
}

void MemoryBlock::before_write(u64 offset, u64 length)
{
    for (u64 page = offset >> page_shift; length && page <= (offset + length - 1) >> page_shift; ++page)
        before_write(page);
}

void MemoryBlock::before_read(u64 offset, u64 length)
{
    for (u64 page = offset >> page_shift; length && page <= (offset + length - 1) >> page_shift; ++page)
        before_read(page);
}

void MemoryBlock::claim(u64 page)
{
    before_read(page);
    if (PageKeeper* const keeper = keeper_.load(std::memory_order_acquire))
        keeper->keep(*this, page);
    else
        own(page);
}

void MemoryBlock::own(u64 page)
{
    protect(page, 1, PROT_READ | PROT_WRITE);
    epochs_[page].store(epoch(), std::memory_order_seq_cst);
}

void MemoryBlock::bring_in(u64 page)
{
    if (PageSource* const source = source_.load(std::memory_order_acquire))
        source->bring(*this, page);
}

void MemoryBlock::fill(u64 page, const u8* content)
{
    if (epochs_[page].load(std::memory_order_acquire) != missing)
        return;
    std::memcpy(back_door_ + (page << page_shift), content, page_size);
    protect(page, 1, PROT_READ);
    epochs_[page].store(0, std::memory_order_release);
}

u64 MemoryBlock::written_after(u32 epoch, u64 page) const
{
    const u64 end = pages();
    const std::atomic<u32>* const epochs = epochs_.begin();
    for (; page < end; ++page)
        if (const u32 written = epochs[page].load(std::memory_order_relaxed); written > epoch && written != missing)
            break;
    std::atomic_thread_fence(std::memory_order_acquire);
    return page;
}

bool MemoryBlock::settle(u64 page)
{
    if (epochs_[page].load(std::memory_order_acquire) != missing)
        return false;
    set_clean(page);
    return true;
}

bool MemoryBlock::discard(u64 first, u64 count)
{
    for (u64 chunk = first / populated_at_once; chunk <= (first + count - 1) / populated_at_once; ++chunk)
        populated_[chunk].store(false, std::memory_order_relaxed);
    constexpr int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return ::fallocate(file_.get(), hole, off_t(first << page_shift), off_t(count << page_shift)) == 0;
}

u32 MemoryBlock::begin_epoch(PageKeeper* keeper)
{
    protect(0, pages(), PROT_READ);
    if (strict_)
        for (u64 page = 0; page < pages(); ++page)
            if (written_in(page) == missing)
                protect(page, 1, PROT_NONE);
    set_keeper(keeper);
    return epoch_.fetch_add(1, std::memory_order_seq_cst);
}

void MemoryBlock::set_missing(u64 page)
{
    forget_code(page);
    set_dirty(page);
    protect(page, 1, PROT_NONE);
    epochs_[page].store(missing, std::memory_order_release);
}

void MemoryBlock::forget_code(u64 page)
{
    if (!code_[page].exchange(0, std::memory_order_acq_rel))
        return;
    slow_writes_[page].store(0, std::memory_order_relaxed);
    renew_code_version(page);
    if (CodeListener* const listener = code_listener_.load(std::memory_order_acquire))
        listener->code_written(*this, page);
}

void MemoryBlock::protect(u64 page, u64 count, int protection)
{
    if (back_door_ != data_)
        mprotect(data_ + (page << page_shift), count << page_shift, protection);
}

}
