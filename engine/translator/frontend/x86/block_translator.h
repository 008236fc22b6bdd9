#pragma once
// Tier 1: one decoded block becomes host code in one pass.
//
// TRANSLATOR.md (section 2) puts an IR between decoder and emitter. For an x86 guest on an x86 host that IR would be the
// decoded instruction again, with its registers renamed: most instructions are the host's own with other ModRM fields. So
// x86 blocks go from Insn to bytes; the first guest of another architecture brings the IR and shares emitter, code cache
// and soft TLB. Registers stay where host_layout.h puts them from block to block. Flags stay in the host's between the
// instruction that makes them and the one that wants them; before anything that spoils the host's (the TLB's compare) and
// at the block's end they are kept in their slot, but only if somebody may still look: packed, or as what they were made
// of, which is cheaper (flag_recipe.h).
//
// It also puts hot regions into a second tier, made in the background, and code on disk between runs. Measured on this
// translator a block takes 4 µs, all of a kernel's boot to a prompt 4 % of its time, so there is nothing to move out of a vCPU's
// way or to read from a file that had to be checked as well. Most of what the second tier was to do (one look-up for many
// accesses, strips of loops, registers on loan, dead flags) is done here, in the first pass. What costs room, and pays where much
// time is spent only, is done when samples find a block busy: it is translated once more, with a window on the soft TLB for
// each access (busy_blocks.h).

#include <array>
#include <utility>
#include <vector>

#include "engine/cpu/x86/block.h"
#include "engine/translator/frontend/x86/flag_recipe.h"
#include "engine/translator/frontend/x86/lowering.h"
#include "engine/translator/frontend/x86/thunks.h"

