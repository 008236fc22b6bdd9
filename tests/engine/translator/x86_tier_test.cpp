// What the translator tells of itself.
#include "engine/translator/x86_tier.h"

#include <random>

#include <gtest/gtest.h>

#include "engine/cpu/x86/cpuid.h"
#include "tests/engine/translator/long_mode.h"

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
    EXPECT_GE(counts.guest_bytes, 5u);
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
    ASSERT_GE(block->guest.size(), 5u);
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

// Repeated moves of any length, over page ends, onto themselves and down, with LOOP and JECXZ round them.
TEST_F(X86TierTest, repeated_moves_end_as_on_the_interpreter)
{
    constexpr u64 list = 0x2000, area = 0x10000, area_size = 0x8000;
    constexpr u32 entries = 200;
    std::mt19937 any(20);
    for (const u8 opcode : {0xa4, 0xa5, 0xaa, 0xab})
        for (const bool wide : {true, false}) {
            BareMachine interpreted, translated{[](x86::Cpu&c) { return translator::make_x86_tier(c, {.hot = 2}); }};
            std::vector<u32> numbers;
            for (u32 n = 0; n < entries; ++n) {
                numbers.push_back(any() % 8 ? any() % 300 : any() % 5000);
                numbers.push_back(u32(area + any() % area_size));
                numbers.push_back(any() % 4 ? u32(area + any() % area_size) : numbers.back() + any() % 16 - 8);
                // EFLAGS: every eighth time downwards.
                numbers.push_back(any() % 8 ? 2 : 0x402);
            }
            for (BareMachine* machine : {&interpreted, &translated}) {
                machine->begin_flat_32();
                // L: push [ebx+12]; popf; mov ecx, [ebx]; mov edi, [ebx+4]; mov esi, [ebx+8]; nop; rep movsb; add ebx, 16
                machine->place(start, {0xff, 0x73, 0x0c, 0x9d, 0x8b, 0x0b, 0x8b, 0x7b, 0x04, 0x8b, 0x73, 0x08});
                machine->place(start + 12, {u8(wide ? 0x90 : 0x66), 0xf3, opcode, 0x83, 0xc3, 0x10});
                // mov ecx, ebp; dec ebp; jecxz E; mov ecx, ebp; inc ecx; loop L; E: out 80h, al; hlt
                machine->place(start + 18, {0x89, 0xe9, 0x4d, 0xe3, 0x05, 0x89, 0xe9, 0x41, 0xe2, 0xe4, 0xe6, 0x80, 0xf4});
                std::memcpy(machine->at(list), numbers.data(), numbers.size() * sizeof(u32));
                for (u64 n = 0; n < 2 * area_size; ++n)
                    *machine->at(area + n) = u8(n * 37 >> 3);
                machine->state.gpr[x86::rax] = 0x12345678;
                machine->state.gpr[x86::rbx] = list;
                machine->state.gpr[x86::rbp] = entries;
                ASSERT_EQ(machine->run(), VcpuExit::kicked);
            }
            EXPECT_GT(translated.vcpu->translator_counts().runs, 0u);
            EXPECT_EQ(interpreted.state.gpr, translated.state.gpr);
            EXPECT_EQ(std::memcmp(interpreted.ram->data(), translated.ram->data(), interpreted.ram->size()), 0)
                << unsigned(opcode);
        }
}

// As a kernel does that was entered from a program.
TEST_F(X86TierTest, a_null_stack_segment_makes_no_new_blocks_in_64_bit_mode)
{
    const auto blocks = [](u8 to_ss) {
        BareMachine machine{[](x86::Cpu& c) { return translator::make_x86_tier(c, {.hot = 2}); }};
        machine.begin_flat_32();
        enter_long_mode(machine, false);
        machine.state.gpr[x86::rbx] = 20;
        // M: mov ecx, 20; L: dec ecx; jnz L; nop or mov ss, eax with 0; dec ebx; jnz M; out 80h, al; hlt
        machine.place(start, {0xb9, 20, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0x31, 0xc0, to_ss, u8(to_ss == 0x8e ? 0xd0 : 0x90)});
        machine.place(start + 13, {0xff, 0xcb, 0x75, 0xef, 0xe6, 0x80, 0xf4});
        EXPECT_EQ(machine.run(), VcpuExit::kicked);
        EXPECT_EQ(machine.state.gpr[x86::rbx], 0u);
        return machine.vcpu->translator_counts().blocks;
    };
    constexpr u8 nop = 0x90, mov_ss = 0x8e;
    // The load ends a block.
    EXPECT_LE(blocks(mov_ss), blocks(nop) + 1);
}

// The upper halves are all zero when the TLB is asked, and no longer when somebody next wants the registers.
TEST_F(X86TierTest, upper_halves_outlive_a_page_that_the_soft_tlb_lacks)
{
    if (!(x86::host_features() & x86::feature_avx2))
        GTEST_SKIP() << "the host has no AVX2";
    constexpr u64 from = 0x10000, to = 0x20000, osfxsr_and_osxsave = 0x40200;
    BareMachine machine{[](x86::Cpu& c) { return translator::make_x86_tier(c, {.hot = 2}); }};
    machine.begin_flat_32();
    machine.state.cr4 = osfxsr_and_osxsave;
    machine.state.xcr0 = 7;
    machine.state.gpr[x86::rbx] = from;
    machine.state.gpr[x86::rdi] = to;
    machine.state.gpr[x86::rcx] = 20;
    for (u64 n = 0; n < 32; ++n)
        *machine.at(from + n) = u8(n + 1);
    // L: mov eax, cr3; mov cr3, eax; vpxor ymm0, ymm0, ymm0; vmovdqu ymm1, [ebx]; vpaddb ymm0, ymm0, ymm1
    machine.place(
        start, {0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8, 0xc5, 0xfd, 0xef, 0xc0, 0xc5, 0xfe, 0x6f, 0x0b, 0xc5, 0xfd, 0xfc, 0xc1});
    // pushf; popf; vmovdqu [edi], ymm0; vzeroall; dec ecx; jnz L; out 80h, al; hlt
    machine.place(start + 18, {0x9c, 0x9d, 0xc5, 0xfe, 0x7f, 0x07, 0xc5, 0xfc, 0x77, 0x49, 0x75, 0xe2, 0xe6, 0x80, 0xf4});
    ASSERT_EQ(machine.run(), VcpuExit::kicked);
    EXPECT_EQ(std::memcmp(machine.at(from), machine.at(to), 32), 0);
}
