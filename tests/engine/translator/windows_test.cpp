// Accesses that have a window on the soft TLB each, while what lies behind their addresses changes.
#include "tests/engine/translator/paged_machine.h"

using namespace engine;

namespace {

constexpr u64 reader = 0x2000, writer = 0x3000, walker = 0x4000, data = 0x10000, other_data = 0x20000;
constexpr u32 rounds = 300;

struct Windows : PagedMachine {
    Windows() : PagedMachine({.hot = 2, .busy_at_once = true})
    {
        m.state.cr0 |= write_protect;
        // mov eax, [esi]; add edx, eax; ret
        write(reader, {0x8b, 0x06, 0x01, 0xc2, 0xc3});
        // mov [esi], edx; ret
        write(writer, {0x89, 0x16, 0xc3});
        // mov eax, [esi]; add edx, eax; xor esi, data ^ other_data; ret
        write(walker, Bytes{0x8b, 0x06, 0x01, 0xc2, 0x81, 0xf6} + dword(data ^ other_data) + Bytes{0xc3});
        put<u32>(data, 7);
        put<u32>(other_data, 9);
    }
    static Bytes set_esi(u64 value) { return Bytes{0xbe} + dword(value); }
    static Bytes set_edx(u64 value) { return Bytes{0xba} + dword(value); }
    // mov ecx, times; L: call routine; dec ecx; jnz L. The program so far is `before`.
    static Bytes call_often(const Bytes& before, u64 routine, u32 times = rounds)
    {
        const Bytes code = before + set_ecx(times);
        return code + call(program + code.size(), routine) + Bytes{0x49, 0x75, 0xf8};
    }
    void read_before_and_after(const Bytes& change)
    {
        run(call_often(call_often(set_esi(data), reader) + change, reader) + stop());
    }

    static constexpr u32 write_protect = 1 << 16, present = 1;
};

}

TEST_P(Windows, a_page_is_another_after_invlpg)
{
    read_before_and_after(store_entry(data, other_data | present_writable) + invlpg(data));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
}

TEST_P(Windows, a_page_is_another_in_another_address_space)
{
    read_before_and_after(store_entry(data, other_data | present_writable) + load_cr3(directory));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
}

TEST_P(Windows, a_page_that_is_gone_faults)
{
    read_before_and_after(store_entry(data, 0) + invlpg(data));
    EXPECT_EQ(m.state.gpr[x86::rbx], data);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * 7);
}

TEST_P(Windows, a_page_that_may_only_be_read_is_not_written)
{
    const Bytes change = set_edx(2) + store_entry(data, data | present) + invlpg(data);
    run(call_often(call_often(set_esi(data) + set_edx(1), writer) + change, writer) + stop());
    EXPECT_EQ(m.state.gpr[x86::rbx], data);
    EXPECT_EQ(*m.at(data), 1);
}

TEST_P(Windows, an_access_may_go_to_and_fro)
{
    constexpr u32 often = 3 * x86::TlbWindow::most_misses;
    run(call_often(set_esi(data), walker, often) + stop());
    EXPECT_EQ(m.state.gpr[x86::rdx], often / 2 * (7 + 9));
}

// Accesses that are checked together, a little further on in each round, on to a page that is not the next in memory.
TEST_P(Windows, a_span_may_end_with_the_page_or_leave_it)
{
    constexpr u32 steps = 128, step = 4, begin = data + 0x1000 - steps / 2 * step;
    map(table, data + 0x1000, other_data);
    // mov [esi], edx; mov [esi+28], edx; add edi, [esi+28]; add esi, 4; ret
    write(writer, {0x89, 0x16, 0x89, 0x56, 0x1c, 0x03, 0x7e, 0x1c, 0x83, 0xc6, 0x04, 0xc3});
    m.state.gpr[x86::rdi] = 0;
    run(call_often(set_esi(begin) + set_edx(0x01020304), writer, steps) + stop());
    EXPECT_EQ(m.state.gpr[x86::rdi], steps * 0x01020304);
    for (u32 n = 0; n < steps; ++n) {
        u32 there = 0;
        const u32 at = begin + n * step;
        std::memcpy(&there, m.at(at < data + 0x1000 ? at : other_data + (at & 0xfff)), sizeof there);
        EXPECT_EQ(there, 0x01020304u) << n;
    }
}

TEST_P(Windows, a_stack_may_end_with_the_page_or_leave_it)
{
    constexpr u32 steps = 128, step = 4, top = data + 0x1000 + steps / 2 * step;
    map(table, data + 0x1000, other_data);
    // mov esp, top; mov ecx, steps; L: push edx (six times); add esp, 20; dec ecx; jnz L
    const Bytes pushes(6, 0x52);
    run(Bytes{0xbc} + dword(top) + set_edx(0x01020304) + set_ecx(steps) + pushes + Bytes{0x83, 0xc4, 0x14, 0x49, 0x75, 0xf4}
        + stop());
    EXPECT_EQ(m.state.gpr[x86::rsp], top - steps * step);
    for (u32 n = 0; n < steps; ++n) {
        u32 there = 0;
        const u32 at = top - (n + 1) * step;
        std::memcpy(&there, m.at(at < data + 0x1000 ? at : other_data + (at & 0xfff)), sizeof there);
        EXPECT_EQ(there, 0x01020304u) << n;
    }
}

// Two links of a chain on two pages, the last of which is on one that is taken away.
TEST_P(Windows, a_chain_of_loads_is_followed)
{
    put<u32>(data, other_data);
    put<u32>(other_data, data + 8);
    put<u32>(data + 8, other_data + 8);
    put<u32>(other_data + 8, data);
    // mov ecx, times; L: mov eax, [eax]; dec ecx; jnz L
    const auto follow = [](u32 times) { return set_ecx(times) + Bytes{0x8b, 0x00, 0x49, 0x75, 0xfb}; };
    constexpr u32 often = 6 * x86::TlbWindow::most_misses;
    run(Bytes{0xb8} + dword(data) + follow(often + 1) + store_entry(other_data, 0) + invlpg(other_data) + follow(1) + stop());
    EXPECT_EQ(m.state.gpr[x86::rax], other_data);
    EXPECT_EQ(m.state.gpr[x86::rbx], other_data);
}

TEST_P(Windows, code_is_written_where_data_was)
{
    // At `data`: mov eax, imm; add edi, eax; ret
    write(data, Bytes{0xb8} + dword(0) + Bytes{0x01, 0xc7, 0xc3});
    Bytes code = call_often(set_esi(data + 0x100), writer) + set_esi(data + 1);
    m.state.gpr[x86::rdi] = 0;
    for (const u32 value : {5, 6, 7})
        code = call_often(call_often(code + set_edx(value), writer), data);
    run(code + stop());
    EXPECT_EQ(m.state.gpr[x86::rdi], rounds * (5 + 6 + 7));
}

INSTANTIATE_TEST_SUITE_P(Interpreted, Windows, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Translated, Windows, ::testing::Values(true));
