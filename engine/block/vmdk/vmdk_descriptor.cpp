#include "engine/block/vmdk/vmdk_descriptor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "engine/base/text.h"

namespace engine {

namespace {

constexpr std::size_t most_extents = 4096;

struct KindName {
    std::string_view name;
    VmdkDescriptor::Extent::Kind kind;
};
constexpr std::array kinds{
    KindName{"SPARSE", VmdkDescriptor::Extent::Kind::sparse},
    KindName{"FLAT", VmdkDescriptor::Extent::Kind::flat},
    KindName{"VMFS", VmdkDescriptor::Extent::Kind::flat},
    KindName{"ZERO", VmdkDescriptor::Extent::Kind::zero},
};

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

std::string_view next_word(std::string_view& line)
{
    line = trimmed(line);
    const bool in_quotes = !line.empty() && line.front() == '"';
    if (in_quotes)
        line.remove_prefix(1);
    const auto end = std::min(line.find(in_quotes ? '"' : ' '), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
}

std::optional<u64> number_from(std::string_view word)
{
    u64 value = 0;
    const auto [end, trouble] = std::from_chars(word.data(), word.data() + word.size(), value);
    return trouble == std::errc() && end == word.data() + word.size() ? std::optional(value) : std::nullopt;
}

Error because(std::string why)
{
    return {{}, std::move(why), {}};
}

// RW 4192256 SPARSE "disk-s001.vmdk", or with an offset behind a flat file's name.
Result<VmdkDescriptor::Extent> parse_extent(std::string_view line)
{
    constexpr u64 most_sectors = u64(1) << 40;
    VmdkDescriptor::Extent extent;
    next_word(line);
    const auto sectors = number_from(next_word(line));
    const std::string_view kind = next_word(line);
    extent.file = next_word(line);
    const std::string_view offset = next_word(line);
    const auto known = std::ranges::find(kinds, kind, &KindName::name);
    if (known == kinds.end())
        return because(text("an extent of the kind ", std::string(kind).substr(0, 40), " is not known here"));
    extent.kind = known->kind;
    if (!sectors || *sectors == 0 || *sectors > most_sectors)
        return because("the length of an extent can't be");
    extent.sectors = *sectors;
    const auto before = offset.empty() ? std::optional<u64>(0) : number_from(offset);
    if (!before || *before > most_sectors)
        return because("the place of an extent can't be");
    extent.offset = *before;
    const bool named = extent.kind != VmdkDescriptor::Extent::Kind::zero;
    // Nothing outside of the descriptor's own folder.
    if (named && (extent.file.empty() || extent.file.find('/') != std::string::npos || extent.file == ".." || extent.file == "."))
        return because(text("an extent lies in ", extent.file.substr(0, 100), ", outside of its folder"));
    return extent;
}

}

Result<VmdkDescriptor> parse_vmdk_descriptor(std::string_view rest)
{
    VmdkDescriptor descriptor;
    rest = rest.substr(0, rest.find('\0'));
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        std::string_view line = trimmed(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (line.empty() || line.front() == '#')
            continue;
        if (line.starts_with("RW ") || line.starts_with("RDONLY ") || line.starts_with("NOACCESS ")) {
            auto extent = parse_extent(line);
            if (!extent)
                return extent.error();
            descriptor.extents.push_back(std::move(*extent));
            if (descriptor.extents.size() > most_extents)
                return because("it has too many extents");
            continue;
        }
        const auto equals = line.find('=');
        if (equals == std::string_view::npos)
            continue;
        const std::string_view key = trimmed(line.substr(0, equals));
        std::string_view value = line.substr(equals + 1);
        if (key == "createType")
            descriptor.create_type = next_word(value);
        if (key == "parentCID")
            descriptor.differs = next_word(value) != "ffffffff";
    }
    return descriptor;
}

}
