// Snapshots that earlier versions wrote lie in golden/, a folder each, and are loaded for ever. To add one, when what a
// snapshot holds has changed:
//
//     PADDOCK_GOLDEN=…/golden/NAME engine_tests --gtest_also_run_disabled_tests --gtest_filter='*WriteOne'

#include <cstdlib>

#include "tests/engine/machine/snapshot_machine.h"

namespace engine {

namespace {

TEST(GoldenSnapshots, AreLoadedForEver)
{
    unsigned found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(PADDOCK_GOLDEN)) {
        SnapshotMachine pc("golden");
        std::filesystem::copy(entry.path(), pc.definition.snapshots, std::filesystem::copy_options::recursive);
        const auto tree = SnapshotTree::open(pc.definition.snapshots);
        ASSERT_TRUE(tree);
        const auto all = tree.value()->list();
        ASSERT_EQ(all.size(), 2u);
        EXPECT_EQ(all[0].name, "three letters");
        EXPECT_EQ(all[0].note, "a note");
        EXPECT_EQ(all[1].parent, all[0].id);
        pc.definition.start_from = all[0].id;
        pc.start();
        EXPECT_EQ(pc.ask(2), "de") << entry.path();
        pc.definition.start_from = all[1].id;
        pc.start();
        EXPECT_EQ(pc.ask(2), "ef") << entry.path();
        pc.clean();
        ++found;
    }
    EXPECT_GT(found, 0u);
}

TEST(GoldenSnapshots, DISABLED_WriteOne)
{
    const char* const to = std::getenv("PADDOCK_GOLDEN");
    ASSERT_TRUE(to);
    SnapshotMachine pc("golden");
    pc.start();
    EXPECT_EQ(pc.ask(3), "abc");
    pc.take("three letters");
    EXPECT_EQ(pc.ask(1), "d");
    pc.take("four");
    pc.machine.reset();
    std::filesystem::copy(pc.definition.snapshots, to, std::filesystem::copy_options::recursive);
    pc.clean();
}

}

}