namespace engine::translator {

using x86::Access;
using x86::Block;
using x86::WindowUse;

// What is to be filled in when a jump to another page is linked, in the writable mapping.
struct FarJump {
    u8* displacement = nullptr;    // of the jump
    // Where there is one vCPU, u64 each: what a FarTarget has otherwise.
    u8* context = nullptr;
    u8* page = nullptr;
    u8* target = nullptr;    // what a slot holds if the jump leads there; null: it goes by none
};

// What the translator asks of its surroundings while it works.
class BlockSurroundings {
public:
    virtual ~BlockSurroundings() = default;
    // An instruction followed by a mark that stops the chain of handlers; lives as long as the code.
    virtual const Insn* alone(const Insn& i) = 0;
    // An instruction of the block followed by the rest of it, likewise.
    virtual const Insn* rest(const Insn& i) = 0;
    // Names an instruction of the block, for a handler that is hardly ever called.
    virtual u32 site(const Insn& i) = 0;
    // A jump within the page that has no target yet; it gets a number to leave with, and one day the target's code.
    virtual u32 link(u8* displacement, unsigned in_page) = 0;
    // Likewise one to another page, `in_page` bytes from the start of this one. A vCPU's FarTarget goes by half the number. If
    // there is a `slot` it is to lead on to where slot_of_jump_at() says.
    virtual u32 link_far(u64 in_page, i64 slot) = 0;
    // Where a jump that stands alone at this place of another page has its target from, as a linker's stubs do: counted from the
    // start of this one. 0: there is none.
    virtual i64 slot_of_jump_at(u64 in_page) = 0;
    virtual void place_far(u32 link, const FarJump& jump) = 0;
    // The executable address of the code that begins at this place of the page in this mode, null: none yet.
    virtual const u8* code_at(unsigned in_page) = 0;
    // What the interpreter needs to know where a span is not to be had; lives as long as the code.
    virtual const SpanCheck* span_check(const Insn& i, unsigned size, Access access) = 0;
    // A window for an access of the block's instruction `n`, by number. 0: none, as it isn't worth one or there is none left.
    virtual unsigned window(unsigned n, Access access, WindowUse use) = 0;
    // Likewise one for all accesses by FS or GS and a constant.
    virtual unsigned thread_window(Access access) = 0;
    // Likewise one for all accesses of the page's blocks to the page that lies so many bytes from theirs.
    virtual unsigned page_window(i64 distance, Access access) = 0;
    // RIP that the block's page begins at now; it may be mapped elsewhere as well.
    virtual u64 page_now() = 0;
    // Much time is spent in the block: the room that its code takes matters less.
    virtual bool is_busy() = 0;
    // The code would be better if it were, or when it is translated again.
    virtual void would_gain() = 0;
    // Whether another vCPU may be at the same memory.
    virtual bool shares_memory() = 0;
    // Bytes of this page that are about to be looked at although they are not the block's.
    virtual void looked_at(unsigned in_page, unsigned length) = 0;
};

// What is not where it is from block to block, at some place of the block.
struct Residence {
    bool vectors = false;    // are known to be in the host's registers
    bool lent = false;    // general registers are on loan, see loop.cpp
    bool uppers_told = false;    // HostCodeSlots::uppers_used was set, for what is still to come too
};

// Accesses of a block at [base + index * scale + disp], with the same registers, that are near each other and are checked at
// once, before the first of them: spans.cpp. Offsets are counted from what the base was when the span began.
struct Span {
    u8 base, index, scale;    // registers by number
    bool writes;
    bool open = true;    // the registers are still what they were
    bool sealed = false;    // a branch is behind it: the rest may not happen
    u16 first, last;    // instruction
    i32 base_there;    // what had been added to the base by then
    i32 low, high;    // bytes [low, high)
    u8 slot = 0;
    u8 members = 1;
    bool kept = false;    // the slot has the host's address
    u8 aligned = 0;    // what was found at `aligned_at` is a multiple of this
    i32 aligned_at = 0;
    u16 page_window = 0;    // that stands at its page, see access_at_page(); 0: none
    unsigned size() const { return unsigned(high - low); }
};

// Accesses of a loop at [base + index * scale + disp] that move by `step` bytes in each round: strips.cpp. Offsets are
// counted from what base + index * scale is when a round begins.
struct Stream {
    u8 base, index, scale;    // registers by number
    bool base_moves, index_moves;
    bool writes;
    i32 step;
    i32 low, high;    // bytes [low, high)
    u8 alignment = 0;    // 0: any will do
    u8 reg = 0xff;    // host's, with what is to be added; 0xff: its slot in Cpu
};

// Where a jump within a page leads to that has no target, at most so many bytes: leaves, in the writable mapping, with RIP so far
// into the page and the link's number.
constexpr u64 most_link_stub = 32;
void write_link_stub(Assembler& a, unsigned address_size, unsigned in_page, u32 link, const u8* leave);

class BlockTranslator {
public:
    BlockTranslator(const Block& block, const Thunks& thunks, CodeCache& cache, BlockSurroundings& around);

    // Most bytes that a block's code may take in either part of the cache.
    static constexpr u64 most_code = 64 << 10;
    struct Result {
        u8 *entry, *end;    // in the writable mapping
        u8* miss;    // leaves with RIP at the block's start
        u8* link;    // where others of its page may jump to
        u8 *cold, *cold_end;    // what is out of line
    };
    Result translate();
    // Where each instruction's code begins, counted from the entry.
    const std::vector<u32>& starts() const { return starts_; }
    struct Jump {
        u8* displacement;
        unsigned in_page;
    };
    // To other blocks of the page.
    const std::vector<Jump>& jumps() const { return jumps_; }

