// Flags that are wanted elsewhere than where they were made: every way that they may be kept, by whatever made them, for whoever takes them.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "engine/translator/x86_tier.h"
#include "tests/engine/translator/code_bytes.h"
#include "tests/engine/translator/long_mode.h"

using namespace engine;

namespace {

constexpr u64 code = 0x10000, elsewhere = 0x30000, operands = 0x50000, results = 0x60000, results_end = 0x180000,
              stack = 0x1e0000;
constexpr unsigned rounds = 24, operand_sets = 256, operand_set = 32;

// Operands are in RAX, RBX and R12; [RBP] is the stack's, with a third one.
std::vector<Bytes> makers()
{
    constexpr u8 rex_w = 0x48, rex_w_to_r12 = 0x49, rex_w_from_r12 = 0x4c;
    std::vector<Bytes> m;
    for (u8 number = 0; number < 9; ++number) {
        const u8 wide = number == 8 ? 0x85 : u8(number * 8 + 1), byte = u8(wide - 1),
                 from_memory = u8(wide | (number < 8 ? 2 : 0));
        // Register to register of each size, to itself, to and from R12, and high bytes.
        m.insert(m.end(), {{byte, 0xd8}, {0x66, wide, 0xd8}, {wide, 0xd8}, {rex_w, wide, 0xd8}});
        m.insert(m.end(), {{byte, 0xc0}, {wide, 0xc0}, {rex_w, wide, 0xc0}, {byte, 0xdc}, {byte, 0xf8}});
        m.insert(m.end(), {{rex_w_to_r12, wide, 0xdc}, {rex_w_from_r12, wide, 0xe3}, {0x41, wide, 0xdc}, {0x4d, wide, 0xe4}});
        // From and to memory.
        m.insert(m.end(), {{rex_w, from_memory, 0x45, 0}, {from_memory, 0x5d, 0}, {rex_w, wide, 0x45, 0}});
        if (number == 8)
            continue;
        const u8 group = u8(0xc0 | number << 3);
        // Immediates: short and long ones, and to memory.
        m.insert(m.end(), {{0x80, group, 0x7f}, {0x66, 0x83, group, 0xf0}, {0x83, group, 0x01}, {rex_w, 0x83, group, 0x80}});
        m.insert(m.end(), {{0x66, 0x81, group, 0x00, 0x80}, {rex_w, 0x81, group, 0xff, 0xff, 0xff, 0x7f}});
        m.insert(
            m.end(), {{0x81, group, 0x34, 0x12, 0, 0}, {0x81, group, 0, 0, 0, 0x80}, {rex_w_to_r12, 0x83, u8(group | 4), 1}});
        m.insert(m.end(), {{0x80, u8(group | 4), 0x80}, {0x83, u8((group & 0x38) | 0x45), 0, 0x11}});
        // With an operand that is gone before anybody looks: mov, lea, xchg, push and pop, CDQ.
        const Bytes op{rex_w, wide, 0xd8};
        m.insert(m.end(), {op + Bytes{0xb8, 1, 2, 3, 4}, op + Bytes{0x48, 0x8d, 0x5b, 0x21}, op + Bytes{0x48, 0x93}});
        m.insert(m.end(), {op + Bytes{0x54, 0x58}, op + Bytes{0x54, 0x5b}, Bytes{0x48, wide, 0xd0, 0x48, 0x99}});
    }
    // test eax, imm; test bl, imm; test r12, imm
    m.insert(
        m.end(), {{0xa9, 0x78, 0x56, 0x34, 0x12}, {0xf6, 0xc3, 0x81}, {0x49, 0xf7, 0xc4, 0, 0, 0, 0x80}, {0x66, 0xa9, 0, 0x80}});
    // inc, dec, neg; shl, shr, sar by one; bt; shl by nothing; comiss
    m.insert(m.end(), {{0x48, 0xff, 0xc0}, {0xff, 0xcb}, {0xf7, 0xd8}, {0x48, 0xd1, 0xe0}, {0xd1, 0xeb}, {0x66, 0xd1, 0xf8}});
    m.insert(m.end(), {{0x0f, 0xa3, 0xd8}, {0x31, 0xc9, 0xd3, 0xe0}, {0x0f, 0x2f, 0xc1}});
    // The stack's pointer: push rax; add rsp, 8. sub rsp, 16; pop; pop
    m.insert(m.end(), {{0x50, 0x48, 0x83, 0xc4, 0x08}, {0x48, 0x83, 0xec, 0x10, 0x41, 0x5a, 0x41, 0x5a}});
    // Shifts by immediates, of which more than one leaves O undefined, and rotations.
    for (const u8 extension : {0xe0, 0xe8, 0xf8}) {
        m.insert(m.end(), {{0x48, 0xc1, extension, 1}, {0xc1, extension, 1}, {0x66, 0xc1, extension, 1}, {0xc0, extension, 1}});
        m.insert(m.end(), {{0x49, 0xc1, u8(extension | 4), 1}, {0xc0, u8(extension | 4), 1}, {0x48, 0xc1, extension, 0x40}});
        m.insert(m.end(), {{0xc1, u8((extension & 0x38) | 0x45), 0, 1}, {0xc1, extension, 1, 0x53, 0x58}});
    }
    m.insert(m.end(), {{0xc1, 0xc0, 1}, {0xc1, 0xd8, 1}});
    // push rax; add rsp, -8; pop r10
    m.push_back({0x50, 0x48, 0x83, 0xc4, 0xf8, 0x41, 0x5a});
    return m;
}

// What is read goes to RDX.
struct Taker {
    const char* name;
    Bytes code;
};
const std::vector<Taker> takers{
    {"pushf", {0x9c, 0x5a}},
    // setc dl; sets dh; mov [rdi+24], edx; setz dl; seto dh; mov [rdi+28], edx; setp dl
    {"setcc", {0x0f, 0x92, 0xc2, 0x0f, 0x98, 0xc6, 0x89, 0x57, 0x18, 0x0f, 0x94,
               0xc2, 0x0f, 0x90, 0xc6, 0x89, 0x57, 0x1c, 0x0f, 0x9a, 0xc2}},
    {"adc", {0x48, 0x83, 0xd2, 0x05}},
    {"inc", {0xff, 0xc2, 0x9c, 0x5a}},
    {"shift_by_zero", {0xb9, 0x20, 0, 0, 0, 0xd3, 0xe2, 0x9c, 0x5a}},
    {"rcl", {0x48, 0xd1, 0xd2, 0x9c, 0x41, 0x59}},
    {"lahf", {0x9f, 0x0f, 0x90, 0xc0, 0x89, 0xc2}},
    {"branches", {0x73, 0x04, 0x48, 0x8d, 0x52, 0x01, 0x75, 0x04, 0x48, 0x8d, 0x52, 0x02, 0x79, 0x04, 0x48,
                  0x8d, 0x52, 0x04, 0x71, 0x04, 0x48, 0x8d, 0x52, 0x08, 0x7b, 0x04, 0x48, 0x8d, 0x52, 0x10}},
    {"cmov", {0x48, 0x0f, 0x4c, 0xd3}},
    {"bt", {0x0f, 0xba, 0xe3, 0x03, 0x9c, 0x5a}},
    // rdtsc leaves host code; then pushf
    {"interpreter", {0x0f, 0x31, 0x9c, 0x5a}},
};

enum class Way { straight, past_memory, into_call, past_call, jump, branch, branch_back, by_register, past_handler };
constexpr const char* ways[]{"straight", "past_memory", "into_call",   "past_call",   "jump",
                             "branch",   "branch_back", "by_register", "past_handler"};

// Two streams of code on pages of their own.
struct Program {
    u64 at[2] = {code, elsewhere};
    BareMachine& m;

