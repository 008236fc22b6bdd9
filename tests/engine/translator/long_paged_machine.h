#pragma once
// A processor in long mode at CPL 0, its first two MiB mapped to themselves in pages, and all code translated as if much time were
// spent in it. A page fault stops it with CR2 in RBX, #GP with 13.

#include <gtest/gtest.h>

#include <initializer_list>

#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"
#include "tests/engine/translator/code_bytes.h"

namespace engine {

// The parameter: with the translator.
struct LongPagedMachine : ::testing::TestWithParam<bool> {
    static constexpr u64 program = 0x1000, page_fault = 0x1800, protection = 0x1900, idt = 0x6000, gdt = 0x6800;
    static constexpr u64 tables = 0x100000, table = tables + 3 * page_size;
    static constexpr u32 present = 1, present_writable = 3, global = 0x100;

    LongPagedMachine()
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

    static Bytes set_edx(u64 value) { return Bytes{0xba} + dword(value); }
    // mov dword [], value
    static Bytes store_entry(u64 linear, u64 value)
    {
        return Bytes{0xc7, 0x04, 0x25} + dword(table + (linear >> page_shift) * 8) + dword(value);
    }
    static Bytes invlpg(u64 linear) { return Bytes{0x0f, 0x01, 0x3c, 0x25} + dword(linear); }
    static Bytes load_cr3() { return Bytes{0xb8} + dword(tables) + Bytes{0x0f, 0x22, 0xd8}; }    // by way of EAX
    static Bytes stop() { return {0xe6, 0x80, 0xf4}; }    // out 80h, al; hlt
    static constexpr u32 rounds = 300;
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

    BareMachine m;
};

}
