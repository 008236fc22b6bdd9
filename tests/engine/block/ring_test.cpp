#include <atomic>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "tests/engine/block/disk_fixture.h"

#include "engine/block/raw/raw_file.h"

using namespace engine;

namespace {

class RingTest : public DiskTest { };

TEST_F(RingTest, reads_of_many_threads_are_each_completed_once)
{
    const auto ring = Ring::make();
    if (!ring)
        GTEST_SKIP() << "the kernel gives no ring, or liburing was not there";
    const auto expected = noise(1 << 20, 1);
    put("file", expected);
    const int file = ::open(path("file").c_str(), O_RDONLY | O_CLOEXEC);
    std::atomic<unsigned> completed = 0, wrong = 0;
    std::vector<std::thread> threads;
    constexpr unsigned readers = 3, each = 500;
    for (unsigned who = 0; who < readers; ++who)
        threads.emplace_back([&, who] {
            std::mt19937 random(who);
            for (unsigned n = 0; n < each; ++n) {
                const u64 offset = random() % (expected.size() - 8192);
                const auto bytes = std::make_shared<std::vector<u8>>(4096 + random() % 4096);
                const auto done = [&, offset, bytes](int result) {
                    wrong += result != int(bytes->size())
                        || !std::equal(bytes->begin(), bytes->end(), expected.begin() + std::ptrdiff_t(offset));
                    ++completed;
                };
                while (!ring->move(
                    Ring::Way::read, file, offset, {{bytes->data(), 100}, {bytes->data() + 100, bytes->size() - 100}}, done))
                    std::this_thread::yield();
            }
        });
    for (auto& thread : threads)
        thread.join();
    while (completed < readers * each)
        std::this_thread::yield();
    EXPECT_EQ(wrong, 0u);
    // Beyond the end, and of no file at all.
    std::atomic<int> nothing = -1, trouble = 0;
    std::vector<u8> bytes(512);
    EXPECT_TRUE(ring->move(Ring::Way::read, file, 2 << 20, {{bytes.data(), 512}}, [&](int result) { nothing = result; }));
    EXPECT_TRUE(ring->move(Ring::Way::read, -1, 0, {{bytes.data(), 512}}, [&](int result) { trouble = result; }));
    while (nothing < 0 || trouble == 0)
        std::this_thread::yield();
    EXPECT_EQ(nothing, 0);
    EXPECT_EQ(trouble, -EBADF);
    ::close(file);
}

TEST_F(RingTest, what_is_written_by_it_is_in_the_file)
{
    const auto ring = Ring::make();
    if (!ring)
        GTEST_SKIP() << "the kernel gives no ring, or liburing was not there";
    auto expected = noise(256 * 1024, 2);
    put("file", std::vector<u8>(expected.size()));
    const int file = ::open(path("file").c_str(), O_RDWR | O_CLOEXEC);
    std::atomic<unsigned> completed = 0, wrong = 0;
    constexpr u64 piece = 1024;
    for (u64 offset = 0; offset < expected.size(); offset += piece) {
        const auto done = [&](int result) {
            wrong += result != int(piece);
            ++completed;
        };
        u8* const bytes = expected.data() + offset;
        while (!ring->move(Ring::Way::write, file, offset, {{bytes, 100}, {bytes + 100, piece - 100}}, done))
            std::this_thread::yield();
    }
    while (completed < expected.size() / piece)
        std::this_thread::yield();
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(contents("file"), expected);
    std::atomic<int> trouble = 0;
    EXPECT_TRUE(ring->move(Ring::Way::write, -1, 0, {{expected.data(), 512}}, [&](int result) { trouble = result; }));
    while (trouble == 0)
        std::this_thread::yield();
    EXPECT_EQ(trouble, -EBADF);
    ::close(file);
}

// Past the cache nothing is read at once, so that all of it goes by the ring where there is one; so do writes to what has its
// place.
TEST_F(RingTest, a_disk_is_read_and_written_by_it_while_it_is_pushed_down)
{
    constexpr u64 size = 2 << 20;
    ASSERT_TRUE(create_raw(path("below.raw"), size));
    auto opened = open_image(path("below.raw"), ImageAccess::read_write, workers_, {.cache = DiskCache::none});
    if (!opened)
        GTEST_SKIP() << opened.error().text();
    DiskImage& disk = **opened;
    struct alignas(4096) Page {
        std::array<u8, 4096> bytes;
    };
    auto pages = std::make_unique<std::array<Page, 64>>();
    std::atomic<unsigned> done = 0, failed = 0;
    unsigned submitted = 0;
    const auto submit = [&](BlockOperation operation, u64 page, std::span<u8> bytes) {
        ++submitted;
        disk.submit(
            {.operation = operation, .offset = page * 4096, .length = 4096, .segments = {bytes}}, {},
            [&](const BlockResult& result) {
                failed += !result.ok();
                ++done;
            });
    };
    std::shared_ptr<ImageLayer> below;
    for (unsigned round = 0; round < 8; ++round) {
        for (u64 page = 0; page < 32; ++page) {
            (*pages)[page].bytes.fill(u8(round * 32 + page));
            submit(BlockOperation::write, page, (*pages)[page].bytes);
        }
        for (u64 page = 0; page < 32; ++page)
            submit(BlockOperation::read, page, (*pages)[32 + page].bytes);
        while (done < submitted)
            std::this_thread::yield();
        for (u64 page = 0; page < 32; ++page)
            ASSERT_EQ((*pages)[32 + page].bytes, (*pages)[page].bytes) << round << " " << page;
        if (round == 3) {
            below = disk.top();
            ASSERT_TRUE(create_overlay(path("over.qcow2"), path("below.raw"), ImageFormat::raw, size));
            auto overlay = open_overlay(path("over.qcow2"), below, DiskCache::none);
            ASSERT_TRUE(overlay) << overlay.error().text();
            ASSERT_TRUE(disk.change_top(*overlay, {}));
        }
    }
    EXPECT_EQ(failed, 0u);
}

}
