#include "engine/block/raw/raw_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <cerrno>
#include <climits>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine {

namespace {

constexpr u64 largest_image = u64(1) << 62;

std::string quoted(const std::string& path)
{
    return "\"" + path + "\"";
}

Error cannot_open(const std::string& path, int error_number)
{
    const std::string what = "The image " + quoted(path) + " can't be opened";
    switch (error_number) {
    case ENOENT:
        return {what, "there is no such file", "Check whether it was moved or renamed, or choose another image"};
    case EACCES:
    case EPERM:
        return {what, "you have no permission to use it", "Change the file's permissions, or copy it to a folder of your own"};
    case EROFS:
        return {what, "it lies on a read-only file system and a disk is written to", "Copy it to a disk that can be written"};
    case EMFILE:
    case ENFILE:
        return {what, "too many files are open", "Close other programs and try again"};
    default:
        return {what, system_error_text(error_number), "Check the disk that the file lies on"};
    }
}

bool lock_byte(int file, short type, u64 byte)
{
    struct flock lock { };
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = off_t(byte);
    lock.l_len = 1;
    return fcntl(file, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

bool held_by_another(int file, u64 byte)
{
    struct flock lock { };
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = off_t(byte);
    lock.l_len = 1;
    return fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

// Shared locks say what one does (use) and what one won't have others do (refuse); who comes second finds them.
bool lock_image(int file, bool writes)
{
    constexpr u64 use = 100, refuse = 200, reading = 0, writing = 1, resizing = 3;
    std::vector<u64> held{use + reading, refuse + writing, refuse + resizing};
    std::vector<u64> in_the_way{refuse + reading, use + writing, use + resizing};
    if (writes) {
        held.insert(held.end(), {use + writing});
        in_the_way.insert(in_the_way.end(), {refuse + writing});
    }
    for (const u64 byte : held)
        if (!lock_byte(file, F_RDLCK, byte))
            return false;
    // Our own refusal doesn't stand in our way: locks of one description never conflict.
    return std::ranges::none_of(in_the_way, [file](u64 byte) { return held_by_another(file, byte); });
}

Result<u64> measure(const std::string& path, int file, RawFile::Medium medium)
{
    const std::string what = "The image " + quoted(path) + " can't be used";
    struct stat about { };
    if (fstat(file, &about) != 0)
        return cannot_open(path, errno);
    if (S_ISDIR(about.st_mode))
        return Error{what, "it is a folder", "Choose the image file inside it"};
    if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode))
        return Error{what, "it is not a file", "Choose an image file or a disk device"};
    const off_t end = lseek(file, 0, SEEK_END);
    if (end < 0)
        return cannot_open(path, errno);
    if (end == 0)
        return Error{what, "it is empty", "Choose another image, or create a new one with a size"};
    if (medium == RawFile::Medium::disk && end % 512 != 0)
        return Error{
            what, text("its size of ", end, " bytes is not a multiple of 512, so it is cut short or no raw disk image"),
            "Copy or download it again, or convert it to a raw image"};
    return u64(end);
}

// The part of `segments` that is not done yet, as the system calls want it.
class Cursor {
public:
    explicit Cursor(const std::vector<std::span<u8>>& segments)
    {
        parts_.reserve(segments.size());
        for (const auto& segment : segments)
            parts_.push_back({segment.data(), segment.size()});
        advance(0);
    }
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
    void zero()
    {
        for (; next_ < parts_.size(); ++next_)
            std::memset(parts_[next_].iov_base, 0, parts_[next_].iov_len);
    }

private:
    std::vector<iovec> parts_;
    std::size_t next_ = 0;
};

bool full(int error_number)
{
    return error_number == ENOSPC || error_number == EDQUOT;
}

}

RawFile::RawFile(std::string path, FileDescriptor file, u64 size, u32 sector_size, bool read_only, WorkerPool& workers)
    : path_(std::move(path)),
      file_(std::move(file)),
      size_(size),
      sector_size_(sector_size),
      read_only_(read_only),
      requests_(workers, [this](const BlockRequest& request) { return execute(request); })
{
}

Result<std::unique_ptr<RawFile>> RawFile::open(const std::string& path, Medium medium, Access access, WorkerPool& workers)
{
    const bool writes = medium == Medium::disk && access == Access::read_write;
    // O_NONBLOCK: a pipe in the image's place must not stop us.
    FileDescriptor file(::open(path.c_str(), (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid() && errno == EISDIR)
        return Error{"The image " + quoted(path) + " can't be used", "it is a folder", "Choose the image file inside it"};
    if (!file.valid())
        return cannot_open(path, errno);
    const auto bytes = measure(path, file.get(), medium);
    if (!bytes)
        return bytes.error();
    if (!lock_image(file.get(), writes))
        return Error{
            "The image " + quoted(path) + " can't be opened", "another machine or program is using it",
            "Shut that machine down first, or use a copy of the image"};
    const u32 sector_size = medium == Medium::optical ? 2048 : 512;
    return std::unique_ptr<RawFile>(
        new RawFile(path, std::move(file), round_up(bytes.value(), sector_size), sector_size, !writes, workers));
}

void RawFile::submit(BlockRequest request, CancelToken token, Completion done)
{
    const bool writes = request.operation != BlockOperation::read && request.operation != BlockOperation::flush;
    if (!request_makes_sense(*this, request))
        return done({BlockFault::out_of_range, {"A request lies beyond the end of " + quoted(path_), "", ""}});
    if (writes && read_only_)
        return done({BlockFault::read_only, {"The image " + quoted(path_) + " is read-only", "", ""}});
    requests_.submit(std::move(request), std::move(token), std::move(done));
}

BlockResult RawFile::failed(const char* doing, int error_number) const
{
    const std::string what = text("The image ", quoted(path_), " can't be ", doing);
    if (full(error_number))
        return {
            BlockFault::no_space, {what, "the disk it lies on is full", "Make room on that disk, then let the machine go on"}};
    return {BlockFault::input_output, {what, system_error_text(error_number), "Check the disk that the file lies on"}};
}

BlockResult RawFile::execute(const BlockRequest& request) const
{
    switch (request.operation) {
    case BlockOperation::read:
    case BlockOperation::write:
        return transfer(request);
    case BlockOperation::flush:
        if (!read_only_ && fdatasync(file_.get()) != 0)
            return failed("written to the disk", errno);
        return {};
    case BlockOperation::discard:
    case BlockOperation::write_zeroes:
        return punch(request);
    }
    return {BlockFault::input_output, {}};
}

BlockResult RawFile::transfer(const BlockRequest& request) const
{
    const bool writes = request.operation == BlockOperation::write;
    Cursor cursor(request.segments);
    u64 offset = request.offset;
    while (!cursor.done()) {
        const ssize_t moved = writes ? pwritev(file_.get(), cursor.parts(), cursor.count(), off_t(offset))
                                     : preadv(file_.get(), cursor.parts(), cursor.count(), off_t(offset));
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved < 0)
            return failed(writes ? "written" : "read", errno);
        if (moved == 0 && writes)
            return failed("written", EIO);
        if (moved == 0) {
            // Within the last sector that the size was rounded up to; anywhere else the file has shrunk under us.
            if (round_up(offset, sector_size_) < size_)
                return failed("read", EIO);
            cursor.zero();
            return {};
        }
        cursor.advance(std::size_t(moved));
        offset += u64(moved);
    }
    if (writes && request.durable && fdatasync(file_.get()) != 0)
        return failed("written to the disk", errno);
    return {};
}

BlockResult RawFile::punch(const BlockRequest& request) const
{
    if (request.length == 0)
        return {};
    const bool zeroes = request.operation == BlockOperation::write_zeroes;
    // A hole reads as zeroes too, and gives the space back.
    const int mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
    int outcome = 0;
    do
        outcome = fallocate(file_.get(), mode, off_t(request.offset), off_t(request.length));
    while (outcome != 0 && errno == EINTR);
    if (outcome == 0)
        return {};
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != ENODEV)
        return failed("written", errno);
    return zeroes ? fill_with_zeroes(request.offset, request.length) : BlockResult{};
}

BlockResult RawFile::fill_with_zeroes(u64 offset, u64 length) const
{
    static constexpr std::array<u8, 65536> zeroes{};
    while (length > 0) {
        const ssize_t moved = pwrite(file_.get(), zeroes.data(), std::min<u64>(length, zeroes.size()), off_t(offset));
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return failed("written", moved < 0 ? errno : EIO);
        offset += u64(moved);
        length -= u64(moved);
    }
    return {};
}

Result<void> create_raw(const std::string& path, u64 size)
{
    const std::string what = "The disk image " + quoted(path) + " can't be created";
    if (size == 0)
        return Error{what, "its size would be 0", "Give the disk a size"};
    const FileDescriptor file(size > largest_image ? -1 : ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (file.valid() && ftruncate(file.get(), off_t(round_up(size, 512))) == 0)
        return {};
    const int error_number = size > largest_image ? EFBIG : errno;
    if (file.valid())
        unlink(path.c_str());
    switch (error_number) {
    case EEXIST:
        return Error{what, "a file of that name exists already", "Choose another name, or use the existing image"};
    case ENOENT:
    case ENOTDIR:
        return Error{what, "its folder does not exist", "Create the folder first, or choose another one"};
    case EACCES:
    case EPERM:
    case EROFS:
        return Error{what, "you may not write to that folder", "Choose a folder of your own"};
    case ENOSPC:
    case EDQUOT:
        return Error{what, "the disk is full", "Make room on that disk, or choose a folder on another one"};
    case EFBIG:
    case EINVAL:
        return Error{what, "its size is more than the file system can hold in one file", "Choose a smaller size"};
    default:
        return Error{what, system_error_text(error_number), "Check the disk that the folder lies on"};
    }
}

}
