// Whole programs of protected and long mode on the translator and on the interpreter: what lives from block to block, which
// single instructions can't show.
#include <gtest/gtest.h>

#include "engine/cpu/x86/cpuid.h"
#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;
using x86::CpuState;

namespace {

constexpr u64 data = 0x10000;

struct Where {
    bool user = false;
    bool long_mode = false;
};

// The first 2 MiB are where they are.
void enter_long_mode(BareMachine& m, bool user)
{
    constexpr u64 tables = 0x1f0000, large = 0x80, present_writable = 3, user_page = 4;
    const u64 entry = present_writable | (user ? user_page : 0);
    for (u64 level = 0; level < 3; ++level) {
        const u64 value = level == 2 ? large | entry : (tables + (level + 1) * page_size) | entry;
        std::memcpy(m.at(tables + level * page_size), &value, sizeof value);
    }
    constexpr u64 pae = 0x20, paging = u64(1) << 31, lme_lma = 0x500;
    m.state.cr3 = tables;
    m.state.cr4 |= pae;
    m.state.cr0 |= paging;
    m.state.efer = lme_lma;
    m.state.segments[x86::cs].attributes = user ? 0xa0fb : 0xa09b;
    for (u64 n = 8; n < 16; ++n)
        m.state.gpr[n] = 0x0101010101010101 * n;
}

enum class How { interpreted, translated, with_windows };

CpuState run(How how, Where where, std::initializer_list<u8> program, std::vector<u8>& memory, u64& interpreted)
{
    const bool user = where.user;
    x86::Cpu* cpu = nullptr;
    const auto make_tier = [&cpu, how](x86::Cpu& c) {
        cpu = &c;
        return translator::make_x86_tier(c, {.hot = 1, .busy_at_once = how == How::with_windows});
    };
    BareMachine m{how != How::interpreted ? BareMachine::MakeTier(make_tier) : BareMachine::MakeTier{}};
    // As if an interrupt came just then.
    m.at_tsc = [&cpu] {
        if (cpu)
            cpu->request.fetch_or(x86::request_interrupt);
    };
    CpuState& s = m.state;
    constexpr u64 osfxsr_and_osxsave = 0x40200;
    s.cr0 = 0x21;
    s.cr4 = osfxsr_and_osxsave;
    s.xcr0 = x86::host_features() & x86::feature_avx ? 7 : 3;
    for (x86::Segment& segment : s.segments)
        segment = {.selector = 8, .attributes = u16(user ? 0xc0f3 : 0xc093), .limit = 0xffffffff, .base = 0};
    s.segments[x86::cs].attributes = user ? 0xc0fb : 0xc09b;
    s.rflags |= x86::flag_iopl;
    if (where.long_mode)
        enter_long_mode(m, user);
    s.fpu.control = 0x37f;
    s.fpu.mxcsr = 0x1f80;
    for (u64 n = 0; n < 16; ++n) {
        s.fpu.xmm[n] = {{0x0001000200030004 * (n + 1), 0x3ff0000000000000 + n}};
        s.fpu.ymm_high[n] = {{0x1111 * (n + 1), 0x4000000000000000 + n}};
    }
    s.gpr[x86::rsi] = data;
    s.gpr[x86::rcx] = 1000;
    s.gpr[x86::rsp] = 0x9000;
    std::copy(program.begin(), program.end(), m.at(0x1000));
    m.place(0x1000 + program.size(), {0xe6, 0x80, 0xf4});
    EXPECT_EQ(m.run(), VcpuExit::kicked);
    interpreted = m.vcpu->instructions();
    memory.assign(m.at(0x8000), m.at(data + 0x10000));
    return m.state;
}

void compare_at(How how, Where where, std::initializer_list<u8> program)
{
    std::vector<u8> wanted_memory, memory;
    u64 all = 0, interpreted = 0;
    const CpuState wanted = run(How::interpreted, where, program, wanted_memory, all);
    const CpuState found = run(how, where, program, memory, interpreted);
    EXPECT_LT(interpreted, all);
    EXPECT_EQ(found.gpr, wanted.gpr);
    EXPECT_EQ(found.rip, wanted.rip);
    EXPECT_EQ(found.rflags, wanted.rflags);
    EXPECT_EQ(found.fpu.xmm, wanted.fpu.xmm);
    EXPECT_EQ(found.fpu.ymm_high, wanted.fpu.ymm_high);
    EXPECT_EQ(found.fpu.registers, wanted.fpu.registers);
    EXPECT_EQ(found.fpu.valid, wanted.fpu.valid);
    EXPECT_EQ(found.fpu.status, wanted.fpu.status);
    EXPECT_EQ(found.fpu.control, wanted.fpu.control);
    EXPECT_EQ(found.fpu.mxcsr, wanted.fpu.mxcsr);
    EXPECT_EQ(memory, wanted_memory);
}

void compare(std::initializer_list<u8> program)
{
    for (const How how : {How::translated, How::with_windows})
        for (const bool user : {false, true})
            compare_at(how, {.user = user}, program);
}

void compare_64(std::initializer_list<u8> program)
{
    for (const How how : {How::translated, How::with_windows})
        for (const bool user : {false, true})
            compare_at(how, {.user = user, .long_mode = true}, program);
}

}

