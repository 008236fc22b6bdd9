// Jumps, run hot, from one page to another, while what lies behind the addresses changes.
#include "tests/engine/translator/paged_machine.h"

using namespace engine;

namespace {

constexpr u64 near_page = 0x2000, far_page = 0x3000, other_page = 0x5000, last_page = 0x4000;
constexpr u32 rounds = 1000;

struct FarJumps : PagedMachine {
    FarJumps()
    {
        // L: jmp far; back: dec ecx; jnz L; ret
        write(near_page, jump(near_page, far_page) + Bytes{0x49, 0x75, 0xf8, 0xc3});
        write(far_page, add_edx(7) + jump(far_page + 6, near_page + 5));
        copy_far_page();
    }
    static Bytes add_edx(u32 value) { return Bytes{0x81, 0xc2} + dword(value); }
    // With 9 for 7.
    void copy_far_page()
    {
        std::memcpy(m.at(other_page), m.at(far_page), page_size);
        *m.at(other_page + 2) = 9;
    }
    Bytes& call_near(Bytes& code, u64 page = near_page, u32 times = rounds)
    {
        code = code + set_ecx(times);
        return code = code + call(program + code.size(), page);
    }
    void run_twice(const Bytes& change)
    {
        Bytes code;
        code = call_near(code) + change;
        run(call_near(code) + stop());
    }
    // `first` and `second` in turns, with the routine after each.
    void run_in_turns(const Bytes& first, u64 first_page, const Bytes& second, u64 second_page)
    {
        Bytes code = Bytes{0xbe} + dword(turns);    // mov esi, turns
        const std::size_t loop = code.size();
        code = code + first;
        code = call_near(code, first_page, each) + second;
        code = call_near(code, second_page, each) + Bytes{0x4e, 0x0f, 0x85};    // dec esi; jnz loop
        code = code + dword(loop - (code.size() + 4));
        run(code + stop());
        EXPECT_EQ(m.state.gpr[x86::rdx], turns * each * (7 + 9));
    }
    void expect_linked(u64 most_exits)
    {
        if (GetParam()) {
            EXPECT_LT(m.vcpu->translator_counts().runs, most_exits);
        }
    }

    static constexpr u32 turns = 200, each = 40;
    const Bytes map_other_page = store_entry(far_page, other_page | present_writable);
};

}

TEST_P(FarJumps, they_stay_in_host_code)
{
    run_twice({});
    EXPECT_EQ(m.state.gpr[x86::rdx], 2 * rounds * 7);
    expect_linked(100);
}

TEST_P(FarJumps, a_store_into_the_target_is_heeded_and_linked_again)
{
    run_twice(store(far_page + 2, 9));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
    expect_linked(100);
}

TEST_P(FarJumps, a_store_into_the_jump_is_heeded)
{
    write(last_page, add_edx(1) + jump(last_page + 6, near_page + 5));
    run_twice(store(near_page + 1, last_page - (near_page + 5)));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 1));
}

TEST_P(FarJumps, another_page_is_heeded_after_invlpg)
{
    run_twice(map_other_page + invlpg(far_page));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
    expect_linked(100);
}

TEST_P(FarJumps, another_page_is_heeded_after_a_load_of_cr3)
{
    run_twice(map_other_page + load_cr3(directory));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
}

TEST_P(FarJumps, another_page_is_heeded_where_the_jump_is_on_a_global_one)
{
    put<u32>(table + 2 * 4, near_page | present_writable | global);
    run_twice(map_other_page + load_cr3(directory));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
}

TEST_P(FarJumps, a_page_that_is_gone_faults_there)
{
    run_twice(store_entry(far_page, 0) + invlpg(far_page));
    EXPECT_EQ(m.state.gpr[x86::rbx], far_page);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * 7);
    EXPECT_EQ(m.state.gpr[x86::rcx], rounds);
}

TEST_P(FarJumps, the_same_code_at_two_addresses_goes_two_ways)
{
    map(table, 0x12000, near_page);
    map(table, 0x13000, other_page);
    run_in_turns({}, near_page, {}, 0x12000);
    expect_linked(turns);
}

TEST_P(FarJumps, two_address_spaces_go_two_ways)
{
    constexpr u64 second_directory = 0x103000, second_table = 0x102000;
    std::memcpy(m.at(second_table), m.at(table), page_size);
    map(second_table, far_page, other_page);
    put<u32>(second_directory, second_table | present_writable);
    run_in_turns(load_cr3(directory), near_page, load_cr3(second_directory), near_page);
}

TEST_P(FarJumps, conditional_ones_go_both_ways)
{
    // L: dec ecx; jz last; jnz far
    write(
        near_page,
        Bytes{0x49, 0x0f, 0x84} + dword(last_page - (near_page + 7)) + Bytes{0x0f, 0x85} + dword(far_page - (near_page + 13)));
    write(far_page, add_edx(7) + jump(far_page + 6, near_page));
    write(last_page, {0xc3});
    copy_far_page();
    run_twice(map_other_page + invlpg(far_page));
    EXPECT_EQ(m.state.gpr[x86::rdx], (rounds - 1) * (7 + 9));
    expect_linked(100);
}

TEST_P(FarJumps, calls_come_back_to_the_next_page)
{
    // call far; dec ecx; jz done; jmp back to it; done: ret
    write(far_page - 5, call(far_page - 5, last_page) + Bytes{0x49, 0x74, 0x05} + jump(far_page + 3, far_page - 5) + Bytes{0xc3});
    write(near_page, jump(near_page, far_page - 5));
    write(last_page, add_edx(7) + Bytes{0xc3});
    run_twice({});
    EXPECT_EQ(m.state.gpr[x86::rdx], 2 * rounds * 7);
    expect_linked(100);
}

TEST_P(FarJumps, a_branch_to_itself_is_looked_at_once)
{
    // L: dec ecx; M: jo M; jnz L; ret
    write(near_page, {0x49, 0x70, 0xfe, 0x75, 0xfb, 0xc3});
    run_twice({});
    EXPECT_EQ(m.state.gpr[x86::rcx], 0u);
}

INSTANTIATE_TEST_SUITE_P(Interpreted, FarJumps, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Translated, FarJumps, ::testing::Values(true));
