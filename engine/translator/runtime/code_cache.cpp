#include "engine/translator/runtime/code_cache.h"

#include <cerrno>
#include <utility>

#include <sys/mman.h>

#include "engine/base/bits.h"

namespace engine::translator {

namespace {

// A mapping of the file between two pages that nobody may touch.
u8* map_guarded(const FileDescriptor& file, u64 size, int protection)
{
    void* const whole = mmap(nullptr, size + 2 * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (whole == MAP_FAILED)
        return nullptr;
    u8* const inner = static_cast<u8*>(whole) + page_size;
    if (mmap(inner, size, protection, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, file.get(), 0) != MAP_FAILED)
        return inner;
    munmap(whole, size + 2 * page_size);
    return nullptr;
}
void unmap_guarded(u8* inner, u64 size)
{
    if (inner)
        munmap(inner - page_size, size + 2 * page_size);
}

}

Result<std::unique_ptr<CodeCache>> CodeCache::create(u64 size)
{
    size = round_up(size, page_size);
    FileDescriptor file{memfd_create("translated code", MFD_CLOEXEC)};
    u8* writable = nullptr;
    u8* executable = nullptr;
    if (file.valid() && ftruncate(file.get(), off_t(size)) == 0) {
        writable = map_guarded(file, size, PROT_READ | PROT_WRITE);
        executable = writable ? map_guarded(file, size, PROT_READ | PROT_EXEC) : nullptr;
    }
    if (!executable) {
        const int error = errno;
        unmap_guarded(writable, size);
        return Error{
            "Cannot get memory for translated code", system_error_text(error),
            "Run the machine with the interpreter, or allow this program executable memory"};
    }
    return std::unique_ptr<CodeCache>(new CodeCache(size, std::move(file), writable, executable));
}

CodeCache::CodeCache(u64 size, FileDescriptor file, u8* writable, u8* executable)
    : size_(size),
      file_(std::move(file)),
      writable_(writable),
      executable_(executable)
{
}

CodeCache::~CodeCache()
{
    unmap_guarded(writable_, size_);
    unmap_guarded(executable_, size_);
}

}