    // Lowerings, by file: integer.cpp
    void emit_alu(const Insn& i);
    void emit_unary(const Insn& i);
    void emit_shift(const Insn& i);
    void emit_double_shift(const Insn& i);
    void emit_mov(const Insn& i);
    void emit_lea(const Insn& i);
    void emit_extend(const Insn& i);
    void emit_to_register(const Insn& i);
    void emit_add_with_flag(const Insn& i);
    void emit_crc32(const Insn& i);
    void emit_movbe(const Insn& i);
    void emit_imul3(const Insn& i);
    void emit_multiply(const Insn& i);
    void emit_divide(const Insn& i);
    void emit_signed_divide(const Insn& i);
    void emit_no_operands(const Insn& i);
    void emit_xchg(const Insn& i);
    void emit_bswap(const Insn& i);
    void emit_setcc(const Insn& i);
    void emit_bit_test(const Insn& i);
    void emit_bit_string(const Insn& i);
    void emit_from_segment(const Insn& i);
    void emit_exchange_add(const Insn& i);
    void emit_nothing(const Insn& i);
    void emit_sse(const Insn& i);    // sse.cpp
    void emit_load_mxcsr(const Insn& i);
    void emit_store_mxcsr(const Insn& i);
    void emit_vex(const Insn& i);    // vex.cpp
    void emit_x87(const Insn& i);    // x87.cpp
    void emit_mmx(const Insn& i);    // mmx.cpp
    void emit_repeated(const Insn& i);    // strings.cpp
    // system.cpp
    void emit_system_flag(const Insn& i);
    void emit_sti(const Insn& i);
    void emit_access_check(const Insn& i);
    void emit_swapgs(const Insn& i);
    void emit_fence(const Insn& i);
    void emit_pushf(const Insn& i);
    void emit_compare_exchange_double(const Insn& i);
    // branches.cpp
    void emit_push(const Insn& i);
    void emit_pop(const Insn& i);
    void emit_leave(const Insn& i);
    void emit_jcc(const Insn& i);
    void emit_jmp(const Insn& i);
    void emit_call(const Insn& i);
    void emit_counted_branch(const Insn& i);
    void emit_jmp_indirect(const Insn& i);
    void emit_call_indirect(const Insn& i);
    void emit_ret(const Insn& i);

private:
    static constexpr u8 none = 0xff;
    // Code that begins with one of the host's caches is fetched the quicker.
    static constexpr unsigned line_of_code = 64;
    struct Planned;
    struct Member {    // of a span
        u8 span = none;
        i32 offset = 0;    // of the access, as Span counts
    };

    // Guest registers. `offset` is Insn::dst or src.
    bool pinned(u8 offset) const { return host_[offset >> 3] != none; }
    Rm guest(u8 offset) const;
    // The register itself, or scratch_b with its value.
    u8 in_register(u8 offset, unsigned size);
    void byte_to_spill();
    u8 low_of_high(u8 offset);    // AH, CH, DH or BH in scratch_b, where REX is possible
    // A host register for the destination; `reads`: it holds the old value. The second half writes it back.
    u8 begin_destination(u8 offset, unsigned size, bool reads);
    void end_destination(u8 offset, unsigned size);
    template <class Emit> void destination_rm(u8 offset, unsigned size, bool reads, Emit emit);

    // memory.cpp. Guest address → scratch_a → host address in scratch_a; scratch_b is free afterwards.
    void address(const Insn& i);
    void effective_address(u8 base, u8 index, u8 scale, i32 disp, u8 to, unsigned size);
    void access_linear(const Insn& i, unsigned size, Access access);
    void lookup(Access access, unsigned size);
    void look_in_window(std::size_t window, unsigned size);
    void compare_with_window(std::size_t window, unsigned size);
    void access_window(const Insn& i, unsigned size, Access access, std::size_t window, WindowUse use);
    void access(const Insn& i);    // the memory operand, which is operand_ then
    std::size_t window_here(const Insn& i, Access access, WindowUse use);
    WindowUse window_use(unsigned n) const;
    unsigned page_window_of(const Insn& i, const MemoryUse& use);
    u8* look_at_page(unsigned number, i32 page);
    void access_at_page(const Insn& i, unsigned number);
    void move_page_window(unsigned number, Access access, const u8* back);
    void add_segment_base(const Insn& i);
    void require_alignment(const Insn& i, unsigned alignment);
    void require_alignment(const Insn& i, unsigned alignment, Member member);
    // Likewise the stack's top, or with RBP the frame's; the operand is good while the register stays what it is.
    void access_top(const Insn& i, u8 base, i32 disp, unsigned size, Access access);
    bool keeps_base(const Insn& i) const;
    void access_by_base(const Insn& i, u8 base, i32 disp, unsigned size, Access access, std::size_t window, WindowUse use);
    void emit_slow_tops();

