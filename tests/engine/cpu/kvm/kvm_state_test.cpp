#include <chrono>

#include "engine/cpu/kvm/kvm_lapic.h"
#include "engine/cpu/kvm/kvm_probe.h"
#include "engine/cpu/x86/cpuid.h"
#include "tests/engine/cpu/kvm/kvm_bench.h"

namespace engine::test {

class KvmStateTest : public KvmBench {
protected:
    bool has_own_time_stamp()
    {
        x86::CpuState s = real_mode();
        s.tsc_offset = 12345;
        start(s);
        return state().tsc_offset == s.tsc_offset || run_kvm_probe().usable;
    }
};

namespace {
x86::CpuState rich_state()
{
    x86::CpuState s = real_mode();
    for (unsigned n = 0; n < s.gpr.size(); ++n)
        s.gpr[n] = 0x0123456789abcdef * (n + 1);
    s.rflags = 0x246;
    s.segments[x86::ds] = {.selector = 0x1234, .attributes = 0x93, .limit = 0xffff, .base = 0x12340};
    s.gdtr = {.base = 0x5000, .limit = 0x37};
    s.idtr = {.base = 0x100, .limit = 0x3ff};
    s.cr2 = 0xdeadbeef;
    s.dr = {0x1000, 0x2000, 0x3000, 0x4000};
    s.fpu.status = 5 << 11;
    s.fpu.valid = 0xe1;
    s.fpu.control = 0x27f;
    for (unsigned n = 0; n < 8; ++n)
        s.fpu.registers[n] = {.significand = 0x8000000000000000 | n, .sign_exponent = u16(0x3fff + n)};
    for (unsigned n = 0; n < 16; ++n)
        s.fpu.xmm[n].q = {0x1111111111111111u * n, ~u64(n)};
    if (x86::host_features() & x86::feature_avx)
        s.fpu.ymm_high[9].q = {9, ~u64(9)};
    s.fpu.mxcsr = 0x1f80 | 0x6000;
    s.star = 0x0023001000000000;
    s.lstar = 0xffffffff80001000;
    s.syscall_mask = 0x47700;
    s.kernel_gs_base = 0x7fff00001000;
    s.sysenter_cs = 0x10;
    s.sysenter_esp = 0x7000;
    s.tsc_offset = 0x123456789;
    s.nmi_blocked = true;
    s.run_state = x86::RunState::halted;
    return s;
}
}

TEST_F(KvmStateTest, WhatGoesInComesOut)
{
    const x86::CpuState rich = rich_state();
    start(rich);
    const x86::CpuState first = state();
    EXPECT_EQ(first.gpr, rich.gpr);
    EXPECT_EQ(first.rip, rich.rip);
    EXPECT_EQ(first.rflags, rich.rflags);
    EXPECT_EQ(first.segments, rich.segments);
    EXPECT_EQ(first.gdtr, rich.gdtr);
    EXPECT_EQ(first.idtr, rich.idtr);
    EXPECT_EQ(first.cr2, rich.cr2);
    EXPECT_EQ(first.dr, rich.dr);
    EXPECT_EQ(first.fpu, rich.fpu);
    EXPECT_EQ(first.star, rich.star);
    EXPECT_EQ(first.lstar, rich.lstar);
    EXPECT_EQ(first.syscall_mask, rich.syscall_mask);
    EXPECT_EQ(first.kernel_gs_base, rich.kernel_gs_base);
    EXPECT_EQ(first.sysenter_cs, rich.sysenter_cs);
    const bool own_time_stamp = first.tsc_offset == rich.tsc_offset;
    EXPECT_TRUE(own_time_stamp || !run_kvm_probe().usable);
    EXPECT_EQ(first.nmi_blocked, rich.nmi_blocked);
    EXPECT_EQ(first.run_state, rich.run_state);
    start();
    start(first);
    EXPECT_EQ(state(), first);
}

TEST_F(KvmStateTest, ResetIsThePowerOnState)
{
    start(rich_state());
    machine->reset();
    const x86::CpuState s = state(), fresh;
    EXPECT_EQ(s.gpr[0], 0u);
    EXPECT_EQ(s.gpr[2], 0x506e3u);
    EXPECT_EQ(s.rip, fresh.rip);
    EXPECT_EQ(s.segments, fresh.segments);
    EXPECT_EQ(s.cr0, fresh.cr0);
    EXPECT_EQ(s.fpu, fresh.fpu);
    EXPECT_EQ(s.run_state, x86::RunState::running);
    EXPECT_EQ(vcpu().save_lapic().lvt[Lapic::lvt_lint0], 0x700u);
}

TEST(KvmLapicTest, StateGoesThroughTheRegisterPage)
{
    Lapic::State s;
    s.base = 0xfee00900;
    s.id = 3;
    s.tpr = 0x20;
    s.ldr = 0x08000000;
    s.svr = 0x1ff;
    s.isr[2] = 0x10;
    s.irr[4] = 0x80000000;
    s.tmr[2] = 0x10;
    s.icr = 0x0500000000004620;
    s.lvt = {0x20040, 0x10000, 0x10000, 0x700, 0x400, 0xfe};
    s.divide = 0xb;
    s.initial_count = 1000;
    s.next_expiry = 5400;
    const Lapic::State back = lapic_from_kvm(lapic_to_kvm(s, 5000), {.base = s.base, .now = 9000});
    EXPECT_EQ(back.next_expiry, 9400u);
    s.next_expiry = back.next_expiry;
    EXPECT_EQ(back, s);
}

TEST_F(KvmStateTest, TimeStampFollowsTheMachinesClock)
{
    if (!has_own_time_stamp())
        GTEST_SKIP() << "This KVM shows guests the host's time stamp";
    // rdtsc; out 20, al
    put(code_at, {0x0f, 0x31, 0xe6, 0x20, 0xeb, 0xfe});
    const auto stamp = [&] {
        start();
        EXPECT_EQ(run(), VcpuExit::kicked);
        const x86::CpuState s = state();
        return u64(u32(s.gpr[2])) << 32 | u32(s.gpr[0]);
    };
    const u64 first = stamp();
    clock.stop();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    clock.start();
    const u64 tenth = machine->model().tsc_hz / 10;
    EXPECT_LT(stamp() - first, 2 * tenth);
}

// The first half under KVM and the second under the interpreter end as the whole does under either.
class KvmAndInterpreter : public KvmBesideInterpreter {
protected:
    // Mixes numbers in EAX, EBX and EDX a thousand times and stores them at 6000; stops after the first half.
    static constexpr std::initializer_list<u8> mixer{
        0xb9, 0xe8, 0x03, 0x66, 0xb8, 0x01, 0x00, 0x00, 0x00, 0x66, 0xbb, 0x78, 0x56, 0x34, 0x12, 0x66, 0x31,
        0xd2, 0xbf, 0x00, 0x60, 0x66, 0x69, 0xc0, 0x6d, 0x4e, 0xc6, 0x41, 0x66, 0x05, 0x39, 0x30, 0x00, 0x00,
        0x66, 0x31, 0xc3, 0x66, 0xc1, 0xc3, 0x05, 0x66, 0x11, 0xda, 0x89, 0x15, 0x83, 0xc7, 0x02, 0x50, 0x5e,
        0x81, 0xf9, 0xf4, 0x01, 0x75, 0x02, 0xe6, 0x20, 0xe2, 0xd8, 0xe6, 0x20, 0xeb, 0xfe};

