#include "engine/translator/lockstep_tier.h"

#include <gtest/gtest.h>

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
