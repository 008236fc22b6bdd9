// Protection keys in 64-bit mode, on pages whose translations are warm.
#include "engine/cpu/x86/protection_keys.h"

#include <gtest/gtest.h>

#include "engine/cpu/x86/cpuid.h"
#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;
using namespace engine::x86;

namespace {

constexpr u64 program = 0x1000, handler = 0x1800, idt = 0x6000, gdt = 0x6800, tables = 0x100000;
constexpr u64 keyed_page = 0x20000, plain_page = 0x21000;    // the user's
constexpr u64 present = 1, writable = 2, user = 4;
constexpr u32 no_access_key_0 = 1, no_access_key_1 = 4, no_write_key_1 = 8;
constexpr u64 error_present = 1, error_write = 2, error_key = 32;
const std::initializer_list<u8> read_keyed{0x48, 0x8b, 0x06}, write_keyed{0x48, 0x89, 0x06}, read_plain{0x48, 0x8b, 0x07};

// The parameter: with the translator.
struct ProtectionKeysTest : ::testing::TestWithParam<bool> {
    ProtectionKeysTest()
    {
        for (u64 level = 0; level < 3; ++level)
            put(tables + level * page_size, (tables + (level + 1) * page_size) | present | writable | user);
        for (u64 page = 0; page < 512; ++page)
            put(tables + 3 * page_size + 8 * page, page << page_shift | present | writable);
        map(keyed_page, u64(1) << pte_key_shift);
        map(plain_page, 0);
        put(gdt + 8, 0x00af9b000000ffff);
        put(gdt + 16, 0x00cf93000000ffff);
        put(idt + 14 * 16, 0x00008e0000080000 | handler);
        m.place(handler, {0x5b, 0xe6, 0x80, 0xf4});    // pop rbx; out 80h, al; hlt
        CpuState& s = m.state;
        s.gdtr = {.base = gdt, .limit = 23};
        s.idtr = {.base = idt, .limit = 0xfff};
        s.cr0 = cr0_pe | cr0_pg | cr0_wp | cr0_ne;
        s.cr3 = tables;
        s.cr4 = cr4_pae | cr4_pke;
        s.efer = efer_lme | efer_lma;
        for (Segment& segment : s.segments)
            segment = {.selector = 16, .attributes = 0xc093, .limit = 0xffffffff, .base = 0};
        s.segments[cs] = {.selector = 8, .attributes = 0xa09b, .limit = 0xffffffff, .base = 0};
        s.gpr[rsi] = keyed_page;
        s.gpr[rdi] = plain_page;
        s.gpr[rbx] = 0;
    }
    void put(u64 at, u64 value) { std::memcpy(m.at(at), &value, sizeof value); }
    void map(u64 page, u64 bits)
    {
        put(tables + 3 * page_size + 8 * (page >> page_shift), page | present | writable | user | bits);
    }

    // Reads and writes both pages until that is quick, changes PKRU, and does `last`; the page fault's error code, 0 for none.
    u64 error_after(u32 pkru, std::initializer_list<u8> last)
    {
        m.state.rip = program;
        m.state.gpr[rbp] = 1000;
        // L: mov rax, [rsi]; mov [rsi], rax; mov rax, [rdi]; mov [rdi], rax; dec ebp; jnz L
        m.place(program, {0x48, 0x8b, 0x06, 0x48, 0x89, 0x06, 0x48, 0x8b, 0x07, 0x48, 0x89, 0x07, 0xff, 0xcd, 0x75, 0xf0});
        // mov eax, pkru; xor ecx, ecx; xor edx, edx; wrpkru
        m.place(program + 16, {0xb8, u8(pkru), 0, 0, 0, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xef});
        m.place(program + 28, last);
        m.place(program + 31, {0xe6, 0x80, 0xf4});
        EXPECT_EQ(m.run(), VcpuExit::kicked);
        return m.state.gpr[rbx];
    }

    BareMachine m{
        GetParam() ? BareMachine::MakeTier([](Cpu& c) { return translator::make_x86_tier(c, {.hot = 2}); })
                   : BareMachine::MakeTier{}};
};

}

TEST_P(ProtectionKeysTest, a_key_without_access_faults)
{
    EXPECT_EQ(error_after(no_access_key_1, read_keyed), error_present | error_key);
    EXPECT_EQ(m.state.cr2, keyed_page);
}

TEST_P(ProtectionKeysTest, a_key_without_write_access_lets_reads_through)
{
    EXPECT_EQ(error_after(no_write_key_1, read_keyed), 0u);
}

TEST_P(ProtectionKeysTest, a_key_without_write_access_stops_writes)
{
    EXPECT_EQ(error_after(no_write_key_1, write_keyed), error_present | error_write | error_key);
}

TEST_P(ProtectionKeysTest, the_supervisor_writes_where_it_may_write_to_all)
{
    m.state.cr0 &= ~cr0_wp;
    EXPECT_EQ(error_after(no_write_key_1, write_keyed), 0u);
}

TEST_P(ProtectionKeysTest, other_keys_stay_as_they_are)
{
    EXPECT_EQ(error_after(no_access_key_1, read_plain), 0u);
}

TEST_P(ProtectionKeysTest, key_0_is_a_key)
{
    EXPECT_EQ(error_after(no_access_key_0, read_plain), error_present | error_key);
}

TEST_P(ProtectionKeysTest, the_supervisors_pages_have_none)
{
    map(keyed_page, u64(1) << pte_key_shift);
    put(tables + 3 * page_size + 8 * (keyed_page >> page_shift), keyed_page | present | writable | u64(1) << pte_key_shift);
    EXPECT_EQ(error_after(no_access_key_1, read_keyed), 0u);
}

INSTANTIATE_TEST_SUITE_P(OnEither, ProtectionKeysTest, ::testing::Bool());

TEST(CpuFeatures, a_machine_that_began_without_them_goes_on_without)
{
    CpuModel older, newer;
    older.features = host_features();
    newer.features = most_features();
    const CpuidContext with_keys{.ospke = true};
    constexpr u32 pku = 1 << 3, ospke = 1 << 4, tsc_adjust = 1 << 1, serialize = 1 << 14, xsaves = 1 << 3;
    EXPECT_EQ(cpuid(older, {}, 7, 0).ecx & pku, 0u);
    EXPECT_EQ(cpuid(older, {}, 7, 0).ebx & tsc_adjust, 0u);
    EXPECT_EQ(cpuid(older, {}, 7, 0).edx & serialize, 0u);
    EXPECT_EQ(cpuid(older, {}, 0xd, 1).eax & xsaves, 0u);
    EXPECT_EQ(cpuid(older, {}, 0xd, 9).eax, 0u);
    EXPECT_EQ(cpuid(newer, with_keys, 7, 0).ecx & (pku | ospke), pku | ospke);
    EXPECT_EQ(cpuid(newer, {}, 7, 0).ecx & ospke, 0u);
    EXPECT_EQ(cpuid(newer, {}, 0xd, 9).ebx, xsave_pkru.at);
    u32 shown = 0;
    for (const auto& [leaf, subleaf] : {std::pair{1u, 0u}, {7u, 0u}, {0xdu, 1u}})
        shown |= features_shown(leaf, subleaf, cpuid(newer, {}, leaf, subleaf));
    EXPECT_EQ(shown, newer.features);
    EXPECT_EQ(usual_features() & ~newer.features, 0u);
    EXPECT_EQ(usual_features() & avx512_features, 0u);
    EXPECT_EQ(usual_features() & (host_features() | feature_tsc_adjust), host_features() | feature_tsc_adjust);
}
