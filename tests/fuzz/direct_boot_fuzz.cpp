// Kernel files of any content: a plan's pieces must lie in the board's RAM.

#include <cstdlib>

#include "engine/base/bits.h"
#include "engine/machine/firmware/boot_plan.h"

using namespace engine;

namespace {
void check(const Result<BootPlan>& plan, const BoardDescription& board)
{
    if (!plan)
        return;
    for (const BootPlan::Piece& piece : plan.value().pieces) {
        const u64 end = piece.address + piece.size;
        const bool low = end <= 0xa0000, high = piece.address >= 0x100000 && end <= board.low_memory;
        if (end < piece.address || piece.bytes.size() > piece.size || (!low && !high))
            std::abort();
    }
}
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const BoardDescription board{.low_memory = 0x2000000};
    std::vector<u8> kernel(data, data + size);
    // Most inputs get past the magic numbers, or nothing behind them is reached.
    if (size > 0x400 && data[0] & 1) {
        store_le<u16>(&kernel[0x1fe], 0xaa55);
        store_le<u32>(&kernel[0x202], 0x53726448);
    }
    if (size > 0x400 && data[0] & 2) {
        const u32 flags = load_le<u32>(&kernel[0x44]) & 0x10007;
        store_le<u32>(&kernel[0x40], 0x1badb002);
        store_le<u32>(&kernel[0x44], flags);
        store_le<u32>(&kernel[0x48], 0u - 0x1badb002 - flags);
        store_le<u32>(&kernel[0], 0x464c457f);
        kernel[5] = 1;
    }
    const std::span<const u8> all(kernel);
    const BootFiles files{"kernel", all, all.first(size / 2), "vga=0x31a console=ttyS0"};
    check(plan_linux(files, board), board);
    check(plan_multiboot(files, board), board);
    return 0;
}
