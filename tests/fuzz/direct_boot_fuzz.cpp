// Kernel files of any content: a plan's pieces must lie in the board's RAM.

#include <cstdlib>

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
    const std::span<const u8> kernel(data, size);
    const BootFiles files{"kernel", kernel, kernel.first(size / 2), "vga=0x31a console=ttyS0"};
    check(plan_linux(files, board), board);
    check(plan_multiboot(files, board), board);
    return 0;
}
