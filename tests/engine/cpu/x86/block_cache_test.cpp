// Decoded blocks that make room for others, and what their instructions are decoded to a second time.
#include "engine/cpu/x86/block_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "engine/base/bits.h"
#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;
using namespace engine::x86;

namespace {

constexpr u64 program = 0x10000, data = 0x8000, room = 1 << 20;
constexpr u64 no_memory = 0x400000;    // reads as ones
constexpr u64 smallest_ring = 2 << 20;

enum class With { interpreter, translator };

class BlockCacheTest : public ::testing::TestWithParam<With> {
protected:
    void SetUp() override
    {
        m.begin_flat_32();
        m.state.rip = program;
        m.state.gpr[rsp] = data;
        for (const Register r : {rax, rbx, rcx, rdx, rsi, rdi, rbp})
            m.state.gpr[r] = 0;
    }
    std::unique_ptr<HostCodeTier> make_tier(Cpu& c)
    {
        cpu = &c;
        c.blocks->set_budget(smallest_ring);
        return GetParam() == With::interpreter ? nullptr : translator::make_x86_tier(c, {.hot = 2, .kept_budget = 64 << 10});
    }

    void put(std::initializer_list<u8> bytes)
    {
        m.place(at, bytes);
        at += bytes.size();
    }
    void put_dword(u64 value)
    {
        std::memcpy(m.at(at), &value, 4);
        at += 4;
    }
    void put_stop() { put({0xe6, 0x80, 0xf4}); }    // out 80h, al; hlt

    Cpu* cpu = nullptr;
    BareMachine m{[this](Cpu& c) { return make_tier(c); }};
    u64 at = program;
};

std::string name_of(const ::testing::TestParamInfo<With>& info)
{
    return info.param == With::interpreter ? "interpreter" : "translator";
}

}

INSTANTIATE_TEST_SUITE_P(, BlockCacheTest, ::testing::Values(With::interpreter, With::translator), name_of);

// Some twenty thousand blocks, far more than there is room for, three times each.
TEST_P(BlockCacheTest, blocks_that_have_made_room_are_decoded_anew)
{
    constexpr u32 blocks = 20000, rounds = 3;
    put({0xbd});    // mov ebp, rounds
    put_dword(rounds);
    const u64 loop = at;
    for (u32 n = 0; n < blocks; ++n) {
        put({0x69, 0xc0});    // imul eax, eax, 1664525
        put_dword(1664525);
        put({0x05});    // add eax, n
        put_dword(n);
        put({0x31, 0x05});    // xor [data], eax
        put_dword(data);
        put({0xeb, 0x00});    // jmp to the next
    }
    put({0x4d, 0x0f, 0x85});    // dec ebp; jnz loop
    put_dword(loop - (at + 4));
    put_stop();
    ASSERT_LT(at, program + room);
    u32 eax = 0, memory = 0;
    for (u32 round = 0; round < rounds; ++round)
        for (u32 n = 0; n < blocks; ++n) {
            eax = eax * 1664525 + n;
            memory ^= eax;
        }

    ASSERT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
    EXPECT_EQ(u32(m.state.gpr[rax]), eax);
    EXPECT_EQ(load_le<u32>(m.at(data)), memory);
    EXPECT_GT(cpu->blocks->decoded(), 2 * blocks);
    if (GetParam() == With::translator) {
        EXPECT_GT(m.vcpu->translator_counts().regions_emptied, 0u);
    }
}

// The interpreter takes over in the middle of each, where there is no memory, and in the round after that the blocks that stood
// in their place have been dropped.
TEST_P(BlockCacheTest, the_rest_of_a_block_is_found_after_its_instructions_have_gone)
{
    constexpr u32 blocks = 3000, rounds = 6;
    put({0xbd});    // mov ebp, rounds
    put_dword(rounds);
    const u64 loop = at;
    for (u32 n = 0; n < blocks; ++n) {
        for (u32 nops = n % 7; nops; --nops)
            put({0x90});
        put({0x8b, 0x0e, 0x8d, 0x4c, 0x09, u8(n)});    // mov ecx, [esi]; lea ecx, [ecx + ecx + n]
        put({0x01, 0xc8, 0xc1, 0xc0, 0x03, 0xeb, 0x00});    // add eax, ecx; rol eax, 3; jmp to the next
    }
    // Memory in the first rounds, none in the last two.
    put({0x83, 0xfd, 0x04, 0x77, 0x05, 0xbe});    // cmp ebp, 4; ja over; mov esi, no_memory
    put_dword(no_memory);
    put({0x4d, 0x0f, 0x85});    // over: dec ebp; jnz loop
    put_dword(loop - (at + 4));
    put_stop();
    ASSERT_LT(at, program + room);
    m.state.gpr[rsi] = data;
    store_le<u32>(m.at(data), 77);
    u32 eax = 0, ebp = rounds, value = 77;
    for (; ebp; --ebp) {
        for (u32 n = 0; n < blocks; ++n)
            eax = std::rotl(eax + 2 * value + u32(i32(i8(n))), 3);
        if (ebp <= 4)
            value = ~u32(0);
    }

    ASSERT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
    EXPECT_EQ(u32(m.state.gpr[rax]), eax);
}

// Whatever the bytes are, also where an instruction is too long or none.
TEST_P(BlockCacheTest, decoding_again_gives_the_same)
{
    if (GetParam() == With::translator)
        GTEST_SKIP() << "the translator has no part in it";
    std::mt19937 random(386);
    m.vcpu->load(m.state);
    DecodedBlock again;
    for (unsigned round = 0; round < 30000; ++round) {
        u8* const bytes = m.at(program);
        const bool many_prefixes = random() % 4 == 0;
        constexpr u8 prefixes[]{0x66, 0x67, 0x2e, 0x3e, 0xf0, 0xf2, 0xf3, 0x64};
        for (unsigned n = 0; n < 1200; ++n)
            bytes[n] = many_prefixes && random() % 16 ? prefixes[random() % 8] : u8(random());
        m.ram->written(program, 1200);
        cpu->gpr[gpr_rip] = program;
        const u32 single = random() % 2 ? u32(mode_single) : 0;
        constexpr u32 modes[]{
            mode_16, mode_32 | mode_flat | mode_protected, mode_64 | mode_flat | mode_protected | mode_unprivileged};
        const Block* const block = cpu->blocks->find(*cpu, modes[random() % 3] | single);
        ASSERT_TRUE(block);
        ASSERT_TRUE(block->insns);
        std::memset(&again, 0xcc, sizeof again);
        decode_again(*block, again);
        ASSERT_EQ(std::memcmp(again.data(), block->insns, sizeof(Insn) * (block->count + 1u)), 0) << "round " << round;
    }
}
