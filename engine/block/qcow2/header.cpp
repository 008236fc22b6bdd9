#include "engine/block/qcow2/header.h"

#include <algorithm>
#include <array>

#include "engine/base/bits.h"
#include "engine/base/text.h"

namespace engine::qcow2 {

namespace {

struct FeatureName {
    u64 bit;
    const char* name;
};
constexpr std::array refused_features{
    FeatureName{incompatible_external_data, "an external data file"},
    FeatureName{incompatible_extended_l2, "extended L2 entries (subclusters)"},
};
constexpr u64 known_incompatible = incompatible_dirty | incompatible_corrupt | incompatible_compression;

class HeaderReader {
public:
    HeaderReader(ImageFile& file, const std::string& path) : file_(file), path_(path) { }
    Result<Header> read();

private:
    Result<void> read_fixed();
    Result<void> check_features();
    Result<void> check_tables();
    Result<void> read_extensions();
    Result<void> read_backing_file();
    u32 u32_at(u32 at) const { return load_be<u32>(&bytes_[at]); }
    u64 u64_at(u32 at) const { return load_be<u64>(&bytes_[at]); }
    bool aligned(u64 offset) const { return offset % h_.cluster_size() == 0 && offset < largest_file; }
    std::string text_at(u64 at, u64 length) const;
    Error unusable(const std::string& why, const std::string& what_to_do = "Convert it with the program that made it") const
    {
        return {"The image " + in_quotes(path_) + " can't be used", why, what_to_do};
    }
    Error damaged(const std::string& why) const { return unusable("its header is damaged: " + why, "Use a backup of it"); }

