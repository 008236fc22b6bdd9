#include "tests/engine/block/disk_fixture.h"

#include "engine/block/raw/raw_file.h"

using namespace engine;

namespace {

constexpr u64 disk_size = 4 << 20, cluster = 65536;

class ImageLayerTest : public DiskTest {
protected:
    // A disk whose second cluster begins with data, under a layer that is empty.
    void SetUp() override
    {
        ASSERT_TRUE(create_raw(path("below.img"), disk_size));
        std::vector<u8> bytes = noise(4096, 1);
        ASSERT_TRUE(write(*open("below.img"), cluster, bytes).ok());
        ASSERT_TRUE(create_overlay(path("middle.qcow2"), path("below.img"), ImageFormat::raw, disk_size));
        ASSERT_TRUE(create_overlay(path("top.qcow2"), path("middle.qcow2"), ImageFormat::qcow2, disk_size));
    }
};

TEST_F(ImageLayerTest, zeroes_are_known_through_all_layers)
{
    auto layer = open_layer(path("middle.qcow2"), ImageAccess::read_write);
    ASSERT_TRUE(layer);
    EXPECT_TRUE(reads_as_zeroes(**layer, 0, cluster));
    EXPECT_FALSE(reads_as_zeroes(**layer, 0, cluster + 1));
    EXPECT_FALSE(reads_as_zeroes(**layer, cluster, 1));
    EXPECT_TRUE(reads_as_zeroes(**layer, cluster + 4096, disk_size));
    EXPECT_TRUE(reads_as_zeroes(**layer, disk_size, ~u64(0) - disk_size));
    EXPECT_TRUE(reads_as_zeroes(**layer, cluster, 0));
}

TEST_F(ImageLayerTest, zeroing_a_part_of_what_is_zero_takes_no_room)
{
    auto disk = open("top.qcow2");
    ASSERT_TRUE(disk);
    const u64 before = std::filesystem::file_size(path("top.qcow2"));
    const auto zero = [&](u64 offset, u64 length) {
        return wait(*disk, {.operation = BlockOperation::write_zeroes, .offset = offset, .length = length}).ok();
    };
    EXPECT_TRUE(zero(512, 1024));
    EXPECT_TRUE(zero(cluster, 8192));    // where data was, and no more than that
    EXPECT_TRUE(zero(3 * cluster - 512, 1024));
    EXPECT_EQ(disk->top()->extent(0, cluster).zero, true);
    EXPECT_EQ(disk->top()->extent(cluster, cluster).zero, true);
    EXPECT_TRUE(flush(*disk).ok());
    // An L2 table and its counts.
    EXPECT_LE(std::filesystem::file_size(path("top.qcow2")), before + 3 * cluster);
    EXPECT_EQ(read(*disk, 0, disk_size), std::vector<u8>(disk_size));
}

TEST_F(ImageLayerTest, zeroing_beside_data_keeps_it)
{
    auto disk = open("top.qcow2");
    ASSERT_TRUE(wait(*disk, {.operation = BlockOperation::write_zeroes, .offset = cluster + 512, .length = 8192}).ok());
    std::vector<u8> wanted(disk_size);
    const std::vector<u8> data = noise(4096, 1);
    std::copy_n(data.begin(), 512, wanted.begin() + cluster);
    EXPECT_EQ(read(*disk, 0, disk_size), wanted);
}

}
