#include <atomic>
#include <chrono>

#include "engine/cpu/kvm/kvm_probe.h"
#include "tests/engine/cpu/kvm/kvm_bench.h"

namespace engine::test {

namespace {
using KvmVcpuTest = KvmBench;

// Waits for what another thread does; gives up after a time that no sound host needs.
template <class Condition> bool eventually(Condition condition)
{
    for (int n = 0; n < 10'000 && !condition(); ++n)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
}
}

TEST_F(KvmVcpuTest, TalksThroughPorts)
{
    // mov al, 41; out 10, al; in al, 11; inc ax; out 10, al; rep outsb of "xyz" to 10; out 20, al
    put(code_at, {0xb0, 0x41, 0xe6, 0x10, 0xe4, 0x11, 0x40, 0xe6, 0x10, 0xba, 0x10, 0x00, 0xbe, 0x19,
                  0x10, 0xb9, 0x03, 0x00, 0xfc, 0xf3, 0x6e, 0xe6, 0x20, 0xeb, 0xfe, 0x78, 0x79, 0x7a});
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(handler.written, (std::vector<u8>{0x41, 0x69, 'x', 'y', 'z'}));
    EXPECT_EQ(state().rip, code_at + 0x17);
}

TEST_F(KvmVcpuTest, KickBeforeRunReturnsAtOnce)
{
    put(code_at, {0xeb, 0xfe});
    start();
    vcpu().kick();
    EXPECT_EQ(run(), VcpuExit::kicked);
}

TEST_F(KvmVcpuTest, KickEndsASpinningGuestEachTime)
{
    put(code_at, {0xeb, 0xfe});
    start();
    for (int n = 0; n < 20; ++n) {
        std::atomic<bool> running = false;
        std::thread thread([&] {
            running = true;
            EXPECT_EQ(run(), VcpuExit::kicked);
        });
        while (!running)
            std::this_thread::yield();
        vcpu().kick();
        thread.join();
    }
    EXPECT_EQ(state().rip, code_at);
}

TEST_F(KvmVcpuTest, KickDuringAnAccessFinishesIt)
{
    // in al, 20; mov bl, al; spin
    put(code_at, {0xe4, 0x20, 0x88, 0xc3, 0xeb, 0xfe});
    handler.on_read = [this] { vcpu().kick(); };
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(u8(state().gpr[0]), 0x68);
    EXPECT_EQ(state().rip, code_at + 2);
}

TEST_F(KvmVcpuTest, TakesTheInterruptOfThe8259OutOfHalt)
{
    // sti; hlt; inc bx; out 20, al. Handler: inc cx; iret
    put(code_at, {0xbc, 0x00, 0x80, 0xfb, 0xf4, 0x43, 0xe6, 0x20, 0xeb, 0xfe});
    put(handler_at, {0x41, 0xcf});
    fill_vectors();
    unsigned acknowledged = 0;
    acknowledge = [&] {
        vcpu().set_intr(false);
        ++acknowledged;
        return u8(0x20);
    };
    x86::CpuState s = real_mode();
    s.gpr[1] = s.gpr[3] = 0;
    start(s);
    std::thread device([this] {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        vcpu().set_intr(true);
    });
    EXPECT_EQ(run(), VcpuExit::kicked);
    device.join();
    EXPECT_EQ(acknowledged, 1u);
    EXPECT_EQ(state().gpr[1], 1u);
    EXPECT_EQ(state().gpr[3], 1u);
}

TEST_F(KvmVcpuTest, WaitsForTheInterruptWindow)
{
    // Interrupts are off at first: out 21; sti; inc dx; loop. Handler: out 20, al; spin
    put(code_at, {0xe6, 0x21, 0xfb, 0x42, 0xeb, 0xfd});
    put(handler_at, {0xe6, 0x20, 0xeb, 0xfe});
    fill_vectors();
    acknowledge = [&] {
        EXPECT_EQ(handler.marks, 1u);
        vcpu().set_intr(false);
        return u8(0x20);
    };
    start();
    vcpu().set_intr(true);
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(handler.stops, 1u);
}

TEST_F(KvmVcpuTest, KickAfterTheAcknowledgeCycleLeavesTheInterruptDelivered)
{
    put(code_at, {0xbc, 0x00, 0x80, 0xfb, 0x42, 0xeb, 0xfd});
    put(handler_at, {0xeb, 0xfe});
    fill_vectors();
    acknowledge = [&] {
        vcpu().set_intr(false);
        vcpu().kick();
        return u8(0x20);
    };
    start();
    vcpu().set_intr(true);
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(state().rip, handler_at);
    EXPECT_EQ(state().gpr[4], stack_at - 6);
}

TEST_F(KvmVcpuTest, TakesAnNmiInSpiteOfClosedInterrupts)
{
    put(code_at, {0xeb, 0xfe});
    put(handler_at, {0xe6, 0x20, 0xeb, 0xfe});
    fill_vectors();
    start();
    vcpu().raise_nmi();
    EXPECT_EQ(run(), VcpuExit::kicked);
    EXPECT_EQ(state().rip, handler_at + 2);
    EXPECT_TRUE(state().nmi_blocked);
}

TEST_F(KvmVcpuTest, ReportsATripleFaultAndRunsAgainAfterReset)
{
    // ud2, in protected mode without an interrupt table
    put(code_at, {0x0f, 0x0b});
    start(protected_mode());
    EXPECT_EQ(run(), VcpuExit::shutdown);
    machine->reset();
    EXPECT_EQ(state().rip, 0xfff0u);
    EXPECT_EQ(state().segments[x86::cs].base, 0xffff0000u);
    put(code_at, {0xe6, 0x20, 0xeb, 0xfe});
    start();
    EXPECT_EQ(run(), VcpuExit::kicked);
}

TEST_F(KvmVcpuTest, ReportsTheEndOfALevelTriggeredInterrupt)
{
    // Switches x2APIC mode and the local APIC on, sti, out 21. Handler: EOI by MSR, out 20, iret
    put(code_at,
        {0xbc, 0x00, 0x80, 0x66, 0xb9, 0x1b, 0x00, 0x00, 0x00, 0x0f, 0x32, 0x0d, 0x00, 0x0c, 0x0f, 0x30, 0x66, 0xb9, 0x0f,
         0x08, 0x00, 0x00, 0x66, 0xb8, 0xff, 0x01, 0x00, 0x00, 0x66, 0x31, 0xd2, 0x0f, 0x30, 0xfb, 0xe6, 0x21, 0xeb, 0xfe});
    put(handler_at, {0x66, 0xb9, 0x0b, 0x08, 0x00, 0x00, 0x66, 0x31, 0xc0, 0x66, 0x31, 0xd2, 0x0f, 0x30, 0xe6, 0x20, 0xcf});
    fill_vectors();
    start();
    std::thread device([this] {
        const bool ready = eventually([this] {
            const std::lock_guard held(lock);
            return handler.marks != 0;
        });
        const std::lock_guard held(lock);
        EXPECT_TRUE(ready);
        EXPECT_TRUE(machine->deliver({.vector = 0x51, .level_triggered = true}));
        EXPECT_FALSE(machine->deliver({.destination = 7, .vector = 0x51}));
    });
    EXPECT_EQ(run(), VcpuExit::kicked);
    device.join();
    EXPECT_EQ(handler.stops, 1u);
    EXPECT_EQ(machine->finished_vectors(), std::vector<u8>{0x51});
    if (ended.empty() && !run_kvm_probe().usable)
        GTEST_SKIP() << "This KVM is incomplete and keeps the ends of interrupts to itself";
    EXPECT_EQ(ended, std::vector<u8>{0x51});
}

TEST_F(KvmVcpuTest, StartsAnotherProcessorByInitAndStartup)
{
    build(2);
    if (!machine)
        return;
    put(code_at, {0xeb, 0xfe});
    // At 8000: mov byte [cs:100], 5a; spin
    put(0x8000, {0x2e, 0xc6, 0x06, 0x00, 0x01, 0x5a, 0xeb, 0xfe});
    start();
    std::thread boot([this] { EXPECT_EQ(vcpu(0).run(), VcpuExit::kicked); });
    std::thread application([this] { EXPECT_EQ(vcpu(1).run(), VcpuExit::kicked); });
    {
        const std::lock_guard held(lock);
        EXPECT_TRUE(machine->deliver({.destination = 1, .mode = DeliveryMode::init}));
        EXPECT_TRUE(machine->deliver({.destination = 1, .mode = DeliveryMode::startup, .vector = 8}));
    }
    const volatile u8* sign = ram->data() + 0x8100;
    EXPECT_TRUE(eventually([&] { return *sign == 0x5a; }));
    vcpu(0).kick();
    vcpu(1).kick();
    boot.join();
    application.join();
    EXPECT_EQ(vcpu(1).failure(), "");
}

}
