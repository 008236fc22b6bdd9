// Every x87 instruction with random registers, tags and control words, against the host's own x87.
#include "engine/cpu/x86/x87_tables.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "engine/cpu/x86/x87.h"
#include "tests/engine/cpu/x86/handler_rig.h"

using namespace engine;
using namespace engine::x86;
using namespace engine::x86::test;

namespace {

unsigned tries()
{
    const char* wish = std::getenv("PADDOCK_ORACLE_CASES");
    return wish ? unsigned(std::atoi(wish)) : 100;
}

// FIP, FCS, FDP, FDS and FOP of a 28-byte environment: processors differ in when they keep them.
constexpr unsigned environment_pointers = 12, environment_end = 28;

class X87Test : public ::testing::Test {
protected:
    X87Test() : values(19800723) { }

    Insn instruction(u8 opcode, u8 modrm)
    {
        const Row* row = x87_row(opcode, modrm);
        EXPECT_NE(row, nullptr) << hex(opcode) << ' ' << hex(modrm);
        return Rig::instruction(*row, opcode, modrm >> 3 & 7, modrm < 0xc0 ? u8(rbx) : modrm & 7, modrm < 0xc0);
    }
    int run(u8 opcode, u8 modrm) { return rig.run(instruction(opcode, modrm)); }

    void randomise()
    {
        FpuState& f = rig.c.fpu;
        f.control = fcw_initial;
        if (values.one_in(2))
            f.control = u16((values.any() & 0xf3f) | fcw_always);
        // Of the precision settings, 01 is reserved.
        if ((f.control & 0x300) == 0x100)
            f.control |= 0x300;
        f.status = u16(values.any() & (fsw_conditions | (f.control & fsw_exceptions)));
        set_x87_top(f, unsigned(values.below(8)));
        f.valid = values.one_in(2) ? u8(values.any()) : u8(0xff);
        if (values.one_in(3))
            f.valid = u8(f.valid & ~(1u << ((x87_top(f) + 7) & 7)));
        for (X87Register& r : f.registers)
            r = values.extended();
        fill_memory();
        rig.c.gpr[rbx] = rig.address() + 64;
        rig.c.lazy.set_all(values.any());
    }

    void fill_memory()
    {
        for (u8& byte : rig.memory)
            byte = u8(values.any());
        u8* operand = &rig.memory[64];
        const X87Register wide = values.extended();
        switch (values.below(5)) {
        case 0:
            store_le<u32>(operand, values.single());
            break;
        case 1:
            store_le<u64>(operand, values.twice());
            break;
        case 2:
            std::memcpy(operand, &wide, 10);
            break;
        case 3:
            for (unsigned n = 0; n < 9; ++n)
                operand[n] = u8(values.below(10) | values.below(10) << 4);
            break;
        default:
            break;
        }
    }

    void clear_environment_pointers(std::array<u8, Rig::memory_size>& memory)
    {
        std::fill(&memory[64 + environment_pointers], &memory[64 + environment_end], u8(0));
    }

    // FCOMI clears C1 on Intel's processors and leaves it on AMD's; a comparison with an unmasked invalid operand gives no
    // answer on Intel's and "unordered" on AMD's.
    static void forget_unsettled_conditions(const Row& row, Cpu& c, NativeState& host)
    {
        u16 unsettled = 0;
        const std::string_view name = row.name;
        const bool compares = name.find("com") != name.npos || name == "ftst";
        if (compares && name.find("omi") != name.npos)
            unsettled = fsw_c1;
        if (compares && (c.fpu.status & ~c.fpu.control & fsw_invalid)) {
            unsettled |= fsw_conditions;
            host.flags = c.lazy.all();
        }
        c.fpu.status |= unsettled;
        store_le<u16>(&host.fx[2], u16(load_le<u16>(&host.fx[2]) | unsettled));
    }

    std::string difference(u8 opcode, u8 modrm)
    {
        randomise();
        const Insn i = instruction(opcode, modrm);
        NativeState host;
        rig.to_native(host);
        const auto memory_before = rig.memory;
        native.run(host, std::array{opcode, modrm});
        auto memory_native = rig.memory;
        rig.memory = memory_before;
        host.gpr[rsp] = rig.c.gpr[rsp];
        const int vector = rig.run(i);
        Rig::strip_pointers(host.fx);
        if (vector != host.vector)
            return text("vector ", vector, " instead of ", host.vector);
        if (!std::strcmp(i.row->name, "fnstenv") || !std::strcmp(i.row->name, "fnsave")) {
            clear_environment_pointers(rig.memory);
            clear_environment_pointers(memory_native);
        }
        if (rig.memory != memory_native)
            return "memory";
        forget_unsettled_conditions(*i.row, rig.c, host);
        const auto fx = rig.fx();
        if (load_le<u16>(&fx[2]) != load_le<u16>(&host.fx[2]))
            return text("status ", hex(load_le<u16>(&fx[2])), " instead of ", hex(load_le<u16>(&host.fx[2])));
        for (unsigned n = 0; n < fx.size(); ++n)
            if (fx[n] != host.fx[n])
                return text("FXSAVE byte ", n, ": ", hex(fx[n]), " instead of ", hex(host.fx[n]));
        if (!std::equal(host.gpr.begin(), host.gpr.end(), rig.c.gpr.begin()))
            return "a general register";
        return rig.c.lazy.all() == (host.flags & flags_arithmetic) ? "" : "flags";
    }

