#include "engine/translator/lockstep_tier.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

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

// A block that may be gone when it is asked about.
class BlockCopy {
public:
    void take(const Block& from) { std::memcpy(copy_.data(), &from, sizeof(Block) + from.length); }
    const Block& block() const { return *reinterpret_cast<const Block*>(copy_.data()); }
    std::span<const Insn> insns()
    {
        x86::decode_again(block(), insns_);
        return std::span(insns_).first(block().count);
    }

private:
    alignas(Block) std::array<u8, sizeof(Block) + Block::most_insns * x86::longest_instruction> copy_{};
    x86::DecodedBlock insns_{};
};

class LockstepTier final : public x86::HostCodeTier {
public:
    LockstepTier(Cpu& c, std::unique_ptr<x86::HostCodeTier> checked) : inner_(std::move(checked)) { c.journal = &journal_; }
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
    Outcome outcome(Cpu& c, bool faulted) const;
    void restore(Cpu& c, const Outcome& from) const;
    bool run_inner(Cpu& c, Block& b, bool& ran);
    bool step(Cpu& c);
    bool step_to(Cpu& c, const Outcome& wanted);
    void use_flags(const Insn& i, u32 mode);
    bool alike(const Outcome& a, const Outcome& b);
    bool same_memory();
    void report(Cpu& c, const Outcome& start, const Outcome& translated, const Outcome& interpreted);

    std::unique_ptr<x86::HostCodeTier> inner_;
    x86::WriteJournal journal_;
    BlockCopy compared_;
    u64 dead_flags_ = 0;    // that host code has let differ and nothing may read
    u64 undefined_flags_ = 0;
    std::string difference_;
    u64 alike_ = 0, steps_ = 0, not_compared_ = 0;
};

Outcome LockstepTier::outcome(Cpu& c, bool faulted) const
{
    Outcome o{
        .trap_shadow = c.trap_shadow,
        .pending_debug = c.pending_debug,
        .delivering = c.delivering,
        .faulted = faulted,
        .fault = c.fault};
    save_state(c, o.state);
    if (faulted && c.current)
        o.state.rip += c.current->offset;
    if (!c.code_64())
        o.state.rip = u32(o.state.rip);
    o.state.cr8 = 0;
    o.state.nmi_pending = o.state.smi_pending = false;
    return o;
}

