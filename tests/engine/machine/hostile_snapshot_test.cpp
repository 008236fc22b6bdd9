// Snapshots that are whole, and describe what can't be: somebody made them so.

#include "engine/cpu/x86/state.h"
#include "engine/snapshot/container.h"
#include "tests/engine/machine/snapshot_machine.h"

namespace engine {

namespace {

// The file anew with one number changed in the state of a part; true where there was such a number.
bool change_number(const std::filesystem::path& path, const std::string& name, u64 value)
{
    std::ifstream in(path, std::ios::binary);
    const std::vector<u8> bytes{std::istreambuf_iterator<char>(in), {}};
    const FourCc kind = four_cc("SNAP"), state = four_cc("STAT");
    const std::array known{four_cc("META"), four_cc("THMB"), four_cc("MACH"), state,
                           four_cc("SEGM"), four_cc("PAGE"), four_cc("DISK")};
    const auto container = Container::parse(bytes, kind, known, "snapshot");
    if (!container)
        return false;
    ContainerWriter writer(kind);
    bool changed = false;
    for (const Section& section : container.value().sections()) {
        const auto need = section.required ? ContainerWriter::Need::required : ContainerWriter::Need::optional;
        auto fields = section.type == state ? unpack_fields(section.payload, "snapshot") : Result<StateMap>(StateMap());
        if (!fields)
            return false;
        const auto number = fields->scalars.find(name);
        if (number == fields->scalars.end()) {
            writer.add(section.type, section.instance, section.payload, need);
            continue;
        }
        number->second = value;
        changed = true;
        writer.add(section.type, section.instance, fields.value(), need);
    }
    const auto made = writer.finish();
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(made.data()), std::streamsize(made.size()));
    return changed;
}

TEST(HostileSnapshots, OfAProcessorThatCannotBeAreRefused)
{
    SnapshotMachine pc("hostile-processor");
    pc.start();
    EXPECT_EQ(pc.ask(1), "a");
    const std::string id = pc.take("good").id;
    pc.machine.reset();
    pc.definition.start_from = id;
    const auto path = std::filesystem::path(pc.definition.snapshots) / (id + ".snapshot");
    std::ifstream in(path, std::ios::binary);
    const std::string good{std::istreambuf_iterator<char>(in), {}};
    in.close();
    const std::pair<const char*, u64> changes[]
        = {{"cpu.0.fpu.mxcsr", 0xffff1f80},
           {"cpu.0.cr0", u64(1) << 31},
           {"cpu.0.efer", 0x500},
           {"cpu.0.xcr0", 0},
           {"cpu.0.run_state", 9}};
    for (const auto& [name, value] : changes) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << good;
        ASSERT_TRUE(change_number(path, name, value)) << name;
        ASSERT_TRUE(pc.open()) << name;
        pc.machine->start();
        ASSERT_TRUE(pc.wait([&] { return pc.end.has_value(); })) << name;
        EXPECT_NE(pc.end->text.find("as it can't be: processors"), std::string::npos) << name << ": " << pc.end->text;
    }
    // A number that may be changed is not what it is about.
    std::ofstream(path, std::ios::binary | std::ios::trunc) << good;
    ASSERT_TRUE(change_number(path, "cpu.0.cr2", 4711));
    pc.start();
    EXPECT_EQ(pc.ask(1), "b");
    pc.clean();
}

}

}
