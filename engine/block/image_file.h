#pragma once
// Where the bytes of an image lie: a file of the host, or in tests one that fails on purpose. Image formats know no other way
// to their file. Every call waits for the host, and may come from any thread, several at once.
//
// Calls that can fail return an error number of <cerrno>, 0 for success.

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"
#include "engine/block/block_device.h"

namespace engine {

class ImageFile {
public:
    virtual ~ImageFile() = default;

    // What lies beyond the end of the file reads as zeroes.
    [[nodiscard]] virtual int read(u64 offset, std::span<const iovec> to) = 0;
    [[nodiscard]] virtual int write(u64 offset, std::span<const iovec> from) = 0;
    // Everything written before this call survives a power failure. Once the host has lost a write, fails for ever.
    [[nodiscard]] virtual int flush() = 0;
    // Gives the space back; reads as zeroes. The size stays. EOPNOTSUPP where there are no holes.
    [[nodiscard]] virtual int punch(u64 offset, u64 length) = 0;
    [[nodiscard]] virtual int resize(u64 size) = 0;
    virtual u64 size() = 0;
    // Reads only what the host has in memory; false where it would wait, with `to` in any state.
    virtual bool read_at_once(u64 offset, std::span<const iovec> to) { return (void)offset, (void)to, false; }
    // For reading these bytes by other calls of the host; -1 where they can't be read just so.
    virtual int descriptor(u64 offset, std::span<const iovec> to) { return (void)offset, (void)to, -1; }
    // Past the host's cache, where each write waits for the disk.
    virtual bool past_cache() const { return false; }
    // For writing these bytes past the cache by other calls of the host, as long as `hold` lives; -1 where they can't be
    // written just so, or not at once.
    struct Direct {
        int descriptor = -1;
        std::shared_ptr<void> hold{};
    };
    virtual Direct way_to_write(u64 offset, std::span<const iovec> from) { return (void)offset, (void)from, Direct{}; }
    // Where the next stretch from `offset` on that may hold something other than zeroes begins, and where it ends. Both are the
    // file's size where there is none.
    struct Stretch {
        u64 begin, end;
    };
    virtual Stretch next_data(u64 offset) { return {offset, size()}; }
    virtual u64 bytes_on_disk() { return size(); }
    // Lets others read: nothing is written through this object from now on.
    virtual void share() { }

    [[nodiscard]] int read(u64 offset, std::span<u8> to);
    [[nodiscard]] int write(u64 offset, std::span<const u8> from);
    // How many of these bytes lie before the file's end: the rest is zero, and needs no reading.
    u64 present(u64 offset, u64 length) { return offset >= size() ? 0 : std::min(length, size() - offset); }
    // Punches, or writes zeroes where holes can't be made.
    [[nodiscard]] int zero(u64 offset, u64 length);
};

enum class ImageAccess : u8 { read_write, read_only };

// What the host's memory is for. writeback: reads and writes go through the host's cache, and are on its disk when a flush
// is over. none: past the cache (O_DIRECT), where the file system can. unsafe: through the cache, and flushes are not passed
// on: fast, and only for what may be lost, since a crash of the host can damage the image.
enum class DiskCache : u8 { writeback, none, unsafe };
std::string_view cache_name(DiskCache cache);
std::optional<DiskCache> cache_named(std::string_view name);    // "writeback", "none", "unsafe"

// Opens and locks the image at `path`. A file is locked while it is open, with open-file-description locks on the bytes that
// QEMU uses for the same end (100 onwards: what is done with the image, 200 onwards: what others may not do), so that neither
// program opens an image that the other one writes to. Reading can be shared. File systems without such locks are used
// without. Errors: it isn't there, may not be used, is no file, is in use, can't be used past the cache.
Result<std::unique_ptr<ImageFile>>
open_image_file(const std::string& path, ImageAccess access, DiskCache cache = DiskCache::writeback);

// To look at, without a lock: what is read may be about to change.
Result<std::unique_ptr<ImageFile>> peek_image_file(const std::string& path);

// For a file that is open already, has no name yet and is ours alone.
std::unique_ptr<ImageFile> image_file_of(FileDescriptor file);

// What a request ends with when the file failed: doing is "read", "written" …; no_space where the host's disk is full.
BlockResult image_failure(const std::string& path, const char* doing, int error_number);

std::string in_quotes(std::string_view path);

// The part of a request's segments that begins `skip` bytes in and is `length` long.
std::vector<iovec> slice(const std::vector<std::span<u8>>& segments, u64 skip, u64 length);
void fill_with_zeroes(std::span<const iovec> segments);

}
