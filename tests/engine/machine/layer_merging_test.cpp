// Layers of disks merged in machines that run meanwhile.

#include <map>
#include <random>

#include "engine/base/text.h"
#include "engine/snapshot/disk_layers.h"
#include "tests/engine/machine/snapshot_machine.h"

namespace engine {

namespace {

std::size_t layers_of(const SnapshotMachine& pc)
{
    const SnapshotDirectory directory(pc.definition.snapshots);
    return LayerChains(directory).chain(directory.present().value().disks[0]).size();
}

// Files of the machine's folder that are open and have no name any more.
std::ptrdiff_t deleted_files(const SnapshotMachine& pc)
{
    const auto open_files = std::filesystem::directory_iterator("/proc/self/fd");
    return std::count_if(begin(open_files), end(open_files), [&](const auto& entry) {
        std::error_code gone;
        const std::string target = std::filesystem::read_symlink(entry.path(), gone);
        return target.starts_with(pc.folder.string()) && target.ends_with(".qcow2 (deleted)");
    });
}

template <class Condition> bool come_true(Condition condition)
{
    for (unsigned n = 0; n < 6000; ++n) {
        if (condition())
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

TEST(LayerMerging, KeepsUpWithAMachineThatTakesSnapshotsAllDay)
{
    WithDisks pc("all-day");
    pc.start();
    const auto tree = tree_of(pc);
    std::vector<std::string> recent;
    std::map<std::string, std::string> kept;
    for (unsigned n = 0; n < 310; ++n) {
        pc.ask(1);
        ASSERT_EQ(pc.ask(1, "w"), "W");
        const std::string id = pc.take("point").id;
        ASSERT_NE(id, "") << n;
        kept[id] = pc.ask(1, "r");
        recent.push_back(id);
        if (recent.size() < 4)
            continue;
        // One in forty stays for good.
        if (n % 40 != 0) {
            const auto dropped = tree->drop({recent.front()});
            ASSERT_TRUE(dropped) << dropped.error().text();
            kept.erase(recent.front());
            if (n % 3 == 0)
                pc.machine->merge_layers();
        }
        recent.erase(recent.begin());
    }
    pc.machine->merge_layers();
    EXPECT_TRUE(come_true([&] { return layers_of(pc) <= kept.size() + 1; })) << layers_of(pc);
    for (const SnapshotInfo& info : tree->list())
        EXPECT_EQ(info.trouble, "");
    EXPECT_TRUE(come_true([&] { return deleted_files(pc) == 0; })) << deleted_files(pc);
    for (const auto& [id, letter] : kept) {
        pc.go_back(id);
        ASSERT_EQ(pc.ask(1, "r"), letter) << (pc.end ? pc.end->text : pc.trouble);
    }
    for (const auto& [id, letter] : kept) {
        pc.definition.start_from = id;
        pc.start();
        ASSERT_EQ(pc.ask(1, "r"), letter) << (pc.end ? pc.end->text : pc.trouble);
    }
    pc.clean();
}

TEST(LayerMerging, IsDoneWhereAChainCannotGetLongerAndNobodyAskedForIt)
{
    WithDisks pc("no-room");
    pc.definition.disks.resize(1);
    std::vector<std::string> ids;
    for (unsigned n = 0; n < 255; ++n) {
        const auto taken = take_snapshot_of_stopped(pc.definition, {});
        ASSERT_TRUE(taken) << n << taken.error().text();
        ids.push_back(taken.value().id);
    }
    EXPECT_EQ(layers_of(pc), 255u);
    EXPECT_FALSE(take_snapshot_of_stopped(pc.definition, {}));
    ASSERT_TRUE(tree_of(pc)->drop({ids.begin() + 3, ids.begin() + 250}));
    pc.start();
    ASSERT_EQ(pc.ask(1, "w"), "W");
    const std::string id = pc.take("one more").id;
    EXPECT_LT(layers_of(pc), 256u);
    EXPECT_EQ(pc.ask(1), "a");
    ASSERT_EQ(pc.ask(1, "w"), "W");
    pc.go_back(id);
    EXPECT_EQ(pc.ask(1, "r"), "a");
    pc.clean();
}

TEST(LayerMerging, LeavesATrialWhatItLiesOn)
{
    WithDisks pc("trial-merge");
    pc.start();
    std::vector<std::string> ids;
    for (unsigned n = 0; n < 6; ++n) {
        pc.ask(1);
        ASSERT_EQ(pc.ask(1, "w"), "W");
        ids.push_back(pc.take("point").id);
    }
    SnapshotMachine trial("trial-merge", false);
    trial.definition = pc.definition;
    trial.definition.trial = true;
    trial.definition.start_from = ids[3];
    trial.start();
    EXPECT_EQ(trial.ask(1, "r"), "e");
    ASSERT_TRUE(tree_of(pc)->drop({ids[1], ids[2], ids[3], ids[4]}));
    pc.machine->merge_layers();
    // The image's own layer, those of the fourth and of the sixth snapshot, and what is written to.
    EXPECT_TRUE(come_true([&] { return layers_of(pc) == 3; })) << layers_of(pc);
    EXPECT_EQ(trial.ask(1, "r"), "e");
    EXPECT_EQ(trial.ask(1, "w"), "W");
    const std::string side = trial.take("side").id;
    EXPECT_EQ(trial.ask(1, "w"), "W");
    EXPECT_EQ(pc.ask(1, "r"), "g");
    trial.machine.reset();
    ASSERT_TRUE(end_trial(trial.definition));
    pc.machine->merge_layers();
    EXPECT_TRUE(come_true([&] { return deleted_files(pc) == 0; }));
    EXPECT_EQ(pc.ask(1, "r"), "g");
    pc.go_back(side);
    EXPECT_EQ(pc.ask(1, "r"), "e");
    pc.go_back(ids[5]);
    EXPECT_EQ(pc.ask(1, "r"), "g");
    pc.clean();
}

// The parent kills a child that takes, deletes and merges, at any moment, and looks at what it left.
TEST(LayerMerging, OutlivesTheMachinesDeath)
{
    std::mt19937_64 random(11);
    WithDisks pc("merge-killed");
    for (unsigned turn = 0; turn < 8; ++turn) {
        std::mt19937_64 choice(turn);
        const auto take_and_drop = [&](unsigned) {
            pc.ask(1);
            pc.ask(1, "w");
            pc.take(hex(u8(pc.ask(1, "r")[0]), 2));
            const auto all = tree_of(pc)->list(false);
            if (all.size() > 5)
                (void)tree_of(pc)->drop({all[choice() % (all.size() - 1)].id});
            pc.machine->merge_layers();
        };
        ASSERT_NO_FATAL_FAILURE(work_until_killed(pc, std::chrono::milliseconds(200 + random() % 700), take_and_drop)) << turn;
        const auto tree = tree_of(pc);
        for (unsigned round = 0; round < 2; ++round) {
            for (const SnapshotInfo& info : tree->list()) {
                EXPECT_EQ(info.trouble, "") << info.id;
                pc.definition.start_from = info.id;
                pc.start();
                const std::string letter = pc.ask(1, "r");
                ASSERT_NE(letter, "");
                EXPECT_EQ(hex(u8(letter[0]), 2), info.name);
            }
            pc.machine.reset();
            // And once all is put in order.
            ASSERT_TRUE(tree->sweep());
            tree->merge_layers([] { return true; });
        }
        pc.definition.start_from.clear();
    }
    pc.clean();
}

}

}
