#pragma once
// The translated code of a machine: one cache, one table of blocks by page, one set of links within pages, for all its vCPUs.
//
// What hangs on a vCPU's soft TLB is the vCPU's own, in its CodeUser: where jumps by address and direct jumps to other pages
// lead. So code itself names no address space and no vCPU.
//
// One vCPU at a time translates, links or drops, with the lock held, while the others run on. They never wait for the lock in
// the middle of a run: whoever finds it taken leaves the block to the interpreter this time. What is written over code that
// may be running is one aligned store each: the displacement of a jump that is linked, and a jump over the first eight bytes of
// a block, whose first instruction is no shorter than the jump.
//
// The memory is filled region by region, blocks and what is kept of them in the same one. When the last free region is begun,
// an old one that little time is spent in is emptied beside the work, a page at a time: its blocks lose their code, and jumps
// into it are led elsewhere or to a stub. What is entered again soon is translated into the new region at once; then the rest of
// its blocks is given up. Its memory is used again only after every vCPU has since been at a block edge of the run loop, where it
// has forgotten all about it: until then it may be in the middle of old code or of an old block's instructions. So it is when
// everything is dropped, too.

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/base/counter.h"
#include "engine/cpu/x86/kept_blocks.h"
#include "engine/translator/frontend/x86/block_translator.h"
#include "engine/translator/busy_blocks.h"
#include "engine/translator/site_windows.h"
#include "engine/translator/store_lock.h"
#include "engine/translator/x86_tier.h"

namespace engine::translator {

// What one vCPU knows of the code. Its own but for `must_forget`, `must_leave` and `far`, which want the lock.
struct CodeUser {
    CodeUser(Cpu& c, u64 most_far_targets);

    Cpu& cpu;
    std::vector<JumpTarget> targets;
    ZeroedArray<FarTarget> far;    // by half of a link's number
    u64 pending_link = 0;    // number of the link that host code was last left by; 0: none
    bool must_forget = false;    // everything
    u32 must_leave = 0;    // a region: the number of the request, 0: none
    struct {
        Counter blocks, guest_bytes, host_bytes, nanoseconds, pages_dropped, regions_emptied, drops_of_all;
    } counts;
};

class CodeStore final : private BlockSurroundings {
    // Of jumps that are not linked or may have to be linked anew; there are several for each block. Numbers to leave with tell
    // the two apart by their lowest bit; 0 is none.
    struct Link {
        u64 host;    // address that it leads to
        u32 displacement;    // counted from the start of the code
        u32 mode;
    };
    struct LinkToPage {
        i64 in_page;
        u32 mode;
        i64 slot;
        u32 displacement = 0, context = 0, page = 0, target = 0;    // FarJump's, counted from the start of the code; 0: not there
        u64 host = 0;    // address that it leads to
    };
    // Only its handler is read of the mark behind the instruction.
    struct AloneInsn {
        Insn insn;
        x86::Handler stop;
    };

public:
    // What goes with a region of the code.
    struct Region {
        std::deque<Link> links;
        std::deque<LinkToPage> far_links;
        std::deque<AloneInsn> alone;
        std::vector<std::unique_ptr<Insn[]>> rests;
        std::deque<SpanCheck> span_checks;
        std::vector<u64> pages;    // by host address, that have code or stubs in it
        u64 samples = 0;    // that were taken there, the older the less they count
    };

    // Null where no memory for code is to be had.
    static std::shared_ptr<CodeStore> create(const X86TierOptions& options);

    const X86TierOptions& options() const { return options_; }
    const Thunks& thunks() const { return thunks_; }
    std::span<const u8> code() const { return {cache_->executable(cache_->at(0)), cache_->size()}; }
    const std::shared_ptr<x86::KeptBlocks>& kept() const { return kept_; }
    StoreLock& lock() { return lock_; }

    // Before the machine runs, and when none of its vCPUs does any more. They take the lock themselves.
    std::unique_ptr<CodeUser> add_user(Cpu& c);
    void remove_user(CodeUser& user);
    // At a block edge of the run loop, without the lock, which it would hold too long: the user has no pointer to what is in
    // the region.
    void leave_region(CodeUser& user, unsigned region);

