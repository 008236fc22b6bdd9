// Any bytes as one of the files of a snapshots' directory. Checksums are put right first, so that the bytes behind them are
// reached: the first byte of the input chooses the file and whether that is done.

#include <cstring>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "engine/base/bits.h"
#include "engine/snapshot/container.h"
#include "engine/base/crc32c.h"
#include "engine/snapshot/snapshot_file.h"

namespace {

using namespace engine;

// Walks the sections as far as their lengths lead, as a reader does.
void put_right(std::vector<u8>& bytes)
{
    constexpr std::size_t header = 36, section = 28;
    if (bytes.size() < header)
        return;
    store_le<u32>(&bytes[header - 4], crc32c(std::span(bytes).first(header - 4)));
    for (std::size_t at = header; bytes.size() - at >= section + 4;) {
        const u64 length = section + u64(load_le<u16>(&bytes[at + 8])) + load_le<u64>(&bytes[at + 12]);
        if (length > bytes.size() - at - 4 || length < section)
            return;
        store_le<u32>(&bytes[at + length], crc32c(std::span(bytes).subspan(at, length)));
        at += length + 4;
    }
}

void read_chunk(std::span<const u8> bytes)
{
    static const std::filesystem::path directory
        = std::filesystem::temp_directory_path() / ("paddock-snapshot-fuzz." + std::to_string(getpid()));
    static const std::string id(16, 'a');
    std::filesystem::create_directories(directory);
    const auto path = directory / (id + ".pages");
    if (!std::filesystem::exists(path)) {
        PageStore made(directory.string());
        (void)made.begin(id);
        (void)made.finish();
    }
    std::vector<u8> chunk(bytes.begin(), bytes.end());
    if (chunk.size() >= 16) {
        std::memset(&chunk[12], 0, 4);
        const u64 whole = 16 + 8 * u64(chunk[4]) + load_le<u32>(&chunk[8]);
        if (whole <= chunk.size())
            store_le<u32>(&chunk[12], crc32c(std::span(chunk).first(whole)));
    }
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(48);
        file.write(reinterpret_cast<const char*>(chunk.data()), std::streamsize(chunk.size()));
    }
    PageStore store(directory.string());
    const auto number = store.segment_number(id);
    for (unsigned slot = 0; slot < pages_in_chunk; ++slot)
        if (const auto read = store.read(make_ref(number.value(), 48, slot)))
            (void)page_hash(read.value()->page(slot));
}

}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    std::vector<u8> bytes(data + 1, data + size);
    if (data[0] & 8)
        put_right(bytes);
    PageStore store("/nonexistent");
    switch (data[0] & 7) {
    case 0:
        (void)unpack_snapshot(bytes, store, 1 << 16, "fuzz");
        break;
    case 1:
        (void)unpack_info(bytes, "fuzz");
        break;
    case 2:
        (void)unpack_present(bytes, "fuzz");
        break;
    case 3:
        (void)unpack_label(bytes, "fuzz");
        break;
    default:
        read_chunk(bytes);
        break;
    }
    return 0;
}
