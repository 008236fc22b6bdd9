#include "engine/machine/firmware/variable_store.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "engine/device/platform/parallel_flash.h"

using namespace engine;

namespace {

constexpr u64 chip_size = 0x4000;

struct VariableStoreTest : testing::Test {
    std::filesystem::path folder;
    std::string path;
    std::vector<u8> initial = std::vector<u8>(chip_size, 0xff);
    std::mutex lock;
    WorkerPool workers{2};
    std::unique_ptr<MemoryBlock> chip = std::move(*MemoryBlock::create("chip", chip_size));
    std::vector<Error> failures;

    VariableStoreTest()
    {
        char name[] = "/tmp/paddock-variables-XXXXXX";
        folder = ::mkdtemp(name);
        path = folder / "variables.fd";
        initial[0] = 'i';
    }
    ~VariableStoreTest() override { std::filesystem::remove_all(folder); }
    std::unique_ptr<VariableStore> store()
    {
        auto file = VariableFile::open(path, initial);
        EXPECT_TRUE(file) << file.error().text();
        std::ranges::copy(file->take_content(), chip->data());
        return std::make_unique<VariableStore>(
            std::move(*file), *chip,
            VariableStore::Wires{lock, workers, [this](const Error& error) { failures.push_back(error); }});
    }
    void change(VariableStore& store, u64 at, u8 value)
    {
        const std::lock_guard held(lock);
        chip->data()[at] = value;
        store.changed();
    }
    std::string content() const
    {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
};

}

TEST_F(VariableStoreTest, a_missing_file_is_made)
{
    auto made = VariableFile::open(path, initial);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->take_content(), initial);
    EXPECT_EQ(content().size(), chip_size);
    EXPECT_EQ(content()[0], 'i');
}

TEST_F(VariableStoreTest, follows_the_chip)
{
    auto first = store();
    for (u64 n = 1; n < 200; ++n)
        change(*first, n, u8(n));
    first.reset();
    EXPECT_EQ(content(), std::string(chip->data(), chip->data() + chip_size));
    chip->data()[5] = 0;
    const auto second = store();
    EXPECT_EQ(chip->data()[5], 5);
    EXPECT_TRUE(failures.empty());
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(VariableStoreTest, holds_what_the_chip_held_at_one_instant)
{
    auto writing = store();
    std::jthread reader([this](const std::stop_token& stop) {
        // Each byte is written after the one before it.
        while (!stop.stop_requested()) {
            const std::string seen = content();
            ASSERT_EQ(seen.size(), chip_size);
            const auto erased = seen.find('\xff', 1);
            ASSERT_EQ(seen.find_first_not_of('\xff', erased), std::string::npos);
        }
    });
    for (u64 n = 1; n < 2000; ++n)
        change(*writing, n, 'x');
    writing.reset();
    reader.request_stop();
    reader.join();
    EXPECT_EQ(content()[1999], 'x');
}

TEST_F(VariableStoreTest, a_file_in_use_is_refused)
{
    auto first = store();
    EXPECT_FALSE(VariableFile::open(path, initial));
    change(*first, 1, 1);
    first.reset();
    EXPECT_TRUE(VariableFile::open(path, initial));
}

TEST_F(VariableStoreTest, a_file_of_another_length_is_refused)
{
    std::ofstream(path, std::ios::binary) << std::string(chip_size + 4096, 'x');
    const auto opened = VariableFile::open(path, initial);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().why.find("16384"), std::string::npos);
    EXPECT_EQ(content().size(), chip_size + 4096);
    EXPECT_FALSE(VariableFile::open(folder, initial));
    std::filesystem::remove(path);
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_FALSE(VariableFile::open(path, initial));
}

TEST_F(VariableStoreTest, what_could_not_be_written_is_told_and_tried_again)
{
    auto writing = store();
    std::filesystem::create_directory(path + ".new");    // where the next one would be made
    change(*writing, 1, 7);
    for (std::unique_lock held(lock); failures.empty(); held.unlock(), std::this_thread::yield(), held.lock()) { }
    EXPECT_EQ(content()[1], '\xff');
    std::filesystem::remove(path + ".new");
    {
        const std::lock_guard held(lock);
        writing->retry_failed();
    }
    writing.reset();
    EXPECT_EQ(content()[1], 7);
    EXPECT_EQ(failures.size(), 1u);
}

TEST_F(VariableStoreTest, a_snapshot_tells_the_whole_chip)
{
    SnapshotContent content;
    EXPECT_FALSE(variables_in(content));
    content.machine.scalars[variable_bytes] = chip_size;
    content.states[variable_chip].blobs[ParallelFlash::content_field] = {1, 2, 3};
    const auto whole = variables_in(content);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->size(), chip_size);
    EXPECT_EQ((*whole)[2], 3);
    EXPECT_EQ((*whole)[3], 0xff);
    content.machine.scalars[variable_bytes] = ~u64(0);    // hostile
    EXPECT_LE(variables_in(content)->size(), ParallelFlash::largest);
    content.machine.scalars[variable_bytes] = 1;
    EXPECT_EQ(variables_in(content)->size(), 3u);
}