    // What follows wants the lock held.

    // The block with code that `b`, which stands at RIP, is from here on; null: none yet.
    Block* translated_if_worth(CodeUser& user, Block& b);
    // The link that host code was left by leads to `b`, which stands at RIP.
    void complete_link(CodeUser& user, Block& b);
    // It is translated again when it is next entered.
    void drop_spans(Block& b);
    // Where the user's thread was found in host code: programs' blocks are translated again, with windows, and those of them
    // whose windows don't pay without. Whether there were any.
    bool look_at_samples(CodeUser& user, std::span<const u64> addresses, unsigned weight);
    void drop_page(CodeUser& user, u64 page);
    // Everything is dropped; the other vCPUs are asked to forget it, and the user is to do so at its next block edge.
    void drop_all(CodeUser& user);
    // At a block edge of the run loop: the user has no pointer to code or blocks of before, if it was asked for that.
    void forget(CodeUser& user);
    struct Leave {
        unsigned region;
        u32 number;    // of the request
    };
    // That the user is asked for.
    std::optional<Leave> region_to_leave(const CodeUser& user) const;
    // It has left the region. What nobody needs any more, for the caller to destroy when it has the lock no longer.
    Region has_left(CodeUser& user, u32 number);
    std::optional<TranslatedBlock> translation_of(CodeUser& user, u64 linear);

private:
    CodeStore(std::unique_ptr<CodeCache> cache, const X86TierOptions& options);

    struct Translated {
        Block* block;
        u32 entry, miss, link;    // counted from the start of the code
        bool gains_when_busy;
    };
    struct FarUse {    // of a page's code by a jump on another one
        CodeUser* user;
        u32 far;
    };
    struct Jump {    // within a page
        u32 displacement;    // counted from the start of the code
        u16 in_page, mode;    // of where it leads
    };
    static constexpr unsigned no_region = ~0u;
    struct Page {
        std::vector<Translated> blocks;
        std::vector<Jump> jumps;
        std::vector<FarUse> far_uses;
        std::size_t many_far_uses = 64;    // when those that are no longer are looked for
        u32 number = 0;
        unsigned rewrites = 0;
        unsigned region = no_region;    // the last one that knows of it
    };
    static constexpr u64 far_bit = 1;
    static constexpr u8 redirect_opcode = 0xe9;
    static constexpr unsigned region_bits = 8;    // of a link's number

    static u64 page_of(const Block& b) { return b.host - b.in_page; }
    static unsigned bits_of(const Block& b) { return (b.mode & x86::mode_size_mask) == x86::mode_64 ? 64 : 32; }
    Page& page_at(u64 host);
    Region& filled() { return regions_[filled_]; }
    Link* find_link(u32 number);
    LinkToPage* find_far_link(u32 number);
    bool is_emptied(u32 offset) const { return emptied_ && cache_->region_of(offset) == *emptied_; }
    bool has_room();
    bool reached_heat(const Block& b);
    Block* keep(CodeUser& user, Block& b, const Block*& before);
    void translate(CodeUser& user, Block& b, const Insn* insns, const Block* before);
    struct Emitted : BlockTranslator::Result {
        std::vector<u32> starts;    // BlockTranslator's
        std::vector<BlockTranslator::Jump> jumps;
    };
    Emitted emit(CodeUser& user, Block& b, const Insn* insns);
    void lead_on(const Page& page, const Translated& to, const Block* before);
    void translate_again(Block& b);
    bool gains_when_busy(const Block& b);
    void tell_perf_map(const CodeUser& user, const BlockTranslator::Result& result);
    Block* covering(Cpu& c, u64 linear);
    void complete_far_link(CodeUser& user, Block& b, u32 number);
    static bool may_lead_to(LinkToPage& link, const Block& b);
    void set_displacement(u32 at, const u8* code);
    void set_far_page(CodeUser& user, u32 number, u64 page);
    void set_far_context(CodeUser& user, u32 number, u64 context);
    struct Destination {
        u64 rip, host;    // address
        const u8* code;    // null: it has none
    };
    Destination destination_of(CodeUser& user, const LinkToPage& link, const Block& b, u64 generation);
    void used_by(Page& page, CodeUser& user, u32 number, u32& known);
    void redirect(const Translated& t, u32 to);
    static bool is_current(const FarUse& use, const Page& page)
    {
        const FarTarget& target = use.user->far[use.far];
        return target.target_page == page.number || target.way_page == page.number;
    }
    void unlink_far(const FarUse& use);
    void forget_old_far_uses(Page& page);
    void drop_code(Page& page);
    void reuse();

