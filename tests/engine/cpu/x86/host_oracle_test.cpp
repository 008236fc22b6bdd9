// Decoder and handlers together: random instructions of 64-bit user mode, by opcode row, executed by the host's processor
// from their bytes and by the interpreter as decoded. Registers, memory, defined flags and faults must agree.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/rendezvous.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/sse.h"
#include "engine/cpu/x86/x87_tables.h"
#include "engine/translator/x86_tier.h"
#include "tests/engine/cpu/x86/handler_rig.h"
#include "tests/engine/cpu/x86/oracle_lines.h"

using namespace engine;
using namespace engine::x86;
using namespace engine::x86::test;

namespace {

unsigned tries()
{
    const char* wish = std::getenv("PADDOCK_ORACLE_CASES");
    return wish ? unsigned(std::atoi(wish)) : 40;
}

class HostOracleTest : public ::testing::Test {
protected:
    using enum Operand;

    static constexpr u32 first_code_page = 5, code_pages = 64;

    HostOracleTest() : values(8086)
    {
        c = &rig.c;
        c->cpl = 3;
        c->mode = mode_64 | mode_flat | mode_protected | mode_user | mode_unprivileged;
        c->stack_mask = ~u64(0);
        space.add_ram("ram", 0, ram->size(), 0, *ram, 0);
        c->memory = &space;
        c->view = space.view();
        map_page();
        model.features |= host_avx512_features();
        c->model = &model;
        c->cr4 |= cr4_pae;
        c->cr0 = cr0_pe | cr0_pg | cr0_ne | cr0_mp;
        c->mode |= mode_zero_base | mode_sse | mode_x87 | mode_avx;
        // What follows a block decides which flags it must leave: PUSHF wants them all.
        constexpr int pushf = 0x9c;
        std::memset(ram->data() + first_code_page * page_size, pushf, code_pages * page_size);
        rendezvous.add(*c);
        c->rendezvous = &rendezvous;
        blocks.set_budget(2 << 20);
        c->blocks = &blocks;
        tier = translator::make_x86_tier(*c, {.hot = 1});
        // For a sample it would leave a block before it begins, and there is no run loop to enter it again.
        sigset_t samples;
        sigemptyset(&samples);
        for (int number = SIGRTMIN; number <= SIGRTMAX; ++number)
            sigaddset(&samples, number);
        pthread_sigmask(SIG_BLOCK, &samples, nullptr);
    }

    // The vector raised, -1 for none.
    [[gnu::noinline]] int run_interpreted(std::span<Insn> insns)
    {
        if (setjmp(c->fault_exit))
            return c->fault.vector;
        insns[0].handler(*c, insns.data());
        return -1;
    }

    [[gnu::noinline]] int enter(Block& block)
    {
        if (setjmp(c->fault_exit)) {
            tier->left(*c);
            return c->fault.vector;
        }
        tier->run(*c, block);
        return -1;
    }

    // `insns`, and a mark behind them, as a block of their own on the translator; the vector raised, -1 for none.
    int run_translated(std::span<Insn> insns, std::span<const u8> bytes)
    {
        // As update_mode() has it: with an unmasked exception SSE is the handlers' business.
        const bool masked = (c->fpu.mxcsr & mxcsr_masks) == mxcsr_masks;
        c->mode = (c->mode & ~(u32(mode_sse) | mode_avx)) | (masked ? u32(mode_sse) | mode_avx : 0);
        insns.back().handler = &end_of_block;
        // The interpreter has filled the soft TLB: now and then it is the host code's turn.
        if (values.one_in(4))
            c->soft_tlb.flush_all(false);
        insns.back().offset = u16(insns[insns.size() - 2].offset + insns[insns.size() - 2].length);
        // In a page of its own, as blocks of a page may jump to one another.
        const u32 page = first_code_page + code_pages_used;
        const Block head{
            .host = u64(ram->data() + page * page_size),
            .memory = ram.get(),
            .page = page,
            .version = ram->code_version(page),
            .mode = c->mode};
        const int vector = enter(blocks.add(head, bytes.first(insns.back().offset), insns));
        code_pages_used = (code_pages_used + 1) % code_pages;
        if (code_pages_used == 0)
            tier->clear(*c);
        return vector;
    }

    // Four levels of page tables that map one page of RAM at the address where it lies in this process.
    void map_page()
    {
        constexpr u64 present_writable_user = 7, table_size = page_size;
        for (unsigned level = 0; level < 4; ++level) {
            const u64 index = page() >> (39 - 9 * level) & 511;
            store_le<u64>(ram->data() + level * table_size + 8 * index, (level + 1) * table_size | present_writable_user);
        }
    }

