// Every MMX and SSE row, with random operands, against the host's own processor executing the same bytes.
#include "engine/cpu/x86/sse_tables.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "engine/cpu/x86/sse.h"
#include "tests/engine/cpu/x86/handler_rig.h"

using namespace engine;
using namespace engine::x86;
using namespace engine::x86::test;

namespace {

// PADDOCK_ORACLE_CASES: how many random cases each row gets.
unsigned tries()
{
    const char* wish = std::getenv("PADDOCK_ORACLE_CASES");
    return wish ? unsigned(std::atoi(wish)) : 150;
}

struct Case {
    const Row* row;
    Prefix prefix;
    u8 map;    // 0, 0x38 or 0x3a
    u8 opcode;
    int group_reg;    // -1 where ModRM.reg is an operand
};

bool has(const Row& row, Operand operand)
{
    return std::find(row.operands.begin(), row.operands.end(), operand) != row.operands.end();
}

std::vector<Case> all_cases()
{
    std::vector<Case> cases;
    const auto add = [&](std::span<const Opcode> opcodes, u8 map) {
        for (const Opcode& o : opcodes)
            for (unsigned opcode = o.first; opcode <= o.last; ++opcode) {
                if (!o.row.group)
                    cases.push_back({&o.row, o.prefix, map, u8(opcode), -1});
                for (int reg = 0; o.row.group && reg < 8; ++reg)
                    if (o.row.group[reg].forms)
                        cases.push_back({&o.row.group[reg], o.prefix, map, u8(opcode), reg});
            }
    };
    add(simd_opcodes_0f(), 0);
    add(simd_opcodes_0f38(), 0x38);
    add(simd_opcodes_0f3a(), 0x3a);
    return cases;
}

// Registers that neither address memory (RBX, RDI for MASKMOV) nor hold the stack.
u8 general_register(Values& values)
{
    static constexpr u8 usable[] = {rax, rcx, rdx, rbp, rsi, 8, 9, 10, 11, 12, 13, 14, 15};
    return usable[values.below(std::size(usable))];
}

bool operands_are_general(const Row& row, std::initializer_list<Operand> which)
{
    return std::any_of(which.begin(), which.end(), [&](Operand o) { return has(row, o); });
}

class SseTest : public ::testing::Test {
protected:
    SseTest() : values(20240611) { }

    Insn choose(const Case& test)
    {
        const Row& row = *test.row;
        using enum Operand;
        const bool must_be_memory = has(row, M), may_be_memory = operands_are_general(row, {W, Q, Ed, Ey, Eb, Ev});
        const bool memory = must_be_memory || (may_be_memory && values.one_in(2));
        const bool general_reg = operands_are_general(row, {Gd, Gy});
        const bool general_rm = operands_are_general(row, {Ed, Ey, Eb, Ev});
        u8 reg = test.group_reg >= 0 ? u8(test.group_reg) : general_reg ? general_register(values) : u8(values.below(16));
        u8 rm = memory ? u8(rbx) : general_rm ? general_register(values) : u8(values.below(16));
        if (!memory && has(row, Eb) && rm < 8)
            rm = rax;
        Insn i = Rig::instruction(row, test.opcode, reg, rm, memory);
        i.prefix = test.prefix;
        if (values.one_in(4))
            i.flags |= Insn::flag_rex_w;
        if (has(row, Ib))
            i.imm = values.one_in(3) ? values.below(20) : values.below(256);
        if (has(row, Eb))
            i.operand_size = 1;
        return i;
    }

    static std::vector<u8> encode(const Case& test, const Insn& i)
    {
        std::vector<u8> bytes;
        if (test.prefix == p66)
            bytes.push_back(0x66);
        if (test.prefix == pF3)
            bytes.push_back(0xf3);
        if (test.prefix == pF2)
            bytes.push_back(0xf2);
        const bool memory = i.memory();
        const u8 reg = test.group_reg >= 0 ? u8(test.group_reg) : i.reg;
        const u8 rex = u8(0x40 | (i.rex_w() ? 8 : 0) | (reg & 8 ? 4 : 0) | (!memory && i.rm & 8 ? 1 : 0));
        if (rex != 0x40)
            bytes.push_back(rex);
        bytes.push_back(0x0f);
        if (test.map)
            bytes.push_back(test.map);
        bytes.push_back(test.opcode);
        if (!std::string_view("emms").compare(test.row->name))
            return bytes;
        bytes.push_back(i.modrm);
        if (has(*test.row, Operand::Ib))
            bytes.push_back(u8(i.imm));
        return bytes;
    }

