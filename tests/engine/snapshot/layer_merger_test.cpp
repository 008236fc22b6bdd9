#include "engine/snapshot/layer_merger.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <random>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/engine/block/disk_fixture.h"

#include "engine/base/text.h"
#include "engine/block/raw/raw_file.h"
#include "engine/engine.h"
#include "engine/machine/snapshot_disks.h"
#include "engine/snapshot/snapshot_file.h"

using namespace engine;

namespace {

using Names = std::vector<std::string>;
constexpr u64 mib = u64(1) << 20;

LayerRun run_of(const std::vector<u64>& bytes, std::size_t chain = 0)
{
    LayerRun run{.layers = {}, .bytes = bytes, .chain = chain};
    for (std::size_t n = 0; n < bytes.size(); ++n)
        run.layers.push_back(text(n));
    return run;
}
std::string chosen(const std::vector<LayerRun>& runs)
{
    const auto choice = choose_merge(runs);
    if (!choice)
        return "none";
    std::string words;
    for (const std::string& name : *choice)
        words += (words.empty() ? "" : " ") + name;
    return words;
}

TEST(LayerMerges, are_chosen_by_what_has_to_be_copied)
{
    EXPECT_EQ(chosen({}), "none");
    EXPECT_EQ(chosen({run_of({5 * mib})}), "none");
    // Little things at once, large ones together.
    EXPECT_EQ(chosen({run_of({mib, mib, mib, mib})}), "0 1 2 3");
    EXPECT_EQ(chosen({run_of({100 * mib, 100 * mib})}), "0 1");
    // Not for the sake of little.
    EXPECT_EQ(chosen({run_of({1000 * mib, 100 * mib})}), "none");
    EXPECT_EQ(chosen({run_of({100 * mib, 1000 * mib})}), "none");
    EXPECT_EQ(chosen({run_of({1000 * mib, 250 * mib})}), "0 1");
    EXPECT_EQ(chosen({run_of({1000 * mib, mib, mib, mib})}), "1 2 3");
    EXPECT_EQ(chosen({run_of({mib, mib, 1000 * mib, 2 * mib, 2 * mib})}), "0 1");
    EXPECT_EQ(chosen({run_of({1000 * mib, 900 * mib}), run_of({30 * mib, 30 * mib})}), "0 1");
    // In a long chain what is cheapest for each layer that it saves.
    EXPECT_EQ(chosen({run_of({1000 * mib, 100 * mib}, long_chain)}), "none");
    EXPECT_EQ(chosen({run_of({1000 * mib, 100 * mib}, long_chain + 1)}), "0 1");
    EXPECT_EQ(chosen({run_of({1000 * mib, 100 * mib, 2000 * mib}, long_chain + 1)}), "0 1");
}

// One that writes a stretch, then takes a snapshot that is deleted, again and again: what is copied stays within reason.
TEST(LayerMerges, copy_each_byte_a_few_times)
{
    std::vector<u64> layers;
    u64 copied = 0, written = 0;
    std::mt19937_64 random(1);
    for (unsigned n = 0; n < 2000; ++n) {
        layers.push_back((1 + random() % 40) * mib);
        written += layers.back();
        while (const auto choice = choose_merge(std::vector{run_of(layers, layers.size())})) {
            const auto first = layers.begin() + std::stol(choice->front()), last = layers.begin() + std::stol(choice->back());
            const u64 sum = std::accumulate(first, last + 1, u64(0));
            copied += sum;
            *first = sum;
            layers.erase(first + 1, last + 1);
        }
        ASSERT_LE(layers.size(), long_chain);
    }
    EXPECT_LT(copied, written * 12);
}

class LayerMergerTest : public DiskTest {
protected:
    using Bytes = std::vector<u8>;
    static constexpr u64 size = (2 << 20) + 512;

    LayerMergerTest() : directory_(path("machine/snapshots"))
    {
        std::filesystem::create_directory(path("machine"));
        put("machine/disk.img", noise(size, 99));
        definition_.disks = {path("machine/disk.img")};
        definition_.snapshots = directory_.path();
        now_ = contents("machine/disk.img");
    }