    u64 page() const { return reinterpret_cast<u64>(memory.data()); }

    static bool takes_modrm(const Line& line)
    {
        return line.reg >= 0 || line.row->traits & has_modrm
            || has(*line.row, {By, Eb, Ew, Ed, Ev, Ey, Eq, Gb, Gw, Gd, Gv, Gy, Gq, M, Sw, Cd, Dd, V, W, P, Q, U, N, KV, KW, KU});
    }

    void randomise(const Line& line)
    {
        const std::string_view name = line.row->name;
        const bool bit_string = name.starts_with("bt");
        for (unsigned n = 0; n < 16; ++n) {
            const u64 any = values.one_in(3) ? values.any()
                : values.one_in(2)           ? values.below(256) - 128
                                             : u64(i64(values.any()) >> values.below(64));
            c->gpr[n] = bit_string ? values.below(2048) - 1024 : any;
            c->fpu.xmm[n] = values.xmm();
            c->fpu.ymm_high[n] = values.one_in(4) ? Xmm{} : values.xmm();
            c->fpu.zmm_high[n] = values.one_in(2) ? ZmmHigh{} : values.zmm_high();
            c->fpu.zmm[n] = values.zmm();
            c->fpu.opmask[n & 7] = values.any() >> values.below(64);
        }
        if (values.one_in(2) || !host_avx512_features())
            c->fpu.zmm_high = {};
        for (unsigned n = 0; n < memory.size(); n += 16) {
            const Xmm value = values.xmm();
            std::memcpy(&memory[n], &value, 16);
        }
        // AMD's MXCSR has a bit 17, which is reserved otherwise.
        if (name == "vldmxcsr")
            for (u8& byte : memory)
                byte &= 0xfd;
        c->gpr[rsp] = page() + 3072 + 8 * values.below(16);
        c->gpr[rbp] = page() + 2560 + values.below(64);
        // AMD's SHA instructions take memory that is not aligned, Intel's do not.
        c->gpr[rbx] = page() + 1024 + (values.one_in(2) || name.starts_with("sha") ? 0 : values.below(32));
        if (name == "movs" || name == "cmps" || name == "scas" || name == "lods" || name == "stos") {
            c->gpr[rsi] = page() + 1024 + values.below(32);
            c->gpr[rcx] = values.below(9);
        }
        c->gpr[rdi] = page() + 1024 + values.below(64);
        c->set_rflags(0x202 | more_flags | (values.any() & flags_arithmetic) | (values.one_in(2) ? flag_d : 0));
        c->fpu.mxcsr = line.vex ? values.mxcsr() : 0x1f80 | u32(values.below(4)) << 13;
        constexpr u64 rounding = 0xc00, long_precision = 0x300;
        c->fpu.control = u16((fcw_initial | (values.any() & rounding)) & ~(values.one_in(4) ? long_precision : 0));
        c->fpu.status = u16(values.any() & (fsw_conditions | fsw_exceptions | fsw_top));
        c->fpu.valid = values.one_in(2) ? u8(values.any()) : u8(0xff);
        for (X87Register& r : c->fpu.registers)
            r = values.extended();
        // A division that doesn't overflow now and then.
        if (name.ends_with("div") && values.one_in(2))
            c->gpr[rdx] = 0;
    }

    // A memory operand near RBX, in one of the ways of addressing it, or a register.
    void append_modrm(std::vector<u8>& bytes, const Line& line, unsigned reg, bool memory_operand)
    {
        if (!memory_operand) {
            unsigned rm = unsigned(values.below(8));
            if (rm == rsp)
                rm = rax;
            bytes.push_back(u8(0xc0 | reg << 3 | rm));
            return;
        }
        const bool wide = values.one_in(2);
        const i32 displacement = i32(values.below(64)) * (line.row->traits & aligned_16 ? 16 : 1) - 32;
        const bool sib = values.one_in(2);
        bytes.push_back(u8((wide ? 0x80 : 0x40) | reg << 3 | (sib ? 4 : rbx)));
        if (sib)
            bytes.push_back(0x20 | rbx);    // no index
        for (unsigned n = 0; n < (wide ? 4u : 1u); ++n)
            bytes.push_back(u8(u32(wide ? displacement : i8(displacement)) >> (8 * n)));
    }

