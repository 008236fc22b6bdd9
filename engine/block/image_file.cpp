#include "engine/block/image_file.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <climits>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/block/direct_file.h"

namespace engine {

namespace {

Error cannot_open(const std::string& path, int error_number)
{
    const std::string what = "The image " + in_quotes(path) + " can't be opened";
    switch (error_number) {
    case ENOENT:
        return {what, "there is no such file", "Check whether it was moved or renamed, or choose another image"};
    case EACCES:
    case EPERM:
        return {what, "you have no permission to use it", "Change the file's permissions, or copy it to a folder of your own"};
    case EROFS:
        return {what, "it lies on a read-only file system and a disk is written to", "Copy it to a disk that can be written"};
    case EISDIR:
        return {"The image " + in_quotes(path) + " can't be used", "it is a folder", "Choose the image file inside it"};
    case EINVAL:
        return {
            what, "the file system that it lies on can't do without the host's cache",
            "Choose the cache policy writeback for this disk"};
    case EMFILE:
    case ENFILE:
        return {what, "too many files are open", "Close other programs and try again"};
    default:
        return {what, system_error_text(error_number), "Check the disk that the file lies on"};
    }
}

Result<FileDescriptor> open_host_file(const std::string& path, int mode)
{
    // O_NONBLOCK: a pipe in the image's place must not stop us.
    FileDescriptor file(::open(path.c_str(), mode | O_CLOEXEC | O_NONBLOCK));
    struct stat about { };
    if (!file.valid() || fstat(file.get(), &about) != 0)
        return cannot_open(path, errno);
    if (S_ISDIR(about.st_mode))
        return cannot_open(path, EISDIR);
    if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode))
        return Error{
            "The image " + in_quotes(path) + " can't be used", "it is not a file", "Choose an image file or a disk device"};
    return file;
}

struct CacheName {
    DiskCache cache;
    std::string_view name;
};
constexpr std::array caches{
    CacheName{DiskCache::writeback, "writeback"},
    CacheName{DiskCache::none, "none"},
    CacheName{DiskCache::unsafe, "unsafe"},
};

// What O_DIRECT wants: statx(2), STATX_DIOALIGN, from Linux 6.1 on, and where it says nothing what every disk is content with.
struct Alignment {
    u64 block = 4096, memory = 4096;    // bytes, powers of two
};
Alignment alignment_of([[maybe_unused]] int file)
{
    Alignment alignment;
#ifdef STATX_DIOALIGN
    struct statx about { };
    const auto sound = [](u64 bytes) { return bytes >= 4 && bytes <= 65536 && std::has_single_bit(bytes); };
    if (statx(file, "", AT_EMPTY_PATH, STATX_DIOALIGN, &about) == 0 && about.stx_mask & STATX_DIOALIGN
        && sound(about.stx_dio_offset_align) && sound(about.stx_dio_mem_align))
        alignment = {about.stx_dio_offset_align, about.stx_dio_mem_align};
#endif
    return alignment;
}

// The bytes of a lock, by what is done.
constexpr u64 lock_use = 100, lock_refuse = 200, lock_reading = 0, lock_writing = 1, lock_resizing = 3;

struct flock one_byte(short type, u64 byte)
{
    struct flock lock { };
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = off_t(byte);
    lock.l_len = 1;
    return lock;
}

