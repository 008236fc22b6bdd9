#pragma once
#include <bit>
#include <concepts>
#include <cstring>
#include <span>

#include "engine/base/types.h"

namespace engine {

constexpr bool bit(u64 value, unsigned n)
{
    return (value >> n) & 1;
}
constexpr u64 bits(u64 value, unsigned low, unsigned count)
{
    return (value >> low) & ((u64(1) << count) - 1);
}
constexpr u64 low_mask(unsigned count)
{
    return count >= 64 ? ~u64(0) : (u64(1) << count) - 1;
}
constexpr u64 round_up(u64 value, u64 unit)
{
    return (value + unit - 1) / unit * unit;
}

template <std::unsigned_integral T> T load_le(const void* from)
{
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <std::unsigned_integral T> void store_le(void* to, T value)
{
    std::memcpy(to, &value, sizeof value);
}

template <std::unsigned_integral T> constexpr T swap_bytes(T value)
{
    T swapped = 0;
    for (unsigned i = 0; i < sizeof(T); ++i)
        swapped = T(swapped << 8 | (value >> (8 * i) & 0xff));
    return swapped;
}

template <std::unsigned_integral T> T load_be(const void* from)
{
    return swap_bytes(load_le<T>(from));
}

template <std::unsigned_integral T> void store_be(void* to, T value)
{
    store_le(to, swap_bytes(value));
}

static_assert(std::endian::native == std::endian::little, "the engine's host is little-endian");

}
