#include "engine/translator/x86_tier.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "engine/cpu/x86/rendezvous.h"
#include "engine/translator/code_store.h"
#include "engine/translator/sampler.h"

namespace engine::translator {

namespace {

constexpr u16 never = 0xffff;

// A vCPU's turn at the store, if it got it: the only one always has.
class Turn {
public:
    explicit Turn(StoreLock* lock) : lock_(lock) { }
    Turn(StoreLock* lock, u32& missed) : lock_(lock), has_(!lock || lock->try_for_a_while(missed)) { }
    ~Turn()
    {
        if (lock_ && has_)
            lock_->unlock();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    explicit operator bool() const { return has_; }
    // At a block edge. Whoever has it may be waiting for this vCPU to stand aside.
    void wait(x86::Rendezvous& others)
    {
        if (lock_ && !lock_->try_lock()) {
            others.leave();
            lock_->lock();
            others.enter();
        }
        has_ = true;
    }

private:
    StoreLock* const lock_;
    bool has_ = false;
};

class X86Tier final : public x86::HostCodeTier {
public:
    X86Tier(Cpu& c, std::shared_ptr<CodeStore> store)
        : hot_(store->options().hot),
          linked_(store->options().linked),
          cpu_(c),
          store_(std::move(store)),
          user_(store_->add_user(c)),
          sampler_(store_->code(), c.request)
    {
    }
    ~X86Tier() override { store_->remove_user(*user_); }
    X86Tier(const X86Tier&) = delete;
    X86Tier& operator=(const X86Tier&) = delete;

    // Others may drop the code meanwhile; it leads back here then.
    bool run(Cpu& c, Block& entered) override
    {
        c.block = nullptr;
        if (sampler_.any()) [[unlikely]]
            look_at_samples(c);
        Block* const translated = entered.code ? &entered : translated_if_worth(entered);
        const u8* const code = translated ? translated->code : nullptr;
        if (!code) {
            user_->pending_link = 0;
            return false;
        }
        Block& b = *translated;
        if (user_->pending_link && linked_)
            complete_link(b);
        begin_host_code(c);
        const u64 rip = c.gpr[x86::gpr_rip];
        const u64 generation = x86::generation_of(c, b);
        if (linked_ && generation)
            user_->targets[jump_table_index(rip)]
                = {rip, jump_context(generation, c.mode), code, b.straddles ? 0 : b.host - b.in_page};
        c.gpr[x86::gpr_rip] = rip - b.in_page;
        ++counts_.runs;
        sampler_.start();
        inside_ = true;
        user_->pending_link = store_->thunks().enter(biased(c), code);
        inside_ = false;
        if (user_->pending_link)
            ++counts_.unlinked;
        else if (c.request.pending())
            ++counts_.requests;
        left(c);
        return true;
    }

    TranslatorCounts counts() const override;
    std::optional<TranslatedBlock> translation_of(Cpu& c, u64 linear) override;

    void left(Cpu& c) override
    {
        if (std::exchange(inside_, false))
            ++counts_.faults;
        if (c.host_code.running)
            flags_to_interpreter(c);
        if (c.host_code.running || c.host_code.framed) {
            collect_mxcsr(c);
            set_host_mxcsr(host_mxcsr);
        }
        save_x87(c);
        c.host_code.running = false;
        c.host_code.framed = false;
        if (c.slots.apart)
            drop_spans(c);
    }

    void drop_stale(Cpu& c) override
    {
        std::optional<CodeStore::Leave> asked;
        {
            Turn turn(lock(c));
            turn.wait(*c.rendezvous);
            bool everything = false;
            const std::vector<u64> stale = c.rendezvous->take_stale(everything);
            if (everything)
                store_->drop_all(*user_);
            else
                for (const u64 page : stale)
                    store_->drop_page(*user_, page);
            store_->forget(*user_);
            asked = store_->region_to_leave(*user_);
        }
        if (asked)
            leave(c, *asked);
    }

