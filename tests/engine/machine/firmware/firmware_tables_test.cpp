#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "engine/base/bits.h"
#include "engine/machine/firmware/acpi_tables.h"
#include "engine/machine/firmware/aml.h"
#include "engine/machine/firmware/dsdt.h"
#include "engine/machine/firmware/firmware_items.h"
#include "engine/machine/firmware/smbios.h"

using namespace engine;

namespace {
BoardDescription board()
{
    return {.low_memory = 0xc0000000, .high_memory = 0x140000000, .cpus = 4};
}

u8 sum(const std::vector<u8>& bytes, std::size_t first, std::size_t count)
{
    return std::accumulate(bytes.begin() + long(first), bytes.begin() + long(first + count), u8(0));
}

// Runs the loader's script as firmware does: the RSDP's file at one address, the tables' at another.
struct Firmware {
    static constexpr u32 tables_address = 0xbffe0000, rsdp_address = 0xf5b00;
    AcpiTables acpi = build_acpi_tables(board());

    std::vector<u8>& file(const u8* name_at)
    {
        return std::string(reinterpret_cast<const char*>(name_at)) == AcpiTables::rsdp_file ? acpi.rsdp : acpi.tables;
    }
    Firmware()
    {
        EXPECT_EQ(acpi.loader.size() % 128, 0u);
        for (std::size_t at = 0; at < acpi.loader.size(); at += 128) {
            const u8* command = &acpi.loader[at];
            std::vector<u8>& target = file(command + 4);
            switch (load_le<u32>(command)) {
            case 1:
                break;
            case 2: {
                u8* pointer = &target.at(load_le<u32>(command + 116));
                store_le<u32>(pointer, load_le<u32>(pointer) + tables_address);
                break;
            }
            case 3: {
                const u32 checksum = load_le<u32>(command + 60), start = load_le<u32>(command + 64),
                          length = load_le<u32>(command + 68);
                target.at(checksum) = u8(target.at(checksum) - sum(target, start, length));
                break;
            }
            default:
                ADD_FAILURE() << "unknown command";
            }
        }
    }
    u32 word(std::size_t at) const { return load_le<u32>(&acpi.tables.at(at)); }
    std::map<std::string, std::size_t> listed() const
    {
        std::map<std::string, std::size_t> found;
        const std::size_t rsdt = load_le<u32>(&acpi.rsdp[16]) - tables_address;
        for (std::size_t at = rsdt + 36; at < rsdt + word(rsdt + 4); at += 4) {
            const std::size_t table = word(at) - tables_address;
            found[std::string(reinterpret_cast<const char*>(&acpi.tables.at(table)), 4)] = table;
        }
        return found;
    }
};
}

TEST(AcpiTables, are_found_and_sum_to_zero_after_the_script)
{
    const Firmware f;
    EXPECT_EQ(f.acpi.rsdp.size(), 20u);
    EXPECT_EQ(sum(f.acpi.rsdp, 0, 20), 0);
    auto tables = f.listed();
    EXPECT_EQ(tables.size(), 4u);
    const std::size_t facp = tables.at("FACP");
    tables["DSDT"] = f.word(facp + 40) - Firmware::tables_address;
    tables["RSDT"] = load_le<u32>(&f.acpi.rsdp[16]) - Firmware::tables_address;
    for (const auto& [name, at] : tables) {
        ASSERT_LE(at + f.word(at + 4), f.acpi.tables.size());
        EXPECT_EQ(sum(f.acpi.tables, at, f.word(at + 4)), 0) << name;
    }
    EXPECT_EQ(f.word(facp + 4), 116u);
    EXPECT_EQ(f.word(facp + 76), 0x608u);
    const std::size_t facs = f.word(facp + 36) - Firmware::tables_address;
    EXPECT_EQ(facs % 64, 0u);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(&f.acpi.tables[facs]), 4), "FACS");
}

TEST(AcpiTables, the_madt_lists_processors_and_overrides)
{
    const Firmware f;
    const std::size_t madt = f.listed().at("APIC");
    std::map<u8, unsigned> kinds;
    std::size_t at = madt + 44;
    while (at < madt + f.word(madt + 4)) {
        const u8 type = f.acpi.tables[at], length = f.acpi.tables[at + 1];
        if (type == 2 && f.acpi.tables[at + 3] == 0) {
            EXPECT_EQ(f.word(at + 4), 2u);
        }
        ++kinds[type];
        ASSERT_GE(length, 6);
        at += length;
    }
    EXPECT_EQ(at, madt + f.word(madt + 4));
    EXPECT_EQ(kinds[0], 4u);
    EXPECT_EQ(kinds[1], 1u);
    EXPECT_EQ(kinds[4], 1u);
}

