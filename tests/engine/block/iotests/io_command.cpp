#include "tests/engine/block/iotests/io_command.h"

#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string_view>

using engine::u64;

u64 IoCommand::number(char option, u64 otherwise) const
{
    const auto found = options.find(option);
    return found == options.end() ? otherwise : bytes_of(found->second).value_or(otherwise);
}

std::optional<IoCommand> take_apart(const std::string& line, const std::string& with_values)
{
    std::istringstream words(line);
    IoCommand command;
    if (!(words >> command.name))
        return std::nullopt;
    for (std::string word; words >> word;) {
        if (word.size() < 2 || word[0] != '-') {
            command.operands.push_back(word);
            continue;
        }
        for (std::size_t at = 1; at < word.size(); ++at) {
            std::string& value = command.options[word[at]];
            if (with_values.find(word[at]) == std::string::npos)
                continue;
            value = word.substr(at + 1);
            if (value.empty())
                words >> value;
            break;
        }
    }
    return command;
}

std::optional<u64> bytes_of(const std::string& text)
{
    char* end = nullptr;
    if (text.empty() || text[0] == '-')
        return std::nullopt;
    constexpr int by_prefix = 0;
    u64 whole = std::strtoull(text.c_str(), &end, by_prefix);
    double part = 0;
    if (*end == '.')
        part = std::strtod(end, &end);
    constexpr std::string_view suffixes = "bkmgtpe";
    unsigned shift = 0;
    if (*end) {
        const auto suffix = suffixes.find(char(*end | 0x20));
        if (suffix == std::string_view::npos || end[1])
            return std::nullopt;
        shift = unsigned(suffix) * 10;
    }
    return (whole << shift) + u64(part * double(u64(1) << shift));
}

std::string size_text(u64 bytes)
{
    constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    while (unit < 6 && bytes >> (unit + 1) * 10)
        ++unit;
    char text[64];
    std::snprintf(text, sizeof text, "%.3f", double(bytes) / double(u64(1) << unit * 10));
    std::string number = text;
    if (number.ends_with(".000"))
        number.resize(number.size() - 4);
    return number + " " + units[unit];
}
