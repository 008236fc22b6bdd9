// Snapshots of a machine under /dev/kvm, which tells of its guest's writes only afterwards.
#include "engine/cpu/kvm/kvm_cpuid.h"
#include "engine/cpu/kvm/kvm_device.h"
#include "engine/cpu/x86/cpuid.h"
#include "engine/memory/page_faults.h"
#include "engine/snapshot/snapshot_directory.h"
#include "tests/engine/machine/snapshot_machine.h"

namespace engine {

namespace {

// With and without the kernel's page faults, by which memory comes in as it is touched.
struct KvmSnapshots : testing::TestWithParam<bool> {
    void SetUp() override
    {
        if (const auto device = KvmDevice::open(); !device)
            GTEST_SKIP() << device.error().text();
        PageFaults::forbid(!GetParam());
        if (GetParam() && !PageFaults::open())
            GTEST_SKIP() << "This user may not have the kernel's page faults";
    }
    void TearDown() override { PageFaults::forbid(false); }
};
INSTANTIATE_TEST_SUITE_P(, KvmSnapshots, testing::Bool(), [](const auto& mode) {
    return std::string(mode.param ? "AsMemoryIsTouched" : "AllMemoryAtOnce");
});

TEST_P(KvmSnapshots, GoBackInTheRunningMachine)
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

TEST_P(KvmSnapshots, SayWhatTheGuestSawOfTheProcessor)
{
    SnapshotMachine pc("kvm-features");
    pc.definition.accelerator = Accelerator::kvm;
    pc.start();
    const std::string id = pc.take("here").id;
    PageStore store(pc.definition.snapshots);
    auto content = SnapshotDirectory(pc.definition.snapshots).snapshot(id, store);
    ASSERT_TRUE(content) << content.error().text();
    const auto device = KvmDevice::open();
    x86::CpuModel model;
    model.features = x86::host_features();
    EXPECT_EQ(content->states["board"].scalars.at("cpu_features"), kvm_features(device.value(), model));
    pc.clean();
}

TEST_P(KvmSnapshots, AreWhereANewMachineBeginsUnderEitherAccelerator)
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

// Says the next letter as the counting guest does, but counts in the upper half of YMM1, in 64-bit user mode with I/O
// privilege: KVMs that interpret the rest run that on the processor.
void write_counting_in_ymm(const SnapshotMachine& pc)
{
    // Assembled from:
    //         lgdt [table] | mov eax, cr0 | or al, 1 | mov cr0, eax | jmp 8:flat
    //     flat: mov eax, 16 | mov ds, eax | mov ss, eax
    //         mov dword [10000h], 11007h | mov dword [11000h], 12007h | mov dword [12000h], 87h | mov eax, 10000h | mov cr3, eax
    //         mov eax, 620h | mov cr4, eax | mov ecx, 0c0000080h | rdmsr | or eax, 100h | wrmsr
    //         mov eax, cr0 | or eax, 80000000h | mov cr0, eax | jmp 24:long
    //     long: mov eax, 1 | cpuid | test ecx, 4000000h | jz leave    ; where it is shown, XSAVE is switched on
    //         mov rax, cr4 | or eax, 40000h | mov cr4, rax | xor ecx, ecx | xor edx, edx | mov eax, 7 | xsetbv
    //     leave: mov esp, 8000h | push 23h | push 8000h | push 3002h | push 2bh | push user | iretq
    //     user: mov eax, 1 | vmovq xmm0, rax | vpbroadcastq ymm0, xmm0 | mov eax, 60h | vmovq xmm1, rax | vpbroadcastq ymm1, xmm1
    //     next: mov edx, 3fdh | in al, dx | test al, 1 | jz next | mov edx, 3f8h | in al, dx
    //         vpaddq ymm1, ymm1, ymm0 | vextracti128 xmm2, ymm1, 1 | vmovq rax, xmm2 | out dx, al | jmp next
    const unsigned char program[] = {
        0x2e, 0x66, 0x0f, 0x01, 0x16, 0x17, 0x00, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x66, 0xea, 0x50, 0x00, 0x0f,
        0x00, 0x08, 0x00, 0x2f, 0x00, 0x20, 0x00, 0x0f, 0x00, 0x0f, 0x1f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00,
        0x00, 0x9b, 0xaf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0xf3, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0xfb, 0xaf, 0x00,
        0xb8, 0x10, 0x00, 0x00, 0x00, 0x8e, 0xd8, 0x8e, 0xd0, 0xc7, 0x05, 0x00, 0x00, 0x01, 0x00, 0x07, 0x10, 0x01, 0x00, 0xc7,
        0x05, 0x00, 0x10, 0x01, 0x00, 0x07, 0x20, 0x01, 0x00, 0xc7, 0x05, 0x00, 0x20, 0x01, 0x00, 0x87, 0x00, 0x00, 0x00, 0xb8,
        0x00, 0x00, 0x01, 0x00, 0x0f, 0x22, 0xd8, 0xb8, 0x20, 0x06, 0x00, 0x00, 0x0f, 0x22, 0xe0, 0xb9, 0x80, 0x00, 0x00, 0xc0,
        0x0f, 0x32, 0x0d, 0x00, 0x01, 0x00, 0x00, 0x0f, 0x30, 0x0f, 0x20, 0xc0, 0x0d, 0x00, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0,
        0xea, 0xa7, 0x00, 0x0f, 0x00, 0x18, 0x00, 0xb8, 0x01, 0x00, 0x00, 0x00, 0x0f, 0xa2, 0xf7, 0xc1, 0x00, 0x00, 0x00, 0x04,
        0x74, 0x17, 0x0f, 0x20, 0xe0, 0x0d, 0x00, 0x00, 0x04, 0x00, 0x0f, 0x22, 0xe0, 0x31, 0xc9, 0x31, 0xd2, 0xb8, 0x07, 0x00,
        0x00, 0x00, 0x0f, 0x01, 0xd1, 0xbc, 0x00, 0x80, 0x00, 0x00, 0x6a, 0x23, 0x68, 0x00, 0x80, 0x00, 0x00, 0x68, 0x02, 0x30,
        0x00, 0x00, 0x6a, 0x2b, 0x68, 0xe7, 0x00, 0x0f, 0x00, 0x48, 0xcf, 0xb8, 0x01, 0x00, 0x00, 0x00, 0xc4, 0xe1, 0xf9, 0x6e,
        0xc0, 0xc4, 0xe2, 0x7d, 0x59, 0xc0, 0xb8, 0x60, 0x00, 0x00, 0x00, 0xc4, 0xe1, 0xf9, 0x6e, 0xc8, 0xc4, 0xe2, 0x7d, 0x59,
        0xc9, 0xba, 0xfd, 0x03, 0x00, 0x00, 0xec, 0xa8, 0x01, 0x74, 0xf6, 0xba, 0xf8, 0x03, 0x00, 0x00, 0xec, 0xc5, 0xf5, 0xd4,
        0xc8, 0xc4, 0xe3, 0x7d, 0x39, 0xca, 0x01, 0xc4, 0xe1, 0xf9, 0x7e, 0xd0, 0xee, 0xeb, 0xde,
    };
    pc.write_firmware(program);
}

TEST_P(KvmSnapshots, HoldTheUpperHalvesOfVectorRegisters)
{
    if (!(x86::host_features() & x86::feature_avx2))
        GTEST_SKIP() << "This host has no AVX2";
    SnapshotMachine pc("kvm-ymm");
    write_counting_in_ymm(pc);
    pc.definition.accelerator = Accelerator::kvm;
    pc.start();
    EXPECT_EQ(pc.ask(3), "abc");
    const std::string id = pc.take("three").id;
    EXPECT_EQ(pc.ask(2), "de");
    pc.go_back(id);
    EXPECT_EQ(pc.ask(2), "de");
    pc.definition.start_from = id;
    for (const Accelerator accelerator : {Accelerator::kvm, Accelerator::translator}) {
        pc.definition.accelerator = accelerator;
        pc.start();
        EXPECT_EQ(pc.ask(2), "de");
    }
    pc.clean();
}

}

}
