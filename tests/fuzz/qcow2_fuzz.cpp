// Any bytes as a qcow2 image. The input is laid over a small sound image (a few bytes say where), so that few bytes reach far:
// it is opened, read, written, checked and repaired, and its snapshots are changed.

#include <algorithm>
#include <cstring>

#include "engine/base/bits.h"
#include "engine/block/qcow2/check.h"
#include "engine/block/qcow2/create.h"
#include "engine/block/qcow2/image.h"
#include "tests/engine/block/memory_file.h"

using namespace engine;

namespace {

constexpr u64 disk_size = 256 << 10, most_used = 1 << 20;

const std::vector<u8>& sound_image()
{
    static const std::vector<u8> bytes = [] {
        const auto file = std::make_shared<MemoryFile>();
        (void)qcow2::write_new_image(*file, {.size = disk_size, .cluster_bits = 9}, "fuzz");
        auto header = qcow2::read_header(*file, "fuzz");
        auto image = qcow2::Image::open("fuzz", std::make_unique<SharedFile>(file), *header, {});
        std::vector<u8> data(20'000, 'x');
        data.resize(20'480);
        (void)(*image)->execute({.operation = BlockOperation::write, .offset = 1024, .length = data.size(), .segments = {data}});
        (void)(*image)->write_compressed(65536, std::span(data).first(512));
        (void)(*image)->take_snapshot("kept", 0);
        (void)(*image)->execute({.operation = BlockOperation::write, .offset = 5120, .length = data.size(), .segments = {data}});
        image->reset();
        return file->bytes();
    }();
    return bytes;
}

// Pieces of the input: a place of two bytes in units of 8, a length of one, then that many bytes.
std::vector<u8> spoiled(const uint8_t* data, std::size_t size)
{
    std::vector<u8> bytes = sound_image();
    while (size > 3) {
        const std::size_t at = load_le<u16>(data) * std::size_t(8) % (bytes.size() - 256);
        const std::size_t length = std::min<std::size_t>(data[2], size - 3);
        std::copy_n(data + 3, length, bytes.begin() + std::ptrdiff_t(at));
        data += 3 + length;
        size -= 3 + length;
    }
    return bytes;
}

void use(ImageLayer& image)
{
    // Made once: to clear and hand back a mebibyte takes longer than all the rest.
    static std::vector<u8> read_into(most_used), pattern(5120, 'y');
    const u64 size = std::min<u64>(image.size(), most_used);
    const std::span<u8> bytes = std::span(read_into).first(size), part = pattern;
    (void)image.execute({.operation = BlockOperation::read, .offset = 0, .length = size, .segments = {bytes}});
    if (image.read_only() || size < 65536)
        return;
    for (const u64 offset : {u64(512), u64(10'240), size - 5120})
        (void)image.execute({.operation = BlockOperation::write, .offset = offset, .length = part.size(), .segments = {part}});
    (void)image.execute({.operation = BlockOperation::write_zeroes, .offset = 1536, .length = 10'240});
    (void)image.execute({.operation = BlockOperation::discard, .offset = 20'480, .length = 20'480});
    (void)image.execute({.operation = BlockOperation::flush});
    (void)image.extent(0, size);
}

// What contradicts itself is left alone there, so it is repaired before.
void change_snapshots(const std::vector<u8>& bytes)
{
    const auto file = std::make_shared<MemoryFile>(bytes);
    file->limit = 2 << 20;
    auto header = qcow2::read_header(*file, "fuzz");
    if (!header || !qcow2::repair(*file, *header, "fuzz"))
        return;
    auto image = qcow2::Image::open("fuzz", std::make_unique<SharedFile>(file), *header, {});
    if (!image || (*image)->size() > most_used)
        return;
    (void)(*image)->take_snapshot("taken", 0);
    use(**image);
    (void)(*image)->restore_snapshot("kept");
    use(**image);
    (void)(*image)->delete_snapshot("kept");
    (void)(*image)->restore_snapshot("taken");
}

}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    const auto bytes = spoiled(data, size);
    for (const auto access : {ImageAccess::read_only, ImageAccess::read_write}) {
        const auto file = std::make_shared<MemoryFile>(bytes);
        // No file grows without end: what lies far away stays unwritten.
        file->limit = 2 << 20;
        auto header = qcow2::read_header(*file, "fuzz");
        if (!header)
            return 0;
        if (access == ImageAccess::read_only)
            (void)qcow2::check(*file, *header, "fuzz");
        auto image = qcow2::Image::open("fuzz", std::make_unique<SharedFile>(file), *header, {.access = access});
        if (image)
            use(**image);
        if (image && access == ImageAccess::read_write)
            (void)(*image)->resize(disk_size * 2);
    }
    change_snapshots(bytes);
    return 0;
}
