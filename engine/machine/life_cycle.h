#pragma once
// Runs a board: its clock, its lock, its threads, and what starting, pausing, resetting and ending mean for them.

#include <atomic>
#include <optional>

#include "engine/block/completion_queue.h"
#include "engine/machine/board/board.h"
#include "engine/thread/machine_thread.h"
#include "engine/machine/vcpu_threads.h"

namespace engine {

class LifeCycle final : public BoardHost {
public:
    explicit LifeCycle(Listener& listener);
    ~LifeCycle() override { shut_down(); }

    // What a board is built on; constant addresses.
    std::mutex& lock() { return lock_; }
    VirtualClock& clock() { return clock_; }
    DeadlineQueue& deadlines() { return deadlines_; }
    // Everything from outside; runs on the machine thread with the machine's lock held.
    CompletionQueue& events() { return events_; }

    // The owner's thread. None of these waits for the guest. `prepare` runs on the board as it wakes, with the machine's
    // lock held and the clock standing still; where it fails the machine stops at once.
    void start(Board& board, const std::function<Result<void>()>& prepare = {});
    void pause() { want(Wish::paused); }
    void resume() { want(Wish::running); }
    void reset();
    void power_off();
    // Ends all threads; the board may go after this. Any state.
    void shut_down();
    // Any thread.
    MachineState state() const { return state_.load(); }

    // Any thread: runs `work` soon, on the machine thread, with the machine's lock held, every vCPU out of the guest and the
    // clock standing still. `work` may ask for anything; that takes effect before the guest runs on. `afterwards` runs once it
    // does, or would: whoever is woken by it does not take the processor that the guest waits for. Neither runs where the
    // machine stops first.
    void at_rest(std::function<void()> work, std::function<void()> afterwards);
    // How long the guest stood still for the last such work: nanoseconds.
    u64 last_rest() const { return last_rest_.load(std::memory_order_relaxed); }

    // Before start(). Called on the machine thread once the machine has stopped, before the listener hears of it.
    void on_end(std::function<void(const StopReason&)> hook) { on_end_ = std::move(hook); }

    // From the board.
    void request_reset() override;
    void request_stop(const StopReason& reason) override;
    void request_pause() override;
    void request_quiet(std::function<void()> work) override;

private:
    enum class Wish : u8 { paused, running };
    struct QuietWork {
        std::function<void()> work;
        std::function<void()> afterwards{};    // of what the host asks for
    };

    void want(Wish wish);
    void vcpu_left(unsigned index, VcpuExit exit);
    bool gave_up(u64 now);
    void between();
    bool something_to_change();
    std::vector<QuietWork> change_at_rest();
    void ask_for_quiet(QuietWork work);
    void end(const StopReason& reason);
    void enter(MachineState state);

    Listener& listener_;
    std::mutex lock_;
    VirtualClock clock_;
    DeadlineQueue deadlines_{clock_};
    CompletionQueue events_;
    Board* board_ = nullptr;
    std::function<void(const StopReason&)> on_end_;

    std::atomic<MachineState> state_ = MachineState::created;
    std::atomic<Wish> wish_ = Wish::paused;
    std::atomic<bool> reset_wanted_ = false;
    std::optional<StopReason> stop_;    // machine's lock held
    std::atomic<u64> last_rest_ = 0;
    std::vector<QuietWork> quiet_work_;    // machine's lock held
    std::array<u64, 2> triple_faults_{};    // virtual times of the last ones; 0: none
    VcpuThreads vcpus_;
    MachineThread thread_;
};

}
