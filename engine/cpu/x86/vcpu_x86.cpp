#include "engine/cpu/x86/vcpu_x86.h"

#include <new>
#include <sys/mman.h>
#include <utility>

#include "engine/base/text.h"
#include "engine/cpu/x86/block_cache.h"
#include "engine/cpu/x86/cpu.h"
#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/host_code_tier.h"
#include "engine/cpu/x86/interrupt.h"
#include "engine/cpu/x86/rendezvous.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/segments.h"
#include "engine/cpu/x86/smm.h"

namespace engine {

namespace x86 {

void Cpu::raise(const Insn* i, Vector vector)
{
    current = i;
    fault = {vector, false, 0, Fault::Kind::fault};
    raise_again();
}

void Cpu::raise(const Insn* i, Vector vector, u32 error)
{
    current = i;
    fault = {vector, true, error, Fault::Kind::fault};
    raise_again();
}

void Cpu::raise_again()
{
    std::longjmp(fault_exit, 1);
}

void locked_slow_begin(Cpu& c)
{
    c.rendezvous->begin_exclusive(c);
    c.exclusive = true;
}
void locked_slow_end(Cpu& c)
{
    c.exclusive = false;
    c.rendezvous->end_exclusive();
}

namespace {

bool contributory(int vector)
{
    return vector == divide_error || (vector >= invalid_tss && vector <= general_protection);
}

class InterpreterVcpu final : public Vcpu {
public:
    explicit InterpreterVcpu(InterpreterParts parts) : rendezvous_(std::move(parts.rendezvous)), lapic_(parts.lapic)
    {
        cpu_.memory = &parts.memory;
        cpu_.ports = &parts.ports;
        cpu_.lapic = &parts.lapic;
        cpu_.wires = std::move(parts.wires);
        cpu_.model = &parts.model;
        cpu_.rendezvous = rendezvous_.get();
        cpu_.blocks = &blocks_;
        cpu_.index = parts.index;
        if (parts.make_tier) {
            tier_ = parts.make_tier(cpu_);
            cpu_.tier = tier_.get();
        }
        rendezvous_->add(cpu_);
        lapic_.set_sink([this](LapicEvent event) { heard(event); });
        parts.memory.on_change([this] { ask(request_flush); });
        reset();
    }

    // Never in the lowest 4 GiB, as Cpu demands.
    static void* operator new(std::size_t size, std::align_val_t)
    {
        void* const at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            throw std::bad_alloc();
        return at;
    }
    static void operator delete(void* at, std::size_t size, std::align_val_t) { munmap(at, size); }

    VcpuExit run() override;
    void kick() override { ask(request_kick); }

    void save(CpuState& to) override { save_state(cpu_, to); }
    void load(const CpuState& from) override { load_state(cpu_, from); }
    void reset() override
    {
        cpu_.failure.clear();
        has_event_ = false;
        reset_cpu(cpu_, false);
    }

    void set_intr(bool level) override { lapic_.set_lint0(level); }
    void raise_nmi() override { cpu_.ask_nmi(); }
    void raise_smi() override { ask(request_smi); }
    std::string failure() const override { return cpu_.failure; }
    u64 instructions() const override { return instructions_.load(std::memory_order_relaxed); }
    TranslatorCounts translator_counts() const override { return tier_ ? tier_->counts() : TranslatorCounts{}; }
    std::optional<TranslatedBlock> translation_of(u64 linear) override
    {
        return tier_ ? tier_->translation_of(cpu_, linear) : std::nullopt;
    }

private:
    void ask(u32 what) { cpu_.request.ask(what); }
    void heard(LapicEvent event)
    {
        switch (event.kind) {
        case LapicEvent::Kind::interrupt:
        case LapicEvent::Kind::ext_int:
            return ask(request_interrupt);
        case LapicEvent::Kind::nmi:
            return raise_nmi();
        case LapicEvent::Kind::smi:
            return ask(request_smi);
        case LapicEvent::Kind::init:
            return ask(request_init);
        case LapicEvent::Kind::startup:
            sipi_vector_.store(event.vector);
            return ask(request_sipi);
        }
    }

    void on_fault();
    void deliver_event();
    bool handle_requests();
    void take_interrupts();
    void start_up();
    bool interrupt_waits() const
    {
        return cpu_.flag(flag_i) && !cpu_.shadow && (lapic_.deliverable() || lapic_.ext_int_pending());
    }
    void wait();
    void execute();
    void begin(Block& b);
    void execute_single();
    bool check_code_breakpoint();
    void after_single(bool trap_flag);
    void tell_debug_traps();

    Cpu cpu_;
    BlockCache blocks_;
    std::unique_ptr<HostCodeTier> tier_;
    std::shared_ptr<Rendezvous> rendezvous_;
    Lapic& lapic_;
    std::atomic<u8> sipi_vector_ = 0;
    std::atomic<u64> instructions_ = 0;

