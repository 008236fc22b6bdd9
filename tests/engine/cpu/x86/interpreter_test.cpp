// Whole programs on the interpreter.

#include <cstring>

#include <gtest/gtest.h>

#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/flags.h"
#include "engine/cpu/x86/host_code_tier.h"
#include "engine/cpu/x86/run_loop.h"
#include "tests/engine/cpu/x86/bare_machine.h"

using namespace engine;
using x86::CpuState;

TEST(LazyFlags, any_combination_set_by_hand_is_read_back)
{
    for (unsigned n = 0; n < 64; ++n) {
        const u64 flags
            = (n & 1) | (n >> 1 & 1) << 2 | (n >> 2 & 1) << 4 | (n >> 3 & 1) << 6 | (n >> 4 & 1) << 7 | u64(n >> 5) << 11;
        x86::LazyFlags lazy;
        lazy.subtract<u8>(0x80, 1, 0x7f);
        lazy.set_all(flags);
        EXPECT_EQ(lazy.all(), flags);
    }
}

TEST(LazyFlags, additions_of_bytes_agree_with_arithmetic)
{
    for (unsigned a = 0; a < 256; ++a)
        for (unsigned b = 0; b < 256; ++b) {
            x86::LazyFlags lazy;
            lazy.add<u8>(u8(a), u8(b), u8(a + b));
            const int as_signed = i8(a) + i8(b);
            ASSERT_EQ(lazy.c(), a + b > 255);
            ASSERT_EQ(lazy.o(), as_signed < -128 || as_signed > 127);
            ASSERT_EQ(lazy.z(), u8(a + b) == 0);
            ASSERT_EQ(lazy.a(), (a & 15) + (b & 15) > 15);
        }
}

TEST(OpcodeMaps, no_two_rows_claim_an_opcode)
{
    EXPECT_EQ(x86::opcode_conflicts(), 0u);
}

TEST(Decoder, rex_r_counts_for_no_segment_register)
{
    constexpr std::array<u8, 3> bytes = {0x44, 0x8c, 0xd8};    // mov eax, ds
    x86::Insn insn{};
    ASSERT_EQ(x86::decode(bytes, x86::mode_64 | x86::mode_flat | x86::mode_protected, 0, insn), x86::Decoded::ok);
    EXPECT_EQ(insn.reg, x86::ds);
    EXPECT_EQ(insn.length, bytes.size());
}

TEST(Interpreter, an_instruction_that_changes_the_next_one_is_heeded)
{
    BareMachine m;
    // mov byte [100b], 90h ; changes the INC AX at 100b to NOP, in its own block
    m.place(0x1000, {0x31, 0xc0, 0x90, 0x90, 0xc6, 0x06, 0x0b, 0x10, 0x90, 0x90, 0x90, 0x40, 0x40, 0xe6, 0x80, 0xf4});
    EXPECT_EQ(m.run(), VcpuExit::kicked);
    EXPECT_EQ(m.stop.value, 1u);
}

TEST(Interpreter, code_written_by_a_device_is_decoded_anew)
{
    BareMachine m;
    m.place(0x1000, {0xb0, 0x11, 0xe6, 0x80, 0xf4});
    m.run();
    EXPECT_EQ(m.stop.value, 0x11u);
    m.state.rip = 0x1000;
    m.state.run_state = x86::RunState::running;
    const u8 fresh = 0x22;
    m.memory.dma_write(0x1001, {&fresh, 1});
    m.run();
    EXPECT_EQ(m.stop.value, 0x22u);
}

TEST(Interpreter, a_repeated_move_onto_itself_spreads_the_pattern)
{
    BareMachine m;
    std::memcpy(m.at(0x2000), "ab", 2);
    // mov si, 2000; mov di, 2002; mov cx, 6; cld; rep movsb
    m.place(0x1000, {0xbe, 0x00, 0x20, 0xbf, 0x02, 0x20, 0xb9, 0x06, 0x00, 0xfc, 0xf3, 0xa4, 0xe6, 0x80, 0xf4});
    m.run();
    EXPECT_EQ(std::memcmp(m.at(0x2000), "abababab", 8), 0);
    EXPECT_EQ(m.state.gpr[x86::rcx], 0u);
    EXPECT_EQ(m.state.gpr[x86::rdi], 0x2008u);
}

TEST(Interpreter, division_by_zero_pushes_the_faulting_address)
{
    BareMachine m;
    m.place(0, {0x00, 0x12, 0x00, 0x00});
    m.place(0x1000, {0x31, 0xdb, 0xf7, 0xf3, 0xf4});    // xor bx, bx; div bx
    m.place(0x1200, {0x58, 0xe6, 0x80, 0xf4});    // pop ax; out 80, al
    m.run();
    EXPECT_EQ(m.stop.value, 0x02u);    // low byte of 1002
}

