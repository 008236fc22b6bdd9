// The fw_cfg ports and DMA descriptors against a hostile guest.

#include <algorithm>

#include "engine/base/bits.h"
#include "engine/machine/firmware/fw_cfg.h"

using namespace engine;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static const auto ram = std::move(*MemoryBlock::create("ram", 0x4000));
    AddressSpace memory;
    memory.add_ram("ram", 0, 0x4000, 0, *ram, 0);
    PortSpace ports;
    FwCfg fw_cfg(memory);
    fw_cfg.add_file("etc/file", std::vector<u8>(300, 7));
    fw_cfg.add_file("etc/empty", std::vector<u8>{});
    fw_cfg.claim(ports);

    std::fill_n(ram->data(), ram->size(), u8(0));
    std::copy_n(data, std::min<size_t>(size, 0x400), ram->data());
    for (size_t at = 0; at + 6 <= size; at += 6) {
        const u16 port = u16(0x50e + data[at] % 16);
        const unsigned width = 1u << (data[at + 1] & 3) & 7 ? 1u << (data[at + 1] & 3) & 7 : 4;
        const u32 value = load_le<u32>(data + at + 2);
        if (data[at + 1] & 0x80)
            ports.read(port, width);
        else
            ports.write(port, value, width);
    }
    return 0;
}