    void put(unsigned stream, const Bytes& bytes)
    {
        std::memcpy(m.at(at[stream]), bytes.data(), bytes.size());
        at[stream] += bytes.size();
    }
    void branch(unsigned stream, const Bytes& opcode, u64 target)
    {
        put(stream, opcode + dword(target - (at[stream] + opcode.size() + 4)));
    }
    void piece(const Bytes& maker, const Taker& taker, Way way, unsigned set);
};

void Program::piece(const Bytes& maker, const Taker& taker, Way way, unsigned set)
{
    const Bytes ret{0xc3}, jmp{0xe9}, call{0xe8}, jc{0x0f, 0x82};
    const u64 there = at[1];
    const auto operand = [&](const Bytes& opcode, unsigned n) { put(0, opcode + dword(set * operand_set + 8 * n)); };
    if (way == Way::branch_back) {
        // On the page it is branched from: jmp over; X: taker; jmp to what is elsewhere; over:
        put(0, Bytes{0xeb, u8(taker.code.size() + 5)} + taker.code);
        branch(0, jmp, there);
    }
    const u64 back = at[0] - taker.code.size() - 5;
    put(0, {0x4c, 0x89, 0xf4});    // mov rsp, r14
    operand({0xff, 0xb6}, 0);    // push [rsi+...]
    put(0, {0x9d});    // popf
    operand({0x48, 0x8b, 0x86}, 1);
    operand({0x48, 0x8b, 0x9e}, 2);
    operand({0x4c, 0x8b, 0xa6}, 3);
    put(0, Bytes{0x48, 0x89, 0x5d, 0, 0xba, 7, 0, 0, 0} + maker);    // mov [rbp], rbx; mov edx, 7
    switch (way) {
    case Way::straight:
        break;
    case Way::past_memory:
        put(0, {0x4c, 0x8b, 0x17});    // mov r10, [rdi]
        break;
    case Way::into_call:
        branch(0, call, there);
        put(1, taker.code + ret);
        break;
    case Way::past_call:
        branch(0, call, there);
        put(1, ret);
        break;
    case Way::jump:
        branch(0, jmp, there);
        put(1, taker.code);
        break;
    case Way::branch:
        branch(0, jc, there);
        put(1, taker.code);
        break;
    case Way::branch_back:
        branch(0, jc, back);
        break;
    case Way::by_register:
        put(0, Bytes{0x49, 0xbb} + dword(there) + dword(0) + Bytes{0x41, 0xff, 0xe3});    // mov r11, there; jmp r11
        put(1, taker.code);
        break;
    case Way::past_handler:
        put(0, {0x0f, 0x31});    // rdtsc, which leaves
        break;
    }
    if (way != Way::into_call && way != Way::jump && way != Way::by_register)
        put(0, taker.code);
    if (way == Way::jump || way == Way::branch || way == Way::branch_back || way == Way::by_register)
        branch(1, jmp, at[0]);
    // mov [rdi], rdx; mov [rdi+8], rax; mov [rdi+16], r9; lea rdi, [rdi+32]
    put(0, {0x48, 0x89, 0x17, 0x48, 0x89, 0x47, 0x08, 0x4c, 0x89, 0x4f, 0x10, 0x48, 0x8d, 0x7f, 0x20});
}

struct Outcome {
    std::vector<u8> results;
    u64 rflags = 0, interpreted = 0;
};

Outcome run(bool translates, const std::vector<Bytes>& made, const Taker& taker, Way way)
{
    x86::Cpu* cpu = nullptr;
    const auto make_tier = [&cpu](x86::Cpu& c) {
        cpu = &c;
        return translator::make_x86_tier(c, {.hot = 2});
    };
    BareMachine m{translates ? BareMachine::MakeTier(make_tier) : BareMachine::MakeTier{}};
    // As if an interrupt came just then.
    m.at_tsc = [&cpu] {
        if (cpu)
            cpu->request.add(x86::request_interrupt);
    };
    m.begin_flat_32();
    m.state.cr4 = 0x600;    // SSE
    m.state.fpu.mxcsr = 0x1f80;
    enter_long_mode(m, false);
    std::mt19937_64 any(3);
    constexpr u64 corners[]{0, 1, ~u64(0), 0x7f, 0x80, 0x7fffffff, 0x80000000, u64(1) << 63, 0x1000, 0xf};
    for (unsigned n = 0; n < operand_sets * 4; ++n) {
        u64 value = any() % 2 ? any() : corners[any() % std::size(corners)];
        if (n % 4 == 0)
            value = (value & x86::flags_arithmetic) | 2;
        std::memcpy(m.at(operands + 8 * n), &value, sizeof value);
    }
    m.state.rip = code;
    m.state.gpr[x86::rsi] = operands;
    m.state.gpr[x86::rdi] = results;
    m.state.gpr[x86::rbp] = operands + 0x8000;
    m.state.gpr[x86::rsp] = m.state.gpr[14] = stack;
    m.state.gpr[13] = rounds;
    Program p{.m = m};
    for (unsigned n = 0; n < made.size(); ++n)
        p.piece(made[n], taker, way, n % (operand_sets - rounds));
    p.put(0, {0x48, 0x83, 0xc6, operand_set, 0x41, 0xff, 0xcd});    // add rsi, ...; dec r13d; jnz
    p.branch(0, {0x0f, 0x85}, code);
    p.put(0, {0xe6, 0x80, 0xf4});
    EXPECT_LT(p.at[0], elsewhere);
    EXPECT_LT(results + made.size() * rounds * 32, results_end);
    EXPECT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
    EXPECT_EQ(m.state.gpr[13], 0u);
    return {{m.at(results), m.at(results + made.size() * rounds * 32)}, m.state.rflags, m.vcpu->instructions()};
}

using Parameters = std::tuple<unsigned, unsigned>;
class KeptFlags : public ::testing::TestWithParam<Parameters> { };

}

