// Loops of random instructions in lockstep: what the translator makes of a whole loop, with registers on loan, spans, strips and
// flags from round to round, must leave what the interpreter leaves. Seeded; PADDOCK_RANDOM_LOOPS says how many.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <set>
#include <string_view>
#include <thread>

#include "engine/base/bits.h"
#include "engine/base/text.h"
#include "engine/translator/lockstep_tier.h"
#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/bare_machine.h"
#include "tests/engine/cpu/x86/oracle_lines.h"

using namespace engine;
using namespace engine::x86;
using namespace engine::x86::test;

namespace {

using enum Operand;

constexpr u64 data = 0x20000, counter = 0x8ff0, stack = 0xa000, code = 0x1000, tables = 0x1f0000;

class Generator {
public:
    explicit Generator(u64 seed) : random_(seed)
    {
        for (const Line& line : all_lines())
            if (suits(line))
                lines_.push_back(line);
    }
    u64 below(u64 limit) { return random_() % limit; }
    bool one_in(u64 n) { return below(n) == 0; }
    u64 any() { return random_(); }

    // L: a body, which may skip parts of itself; dec; jnz L; sometimes STI; some more; jmp to what follows.
    std::vector<u8> program(bool may_enable_interrupts)
    {
        std::vector<u8> out;
        counts_in_ = one_in(2) ? u8(8 + below(8)) : none;
        for (u64 left = 1 + below(12); left > 0; --left)
            add_piece(out);
        if (counts_in_ == none) {
            constexpr u8 dec_memory[]{0x83, 0x2c, 0x25, u8(counter & 0xff), u8(counter >> 8), 0x00, 0x00, 0x01};
            out.insert(out.end(), std::begin(dec_memory), std::end(dec_memory));
        } else {
            out.insert(out.end(), {0x49, 0xff, u8(0xc8 | (counts_in_ & 7))});
        }
        const i32 back = -i32(out.size() + 6);
        out.insert(out.end(), {0x0f, 0x85, u8(back), u8(back >> 8), u8(back >> 16), u8(back >> 24)});
        if (may_enable_interrupts && one_in(3))
            out.push_back(0xfb);
        for (u64 left = below(4); left > 0; --left)
            add_instruction(out);
        out.insert(out.end(), {0xeb, 0x00});
        return out;
    }
    u8 counts_in() const { return counts_in_; }
    static constexpr u8 none = 0xff;

private:
    // Not what leaves the user's mode or the loop, depends on more than the lockstep repeats, or goes far astray.
    static bool suits(const Line& line)
    {
        static const std::set<std::string_view> names{
            "enter",  "popf",   "lahf",  "pushf",    "xlat",     "xsave",  "xsaveopt", "xsaves",     "xrstor",     "xrstors",
            "rdrand", "rdseed", "rdpid", "wrfsbase", "wrgsbase", "swapgs", "maskmovq", "maskmovdqu", "vmaskmovdqu"};
        const Row& row = *line.row;
        return !(row.traits & (privileged | ends_block | vsib | ignores_mod)) && !names.contains(row.name)
            && !leaves_c1_unsettled(row) && !has(row, {Ob, Ov, Ap, Jb, Jz, Iw_Ib});
    }
    static bool takes_modrm(const Line& line)
    {
        return line.reg >= 0 || line.row->traits & has_modrm
            || has(*line.row, {By, Eb, Ew, Ed, Ev, Ey, Eq, Gb, Gw, Gd, Gv, Gy, Gq, M, Sw, Cd, Dd, V, W, P, Q, U, N});
    }
    static bool is_base(u8 reg) { return reg == rbx || reg == rsi || reg == rdi || reg == 9 || reg == 13; }
    // Bases mostly stay what they are; the counter and RSP always.
    u8 reg()
    {
        for (;;) {
            const u8 r = u8(below(16));
            if (r != rsp && r != counts_in_ && (!is_base(r) || one_in(20)))
                return r;
        }
    }

    void add_piece(std::vector<u8>& out)
    {
        if (one_in(6)) {    // a pointer moves on: add base, constant
            constexpr u8 bases[]{rbx, rsi, rdi, 9, 13};
            const u8 base = bases[below(std::size(bases))];
            out.insert(out.end(), {u8(0x48 | base >> 3), 0x83, u8(0xc0 | (base & 7)), u8(one_in(2) ? 8 : below(64) - 32)});
        } else if (one_in(5)) {    // jcc over an instruction
            std::vector<u8> skipped;
            add_instruction(skipped);
            out.insert(out.end(), {u8(0x70 | below(16)), u8(skipped.size())});
            out.insert(out.end(), skipped.begin(), skipped.end());
        } else {
            add_instruction(out);
        }
    }

