#include <random>

#include "engine/memory/memory_block.h"
#include "tests/engine/machine/snapshot_machine.h"

namespace engine {

namespace {

std::unique_ptr<SnapshotTree> tree_of(const SnapshotMachine& machine)
{
    return std::move(*SnapshotTree::open(machine.definition.snapshots));
}

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
