#include "engine/machine/board/pc.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;

namespace {
// A processor that never runs: the tests work on the board's ports and memory in its place.
struct IdleVcpu final : Vcpu {
    bool intr = false;
    int resets = 0, smis = 0;
    x86::CpuState state;
    VcpuExit run() override { return VcpuExit::kicked; }
    void kick() override { }
    void save(x86::CpuState& to) override { to = state; }
    void load(const x86::CpuState& from) override { state = from; }
    void reset() override { ++resets; }
    void set_intr(bool level) override { intr = level; }
    void raise_nmi() override { }
    void raise_smi() override { ++smis; }
    std::string failure() const override { return ""; }
    u64 instructions() const override { return 0; }
};

struct IdleProcessors final : Processors {
    IdleVcpu vcpu;
    ImmediateRounds rounds;
    Wires wires;
    std::vector<InterruptMessage> messages;
    explicit IdleProcessors(Wires board) : wires(std::move(board)) { }
    std::vector<Vcpu*> vcpus() override { return {&vcpu}; }
    bool has_smm() const override { return false; }
    bool deliver(const InterruptMessage& message) override
    {
        messages.push_back(message);
        return true;
    }
    void set_intr(bool level) override { vcpu.set_intr(level); }
    DirtyRounds& dirty_rounds() override { return rounds; }
    void reset() override { vcpu.reset(); }
    void visit(StateVisitor&) override { }
    u32 features() const override { return 0; }
    bool take_features(u32) override { return true; }
    bool restored() override { return true; }
};

struct Host final : BoardHost, Listener {
    int resets = 0, pauses = 0;
    std::optional<StopReason> stop;
    std::vector<std::function<void()>> quiet;
    std::string serial, debug;
    u8 leds = 0;
    void request_reset() override { ++resets; }
    void request_stop(const StopReason& reason) override { stop = reason; }
    void request_pause() override { ++pauses; }
    void request_quiet(std::function<void()> work) override { quiet.push_back(std::move(work)); }
    void serial_output(std::string_view bytes) override { serial += bytes; }
    void debug_output(std::string_view bytes) override { debug += bytes; }
    void keyboard_leds(u8 lit) override { leds = lit; }
};

// Firmware of the right shapes, so that the test needs no package.
std::string firmware_directory()
{
    const auto directory = std::filesystem::temp_directory_path() / ("paddock-pc-test." + std::to_string(getpid()));
    std::filesystem::create_directory(directory);
    std::string bios(256 << 10, '\xf4'), vga(2048, '\0');
    bios[(256 << 10) - 16] = '\xea';
    vga.replace(0, 3, "\x55\xaa\x04");
    std::ofstream(directory / "bios-256k.bin", std::ios::binary) << bios;
    std::ofstream(directory / "vgabios-stdvga.bin", std::ios::binary) << vga;
    return directory;
}

struct Bench {
    std::mutex lock;
    ManualClock clock;
    DeadlineQueue deadlines{clock};
    CompletionQueue events;
    WorkerPool workers;
    Host host;
    std::string firmware = firmware_directory();
    IdleProcessors* processors = nullptr;
    std::unique_ptr<PcBoard> board;

    explicit Bench(MachineDefinition definition = {.memory_mib = 8})
    {
        definition.firmware = firmware;
        auto made = PcBoard::create(
            definition, {lock, deadlines, events, workers, host, host}, [this](unsigned, Processors::Wires wires) {
                auto idle = std::make_unique<IdleProcessors>(std::move(wires));
                processors = idle.get();
                return Result<std::unique_ptr<Processors>>(std::move(idle));
            });
        if (!made) {
            ADD_FAILURE() << made.error().text();
            return;
        }
        board = std::move(*made);
        board->reset();
    }
    ~Bench()
    {
        board.reset();
        std::filesystem::remove_all(firmware);
    }
    void out(u16 port, u32 value, unsigned size = 1) { processors->wires.ports.write(port, value, size); }
    u32 in(u16 port, unsigned size = 1) { return processors->wires.ports.read(port, size); }
    AddressSpace& memory() { return processors->wires.memory; }
    u8 cmos(u8 index)
    {
        out(0x70, index);
        return u8(in(0x71));
    }
    u32 pci(unsigned device, unsigned function, u8 offset)
    {
        out(0xcf8, 0x80000000 | device << 11 | function << 8 | offset, 4);
        return in(0xcfc, 4);
    }
    void pci_write(unsigned device, unsigned function, u8 offset, u32 value)
    {
        out(0xcf8, 0x80000000 | device << 11 | function << 8 | offset, 4);
        out(0xcfc, value, 4);
    }
    void start_pic()
    {
        for (const u16 port : {0x20, 0xa0}) {
            out(port, 0x11);
            out(u16(port + 1), port == 0x20 ? 0x20 : 0x28);
            out(u16(port + 1), port == 0x20 ? 4 : 2);
            out(u16(port + 1), 1);
            out(u16(port + 1), 0);
        }
    }
};
}

