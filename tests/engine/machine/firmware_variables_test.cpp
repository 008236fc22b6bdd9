// What the firmware remembers goes with the machine: by its file, its snapshots, its clones and its trials.
#include <array>

#include "tests/engine/machine/snapshot_machine.h"

using namespace engine;

namespace {

// For a 'p' the firmware programs the next letter of the alphabet behind those that stand in its second flash chip and says it;
// for any other byte it says how many there are.
struct FlashMachine : SnapshotMachine {
    static constexpr std::size_t code_size = 256 << 10, chip_size = 64 << 10;

    explicit FlashMachine(const std::string& name) : SnapshotMachine("flash-" + name)
    {
        // Assembled from:
        //         cli | o32 lgdt [cs:gdtr] | mov eax, cr0 | or al, 1 | mov cr0, eax | jmp dword 8:0f0000h + flat
        //     flat: mov ax, 16 | mov ds, ax
        //     next: mov dx, 3fdh | in al, dx | test al, 1 | jz next | mov dx, 3f8h | in al, dx
        //         mov edi, 0fffb0000h | mov ebx, edi
        //     erased: cmp byte [ebx], 0ffh | je found | inc ebx | jmp erased
        //     found: mov ecx, ebx | sub ecx, edi | cmp al, 'p' | je program | lea eax, [ecx + '0'] | jmp say
        //     program: add cl, 'a' | mov byte [ebx], 10h | mov [ebx], cl | mov byte [ebx], 0ffh | mov al, [ebx]
        //     say: mov dx, 3f8h | out dx, al | jmp next
        //     gdtr: dw 23 | dd 0f0000h + gdt
        //     gdt: dq 0, 00cf9b000000ffffh, 00cf93000000ffffh
        const unsigned char program[] = {
            0xfa, 0x2e, 0x66, 0x0f, 0x01, 0x16, 0x5c, 0x00, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x66, 0xea,
            0x18, 0x00, 0x0f, 0x00, 0x08, 0x00, 0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8,
            0x01, 0x74, 0xf7, 0x66, 0xba, 0xf8, 0x03, 0xec, 0xbf, 0x00, 0x00, 0xfb, 0xff, 0x89, 0xfb, 0x80, 0x3b, 0xff,
            0x74, 0x03, 0x43, 0xeb, 0xf8, 0x89, 0xd9, 0x29, 0xf9, 0x3c, 0x70, 0x74, 0x05, 0x8d, 0x41, 0x30, 0xeb, 0x0d,
            0x80, 0xc1, 0x61, 0xc6, 0x03, 0x10, 0x88, 0x0b, 0xc6, 0x03, 0xff, 0x8a, 0x03, 0x66, 0xba, 0xf8, 0x03, 0xee,
            0xeb, 0xc2, 0x17, 0x00, 0x62, 0x00, 0x0f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
            0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00,
        };
        write_firmware(program);
        std::filesystem::rename(folder / "bios-256k.bin", folder / "CODE.fd");
        std::ofstream(folder / "VARS.fd", std::ios::binary) << std::string(chip_size, '\xff');
        definition.firmware = folder / "CODE.fd";
        definition.firmware_variables = folder / "variables.fd";
    }

    // Of the machine's own file, once the machine is gone.
    std::string kept(const std::string& file = {})
    {
        machine.reset();
        std::ifstream in(file.empty() ? definition.firmware_variables : file, std::ios::binary);
        const std::string content{std::istreambuf_iterator<char>(in), {}};
        EXPECT_EQ(content.size(), chip_size);
        return content.substr(0, content.find('\xff'));
    }
};

struct FirmwareVariables : testing::TestWithParam<Accelerator> {
    std::optional<FlashMachine> machine;
    void SetUp() override
    {
        machine.emplace("variables");
        machine->definition.accelerator = GetParam();
        if (auto opened = machine->open(); !opened && GetParam() == Accelerator::kvm)
            GTEST_SKIP() << opened.error().text();
    }
    void TearDown() override { machine->clean(); }
    FlashMachine& pc() { return *machine; }
};
std::string name_of(const testing::TestParamInfo<Accelerator>& info)
{
    constexpr std::array names{"automatic", "kvm", "translator", "interpreter", "lockstep"};
    return names.at(unsigned(info.param));
}
INSTANTIATE_TEST_SUITE_P(
    , FirmwareVariables,
    testing::Values(Accelerator::translator, Accelerator::interpreter, Accelerator::lockstep, Accelerator::kvm), name_of);

}

TEST_P(FirmwareVariables, OutliveTheMachine)
{
    pc().start();
    EXPECT_EQ(pc().ask(3, "p"), "abc");
    EXPECT_EQ(pc().ask(1), "3");
    EXPECT_EQ(pc().kept(), "abc");
    pc().start();
    EXPECT_EQ(pc().ask(1), "3");
    EXPECT_EQ(pc().ask(1, "p"), "d");
    EXPECT_EQ(pc().kept(), "abcd");
}

