#include <memory>

#include <gtest/gtest.h>

#include "engine/device/pci/i440fx.h"
#include "engine/device/pci/pci_bus.h"
#include "engine/device/pci/piix3_isa.h"
#include "engine/device/pci/piix4_pm.h"
#include "engine/state/state_map.h"

using namespace engine;

namespace {
std::unique_ptr<MemoryBlock> block(u64 size)
{
    return std::move(*MemoryBlock::create("test", size));
}

struct Registers : IoHandler {
    u64 last_offset = ~0ull, last_value = 0;
    u64 read(u64 offset, unsigned) override { return 0x40 + offset; }
    void write(u64 offset, u64 value, unsigned) override
    {
        last_offset = offset;
        last_value = value;
    }
};

class Card final : public PciFunction {
public:
    Card(PciWires wires, MemoryBlock& memory, MemoryBlock& rom)
        : PciFunction(wires, {.vendor = 0x1234, .device = 0x5678, .class_code = 0x030000, .interrupt_pin = 1})
    {
        add_memory_window(0, 0x100000, memory, true);
        add_port_window(1, 16, registers, 2);
        add_register_window(2, 0x1000, registers);
        add_expansion_rom(0x8000, rom);
    }
    std::string_view name() const override { return "card"; }
    Registers registers;
};

struct Board {
    AddressSpace memory;
    PortSpace ports;
    std::unique_ptr<MemoryBlock> video = block(0x100000), rom = block(0x8000);
    std::array<int, 4> pirqs{};
    PciBus bus{[this](unsigned pirq, bool level) { pirqs[pirq] = level; }};
    Card card{{memory, ports}, *video, *rom};

    Board()
    {
        bus.add(2, 0, card);
        bus.claim(ports);
    }
    void select(unsigned device, unsigned function, unsigned offset)
    {
        ports.write(0xcf8, 0x80000000 | device << 11 | function << 8 | (offset & 0xfc), 4);
    }
    u32 read(unsigned device, unsigned function, unsigned offset, unsigned size)
    {
        select(device, function, offset);
        return ports.read(u16(0xcfc + (offset & 3)), size);
    }
    void write(unsigned device, unsigned function, unsigned offset, u32 value, unsigned size)
    {
        select(device, function, offset);
        ports.write(u16(0xcfc + (offset & 3)), value, size);
    }
};
}

TEST(PciBus, reads_bytes_words_and_nothing)
{
    Board b;
    EXPECT_EQ(b.read(2, 0, 0, 4), 0x56781234u);
    EXPECT_EQ(b.read(2, 0, 2, 2), 0x5678u);
    EXPECT_EQ(b.read(2, 0, 3, 1), 0x56u);
    EXPECT_EQ(b.read(3, 0, 0, 4), 0xffffffffu);
    EXPECT_EQ(b.read(2, 1, 0, 2), 0xffffu);
    b.ports.write(0xcf8, 0x80010000, 4);    // bus 1
    EXPECT_EQ(b.ports.read(0xcfc, 4), 0xffffffffu);
    b.ports.write(0xcf8, 0x00001000, 4);    // not enabled
    EXPECT_EQ(b.ports.read(0xcfc, 4), 0xffffffffu);
}

TEST(PciBus, the_address_register_is_a_dword)
{
    Board b;
    b.ports.write(0xcf8, 0x80001004, 4);
    b.ports.write(0xcf8, 0x55, 1);
    EXPECT_EQ(b.ports.read(0xcf8, 4), 0x80001004u);
}

TEST(PciBus, marks_devices_with_several_functions)
{
    Board b;
    Card second{{b.memory, b.ports}, *b.video, *b.rom};
    EXPECT_EQ(b.read(2, 0, 0x0e, 1), 0u);
    b.bus.add(2, 3, second);
    EXPECT_EQ(b.read(2, 0, 0x0e, 1), 0x80u);
    EXPECT_EQ(b.read(2, 0, 0x0c, 4), 0x00800000u);
    EXPECT_EQ(b.read(2, 3, 0x0f, 1), 0u);
}

