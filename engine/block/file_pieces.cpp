#include "engine/block/file_pieces.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/base/file_descriptor.h"
#include "engine/base/read_file.h"
#include "engine/base/text.h"

namespace engine {

namespace {

constexpr u64 buffer_size = 1 << 20;    // bytes
constexpr u64 hole = 64 << 10;    // zeroes that are worth a hole

Error unreadable(const std::string& path, std::string why)
{
    return {text(path, " can't be read"), std::move(why), "Get the file again"};
}

// Where the whole file goes.
class Target {
public:
    explicit Target(std::string path) : path_(std::move(path)) { }

    Result<void> open()
    {
        if (path_.empty())
            return {};
        file_ = FileDescriptor{::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
        return file_.valid() ? Result<void>{} : cannot();
    }
    Result<void> write(std::span<const u8> bytes)
    {
        for (; !bytes.empty(); bytes = bytes.subspan(std::min<u64>(hole, bytes.size()))) {
            const auto part = bytes.first(std::min<u64>(hole, bytes.size()));
            const bool zeroes = part[0] == 0 && std::equal(part.begin() + 1, part.end(), part.begin());
            if (auto written = zeroes ? Result<void>{} : write_at(size_, part); !written)
                return written;
            size_ += part.size();
        }
        return {};
    }
    Result<void> close() { return !file_.valid() || ::ftruncate(file_.get(), off_t(size_)) == 0 ? Result<void>{} : cannot(); }
    u64 size() const { return size_; }

private:
    Error cannot() const
    {
        return {text(path_, " can't be written"), system_error_text(errno), "Look at the free space of the disk"};
    }
    Result<void> write_at(u64 offset, std::span<const u8> bytes)
    {
        while (file_.valid() && !bytes.empty()) {
            const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), off_t(offset));
            if (count < 0 && errno == EINTR)
                continue;
            if (count <= 0)
                return cannot();
            bytes = bytes.subspan(std::size_t(count));
            offset += u64(count);
        }
        return {};
    }

    std::string path_;
    FileDescriptor file_;
    u64 size_ = 0;
};

class Unpacker {
public:
    Unpacker(const PiecedFile& from, Target& target) : from_(from), target_(target), buffer_(buffer_size) { }
    ~Unpacker()
    {
        if (begun_)
            inflateEnd(&stream_);
    }
    Unpacker(const Unpacker&) = delete;
    Unpacker& operator=(const Unpacker&) = delete;

    Result<void> take(std::span<u8> bytes, const std::string& path)
    {
        if (from_.packing == FilePacking::none)
            return bytes.size() > from_.most - target_.size() ? too_large(path) : target_.write(bytes);
        stream_.next_in = bytes.data();
        stream_.avail_in = uInt(bytes.size());
        do {
            if (auto done = inflate_some(path); !done)
                return done;
        } while (stream_.avail_in > 0 || (!between_members_ && stream_.avail_out == 0));
        return {};
    }
    // All is read: nothing may be missing.
    Result<void> finish(const std::string& path) const
    {
        if (from_.packing == FilePacking::gzip && !between_members_)
            return unreadable(path, "It is cut short");
        return {};
    }

private:
    static Error too_large(const std::string& path)
    {
        return unreadable(path, "It holds far more than the disk that it is said to be");
    }
    Result<void> inflate_some(const std::string& path)
    {
        constexpr int gzip_only = 16;
        if (!begun_ && inflateInit2(&stream_, gzip_only + MAX_WBITS) != Z_OK)
            return unreadable(path, "There is too little memory");
        begun_ = true;
        // Several compressed files one after the other are one.
        if (between_members_)
            inflateReset(&stream_);
        stream_.next_out = buffer_.data();
        stream_.avail_out = uInt(buffer_.size());
        const int result = inflate(&stream_, Z_NO_FLUSH);
        between_members_ = result == Z_STREAM_END;
        const std::span<const u8> out(buffer_.data(), buffer_.size() - stream_.avail_out);
        if (result != Z_OK && result != Z_STREAM_END && !(result == Z_BUF_ERROR && stream_.avail_in == 0))
            return unreadable(path, "What is compressed in it is damaged");
        if (out.size() > from_.most - target_.size())
            return too_large(path);
        if (auto written = target_.write(out); !written)
            return written;
        return {};
    }

    const PiecedFile& from_;
    Target& target_;
    std::vector<u8> buffer_;
    z_stream stream_{};
    bool begun_ = false, between_members_ = false;
};

}

Result<void>
copy_pieces(const PiecedFile& from, const std::string& to, PieceObserver* observer, const std::function<bool(double)>& progress)
{
    Target target(to);
    if (auto opened = target.open(); !opened)
        return opened;
    Unpacker unpacker(from, target);
    std::vector<u8> buffer(buffer_size);
    u64 all = 0, read = 0;
    for (const FilePiece& piece : from.pieces)
        all += piece.size;
    for (std::size_t n = 0; n < from.pieces.size(); ++n) {
        const FilePiece& piece = from.pieces[n];
        const FileDescriptor source{::open(piece.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
        struct stat about { };
        if (!source.valid() || ::fstat(source.get(), &about) != 0 || !S_ISREG(about.st_mode))
            return unreadable(piece.path, source.valid() ? "It is no file" : system_error_text(errno));
        for (u64 done = 0; done < piece.size;) {
            const std::span<u8> part(buffer.data(), std::min(piece.size - done, buffer_size));
            if (!read_file(source.get(), piece.offset + done, part))
                return unreadable(piece.path, "It is cut short");
            if (observer)
                observer->bytes(part);
            if (auto taken = unpacker.take(part, piece.path); !taken)
                return taken;
            done += part.size();
            read += part.size();
            if (progress && !progress(double(read) / double(all)))
                return Error{"It was stopped", "", ""};
        }
        if (auto ended = observer ? observer->end_of_piece(n) : Result<void>{}; !ended)
            return ended;
    }
    if (auto whole = unpacker.finish(from.pieces.empty() ? to : from.pieces.back().path); !whole)
        return whole;
    return target.close();
}

}
