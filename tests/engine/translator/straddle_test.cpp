// Code, run hot, that lies across two pages, while the second one changes under it; and data that does.
#include <gtest/gtest.h>

#include <vector>

#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;

namespace {

using Bytes = std::vector<u8>;

constexpr u64 program = 0x1000, handler = 0x1800, routine = 0x2ffc, second_page = 0x3000, other_page = 0x5000;
constexpr u64 idt = 0x6000, gdt = 0x6800, directory = 0x100000, table = 0x101000;
constexpr u64 second_entry = table + (second_page >> page_shift) * 4;
constexpr u32 rounds = 1000, present_writable = 3, global = 0x100;

const Bytes write_operand{0xc7, 0x05, 0x00, 0x30, 0x00, 0x00, 9, 0, 0, 0};    // mov dword [3000h], 9
// mov dword [second_entry], other_page | present_writable
const Bytes map_other_page{0xc7, 0x05, 0x0c, 0x10, 0x10, 0x00, 0x03, 0x50, 0x00, 0x00};
const Bytes unmap{0xc7, 0x05, 0x0c, 0x10, 0x10, 0x00, 0, 0, 0, 0};
const Bytes invlpg{0x0f, 0x01, 0x3d, 0x00, 0x30, 0x00, 0x00};    // invlpg [3000h]
const Bytes reload_cr3{0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8};

Bytes operator+(Bytes a, const Bytes& b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

struct Straddle : ::testing::TestWithParam<bool> {
    Straddle()
    {
        m.begin_flat_32();
        m.state.cr0 |= u64(1) << 31;
        m.state.cr4 = 0x80;    // global pages
        m.state.cr3 = directory;
        m.state.gpr[x86::rax] = m.state.gpr[x86::rdx] = 0;
        put<u32>(directory, table | present_writable);
        for (u32 page = 0; page < 512; ++page)
            put<u32>(table + page * 4, page << page_shift | present_writable);
        put<u64>(gdt + 8, 0x00cf9b000000ffff);
        put<u64>(gdt + 16, 0x00cf93000000ffff);
        m.state.gdtr = {.base = gdt, .limit = 23};
        put<u64>(idt + 14 * 8, 0x00008e0000080000 | handler);
        m.state.idtr = {.base = idt, .limit = 0x7f};
        // mov ebx, cr2; out 80h, al; hlt
        write(handler, {0x0f, 0x20, 0xd3, 0xe6, 0x80, 0xf4});
        // L: add eax, ecx; add edx, 7; dec ecx; jnz L; ret
        write(routine, {0x01, 0xc8, 0x81, 0xc2, 7, 0, 0, 0, 0x49, 0x75, 0xf5, 0xc3});
        std::memcpy(m.at(other_page), m.at(second_page), page_size);
        *m.at(other_page) = 9;
    }
    template <class T> void put(u64 at, T value) { std::memcpy(m.at(at), &value, sizeof value); }
    void write(u64 at, const Bytes& bytes) { std::memcpy(m.at(at), bytes.data(), bytes.size()); }
    // The routine, `change`, the routine again.
    void run_twice(const Bytes& change)
    {
        const Bytes set_ecx{0xb9, 0xe8, 0x03, 0, 0};
        Bytes code = set_ecx + call_from(program + 5) + change + set_ecx;
        code = code + call_from(program + code.size()) + Bytes{0xe6, 0x80, 0xf4};
        write(program, code);
        ASSERT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
    }
    static Bytes call_from(u64 at)
    {
        const u64 displacement = routine - (at + 5);
        return {0xe8, u8(displacement), u8(displacement >> 8), u8(displacement >> 16), u8(displacement >> 24)};
    }

    BareMachine m{
        GetParam() ? BareMachine::MakeTier([](x86::Cpu& c) { return translator::make_x86_tier(c, {.hot = 2}); })
                   : BareMachine::MakeTier{}};
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
    run_twice(map_other_page + invlpg);
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
    run_twice(unmap + invlpg);
    EXPECT_EQ(m.state.gpr[x86::rbx], second_page);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * 7);
    EXPECT_EQ(m.state.gpr[x86::rcx], rounds);
}

TEST_P(Straddle, going_back_to_the_first_second_page_is_heeded)
{
    const Bytes map_first_page{0xc7, 0x05, 0x0c, 0x10, 0x10, 0x00, 0x03, 0x30, 0x00, 0x00};
    const Bytes set_ecx{0xb9, 0xe8, 0x03, 0, 0};
    Bytes change = map_other_page + invlpg + set_ecx;
    change = change + call_from(program + 10 + change.size()) + map_first_page + invlpg;
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