TEST(PciBus, shares_interrupt_pins)
{
    Board b;
    Card other{{b.memory, b.ports}, *b.video, *b.rom};
    b.bus.add(6, 0, other);    // four further on: the same PIRQ
    b.card.interrupt().set(true);
    EXPECT_EQ(b.pirqs[1], 1);
    EXPECT_EQ(b.read(2, 0, 6, 2) & 8, 8u);
    other.interrupt().set(true);
    b.card.interrupt().set(false);
    EXPECT_EQ(b.pirqs[1], 1);
    b.write(6, 0, 4, 0x400, 2);    // interrupt disable
    EXPECT_EQ(b.pirqs[1], 0);
    b.write(6, 0, 4, 0, 2);
    EXPECT_EQ(b.pirqs[1], 1);
}

TEST(PciFunction, sizes_and_maps_its_windows)
{
    Board b;
    b.video->data()[0x10] = 0x77;
    b.write(2, 0, 4, 3, 2);
    for (const auto& [bar, answer] : {std::pair{0x10, 0xfff00008u}, {0x14, 0xfffffff1u}, {0x18, 0xfffff000u}, {0x1c, 0u}}) {
        b.write(2, 0, unsigned(bar), 0xffffffff, 4);
        EXPECT_EQ(b.read(2, 0, unsigned(bar), 4), answer) << bar;
    }
    EXPECT_EQ(b.memory.find(0xfff00000).size, 0u);    // being sized is not being mapped

    b.write(2, 0, 0x10, 0xe0000000, 4);
    b.write(2, 0, 0x14, 0xc000, 4);
    b.write(2, 0, 0x18, 0xe1000000, 4);
    EXPECT_EQ(b.memory.read(0xe0000010, 1), 0x77u);
    EXPECT_EQ(b.memory.read(0xe1000008, 4), 0x48u);
    EXPECT_EQ(b.ports.read(0xc004, 2), 0x44u);

    b.write(2, 0, 0x14, 0xd000, 4);
    EXPECT_EQ(b.ports.read(0xc004, 2), 0xffffu);
    EXPECT_EQ(b.ports.read(0xd004, 2), 0x44u);
    b.write(2, 0, 4, 0, 2);
    EXPECT_EQ(b.ports.read(0xd004, 2), 0xffffu);
    EXPECT_EQ(b.memory.read(0xe0000010, 1), 0xffu);
}

TEST(PciFunction, shows_its_rom_only_when_enabled)
{
    Board b;
    b.rom->data()[0] = 0x55;
    b.write(2, 0, 0x30, 0xfffff800, 4);
    EXPECT_EQ(b.read(2, 0, 0x30, 4), 0xffff8000u);
    b.write(2, 0, 4, 2, 2);
    b.write(2, 0, 0x30, 0xfeb00000, 4);
    EXPECT_EQ(b.memory.read(0xfeb00000, 1), 0xffu);
    b.write(2, 0, 0x30, 0xfeb00001, 4);
    EXPECT_EQ(b.memory.read(0xfeb00000, 1), 0x55u);
    b.card.reset();
    EXPECT_EQ(b.memory.read(0xfeb00000, 1), 0xffu);
}

TEST(PciFunction, a_restored_function_maps_what_it_had)
{
    Board b;
    b.write(2, 0, 0x18, 0xe1000000, 4);
    b.write(2, 0, 4, 2, 2);
    StateSaver saved;
    b.card.visit(saved);

    Board c;
    StateLoader loader(saved.map);
    c.card.visit(loader);
    ASSERT_TRUE(c.card.restored());
    EXPECT_EQ(c.memory.read(0xe1000008, 4), 0x48u);
    StateSaver again;
    c.card.visit(again);
    EXPECT_EQ(saved.map, again.map);

    saved.map.blobs["config"][0] = 0;
    StateLoader stranger(saved.map);
    c.card.visit(stranger);
    EXPECT_FALSE(c.card.restored());
}

namespace {
struct Chipset {
    AddressSpace memory;
    PortSpace ports;
    std::unique_ptr<MemoryBlock> ram = block(0x100000), bios = block(0x40000);
    std::unique_ptr<I440fx> pmc;

    Chipset()
    {
        memory.add_ram("ram", 0, 0xa0000, 0, *ram, 0);
        for (u64 at = 0; at < bios->size(); ++at)
            bios->data()[at] = u8(0x80 | at >> 12);
        pmc = std::move(*I440fx::create({memory, ports}, *ram, *bios));
    }
};
}

