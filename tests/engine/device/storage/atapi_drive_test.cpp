#include "engine/device/storage/atapi_drive.h"

#include <gtest/gtest.h>

#include "tests/engine/device/storage/ide_bench.h"

using namespace engine;

namespace {

using Sense = std::array<u8, 3>;

class AtapiDriveTest : public testing::Test, protected IdeBench {
protected:
    AtapiDriveTest() { packet({0}); }    // takes the power-on attention

    std::vector<u8> blocks(u64 lba, u64 count) const
    {
        const auto at = disc.bytes.begin() + std::ptrdiff_t(lba * 2048);
        return {at, at + std::ptrdiff_t(count * 2048)};
    }
    std::vector<u8> ask(std::vector<u8> bytes) { return packet(std::move(bytes)) ? packet_data() : std::vector<u8>(); }
    u8 event() { return ask({0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}).at(4); }
};

TEST(AtapiPowerOnTest, the_first_command_learns_of_the_reset)
{
    IdeBench bench;
    EXPECT_EQ(bench.in(0x174), 0x14);
    EXPECT_EQ(bench.in(0x175), 0xeb);
    EXPECT_FALSE(bench.packet({0}));
    EXPECT_EQ(bench.in(0x171) >> 4, 6);
    EXPECT_EQ(bench.sense(), (Sense{6, 0x29, 0}));
    EXPECT_TRUE(bench.packet({0}));
}

TEST_F(AtapiDriveTest, identify_is_refused_with_the_signature_and_its_packet_form_answers)
{
    command(0xec, 0, 0, secondary);
    EXPECT_EQ(status(secondary) & 1, 1);
    EXPECT_EQ(in(secondary + 4), 0x14);
    EXPECT_EQ(in(secondary + 5), 0xeb);
    command(0xa1, 0, 0, secondary);
    EXPECT_TRUE(irq(secondary));
    EXPECT_EQ(load_le<u16>(read_port(secondary, 512).data()), 0x85c0);
}

TEST_F(AtapiDriveTest, a_packet_goes_through_its_phases)
{
    out(secondary + 6, 0);
    out(secondary + 4, 0);
    out(secondary + 5, 8);
    out(secondary + 7, 0xa0);
    EXPECT_EQ(in(0x376) & 0x88, 8);
    EXPECT_EQ(in(secondary + 2), 1) << "the drive wants the command";
    EXPECT_FALSE(irq(secondary));
    write_port(secondary, std::vector<u8>{0x28, 0, 0, 0, 0, 10, 0, 0, 2, 0, 0, 0});
    for (u64 n = 10; n < 12; ++n) {
        EXPECT_TRUE(irq(secondary));
        EXPECT_EQ(status(secondary) & 8, 8);
        EXPECT_EQ(in(secondary + 2), 2) << "data for the host";
        EXPECT_EQ(in(secondary + 4) | in(secondary + 5) << 8, 2048);
        EXPECT_EQ(read_port(secondary, 2048), blocks(n, 1));
    }
    EXPECT_TRUE(irq(secondary));
    EXPECT_EQ(status(secondary) & 0x89, 0);
    EXPECT_EQ(in(secondary + 2), 3) << "done";
}

TEST_F(AtapiDriveTest, byte_count_limits_bound_every_block)
{
    for (const u16 limit : {u16(0), u16(2), u16(513), u16(3000), u16(0xffff)}) {
        ASSERT_TRUE(packet({0x28, 0, 0, 0, 0, 1, 0, 0, 40}, false, limit));
        std::vector<u8> all;
        while (status(secondary) & 8) {
            const u16 count = u16(in(secondary + 4) | in(secondary + 5) << 8);
            ASSERT_GT(count, 0);
            ASSERT_EQ(count % 2, 0);
            ASSERT_TRUE(limit == 0 || count <= limit) << count;
            const auto part = read_port(secondary, count);
            all.insert(all.end(), part.begin(), part.end());
        }
        EXPECT_EQ(all, blocks(1, 40)) << limit;
    }
}

TEST_F(AtapiDriveTest, sectors_arrive_by_dma)
{
    descriptors({{0x10000, 0}, {0x20000, 0x8000}}, 1, true);
    ASSERT_TRUE(packet({0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 48}, true));
    start(1, true);
    EXPECT_TRUE(irq(secondary));
    EXPECT_EQ(status(secondary) & 0x89, 0);
    EXPECT_EQ(engine_status(1), 0x64);
    std::vector<u8> got(48 * 2048);
    memory.dma_read(0x10000, got);
    EXPECT_EQ(got, blocks(5, 48));
}

TEST_F(AtapiDriveTest, read_cd_adds_what_is_asked_for)
{
    const auto raw = ask({0xbe, 0, 0, 0, 0, 75, 0, 0, 1, 0xf8});
    ASSERT_EQ(raw.size(), 2352u);
    EXPECT_EQ(raw[1], 0xff);
    EXPECT_EQ((std::vector<u8>{raw[12], raw[13], raw[14], raw[15]}), (std::vector<u8>{0, 3, 0, 1}));
    EXPECT_EQ(std::vector<u8>(raw.begin() + 16, raw.begin() + 16 + 2048), blocks(75, 1));
    EXPECT_EQ(ask({0xbe, 0, 0, 0, 0, 75, 0, 0, 1, 0x10}), blocks(75, 1));
    EXPECT_EQ(ask({0xb9, 0, 0, 0, 3, 0, 0, 3, 2, 0x10}), blocks(75, 2));
    EXPECT_FALSE(packet({0xbe, 0, 0, 0, 0, 75, 0, 0, 1, 0x90}));
    EXPECT_EQ(sense(), (Sense{5, 0x24, 0}));
}

TEST_F(AtapiDriveTest, wrong_commands_and_addresses_are_told_apart)
{
    EXPECT_FALSE(packet({0xee}));
    EXPECT_EQ(sense(), (Sense{5, 0x20, 0}));
    EXPECT_FALSE(packet({0x28, 0, 0, 0, 1, 0x90, 0, 0, 1}));
    EXPECT_EQ(sense(), (Sense{5, 0x21, 0}));
    EXPECT_FALSE(packet({0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
    EXPECT_EQ(sense(), (Sense{5, 0x21, 0}));
    disc.bad_sector = 40;
    EXPECT_FALSE(packet({0x28, 0, 0, 0, 0, 10, 0, 0, 1}));
    EXPECT_EQ(sense(), (Sense{3, 0x11, 0}));
    EXPECT_EQ(sense(), (Sense{0, 0, 0}));
}

TEST_F(AtapiDriveTest, the_disc_describes_itself)
{
    EXPECT_EQ(ask({0x25}), (std::vector<u8>{0, 0, 1, 0x8f, 0, 0, 8, 0}));
    EXPECT_EQ(ask({0x43, 0, 0, 0, 0, 0, 0, 0, 100}), (std::vector<u8>{0, 18, 1, 1,    0,    0x14, 1, 0, 0, 0,
                                                                      0, 0,  0, 0x14, 0xaa, 0,    0, 0, 1, 0x90}));
    EXPECT_EQ(ask({0x43, 2, 0, 0, 0, 0, 0xaa, 0, 100}), (std::vector<u8>{0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 7, 25}));
    EXPECT_EQ(ask({0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x40}), ask({0x43, 0, 1, 0, 0, 0, 0, 0, 100}));
    EXPECT_EQ(ask({0x43, 2, 2, 0, 0, 0, 0, 0, 100}).size(), 48u);
    const auto configuration = ask({0x46, 0, 0, 0, 0, 0, 0, 1, 0});
    EXPECT_EQ(load_be<u32>(configuration.data()), configuration.size() - 4);
    EXPECT_EQ(configuration[7], 8);
    const auto all_pages = ask({0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0});
    EXPECT_EQ(load_be<u16>(all_pages.data()), all_pages.size() - 2);
    EXPECT_EQ(ask({0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0})[8], 0x2a);
    EXPECT_EQ(ask({0x12, 0, 0, 0, 5}), (std::vector<u8>{0x05, 0x80, 0x00, 0x21, 31}));
}

TEST_F(AtapiDriveTest, changing_the_disc_is_seen_as_it_happens)
{
    while (event())
        ;
    MemoryDiskContent second;
    fill(second, 100 * 2048, 2048);
    atapi->change_disc(std::make_unique<MemoryDisk>(second, 2048, true));
    EXPECT_FALSE(packet({0}));
    EXPECT_EQ(sense(), (Sense{2, 0x3a, 1}));
    EXPECT_FALSE(packet({0}));
    EXPECT_EQ(sense(), (Sense{6, 0x28, 0}));
    EXPECT_TRUE(packet({0}));
    EXPECT_EQ(event(), 3);
    EXPECT_EQ(event(), 2);
    EXPECT_EQ(event(), 0);
    EXPECT_EQ(ask({0x25})[3], 99);
    atapi->change_disc(nullptr);
    EXPECT_FALSE(packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1}));
    EXPECT_EQ(sense(), (Sense{2, 0x3a, 1}));
}

TEST_F(AtapiDriveTest, a_disc_taken_while_it_is_read_ends_the_command)
{
    disc.hold = true;
    packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1});
    EXPECT_EQ(status(secondary), 0x80);
    const auto old = atapi->change_disc(nullptr);
    EXPECT_EQ(status(secondary) & 0x81, 1);
    disc.release();
    EXPECT_EQ(sense(), (Sense{2, 0x3a, 1}));
}

