#include "engine/cpu/x86/cpu.h"
#include "engine/cpu/x86/possible_state.h"
#include "engine/cpu/x86/rendezvous.h"
#include "engine/cpu/x86/vcpu_x86.h"
#include "engine/device/interrupt/apic_bus.h"
#include "engine/machine/processors.h"
#include "engine/time/entropy.h"
#include "engine/translator/lockstep_tier.h"
#include "engine/translator/x86_tier.h"

namespace engine {

namespace {
// The vCPUs drop their writable translations at their next block edge; until then they may write unseen.
class TranslationRounds final : public DirtyRounds {
public:
    explicit TranslationRounds(x86::Rendezvous& rendezvous) : rendezvous_(rendezvous) { }
    u64 begin() override
    {
        for (x86::Cpu* cpu : rendezvous_.cpus())
            cpu->request.ask(x86::request_flush_writes);
        return ++round_;
    }
    // A later round's request hides that an earlier one was met; that only costs a look more.
    bool settled(u64) override
    {
        for (const x86::Cpu* cpu : rendezvous_.cpus())
            if (cpu->request.pending(std::memory_order_seq_cst) & x86::request_flush_writes)
                return false;
        return true;
    }

private:
    x86::Rendezvous& rendezvous_;
    u64 round_ = 0;
};

class InterpreterProcessors final : public Processors {
public:
    using MakeTier = std::function<std::unique_ptr<x86::HostCodeTier>(x86::Cpu&)>;

    InterpreterProcessors(unsigned count, Wires wires, MakeTier make_tier)
        : make_tier_(std::move(make_tier)),
          wires_(std::move(wires)),
          model_{.cpus = count},
          rendezvous_(make_rendezvous()),
          rounds_(*rendezvous_)
    {
        bus_.on_eoi = [this](u8 vector) {
            const std::lock_guard lock(wires_.machine_lock);
            wires_.end_of_interrupt(vector);
        };
        for (unsigned index = 0; index < count; ++index)
            add(index);
    }

    std::vector<Vcpu*> vcpus() override
    {
        std::vector<Vcpu*> all;
        for (const auto& vcpu : vcpus_)
            all.push_back(vcpu.get());
        return all;
    }
    bool has_smm() const override { return true; }
    bool deliver(const InterruptMessage& message) override { return bus_.deliver(message); }
    void set_intr(bool level) override { vcpus_.front()->set_intr(level); }
    DirtyRounds& dirty_rounds() override { return rounds_; }
    u32 features() const override { return model_.features; }
    bool take_features(u32 features) override
    {
        if (features & ~x86::most_features())
            return false;
        model_.features = features;
        return true;
    }

    void reset() override
    {
        possible_ = true;
        for (std::size_t n = 0; n < vcpus_.size(); ++n) {
            lapics_[n]->reset();
            vcpus_[n]->reset();
        }
    }

    void visit(StateVisitor& visitor) override
    {
        for (std::size_t n = 0; n < vcpus_.size(); ++n) {
            visitor.enter(lapics_[n]->name());
            lapics_[n]->visit(visitor);
            visitor.leave();
            x86::CpuState state;
            vcpus_[n]->save(state);
            const x86::CpuState before = state;
            visitor.group("cpu." + std::to_string(n), state);
            possible_ = possible_ && x86::possible(state);
            // A visitor that only reads must not cost the processor what it has translated.
            if (state != before && possible_)
                vcpus_[n]->load(state);
        }
    }
    bool restored() override
    {
        bool sound = possible_;
        for (const auto& lapic : lapics_)
            sound &= lapic->restored();
        return sound;
    }

private:
    void add(unsigned index)
    {
        const auto tsc = [&clock = wires_.deadlines.clock()] { return clock.now(); };
        lapics_.push_back(std::make_unique<Lapic>(
            wires_.deadlines, Lapic::Configuration{.id = index, .bootstrap = index == 0, .tsc_hz = model_.tsc_hz, .tsc = tsc}));
        bus_.add(*lapics_.back());
        VcpuWires wires{
            .acknowledge_interrupt =
                [this] {
                    const std::lock_guard lock(wires_.machine_lock);
                    return wires_.acknowledge_interrupt();
                },
            .ferr =
                [this](bool level) {
                    const std::lock_guard lock(wires_.machine_lock);
                    wires_.ferr(level);
                },
            .tsc = tsc,
            .entropy = &host_entropy,
        };
        vcpus_.push_back(make_interpreter_vcpu(
            {wires_.memory, wires_.ports, *lapics_.back(), std::move(wires), model_, rendezvous_, index, make_tier_}));
    }

    MakeTier make_tier_;
    Wires wires_;
    x86::CpuModel model_;
    ApicBus bus_;
    std::shared_ptr<x86::Rendezvous> rendezvous_;
    TranslationRounds rounds_;
    std::vector<std::unique_ptr<Lapic>> lapics_;
    std::vector<std::unique_ptr<Vcpu>> vcpus_;
    bool possible_ = true;    // all that was visited since the reset
};

std::unique_ptr<Processors> make(unsigned count, Processors::Wires wires, InterpreterProcessors::MakeTier make_tier)
{
    return std::make_unique<InterpreterProcessors>(count, std::move(wires), std::move(make_tier));
}
}

Result<std::unique_ptr<Processors>> make_interpreter(unsigned count, Processors::Wires wires)
{
    return make(count, std::move(wires), nullptr);
}

Result<std::unique_ptr<Processors>> make_translator(unsigned count, Processors::Wires wires)
{
    const auto perf_map = wires.perf_map ? translator::PerfMap::create() : nullptr;
    const auto store = translator::make_code_store({.perf_map = perf_map});
    return make(count, std::move(wires), [=](x86::Cpu& c) { return translator::make_x86_tier(c, store); });
}

Result<std::unique_ptr<Processors>> make_lockstep(unsigned count, Processors::Wires wires)
{
    if (count > 1)
        return Error{
            "Cannot check the translator on several processors", "What one does would change under the other",
            "Give the machine one processor"};
    return make(count, std::move(wires), [](x86::Cpu& c) {
        auto tier = translator::make_x86_tier(c, {.linked = false});
        return tier ? translator::make_lockstep_tier(c, std::move(tier)) : nullptr;
    });
}

}
