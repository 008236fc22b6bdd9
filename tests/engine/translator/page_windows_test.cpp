// Operands that go by RIP: what a page of code finds on another page, while what lies there changes.
#include <gtest/gtest.h>

#include <vector>

#include "engine/translator/site_windows.h"
#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;

namespace {

using Bytes = std::vector<u8>;

Bytes operator+(Bytes a, const Bytes& b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

constexpr u64 reader = 0x2000, writer = 0x3000, data = 0x10000, other_data = 0x20000, twin = 0x40000;
constexpr u32 rounds = 300;

// In long mode, the first two MiB mapped to themselves in pages. A page fault stops it with CR2 in RBX, #GP with 13.
struct PageWindows : ::testing::TestWithParam<bool> {
    static constexpr u64 program = 0x1000, page_fault = 0x1800, protection = 0x1900, idt = 0x6000, gdt = 0x6800;
    static constexpr u64 tables = 0x100000, table = tables + 3 * page_size;
    static constexpr u32 present = 1, present_writable = 3;

    PageWindows()
        : m{GetParam() ? BareMachine::MakeTier(
                [](x86::Cpu& c) { return translator::make_x86_tier(c, {.hot = 2, .busy_at_once = true}); })
                       : BareMachine::MakeTier{}}
    {
        constexpr u64 pae_and_global = 0xa0, lme_lma = 0x500, paging_and_write_protect = 0x80010000, osfxsr = 0x200;
        m.begin_flat_32();
        m.state.segments[x86::cs].attributes = 0xa09b;
        m.state.cr0 |= paging_and_write_protect;
        m.state.cr3 = tables;
        m.state.cr4 = pae_and_global | osfxsr;
        m.state.efer = lme_lma;
        m.state.gpr[x86::rdx] = m.state.gpr[x86::rax] = 0;
        for (u64 level = 0; level < 3; ++level)
            put<u64>(tables + level * page_size, (tables + (level + 1) * page_size) | present_writable);
        for (u64 page = 0; page < 512; ++page)
            map(page << page_shift, page << page_shift);
        put<u64>(gdt + 8, 0x00af9b000000ffff);
        m.state.gdtr = {.base = gdt, .limit = 15};
        put<u64>(idt + 13 * 16, 0x00008e0000080000 | protection);
        put<u64>(idt + 14 * 16, 0x00008e0000080000 | page_fault);
        m.state.idtr = {.base = idt, .limit = 0xff};
        write(page_fault, Bytes{0x0f, 0x20, 0xd3} + stop());    // mov rbx, cr2
        write(protection, Bytes{0xbb} + dword(13) + stop());    // mov ebx, 13
        const Bytes add{0x01, 0xc2}, ret{0xc3};
        // mov eax, [data + 10h]; add edx, eax; add edx, [data + ffch]; ret
        write_by_rip(reader, ByRip{{0x8b, 0x05}, data + 0x10}, add, ByRip{{0x03, 0x15}, data + 0xffc}, ret);
        // mov [data], edx; ret
        write_by_rip(writer, ByRip{{0x89, 0x15}, data}, ret);
        fill(data, 7, 100);
        fill(other_data, 9, 200);
    }
    struct ByRip {    // an instruction without its displacement, and where its operand is
        Bytes bytes;
        u64 operand;
    };
    static Bytes encoded(u64, const Bytes& plain) { return plain; }
    static Bytes encoded(u64 at, const ByRip& i)
    {
        const u64 next = at + i.bytes.size() + 4;
        return i.bytes + dword(i.operand - next);
    }
    // Instructions behind each other, by RIP or not.
    template <class First, class... Rest> void write_by_rip(u64 at, const First& first, const Rest&... rest)
    {
        const Bytes bytes = encoded(at, first);
        write(at, bytes);
        if constexpr (sizeof...(rest) > 0)
            write_by_rip(at + bytes.size(), rest...);
    }

    template <class T> void put(u64 at, T value) { std::memcpy(m.at(at), &value, sizeof value); }
    void write(u64 at, const Bytes& bytes) { std::memcpy(m.at(at), bytes.data(), bytes.size()); }
    void map(u64 linear, u64 physical) { put<u64>(table + (linear >> page_shift) * 8, physical | present_writable); }
    void fill(u64 page, u32 first, u32 second)
    {
        put<u32>(page + 0x10, first);
        put<u32>(page + 0xffc, second);
    }

    static Bytes dword(u64 value) { return {u8(value), u8(value >> 8), u8(value >> 16), u8(value >> 24)}; }
    static Bytes set_edx(u64 value) { return Bytes{0xba} + dword(value); }
    // mov dword [], value
    static Bytes store_entry(u64 linear, u64 value)
    {
        return Bytes{0xc7, 0x04, 0x25} + dword(table + (linear >> page_shift) * 8) + dword(value);
    }
    static Bytes invlpg(u64 linear) { return Bytes{0x0f, 0x01, 0x3c, 0x25} + dword(linear); }
    static Bytes load_cr3() { return Bytes{0xb8} + dword(tables) + Bytes{0x0f, 0x22, 0xd8}; }    // by way of EAX
    static Bytes stop() { return {0xe6, 0x80, 0xf4}; }    // out 80h, al; hlt
    // mov ecx, times; L: call routines; dec ecx; jnz L. The program so far is `before`.
    static Bytes call_often(const Bytes& before, std::initializer_list<u64> routines, u32 times = rounds)
    {
        Bytes code = before + Bytes{0xb9} + dword(times);
        const std::size_t loop = code.size();
        for (const u64 routine : routines)
            code = code + Bytes{0xe8} + dword(routine - (program + code.size() + 5));
        code = code + Bytes{0xff, 0xc9, 0x0f, 0x85};
        return code + dword(loop - (code.size() + 4));
    }
    void run(const Bytes& code)
    {
        write(program, code + stop());
        m.state.rip = program;
        ASSERT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
    }
    void read_before_and_after(const Bytes& change) { run(call_often(call_often({}, {reader}) + change, {reader})); }

    BareMachine m;
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