TEST(Pc, the_reset_vector_is_in_the_bios_and_the_bios_below_one_mebibyte)
{
    Bench b;
    EXPECT_EQ(b.memory().read(0xfffffff0, 1), 0xeau);
    EXPECT_EQ(b.memory().read(0xffff0, 1), 0xeau);
    b.memory().write(0xffff0, 0, 1);
    b.memory().write(0xfffffff0, 0, 1);
    EXPECT_EQ(b.memory().read(0xffff0, 1), 0xeau);
    EXPECT_EQ(b.memory().read(0xfffffff0, 1), 0xeau);
    EXPECT_EQ(b.processors->vcpu.resets, 1);
}

TEST(Pc, a_reset_brings_the_rom_back_and_keeps_memory)
{
    Bench b;
    b.memory().write(0x1000, 0x77, 1);
    b.pci_write(0, 0, 0x58, 0x30303030 | b.pci(0, 0, 0x58));
    b.pci_write(0, 0, 0x58, 0x33333333);
    b.memory().write(0xffff0, 0x11, 1);
    EXPECT_EQ(b.memory().read(0xffff0, 1), 0x11u);
    b.board->reset();
    EXPECT_EQ(b.memory().read(0xffff0, 1), 0xeau);
    EXPECT_EQ(b.memory().read(0x1000, 1), 0x77u);
}

TEST(Pc, memory_is_split_at_three_gibibytes_and_cmos_knows)
{
    Bench b({.memory_mib = 5120});
    EXPECT_EQ(b.cmos(0x34) | b.cmos(0x35) << 8, (0xc0000000 - (16 << 20)) >> 16);
    EXPECT_EQ(b.cmos(0x5b) | b.cmos(0x5c) << 8 | b.cmos(0x5d) << 16, 0x80000000u >> 16);
    b.memory().write(0xbffff000, 1, 1);
    b.memory().write(0x17fffffff, 2, 1);
    EXPECT_EQ(b.memory().read(0xbffff000, 1), 1u);
    EXPECT_EQ(b.memory().read(0xc0000000, 1), 0xffu);
    EXPECT_EQ(b.memory().read(0x17fffffff, 1), 2u);
    EXPECT_EQ(b.memory().read(0x180000000, 1), 0xffu);
}

TEST(Pc, has_its_functions_on_the_pci_bus)
{
    Bench b;
    EXPECT_EQ(b.pci(0, 0, 0), 0x12378086u);
    EXPECT_EQ(b.pci(0, 0, 0x2c), 0x11001af4u);
    EXPECT_EQ(b.pci(1, 0, 0), 0x70008086u);
    EXPECT_EQ(b.pci(1, 1, 0), 0x70108086u);
    EXPECT_EQ(b.pci(1, 3, 0), 0x71138086u);
    EXPECT_EQ(b.pci(2, 0, 0), 0x11111234u);
    EXPECT_EQ(b.pci(3, 0, 0), 0xffffffffu);
}

TEST(Pc, a20_is_on_while_the_keyboard_controller_or_port_92_asks_for_it)
{
    Bench b;
    EXPECT_TRUE(b.memory().a20());
    b.out(0x64, 0xd1);
    b.out(0x60, 0xdd);
    EXPECT_FALSE(b.memory().a20());
    b.out(0x92, 2);
    EXPECT_TRUE(b.memory().a20());
    b.out(0x92, 0);
    EXPECT_FALSE(b.memory().a20());
    b.board->reset();
    EXPECT_TRUE(b.memory().a20());
}

