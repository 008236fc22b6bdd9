#include "engine/block/direct_file.h"

#include <thread>

#include "tests/engine/block/disk_fixture.h"
#include "tests/engine/block/memory_file.h"

#include "engine/block/raw/raw_file.h"

using namespace engine;

namespace {

constexpr u64 block = 4096, memory = 512;

// As the host has it: what isn't aligned is refused.
class StrictFile final : public SharedFile {
public:
    using SharedFile::SharedFile;
    int read(u64 offset, std::span<const iovec> to) override { return check(offset, to) ? EINVAL : SharedFile::read(offset, to); }
    int write(u64 offset, std::span<const iovec> from) override
    {
        return check(offset, from) ? EINVAL : SharedFile::write(offset, from);
    }

private:
    static bool check(u64 offset, std::span<const iovec> parts)
    {
        return offset % block || std::ranges::any_of(parts, [](const iovec& part) {
                   return part.iov_len % block || reinterpret_cast<std::uintptr_t>(part.iov_base) % memory;
               });
    }
};

TEST(DirectFileTest, any_bytes_can_be_read_and_written_though_the_host_wants_whole_blocks)
{
    std::mt19937_64 random(4);
    std::vector<u8> expected(3 * 1024 * 1024 + 512);
    for (u8& byte : expected)
        byte = u8(random());
    const auto host = std::make_shared<MemoryFile>(expected);
    DirectFile file(std::make_unique<StrictFile>(host), block, memory);
    for (unsigned round = 0; round < 400; ++round) {
        const u64 most = random() % 8 ? 20'000 : 2'500'000;
        const u64 offset = random() % expected.size(), length = std::min(1 + random() % most, expected.size() - offset);
        std::vector<u8> bytes(length + 1);
        // In two parts, at odd addresses.
        const u64 first = random() % (length + 1);
        const std::vector<iovec> parts{{bytes.data() + 1, first}, {bytes.data() + 1 + first, length - first}};
        if (random() % 2) {
            ASSERT_EQ(file.read(offset, parts), 0);
            ASSERT_TRUE(std::equal(bytes.begin() + 1, bytes.end(), expected.begin() + std::ptrdiff_t(offset)));
        } else {
            for (u8& byte : bytes)
                byte = u8(random());
            ASSERT_EQ(file.write(offset, parts), 0);
            std::copy(bytes.begin() + 1, bytes.end(), expected.begin() + std::ptrdiff_t(offset));
        }
    }
    // Its last block stays cut short.
    EXPECT_EQ(host->bytes(), expected);
}

TEST(DirectFileTest, a_write_beyond_the_end_makes_the_file_just_so_long)
{
    const auto host = std::make_shared<MemoryFile>();
    DirectFile file(std::make_unique<StrictFile>(host), block, memory);
    std::vector<u8> bytes(700, 7);
    ASSERT_EQ(file.ImageFile::write(5000, bytes), 0);
    EXPECT_EQ(host->size(), 5700u);
    std::vector<u8> found(700);
    ASSERT_EQ(file.ImageFile::read(5000, found), 0);
    EXPECT_EQ(found, bytes);
}

// The way is what the ring writes by.
TEST(DirectFileTest, a_block_that_is_written_by_another_way_is_not_written_in_part_meanwhile)
{
    const auto host = std::make_shared<MemoryFile>(std::vector<u8>(4 * block));
    class WayFile final : public SharedFile {
    public:
        using SharedFile::SharedFile;
        int descriptor(u64, std::span<const iovec>) override { return 7; }
    };
    DirectFile file(std::make_unique<WayFile>(host), block, memory);
    struct alignas(4096) Block {
        std::array<u8, block> bytes;
    };
    const auto whole = std::make_unique<Block>();
    const iovec parts{whole->bytes.data(), block};
    const auto way = [&](u64 offset, u64 odd = 0) {
        const iovec here{whole->bytes.data() + odd, block};
        return file.way_to_write(offset, std::span(&here, 1));
    };
    EXPECT_EQ(way(512).descriptor, -1);
    EXPECT_EQ(way(block, 1).descriptor, -1);
    for (unsigned round = 1; round < 200; ++round) {
        auto held = way(block);
        ASSERT_EQ(held.descriptor, 7);
        whole->bytes.fill(u8(round));
        std::vector<u8> bytes(100, u8(round + 1));
        std::thread other([&] { EXPECT_EQ(file.ImageFile::write(block + 50, bytes), 0); });
        // The neighbours are free.
        EXPECT_EQ(way(0).descriptor, 7);
        EXPECT_EQ(way(2 * block).descriptor, 7);
        ASSERT_EQ(host->write(block, std::span(&parts, 1)), 0);
        held.hold.reset();
        other.join();
        std::vector<u8> expected(block, u8(round));
        std::ranges::copy(bytes, expected.begin() + 50);
        std::vector<u8> found(block);
        ASSERT_EQ(file.ImageFile::read(block, found), 0);
        ASSERT_EQ(found, expected) << round;
    }
}

class CachePolicyTest : public DiskTest, public testing::WithParamInterface<DiskCache> { };

TEST_P(CachePolicyTest, a_disk_holds_what_was_written_to_it)
{
    const OpenOptions options{.cache = GetParam()};
    ASSERT_TRUE(create_raw(path("below.raw"), (4 << 20) + 512));
    ASSERT_TRUE(create_overlay(path("disk.qcow2"), path("below.raw"), ImageFormat::raw, (4 << 20) + 512));
    for (const std::string name : {"below.raw", "disk.qcow2"}) {
        auto opened = open_image(path(name), ImageAccess::read_write, workers_, options);
        if (!opened && opened.error().text().find("host's cache") != std::string::npos)
            GTEST_SKIP() << "the file system has no O_DIRECT";
        ASSERT_TRUE(opened) << opened.error().text();
        BlockDevice& disk = **opened;
        std::vector<u8> expected = read(disk, 0, disk.size());
        std::mt19937_64 random(9);
        for (unsigned n = 0; n < 300; ++n) {
            const u64 sectors = disk.size() / 512, first = random() % sectors;
            const u64 count = std::min(sectors - first, 1 + random() % (random() % 4 ? 16 : 300));
            auto bytes = noise(count * 512, n);
            ASSERT_TRUE(write(disk, first * 512, bytes).ok());
            std::ranges::copy(bytes, expected.begin() + std::ptrdiff_t(first * 512));
            if (n % 50 == 0 && !flush(disk).ok())
                FAIL() << "a flush failed";
        }
        EXPECT_EQ(read(disk, 0, disk.size()), expected) << name;
    }
    EXPECT_EQ(run("! command -v qemu-img || qemu-img check disk.qcow2"), 0) << said();
}

INSTANTIATE_TEST_SUITE_P(
    Policies, CachePolicyTest, testing::Values(DiskCache::writeback, DiskCache::none, DiskCache::unsafe),
    [](const auto& policy) { return std::string(cache_name(policy.param)); });

TEST(CachePolicyNames, name_each_policy)
{
    for (const DiskCache cache : {DiskCache::writeback, DiskCache::none, DiskCache::unsafe})
        EXPECT_EQ(cache_named(cache_name(cache)), cache);
    EXPECT_FALSE(cache_named("directsync"));
    EXPECT_FALSE(cache_named(""));
}

}