TEST_P(KeptFlags, are_found_as_on_the_interpreter)
{
    const auto [taker, way] = GetParam();
    const std::vector<Bytes> made = makers();
    const Outcome wanted = run(false, made, takers[taker], Way(way)), found = run(true, made, takers[taker], Way(way));
    EXPECT_LT(found.interpreted, wanted.interpreted);
    EXPECT_EQ(found.rflags, wanted.rflags);
    ASSERT_EQ(found.results.size(), wanted.results.size());
    for (std::size_t at = 0; at < wanted.results.size(); at += 32) {
        const auto words = [&](const Outcome& o) {
            std::array<u64, 4> w{};
            std::memcpy(w.data(), &o.results[at], sizeof w);
            return w;
        };
        const std::size_t piece = at / 32;
        ASSERT_EQ(words(found), words(wanted)) << "maker " << piece % made.size() << ", round " << piece / made.size();
    }
}

// R12 and R14 have registers on loan there.
TEST(KeptFlagsOfLoops, are_taken_out_of_lent_registers)
{
    constexpr u64 limits[]{10, 1000, 1001, 1002, 3};
    u64 sums[2]{};
    for (const bool translates : {false, true})
        for (const u64 limit : limits) {
            BareMachine m{
                translates ? BareMachine::MakeTier([](x86::Cpu& c) { return translator::make_x86_tier(c, {.hot = 2}); })
                           : BareMachine::MakeTier{}};
            m.begin_flat_32();
            enter_long_mode(m, false);
            m.state.rip = code;
            m.state.gpr[x86::rdi] = results;
            m.state.gpr[x86::rsp] = stack;
            m.state.gpr[8] = rounds;
            m.state.gpr[9] = m.state.gpr[12] = 0;
            m.state.gpr[13] = 3;
            m.state.gpr[14] = limit;
            Program p{.m = m};
            // L: add r12, r13; mov [rdi], r12; cmp r12, r14; jae E; dec ecx; jnz L
            p.put(0, {0x4d, 0x01, 0xec, 0x4c, 0x89, 0x27, 0x4d, 0x39, 0xf4});
            p.branch(0, {0x0f, 0x83}, elsewhere);
            p.put(0, {0xff, 0xc9, 0x75, 0xed});
            // E: pushf; pop rdx; add r9, rdx; xor r12, r12; dec r8d; jnz L
            p.put(1, {0x9c, 0x5a, 0x49, 0x01, 0xd1, 0x4d, 0x31, 0xe4, 0x41, 0xff, 0xc8});
            p.branch(1, {0x0f, 0x85}, code);
            p.put(1, {0xe6, 0x80, 0xf4});
            EXPECT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
            EXPECT_GE(m.state.gpr[9], rounds * 2u);
            sums[translates] = sums[translates] * 31 + m.state.gpr[9];
        }
    EXPECT_EQ(sums[1], sums[0]);
}

INSTANTIATE_TEST_SUITE_P(
    AllWays, KeptFlags,
    ::testing::Combine(::testing::Range(0u, unsigned(takers.size())), ::testing::Range(0u, unsigned(std::size(ways)))),
    [](const auto& of) { return std::string(takers[std::get<0>(of.param)].name) + "_" + ways[std::get<1>(of.param)]; });
