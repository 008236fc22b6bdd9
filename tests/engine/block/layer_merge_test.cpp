#include "engine/block/layer_merge.h"

#include <atomic>
#include <csignal>
#include <thread>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/engine/block/disk_fixture.h"

#include "engine/base/text.h"
#include "engine/block/qcow2/create.h"
#include "engine/block/qcow2/image.h"
#include "engine/block/raw/raw_file.h"

using namespace engine;

namespace {

constexpr u64 disk_size = (6 << 20) + 1536;    // ends within a cluster

class LayerMergeTest : public DiskTest {
protected:
    using Bytes = std::vector<u8>;

    void make_layer(const std::string& name, const std::string& below, u32 cluster_bits = 16, u64 size = disk_size)
    {
        auto file = NewFile::create(path(name));
        ASSERT_TRUE(file);
        const qcow2::NewImage image{
            .size = size,
            .cluster_bits = cluster_bits,
            .backing_file = below,
            .backing_format = below.ends_with(".qcow2") ? "qcow2" : "raw",
        };
        ASSERT_TRUE(qcow2::write_new_image(file->file(), image, path(name)));
        ASSERT_TRUE(file->keep());
    }
    std::shared_ptr<ImageLayer> layer(const std::string& name, ImageAccess access = ImageAccess::read_only)
    {
        auto opened = open_layer(path(name), access, {.format = ImageFormat::qcow2});
        EXPECT_TRUE(opened) << opened.error().text();
        return opened ? *opened : nullptr;
    }
    Bytes shown(const std::string& name)
    {
        const auto image = layer(name);
        Bytes bytes(image->size());
        const auto read = read_layer(*image, 0, {bytes}, bytes.size());
        EXPECT_TRUE(read.ok()) << read.error.text();
        return bytes;
    }
    // Writes, zeroes and discards of any length, seeded.
    void scribble(const std::string& name, unsigned seed, unsigned count = 30)
    {
        const auto image = layer(name, ImageAccess::read_write);
        std::mt19937_64 random(seed);
        for (unsigned n = 0; n < count; ++n) {
            const u64 sectors = image->size() / 512, first = random() % sectors;
            const u64 length = std::min(sectors - first, 1 + random() % (random() % 3 ? 40 : 1000));
            Bytes bytes = noise(length * 512, unsigned(random()));
            const auto kind = random() % 6;
            const auto operation = kind < 4 ? BlockOperation::write
                : kind == 4                 ? BlockOperation::write_zeroes
                                            : BlockOperation::discard;
            ASSERT_TRUE(change(*image, operation, first, bytes).ok());
        }
        ASSERT_TRUE(image->seal().ok());
    }
    // base.img <- 0.qcow2 <- 1.qcow2 ...
    void make_chain(unsigned layers, unsigned seed)
    {
        put("base.img", noise(disk_size, seed));
        for (unsigned n = 0; n < layers; ++n) {
            make_layer(text(n, ".qcow2"), n ? text(n - 1, ".qcow2") : "base.img");
            scribble(text(n, ".qcow2"), seed * 100 + n);
        }
    }
    std::vector<std::string> run_of(unsigned first, unsigned last) const
    {
        std::vector<std::string> run;
        for (unsigned n = first; n <= last; ++n)
            run.push_back(path(text(n, ".qcow2")));
        return run;
    }
    Result<void> merge(const std::vector<std::string>& run)
    {
        auto merge = LayerMerge::open(run);
        if (!merge)
            return merge.error();
        if (auto copied = merge->copy(0, {}); !copied)
            return copied;
        return merge->replace_topmost();
    }
    std::string refusal_of(const std::vector<std::string>& run)
    {
        const auto merge = LayerMerge::open(run);
        return merge ? "" : merge.error().text();
    }
    std::size_t files() const { return std::size_t(std::distance(std::filesystem::directory_iterator(folder_), {})); }
};

TEST_F(LayerMergeTest, a_merged_layer_shows_what_the_topmost_showed_over_what_the_lowest_lay_over)
{
    for (unsigned seed = 1; seed <= 6; ++seed) {
        SCOPED_TRACE(text("seed ", seed));
        for (const auto& entry : std::filesystem::directory_iterator(folder_))
            std::filesystem::remove(entry.path());
        make_chain(6, seed);
        const unsigned first = seed % 3, last = first + 1 + seed % 2 + seed % 3 / 2;
        const Bytes top = shown("5.qcow2"), middle = shown(text(last, ".qcow2"));
        const Bytes below = first ? shown(text(first - 1, ".qcow2")) : contents("base.img");
        const auto merged = merge(run_of(first, last));
        ASSERT_TRUE(merged) << merged.error().text();
        // What was merged into it is needed no more.
        for (unsigned n = first; n < last; ++n)
            std::filesystem::remove(path(text(n, ".qcow2")));
        EXPECT_EQ(shown(text(last, ".qcow2")), middle);
        EXPECT_EQ(shown("5.qcow2"), top);
        EXPECT_EQ(first ? shown(text(first - 1, ".qcow2")) : contents("base.img"), below);
        EXPECT_EQ(images_of_chain(path("5.qcow2"), ImageFormat::qcow2).size(), 7u - (last - first));
        EXPECT_EQ(run(text("! command -v qemu-img || qemu-img check ", last, ".qcow2")), 0) << said();
    }
}

TEST_F(LayerMergeTest, qemu_img_reads_the_same_before_and_after)
{
    NEEDS_QEMU_IMG();
    make_chain(4, 9);
    ASSERT_EQ(run("qemu-img convert -f qcow2 -O raw 3.qcow2 before.img"), 0) << said();
    ASSERT_TRUE(merge(run_of(1, 2)));
    ASSERT_EQ(run("rm 1.qcow2; qemu-img check 2.qcow2 && qemu-img compare -f qcow2 -F raw 3.qcow2 before.img"), 0) << said();
    ASSERT_EQ(run("qemu-img info --backing-chain 3.qcow2 | grep -c '^image: '"), 0);
    EXPECT_EQ(said(), "4\n");
}

TEST_F(LayerMergeTest, layers_need_not_be_alike)
{
    put("base.img", noise(disk_size, 1));
    make_layer("0.qcow2", "base.img", 14, disk_size - 700 * 1024);    // what lies beyond its end is zero
    make_layer("1.qcow2", "0.qcow2", 18);
    make_layer("2.qcow2", "1.qcow2", 9, disk_size + 512);
    make_layer("3.qcow2", "2.qcow2");
    for (unsigned n = 0; n < 4; ++n)
        scribble(text(n, ".qcow2"), n, 12);
    const Bytes before = shown("3.qcow2");
    ASSERT_TRUE(merge(run_of(0, 2)));
    std::filesystem::remove(path("0.qcow2"));
    std::filesystem::remove(path("1.qcow2"));
    EXPECT_EQ(shown("3.qcow2"), before);
    EXPECT_EQ(run("! command -v qemu-img || qemu-img check 2.qcow2"), 0) << said();
}

TEST_F(LayerMergeTest, compressed_clusters_are_merged_too)
{
    NEEDS_QEMU_IMG();
    put("base.img", Bytes(disk_size, 7));
    put("model.img", Bytes(disk_size, 9));
    ASSERT_EQ(run("qemu-img convert -f raw -O qcow2 -c -o backing_file=base.img,backing_fmt=raw model.img 0.qcow2"), 0) << said();
    make_layer("1.qcow2", "0.qcow2");
    scribble("1.qcow2", 3);
    const Bytes before = shown("1.qcow2");
    ASSERT_TRUE(merge(run_of(0, 1)));
    std::filesystem::remove(path("0.qcow2"));
    EXPECT_EQ(shown("1.qcow2"), before);
    EXPECT_EQ(run("qemu-img check 1.qcow2"), 0) << said();
}

TEST_F(LayerMergeTest, only_complete_layers_that_lie_on_each_other_are_merged)
{
    make_chain(4, 2);
    EXPECT_NE(refusal_of({path("0.qcow2"), path("2.qcow2")}).find("lies over another one"), std::string::npos);
    EXPECT_NE(refusal_of({path("1.qcow2"), path("0.qcow2")}).find("lies over another one"), std::string::npos);
    EXPECT_NE(refusal_of({path("base.img"), path("0.qcow2")}), "");
    EXPECT_NE(refusal_of({path("0.qcow2"), path("missing.qcow2")}), "");
    {
        const auto writer = layer("3.qcow2", ImageAccess::read_write);
        EXPECT_NE(refusal_of(run_of(2, 3)).find("another machine"), std::string::npos);
    }
    EXPECT_EQ(refusal_of(run_of(2, 3)), "");
}

TEST_F(LayerMergeTest, files_that_became_others_meanwhile_are_left_as_they_are)
{
    make_chain(4, 3);
    const Bytes before = shown("3.qcow2");
    for (const unsigned changed : {0u, 1u, 2u}) {
        auto one = LayerMerge::open(run_of(0, 2));
        ASSERT_TRUE(one);
        ASSERT_TRUE(one->copy(0, {}));
        // As another merge does.
        std::filesystem::copy_file(path(text(changed, ".qcow2")), path("copy"));
        std::filesystem::rename(path("copy"), path(text(changed, ".qcow2")));
        const auto kept = contents("2.qcow2");
        EXPECT_FALSE(one->replace_topmost());
        EXPECT_EQ(contents("2.qcow2"), kept);
    }
    EXPECT_EQ(shown("3.qcow2"), before);
    EXPECT_EQ(files(), 5u);
}

TEST_F(LayerMergeTest, a_merge_that_was_stopped_leaves_nothing_behind)
{
    make_chain(3, 4);
    const Bytes before = shown("2.qcow2");
    auto stopped = LayerMerge::open(run_of(0, 1));
    ASSERT_TRUE(stopped);
    unsigned asked = 0;
    EXPECT_FALSE(stopped->copy(0, [&] { return ++asked < 3; }));
    EXPECT_EQ(asked, 3u);
    EXPECT_FALSE(stopped->replace_topmost());
    // So does one that would take the host's last bytes.
    EXPECT_FALSE(stopped->copy(~u64(0), {}));
    EXPECT_FALSE(stopped->replace_topmost());
    EXPECT_EQ(shown("2.qcow2"), before);
    EXPECT_EQ(files(), 4u);
}

// Writes beyond a limit fail, as on a full disk, at another place each time.
TEST_F(LayerMergeTest, a_host_that_takes_no_more_leaves_all_as_it_was)
{
    make_chain(3, 5);
    const Bytes before = shown("2.qcow2");
    const auto one = contents("1.qcow2");
    bool succeeded = false;
    for (u64 limit = 512; !succeeded; limit += limit < 400'000 ? 65'000 : 700'000) {
        const pid_t child = ::fork();
        if (child == 0) {
            (void)std::signal(SIGXFSZ, SIG_IGN);
            const rlimit most{limit, limit};
            if (::setrlimit(RLIMIT_FSIZE, &most) != 0)
                ::_exit(2);
            ::_exit(merge(run_of(0, 1)) ? 0 : 1);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 2);
        succeeded = WEXITSTATUS(status) == 0;
        if (!succeeded) {
            ASSERT_EQ(contents("1.qcow2"), one) << limit;
        }
        ASSERT_EQ(shown("2.qcow2"), before) << limit;
        ASSERT_EQ(files(), 4u) << limit;
    }
    EXPECT_NE(contents("1.qcow2"), one);
}

// The process ends after each of the steps.
TEST_F(LayerMergeTest, a_crash_at_any_step_leaves_the_old_layers_or_the_new_one)
{
    make_chain(3, 6);
    const Bytes before = shown("2.qcow2");
    bool done = false;
    for (unsigned steps = 0; !done; ++steps) {
        const pid_t child = ::fork();
        if (child == 0) {
            unsigned left = steps;
            const auto step = [&] {
                if (left-- == 0)
                    ::_exit(1);
                return true;
            };
            auto merge = LayerMerge::open(run_of(0, 1));
            step();
            (void)merge->copy(0, step);
            step();
            (void)merge->replace_topmost();
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFEXITED(status));
        done = WEXITSTATUS(status) == 0;
        ASSERT_EQ(shown("2.qcow2"), before) << steps;
        ASSERT_EQ(images_of_chain(path("2.qcow2"), ImageFormat::qcow2).size(), done ? 3u : 4u) << steps;
    }
}

// Such as that of a linked clone, which knows nothing of its original's locks.
TEST_F(LayerMergeTest, a_chain_can_be_opened_while_it_is_merged)
{
    make_chain(3, 8);
    const Bytes before = shown("2.qcow2");
    const auto link = [&](const char* from, const char* to) {
        std::filesystem::create_hard_link(path(from), path("link"));
        std::filesystem::rename(path("link"), path(to));
    };
    link("0.qcow2", "0.saved");
    link("1.qcow2", "1.saved");
    ASSERT_TRUE(merge(run_of(0, 1)));
    link("1.qcow2", "1.merged");
    std::filesystem::remove(path("0.qcow2"));
    std::atomic<bool> stop = false;
    std::atomic<unsigned> opened = 0, failures = 0;
    std::thread other([&] {
        for (; !stop; ++opened)
            failures += !open_layer(path("2.qcow2"), ImageAccess::read_only, {.format = ImageFormat::qcow2});
    });
    const auto wait = [&] {
        for (const unsigned target = opened + 2; opened < target;)
            std::this_thread::yield();
    };
    // Apart and merged again and again, for the moment in which one header was read and the next file is not open yet.
    for (unsigned n = 0; n < 250; ++n) {
        link("0.saved", "0.qcow2");
        link("1.saved", "1.qcow2");
        wait();
        link("1.merged", "1.qcow2");
        std::filesystem::remove(path("0.qcow2"));
        wait();
    }
    stop = true;
    other.join();
    EXPECT_EQ(failures, 0u);
    EXPECT_EQ(shown("2.qcow2"), before);
}

TEST_F(LayerMergeTest, a_disk_under_load_goes_on_over_merged_layers)
{
    std::vector<std::string> names{"base.img"};
    put("base.img", Bytes(3 << 20));
    make_layer("0.qcow2", "base.img", 16, 3 << 20);
    auto disk = open("0.qcow2");
    std::atomic<bool> stop = false;
    std::atomic<unsigned> failures = 0, written = 0;
    std::vector<std::thread> writers;
    // Each writer owns every third sector and counts up; a sector must always hold what was written there last.
    for (unsigned who = 0; who < 3; ++who)
        writers.emplace_back([&, who] {
            std::mt19937 random(who);
            std::vector<u8> last((3 << 20) / 512 / 3, 0);
            while (!stop) {
                const u64 n = random() % last.size();
                const u64 offset = (3 * n + who) * 512;
                if (read(*disk, offset, 512) != Bytes(512, last[n]))
                    ++failures;
                if (random() % 4 == 0) {
                    Bytes bytes(512, ++last[n]);
                    failures += !write(*disk, offset, bytes).ok();
                    ++written;
                }
            }
            for (u64 n = 0; n < last.size(); ++n)
                if (read(*disk, (3 * n + who) * 512, 512) != Bytes(512, last[n]))
                    ++failures;
        });
    std::shared_ptr<ImageLayer> lowest = disk->top()->backing();
    for (unsigned n = 1; n < 40; ++n) {
        for (const unsigned target = written + 30; written < target;)
            std::this_thread::yield();
        make_layer(text(n, ".qcow2"), text(n - 1, ".qcow2"), 16, 3 << 20);
        const auto below = disk->top();
        auto overlay = open_overlay(path(text(n, ".qcow2")), below);
        ASSERT_TRUE(overlay) << overlay.error().text();
        std::atomic<bool> sealed = false;
        ASSERT_TRUE(disk->change_top(*overlay, [&](const BlockResult& result) {
            failures += !result.ok();
            sealed = true;
        }));
        while (!sealed)
            std::this_thread::yield();
        if (n < 2)
            continue;
        // All that is complete becomes one.
        ASSERT_TRUE(merge({path(text(n - 2, ".qcow2")), path(text(n - 1, ".qcow2"))}));
        std::filesystem::remove(path(text(n - 2, ".qcow2")));
        auto merged = open_overlay(path(text(n - 1, ".qcow2")), lowest, DiskCache::writeback, ImageAccess::read_only);
        ASSERT_TRUE(merged) << merged.error().text();
        disk->top()->change_backing(*merged);
    }
    stop = true;
    for (auto& writer : writers)
        writer.join();
    EXPECT_EQ(failures, 0u);
    // Nobody holds what was replaced.
    unsigned depth = 0;
    for (auto at = disk->top(); at; at = at->backing())
        ++depth;
    EXPECT_EQ(depth, 3u);
    const auto open_files = std::filesystem::directory_iterator("/proc/self/fd");
    EXPECT_EQ(
        std::count_if(
            begin(open_files), end(open_files),
            [&](const auto& entry) {
                std::error_code gone;
                const std::string target = std::filesystem::read_symlink(entry.path(), gone);
                return target.starts_with(folder_.string()) && target.ends_with("(deleted)");
            }),
        0);
}

}
