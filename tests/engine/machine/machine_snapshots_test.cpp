#include <random>
#include <thread>

#include "engine/memory/memory_block.h"
#include "engine/snapshot/snapshot_directory.h"
#include "tests/engine/machine/snapshot_machine.h"

namespace engine {

namespace {

TEST(MachineSnapshots, GoBackInTheRunningMachine)
{
    SnapshotMachine pc("back");
    pc.start();
    EXPECT_EQ(pc.ask(3), "abc");
    const SnapshotInfo first = pc.take("first");
    EXPECT_EQ(first.name, "first");
    EXPECT_EQ(first.memory_bytes, 8u << 20);
    EXPECT_EQ(pc.ask(2), "de");
    const SnapshotInfo second = pc.take("second");
    EXPECT_EQ(second.parent, first.id);
    EXPECT_EQ(pc.ask(1), "f");
    pc.go_back(first.id);
    EXPECT_EQ(pc.machine->present_snapshot(), first.id);
    EXPECT_EQ(pc.ask(1), "d");
    pc.go_back(second.id);
    EXPECT_EQ(pc.ask(2), "fg");
    pc.go_back(first.id);
    EXPECT_EQ(pc.take("branch").parent, first.id);
    EXPECT_EQ(pc.ask(1), "d");
    pc.clean();
}

TEST(MachineSnapshots, AreWhereANewMachineBegins)
{
    SnapshotMachine pc("begin");
    pc.start();
    EXPECT_EQ(pc.ask(5), "abcde");
    const std::string id = pc.take("five").id;
    EXPECT_EQ(pc.ask(1), "f");
    pc.definition.start_from = id;
    pc.start();
    EXPECT_EQ(pc.restored.back(), id);
    EXPECT_EQ(pc.ask(2), "fg");
    // Its children know what changed since, though not all memory has been brought in.
    const std::string child = pc.take("seven").id;
    pc.definition.start_from = child;
    pc.start();
    EXPECT_EQ(pc.ask(1), "h");
    pc.clean();
}

TEST(MachineSnapshots, CanBeTakenOfAPausedMachine)
{
    SnapshotMachine pc("paused");
    pc.start();
    EXPECT_EQ(pc.ask(1), "a");
    pc.machine->pause();
    ASSERT_TRUE(pc.wait([&] { return pc.machine->state() == MachineState::paused; }));
    const std::string id = pc.take("paused").id;
    EXPECT_EQ(pc.machine->state(), MachineState::paused);
    pc.machine->resume();
    EXPECT_EQ(pc.ask(1), "b");
    pc.go_back(id);
    EXPECT_EQ(pc.ask(1), "b");
    pc.clean();
}

TEST(MachineSnapshots, CloseAMachineAndGoOnWithIt)
{
    SnapshotMachine pc("close");
    pc.start();
    EXPECT_EQ(pc.ask(3), "abc");
    ASSERT_TRUE(pc.machine->save_and_stop());
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    EXPECT_EQ(pc.end->kind, StopReason::Kind::saved);
    EXPECT_FALSE(tree_of(pc)->saved_state().empty());
    EXPECT_FALSE(tree_of(pc)->interrupted());
    pc.start();
    EXPECT_EQ(tree_of(pc)->saved_state(), "");
    EXPECT_EQ(pc.ask(2), "de");
    ASSERT_TRUE(pc.machine->save_and_stop());
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    // The one before has been left behind.
    EXPECT_EQ(tree_of(pc)->list().size(), 1u);
    pc.definition.start_from = MachineDefinition::start_cold;
    pc.start();
    EXPECT_EQ(pc.ask(1), "a");
    pc.clean();
}

TEST(MachineSnapshots, KnowThatAMachineWasInterrupted)
{
    SnapshotMachine pc("interrupted");
    pc.start();
    const std::string id = pc.take("point").id;
    EXPECT_TRUE(tree_of(pc)->interrupted());
    EXPECT_EQ(tree_of(pc)->newest(), id);
    pc.machine->power_off();
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    EXPECT_FALSE(tree_of(pc)->interrupted());
    pc.clean();
}

TEST(MachineSnapshots, AreRefusedInWordsWhereTheyDoNotFit)
{
    SnapshotMachine pc("refused");
    pc.start();
    const std::string id = pc.take("eight").id;
    pc.definition.start_from = id;
    pc.definition.memory_mib = 16;
    const auto larger = pc.open();
    ASSERT_FALSE(larger);
    EXPECT_NE(larger.error().why.find("bytes of memory"), std::string::npos);
    pc.definition.memory_mib = 8;
    pc.definition.start_from = "0123456789abcdef";
    EXPECT_FALSE(pc.open());
    pc.definition.start_from = "../../etc/passwd";
    EXPECT_FALSE(pc.open());
    pc.definition.snapshots.clear();
    pc.definition.start_from.clear();
    pc.start();
    EXPECT_FALSE(pc.machine->take_snapshot({}));
    pc.clean();
}

// Byte by byte would take hours; a sample that is the same each time takes a second.
TEST(MachineSnapshots, AreRefusedOrStopTheMachineWhereAByteIsFlipped)
{
    SnapshotMachine pc("flipped");
    pc.start();
    EXPECT_EQ(pc.ask(2), "ab");
    const std::string id = pc.take("good").id;
    pc.machine.reset();
    pc.definition.start_from = id;
    std::mt19937_64 random(4);
    for (const char* suffix : {".snapshot", ".pages"}) {
        const auto path = std::filesystem::path(pc.definition.snapshots) / (id + suffix);
        std::ifstream in(path, std::ios::binary);
        const std::string good{std::istreambuf_iterator<char>(in), {}};
        for (unsigned n = 0; n < 60; ++n) {
            std::string bad = good;
            char& byte = bad[random() % bad.size()];
            byte = char(byte ^ 1 << random() % 8);
            std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
            if (const auto opened = pc.open(); !opened) {
                EXPECT_FALSE(opened.error().why.empty());
                continue;
            }
            // Padding, or a page that is found out when it is brought in.
            EXPECT_STREQ(suffix, ".pages");
            pc.machine->start();
            pc.wait([&] { return pc.end.has_value() || pc.machine->state() == MachineState::running; });
            if (!pc.end && pc.machine->state() == MachineState::running) {
                const std::string answer = pc.ask(1);
                EXPECT_TRUE(pc.end || answer == "c") << answer;
            }
        }
        std::ofstream(path, std::ios::binary | std::ios::trunc) << good;
    }
    pc.start();
    EXPECT_EQ(pc.ask(1), "c");
    pc.clean();
}

TEST(MachineSnapshots, CatchNobodyWhoForgetsToAsk)
{
    MemoryBlock::guard_strictly(true);
    {
        SnapshotMachine pc("strict");
        pc.start();
        EXPECT_EQ(pc.ask(1), "a");
        const std::string id = pc.take("one").id;
        EXPECT_EQ(pc.ask(1), "b");
        pc.take("two");
        EXPECT_EQ(pc.ask(1), "c");
        pc.go_back(id);
        EXPECT_EQ(pc.ask(1), "b");
        pc.clean();
    }
    MemoryBlock::guard_strictly(false);
}

TEST(MachineSnapshots, TakeTheDisksBackWithTheMachine)
{
    WithDisks pc("disks");
    pc.start();
    EXPECT_EQ(pc.ask(1), "a");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    EXPECT_EQ(pc.ask(1, "r"), "b");
    const std::string b = pc.take("b").id;
    EXPECT_EQ(pc.ask(1), "b");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    EXPECT_EQ(pc.ask(1, "r"), "c");
    const std::string c = pc.take("c").id;
    pc.go_back(b);
    EXPECT_EQ(pc.ask(1, "r"), "b");
    pc.go_back(c);
    EXPECT_EQ(pc.ask(1, "r"), "c");
    EXPECT_EQ(pc.ask(1), "c");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    pc.machine->power_off();
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    // Powered on again it has the disk as it was left.
    pc.start();
    EXPECT_EQ(pc.ask(1, "r"), "d");
    // Begun with a snapshot, the snapshot's; and that more than once.
    for (unsigned turn = 0; turn < 2; ++turn) {
        pc.definition.start_from = b;
        pc.start();
        EXPECT_EQ(pc.ask(1, "r"), "b");
        EXPECT_EQ(pc.ask(1), "b");
        EXPECT_EQ(pc.ask(1, "w"), "W");
    }
    pc.machine.reset();
    const auto tree = tree_of(pc);
    ASSERT_TRUE(tree->remove(b));
    const auto freed = tree->sweep();
    ASSERT_TRUE(freed) << freed.error().text();
    pc.definition.start_from = c;
    pc.start();
    EXPECT_EQ(pc.ask(1, "r"), "c");
    pc.clean();
}

TEST(MachineSnapshots, MoveWithTheMachinesFolder)
{
    WithDisks pc("moved");
    std::filesystem::path moved = pc.folder;
    moved += ".elsewhere";
    std::filesystem::remove_all(moved);
    pc.start();
    EXPECT_EQ(pc.ask(2), "ab");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    const std::string id = pc.take("here").id;
    pc.machine.reset();
    std::filesystem::rename(pc.folder, moved);
    pc.folder = moved;
    pc.definition.firmware = moved;
    pc.definition.cdrom = moved / "disc.iso";
    pc.definition.disks = {moved / "first.img", moved / "second.img"};
    pc.definition.snapshots = moved / "snapshots";
    pc.definition.start_from = id;
    pc.start();
    EXPECT_EQ(pc.ask(1, "r"), "c");
    EXPECT_EQ(pc.ask(1), "c");
    pc.clean();
}

TEST(MachineSnapshots, CloseAMachineWithItsDisks)
{
    WithDisks pc("closed-disks");
    pc.start();
    EXPECT_EQ(pc.ask(1, "w"), "W");
    ASSERT_TRUE(pc.machine->save_and_stop());
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    pc.start();
    EXPECT_EQ(pc.ask(1, "r"), "a");
    EXPECT_EQ(pc.ask(1), "a");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    pc.machine->power_off();
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    pc.start();
    EXPECT_EQ(pc.ask(1, "r"), "b");
    pc.clean();
}

TEST(MachineSnapshots, HoldTheDisksAloneOfAMachineThatIsOff)
{
    WithDisks pc("off");
    pc.start();
    EXPECT_EQ(pc.ask(1), "a");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    pc.machine.reset();
    const auto off = take_snapshot_of_stopped(pc.definition, {.name = "off", .note = {}});
    ASSERT_TRUE(off) << off.error().text();
    EXPECT_FALSE(tree_of(pc)->find("off").value().with_memory);
    pc.start();
    EXPECT_EQ(pc.ask(3), "abc");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    EXPECT_EQ(pc.ask(1, "r"), "d");
    pc.definition.start_from = off.value().id;
    pc.start();
    EXPECT_EQ(pc.ask(1, "r"), "b");
    EXPECT_EQ(pc.ask(1), "a");
    pc.clean();
}

// The machine runs on meanwhile, and neither sees what the other does.
TEST(MachineSnapshots, AreTriedInACopyThatIsThrownAway)
{
    WithDisks pc("trial");
    pc.start();
    EXPECT_EQ(pc.ask(2), "ab");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    const std::string id = pc.take("base").id;
    SnapshotMachine trial("trial", false);
    trial.definition = pc.definition;
    trial.definition.trial = true;
    EXPECT_FALSE(trial.open());
    trial.definition.start_from = id;
    trial.start();
    EXPECT_EQ(trial.ask(1), "c");
    EXPECT_EQ(trial.ask(1, "w"), "W");
    EXPECT_EQ(trial.ask(1, "r"), "d");
    EXPECT_EQ(pc.ask(1, "r"), "c");
    EXPECT_EQ(pc.ask(1), "c");
    // What the person puts in order meanwhile leaves it what it needs.
    ASSERT_TRUE(tree_of(pc)->remove(id));
    ASSERT_TRUE(tree_of(pc)->sweep());
    EXPECT_EQ(trial.ask(1, "r"), "d");
    EXPECT_EQ(trial.ask(2), "de");
    trial.machine.reset();
    ASSERT_TRUE(end_trial(trial.definition));
    EXPECT_TRUE(tree_of(pc)->list().empty());
    EXPECT_EQ(pc.ask(1, "r"), "c");
    ASSERT_TRUE(pc.machine->save_and_stop());
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    pc.start();
    EXPECT_EQ(pc.ask(1), "d");
    pc.clean();
}

TEST(MachineSnapshots, AreWhatIsKeptOfATrial)
{
    WithDisks pc("trial-kept");
    pc.start();
    EXPECT_EQ(pc.ask(2), "ab");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    const std::string id = pc.take("base").id;
    ASSERT_TRUE(pc.machine->save_and_stop());
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    const std::string saved = tree_of(pc)->saved_state();
    pc.machine.reset();
    const MachineDefinition machine = pc.definition;
    pc.definition.trial = true;
    pc.definition.start_from = id;
    pc.start();
    EXPECT_EQ(pc.ask(1), "c");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    ASSERT_TRUE(pc.machine->save_and_stop());
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    const SnapshotInfo kept = pc.taken.back();
    EXPECT_EQ(kept.kind, SnapshotInfo::Kind::manual);
    EXPECT_EQ(kept.parent, id);
    pc.machine.reset();
    ASSERT_TRUE(end_trial(pc.definition));
    // Again, and this time its disks alone.
    pc.definition.start_from = kept.id;
    pc.start();
    EXPECT_EQ(pc.ask(3), "def");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    pc.machine.reset();
    const auto disks = keep_trial(pc.definition, {.name = "disks"});
    ASSERT_TRUE(disks) << disks.error().text();
    ASSERT_TRUE(end_trial(pc.definition));
    EXPECT_FALSE(keep_trial(pc.definition, {}));
    // The machine itself is where it was.
    pc.definition = machine;
    EXPECT_EQ(tree_of(pc)->saved_state(), saved);
    pc.start();
    EXPECT_EQ(pc.ask(1), "c");
    EXPECT_EQ(pc.ask(1, "r"), "c");
    pc.definition.start_from = kept.id;
    pc.start();
    EXPECT_EQ(pc.ask(1, "r"), "d");
    pc.definition.start_from = disks.value().id;
    pc.start();
    EXPECT_EQ(pc.ask(1, "r"), "g");
    pc.clean();
}

TEST(MachineSnapshots, BecomeMachinesThatShareDisks)
{
    WithDisks pc("linked");
    std::filesystem::path folder = pc.folder;
    folder += ".linked";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    pc.start();
    EXPECT_EQ(pc.ask(2), "ab");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    const std::string id = pc.take("original").id;
    EXPECT_FALSE(has_links(pc.definition.snapshots));
    const auto clone = clone_from_snapshot(pc.definition, id, folder, CloneKind::linked);
    ASSERT_TRUE(clone) << clone.error().text();
    EXPECT_TRUE(has_links(pc.definition.snapshots));
    // The original runs on, and frees what it can.
    EXPECT_EQ(pc.ask(1), "c");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    ASSERT_TRUE(tree_of(pc)->remove(id));
    ASSERT_TRUE(tree_of(pc)->sweep());
    SnapshotMachine other("linked", false);
    other.definition = clone.value();
    other.definition.image_folders.push_back(pc.folder);
    other.start();
    EXPECT_EQ(other.ask(1, "r"), "c");
    EXPECT_EQ(other.ask(2), "cd");
    EXPECT_EQ(other.ask(1, "w"), "W");
    EXPECT_EQ(other.ask(1, "r"), "e");
    EXPECT_EQ(pc.ask(1, "r"), "d");
    other.machine.reset();
    forget_links(pc.definition.snapshots);
    EXPECT_FALSE(has_links(pc.definition.snapshots));
    std::filesystem::remove_all(folder);
    pc.clean();
}

TEST(MachineSnapshots, BecomeMachinesOfTheirOwn)
{
    WithDisks pc("cloned");
    std::filesystem::path folder = pc.folder;
    folder += ".clone";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    pc.start();
    EXPECT_EQ(pc.ask(2), "ab");
    EXPECT_EQ(pc.ask(1, "w"), "W");
    const std::string id = pc.take("original").id;
    EXPECT_EQ(pc.ask(1), "c");
    const auto clone = clone_from_snapshot(pc.definition, id, folder);
    ASSERT_TRUE(clone) << clone.error().text();
    pc.machine.reset();
    std::filesystem::remove_all(pc.definition.snapshots);
    std::filesystem::remove(pc.folder / "first.img");
    pc.definition = clone.value();
    pc.start();
    EXPECT_EQ(pc.ask(1, "r"), "c");
    EXPECT_EQ(pc.ask(1), "c");
    std::filesystem::remove_all(folder);
    pc.clean();
}

// The parent kills a child that takes one snapshot after the other, at any moment, and looks at what it left.
TEST(MachineSnapshots, OutliveTheirMachinesDeath)
{
    std::mt19937_64 random(7);
    WithDisks pc("killed");
    for (unsigned turn = 0; turn < 8; ++turn) {
        const auto write_and_take = [&](unsigned n) {
            pc.ask(1, n % 2 ? "w" : "x");
            pc.take("point");
        };
        ASSERT_NO_FATAL_FAILURE(work_until_killed(pc, std::chrono::milliseconds(100 + random() % 700), write_and_take)) << turn;
        const auto tree = tree_of(pc);
        for (const SnapshotInfo& info : tree->list())
            EXPECT_EQ(info.trouble, "") << info.id;
        ASSERT_TRUE(tree->sweep());
        if (tree->newest().empty())
            continue;
        const auto all = tree->list();
        for (const std::string& id : {all.front().id, all.back().id}) {
            pc.definition.start_from = id;
            pc.start();
            EXPECT_NE(pc.ask(1, "r"), "");
            EXPECT_NE(pc.ask(1), "");
            EXPECT_FALSE(pc.end.has_value());
        }
        // And as it was left, powered on.
        pc.definition.start_from = MachineDefinition::start_cold;
        pc.start();
        EXPECT_EQ(pc.ask(1), "a");
        pc.machine.reset();
        pc.definition.start_from.clear();
    }
    pc.clean();
}

TEST(SnapshotTree, RenamesRemovesAndBringsBack)
{
    SnapshotMachine pc("tree");
    pc.start();
    const auto first = pc.take("first"), second = pc.take("second"), third = pc.take("third");
    const auto tree = tree_of(pc);
    ASSERT_EQ(tree->list().size(), 3u);
    EXPECT_EQ(tree->list()[0].note, "a note");
    EXPECT_EQ(tree->present(), third.id);
    ASSERT_TRUE(tree->rename(second.id, "the second"));
    ASSERT_TRUE(tree->set_note(second.id, "more"));
    EXPECT_EQ(tree->find("the second").value().id, second.id);
    EXPECT_EQ(tree->find(second.id).value().note, "more");
    ASSERT_TRUE(tree->remove(second.id));
    EXPECT_FALSE(tree->find(second.id));
    EXPECT_EQ(tree->find(third.id).value().parent, first.id);
    ASSERT_TRUE(tree->undo_remove(second.id));
    EXPECT_EQ(tree->find(third.id).value().parent, second.id);
    EXPECT_FALSE(tree->remove("nonsense"));
    pc.clean();
}

TEST(SnapshotTree, HangsWhatLosesItsParentOnTheNearestAncestorThatIsThere)
{
    WithDisks pc("lineage");
    const auto take = [&] {
        const auto taken = take_snapshot_of_stopped(pc.definition, {});
        EXPECT_TRUE(taken) << taken.error().text();
        return taken ? taken.value().id : std::string();
    };
    std::vector<std::string> ids;
    for (unsigned n = 0; n < 6; ++n)
        ids.push_back(take());
    const auto tree = tree_of(pc);
    const auto parent = [&](const std::string& id) { return tree->find(id).value().parent; };
    const auto labels = [&] { return SnapshotDirectory(pc.definition.snapshots).names(".label").size(); };
    ASSERT_TRUE(tree->rename(ids[2], "a name of its own"));
    ASSERT_TRUE(tree->drop({ids[1], ids[2]}));
    EXPECT_EQ(parent(ids[3]), ids[0]);
    EXPECT_EQ(labels(), 1u);
    // Where the machine stands is no other thing.
    ASSERT_TRUE(tree->drop({ids[5]}));
    EXPECT_EQ(tree->present(), ids[4]);
    const std::string next = take();
    EXPECT_EQ(parent(next), ids[4]);
    // One after the other, some to be brought back yet.
    ASSERT_TRUE(tree->remove(ids[4]));
    ASSERT_TRUE(tree->drop({ids[3]}));
    EXPECT_EQ(parent(next), ids[0]);
    ASSERT_TRUE(tree->undo_remove(ids[4]));
    EXPECT_EQ(parent(next), ids[4]);
    EXPECT_EQ(parent(ids[4]), ids[0]);
    ASSERT_TRUE(tree->remove(ids[4]));
    ASSERT_TRUE(tree->sweep());
    EXPECT_EQ(parent(next), ids[0]);
    ASSERT_TRUE(tree->drop({ids[0]}));
    EXPECT_EQ(parent(next), "");
    // What nobody is a child of is forgotten.
    EXPECT_LE(labels(), 1u);
    const std::string last = take();
    ASSERT_TRUE(tree->drop({next}));
    ASSERT_TRUE(tree->drop({last}));
    EXPECT_EQ(tree->present(), "");
    EXPECT_EQ(labels(), 0u);
    pc.clean();
}

TEST(SnapshotTree, FreesWhatNoSnapshotNeedsAndNothingElse)
{
    SnapshotMachine pc("sweep");
    pc.start();
    EXPECT_EQ(pc.ask(1), "a");
    const auto first = pc.take("first");
    EXPECT_EQ(pc.ask(1), "b");
    const auto second = pc.take("second");
    EXPECT_EQ(pc.ask(1), "c");
    const auto third = pc.take("third");
    const auto tree = tree_of(pc);
    ASSERT_TRUE(tree->remove(first.id));
    ASSERT_TRUE(tree->remove(second.id));
    EXPECT_EQ(tree->list()[0].parent, "");
    const auto freed = tree->sweep();
    ASSERT_TRUE(freed) << freed.error().text();
    EXPECT_GT(freed.value(), 0u);
    EXPECT_FALSE(tree->undo_remove(first.id));
    pc.go_back(third.id);
    EXPECT_EQ(pc.ask(1), "d");
    pc.definition.start_from = third.id;
    pc.start();
    EXPECT_EQ(pc.ask(1), "d");
    ASSERT_TRUE(tree->remove(third.id));
    // The machine grew from it, and may need it still.
    ASSERT_TRUE(tree->sweep());
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(pc.definition.snapshots) / (third.id + ".removed")));
    pc.clean();
}

}

}
