// The decoder of VEX instructions beside Zydis, another's: what is an instruction, how long it is, and its fields.
#include <gtest/gtest.h>

#ifdef PADDOCK_ZYDIS

#include <cstdlib>
#include <random>

#include <Zydis/Zydis.h>

#include "engine/base/text.h"
#include "engine/cpu/x86/cpu.h"
#include "engine/cpu/x86/decoder.h"

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
        return true;
    default:
        return false;
    }
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
        if (also && !in_the_model(theirs.meta.isa_ext))
            return {};
        if (valid != also)
            return valid ? text("no ", ours.row->name) : text("a ", ZydisMnemonicGetString(theirs.mnemonic));
        if (!valid)
            return {};
        ++compared;
        if (ours.length != theirs.length)
            return text("length ", unsigned(ours.length), " instead of ", unsigned(theirs.length));
        const bool vex = theirs.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
        if (vex != (ours.vex != 0))
            return "VEX or not";
        return vex ? fields(mode, ours, theirs) : "";
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

    std::mt19937_64 random{2718};
    unsigned compared = 0;
};

}

TEST_F(ZydisTest, agrees_about_vex)
{
    const char* wish = std::getenv("PADDOCK_ORACLE_CASES");
    const unsigned tries = wish ? unsigned(std::atoi(wish)) * 10'000 : 400'000;
    for (unsigned n = 0; n < tries; ++n) {
        const auto bytes = any_bytes();
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

#else

TEST(ZydisTest, agrees_about_vex)
{
    GTEST_SKIP() << "libzydis-dev is not installed";
}

#endif