    // spans.cpp
    void plan_spans();
    void join_span(Member& member, const Span& alone);
    void settle_spans();
    void access_span(Member member);
    void check_span(Span& s);
    void release_held();
    void emit_span_stubs();

    // strips.cpp
    struct Moves {    // of general registers, a bit each
        u32 by_constants = 0, anyhow = 0;
        std::array<i64, x86::gpr_rip + 1> step{};    // the constants together
        bool constantly(u8 number) const { return !(anyhow >> number & 1); }
        bool any(u8 number) const { return (by_constants | anyhow) >> number & 1; }
    };
    unsigned back_edge() const;
    Moves moves_until(unsigned end) const;
    bool plan_streams();
    void join_stream(unsigned n, const Moves& m, const std::array<i64, x86::gpr_rip + 1>& added);
    void settle_streams();
    void lend_to_strips();
    void access_stream(const Insn& i, unsigned number);
    void emit_count_down(const u8* refill);
    void emit_addend(unsigned number);
    void emit_rounds(const Stream& s, bool first);
    std::vector<u8*> emit_refill();
    void align_strips();
    void emit_strips(const std::vector<Planned>& plan_without);

    // flags.cpp
    void save_flags(const FlagRecipe& recipe);
    void keep_operand(const FlagRecipe& recipe, unsigned operand);
    FlagRecipe keep_shifted(const Insn& i);
    void keep_flags(const FlagRecipe& recipe);    // likewise, for the rest of the block too
    void spoil_flags();    // before the host's flags are used for our own purposes
    void want_flags();    // the guest's are needed in the host's
    void want_carry();
    void want_packed();    // or in their slot, not as a recipe; the host's are spoiled
    void meet_recipe();
    void redo(const FlagRecipe& recipe);
    void flags_made() { in_host_ = true, in_memory_ = false, made_by_ = {}; }
    void before_flags_change(FlagUse use);
    FlagRecipe recipe_of(const Insn& i, u8 number) const;
    FlagRecipe located(FlagRecipe recipe) const;
    void forget_changed(const Insn& i);

    u8 xmm(u8 number);    // the host's vector register that holds the guest's, with all that holds them there
    void want_vectors();
    void return_loans();
    void leave(const Residence& here, bool in_round = true);    // for what a thunk does; come_back() from it
    void come_back(const Residence& here);
    void emit_vzero(bool all);
    void tell_uppers();
    // masked.cpp
    void emit_masked(const Insn& i);
    void emit_masked_at_rdi(const Insn& i);
    void emit_gather(const Insn& i);
    void load_index(const Insn& i, std::size_t at);
    void to_host_or_handler(const Insn& i, unsigned size, Access access);
    void handled_from(std::size_t first);
    void emit_vex_general(const Insn& i);
    void emit_mulx(const Insn& i);

    // strings.cpp
    void to_host_stretch(unsigned size, Access access);
    void left_to_handler(unsigned condition, const Insn& i)
    {
        handlers_.push_back({a_.jump_if(condition), &i, nullptr, {}, false});
    }

    // The flags that are not arithmetic, in their slot; the host's are spoiled.
    void or_flags(u64 flags);
    void clear_flags(u64 flags);
    void test_flags(u64 flags);

    void want_x87();    // the host's holds the guest's
    void emit_load_control(const Insn& i);

