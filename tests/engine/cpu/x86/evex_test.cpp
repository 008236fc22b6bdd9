// AVX-512's instructions beside the host's own processor: random operands, opmasks, rounding modes, and memory that ends at a page
// which is not there. What the decoder must refuse the host must refuse too.
#include "engine/cpu/x86/evex.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "engine/base/text.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/rendezvous.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/sse.h"
#include "tests/engine/cpu/x86/handler_rig.h"

using namespace engine;
using namespace engine::x86;
using namespace engine::x86::test;

namespace {

unsigned tries()
{
    const char* wish = std::getenv("PADDOCK_ORACLE_CASES");
    return wish ? unsigned(std::atoi(wish)) : 40;
}

struct Line {
    OpcodeMap map;
    const EvexOpcode* opcode;
};

class EvexTest : public ::testing::Test {
protected:
    using enum Operand;
    static constexpr u32 memory_page = 4, absent_page = 5, pages = 6;

    EvexTest() : values(512)
    {
        c = &rig.c;
        c->cpl = 3;
        c->mode = mode_64 | mode_flat | mode_protected | mode_user | mode_unprivileged | mode_zero_base;
        c->stack_mask = ~u64(0);
        c->cr4 |= cr4_pae;
        c->cr0 = cr0_pe | cr0_pg | cr0_ne | cr0_mp;
        space.add_ram("ram", 0, ram->size(), 0, *ram, 0);
        c->memory = &space;
        c->view = space.view();
        c->rendezvous = &rendezvous;
        rendezvous.add(*c);
        model.features |= host_avx512_features();
        c->model = &model;
        constexpr u64 present_writable_user = 7, table_size = page_size;
        for (unsigned level = 0; level < 4; ++level) {
            const u64 index = page() >> (39 - 9 * level) & 511;
            store_le<u64>(ram->data() + level * table_size + 8 * index, (level + 1) * table_size | present_writable_user);
        }
        ::mprotect(ram->data() + absent_page * page_size, page_size, PROT_NONE);
    }
    ~EvexTest() override { ::mprotect(ram->data() + absent_page * page_size, page_size, PROT_READ | PROT_WRITE); }
    void SetUp() override
    {
        if (!host_avx512_features())
            GTEST_SKIP() << "the host has no AVX-512";
    }

    u64 page() const { return reinterpret_cast<u64>(memory.data()); }

    static std::vector<Line> lines()
    {
        std::vector<Line> all;
        for (const OpcodeMap map :
             {OpcodeMap::map_0f, OpcodeMap::map_0f38, OpcodeMap::map_0f3a, OpcodeMap::map_5, OpcodeMap::map_6})
            for (const EvexOpcode& opcode : evex_opcodes(map))
                if ((most_features() & opcode.row.feature) == opcode.row.feature)
                    all.push_back({map, &opcode});
        return all;
    }

    [[gnu::noinline]] int run_interpreted(std::span<Insn> insns)
    {
        if (setjmp(c->fault_exit))
            return c->fault.vector;
        insns[0].handler(*c, insns.data());
        return -1;
    }

    // Halves are small patterns too.
    u64 halves()
    {
        static constexpr u16 special[]
            = {0, 0x8000, 0x3c00, 0xbc00, 1, 0x8001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0xfd23, 0x4200};
        u64 all = 0;
        for (unsigned n = 0; n < 4; ++n)
            all |= u64(values.one_in(2) ? special[values.below(std::size(special))] : u16(values.any())) << (16 * n);
        return all;
    }
    Xmm vector() { return values.one_in(4) ? Xmm{{halves(), halves()}} : values.xmm(); }

    void randomise(const EvexRow& row)
    {
        for (unsigned n = 0; n < 16; ++n) {
            c->gpr[n] = values.one_in(2) ? values.any() : values.below(256) - 128;
            c->fpu.xmm[n] = vector();
            c->fpu.ymm_high[n] = vector();
            c->fpu.zmm_high[n] = std::bit_cast<ZmmHigh>(std::array{vector(), vector()});
            c->fpu.zmm[n] = std::bit_cast<Zmm>(std::array{vector(), vector(), vector(), vector()});
            c->fpu.opmask[n & 7] = values.one_in(8) ? 0 : values.one_in(6) ? ~u64(0) : values.any() >> values.below(64);
        }
        for (unsigned n = 0; n < memory.size(); n += 16) {
            const Xmm value = vector();
            std::memcpy(&memory[n], &value, 16);
        }
        // Aligned, not aligned, or near the page's end.
        const u64 place = values.below(4);
        c->gpr[rbx] = page()
            + (place == 0       ? 1024 + values.below(64)
                   : place == 1 ? page_size - values.below(72)
                   : place == 2 ? page_size - 8 * values.below(9)
                                : 1024 + 64 * values.below(3));
        c->gpr[rsp] = page() + 3072;
        c->set_rflags(0x202 | more_flags | (values.any() & flags_arithmetic));
        c->fpu.mxcsr = values.mxcsr();
        // Sapphire Rapids sets flags of unmasked exceptions in complex multiplication, and raises none.
        if (row.rules & distinct)
            c->fpu.mxcsr |= mxcsr_masks;
        if (row.traits & vsib)
            c->gpr[rbx] = page() + (values.one_in(2) ? 2048 : page_size - values.below(400));
    }

