#include "engine/device/platform/parallel_flash.h"

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <random>

#include <gtest/gtest.h>

#include "engine/state/state_map.h"

using namespace engine;

namespace {

constexpr u64 base = 0xfffb0000, chip_size = 0x10000;

struct FlashTest : testing::Test {
    std::unique_ptr<MemoryBlock> array = std::move(*MemoryBlock::create("array", chip_size));
    AddressSpace memory;
    unsigned changes = 0;
    std::optional<ParallelFlash> flash;

    FlashTest()
    {
        std::memset(array->data(), 0xff, array->size());
        array->data()[3] = 0x5a;
        make(ParallelFlash::Lock::open);
    }
    void make(ParallelFlash::Lock lock)
    {
        flash.emplace("flash", ParallelFlash::Place{memory, base, 0}, *array, lock, [this] { ++changes; });
    }
    u64 read(u64 at, unsigned size = 1) { return memory.read(base + at, size); }
    void write(u64 at, std::initializer_list<u8> cycles)
    {
        for (const u8 value : cycles)
            memory.write(base + at, value, 1);
    }
    StateMap saved()
    {
        StateSaver saver;
        flash->visit(saver);
        return saver.map;
    }
    bool load(const StateMap& map)
    {
        StateLoader loader(map);
        flash->reset();
        flash->visit(loader);
        return flash->restored();
    }
};

}

TEST_F(FlashTest, is_memory_until_a_command_comes)
{
    EXPECT_EQ(memory.find(base).read, array.get());
    EXPECT_EQ(memory.find(base).write, nullptr);
    EXPECT_EQ(read(3), 0x5au);
    write(0, {0x70});
    EXPECT_EQ(memory.find(base).read, nullptr);
    EXPECT_EQ(read(3), 0x80u);
    write(0x8000, {0xff});
    EXPECT_EQ(memory.find(base).read, array.get());
    EXPECT_EQ(read(3), 0x5au);
}

TEST_F(FlashTest, behaves_as_ovmf_expects_of_a_flash_chip)
{
    write(3, {0x50});
    EXPECT_NE(read(3), 0x50u);
    write(3, {0x70});
    EXPECT_EQ(read(3), 0u);
    write(3, {0xff});
    EXPECT_EQ(read(3), 0x5au);
}

TEST_F(FlashTest, programs_bytes_and_only_clears_bits)
{
    write(3, {0x10, 0x0f});
    EXPECT_EQ(read(3), 0x80u);
    write(4, {0x40, 0x12});
    write(4, {0xff});
    EXPECT_EQ(read(3, 2), 0x120au);
    EXPECT_EQ(changes, 2u);
}

TEST_F(FlashTest, erases_the_block_that_the_address_lies_in)
{
    write(0x1fff, {0x10, 0});
    write(0x2000, {0x10, 0});
    write(0x0abc, {0x20, 0xd0});
    EXPECT_EQ(read(0), 0x80u);
    write(0, {0xff});
    EXPECT_EQ(read(3), 0xffu);
    EXPECT_EQ(read(0x1fff), 0u);
    write(0x1fff, {0x20, 0xd0, 0xff});
    EXPECT_EQ(read(0x1fff), 0xffu);
    EXPECT_EQ(read(0x2000), 0u);
}

TEST_F(FlashTest, an_erase_that_is_not_confirmed_does_nothing_and_says_so)
{
    write(0, {0x20, 0xff});
    EXPECT_EQ(read(0), 0xb0u);
    write(0, {0x50, 0xff});
    EXPECT_EQ(read(3), 0x5au);
    EXPECT_EQ(changes, 0u);
}

TEST_F(FlashTest, programs_a_buffer)
{
    write(0x100, {0xe8});
    EXPECT_EQ(read(0x100), 0x80u);
    write(0x100, {3});
    write(0x10f, {1});
    write(0x112, {4});
    write(0x111, {3});
    write(0x110, {2});
    EXPECT_EQ(changes, 0u);
    write(0x100, {0xd0});
    EXPECT_EQ(read(0), 0x80u);
    write(0, {0xff});
    EXPECT_EQ(read(0x10f, 4), 0x04030201u);
    EXPECT_EQ(changes, 1u);
}

TEST_F(FlashTest, a_buffer_that_can_not_be_is_refused)
{
    write(0, {0xe8, ParallelFlash::buffer_size});    // one too many
    EXPECT_EQ(read(0), 0xb0u);
    write(0, {0x50, 0xe8, 1});
    write(0x200, {1});
    write(0x1ff, {1});    // below the first
    EXPECT_EQ(read(0), 0xb0u);
    write(0, {0x50, 0xe8, 1});
    write(chip_size - 1, {0x11, 0x22, 0xd0});    // beyond the end
    EXPECT_EQ(read(0), 0xb0u);
    write(0, {0x50, 0xe8, 0, 7, 0xff});    // not confirmed
    EXPECT_EQ(changes, 0u);
    write(0, {0xff});
    EXPECT_EQ(read(chip_size - 1), 0xffu);
    EXPECT_EQ(read(0), 0xffu);
}

