#include "engine/device/storage/ata_disk.h"

#include <gtest/gtest.h>

#include "tests/engine/device/storage/ide_bench.h"

using namespace engine;

namespace {

class AtaDiskTest : public testing::Test, protected IdeBench {
protected:
    std::vector<u8> sectors(u64 lba, u64 count) const
    {
        const auto at = IdeBench::disk.bytes.begin() + std::ptrdiff_t(lba * 512);
        return {at, at + std::ptrdiff_t(count * 512)};
    }
};

TEST_F(AtaDiskTest, identify_describes_the_disk)
{
    command(0xec, 0, 0);
    EXPECT_TRUE(irq());
    EXPECT_EQ(status() & 0x89, 0x08);
    EXPECT_FALSE(irq());
    const auto data = read_port(primary, 512);
    const auto word = [&](unsigned n) { return load_le<u16>(&data[2 * n]); };
    EXPECT_EQ(word(60) | word(61) << 16, 20000);
    EXPECT_EQ(word(100), 20000);
    EXPECT_EQ(word(1), 19);
    EXPECT_EQ(word(49) & 0x300, 0x300);
    EXPECT_EQ(word(27), 'P' << 8 | 'A');
    u8 sum = 0;
    for (const u8 byte : data)
        sum = u8(sum + byte);
    EXPECT_EQ(sum, 0);
    EXPECT_EQ(status() & 0x89, 0);
}

TEST_F(AtaDiskTest, sectors_are_read_through_the_data_port_at_every_width)
{
    for (const unsigned width : {2u, 4u}) {
        command(0x20, 100, 3);
        for (u64 n = 0; n < 3; ++n) {
            EXPECT_TRUE(irq()) << "an interrupt for each sector";
            EXPECT_EQ(status() & 0x89, 8);
            EXPECT_EQ(read_port(primary, 512, width), sectors(100 + n, 1));
        }
        EXPECT_EQ(status(), 0x50);
        EXPECT_FALSE(irq());
        EXPECT_EQ(in(primary + 3), 102);
    }
}

TEST_F(AtaDiskTest, a_count_of_zero_is_256_and_chunks_join)
{
    command(0x20, 0, 0);
    std::vector<u8> all;
    while (status() & 8) {
        const auto part = read_port(primary, 512);
        all.insert(all.end(), part.begin(), part.end());
    }
    EXPECT_EQ(all, sectors(0, 256));
}

TEST_F(AtaDiskTest, multiple_moves_several_sectors_an_interrupt)
{
    command(0xc6, 0, 8);
    EXPECT_EQ(status(), 0x50);
    command(0xc4, 10, 12);
    status();
    EXPECT_EQ(read_port(primary, 8 * 512), sectors(10, 8));
    EXPECT_TRUE(irq());
    EXPECT_EQ(status() & 8, 8);
    EXPECT_EQ(read_port(primary, 4 * 512), sectors(18, 4));
    EXPECT_EQ(status(), 0x50);
    command(0xc6, 0, 7);
    EXPECT_EQ(status() & 1, 1);
}

TEST_F(AtaDiskTest, what_is_written_reaches_the_image)
{
    std::vector<u8> data(300 * 512);
    for (std::size_t n = 0; n < data.size(); ++n)
        data[n] = u8(n * 3 + n / 512);
    command_extended(0x34, 5000, 300);
    EXPECT_FALSE(irq14.level()) << "no interrupt before the first block";
    for (u64 n = 0; n < 300; ++n) {
        EXPECT_EQ(status() & 8, 8) << n;
        write_port(primary, std::span(data).subspan(n * 512, 512), 4);
        EXPECT_TRUE(irq());
    }
    EXPECT_EQ(status(), 0x50);
    EXPECT_EQ(sectors(5000, 300), data);
    command(0xe7, 0, 0);
    EXPECT_EQ(status(), 0x50);
    EXPECT_EQ(disk.flushes, 1u);
    EXPECT_GT(activity, 0u);
}

TEST_F(AtaDiskTest, dma_follows_the_descriptors)
{
    descriptors({{0x8000, 0x200}, {0x20002, 0x400}, {0x40000, 0x200}}, 0, true);
    command(0xc8, 50, 4);
    EXPECT_FALSE(irq()) << "waits for the engine";
    start(0, true);
    EXPECT_TRUE(irq());
    EXPECT_EQ(engine_status(0), 0x64);
    EXPECT_EQ(status(), 0x50);
    std::vector<u8> got(4 * 512);
    memory.dma_read(0x8000, std::span(got).subspan(0, 512));
    memory.dma_read(0x20002, std::span(got).subspan(512, 1024));
    memory.dma_read(0x40000, std::span(got).subspan(1536, 512));
    EXPECT_EQ(got, sectors(50, 4));
    out(bus_master, 0);
    out(bus_master + 2, 4);
    EXPECT_EQ(engine_status(0), 0);

    memory.dma_write(0x50000, got);
    descriptors({{0x50000, 0x800}}, 0, false);
    start(0, false);
    command_extended(0x35, 9000, 4);
    EXPECT_TRUE(irq());
    EXPECT_EQ(sectors(9000, 4), got);
}

TEST_F(AtaDiskTest, long_dma_goes_in_chunks_and_64_kib_stretches)
{
    descriptors({{0x10000, 0}, {0x20000, 0}}, 0, true);
    start(0, true);
    command(0xc8, 0, 0);
    EXPECT_TRUE(irq());
    std::vector<u8> got(256 * 512);
    memory.dma_read(0x10000, got);
    EXPECT_EQ(got, sectors(0, 256));
}

TEST_F(AtaDiskTest, too_few_descriptors_leave_the_device_waiting_and_too_many_the_engine)
{
    descriptors({{0x8000, 0x200}}, 0, true);
    start(0, true);
    command(0xc8, 0, 2);
    EXPECT_FALSE(irq());
    EXPECT_EQ(engine_status(0) & 5, 0);
    out(0x3f6, 4);
    out(0x3f6, 0);
    out(bus_master, 0);
    descriptors({{0x8000, 0x400}}, 0, true);
    start(0, true);
    command(0xc8, 0, 1);
    EXPECT_TRUE(irq());
    EXPECT_EQ(engine_status(0) & 5, 5);
}

TEST_F(AtaDiskTest, descriptors_outside_memory_are_an_error_of_the_engine)
{
    descriptors({{0xfffff000, 0x200}}, 0, true);
    start(0, true);
    command(0xc8, 0, 1);
    settle();
    EXPECT_EQ(engine_status(0) & 3, 2);
    out(bus_master, 0);
    ports.write(bus_master + 4, 0xfffffffc, 4);
    out(bus_master + 2, 6);
    start(0, true);
    EXPECT_EQ(engine_status(0) & 3, 2);
}

TEST_F(AtaDiskTest, addresses_beyond_the_end_are_refused)
{
    command(0x20, 19999, 2);
    EXPECT_EQ(status() & 0x89, 1);
    EXPECT_EQ(in(primary + 1), 0x10);
    command_extended(0x24, u64(1) << 47, 1);
    EXPECT_EQ(status() & 0x89, 1);
    command(0x20, 19999, 1);
    EXPECT_EQ(status() & 0x89, 8);
}

TEST_F(AtaDiskTest, cylinders_heads_and_sectors_are_translated)
{
    out(primary + 6, 0xa3);
    out(primary + 2, 1);
    out(primary + 3, 5);
    out(primary + 4, 2);
    out(primary + 5, 0);
    out(primary + 7, 0x20);
    status();
    EXPECT_EQ(read_port(primary, 512), sectors((2 * 16 + 3) * 63 + 4, 1));
    out(primary + 3, 64);
    out(primary + 7, 0x20);
    EXPECT_EQ(status() & 1, 1);
    out(primary + 6, 0xa7);
    out(primary + 2, 32);
    out(primary + 7, 0x91);
    out(primary + 6, 0xa1);
    out(primary + 2, 1);
    out(primary + 3, 1);
    out(primary + 4, 1);
    out(primary + 7, 0x20);
    status();
    EXPECT_EQ(read_port(primary, 512), sectors((1 * 8 + 1) * 32, 1));
}

TEST_F(AtaDiskTest, a_bad_sector_is_named_and_those_before_it_are_read)
{
    disk.bad_sector = 203;
    command(0x20, 200, 8);
    for (u64 n = 200; n < 203; ++n) {
        ASSERT_EQ(status() & 8, 8);
        EXPECT_EQ(read_port(primary, 512), sectors(n, 1));
    }
    EXPECT_TRUE(irq());
    EXPECT_EQ(status() & 0x89, 1);
    EXPECT_EQ(in(primary + 1), 0x40);
    EXPECT_EQ(in(primary + 3), 203);
}

TEST_F(AtaDiskTest, a_full_host_stops_the_request_until_it_is_retried)
{
    disk.full = true;
    command(0x30, 7, 1);
    write_port(primary, std::vector<u8>(512, 0x77));
    EXPECT_EQ(status(), 0x80);
    EXPECT_EQ(stopped, "The disk is full");
    const StateMap saved = save();
    disk.full = false;
    ide->retry_failed();
    EXPECT_EQ(status(), 0x50);
    EXPECT_EQ(disk.bytes[7 * 512], 0x77);

    IdeBench other;
    ASSERT_TRUE(other.load(saved));
    EXPECT_EQ(other.status(), 0x80);
    other.ide->retry_failed();
    EXPECT_EQ(other.status(), 0x50);
    EXPECT_EQ(other.disk.bytes[7 * 512 + 511], 0x77);
}

TEST_F(AtaDiskTest, a_reset_drops_what_is_under_way)
{
    const auto before = disk.bytes;
    disk.hold = true;
    command(0x30, 0, 1);
    write_port(primary, std::vector<u8>(512, 0x55));
    EXPECT_EQ(status(), 0x80);
    out(0x3f6, 4);
    EXPECT_EQ(status(), 0x80);
    out(0x3f6, 0);
    EXPECT_EQ(status(), 0x50);
    disk.release();
    settle();
    EXPECT_EQ(disk.bytes, before);
    EXPECT_EQ(status(), 0x50);
    EXPECT_FALSE(irq());
    EXPECT_EQ(in(primary + 2), 1);
    EXPECT_EQ(in(primary + 3), 1);
    EXPECT_EQ(in(primary + 4), 0);

    command(0x20, 0, 1);
    ide->reset();
    disk.release();
    settle();
    EXPECT_FALSE(irq14.level());
    EXPECT_EQ(ports.read(primary + 7, 1), 0xffu) << "the ports are gone until firmware enables them";
}

TEST_F(AtaDiskTest, interrupts_wait_for_nien_and_hob_shows_the_older_half)
{
    out(0x3f6, 2);
    command(0x40, 0, 1);
    EXPECT_FALSE(irq());
    out(0x3f6, 0);
    EXPECT_TRUE(irq());
    status();
    out(primary + 3, 0x12);
    out(primary + 3, 0x34);
    EXPECT_EQ(in(primary + 3), 0x34);
    out(0x3f6, 0x80);
    EXPECT_EQ(in(primary + 3), 0x12);
    out(primary + 2, 1);
    EXPECT_EQ(in(primary + 3), 0x34);
}

TEST_F(AtaDiskTest, the_ports_answer_from_reset_and_can_be_switched_off)
{
    ide->reset();
    ide->write_config(0x04, 5, 2);
    EXPECT_EQ(status() & 0x80, 0);
    ide->write_config(0x40, 0, 2);
    EXPECT_EQ(status(), 0xff);
}

TEST_F(AtaDiskTest, a_missing_slave_reads_as_zero_and_ignores_commands)
{
    out(primary + 6, 0xf0);
    EXPECT_EQ(status(), 0);
    EXPECT_EQ(in(0x3f6), 0);
    out(primary + 7, 0xec);
    EXPECT_EQ(status(), 0);
    EXPECT_FALSE(irq());
    out(primary + 6, 0xe0);
    EXPECT_EQ(status(), 0x50);
    out(primary + 7, 0x90);
    EXPECT_TRUE(irq());
    EXPECT_EQ(in(primary + 1), 1);
}

TEST_F(AtaDiskTest, trim_zeroes_the_ranges)
{
    std::vector<u8> ranges(512);
    store_le<u64>(&ranges[0], u64(4) << 48 | 1000);
    store_le<u64>(&ranges[16], u64(2) << 48 | 2000);
    memory.dma_write(0x8000, ranges);
    descriptors({{0x8000, 0x200}}, 0, false);
    start(0, false);
    out(primary + 1, 1);
    command_extended(0x06, 0, 1);
    EXPECT_EQ(status(), 0x50);
    EXPECT_EQ(sectors(1000, 4), std::vector<u8>(2048));
    EXPECT_EQ(sectors(2000, 2), std::vector<u8>(1024));
    EXPECT_NE(disk.bytes[1004 * 512 + 20], 0);
}

TEST_F(AtaDiskTest, settings_and_power_commands_answer)
{
    out(primary + 1, 0x03);
    command(0xef, 0, 0x45);
    EXPECT_EQ(status(), 0x50);
    command(0xec, 0, 0);
    status();
    EXPECT_EQ(load_le<u16>(&read_port(primary, 512)[2 * 88]), 0x203f);
    out(primary + 1, 0x03);
    command(0xef, 0, 0x77);
    EXPECT_EQ(status() & 1, 1);
    command(0xe0, 0, 0);
    command(0xe5, 0, 0);
    EXPECT_EQ(in(primary + 2), 0);
    command(0xe1, 0, 0);
    command(0xe5, 0, 0);
    EXPECT_EQ(in(primary + 2), 0xff);
    command(0xf8, 0, 0);
    EXPECT_EQ(status(), 0x50);
    EXPECT_EQ(in(primary + 3) | in(primary + 4) << 8, 19999);
    out(primary + 1, 0xda);
    command(0xb0, 0xc24f00, 1);
    EXPECT_EQ(status(), 0x50);
    command(0x00, 0, 0);
    EXPECT_EQ(status() & 1, 1);
    EXPECT_EQ(in(primary + 1), 4);
}

TEST_F(AtaDiskTest, a_saved_transfer_goes_on_elsewhere)
{
    command(0x20, 300, 4);
    status();
    const auto first = read_port(primary, 700);
    const StateMap saved = save();
    IdeBench other;
    ASSERT_TRUE(other.load(saved));
    EXPECT_EQ(other.save(), saved);
    auto all = first;
    const auto rest = other.read_port(primary, 4 * 512 - 700);
    all.insert(all.end(), rest.begin(), rest.end());
    EXPECT_EQ(all, sectors(300, 4));

    read_port(primary, 4 * 512 - 700);
    disk.hold = true;
    command(0x20, 400, 1);
    const StateMap in_flight = save();
    IdeBench third;
    ASSERT_TRUE(third.load(in_flight));
    EXPECT_EQ(third.status() & 8, 8);
    EXPECT_EQ(third.read_port(primary, 512), sectors(400, 1));
}

TEST_F(AtaDiskTest, a_short_transfer_after_a_long_one_can_be_saved)
{
    command(0x20, 0, 16);
    while (status() & 8)
        read_port(primary, 512);
    descriptors({{0x8000, 0x200}}, 0, true);
    command(0xc8, 50, 1);
    settle();
    const StateMap saved = save();
    IdeBench other;
    ASSERT_TRUE(other.load(saved));
    other.descriptors({{0x8000, 0x200}}, 0, true);
    other.start(0, true);
    EXPECT_EQ(other.status(), 0x50);
    EXPECT_EQ(other.memory.dma_load<u64>(0x8000), 50u);
}

TEST_F(AtaDiskTest, impossible_states_are_refused)
{
    const StateMap good = save();
    const auto with = [&](const std::string& name, u64 value) {
        StateMap bad = good;
        bad.scalars.at("channel.0.device.0." + name) = value;
        return load(bad);
    };
    EXPECT_FALSE(with("phase", 99));
    EXPECT_FALSE(with("phase", 1));
    EXPECT_FALSE(with("phase", 3));
    EXPECT_FALSE(with("heads", 0));
    EXPECT_FALSE(with("block_size", 0));
    EXPECT_FALSE(with("chunk", 5000));
    EXPECT_TRUE(load(good));
}

}