    void randomise(const Row& row)
    {
        for (unsigned n = 0; n < 16; ++n) {
            rig.c.gpr[n] = values.one_in(2) ? values.any() : u64(i64(values.below(40)) - 20);
            rig.c.fpu.xmm[n] = values.xmm();
            if (values.one_in(2))
                rig.c.fpu.xmm[n].q[0] = values.below(80);
        }
        for (unsigned n = 0; n < Rig::memory_size; n += 16) {
            const Xmm value = values.xmm();
            std::memcpy(&rig.memory[n], &value, 16);
        }
        // AMD's SHA instructions take memory that is not aligned, Intel's do not.
        const bool misaligned = values.one_in(4) && !std::string_view(row.name).starts_with("sha");
        rig.c.gpr[rbx] = rig.address() + 64 + (misaligned ? values.below(16) : 0);
        rig.c.gpr[rdi] = rig.address() + 128 + values.below(16);
        rig.c.lazy.set_all(values.any());
        rig.c.fpu.mxcsr = values.mxcsr();
        rig.c.fpu.status = 0;
        rig.c.fpu.control = fcw_initial;
        rig.c.fpu.valid = u8(values.any());
        set_x87_top(rig.c.fpu, unsigned(values.below(8)));
        for (X87Register& r : rig.c.fpu.registers)
            r = {row.traits & mmx && values.one_in(3) ? values.below(80) : values.xmm().q[0], 0xffff};
    }

    // What differs from the host, empty if nothing.
    std::string difference(const Case& test)
    {
        randomise(*test.row);
        const Insn i = choose(test);
        NativeState host;
        rig.to_native(host);
        const auto memory_before = rig.memory;
        native.run(host, encode(test, i));
        const auto memory_native = rig.memory;
        rig.memory = memory_before;
        host.gpr[rsp] = rig.c.gpr[rsp];
        const int vector = rig.run(i);
        Rig::strip_pointers(host.fx);
        if (vector != host.vector)
            return text("vector ", vector, " instead of ", host.vector);
        // An unmasked overflow or underflow says "inexact" of a result with a wider exponent, which we don't compute.
        const u32 host_mxcsr = load_le<u32>(&host.fx[fx_mxcsr_offset]);
        if (host_mxcsr & ~(host_mxcsr >> mxcsr_masks_shift) & (mxcsr_overflow | mxcsr_underflow)) {
            rig.c.fpu.mxcsr |= mxcsr_precision;
            store_le<u32>(&host.fx[fx_mxcsr_offset], host_mxcsr | mxcsr_precision);
        }
        if (rig.c.fpu.mxcsr != load_le<u32>(&host.fx[fx_mxcsr_offset]))
            return text("MXCSR ", hex(rig.c.fpu.mxcsr), " instead of ", hex(load_le<u32>(&host.fx[fx_mxcsr_offset])));
        if (rig.memory != memory_native)
            return "memory";
        const auto fx = rig.fx();
        for (unsigned n = 0; n < fx.size(); ++n)
            if (fx[n] != host.fx[n])
                return text("FXSAVE byte ", n);
        if (vector >= 0)
            return {};
        if (!std::equal(host.gpr.begin(), host.gpr.end(), rig.c.gpr.begin()))
            return "a general register";
        return rig.c.lazy.all() == (host.flags & flags_arithmetic) ? "" : "flags";
    }

    Rig rig;
    NativeProcessor native;
    Values values;
};

}

TEST_F(SseTest, every_row_agrees_with_the_host)
{
    for (const Case& test : all_cases()) {
        std::string found;
        for (unsigned n = 0; n < tries() && found.empty(); ++n)
            found = difference(test);
        EXPECT_EQ(found, "") << test.row->name << ", opcode " << hex(test.opcode) << ", prefix " << unsigned(test.prefix);
    }
}

