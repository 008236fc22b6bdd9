// Any sequence of register accesses on the floppy controller and the DMA controller beside it.

#include "engine/device/storage/floppy_controller.h"
#include "engine/state/state_map.h"
#include "tests/engine/device/storage/memory_disk.h"

using namespace engine;

namespace {

constexpr u16 ports_used[]
    = {0x3f5, 0x3f5, 0x3f5, 0x3f5, 0x3f2, 0x3f4, 0x3f7, 0x3f3, 0x04, 0x05, 0x0a, 0x0b, 0x0c, 0x81, 0xd4, 0xd6};

}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    auto ram = std::move(MemoryBlock::create("ram", 65536).value());
    AddressSpace memory;
    memory.add_ram("ram", 0, 65536, 0, *ram, 0);
    PortSpace ports;
    IrqLine irq6;
    I8237Pair dma{memory};
    CompletionQueue completions;
    MemoryDiskContent content;
    content.bytes.resize(368640);
    FloppyController floppy{irq6, dma, DriveWires{completions}, 2};
    dma.claim(ports);
    floppy.claim(ports);
    const auto insert = [&](bool there) {
        content.held.clear();
        floppy.change_disk(0, there ? std::make_unique<MemoryDisk>(content) : nullptr, floppy_geometry(368640, "").value());
    };
    insert(true);
    ports.write(0x3f2, 0x1c, 1);
    ports.write(0xd6, 0xc0, 1);
    ports.write(0xd4, 0, 1);
    for (std::size_t at = 0; at + 2 <= size; at += 2) {
        const u8 what = data[at], value = data[at + 1];
        if (what < 160)
            ports.write(ports_used[what & 15], value, 1);
        else if (what < 220)
            for (unsigned n = 0; n < value; ++n)
                ports.read(ports_used[what & 7], 1);
        else if (what < 230)
            insert(value & 1);
        else if (what < 235)
            content.full = value & 1, floppy.retry_failed();
        else if (what < 240)
            content.hold = value & 1, content.release();
        else if (what < 244) {
            StateSaver saver;
            floppy.visit(saver);
            for (auto& [name, scalar] : saver.map.scalars)
                if (name.size() % 16 == (value & 15))
                    scalar ^= value >> 4;
            StateLoader loader(saver.map);
            floppy.visit(loader);
            if (!floppy.restored())
                floppy.reset();
        }
        if (what & 1)
            completions.drain();
    }
    content.held.clear();
    return 0;
}