// paddd xmm0, xmm1; movdqu [esi], xmm0; add esi, 16; dec ecx; jnz
TEST(TranslatedLoops, sse_registers_stay_where_they_are)
{
    compare({0x66, 0x0f, 0xfe, 0xc1, 0xf3, 0x0f, 0x7f, 0x06, 0x83, 0xc6, 0x10, 0x49, 0x75, 0xf2});
}

// vpaddd ymm2, ymm2, ymm1; vpxor xmm3, xmm3, xmm2; paddd xmm4, xmm2; vmovdqu [esi], ymm2; add esi, 32; dec ecx; jnz
TEST(TranslatedLoops, upper_halves_stay_too)
{
    if (!(x86::host_features() & x86::feature_avx2))
        GTEST_SKIP() << "this processor has no AVX2";
    compare({0xc5, 0xed, 0xfe, 0xd1, 0xc5, 0xe1, 0xef, 0xda, 0x66, 0x0f, 0xfe,
             0xe2, 0xc5, 0xfe, 0x7f, 0x16, 0x83, 0xc6, 0x20, 0x49, 0x75, 0xea});
}

// vpaddd ymm2, ymm2, ymm1; vzeroupper; dec ecx; jnz
TEST(TranslatedLoops, vzeroupper_in_the_middle)
{
    if (!(x86::host_features() & x86::feature_avx2))
        GTEST_SKIP() << "this processor has no AVX2";
    compare({0xc5, 0xed, 0xfe, 0xd1, 0xc5, 0xf8, 0x77, 0x49, 0x75, 0xf6});
}

// fldpi; L: fadd st, st(0); fld1; fstp qword [esi]; add esi, 8; dec ecx; jnz L; fnstsw ax
TEST(TranslatedLoops, the_x87_is_carried_through)
{
    compare({0xd9, 0xeb, 0xd8, 0xc0, 0xd9, 0xe8, 0xdd, 0x1e, 0x83, 0xc6, 0x08, 0x49, 0x75, 0xf4, 0xdf, 0xe0});
}

// Rounding goes up and the loop on: fldcw [esi] with what mov word [esi], 0b7fh left; fld1; fldpi; fdivp; fistp dword [esi+8]
TEST(TranslatedLoops, a_control_word_is_heeded)
{
    compare({0x66, 0xc7, 0x06, 0x7f, 0x0b, 0xd9, 0x2e, 0xd9, 0xe8, 0xd9, 0xeb, 0xde, 0xf9, 0xdb, 0x5e, 0x08, 0x49, 0x75, 0xed});
}

// The zero divide is unmasked (033bh), so that the division leaves its operands; FNSTSW tells, FNCLEX forgets.
TEST(TranslatedLoops, an_unmasked_exception_goes_to_the_handlers)
{
    compare({0x66, 0xc7, 0x06, 0x3b, 0x03, 0xd9, 0x2e, 0xd9, 0xe8, 0xd9, 0xee,
             0xde, 0xf9, 0xdf, 0xe0, 0xdb, 0xe2, 0x49, 0x75, 0xec, 0xdb, 0xe3});
}