    void add_instruction(std::vector<u8>& out)
    {
        // Plain integer instructions as often as all others together.
        const Line* line = nullptr;
        do
            line = &lines_[below(lines_.size())];
        while (one_in(2) && (line->vex || line->x87() || line->row->traits & (sse | mmx | fpu)));
        const std::vector<u8> one = line->vex ? vex(*line) : legacy(*line);
        out.insert(out.end(), one.begin(), one.end());
        if (line->row->undefined_flags)    // which nothing may read: test eax, eax
            out.insert(out.end(), {0x85, 0xc0});
    }

    struct Memory {
        u8 base, index = rsp, scale = 0;
        i32 disp;
    };
    Memory memory(const Row& row)
    {
        constexpr u8 bases[]{rbx, rbx, rsi, rsi, rdi, 9, 13, rsp};
        Memory m{.base = bases[below(std::size(bases))], .disp = i32(below(96))};
        m.disp = row.traits & aligned_16 ? m.disp * 16 : one_in(3) ? m.disp - 40 : m.disp * 4;
        if (m.base == rsp)
            m.disp &= 0x1f8;
        if (one_in(4) && m.base != rsp) {
            m.index = one_in(2) ? u8(rcx) : u8(10);
            m.scale = u8(below(4));
        }
        return m;
    }
    static void append_memory(std::vector<u8>& out, u8 reg, const Memory& m)
    {
        const bool sib = m.index != rsp || (m.base & 7) == 4;
        out.push_back(u8(0x80 | (reg & 7) << 3 | (sib ? 4 : m.base & 7)));
        if (sib)
            out.push_back(u8(m.scale << 6 | (m.index & 7) << 3 | (m.base & 7)));
        for (unsigned n = 0; n < 4; ++n)
            out.push_back(u8(u32(m.disp) >> (8 * n)));
    }
    void append_immediates(std::vector<u8>& out, const Row& row, unsigned size)
    {
        for (const Operand o : row.operands) {
            const unsigned bytes = o == Ib || o == Ibs || o == L ? 1
                : o == Iw                                        ? 2
                : o == Iz                                        ? std::min(size, 4u)
                : o == Iv                                        ? size
                                                                 : 0;
            const u64 value = one_in(2) ? any() : below(32);
            for (unsigned n = 0; n < bytes; ++n)
                out.push_back(u8(value >> (8 * n)));
        }
    }

    std::vector<u8> legacy(const Line& line)
    {
        const Row& row = *line.row;
        const bool in_memory = has(row, {M}) || (has(row, {Eb, Ew, Ed, Ev, Ey, Eq, W, Q}) && one_in(2));
        const bool integer = line.prefix == np && row_at(line.map, p66, line.opcode) == row_at(line.map, np, line.opcode);
        const std::string_view name = row.name;
        const bool never_narrow = name == "bswap" || name.starts_with("shld") || name.starts_with("shrd");
        const bool narrow = line.prefix == p66 || (integer && !never_narrow && one_in(6));
        const Memory m = memory(row);
        const u8 reg_field = line.reg >= 0 ? u8(line.reg) : reg(), rm = reg();
        std::vector<u8> out;
        if (row.traits & lockable && in_memory && one_in(8))
            out.push_back(0xf0);
        if (narrow)
            out.push_back(0x66);
        if (line.prefix == pF3 || line.prefix == pF2)
            out.push_back(line.prefix == pF3 ? 0xf3 : 0xf2);
        const bool wide = one_in(2);
        u8 rex = u8(wide ? 8 : 0);
        if (line.reg < 0)
            rex |= u8(reg_field >> 3 << 2);
        rex |= in_memory ? u8((m.index != rsp ? m.index >> 3 << 1 : 0) | m.base >> 3) : u8(rm >> 3);
        if (!takes_modrm(line))
            rex &= 8;
        out.push_back(u8(0x40 | rex));
        if (line.map != OpcodeMap::one_byte)
            out.push_back(0x0f);
        if (line.map == OpcodeMap::map_0f38 || line.map == OpcodeMap::map_0f3a)
            out.push_back(line.map == OpcodeMap::map_0f38 ? 0x38 : 0x3a);
        // What has its register in the opcode gets EAX, ECX or EDX.
        out.push_back(has(row, {Zb, Zv}) ? u8((line.opcode & 0xf8) | below(3)) : line.opcode);
        if (takes_modrm(line) && in_memory)
            append_memory(out, reg_field, m);
        else if (takes_modrm(line))
            out.push_back(line.x87() ? line.modrm : u8(0xc0 | (reg_field & 7) << 3 | (rm & 7)));
        append_immediates(out, row, wide ? 8 : narrow ? 2 : 4);
        return out;
    }

