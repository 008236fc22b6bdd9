#include "engine/memory/memory_block.h"

#include <algorithm>
#include <cerrno>

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
    return std::unique_ptr<MemoryBlock>(new MemoryBlock(std::move(name), size, std::move(file), static_cast<u8*>(data)));
}

MemoryBlock::MemoryBlock(std::string name, u64 size, FileDescriptor file, u8* data)
    : name_(std::move(name)),
      size_(size),
      file_(std::move(file)),
      data_(data),
      dirty_(std::make_unique<std::atomic<bool>[]>(size >> page_shift)),
      code_(std::make_unique<std::atomic<u64>[]>(size >> page_shift)),
      slow_writes_(std::make_unique<std::atomic<u8>[]>(size >> page_shift)),
      versions_(std::make_unique<std::atomic<u32>[]>(size >> page_shift))
{
}

MemoryBlock::~MemoryBlock()
{
    munmap(data_, size_);
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

}
