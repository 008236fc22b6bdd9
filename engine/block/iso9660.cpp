#include "engine/block/iso9660.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/bits.h"
#include "engine/base/file_descriptor.h"
#include "engine/base/read_file.h"
#include "engine/base/text.h"

namespace engine {

namespace {

constexpr u64 sector_size = 2048;
constexpr u64 first_descriptor = 16;    // ECMA-119, 6.7.1
constexpr unsigned most_descriptors = 64;
constexpr u64 largest_directory = 256 * 1024;
constexpr u64 largest_disk_info = 4096, largest_tree_info = 65536;

// ECMA-119, 8.1.1: volume descriptor types.
constexpr u8 boot_record = 0, primary = 1;

using Sector = std::array<u8, sector_size>;

// Printable text of a fixed field, without its padding.
std::string field_text(std::span<const u8> field, bool keep_lines = false)
{
    std::string out;
    for (const u8 c : field)
        if (c >= 0x20 ? c != 0x7f : keep_lines && (c == '\n' || c == '\t'))
            out += char(c);
    while (!out.empty() && (out.back() == ' ' || out.back() == '\n'))
        out.pop_back();
    out.erase(0, out.find_first_not_of(' ') == std::string::npos ? out.size() : out.find_first_not_of(' '));
    return out;
}

bool has_text(std::span<const u8> bytes, std::size_t at, std::string_view wanted)
{
    return bytes.size() >= at + wanted.size() && std::equal(wanted.begin(), wanted.end(), bytes.begin() + std::ptrdiff_t(at));
}

struct Extent {
    u64 sector = 0;
    u64 length = 0;
};

class IsoReader {
public:
    IsoReader(IsoSource& source, const std::string& name) : source_(source), name_(name) { }
    Result<IsoInfo> read();

private:
    bool sector(u64 number, Sector& to) { return source_.read(number * sector_size, to); }
    void read_primary(const Sector& descriptor);
    void read_boot_catalogue(u64 at);
    void read_catalogue_entry(std::span<const u8> entry, u8 platform);
    void read_well_known_files();
    std::vector<u8> contents(const Extent& extent, u64 limit);
    std::optional<Extent> find(const Extent& directory, std::string_view name, bool is_directory);
    Error not_a_disc();
    Error truncation() const;

    IsoSource& source_;
    const std::string& name_;
    IsoInfo info_;
    Extent root_;
};

Result<IsoInfo> IsoReader::read()
{
    info_.file_size = source_.size();
    bool described = false;
    Sector descriptor{};
    for (unsigned n = 0; n < most_descriptors && sector(first_descriptor + n, descriptor); ++n) {
        // The UDF volume recognition sequence (ECMA-167, 2/9) stands among or instead of the volume descriptors.
        const bool nsr = has_text(descriptor, 1, "NSR02") || has_text(descriptor, 1, "NSR03");
        info_.udf |= nsr;
        if (nsr || has_text(descriptor, 1, "BEA01") || has_text(descriptor, 1, "TEA01"))
            continue;
        if (!has_text(descriptor, 1, "CD001"))
            break;
        if (descriptor[0] == primary && !described)
            read_primary(descriptor);
        described |= descriptor[0] == primary;
        if (descriptor[0] == boot_record && has_text(descriptor, 7, "EL TORITO SPECIFICATION"))
            read_boot_catalogue(load_le<u32>(&descriptor[0x47]));
    }
    if (!described && !info_.udf)
        return not_a_disc();
    read_well_known_files();
    if (info_.truncated())
        info_.warning = truncation();
    return info_;
}

// ECMA-119, 8.4.
void IsoReader::read_primary(const Sector& d)
{
    const auto text_at = [&](std::size_t at, std::size_t length) { return field_text(std::span(d).subspan(at, length)); };
    info_.system = text_at(8, 32);
    info_.volume = text_at(40, 32);
    info_.publisher = text_at(318, 128);
    info_.preparer = text_at(446, 128);
    info_.application = text_at(574, 128);
    const u64 block_size = load_le<u16>(&d[128]);
    info_.volume_size = u64(load_le<u32>(&d[80])) * (block_size == 512 || block_size == 1024 ? block_size : sector_size);
    root_ = {load_le<u32>(&d[156 + 2]), load_le<u32>(&d[156 + 10])};
}

// El Torito 1.0, 2.0-2.5: a validation entry, the initial entry, then sections of entries, 32 bytes each.
void IsoReader::read_boot_catalogue(u64 at)
{
    Sector catalogue{};
    if (!sector(at, catalogue) || catalogue[0] != 1 || catalogue[0x1e] != 0x55 || catalogue[0x1f] != 0xaa)
        return;
    u16 sum = 0;
    for (unsigned n = 0; n < 32; n += 2)
        sum = u16(sum + load_le<u16>(&catalogue[n]));
    if (sum != 0)
        return;
    const auto entry = [&](unsigned n) { return std::span<const u8>(catalogue).subspan(32 * n, 32); };
    constexpr unsigned entries = sector_size / 32;
    read_catalogue_entry(entry(1), catalogue[1]);
    unsigned n = 2;
    while (n < entries) {
        const auto header = entry(n++);
        if (header[0] != 0x90 && header[0] != 0x91)
            break;
        for (unsigned left = load_le<u16>(&header[2]); left > 0 && n < entries; --left) {
            read_catalogue_entry(entry(n++), header[1]);
            while (n < entries && entry(n)[0] == 0x44)
                ++n;
        }
        if (header[0] == 0x91)
            break;
    }
}

void IsoReader::read_catalogue_entry(std::span<const u8> entry, u8 platform)
{
    if (entry[0] != 0x88)
        return;
    info_.bootable = true;
    const auto known = BootPlatform(platform);
    if (!info_.boots_on(known))
        info_.platforms.push_back(known);
}

std::vector<u8> IsoReader::contents(const Extent& extent, u64 limit)
{
    const u64 start = extent.sector * sector_size;
    const u64 size = source_.size();
    if (start >= size)
        return {};
    std::vector<u8> bytes(std::min({extent.length, limit, size - start}));
    if (!source_.read(start, bytes))
        bytes.clear();
    return bytes;
}

// SUSP 1.12 and RRIP 1.12, 4.1.4: the NM entries of a directory record's system use field, joined.
std::string rock_ridge_name(std::span<const u8> system_use)
{
    std::string name;
    while (system_use.size() >= 4 && system_use[2] >= 4 && system_use[2] <= system_use.size()) {
        if (has_text(system_use, 0, "NM") && system_use[2] >= 5)
            name.append(system_use.begin() + 5, system_use.begin() + system_use[2]);
        system_use = system_use.subspan(system_use[2]);
    }
    return name;
}

// Without Rock Ridge, ".disk" stands on the disc as "_DISK" or ".DISK", ".treeinfo" as "TREEINFO." and the like.
std::string plain_name(std::string_view name)
{
    std::string out;
    for (const char c : name.substr(0, name.find(';')))
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))
            out += c;
        else if (c >= 'A' && c <= 'Z')
            out += char(c - 'A' + 'a');
    return out;
}