TEST(Interpreter, an_access_beyond_the_limit_faults_and_writes_nothing)
{
    BareMachine m;
    m.place(13 * 4, {0x00, 0x12, 0x00, 0x00});
    m.place(0x1000, {0xc7, 0x06, 0xff, 0xff, 0x34, 0x12, 0xf4});    // mov word [ffff], 1234
    m.place(0x1200, {0xb0, 0x0d, 0xe6, 0x80, 0xf4});
    m.run();
    EXPECT_EQ(m.stop.value, 0x0du);
    EXPECT_EQ(*m.at(0xffff), 0);
}

TEST(Interpreter, sti_lets_one_instruction_pass_before_an_interrupt)
{
    BareMachine m;
    m.place(0x20 * 4, {0x00, 0x12, 0x00, 0x00});
    m.place(0x1000, {0x31, 0xc0, 0xfb, 0x40, 0x40, 0xe6, 0x80, 0xf4});    // xor ax,ax; sti; inc ax; inc ax
    m.place(0x1200, {0xe6, 0x80, 0xf4});
    m.vcpu->load(m.state);
    m.vcpu->set_intr(true);
    m.vcpu->run();
    EXPECT_EQ(m.stop.value, 1u);
}

TEST(Interpreter, single_step_traps_after_each_instruction)
{
    BareMachine m;
    m.place(4, {0x00, 0x12, 0x00, 0x00});
    // pushf; pop ax; or ax, 100h; push ax; popf; nop; inc bx; …
    m.place(0x1000, {0x9c, 0x58, 0x0d, 0x00, 0x01, 0x50, 0x9d, 0x90, 0x43, 0xf4});
    m.place(0x1200, {0x58, 0xe6, 0x80, 0xf4});
    m.run();
    EXPECT_EQ(m.stop.value, 0x08u);    // behind the NOP, not behind POPF
}

TEST(Interpreter, the_state_that_is_saved_is_the_state_that_was_loaded)
{
    BareMachine m;
    for (unsigned n = 0; n < 16; ++n)
        m.state.gpr[n] = 0x1111111111111111u * n;
    m.state.rflags = 0x246 | 0x800;
    m.state.cr2 = 0xdeadbeef;
    m.state.lstar = 0xffffffff81000000;
    m.state.fpu.xmm[7].q = {1, 2};
    m.state.fpu.ymm_high[15].q = {3, 4};
    m.state.xcr0 = x86::supported_components(m.model);
    m.vcpu->load(m.state);
    CpuState saved;
    m.vcpu->save(saved);
    EXPECT_EQ(saved, m.state);
}

TEST(Interpreter, random_numbers_come_through_the_wire_or_not_at_all)
{
    BareMachine m;
    // rdrand eax; setc al; out 80, al; hlt
    m.place(0x1000, {0x66, 0x0f, 0xc7, 0xf0, 0x0f, 0x92, 0xc0, 0xe6, 0x80, 0xf4});
    m.entropy = 5;
    m.run();
    EXPECT_EQ(m.stop.value, 1u);
    m.entropy.reset();
    m.state.rip = 0x1000;
    m.state.run_state = x86::RunState::running;
    m.run();
    EXPECT_EQ(m.stop.value, 0u);
}

TEST(Interpreter, real_mode_knows_les_and_no_vex)
{
    BareMachine m;
    m.place(0x2000, {0x34, 0x12, 0x78, 0x56});
    m.place(0x1000, {0xc4, 0x1e, 0x00, 0x20, 0x88, 0xf8, 0xe6, 0x80, 0xf4});    // les bx, [2000]; mov al, bh
    m.run();
    EXPECT_EQ(m.stop.value, 0x12u);
    m.place(6 * 4, {0x00, 0x12, 0x00, 0x00});
    m.place(0x1200, {0xb0, 0x06, 0xe6, 0x80, 0xf4});
    m.place(0x1100, {0xc5, 0xf8, 0x77});    // vzeroupper
    m.state.rip = 0x1100;
    m.state.run_state = x86::RunState::running;
    m.run();
    EXPECT_EQ(m.stop.value, 6u);
}

TEST(Interpreter, code_outside_memory_stops_the_machine_with_words)
{
    BareMachine m;
    m.state.segments[x86::cs].base = 0x10000000;
    EXPECT_EQ(m.run(), VcpuExit::failed);
    EXPECT_NE(m.vcpu->failure().find("no memory"), std::string::npos);
}

TEST(Interpreter, code_in_a_page_that_is_written_often_is_still_decoded_anew)
{
    BareMachine m;
    m.place(0x1040, {0xb0, 0x11, 0xe6, 0x80, 0xf4});    // mov al, 11; out 80, al
    m.state.rip = 0x1040;
    m.run();
    EXPECT_EQ(m.stop.value, 0x11u);
    m.state.rip = 0x1000;
    m.state.run_state = x86::RunState::running;
    // mov cx, 200; mov [1800], cx; loop; mov byte [1041], 22; jmp 1040
    m.place(0x1000, {0xb9, 0xc8, 0x00, 0x89, 0x0e, 0x00, 0x18, 0xe2, 0xfa, 0xc6, 0x06, 0x41, 0x10, 0x22, 0xeb, 0x30});
    m.run();
    EXPECT_EQ(m.stop.value, 0x22u);
}