TEST_F(AtapiDriveTest, a_locked_tray_asks_instead_of_opening)
{
    bool open = false;
    atapi->on_tray([&](bool now) { open = now; });
    EXPECT_TRUE(packet({0x1e, 0, 0, 0, 1}));
    EXPECT_FALSE(packet({0x1b, 0, 0, 0, 2}));
    EXPECT_EQ(sense(), (Sense{5, 0x53, 2}));
    while (event())
        ;
    atapi->press_eject();
    EXPECT_EQ(event(), 1);
    EXPECT_FALSE(open);
    EXPECT_TRUE(packet({0x1e, 0, 0, 0, 0}));
    EXPECT_TRUE(packet({0x1b, 0, 0, 0, 2}));
    EXPECT_TRUE(open);
    EXPECT_FALSE(packet({0}));
    EXPECT_EQ(sense(), (Sense{2, 0x3a, 2}));
    EXPECT_TRUE(packet({0x1b, 0, 0, 0, 3}));
    EXPECT_FALSE(open);
    EXPECT_FALSE(packet({0}));
    EXPECT_EQ(sense(), (Sense{6, 0x28, 0}));
}

TEST_F(AtapiDriveTest, mode_select_sets_what_may_be_set)
{
    out(secondary + 6, 0);
    EXPECT_TRUE(packet({0x55, 0x10, 0, 0, 0, 0, 0, 0, 16}));
    EXPECT_EQ(in(secondary + 2), 0) << "data from the host";
    std::vector<u8> list(16);
    list[8] = 0x01;
    list[9] = 6;
    list[11] = 9;
    list[12] = 0x77;
    write_port(secondary, list);
    EXPECT_EQ(status(secondary) & 0x89, 0);
    const auto page = ask({0x5a, 0, 0x01, 0, 0, 0, 0, 1, 0});
    EXPECT_EQ(page[11], 9);
    EXPECT_EQ(page[12], 0);
    EXPECT_TRUE(packet({0x55, 0x10, 0, 0, 0, 0, 0, 0, 10}));
    list[8] = 0x3e;
    write_port(secondary, std::span(list).subspan(0, 10));
    EXPECT_EQ(status(secondary) & 1, 1);
    EXPECT_EQ(sense()[0], 5);
}