TEST(Aml, encodes_lengths_names_and_identifiers)
{
    EXPECT_EQ(aml::eisa_id("PNP0A03"), (aml::Bytes{0x0c, 0x41, 0xd0, 0x0a, 0x03}));
    EXPECT_EQ(aml::integer(0), aml::Bytes{0});
    EXPECT_EQ(aml::integer(0x1234), (aml::Bytes{0x0b, 0x34, 0x12}));
    EXPECT_EQ(
        aml::reference("\\_SB.PCI0.ISA"),
        (aml::Bytes{'\\', 0x2f, 3, '_', 'S', 'B', '_', 'P', 'C', 'I', '0', 'I', 'S', 'A', '_'}));
    EXPECT_EQ(aml::reference("^X.Y"), (aml::Bytes{'^', 0x2e, 'X', '_', '_', '_', 'Y', '_', '_', '_'}));
    EXPECT_EQ(aml::scope("A", {})[1], 5);
    const aml::Bytes at_the_edge = aml::scope("A", aml::Bytes(58));    // 4 + 58 + 1 = 63
    EXPECT_EQ(at_the_edge[1], 63);
    const aml::Bytes over = aml::scope("A", aml::Bytes(59));
    EXPECT_EQ(over[1], 0x41);
    EXPECT_EQ(over[2], 4);
    EXPECT_EQ(over.size(), 1u + 65);
    const aml::Bytes large = aml::scope("A", aml::Bytes(5000));
    EXPECT_EQ((large[1] & 0x0f) | large[2] << 4 | large[3] << 12, int(large.size()) - 1);
}

TEST(Dsdt, follows_the_board)
{
    const auto contains = [](const std::vector<u8>& bytes, std::string_view needle) {
        return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()).find(needle) != needle.npos;
    };
    BoardDescription b = board();
    const std::vector<u8> full = build_dsdt_body(b);
    EXPECT_TRUE(contains(full, "COM1"));
    EXPECT_TRUE(contains(full, "HPET"));
    EXPECT_TRUE(contains(full, "C003"));
    EXPECT_FALSE(contains(full, "C004"));
    EXPECT_FALSE(contains(full, std::string_view("\x8a\x2b\0", 3)));    // no QWord window
    b.serial_port = b.hpet = false;
    b.floppies = {};
    b.pci_window64 = 0x200000000;
    b.pci_window64_size = 0x100000000;
    const std::vector<u8> bare = build_dsdt_body(b);
    EXPECT_FALSE(contains(bare, "COM1"));
    EXPECT_FALSE(contains(bare, "HPET"));
    EXPECT_FALSE(contains(bare, "FDC0"));
    EXPECT_TRUE(contains(bare, std::string_view("\x8a\x2b\0", 3)));
}

TEST(Smbios, structures_add_up)
{
    BoardDescription b = board();
    b.uuid = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const SmbiosTables t = build_smbios(b);
    ASSERT_EQ(t.anchor.size(), 31u);
    EXPECT_EQ(load_le<u16>(&t.anchor[22]), t.tables.size());
    std::map<u8, unsigned> kinds;
    std::size_t at = 0, count = 0, largest = 0;
    while (at < t.tables.size()) {
        const std::size_t start = at;
        ++kinds[t.tables[at]];
        if (t.tables[at] == 1) {
            EXPECT_EQ(load_le<u32>(&t.tables[at + 8]), 0x00010203u);
        }
        at += t.tables.at(at + 1);
        while (t.tables.at(at) || t.tables.at(at + 1))
            ++at;
        at += 2;
        largest = std::max(largest, at - start);
        ++count;
    }
    EXPECT_EQ(count, load_le<u16>(&t.anchor[28]));
    EXPECT_EQ(largest, load_le<u16>(&t.anchor[8]));
    EXPECT_EQ(kinds[4], 1u);
    EXPECT_EQ(kinds[19], 2u);
    EXPECT_EQ(kinds[127], 1u);
    for (const u8 type : {u8(0), u8(1), u8(3), u8(16), u8(17), u8(32)})
        EXPECT_EQ(kinds[type], 1u) << int(type);
}

TEST(FirmwareItems, cmos_holds_sizes_drives_and_boot_order)
{
    std::map<u8, u8> cmos;
    for (const auto& [index, value] : cmos_contents(board()))
        cmos[index] = value;
    EXPECT_EQ(cmos[0x34] | cmos[0x35] << 8, (0xc0000000 - 0x1000000) / 65536);
    EXPECT_EQ(cmos[0x5b] | cmos[0x5c] << 8 | cmos[0x5d] << 16, 0x140000000 / 65536);
    EXPECT_EQ(cmos[0x30] | cmos[0x31] << 8, 0xffff);
    EXPECT_EQ(cmos[0x10], 0x40);
    EXPECT_EQ(cmos[0x3d], 0x32);    // disk, then optical
    EXPECT_EQ(cmos[0x38], 0x10);    // then floppy
    EXPECT_EQ(cmos[0x5f], 3);
}

TEST(FirmwareItems, firmware_finds_every_file)
{
    AddressSpace memory;
    FwCfg fw_cfg(memory);
    BoardDescription b = board();
    b.boot_paths = {rom_boot_path("genroms/paddock-boot.bin"), ide_boot_path(1, 0), floppy_boot_path(0)};
    fill_fw_cfg(fw_cfg, b);
    for (const char* name :
         {"etc/e820", "etc/acpi/rsdp", "etc/acpi/tables", "etc/table-loader", "etc/smbios/smbios-anchor",
          "etc/smbios/smbios-tables", "etc/system-states", "bootorder"})
        EXPECT_NE(fw_cfg.file(name), nullptr) << name;
    EXPECT_EQ(fw_cfg.file("etc/e820")->size(), 3u * 20);
    const auto* order = fw_cfg.file("bootorder");
    EXPECT_EQ(
        std::string(reinterpret_cast<const char*>(order->data())),
        "/rom@genroms/paddock-boot.bin\n/pci@i0cf8/ide@1,1/drive@1/disk@0\n/pci@i0cf8/isa@1/fdc@03f0/floppy@0");
}
