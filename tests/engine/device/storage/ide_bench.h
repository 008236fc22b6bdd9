#pragma once
// An IDE controller with a disk and an optical drive, RAM and ports, and the moves of a driver.

#include "engine/base/bits.h"
#include "engine/device/storage/piix3_ide.h"
#include "engine/state/state_map.h"
#include "tests/engine/device/storage/memory_disk.h"

namespace engine {

struct IdeBench {
    static constexpr u64 ram_size = 1 << 20;
    static constexpr u16 primary = 0x1f0, secondary = 0x170, bus_master = 0xc000;

    std::unique_ptr<MemoryBlock> ram = std::move(MemoryBlock::create("ram", ram_size).value());
    AddressSpace memory;
    PortSpace ports;
    IrqLine irq14, irq15;
    CompletionQueue completions;
    MemoryDiskContent disk, disc;
    std::string stopped;
    unsigned activity = 0;
    std::unique_ptr<Piix3Ide> ide;
    AtaDisk* ata = nullptr;
    AtapiDrive* atapi = nullptr;

    explicit IdeBench(u64 disk_sectors = 20000, u64 disc_sectors = 400)
    {
        memory.add_ram("ram", 0, ram_size, 0, *ram, 0);
        fill(disk, disk_sectors * 512, 512);
        fill(disc, disc_sectors * 2048, 2048);
        ide = std::make_unique<Piix3Ide>(
            PciWires{memory, ports}, irq14, irq15,
            DriveWires{completions, [this](unsigned, bool) { ++activity; }, [this](const Error& e) { stopped = e.what; }});
        ata = &ide->attach_disk(0, std::make_unique<MemoryDisk>(disk));
        atapi = &ide->attach_optical(2, std::make_unique<MemoryDisk>(disc, 2048, true));
        ide->reset();
        ide->write_config(0x20, bus_master, 4);
        ide->write_config(0x04, 5, 2);
    }
    static void fill(MemoryDiskContent& content, u64 size, u64 sector)
    {
        content.bytes.resize(size);
        for (u64 at = 0; at < size; at += sector) {
            std::memset(&content.bytes[at], int(at / sector * 7 & 0xff), sector);
            store_le<u64>(&content.bytes[at], at / sector);
        }
    }

    u8 in(u16 port) { return u8(ports.read(port, 1)); }
    void out(u16 port, u8 value) { ports.write(port, value, 1); }
    void settle()
    {
        while (completions.drain())
            ;
    }
    u8 status(u16 base = primary)
    {
        settle();
        return in(u16(base + 7));
    }
    bool irq(u16 base = primary)
    {
        settle();
        return (base == primary ? irq14 : irq15).level();
    }
    void command(u8 code, u32 lba, u8 count, u16 base = primary)
    {
        out(u16(base + 6), u8(0xe0 | (lba >> 24 & 15)));
        out(u16(base + 2), count);
        out(u16(base + 3), u8(lba));
        out(u16(base + 4), u8(lba >> 8));
        out(u16(base + 5), u8(lba >> 16));
        out(u16(base + 7), code);
    }
    // 48-bit: high halves first.
    void command_extended(u8 code, u64 lba, u16 count)
    {
        out(primary + 6, 0xe0);
        out(primary + 2, u8(count >> 8));
        out(primary + 3, u8(lba >> 24));
        out(primary + 4, u8(lba >> 32));
        out(primary + 5, u8(lba >> 40));
        out(primary + 2, u8(count));
        out(primary + 3, u8(lba));
        out(primary + 4, u8(lba >> 8));
        out(primary + 5, u8(lba >> 16));
        out(primary + 7, code);
    }
    std::vector<u8> read_port(u16 base, std::size_t bytes, unsigned width = 2)
    {
        std::vector<u8> data;
        while (data.size() < bytes) {
            const u32 value = ports.read(base, width);
            for (unsigned n = 0; n < width && data.size() < bytes; ++n)
                data.push_back(u8(value >> (8 * n)));
        }
        return data;
    }
    void write_port(u16 base, std::span<const u8> bytes, unsigned width = 2)
    {
        for (std::size_t at = 0; at < bytes.size(); at += width) {
            u32 value = 0;
            for (unsigned n = 0; n < width && at + n < bytes.size(); ++n)
                value |= u32(bytes[at + n]) << (8 * n);
            ports.write(base, value, width);
        }
    }

    // Descriptors at 0x1000: pairs of address and bytes.
    void descriptors(std::initializer_list<std::pair<u32, u32>> list, unsigned channel, bool to_memory)
    {
        u32 at = 0x1000;
        std::size_t n = 0;
        for (const auto& [address, bytes] : list) {
            memory.dma_store<u32>(at, address);
            memory.dma_store<u32>(at + 4, (bytes & 0xffff) | (++n == list.size() ? 0x80000000 : 0));
            at += 8;
        }
        const u16 base = u16(bus_master + 8 * channel);
        ports.write(u16(base + 4), 0x1000, 4);
        out(base, to_memory ? 8 : 0);
        out(u16(base + 2), 0x66);
    }
    void start(unsigned channel, bool to_memory) { out(u16(bus_master + 8 * channel), to_memory ? 9 : 1); }
    u8 engine_status(unsigned channel) { return in(u16(bus_master + 8 * channel + 2)); }

    // Sends a packet; true when the drive took it without an error.
    bool packet(std::vector<u8> bytes, bool dma = false, u16 limit = 0xfffe)
    {
        bytes.resize(12);
        out(secondary + 6, 0);
        out(secondary + 1, dma);
        out(secondary + 4, u8(limit));
        out(secondary + 5, u8(limit >> 8));
        out(secondary + 7, 0xa0);
        write_port(secondary, bytes);
        return !(status(secondary) & 1);
    }
    // All that a packet command has to say, in as many blocks as it takes.
    std::vector<u8> packet_data()
    {
        std::vector<u8> all;
        while (status(secondary) & 8) {
            const u16 count = u16(in(secondary + 4) | in(secondary + 5) << 8);
            const auto part = read_port(secondary, count);
            all.insert(all.end(), part.begin(), part.end());
        }
        return all;
    }
    std::array<u8, 3> sense()
    {
        packet({0x03, 0, 0, 0, 18});
        const auto data = packet_data();
        return {data[2], data[12], data[13]};
    }

    StateMap save()
    {
        StateSaver saver;
        ide->visit(saver);
        return saver.map;
    }
    bool load(const StateMap& map)
    {
        StateLoader loader(map);
        ide->visit(loader);
        return ide->restored();
    }
};

}
