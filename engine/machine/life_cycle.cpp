#include "engine/machine/life_cycle.h"

#include <chrono>
#include <utility>

#include "engine/base/text.h"

namespace engine {

namespace {
// Three triple faults within this much of the guest's time: nothing in there will ever run.
constexpr u64 hopeless = 1'000'000'000;

u64 host_nanoseconds()
{
    return u64(std::chrono::steady_clock::now().time_since_epoch().count());
}
}

LifeCycle::LifeCycle(Listener& listener)
    : listener_(listener),
      vcpus_([this](unsigned index, VcpuExit exit) { vcpu_left(index, exit); }),
      thread_(
          {lock_, deadlines_, clock_}, [this] { events_.drain(); }, [this] { between(); })
{
    events_.on_post([this] { thread_.wake(); });
}

void LifeCycle::start(Board& board, const std::function<Result<void>()>& prepare)
{
    if (board_ || state() != MachineState::created)
        return;
    board_ = &board;
    {
        const std::lock_guard lock(lock_);
        board.reset();
        if (prepare)
            if (const auto prepared = prepare(); !prepared)
                stop_ = StopReason{.kind = StopReason::Kind::crashed, .text = prepared.error().text()};
    }
    wish_ = Wish::running;
    vcpus_.start(board.vcpus());
    thread_.start();
}

void LifeCycle::want(Wish wish)
{
    wish_ = wish;
    thread_.wake();
}

void LifeCycle::reset()
{
    events_.post([this] { request_reset(); });
}

void LifeCycle::power_off()
{
    events_.post([this] { request_stop({.kind = StopReason::Kind::host_request}); });
}

void LifeCycle::shut_down()
{
    thread_.stop();
    vcpus_.stop();
    clock_.stop();
}

void LifeCycle::request_reset()
{
    reset_wanted_ = true;
    vcpus_.hold();
    thread_.wake();
}

void LifeCycle::request_stop(const StopReason& reason)
{
    if (!stop_)
        stop_ = reason;
    vcpus_.hold();
    thread_.wake();
}

void LifeCycle::request_pause()
{
    vcpus_.hold();
    want(Wish::paused);
}

void LifeCycle::at_rest(std::function<void()> work)
{
    events_.post([this, work = std::move(work)] {
        rest_began_ = host_nanoseconds();
        request_quiet([this, work] {
            clock_.stop();
            work();
        });
    });
}

void LifeCycle::request_quiet(std::function<void()> work)
{
    quiet_work_.push_back(std::move(work));
    vcpus_.hold();
    thread_.wake();
}

void LifeCycle::vcpu_left(unsigned index, VcpuExit exit)
{
    const std::lock_guard lock(lock_);
    if (exit == VcpuExit::failed)
        return request_stop(
            {.kind = StopReason::Kind::crashed,
             .text = text("Processor ", index, " can't go on: ", board_->vcpus()[index]->failure())});
    if (exit != VcpuExit::shutdown)
        return;
    if (gave_up(clock_.now()))
        return request_stop(
            {.kind = StopReason::Kind::crashed,
             .text = "The guest's processor met faults that it could not handle three times within a second (triple fault), "
                     "each time right after a reset: what the machine boots is damaged or not made for this kind of machine"});
    request_reset();
}

// As a PC does, a triple fault resets the machine; unless that leads nowhere.
bool LifeCycle::gave_up(u64 now)
{
    if (board_->reset_is_a_detour()) {
        triple_faults_ = {};
        return false;
    }
    const u64 third_last = triple_faults_[0];
    triple_faults_ = {triple_faults_[1], now};
    return third_last && now - third_last < hopeless;
}

bool LifeCycle::something_to_change()
{
    if (state() == MachineState::stopped)
        return false;
    const MachineState wished = wish_ == Wish::running ? MachineState::running : MachineState::paused;
    if (reset_wanted_ || state() != wished)
        return true;
    const std::lock_guard lock(lock_);
    return stop_ || !quiet_work_.empty();
}

void LifeCycle::between()
{
    while (something_to_change()) {
        vcpus_.hold();
        vcpus_.wait_held();
        std::optional<StopReason> stop;
        bool run = false;
        u64 rest_began = 0;
        {
            const std::lock_guard lock(lock_);
            stop = stop_;
            const auto quiet_work = std::exchange(quiet_work_, {});
            if (!stop && reset_wanted_.exchange(false))
                board_->reset();
            else if (!stop)
                for (const auto& work : quiet_work)
                    work();
            stop = stop ? stop : stop_;
            run = wish_ == Wish::running;
            rest_began = std::exchange(rest_began_, 0);
            run && !stop ? clock_.start() : clock_.stop();
            board_->running(run && !stop);
        }
        if (stop)
            return end(*stop);
        if (run)
            vcpus_.go();
        if (rest_began)
            last_rest_.store(host_nanoseconds() - rest_began, std::memory_order_relaxed);
        enter(run ? MachineState::running : MachineState::paused);
    }
}

void LifeCycle::end(const StopReason& reason)
{
    {
        const std::lock_guard lock(lock_);
        board_->flush();
    }
    if (on_end_)
        on_end_(reason);
    enter(MachineState::stopped);
    listener_.stopped(reason);
}

void LifeCycle::enter(MachineState state)
{
    if (state_.exchange(state) != state)
        listener_.state_changed(state);
}

}