    void set_st0(long double value)
    {
        X87Register r;
        std::memcpy(static_cast<void*>(&r), &value, 10);
        x87_push(rig.c.fpu, r);
    }
    long double st0()
    {
        long double value = 0;
        std::memcpy(&value, &st(rig.c.fpu, 0), 10);
        return value;
    }

    Rig rig;
    NativeProcessor native;
    Values values;
};

}

TEST_F(X87Test, every_instruction_agrees_with_the_host)
{
    for (unsigned opcode = 0xd8; opcode <= 0xdf; ++opcode)
        for (unsigned modrm = 0x03; modrm < 0x100; modrm += modrm < 0x3b ? 8 : modrm == 0x3b ? 0xc0 - 0x3b : 1) {
            const Row* row = x87_row(u8(opcode), u8(modrm));
            if (!row)
                continue;
            std::string found;
            for (unsigned n = 0; n < tries() && found.empty(); ++n)
                found = difference(u8(opcode), u8(modrm));
            EXPECT_EQ(found, "") << row->name << ' ' << hex(opcode, 2) << ' ' << hex(modrm, 2) << ", control "
                                 << hex(rig.c.fpu.control);
        }
}

TEST_F(X87Test, undefined_encodings_have_no_row)
{
    const auto undefined = [](u8 opcode, u8 modrm) { return x87_row(opcode, modrm) == nullptr; };
    EXPECT_TRUE(undefined(0xd9, 0x08) && undefined(0xd9, 0xd1) && undefined(0xd9, 0xe2) && undefined(0xd9, 0xef));
    EXPECT_TRUE(
        undefined(0xda, 0xe8) && undefined(0xda, 0xea) && undefined(0xdb, 0x20) && undefined(0xdb, 0xe5)
        && undefined(0xdb, 0xf8));
    EXPECT_TRUE(
        undefined(0xdd, 0x28) && undefined(0xdd, 0xf0) && undefined(0xde, 0xd8) && undefined(0xdf, 0xe1)
        && undefined(0xdf, 0xf8));
}

TEST_F(X87Test, a_detector_finds_a_processor)
{
    rig.c.gpr[rax] = 0x12345a5a;
    EXPECT_EQ(run(0xdb, 0xe3), -1);    // FNINIT
    EXPECT_EQ(run(0xdf, 0xe0), -1);    // FNSTSW AX
    EXPECT_EQ(rig.c.gpr[rax], 0x12340000u);
    rig.c.gpr[rbx] = rig.address();
    EXPECT_EQ(run(0xd9, 0x3b), -1);    // FNSTCW
    EXPECT_EQ(load_le<u16>(rig.memory.data()), 0x37f);
}

TEST_F(X87Test, em_and_ts_make_it_not_available)
{
    for (const u64 bit : {cr0_em, cr0_ts}) {
        rig.c.cr0 = cr0_pe | bit;
        EXPECT_EQ(run(0xd9, 0xe8), device_not_available);
        EXPECT_EQ(run(0xdb, 0xe3), device_not_available);
    }
    static constexpr Row row{"fwait", {}, &any_form<fwait>};
    const Insn wait = Rig::instruction(row, 0x9b, 0, 0, false);
    rig.c.cr0 = cr0_pe | cr0_ts;
    EXPECT_EQ(rig.run(wait), -1);
    rig.c.cr0 |= cr0_mp;
    EXPECT_EQ(rig.run(wait), device_not_available);
}

TEST_F(X87Test, an_unmasked_exception_waits_for_the_next_waiting_instruction)
{
    rig.c.fpu.control = u16(fcw_initial & ~fsw_zero_divide);
    set_st0(0.0L);
    set_st0(1.0L);
    EXPECT_EQ(run(0xd8, 0xf1), -1);    // FDIV ST, ST(1)
    EXPECT_EQ(st0(), 1.0L);
    EXPECT_EQ(rig.c.fpu.status & (fsw_summary | fsw_busy | fsw_zero_divide), fsw_summary | fsw_busy | fsw_zero_divide);
    EXPECT_EQ(run(0xdf, 0xe0), -1);    // FNSTSW doesn't wait
    EXPECT_EQ(run(0xd9, 0xe8), x87_error);
    EXPECT_EQ(run(0xdb, 0xe2), -1);    // FNCLEX
    EXPECT_EQ(run(0xd9, 0xe8), -1);
}

TEST_F(X87Test, without_ne_the_exception_goes_to_ferr)
{
    std::vector<bool> levels;
    rig.c.wires.ferr = [&](bool level) { levels.push_back(level); };
    rig.c.cr0 &= ~cr0_ne;
    rig.c.fpu.control = u16(fcw_initial & ~fsw_invalid);
    EXPECT_EQ(run(0xd9, 0xfa), -1);    // FSQRT of nothing
    EXPECT_TRUE(levels.empty());
    EXPECT_EQ(run(0xd9, 0xd0), -1);    // FNOP waits
    EXPECT_EQ(levels, std::vector<bool>({true}));
    EXPECT_EQ(run(0xdb, 0xe2), -1);
    EXPECT_EQ(levels, std::vector<bool>({true, false}));
}

