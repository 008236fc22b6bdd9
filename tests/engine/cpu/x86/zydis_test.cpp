// The decoder of VEX and EVEX instructions beside Zydis, another's: what is an instruction, how long it is, and its fields.
#include <gtest/gtest.h>

#ifdef PADDOCK_ZYDIS

#include <cstdlib>
#include <random>

#include <Zydis/Zydis.h>

#include "engine/base/text.h"
#include "engine/cpu/x86/cpu.h"
#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/evex.h"

using namespace engine;
using namespace engine::x86;

namespace {

struct Mode {
    u32 ours;
    ZydisMachineMode theirs;
    ZydisStackWidth stack;
};
constexpr Mode modes[] = {
    {mode_64 | mode_flat | mode_protected, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
    {mode_32 | mode_flat | mode_protected, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
    {mode_16 | mode_protected, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
    {mode_16, ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16},
};

// Zydis knows sets that the processor model has not.
bool in_the_model(ZydisISAExt set)
{
    switch (set) {
    case ZYDIS_ISA_EXT_AVX:
    case ZYDIS_ISA_EXT_AVX2:
    case ZYDIS_ISA_EXT_AVX2GATHER:
    case ZYDIS_ISA_EXT_AVXAES:
    case ZYDIS_ISA_EXT_FMA:
    case ZYDIS_ISA_EXT_F16C:
    case ZYDIS_ISA_EXT_BMI1:
    case ZYDIS_ISA_EXT_BMI2:
    case ZYDIS_ISA_EXT_VAES:
    case ZYDIS_ISA_EXT_VPCLMULQDQ:
    case ZYDIS_ISA_EXT_BASE:
    case ZYDIS_ISA_EXT_AVX512EVEX:
    case ZYDIS_ISA_EXT_AVX512VEX:
        return true;
    default:
        return false;
    }
}
bool in_the_model(const ZydisDecodedInstruction& i)
{
    const std::string_view set = ZydisISASetGetString(i.meta.isa_set);
    for (const char* other : {"ER_", "PF_", "4FMAPS", "4VNNIW", "BF16", "VP2INTERSECT", "GFNI"})
        if (i.meta.isa_ext == ZYDIS_ISA_EXT_AVX512EVEX && set.find(other) != set.npos)
            return false;
    return in_the_model(i.meta.isa_ext);
}

class ZydisTest : public ::testing::Test {
protected:
    std::array<u8, 15> any_bytes()
    {
        std::array<u8, 15> bytes;
        for (u8& byte : bytes)
            byte = u8(random());
        unsigned at = 0;
        static constexpr u8 before[] = {0x67, 0x2e, 0x65, 0x66, 0xf2, 0xf3, 0xf0, 0x48};
        while (random() % 4 == 0)
            bytes[at++] = before[random() % std::size(before)];
        bytes[at] = random() % 2 ? 0xc4 : 0xc5;
        if (bytes[at] == 0xc4 && random() % 8)
            bytes[at + 1] = u8((bytes[at + 1] & 0xe0) | (1 + random() % 3));
        if (random() % 2)
            bytes[at + (bytes[at] == 0xc4 ? 2 : 1)] |= 0x78;    // vvvv unused
        return bytes;
    }

    std::array<u8, 15> evex_bytes()
    {
        std::array<u8, 15> bytes;
        for (u8& byte : bytes)
            byte = u8(random());
        bytes[0] = 0x62;
        static constexpr u8 maps[] = {1, 2, 3, 5, 6};
        bytes[1] = u8((bytes[1] & 0xf0) | maps[random() % std::size(maps)]);
        if (random() % 2)
            bytes[1] |= 0xf0;
        bytes[2] |= 4;
        if (random() % 2)
            bytes[2] |= 0x78;    // vvvv unused
        if (random() % 2)
            bytes[3] &= 0x68;
        if (random() % 2)
            bytes[3] |= 8;
        return bytes;
    }

    // What differs, empty if nothing.
    std::string difference(const Mode& mode, const std::array<u8, 15>& bytes)
    {
        Insn ours{};
        if (decode(bytes, mode.ours, 0, ours) != Decoded::ok)
            return "15 bytes are too few";
        const bool valid = ours.row->forms;
        ZydisDecoder decoder;
        ZydisDecoderInit(&decoder, mode.theirs, mode.stack);
        ZydisDecodedInstruction theirs{};
        ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
        const bool also = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &theirs, operands));
        if (also && !in_the_model(theirs))
            return {};
        // Outside 64-bit mode processors don't look at EVEX.W of general registers; Zydis does where FP16 is concerned.
        const bool w_ignored = valid && !also && mode.theirs != ZYDIS_MACHINE_MODE_LONG_64 && ours.map == OpcodeMap::map_5
            && has_general_operand(*ours.row);
        if (w_ignored)
            return {};
        if (valid != also)
            return valid ? text("no ", ours.row->name) : text("a ", ZydisMnemonicGetString(theirs.mnemonic));
        if (!valid)
            return {};
        ++compared;
        if (ours.length != theirs.length)
            return text("length ", unsigned(ours.length), " instead of ", unsigned(theirs.length));
        const bool vex = theirs.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
        const bool evex = theirs.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
        if (vex != (ours.vex && !ours.is_evex()) || evex != ours.is_evex())
            return "VEX or EVEX, or not";
        return vex ? fields(mode, ours, theirs) : evex ? evex_fields(ours, theirs, operands) : "";
    }

    static std::string
    evex_fields(const Insn& ours, const ZydisDecodedInstruction& theirs, std::span<const ZydisDecodedOperand> operands)
    {
        const auto& e = theirs.raw.evex;
        if (ours.dst != e.aaa || bool(ours.vex & Insn::evex_z) != e.z || bool(ours.vex & Insn::evex_b) != e.b
            || ours.evex_length() != unsigned(e.L | e.L2 << 1))
            return "aaa, z, b or L'L";
        if (ours.map != OpcodeMap(e.mmm) || ours.prefix != e.pp || ours.opcode != theirs.opcode)
            return "map, prefix or opcode";
        if (theirs.raw.imm[0].size && u8(ours.imm) != u8(theirs.raw.imm[0].value.u))
            return "immediate";
        for (const ZydisDecodedOperand& o : operands.first(theirs.operand_count_visible)) {
            if (o.type == ZYDIS_OPERAND_TYPE_MEMORY) {
                if (ours.base != gpr_rip && (u64(i64(ours.disp)) ^ u64(o.mem.disp.value)) & ours.address_mask)
                    return text("displacement ", ours.disp, " instead of ", o.mem.disp.value);
                if (o.mem.type == ZYDIS_MEMOP_TYPE_VSIB && ours.src != ZydisRegisterGetId(o.mem.index))
                    return "index";
                continue;
            }
            if (o.type != ZYDIS_OPERAND_TYPE_REGISTER)
                continue;
            const u8 number = u8(ZydisRegisterGetId(o.reg.value));
            if ((o.encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG && number != ours.reg)
                || (o.encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM && number != ours.rm)
                || (o.encoding == ZYDIS_OPERAND_ENCODING_NDSNDD && number != ours.vvvv))
                return text("register ", unsigned(number));
        }
        return {};
    }

    static std::string fields(const Mode& mode, const Insn& ours, const ZydisDecodedInstruction& theirs)
    {
        const auto& v = theirs.raw.vex;
        const u8 registers = mode.theirs == ZYDIS_MACHINE_MODE_LONG_64 ? 15 : 7;
        if (ours.vvvv != (~v.vvvv & registers) || ours.wide() != v.L || bool(ours.vex & Insn::vex_w) != v.W)
            return "vvvv, L or W";
        if (ours.map != OpcodeMap(v.m_mmmm) || ours.prefix != v.pp || ours.opcode != theirs.opcode)
            return "map, prefix or opcode";
        if (ours.memory() && ours.base != gpr_rip && (u64(i64(ours.disp)) ^ u64(theirs.raw.disp.value)) & ours.address_mask)
            return "displacement";
        if (theirs.raw.imm[0].size && u8(ours.imm) != u8(theirs.raw.imm[0].value.u))
            return "immediate";
        return {};
    }

    void agree(auto make_bytes)
    {
        const char* wish = std::getenv("PADDOCK_ORACLE_CASES");
        const unsigned tries = wish ? unsigned(std::atoi(wish)) * 10'000 : 400'000;
        for (unsigned n = 0; n < tries; ++n) {
            const auto bytes = make_bytes();
            const std::string found = difference(modes[n % std::size(modes)], bytes);
            if (found.empty())
                continue;
            std::string shown;
            for (const u8 byte : bytes)
                shown += hex(byte, 2) + ' ';
            FAIL() << found << " in mode " << n % std::size(modes) << ": " << shown;
        }
        EXPECT_GT(compared, tries / 50);
    }

    std::mt19937_64 random{2718};
    unsigned compared = 0;
};

}

TEST_F(ZydisTest, agrees_about_vex)
{
    agree([&] { return any_bytes(); });
}

TEST_F(ZydisTest, agrees_about_evex)
{
    agree([&] { return evex_bytes(); });
}

#else

TEST(ZydisTest, agrees_about_vex)
{
    GTEST_SKIP() << "libzydis-dev is not installed";
}

TEST(ZydisTest, agrees_about_evex)
{
    GTEST_SKIP() << "libzydis-dev is not installed";
}

#endif