TEST_F(FlashTest, a_locked_chip_takes_commands_and_keeps_its_content)
{
    make(ParallelFlash::Lock::locked);    // in front of the other
    write(3, {0x10, 0});
    EXPECT_EQ(read(3), 0x92u);
    write(3, {0x50, 0x20, 0xd0});
    EXPECT_EQ(read(3), 0xa2u);
    write(3, {0x50, 0xe8, 0, 0, 0xd0});
    EXPECT_EQ(read(3), 0x92u);
    write(3, {0x60, 0xd0});
    write(3, {0x90});
    EXPECT_EQ(read(2), 1u);
    write(3, {0xff});
    EXPECT_EQ(read(3), 0x5au);
    EXPECT_EQ(changes, 0u);
    EXPECT_FALSE(saved().blobs.contains(ParallelFlash::content_field));
}

TEST_F(FlashTest, says_who_it_is_and_how_large)
{
    write(0, {0x90});
    EXPECT_EQ(read(0x5000), 0x89u);
    EXPECT_EQ(read(0x5002), 0u);
    write(0x55, {0x98});
    EXPECT_EQ(read(0x10), 'Q');
    EXPECT_EQ(read(0x11), 'R');
    EXPECT_EQ(read(0x12), 'Y');
    EXPECT_EQ(read(0x13, 2), 1u);
    EXPECT_EQ(read(0x27), 16u);
    EXPECT_EQ(read(0x2a, 2), 5u);
    EXPECT_EQ(read(0x2c), 1u);
    const u64 blocks = read(0x2d, 2) + 1, bytes = read(0x2f, 2) * 256;
    EXPECT_EQ(bytes, ParallelFlash::block_size);
    EXPECT_EQ(blocks * bytes, chip_size);
    const u64 own = read(0x15, 2);
    EXPECT_EQ(read(own), 'P');
    EXPECT_EQ(read(own + 1), 'R');
    EXPECT_EQ(read(own + 2), 'I');
}

TEST_F(FlashTest, a_wide_write_is_a_cycle_for_each_byte)
{
    memory.write(base + 0x20, 0x0010, 2);    // Program at 20h, with 0 at 21h
    write(0, {0xff});
    EXPECT_EQ(read(0x20), 0xffu);
    EXPECT_EQ(read(0x21), 0u);
    memory.write(base + chip_size - 2, 0xffffffff, 4);    // over the end: nowhere
    EXPECT_EQ(read(chip_size - 2), 0xffu);
}

TEST_F(FlashTest, a_reset_shows_the_array_and_keeps_it)
{
    write(7, {0x10, 0x33, 0xe8, 5, 1});
    flash->reset();
    EXPECT_EQ(read(7), 0x33u);
    write(0, {0x70});
    EXPECT_EQ(read(0), 0x80u);
}

TEST_F(FlashTest, goes_back_to_what_was_saved)
{
    write(0x3000, {0x10, 1});
    write(0x500, {0xe8, 1, 9});
    const StateMap before = saved();
    write(0x501, {8});
    write(0, {0xd0, 0xff});
    write(0x4000, {0x10, 2, 0xff});
    EXPECT_EQ(read(0x500), 9u);
    ASSERT_TRUE(load(before));
    EXPECT_EQ(saved(), before);
    EXPECT_EQ(array->data()[0x4000], 0xff);
    EXPECT_EQ(array->data()[0x500], 0xff);
    EXPECT_EQ(read(0), 0x80u);
    write(0x501, {8});    // the buffer is filled to its end
    write(0, {0xd0, 0xff});
    EXPECT_EQ(read(0x500, 2), 0x0809u);
    EXPECT_EQ(read(0x3000), 1u);
}

TEST_F(FlashTest, a_state_that_can_not_be_is_refused)
{
    const StateMap good = saved();
    for (const auto& [field, value] : std::initializer_list<std::pair<const char*, u64>>{
             {"shows", 4}, {"awaits", 7}, {"buffer_count", 33}, {"buffer_filled", 1}, {"buffer_at", chip_size}, {"awaits", 5}}) {
        StateMap bad = good;
        bad.scalars[field] = value;
        EXPECT_FALSE(load(bad)) << field;
        EXPECT_TRUE(load(good));
    }
    StateMap longer = good;
    longer.blobs[ParallelFlash::content_field].assign(chip_size + 8, 0);
    load(longer);
    EXPECT_EQ(array->size(), chip_size);
}

TEST_F(FlashTest, anything_may_be_written)
{
    std::mt19937 random(7);
    for (unsigned n = 0; n < 200'000; ++n) {
        constexpr std::array<u8, 12> commands{0xff, 0x90, 0x98, 0x70, 0x50, 0xe8, 0x40, 0x10, 0x20, 0x60, 0xd0, 0xb0};
        const u64 at = random() % 4 ? random() % chip_size : chip_size - random() % 8;
        const unsigned size = 1u << random() % 4;
        const u64 value = random() % 2 ? commands[random() % commands.size()] : random();
        flash->write(at, value, size);
        flash->read(at, size);
    }
    flash->reset();
    for (u64 at = 0; at < chip_size; ++at)
        ASSERT_EQ(flash->read(at, 1), array->data()[at]);
}