TEST_P(FirmwareVariables, GoBackWithTheMachine)
{
    pc().start();
    EXPECT_EQ(pc().ask(3, "p"), "abc");
    const std::string three = pc().take("three").id;
    EXPECT_EQ(pc().ask(2, "p"), "de");
    const std::string five = pc().take("five").id;
    pc().go_back(three);
    EXPECT_EQ(pc().ask(1), "3");
    EXPECT_EQ(pc().kept(), "abc");
    pc().definition.start_from = five;
    pc().start();
    EXPECT_EQ(pc().ask(1), "5");
    EXPECT_EQ(pc().ask(1, "p"), "f");
    EXPECT_EQ(pc().kept(), "abcdef");
}

TEST_P(FirmwareVariables, AreThereWhenASavedMachineGoesOn)
{
    pc().start();
    EXPECT_EQ(pc().ask(2, "p"), "ab");
    ASSERT_TRUE(pc().machine->save_and_stop());
    ASSERT_TRUE(pc().wait([&] { return pc().end.has_value(); }));
    pc().start();
    EXPECT_EQ(pc().ask(1), "2");
}

TEST_P(FirmwareVariables, ACloneHasItsOwn)
{
    pc().start();
    EXPECT_EQ(pc().ask(2, "p"), "ab");
    const std::string id = pc().take("two").id;
    EXPECT_EQ(pc().ask(1, "p"), "c");
    const std::string folder = pc().folder / "clone";
    std::filesystem::create_directory(folder);
    const auto clone = clone_from_snapshot(pc().definition, id, folder);
    ASSERT_TRUE(clone) << clone.error().text();
    EXPECT_EQ(pc().kept(), "abc");
    EXPECT_EQ(pc().kept(clone.value().firmware_variables), "ab");
    const MachineDefinition original = std::exchange(pc().definition, clone.value());
    pc().start();
    EXPECT_EQ(pc().ask(1), "2");
    EXPECT_EQ(pc().ask(2, "p"), "cd");
    EXPECT_EQ(pc().kept(), "abcd");
    EXPECT_EQ(pc().kept(original.firmware_variables), "abc");
}

TEST_P(FirmwareVariables, ATrialLeavesTheMachinesAlone)
{
    pc().start();
    EXPECT_EQ(pc().ask(2, "p"), "ab");
    const std::string id = pc().take("two").id;
    EXPECT_EQ(pc().ask(1, "p"), "c");
    EXPECT_EQ(pc().kept(), "abc");
    pc().definition.trial = true;
    pc().definition.start_from = id;
    pc().start();
    EXPECT_EQ(pc().ask(3, "p"), "cde");
    EXPECT_EQ(pc().kept(), "abc");
    // Its machine is gone; kept, it is a snapshot of the disks and of what the firmware remembers.
    const auto kept = keep_trial(pc().definition, {.name = "kept"});
    ASSERT_TRUE(kept) << kept.error().text();
    ASSERT_TRUE(end_trial(pc().definition));
    pc().definition.trial = false;
    pc().definition.start_from = kept.value().id;
    pc().start();
    EXPECT_EQ(pc().ask(1), "5");
    EXPECT_EQ(pc().kept(), "abcde");
    for (const auto& entry : std::filesystem::directory_iterator(pc().definition.snapshots))
        EXPECT_EQ(entry.path().filename().string().find("variables"), std::string::npos) << entry.path();
}

TEST_P(FirmwareVariables, ASnapshotOfAMachineThatIsOffHasThem)
{
    pc().start();
    EXPECT_EQ(pc().ask(3, "p"), "abc");
    EXPECT_EQ(pc().kept(), "abc");
    const auto off = take_snapshot_of_stopped(pc().definition, {.name = "off"});
    ASSERT_TRUE(off) << off.error().text();
    pc().start();
    EXPECT_EQ(pc().ask(2, "p"), "de");
    EXPECT_EQ(pc().kept(), "abcde");
    pc().definition.start_from = off.value().id;
    pc().start();
    EXPECT_EQ(pc().ask(1), "3");
    EXPECT_EQ(pc().kept(), "abc");
}

TEST(FirmwareVariablesFile, IsNotTouchedByASnapshotThatCanNotBeGoneBackTo)
{
    FlashMachine pc("damaged");
    pc.start();
    const std::string id = pc.take("none").id;
    EXPECT_EQ(pc.ask(2, "p"), "ab");
    EXPECT_EQ(pc.kept(), "ab");
    // Its memory is gone.
    for (const auto& entry : std::filesystem::directory_iterator(pc.definition.snapshots))
        if (entry.path().extension() == ".pages")
            std::filesystem::resize_file(entry.path(), 64);
    pc.definition.start_from = id;
    if (pc.open()) {
        pc.machine->start();
        EXPECT_TRUE(pc.wait([&] { return pc.end.has_value() || !pc.trouble.empty(); }));
    }
    EXPECT_EQ(pc.kept(), "ab");
    pc.clean();
}

TEST(FirmwareVariablesFile, IsOneMachinesAlone)
{
    FlashMachine pc("alone");
    ASSERT_TRUE(pc.open());
    const auto second = Machine::create(pc.definition, pc);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().what.find("variables.fd"), std::string::npos);
    pc.clean();
}
