#pragma once
#include <limits>

#include "engine/base/types.h"

namespace engine {

__extension__ typedef unsigned __int128 u128;

// value * multiplier / divisor without overflow on the way, rounded down or up, and at most the largest u64.
constexpr u64 scale(u64 value, u64 multiplier, u64 divisor)
{
    const u128 result = u128(value) * multiplier / divisor;
    return result > std::numeric_limits<u64>::max() ? std::numeric_limits<u64>::max() : u64(result);
}

constexpr u64 scale_up(u64 value, u64 multiplier, u64 divisor)
{
    const u128 result = (u128(value) * multiplier + divisor - 1) / divisor;
    return result > std::numeric_limits<u64>::max() ? std::numeric_limits<u64>::max() : u64(result);
}

}
