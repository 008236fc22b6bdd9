#pragma once
// Parallel NOR flash with an eight-bit bus and Intel's command set: what a PC's firmware lies in, and in a second chip what the
// firmware remembers. JESD68.01 (CFI) with command set 0001h of JEP137; commands, status and buffer as in Intel's StrataFlash
// J3 data sheet 290667, sections 4 and 5, with the small blocks that OVMF expects.
//
// While the array is shown it is memory, read at full speed. A command takes it away until the next Read Array.
// A program cycle only clears bits; an erase sets those of a block. A wider access is as many cycles, lowest address first.
// After Clear Status all of the status reads as zero until the next operation: OVMF's driver knows a flash chip by that.
// Not modelled: time (operations are over at once, so there is nothing to suspend), programming voltage, the protection
// register, lock bits of single blocks.

#include <array>
#include <functional>
#include <span>
#include <string>

#include "engine/device/device.h"
#include "engine/memory/address_space.h"

namespace engine {

class ParallelFlash final : public Device, public IoHandler {
public:
    static constexpr u32 block_size = 4096;    // bytes, what is erased at once
    static constexpr u64 largest = u64(8) << 20;    // bytes
    static constexpr unsigned buffer_size = 32;    // bytes programmed at once

    // locked: no operation changes the array, which is not part of the state then.
    enum class Lock : u8 { open, locked };
    struct Place {
        AddressSpace& memory;
        u64 base;    // guest physical, whole pages
        int priority;
    };

    // `array` outlives the chip; its size is a multiple of block_size, at most `largest`. `changed` hears of each operation
    // that changed it, with the machine's lock held.
    ParallelFlash(std::string name, const Place& place, MemoryBlock& array, Lock lock, std::function<void()> changed = {});

    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;

    std::string_view name() const override { return name_; }
    void reset() override;
    void visit(StateVisitor& visitor) override;
    bool restored() override;

    // The field of the state with the array, as far as something is programmed.
    static constexpr const char* content_field = "content";
    // Puts it into the array; what lies behind is erased. Not announced by `changed`.
    void set_content(std::span<const u8> content);

    struct State {
        enum class Shows : u8 { array, identifier, query, status } shows = Shows::array;
        enum class Awaits : u8 { command, program, erase_confirm, lock_confirm, count, data, program_confirm } awaits = Awaits::command;
        u8 status = 0x80;
        // Write to Buffer: where, how many bytes, and how many of them have come.
        u32 buffer_at = 0;
        u8 buffer_count = 0, buffer_filled = 0;
        std::array<u8, buffer_size> buffer{};
    };

private:
    void cycle(u32 at, u8 value);
    void take_command(u8 value);
    void begin(State::Awaits awaits);
    void begin_buffer(u8 count);
    void fill_buffer(u32 at, u8 value);
    void program_bytes(u32 at, std::span<const u8> bytes);
    void erase_block(u32 at);
    bool may_change(u8 error);
    void finish(u8 errors);
    u8 shown(u32 at) const;
    u8 query(u32 at) const;
    std::span<const u8> programmed() const;
    void show();

    State s_;
    std::string name_;
    AddressSpace& memory_;
    MemoryBlock& array_;
    const Lock lock_;
    std::function<void()> changed_;
    AddressSpace::RegionId region_;
};

}