    // An exception on its way to the guest's handler.
    bool has_event_ = false;
    Cpu::Fault event_{};
};

// Combines a fault with one that was being delivered. SDM vol. 3, table 6-5.
void InterpreterVcpu::on_fault()
{
    Cpu& c = cpu_;
    if (c.exclusive)
        locked_slow_end(c);
    if (tier_)
        tier_->left(c);
    if (c.current)
        c.gpr[gpr_rip] += c.current->offset;
    if (!c.code_64())
        c.gpr[gpr_rip] = u32(c.gpr[gpr_rip]);
    c.current = nullptr;
    c.block = nullptr;
    update_mode(c);
    if (c.fault.kind == Cpu::Fault::Kind::retry_single) {
        c.single_next = true;
        return;
    }
    c.single_next = c.shadow = c.trap_shadow = false;
    c.pending_debug = 0;
    const int first = std::exchange(c.delivering, -1);
    const bool external = std::exchange(c.delivering_external, false);
    if (first == double_fault) {
        c.shutdown = true;
        return;
    }
    const int second = c.fault.vector;
    const bool serious = (contributory(first) && contributory(second))
        || (first == page_fault && (contributory(second) || second == page_fault));
    if (first >= 0 && !external && serious)
        c.fault = {double_fault, true, 0, Cpu::Fault::Kind::fault};
    event_ = c.fault;
    has_event_ = true;
}

void InterpreterVcpu::deliver_event()
{
    Cpu& c = cpu_;
    has_event_ = false;
    c.block = nullptr;
    c.halted = false;
    c.delivering = event_.vector;
    deliver_exception(c, event_.vector, event_.has_error, event_.error);
    c.delivering = -1;
    tell_debug_traps();
}

void InterpreterVcpu::start_up()
{
    Cpu& c = cpu_;
    if (!c.waiting_for_sipi)
        return;
    c.waiting_for_sipi = false;
    if (std::exchange(c.nmi_latched, false))
        c.ask_nmi();
    if (std::exchange(c.smi_latched, false))
        c.request.add(request_smi);
    const u8 page = sipi_vector_.load();
    c.seg[cs].selector = u16(page << 8);
    c.seg[cs].base = u64(page) << 12;
    c.gpr[gpr_rip] = 0;
    update_mode(c);
}

void InterpreterVcpu::take_interrupts()
{
    Cpu& c = cpu_;
    if (!interrupt_waits())
        return;
    int vector = lapic_.accept();
    if (vector < 0 && lapic_.ext_int_pending() && lapic_.accept_ext_int())
        vector = c.wires.acknowledge_interrupt();
    if (vector < 0)
        return;
    c.halted = false;
    // More may wait behind this one.
    c.request.add(request_interrupt, std::memory_order_relaxed);
    deliver_external(c, u8(vector));
    tell_debug_traps();
}

// False: run() returns to its caller.
bool InterpreterVcpu::handle_requests()
{
    Cpu& c = cpu_;
    c.block = nullptr;
    const u32 what = c.request.take();
    if (what & request_flush)
        take_view(c);
    if (what & request_stale_code)
        tier_->drop_stale(c);
    if (what & request_flush_writes)
        c.soft_tlb.flush_writes();
    if (what & request_rendezvous)
        rendezvous_->step_aside();
    if (what & request_init) {
        reset_cpu(c, true);
        has_event_ = false;
    }
    if (what & request_sipi)
        start_up();
    // The canonical state has no place for an exception on its way, nor for what holds for one instruction only.
    const bool in_between = has_event_ || c.trap_shadow || c.single_next;
    if (what & request_kick && in_between) {
        c.request.add(what & (u32(request_kick) | request_interrupt | request_nmi | request_smi));
        return true;
    }
    if (what & request_kick) {
        // What else was asked for stays asked for.
        c.request.add(what & (request_interrupt | request_nmi | request_smi));
        return false;
    }
    if (c.waiting_for_sipi) {
        c.nmi_latched |= what & request_nmi && c.nmis.exchange(0);
        c.smi_latched |= bool(what & request_smi);
        return true;
    }
    if (c.shadow || has_event_) {
        c.request.add(what & (u32(request_nmi) | request_smi | request_interrupt));
        return true;
    }
    if (what & request_smi) {
        if (c.in_smm)
            c.smi_latched = true;
        else
            enter_smm(c);
    }
    const u32 nmis = what & request_nmi ? c.nmis.exchange(0) : 0;
    if (nmis && (c.nmi_blocked || c.in_smm))
        c.nmi_latched = true;
    else if (nmis) {
        c.nmi_latched = nmis > 1;
        c.nmi_blocked = true;
        c.halted = false;
        c.request.add(what & request_interrupt);
        deliver_external(c, nmi_vector);
        tell_debug_traps();
        return true;
    }
    if (what & request_interrupt)
        take_interrupts();
    return true;
}

// HLT and wait-for-SIPI: nothing to do until somebody asks.
void InterpreterVcpu::wait()
{
    rendezvous_->leave();
    cpu_.request.wait();
    rendezvous_->enter();
}

// Instruction breakpoints fault before the instruction, unless RF is set or MOV SS came before.
bool InterpreterVcpu::check_code_breakpoint()
{
    Cpu& c = cpu_;
    if (!(c.dr7 & 0xff) || c.flag(flag_rf) || c.trap_shadow)
        return false;
    const u64 linear = (c.base[cs] + c.gpr[gpr_rip]) & c.linear_mask;
    u32 hit = 0;
    for (unsigned n = 0; n < 4; ++n)
        if (c.dr7 >> (2 * n) & 3 && (c.dr7 >> (16 + 4 * n) & 3) == 0 && c.dr[n] == linear)
            hit |= 1u << n;
    if (!hit)
        return false;
    report_debug(c, hit);
    event_ = {debug_exception, false, 0, Cpu::Fault::Kind::fault};
    has_event_ = true;
    return true;
}

// MOV SS loses its own single step; breakpoints it hits are told after the next instruction.
void InterpreterVcpu::after_single(bool trap_flag)
{
    Cpu& c = cpu_;
    constexpr u32 single_step = 1 << 14;
    if (trap_flag && !std::exchange(c.no_step, false) && !c.trap_shadow)
        c.pending_debug |= single_step;
    tell_debug_traps();
}

// After an instruction, and after a task switch that delivered an event: its T bit traps before the new task's first one.
void InterpreterVcpu::tell_debug_traps()
{
    Cpu& c = cpu_;
    if (!c.pending_debug || c.trap_shadow)
        return;
    report_debug(c, std::exchange(c.pending_debug, 0));
    event_ = {debug_exception, false, 0, Cpu::Fault::Kind::fault};
    has_event_ = true;
}

void InterpreterVcpu::begin(Block& b)
{
    Cpu& c = cpu_;
    c.block = &b;
    c.instructions += b.count;
    c.gpr[gpr_rip] -= b.in_page;
    const Insn* const insns = blocks_.insns(b);
    insns->handler(c, insns);
}

// One block, by the short way: nothing that wants one instruction at a time.
void InterpreterVcpu::execute()
{
    Cpu& c = cpu_;
    if (c.mode & mode_single || c.single_next || c.shadow || c.flag(flag_rf)) [[unlikely]]
        return execute_single();
    Block* const b = blocks_.find(c, c.mode);
    if (!b || (!(c.mode & mode_flat) && c.gpr[gpr_rip] + b->length - 1 > c.seg[cs].limit)) [[unlikely]]
        return execute_single();
    if (tier_ && tier_->run(c, *b))
        return;
    begin(*b);
    if (c.pending_debug) [[unlikely]]
        after_single(false);
}

void InterpreterVcpu::execute_single()
{
    Cpu& c = cpu_;
    if (check_code_breakpoint())
        return;
    const bool trap_flag = c.flag(flag_t);
    c.no_step = false;
    Block* const b = blocks_.find(c, c.mode | mode_single);
    if (!b) {
        c.failure = text("the guest ran into address ", hex(c.gpr[gpr_rip], 8), ", where there is no memory");
        c.shutdown = true;
        return;
    }
    if (!(c.mode & mode_flat) && c.gpr[gpr_rip] + b->length - 1 > c.seg[cs].limit)
        c.raise(nullptr, general_protection, 0);
    // What the last instruction left behind counts for one; this one may leave the same again.
    c.rflags_other &= ~flag_rf;
    if (std::exchange(c.shadow, false))
        c.request.add(request_interrupt, std::memory_order_relaxed);
    c.trap_shadow = false;
    c.single_next = true;
    begin(*b);
    c.single_next = false;
    after_single(trap_flag);
}

VcpuExit InterpreterVcpu::run()
{
    Cpu& c = cpu_;
    rendezvous_->enter();
    const auto leave = [&](VcpuExit why) {
        instructions_.store(c.instructions, std::memory_order_relaxed);
        rendezvous_->leave();
        return why;
    };
    if (setjmp(c.fault_exit))
        on_fault();
    for (;;) {
        if (c.shutdown) {
            c.shutdown = false;
            return leave(c.failure.empty() ? VcpuExit::shutdown : VcpuExit::failed);
        }
        if (c.request.pending()) [[unlikely]] {
            instructions_.store(c.instructions, std::memory_order_relaxed);
            if (!handle_requests())
                return leave(VcpuExit::kicked);
        }
        if (has_event_) [[unlikely]] {
            deliver_event();
            continue;
        }
        if (c.halted || c.waiting_for_sipi) [[unlikely]] {
            instructions_.store(c.instructions, std::memory_order_relaxed);
            wait();
            continue;
        }
        execute();
    }
}

}

}

std::shared_ptr<x86::Rendezvous> make_rendezvous()
{
    return std::make_shared<x86::Rendezvous>();
}

std::unique_ptr<Vcpu> make_interpreter_vcpu(InterpreterParts parts)
{
    return std::make_unique<x86::InterpreterVcpu>(std::move(parts));
}

}
