#pragma once
// std::format is absent from GCC 12: text("RAM of ", 64, " MiB") concatenates, hex(0xcf8, 4) formats.

#include <concepts>
#include <string>
#include <string_view>

#include "engine/base/types.h"

namespace engine {

std::string hex(u64 value, unsigned digits = 0);

namespace detail {
inline void append(std::string& out, std::string_view part)
{
    out += part;
}
inline void append(std::string& out, char part)
{
    out += part;
}
template <std::integral T> void append(std::string& out, T part)
{
    out += std::to_string(part);
}
template <std::floating_point T> void append(std::string& out, T part)
{
    out += std::to_string(part);
}
}

template <class... Parts> std::string text(const Parts&... parts)
{
    std::string out;
    (detail::append(out, parts), ...);
    return out;
}

}
