// Any sequence of register accesses on the IDE controller, its disk and its optical drive; with held and failing requests,
// disc changes, resets, and restoring what was saved.

#include "tests/engine/device/storage/ide_bench.h"

using namespace engine;

namespace {

constexpr u16 ports[] = {0x1f0, 0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5,  0x1f6,  0x1f7,  0x3f6,  0x170,  0x171,  0x172,  0x173,
                         0x174, 0x175, 0x176, 0x177, 0x376, 0xc000, 0xc002, 0xc004, 0xc006, 0xc008, 0xc00a, 0xc00c, 0x1f6};

void outside_event(IdeBench& bench, u8 which, u8 value)
{
    switch (which % 8) {
    case 0:
        bench.disk.hold = bench.disc.hold = value & 1;
        return bench.disk.release();
    case 1:
        bench.disk.full = value & 1;
        return bench.ide->retry_failed();
    case 2:
        bench.disk.bad_sector = value;
        bench.disc.bad_sector = value * 4u;
        return;
    case 3:
        bench.atapi->change_disc(value & 1 ? std::make_unique<MemoryDisk>(bench.disc, 2048, true) : nullptr);
        return bench.disc.held.clear();
    case 4:
        return bench.atapi->press_eject();
    case 5: {
        StateMap map = bench.save();
        bench.load(map);
        return;
    }
    case 6:
        bench.disc.release();
        return bench.settle();
    default: {
        // A descriptor table that the guest can reach.
        const u32 table[] = {0x2000, value * 2u, 0x3001, 0x80000000u | value * 512u};
        bench.memory.dma_write(0x1000, {reinterpret_cast<const u8*>(table), sizeof table});
        return;
    }
    }
}

}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    IdeBench bench(300, 300);
    for (std::size_t at = 0; at + 3 <= size; at += 3) {
        const u8 what = data[at], a = data[at + 1], b = data[at + 2];
        const u16 port = ports[a % std::size(ports)];
        if (what < 160)
            bench.ports.write(port, b, 1);
        else if (what < 180)
            bench.ports.write(port, b * 0x01010101u, what & 1 ? 4 : 2);
        else if (what < 200)
            bench.ports.read(port, 1u << (what % 3));
        else if (what < 220)
            for (unsigned n = 0; n < 600; ++n)
                bench.ports.read(a & 1 ? 0x1f0 : 0x170, 4);
        else if (what < 240)
            for (unsigned n = 0; n < 300; ++n)
                bench.ports.write(a & 1 ? 0x1f0 : 0x170, b, 2);
        else
            outside_event(bench, a, b);
        if (what & 1)
            bench.settle();
    }
    StateMap map = bench.save();
    for (auto& [name, value] : map.scalars)
        if (size && data[name.size() % size] > 200)
            value ^= data[(name.size() * 7) % size];
    if (bench.load(map))
        for (unsigned n = 0; n < 4000; ++n)
            bench.ports.read(ports[n % std::size(ports)], 1), bench.settle();
    bench.disk.held.clear();
    bench.disc.held.clear();
    return 0;
}
