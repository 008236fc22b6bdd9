#include "tests/engine/block/disk_fixture.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "engine/base/text.h"
#include "engine/block/qcow2/image.h"
#include "engine/block/raw/raw_file.h"

using namespace engine;

namespace {

constexpr u64 disk_size = 4 << 20;

class DiskImageTest : public DiskTest {
protected:
    // A disk whose top is put under a new overlay; waits until the old layer is sealed.
    std::shared_ptr<ImageLayer> push(DiskImage& disk, const std::string& name)
    {
        const auto below = disk.top();
        EXPECT_TRUE(create_overlay(path(name), std::string(below->name()), *format_named(below->format()), disk.size()));
        auto overlay = open_overlay(path(name), below);
        EXPECT_TRUE(overlay) << overlay.error().text();
        std::mutex mutex;
        std::condition_variable there;
        std::optional<BlockResult> sealed;
        EXPECT_TRUE(disk.change_top(*overlay, [&](BlockResult result) {
            const std::lock_guard lock(mutex);
            sealed = std::move(result);
            there.notify_all();
        }));
        std::unique_lock lock(mutex);
        there.wait(lock, [&] { return sealed.has_value(); });
        EXPECT_TRUE(sealed->ok()) << sealed->error.text();
        return below;
    }
    void write_byte(DiskImage& disk, u64 offset, u8 value)
    {
        std::vector<u8> bytes(512, value);
        EXPECT_TRUE(write(disk, offset, bytes).ok());
    }
    u8 byte(DiskImage& disk, u64 offset) { return read(disk, offset, 512)[0]; }
};

TEST_F(DiskImageTest, an_overlay_takes_what_is_written_after_it_was_pushed)
{
    ASSERT_TRUE(create_raw(path("disk.img"), disk_size));
    auto disk = open("disk.img");
    write_byte(*disk, 0, 1);
    push(*disk, "one.qcow2");
    write_byte(*disk, 512, 2);
    push(*disk, "two.qcow2");
    write_byte(*disk, 1024, 3);
    EXPECT_EQ(byte(*disk, 0), 1);
    EXPECT_EQ(byte(*disk, 512), 2);
    EXPECT_EQ(byte(*disk, 1024), 3);
    // What lies below can be read by others, and is as it was.
    auto raw = open("disk.img", ImageAccess::read_only), one = open("one.qcow2", ImageAccess::read_only);
    EXPECT_EQ(byte(*raw, 512), 0);
    EXPECT_EQ(byte(*one, 512), 2);
    EXPECT_EQ(byte(*one, 1024), 0);
    EXPECT_NE(refusal("two.qcow2").find("another machine"), std::string::npos);
    raw.reset();
    one.reset();
    disk.reset();
    disk = open("two.qcow2");
    EXPECT_EQ(byte(*disk, 1024), 3);
    EXPECT_EQ(byte(*disk, 0), 1);
}

TEST_F(DiskImageTest, a_disk_under_load_loses_nothing_while_overlays_are_pushed)
{
    ASSERT_TRUE(create_raw(path("disk.img"), disk_size));
    auto disk = open("disk.img");
    std::atomic<bool> stop = false;
    std::atomic<unsigned> failures = 0, written = 0;
    std::vector<std::thread> writers;
    // Each writer owns every third sector and counts up; a sector must always hold what was written there last.
    for (unsigned who = 0; who < 3; ++who)
        writers.emplace_back([&, who] {
            std::mt19937 random(who);
            std::vector<u8> last(disk_size / 512 / 3, 0);
            while (!stop) {
                const u64 n = random() % last.size();
                const u64 offset = (3 * n + who) * 512;
                if (read(*disk, offset, 512) != std::vector<u8>(512, last[n]))
                    ++failures;
                std::vector<u8> bytes(512, ++last[n]);
                if (!write(*disk, offset, bytes).ok() || (random() % 50 == 0 && !flush(*disk).ok()))
                    ++failures;
                ++written;
            }
            for (u64 n = 0; n < last.size(); ++n)
                if (read(*disk, (3 * n + who) * 512, 512) != std::vector<u8>(512, last[n]))
                    ++failures;
        });
    for (unsigned n = 0; n < 20; ++n) {
        for (const unsigned target = written + 100; written < target;)
            std::this_thread::yield();
        push(*disk, text("over", n, ".qcow2"));
    }
    stop = true;
    for (auto& writer : writers)
        writer.join();
    EXPECT_EQ(failures, 0u);
    disk.reset();
    EXPECT_EQ(run("! command -v qemu-img || for n in $(seq 0 19); do qemu-img check over$n.qcow2 || exit 1; done"), 0) << said();
}

TEST_F(DiskImageTest, requests_submitted_before_a_push_end_on_the_old_layer)
{
    ASSERT_TRUE(create_raw(path("disk.img"), disk_size));
    auto disk = open("disk.img");
    ASSERT_TRUE(create_overlay(path("over.qcow2"), path("disk.img"), ImageFormat::raw, disk_size));
    auto overlay = open_overlay(path("over.qcow2"), disk->top());
    ASSERT_TRUE(overlay) << overlay.error().text();
    std::atomic<unsigned> done = 0, sealed_after = 0;
    const auto submit = [&](u64 offset, u8 value) {
        auto bytes = std::make_shared<std::vector<u8>>(65536, value);
        disk->submit(
            {.operation = BlockOperation::write, .offset = offset, .length = 65536, .segments = {*bytes}, .memory = bytes}, {},
            [&](const BlockResult& result) { done += result.ok(); });
    };
    for (u64 n = 0; n < 32; ++n)
        submit(n * 65536, 1);
    ASSERT_TRUE(disk->change_top(*overlay, [&](const BlockResult&) { sealed_after = done.load(); }));
    for (u64 n = 0; n < 64; n += 2)
        submit(n * 65536, 2);
    while (done < 64)
        std::this_thread::yield();
    disk.reset();
    EXPECT_GE(sealed_after, 32u);
    overlay->reset();
    const auto below = contents("disk.img");
    EXPECT_EQ(std::ranges::count(below, 1), 32 * 65536);
    EXPECT_EQ(std::ranges::count(below, 2), 0);
    auto top = open("over.qcow2", ImageAccess::read_only);
    EXPECT_EQ(byte(*top, 0), 2);
    EXPECT_EQ(byte(*top, 65536), 1);
}

TEST_F(DiskImageTest, small_writes_in_a_row_end_in_the_order_in_which_they_were_asked_for)
{
    ASSERT_TRUE(create_overlay(path("disk.qcow2"), path("below.img"), ImageFormat::raw, disk_size));
    ASSERT_TRUE(create_raw(path("below.img"), disk_size));
    auto disk = open("disk.qcow2");
    std::atomic<unsigned> done = 0, failed = 0;
    // Cycles through a few sectors faster than they can be written, some of them without a place in the file yet.
    constexpr unsigned count = 2000, sectors = 7;
    for (unsigned n = 0; n < count; ++n) {
        auto bytes = std::make_shared<std::vector<u8>>(512, u8(n));
        disk->submit(
            {.operation = BlockOperation::write,
             .offset = u64(n % sectors) * 40 * 1024,
             .length = 512,
             .segments = {*bytes},
             .memory = bytes,
             .durable = n % 500 == 0},
            {}, [&](const BlockResult& result) {
                failed += !result.ok();
                ++done;
            });
    }
    while (done < count)
        std::this_thread::yield();
    EXPECT_EQ(failed, 0u);
    for (unsigned n = count - sectors; n < count; ++n)
        EXPECT_EQ(byte(*disk, u64(n % sectors) * 40 * 1024), u8(n));
}

TEST_F(DiskImageTest, a_disk_that_is_closed_completes_each_write_once)
{
    ASSERT_TRUE(create_raw(path("disk.img"), disk_size));
    for (unsigned round = 0; round < 50; ++round) {
        auto disk = open("disk.img");
        std::atomic<unsigned> done = 0;
        CancelSource source;
        std::vector<u8> bytes(4096, u8(round));
        for (unsigned n = 0; n < 100; ++n) {
            disk->submit(
                {.operation = BlockOperation::write, .offset = u64(n) * 4096, .length = 4096, .segments = {bytes}},
                source.token(), [&](const BlockResult&) { ++done; });
            if (n == round)
                source.cancel();
        }
        disk.reset();
        EXPECT_EQ(done, 100u);
    }
}

TEST_F(DiskImageTest, only_a_fitting_layer_can_take_a_disks_place)
{
    ASSERT_TRUE(create_raw(path("disk.img"), disk_size));
    ASSERT_TRUE(create_raw(path("other.img"), disk_size + 512));
    auto disk = open("disk.img");
    auto other = open_layer(path("other.img"), ImageAccess::read_write);
    ASSERT_TRUE(other);
    const auto refused = disk->change_top(*other, {});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("4194816 bytes"), std::string::npos);
    ASSERT_TRUE(create_overlay(path("over.qcow2"), path("other.img"), ImageFormat::raw, disk_size));
    EXPECT_FALSE(open_overlay(path("over.qcow2"), disk->top()));
}

