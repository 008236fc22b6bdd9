#include "engine/block/iso9660.h"

#include <cstring>

#include <gtest/gtest.h>

#include "engine/base/bits.h"

using namespace engine;

namespace {

constexpr std::size_t sector = 2048;

struct MemorySource : IsoSource {
    std::vector<u8> bytes;
    u64 size() const override { return bytes.size(); }
    bool read(u64 offset, std::span<u8> to) override
    {
        if (offset > bytes.size() || to.size() > bytes.size() - offset)
            return false;
        std::copy_n(bytes.begin() + std::ptrdiff_t(offset), to.size(), to.begin());
        return true;
    }
};

// A disc of 40 sectors: descriptors at 16, boot catalogue at 20, root directory at 24, .disk at 25, files from 26.
struct Disc : MemorySource {
    Disc()
    {
        bytes.resize(40 * sector);
        u8* primary = at(16);
        describe(primary, 1);
        std::memset(primary + 8, ' ', 64);
        std::memcpy(primary + 40, "PADDOCK TEST", 12);
        std::memset(primary + 318, ' ', 384);
        std::memcpy(primary + 318, "THE PUBLISHER\x07", 14);
        store_le<u32>(primary + 80, 40);
        store_le<u16>(primary + 128, 2048);
        store_le<u32>(primary + 156 + 2, 24);
        store_le<u32>(primary + 156 + 10, sector);
        describe(at(17), 0);
        std::memcpy(at(17) + 7, "EL TORITO SPECIFICATION", 23);
        store_le<u32>(at(17) + 0x47, 20);
        describe(at(18), 255);
        catalogue();
        std::size_t end = record(at(24), 0, 25, sector, true, "_DISK", ".disk");
        end = record(at(24), end, 27, 20, false, "TREEINFO.;1", ".treeinfo");
        record(at(25), 0, 26, 22, false, "INFO.;1", "info");
        std::memcpy(at(26), "Debian GNU/Linux 12\nxy", 22);
        std::memcpy(at(27), "[general]\nname = x\n\0", 20);
    }

    u8* at(unsigned number) { return bytes.data() + number * sector; }
    static void describe(u8* to, u8 type)
    {
        to[0] = type;
        std::memcpy(to + 1, "CD001\x01", 6);
    }
    void catalogue()
    {
        u8* c = at(20);
        c[0] = 1;
        c[0x1e] = 0x55;
        c[0x1f] = 0xaa;
        u16 sum = 0;
        for (unsigned n = 0; n < 32; n += 2)
            sum = u16(sum + load_le<u16>(c + n));
        store_le<u16>(c + 0x1c, u16(-sum));
        c[32] = 0x88;
        c[64] = 0x91;
        c[65] = 0xef;
        store_le<u16>(c + 66, 1);
        c[96] = 0x88;
    }
    static std::size_t
    record(u8* directory, std::size_t end, u32 extent, u32 length, bool folder, std::string_view name, std::string_view long_name)
    {
        u8* r = directory + end;
        const std::size_t use = 33 + name.size() + (name.size() % 2 == 0);
        const std::size_t size = round_up(use + 5 + long_name.size(), 2);
        r[0] = u8(size);
        store_le<u32>(r + 2, extent);
        store_le<u32>(r + 10, length);
        r[25] = folder ? 2 : 0;
        r[32] = u8(name.size());
        std::memcpy(r + 33, name.data(), name.size());
        std::memcpy(r + use, "NM", 2);
        r[use + 2] = u8(5 + long_name.size());
        r[use + 3] = 1;
        std::memcpy(r + use + 5, long_name.data(), long_name.size());
        return end + size;
    }
};

TEST(Iso9660Test, a_disc_says_what_it_is_and_what_boots_from_it)
{
    Disc disc;
    const auto info = read_iso(disc, "disc.iso");
    ASSERT_TRUE(info);
    EXPECT_EQ(info.value().volume, "PADDOCK TEST");
    EXPECT_EQ(info.value().publisher, "THE PUBLISHER");
    EXPECT_EQ(info.value().disk_info, "Debian GNU/Linux 12");
    EXPECT_EQ(info.value().tree_info, "[general]\nname = x");
    EXPECT_TRUE(info.value().bootable);
    EXPECT_TRUE(info.value().boots_on(BootPlatform::pc_bios));
    EXPECT_TRUE(info.value().boots_on(BootPlatform::efi));
    EXPECT_FALSE(info.value().boots_on(BootPlatform::mac));
    EXPECT_FALSE(info.value().truncated());
    EXPECT_TRUE(info.value().warning.what.empty());
}

TEST(Iso9660Test, files_are_found_by_their_plain_names_too)
{
    Disc disc;
    std::memset(disc.at(24), 0, sector);
    Disc::record(disc.at(24), 0, 25, sector, true, "_DISK", "");
    EXPECT_EQ(read_iso(disc, "disc.iso").value().disk_info, "Debian GNU/Linux 12");
}

TEST(Iso9660Test, a_disc_cut_short_is_noticed)
{
    Disc disc;
    disc.bytes.resize(30 * sector);
    const auto info = read_iso(disc, "disc.iso");
    ASSERT_TRUE(info);
    EXPECT_TRUE(info.value().truncated());
    EXPECT_NE(info.value().warning.text().find("incomplete"), std::string::npos);
}

TEST(Iso9660Test, what_is_no_disc_is_refused_in_words)
{
    MemorySource nothing;
    nothing.bytes.resize(40 * sector);
    EXPECT_NE(
        read_iso(nothing, "a.iso").error().text().find("\"a.iso\" is not a CD image: it has no volume descriptor"),
        std::string::npos);
    nothing.bytes.resize(100);
    EXPECT_NE(read_iso(nothing, "a.iso").error().text().find("only 100 bytes"), std::string::npos);
    nothing.bytes.assign(40 * 2352, 0);
    std::memset(nothing.bytes.data() + 1, 0xff, 10);
    EXPECT_NE(read_iso(nothing, "a.bin").error().text().find("2352"), std::string::npos);
    EXPECT_NE(read_iso("/tmp").error().text().find("folder"), std::string::npos);
}

TEST(Iso9660Test, a_broken_boot_catalogue_boots_nothing)
{
    Disc disc;
    disc.at(20)[5] ^= 1;
    EXPECT_FALSE(read_iso(disc, "disc.iso").value().bootable);
    store_le<u32>(disc.at(17) + 0x47, 0xffffffff);
    EXPECT_FALSE(read_iso(disc, "disc.iso").value().bootable);
}

}