// mov dword [esi], 1f80h; sqrtps xmm2, xmm1; rdtsc; ldmxcsr [esi]; stmxcsr [esi+4]; add esi, 8; dec ecx; jnz. What LDMXCSR
// clears stays cleared though host code is left right behind it.
TEST(TranslatedLoops, flags_of_mxcsr_are_cleared)
{
    compare({0xc7, 0x06, 0x80, 0x1f, 0x00, 0x00, 0x0f, 0x51, 0xd1, 0x0f, 0x31, 0x0f,
             0xae, 0x16, 0x0f, 0xae, 0x5e, 0x04, 0x83, 0xc6, 0x08, 0x49, 0x75, 0xe8});
}

// push ecx; dec ecx; jnz, over two pages; pops: pop eax; inc ecx; cmp ecx, 1000; jne
TEST(TranslatedLoops, the_stack_crosses_pages)
{
    compare({0x51, 0x49, 0x75, 0xfc, 0x58, 0x41, 0x81, 0xf9, 0xe8, 0x03, 0x00, 0x00, 0x75, 0xf6});
}

// A stack that is off by two, so that pushes themselves cross.
TEST(TranslatedLoops, a_push_crosses_pages)
{
    compare({0x81, 0xec, 0x02, 0x00, 0x00, 0x00, 0x51, 0x49, 0x75, 0xfc});
}

// L: mov eax, [esi]; mov [esi+4000h], eax; add esi, 4; dec ecx; jnz L. Over pages, and off by two so that accesses cross.
TEST(TranslatedLoops, arrays_cross_pages)
{
    compare({0x8b, 0x06, 0x89, 0x86, 0x00, 0x40, 0x00, 0x00, 0x83, 0xc6, 0x04, 0x49, 0x75, 0xf2});
    compare({0x83, 0xc6, 0x02, 0x8b, 0x06, 0x89, 0x86, 0x00, 0x40, 0x00, 0x00, 0x83, 0xc6, 0x04, 0x49, 0x75, 0xf2});
}

// L: add [esi+ecx*8], ecx; sub esi, 12; dec ecx; jnz L. Down, and never in the same page twice running.
TEST(TranslatedLoops, accesses_to_and_fro)
{
    compare({0x81, 0xc6, 0x00, 0x40, 0x00, 0x00, 0x01, 0x0c, 0xce, 0x83, 0xee,
             0x0c, 0x81, 0xf6, 0x00, 0x20, 0x00, 0x00, 0x49, 0x75, 0xf1});
}

// mov esi, 1800h; L: mov [esi], cl; inc esi; dec ecx; jnz L. It writes into the page that it runs from.
TEST(TranslatedLoops, a_loop_writes_beside_itself)
{
    compare({0xbe, 0x00, 0x18, 0x00, 0x00, 0x88, 0x0e, 0x46, 0x49, 0x75, 0xfa});
}

// A checksum by table. L: movzx r15d, byte [rsi]; add rsi, 1; xor r15d, ecx; movzx r15d, r15b; xor eax, [rsi+r15*4]; dec ecx; jnz L
TEST(TranslatedLoops, registers_in_memory_get_others_on_loan)
{
    compare_64({0x44, 0x0f, 0xb6, 0x3e, 0x48, 0x83, 0xc6, 0x01, 0x41, 0x31, 0xcf, 0x45,
                0x0f, 0xb6, 0xff, 0x42, 0x33, 0x04, 0xbe, 0xff, 0xc9, 0x75, 0xe9});
}

// All four, with byte and word parts, a way out in the middle and pushes. L: push r12; add r12b, cl; xchg r13, r14;
// add r13w, r12w; mov [rsi+rcx*8], r14; pop r15; cmp ecx, 3; je O; imul r15, r12; dec ecx; jnz L; O: adc r13, r15
TEST(TranslatedLoops, lent_registers_are_given_back_on_every_way_out)
{
    compare_64({0x41, 0x54, 0x41, 0x00, 0xcc, 0x4d, 0x87, 0xf5, 0x66, 0x45, 0x01, 0xe5, 0x4c, 0x89, 0x34, 0xce, 0x41,
                0x5f, 0x83, 0xf9, 0x03, 0x74, 0x08, 0x4d, 0x0f, 0xaf, 0xfc, 0xff, 0xc9, 0x75, 0xe1, 0x4d, 0x11, 0xfd});
}

