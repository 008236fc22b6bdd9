// Code, run hot, that lies across two pages, while the second one changes under it; and data that does.
#include "tests/engine/translator/paged_machine.h"

using namespace engine;

namespace {

constexpr u64 routine = 0x2ffc, second_page = 0x3000, other_page = 0x5000;
constexpr u32 rounds = 1000;

struct Straddle : PagedMachine {
    Straddle()
    {
        // L: add eax, ecx; add edx, 7; dec ecx; jnz L; ret
        write(routine, {0x01, 0xc8, 0x81, 0xc2, 7, 0, 0, 0, 0x49, 0x75, 0xf5, 0xc3});
        std::memcpy(m.at(other_page), m.at(second_page), page_size);
        *m.at(other_page) = 9;
    }
    // The routine, `change`, the routine again.
    void run_twice(const Bytes& change)
    {
        Bytes code = set_ecx(rounds) + call(program + 5, routine) + change + set_ecx(rounds);
        code = code + call(program + code.size(), routine) + stop();
        run(code);
    }

    const Bytes write_operand = store(second_page, 9), map_other_page = store_entry(second_page, other_page | present_writable);
    const Bytes unmap = store_entry(second_page, 0), forget_page = invlpg(second_page);
    const Bytes reload_cr3{0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8};
};

}

TEST_P(Straddle, it_runs_as_host_code)
{
    run_twice({});
    EXPECT_EQ(m.state.gpr[x86::rdx], 2 * rounds * 7);
    EXPECT_EQ(m.state.gpr[x86::rax], rounds * (rounds + 1));
    if (GetParam()) {
        EXPECT_LT(m.vcpu->translator_counts().unlinked, rounds);
    }
}

TEST_P(Straddle, a_store_into_its_second_half_is_heeded)
{
    run_twice(write_operand);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
}

TEST_P(Straddle, another_second_page_is_heeded_after_invlpg)
{
    run_twice(map_other_page + forget_page);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
}

TEST_P(Straddle, another_second_page_is_heeded_after_a_load_of_cr3)
{
    run_twice(map_other_page + reload_cr3);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
}

TEST_P(Straddle, another_second_page_is_heeded_where_the_first_is_global)
{
    put<u32>(table + 2 * 4, 0x2000 | present_writable | global);
    run_twice(map_other_page + reload_cr3);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
}

TEST_P(Straddle, a_second_page_that_is_gone_faults_there)
{
    run_twice(unmap + forget_page);
    EXPECT_EQ(m.state.gpr[x86::rbx], second_page);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * 7);
    EXPECT_EQ(m.state.gpr[x86::rcx], rounds);
}

TEST_P(Straddle, going_back_to_the_first_second_page_is_heeded)
{
    const Bytes map_first_page = store_entry(second_page, second_page | present_writable);
    Bytes change = map_other_page + forget_page + set_ecx(rounds);
    change = change + call(program + 10 + change.size(), routine) + map_first_page + forget_page;
    run_twice(change);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9 + 7));
}

// The block loses its spans then, and is translated anew.
TEST_P(Straddle, a_block_whose_data_lies_apart_is_still_jumped_to)
{
    put<u32>(table + 4 * 4, other_page | present_writable);
    put<u32>(0x3fc0, 1);
    put<u32>(other_page + 0x40, 2);
    m.state.gpr[x86::rsi] = 0x3fc0;
    // L: add eax, [esi]; add eax, [esi+80h]; jmp M; M: dec ecx; jnz L; out 80h, al; hlt
    write(program, {0x03, 0x06, 0x03, 0x86, 0x80, 0, 0, 0, 0xeb, 0x00, 0x49, 0x75, 0xf3, 0xe6, 0x80, 0xf4});
    for (unsigned time = 1; time <= 3; ++time) {
        m.state.rip = program;
        m.state.gpr[x86::rcx] = rounds;
        ASSERT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
        EXPECT_EQ(m.state.gpr[x86::rax], 3 * rounds * time);
    }
    if (GetParam()) {
        EXPECT_LT(m.vcpu->translator_counts().runs, rounds);
    }
}

INSTANTIATE_TEST_SUITE_P(Interpreted, Straddle, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Translated, Straddle, ::testing::Values(true));
