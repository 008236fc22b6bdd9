#pragma once
// What has to stand where in guest memory, and how the boot processor begins: the outcome of reading a kernel.

#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/machine/firmware/board_description.h"

namespace engine {

struct BootPlan {
    // `size` bytes from `address`: `bytes`, then zeroes.
    struct Piece {
        u64 address;
        u64 size;
        std::span<const u8> bytes;
    };
    enum class Entry : u8 { real_mode, flat_32 };

    BootPlan() = default;
    BootPlan(BootPlan&&) = default;    // a copy's pieces would point into the original
    BootPlan& operator=(BootPlan&&) = default;

    std::vector<Piece> pieces;    // spans into the kernel, the initrd or `owned`
    std::vector<std::vector<u8>> owned;
    Entry entry = Entry::real_mode;
    u16 segment = 0, code_segment = 0, stack_pointer = 0;    // real mode: IP is 0
    u32 instruction_pointer = 0, eax = 0, ebx = 0, descriptor_table = 0;    // flat: three descriptors at descriptor_table

    void add(u64 address, std::span<const u8> bytes) { pieces.push_back({address, bytes.size(), bytes}); }
    void add_owned(u64 address, std::vector<u8> bytes)
    {
        owned.push_back(std::move(bytes));
        add(address, owned.back());
    }
};

struct BootFiles {
    std::string kernel_path;    // for messages and for Multiboot's command line
    std::span<const u8> kernel, initrd;
    std::string command_line;
};

// Where kernels may be put: below the areas that firmware keeps at the top of low memory.
constexpr u64 boot_firmware_reserve = 0x100000;
constexpr u64 boot_high_start = 0x100000;
inline u64 boot_memory_end(const BoardDescription& board)
{
    return board.low_memory > boot_high_start + boot_firmware_reserve ? board.low_memory - boot_firmware_reserve
                                                                      : boot_high_start;
}

// Both accept any bytes; the plan's pieces lie in the board's RAM and nowhere else.
bool is_linux_kernel(std::span<const u8> kernel);
Result<BootPlan> plan_linux(const BootFiles& files, const BoardDescription& board);
bool is_multiboot_kernel(std::span<const u8> kernel);
Result<BootPlan> plan_multiboot(const BootFiles& files, const BoardDescription& board);

}
