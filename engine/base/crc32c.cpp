#include "engine/base/crc32c.h"

#include <array>

#include <nmmintrin.h>

#include "engine/base/bits.h"

namespace engine {

namespace {

constexpr std::array<u32, 256> table = [] {
    constexpr u32 reversed_polynomial = 0x82f63b78;
    std::array<u32, 256> entries{};
    for (u32 n = 0; n < entries.size(); ++n) {
        u32 value = n;
        for (unsigned bit = 0; bit < 8; ++bit)
            value = value >> 1 ^ (value & 1 ? reversed_polynomial : 0);
        entries[n] = value;
    }
    return entries;
}();

u32 by_table(std::span<const u8> bytes, u32 crc)
{
    for (const u8 byte : bytes)
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xff];
    return crc;
}

[[gnu::target("sse4.2")]] u32 by_instruction(std::span<const u8> bytes, u32 crc)
{
    u64 wide = crc;
    while (bytes.size() >= 8) {
        wide = _mm_crc32_u64(wide, load_le<u64>(bytes.data()));
        bytes = bytes.subspan(8);
    }
    return by_table(bytes, u32(wide));
}

}

u32 crc32c(std::span<const u8> bytes, u32 before)
{
    static const bool has_instruction = __builtin_cpu_supports("sse4.2");
    return ~(has_instruction ? by_instruction(bytes, ~before) : by_table(bytes, ~before));
}

}
