#include "engine/device/isa/i8237.h"

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;

namespace {
class I8237Test : public testing::Test {
protected:
    I8237Test()
    {
        memory.add_ram("ram", 0, block->size(), 0, *block, 0);
        dma.claim(ports);
        out(0xd6, 0xc0);    // channel 4 cascades
        out(0xd4, 0x00);
    }
    void out(u16 port, u8 value) { ports.write(port, value, 1); }
    u8 in(u16 port) { return u8(ports.read(port, 1)); }
    void program(u8 mode, u32 address, u16 count)
    {
        out(0x0c, 0);
        out(0x0b, u8(mode | 2));
        out(0x04, u8(address));
        out(0x04, u8(address >> 8));
        out(0x81, u8(address >> 16));
        out(0x05, u8(count));
        out(0x05, u8(count >> 8));
        out(0x0a, 2);
    }

    std::unique_ptr<MemoryBlock> block = std::move(*MemoryBlock::create("ram", 0x40000));
    AddressSpace memory;
    PortSpace ports;
    I8237Pair dma{memory};
    const std::array<u8, 6> data{1, 2, 3, 4, 5, 6};
};
constexpr u8 to_memory = 0x44, from_memory = 0x48, verify = 0x40, decrement = 0x20, automatic = 0x10;
}

TEST_F(I8237Test, moves_bytes_to_memory_until_the_count_ends)
{
    program(to_memory, 0x12345, 3);
    EXPECT_EQ(dma.transfer_to_memory(2, std::span(data).first(2)), 2u);
    EXPECT_FALSE(dma.terminal_count(2));
    EXPECT_EQ(dma.transfer_to_memory(2, std::span(data).subspan(2)), 2u);
    EXPECT_TRUE(dma.terminal_count(2));
    EXPECT_EQ(std::vector<u8>(block->data() + 0x12344, block->data() + 0x1234a), (std::vector<u8>{0, 1, 2, 3, 4, 0}));
    EXPECT_EQ(in(0x08), 0x04);
    EXPECT_EQ(in(0x08), 0x00);
    EXPECT_EQ(dma.transfer_to_memory(2, data), 0u);    // masked by the terminal count
    EXPECT_EQ(in(0x0f) & 4, 4);
}

TEST_F(I8237Test, addresses_wrap_inside_their_64_kib)
{
    program(to_memory, 0x1fffe, 5);
    EXPECT_EQ(dma.transfer_to_memory(2, data), 6u);
    EXPECT_EQ(block->data()[0x1ffff], 2);
    EXPECT_EQ(block->data()[0x10000], 3);
    EXPECT_EQ(block->data()[0x20000], 0);
}

TEST_F(I8237Test, counts_down_and_starts_over)
{
    program(to_memory | decrement | automatic, 0x103, 3);
    EXPECT_EQ(dma.transfer_to_memory(2, data), 4u);
    EXPECT_EQ(block->data()[0x103], 1);
    EXPECT_EQ(block->data()[0x100], 4);
    EXPECT_TRUE(dma.terminal_count(2));
    EXPECT_EQ(dma.transfer_to_memory(2, data), 4u);
}

TEST_F(I8237Test, direction_verify_and_masks_are_obeyed)
{
    block->data()[0x500] = 0x77;
    std::array<u8, 2> got{};
    program(from_memory, 0x500, 0xffff);
    EXPECT_EQ(dma.transfer_to_memory(2, data), 0u);
    EXPECT_EQ(dma.transfer_from_memory(2, got), 2u);
    EXPECT_EQ(got[0], 0x77);
    program(verify, 0x500, 5);
    EXPECT_EQ(dma.transfer_to_memory(2, data), 6u);
    EXPECT_EQ(block->data()[0x500], 0x77);
    EXPECT_TRUE(dma.terminal_count(2));
    program(to_memory, 0x500, 5);
    out(0xd4, 0x04);    // the cascade is masked
    EXPECT_EQ(dma.transfer_to_memory(2, data), 0u);
    out(0xd4, 0x00);
    out(0x08, 0x04);
    EXPECT_FALSE(dma.ready(2));
    EXPECT_EQ(dma.transfer_to_memory(99, data), 0u);
    EXPECT_FALSE(dma.terminal_count(99));
}

TEST_F(I8237Test, upper_channels_move_words)
{
    out(0xd8, 0);
    out(0xd6, to_memory | 1);
    out(0xc4, 0x00);
    out(0xc4, 0x01);    // word 100
    out(0x8b, 0x03);    // bit 0 counts for nothing
    out(0xc6, 1);
    out(0xc6, 0);
    out(0xd4, 1);
    EXPECT_EQ(dma.transfer_to_memory(5, std::span(data).first(5)), 4u);
    EXPECT_EQ(block->data()[0x20200], 1);
    EXPECT_EQ(block->data()[0x20203], 4);
    EXPECT_TRUE(dma.terminal_count(5));
}

TEST_F(I8237Test, tells_the_device_when_it_may_go_on)
{
    unsigned told = 0;
    dma.on_ready(2, [&] { told += dma.transfer_to_memory(2, data); });
    program(to_memory, 0x600, 5);
    EXPECT_EQ(told, 6u);
    dma.set_request(2, true);
    EXPECT_EQ(in(0x08), 0x44);
}

TEST_F(I8237Test, state_comes_back_as_it_was)
{
    program(to_memory | automatic, 0x12345, 9);
    dma.transfer_to_memory(2, data);
    StateSaver saved, again;
    dma.visit(saved);
    I8237Pair other(memory);
    StateLoader loader(saved.map);
    other.visit(loader);
    EXPECT_TRUE(other.restored());
    other.visit(again);
    EXPECT_EQ(saved.map, again.map);
    EXPECT_EQ(other.transfer_to_memory(2, data), 4u);
    saved.map.scalars["controllers.0.mask"] = 0xff;
    StateLoader bad(saved.map);
    other.visit(bad);
    EXPECT_FALSE(other.restored());
}
