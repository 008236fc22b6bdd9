#pragma once
// A processor as the interpreter works on it. The canonical CpuState is loaded into it and saved from it; everything
// else here is derived: lazy flags, masks, soft TLB, decoded blocks. Handlers work on it directly, so it is a struct.
//
// Faults leave a handler by raise(), a longjmp to the run loop: handlers own nothing that needs a destructor, and change
// registers only after the last access that can fault, so that every instruction can be restarted.

#include <atomic>
#include <csetjmp>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/counter.h"
#include "engine/cpu/vcpu.h"
#include "engine/cpu/x86/flags.h"
#include "engine/cpu/x86/insn.h"
#include "engine/cpu/x86/requests.h"
#include "engine/cpu/x86/soft_tlb.h"
#include "engine/cpu/x86/state.h"
#include "engine/memory/address_space.h"
#include "engine/memory/port_space.h"

namespace engine {
class Lapic;
}

namespace engine::x86 {

struct Block;
class BlockCache;
class HostCodeTier;
class Rendezvous;
class WriteJournal;
struct CpuModel;

// Vectors, SDM vol. 3, 6.3.1.
enum Vector : u8 {
    divide_error = 0,
    debug_exception = 1,
    nmi_vector = 2,
    breakpoint = 3,
    overflow_exception = 4,
    bound_exceeded = 5,
    invalid_opcode = 6,
    device_not_available = 7,
    double_fault = 8,
    invalid_tss = 10,
    segment_not_present = 11,
    stack_fault = 12,
    general_protection = 13,
    page_fault = 14,
    x87_error = 16,
    alignment_check = 17,
    simd_error = 19,
};

constexpr u64 cr0_pe = 1, cr0_mp = 2, cr0_em = 4, cr0_ts = 8, cr0_et = 16, cr0_ne = 32, cr0_wp = 1 << 16, cr0_am = 1 << 18,
              cr0_nw = 1 << 29, cr0_cd = 1 << 30, cr0_pg = u64(1) << 31;
constexpr u64 cr4_vme = 1, cr4_pvi = 2, cr4_tsd = 4, cr4_de = 8, cr4_pse = 16, cr4_pae = 32, cr4_mce = 64, cr4_pge = 128,
              cr4_pce = 256, cr4_osfxsr = 512, cr4_osxmmexcpt = 1024, cr4_umip = 1 << 11, cr4_fsgsbase = 1 << 16,
              cr4_pcide = 1 << 17, cr4_osxsave = 1 << 18, cr4_smep = 1 << 20, cr4_smap = 1 << 21, cr4_pke = 1 << 22;
constexpr u64 efer_sce = 1, efer_lme = 1 << 8, efer_lma = 1 << 10, efer_nxe = 1 << 11;

// Decoding depends on these; part of a block's key.
enum ModeKey : u32 {
    mode_16 = 0,
    mode_32 = 1,
    mode_64 = 2,
    mode_size_mask = 3,
    mode_flat = 4,    // ES, CS, SS and DS reach all 4 GiB and need no checks
    mode_stack_32 = 8,
    mode_user = 16,
    mode_single = 32,    // one instruction a block: TF, debug registers, interrupt shadow, self-modification
    mode_protected = 64,    // protected and not virtual-8086
    mode_unprivileged = 128,    // CPL 1, 2 or 3
    mode_zero_base = 256,    // ES, CS, SS and DS begin at 0
    mode_sse = 512,    // SSE instructions run without looking at CR0, CR4 and the exception masks
    mode_x87 = 1024,    // x87 instructions likewise
    mode_avx = 2048,    // and AVX
    mode_smap = 4096,    // the supervisor with CR4.SMAP
};

struct Cpu;

// What host code and the rest of the processor share.
struct HostCodeState {
    std::array<u64, 2>
        context{};    // TLB generation (of global pages in the second) and mode: what a jump table's entry is good for
    const void* jump_table = nullptr;
    u64 returns_limit = 0;    // the host's stack pointer with too many guest calls on it
    u64 spill = 0;
    u32 flags = packed_mark;    // packed in the lower half; without packed_mark a FlagRecipe of the translator's
    bool running = false;    // guest state is in `flags` and, but for helpers' time, in host registers
    bool x87_on_host = false;    // the x87's state is in the host's unit; FpuState's is stale
    bool framed = false;    // a handler was called from host code, which may itself be written to
    u64 flags_from = 0;    // of a recipe: its first operand
};

// The same, of what is seldom needed in a hurry.
struct HostCodeSlots {
    u64 flags_from_too = 0;    // of a recipe: its second operand
    void (*pack_flags)(Cpu* biased) = nullptr;    // makes HostCodeState::flags of the recipe that is there
    void* far_targets = nullptr;    // of direct jumps to other pages, by number
    u64 returns_base = 0;    // the host's stack pointer with no guest call on it
    static constexpr unsigned most_spans = 8;
    std::array<u64, most_spans> spans{};    // host addresses that the running block has looked up
    static constexpr unsigned most_strips = 6;
    std::array<u64, most_strips> strips{};    // what the running loop adds to guest addresses
    u64 strip_rounds = 0;    // still to come before it looks them up again
    std::array<u64, 4> indices{}, chosen{}, gathered{};    // while a gather runs: its indices, mask and result
    Block* apart = nullptr;    // a block whose spans are mostly not to be had, and that is better off without
    // Bits 128 to 255 of the vector registers may not be zero, wherever they are; whoever sets these bits says so. And those
    // in FpuState may not be.
    bool uppers_used = true, uppers_stored = true;
    // The same of bits 256 to 511 of ZMM0-15. Where they are used the others count as used too.
    bool zmm_used = true, zmm_stored = true;
};

// Aligned for Requests::any, and elsewhere than in the lowest 4 GiB.
struct alignas(2 * Requests::any) Cpu {
    // Hot first, and of that what host code names most: it reaches 256 bytes with short displacements. gpr[gpr_zero] stays
    // 0. gpr[gpr_rip] is RIP; while a block runs, the RIP that its page begins at, so that the block serves wherever the page
    // is mapped.
    std::array<u64, 18> gpr{};
    SoftTlbContext* tlb = nullptr;    // of the current privilege
    Requests request;
    u32 vectors_away = ~u32(0);    // the vector registers are in FpuState; 0: in the host's
    u32 mode = 0;    // ModeKey
    HostCodeState host_code;
    SoftTlb soft_tlb;    // begins with the stack's window
    LazyFlags lazy;
    std::array<u64, segment_count> base{};    // effective segment bases: zero where 64-bit mode ignores them
    u64 linear_mask = 0xffffffff;
    u64 stack_mask = 0xffff;
    const Insn* current = nullptr;    // the instruction that may fault, set by slow paths
    HostCodeSlots slots;
    u64 rflags_other = 2;    // RFLAGS without the arithmetic flags
    u8 cpl = 0;
    bool x87_exception_pending = false;