// ECMA-119, 9.1: directory records; none crosses a sector's end.
std::optional<Extent> IsoReader::find(const Extent& directory, std::string_view name, bool is_directory)
{
    constexpr std::size_t fixed = 33;
    const std::vector<u8> bytes = contents(directory, largest_directory);
    std::size_t at = 0;
    while (at + fixed < bytes.size()) {
        const std::size_t length = bytes[at];
        const std::size_t sector_end = std::min((at / sector_size + 1) * sector_size, bytes.size());
        if (length == 0) {
            at = (at / sector_size + 1) * sector_size;
            continue;
        }
        if (length < fixed + 1 || at + length > sector_end)
            break;
        const auto record = std::span<const u8>(bytes).subspan(at, length);
        at += length;
        const std::size_t name_length = record[32];
        if (fixed + name_length > length || bit(record[25], 1) != is_directory)
            continue;
        const std::string iso_name(record.begin() + fixed, record.begin() + std::ptrdiff_t(fixed + name_length));
        const std::size_t system_use = fixed + name_length + (name_length % 2 == 0 ? 1 : 0);
        const std::string long_name = system_use < length ? rock_ridge_name(record.subspan(system_use)) : std::string();
        if (long_name.empty() ? plain_name(iso_name) == plain_name(name) : long_name == name)
            return Extent{load_le<u32>(&record[2]), load_le<u32>(&record[10])};
    }
    return std::nullopt;
}

void IsoReader::read_well_known_files()
{
    if (const auto folder = find(root_, ".disk", true))
        if (const auto file = find(*folder, "info", false)) {
            info_.disk_info = field_text(contents(*file, largest_disk_info), true);
            info_.disk_info.resize(std::min(info_.disk_info.find('\n'), info_.disk_info.size()));
        }
    if (const auto file = find(root_, ".treeinfo", false))
        info_.tree_info = field_text(contents(*file, largest_tree_info), true);
}

Error IsoReader::not_a_disc()
{
    const std::string what = "\"" + name_ + "\" is not a CD image";
    std::array<u8, 16> start{};
    constexpr std::array<u8, 12> raw_sector{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0};
    const bool readable = source_.read(0, start);
    if (readable && std::equal(raw_sector.begin(), raw_sector.end(), start.begin()))
        return {what, "it holds raw CD sectors of 2352 bytes", "Convert it to an ISO image, for example with bchunk"};
    if (source_.size() < (first_descriptor + 1) * sector_size)
        return {what, text("it is only ", source_.size(), " bytes long"), "Download or copy it again"};
    return {what, "it has no volume descriptor", "Choose an ISO image; a disk image belongs to the machine's disks"};
}

Error IsoReader::truncation() const
{
    return {
        "\"" + name_ + "\" is incomplete", text("the disc has ", info_.volume_size, " bytes, the file only ", info_.file_size),
        "Download or copy it again"};
}

class IsoFile final : public IsoSource {
public:
    IsoFile(FileDescriptor file, u64 size) : file_(std::move(file)), size_(size) { }
    u64 size() const override { return size_; }
    bool read(u64 offset, std::span<u8> to) override { return read_file(file_.get(), offset, to); }

private:
    FileDescriptor file_;
    u64 size_;
};

}

bool IsoInfo::boots_on(BootPlatform platform) const
{
    return std::ranges::find(platforms, platform) != platforms.end();
}

Result<IsoInfo> read_iso(IsoSource& source, const std::string& name)
{
    return IsoReader(source, name).read();
}

Result<IsoInfo> read_iso(const std::string& path)
{
    const std::string what = "\"" + path + "\" can't be read";
    FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat about { };
    if (!file.valid() || fstat(file.get(), &about) != 0)
        return Error{what, errno == ENOENT ? "there is no such file" : system_error_text(errno), "Choose another image"};
    if (S_ISDIR(about.st_mode))
        return Error{what, "it is a folder", "Choose the image file inside it"};
    const off_t size = S_ISREG(about.st_mode) || S_ISBLK(about.st_mode) ? lseek(file.get(), 0, SEEK_END) : -1;
    if (size < 0)
        return Error{what, "it is not a file", "Choose an ISO image"};
    IsoFile source(std::move(file), u64(size));
    return read_iso(source, path);
}

}
