#include "engine/machine/firmware/fw_cfg.h"

#include <gtest/gtest.h>

#include "engine/base/bits.h"
#include "engine/state/state_map.h"

using namespace engine;

namespace {
struct Board {
    std::unique_ptr<MemoryBlock> ram = std::move(*MemoryBlock::create("ram", 0x10000));
    AddressSpace memory;
    PortSpace ports;
    FwCfg fw_cfg{memory};

    Board()
    {
        memory.add_ram("ram", 0, 0x10000, 0, *ram, 0);
        fw_cfg.claim(ports);
    }
    std::string read(u16 key, unsigned count)
    {
        ports.write(0x510, key, 2);
        std::string out;
        while (count-- > 0)
            out.push_back(char(ports.read(0x511, 1)));
        return out;
    }
    // The control word after the transfer.
    u32 dma(u32 control, u32 length, u64 address, u64 descriptor = 0x100)
    {
        const bool inside = descriptor <= ram->size() - 16;
        if (inside) {
            store_be<u32>(ram->data() + descriptor, control);
            store_be<u32>(ram->data() + descriptor + 4, length);
            store_be<u64>(ram->data() + descriptor + 8, address);
        }
        ports.write(0x514, swap_bytes(u32(descriptor >> 32)), 4);
        ports.write(0x518, swap_bytes(u32(descriptor)), 4);
        return inside ? load_be<u32>(ram->data() + descriptor) : 0;
    }
};
}

TEST(FwCfg, shows_its_signature_by_both_interfaces)
{
    Board b;
    EXPECT_EQ(b.read(0, 4), "QEMU");
    EXPECT_EQ(b.read(1, 4), std::string("\3\0\0\0", 4));
    EXPECT_EQ(b.ports.read(0x514, 4), load_le<u32>("QEMU"));
    EXPECT_EQ(b.ports.read(0x518, 4), load_le<u32>(" CFG"));
    EXPECT_EQ(b.ports.read(0x51b, 1), u32('G'));
}

TEST(FwCfg, lists_files_by_name)
{
    Board b;
    b.fw_cfg.add_file("etc/zebra", "zz");
    b.fw_cfg.add_file("bootorder", "first");
    b.fw_cfg.add_file("etc/ant", "aaa");
    const std::string directory = b.read(0x19, 4 + 3 * 64);
    EXPECT_EQ(load_be<u32>(directory.data()), 3u);
    EXPECT_STREQ(&directory[4 + 8], "bootorder");
    EXPECT_STREQ(&directory[4 + 64 + 8], "etc/ant");
    EXPECT_EQ(load_be<u32>(&directory[4 + 64]), 3u);
    const u16 key = load_be<u16>(&directory[4 + 128 + 4]);
    EXPECT_EQ(b.read(key, 4), std::string("zz\0\0", 4));
    EXPECT_FALSE(b.fw_cfg.add_file(std::string(56, 'x'), ""));
    EXPECT_EQ(b.read(0x1234, 2), std::string(2, 0));
}

TEST(FwCfg, dma_selects_skips_and_reads)
{
    Board b;
    b.fw_cfg.add_file("f", "0123456789");
    b.ram->data()[0x20f] = 0xee;
    EXPECT_EQ(b.dma(0x20 << 16 | 8 | 4, 3, 0), 0u);
    EXPECT_EQ(b.dma(2, 4, 0x200), 0u);
    EXPECT_EQ(std::string(reinterpret_cast<char*>(b.ram->data()) + 0x200, 4), "3456");
    EXPECT_EQ(b.dma(2, 0x10, 0x200), 0u);    // past the end: zeroes
    EXPECT_EQ(std::string(reinterpret_cast<char*>(b.ram->data()) + 0x200, 4), std::string("789\0", 4));
    EXPECT_EQ(b.ram->data()[0x20f], 0);
}

TEST(FwCfg, hostile_descriptors_end_with_an_error)
{
    Board b;
    b.fw_cfg.add_file("f", "0123456789");
    b.ports.write(0x510, 0x20, 2);
    EXPECT_EQ(b.dma(2, 0x100, 0xfff8), 1u);    // runs off the end of RAM
    EXPECT_EQ(b.dma(2, 0xffffffff, 0xffffffffffffff00), 1u);    // wraps
    EXPECT_EQ(b.dma(0x20 << 16 | 8 | 16, 4, 0x200), 1u);    // items are read-only
    EXPECT_EQ(b.dma(2, 0xffffffff, 0xf000), 1u);
    EXPECT_EQ(b.dma(4, 0xffffffff, 0), 0u);
    EXPECT_EQ(b.dma(2, 0, 0, 0xfffffffffffffff8), 0u);    // descriptor outside memory: nothing happens
    EXPECT_EQ(b.dma(2, 0, 0, 0xfffc), 0u);
    EXPECT_EQ(b.dma(0x20 << 16 | 8 | 2, 16, 0x100), 0u);    // onto its own descriptor
}

TEST(FwCfg, state_survives_a_round_trip)
{
    Board b, c;
    b.fw_cfg.add_file("f", "0123456789");
    c.fw_cfg.add_file("f", "0123456789");
    b.read(0x20, 4);
    StateSaver saved;
    b.fw_cfg.visit(saved);
    StateLoader loader(saved.map);
    c.fw_cfg.visit(loader);
    ASSERT_TRUE(c.fw_cfg.restored());
    EXPECT_EQ(c.ports.read(0x511, 1), u32('4'));
}