TEST(I440fx, pam_chooses_between_rom_and_ram)
{
    Chipset c;
    EXPECT_EQ(c.memory.read(0xffff0, 1), 0xbfu);
    EXPECT_EQ(c.memory.read(0xe0000, 1), 0xa0u);
    EXPECT_EQ(c.memory.read(0xc0000, 1), 0xffu);
    c.memory.write(0xffff0, 1, 1);
    EXPECT_EQ(c.ram->data()[0xffff0], 0);

    c.pmc->write_config(0x59, 0x20, 1);    // reads from ROM, writes to RAM
    c.memory.write(0xffff0, 1, 1);
    EXPECT_EQ(c.memory.read(0xffff0, 1), 0xbfu);
    EXPECT_EQ(c.ram->data()[0xffff0], 1);
    c.pmc->write_config(0x59, 0x10, 1);    // the other way
    EXPECT_EQ(c.memory.read(0xffff0, 1), 1u);
    c.memory.write(0xffff0, 2, 1);
    EXPECT_EQ(c.memory.read(0xffff0, 1), 1u);

    c.pmc->write_config(0x5a, 0x03, 1);    // c0000-c3fff only
    c.memory.write(0xc0000, 5, 1);
    c.memory.write(0xc4000, 5, 1);
    EXPECT_EQ(c.memory.read(0xc0000, 1), 5u);
    EXPECT_EQ(c.memory.read(0xc4000, 1), 0xffu);
    c.pmc->write_config(0x5f, 0x30, 1);    // ec000-effff
    c.memory.write(0xec000, 6, 1);
    EXPECT_EQ(c.memory.read(0xec000, 1), 6u);
    EXPECT_EQ(c.memory.read(0xe8000, 1), 0xa8u);

    c.pmc->reset();
    EXPECT_EQ(c.memory.read(0xffff0, 1), 0xbfu);
}

TEST(I440fx, smram_opens_shows_in_smm_and_locks)
{
    Chipset c;
    c.pmc->write_config(0x72, 0x4a, 1);
    c.memory.write(0xa8000, 9, 1);
    EXPECT_EQ(c.memory.read(0xa8000, 1), 9u);
    c.pmc->write_config(0x72, 0x0a, 1);
    EXPECT_EQ(c.memory.read(0xa8000, 1), 0xffu);
    EXPECT_EQ(c.memory.read(0xa8000, 1, Viewer::smm), 9u);

    c.pmc->write_config(0x72, 0x5a, 1);
    EXPECT_EQ(c.pmc->read_config(0x72, 1), 0x1au);
    c.pmc->write_config(0x72, 0x4a, 1);
    EXPECT_EQ(c.pmc->read_config(0x72, 1), 0x1au);
    EXPECT_EQ(c.memory.read(0xa8000, 1), 0xffu);
    c.pmc->reset();
    c.pmc->write_config(0x72, 0x4a, 1);
    EXPECT_EQ(c.memory.read(0xa8000, 1), 9u);
}

TEST(I440fx, is_the_bridge_that_firmware_looks_for)
{
    Chipset c;
    EXPECT_EQ(c.pmc->read_config(0, 4), 0x12378086u);
    EXPECT_EQ(c.pmc->read_config(8, 4), 0x06000002u);
    EXPECT_EQ(c.pmc->read_config(0x2c, 4), 0x11001af4u);
}

TEST(Piix3Isa, routes_and_shares_interrupts)
{
    AddressSpace memory;
    PortSpace ports;
    std::array<int, 16> irqs{};
    Piix3Isa isa({memory, ports}, [&](unsigned irq, bool level) { irqs[irq] = level; });
    isa.set_pirq(0, true);
    for (int level : irqs)
        EXPECT_EQ(level, 0);
    isa.write_config(0x60, 0x0b0b0a0a, 4);
    EXPECT_EQ(irqs[10], 1);
    isa.set_pirq(1, true);
    isa.set_pirq(0, false);
    EXPECT_EQ(irqs[10], 1);
    isa.write_config(0x61, 0x05, 1);
    EXPECT_EQ(irqs[10], 0);
    EXPECT_EQ(irqs[5], 1);
    isa.write_config(0x61, 0x08, 1);    // not an interrupt that can be routed
    EXPECT_EQ(irqs[5], 0);
    EXPECT_EQ(irqs[8], 0);
}