    // Where the run goes on.
    u8* leave_by(By by) { return by == By::call ? a_.call() : a_.jump(); }
    void go_to(u64 in_page, By by = By::jump);
    void go_by_address(const Insn* unless = nullptr, unsigned popped = 0, By by = By::jump);
    void go_far(u64 in_page, By by);
    struct FarStub;
    void go_by_slot(FarStub& far, i64 slot);
    void emit_far_stubs();
    void follow(unsigned in_page, By by = By::jump);
    void load_target(const Insn& i);
    void compare_canonical();
    void emit_unknown_stubs();
    void begin_call();
    void end_call(const Insn& i, bool within_page);
    void call_from_stub(const u8* return_site);
    void come_back_to_page(bool within_page);
    void emit_return_stubs();
    void rip_plus(u8 to, u64 displacement);
    void push_return(const Insn& i);
    void call_handler(const Insn& i);
    void end_with_handler(const Insn& i);
    void emit_stubs();
    u8* emit_request_check();
    void emit_asked(u8* asked, const u8* back);
    void emit_body();
    // loop.cpp
    bool loops() const;
    void emit_loop();
    void begin_round();
    u16 registers_used() const;
    void lend_registers();
    void move_lent(bool to_borrowers, bool in_round);

    // Flags that may be read before they are given a new value, and those that host code does read somewhere.
    struct FlagsAhead {
        FlagMask live = 0, read = 0;
        void join(FlagsAhead other, FlagMask killed)
        {
            live |= other.live & ~killed;
            read |= other.read & ~killed;
        }
    };
    void plan();
    FlagsAhead flags_ahead(u64 in_page);
    FlagsAhead flags_ahead(u64 in_page, unsigned& left);
    // One vCPU alone needs no LOCK: nothing else makes a read and a write one.
    bool locks(const Insn& i) const { return i.lock() && shared_; }
    // Of HostCodeState::context: the kernel's code is on global pages, mostly.
    unsigned likely_half() const { return block_.mode & x86::mode_unprivileged ? 0 : 1; }
    bool based(const Insn& i) const { return in_64() && i.segment >= x86::fs; }
    bool in_64() const { return (block_.mode & x86::mode_size_mask) == x86::mode_64; }
    unsigned address_size() const { return in_64() ? 8 : 4; }
    const u8* relative(const u8* executable) const { return cache_.writable(executable); }

    const Block& block_;
    const Thunks& thunks_;
    CodeCache& cache_;
    BlockSurroundings& around_;
    Assembler a_;
    u8* entry_;
    u8 *cold_, *hot_end_ = nullptr;
    const bool shared_;
    const Lowering* lowering_ = nullptr;    // of the instruction being emitted
    FlagMask live_before_ = 0, live_after_ = 0, read_before_ = 0;
    bool in_host_ = false, in_memory_ = true;
    enum class FlagSlot : u8 { unknown, packed, recipe } slot_ = FlagSlot::unknown;    // what is in it if they are in memory
    FlagRecipe made_by_, kept_;    // of those in the host's, if their operands are still there; of those in the slot
    std::array<u8, x86::gpr_rip + 1> host_;    // of the guest's registers by number; none: its slot in Cpu
    std::vector<std::pair<u8, u8>> loans_;    // a register without one has that of another, which the loop doesn't need
    std::vector<u8> lenders_left_;
    // A register is lent to what stands so many bytes into Cpu; 0: to the countdown.
    std::vector<std::pair<u8, std::size_t>> strip_loans_;
    u8 count_register_ = none;
    Residence here_;
    u8* loop_head_ = nullptr;    // of a block that jumps to itself with its vectors in place
    bool x87_loaded_ = false;

    struct Planned {
        const Lowering* lowering;
        FlagUse use;
        MemoryUse memory;
        FlagsAhead after;
        FlagsAhead at_target{};    // of a conditional branch
        bool vectors = false;    // it or one of those behind it wants vector registers, before any calls a handler
        Member operand{}, top{};    // what is pushed to or popped from
        u8 stream = none;    // that the operand is looked up with, and where it is as Stream counts
        i32 in_stream = 0;
        u16 page_window = 0;    // that the operand, which goes by RIP, is looked for in; 0: it isn't
    };
    std::vector<Planned> plan_;
    std::vector<u32> starts_;
    std::vector<Span> spans_;
    std::vector<Stream> streams_;
    unsigned now_ = 0;    // the instruction being emitted
    Rm operand_;
    u8 held_ = none;    // the span whose host address is in scratch_a

