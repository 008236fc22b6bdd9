#include "engine/translator/lockstep_tier.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <cstring>
#include <sstream>
#include <utility>
#include <vector>

#include "engine/base/text.h"
#include "engine/cpu/x86/cpu.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/write_journal.h"
#include "engine/translator/frontend/x86/lowering.h"

namespace engine::translator {

namespace {

using x86::Block;
using x86::Cpu;
using x86::CpuState;
using x86::Insn;

// What a run came to.
struct Outcome {
    CpuState state;
    bool trap_shadow = false;
    bool uppers_used = true, uppers_stored = true, zmm_used = true, zmm_stored = true;
    u32 pending_debug = 0;
    int delivering = -1;
    bool faulted = false;
    Cpu::Fault fault{};
};

// A retry of one instruction is the host code's own affair: the run ended before that instruction.
bool real_fault(const Outcome& o)
{
    return o.faulted && o.fault.kind == Cpu::Fault::Kind::fault;
}

// Whether all from one place to another is the same. False may be a matter of padding.
bool same_bytes(const CpuState& a, const CpuState& b, std::size_t from, std::size_t to)
{
    const auto bytes = [](const CpuState& s) { return reinterpret_cast<const u8*>(&s); };
    return std::memcmp(bytes(a) + from, bytes(b) + from, to - from) == 0;
}

// Whether two states have nothing but general registers, arithmetic flags, CR2 and the FPU's state apart, and of that nothing
// from which other things follow.
bool same_but_registers(const CpuState& a, const CpuState& b)
{
    constexpr u32 mxcsr_masks = 0x1f80;
    if (a.fpu.control != b.fpu.control || (a.fpu.mxcsr ^ b.fpu.mxcsr) & mxcsr_masks
        || (a.rflags ^ b.rflags) & ~x86::flags_arithmetic)
        return false;
    constexpr std::size_t segments = offsetof(CpuState, segments), fpu = offsetof(CpuState, fpu), after_fpu = fpu + sizeof(a.fpu);
    static_assert(offsetof(CpuState, gpr) == 0 && offsetof(CpuState, rip) == sizeof(a.gpr));
    static_assert(segments == offsetof(CpuState, rflags) + sizeof(a.rflags));
    constexpr std::size_t cr2 = offsetof(CpuState, cr2);
    return same_bytes(a, b, segments, cr2) && same_bytes(a, b, cr2 + sizeof(a.cr2), fpu)
        && same_bytes(a, b, after_fpu, sizeof(CpuState));
}

// But for arithmetic flags and the x87's last instruction and data.
bool same_state(const CpuState& a, const CpuState& b)
{
    constexpr std::size_t rflags = offsetof(CpuState, rflags), after_rflags = rflags + sizeof(a.rflags);
    if ((a.rflags ^ b.rflags) & ~x86::flags_arithmetic)
        return false;
    if (same_bytes(a, b, 0, rflags) && same_bytes(a, b, after_rflags, sizeof(CpuState)))
        return true;
    CpuState x = a;
    x.rflags = b.rflags;
    x.fpu.instruction_pointer = b.fpu.instruction_pointer;
    x.fpu.data_pointer = b.fpu.data_pointer;
    x.fpu.instruction_selector = b.fpu.instruction_selector;
    x.fpu.data_selector = b.fpu.data_selector;
    x.fpu.opcode = b.fpu.opcode;
    return x == b;
}

// Asks outside for something that it won't be told a second time, or changes what the run itself stands on.
bool unrepeatable(const Insn& i)
{
    using namespace x86;
    static constexpr const Forms* list[]{&in_forms,        &out_forms,    &ins_forms,       &outs_forms,        &rdtsc_forms,
                                         &rdtscp_forms,    &rdpmc_forms,  &rdmsr_forms,     &wrmsr_forms,       &rdrand_forms,
                                         &hlt_forms,       &rsm_forms,    &mov_to_cr_forms, &mov_from_cr_forms, &lmsw_forms,
                                         &mov_to_dr_forms, &invpcid_forms};
    return std::ranges::find(list, i.row->forms) != std::end(list);
}

// Only its handler is read of what stands behind an instruction.
void stop_behind(Cpu& c, const Insn* behind)
{
    c.current = behind;
}

// An instruction to be interpreted on its own; the processor's `current` then says whether it went on to the next.
struct Step {
    Insn insn;
    x86::Handler stop = &stop_behind;
    FlagUse use;
    bool unrepeatable = false;

