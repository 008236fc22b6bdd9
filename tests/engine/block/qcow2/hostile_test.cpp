// Images that were made to cost time: what is done for one is bounded by the size of its file. A call beyond that would go on
// for hours, so these tests end or not.

#include "tests/engine/block/disk_fixture.h"

#include "engine/base/bits.h"
#include "engine/block/qcow2/check.h"
#include "engine/block/qcow2/create.h"
#include "engine/block/qcow2/image.h"
#include "tests/engine/block/memory_file.h"

using namespace engine;

namespace {

// Counts what is read of it.
class CountingFile final : public MemoryFile {
public:
    using ImageFile::read;
    using MemoryFile::MemoryFile;
    int read(u64 offset, std::span<const iovec> to) override
    {
        for (const iovec& part : to)
            bytes_read += part.iov_len;
        return MemoryFile::read(offset, to);
    }
    u64 bytes_read = 0;
};

class Qcow2Hostile : public testing::Test {
protected:
    static constexpr u64 most_cost = 8;

    static std::vector<u8> image(u32 cluster_bits, u64 clusters)
    {
        MemoryFile file;
        EXPECT_TRUE(qcow2::write_new_image(file, {.size = 1 << 20, .cluster_bits = cluster_bits}, "hostile"));
        std::vector<u8> bytes = file.bytes();
        bytes.resize(clusters << cluster_bits);
        return bytes;
    }
    // What a check reads, in multiples of the file's size.
    static double cost(const std::vector<u8>& bytes)
    {
        CountingFile file(bytes);
        const auto header = qcow2::read_header(file, "hostile");
        EXPECT_TRUE(header) << header.error().text();
        if (header)
            (void)qcow2::check(file, header.value(), "hostile");
        return double(file.bytes_read) / double(bytes.size());
    }
};

TEST_F(Qcow2Hostile, snapshots_that_share_their_tables_cost_no_more_than_one)
{
    constexpr u64 cluster = 65536, snapshots = 5000, tables = 16, l1 = 8 * cluster, first_table = 9 * cluster,
                  list = 30 * cluster;
    std::vector<u8> bytes = image(16, 40);
    for (u64 n = 0; n < tables; ++n)
        store_be(&bytes[l1 + 8 * n], u64(first_table + n * cluster));
    store_be(&bytes[qcow2::header_nb_snapshots], u32(snapshots));
    store_be(&bytes[qcow2::header_snapshots_offset], u64(list));
    for (u64 n = 0; n < snapshots; ++n) {
        store_be(&bytes[list + 40 * n], u64(l1));
        store_be(&bytes[list + 40 * n + 8], u32(tables));
    }
    EXPECT_LT(cost(bytes), most_cost);
}

TEST_F(Qcow2Hostile, snapshots_whose_tables_are_longer_than_the_file_are_not_looked_at)
{
    constexpr u64 cluster = 65536, snapshots = 1000, list = 30 * cluster;
    std::vector<u8> bytes = image(16, 40);
    store_be(&bytes[qcow2::header_nb_snapshots], u32(snapshots));
    store_be(&bytes[qcow2::header_snapshots_offset], u64(list));
    for (u64 n = 0; n < snapshots; ++n) {
        store_be(&bytes[list + 40 * n], u64(8 * cluster));
        store_be(&bytes[list + 40 * n + 8], u32(qcow2::largest_l1 / 8));
    }
    EXPECT_LT(cost(bytes), most_cost);
    // The disk can be read, but not be written to beside snapshots that are not known.
    const auto file = std::make_shared<MemoryFile>(bytes);
    const auto header = qcow2::read_header(*file, "hostile");
    ASSERT_TRUE(header);
    const auto open = [&](ImageAccess access) {
        return qcow2::Image::open("hostile", std::make_unique<SharedFile>(file), header.value(), {.access = access});
    };
    EXPECT_TRUE(open(ImageAccess::read_only));
    const auto opened = open(ImageAccess::read_write);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().text().find("snapshot"), std::string::npos);
}

TEST_F(Qcow2Hostile, bitmaps_that_share_their_tables_are_not_all_looked_at)
{
    constexpr u64 cluster = 65536, directory = 20 * cluster, bitmaps = 20'000, entry = 24;
    std::vector<u8> bytes = image(16, 40);
    const u32 extension = load_be<u32>(&bytes[qcow2::header_header_length]);
    store_be(&bytes[qcow2::header_autoclear_features], qcow2::autoclear_bitmaps);
    store_be(&bytes[extension], qcow2::extension_bitmaps);
    store_be(&bytes[extension + 4], u32(24));
    store_be(&bytes[extension + 8], u32(bitmaps));
    store_be(&bytes[extension + 16], u64(bitmaps * entry));
    store_be(&bytes[extension + 24], u64(directory));
    store_be(&bytes[extension + 32], u64(0));
    for (u64 n = 0; n < bitmaps; ++n) {
        store_be(&bytes[directory + n * entry], u64(10 * cluster));
        store_be(&bytes[directory + n * entry + 8], u32(100'000));
    }
    EXPECT_LT(cost(bytes), most_cost);
}

// Four million clusters that are counted, and none of them there. Version 2 has no bit that says an image is damaged.
TEST_F(Qcow2Hostile, a_free_cluster_that_is_nowhere_is_looked_for_once)
{
    constexpr u64 cluster = 512, blocks = 16800, table = 1 << 20, first_block = 2 << 20;
    MemoryFile made;
    ASSERT_TRUE(qcow2::write_new_image(made, {.size = 1 << 20, .version = 2, .cluster_bits = 9}, "hostile"));
    std::vector<u8> bytes = made.bytes();
    bytes.resize(first_block + blocks * cluster);
    store_be(&bytes[qcow2::header_refcount_table_offset], table);
    store_be(&bytes[qcow2::header_refcount_table_clusters], u32(blocks * 8 / cluster + 1));
    for (u64 n = 0; n < blocks; ++n) {
        store_be(&bytes[table + 8 * n], first_block + n * cluster);
        for (u64 count = 0; count < cluster / 2; ++count)
            store_be(&bytes[first_block + n * cluster + 2 * count], u16(1));
    }
    const auto counting = std::make_shared<CountingFile>(bytes);
    const auto header = qcow2::read_header(*counting, "hostile");
    ASSERT_TRUE(header) << header.error().text();
    auto image = qcow2::Image::open("hostile", std::make_unique<SharedFile>(counting), header.value(), {});
    ASSERT_TRUE(image) << image.error().text();
    std::vector<u8> sector(512);
    const auto write = [&](u64 offset) {
        return (*image)->execute({.operation = BlockOperation::write, .offset = offset, .length = 512, .segments = {sector}});
    };
    const BlockResult first = write(0);
    EXPECT_NE(first.error.text().find("count more clusters than the file has"), std::string::npos) << first.error.text();
    const u64 before = counting->bytes_read;
    for (u64 n = 0; n < 1000; ++n)
        EXPECT_EQ(write(n * 1024).error.text(), first.error.text());
    EXPECT_EQ(counting->bytes_read, before);
}

}
