// Calls and returns, run hot: what the host's own return stack is wrong about.
#include <gtest/gtest.h>

#include <vector>

#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;

namespace {

using Bytes = std::vector<u8>;

constexpr u64 program = 0x1000, routine = 0x3000, other_page = 0x5000, stack = 0x1f0000;
constexpr u64 directory = 0x100000, table = 0x101000;
constexpr u32 rounds = 1000, present_writable = 3;

struct Calls : ::testing::TestWithParam<bool> {
    Calls()
    {
        m.begin_flat_32();
        m.state.gpr[x86::rsp] = stack;
        m.state.gpr[x86::rax] = m.state.gpr[x86::rdx] = 0;
        m.state.gpr[x86::rcx] = rounds;
    }
    void write(u64 at, const Bytes& bytes) { std::memcpy(m.at(at), bytes.data(), bytes.size()); }
    void put(u64 at, u32 value) { std::memcpy(m.at(at), &value, sizeof value); }
    void run()
    {
        ASSERT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
        EXPECT_EQ(m.state.gpr[x86::rsp], stack);
    }

    BareMachine m{
        GetParam() ? BareMachine::MakeTier([](x86::Cpu& c) { return translator::make_x86_tier(c, {.hot = 2}); })
                   : BareMachine::MakeTier{}};
};

}

TEST_P(Calls, they_nest_deeper_than_the_host_remembers)
{
    constexpr u32 depth = 20000;
    m.state.gpr[x86::rcx] = depth;
    // call F; out 80h, al; hlt. F: dec ecx; jz L; call F; L: inc eax; ret
    write(program, {0xe8, 0xfb, 0x1f, 0, 0, 0xe6, 0x80, 0xf4});
    write(routine, {0x49, 0x74, 0x05, 0xe8, 0xf8, 0xff, 0xff, 0xff, 0x40, 0xc3});
    run();
    EXPECT_EQ(m.state.gpr[x86::rax], depth);
}

TEST_P(Calls, a_return_goes_where_its_address_was_changed_to)
{
    // L: call F; inc edx; M: inc eax; dec ecx; jnz L; out 80h, al; hlt. F: mov dword [esp], M; ret
    write(program, {0xe8, 0xfb, 0x1f, 0, 0, 0x42, 0x40, 0x49, 0x75, 0xf6, 0xe6, 0x80, 0xf4});
    write(routine, {0xc7, 0x04, 0x24, 0x06, 0x10, 0, 0, 0xc3});
    run();
    EXPECT_EQ(m.state.gpr[x86::rax], rounds);
    EXPECT_EQ(m.state.gpr[x86::rdx], 0u);
}

TEST_P(Calls, a_return_may_leave_several_behind)
{
    // L: call F; inc eax; dec ecx; jnz L; out 80h, al; hlt. F: call G; inc edx; ret. G: add esp, 4; ret
    write(program, {0xe8, 0xfb, 0x1f, 0, 0, 0x40, 0x49, 0x75, 0xf7, 0xe6, 0x80, 0xf4});
    write(routine, {0xe8, 0xfb, 0x0f, 0, 0, 0x42, 0xc3});
    write(routine + 0x1000, {0x83, 0xc4, 0x04, 0xc3});
    run();
    EXPECT_EQ(m.state.gpr[x86::rax], rounds);
    EXPECT_EQ(m.state.gpr[x86::rdx], 0u);
}

TEST_P(Calls, a_return_without_a_call_may_go_to_address_0)
{
    // L: push 0; ret. 0: inc eax; dec ecx; jnz L; out 80h, al; hlt
    write(program, {0x6a, 0x00, 0xc3});
    write(0, {0x40, 0x49, 0x0f, 0x85, 0xf8, 0x0f, 0, 0, 0xe6, 0x80, 0xf4});
    run();
    EXPECT_EQ(m.state.gpr[x86::rax], rounds);
}

TEST_P(Calls, a_call_that_only_asks_for_its_address_is_never_returned_from)
{
    // L: call M; M: pop eax; dec ecx; jnz L; out 80h, al; hlt
    write(program, {0xe8, 0, 0, 0, 0, 0x58, 0x49, 0x75, 0xf7, 0xe6, 0x80, 0xf4});
    run();
    EXPECT_EQ(m.state.gpr[x86::rax], program + 5);
}

TEST_P(Calls, what_the_callee_wrote_behind_the_call_is_heeded)
{
    // L: call F; M: add edx, 0; dec ecx; jnz L; out 80h, al; hlt. F: inc eax; and eax, 3; mov [M + 2], al; ret
    write(program, {0xe8, 0xfb, 0x1f, 0, 0, 0x83, 0xc2, 0x00, 0x49, 0x75, 0xf5, 0xe6, 0x80, 0xf4});
    write(routine, {0x40, 0x83, 0xe0, 0x03, 0xa2, 0x07, 0x10, 0, 0, 0xc3});
    run();
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds / 4 * (0 + 1 + 2 + 3));
}

TEST_P(Calls, another_page_behind_the_call_is_heeded)
{
    m.state.cr0 |= u64(1) << 31;
    m.state.cr3 = directory;
    put(directory, table | present_writable);
    for (u32 page = 0; page < 512; ++page)
        put(table + page * 4, page << page_shift | present_writable);
    // L: call F; add edx, 1; dec ecx; jnz L; out 80h, al; hlt
    write(program, {0xe8, 0xfb, 0x1f, 0, 0, 0x83, 0xc2, 0x01, 0x49, 0x75, 0xf5, 0xe6, 0x80, 0xf4});
    write(other_page, {0xe8, 0xfb, 0x1f, 0, 0, 0x83, 0xc2, 0x03, 0x49, 0x75, 0xf5, 0xe6, 0x80, 0xf4});
    // F: xor dword [entry of the program's page], 4000h; invlpg [program]; ret
    write(routine, {0x81, 0x35, 0x04, 0x10, 0x10, 0, 0, 0x40, 0, 0, 0x0f, 0x01, 0x3d, 0, 0x10, 0, 0, 0xc3});
    run();
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds / 2 * (3 + 1));
}

INSTANTIATE_TEST_SUITE_P(Interpreted, Calls, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Translated, Calls, ::testing::Values(true));
