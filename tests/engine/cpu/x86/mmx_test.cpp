// How MMX registers share the x87's; the arithmetic is sse_test's.
#include "engine/cpu/x86/mmx.h"

#include <gtest/gtest.h>

#include "tests/engine/cpu/x86/handler_rig.h"

using namespace engine;
using namespace engine::x86;
using namespace engine::x86::test;

namespace {

const Row& mmx_row(u8 opcode)
{
    for (const Opcode& o : simd_opcodes_0f())
        if (o.prefix == np && o.first == opcode)
            return o.row;
    static constexpr Row none;
    return none;
}

class MmxTest : public ::testing::Test {
protected:
    int run(u8 opcode, u8 reg, u8 rm, bool memory = false)
    {
        return rig.run(Rig::instruction(mmx_row(opcode), opcode, reg, rm, memory));
    }

    Rig rig;
};

}

TEST_F(MmxTest, a_write_fills_the_exponent_and_all_tags)
{
    set_x87_top(rig.c.fpu, 5);
    rig.c.fpu.registers[3].significand = 0x0102030405060708;
    EXPECT_EQ(run(0xfc, 1, 3), -1);    // PADDB MM1, MM3
    EXPECT_EQ(rig.c.fpu.registers[1].significand, 0x0102030405060708u);
    EXPECT_EQ(rig.c.fpu.registers[1].sign_exponent, 0xffff);
    EXPECT_EQ(rig.c.fpu.registers[3].sign_exponent, 0);
    EXPECT_EQ(rig.c.fpu.valid, 0xff);
    EXPECT_EQ(x87_top(rig.c.fpu), 0u);
    EXPECT_EQ(run(0x77, 0, 0), -1);    // EMMS
    EXPECT_EQ(rig.c.fpu.valid, 0);
}

TEST_F(MmxTest, a_read_enters_mmx_state_too)
{
    set_x87_top(rig.c.fpu, 5);
    EXPECT_EQ(run(0x7e, 2, rax), -1);    // MOVD EAX, MM2
    EXPECT_EQ(rig.c.fpu.valid, 0xff);
    EXPECT_EQ(x87_top(rig.c.fpu), 0u);
}

TEST_F(MmxTest, control_bits_and_pending_exceptions_come_first)
{
    rig.c.cr4 = 0;
    EXPECT_EQ(run(0xef, 0, 1), -1);    // CR4.OSFXSR is SSE's business
    rig.c.fpu.status |= fsw_summary | fsw_invalid;
    EXPECT_EQ(run(0xef, 0, 1), x87_error);
    EXPECT_EQ(run(0x77, 0, 0), x87_error);
    rig.c.cr0 |= cr0_ts;
    EXPECT_EQ(run(0xef, 0, 1), device_not_available);
    rig.c.cr0 |= cr0_em;
    EXPECT_EQ(run(0xef, 0, 1), invalid_opcode);
}

TEST_F(MmxTest, unpacking_low_halves_reads_four_bytes)
{
    rig.c.gpr[rbx] = rig.address();
    store_le<u64>(rig.memory.data(), 0xffffffff44332211);
    rig.c.fpu.registers[0].significand = 0xeeeeeeee04030201;
    EXPECT_EQ(run(0x60, 0, rbx, true), -1);
    EXPECT_EQ(rig.c.fpu.registers[0].significand, 0x4404330322021101u);
}