    void append_immediates(std::vector<u8>& bytes, const Row& row, unsigned size)
    {
        const auto append = [&](u64 value, unsigned count) {
            for (unsigned n = 0; n < count; ++n)
                bytes.push_back(u8(value >> (8 * n)));
        };
        for (const Operand o : row.operands)
            switch (o) {
            case Ib:
            case Ibs:
            case L:
                append(values.any(), 1);
                break;
            case Iw:
                append(values.any(), 2);
                break;
            case Iz:
                append(values.any(), std::min(size, 4u));
                break;
            case Iv:
                append(values.any(), size);
                break;
            case Ob:
            case Ov:
                append(page() + 1024 + values.below(64), 8);
                break;
            case Iw_Ib:
                append(values.below(256) | values.below(4) << 16, 3);
                break;
            default:
                break;
            }
    }

    // [RBX + displacement + a vector of small indices].
    void append_vsib(std::vector<u8>& bytes, unsigned reg, unsigned index)
    {
        bytes.push_back(u8(0x44 | reg << 3));
        bytes.push_back(u8(values.below(4) << 6 | (index & 7) << 3 | rbx));
        bytes.push_back(u8(values.below(64)));
        const bool quadwords = values.one_in(2);
        for (Xmm* half : {&c->fpu.xmm[index], &c->fpu.ymm_high[index]})
            for (u64& element : half->q) {
                const u64 low = values.below(64) - 32, high = quadwords ? low >> 32 : values.below(64) - 32;
                element = u32(low) | high << 32;
            }
    }

    // VEX.L, VEX.W and vvvv are right and wrong alike: both sides must refuse the same.
    std::vector<u8> generate_vex(const Line& line)
    {
        const Row& row = *line.row;
        const bool memory_operand = has(row, {M}) || (has(row, {Ed, Ey, W, KW}) && values.one_in(2));
        const bool vector_index = row.traits & vsib;
        const bool general = has(row, {Gd, Gy});
        unsigned reg = line.reg >= 0 ? unsigned(line.reg) : unsigned(values.below(16));
        if (general && reg == rsp)
            reg = rcx;
        unsigned rm = memory_operand ? unsigned(rbx) : unsigned(values.below(16));
        if (!memory_operand && rm == rsp)
            rm = rax;
        unsigned vvvv = has(row, {H, By, KH}) ? unsigned(values.below(16)) : values.one_in(8) ? unsigned(values.below(16)) : 0;
        if (has(row, {By}) && vvvv == rsp)
            vvvv = rdx;
        if (row.traits & register_vvvv && memory_operand && !values.one_in(4))
            vvvv = 0;
        unsigned index = 0;
        if (vector_index)
            index = unsigned(values.below(16));
        const bool w = laxer_than_the_manual(line) || values.one_in(2), wide = values.one_in(2);
        const u8 last = u8((w ? 0x80 : 0) | (~vvvv & 15) << 3 | (wide ? 4 : 0) | line.prefix);
        const u8 inverted = u8(~(reg >> 3 << 7 | index >> 3 << 6 | rm >> 3 << 5));
        std::vector<u8> bytes;
        if (line.map == OpcodeMap::map_0f && !w && (inverted & 0x60) == 0x60 && values.one_in(2))
            bytes = {0xc5, u8((inverted & 0x80) | (last & 0x7f))};
        else
            bytes = {0xc4, u8((inverted & 0xe0) | unsigned(line.map)), last};
        bytes.push_back(line.opcode);
        if (vector_index)
            append_vsib(bytes, reg & 7, index);
        else if (takes_modrm(line) && memory_operand)
            append_modrm(bytes, line, reg & 7, true);
        else if (takes_modrm(line))
            bytes.push_back(u8(0xc0 | (reg & 7) << 3 | (rm & 7)));
        append_immediates(bytes, row, 4);
        return bytes;
    }

    // AMD's processors take VPERMQ and VPERMPD with VEX.W clear.
    static bool laxer_than_the_manual(const Line& line)
    {
        const std::string_view name = line.row->name;
        return name == "vpermq" || name == "vpermpd";
    }

