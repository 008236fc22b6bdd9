#include "engine/snapshot/snapshot_directory.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

using namespace engine;

namespace {

class SnapshotDirectoryTest : public testing::Test {
protected:
    SnapshotDirectoryTest()
    {
        std::string pattern = testing::TempDir() + "/snapshots-XXXXXX";
        path_ = mkdtemp(pattern.data());
    }
    ~SnapshotDirectoryTest() override { std::filesystem::remove_all(path_); }

    std::string path_;
};

TEST_F(SnapshotDirectoryTest, removes_what_an_interrupted_write_left)
{
    const SnapshotDirectory directory(path_);
    std::ofstream(directory.file("0123456789abcdef.label.tmp")) << "half";
    directory.remove_unfinished();
    EXPECT_FALSE(directory.has("0123456789abcdef.label.tmp"));
}

TEST_F(SnapshotDirectoryTest, writes_over_what_an_interrupted_write_left)
{
    const SnapshotDirectory directory(path_);
    std::ofstream(directory.file("present.tmp")) << "more than the new content";
    const std::vector<u8> content(3, 7);
    ASSERT_TRUE(directory.write("present", content));
    EXPECT_EQ(directory.read("present", 100).value(), content);
    EXPECT_FALSE(directory.has("present.tmp"));
}

// Two writers of one file and one who tidies up, as two processes and a sweep would.
TEST_F(SnapshotDirectoryTest, leaves_what_is_just_being_written)
{
    const SnapshotDirectory directory(path_);
    std::atomic<unsigned> writing = 2;
    const auto write = [&](u8 value) {
        const std::vector<u8> content(200000, value);
        for (unsigned round = 0; round < 200; ++round) {
            const auto written = directory.write("present", content);
            EXPECT_TRUE(written) << written.error().text();
            const auto there = directory.read("present", 1000000);
            ASSERT_TRUE(there) << there.error().text();
            EXPECT_EQ(there.value(), std::vector<u8>(content.size(), there.value().at(0)));
        }
        --writing;
    };
    std::thread first(write, u8(1)), second(write, u8(2));
    while (writing)
        directory.remove_unfinished();
    first.join();
    second.join();
    EXPECT_FALSE(directory.has("present.tmp"));
}

}