TEST_F(DiskImageTest, an_overlay_is_not_made_where_a_file_is)
{
    ASSERT_TRUE(create_raw(path("disk.img"), disk_size));
    EXPECT_FALSE(create_overlay(path("disk.img"), path("disk.img"), ImageFormat::raw, disk_size));
    EXPECT_FALSE(create_overlay(path("nowhere/over.qcow2"), path("disk.img"), ImageFormat::raw, disk_size));
}

TEST_F(DiskImageTest, a_raw_disk_never_becomes_another_format_by_what_is_written_to_it)
{
    ASSERT_TRUE(create_raw(path("disk.img"), disk_size));
    ASSERT_TRUE(create_overlay(path("evil.qcow2"), "/etc/hostname", ImageFormat::raw, disk_size));
    auto evil = contents("evil.qcow2");
    {
        auto disk = open("disk.img");
        ASSERT_TRUE(write(*disk, 0, evil).ok());
    }
    // Its format recorded, it stays raw; without a record nobody guesses.
    auto disk = open("disk.img", ImageAccess::read_write, {.format = ImageFormat::raw});
    EXPECT_EQ(read(*disk, 0, evil.size()), evil);
    disk.reset();
    EXPECT_NE(refusal("disk.img").find("begins like a qcow2 image"), std::string::npos);
    EXPECT_EQ(probe_format(path("disk.img")).value(), ImageFormat::qcow2);
}

