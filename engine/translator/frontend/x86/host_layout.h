#pragma once
// Where the guest's state is while host code runs: twelve general registers in the host's, the rest in Cpu, which RBP
// points into so that its first 256 bytes are a short displacement away. R14 and R15 are scratch.

#include <cstddef>
#include <cstring>

#include "engine/cpu/x86/cpu.h"
#include "engine/translator/backend/assembler.h"

namespace engine::translator {

using x86::Cpu;
using x86::Insn;

// A guest's call is one of the host's too, so that the host predicts where its return goes: what it leaves on the host's stack,
// from the top. A return to another address finds its way by the table, and forgets the calls.
struct ReturnFrame {
    u64 host;    // address
    u64 guest;    // address
};
constexpr unsigned most_return_frames = 4096;

constexpr u8 state_register = host::rbp, scratch_a = host::r14, scratch_b = host::r15;
constexpr i32 state_bias = 128;

// By guest register; R12 to R15 stay in memory.
constexpr unsigned pinned_count = 12;
constexpr u8 host_of[pinned_count] = {host::rax, host::rcx, host::rdx, host::rbx, host::r12, host::r13,
                                      host::rsi, host::rdi, host::r8,  host::r9,  host::r10, host::r11};

inline Cpu* biased(Cpu& c)
{
    return reinterpret_cast<Cpu*>(reinterpret_cast<u8*>(&c) + state_bias);
}

constexpr u8 host_rsp = host_of[x86::rsp], host_rbp = host_of[x86::rbp];

inline Rm state_at(std::size_t offset)
{
    return Rm::at(state_register, i32(offset) - state_bias);
}
inline Rm gpr_slot(unsigned number)
{
    return state_at(8 * number);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
constexpr std::size_t offset_gpr
    = offsetof(Cpu, gpr),
    offset_tlb = offsetof(Cpu, tlb), offset_base = offsetof(Cpu, base), offset_request = offsetof(Cpu, request),
    offset_vectors_away = offsetof(Cpu, vectors_away), offset_flags = offsetof(Cpu, host_code.flags),
    offset_flags_from = offsetof(Cpu, host_code.flags_from), offset_flags_from_too = offsetof(Cpu, slots.flags_from_too),
    offset_context = offsetof(Cpu, host_code.context), offset_returns_base = offsetof(Cpu, slots.returns_base),
    offset_returns_limit = offsetof(Cpu, host_code.returns_limit), offset_jump_table = offsetof(Cpu, host_code.jump_table),
    offset_far_targets = offsetof(Cpu, slots.far_targets), offset_spill = offsetof(Cpu, host_code.spill),
    offset_x87_on_host = offsetof(Cpu, host_code.x87_on_host), offset_xmm = offsetof(Cpu, fpu.xmm),
    offset_mxcsr = offsetof(Cpu, fpu.mxcsr), offset_ymm_high = offsetof(Cpu, fpu.ymm_high),
    offset_spans = offsetof(Cpu, slots.spans), offset_strips = offsetof(Cpu, slots.strips),
    offset_indices = offsetof(Cpu, slots.indices), offset_chosen = offsetof(Cpu, slots.chosen),
    offset_gathered = offsetof(Cpu, slots.gathered), offset_segments = offsetof(Cpu, seg),
    offset_strip_rounds = offsetof(Cpu, slots.strip_rounds), offset_uppers_used = offsetof(Cpu, slots.uppers_used),
    offset_zmm_used = offsetof(Cpu, slots.zmm_used), offset_zmm_stored = offsetof(Cpu, slots.zmm_stored),
    offset_zmm_high = offsetof(Cpu, fpu.zmm_high), offset_uppers_stored = offsetof(Cpu, slots.uppers_stored),
    offset_rflags_other = offsetof(Cpu, rflags_other), offset_cr4 = offsetof(Cpu, cr4),
    offset_stack_window = offsetof(Cpu, soft_tlb.stack_window), offset_site_windows = offsetof(Cpu, soft_tlb.sites),
    offset_moved_sites = offsetof(Cpu, soft_tlb.moved_sites),
    offset_gs_base = offsetof(Cpu, seg) + x86::gs * sizeof(x86::Segment) + offsetof(x86::Segment, base),
    offset_kernel_gs_base = offsetof(Cpu, msr.kernel_gs_base);
#pragma GCC diagnostic pop
static_assert(offset_gpr == 0 && offset_stack_window + offsetof(x86::TlbWindow, missed) <= 2 * state_bias);
static_assert(state_bias == i32(x86::Requests::any));
static_assert(
    sizeof(x86::Requests) == sizeof(u32) && offset_vectors_away == offset_request + sizeof(u32)
    && offset_request % sizeof(u64) == 0);

inline Rm xmm_slot(unsigned number)
{
    return state_at(offset_xmm + sizeof(x86::Xmm) * number);
}
inline Rm high_slot(unsigned number)
{
    return state_at(offset_ymm_high + sizeof(x86::Xmm) * number);
}

// Of a window that stands `window` bytes into Cpu.
inline Rm window_at(std::size_t window, std::size_t offset)
{
    return state_at(window + offset);
}
constexpr std::size_t site_window(unsigned number)
{
    return offset_site_windows + number * sizeof(x86::TlbWindow);
}
constexpr unsigned number_of_site_window(std::size_t window)
{
    return unsigned((window - offset_site_windows) / sizeof(x86::TlbWindow));
}

// Of a SoftTlbContext and its entries.
constexpr i32 table_of(x86::Access access)
{
    return i32(offsetof(x86::SoftTlbContext, by_access) + unsigned(access) * sizeof(x86::SoftTlbContext::by_access[0]));
}
constexpr i32 host_in_entry = offsetof(x86::TlbEntry, host);
static_assert(sizeof(x86::TlbEntry) == 16 && offsetof(x86::TlbEntry, tag) == 0);

// While host code runs MXCSR is the guest's, if its exceptions are masked; handlers change to it for themselves.
constexpr u32 host_mxcsr = 0x1f80;
inline void set_host_mxcsr(u32 value)
{
    asm volatile("ldmxcsr %0" : : "m"(value));
}
inline void collect_mxcsr(Cpu& c)
{
    constexpr u32 exception_flags = 0x3f;
    if (!(c.host_code.context[0] & x86::mode_sse))
        return;
    u32 value = 0;
    asm volatile("stmxcsr %0" : "=m"(value));
    c.fpu.mxcsr |= value & exception_flags;
}

// x87.cpp. Moves the x87's state to the host's unit, and back if it is there. In between nobody else may use the unit.
void load_x87(Cpu& c);
void save_x87(Cpu& c);

// What a jump table's entry is good for, in HostCodeState::context.
constexpr unsigned context_mode_bits = 16;
inline u64 jump_context(u64 generation, u32 mode)
{
    return generation << context_mode_bits | mode;
}
// Packs what host code finds of the state elsewhere than in registers.
inline void begin_host_code(Cpu& c)
{
    x86::HostCodeState& state = c.host_code;
    state.context = {jump_context(c.soft_tlb.generation(), c.mode), jump_context(c.soft_tlb.global_generation(), c.mode)};
    state.flags = x86::pack_flags(c.lazy.all());
    state.running = true;
    set_host_mxcsr(c.mode & x86::mode_sse ? c.fpu.mxcsr : host_mxcsr);
}

// Gives the interpreter the flags that host code left.
inline void flags_to_interpreter(Cpu& c)
{
    // As wide as they are stored: the host waits for a store that is narrower than the load.
    const auto packed = [&c] {
        u16 lower;
        std::memcpy(&lower, &c.host_code.flags, sizeof lower);
        return lower;
    };
    if (!(packed() & x86::packed_mark))
        c.slots.pack_flags(biased(c));
    c.lazy.set_all(x86::unpack_flags(packed()));
}

// What a vCPU knows of a direct jump to another page. It leads where it was linked to while RIP and context are these; where there
// is one vCPU they stand in the code instead, which is quicker.
struct FarTarget {
    u64 context = 0;    // HostCodeState's; nothing has 0
    u64 page = 0;    // RIP that the jump's own page begins at
    // So often may it go by the table, in another context, before it is linked in that one: counts down to the least patience
    // below 0, so that all of this begins as zeroes.
    i16 patience = 0;
    u16 next_patience = 0;
    u32 target_page = 0;    // that knows of it, by its number; 0: none
    u32 way_page = 0;    // likewise, with a jump on the way there
};
constexpr i32 least_patience = 16, most_patience = 1 << 14;

}
