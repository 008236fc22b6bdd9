// What the translator tells of itself.
#include "engine/translator/x86_tier.h"

#include <gtest/gtest.h>

#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;

namespace {

constexpr u64 start = 0x1000;

class X86TierTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        m.begin_flat_32();
        m.state.gpr[x86::rcx] = 1000;
        // L: add eax, ecx; dec ecx; jnz L; out 80h, al; hlt
        m.place(start, {0x01, 0xc8, 0x49, 0x75, 0xfb, 0xe6, 0x80, 0xf4});
        ASSERT_EQ(m.run(), VcpuExit::kicked);
    }
    BareMachine m{[](x86::Cpu& c) { return translator::make_x86_tier(c, {.hot = 2}); }};
};

}

TEST_F(X86TierTest, work_is_counted)
{
    const TranslatorCounts counts = m.vcpu->translator_counts();
    EXPECT_GE(counts.blocks, 1u);
    EXPECT_GE(counts.guest_bytes, 7u);
    EXPECT_GT(counts.host_bytes, counts.guest_bytes);
    EXPECT_GE(counts.runs, 1u);
    EXPECT_EQ(counts.pages_dropped, 0u);
}

TEST_F(X86TierTest, a_block_is_shown_from_any_address_within_it)
{
    const auto block = m.vcpu->translation_of(start + 3);
    ASSERT_TRUE(block);
    EXPECT_EQ(block->bits, 32u);
    EXPECT_EQ(block->guest_address, start);
    ASSERT_GE(block->guest.size(), 7u);
    EXPECT_EQ(block->guest[0], 0x01);
    EXPECT_FALSE(block->host.empty());
    ASSERT_GE(block->starts.size(), 3u);
    EXPECT_EQ(block->starts[1].guest, 2u);
    EXPECT_EQ(block->starts[2].guest, 3u);
    EXPECT_LT(block->starts[1].host, block->starts[2].host);
    EXPECT_LT(block->starts[2].host, block->host.size());
}

TEST_F(X86TierTest, code_that_was_never_run_has_no_translation)
{
    EXPECT_FALSE(m.vcpu->translation_of(0x3000));
    EXPECT_FALSE(m.vcpu->translation_of(0xffff'ffff'0000));
}
