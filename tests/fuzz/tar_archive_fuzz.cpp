// Any bytes as a tar archive. Where the first byte is odd, the checksum of what would be a header is put right.

#include <algorithm>
#include <cstdio>
#include <vector>

#include "engine/block/tar_archive.h"

namespace {

struct Source : engine::TarSource {
    const uint8_t* data;
    std::size_t length;
    engine::u64 size() const override { return length; }
    bool read(engine::u64 offset, std::span<engine::u8> to) override
    {
        if (offset > length || to.size() > length - offset)
            return false;
        std::copy_n(data + offset, to.size(), to.begin());
        return true;
    }
};

// Each block that calls itself a header is taken for one, wherever it stands.
void put_right(std::vector<engine::u8>& bytes)
{
    constexpr std::size_t block = 512, at_checksum = 148, checksum_length = 8, at_magic = 257;
    for (std::size_t at = 0; bytes.size() - at >= block; at += block) {
        engine::u8* const header = &bytes[at];
        if (!std::equal(header + at_magic, header + at_magic + 5, "ustar"))
            continue;
        std::fill_n(header + at_checksum, checksum_length, ' ');
        unsigned sum = 0;
        for (std::size_t n = 0; n < block; ++n)
            sum += header[n];
        char digits[checksum_length];
        std::snprintf(digits, sizeof digits, "%06o", sum);
        std::copy_n(digits, checksum_length - 1, header + at_checksum);
    }
}

}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    std::vector<engine::u8> bytes(data + 1, data + size);
    if (data[0] & 1)
        put_right(bytes);
    Source source;
    source.data = bytes.data();
    source.length = bytes.size();
    const auto entries = engine::read_tar(source, "fuzz");
    if (entries)
        for (const engine::TarEntry& entry : entries.value())
            if (entry.offset > bytes.size() || entry.size > bytes.size() - entry.offset)
                __builtin_trap();
    return 0;
}