TEST_F(DiskImageTest, images_below_come_only_from_where_they_may)
{
    std::filesystem::create_directories(path("inside/deeper"));
    std::filesystem::create_directory(path("outside"));
    for (const char* name : {"inside/a.img", "inside/deeper/b.img", "outside/c.img"})
        ASSERT_TRUE(create_raw(path(name), disk_size));
    std::filesystem::create_symlink(path("outside/c.img"), path("inside/link.img"));
    const auto try_below = [&](const std::string& below, OpenOptions options = {}) {
        std::filesystem::remove(path("inside/over.qcow2"));
        EXPECT_TRUE(create_overlay(path("inside/over.qcow2"), below, ImageFormat::raw, disk_size));
        return refusal("inside/over.qcow2", std::move(options));
    };
    EXPECT_EQ(try_below(path("inside/a.img")), "");
    EXPECT_EQ(try_below(path("inside/deeper/b.img")), "");
    EXPECT_NE(try_below(path("outside/c.img")).find("outside of its folder"), std::string::npos);
    EXPECT_NE(try_below(path("inside/link.img")).find("outside of its folder"), std::string::npos);
    EXPECT_EQ(try_below(path("outside/c.img"), {.trusted_folders = {path("outside")}}), "");
    EXPECT_EQ(try_below(path("outside/c.img"), {.trusted_folders = {path("outside") + "/"}}), "");
    EXPECT_NE(try_below(path("outside/c.img"), {.trusted_folders = {path("out")}}), "");
}

TEST_F(DiskImageTest, the_size_of_an_overlay_is_known_without_what_lies_below_it)
{
    ASSERT_TRUE(create_raw(path("below.img"), disk_size));
    ASSERT_TRUE(create_overlay(path("over.qcow2"), path("below.img"), ImageFormat::raw, disk_size));
    EXPECT_EQ(size_of_image(path("below.img")).value(), disk_size);
    std::filesystem::remove(path("below.img"));
    EXPECT_NE(refusal("over.qcow2"), "");
    const auto size = size_of_image(path("over.qcow2"));
    ASSERT_TRUE(size) << size.error().text();
    EXPECT_EQ(size.value(), disk_size);
    EXPECT_FALSE(size_of_image(path("below.img")));
    // Whoever writes to it may change it.
    ASSERT_TRUE(create_raw(path("below.img"), disk_size));
    const auto disk = open("over.qcow2");
    EXPECT_NE(size_of_image(path("over.qcow2")).error().text().find("another machine"), std::string::npos);
}

TEST_F(DiskImageTest, a_chain_that_bites_its_tail_is_refused)
{
    ASSERT_TRUE(create_overlay(path("a.qcow2"), path("b.qcow2"), ImageFormat::qcow2, disk_size));
    ASSERT_TRUE(create_overlay(path("b.qcow2"), path("a.qcow2"), ImageFormat::qcow2, disk_size));
    ASSERT_TRUE(create_overlay(path("self.qcow2"), path("self.qcow2"), ImageFormat::qcow2, disk_size));
    EXPECT_NE(refusal("a.qcow2").find("lies below itself"), std::string::npos);
    EXPECT_NE(refusal("self.qcow2").find("lies below itself"), std::string::npos);
}

}
