// What the generation ID says of a machine's life.
#include "engine/snapshot/snapshot_directory.h"
#include "tests/engine/machine/snapshot_machine.h"

using namespace engine;

namespace {

using Generation = std::pair<u64, u64>;

Generation generation_of(const std::string& snapshots)
{
    auto present = SnapshotDirectory(snapshots).present();
    EXPECT_TRUE(present) << present.error().text();
    return {present->generation_low, present->generation_high};
}

struct GenerationTest : testing::Test {
    SnapshotMachine pc{"generation"};
    ~GenerationTest() override { pc.clean(); }
    Generation started()
    {
        pc.start();
        EXPECT_EQ(pc.ask(1).size(), 1u);
        return now();
    }
    Generation now() { return generation_of(pc.definition.snapshots); }
};

}

TEST_F(GenerationTest, stays_while_the_machine_is_switched_off_or_closed)
{
    const Generation first = started();
    EXPECT_NE(first, Generation());
    EXPECT_EQ(started(), first);
    ASSERT_TRUE(pc.machine->save_and_stop());
    ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); }));
    EXPECT_EQ(started(), first);
}

TEST_F(GenerationTest, is_another_where_the_machine_goes_back)
{
    const Generation first = started();
    const std::string id = pc.take("here").id;
    EXPECT_EQ(now(), first);
    pc.go_back(id);
    const Generation second = now();
    EXPECT_NE(second, first);
    pc.definition.start_from = id;
    const Generation third = started();
    EXPECT_NE(third, second);
    EXPECT_NE(third, first);
}

TEST_F(GenerationTest, is_another_in_a_clone_and_in_a_trial)
{
    const Generation first = started();
    const std::string id = pc.take("here").id;
    const std::string folder = pc.folder / "clone";
    std::filesystem::create_directory(folder);
    const auto clone = clone_from_snapshot(pc.definition, id, folder);
    ASSERT_TRUE(clone) << clone.error().text();
    SnapshotMachine other("generation", false);
    other.definition = clone.value();
    other.start();
    EXPECT_NE(generation_of(other.definition.snapshots), first);

    SnapshotMachine trial("generation", false);
    trial.definition = pc.definition;
    trial.definition.trial = true;
    trial.definition.start_from = id;
    trial.start();
    EXPECT_EQ(trial.ask(1), "b");
    EXPECT_EQ(now(), first);
    trial.machine.reset();
    ASSERT_TRUE(end_trial(trial.definition));
}