    // Out of the way, behind the block.
    struct SlowAccess {
        u8* from;    // displacement of the jump there
        const u8* back;
        const Insn* insn;
        Access access;
        u8 log_size;
        std::size_t window;    // that it was not found in; 0: in none
        Residence here;
        u16 page_window = 0;    // likewise
        WindowUse window_use = WindowUse::access;
    };
    struct SlowTop {    // likewise, of an operand that is at [base + disp + scratch_a]
        u8* from;
        const u8* back;
        const Insn* insn;
        Access access;
        u8 log_size;
        u8 base;    // the host's
        i32 disp;
        Residence here;
        std::size_t window;
        WindowUse window_use;
    };
    struct SlowSpan {
        u8* from[2];
        const u8* back;
        const SpanCheck* check;
        std::size_t window;    // as above
        Residence here;
        const Span* span;
        WindowUse window_use = WindowUse::access;
    };
    struct HandlerStub {
        u8* from;
        const Insn* insn;
        const u8* back;    // null: the handler ends the block
        Residence here;
        bool x87_loaded;
    };
    struct FarStub {
        u64 in_page;
        u32 link;
        FarJump jump{};
        u8 *other_context = nullptr, *other_page = nullptr;
        const u8 *in_context = nullptr, *return_site = nullptr;    // the latter of calls
        unsigned slot_window = 0;    // 0: there is no slot
        u8 *slot_elsewhere = nullptr, *other_target = nullptr;
        const u8* at_slot = nullptr;
    };
    static Rm far_target(const FarStub& s, std::size_t offset);
    // Before a jump that is linked while others run the code.
    void align_link(unsigned opcode_bytes)
    {
        if (shared_)
            a_.align_jump(opcode_bytes);
    }
    struct UnknownTarget {
        u8* from;
        const Insn* insn;
        unsigned popped;
    };
    struct OtherReturn {    // not to where the last call came from
        u8* from;
        const Insn* insn;
        unsigned popped;
    };
    struct DeepCall {    // that finds no room on the host's stack
        u8* from;
        const u8* back;
    };
    struct CallLeft {    // that the table has no target for
        u8* from;
        const u8* to;    // a thunk
        const u8* return_site;
    };
    struct PageLeft {    // RIP's place has another
        u8* from;
        const u8* back;
    };
    struct X87Load {
        u8* from;
        const u8* back;
        Residence here;
    };
    struct RecipeMet {    // where packed flags are wanted
        u8* from;
        const u8* back;
    };
    struct VectorLoad {
        u8* from;
        const u8* back;
    };
    struct Exit {    // a branch out of the middle
        u8* from;
        u64 target;
        Residence here;
        bool wants_flags;    // in their slot
        FlagRecipe recipe;
    };
    struct WindowMiss {
        std::size_t window;
        WindowUse use;
        unsigned size;
        Access access;
        const u8* back;    // with the host's address in scratch_a
    };
    void emit_window_miss(const WindowMiss& m);
    std::vector<SlowAccess> slow_;
    std::vector<SlowTop> slow_tops_;
    std::vector<SlowSpan> slow_spans_;
    std::vector<Exit> exits_;
    std::vector<Jump> links_, jumps_;    // still to be linked, and linked
    std::vector<FarStub> far_;
    std::vector<HandlerStub> handlers_;
    std::vector<UnknownTarget> unknown_;
    std::vector<OtherReturn> other_returns_;
    std::vector<DeepCall> deep_calls_;
    std::vector<CallLeft> calls_left_;
    std::vector<PageLeft> pages_left_;
    std::vector<X87Load> x87_loads_;
    std::vector<VectorLoad> vector_loads_;
    std::vector<RecipeMet> recipes_met_;
};

}
