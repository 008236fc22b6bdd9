// A guest that writes anything to its flash chips, reads them in any state, and goes back to states that were tampered with.
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/device/platform/parallel_flash.h"
#include "engine/state/state_map.h"

using namespace engine;

namespace {
constexpr u64 chip_size = 0x4000;

MemoryBlock& block(unsigned n)
{
    static const std::array blocks{
        std::move(*MemoryBlock::create("code", chip_size)), std::move(*MemoryBlock::create("variables", chip_size))};
    std::memset(blocks[n]->data(), 0xff, chip_size);
    return *blocks[n];
}

class Chips {
public:
    void step(const u8* bytes)
    {
        constexpr std::array<u8, 8> commands{0xff, 0x70, 0x50, 0xe8, 0x10, 0x20, 0xd0, 0x60};
        const u64 at = u64(bytes[1]) | u64(bytes[2]) << 8;
        const unsigned size = 1u << (bytes[0] >> 6);
        u64 value = 0;
        std::memcpy(&value, bytes + 3, 4);
        switch (bytes[0] & 7) {
        case 0:
        case 1:
        case 2:
            return memory.write(at % (2 * chip_size + 8), value, size);
        case 3:
        case 4:
            return memory.write(at % (2 * chip_size), commands[value % commands.size()], 1);
        case 5:
            memory.read(at % (2 * chip_size + 8), size);
            return;
        case 6:
            (value & 1 ? code : variables).reset();
            return;
        default:
            restore(value);
        }
    }
    // The locked one never changes; while it is shown, memory is what the chip says.
    void check()
    {
        for (u64 at = 0; at < chip_size; ++at)
            if (code_block.data()[at] != 0xff)
                std::abort();
        variables.reset();
        for (u64 at = 0; at < chip_size; at += 512)
            if (memory.read(chip_size + at, 1) != variables.read(at, 1))
                std::abort();
    }

private:
    void restore(u64 value)
    {
        ParallelFlash& chip = value & 1 ? code : variables;
        StateSaver good;
        chip.visit(good);
        StateMap map = good.map;
        std::size_t which = (value >> 1) % (map.scalars.size() + 1);
        for (auto& [name, field] : map.scalars)
            if (which-- == 0)
                field = value >> 5;
        for (auto& [name, blob] : map.blobs)
            if (value & 16)
                blob.resize(value >> 5 & 0x7fff);
        StateLoader loader(map);
        chip.visit(loader);
        if (chip.restored())
            return;
        StateLoader back(good.map);
        chip.visit(back);
        if (!chip.restored())
            std::abort();
    }

    AddressSpace memory;
    MemoryBlock& code_block = block(0);
    ParallelFlash code{"code", {memory, 0, 0}, code_block, ParallelFlash::Lock::locked};
    ParallelFlash variables{"variables", {memory, chip_size, 0}, block(1), ParallelFlash::Lock::open};
};
}

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size)
{
    constexpr std::size_t step_size = 7;
    Chips chips;
    for (; size >= step_size; data += step_size, size -= step_size)
        chips.step(data);
    chips.check();
    return 0;
}