    // code_store_regions.cpp
    bool make_room(CodeUser& user);
    bool begin_region(CodeUser& user);
    unsigned choose_emptied();
    bool empty_some(CodeUser& user);
    void ask_to_leave(CodeUser& user);
    void empty_page(u64 host);
    bool has_emptied(const Page& page) const;
    bool leads_into_emptied(u32 displacement);
    bool is_redirected_into_emptied(const Translated& t);
    void lead_jumps_elsewhere(u64 host, Page& page);
    void lead_elsewhere(u64 host, Page& page, const Jump& jump);
    void knows_of(u64 host, Page& page);

    const Insn* alone(const Insn& i) override;
    const Insn* rest(const Insn& i) override;
    u32 site(const Insn& i) override { return kept_->site(*block_, unsigned(&i - insns_)); }
    u32 link(u8* displacement, unsigned in_page) override;
    u32 link_far(u64 in_page, i64 slot) override;
    i64 slot_of_jump_at(u64 in_page) override;
    void place_far(u32 link, const FarJump& jump) override;
    const u8* code_at(unsigned in_page) override;
    const u8* link_to(u64 host, u32 mode);
    u32 link_to_place(u8* displacement, u64 host, u32 mode);
    const SpanCheck* span_check(const Insn& i, unsigned size, Access access) override;
    unsigned window(unsigned n, Access access, WindowUse use) override;
    unsigned thread_window(Access access) override { return block_->mode & x86::mode_user ? SiteWindows::of_thread(access) : 0; }
    bool has_page_windows() const { return options_.busy_at_once || block_->mode & x86::mode_user; }
    unsigned page_window(i64 distance, Access access) override;
    u64 page_now() override { return cpu_->gpr[x86::gpr_rip] - block_->in_page; }
    bool is_busy() override { return options_.busy_at_once || computes_ || busy_.is_busy(*block_); }
    void would_gain() override { gains_when_busy_ = true; }
    bool shares_memory() override;
    void looked_at(unsigned in_page, unsigned length) override;

    const X86TierOptions options_;
    std::unique_ptr<CodeCache> cache_;
    const Thunks thunks_;
    const std::shared_ptr<x86::KeptBlocks> kept_;
    const u32 far_of_region_;    // so many numbers of jumps to other pages
    StoreLock lock_;
    std::vector<CodeUser*> users_;
    std::size_t still_to_forget_ = 0;    // users; nothing is translated before all have
    std::unordered_map<u64, Page> pages_;
    u32 last_page_number_ = 0;
    std::vector<Region> regions_;
    unsigned filled_ = 0;
    std::deque<unsigned> free_;
    std::vector<unsigned> full_;    // the oldest first
    std::optional<unsigned> emptied_;
    std::size_t still_to_leave_ = 0;    // users, the emptied one; 0: they have not been asked yet
    u32 last_leave_ = 0;
    unsigned steps_ = 0;
    BusyBlocks busy_;
    SiteWindows windows_;
    // While translating.
    bool computes_ = false;    // with floating-point numbers: mostly in loops, and with what lies together
    bool gains_when_busy_ = false;
    Cpu* cpu_ = nullptr;
    Block* block_ = nullptr;
    const Insn* insns_ = nullptr;
};

}