    ImageFile& file_;
    const std::string& path_;
    Header h_;
    u32 header_length_ = header_bytes_v2;
    std::vector<u8> bytes_;    // first the fixed part, then the first cluster
    std::array<std::array<std::string, 64>, 3> feature_names_;
};

std::string HeaderReader::text_at(u64 at, u64 length) const
{
    const std::string all(bytes_.begin() + std::ptrdiff_t(at), bytes_.begin() + std::ptrdiff_t(at + length));
    return all.substr(0, all.find('\0'));
}

Result<Header> HeaderReader::read()
{
    bytes_.resize(header_bytes_with_compression);
    if (const int error_number = file_.read(0, bytes_))
        return image_failure(path_, "read", error_number).error;
    if (u32_at(0) != magic)
        return unusable(
            "it was to be a qcow2 image, but does not begin like one",
            "Choose another image; or if it is a raw disk, say so: \"raw\" in its place in \"disk_formats\" of machine.json");
    if (auto done = read_fixed(); !done)
        return done.error();
    bytes_.resize(h_.cluster_size());
    if (const int error_number = file_.read(0, bytes_))
        return image_failure(path_, "read", error_number).error;
    // Extensions first: they have the names of features that we don't know.
    for (const auto step :
         {&HeaderReader::read_extensions, &HeaderReader::check_features, &HeaderReader::check_tables,
          &HeaderReader::read_backing_file})
        if (auto done = (this->*step)(); !done)
            return done.error();
    return h_;
}

Result<void> HeaderReader::read_fixed()
{
    h_.version = u32_at(header_version);
    if (h_.version != 2 && h_.version != 3)
        return unusable(text("it is of version ", h_.version, " of the format, and only 2 and 3 are known"));
    h_.cluster_bits = u32_at(header_cluster_bits);
    if (h_.cluster_bits < least_cluster_bits || h_.cluster_bits > most_cluster_bits)
        return damaged(text("its clusters would have 2^", h_.cluster_bits, " bytes"));
    h_.size = u64_at(header_size);
    h_.l1_size = u32_at(header_l1_size);
    h_.l1_table_offset = u64_at(header_l1_table_offset);
    h_.refcount_table_offset = u64_at(header_refcount_table_offset);
    h_.refcount_table_clusters = u32_at(header_refcount_table_clusters);
    h_.nb_snapshots = u32_at(header_nb_snapshots);
    h_.snapshots_offset = u64_at(header_snapshots_offset);
    if (h_.version == 2)
        return {};
    h_.incompatible_features = u64_at(header_incompatible_features);
    h_.compatible_features = u64_at(header_compatible_features);
    h_.autoclear_features = u64_at(header_autoclear_features);
    h_.refcount_order = u32_at(header_refcount_order);
    header_length_ = u32_at(header_header_length);
    if (h_.refcount_order > 6)
        return damaged(text("its refcounts would have 2^", h_.refcount_order, " bits"));
    if (header_length_ < header_bytes_v3 || header_length_ > h_.cluster_size() || header_length_ % 8)
        return damaged(text("its length is given as ", header_length_));
    if (header_length_ > header_compression_type && bytes_[header_compression_type] > u8(Compression::zstd))
        return unusable(text("its compression of type ", bytes_[header_compression_type], " is not known"));
    if (header_length_ > header_compression_type)
        h_.compression = Compression(bytes_[header_compression_type]);
    return {};
}

Result<void> HeaderReader::read_extensions()
{
    u64 at = header_length_;
    while (at + 8 <= bytes_.size()) {
        const u32 type = u32_at(u32(at)), length = u32_at(u32(at + 4));
        at += 8;
        if (type == extension_end || type == magic)
            return {};
        if (length > bytes_.size() - at)
            return damaged("an extension reaches beyond the first cluster");
        if (type == extension_backing_format)
            h_.backing_format = text_at(at, length);
        if (type == extension_bitmaps && length >= 24 && h_.autoclear_features & autoclear_bitmaps)
            h_.bitmaps = {u32_at(u32(at)), u64_at(u32(at + 16)), u64_at(u32(at + 8))};
        for (u64 name = at; type == extension_feature_names && name + 48 <= at + length; name += 48)
            if (bytes_[name] < 3 && bytes_[name + 1] < 64)
                feature_names_[bytes_[name]][bytes_[name + 1]] = text_at(name + 2, 46);
        at += round_up(length, 8);
    }
    return {};
}

Result<void> HeaderReader::check_features()
{
    const u32 crypt = u32_at(header_crypt_method);
    if (crypt != 0)
        return unusable(text("it is encrypted (", crypt == 1 ? "AES" : crypt == 2 ? "LUKS" : "by an unknown method", ")"));
    for (const FeatureName& feature : refused_features)
        if (h_.incompatible_features & feature.bit)
            return unusable(text("it uses ", feature.name));
    for (unsigned n = 0; n < 64; ++n)
        if (bit(h_.incompatible_features & ~known_incompatible, n))
            return unusable(text(
                "it uses ", feature_names_[0][n].empty() ? text("feature ", n) : in_quotes(feature_names_[0][n]),
                ", which is not known here"));
    if ((h_.compression != Compression::zlib) != bool(h_.incompatible_features & incompatible_compression))
        return damaged("its type of compression contradicts its features");
    return {};
}

Result<void> HeaderReader::check_tables()
{
    if (h_.size > largest_file)
        return damaged(text("the disk would have ", h_.size, " bytes"));
    const u64 needed = h_.size / h_.l2_reach() + (h_.size % h_.l2_reach() ? 1 : 0);
    if (h_.l1_size > largest_l1 / 8 || h_.l1_size < needed)
        return damaged(text("its L1 table has ", h_.l1_size, " entries"));
    if (!aligned(h_.l1_table_offset) || (h_.l1_size && !h_.l1_table_offset))
        return damaged("its L1 table lies at an impossible place");
    if (!aligned(h_.refcount_table_offset) || !h_.refcount_table_offset)
        return damaged("its refcount table lies at an impossible place");
    if (!h_.refcount_table_clusters || h_.refcount_table_clusters > largest_refcount_table / h_.cluster_size())
        return damaged(text("its refcount table has ", h_.refcount_table_clusters, " clusters"));
    if (h_.nb_snapshots > most_snapshots || (h_.nb_snapshots && !aligned(h_.snapshots_offset)))
        return damaged("its table of snapshots can't be");
    return {};
}

Result<void> HeaderReader::read_backing_file()
{
    const u64 offset = u64_at(header_backing_file_offset);
    const u32 length = u32_at(header_backing_file_size);
    if (offset == 0)
        return {};
    if (length > longest_backing_file || offset > bytes_.size() || length > bytes_.size() - offset)
        return damaged("the name of its backing file is too long");
    h_.backing_file = text_at(offset, length);
    return {};
}

std::vector<u8> fixed_part(const Header& h)
{
    std::vector<u8> bytes(h.version == 2 ? header_bytes_v2 : header_bytes_v3);
    const auto put = [&](u32 at, auto value) { store_be(&bytes[at], value); };
    put(0, magic);
    put(header_version, h.version);
    put(header_cluster_bits, h.cluster_bits);
    put(header_size, h.size);
    put(header_l1_size, h.l1_size);
    put(header_l1_table_offset, h.l1_table_offset);
    put(header_refcount_table_offset, h.refcount_table_offset);
    put(header_refcount_table_clusters, h.refcount_table_clusters);
    put(header_nb_snapshots, h.nb_snapshots);
    put(header_snapshots_offset, h.snapshots_offset);
    if (h.version == 2)
        return bytes;
    put(header_incompatible_features, h.incompatible_features);
    put(header_compatible_features, h.compatible_features);
    put(header_autoclear_features, h.autoclear_features);
    put(header_refcount_order, h.refcount_order);
    return bytes;
}

void append(std::vector<u8>& bytes, u32 type, std::string_view data)
{
    const std::size_t at = bytes.size();
    bytes.resize(at + 8 + round_up(data.size(), 8));
    store_be(&bytes[at], type);
    store_be(&bytes[at + 4], u32(data.size()));
    std::ranges::copy(data, bytes.begin() + std::ptrdiff_t(at + 8));
}

}

Result<Header> read_header(ImageFile& file, const std::string& path)
{
    return HeaderReader(file, path).read();
}

std::vector<u8> first_cluster(const Header& h)
{
    std::vector<u8> bytes = fixed_part(h);
    if (h.version >= 3) {
        bytes.resize(header_bytes_with_compression);
        store_be(&bytes[header_header_length], header_bytes_with_compression);
        bytes[header_compression_type] = u8(h.compression);
    }
    if (!h.backing_format.empty())
        append(bytes, extension_backing_format, h.backing_format);
    append(bytes, extension_end, {});
    if (!h.backing_file.empty()) {
        store_be(&bytes[header_backing_file_offset], u64(bytes.size()));
        store_be(&bytes[header_backing_file_size], u32(h.backing_file.size()));
        bytes.insert(bytes.end(), h.backing_file.begin(), h.backing_file.end());
    }
    bytes.resize(h.cluster_size());
    return bytes;
}

int update_header(ImageFile& file, const Header& h)
{
    // The name of the backing file, the header's length and whatever this program doesn't know stay as they are.
    const std::vector<u8> fields = fixed_part(h);
    std::vector<u8> bytes(fields.size());
    if (const int error_number = file.read(0, bytes))
        return error_number;
    const auto keep = [&](u32 from, u32 to) { std::copy(fields.begin() + from, fields.begin() + to, bytes.begin() + from); };
    keep(header_size, header_crypt_method);
    keep(header_l1_size, header_bytes_v2);
    if (h.version >= 3)
        keep(header_incompatible_features, header_refcount_order);
    return file.write(0, bytes);
}

}
