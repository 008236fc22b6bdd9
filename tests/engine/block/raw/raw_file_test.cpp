#include "engine/block/raw/raw_file.h"

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace engine;

namespace {

class RawFileTest : public testing::Test {
protected:
    RawFileTest()
    {
        char pattern[] = "/tmp/paddock-raw-XXXXXX";
        folder_ = mkdtemp(pattern);
    }
    ~RawFileTest() override { std::filesystem::remove_all(folder_); }

    std::string path(const std::string& name) const { return (folder_ / name).string(); }
    std::string file(const std::string& name, std::size_t size, char fill = 'x') const
    {
        std::ofstream(path(name)) << std::string(size, fill);
        return path(name);
    }
    auto open(
        const std::string& name, RawFile::Access access = RawFile::Access::read_write,
        RawFile::Medium medium = RawFile::Medium::disk)
    {
        return RawFile::open(path(name), medium, access, workers_);
    }

    static BlockResult wait(BlockDevice& device, BlockRequest request, CancelToken token = {})
    {
        std::mutex mutex;
        std::condition_variable there;
        std::optional<BlockResult> result;
        device.submit(std::move(request), token, [&](BlockResult r) {
            const std::lock_guard lock(mutex);
            result = std::move(r);
            there.notify_all();
        });
        std::unique_lock lock(mutex);
        there.wait(lock, [&] { return result.has_value(); });
        return *result;
    }
    static BlockResult move(BlockDevice& device, BlockOperation operation, u64 offset, std::vector<u8>& bytes)
    {
        return wait(device, {.operation = operation, .offset = offset, .length = bytes.size(), .segments = {bytes}});
    }