bool lock_byte(int file, short type, u64 byte)
{
    struct flock lock = one_byte(type, byte);
    return fcntl(file, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

bool held_by_another(int file, u64 byte)
{
    struct flock lock = one_byte(F_WRLCK, byte);
    return fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

// Shared locks say what one does (use) and what one won't have others do (refuse); who comes second finds them.
bool lock_image(int file, bool writes)
{
    std::vector<u64> held{lock_use + lock_reading, lock_refuse + lock_writing, lock_refuse + lock_resizing};
    std::vector<u64> in_the_way{lock_refuse + lock_reading, lock_use + lock_writing, lock_use + lock_resizing};
    if (writes) {
        held.insert(held.end(), {lock_use + lock_writing});
        in_the_way.insert(in_the_way.end(), {lock_refuse + lock_writing});
    }
    for (const u64 byte : held)
        if (!lock_byte(file, F_RDLCK, byte))
            return false;
    // Our own refusal doesn't stand in our way: locks of one description never conflict.
    return std::ranges::none_of(in_the_way, [file](u64 byte) { return held_by_another(file, byte); });
}

// The part of some segments that is not done yet, as the system calls want it.
class Cursor {
public:
    explicit Cursor(std::span<const iovec> parts) : parts_(parts.begin(), parts.end()) { advance(0); }
    bool done() const { return next_ == parts_.size(); }
    iovec* parts() { return parts_.data() + next_; }
    int count() const { return int(std::min<std::size_t>(parts_.size() - next_, IOV_MAX)); }
    void advance(std::size_t bytes)
    {
        while (next_ < parts_.size() && bytes >= parts_[next_].iov_len)
            bytes -= parts_[next_++].iov_len;
        if (next_ < parts_.size()) {
            parts_[next_].iov_base = static_cast<u8*>(parts_[next_].iov_base) + bytes;
            parts_[next_].iov_len -= bytes;
        }
    }
    std::span<const iovec> rest() const { return std::span(parts_).subspan(next_); }

private:
    std::vector<iovec> parts_;
    std::size_t next_ = 0;
};

class HostFile final : public ImageFile {
public:
    enum class Flushes : u8 { passed_on, left_out };
    explicit HostFile(FileDescriptor file, Flushes flushes = Flushes::passed_on) : file_(std::move(file)), flushes_(flushes) { }

    int read(u64 offset, std::span<const iovec> to) override;
    int write(u64 offset, std::span<const iovec> from) override;
    int flush() override;
    int punch(u64 offset, u64 length) override;
    int resize(u64 size) override { return ftruncate(file_.get(), off_t(size)) == 0 ? 0 : errno; }
    u64 size() override;
    bool read_at_once(u64 offset, std::span<const iovec> to) override;
    int descriptor(u64, std::span<const iovec>) override { return file_.get(); }
    Stretch next_data(u64 offset) override;
    u64 bytes_on_disk() override;
    void share() override;

private:
    FileDescriptor file_;
    Flushes flushes_;
    std::atomic<int> lost_ = 0;    // the error with which the host lost a write
};

int HostFile::read(u64 offset, std::span<const iovec> to)
{
    Cursor cursor(to);
    while (!cursor.done()) {
        const ssize_t moved = preadv(file_.get(), cursor.parts(), cursor.count(), off_t(offset));
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved < 0)
            return errno;
        if (moved == 0) {
            fill_with_zeroes(cursor.rest());
            return 0;
        }
        cursor.advance(std::size_t(moved));
        offset += u64(moved);
    }
    return 0;
}

int HostFile::write(u64 offset, std::span<const iovec> from)
{
    Cursor cursor(from);
    while (!cursor.done()) {
        const ssize_t moved = pwritev(file_.get(), cursor.parts(), cursor.count(), off_t(offset));
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return moved < 0 ? errno : EIO;
        cursor.advance(std::size_t(moved));
        offset += u64(moved);
    }
    return 0;
}

int HostFile::flush()
{
    if (lost_)
        return lost_;
    if (flushes_ == Flushes::left_out)
        return 0;
    if (fdatasync(file_.get()) == 0)
        return 0;
    const int error_number = errno;
    // After a failure the host forgets what it could not write, so that the next flush would succeed without having done it.
    if (error_number == EIO)
        lost_ = error_number;
    return error_number;
}

int HostFile::punch(u64 offset, u64 length)
{
    for (;;) {
        if (length == 0 || fallocate(file_.get(), FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, off_t(offset), off_t(length)) == 0)
            return 0;
        if (errno == ENOSYS || errno == ENODEV)
            return EOPNOTSUPP;
        if (errno != EINTR)
            return errno;
    }
}

u64 HostFile::size()
{
    // lseek would do for block devices too, but moves nothing here: all else is done with offsets of its own.
    const off_t end = lseek(file_.get(), 0, SEEK_END);
    return end < 0 ? 0 : u64(end);
}

bool HostFile::read_at_once(u64 offset, std::span<const iovec> to)
{
    u64 length = 0;
    for (const iovec& part : to)
        length += part.iov_len;
    if (to.size() > IOV_MAX)
        return false;
    return preadv2(file_.get(), to.data(), int(to.size()), off_t(offset), RWF_NOWAIT) == ssize_t(length);
}

ImageFile::Stretch HostFile::next_data(u64 offset)
{
    const u64 end = size();
    const off_t data = lseek(file_.get(), off_t(offset), SEEK_DATA);
    if (data < 0)
        return errno == ENXIO ? Stretch{end, end} : Stretch{offset, end};
    const off_t hole = lseek(file_.get(), data, SEEK_HOLE);
    return {u64(data), hole < 0 ? end : u64(hole)};
}

u64 HostFile::bytes_on_disk()
{
    struct stat about { };
    return fstat(file_.get(), &about) == 0 ? u64(about.st_blocks) * 512 : 0;
}

void HostFile::share()
{
    lock_byte(file_.get(), F_UNLCK, lock_use + lock_writing);
}

}

int ImageFile::read(u64 offset, std::span<u8> to)
{
    const iovec part{to.data(), to.size()};
    return read(offset, std::span(&part, 1));
}

int ImageFile::write(u64 offset, std::span<const u8> from)
{
    // iovec knows no const.
    const iovec part{const_cast<u8*>(from.data()), from.size()};    // NOLINT(cppcoreguidelines-pro-type-const-cast)
    return write(offset, std::span(&part, 1));
}

int ImageFile::zero(u64 offset, u64 length)
{
    static constexpr std::array<u8, 65536> zeroes{};
    int error_number = punch(offset, length);
    if (error_number != EOPNOTSUPP)
        return error_number;
    error_number = 0;
    while (length > 0 && error_number == 0) {
        const u64 part = std::min<u64>(length, zeroes.size());
        error_number = write(offset, std::span(zeroes).first(part));
        offset += part;
        length -= part;
    }
    return error_number;
}

std::string_view cache_name(DiskCache cache)
{
    const auto found = std::ranges::find(caches, cache, &CacheName::cache);
    return found == caches.end() ? "" : found->name;
}

std::optional<DiskCache> cache_named(std::string_view name)
{
    const auto found = std::ranges::find(caches, name, &CacheName::name);
    return found == caches.end() ? std::nullopt : std::optional(found->cache);
}

Result<std::unique_ptr<ImageFile>> open_image_file(const std::string& path, ImageAccess access, DiskCache cache)
{
    const bool writes = access == ImageAccess::read_write;
    auto file = open_host_file(path, (writes ? O_RDWR : O_RDONLY) | (cache == DiskCache::none ? O_DIRECT : 0));
    if (!file)
        return file.error();
    if (!lock_image(file->get(), writes))
        return Error{
            "The image " + in_quotes(path) + " can't be opened", "another machine or program is using it",
            "Shut that machine down first, or use a copy of the image"};
    const int descriptor = file->get();
    const auto flushes = cache == DiskCache::unsafe ? HostFile::Flushes::left_out : HostFile::Flushes::passed_on;
    auto host_file = std::make_unique<HostFile>(std::move(*file), flushes);
    if (cache != DiskCache::none)
        return std::unique_ptr<ImageFile>(std::move(host_file));
    const Alignment alignment = alignment_of(descriptor);
    return std::unique_ptr<ImageFile>(std::make_unique<DirectFile>(std::move(host_file), alignment.block, alignment.memory));
}

Result<std::unique_ptr<ImageFile>> peek_image_file(const std::string& path)
{
    auto file = open_host_file(path, O_RDONLY);
    if (!file)
        return file.error();
    return image_file_of(std::move(*file));
}

std::unique_ptr<ImageFile> image_file_of(FileDescriptor file)
{
    return std::make_unique<HostFile>(std::move(file));
}

BlockResult image_failure(const std::string& path, const char* doing, int error_number)
{
    const std::string what = text("The image ", in_quotes(path), " can't be ", doing);
    if (error_number == ENOSPC || error_number == EDQUOT)
        return {
            BlockFault::no_space, {what, "the disk it lies on is full", "Make room on that disk, then let the machine go on"}};
    return {BlockFault::input_output, {what, system_error_text(error_number), "Check the disk that the file lies on"}};
}

std::string in_quotes(std::string_view path)
{
    return text('"', path, '"');
}

std::vector<iovec> slice(const std::vector<std::span<u8>>& segments, u64 skip, u64 length)
{
    std::vector<iovec> parts;
    parts.reserve(segments.size());
    for (const auto& segment : segments) {
        if (length == 0)
            break;
        if (skip >= segment.size()) {
            skip -= segment.size();
            continue;
        }
        const u64 part = std::min<u64>(segment.size() - skip, length);
        parts.push_back({segment.data() + skip, std::size_t(part)});
        length -= part;
        skip = 0;
    }
    return parts;
}

void fill_with_zeroes(std::span<const iovec> segments)
{
    for (const iovec& segment : segments)
        std::memset(segment.iov_base, 0, segment.iov_len);
}

}
