#include "engine/translator/runtime/code_cache.h"

#include <cerrno>

#include <sys/mman.h>

#include "engine/base/bits.h"

namespace engine::translator {

namespace {

// Room for a mapping that begins with a large page, between two pages at the least that nobody may touch.
u8* reserve_guarded(u64 size)
{
    constexpr u64 around = 2 * CodeCache::large_page;
    void* const whole = mmap(nullptr, size + around, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (whole == MAP_FAILED)
        return nullptr;
    u8* const begin = static_cast<u8*>(whole);
    u8* const inner = begin + (round_up(u64(whole) + page_size, CodeCache::large_page) - u64(whole));
    u8* const end = inner + size + page_size;
    munmap(begin, u64(inner - page_size - begin));
    munmap(end, u64(begin + size + around - end));
    return inner;
}
void unmap_guarded(u8* inner, u64 size)
{
    if (inner)
        munmap(inner - page_size, size + 2 * page_size);
}

// The host's TLB then has one entry for all of it. Kernels before 6.1 refuse, and small pages do as well.
void make_large_page(u8* at)
{
    constexpr int madv_collapse = 25;
    madvise(at, CodeCache::large_page, madv_collapse);
}

// Memory without a name, which profilers take for code made at run time. An old size of 0 maps it once more.
bool map_twice(u8* writable, u8* executable, u64 size)
{
    constexpr int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
    return mmap(writable, size, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED
        && mremap(writable, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, executable) != MAP_FAILED
        && mprotect(executable, size, PROT_READ | PROT_EXEC) == 0;
}

}

Result<std::unique_ptr<CodeCache>> CodeCache::create(u64 size)
{
    size = round_up(size, page_size);
    u8* const writable = reserve_guarded(size);
    u8* const executable = writable ? reserve_guarded(size) : nullptr;
    if (!executable || !map_twice(writable, executable, size)) {
        const int error = errno;
        unmap_guarded(writable, size);
        unmap_guarded(executable, size);
        return Error{
            "Cannot get memory for translated code", system_error_text(error),
            "Run the machine with the interpreter, or allow this program executable memory"};
    }
    return std::unique_ptr<CodeCache>(new CodeCache(size, writable, executable));
}

u8* CodeCache::reserve(Part part, u64 most)
{
    Chunk& chunk = parts_[unsigned(part)];
    if (chunk.used + most > chunk.end) {
        if (most > chunk_size() || taken_ + chunk_size() > size_)
            return nullptr;
        chunk = {taken_, taken_ + chunk_size()};
        taken_ = chunk.end;
        if (chunk_size() == large_page) {
            writable_[chunk.used] = 0;
            make_large_page(writable_ + chunk.used);
            make_large_page(executable_ + chunk.used);
        }
    }
    return writable_ + chunk.used;
}

CodeCache::~CodeCache()
{
    unmap_guarded(writable_, size_);
    unmap_guarded(executable_, size_);
}

}