TEST_F(SseTest, no_opcode_is_claimed_twice)
{
    std::vector<u32> seen;
    for (const Case& test : all_cases()) {
        const u32 key = u32(test.map) << 24 | u32(test.opcode) << 16 | u32(test.prefix) << 8 | u8(test.group_reg);
        EXPECT_EQ(std::count(seen.begin(), seen.end(), key), 0) << test.row->name;
        seen.push_back(key);
    }
}

TEST_F(SseTest, control_bits_decide_between_undefined_and_not_available)
{
    const Case addps = [] {
        for (const Case& test : all_cases())
            if (!std::string_view("addps").compare(test.row->name))
                return test;
        return Case{};
    }();
    const Insn i = Rig::instruction(*addps.row, addps.opcode, 0, 1, false);
    rig.c.cr0 |= cr0_ts;
    EXPECT_EQ(rig.run(i), device_not_available);
    rig.c.cr0 |= cr0_em;
    EXPECT_EQ(rig.run(i), invalid_opcode);
    rig.c.cr0 &= ~(cr0_em | cr0_ts);
    rig.c.cr4 &= ~cr4_osfxsr;
    EXPECT_EQ(rig.run(i), invalid_opcode);
    rig.c.cr4 |= cr4_osfxsr;
    EXPECT_EQ(rig.run(i), -1);
}

TEST_F(SseTest, unmasked_exceptions_are_undefined_opcodes_without_osxmmexcpt)
{
    for (const Case& test : all_cases())
        if (!std::string_view("divss").compare(test.row->name)) {
            rig.c.fpu.mxcsr = 0x1f80 & ~(mxcsr_zero_divide << mxcsr_masks_shift);
            rig.c.fpu.xmm[0] = {{0x3f800000, 0}};
            rig.c.fpu.xmm[1] = {};
            const Insn i = Rig::instruction(*test.row, test.opcode, 0, 1, false);
            EXPECT_EQ(rig.run(i), simd_error);
            rig.c.cr4 &= ~cr4_osxmmexcpt;
            EXPECT_EQ(rig.run(i), invalid_opcode);
            EXPECT_EQ(rig.c.fpu.xmm[0].q[0], 0x3f800000u);
            EXPECT_TRUE(rig.c.fpu.mxcsr & mxcsr_zero_divide);
        }
}

TEST_F(SseTest, mxcsr_refuses_reserved_bits)
{
    static constexpr Row row{"ldmxcsr", {Operand::M}, &any_form<ldmxcsr>, sse};
    rig.c.gpr[rbx] = rig.address();
    store_le<u32>(rig.memory.data(), 0x10000);
    EXPECT_EQ(rig.run(Rig::instruction(row, 0xae, 2, rbx, true)), general_protection);
    store_le<u32>(rig.memory.data(), 0xffff);
    EXPECT_EQ(rig.run(Rig::instruction(row, 0xae, 2, rbx, true)), -1);
    EXPECT_EQ(rig.c.fpu.mxcsr, 0xffffu);
}

TEST_F(SseTest, fxsave_and_fxrstor_carry_everything_over)
{
    static constexpr Row save{"fxsave", {Operand::M}, &any_form<fxsave>, 0},
        restore{"fxrstor", {Operand::M}, &any_form<fxrstor>, 0};
    randomise(save);

    alignas(4096) static std::array<u8, 4096> page;
    for (const Access access : {Access::read, Access::write})
        rig.c.tlb->entry(access, reinterpret_cast<u64>(page.data()))
            = {.tag = reinterpret_cast<u64>(page.data()), .host = reinterpret_cast<u64>(page.data())};
    rig.c.gpr[rbx] = reinterpret_cast<u64>(page.data()) + 16;
    rig.c.fpu.instruction_pointer = 0x123456789abc;
    rig.c.fpu.opcode = 0x123;
    const FpuState before = rig.c.fpu;
    Insn i = Rig::instruction(save, 0xae, 0, rbx, true);
    i.flags |= Insn::flag_rex_w;
    ASSERT_EQ(rig.run(i), -1);
    rig.c.fpu = {};
    Insn back = Rig::instruction(restore, 0xae, 1, rbx, true);
    back.flags |= Insn::flag_rex_w;
    ASSERT_EQ(rig.run(back), -1);
    EXPECT_EQ(rig.c.fpu, before);
    rig.c.gpr[rbx] += 8;
    EXPECT_EQ(rig.run(i), general_protection);
}