// L: mov r15d, ecx; bts r15d, 28; mov edx, 1; mov eax, ecx; idiv r15d; add r12, rax; dec ecx; jnz L. EDX is no sign.
TEST(TranslatedLoops, handlers_find_lent_registers_in_their_places)
{
    compare_64({0x41, 0x89, 0xcf, 0x41, 0x0f, 0xba, 0xef, 0x1c, 0xba, 0x01, 0x00, 0x00, 0x00,
                0x89, 0xc8, 0x41, 0xf7, 0xff, 0x49, 0x01, 0xc4, 0xff, 0xc9, 0x75, 0xe7});
}

// L: mov eax, [esi]; add eax, [esi+8]; mov [esi+4], eax; mov edx, [esi+4]; add esi, 12; mov [esi-4], ecx; dec ecx; jnz L
// add r12, rcx; add r13, r12; dec rcx; jnz; sti; mov rax, r13: interrupts are looked for between the loop and the end.
TEST(TranslatedLoops, enabling_interrupts_finds_lent_registers_in_their_places)
{
    compare_at(
        {.long_mode = true},
        {0x49, 0x01, 0xcc, 0x4d, 0x01, 0xe5, 0x48, 0xff, 0xc9, 0x75, 0xf5, 0xfb, 0x4c, 0x89, 0xe8, 0xeb, 0x00});
}

TEST(TranslatedSpans, accesses_by_one_base_cross_pages)
{
    compare(
        {0x8b, 0x06, 0x03, 0x46, 0x08, 0x89, 0x46, 0x04, 0x8b, 0x56, 0x04, 0x83, 0xc6, 0x0c, 0x89, 0x4e, 0xfc, 0x49, 0x75, 0xec});
}

// add esp, 800h; L: push ebx; push ecx; sub esp, 24; mov [esp+8], ecx; mov eax, [esp+24]; add esp, 24; pop ecx; dec ecx; jnz L.
// The stack goes down over a page's end.
TEST(TranslatedSpans, frames_cross_pages)
{
    compare({0x81, 0xc4, 0x00, 0x08, 0x00, 0x00, 0x53, 0x51, 0x83, 0xec, 0x18, 0x89, 0x4c,
             0x24, 0x08, 0x8b, 0x44, 0x24, 0x18, 0x83, 0xc4, 0x18, 0x59, 0x49, 0x75, 0xec});
}

// L: movaps xmm0, [esi]; movaps xmm1, [esi+16]; addps xmm0, xmm1; movaps [esi+32], xmm0; add esi, 16; dec ecx; jnz L
TEST(TranslatedSpans, vectors_are_aligned)
{
    compare(
        {0x0f, 0x28, 0x06, 0x0f, 0x28, 0x4e, 0x10, 0x0f, 0x58, 0xc1, 0x0f, 0x29, 0x46, 0x20, 0x83, 0xc6, 0x10, 0x49, 0x75, 0xec});
}

// L: mov [esi], esi; mov [esi+4], ecx; mov esi, [esi]; mov eax, [esi+4]; add esi, 8; dec ecx; jnz L
TEST(TranslatedSpans, a_base_is_loaded_anew)
{
    compare({0x89, 0x36, 0x89, 0x4e, 0x04, 0x8b, 0x36, 0x8b, 0x46, 0x04, 0x83, 0xc6, 0x08, 0x49, 0x75, 0xf0});
}

// L: cmp ecx, edx; mov eax, [esi]; mov ebx, [esi+4]; adc eax, [esi+8]; mov [esi+12], eax; add esi, 4; dec ecx; jnz L
TEST(TranslatedSpans, flags_survive)
{
    compare({0x39, 0xd1, 0x8b, 0x06, 0x8b, 0x5e, 0x04, 0x13, 0x46, 0x08, 0x89, 0x46, 0x0c, 0x83, 0xc6, 0x04, 0x49, 0x75, 0xed});
}

