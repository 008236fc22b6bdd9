#include "engine/snapshot/container.h"

#include <algorithm>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/snapshot/compression.h"
#include "engine/base/crc32c.h"

namespace engine {

namespace {

constexpr std::array<u8, 8> magic{0x89, 'P', 'a', 'd', 'd', 'o', 'c', 'k'};
constexpr u32 container_version = 1;
constexpr std::size_t header_size = 36, section_header_size = 28, checksum_size = 4;
constexpr u16 flag_required = 1, flag_packed = 2;
constexpr FourCc end_type = four_cc("END ");
constexpr u16 section_version = 1;
constexpr u64 known_features = 0;

constexpr u32 most_fields = 1 << 16;
constexpr u8 field_number = 0, field_bytes = 1;
constexpr int packing_level = 1;

template <std::unsigned_integral T> void append(std::vector<u8>& to, T value)
{
    to.resize(to.size() + sizeof value);
    store_le<T>(to.data() + to.size() - sizeof value, value);
}

void append(std::vector<u8>& to, std::span<const u8> bytes)
{
    to.insert(to.end(), bytes.begin(), bytes.end());
}

std::span<const u8> bytes_of(std::string_view words)
{
    return {reinterpret_cast<const u8*>(words.data()), words.size()};
}

std::string letters(FourCc type)
{
    std::string out;
    for (unsigned n = 0; n < 4; ++n) {
        const char letter = char(type >> 8 * n);
        out += letter >= ' ' && letter <= '~' ? letter : '?';
    }
    return out;
}

// Takes numbers from the front of what is left; remembers if there was too little.
class Cursor {
public:
    explicit Cursor(std::span<const u8> bytes) : left_(bytes) { }
    template <class T> T take()
    {
        const auto bytes = take_bytes(sizeof(T));
        return bytes.empty() ? T(0) : load_le<T>(bytes.data());
    }
    std::span<const u8> take_bytes(u64 count)
    {
        if (count > left_.size()) {
            sound_ = false;
            left_ = {};
            return {};
        }
        const auto taken = left_.first(count);
        left_ = left_.subspan(count);
        return taken;
    }
    std::string take_text(u64 count)
    {
        const auto taken = take_bytes(count);
        return {taken.begin(), taken.end()};
    }
    bool sound() const { return sound_; }
    std::size_t left() const { return left_.size(); }

private:
    std::span<const u8> left_;
    bool sound_ = true;
};

}

Error damaged(const std::string& name, std::string why)
{
    return {
        text(name, " can't be used"), std::move(why),
        "Go back to another snapshot, or start the machine without it; a copy of the file from a backup would help"};
}

ContainerWriter::ContainerWriter(FourCc kind)
{
    append(bytes_, std::span<const u8>(magic));
    append<u32>(bytes_, kind);
    append<u32>(bytes_, container_version);
    append<u64>(bytes_, known_features);
    append<u64>(bytes_, 0);
    append<u32>(bytes_, crc32c(bytes_));
}

void ContainerWriter::add(FourCc type, std::string_view instance, std::span<const u8> payload, Need need, Packing packing)
{
    const std::vector<u8> packed = packing == Packing::zstd ? compress(payload, packing_level) : std::vector<u8>();
    const std::span<const u8> stored = packed.empty() ? payload : std::span<const u8>(packed);
    instance = instance.substr(0, 255);
    const std::size_t begin = bytes_.size();
    append<u32>(bytes_, type);
    append<u16>(bytes_, section_version);
    append<u16>(bytes_, u16((need == Need::required ? flag_required : 0) | (packed.empty() ? 0 : flag_packed)));
    append<u16>(bytes_, u16(instance.size()));
    append<u16>(bytes_, 0);
    append<u64>(bytes_, stored.size());
    append<u64>(bytes_, payload.size());
    append(bytes_, bytes_of(instance));
    append(bytes_, stored);
    const u32 checksum = crc32c(std::span(bytes_).subspan(begin));
    append<u32>(bytes_, checksum);
    append<u32>(checksums_, checksum);
    ++sections_;
}

void ContainerWriter::add(FourCc type, std::string_view instance, const StateMap& fields, Need need)
{
    add(type, instance, pack_fields(fields), need);
}

std::vector<u8> ContainerWriter::finish()
{
    std::vector<u8> payload;
    append<u32>(payload, sections_);
    append<u32>(payload, crc32c(checksums_));
    add(end_type, {}, payload);
    return std::move(bytes_);
}

namespace {

Result<void> check_header(Cursor& cursor, FourCc kind, const std::string& name, std::span<const u8> bytes)
{
    const auto begin = cursor.take_bytes(magic.size());
    const u32 its_kind = cursor.take<u32>(), version = cursor.take<u32>();
    const u64 required = cursor.take<u64>();
    cursor.take<u64>();
    const u32 checksum = cursor.take<u32>();
    if (!cursor.sound() || !std::ranges::equal(begin, magic))
        return damaged(name, "It is no file of Paddock's");
    if (checksum != crc32c(bytes.first(header_size - checksum_size)))
        return damaged(name, "Its header is damaged");
    if (version != container_version)
        return damaged(name, text("It was written by another version of Paddock, in version ", version, " of the format"));
    if (its_kind != kind)
        return damaged(name, text("It is of the kind ", letters(its_kind), " and not ", letters(kind)));
    if (const u64 unknown = required & ~known_features)
        return damaged(
            name, text("It needs feature ", std::countr_zero(unknown), " of the format, which this version of Paddock lacks"));
    return {};
}

struct Header {
    u16 flags = 0;
    u64 stored = 0, unpacked = 0;
};

// Empty: nothing whole is left.
Result<std::vector<u8>> unpack(const Header& header, std::span<const u8> stored, const std::string& name)
{
    if (!(header.flags & flag_packed)) {
        if (header.stored != header.unpacked)
            return damaged(name, "The lengths of a section disagree");
        return std::vector<u8>(stored.begin(), stored.end());
    }
    if (header.unpacked > largest_container)
        return damaged(name, "A section is larger than any can be");
    std::vector<u8> payload(header.unpacked);
    if (!decompress(stored, payload))
        return damaged(name, "A section can't be unpacked");
    return payload;
}

}

Result<Container>
Container::parse(std::span<const u8> bytes, FourCc kind, std::span<const FourCc> known, const std::string& name, Part part)
{
    Cursor cursor(bytes);
    if (auto sound = check_header(cursor, kind, name, bytes); !sound)
        return sound.error();
    Container container;
    std::vector<u8> checksums;
    for (u32 count = 0;; ++count) {
        const std::size_t begin = bytes.size() - cursor.left();
        Section section;
        Header header;
        section.type = cursor.take<u32>();
        section.version = cursor.take<u16>();
        header.flags = cursor.take<u16>();
        const u16 name_length = cursor.take<u16>();
        cursor.take<u16>();
        header.stored = cursor.take<u64>();
        header.unpacked = cursor.take<u64>();
        section.instance = cursor.take_text(name_length);
        const auto stored = cursor.take_bytes(header.stored);
        const std::size_t end = bytes.size() - cursor.left();
        const u32 checksum = cursor.take<u32>();
        if (!cursor.sound()) {
            if (part == Part::front)
                return container;
            return damaged(name, "It ends too early");
        }
        if (checksum != crc32c(bytes.subspan(begin, end - begin)))
            return damaged(name, "It is damaged: a checksum is wrong");
        section.required = header.flags & flag_required;
        auto payload = unpack(header, stored, name);
        if (!payload)
            return payload.error();
        section.payload = std::move(*payload);
        if (section.type == end_type) {
            Cursor tail(section.payload);
            const bool complete = tail.take<u32>() == count && tail.take<u32>() == crc32c(checksums) && cursor.left() == 0;
            if (!complete && part == Part::whole)
                return damaged(name, "Parts of it are missing");
            return container;
        }
        append<u32>(checksums, checksum);
        if (std::ranges::find(known, section.type) != known.end())
            container.sections_.push_back(std::move(section));
        else if (section.required)
            return damaged(
                name,
                text("It holds a section ", letters(section.type), " that a newer version of Paddock wrote and this one lacks"));
    }
}

const Section* Container::find(FourCc type, std::string_view instance) const
{
    const auto found = std::ranges::find_if(
        sections_, [&](const Section& section) { return section.type == type && section.instance == instance; });
    return found == sections_.end() ? nullptr : &*found;
}

std::vector<u8> pack_fields(const StateMap& fields)
{
    std::vector<u8> out;
    append<u32>(out, u32(fields.scalars.size() + fields.blobs.size()));
    const auto name = [&](u8 kind, const std::string& words) {
        append<u8>(out, kind);
        append<u8>(out, u8(std::min<std::size_t>(words.size(), 255)));
        append(out, bytes_of(words).first(std::min<std::size_t>(words.size(), 255)));
    };
    for (const auto& [words, value] : fields.scalars) {
        name(field_number, words);
        append<u64>(out, value);
    }
    for (const auto& [words, bytes] : fields.blobs) {
        name(field_bytes, words);
        append<u32>(out, u32(bytes.size()));
        append(out, std::span<const u8>(bytes));
    }
    return out;
}

Result<StateMap> unpack_fields(std::span<const u8> bytes, const std::string& name)
{
    StateMap fields;
    Cursor cursor(bytes);
    const u32 count = cursor.take<u32>();
    for (u32 n = 0; n < count && n < most_fields && cursor.sound(); ++n) {
        const u8 kind = cursor.take<u8>();
        const std::string field = cursor.take_text(cursor.take<u8>());
        if (kind == field_number) {
            fields.scalars[field] = cursor.take<u64>();
        } else if (kind == field_bytes) {
            const auto content = cursor.take_bytes(cursor.take<u32>());
            fields.blobs[field].assign(content.begin(), content.end());
        } else {
            return damaged(name, "A field of it is of an unknown kind");
        }
    }
    if (!cursor.sound() || cursor.left() != 0 || count > most_fields)
        return damaged(name, "Its fields don't fit their section");
    return fields;
}

}