    std::unique_ptr<SnapshotTree> tree() const { return std::move(*SnapshotTree::open(definition_.snapshots)); }
    std::string take()
    {
        const auto taken = take_snapshot_of_stopped(definition_, {});
        EXPECT_TRUE(taken) << taken.error().text();
        kept_[taken ? taken.value().id : ""] = now_;
        return taken ? taken.value().id : "";
    }
    void write(std::mt19937_64& random, unsigned count = 4)
    {
        const auto present = directory_.present();
        const bool bare = present.value().disks.empty();
        const std::string top = bare ? definition_.disks[0] : directory_.file(present.value().disks[0].layers.back());
        auto layer = open_layer(top, ImageAccess::read_write, {.trusted_folders = {path("machine")}});
        ASSERT_TRUE(layer) << layer.error().text();
        for (unsigned n = 0; n < count; ++n) {
            const u64 first = random() % (size / 512), length = std::min(size / 512 - first, 1 + random() % 300);
            const bool zero = random() % 4 == 0;
            Bytes bytes = zero ? Bytes(length * 512) : noise(length * 512, unsigned(random()));
            ASSERT_TRUE(change(**layer, zero ? BlockOperation::write_zeroes : BlockOperation::write, first, bytes).ok());
            std::ranges::copy(bytes, now_.begin() + std::ptrdiff_t(first * 512));
        }
        ASSERT_TRUE((*layer)->seal().ok());
    }
    void go_back(const std::string& id)
    {
        SnapshotDisks disks(directory_, definition_);
        auto below = directory_.disks(id, ".snapshot");
        ASSERT_TRUE(below);
        auto layers = disks.make_layers(*below, SnapshotDirectory::new_id());
        ASSERT_TRUE(layers) << layers.error().text();
        ASSERT_TRUE(directory_.set_present({.snapshot = id, .saved_state = {}, .running = false, .disks = *layers}));
        now_ = kept_.at(id);
    }
    u64 merge()
    {
        return LayerMerger(directory_).merge([] { return std::set<std::string>(); }, [] { return true; });
    }
    Bytes shown(const std::string& file) const
    {
        const auto layer = open_layer(file, ImageAccess::read_only, {.trusted_folders = {folder_}});
        EXPECT_TRUE(layer) << layer.error().text();
        Bytes bytes(size);
        EXPECT_TRUE(layer && read_layer(*layer.value(), 0, {bytes}, bytes.size()).ok());
        return bytes;
    }
    Bytes shown(const std::vector<DiskLayers>& disks) const
    {
        return shown(disks[0].layers.empty() ? definition_.disks[0] : directory_.file(disks[0].layers.back()));
    }
    void check_all(const char* suffix = ".snapshot")
    {
        for (const auto& [id, bytes] : kept_) {
            const auto disks = directory_.disks(id, suffix);
            ASSERT_TRUE(disks) << id;
            ASSERT_EQ(shown(disks.value()), bytes) << id;
        }
        for (const auto& [file, bytes] : clones_)
            ASSERT_EQ(shown(file), bytes) << file;
        const auto present = directory_.present();
        ASSERT_TRUE(present);
        const auto& disks = present.value().disks;
        ASSERT_EQ(disks.empty() ? shown(definition_.disks[0]) : shown(disks), now_);
    }
    std::string clone(const std::string& id, CloneKind kind)
    {
        const std::string folder = path(text("clone", clones_.size()));
        std::filesystem::create_directory(folder);
        const auto clone = clone_from_snapshot(definition_, id, folder, kind);
        EXPECT_TRUE(clone) << clone.error().text();
        clones_[clone ? clone.value().disks[0] : ""] = kept_.at(id);
        if (kind == CloneKind::full && clone) {
            // Its own snapshot, above its image.
            const auto disks = SnapshotDirectory(folder + "/snapshots").disks(id, ".snapshot");
            EXPECT_TRUE(disks);
            clones_.erase(clone.value().disks[0]);
            clones_
                [disks.value()[0].layers.empty() ? clone.value().disks[0]
                                                 : folder + "/snapshots/" + disks.value()[0].layers.back()]
                = kept_.at(id);
        }
        return folder;
    }
    Names layer_files() const { return directory_.names(".qcow2"); }
    Names chain() const { return LayerChains(directory_).chain(directory_.present().value().disks[0]); }