// mov esi, 1800h; L: mov eax, [esi]; inc eax; mov [esi+8], eax; mov ebx, [esi+8]; dec ecx; jnz L. Never to be had, for it is
// the page of the code itself.
TEST(TranslatedSpans, a_block_does_without)
{
    compare({0xbe, 0x00, 0x18, 0x00, 0x00, 0x8b, 0x06, 0x40, 0x89, 0x46, 0x08, 0x8b, 0x5e, 0x08, 0x49, 0x75, 0xf4});
}

// mov eax, R; jmp L; R: ret; L: push ecx; call eax; pop edx; dec ecx; jnz L. The target takes the host address's place.
TEST(TranslatedSpans, calls_by_a_register_push_where_they_should)
{
    compare({0xb8, 0x07, 0x10, 0x00, 0x00, 0xeb, 0x01, 0xc3, 0x51, 0xff, 0xd0, 0x5a, 0x49, 0x75, 0xf9});
}

// By way of R13, which lives in memory, and of RIP. mov r13, rsi; L: mov rax, [r13]; add rax, [r13+16]; mov [r13+8], rax; inc qword [rip+100h]; mov rdx, [rip+f9h]; add r13, 8; dec ecx; jnz L
TEST(TranslatedSpans, bases_may_live_in_memory)
{
    compare_64({0x49, 0x89, 0xf5, 0x49, 0x8b, 0x45, 0x00, 0x49, 0x03, 0x45, 0x10, 0x49, 0x89, 0x45, 0x08, 0x48, 0xff, 0x05, 0x00,
                0x01, 0x00, 0x00, 0x48, 0x8b, 0x15, 0xf9, 0x00, 0x00, 0x00, 0x49, 0x83, 0xc5, 0x08, 0xff, 0xc9, 0x75, 0xde});
}

// lea rdi,[rsi+0x8000]; L: mov rax,[rsi+3]; add rax,[rdi-8]; mov [rdi],rax; add rsi,24; sub rdi,8; dec ecx; jnz L
TEST(TranslatedStrips, a_loop_walks_up_and_down)
{
    compare_64({0x48, 0x8d, 0xbe, 0x00, 0x80, 0x00, 0x00, 0x48, 0x8b, 0x46, 0x03, 0x48, 0x03, 0x47, 0xf8,
                0x48, 0x89, 0x07, 0x48, 0x83, 0xc6, 0x18, 0x48, 0x83, 0xef, 0x08, 0xff, 0xc9, 0x75, 0xe9});
}

// xor edx,edx; L: mov eax,[rsi+rdx*4+1]; xor eax,edx; mov [rsi+rdx*4+0x4002],eax; inc rdx; dec ecx; jnz L
TEST(TranslatedStrips, an_index_moves)
{
    compare_64({0x31, 0xd2, 0x8b, 0x44, 0x96, 0x01, 0x31, 0xd0, 0x89, 0x84, 0x96,
                0x02, 0x40, 0x00, 0x00, 0x48, 0xff, 0xc2, 0xff, 0xc9, 0x75, 0xec});
}

// xor edx,edx; L: movzx eax,byte [rsi+rdx*2]; add al,cl; mov [rsi+rdx*2+0x100],al; add rsi,3; add rdx,5; dec ecx; jnz L
TEST(TranslatedStrips, base_and_index_move)
{
    compare_64({0x31, 0xd2, 0x0f, 0xb6, 0x04, 0x56, 0x00, 0xc8, 0x88, 0x84, 0x56, 0x00, 0x01, 0x00,
                0x00, 0x48, 0x83, 0xc6, 0x03, 0x48, 0x83, 0xc2, 0x05, 0xff, 0xc9, 0x75, 0xe7});
}

// L: mov eax,[rsi]; add rsi,12; add eax,[rsi]; mov [rsi-4],eax; sub rsi,4; inc dword [rsi+1]; dec ecx; jnz L
TEST(TranslatedStrips, a_base_moves_within_a_round)
{
    compare_64({0x8b, 0x06, 0x48, 0x83, 0xc6, 0x0c, 0x03, 0x06, 0x89, 0x46, 0xfc,
                0x48, 0x83, 0xee, 0x04, 0xff, 0x46, 0x01, 0xff, 0xc9, 0x75, 0xea});
}