TEST(Pc, every_way_to_reset_asks_the_host)
{
    Bench b;
    b.out(0x64, 0xfe);
    EXPECT_EQ(b.host.resets, 1);
    b.out(0x92, 1);
    EXPECT_EQ(b.host.resets, 2);
    b.out(0xcf9, 2);
    b.out(0xcf9, 6);
    EXPECT_EQ(b.host.resets, 3);
}

TEST(Pc, a_key_reaches_the_interrupt_controller)
{
    Bench b;
    b.start_pic();
    b.out(0x64, 0x60);
    b.out(0x60, 0x43);
    b.board->key(0x1e, true);
    EXPECT_TRUE(b.processors->vcpu.intr);
    EXPECT_EQ(b.processors->wires.acknowledge_interrupt(), 0x21);
    EXPECT_EQ(b.in(0x60), 0x1eu);
}

TEST(Pc, the_timer_ticks_on_request_0_and_pin_2)
{
    Bench b;
    b.start_pic();
    b.memory().write(0xfec00000, 0x14, 4);
    b.memory().write(0xfec00010, 0x55, 4);
    b.out(0x43, 0x34);
    b.out(0x40, 0);
    b.out(0x40, 0x10);
    for (int n = 0; n < 20; ++n) {
        b.clock.advance(1'000'000);
        b.deadlines.run_due();
    }
    EXPECT_TRUE(b.processors->vcpu.intr);
    EXPECT_EQ(b.processors->wires.acknowledge_interrupt(), 0x20);
    ASSERT_FALSE(b.processors->messages.empty());
    EXPECT_EQ(b.processors->messages.front().vector, 0x55);
}

TEST(Pc, serial_line_both_ways)
{
    Bench b;
    b.out(0x3f8, 'h');
    b.out(0x3f8, '\n');
    EXPECT_EQ(b.host.serial, "h\n");
    b.board->serial_input("x");
    b.clock.advance(2'000'000);
    b.deadlines.run_due();
    EXPECT_EQ(b.in(0x3fd) & 1, 1u);
    EXPECT_EQ(b.in(0x3f8), u32('x'));
}

TEST(Pc, no_serial_port_where_none_was_asked_for)
{
    Bench b({.memory_mib = 8, .serial = MachineDefinition::Serial::none});
    EXPECT_EQ(b.in(0x3fb), 0xffu);
}

TEST(Pc, test_device_only_where_asked_for)
{
    Bench with({.memory_mib = 8, .test_device = true}), without;
    with.out(0xf4, 3);
    ASSERT_TRUE(with.host.stop);
    EXPECT_EQ(with.host.stop->kind, StopReason::Kind::guest_exit);
    EXPECT_EQ(with.host.stop->exit_code, 7);
    with.out(0x402, '\n');
    EXPECT_EQ(with.host.debug, "\n");
    without.out(0xf4, 3);
    EXPECT_FALSE(without.host.stop);
    EXPECT_EQ(without.in(0x402), 0xffu);
}

TEST(Pc, soft_off_ends_the_machine)
{
    Bench b;
    b.pci_write(1, 3, 0x40, 0x601);
    b.pci_write(1, 3, 0x80, 1);
    b.pci_write(1, 3, 0x04, 1);
    b.out(0x604, 0x2000, 2);
    ASSERT_TRUE(b.host.stop);
    EXPECT_EQ(b.host.stop->kind, StopReason::Kind::powered_off);
}

TEST(Pc, a_wrong_disc_leaves_the_old_one_in)
{
    Bench b;
    const auto changed = b.board->change_cdrom("/nowhere/at/all.iso");
    ASSERT_FALSE(changed);
    EXPECT_NE(changed.error().text().find("/nowhere/at/all.iso"), std::string::npos);
    EXPECT_TRUE(b.board->change_cdrom(""));
    EXPECT_TRUE(b.board->change_floppy(""));
}

TEST(Pc, a_shutdown_code_announces_a_detour)
{
    Bench b;
    EXPECT_FALSE(b.board->reset_is_a_detour());
    b.out(0x70, 0x0f);
    b.out(0x71, 0x0a);
    EXPECT_TRUE(b.board->reset_is_a_detour());
}
