#pragma once
// The code that blocks share: the way in and out, slow memory accesses, handlers, jumps by address.

#include "engine/cpu/x86/block_cache.h"
#include "engine/translator/frontend/x86/jump_table.h"
#include "engine/translator/runtime/code_cache.h"

namespace engine::translator {

// Bytes that a block wants in one piece, and the instruction that the interpreter goes on with where they are not.
struct SpanCheck {
    x86::Block* block;
    u32 site;    // BlockCache's
    u16 size;
    x86::Access access;
};

// Addresses in the executable mapping.
struct Thunks {
    // Runs `code` on the state; returns the number of the link that could not be followed, 0 for none.
    using Enter = u64 (*)(Cpu* biased, const u8* code);
    Enter enter = nullptr;
    const u8* leave = nullptr;    // jump here; guest RIP is in its slot, scratch_b holds the link's number
    const u8* leave_unlinked = nullptr;
    // Call, with the linear address in scratch_a and the instruction's site in scratch_b; the host address comes back in scratch_a.
    // Where there is none the interpreter finishes the block. By access (read, write) and log2 of the size.
    const u8* slow[2][6] = {};
    // Likewise, with the SpanCheck in scratch_b.
    const u8* slow_span = nullptr;
    // Call, with the linear address in scratch_a: the stack's window moves there. Carry clear: the host address comes back
    // in scratch_a. Carry set: scratch_a is as it was.
    const u8* move_stack_window = nullptr;
    // Likewise the window of a site, whose number is in scratch_b. By access (read, write).
    const u8* move_site_window[2] = {};
    const u8* call_handler = nullptr;    // call, with the instruction in scratch_b; flags are in their slot
    const u8* end_with_handler = nullptr;    // jump, likewise
    const u8* end_at_site = nullptr;    // jump, with the instruction's site in scratch_b
    const u8* look_for_interrupts = nullptr;    // call
    const u8* pack_flags = nullptr;    // call: the flags' slot, which holds a recipe, gets the flags; scratch_b is spoiled
    void (*pack_recipe)(Cpu* biased) = nullptr;    // the same for C++
    const u8* load_x87 = nullptr;    // call: the guest's x87 goes to the host's
    const u8* load_vectors = nullptr;    // call: the guest's vector registers go to the host's; general registers stay
    const u8* jump_by_address = nullptr;    // jump, with RIP in scratch_a
    // Jump, after write_jump_lookup(): RIP, in scratch_a, is not the entry's; the entry's context, in scratch_a, is not the
    // other half's of HostCodeState::context, so perhaps this one's.
    const u8* jump_missed = nullptr;
    const u8* jump_in_context[2] = {};
};

void write_vzeroupper(Assembler& a);
// AVX's, with AVX2; otherwise the guest's upper halves are in FpuState always.
bool host_has_wide_vectors();

// Writes them at the cache's start.
Thunks write_thunks(CodeCache& cache);

}