TEST_F(AtapiDriveTest, device_reset_ends_anything)
{
    disc.hold = true;
    packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1});
    out(secondary + 7, 0x08);
    EXPECT_EQ(status(secondary), 0);
    EXPECT_EQ(in(secondary + 4), 0x14);
    disc.release();
    disc.hold = false;
    EXPECT_EQ(status(secondary), 0);
    EXPECT_EQ(ask({0x28, 0, 0, 0, 0, 3, 0, 0, 1}), blocks(3, 1));
}

TEST_F(AtapiDriveTest, a_saved_read_goes_on_elsewhere)
{
    ASSERT_TRUE(packet({0x28, 0, 0, 0, 0, 8, 0, 0, 40}, false, 4096));
    auto all = read_port(secondary, 3000);
    const StateMap saved = save();
    IdeBench other;
    ASSERT_TRUE(other.load(saved));
    EXPECT_EQ(other.save(), saved);
    auto rest = other.read_port(secondary, 1096);
    all.insert(all.end(), rest.begin(), rest.end());
    rest = other.packet_data();
    all.insert(all.end(), rest.begin(), rest.end());
    EXPECT_EQ(all, blocks(8, 40));
}

TEST_F(AtapiDriveTest, a_guest_that_comes_back_to_another_disc_hears_of_it)
{
    EXPECT_EQ(ask({0x28, 0, 0, 0, 0, 8, 0, 0, 1}), blocks(8, 1));
    while (event())
        ;
    const StateMap saved = save();
    IdeBench other;
    MemoryDiskContent second;
    fill(second, 100 * 2048, 2048);
    other.atapi->change_disc(std::make_unique<MemoryDisk>(second, 2048, true));
    ASSERT_TRUE(other.load(saved));
    EXPECT_FALSE(other.packet({0}));
    EXPECT_EQ(other.sense(), (std::array<u8, 3>{2, 0x3a, 1}));
    EXPECT_FALSE(other.packet({0}));
    EXPECT_EQ(other.sense(), (std::array<u8, 3>{6, 0x28, 0}));
    // Once only, and not where the disc is the same.
    ASSERT_TRUE(other.load(other.save()));
    EXPECT_TRUE(other.packet({0}));
    ASSERT_TRUE(load(saved));
    EXPECT_TRUE(packet({0}));
}

TEST_F(AtapiDriveTest, a_read_that_was_under_way_does_not_go_on_from_another_disc)
{
    disc.hold = true;
    packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1});
    const StateMap saved = save();
    IdeBench other;
    other.atapi->change_disc(nullptr);
    ASSERT_TRUE(other.load(saved));
    EXPECT_EQ(other.status(secondary) & 0x89, 1);
    EXPECT_EQ(other.sense(), (std::array<u8, 3>{2, 0x3a, 1}));
    disc.release();
}

}