    void append_vsib(std::vector<u8>& bytes, unsigned reg, unsigned index, unsigned scale)
    {
        bytes.push_back(u8(0x44 | reg << 3));
        bytes.push_back(u8(scale << 6 | (index & 7) << 3 | rbx));
        bytes.push_back(u8(values.below(8)));
        const auto small = [&](auto& half) {
            const bool quadwords = values.one_in(2);
            for (u64& element : half.q) {
                const u64 low = values.below(64) - 32, high = quadwords ? low >> 32 : values.below(64) - 32;
                element = u32(low) | high << 32;
            }
        };
        if (index >= 16)
            return small(c->fpu.zmm[index - 16]);
        small(c->fpu.xmm[index]);
        small(c->fpu.ymm_high[index]);
        small(c->fpu.zmm_high[index]);
    }

    // Mostly right, now and then wrong: both sides must refuse the same.
    std::vector<u8> generate(const Line& line)
    {
        const EvexRow& row = line.opcode->row;
        const auto spoil = [&] { return values.one_in(24); };
        const bool vector_index = row.traits & vsib;
        const bool memory_operand = has_operand(row, M) || (row.extent != Extent::no_memory && values.one_in(2)) || vector_index;
        unsigned length = (row.rules & lig) == lig ? unsigned(values.below(3)) : 0;
        while ((row.rules & lig) != lig && !(row.rules & l128 << length))
            length = unsigned(values.below(3));
        if (vl == (row.rules & lig))
            length = unsigned(values.below(3));
        if (spoil())
            length = unsigned(values.below(4));
        bool b = memory_operand ? row.rules & broadcast && values.one_in(2)
                                : row.rules & (rounding | sae | b_ignored) && values.one_in(2);
        if (b && !memory_operand)
            length = unsigned(values.below(4));
        if (spoil())
            b = !b;
        unsigned mask = row.rules & masks && ((row.rules & needs_mask) == needs_mask || !values.one_in(3))
            ? 1 + unsigned(values.below(7))
            : 0;
        if (spoil())
            mask = unsigned(values.below(8));
        const bool destination_in_memory = memory_operand && (row.operands[0] == W || row.operands[0] == M);
        bool z = (row.rules & merging) == merging && mask && !destination_in_memory && values.one_in(2);
        if (spoil())
            z = !z;
        bool w = row.rules & w1 && !(row.rules & w0 && values.one_in(2));
        if (spoil())
            w = !w;
        unsigned reg = line.opcode->reg >= 0 ? unsigned(line.opcode->reg) : unsigned(values.below(32));
        unsigned vvvv = has_operand(row, H) && !(row.traits & register_vvvv && memory_operand) ? unsigned(values.below(32))
            : spoil()                                                                          ? unsigned(values.below(32))
                                                                                               : 0;
        unsigned rm = memory_operand ? unsigned(rbx) : unsigned(values.below(32));
        if (has_operand(row, KV))
            reg &= spoil() ? 31 : 7;
        if (has_operand(row, Gd) || has_operand(row, Gq)) {
            reg &= spoil() ? 31 : 15;
            reg = (reg & 15) == rsp ? 3 : reg;
        }
        if (has_general_operand(row) && !memory_operand && (rm & 15) == rsp)
            rm = 1;
        unsigned index = unsigned(values.below(32));
        if (vector_index) {
            vvvv = index & 16;
            rm = rbx | (index & 8) << 1;
        }
        const auto inverted = [](unsigned number, unsigned n, unsigned to) { return (~number >> n & 1) << to; };
        std::vector<u8> bytes{0x62};
        bytes.push_back(
            u8(inverted(reg, 3, 7) | (vector_index ? inverted(index, 3, 6) : inverted(rm, 4, 6))
               | (vector_index ? 1 << 5 : inverted(rm, 3, 5)) | inverted(reg, 4, 4) | unsigned(line.map)));
        bytes.push_back(u8((w ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | line.opcode->prefix));
        bytes.push_back(u8((z ? 0x80 : 0) | length << 5 | (b ? 0x10 : 0) | inverted(vvvv, 4, 3) | mask));
        bytes.push_back(line.opcode->opcode);
        if (vector_index)
            append_vsib(bytes, reg & 7, index, unsigned(values.below(4)));
        else if (memory_operand)
            append_memory(bytes, reg & 7);
        else
            bytes.push_back(u8(0xc0 | (reg & 7) << 3 | (rm & 7)));
        if (has_operand(row, Ib))
            bytes.push_back(u8(values.any()));
        return bytes;
    }

    // Without displacement mostly, so that the base's place near the page's end counts.
    void append_memory(std::vector<u8>& bytes, unsigned reg)
    {
        const u64 kind = values.below(4);
        bytes.push_back(u8((kind == 0 ? 0x40 : kind == 1 ? 0x80 : 0) | reg << 3 | rbx));
        const u64 displacement = values.below(8) - 4;
        if (kind == 0)
            bytes.push_back(u8(displacement));
        for (unsigned n = 0; kind == 1 && n < 4; ++n)
            bytes.push_back(u8(displacement >> (8 * n)));
    }

    std::string difference(const Line& line)
    {
        const EvexRow& row = line.opcode->row;
        randomise(row);
        tried = generate(line);
        std::array<Insn, 2> insns{};
        if (decode(tried, c->mode, 0, insns[0]) != Decoded::ok)
            return "not decoded";
        insns[1].handler = &return_only;
        c->gpr[gpr_rip] = native.code_address();
        NativeState host;
        rig.to_native(host);
        host.gpr[rsp] = c->gpr[rsp];
        host.flags = c->rflags();
        const auto before = memory;
        native.run(host, tried);
        const auto theirs = memory;
        memory = before;
        if (values.one_in(2))
            c->soft_tlb.flush_all(false);
        const int vector = run_interpreted(insns);
        reached += vector < 0;
        if (vector >= 0)
            refused += vector == invalid_opcode;
        if (vector != host.vector)
            return text("vector ", vector, " instead of ", host.vector, " at ", hex(c->gpr[rbx] - page()));
        if (memory != theirs)
            return "memory";
        if (vector == invalid_opcode)
            return {};
        if (!mxcsr_agrees(*c, host))
            return text("MXCSR ", hex(c->fpu.mxcsr), " instead of ", hex(load_le<u32>(&host.fx[fx_mxcsr_offset])));
        // What a gather has done before a fault: what is above its elements is then the processor's own affair.
        if (vector >= 0)
            return c->fpu.opmask == host.opmask && (!(row.traits & vsib) || first_elements_agree(insns[0], host)) ? ""
                                                                                                                  : "opmasks";
        if (!rig.uppers_agree(host))
            return "upper halves or opmasks";
        for (unsigned n = 0; n < 16; ++n)
            if (host.gpr[n] != c->gpr[n])
                return text("register ", n, ": ", hex(c->gpr[n]), " instead of ", hex(host.gpr[n]));
        if ((c->rflags() ^ host.flags) & flags_arithmetic)
            return text("flags ", hex(c->rflags()), " instead of ", hex(host.flags));
        Rig::strip_pointers(host.fx);
        store_le<u32>(&host.fx[fx_mxcsr_offset], c->fpu.mxcsr);
        return rig.fx() == host.fx ? "" : "SSE state";
    }

    bool first_elements_agree(const Insn& i, const NativeState& host) const
    {
        constexpr unsigned least = 8;    // bytes of a gather's result
        const u8* const theirs
            = i.reg < 16 ? &host.fx[fx_xmm_offset + 16u * i.reg] : reinterpret_cast<const u8*>(&host.zmm[i.reg - 16u]);
        const void* const ours = i.reg < 16 ? static_cast<const void*>(&c->fpu.xmm[i.reg]) : &c->fpu.zmm[i.reg - 16u];
        return std::memcmp(ours, theirs, least) == 0;
    }

    std::string shown() const { return in_hex(tried); }

    Rig rig;
    Cpu* c;
    NativeProcessor native;
    Values values;
    std::vector<u8> tried;
    unsigned reached = 0, refused = 0;
    u64 more_flags = 0;
    std::unique_ptr<MemoryBlock> ram = std::move(*MemoryBlock::create("ram", pages* page_size));
    std::array<u8, 4096>& memory = *reinterpret_cast<std::array<u8, 4096>*>(ram->data() + memory_page * page_size);
    AddressSpace space;
    CpuModel model;
    Rendezvous rendezvous;
};

}

TEST_F(EvexTest, every_row_agrees_with_the_host)
{
    for (const Line& line : lines()) {
        std::string found;
        for (unsigned n = 0; n < tries() && found.empty(); ++n)
            found = difference(line);
        EXPECT_EQ(found, "") << line.opcode->row.name << ": " << shown();
    }
    EXPECT_GT(reached, refused);
    EXPECT_GT(refused, 100u);
}

// EFLAGS.AC with CR0.AM, which Linux sets.
TEST_F(EvexTest, alignment_is_checked_as_on_the_host)
{
    if (!__builtin_cpu_is("intel"))
        GTEST_SKIP() << "which vectors in memory are checked is each processor's own";
    c->cr0 |= cr0_am;
    more_flags = flag_ac;
    c->tlb = &c->soft_tlb.checking_context();
    for (const Line& line : lines()) {
        std::string found;
        for (unsigned n = 0; n < tries() && found.empty(); ++n)
            found = difference(line);
        EXPECT_EQ(found, "") << line.opcode->row.name << ": " << shown();
    }
}
