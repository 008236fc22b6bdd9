// Vector registers whose upper halves are in use, in 64-bit user mode: KVMs that interpret the rest run that on the processor.
#include <thread>

#include "engine/base/bits.h"
#include "engine/cpu/x86/cpuid.h"
#include "tests/engine/cpu/kvm/kvm_bench.h"

namespace engine::test {

class KvmExtendedState : public KvmBesideInterpreter {
protected:
    static constexpr u64 pml4 = 0x10000, pdpt = 0x11000, pd = 0x12000;
    static constexpr std::array<u64, 4> step{1, 2, 3, 4}, first{100, 0xfffffffffffffff0, 300, 1};

    void SetUp() override
    {
        if (!(x86::host_features() & x86::feature_avx2))
            GTEST_SKIP() << "This host has no AVX2";
        build(2);
        if (IsSkipped())
            return;
        // vpaddq ymm1, ymm1, ymm0; inc rax; jmp back
        put(code_at, {0xc5, 0xf5, 0xd4, 0xc8, 0x48, 0xff, 0xc0, 0xeb, 0xf7});
        store_le<u64>(ram->data() + pml4, pdpt | 7);
        store_le<u64>(ram->data() + pdpt, pd | 7);
        store_le<u64>(ram->data() + pd, 0x87);
    }

    static x86::CpuState user_mode()
    {
        constexpr u64 pae_fxsr_exceptions_xsave = 0x40620, long_mode_active = 0x500, protection_paging = 0x80000031;
        x86::CpuState s = real_mode();
        for (x86::Segment& segment : s.segments)
            segment = {.selector = 0x2b, .attributes = 0xc0f3, .limit = 0xffffffff, .base = 0};
        s.segments[x86::cs] = {.selector = 0x33, .attributes = 0xa0fb, .limit = 0xffffffff, .base = 0};
        s.tr = {.selector = 0x40, .attributes = 0x8b, .limit = 0x67, .base = 0x2000};
        s.idtr.limit = 0;
        s.cr0 = protection_paging;
        s.cr3 = pml4;
        s.cr4 = pae_fxsr_exceptions_xsave;
        s.efer = long_mode_active;
        s.xcr0 = x86::xcr0_x87 | x86::xcr0_sse | x86::xcr0_avx;
        s.fpu.xmm[0].q = {step[0], step[1]};
        s.fpu.ymm_high[0].q = {step[2], step[3]};
        s.fpu.xmm[1].q = {first[0], first[1]};
        s.fpu.ymm_high[1].q = {first[2], first[3]};
        s.fpu.ymm_high[15].q = {~u64(0), 15};
        return s;
    }

    // Goes on from `from` until it has added at least `more` times.
    static x86::CpuState go_on(Vcpu& on, const x86::CpuState& from, u64 more)
    {
        x86::CpuState to = from;
        on.load(from);
        while (on.failure().empty() && to.gpr[0] < from.gpr[0] + more) {
            std::thread kicker([&] { on.kick(); });
            EXPECT_EQ(on.run(), VcpuExit::kicked);
            kicker.join();
            on.save(to);
        }
        EXPECT_EQ(on.failure(), "");
        return to;
    }

    static void expect_counted(const x86::CpuState& s)
    {
        constexpr u64 between = code_at + 4;    // added, and not counted yet
        const u64 times = s.gpr[0] + (s.rip == between);
        const std::array<u64, 4> sum{s.fpu.xmm[1].q[0], s.fpu.xmm[1].q[1], s.fpu.ymm_high[1].q[0], s.fpu.ymm_high[1].q[1]};
        for (unsigned n = 0; n < sum.size(); ++n)
            EXPECT_EQ(sum[n], first[n] + times * step[n]) << n;
        EXPECT_EQ(s.fpu.ymm_high[15], user_mode().fpu.ymm_high[15]);
        EXPECT_EQ(s.xcr0, user_mode().xcr0);
        EXPECT_EQ(s.cr4, user_mode().cr4);
    }
};

TEST_F(KvmExtendedState, GoesFromOneProcessorToTheOther)
{
    start(user_mode());
    if (!vcpu().failure().empty())
        GTEST_SKIP() << "This KVM shows guests no AVX: " << vcpu().failure();
    const x86::CpuState one = go_on(vcpu(0), user_mode(), 1000);
    expect_counted(one);
    vcpu(1).load(one);
    x86::CpuState other;
    vcpu(1).save(other);
    EXPECT_EQ(other.fpu, one.fpu);
    expect_counted(go_on(vcpu(1), one, 1000));
}

TEST_F(KvmExtendedState, GoesFromKvmToTheInterpreterAndBack)
{
    start(user_mode());
    if (!vcpu().failure().empty())
        GTEST_SKIP() << "This KVM shows guests no AVX: " << vcpu().failure();
    x86::CpuState s = user_mode();
    for (Vcpu* const on : {static_cast<Vcpu*>(&vcpu()), interpreter.get(), static_cast<Vcpu*>(&vcpu(1)), interpreter.get()}) {
        s = go_on(*on, s, 1000);
        expect_counted(s);
    }
}

// The registers' first state comes without their components in the image, SDM vol. 1, 13.6.
TEST_F(KvmExtendedState, ForgetsWhatWasThereBefore)
{
    start(user_mode());
    if (!vcpu().failure().empty())
        GTEST_SKIP() << "This KVM shows guests no AVX: " << vcpu().failure();
    x86::CpuState empty = user_mode();
    empty.fpu = {};
    start(empty);
    EXPECT_EQ(state().fpu, empty.fpu);
}

}
