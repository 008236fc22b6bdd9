#include "engine/base/text.h"

#include <array>
#include <cinttypes>
#include <cstdio>

namespace engine {

std::string hex(u64 value, unsigned digits)
{
    std::array<char, 24> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%0*" PRIx64, int(digits), value);
    return buffer.data();
}

}