    std::vector<u8> generate(const Line& line)
    {
        if (line.vex)
            return generate_vex(line);
        const Row& row = *line.row;
        std::vector<u8> bytes;
        const bool memory_operand = has(row, {M}) || (has(row, {Eb, Ew, Ed, Ev, Ey, Eq, W, Q}) && values.one_in(2));
        const bool integer = line.prefix == np && row_at(line.map, p66, line.opcode) == row_at(line.map, np, line.opcode);
        const std::string_view name = row.name;
        bool narrow = line.prefix == p66 || (integer && values.one_in(4));
        if (name == "bswap" || name.starts_with("shld") || name.starts_with("shrd") || row.traits & defaults_to_64)
            narrow = narrow && row.traits & defaults_to_64 && name != "enter"
                && name != "leave";    // else 16-bit results are undefined
        if (row.traits & lockable && memory_operand && values.one_in(4))
            bytes.push_back(0xf0);
        if (narrow)
            bytes.push_back(0x66);
        if (line.prefix == pF3 || line.prefix == pF2)
            bytes.push_back(line.prefix == pF3 ? 0xf3 : 0xf2);
        if (row.traits & repeatable && values.one_in(2))
            bytes.push_back(values.one_in(2) ? 0xf3 : 0xf2);
        const bool rex = values.one_in(2);
        u8 rex_bits = u8(values.below(16));
        if (memory_operand || !takes_modrm(line))
            rex_bits &= u8(~3u);    // the base stays RBX
        if (rex)
            bytes.push_back(0x40 | rex_bits);
        const bool wide = rex && rex_bits & 8;
        const unsigned size = wide ? 8 : narrow ? 2 : 4;
        if (line.map != OpcodeMap::one_byte)
            bytes.push_back(0x0f);
        if (line.map == OpcodeMap::map_0f38 || line.map == OpcodeMap::map_0f3a)
            bytes.push_back(line.map == OpcodeMap::map_0f38 ? 0x38 : 0x3a);
        bytes.push_back(line.opcode);
        if (takes_modrm(line)) {
            unsigned reg = line.reg >= 0 ? unsigned(line.reg) : unsigned(values.below(8));
            if (line.reg < 0 && (name.starts_with("bt") || reg == rsp))
                reg = rcx;
            if (line.x87() && !memory_operand)
                bytes.push_back(line.modrm);
            else
                append_modrm(bytes, line, reg, memory_operand);
        }
        append_immediates(bytes, row, size);
        return bytes;
    }

    std::string difference(const Line& line)
    {
        randomise(line);
        tried = generate(line);
        std::array<Insn, 2> insns{};
        if (decode(tried, c->mode, 0, insns[0]) != Decoded::ok)
            return "not decoded";
        if (insns[0].length != tried.size() && insns[0].row == line.row)
            return text("length ", unsigned(insns[0].length), " instead of ", tried.size());
        c->gpr[gpr_rip] = native.code_address();
        const Start start = begin();

        NativeState host;
        rig.to_native(host);
        host.gpr[rsp] = c->gpr[rsp];
        host.flags = c->rflags();
        const auto memory_before = memory;
        native.run(host, tried);
        const auto memory_native = memory;
        memory = memory_before;
        insns[1].handler = &return_only;
        const int vector = run_interpreted(insns);
        const std::string wrong = compare(line, host, memory_native, vector);
        return wrong.empty() ? translated_difference(line, start, insns, memory_before, host, memory_native) : wrong;
    }

    // The registers that instructions of these tests work on.
    struct Start {
        std::array<u64, 18> gpr;
        u64 rflags;
        FpuState fpu;
    };
    Start begin() const { return {c->gpr, c->rflags(), c->fpu}; }
    void begin_again(const Start& start)
    {
        c->gpr = start.gpr;
        c->set_rflags(start.rflags);
        c->fpu = start.fpu;
        c->slots.uppers_used = c->slots.zmm_used = true;
    }

    std::string translated_difference(
        const Line& line, const Start& start, std::span<Insn> insns, const std::array<u8, 4096>& memory_before, NativeState& host,
        const std::array<u8, 4096>& memory_native)
    {
        begin_again(start);
        memory = memory_before;
        const std::string wrong = compare(line, host, memory_native, run_translated(insns, tried));
        return wrong.empty() ? wrong : "translated: " + wrong;
    }