    const Insn* behind() const { return &insn + 1; }
};
static_assert(offsetof(Step, stop) == sizeof(Insn));

FlagUse flag_use_of(const Insn& i, u32 mode)
{
    return flag_use(i, lowering_of(i, mode));
}

// A block that may be gone when it is asked about, and its instructions.
class BlockCopy {
public:
    void take(const Block& b)
    {
        const bool decoded = !copy_.empty() && block().host == b.host && block().mode == b.mode && block().length == b.length
            && std::memcmp(block().bytes(), b.bytes(), b.length) == 0;
        copy_.resize(x86::size_without_insns(b.length, b.straddles));
        std::construct_at(&block(), b);
        std::memcpy(&copy_[sizeof b], b.bytes(), copy_.size() - sizeof b);
        if (!decoded)
            decode();
    }
    const Block& block() const { return *reinterpret_cast<const Block*>(copy_.data()); }
    Block& block() { return *reinterpret_cast<Block*>(copy_.data()); }
    std::span<const Step> steps() const { return steps_; }
    bool any_unrepeatable() const { return any_unrepeatable_; }
    // Null: none begins there.
    const Step* at(u64 in_page) const
    {
        const auto found = std::ranges::find(steps_, in_page, [](const Step& s) { return s.insn.offset; });
        return found == steps_.end() ? nullptr : &*found;
    }
    const Step* after(const Step* s) const { return s == &steps_.back() ? nullptr : s + 1; }

private:
    void decode()
    {
        const auto insns = std::make_unique<x86::DecodedBlock>();
        x86::decode_again(block(), *insns);
        steps_.clear();
        for (const Insn& i : std::span(*insns).first(block().count))
            steps_.push_back({.insn = i, .use = flag_use_of(i, block().mode), .unrepeatable = unrepeatable(i)});
        any_unrepeatable_ = std::ranges::any_of(steps_, &Step::unrepeatable);
    }

    std::vector<u8> copy_;
    std::vector<Step> steps_;
    bool any_unrepeatable_ = false;
};

// What the interpreter may take for granted while it goes through a block's copy.
struct Ground {
    u32 mode = 0, version = 0, second_version = 0;
    u64 generation = 0, global_generation = 0;

    Ground() = default;
    Ground(const Cpu& c, const Block& b)
        : mode(c.mode),
          version(b.memory->code_version(b.page)),
          second_version(b.straddles ? x86::second_page(b).memory->code_version(x86::second_page(b).page) : 0),
          generation(c.soft_tlb.generation()),
          global_generation(c.soft_tlb.global_generation())
    {
    }
    bool operator==(const Ground&) const = default;
};

class LockstepTier final : public x86::HostCodeTier {
public:
    LockstepTier(Cpu& c, std::unique_ptr<x86::HostCodeTier> checked)
        : inner_(std::move(checked)),
          journal_(c.soft_tlb),
          copies_(most_copies)
    {
        c.journal = &journal_;
    }
    ~LockstepTier() override
    {
        std::fprintf(
            stderr, "lockstep: %llu blocks of %llu instructions alike, %llu not compared\n",
            static_cast<unsigned long long>(alike_), static_cast<unsigned long long>(steps_),
            static_cast<unsigned long long>(not_compared_));
    }

    bool run(Cpu& c, Block& b) override;
    void left(Cpu& c) override { inner_->left(c); }
    void drop_stale(Cpu& c) override { inner_->drop_stale(c); }
    void clear(Cpu& c) override { inner_->clear(c); }
    TranslatorCounts counts() const override { return inner_->counts(); }
    std::optional<TranslatedBlock> translation_of(Cpu& c, u64 linear) override { return inner_->translation_of(c, linear); }

private:
    // Blocks stay decoded, by a hash of where they are.
    static constexpr unsigned most_copies = 1 << 14;
    BlockCopy& copy_of(const Block& b) { return copies_[(b.host ^ b.host >> page_shift) % most_copies]; }

    static void save(const Cpu& c, bool faulted, Outcome& to);
    static void restore(Cpu& c, const Outcome& from);
    void go_back(Cpu& c);
    bool run_inner(Cpu& c, Block& b, bool& ran);
    bool was_unrepeatable(const Cpu& c) const;
    bool step(Cpu& c);
    bool step_in_copy(Cpu& c, const Step& s);
    bool step_anywhere(Cpu& c);
    const Step* step_at_rip(const Cpu& c) const;
    bool stands(const Cpu& c) const { return ground_ == Ground(c, copy_->block()); }
    bool step_to_end(Cpu& c);
    void begin_step(Cpu& c, const Insn& i, const FlagUse& use);
    bool same_outcome(const Cpu& c, bool faulted);
    bool same_memory();
    void report(Cpu& c);