    SnapshotDirectory directory_;
    MachineDefinition definition_;
    Bytes now_;
    std::map<std::string, Bytes> kept_, clones_;
};

TEST_F(LayerMergerTest, layers_of_deleted_snapshots_become_one)
{
    std::mt19937_64 random(1);
    Names ids;
    for (unsigned n = 0; n < 6; ++n) {
        write(random);
        ids.push_back(take());
    }
    EXPECT_EQ(merge(), 0u);
    EXPECT_EQ(chain().size(), 6u);
    for (const unsigned n : {1u, 2u, 4u}) {
        ASSERT_TRUE(tree()->drop({ids[n]}));
        kept_.erase(ids[n]);
    }
    EXPECT_EQ(layer_files().size(), 6u);
    EXPECT_GT(merge(), 0u);
    check_all();
    // Of the first and the fourth snapshot, the last one, and what is written to.
    EXPECT_EQ(chain().size(), 3u);
    EXPECT_EQ(layer_files().size(), 3u);
    EXPECT_EQ(merge(), 0u);
    EXPECT_EQ(tree()->sweep().value(), 0u);
    write(random);
    ids.push_back(take());
    // What is listed from now on is what there is.
    EXPECT_EQ(directory_.present().value().disks[0].layers, chain());
    check_all();
}

TEST_F(LayerMergerTest, what_can_be_brought_back_is_kept_apart)
{
    std::mt19937_64 random(2);
    Names ids;
    for (unsigned n = 0; n < 4; ++n) {
        write(random);
        ids.push_back(take());
    }
    ASSERT_TRUE(tree()->remove(ids[1]));
    EXPECT_EQ(merge(), 0u);
    // Others are dropped meanwhile, and that leaves it where it is.
    ASSERT_TRUE(tree()->drop({ids[2]}));
    kept_.erase(ids[2]);
    EXPECT_GT(merge(), 0u);
    ASSERT_TRUE(tree()->undo_remove(ids[1]));
    check_all();
    ASSERT_TRUE(tree()->remove(ids[1]));
    ASSERT_TRUE(tree()->sweep());
    kept_.erase(ids[1]);
    EXPECT_GT(merge(), 0u);
    EXPECT_EQ(chain().size(), 2u);
    check_all();
}

TEST_F(LayerMergerTest, linked_clones_keep_what_they_lie_on)
{
    std::mt19937_64 random(3);
    Names ids;
    for (unsigned n = 0; n < 5; ++n) {
        write(random);
        ids.push_back(take());
    }
    clone(ids[2], CloneKind::linked);
    for (const std::string& id : ids) {
        ASSERT_TRUE(tree()->remove(id));
        kept_.erase(id);
    }
    ASSERT_TRUE(tree()->sweep());
    EXPECT_GT(merge(), 0u);
    check_all();
    // What the clone lies on, and what lies above that.
    EXPECT_EQ(chain().size(), 3u);
    write(random);
    check_all();
    // A second clone of a snapshot that lies there too, and one that shares nothing.
    ids.push_back(take());
    clone(ids.back(), CloneKind::linked);
    clone(ids.back(), CloneKind::full);
    EXPECT_GT(merge(), 0u);
    EXPECT_EQ(chain().size(), 3u);
    check_all();
    forget_links(directory_.path());
    clones_.erase(path("clone0/disk.qcow2"));
    clones_.erase(path("clone1/disk.qcow2"));
    EXPECT_GT(merge(), 0u);
    check_all();
}

TEST_F(LayerMergerTest, a_branch_keeps_the_layer_it_grew_from)
{
    std::mt19937_64 random(4);
    const std::string first = take();
    write(random);
    const std::string fork = take();
    write(random);
    const std::string one = take();
    go_back(fork);
    write(random);
    const std::string other = take();
    write(random);
    ASSERT_TRUE(tree()->drop({fork}));
    kept_.erase(fork);
    EXPECT_EQ(merge(), 0u);
    check_all();
    // Once the other branch is gone it is merged.
    ASSERT_TRUE(tree()->drop({one}));
    kept_.erase(one);
    EXPECT_GT(merge(), 0u);
    check_all();
    // What its deletion would free are the snapshot's file and no layer; of one at the side, its own layer too.
    EXPECT_LT(tree()->list().back().reclaimable_bytes, 64u << 10);
    go_back(first);
    ASSERT_TRUE(tree()->sweep());
    const auto all = tree()->list();
    const auto side = std::ranges::find(all, other, &SnapshotInfo::id);
    const u64 layer = directory_.size(directory_.disks(other, ".snapshot").value()[0].layers.back());
    EXPECT_EQ(side->reclaimable_bytes, layer + directory_.size(other + ".snapshot"));
}

TEST_F(LayerMergerTest, what_cannot_be_read_keeps_what_it_may_need)
{
    std::mt19937_64 random(5);
    Names ids;
    for (unsigned n = 0; n < 4; ++n) {
        write(random);
        ids.push_back(take());
    }
    const auto files = layer_files();
    const std::string damaged = directory_.disks(ids[3], ".snapshot").value()[0].layers.back();
    ASSERT_TRUE(tree()->drop({ids[1], ids[2]}));
    std::filesystem::copy_file(directory_.file(damaged), path("good"));
    std::fstream(directory_.file(damaged), std::ios::in | std::ios::out | std::ios::binary).write("nonsense", 8);
    ASSERT_TRUE(tree()->sweep());
    EXPECT_EQ(merge(), 0u);
    EXPECT_EQ(layer_files(), files);
    std::filesystem::rename(path("good"), directory_.file(damaged));
    kept_.erase(ids[1]);
    kept_.erase(ids[2]);
    check_all();
    // A snapshot's file likewise.
    std::filesystem::resize_file(directory_.file(ids[0] + ".snapshot"), 100);
    EXPECT_EQ(merge(), 0u);
    EXPECT_EQ(layer_files(), files);
}

TEST_F(LayerMergerTest, a_long_random_life_loses_nothing)
{
    for (unsigned seed = 1; seed <= 6; ++seed) {
        std::mt19937_64 random(seed);
        const auto any = [&] { return std::next(kept_.begin(), std::ptrdiff_t(random() % kept_.size()))->first; };
        for (unsigned step = 0; step < 60; ++step) {
            SCOPED_TRACE(text("seed ", seed, ", step ", step));
            switch (random() % 12) {
            case 0:
            case 1:
            case 2:
                take();
                break;
            case 3:
                if (!kept_.empty()) {
                    go_back(any());
                }
                break;
            case 4:
            case 5:
                if (!kept_.empty()) {
                    const std::string id = any();
                    ASSERT_TRUE(tree()->drop({id}));
                    kept_.erase(id);
                }
                break;
            case 6:
                if (!kept_.empty() && clones_.size() < 4)
                    clone(any(), random() % 2 ? CloneKind::linked : CloneKind::full);
                break;
            case 7:
            case 8:
                merge();
                break;
            case 9:
                ASSERT_TRUE(tree()->sweep());
                break;
            default:
                // What a snapshot shows of the image itself is never written to.
                if (directory_.has("present"))
                    write(random);
            }
            if (step % 5 == 4) {
                ASSERT_NO_FATAL_FAILURE(check_all());
            }
        }
        merge();
        ASSERT_TRUE(tree()->sweep());
        ASSERT_NO_FATAL_FAILURE(check_all());
        // Nothing is left to be merged: each layer is a point, lies under several, or is written to.
        EXPECT_LE(layer_files().size(), 2 * (kept_.size() + clones_.size()) + 1);
        EXPECT_EQ(merge(), 0u);
        EXPECT_EQ(
            run("! command -v qemu-img || for f in machine/snapshots/*.qcow2; do [ ! -e $f ] || qemu-img check $f || exit 1; "
                "done"),
            0)
            << said();
        forget_links(directory_.path());
        clones_.clear();
        for (unsigned n = 0; n < 8; ++n)
            std::filesystem::remove_all(path(text("clone", n)));
    }
}

// The process ends at each of the moments in which it asks whether to go on, and between the merges.
TEST_F(LayerMergerTest, a_crash_at_any_moment_leaves_every_snapshot_whole)
{
    std::mt19937_64 random(6);
    Names ids;
    for (unsigned n = 0; n < 9; ++n) {
        write(random, 6);
        ids.push_back(take());
    }
    Names deleted;
    for (const unsigned n : {1u, 2u, 5u, 6u}) {
        deleted.push_back(ids[n]);
        kept_.erase(ids[n]);
    }
    ASSERT_TRUE(tree()->drop(deleted));
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
            LayerMerger(directory_).merge([] { return std::set<std::string>(); }, step, step);
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFEXITED(status));
        done = WEXITSTATUS(status) == 0;
        ASSERT_NO_FATAL_FAILURE(check_all()) << steps;
    }
    EXPECT_EQ(chain().size(), 5u);
    // A merge that was killed just after the name was given, and one that could not do without a name.
    std::ofstream(directory_.file("disk-0-0123456789abcdef.qcow2")) << "of no use";
    std::ofstream(directory_.file(".disk-0-0123456789abcdef.qcow2.aB3dE6")) << "of no use";
    ASSERT_TRUE(tree()->sweep());
    EXPECT_EQ(layer_files().size(), 5u);
    EXPECT_TRUE(directory_.names(".aB3dE6").empty());
    check_all();
}

TEST_F(LayerMergerTest, a_chain_of_snapshots_that_are_all_kept_has_an_end_with_words)
{
    Names ids;
    std::mt19937_64 random(7);
    for (unsigned n = 0; n < 255; ++n) {
        if (n % 16 == 1)
            write(random, 1);
        ids.push_back(take());
    }
    const auto refused = take_snapshot_of_stopped(definition_, {});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what_to_do.find("Delete some"), std::string::npos) << refused.error().text();
    EXPECT_EQ(merge(), 0u);
    // Some are looked into; opening long chains takes long.
    for (std::size_t n = 0; n < ids.size(); ++n)
        if (n % 16 != 5)
            kept_.erase(ids[n]);
    check_all();
    Names deleted(ids.begin() + 20, ids.begin() + 200);
    ASSERT_TRUE(tree()->drop(deleted));
    for (const std::string& id : deleted)
        kept_.erase(id);
    EXPECT_GT(merge(), 0u);
    EXPECT_EQ(chain().size(), 255u - 180);
    take();
    check_all();
}

}
