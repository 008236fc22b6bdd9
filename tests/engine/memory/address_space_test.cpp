#include "engine/memory/address_space.h"

#include <array>

#include <gtest/gtest.h>

using namespace engine;

namespace {
std::unique_ptr<MemoryBlock> block(u64 size)
{
    return std::move(*MemoryBlock::create("test", size));
}

struct Recorder : IoHandler {
    u64 last_offset = 0, last_value = 0;
    u64 read(u64 offset, unsigned) override { return 0x11223344'55667700 + offset; }
    void write(u64 offset, u64 value, unsigned) override
    {
        last_offset = offset;
        last_value = value;
    }
};
}

TEST(AddressSpace, higher_priority_hides_and_disabling_reveals)
{
    AddressSpace space;
    const auto ram = block(0x10000), rom = block(0x1000);
    ram->data()[0x4000] = 1;
    rom->data()[0] = 2;
    space.add_ram("ram", 0, 0x10000, 0, *ram, 0);
    const auto over = space.add_rom("rom", 0x4000, 0x1000, 1, *rom, 0);
    EXPECT_EQ(space.read(0x4000, 1), 2u);
    space.write(0x4000, 9, 1);
    EXPECT_EQ(space.read(0x4000, 1), 2u);
    space.enable(over, false);
    EXPECT_EQ(space.read(0x4000, 1), 1u);
}

TEST(AddressSpace, reads_from_one_block_and_writes_to_another)
{
    AddressSpace space;
    const auto ram = block(0x1000), rom = block(0x1000);
    rom->data()[8] = 7;
    space.add_memory("shadow", 0xf0000, 0x1000, 0, rom.get(), 0, ram.get(), 0);
    space.write(0xf0008, 5, 1);
    EXPECT_EQ(space.read(0xf0008, 1), 7u);
    EXPECT_EQ(ram->data()[8], 5);
}

TEST(AddressSpace, registers_get_offsets_and_sizes)
{
    AddressSpace space;
    Recorder device;
    space.add_io("registers", 0xfee00000, 0x1000, 0, device);
    EXPECT_EQ(space.read(0xfee00020, 4), 0x55667720u);
    space.write(0xfee000b0, 0x1'0000'0005, 4);
    EXPECT_EQ(device.last_offset, 0xb0u);
    EXPECT_EQ(device.last_value, 5u);
    EXPECT_EQ(space.read(0x1234'0000, 2), 0xffffu);
}

TEST(AddressSpace, dma_crosses_ranges_and_stops_at_registers)
{
    AddressSpace space;
    Recorder device;
    const auto ram = block(0x2000);
    space.add_ram("low", 0, 0x1000, 0, *ram, 0);
    space.add_ram("high", 0x1000, 0x1000, 0, *ram, 0x1000);
    space.add_io("registers", 0x2000, 0x1000, 0, device);
    std::array<u8, 32> bytes;
    bytes.fill(3);
    EXPECT_TRUE(space.dma_write(0xff0, bytes));
    EXPECT_EQ(ram->data()[0x100f], 3);
    EXPECT_FALSE(space.dma_write(0x1ff0, bytes));
    EXPECT_FALSE(space.dma_read(0x1ff0, bytes));
    EXPECT_EQ(bytes[31], 0);
}

TEST(MemoryBlock, a_write_to_a_code_page_raises_its_version)
{
    const auto ram = block(0x3000);
    ram->set_code(0x1000, 4);
    ram->written(0x0800, 0x10);
    ram->written(0x1040, 0x10);
    EXPECT_EQ(ram->code_version(1), 0u);
    ram->written(0x0ff8, 0x10);
    EXPECT_EQ(ram->code_version(1), 1u);
    EXPECT_TRUE(ram->take_dirty(0));
    EXPECT_FALSE(ram->take_dirty(0));
}

TEST(MemoryBlock, a_page_of_code_that_is_written_often_loses_its_marks)
{
    const auto memory = block(2 * page_size);
    EXPECT_TRUE(memory->set_code(page_size + 0x100, 16));
    EXPECT_FALSE(memory->set_code(page_size + 0x100, 16));
    const u32 version = memory->code_version(1);
    memory->written(page_size + 0x800, 8);
    EXPECT_EQ(memory->code_version(1), version) << "a write beside the code";
    memory->written(page_size + 0x108, 8);
    EXPECT_NE(memory->code_version(1), version) << "a write to the code";
    for (unsigned n = 0; n < 100 && memory->holds_code(1); ++n)
        memory->written(page_size + 0x800, 8);
    EXPECT_FALSE(memory->holds_code(1));
    EXPECT_FALSE(memory->marked(page_size + 0x100, 16));
    const u32 before = memory->code_version(1);
    memory->set_code(page_size + 0x100, 16);
    EXPECT_TRUE(memory->marked(page_size + 0x100, 16));
    memory->written(0, 2 * page_size);
    EXPECT_FALSE(memory->holds_code(1)) << "a whole page at once";
    EXPECT_NE(memory->code_version(1), before);
}

TEST(AddressSpace, writes_to_a_rom_device_are_the_devices_affair)
{
    AddressSpace space;
    Recorder device;
    const auto ram = block(0x4000), chip = block(0x2000);
    space.add_ram("ram", 0, 0x4000, 0, *ram, 0);
    chip->data()[0x1004] = 6;
    const auto region = space.add_rom_device("flash", 0x1000, 0x2000, 1, *chip, device);
    EXPECT_EQ(space.read(0x2004, 1), 6u);
    space.write(0x2004, 9, 1);
    EXPECT_EQ(device.last_offset, 0x1004u);
    EXPECT_EQ(device.last_value, 9u);
    EXPECT_EQ(space.read(0x2004, 1), 6u);
    std::array<u8, 4> bytes{1, 2, 3, 4};
    EXPECT_FALSE(space.dma_write(0x2004, bytes));
    EXPECT_TRUE(space.dma_read(0x2004, bytes));
    EXPECT_EQ(bytes[0], 6);

    space.show(region, nullptr, 0, nullptr, 0);
    EXPECT_EQ(space.read(0x2004, 1), 0x04u);
    space.write(0x1008, 7, 1);
    EXPECT_EQ(device.last_offset, 8u);
    EXPECT_FALSE(space.dma_read(0x2004, bytes));
    space.show(region, chip.get(), 0, nullptr, 0);
    EXPECT_EQ(space.read(0x2004, 1), 6u);
    EXPECT_EQ(space.view()->size(), 3u);
}