void LockstepTier::restore(Cpu& c, const Outcome& from) const
{
    const bool moved = c.cr3 != from.state.cr3 || c.cr0 != from.state.cr0 || c.cr4 != from.state.cr4 || c.efer != from.state.efer
        || c.msr.pkru != from.state.pkru;
    const u32 asked = c.request.load();
    load_state(c, from.state);
    if (!(asked & x86::request_interrupt))
        c.request.fetch_and(~u32(x86::request_interrupt));
    if (moved)
        flush_tlb(c);
    c.trap_shadow = from.trap_shadow;
    c.pending_debug = from.pending_debug;
    c.delivering = from.delivering;
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

// One instruction, on the interpreter; true if it faulted or can't be done twice.
bool LockstepTier::step(Cpu& c)
{
    if (setjmp(c.fault_exit))
        return true;
    Block* const b = c.blocks->find(c, c.mode | x86::mode_single);
    if (!b)
        return true;
    const Insn* const i = c.blocks->insns(*b);
    if (unrepeatable(*i))
        return true;
    use_flags(*i, c.mode);
    c.rflags_other &= ~x86::flag_rf;
    c.shadow = c.trap_shadow = false;
    c.single_next = true;
    c.block = b;
    c.gpr[x86::gpr_rip] -= b->in_page;
    i->handler(c, i);
    c.single_next = false;
    ++steps_;
    return false;
}

void LockstepTier::use_flags(const Insn& i, u32 mode)
{
    const FlagUse use = flag_use(i, lowering_of(i, mode));
    if (use.reads & dead_flags_ && difference_.empty())
        difference_ = text("flags ", hex(use.reads & dead_flags_, 3), " were let die and are read by ", i.row->name);
    dead_flags_ &= ~u64(use.kills);
    undefined_flags_ = (undefined_flags_ & ~u64(use.kills)) | i.row->undefined_flags;
}

// Until the state is that of `wanted`, or can't become it any more.
bool LockstepTier::step_to(Cpu& c, const Outcome& wanted)
{
    constexpr u64 most_steps = u64(1) << 32;
    for (u64 n = 0; n < most_steps && difference_.empty(); ++n) {
        const u64 rip = c.code_64() ? c.gpr[x86::gpr_rip] : u32(c.gpr[x86::gpr_rip]);
        const bool arrived = rip == wanted.state.rip && std::ranges::equal(wanted.state.gpr, std::span(c.gpr).first(16));
        if (arrived && !real_fault(wanted) && alike(wanted, outcome(c, false)))
            return true;
        if (step(c)) {
            c.single_next = false;
            return real_fault(wanted) && alike(wanted, outcome(c, true));
        }
    }
    return false;
}

bool LockstepTier::same_memory()
{
    // What walks of the page tables leave behind isn't done a second time.
    constexpr u64 accessed_and_dirty = 0x60;
    constexpr u64 in_both_halves = accessed_and_dirty << 32 | accessed_and_dirty;
    for (const auto& page : journal_.pages())
        for (unsigned n = 0; n < page->after.size(); ++n)
            if ((page->memory[n] ^ page->after[n]) & ~in_both_halves)
                return false;
    return true;
}

bool LockstepTier::alike(const Outcome& a, const Outcome& b)
{
    CpuState x = a.state, y = b.state;
    const u64 flags = (x.rflags ^ y.rflags) & x86::flags_arithmetic;
    x.rflags &= ~flags;
    y.rflags &= ~flags;
    for (CpuState* s : {&x, &y}) {
        s->fpu.instruction_pointer = s->fpu.data_pointer = 0;
        s->fpu.instruction_selector = s->fpu.data_selector = s->fpu.opcode = 0;
    }
    const bool same_fault = !real_fault(a)
        || (a.fault.vector == b.fault.vector && a.fault.has_error == b.fault.has_error
            && (!a.fault.has_error || a.fault.error == b.fault.error));
    if (!(x == y) || !same_fault || real_fault(a) != real_fault(b) || a.delivering != b.delivering || !same_memory())
        return false;
    dead_flags_ = flags & ~undefined_flags_;
    return true;
}

bool LockstepTier::run(Cpu& c, Block& b)
{
    const Outcome start = outcome(c, false);
    compared_.take(b);
    std::jmp_buf outer;
    std::memcpy(&outer, &c.fault_exit, sizeof outer);
    journal_.begin();
    bool ran = false;
    const bool faulted = run_inner(c, b, ran);
    std::memcpy(&c.fault_exit, &outer, sizeof outer);
    if (!ran || journal_.touched_device()) {
        journal_.end();
        dead_flags_ = 0;
        not_compared_ += ran;
        if (faulted)
            c.raise_again();
        return ran;
    }
    const Outcome translated = outcome(c, faulted);
    journal_.take_back();
    restore(c, start);
    difference_.clear();
    undefined_flags_ = 0;
    const bool same = step_to(c, translated);
    std::memcpy(&c.fault_exit, &outer, sizeof outer);
    journal_.end();
    if (!same && std::ranges::any_of(compared_.insns(), unrepeatable)) {
        journal_.put_back();
        restore(c, translated);
        dead_flags_ = 0;
        ++not_compared_;
    } else if (!same) {
        report(c, start, translated, outcome(c, false));
        return true;
    } else {
        ++alike_;
    }
    if (faulted) {
        c.fault = translated.fault;
        if (!real_fault(translated))
            c.current = nullptr;    // RIP has been put before the instruction to retry
        c.raise_again();
    }
    return true;
}

void LockstepTier::report(Cpu& c, const Outcome& start, const Outcome& translated, const Outcome& interpreted)
{
    std::ostringstream out;
    const Block& b = compared_.block();
    out << "lockstep: after " << alike_ << " blocks, a difference in the block at " << hex(start.state.rip, 16) << ", mode "
        << b.mode << ' ' << difference_ << "\n";
    for (const Insn& i : compared_.insns()) {
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
