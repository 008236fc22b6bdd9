#pragma once
// A processor in 32-bit mode with paging, its first two MiB mapped to themselves in pages; a page fault stops it, with CR2 in EBX.

#include <gtest/gtest.h>

#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"
#include "tests/engine/translator/code_bytes.h"

namespace engine {

// The parameter: with the translator.
struct PagedMachine : ::testing::TestWithParam<bool> {
    static constexpr u64 program = 0x1000, handler = 0x1800, idt = 0x6000, gdt = 0x6800;
    static constexpr u64 directory = 0x100000, table = 0x101000;
    static constexpr u32 present_writable = 3, global = 0x100;

    explicit PagedMachine(const translator::X86TierOptions& options = {.hot = 2})
        : m{GetParam() ? BareMachine::MakeTier([options](x86::Cpu& c) { return translator::make_x86_tier(c, options); })
                       : BareMachine::MakeTier{}}
    {
        m.begin_flat_32();
        m.state.cr0 |= u64(1) << 31;
        m.state.cr4 = 0x80;    // global pages
        m.state.cr3 = directory;
        m.state.gpr[x86::rax] = m.state.gpr[x86::rdx] = 0;
        put<u32>(directory, table | present_writable);
        for (u32 page = 0; page < 512; ++page)
            map(table, page << page_shift, page << page_shift);
        put<u64>(gdt + 8, 0x00cf9b000000ffff);
        put<u64>(gdt + 16, 0x00cf93000000ffff);
        m.state.gdtr = {.base = gdt, .limit = 23};
        put<u64>(idt + 14 * 8, 0x00008e0000080000 | handler);
        m.state.idtr = {.base = idt, .limit = 0x7f};
        // mov ebx, cr2; out 80h, al; hlt
        write(handler, {0x0f, 0x20, 0xd3, 0xe6, 0x80, 0xf4});
    }
    template <class T> void put(u64 at, T value) { std::memcpy(m.at(at), &value, sizeof value); }
    void write(u64 at, const Bytes& bytes) { std::memcpy(m.at(at), bytes.data(), bytes.size()); }
    void map(u64 in_table, u64 linear, u64 physical)
    {
        put<u32>(in_table + (linear >> page_shift) * 4, u32(physical | present_writable));
    }

    static Bytes call(u64 from, u64 to) { return Bytes{0xe8} + dword(to - (from + 5)); }
    static Bytes jump(u64 from, u64 to) { return Bytes{0xe9} + dword(to - (from + 5)); }
    static Bytes set_ecx(u32 value) { return Bytes{0xb9} + dword(value); }
    static Bytes store(u64 at, u64 value) { return Bytes{0xc7, 0x05} + dword(at) + dword(value); }    // mov dword [at], value
    static Bytes store_entry(u64 linear, u64 value) { return store(table + (linear >> page_shift) * 4, value); }
    static Bytes invlpg(u64 linear) { return Bytes{0x0f, 0x01, 0x3d} + dword(linear); }
    static Bytes load_cr3(u64 value) { return Bytes{0xb8} + dword(value) + Bytes{0x0f, 0x22, 0xd8}; }    // by way of EAX
    static Bytes stop() { return {0xe6, 0x80, 0xf4}; }    // out 80h, al; hlt

    void run(const Bytes& code)
    {
        write(program, code);
        m.state.rip = program;
        ASSERT_EQ(m.run(), VcpuExit::kicked) << m.vcpu->failure();
    }

    BareMachine m;
};

}
