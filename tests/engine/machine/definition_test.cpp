#include "engine/machine/definition.h"

#include <gtest/gtest.h>

using namespace engine;

namespace {
std::string refusal(const MachineDefinition& definition)
{
    const auto checked = check_definition(definition);
    return checked ? "" : checked.error().text();
}
bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}
}

TEST(Definition, the_usual_machine_is_fine)
{
    EXPECT_EQ(refusal({.memory_mib = 256}), "");
    EXPECT_EQ(refusal({.memory_mib = 1, .cpus = 32, .disks = {"a", "b"}, .cdrom = "c", .boot_order = "dca"}), "");
}

TEST(Definition, no_memory_and_too_much_are_refused_with_the_hosts_size)
{
    EXPECT_TRUE(has(refusal({.memory_mib = 0}), "0 MiB"));
    const std::string much = refusal({.memory_mib = 10ull << 20});
    EXPECT_TRUE(has(much, "10 TiB") && has(much, "this computer has") && has(much, "at most")) << much;
    const std::string more = refusal({.memory_mib = (memory_limit() >> 20) + 1});
    EXPECT_TRUE(has(more, "This computer has")) << more;
    EXPECT_EQ(refusal({.memory_mib = ~u64(0)}).empty(), false);
}

TEST(Definition, memory_limit_leaves_the_host_something)
{
    EXPECT_GT(memory_limit(), u64(64) << 20);
    EXPECT_LT(memory_limit(), u64(1) << 50);
}

TEST(Definition, processors_drives_and_letters_have_limits)
{
    EXPECT_TRUE(has(refusal({.memory_mib = 64, .cpus = 0}), "0 processors"));
    EXPECT_TRUE(has(refusal({.memory_mib = 64, .cpus = 33}), "33 processors"));
    EXPECT_TRUE(has(refusal({.memory_mib = 64, .disks = {"a", "b", "c"}}), "3 disks"));
    EXPECT_TRUE(has(refusal({.memory_mib = 64, .disks = {""}}), "no image"));
    EXPECT_TRUE(has(refusal({.memory_mib = 64, .boot_order = "dx"}), "\"x\""));
    EXPECT_TRUE(has(refusal({.memory_mib = 64, .initrd = "i"}), "no kernel"));
    EXPECT_TRUE(has(refusal({.memory_mib = 64, .serial = MachineDefinition::Serial::file}), "serial port"));
}

TEST(Definition, boots_from_what_is_there)
{
    EXPECT_EQ(usual_boot_order({}), "dca");
    EXPECT_EQ(usual_boot_order({.cdrom = "x"}), "dca");
    EXPECT_EQ(usual_boot_order({.disks = {"d"}, .cdrom = "x"}), "cda");
    EXPECT_EQ(usual_boot_order({.disks = {"d"}, .floppy = "f"}), "acd");
    EXPECT_EQ(usual_boot_order({.floppy = "f", .boot_order = "d"}), "d");
}

TEST(Machine, missing_files_are_named)
{
    Listener listener;
    const auto machine = Machine::create({.memory_mib = 64, .cdrom = "/nowhere/at/all.iso"}, listener);
    ASSERT_FALSE(machine);
    EXPECT_TRUE(has(machine.error().text(), "/nowhere/at/all.iso"));
    const auto without_firmware = Machine::create({.memory_mib = 64, .firmware = "/nowhere"}, listener);
    ASSERT_FALSE(without_firmware);
    EXPECT_TRUE(has(without_firmware.error().text(), "seabios"));
}
