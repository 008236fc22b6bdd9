#include "engine/cpu/x86/block.h"

#include <algorithm>
#include <cstring>

#include "engine/base/bits.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/handlers.h"

namespace engine::x86 {

const SecondPage& second_page(const Block& block)
{
    return *reinterpret_cast<const SecondPage*>(block.bytes() + round_up(u64(block.length), alignof(SecondPage)));
}
SecondPage& second_page(Block& block)
{
    return *reinterpret_cast<SecondPage*>(block.bytes() + round_up(u64(block.length), alignof(SecondPage)));
}

bool holds_page(const Block& block, const MemoryBlock* memory, u64 page)
{
    return (block.memory == memory && block.page == page)
        || (block.straddles && second_page(block).memory == memory && second_page(block).page == page);
}

bool second_is_fresh(const Block& block)
{
    const SecondPage& second = second_page(block);
    return second.memory->code_version(second.page) == second.version;
}

u64 size_without_insns(u64 length, bool straddles)
{
    return sizeof(Block) + round_up(length, alignof(Insn)) + (straddles ? sizeof(SecondPage) : 0);
}

u64 hash_of_block(u64 host, u32 mode)
{
    return host ^ host >> 15 ^ u64(mode) * 0x9e3779b1;
}

// The decoder always has the bytes that the longest instruction would take: whether one is too long hangs on that.
void decode_again(const Block& block, DecodedBlock& to)
{
    u64 at = 0;
    for (unsigned n = 0; n < block.count; ++n) {
        std::array<u8, longest_instruction> window{};
        std::memcpy(window.data(), block.bytes() + at, std::min<u64>(block.length - at, window.size()));
        decode(window, block.mode, u16(block.in_page + at), to[n]);
        at += to[n].length;
    }
    mark_end(to[block.count], block.in_page + at);
}

void mark_end(Insn& insn, u64 offset)
{
    insn = {};
    insn.handler = &end_of_block;
    insn.offset = u16(offset);
}

}
