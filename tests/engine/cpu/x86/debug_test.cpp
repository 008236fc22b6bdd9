// Breakpoints and single steps: which come, when, and what DR6 tells of them. SDM vol. 3, chapter 18.

#include <gtest/gtest.h>

#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;

namespace {

constexpr u64 trap_flag = 0x100, resume_flag = 0x10000;
constexpr u8 mark = 0xdb;

// The #DB handler sends the low byte of where it came from.
struct DebuggedMachine : BareMachine {
    DebuggedMachine()
    {
        place(4, {0x00, 0x12, 0x00, 0x00});
        place(0x1200, {0x58, 0xe6, 0x80, 0xf4});    // pop ax; out 80, al; hlt
        state.dr7 = 0x400;
    }
    void break_at(u64 linear)
    {
        state.dr[0] = linear;
        state.dr7 = 0x401;
    }
    void mark_in_handler() { place(0x1200, {0xb0, mark, 0xe6, 0x80, 0xf4}); }    // mov al, db; out 80, al; hlt
};

}

TEST(Debug, a_return_with_rf_set_passes_the_breakpoint_once)
{
    for (const u8 rf : {u8(1), u8(0)}) {
        DebuggedMachine m;
        m.mark_in_handler();
        // push dword flags; push dword 0; push dword 1020; iretd
        m.place(0x1000, {0x66, 0x68, 0x02, 0x00, rf, 0x00, 0x66, 0x6a, 0x00, 0x66, 0x68, 0x20, 0x10, 0x00, 0x00, 0x66, 0xcf});
        m.place(0x1020, {0xb0, 0x01, 0xe6, 0x80, 0xf4});    // mov al, 1; out 80, al
        m.break_at(0x1020);
        m.run();
        EXPECT_EQ(m.stop.value, rf ? 1u : mark);
    }
}

TEST(Debug, dr6_tells_the_breakpoint_that_hit_and_keeps_the_other_conditions)
{
    DebuggedMachine m;
    m.place(0x1000, {0x90, 0xf4});
    m.state.dr[2] = 0x1000;
    m.state.dr7 = 0x410;
    m.state.dr6 = 0xffff4ff2;    // BS and B1
    m.run();
    EXPECT_EQ(m.state.dr6, 0xffff4ff4u);    // BS and B2
}

TEST(Debug, sti_does_not_hold_a_single_step_back)
{
    DebuggedMachine m;
    m.place(0x1000, {0xfb, 0x43, 0x43, 0xf4});    // sti; inc bx; inc bx
    m.state.rflags |= trap_flag;
    m.run();
    EXPECT_EQ(m.stop.value, 1u);
}

TEST(Debug, mov_ss_loses_its_single_step)
{
    DebuggedMachine m;
    m.place(0x1000, {0x8e, 0xd2, 0x43, 0x43, 0xf4});    // mov ss, dx; inc bx; inc bx
    m.state.rflags |= trap_flag;
    m.state.gpr[x86::rdx] = 0;
    m.run();
    EXPECT_EQ(m.stop.value, 3u);
}

TEST(Debug, an_instruction_breakpoint_is_not_seen_behind_mov_ss)
{
    DebuggedMachine m;
    m.mark_in_handler();
    m.place(0x1000, {0x8e, 0xd2, 0xb0, 0x01, 0xe6, 0x80, 0xf4});    // mov ss, dx; mov al, 1; out 80, al
    m.state.gpr[x86::rdx] = 0;
    m.break_at(0x1002);
    m.run();
    EXPECT_EQ(m.stop.value, 1u);
}

TEST(Debug, a_data_breakpoint_of_mov_ss_is_told_after_the_next_instruction)
{
    DebuggedMachine m;
    m.place(0x1000, {0x8e, 0x16, 0x00, 0x20, 0x43, 0x43, 0xf4});    // mov ss, [2000]; inc bx; inc bx
    m.state.dr[1] = 0x2000;
    m.state.dr7 = 0x00f0'0404;    // L1, reads and writes of 4 bytes
    m.run();
    EXPECT_EQ(m.stop.value, 5u);
    EXPECT_EQ(m.state.dr6 & 15, 2u);
}

TEST(Debug, a_single_step_wakes_a_processor_that_halts)
{
    DebuggedMachine m;
    m.place(0x1000, {0xf4, 0x43});
    m.state.rflags |= trap_flag;
    m.run();
    EXPECT_EQ(m.stop.value, 1u);
}

TEST(Debug, a_repeated_instruction_steps_by_elements)
{
    DebuggedMachine m;
    m.place(0x1000, {0xf3, 0xa4, 0xf4});    // rep movsb
    m.place(0x1200, {0x89, 0xc8, 0xe6, 0x80, 0xf4});    // mov ax, cx; out 80, al
    m.state.rflags |= trap_flag;
    m.state.gpr[x86::rsi] = 0x3000;
    m.state.gpr[x86::rdi] = 0x4000;
    m.state.gpr[x86::rcx] = 6;
    m.run();
    EXPECT_EQ(m.stop.value, 5u);
}

TEST(Debug, a_breakpoint_on_a_repeated_instruction_hits_once)
{
    DebuggedMachine m;
    m.mark_in_handler();
    m.place(0x1000, {0xf3, 0xa4, 0xe6, 0x80, 0xf4});    // rep movsb; out 80, al
    m.break_at(0x1000);
    m.state.rflags |= resume_flag;
    m.state.gpr[x86::rsi] = 0x3000;
    m.state.gpr[x86::rdi] = 0x4000;
    m.state.gpr[x86::rcx] = 6;
    m.run();
    EXPECT_EQ(m.stop.value, 0u);
    EXPECT_EQ(m.state.gpr[x86::rcx], 0u);
}

TEST(Debug, a_fault_takes_what_its_instruction_had_hit_with_it)
{
    DebuggedMachine m;
    m.place(13 * 4, {0x00, 0x13, 0x00, 0x00});
    m.place(0x1300, {0xb0, 0x0d, 0xe6, 0x80, 0xf4});    // mov al, d; out 80, al
    m.place(0x1000, {0xa5, 0xf4});    // movsd whose destination leaves the segment
    m.state.dr[0] = 0x3000;
    m.state.dr7 = 0x000f'0401;
    m.state.gpr[x86::rsi] = 0x3000;
    m.state.gpr[x86::rdi] = 0xffff;
    m.run();
    EXPECT_EQ(m.stop.value, 0x0du);
    EXPECT_EQ(m.state.dr6 & 15, 0u);
}
