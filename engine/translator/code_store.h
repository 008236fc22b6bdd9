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
// Memory is used again only after everything was dropped and every vCPU has since been at a block edge of the run loop, where it
// has forgotten all about it: until then it may be in the middle of old code or of an old block's instructions.

#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/base/counter.h"
#include "engine/cpu/x86/kept_blocks.h"
#include "engine/translator/frontend/x86/block_translator.h"
#include "engine/translator/busy_blocks.h"
#include "engine/translator/site_windows.h"
#include "engine/translator/x86_tier.h"

namespace engine::translator {

// Taken by turns of some microseconds each.
class StoreLock {
public:
    void lock()
    {
        mutex_.lock();
        begin_turn();
    }
    bool try_lock()
    {
        if (!mutex_.try_lock())
            return false;
        begin_turn();
        return true;
    }
    // Looks again until most turns would be over. `missed`: the turn that it was in vain for last; its owner has no processor,
    // perhaps, and is not waited for twice.
    bool try_for_a_while(u32& missed);
    void unlock() { mutex_.unlock(); }

private:
    void begin_turn() { turn_.store(turn_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }

    std::mutex mutex_;
    std::atomic<u32> turn_ = 0;
};

// What one vCPU knows of the code. Its own but for `must_forget`, and for `far` while the lock is held.
struct CodeUser {
    CodeUser(Cpu& c, u64 most_far_targets);

    Cpu& cpu;
    std::vector<JumpTarget> targets;
    ZeroedArray<FarTarget> far;    // by half of a link's number
    u64 pending_link = 0;    // number of the link that host code was last left by; 0: none
    bool must_forget = false;
    struct {
        Counter blocks, guest_bytes, host_bytes, nanoseconds, pages_dropped, drops_of_all;
    } counts;
};

class CodeStore final : private BlockSurroundings {
public:
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

    // What follows wants the lock held.

    // The block with code that `b`, which stands at RIP, is from here on; null: none yet.
    Block* translated_if_worth(CodeUser& user, Block& b);
    // The link that host code was left by leads to `b`, which stands at RIP.
    void complete_link(CodeUser& user, Block& b);
    // It is translated again when it is next entered.
    void drop_spans(Block& b);
    // Where the user's thread was found in host code: programs' blocks are translated again, with windows, and those of them
    // whose windows don't pay without. Whether there were any.
    bool look_at_samples(CodeUser& user, std::span<const u64> addresses);
    void drop_page(CodeUser& user, u64 page);
    // Everything is dropped; the other vCPUs are asked to forget it, and the user is to do so at its next block edge.
    void drop_all(CodeUser& user);
    // At a block edge of the run loop: the user has no pointer to code or blocks of before, if it was asked for that.
    void forget(CodeUser& user);
    std::optional<TranslatedBlock> translation_of(CodeUser& user, u64 linear);

private:
    CodeStore(std::unique_ptr<CodeCache> cache, const X86TierOptions& options);

    struct Translated {
        Block* block;
        u32 entry, miss, link;    // counted from the start of the code
        bool lacks_windows;    // that it would have if it were busy
    };
    struct FarUse {    // of a page's code by a jump on another one
        CodeUser* user;
        u32 far;
    };
    struct Page {
        std::vector<Translated> blocks;
        std::vector<u32> jumps;    // within it: displacements, counted from the start of the code
        std::vector<FarUse> far_uses;
        u32 number = 0;
        unsigned rewrites = 0;
    };
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
        u32 displacement = 0, context = 0, page = 0;    // FarJump's, counted from the start of the code; 0: not there
        u64 host = 0;    // address that it leads to
    };
    static constexpr u64 far_bit = 1;

    static u64 page_of(const Block& b) { return b.host - b.in_page; }
    Page& page_at(u64 host);
    bool has_room();
    bool reached_heat(const Block& b);
    void translate(CodeUser& user, Block& b, const Insn* insns);
    struct Emitted : BlockTranslator::Result {
        std::vector<u32> starts;    // BlockTranslator's
        std::vector<u8*> jumps;
    };
    Emitted emit(CodeUser& user, Block& b, const Insn* insns);
    void lead_on(const Page& page, const Translated& to);
    void translate_again(Block& b);
    bool lacks_windows(const Block& b);
    void tell_perf_map(const CodeUser& user, const BlockTranslator::Result& result);
    Block* covering(Cpu& c, u64 linear);
    void complete_far_link(CodeUser& user, Block& b, u32 number);
    static bool may_lead_to(LinkToPage& link, const Block& b);
    void set_displacement(u32 at, const u8* code);
    void set_far_page(CodeUser& user, u32 number, u64 page);
    void set_far_context(CodeUser& user, u32 number, u64 context);
    void redirect(const Translated& t, u32 to);
    void reuse();

    const Insn* alone(const Insn& i) override;
    const Insn* rest(const Insn& i) override;
    u32 site(const Insn& i) override { return kept_->site(*block_, unsigned(&i - insns_)); }
    u32 link(u8* displacement, unsigned in_page) override;
    u32 link_far(u64 in_page) override;
    void place_far(u32 link, const FarJump& jump) override;
    const u8* code_at(unsigned in_page) override;
    const u8* link_to(u64 host, u32 mode);
    const SpanCheck* span_check(const Insn& i, unsigned size, Access access) override;
    unsigned window(unsigned n, Access access, bool in_loop) override;
    unsigned page_window(i64 distance, Access access) override;
    bool is_busy() override { return options_.busy_at_once || busy_.is_busy(*block_); }
    bool shares_memory() override;
    void looked_at(unsigned in_page, unsigned length) override;

    // Only its handler is read of the mark behind the instruction.
    struct AloneInsn {
        Insn insn;
        x86::Handler stop;
    };

    const X86TierOptions options_;
    std::unique_ptr<CodeCache> cache_;
    const Thunks thunks_;
    const std::shared_ptr<x86::KeptBlocks> kept_;
    const u64 most_far_targets_;
    StoreLock lock_;
    std::vector<CodeUser*> users_;
    std::size_t still_to_forget_ = 0;    // users; nothing is translated before all have
    std::unordered_map<u64, Page> pages_;
    u32 last_page_number_ = 0;
    std::deque<Link> links_;
    std::deque<LinkToPage> far_links_;
    std::deque<AloneInsn> alone_;
    std::vector<std::unique_ptr<Insn[]>> rests_;
    std::deque<SpanCheck> span_checks_;
    BusyBlocks busy_;
    SiteWindows windows_;
    // While translating.
    bool lacks_windows_ = false;
    Cpu* cpu_ = nullptr;
    Block* block_ = nullptr;
    const Insn* insns_ = nullptr;
};

}