    void clear(Cpu& c) override
    {
        Turn turn(lock(c));
        turn.wait(*c.rendezvous);
        store_->drop_all(*user_);
        store_->forget(*user_);
    }

private:
    // Flat code of 32 or 64 bits.
    static bool translatable(const Block& b)
    {
        using namespace x86;
        constexpr u32 flat_32 = mode_32 | mode_flat | mode_zero_base | mode_stack_32;
        const bool is_64 = (b.mode & mode_size_mask) == mode_64;
        return !(b.mode & mode_single) && (is_64 || (b.mode & flat_32) == flat_32);
    }

    // None while there is nobody else: the machine stands still when others look.
    StoreLock* lock(const Cpu& c) const { return c.rendezvous->alone() ? nullptr : &store_->lock(); }

    Block* translated_if_worth(Block& b)
    {
        if (b.heat == never)
            return nullptr;
        if (b.heat < never - 1)
            b.heat = u16(b.heat + 1);
        if (b.heat < hot_)
            return nullptr;
        if (!translatable(b)) {
            b.heat = never;
            return nullptr;
        }
        const Turn turn(lock(cpu_), missed_turn_);
        return turn ? store_->translated_if_worth(*user_, b) : nullptr;
    }

    void complete_link(Block& b)
    {
        if (const Turn turn(lock(cpu_), missed_turn_); turn)
            store_->complete_link(*user_, b);
    }

    void leave(Cpu& c, const CodeStore::Leave& asked)
    {
        store_->leave_region(*user_, asked.region);
        CodeStore::Region unused;
        Turn turn(lock(c));
        turn.wait(*c.rendezvous);
        unused = store_->has_left(*user_, asked.number);
    }

    // If others have the lock, after another run.
    void drop_spans(Cpu& c)
    {
        if (const Turn turn(lock(c), missed_turn_); turn)
            store_->drop_spans(*std::exchange(c.slots.apart, nullptr));
    }

    // Likewise.
    void look_at_samples(Cpu& c)
    {
        c.request.forget(x86::request_samples);
        if (const Turn turn(lock(cpu_), missed_turn_); turn)
            sampler_.were_useful(store_->look_at_samples(*user_, sampler_.take(), sampler_.weight()));
    }

    const unsigned hot_;
    const bool linked_;
    const Cpu& cpu_;
    struct {
        Counter runs, unlinked, requests, faults;
    } counts_;
    const std::shared_ptr<CodeStore> store_;
    const std::unique_ptr<CodeUser> user_;
    Sampler sampler_;
    bool inside_ = false;    // host code
    u32 missed_turn_ = 0;
};

TranslatorCounts X86Tier::counts() const
{
    const u64 runs = counts_.runs.value(), told = counts_.unlinked.value() + counts_.requests.value() + counts_.faults.value();
    const auto& of_user = user_->counts;
    return {
        .blocks = of_user.blocks.value(),
        .guest_bytes = of_user.guest_bytes.value(),
        .host_bytes = of_user.host_bytes.value(),
        .nanoseconds = of_user.nanoseconds.value(),
        .runs = runs,
        .unlinked = counts_.unlinked.value(),
        .requests = counts_.requests.value(),
        .faults = counts_.faults.value(),
        .others = runs - std::min(runs, told),
        .tlb_fills = cpu_.tlb_fills.value(),
        .pages_dropped = of_user.pages_dropped.value(),
        .regions_emptied = of_user.regions_emptied.value(),
        .drops_of_all = of_user.drops_of_all.value(),
    };
}

// With the machine standing still.
std::optional<TranslatedBlock> X86Tier::translation_of(Cpu& c, u64 linear)
{
    const std::lock_guard lock(store_->lock());
    c.rendezvous->enter();
    auto told = store_->translation_of(*user_, linear);
    c.rendezvous->leave();
    return told;
}

}

std::shared_ptr<CodeStore> make_code_store(const X86TierOptions& options)
{
    return CodeStore::create(options);
}

std::unique_ptr<x86::HostCodeTier> make_x86_tier(Cpu& c, std::shared_ptr<CodeStore> store)
{
    return store ? std::make_unique<X86Tier>(c, std::move(store)) : nullptr;
}

std::unique_ptr<x86::HostCodeTier> make_x86_tier(Cpu& c, const X86TierOptions& options)
{
    return make_x86_tier(c, make_code_store(options));
}

}
