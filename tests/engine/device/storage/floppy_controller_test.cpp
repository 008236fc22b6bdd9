#include "engine/device/storage/floppy_controller.h"

#include <gtest/gtest.h>

#include "engine/base/bits.h"
#include "engine/state/state_map.h"
#include "tests/engine/device/storage/memory_disk.h"

using namespace engine;

namespace {

using Bytes = std::vector<u8>;

struct FloppyBench {
    static constexpr u8 read = 0xe6, write = 0xc5;    // MT, MFM

    std::unique_ptr<MemoryBlock> ram = std::move(MemoryBlock::create("ram", 1 << 20).value());
    AddressSpace memory;
    PortSpace ports;
    IrqLine irq6;
    I8237Pair dma{memory};
    CompletionQueue completions;
    MemoryDiskContent content;
    std::string stopped;
    FloppyController floppy{irq6, dma, DriveWires{completions, {}, [this](const Error& error) { stopped = error.what; }}};

    explicit FloppyBench(u64 size = 1474560, bool read_only = false)
    {
        memory.add_ram("ram", 0, 1 << 20, 0, *ram, 0);
        dma.claim(ports);
        floppy.claim(ports);
        out(0xd6, 0xc0);
        out(0xd4, 0);
        insert(size, read_only);
        floppy.reset();
        out(0x3f2, 0x1c);
        out(0x3f7, size == 737280 ? 2 : 0);
        for (unsigned n = 0; n < 4; ++n)
            command({8});
    }
    void insert(u64 size, bool read_only = false)
    {
        content.bytes.resize(size);
        for (u64 at = 0; at < size; at += 512)
            std::fill_n(content.bytes.begin() + std::ptrdiff_t(at), 512, u8(at / 512 * 3));
        floppy.change_disk(0, std::make_unique<MemoryDisk>(content, 512, read_only), floppy_geometry(size, "disk").value());
    }
    u8 in(u16 port) { return u8(ports.read(port, 1)); }
    void out(u16 port, u8 value) { ports.write(port, value, 1); }
    void settle()
    {
        while (completions.drain())
            ;
    }
    void send(const Bytes& bytes)
    {
        for (const u8 byte : bytes) {
            EXPECT_EQ(in(0x3f4) & 0xc0, 0x80);
            out(0x3f5, byte);
        }
        settle();
    }
    Bytes result()
    {
        Bytes bytes;
        while ((in(0x3f4) & 0xd0) == 0xd0)
            bytes.push_back(in(0x3f5));
        return bytes;
    }
    Bytes command(const Bytes& bytes)
    {
        send(bytes);
        return result();
    }
    void channel(u32 address, u16 bytes, bool to_memory)
    {
        out(0x0a, 6);
        out(0x0c, 0);
        out(0x0b, to_memory ? 0x46 : 0x4a);
        out(0x04, u8(address));
        out(0x04, u8(address >> 8));
        out(0x81, u8(address >> 16));
        out(0x05, u8(bytes - 1));
        out(0x05, u8((bytes - 1) >> 8));
        out(0x0a, 2);
    }
    void seek(u8 cylinder)
    {
        send({0x0f, 0, cylinder});
        EXPECT_TRUE(irq6.level());
        EXPECT_EQ(command({8}), (Bytes{0x20, cylinder}));
        EXPECT_FALSE(irq6.level());
    }
    Bytes sectors(u64 first, u64 count) const
    {
        const auto at = content.bytes.begin() + std::ptrdiff_t(first * 512);
        return {at, at + std::ptrdiff_t(count * 512)};
    }
    Bytes from_memory(u32 address, std::size_t size)
    {
        Bytes bytes(size);
        memory.dma_read(address, bytes);
        return bytes;
    }
    StateMap save()
    {
        StateSaver saver;
        floppy.visit(saver);
        return saver.map;
    }
    bool load(const StateMap& map)
    {
        StateLoader loader(map);
        floppy.visit(loader);
        return floppy.restored();
    }
};

class FloppyTest : public testing::Test, protected FloppyBench { };

TEST(FloppyResetTest, a_reset_interrupts_and_is_sensed_four_times)
{
    FloppyBench bench;
    bench.out(0x3f2, 0x18);
    EXPECT_EQ(bench.in(0x3f4), 0);
    bench.out(0x3f2, 0x1c);
    EXPECT_TRUE(bench.irq6.level());
    for (u8 n = 0; n < 4; ++n)
        EXPECT_EQ(bench.command({8}), (Bytes{u8(0xc0 | n), 0}));
    EXPECT_FALSE(bench.irq6.level());
    EXPECT_EQ(bench.command({8}), (Bytes{0x80}));
}

TEST_F(FloppyTest, sectors_are_read_by_dma_across_both_heads)
{
    seek(3);
    channel(0x12000, 20 * 512, true);
    send({read, 0, 3, 0, 10, 2, 18, 0x1b, 0xff});
    EXPECT_TRUE(irq6.level());
    EXPECT_EQ(in(0x3f4), 0xd0);
    EXPECT_EQ(result(), (Bytes{0x04, 0, 0, 3, 1, 12, 2}));
    EXPECT_FALSE(irq6.level());
    EXPECT_EQ(from_memory(0x12000, 20 * 512), sectors(3 * 36 + 9, 20));
}

TEST_F(FloppyTest, a_transfer_waits_for_a_channel_that_is_still_masked)
{
    send({read, 0, 0, 0, 1, 2, 18, 0x1b, 0xff});
    EXPECT_FALSE(irq6.level());
    EXPECT_EQ(in(0x3f4), 0x10);
    channel(0x10000, 512, true);
    EXPECT_TRUE(irq6.level());
    EXPECT_EQ(result(), (Bytes{0, 0, 0, 0, 0, 2, 2}));
    EXPECT_EQ(from_memory(0x10000, 512), sectors(0, 1));
}

TEST_F(FloppyTest, sectors_are_written_by_dma)
{
    seek(1);
    Bytes data(1024);
    for (std::size_t n = 0; n < data.size(); ++n)
        data[n] = u8(n * 7);
    memory.dma_write(0x20000, data);
    channel(0x20000, 1024, false);
    EXPECT_EQ(command({write, 4, 1, 1, 17, 2, 18, 0x1b, 0xff}), (Bytes{0x04, 0, 0, 2, 0, 1, 2}));
    EXPECT_EQ(sectors(36 + 18 + 16, 2), data);
}

TEST_F(FloppyTest, bytes_go_without_dma_too_and_end_without_a_terminal_count)
{
    command({3, 0xdf, 3});
    send({0x46, 0, 0, 0, 17, 2, 18, 0x1b, 0xff});
    Bytes got;
    while ((in(0x3f4) & 0xf0) == 0xf0) {
        EXPECT_TRUE(irq6.level());
        got.push_back(in(0x3f5));
    }
    EXPECT_EQ(got, sectors(16, 2));
    EXPECT_EQ(result(), (Bytes{0x40, 0x80, 0, 1, 0, 1, 2}));
    send({0x45, 0, 0, 0, 18, 2, 18, 0x1b, 0xff});
    for (unsigned n = 0; n < 512; ++n) {
        ASSERT_EQ(in(0x3f4) & 0xf0, 0xb0);
        out(0x3f5, u8(n));
    }
    settle();
    EXPECT_EQ(result().size(), 7u);
    EXPECT_EQ(content.bytes[17 * 512 + 255], 255);
}

TEST_F(FloppyTest, wrong_addresses_rates_and_disks_fail_as_on_the_medium)
{
    channel(0x10000, 512, true);
    EXPECT_EQ(command({read, 0, 5, 0, 1, 2, 18, 0x1b, 0xff})[1], 0x04);
    EXPECT_EQ(command({read, 0, 5, 0, 1, 2, 18, 0x1b, 0xff})[2], 0x10);
    EXPECT_EQ(command({read, 0, 0, 0, 19, 2, 18, 0x1b, 0xff})[1], 0x04);
    EXPECT_EQ(command({read, 0, 0, 0, 1, 3, 18, 0x1b, 0xff})[1], 0x04);
    out(0x3f7, 2);
    EXPECT_EQ(command({read, 0, 0, 0, 1, 2, 18, 0x1b, 0xff})[1], 0x01);
    out(0x3f7, 0);
    EXPECT_EQ(command({0x4a, 0}), (Bytes{0, 0, 0, 0, 0, 1, 2}));
    EXPECT_EQ(command({0x4a, 3})[0], 0x43);
    floppy.change_disk(0, nullptr);
    EXPECT_EQ(command({0x4a, 0})[1], 0x01);
    StateMap state = save();
    EXPECT_TRUE(load(state));
}

TEST_F(FloppyTest, a_protected_disk_is_not_written)
{
    FloppyBench bench(737280, true);
    bench.channel(0x10000, 512, false);
    EXPECT_EQ(bench.command({write, 0, 0, 0, 1, 2, 9, 0x1b, 0xff})[1], 0x02);
    EXPECT_EQ(bench.command({4, 0})[0] & 0x40, 0x40);
    bench.channel(0x10000, 512, true);
    EXPECT_EQ(bench.command({read, 0, 0, 0, 1, 2, 9, 0x1b, 0xff})[0], 0);
}

TEST_F(FloppyTest, formatting_fills_the_track)
{
    seek(2);
    Bytes ids;
    for (u8 r = 1; r <= 18; ++r)
        ids.insert(ids.end(), {2, 1, r, 2});
    memory.dma_write(0x10000, ids);
    channel(0x10000, 72, false);
    EXPECT_EQ(command({0x4d, 4, 2, 18, 0x54, 0xf6})[0], 0x04);
    EXPECT_EQ(sectors(2 * 36 + 18, 18), Bytes(18 * 512, 0xf6));
    EXPECT_NE(content.bytes[(2 * 36 + 17) * 512], 0xf6);
}

TEST_F(FloppyTest, the_change_line_rises_with_a_new_disk_and_falls_with_a_seek)
{
    EXPECT_EQ(in(0x3f7) & 0x80, 0x80);
    seek(1);
    EXPECT_EQ(in(0x3f7) & 0x80, 0);
    insert(737280);
    EXPECT_EQ(in(0x3f7) & 0x80, 0x80);
    seek(0);
    EXPECT_EQ(in(0x3f7) & 0x80, 0);
    floppy.change_disk(0, nullptr);
    seek(1);
    EXPECT_EQ(in(0x3f7) & 0x80, 0x80);
}

TEST_F(FloppyTest, small_commands_answer)
{
    EXPECT_EQ(command({0x10}), (Bytes{0x90}));
    EXPECT_EQ(command({0x94}), (Bytes{0x10}));
    EXPECT_EQ(command({0x14}), (Bytes{0x00}));
    command({0x13, 0, 0x57, 3});
    command({0x12, 0x84});
    command({3, 0xaf, 0x02});
    EXPECT_EQ(command({0x0e}), (Bytes{0, 0, 0, 0, 0xaf, 0x02, 0, 0x04, 0x57, 3}));
    EXPECT_EQ(command({0x1f}), (Bytes{0x80}));
    send({7, 1});
    EXPECT_EQ(command({8}), (Bytes{0x71, 0}));
    seek(10);
    send({0xcf, 0, 5});
    EXPECT_EQ(command({8}), (Bytes{0x20, 15}));
}

// CVE-2015-3456: commands whose parameters never end.
TEST_F(FloppyTest, parameters_never_run_past_the_fifo)
{
    for (unsigned n = 0; n < 5000; ++n)
        out(0x3f5, 0x8e);
    for (unsigned n = 0; n < 5000; ++n)
        out(0x3f5, 0x00);
    out(0x3f2, 0x18);
    out(0x3f2, 0x1c);
    EXPECT_EQ(command({8}), (Bytes{0xc0, 0}));
    EXPECT_EQ(command({0x8e, 1, 2, 3, 4, 5}), Bytes());
    EXPECT_EQ(in(0x3f4), 0x80);
}

TEST_F(FloppyTest, a_reset_drops_the_request_under_way)
{
    content.hold = true;
    channel(0x10000, 512, true);
    send({read, 0, 0, 0, 1, 2, 18, 0x1b, 0xff});
    EXPECT_EQ(in(0x3f4), 0x10);
    out(0x3f4, 0x80);
    content.release();
    settle();
    EXPECT_EQ(in(0x3f4), 0x80);
    EXPECT_EQ(command({8}), (Bytes{0xc0, 0}));
    EXPECT_EQ(from_memory(0x10000, 4), Bytes(4));
}

TEST_F(FloppyTest, a_full_host_holds_the_write_and_a_saved_one_goes_on)
{
    memory.dma_write(0x10000, Bytes(512, 0x99));
    channel(0x10000, 512, false);
    content.full = true;
    send({write, 0, 0, 0, 1, 2, 18, 0x1b, 0xff});
    EXPECT_EQ(stopped, "The disk is full");
    EXPECT_FALSE(irq6.level());
    const StateMap saved = save();
    content.full = false;
    floppy.retry_failed();
    settle();
    EXPECT_EQ(content.bytes[511], 0x99);
    EXPECT_EQ(result()[0], 0);

    FloppyBench other;
    ASSERT_TRUE(other.load(saved));
    EXPECT_EQ(other.save(), saved);
    other.floppy.retry_failed();
    other.settle();
    EXPECT_EQ(other.content.bytes[0], 0x99);
    StateMap bad = saved;
    bad.scalars.at("sectors") = 0;
    EXPECT_FALSE(other.load(bad));
}

TEST_F(FloppyTest, an_image_cut_short_reads_as_zeroes)
{
    insert(1000 * 512);
    EXPECT_EQ(floppy_geometry(1000 * 512, "x").value().sectors, 9);
    EXPECT_FALSE(floppy_geometry(3000000, "x"));
    out(0x3f7, 2);
    seek(79);
    channel(0x10000, 512, true);
    memory.dma_write(0x10000, Bytes(512, 1));
    EXPECT_EQ(command({read, 0, 79, 0, 1, 2, 9, 0x1b, 0xff})[0], 0);
    EXPECT_EQ(from_memory(0x10000, 512), Bytes(512));
}

}