TEST_F(X87Test, pointers_tell_of_the_last_instruction_that_computed)
{
    rig.c.gpr[gpr_rip] = 0x401000;
    rig.c.seg[cs].selector = 0x33;
    rig.c.seg[ds].selector = 0x2b;
    rig.c.gpr[rbx] = rig.address();
    EXPECT_EQ(run(0xdd, 0x03), -1);    // FLD m64
    EXPECT_EQ(run(0xd9, 0x3b), -1);    // FNSTCW changes nothing
    EXPECT_EQ(rig.c.fpu.opcode, 0x503);
    EXPECT_EQ(rig.c.fpu.instruction_pointer, 0x401000u);
    EXPECT_EQ(rig.c.fpu.data_pointer, rig.address());
    EXPECT_EQ(rig.c.fpu.instruction_selector, 0x33);
    EXPECT_EQ(rig.c.fpu.data_selector, 0x2b);
}

TEST_F(X87Test, environments_come_in_four_layouts)
{
    FpuState& f = rig.c.fpu;
    for (const bool real : {false, true})
        for (const u8 operand_size : {u8(2), u8(4)}) {
            f = {};
            f.control = 0x27f;
            f.valid = 0x81;
            f.registers[0] = {u64(1) << 63, 0x3fff};
            f.status = fsw_c3 | 7 << fsw_top_shift;
            f.opcode = 0x5ab;
            f.instruction_selector = 0xf000;
            f.instruction_pointer = 0x1234;
            f.data_selector = 0x2000;
            f.data_pointer = 0x5678;
            rig.c.cr0 = real ? 0 : cr0_pe;
            rig.c.gpr[rbx] = rig.address();
            rig.memory.fill(0xee);
            Insn store = instruction(0xd9, 0x33), load = instruction(0xd9, 0x23);
            store.operand_size = load.operand_size = operand_size;
            ASSERT_EQ(rig.run(store), -1);
            EXPECT_EQ(f.control, 0x27f | fsw_exceptions);
            const unsigned step = operand_size;
            const u8* image = rig.memory.data();
            EXPECT_EQ(load_le<u16>(image), 0x27f);
            EXPECT_EQ(load_le<u16>(image + step), fsw_c3 | 7 << fsw_top_shift);
            EXPECT_EQ(load_le<u16>(image + 2 * step), 0x7ffc);    // R7 holds zero, R0 one
            EXPECT_EQ(load_le<u16>(image + 3 * step), real ? 0xf1234 & 0xffff : 0x1234);
            if (real)
                EXPECT_EQ(load_le<u16>(image + 4 * step), 0xf000 | 0x5ab);
            else
                EXPECT_EQ(load_le<u16>(image + 4 * step), 0xf000);
            EXPECT_EQ(rig.memory[7 * step], 0xee);
            const FpuState before = f;
            f = {};
            ASSERT_EQ(rig.run(load), -1);
            EXPECT_EQ(f.valid, before.valid);
            EXPECT_EQ(f.status, before.status);
            EXPECT_EQ(f.instruction_pointer, real ? 0xf1234u : 0x1234u);
            EXPECT_EQ(f.data_pointer, real ? 0x25678u : 0x5678u);
            EXPECT_EQ(f.data_selector, real ? 0 : 0x2000);
            EXPECT_EQ(f.opcode, real || operand_size == 4 ? 0x5ab : 0);
        }
}

TEST_F(X87Test, fnsave_and_frstor_carry_the_stack_over)
{
    randomise();
    rig.c.gpr[rbx] = rig.address() + 100;
    rig.c.fpu.data_selector = 0x23;
    const FpuState before = rig.c.fpu;
    ASSERT_EQ(run(0xdd, 0x33), -1);
    EXPECT_EQ(rig.c.fpu.control, fcw_initial);
    EXPECT_EQ(rig.c.fpu.valid, 0);
    rig.c.fpu.registers = {};
    ASSERT_EQ(run(0xdd, 0x23), -1);
    EXPECT_EQ(rig.c.fpu, before);
}

TEST_F(X87Test, flags_that_the_process_has_raised_are_not_the_guests)
{
    constexpr u8 store_64 = 0xdd, st0_to_memory = 0x13;
    volatile long double divisor = 3;
    volatile const long double inexact = 1 / divisor;
    (void)inexact;
    FpuState& f = rig.c.fpu;
    f.control = u16((fcw_initial & ~fsw_exceptions) | fcw_always);
    f.valid = 0xff;
    f.registers.fill({u64(1) << 63, 0x3fff});
    rig.c.gpr[rbx] = rig.address() + 64;
    EXPECT_EQ(run(store_64, st0_to_memory), -1);
    EXPECT_EQ(f.status & fsw_exceptions, 0);
}
