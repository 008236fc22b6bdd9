// Where clusters are small, tables are longer than the clusters that lie between two refcount blocks.

#include "tests/engine/block/disk_fixture.h"

#include <numeric>

#include "engine/block/disk_tool.h"
#include "engine/block/new_file.h"
#include "engine/block/qcow2/create.h"

using namespace engine;

namespace {

class Qcow2SmallClusters : public DiskTest {
protected:
    void make(const qcow2::NewImage& image)
    {
        auto file = NewFile::create(path("disk.qcow2"));
        ASSERT_TRUE(file);
        ASSERT_TRUE(qcow2::write_new_image(file->file(), image, "disk.qcow2"));
        ASSERT_TRUE(file->keep());
    }
    void expect_sound()
    {
        const auto report = check_disk({path("disk.qcow2")}, false);
        ASSERT_TRUE(report) << report.error().text();
        EXPECT_EQ(report.value().corruptions, 0u);
        EXPECT_EQ(report.value().leaks, 0u);
        if (std::system("qemu-img --version >/dev/null 2>&1") == 0) {
            EXPECT_EQ(run("qemu-img check disk.qcow2"), 0) << said();
        }
    }
};

TEST_F(Qcow2SmallClusters, the_table_of_refcounts_grows_beyond_what_a_block_counts)
{
    // A block counts 64 clusters; 64 clusters of table are reached at 128 MiB.
    make({.size = 160 << 20, .cluster_bits = 9, .refcount_order = 6});
    auto disk = open("disk.qcow2");
    ASSERT_TRUE(disk);
    std::vector<u8> bytes = noise(1 << 20, 1);
    for (u64 offset = 0; offset < disk->size(); offset += bytes.size()) {
        bytes[0] = u8(offset >> 20);
        const BlockResult written = write(*disk, offset, bytes);
        ASSERT_TRUE(written.ok()) << written.error.text();
    }
    disk.reset();
    expect_sound();
    disk = open("disk.qcow2", ImageAccess::read_only);
    for (u64 offset = 0; offset < disk->size(); offset += bytes.size()) {
        bytes[0] = u8(offset >> 20);
        ASSERT_EQ(read(*disk, offset, bytes.size()), bytes);
    }
}

TEST_F(Qcow2SmallClusters, a_disk_grows_although_its_l1_table_is_longer_than_what_a_block_counts)
{
    make({.size = 1 << 20, .cluster_bits = 9});
    std::vector<u8> bytes = noise(1 << 20, 2);
    ASSERT_TRUE(write(*open("disk.qcow2"), 0, bytes).ok());
    const auto resized = resize_disk({path("disk.qcow2")}, u64(20) << 30, Shrinking::refused);
    ASSERT_TRUE(resized) << resized.error().text();
    auto disk = open("disk.qcow2");
    ASSERT_TRUE(disk);
    ASSERT_EQ(disk->size(), u64(20) << 30);
    EXPECT_EQ(read(*disk, 0, bytes.size()), bytes);
    ASSERT_TRUE(write(*disk, disk->size() - bytes.size(), bytes).ok());
    EXPECT_EQ(read(*disk, disk->size() - bytes.size(), bytes.size()), bytes);
    disk.reset();
    expect_sound();
}

TEST_F(Qcow2SmallClusters, refcounts_are_made_anew_in_an_image_that_has_few_of_them)
{
    make({.size = 24 << 20, .cluster_bits = 9, .refcount_order = 6});
    std::vector<u8> bytes = noise(20 << 20, 3);
    ASSERT_TRUE(write(*open("disk.qcow2"), 0, bytes).ok());
    // Nothing is counted any more but the first cluster's block's own stretch.
    std::vector<u8> image = contents("disk.qcow2");
    const u64 table = std::accumulate(&image[48], &image[56], u64(0), [](u64 sum, u8 byte) { return sum << 8 | byte; });
    const u64 clusters = std::accumulate(&image[56], &image[60], u64(0), [](u64 sum, u8 byte) { return sum << 8 | byte; });
    std::fill_n(image.begin() + std::ptrdiff_t(table + 8), 512 * clusters - 8, u8(0));
    put("disk.qcow2", image);
    const auto repaired = check_disk({path("disk.qcow2")}, true);
    ASSERT_TRUE(repaired) << repaired.error().text();
    EXPECT_TRUE(repaired.value().clean());
    expect_sound();
    EXPECT_EQ(read(*open("disk.qcow2"), 0, bytes.size()), bytes);
}

}