    std::unique_ptr<x86::HostCodeTier> inner_;
    x86::WriteJournal journal_;
    std::vector<BlockCopy> copies_;
    // Of the run.
    BlockCopy* copy_ = nullptr;
    Outcome start_, translated_, interpreted_;
    Ground ground_;
    const Step* next_ = nullptr;    // where RIP is, if it is known
    u64 dead_flags_ = 0;    // that host code has let differ and nothing may read
    u64 undefined_flags_ = 0;
    std::string difference_;
    u64 alike_ = 0, steps_ = 0, not_compared_ = 0;
};

void LockstepTier::save(const Cpu& c, bool faulted, Outcome& to)
{
    to.trap_shadow = c.trap_shadow;
    to.uppers_used = c.slots.uppers_used;
    to.uppers_stored = c.slots.uppers_stored;
    to.zmm_used = c.slots.zmm_used;
    to.zmm_stored = c.slots.zmm_stored;
    to.pending_debug = c.pending_debug;
    to.delivering = c.delivering;
    to.faulted = faulted;
    to.fault = c.fault;
    save_registers(c, to.state);
    if (faulted && c.current)
        to.state.rip += c.current->offset;
    if (!c.code_64())
        to.state.rip = u32(to.state.rip);
    to.state.nmi_pending = to.state.smi_pending = false;
}

void LockstepTier::restore(Cpu& c, const Outcome& from)
{
    const bool moved = c.cr3 != from.state.cr3 || c.cr0 != from.state.cr0 || c.cr4 != from.state.cr4 || c.efer != from.state.efer
        || c.msr.pkru != from.state.pkru;
    const u32 asked = c.request.pending();
    load_state(c, from.state);
    if (!(asked & x86::request_interrupt))
        c.request.forget(x86::request_interrupt);
    if (moved)
        flush_tlb(c);
    c.trap_shadow = from.trap_shadow;
    c.pending_debug = from.pending_debug;
    c.delivering = from.delivering;
    c.block = nullptr;
    c.current = nullptr;
}

// To the start from where host code came to. Mostly nothing has changed from which other things follow.
void LockstepTier::go_back(Cpu& c)
{
    const CpuState& from = start_.state;
    if (!same_but_registers(from, translated_.state))
        return restore(c, start_);
    std::ranges::copy(from.gpr, c.gpr.begin());
    c.gpr[x86::gpr_rip] = from.rip;
    c.lazy.set_all(from.rflags);
    c.cr2 = from.cr2;
    c.fpu = from.fpu;
    c.slots.uppers_used = start_.uppers_used;
    c.slots.uppers_stored = start_.uppers_stored;
    c.slots.zmm_used = start_.zmm_used;
    c.slots.zmm_stored = start_.zmm_stored;
    c.trap_shadow = start_.trap_shadow;
    c.pending_debug = start_.pending_debug;
    c.delivering = start_.delivering;
    c.block = nullptr;
    c.current = nullptr;
}

// True if it came back by a fault.
bool LockstepTier::run_inner(Cpu& c, Block& b, bool& ran)
{
    if (setjmp(c.fault_exit)) {
        ran = true;
        inner_->left(c);
        return true;
    }
    ran = inner_->run(c, b);
    return false;
}

// Surely one of the instructions that are: nothing else in a block changes these.
bool LockstepTier::was_unrepeatable(const Cpu& c) const
{
    const CpuState& s = start_.state;
    return copy_->any_unrepeatable() && (c.cr0 != s.cr0 || c.cr3 != s.cr3 || c.cr4 != s.cr4 || c.efer != s.efer);
}

// One instruction, on the interpreter; true if it can't be done twice.
bool LockstepTier::step(Cpu& c)
{
    const Step* const s = next_ ? next_ : step_at_rip(c);
    return s ? step_in_copy(c, *s) : step_anywhere(c);
}

// Null: not in the copy, or this may be out of date.
const Step* LockstepTier::step_at_rip(const Cpu& c) const
{
    const u64 page = start_.state.rip - copy_->block().in_page;
    const u64 in_page = c.gpr[x86::gpr_rip] - page;
    return stands(c) ? copy_->at(in_page) : nullptr;
}

bool LockstepTier::step_in_copy(Cpu& c, const Step& s)
{
    if (s.unrepeatable)
        return true;
    begin_step(c, s.insn, s.use);
    c.block = &copy_->block();
    c.gpr[x86::gpr_rip] -= s.insn.offset;
    s.insn.handler(c, &s.insn);
    c.single_next = false;
    next_ = nullptr;
    if (std::exchange(c.current, nullptr) == s.behind()) {
        leave_block(c, &s.insn);
        next_ = stands(c) ? copy_->after(&s) : nullptr;
    }
    return false;
}

bool LockstepTier::step_anywhere(Cpu& c)
{
    Block* const b = c.blocks->find(c, c.mode | x86::mode_single);
    if (!b)
        return true;
    const Insn* const i = c.blocks->insns(*b);
    if (unrepeatable(*i))
        return true;
    begin_step(c, *i, flag_use_of(*i, c.mode));
    c.block = b;
    c.gpr[x86::gpr_rip] -= b->in_page;
    i->handler(c, i);
    c.single_next = false;
    return false;
}

void LockstepTier::begin_step(Cpu& c, const Insn& i, const FlagUse& use)
{
    if (use.reads & dead_flags_ && difference_.empty())
        difference_ = text("flags ", hex(use.reads & dead_flags_, 3), " were let die and are read by ", i.row->name);
    dead_flags_ &= ~u64(use.kills);
    undefined_flags_ = (undefined_flags_ & ~u64(use.kills)) | i.row->undefined_flags;
    c.rflags_other &= ~x86::flag_rf;
    c.shadow = c.trap_shadow = false;
    c.single_next = true;
    c.current = nullptr;
    ++steps_;
}

// Until the state is that which host code left, or can't become it any more.
bool LockstepTier::step_to_end(Cpu& c)
{
    if (setjmp(c.fault_exit)) {
        c.single_next = false;
        return real_fault(translated_) && difference_.empty() && same_outcome(c, true);
    }
    // Rounds of a loop may have the same registers.
    constexpr u64 most_steps = u64(1) << 32, most_arrivals = 1 << 22;
    u64 arrivals = 0;
    const CpuState& wanted = translated_.state;
    ground_ = Ground(c, copy_->block());
    next_ = nullptr;
    for (u64 n = 0; n < most_steps && difference_.empty(); ++n) {
        const u64 rip = c.code_64() ? c.gpr[x86::gpr_rip] : u32(c.gpr[x86::gpr_rip]);
        const bool arrived = rip == wanted.rip && std::ranges::equal(wanted.gpr, std::span(c.gpr).first(16));
        if (arrived && !real_fault(translated_)) {
            if (same_outcome(c, false))
                return true;
            if (++arrivals == most_arrivals)
                return false;
        }
        if (step(c))
            return real_fault(translated_) && same_outcome(c, true);
    }
    return false;
}

bool LockstepTier::same_memory()
{
    // What walks of the page tables leave behind isn't done a second time.
    constexpr u64 accessed_and_dirty = 0x60;
    constexpr u64 in_both_halves = accessed_and_dirty << 32 | accessed_and_dirty;
    bool same = true;
    for (const auto& page : journal_.pages())
        x86::WriteJournal::for_differences(page->memory, page->after.data(), [&](unsigned n) {
            same &= !((page->memory[n] ^ page->after[n]) & ~in_both_halves);
        });
    return same;
}

// Whether the interpreter stands where host code came to.
bool LockstepTier::same_outcome(const Cpu& c, bool faulted)
{
    save(c, faulted, interpreted_);
    const Outcome &a = translated_, &b = interpreted_;
    const bool same_fault = !real_fault(a)
        || (a.fault.vector == b.fault.vector && a.fault.has_error == b.fault.has_error
            && (!a.fault.has_error || a.fault.error == b.fault.error));
    if (!same_fault || real_fault(a) != real_fault(b) || a.delivering != b.delivering || !same_memory())
        return false;
    if (!same_state(a.state, b.state))
        return false;
    dead_flags_ = (a.state.rflags ^ b.state.rflags) & x86::flags_arithmetic & ~undefined_flags_;
    return true;
}

bool LockstepTier::run(Cpu& c, Block& b)
{
    save(c, false, start_);
    copy_ = &copy_of(b);
    copy_->take(b);
    std::jmp_buf outer;
    std::memcpy(&outer, &c.fault_exit, sizeof outer);
    journal_.begin();
    bool ran = false;
    const bool faulted = run_inner(c, b, ran);
    std::memcpy(&c.fault_exit, &outer, sizeof outer);
    if (!ran || journal_.touched_device() || was_unrepeatable(c)) {
        journal_.end();
        dead_flags_ = 0;
        not_compared_ += ran;
        if (faulted)
            c.raise_again();
        return ran;
    }
    save(c, faulted, translated_);
    journal_.take_back();
    go_back(c);
    difference_.clear();
    undefined_flags_ = 0;
    const bool same = step_to_end(c);
    std::memcpy(&c.fault_exit, &outer, sizeof outer);
    journal_.end();
    if (!same && copy_->any_unrepeatable()) {
        journal_.put_back();
        restore(c, translated_);
        dead_flags_ = 0;
        ++not_compared_;
    } else if (!same) {
        save(c, false, interpreted_);
        report(c);
        return true;
    } else {
        ++alike_;
    }
    c.block = nullptr;
    if (faulted) {
        c.fault = translated_.fault;
        if (!real_fault(translated_))
            c.current = nullptr;    // RIP has been put before the instruction to retry
        c.raise_again();
    }
    c.current = nullptr;
    return true;
}

void LockstepTier::report(Cpu& c)
{
    const Outcome &start = start_, &translated = translated_, &interpreted = interpreted_;
    std::ostringstream out;
    const Block& b = copy_->block();
    out << "lockstep: after " << alike_ << " blocks, a difference in the block at " << hex(start.state.rip, 16) << ", mode "
        << b.mode << ' ' << difference_ << "\n";
    for (const Step& s : copy_->steps()) {
        const Insn& i = s.insn;
        out << "  " << hex(i.offset, 3) << "  ";
        for (unsigned n = 0; n < i.length; ++n)
            out << hex(b.bytes()[i.offset - b.in_page + n], 2) << ' ';
        out << (i.row->name ? i.row->name : "") << "\n";
    }
    constexpr const char* names[]{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    const auto line = [&](const char* name, u64 before, u64 a, u64 i) {
        out << "  " << (a == i ? "  " : "! ") << name << " " << hex(before, 16) << " → " << hex(a, 16) << " translated, "
            << hex(i, 16) << " interpreted\n";
    };
    for (unsigned n = 0; n < 16; ++n)
        line(names[n], start.state.gpr[n], translated.state.gpr[n], interpreted.state.gpr[n]);
    line("rip", start.state.rip, translated.state.rip, interpreted.state.rip);
    line("rflags", start.state.rflags, translated.state.rflags, interpreted.state.rflags);
    line("mxcsr", start.state.fpu.mxcsr, translated.state.fpu.mxcsr, interpreted.state.fpu.mxcsr);
    line("cr2", start.state.cr2, translated.state.cr2, interpreted.state.cr2);
    for (unsigned n = 0; n < 16; ++n)
        if (translated.state.fpu.xmm[n] != interpreted.state.fpu.xmm[n])
            line(
                text("xmm", n).c_str(), start.state.fpu.xmm[n].q[0], translated.state.fpu.xmm[n].q[0],
                interpreted.state.fpu.xmm[n].q[0]);
    for (unsigned n = 0; n < 8; ++n)
        if (!(translated.state.fpu.registers[n] == interpreted.state.fpu.registers[n]))
            line(
                text("fpu r", n).c_str(), start.state.fpu.registers[n].significand, translated.state.fpu.registers[n].significand,
                interpreted.state.fpu.registers[n].significand);
    line("fsw", start.state.fpu.status, translated.state.fpu.status, interpreted.state.fpu.status);
    line("ftag", start.state.fpu.valid, translated.state.fpu.valid, interpreted.state.fpu.valid);
    line(
        "fault", 0, real_fault(translated) ? translated.fault.vector : 0xff,
        real_fault(interpreted) ? interpreted.fault.vector : 0xff);
    for (const auto& page : journal_.pages())
        for (unsigned n = 0; n < page->after.size(); ++n)
            if (page->memory[n] != page->after[n])
                line(text("memory ", hex(u64(page->memory + n), 12)).c_str(), page->before[n], page->after[n], page->memory[n]);
    std::fputs(out.str().c_str(), stderr);
    c.failure = "the translator and the interpreter differ; standard error has the block and both states";
    c.shutdown = true;
}

}

std::unique_ptr<x86::HostCodeTier> make_lockstep_tier(Cpu& c, std::unique_ptr<x86::HostCodeTier> checked)
{
    return std::make_unique<LockstepTier>(c, std::move(checked));
}

}
