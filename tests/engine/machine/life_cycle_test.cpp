#include "engine/machine/life_cycle.h"

#include <condition_variable>

#include <gtest/gtest.h>
#include <sys/resource.h>

using namespace engine;
using namespace std::chrono_literals;

namespace {
// A processor without a guest: run() waits until it is kicked or told to leave.
struct FakeVcpu final : Vcpu {
    std::mutex mutex;
    std::condition_variable changed;
    bool kicked = false;
    bool inside = false;
    std::optional<VcpuExit> leave;
    int resets = 0;
    std::function<void()> at_entry;

    VcpuExit run() override
    {
        if (at_entry)
            at_entry();
        std::unique_lock lock(mutex);
        inside = true;
        changed.notify_all();
        changed.wait(lock, [&] { return kicked || leave; });
        inside = false;
        if (leave)
            return *std::exchange(leave, std::nullopt);
        kicked = false;
        return VcpuExit::kicked;
    }
    void kick() override
    {
        const std::lock_guard lock(mutex);
        kicked = true;
        changed.notify_all();
    }
    void exit_with(VcpuExit exit)
    {
        const std::lock_guard lock(mutex);
        leave = exit;
        changed.notify_all();
    }
    bool is_inside()
    {
        const std::lock_guard lock(mutex);
        return inside;
    }
    void save(x86::CpuState&) override { }
    void load(const x86::CpuState&) override { }
    void reset() override { ++resets; }
    void set_intr(bool) override { }
    void raise_nmi() override { }
    void raise_smi() override { }
    std::string failure() const override { return "the test says so"; }
    u64 instructions() const override { return 0; }
};

struct FakeBoard final : Board {
    std::array<FakeVcpu, 3> processors;
    int resets = 0;
    bool inside_at_reset = false, detour = false;
    std::vector<Vcpu*> vcpus() override { return {&processors[0], &processors[1], &processors[2]}; }
    void reset() override
    {
        ++resets;
        for (FakeVcpu& vcpu : processors)
            inside_at_reset |= vcpu.is_inside();
    }
    bool reset_is_a_detour() override { return detour; }
    void press_power_button() override { }
    void key(u16, bool) override { }
    void pointer(int, int, int, u8) override { }
    void serial_input(std::string_view) override { }
    std::shared_ptr<const Frame> frame() const override { return nullptr; }
    ScreenText screen_text() override { return {}; }
    Result<void> change_cdrom(const std::string&) override { return {}; }
    Result<void> change_floppy(const std::string&) override { return {}; }
};

struct Ear final : Listener {
    std::mutex mutex;
    std::condition_variable heard;
    std::vector<MachineState> states;
    std::optional<StopReason> reason;
    void state_changed(MachineState state) override
    {
        const std::lock_guard lock(mutex);
        states.push_back(state);
        heard.notify_all();
    }
    void stopped(const StopReason& why) override
    {
        const std::lock_guard lock(mutex);
        reason = why;
        heard.notify_all();
    }
    bool waits_for(MachineState state)
    {
        std::unique_lock lock(mutex);
        return heard.wait_for(lock, 5s, [&] { return !states.empty() && states.back() == state; });
    }
    bool waits_for_stop()
    {
        std::unique_lock lock(mutex);
        return heard.wait_for(lock, 5s, [&] { return reason.has_value(); });
    }
};

template <class Condition> bool soon(Condition condition)
{
    for (int n = 0; n < 5000; ++n) {
        if (condition())
            return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

struct Bench {
    Ear ear;
    FakeBoard board;
    LifeCycle life{ear};
    bool all_inside()
    {
        return soon([&] {
            return board.processors[0].is_inside() && board.processors[1].is_inside() && board.processors[2].is_inside();
        });
    }
    void start()
    {
        life.start(board);
        ASSERT_TRUE(ear.waits_for(MachineState::running));
        ASSERT_TRUE(all_inside());
    }
    int resets()
    {
        const std::lock_guard lock(life.lock());
        return board.resets;
    }
};
}

TEST(LifeCycle, runs_pauses_with_the_clock_and_goes_on)
{
    Bench b;
    b.start();
    EXPECT_EQ(b.resets(), 1);
    EXPECT_EQ(b.ear.states, (std::vector<MachineState>{MachineState::running})) << "no state in between";
    b.life.pause();
    ASSERT_TRUE(b.ear.waits_for(MachineState::paused));
    EXPECT_FALSE(b.board.processors[1].is_inside());
    const u64 stood = b.life.clock().now();
    std::this_thread::sleep_for(5ms);
    EXPECT_EQ(b.life.clock().now(), stood);
    b.life.resume();
    ASSERT_TRUE(b.ear.waits_for(MachineState::running));
    EXPECT_TRUE(b.all_inside());
    EXPECT_TRUE(soon([&] { return b.life.clock().now() > stood; }));
}

TEST(LifeCycle, alarms_rest_while_paused_and_ring_on_time_otherwise)
{
    Bench b;
    std::atomic<int> rung = 0;
    Timer timer(b.life.deadlines(), [&] { ++rung; });
    b.start();
    timer.arm(b.life.clock().now() + 1'000'000);
    EXPECT_TRUE(soon([&] { return rung == 1; }));
    b.life.pause();
    ASSERT_TRUE(b.ear.waits_for(MachineState::paused));
    timer.arm(b.life.clock().now() + 1);
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(rung, 1);
    b.life.resume();
    EXPECT_TRUE(soon([&] { return rung == 2; }));
}

TEST(LifeCycle, resets_with_every_processor_out_of_the_guest)
{
    Bench b;
    b.start();
    b.life.reset();
    EXPECT_TRUE(soon([&] { return b.resets() == 2; }));
    EXPECT_TRUE(b.all_inside());
    EXPECT_FALSE(b.board.inside_at_reset);
    EXPECT_EQ(b.life.state(), MachineState::running);
}

TEST(LifeCycle, a_reset_while_paused_stays_paused)
{
    Bench b;
    b.start();
    b.life.pause();
    ASSERT_TRUE(b.ear.waits_for(MachineState::paused));
    b.life.reset();
    EXPECT_TRUE(soon([&] { return b.resets() == 2; }));
    EXPECT_EQ(b.life.state(), MachineState::paused);
}

TEST(LifeCycle, a_triple_fault_resets_and_three_in_a_second_are_a_crash)
{
    Bench b;
    b.start();
    for (int n = 0; n < 2; ++n) {
        b.board.processors[0].exit_with(VcpuExit::shutdown);
        ASSERT_TRUE(soon([&] { return b.resets() == 2 + n; }));
        ASSERT_TRUE(b.all_inside());
    }
    b.board.processors[0].exit_with(VcpuExit::shutdown);
    ASSERT_TRUE(b.ear.waits_for_stop());
    EXPECT_EQ(b.ear.reason->kind, StopReason::Kind::crashed);
    EXPECT_NE(b.ear.reason->text.find("triple fault"), std::string::npos);
    EXPECT_EQ(b.life.state(), MachineState::stopped);
}

TEST(LifeCycle, resets_that_the_guest_means_to_survive_are_no_crash)
{
    Bench b;
    b.board.detour = true;
    b.start();
    for (int n = 0; n < 5; ++n) {
        b.board.processors[0].exit_with(VcpuExit::shutdown);
        ASSERT_TRUE(soon([&] { return b.resets() == 2 + n; }));
        ASSERT_TRUE(b.all_inside());
    }
    EXPECT_EQ(b.life.state(), MachineState::running);
}

TEST(LifeCycle, a_processor_that_fails_ends_the_machine_with_its_words)
{
    Bench b;
    b.start();
    b.board.processors[2].exit_with(VcpuExit::failed);
    ASSERT_TRUE(b.ear.waits_for_stop());
    EXPECT_EQ(b.ear.reason->kind, StopReason::Kind::crashed);
    EXPECT_EQ(b.ear.reason->text, "Processor 2 can't go on: the test says so");
}

TEST(LifeCycle, the_guest_powers_off_from_a_processor_thread_with_the_lock_held)
{
    Bench b;
    b.board.processors[1].at_entry = [&] {
        const std::lock_guard lock(b.life.lock());
        b.life.request_stop({.kind = StopReason::Kind::guest_exit, .exit_code = 33});
    };
    b.life.start(b.board);
    ASSERT_TRUE(b.ear.waits_for_stop());
    EXPECT_EQ(b.ear.reason->exit_code, 33);
    EXPECT_EQ(b.ear.states.back(), MachineState::stopped);
    b.life.resume();
    std::this_thread::sleep_for(10ms);
    EXPECT_EQ(b.life.state(), MachineState::stopped);
}

TEST(LifeCycle, quiet_work_finds_every_processor_out_of_the_guest)
{
    Bench b;
    b.start();
    std::atomic<bool> done = false, quiet = false;
    b.life.events().post([&] {
        b.life.request_quiet([&] {
            quiet
                = !b.board.processors[0].is_inside() && !b.board.processors[1].is_inside() && !b.board.processors[2].is_inside();
            done = true;
        });
    });
    ASSERT_TRUE(soon([&] { return done.load(); }));
    EXPECT_TRUE(quiet);
    EXPECT_TRUE(b.all_inside());
}

TEST(LifeCycle, who_asked_for_a_rest_hears_of_it_once_the_guest_runs_on)
{
    Bench b;
    b.start();
    std::atomic<bool> quiet = false, runs_on = false, heard = false;
    b.life.at_rest(
        [&] {
            quiet
                = !b.board.processors[0].is_inside() && !b.board.processors[1].is_inside() && !b.board.processors[2].is_inside();
        },
        [&] {
            runs_on = b.all_inside();
            heard = true;
        });
    ASSERT_TRUE(soon([&] { return heard.load(); }));
    EXPECT_TRUE(quiet);
    EXPECT_TRUE(runs_on);
    EXPECT_GT(b.life.last_rest(), 0u);
}

TEST(LifeCycle, a_reset_drops_what_a_device_asked_for_and_keeps_what_the_host_did)
{
    Bench b;
    b.start();
    std::atomic<bool> devices = false, hosts = false, heard = false;
    int resets_before = -1;
    // Both are there before the machine comes to rest.
    b.life.events().post([&] {
        b.life.at_rest(
            [&] {
                resets_before = b.board.resets;
                hosts = true;
            },
            [&] { heard = true; });
        b.life.events().post([&] {
            b.life.request_quiet([&] { devices = true; });
            b.life.request_reset();
        });
    });
    ASSERT_TRUE(soon([&] { return heard.load(); }));
    EXPECT_TRUE(hosts);
    EXPECT_FALSE(devices);
    EXPECT_EQ(resets_before, 2);
}

TEST(LifeCycle, the_plug_can_be_pulled_in_any_state)
{
    Bench b;
    b.start();
    b.life.pause();
    ASSERT_TRUE(b.ear.waits_for(MachineState::paused));
    b.life.power_off();
    ASSERT_TRUE(b.ear.waits_for_stop());
    EXPECT_EQ(b.ear.reason->kind, StopReason::Kind::host_request);
}

TEST(LifeCycle, the_board_may_go_once_it_is_shut_down)
{
    Ear ear;
    LifeCycle life(ear);
    {
        FakeBoard board;
        life.start(board);
        ASSERT_TRUE(ear.waits_for(MachineState::running));
        life.shut_down();
    }
    life.shut_down();
    EXPECT_EQ(life.deadlines().next(), Timer::never);
}

TEST(LifeCycle, commands_storm_without_a_deadlock)
{
    Bench b;
    b.start();
    for (int n = 0; n < 300; ++n) {
        n % 3 == 0 ? b.life.pause() : n % 3 == 1 ? b.life.reset() : b.life.resume();
        if (n % 7 == 0)
            b.board.processors[std::size_t(n) % 3].kick();
    }
    b.life.resume();
    EXPECT_TRUE(soon([&] { return b.life.state() == MachineState::running; }));
    EXPECT_TRUE(b.all_inside());
    EXPECT_FALSE(b.board.inside_at_reset);
}

TEST(MachineThread, costs_nothing_while_nothing_happens)
{
    Bench b;
    b.start();
    const auto cpu_time = [] {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        return usage.ru_utime.tv_sec * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1'000'000
            + usage.ru_stime.tv_usec;
    };
    const auto before = cpu_time();
    std::this_thread::sleep_for(300ms);
    EXPECT_LT(cpu_time() - before, 3000) << "microseconds: 1 % of a core";
}

TEST(MachineThread, runs_what_is_posted_with_the_lock_held)
{
    Bench b;
    b.start();
    std::atomic<int> ran = 0;
    for (int n = 0; n < 10; ++n)
        b.life.events().post([&] {
            EXPECT_FALSE(b.life.lock().try_lock());
            ++ran;
        });
    EXPECT_TRUE(soon([&] { return ran == 10; }));
}
