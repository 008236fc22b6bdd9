#pragma once
// A vCPU's table of jump targets by address, and the code that looks there.
//
// An entry is good in the context that it was made in. In another one (the next program that runs the same code, a program
// that was given another address space) it is good again if the soft TLB says that the same page of the host is there:
// write_renewal().

#include "engine/translator/frontend/x86/host_layout.h"

namespace engine::translator {

// Within a line of the host's cache.
struct alignas(32) JumpTarget {
    u64 rip = ~u64(0);
    u64 context = 0;
    const u8* code = nullptr;
    u64 host_page = 0;    // address that the code's page has in the host's memory; 0: it lies on two
};
constexpr unsigned jump_table_bits = 16, jump_table_entries = 1 << jump_table_bits, jump_table_shift = 32 - jump_table_bits;
constexpr u32 jump_table_factor = 0x9e3779b1;    // 2^32 over the golden ratio, odd: near and far addresses spread alike
inline unsigned jump_table_index(u64 rip)
{
    return u32(rip) * jump_table_factor >> jump_table_shift;
}

// The entry for the address in scratch_a, into scratch_b.
void write_jump_lookup(Assembler& a);
// How host code gets elsewhere: a call leaves the host's return address.
enum class By : u8 { jump, call };
// To the target of the entry in scratch_b.
void write_jump(Assembler& a, By by = By::jump);
// With the entry in scratch_b, whose address is RIP, and its context in scratch_a: gives the entry the present context, of code
// that is not on global pages, and goes there; goes on behind this where it can't, with the entry in scratch_b still.
void write_renewal(Assembler& a);

}
