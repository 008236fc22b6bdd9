// Snapshots of a machine under /dev/kvm, which tells of its guest's writes only afterwards.
#include "engine/cpu/kvm/kvm_device.h"
#include "tests/engine/machine/snapshot_machine.h"

namespace engine {

namespace {

struct KvmSnapshots : testing::Test {
    void SetUp() override
    {
        if (const auto device = KvmDevice::open(); !device)
            GTEST_SKIP() << device.error().text();
    }
};

TEST_F(KvmSnapshots, GoBackInTheRunningMachine)
{
    SnapshotMachine pc("kvm-back");
    pc.definition.accelerator = Accelerator::kvm;
    pc.start();
    EXPECT_EQ(pc.ask(3), "abc");
    const SnapshotInfo first = pc.take("first");
    EXPECT_EQ(pc.ask(2), "de");
    const SnapshotInfo second = pc.take("second");
    EXPECT_EQ(second.parent, first.id);
    EXPECT_EQ(pc.ask(1), "f");
    pc.go_back(first.id);
    EXPECT_EQ(pc.ask(1), "d");
    pc.go_back(second.id);
    EXPECT_EQ(pc.ask(2), "fg");
    pc.clean();
}

TEST_F(KvmSnapshots, AreWhereANewMachineBeginsUnderEitherAccelerator)
{
    SnapshotMachine pc("kvm-begin");
    std::string said = "abcdefghijklmnop", heard;
    for (const Accelerator accelerator :
         {Accelerator::kvm, Accelerator::translator, Accelerator::kvm, Accelerator::kvm, Accelerator::interpreter}) {
        pc.definition.accelerator = accelerator;
        pc.start();
        heard += pc.ask(2);
        pc.definition.start_from = pc.take("here").id;
        heard += pc.ask(1);
        heard.pop_back();
    }
    EXPECT_EQ(heard, said.substr(0, heard.size()));
    pc.clean();
}

}

}
