// Calls by way of a jump that stands alone and has its target from memory, as a linker's stubs do, while one thing after the other
// changes on the way.
#include "tests/engine/translator/long_paged_machine.h"

using namespace engine;

namespace {

constexpr u64 caller = 0x2000, stub = 0x3020, function = 0x4000, other_function = 0x5000, slots = 0x10000, slot = slots + 0x40,
              other_slot = slots + 0x80, copies = 0x20000;

struct LinkerStubs : LongPagedMachine {
    LinkerStubs()
    {
        write(caller, call(caller, stub) + Bytes{0x31, 0xc0, 0xc3});    // call stub; xor eax, eax; ret
        write_stub(stub, slot);
        write(function, add_edx(7) + ret);
        write(other_function, add_edx(9) + ret);
        put<u64>(slot, function);
        put<u64>(other_slot, other_function);
        // A kernel's code is looked for on global pages first.
        for (const u64 page : {program, caller, stub & ~page_mask, function, other_function})
            put<u64>(table + (page >> page_shift) * 8, page | present_writable | global);
    }
    void write_stub(u64 at, u64 by_slot)
    {
        const Bytes endbr{0xf3, 0x0f, 0x1e, 0xfa};
        write_by_rip(at, endbr, ByRip{{0xff, 0x25}, by_slot});
    }
    static Bytes call(u64 from, u64 to) { return Bytes{0xe8} + dword(to - (from + 5)); }
    static Bytes add_edx(u32 value) { return Bytes{0x81, 0xc2} + dword(value); }
    // mov dword [at], value
    static Bytes store(u64 at, u64 value) { return Bytes{0xc7, 0x04, 0x25} + dword(at) + dword(value); }
    static Bytes map_again(u64 linear, u64 physical)
    {
        return store_entry(linear, physical | present_writable | global) + invlpg(linear);
    }
    // The stub is known by the time that the caller is translated.
    void call_before_and_after(const Bytes& change)
    {
        run(call_often(call_often(call_often({}, {stub}, 10), {caller}) + change, {caller}));
    }
    void expect_edx(u32 before, u32 after) { EXPECT_EQ(m.state.gpr[x86::rdx], 10 * 7 + rounds * (before + after)); }

    const Bytes ret{0xc3};
};

}

TEST_P(LinkerStubs, calls_arrive_and_come_back)
{
    call_before_and_after({});
    expect_edx(7, 7);
    if (GetParam()) {
        EXPECT_LT(m.vcpu->translator_counts().runs, 100u);
    }
}

TEST_P(LinkerStubs, a_store_into_the_slot_is_heeded)
{
    call_before_and_after(store(slot, other_function));
    expect_edx(7, 9);
}

TEST_P(LinkerStubs, a_slot_may_hold_another_target_each_time)
{
    const Bytes change_slot = Bytes{0x80, 0x34, 0x25} + dword(slot + 1) + Bytes{u8((function ^ other_function) >> 8)};    // xor
    write(function, add_edx(7) + change_slot + ret);
    write(other_function, add_edx(9) + change_slot + ret);
    run(call_often(call_often({}, {stub}, 10), {caller}));
    EXPECT_EQ(m.state.gpr[x86::rdx], (10 + rounds) / 2 * (7 + 9));
}

TEST_P(LinkerStubs, a_store_into_the_stub_is_heeded)
{
    const u64 operand = stub + 4 + 2;
    call_before_and_after(store(operand, other_slot - (operand + 4)));
    expect_edx(7, 9);
}

TEST_P(LinkerStubs, a_store_into_the_function_is_heeded)
{
    call_before_and_after(store(function + 2, 11));
    expect_edx(7, 11);
}

TEST_P(LinkerStubs, another_page_for_the_stub_is_heeded)
{
    write_stub(copies + (stub & page_mask), other_slot + copies - (stub & ~page_mask));
    call_before_and_after(map_again(stub & ~page_mask, copies));
    expect_edx(7, 9);
}

TEST_P(LinkerStubs, another_page_for_the_slot_is_heeded)
{
    put<u64>(copies + (slot & page_mask), other_function);
    call_before_and_after(map_again(slots, copies));
    expect_edx(7, 9);
}

TEST_P(LinkerStubs, another_page_for_the_function_is_heeded)
{
    call_before_and_after(map_again(function, other_function));
    expect_edx(7, 9);
}

TEST_P(LinkerStubs, a_slot_that_is_gone_faults_in_the_stub)
{
    call_before_and_after(store_entry(slots, 0) + invlpg(slots));
    EXPECT_EQ(m.state.gpr[x86::rbx], slot);
    EXPECT_EQ(m.state.gpr[x86::rdx], 10 * 7 + rounds * 7);
    // The fault's frame: the error code, RIP.
    u64 rip = 0;
    std::memcpy(&rip, m.at(m.state.gpr[x86::rsp] + 8), sizeof rip);
    EXPECT_EQ(rip, stub + 4);
}

TEST_P(LinkerStubs, a_function_that_is_gone_faults_there)
{
    call_before_and_after(store_entry(function, 0) + invlpg(function));
    EXPECT_EQ(m.state.gpr[x86::rbx], function);
    EXPECT_EQ(m.state.gpr[x86::rdx], 10 * 7 + rounds * 7);
}

TEST_P(LinkerStubs, a_target_that_is_not_canonical_faults)
{
    call_before_and_after(store(slot + 4, 0x00800000));
    EXPECT_EQ(m.state.gpr[x86::rbx], 13u);
    EXPECT_EQ(m.state.gpr[x86::rdx], 10 * 7 + rounds * 7);
}

TEST_P(LinkerStubs, jumps_go_that_way_too)
{
    write(caller, Bytes{0xe9} + dword(stub - (caller + 5)));
    call_before_and_after(store(slot, other_function));
    expect_edx(7, 9);
}

TEST_P(LinkerStubs, the_same_code_at_two_addresses_goes_two_ways)
{
    constexpr u64 twins = 0x80000;    // bytes further on
    for (u64 page = caller; page < slots; page += page_size)
        put<u64>(table + ((twins + page) >> page_shift) * 8, page | present_writable | global);
    map(twins + slots, copies);
    put<u64>(copies + (slot & page_mask), other_function);
    run(call_often(call_often({}, {stub, twins + stub}, 10), {caller, twins + caller}));
    EXPECT_EQ(m.state.gpr[x86::rdx], (10 + rounds) * (7 + 9));
}

INSTANTIATE_TEST_SUITE_P(Interpreted, LinkerStubs, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Translated, LinkerStubs, ::testing::Values(true));
