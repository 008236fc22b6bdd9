#include "engine/translator/lockstep_tier.h"

#include <gtest/gtest.h>

#include "engine/base/bits.h"
#include "engine/cpu/x86/access.h"
#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;

namespace {

// Host code that gets something wrong after so many blocks.
class WrongTier final : public x86::HostCodeTier {
public:
    using Spoil = void (*)(x86::Cpu&);
    WrongTier(x86::Cpu& c, Spoil spoil) : right_(translator::make_x86_tier(c, {.hot = 1, .linked = false})), spoil_(spoil) { }
    bool run(x86::Cpu& c, x86::Block& block) override
    {
        const bool ran = right_->run(c, block);
        if (ran && ++runs_ == 21)
            spoil_(c);
        return ran;
    }
    void left(x86::Cpu& c) override { right_->left(c); }
    void drop_stale(x86::Cpu& c) override { right_->drop_stale(c); }
    void clear(x86::Cpu& c) override { right_->clear(c); }

private:
    std::unique_ptr<HostCodeTier> right_;
    Spoil spoil_;
    unsigned runs_ = 0;
};

VcpuExit run(WrongTier::Spoil spoil, std::string& failure)
{
    BareMachine m{[&](x86::Cpu& c) { return translator::make_lockstep_tier(c, std::make_unique<WrongTier>(c, spoil)); }};
    m.begin_flat_32();
    m.state.gpr[x86::rcx] = 1000;
    m.state.gpr[x86::rsi] = 0x10000;
    // L: push ecx; lodsd; add eax, ecx; mov [esi+2000h], eax; pop ecx; jmp N; N: dec ecx; jnz L; out 80h, al; hlt
    m.place(
        0x1000,
        {0x51, 0xad, 0x01, 0xc8, 0x89, 0x86, 0x00, 0x20, 0x00, 0x00, 0x59, 0xeb, 0x00, 0x49, 0x75, 0xf0, 0xe6, 0x80, 0xf4});
    const VcpuExit exit = m.run();
    failure = m.vcpu->failure();
    return exit;
}

}

TEST(Lockstep, right_code_runs_to_its_end)
{
    std::string failure;
    EXPECT_EQ(run([](x86::Cpu&) {}, failure), VcpuExit::kicked);
    EXPECT_EQ(failure, "");
}

TEST(Lockstep, a_wrong_register_stops_the_guest)
{
    std::string failure;
    EXPECT_EQ(run([](x86::Cpu& c) { c.gpr[x86::rbx] ^= 4; }, failure), VcpuExit::failed);
    EXPECT_NE(failure, "");
}

TEST(Lockstep, a_wrong_word_in_memory_stops_the_guest)
{
    std::string failure;
    EXPECT_EQ(
        run(
            [](x86::Cpu& c) {
                // In the page of the last push.
                u8* const stack = x86::host_address(c, nullptr, 0x7ff0, 1, x86::Access::write);
                ++*stack;
            },
            failure),
        VcpuExit::failed);
    EXPECT_NE(failure, "");
}

TEST(Lockstep, a_wrong_place_to_go_on_stops_the_guest)
{
    std::string failure;
    EXPECT_EQ(run([](x86::Cpu& c) { c.gpr[x86::gpr_rip] += 1; }, failure), VcpuExit::failed);
}

// L: inc dword [esi]; rdtsc; dec dword [esi]; dec ecx; jnz L. What the interpreter has done until RDTSC is no change that
// the host code's run has made.
TEST(Lockstep, half_a_run_leaves_nothing_behind)
{
    BareMachine m{
        [](x86::Cpu& c) { return translator::make_lockstep_tier(c, translator::make_x86_tier(c, {.hot = 1, .linked = false})); }};
    m.begin_flat_32();
    m.state.gpr[x86::rcx] = 100;
    m.state.gpr[x86::rsi] = 0x10000;
    m.place(0x1000, {0xff, 0x06, 0x0f, 0x31, 0xff, 0x0e, 0x49, 0x75, 0xf7, 0xe6, 0x80, 0xf4});
    EXPECT_EQ(m.run(), VcpuExit::kicked);
    EXPECT_EQ(*m.at(0x10000), 0);
}

// The page of a block's stores is filled in the soft TLB while the block runs: the second store of each, and its rerun, hit.
TEST(Lockstep, stores_of_one_block_to_one_page_are_all_taken_back)
{
    BareMachine m{
        [](x86::Cpu& c) { return translator::make_lockstep_tier(c, translator::make_x86_tier(c, {.hot = 1, .linked = false})); }};
    m.begin_flat_32();
    m.state.gpr[x86::rcx] = 100;
    m.state.gpr[x86::rsi] = 0x10000;
    // L: inc dword [esi]; add [esi+8], ecx; add dword [esi], 2; push ecx; pop dword [esi+ecx*4+100h]; dec ecx; jnz L
    m.place(0x1000, {0xff, 0x06, 0x01, 0x4e, 0x08, 0x83, 0x06, 0x02, 0x51, 0x8f, 0x84, 0x8e,
                     0x00, 0x01, 0x00, 0x00, 0x49, 0x75, 0xed, 0xeb, 0x00, 0xe6, 0x80, 0xf4});
    EXPECT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
    EXPECT_EQ(load_le<u32>(m.at(0x10000)), 300u);
    EXPECT_EQ(load_le<u32>(m.at(0x10008)), 5050u);
    for (unsigned n = 1; n <= 100; ++n)
        EXPECT_EQ(load_le<u32>(m.at(0x10100 + 4 * n)), n);
}

TEST(Lockstep, code_that_changes_itself_is_followed)
{
    BareMachine m{
        [](x86::Cpu& c) { return translator::make_lockstep_tier(c, translator::make_x86_tier(c, {.hot = 1, .linked = false})); }};
    m.begin_flat_32();
    m.state.gpr[x86::rcx] = 100;
    // L: inc byte [I]; mov eax, 0 (I: its lowest byte); add ebx, eax; dec ecx; jnz L
    m.place(
        0x1000,
        {0xfe, 0x05, 0x07, 0x10, 0x00, 0x00, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x01, 0xc3, 0x49, 0x75, 0xf0, 0xe6, 0x80, 0xf4});
    EXPECT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
    EXPECT_EQ(m.state.gpr[x86::rbx], 5050u);
}

// A difference in a vector register, which nothing but the comparison of whole states finds.
TEST(Lockstep, a_wrong_vector_register_stops_the_guest)
{
    std::string failure;
    EXPECT_EQ(run([](x86::Cpu& c) { c.fpu.xmm[7].q[1] ^= 1; }, failure), VcpuExit::failed);
    EXPECT_EQ(run([](x86::Cpu& c) { c.fpu.ymm_high[15].q[0] ^= 1; }, failure), VcpuExit::failed);
}

TEST(Lockstep, a_wrong_system_register_stops_the_guest)
{
    std::string failure;
    EXPECT_EQ(run([](x86::Cpu& c) { c.seg[x86::gs].base ^= 1; }, failure), VcpuExit::failed);
    EXPECT_EQ(run([](x86::Cpu& c) { c.msr.kernel_gs_base ^= 1; }, failure), VcpuExit::failed);
    EXPECT_EQ(run([](x86::Cpu& c) { c.rflags_other ^= x86::flag_d; }, failure), VcpuExit::failed);
}
