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

void LifeCycle::at_rest(std::function<void()> work, std::function<void()> afterwards)
{
    events_.post([this, work = std::move(work), afterwards = std::move(afterwards)] {
        const u64 began = host_nanoseconds();
        ask_for_quiet(
            {.work =
                 [this, work] {
                     clock_.stop();
                     work();
                 },
             .afterwards =
                 [this, began, afterwards] {
                     last_rest_.store(host_nanoseconds() - began, std::memory_order_relaxed);
                     afterwards();
                 }});
    });
}

void LifeCycle::request_quiet(std::function<void()> work)
{
    ask_for_quiet({.work = std::move(work)});
}

void LifeCycle::ask_for_quiet(QuietWork work)
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

// The machine's lock held, every vCPU out of the guest. Returns the work that was done.
std::vector<LifeCycle::QuietWork> LifeCycle::change_at_rest()
{
    std::vector<QuietWork> done;
    if (stop_)
        return done;
    if (reset_wanted_.exchange(false)) {
        board_->reset();
        // What a device asked for goes with what it was; the host still waits.
        std::erase_if(quiet_work_, [](const QuietWork& quiet) { return !quiet.afterwards; });
        return done;
    }
    done.swap(quiet_work_);
    for (const QuietWork& quiet : done)
        quiet.work();
    return done;
}

void LifeCycle::between()
{
    while (something_to_change()) {
        vcpus_.hold();
        vcpus_.wait_held();
        std::optional<StopReason> stop;
        std::vector<QuietWork> done;
        bool run = false;
        {
            const std::lock_guard lock(lock_);
            done = change_at_rest();
            stop = stop_;
            run = wish_ == Wish::running && !stop;
            run ? clock_.start() : clock_.stop();
            board_->running(run);
        }
        if (run)
            vcpus_.go();
        for (const QuietWork& quiet : done)
            if (quiet.afterwards)
                quiet.afterwards();
        if (stop)
            return end(*stop);
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
