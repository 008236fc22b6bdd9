#include <ctime>

#include "engine/machine/accelerator.h"
#include "engine/machine/board/pc.h"
#include "engine/machine/definition.h"
#include "engine/machine/life_cycle.h"
#include "engine/machine/machine_snapshots.h"

namespace engine {

namespace {
// A machine in this process: the life cycle with a PC in it.
class PcMachine final : public Machine {
public:
    PcMachine(const MachineDefinition& definition, Listener& listener) : definition_(definition), listener_(listener) { }
    ~PcMachine() override
    {
        if (snapshots_)
            snapshots_->finish();
        const MachineState before = state();
        life_.shut_down();
        if (before == MachineState::running || before == MachineState::paused)
            snapshots_->stopped();
    }

    Result<void> build()
    {
        auto snapshots = MachineSnapshots::open(definition_, life_, listener_);
        if (!snapshots)
            return snapshots.error();
        snapshots_ = std::move(*snapshots);
        definition_ = snapshots_->apply(std::move(definition_));
        definition_.start_from = snapshots_->begins_with();
        AcceleratorChoice choice = choose_accelerator(definition_.accelerator);
        in_use_ = choice.in_use;
        const PcBoard::Surroundings surroundings{life_.lock(), life_.deadlines(), life_.events(), workers_, life_, listener_};
        auto board = PcBoard::create(definition_, surroundings, choice.make_processors);
        if (!board)
            return board.error();
        board_ = std::move(*board);
        return snapshots_->attach(*board_);
    }

    void start() override
    {
        life_.on_end([this](const StopReason&) { snapshots_->stopped(); });
        life_.start(*board_, [this] { return snapshots_->begin(); });
    }
    void pause() override { life_.pause(); }
    void resume() override { life_.resume(); }
    void reset() override { life_.reset(); }
    void power_off() override { life_.power_off(); }
    MachineState state() const override { return life_.state(); }
    AcceleratorInUse accelerator() const override { return in_use_; }

    void press_power_button() override
    {
        life_.events().post([this] { board_->press_power_button(); });
    }
    void key(u16 code, bool down) override
    {
        life_.events().post([=, this] { board_->key(code, down); });
    }
    void pointer(int dx, int dy, int wheel, u8 buttons) override
    {
        life_.events().post([=, this] { board_->pointer(dx, dy, wheel, buttons); });
    }
    void serial_input(std::string_view bytes) override
    {
        life_.events().post([this, copy = std::string(bytes)] { board_->serial_input(copy); });
    }

    std::shared_ptr<const Frame> frame() const override { return board_->frame(); }
    ScreenText screen_text() override { return board_->screen_text(); }
    Result<void> change_cdrom(const std::string& path) override { return board_->change_cdrom(path); }
    Result<void> change_floppy(const std::string& path) override { return board_->change_floppy(path); }

    MachineStats stats() const override
    {
        MachineStats stats{.guest_nanoseconds = life_.deadlines().now(), .last_rest_nanoseconds = life_.last_rest()};
        for (const Vcpu* vcpu : board_->vcpus()) {
            stats.instructions += vcpu->instructions();
            stats.translator += vcpu->translator_counts();
        }
        return stats;
    }

    void translation_of(u64 address, std::function<void(std::vector<TranslatedBlock>)> done) override
    {
        if (state() != MachineState::running && state() != MachineState::paused)
            return done({});
        const std::lock_guard lock(life_.lock());
        life_.request_quiet([this, address, done = std::move(done)] {
            std::vector<TranslatedBlock> found;
            for (unsigned cpu = 0; Vcpu* const vcpu : board_->vcpus()) {
                if (auto block = vcpu->translation_of(address)) {
                    block->cpu = cpu;
                    found.push_back(std::move(*block));
                }
                ++cpu;
            }
            done(std::move(found));
        });
    }

    Result<void> take_snapshot(const SnapshotRequest& request) override
    {
        return snapshots_->take(request, MachineSnapshots::Afterwards::runs_on);
    }
    Result<void> restore_snapshot(const std::string& id) override { return snapshots_->restore(id); }
    Result<void> save_and_stop() override { return snapshots_->take({}, MachineSnapshots::Afterwards::stops); }
    std::string present_snapshot() const override { return snapshots_->present(); }
    void merge_layers() override { snapshots_->merge_layers(); }

private:
    MachineDefinition definition_;
    Listener& listener_;
    AcceleratorInUse in_use_{};
    WorkerPool workers_;
    // The board uses the life cycle's clock and queues, the life cycle's threads the board: they end before both go.
    mutable LifeCycle life_{listener_};
    std::unique_ptr<PcBoard> board_;
    std::unique_ptr<MachineSnapshots> snapshots_;
};
}

Result<std::unique_ptr<Machine>> Machine::create(const MachineDefinition& definition, Listener& listener)
{
    if (auto sound = check_definition(definition); !sound)
        return sound.error();
    auto machine = std::make_unique<PcMachine>(definition, listener);
    if (auto built = machine->build(); !built)
        return built.error();
    return std::unique_ptr<Machine>(std::move(machine));
}

}
