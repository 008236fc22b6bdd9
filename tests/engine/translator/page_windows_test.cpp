// Operands that go by RIP: what a page of code finds on another page, while what lies there changes.
#include "engine/translator/site_windows.h"
#include "tests/engine/translator/long_paged_machine.h"

using namespace engine;

namespace {

constexpr u64 reader = 0x2000, writer = 0x3000, data = 0x10000, other_data = 0x20000, twin = 0x40000;

struct PageWindows : LongPagedMachine {
    PageWindows()
    {
        const Bytes add{0x01, 0xc2}, ret{0xc3};
        // mov eax, [data + 10h]; add edx, eax; add edx, [data + ffch]; ret
        write_by_rip(reader, ByRip{{0x8b, 0x05}, data + 0x10}, add, ByRip{{0x03, 0x15}, data + 0xffc}, ret);
        // mov [data], edx; ret
        write_by_rip(writer, ByRip{{0x89, 0x15}, data}, ret);
        fill(data, 7, 100);
        fill(other_data, 9, 200);
    }
    void fill(u64 page, u32 first, u32 second)
    {
        put<u32>(page + 0x10, first);
        put<u32>(page + 0xffc, second);
    }
    void read_before_and_after(const Bytes& change) { run(call_often(call_often({}, {reader}) + change, {reader})); }
};

}

TEST_P(PageWindows, a_page_is_another_after_invlpg)
{
    read_before_and_after(store_entry(data, other_data | present_writable) + invlpg(data));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 100 + 9 + 200));
}

TEST_P(PageWindows, a_page_is_another_in_another_address_space)
{
    read_before_and_after(store_entry(data, other_data | present_writable) + load_cr3());
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 100 + 9 + 200));
}

TEST_P(PageWindows, a_page_that_is_gone_faults_where_it_is_first_read)
{
    read_before_and_after(store_entry(data, 0) + invlpg(data));
    EXPECT_EQ(m.state.gpr[x86::rbx], data + 0x10);
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 100));
}

TEST_P(PageWindows, a_page_that_may_only_be_read_is_not_written)
{
    const Bytes change = set_edx(2) + store_entry(data, data | present) + invlpg(data);
    run(call_often(call_often(set_edx(1), {writer}) + change, {writer}));
    EXPECT_EQ(m.state.gpr[x86::rbx], data);
    EXPECT_EQ(*m.at(data), 1);
}

TEST_P(PageWindows, code_that_is_mapped_twice_finds_two_pages)
{
    map(twin, reader);
    map(twin - reader + data, other_data);
    run(call_often({}, {reader, twin}));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 100 + 9 + 200));
}

// A page of code that reads so many others that two of them get the same window, which one block reads.
TEST_P(PageWindows, pages_that_share_a_window_are_told_apart)
{
    constexpr u64 first = 0x5000, many = 0x5040, both = 0x5400, others = 0x50000;
    constexpr unsigned windows = translator::SiteWindows::page_windows / 32;
    const ByRip load{{0x8b, 0x05}, data + 0x10}, load_other{{0x8b, 0x05}, other_data + 0x10};    // mov eax, [...]
    const Bytes add{0x01, 0xc2}, ret{0xc3};
    write_by_rip(first, load, ret);
    u64 at = many;
    for (unsigned n = 1; n < windows; ++n, at += 6)
        write_by_rip(at, ByRip{{0x8b, 0x05}, others + n * page_size});
    write(at, ret);
    write_by_rip(both, load, add, load_other, add, ret);
    run(call_often(call_often(call_often({}, {first}), {many}), {both}));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (7 + 9));
}

TEST_P(PageWindows, code_is_written_where_data_was)
{
    // At `data`: mov eax, imm; add edi, eax; ret. The writer writes the immediate.
    write(data, Bytes{0xb8} + dword(0) + Bytes{0x01, 0xc7, 0xc3});
    write_by_rip(writer, ByRip{{0x89, 0x15}, data + 1}, Bytes{0xc3});
    m.state.gpr[x86::rdi] = 0;
    Bytes code;
    for (const u32 value : {5, 6, 7})
        code = call_often(call_often(code + set_edx(value), {writer}), {data});
    run(code);
    EXPECT_EQ(m.state.gpr[x86::rdi], rounds * (5 + 6 + 7));
}

// mov rax, [data + ffch]; shr rax, 32; add edx, eax; add edx, [data + 10h]; ret
TEST_P(PageWindows, what_lies_on_two_pages_is_read_from_both)
{
    const Bytes middle{0x48, 0xc1, 0xe8, 0x20, 0x01, 0xc2};
    write_by_rip(reader, ByRip{{0x48, 0x8b, 0x05}, data + 0xffc}, middle, ByRip{{0x03, 0x15}, data + 0x10}, Bytes{0xc3});
    put<u32>(data + page_size, 11);
    put<u32>(other_data, 13);
    const u64 behind = data + page_size;
    read_before_and_after(store_entry(behind, other_data | present_writable) + invlpg(behind));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * (11 + 7 + 13 + 7));
}

// movaps xmm0, [data + offset]; movd eax, xmm0; add edx, eax; ret
TEST_P(PageWindows, alignment_is_known_beforehand)
{
    const Bytes rest{0x66, 0x0f, 0x7e, 0xc0, 0x01, 0xc2, 0xc3};
    write_by_rip(reader, ByRip{{0x0f, 0x28, 0x05}, data + 0x10}, rest);
    write_by_rip(writer, ByRip{{0x0f, 0x28, 0x05}, data + 0x18}, rest);
    run(call_often(call_often({}, {reader}), {writer}));
    EXPECT_EQ(m.state.gpr[x86::rdx], rounds * 7);
    EXPECT_EQ(m.state.gpr[x86::rbx], 13u);
}

// lea rsi, [data]; mov eax, [data + 10h]; add eax, [data + ffch]; add [data + 20h], eax; add edx, [data + 20h]; ret
TEST_P(PageWindows, one_page_is_read_and_written)
{
    write_by_rip(
        reader, ByRip{{0x48, 0x8d, 0x35}, data}, ByRip{{0x8b, 0x05}, data + 0x10}, ByRip{{0x03, 0x05}, data + 0xffc},
        ByRip{{0x01, 0x05}, data + 0x20}, ByRip{{0x03, 0x15}, data + 0x20}, Bytes{0xc3});
    run(call_often({}, {reader}));
    EXPECT_EQ(m.state.gpr[x86::rsi], data);
    EXPECT_EQ(m.state.gpr[x86::rdx], 107 * rounds * (rounds + 1) / 2);
}

INSTANTIATE_TEST_SUITE_P(Interpreted, PageWindows, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Translated, PageWindows, ::testing::Values(true));