    x86::CpuState half(Vcpu& on, const x86::CpuState& from)
    {
        handler.on_stop = [&on] { on.kick(); };
        on.load(from);
        EXPECT_EQ(on.run(), VcpuExit::kicked) << on.failure();
        x86::CpuState to;
        on.save(to);
        return to;
    }
    x86::CpuState whole(Vcpu& first, Vcpu& second)
    {
        handler.stops = 0;
        x86::CpuState s = half(second, half(first, real_mode()));
        EXPECT_EQ(handler.stops, 2u);
        return s;
    }
};

TEST_F(KvmAndInterpreter, AMachineMovesBetweenThem)
{
    put(code_at, mixer);
    const x86::CpuState expected = whole(*interpreter, *interpreter);
    const std::vector<u8> numbers(ram->data() + 0x6000, ram->data() + 0x67d0);
    for (auto [first, second] :
         {std::pair<Vcpu*, Vcpu*>{&vcpu(), interpreter.get()}, {interpreter.get(), &vcpu()}, {&vcpu(), &vcpu()}}) {
        std::fill(ram->data() + 0x6000, ram->data() + 0x67d0, u8(0));
        const x86::CpuState s = whole(*first, *second);
        EXPECT_EQ(s.gpr, expected.gpr);
        EXPECT_EQ(s.rip, expected.rip);
        EXPECT_EQ(s.rflags, expected.rflags);
        EXPECT_EQ(s.segments, expected.segments);
        EXPECT_EQ(s.fpu, expected.fpu);
        EXPECT_EQ(std::vector<u8>(ram->data() + 0x6000, ram->data() + 0x67d0), numbers);
    }
}

TEST(KvmProbeTest, HasWords)
{
    const KvmProbe probe = run_kvm_probe();
    EXPECT_FALSE(probe.reason.empty());
    EXPECT_EQ(run_kvm_probe().usable, probe.usable);
}

}
