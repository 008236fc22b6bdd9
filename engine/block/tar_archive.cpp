#include "engine/block/tar_archive.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>

#include "engine/base/file_descriptor.h"
#include "engine/base/read_file.h"
#include "engine/base/text.h"

namespace engine {

namespace {

constexpr u64 block = 512;
using Header = std::array<u8, block>;

// "ustar Header Block", by byte.
constexpr std::size_t at_name = 0, name_length = 100, at_size = 124, size_length = 12, at_checksum = 148, checksum_length = 8,
                      at_type = 156, at_magic = 257, at_prefix = 345, prefix_length = 155;
constexpr u64 most_records = 64 << 10;    // bytes of pax records that are looked through

Error unusable(const std::string& name, std::string why)
{
    return {text(name, " can't be read as an archive"), std::move(why), "Get the file again"};
}

std::string word(const Header& header, std::size_t at, std::size_t length)
{
    const char* const begin = reinterpret_cast<const char*>(header.data() + at);
    return {begin, std::find(begin, begin + length, '\0')};
}

// Octal digits between spaces and zeroes, or GNU's big-endian number behind a set bit.
std::optional<u64> number(const Header& header, std::size_t at, std::size_t length)
{
    u64 value = 0;
    if (header[at] & 0x80) {
        for (std::size_t n = 0; n < length; ++n) {
            const u8 byte = n == 0 ? header[at] & 0x7f : header[at + n];
            if (value >> 55)
                return std::nullopt;
            value = value << 8 | byte;
        }
        return value;
    }
    const std::string digits = word(header, at, length);
    const auto first = digits.find_first_not_of(' ');
    const auto last = digits.find_last_not_of(' ');
    if (first == std::string::npos)
        return 0;
    for (std::size_t n = first; n <= last; ++n) {
        if (digits[n] < '0' || digits[n] > '7')
            return std::nullopt;
        value = value << 3 | u64(digits[n] - '0');
    }
    return value;
}

bool checksum_fits(const Header& header)
{
    u64 sum = 0;
    for (std::size_t n = 0; n < block; ++n)
        sum += n >= at_checksum && n < at_checksum + checksum_length ? ' ' : header[n];
    return number(header, at_checksum, checksum_length) == sum;
}

// Whether a record gives what the header of the next file then doesn't hold.
bool changes_name_or_size(TarSource& source, u64 offset, u64 size)
{
    std::string records(std::min(size, most_records), '\0');
    if (size > most_records || !source.read(offset, {reinterpret_cast<u8*>(records.data()), records.size()}))
        return true;
    return records.find(" path=") != std::string::npos || records.find(" size=") != std::string::npos
        || records.find(" GNU.sparse") != std::string::npos;
}

class HostFile final : public TarSource {
public:
    explicit HostFile(const std::string& path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))
    {
        struct stat about { };
        if (file_.valid() && fstat(file_.get(), &about) == 0 && S_ISREG(about.st_mode))
            size_ = u64(about.st_size);
    }
    u64 size() const override { return size_; }
    bool read(u64 offset, std::span<u8> to) override { return read_file(file_.get(), offset, to); }

private:
    FileDescriptor file_;
    u64 size_ = 0;
};

}

Result<std::vector<TarEntry>> read_tar(TarSource& source, const std::string& name)
{
    std::vector<TarEntry> entries;
    bool renamed = false;    // by records that are not understood here
    for (u64 at = 0; source.size() >= block && at <= source.size() - block;) {
        Header header{};
        if (!source.read(at, header))
            return unusable(name, "It can't be read to its end");
        if (std::ranges::all_of(header, [](u8 byte) { return byte == 0; }))
            break;
        if (word(header, at_magic, 5) != "ustar" || !checksum_fits(header))
            return unusable(name, "One of its headers is damaged");
        const auto size = number(header, at_size, size_length);
        const u64 offset = at + block, room = source.size() - offset;
        if (!size || *size > room)
            return unusable(name, "It is cut short");
        const char type = char(header[at_type]);
        if (type == 'x' || type == 'g')
            renamed |= changes_name_or_size(source, offset, *size);
        else if (type == 'L' || type == 'K')
            renamed = true;
        else {
            const std::string prefix = word(header, at_prefix, prefix_length);
            const std::string plain = word(header, at_name, name_length);
            const bool old_format = header[at_magic + 5] == ' ';    // GNU's own, in which the prefix is something else
            if (renamed && (type == '0' || type == '\0'))
                return unusable(name, text("What it says of \"", plain, "\" is written in a way that is not understood here"));
            if (type == '0' || type == '\0')
                entries.push_back({prefix.empty() || old_format ? plain : text(prefix, "/", plain), offset, *size});
            renamed = false;
        }
        if (entries.size() > most_tar_entries)
            return unusable(name, "It holds too many files");
        at = offset + std::min(room, (*size + block - 1) / block * block);
    }
    if (entries.empty())
        return unusable(name, "There is no file in it");
    return entries;
}

Result<std::vector<TarEntry>> read_tar(const std::string& path)
{
    HostFile file(path);
    return read_tar(file, path);
}

}