    std::vector<u8> vex(const Line& line)
    {
        const Row& row = *line.row;
        const bool in_memory = has(row, {M}) || (has(row, {Ed, Ey, W}) && one_in(2));
        const Memory m = memory(row);
        const u8 reg_field = line.reg >= 0 ? u8(line.reg) : reg(), rm = reg();
        const bool no_vvvv = row.traits & register_vvvv && in_memory;
        const u8 vvvv = has(row, {H, By}) && !no_vvvv ? reg() : u8(0);
        const u8 x = in_memory && m.index != rsp ? m.index >> 3 : 0, b = u8((in_memory ? m.base : rm) >> 3);
        const u8 inverted = u8(~(reg_field >> 3 << 7 | x << 6 | b << 5));
        std::vector<u8> out{
            0xc4, u8((inverted & 0xe0) | unsigned(line.map)),
            u8((one_in(2) ? 0x80 : 0) | (~vvvv & 15) << 3 | (one_in(2) ? 4 : 0) | line.prefix), line.opcode};
        if (takes_modrm(line) && in_memory)
            append_memory(out, reg_field, m);
        else if (takes_modrm(line))
            out.push_back(u8(0xc0 | (reg_field & 7) << 3 | (rm & 7)));
        append_immediates(out, row, 4);
        return out;
    }

    std::mt19937_64 random_;
    std::vector<Line> lines_;
    u8 counts_in_ = none;
};

// Long mode, the first 2 MiB where they are, all features on.
void enter_long_mode(BareMachine& m, bool user)
{
    constexpr u64 large = 0x80, present_writable = 3, user_page = 4;
    const u64 entry = present_writable | (user ? user_page : 0);
    for (u64 level = 0; level < 3; ++level)
        store_le<u64>(m.at(tables + level * page_size), level == 2 ? large | entry : (tables + (level + 1) * page_size) | entry);
    CpuState& s = m.state;
    constexpr u64 pae = 0x20, osfxsr_and_osxsave = 0x40200, paging = u64(1) << 31, lme_lma = 0x500;
    s.cr0 = 0x21 | paging;
    s.cr3 = tables;
    s.cr4 = osfxsr_and_osxsave | pae;
    s.efer = lme_lma;
    s.xcr0 = host_features() & feature_avx ? 7 : 3;
    for (Segment& segment : s.segments)
        segment = {.selector = 8, .attributes = u16(user ? 0xc0f3 : 0xc093), .limit = 0xffffffff, .base = 0};
    s.segments[cs].attributes = user ? 0xa0fb : 0xa09b;
    s.rflags |= flag_iopl;
    s.fpu.control = 0x37f;
    s.fpu.mxcsr = 0x1f80;
}

void fill(BareMachine& m, Generator& g, u64 rounds)
{
    CpuState& s = m.state;
    for (u64 at = data; at < data + 0x8000; at += 8)
        store_le<u64>(m.at(at), g.one_in(2) ? g.any() : g.below(1000));
    for (unsigned n = 0; n < 16; ++n) {
        s.gpr[n] = g.one_in(2) ? g.any() : g.below(256);
        for (Xmm* half : {&s.fpu.xmm[n], &s.fpu.ymm_high[n]})
            *half = {{g.any(), g.one_in(2) ? g.any() : 0x3ff0000000000000 + g.below(1000)}};
    }
    for (X87Register& r : s.fpu.registers)
        r = {.significand = u64(1) << 63 | g.any(), .sign_exponent = u16(0x3fff + g.below(8))};
    s.fpu.valid = u8(g.any());
    // Near the end of pages, so that accesses cross them.
    for (const unsigned base : {unsigned(rbx), unsigned(rsi), unsigned(rdi), 9u, 13u})
        s.gpr[base] = data + 0x2000 + g.below(3) * page_size + (g.one_in(2) ? 0 : g.below(16) * 256);
    s.gpr[rcx] = g.below(64);
    s.gpr[10] = g.below(64);
    s.gpr[rsp] = stack - 8 * g.below(4);
    if (g.counts_in() != Generator::none)
        s.gpr[g.counts_in()] = rounds;
    store_le<u32>(m.at(counter), u32(rounds));
}

unsigned tries()
{
    const char* wish = std::getenv("PADDOCK_RANDOM_LOOPS");
    return wish ? unsigned(std::atoi(wish)) : 300;
}

}

TEST(RandomLoops, leave_what_the_interpreter_leaves)
{
    Generator g(386);
    for (unsigned n = 0; n < tries(); ++n) {
        const bool user = g.one_in(2);
        BareMachine m{[](Cpu& c) {
            return translator::make_lockstep_tier(
                c, translator::make_x86_tier(c, {.hot = 1, .code_budget = 1 << 20, .linked = false}));
        }};
        enter_long_mode(m, user);
        const std::vector<u8> program = g.program(!user);
        fill(m, g, 2 + g.below(40));
        std::copy(program.begin(), program.end(), m.at(code));
        m.place(code + program.size(), {0xe6, 0x80, 0xf4});
        std::string bytes;
        for (const u8 byte : program)
            bytes += hex(byte, 2) + ' ';
        // Some have overwritten what they count, and would go on.
        std::atomic<bool> ended = false;
        std::thread alarm([&] {
            for (unsigned waited = 0; waited < 10 && !ended; ++waited)
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            m.vcpu->kick();
        });
        const VcpuExit exit = m.run();
        ended = true;
        alarm.join();
        ASSERT_NE(exit, VcpuExit::failed) << "program " << n << ": " << bytes;
    }
}