    // Up to seven instructions, one after another. Where one leaves flags undefined, any later one may have used them.
    std::string run_difference(const std::vector<Line>& lines)
    {
        std::vector<Insn> insns(2 + values.below(7));
        std::vector<u8> all;
        u64 undefined = 0;
        for (std::size_t n = 0; n + 1 < insns.size(); ++n) {
            const Line& line = lines[values.below(lines.size())];
            if (n == 0)
                randomise(line);
            tried = generate(line);
            if (decode(tried, c->mode, u16(all.size()), insns[n]) != Decoded::ok || ends(insns[n]))
                return {};
            all.insert(all.end(), tried.begin(), tried.end());
            undefined |= insns[n].row->undefined_flags | (leaves_c1_unsettled(*insns[n].row) ? fsw_c1 : 0);
        }
        tried = all;
        c->gpr[gpr_rip] = page();
        const Start start = begin();
        const auto memory_before = memory;
        insns.back().handler = &return_only;
        const int vector = run_interpreted(insns);
        const Start end = begin();
        const auto memory_interpreted = memory;
        begin_again(start);
        memory = memory_before;
        const int translated = run_translated(insns, all);
        if (undefined)
            return {};    // what is undefined may have been used
        if (translated != vector)
            return text("vector ", translated, " instead of ", vector);
        for (unsigned n = 0; n < 16; ++n)
            if (c->gpr[n] != end.gpr[n])
                return text("register ", n, ": ", hex(c->gpr[n]), " instead of ", hex(end.gpr[n]));
        if (vector < 0 && (c->rflags() ^ end.rflags) & flags_arithmetic)
            return text("flags ", hex(c->rflags()), " instead of ", hex(end.rflags));
        if (memory != memory_interpreted)
            return "memory";
        return without_pointers(c->fpu) == without_pointers(end.fpu) ? "" : "SSE or x87 state";
    }
    static FpuState without_pointers(FpuState fpu)
    {
        fpu.opcode = fpu.instruction_selector = fpu.data_selector = u16(fpu.instruction_pointer = fpu.data_pointer = 0);
        return fpu;
    }
    static bool ends(const Insn& i) { return i.row->traits & ends_block || (i.row->traits & may_end_block && i.prefix >= pF3); }

    std::string compare(const Line& line, NativeState& host, const std::array<u8, 4096>& memory_native, int vector)
    {
        if (vector != host.vector)
            return text("vector ", vector, " instead of ", host.vector);
        if (memory != memory_native)
            return "memory";
        if (line.vex && !mxcsr_agrees(*c, host))
            return "MXCSR";
        if (vector >= 0)
            return {};
        for (unsigned n = 0; n < 16; ++n)
            if (host.gpr[n] != c->gpr[n])
                return text("register ", n, ": ", hex(c->gpr[n]), " instead of ", hex(host.gpr[n]));
        const u64 wrong = (c->rflags() ^ host.flags) & (flags_arithmetic | flag_d) & ~line.row->undefined_flags;
        if (wrong)
            return text("flags ", hex(c->rflags()), " instead of ", hex(host.flags));
        Rig::strip_pointers(host.fx);
        if (leaves_c1_unsettled(*line.row)) {
            c->fpu.status |= fsw_c1;
            host.fx[3] |= fsw_c1 >> 8;
        }
        if (rig.fx() != host.fx)
            return "SSE or x87 state";
        return rig.uppers_agree(host) ? "" : "upper halves or opmasks";
    }

    std::string shown() const { return in_hex(tried); }

    Rig rig;
    Cpu* c;
    NativeProcessor native;
    Values values;
    std::vector<u8> tried;
    u64 more_flags = 0;
    // The page tables, the page that instructions work on, and one where translated code is said to come from.
    std::unique_ptr<MemoryBlock> ram = std::move(*MemoryBlock::create("ram", (first_code_page + code_pages) * page_size));
    u32 code_pages_used = 0;
    std::array<u8, 4096>& memory = *reinterpret_cast<std::array<u8, 4096>*>(ram->data() + 4 * page_size);
    AddressSpace space;
    CpuModel model;
    Rendezvous rendezvous;
    BlockCache blocks;
    std::unique_ptr<HostCodeTier> tier;
};

}

TEST_F(HostOracleTest, every_row_agrees_with_the_host)
{
    for (const Line& line : all_lines()) {
        std::string found;
        for (unsigned n = 0; n < tries() && found.empty(); ++n)
            found = difference(line);
        EXPECT_EQ(found, "") << line.row->name << ": " << shown();
    }
}

TEST_F(HostOracleTest, translated_runs_of_instructions_agree_with_the_interpreter)
{
    const std::vector<Line> lines = all_lines();
    for (unsigned n = 0; n < 50 * tries(); ++n) {
        const std::string found = run_difference(lines);
        ASSERT_EQ(found, "") << shown();
    }
}

// EFLAGS.AC with CR0.AM, which Linux sets.
TEST_F(HostOracleTest, alignment_is_checked_as_on_the_host)
{
    c->cr0 |= cr0_am;
    more_flags = flag_ac;
    c->tlb = &c->soft_tlb.checking_context();
    for (const Line& line : all_lines()) {
        if (aligns_in_its_own_way(line))
            continue;
        std::string found;
        for (unsigned n = 0; n < tries() && found.empty(); ++n)
            found = difference(line);
        EXPECT_EQ(found, "") << line.row->name << ": " << shown();
    }
}

TEST_F(HostOracleTest, no_opcode_has_two_rows)
{
    EXPECT_EQ(opcode_conflicts(), 0u);
}