TEST(Interpreter, only_a_processor_in_smm_sees_smram)
{
    BareMachine m;
    const auto smram = std::move(*MemoryBlock::create("smram", 0x1000));
    smram->data()[0] = 0x5a;
    *m.at(0x9000) = 0x11;
    const auto region = m.memory.add_ram("smram", 0x9000, 0x1000, 1, *smram, 0);
    m.memory.enable(region, false);
    m.memory.enable_in_smm(region, true);
    m.place(0x38000, {0xa0, 0x00, 0x90, 0xe6, 0x80, 0x0f, 0xaa});    // mov al, [9000]; out 80, al; rsm
    m.place(0x1000, {0xa0, 0x00, 0x90, 0xe6, 0x80, 0xf4});    // mov al, [9000]; out 80, al
    m.vcpu->load(m.state);
    m.vcpu->raise_smi();
    m.vcpu->run();
    EXPECT_EQ(m.stop.value, 0x5au);
    EXPECT_EQ(m.memory.read(0x9000, 1), 0x11u);
    m.vcpu->run();
    EXPECT_EQ(m.stop.value, 0x11u);
}

TEST(Interpreter, an_smi_behind_a_port_instruction_can_have_it_done_again)
{
    BareMachine m;
    struct SmiPort : IoHandler {
        Vcpu* vcpu = nullptr;
        unsigned writes = 0;
        u64 read(u64, unsigned) override { return 0xff; }
        void write(u64, u64, unsigned) override
        {
            if (++writes == 1)
                vcpu->raise_smi();
        }
    } smi;
    smi.vcpu = m.vcpu.get();
    m.ports.claim(0xb2, 1, smi);
    // In the save area at 3fe00, by CS: mov byte cs:[fec8], ff; mov eax, cs:[fec0]; mov [2000], eax; rsm
    m.place(0x38000, {0x2e, 0xc6, 0x06, 0xc8, 0xfe, 0xff, 0x66, 0x2e, 0xa1, 0xc0, 0xfe, 0x66, 0xa3, 0x00, 0x20, 0x0f, 0xaa});
    m.place(0x1000, {0xe6, 0xb2, 0xb0, 0x07, 0xe6, 0x80, 0xf4});    // out b2, al; mov al, 7; out 80, al
    m.run();
    EXPECT_EQ(m.stop.value, 7u);
    EXPECT_EQ(smi.writes, 2u);
    u32 what = 0;
    std::memcpy(&what, m.at(0x2000), 4);
    EXPECT_EQ(what, 0x00b20012u);    // port b2, one byte, out
}

TEST(Interpreter, an_smi_handler_may_end_a_halt)
{
    BareMachine m;
    m.place(0x38000, {0x2e, 0xc6, 0x06, 0xc9, 0xfe, 0x00, 0x0f, 0xaa});    // mov byte cs:[fec9], 0; rsm
    m.place(0x1000, {0xf4, 0xb0, 0x07, 0xe6, 0x80, 0xf4});    // hlt; mov al, 7; out 80, al
    m.state.rip = 0x1001;
    m.state.run_state = x86::RunState::halted;
    m.vcpu->load(m.state);
    m.vcpu->raise_smi();
    m.vcpu->run();
    EXPECT_EQ(m.stop.value, 7u);
}

TEST(Interpreter, of_several_nmis_at_once_two_are_taken)
{
    BareMachine m;
    m.place(8, {0x00, 0x12, 0x00, 0x00});
    m.place(0x1200, {0x43, 0xcf});    // inc bx; iret
    m.place(0x1000, {0x90, 0x90, 0x90, 0x88, 0xd8, 0xe6, 0x80, 0xf4});    // nop; nop; nop; mov al, bl; out 80, al
    m.vcpu->load(m.state);
    for (unsigned n = 0; n < 3; ++n)
        m.vcpu->raise_nmi();
    m.vcpu->run();
    EXPECT_EQ(m.stop.value, 2u);
}

TEST(Interpreter, init_loses_no_request_that_comes_meanwhile)
{
    x86::Cpu* cpu = nullptr;
    BareMachine m{[&](x86::Cpu& c) {
        cpu = &c;
        return std::unique_ptr<x86::HostCodeTier>();
    }};
    cpu->request.add(x86::request_sipi | u32(x86::request_rendezvous));
    x86::reset_cpu(*cpu, true);
    EXPECT_TRUE(cpu->request.pending() & x86::request_sipi);
    EXPECT_TRUE(cpu->request.pending() & x86::request_rendezvous);
    x86::reset_cpu(*cpu, false);
    EXPECT_FALSE(cpu->request.pending() & x86::request_sipi);
}