// L: movaps xmm0,[rsi]; paddd xmm0,[rsi+32]; movaps [rsi+16],xmm0; movdqu xmm2,[rsi+20]; pxor xmm3,xmm2; add rsi,16; dec ecx; jnz L
TEST(TranslatedStrips, vectors_are_aligned_throughout)
{
    compare_64({0x0f, 0x28, 0x06, 0x66, 0x0f, 0xfe, 0x46, 0x20, 0x0f, 0x29, 0x46, 0x10, 0xf3, 0x0f, 0x6f,
                0x56, 0x14, 0x66, 0x0f, 0xef, 0xda, 0x48, 0x83, 0xc6, 0x10, 0xff, 0xc9, 0x75, 0xe3});
}

// mov r8,rsi; L: mov eax,[rsi]; add rsi,8; imul edx,ecx,0x1ff; and edx,0x3fff; add eax,[r8+rdx]; mov [r8+rdx],eax; add [rsi+0x2000],eax; dec ecx; jnz L
TEST(TranslatedStrips, other_accesses_are_looked_up_by_themselves)
{
    compare_64({0x49, 0x89, 0xf0, 0x8b, 0x06, 0x48, 0x83, 0xc6, 0x08, 0x69, 0xd1, 0xff, 0x01,
                0x00, 0x00, 0x81, 0xe2, 0xff, 0x3f, 0x00, 0x00, 0x41, 0x03, 0x04, 0x10, 0x41,
                0x89, 0x04, 0x10, 0x01, 0x86, 0x00, 0x20, 0x00, 0x00, 0xff, 0xc9, 0x75, 0xdc});
}

// mov rbp,rsi; mov r8,rsi; lea r13,[rsi+0x2000]; L: mov eax,[rsi]; add eax,[rbp+4]; add [r13],eax; add r9,rdi; xor r10,r9; add r11,r10; add r12,r11; add r14,r12; add r8,r14; add rsi,4; add r13,8; dec ecx; jnz L
TEST(TranslatedStrips, no_register_is_left_to_lend)
{
    compare_64({0x48, 0x89, 0xf5, 0x49, 0x89, 0xf0, 0x4c, 0x8d, 0xae, 0x00, 0x20, 0x00, 0x00, 0x8b, 0x06, 0x03, 0x45, 0x04,
                0x41, 0x01, 0x45, 0x00, 0x49, 0x01, 0xf9, 0x4d, 0x31, 0xca, 0x4d, 0x01, 0xd3, 0x4d, 0x01, 0xdc, 0x4d, 0x01,
                0xe6, 0x4d, 0x01, 0xf0, 0x48, 0x83, 0xc6, 0x04, 0x49, 0x83, 0xc5, 0x08, 0xff, 0xc9, 0x75, 0xd9});
}

// L: mov eax,[rsi]; add eax,ecx; mov [rsi+8],eax; cmp ecx,7; je E; add rsi,8; dec ecx; jnz L; E: mov [rsi+0x20],ecx
TEST(TranslatedStrips, a_loop_is_left_in_the_middle)
{
    compare_64({0x8b, 0x06, 0x01, 0xc8, 0x89, 0x46, 0x08, 0x83, 0xf9, 0x07, 0x74, 0x08,
                0x48, 0x83, 0xc6, 0x08, 0xff, 0xc9, 0x75, 0xec, 0x89, 0x4e, 0x20});
}

// mov esi,0x1f00; L: mov eax,[rsi]; add eax,ecx; mov [rsi],eax; add rsi,1; dec cl; jnz L
TEST(TranslatedStrips, the_codes_own_page_is_never_had)
{
    compare_64(
        {0xbe, 0x00, 0x1f, 0x00, 0x00, 0x8b, 0x06, 0x01, 0xc8, 0x89, 0x06, 0x48, 0x83, 0xc6, 0x01, 0xfe, 0xc9, 0x75, 0xf2});
}
