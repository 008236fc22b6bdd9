#include "engine/base/text.h"
#include "engine/cpu/kvm/kvm_machine.h"
#include "engine/machine/processors.h"

namespace engine {

namespace {
// The kernel logs what guests write, page by page.
class LoggedRounds final : public ImmediateRounds {
public:
    explicit LoggedRounds(KvmMachine& machine) : machine_(machine) { }
    void flag_writes(MemoryBlock& block) override { machine_.flag_writes(block); }

private:
    KvmMachine& machine_;
};

class KvmProcessors final : public Processors {
public:
    KvmProcessors(std::unique_ptr<KvmMachine> machine, std::function<void(u8)> end_of_interrupt)
        : machine_(std::move(machine)),
          end_of_interrupt_(std::move(end_of_interrupt)),
          rounds_(*machine_)
    {
    }

    std::vector<Vcpu*> vcpus() override
    {
        std::vector<Vcpu*> all;
        for (const auto& vcpu : machine_->vcpus())
            all.push_back(vcpu.get());
        return all;
    }
    bool has_smm() const override { return false; }
    bool tells_of_writes() const override { return false; }
    bool deliver(const InterruptMessage& message) override { return machine_->deliver(message); }
    void set_intr(bool level) override { machine_->vcpus().front()->set_intr(level); }
    DirtyRounds& dirty_rounds() override { return rounds_; }
    u32 features() const override { return machine_->model().features; }
    bool take_features(u32 features) override { return machine_->take_features(features); }
    void reset() override { machine_->reset(); }

    void visit(StateVisitor& visitor) override
    {
        for (const u8 vector : machine_->finished_vectors())
            end_of_interrupt_(vector);
        unsigned index = 0;
        for (const auto& vcpu : machine_->vcpus())
            visit(visitor, *vcpu, index++);
    }
    bool restored() override
    {
        bool sound = true;
        for (const auto& vcpu : machine_->vcpus())
            sound &= vcpu->failure().empty();
        return sound;
    }

private:
    static void visit(StateVisitor& visitor, KvmVcpu& vcpu, unsigned index)
    {
        Lapic::State lapic = vcpu.save_lapic();
        x86::CpuState cpu;
        vcpu.save(cpu);
        const Lapic::State lapic_before = lapic;
        const x86::CpuState cpu_before = cpu;
        visitor.enter(text("lapic.", index));
        Lapic::visit(visitor, lapic);
        visitor.leave();
        visitor.group(text("cpu.", index), cpu);
        // A visitor that only reads must not set timers anew.
        if (lapic == lapic_before && cpu == cpu_before)
            return;
        vcpu.load(cpu);
        vcpu.load_lapic(lapic);
    }

    std::unique_ptr<KvmMachine> machine_;
    std::function<void(u8 vector)> end_of_interrupt_;
    LoggedRounds rounds_;
};
}

Result<std::unique_ptr<Processors>> make_kvm(unsigned count, Processors::Wires wires)
{
    auto machine = KvmMachine::create(
        count,
        {wires.memory, wires.ports, wires.deadlines.clock(),
         [acknowledge = std::move(wires.acknowledge_interrupt), &lock = wires.machine_lock] {
             const std::lock_guard held(lock);
             return acknowledge();
         },
         [end = wires.end_of_interrupt, &lock = wires.machine_lock](u8 vector) {
             const std::lock_guard held(lock);
             end(vector);
         }});
    if (!machine)
        return machine.error();
    return std::unique_ptr<Processors>(std::make_unique<KvmProcessors>(std::move(*machine), std::move(wires.end_of_interrupt)));
}

}
