// Jumps by address, run hot, in one address space after another.
#include "tests/engine/translator/paged_machine.h"

using namespace engine;

namespace {

constexpr u64 page = 0x2000, other_page = 0x5000, second_directory = 0x103000, second_table = 0x102000;
constexpr u32 blocks = 32, block_size = 16, turns = 100;

struct JumpTable : PagedMachine {
    JumpTable()
    {
        // Each but the last: add edx, 7; add eax, block_size; jmp eax
        for (u32 n = 0; n < blocks; ++n)
            write(page + u64(n) * block_size, {0x83, 0xc2, 7, 0x83, 0xc0, block_size, 0xff, 0xe0});
        write(page + u64(blocks) * block_size, {0xc3});
        std::memcpy(m.at(other_page), m.at(page), page_size);
        for (u32 n = 0; n < blocks; ++n)
            *m.at(other_page + u64(n) * block_size + 2) = 9;
        std::memcpy(m.at(second_table), m.at(table), page_size);
        put<u32>(second_directory, second_table | present_writable);
    }
    // So often, `first` and `second`, and all blocks after each.
    void run_in_turns(const Bytes& first, const Bytes& second)
    {
        Bytes code = Bytes{0xbe} + dword(turns);    // mov esi, turns
        const std::size_t loop = code.size();
        for (const Bytes& change : {first, second}) {
            code = code + change + Bytes{0xb8} + dword(page);    // mov eax, page
            code = code + call(program + code.size(), page);
        }
        code = code + Bytes{0x4e, 0x0f, 0x85};    // dec esi; jnz loop
        run(code + dword(loop - (code.size() + 4)) + stop());
    }
    void expect_exits(u64 most)
    {
        if (GetParam()) {
            EXPECT_LT(m.vcpu->translator_counts().runs, most);
        }
    }
};

}

TEST_P(JumpTable, targets_on_a_page_that_was_found_again_are_good_again)
{
    run_in_turns(load_cr3(directory), load_cr3(second_directory));
    EXPECT_EQ(m.state.gpr[x86::rdx], turns * 2 * blocks * 7);
    expect_exits(u64(turns) * 2 * 8 + blocks * 4);
}

TEST_P(JumpTable, two_address_spaces_go_two_ways)
{
    map(second_table, page, other_page);
    run_in_turns(load_cr3(directory), load_cr3(second_directory));
    EXPECT_EQ(m.state.gpr[x86::rdx], turns * blocks * (7 + 9));
}

TEST_P(JumpTable, another_page_is_heeded_after_invlpg)
{
    run_in_turns(
        store_entry(page, page | present_writable) + invlpg(page),
        store_entry(page, other_page | present_writable) + invlpg(page));
    EXPECT_EQ(m.state.gpr[x86::rdx], turns * blocks * (7 + 9));
}

// Whether it had been made code before the other flush or after it.
TEST_P(JumpTable, a_page_is_known_for_code_past_the_flush_of_another)
{
    run_in_turns(
        store_entry(page, page | present_writable) + invlpg(page),
        invlpg(program) + store_entry(page, other_page | present_writable) + invlpg(page));
    EXPECT_EQ(m.state.gpr[x86::rdx], turns * blocks * (7 + 9));
}

TEST_P(JumpTable, a_page_that_is_gone_faults_there)
{
    map(second_table, page, page);
    put<u32>(second_table + (page >> page_shift) * 4, 0);
    run_in_turns(load_cr3(directory), load_cr3(second_directory));
    EXPECT_EQ(m.state.gpr[x86::rbx], page);
    EXPECT_EQ(m.state.gpr[x86::rdx], blocks * 7);
}

TEST_P(JumpTable, a_store_into_a_target_is_heeded_in_the_other_address_space)
{
    run_in_turns(load_cr3(directory) + store(page + 2, 0x10c08307), load_cr3(second_directory) + store(page + 2, 0x10c08309));
    EXPECT_EQ(m.state.gpr[x86::rdx], turns * (2 * blocks * 7 + 2));
}

INSTANTIATE_TEST_SUITE_P(Interpreted, JumpTable, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Translated, JumpTable, ::testing::Values(true));
