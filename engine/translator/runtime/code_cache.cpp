#include "engine/translator/runtime/code_cache.h"

#include <algorithm>
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
    constexpr u64 usual_region = 2 * large_page, least_regions = 4, most_regions = 255, least_size = 1 << 20;
    size = std::max(size, least_size);
    u64 region = std::min(usual_region, size / least_regions & ~page_mask);
    while (size / region > most_regions)
        region *= 2;
    size -= size % region;
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
    return std::unique_ptr<CodeCache>(new CodeCache(size, region, writable, executable));
}

CodeCache::CodeCache(u64 size, u64 region_size, u8* writable, u8* executable)
    : size_(size),
      region_size_(region_size),
      writable_(writable),
      executable_(executable),
      large_(size / large_page)
{
    fill(0);
}

// Divided as what was written before, and in half at first.
void CodeCache::fill(unsigned region)
{
    constexpr u64 whole = 16, least = 6;
    const u64 written = written_[0] + written_[1];
    const u64 hot = written ? std::clamp(whole * written_[0] / written, least, whole - least) : whole / 2;
    const u64 begin = region * region_size_, end = begin + region_size_;
    const u64 middle = begin + (region_size_ / whole * hot & ~page_mask);
    part(Part::hot) = {region ? begin : begin + kept_, middle};
    part(Part::cold) = {middle, end};
}

u8* CodeCache::reserve(Part part, u64 most)
{
    Room& room = this->part(part);
    if (room.used + most > room.end)
        return nullptr;
    take_large_pages(room.used, room.used + most);
    return writable_ + room.used;
}

void CodeCache::commit(Part part, const u8* end)
{
    constexpr u64 alignment = 16;
    Room& room = this->part(part);
    const u64 used = round_up(u64(end - writable_), alignment);
    written_[unsigned(part)] += used - room.used;
    room.used = used;
}

void CodeCache::take_large_pages(u64 begin, u64 end)
{
    for (u64 n = begin / large_page; n < large_.size() && n * large_page < end; ++n)
        if (!large_[n]) {
            large_[n] = true;
            writable_[n * large_page] = 0;
            make_large_page(writable_ + n * large_page);
            make_large_page(executable_ + n * large_page);
        }
}

CodeCache::~CodeCache()
{
    unmap_guarded(writable_, size_);
    unmap_guarded(executable_, size_);
}

}