    WorkerPool workers_{2};
    std::filesystem::path folder_;
};

TEST_F(RawFileTest, what_is_written_is_read_back_across_segments)
{
    file("disk", 4096);
    auto disk = open("disk");
    ASSERT_TRUE(disk);
    std::vector<u8> a(512, 1), b(1024, 2), back(2048);
    EXPECT_TRUE(wait(**disk, {.operation = BlockOperation::write, .offset = 512, .length = 1536, .segments = {a, b}}).ok());
    EXPECT_TRUE(wait(**disk, {.operation = BlockOperation::flush}).ok());
    EXPECT_TRUE(move(**disk, BlockOperation::read, 0, back).ok());
    EXPECT_EQ(back[0], 'x');
    EXPECT_EQ(back[512], 1);
    EXPECT_EQ(back[1023], 1);
    EXPECT_EQ(back[1024], 2);
    EXPECT_EQ(back[2047], 2);
}

TEST_F(RawFileTest, requests_outside_the_image_are_refused)
{
    file("disk", 4096);
    auto disk = open("disk");
    ASSERT_TRUE(disk);
    std::vector<u8> bytes(1024);
    for (const u64 offset : {u64(3584), u64(4096), u64(100), ~u64(511)})
        EXPECT_EQ(move(**disk, BlockOperation::read, offset, bytes).fault, BlockFault::out_of_range) << offset;
    BlockRequest liar{.operation = BlockOperation::read, .offset = 0, .length = 2048, .segments = {bytes}};
    EXPECT_EQ(wait(**disk, liar).fault, BlockFault::out_of_range);
    EXPECT_EQ(
        wait(**disk, {.operation = BlockOperation::discard, .offset = 512, .length = ~u64(511)}).fault, BlockFault::out_of_range);
}

TEST_F(RawFileTest, zeroes_and_discards_read_back_as_zeroes)
{
    file("disk", 16384);
    auto disk = open("disk");
    ASSERT_TRUE(disk);
    EXPECT_TRUE(wait(**disk, {.operation = BlockOperation::write_zeroes, .offset = 512, .length = 8192}).ok());
    std::vector<u8> back(16384);
    EXPECT_TRUE(move(**disk, BlockOperation::read, 0, back).ok());
    EXPECT_EQ(back[511], 'x');
    EXPECT_EQ(back[512], 0);
    EXPECT_EQ(back[8703], 0);
    EXPECT_EQ(back[8704], 'x');
}

TEST_F(RawFileTest, an_image_is_written_by_one_and_read_by_many)
{
    file("disk", 4096);
    {
        auto writer = open("disk");
        ASSERT_TRUE(writer);
        EXPECT_FALSE(open("disk"));
        const auto reader = open("disk", RawFile::Access::read_only);
        ASSERT_FALSE(reader);
        EXPECT_NE(reader.error().text().find("another machine"), std::string::npos);
    }
    auto one = open("disk", RawFile::Access::read_only);
    auto two = open("disk", RawFile::Access::read_only);
    EXPECT_TRUE(one);
    EXPECT_TRUE(two);
    EXPECT_FALSE(open("disk"));
    std::vector<u8> bytes(512);
    EXPECT_EQ(move(**one, BlockOperation::write, 0, bytes).fault, BlockFault::read_only);
}

TEST_F(RawFileTest, what_cannot_be_opened_is_explained)
{
    file("odd", 1000);
    file("empty", 0);
    std::filesystem::create_directory(path("folder"));
    const auto why = [&](const std::string& name) { return open(name).error().text(); };
    EXPECT_NE(why("missing").find("no such file"), std::string::npos);
    EXPECT_NE(why("odd").find("1000 bytes is not a multiple of 512"), std::string::npos);
    EXPECT_NE(why("empty").find("is empty"), std::string::npos);
    EXPECT_NE(why("folder").find("folder"), std::string::npos);
    EXPECT_NE(open("folder", RawFile::Access::read_only).error().text().find("folder"), std::string::npos);
}

TEST_F(RawFileTest, a_disc_that_ends_within_a_sector_is_filled_up)
{
    file("disc", 3000);
    auto disc = open("disc", RawFile::Access::read_only, RawFile::Medium::optical);
    ASSERT_TRUE(disc);
    EXPECT_EQ((*disc)->size(), 4096u);
    std::vector<u8> back(4096, 7);
    EXPECT_TRUE(move(**disc, BlockOperation::read, 0, back).ok());
    EXPECT_EQ(back[2999], 'x');
    EXPECT_EQ(back[3000], 0);
    EXPECT_EQ(back[4095], 0);
}

TEST_F(RawFileTest, a_file_that_shrank_is_an_error_in_words)
{
    // A file that shrank reads as an I/O error, never as stale memory.
    file("disk", 4096);
    auto disk = open("disk");
    ASSERT_TRUE(disk);
    std::filesystem::resize_file(path("disk"), 1024);
    std::vector<u8> bytes(512);
    EXPECT_EQ(move(**disk, BlockOperation::read, 2048, bytes).fault, BlockFault::input_output);
    EXPECT_FALSE(move(**disk, BlockOperation::read, 2048, bytes).error.text().empty());
}

TEST_F(RawFileTest, a_cancelled_request_has_no_effect)
{
    file("disk", 4096);
    auto disk = open("disk");
    ASSERT_TRUE(disk);
    CancelSource source;
    const CancelToken token = source.token();
    source.cancel();
    std::vector<u8> bytes(512, 9);
    BlockRequest request{.operation = BlockOperation::write, .offset = 0, .length = 512, .segments = {bytes}};
    EXPECT_EQ(wait(**disk, request, token).fault, BlockFault::cancelled);
    EXPECT_TRUE(move(**disk, BlockOperation::read, 0, bytes).ok());
    EXPECT_EQ(bytes[0], 'x');
}

TEST_F(RawFileTest, overlapping_writes_keep_their_order_and_closing_waits)
{
    file("disk", 65536);
    std::atomic<unsigned> completed = 0;
    {
        auto disk = open("disk");
        ASSERT_TRUE(disk);
        for (unsigned n = 1; n <= 200; ++n) {
            auto bytes = std::make_shared<std::vector<u8>>(65536, u8(n));
            (*disk)->submit(
                {.operation = BlockOperation::write, .offset = 0, .length = 65536, .segments = {*bytes}, .memory = bytes}, {},
                [&](BlockResult result) { completed += result.ok(); });
        }
        std::vector<u8> back(512);
        EXPECT_TRUE(move(**disk, BlockOperation::read, 1024, back).ok());
        EXPECT_EQ(back[0], 200);
    }
    EXPECT_EQ(completed, 200u);
}

TEST_F(RawFileTest, a_new_image_is_sparse_and_never_replaces_a_file)
{
    ASSERT_TRUE(create_raw(path("new"), (u64(1) << 30) + 1));
    EXPECT_EQ(std::filesystem::file_size(path("new")), (u64(1) << 30) + 512);
    const auto again = create_raw(path("new"), 512);
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().text().find("exists already"), std::string::npos);
    EXPECT_NE(create_raw(path("zero"), 0).error().text().find("0"), std::string::npos);
    EXPECT_NE(create_raw(path("huge"), ~u64(0)).error().text().find("file system"), std::string::npos);
    EXPECT_NE(create_raw(path("huge"), u64(1) << 61).error().text().find("file system"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(path("huge")));
    EXPECT_NE(create_raw(path("no/where"), 512).error().text().find("folder"), std::string::npos);
}

}