    std::array<Segment, segment_count> seg{};
    Segment ldtr, tr;
    DescriptorTable gdtr, idtr;
    u64 cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0, efer = 0, xcr0 = 1;
    std::array<u64, 4> dr{};
    u64 dr6 = 0, dr7 = 0;
    FpuState fpu;
    CpuState msr;    // only its model-specific registers are used

    // Run loop.
    std::jmp_buf fault_exit;
    struct Fault {
        u8 vector;
        bool has_error;
        u32 error;
        enum class Kind : u8 { fault, retry_single, halt_loop } kind;
    } fault{};
    Block* block = nullptr;    // running now
    bool shadow = false;    // interrupts wait one instruction
    bool trap_shadow = false;    // debug traps and instruction breakpoints wait with them: MOV SS, POP SS
    bool single_next = false;    // run one instruction on its own, then look again
    bool halted = false, waiting_for_sipi = false, shutdown = false;
    std::string failure;    // with `shutdown`: why the guest can't go on, for a person
    bool nmi_blocked = false, in_smm = false;
    bool nmi_latched = false, smi_latched = false;    // came while they were blocked
    std::atomic<u32> nmis = 0;    // asked for and not looked at yet: a second one waits for the first one's IRET
    bool no_step = false;    // this instruction has dealt with TF itself: INT, SYSCALL, SYSRET
    u8 sipi_vector = 0;
    u32 pending_debug = 0;    // DR6 bits of a trap to deliver after this instruction
    // The last port instruction, for an SMI that comes right behind it and wants it done again.
    struct PortAccess {
        u64 rip, next_rip, rcx, rsi, rdi;
        u32 what;    // as the save area tells it: AMD64 vol. 2, figure 10-6
    } port_access{};
    u64 instructions = 0;
    Counter tlb_fills;
    int delivering = -1;    // vector being delivered, for double faults
    bool delivering_external = false;    // the EXT bit of error codes

    // Wires.
    AddressSpace* memory = nullptr;
    PortSpace* ports = nullptr;
    Lapic* lapic = nullptr;
    VcpuWires wires;
    Rendezvous* rendezvous = nullptr;
    bool exclusive = false;    // the other vCPUs stand still for a locked access
    BlockCache* blocks = nullptr;
    HostCodeTier* tier = nullptr;    // null: interpreter only
    WriteJournal* journal = nullptr;    // told of stores and of devices reached, if there is one
    const CpuModel* model = nullptr;
    unsigned index = 0;
    std::atomic<bool> intr = false;    // the 8259's line
    std::shared_ptr<const std::vector<FlatRange>> view;

    void ask_nmi()
    {
        nmis.fetch_add(1);
        request.ask(request_nmi);
    }
    u64 rflags() const { return rflags_other | lazy.all(); }
    void set_rflags(u64 value)
    {
        lazy.set_all(value);
        rflags_other = (value & ~flags_arithmetic) | 2;
    }
    bool flag(u64 mask) const { return rflags_other & mask; }
    unsigned iopl() const { return unsigned(rflags_other >> 12 & 3); }
    bool protected_mode() const { return cr0 & cr0_pe; }
    bool v86() const { return rflags_other & flag_vm; }
    bool long_mode() const { return efer & efer_lma; }
    bool code_64() const { return (mode & mode_size_mask) == mode_64; }
    u64 ip(const Insn* i) const { return gpr[gpr_rip] + i->offset; }
    u64 next_ip(const Insn* i) const { return gpr[gpr_rip] + i->offset + i->length; }

    // An 8-, 16-, 32- or 64-bit register by its byte offset in gpr (Insn::dst, Insn::src).
    template <class T> T reg(u8 offset) const
    {
        T value;
        __builtin_memcpy(&value, reinterpret_cast<const u8*>(gpr.data()) + offset, sizeof value);
        return value;
    }
    template <class T> void set_reg(u8 offset, T value)
    {
        u8* to = reinterpret_cast<u8*>(gpr.data()) + offset;
        if constexpr (sizeof(T) == 4) {
            const u64 wide = value;
            __builtin_memcpy(to, &wide, sizeof wide);
        } else {
            __builtin_memcpy(to, &value, sizeof value);
        }
    }

    // Leaves the handler. `i` is the faulting instruction.
    [[noreturn]] void raise(const Insn* i, Vector vector);
    [[noreturn]] void raise(const Insn* i, Vector vector, u32 error);
    [[noreturn]] void raise_again();    // with `fault` filled in and `current` set
};

}
