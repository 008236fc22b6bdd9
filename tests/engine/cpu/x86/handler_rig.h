#pragma once
// A processor with two pages of memory at their host address, for tests that call instruction handlers one at a time.

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "engine/cpu/x86/cpuid.h"
#include "engine/cpu/x86/fpu.h"
#include "engine/cpu/x86/segments.h"
#include "engine/cpu/x86/sse.h"
#include "engine/cpu/x86/sse_tables.h"
#include "tests/engine/cpu/x86/native.h"

namespace engine::x86::test {

inline void return_only(Cpu&, const Insn*) { }

class Rig {
public:
    static constexpr unsigned memory_size = 256;

    Rig()
    {
        c.tlb = &c.soft_tlb.context(TlbContextName::user);
        for (u64 page = address() & ~page_mask; page < address() + memory_size; page += page_size)
            for (const Access access : {Access::read, Access::write})
                c.tlb->entry(access, page) = {.tag = page, .host = page};
        c.cr0 = cr0_pe | cr0_ne;
        c.cr4 = cr4_osfxsr | cr4_osxmmexcpt | cr4_osxsave;
        c.xcr0
            = xcr0_x87 | xcr0_sse | (host_features() & feature_avx ? xcr0_avx : 0) | (host_avx512_features() ? xcr0_avx512 : 0);
        c.efer = efer_lma;
        c.seg[cs].attributes = attr_l;    // what the mode is worked out from again
        c.mode = mode_64 | mode_flat;
        c.linear_mask = ~u64(0);
    }

    u64 address() const { return reinterpret_cast<u64>(memory.data()); }

    // An instruction whose memory operand is [RBX]; registers by their numbers.
    static Insn instruction(const Row& row, u8 opcode, u8 reg, u8 rm, bool memory_operand)
    {
        Insn i{};
        i.handler = row.forms->by[0][0];
        i.row = &row;
        i.address_mask = ~u64(0);
        i.base = rbx;
        i.index = gpr_zero;
        i.segment = ds;
        i.operand_size = 4;
        i.address_size = 8;
        i.flags = memory_operand ? Insn::flag_memory : u8(0);
        i.reg = reg;
        i.rm = rm;
        i.src = u8(8 * rm);
        i.opcode = opcode;
        i.modrm = u8((memory_operand ? 0x03 : 0xc0 | (rm & 7)) | (reg & 7) << 3);
        return i;
    }

    // The vector raised, -1 for none.
    int run(const Insn& instruction)
    {
        // A handler that works out the mode again would leave the rig's own memory and mode.
        SoftTlbContext* const tlb = c.tlb;
        const u32 mode = c.mode;
        const int vector = execute(instruction);
        c.tlb = tlb;
        c.mode = mode;
        return vector;
    }

    // The processor's state as FXSAVE64 shows it, without the pointers.
    std::array<u8, 512> fx() const
    {
        std::array<u8, 512> image{};
        write_fx_x87(c.fpu, true, image.data());
        std::memset(image.data() + 6, 0, 18);
        store_le<u32>(image.data() + fx_mxcsr_offset, c.fpu.mxcsr);
        std::memcpy(image.data() + fx_xmm_offset, c.fpu.xmm.data(), 256);
        return image;
    }
    static void strip_pointers(std::array<u8, 512>& image)
    {
        std::memset(image.data() + 6, 0, 18);
        std::memset(image.data() + 28, 0, 4);
        for (unsigned n = 0; n < 8; ++n)
            std::memset(image.data() + 42 + 16 * n, 0, 6);
        std::memset(image.data() + 416, 0, 96);
    }
    void to_native(NativeState& native) const
    {
        native.fx = fx();
        std::copy_n(c.gpr.begin(), 16, native.gpr.begin());
        native.flags = c.lazy.all() | 0x202;
        native.avx = host_features() & feature_avx;
        native.ymm_high = c.fpu.ymm_high;
        native.avx512 = host_avx512_features();
        native.zmm_high = c.fpu.zmm_high;
        native.zmm = c.fpu.zmm;
        native.opmask = c.fpu.opmask;
        // A stack of its own for what the host pushes there.
        native.gpr[rsp] = (reinterpret_cast<u64>(stack_.data()) + stack_.size() / 2) & ~u64(63);
    }

    // What is above the FXSAVE image is the host's.
    bool uppers_agree(const NativeState& native) const
    {
        const bool avx512 = c.fpu.zmm_high == native.zmm_high && c.fpu.zmm == native.zmm && c.fpu.opmask == native.opmask;
        return (!native.avx || c.fpu.ymm_high == native.ymm_high) && (!native.avx512 || avx512);
    }

    Cpu c;
    alignas(memory_size) std::array<u8, memory_size> memory{};    // within a page

private:
    int execute(const Insn& instruction)
    {
        insns_[0] = instruction;
        insns_[1] = {};
        insns_[1].handler = &return_only;
        if (setjmp(c.fault_exit))
            return c.fault.vector;
        insns_[0].handler(c, &insns_[0]);
        return -1;
    }

    std::array<Insn, 2> insns_{};
    std::array<u8, 4096> stack_{};
};

// Bit patterns that matter: zeros, denormals, infinities, NaNs, small integers, and plain noise.
class Values {
public:
    explicit Values(u64 seed) : random_(seed) { }

    u64 below(u64 limit) { return random_() % limit; }
    u64 any() { return random_(); }
    bool one_in(u64 n) { return below(n) == 0; }

    u32 single()
    {
        static constexpr u32 special[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 1,          0x80000001, 0x007fffff,
                                          0x00800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345, 0x7f812345,
                                          0xffb00001, 0x4f000000, 0xcf000000, 0x40490fdb, 0x34000000};
        return one_in(2) ? special[below(std::size(special))]
            : one_in(2)  ? u32(any())
                         : std::bit_cast<u32>(float(i32(any()) >> below(31)));
    }
    u64 twice()
    {
        static constexpr u64 special[]
            = {0,
               0x8000000000000000,
               0x3ff0000000000000,
               0xbff0000000000000,
               1,
               0x000fffffffffffff,
               0x0010000000000000,
               0x7fefffffffffffff,
               0x7ff0000000000000,
               0xfff0000000000000,
               0x7ff8000000000000,
               0xfff8000012345678,
               0x7ff0000012345678,
               0xfff4000000000001,
               0x41e0000000000000,
               0x43e0000000000000,
               0x3810000000000000,
               0x36a0000000000000,
               0x400921fb54442d18,
               0x47efffffe0000000};
        return one_in(2) ? special[below(std::size(special))]
            : one_in(2)  ? any()
                         : std::bit_cast<u64>(double(i64(any()) >> below(63)));
    }
    Xmm xmm()
    {
        switch (below(4)) {
        case 0:
            return {{any(), any()}};
        case 1:
            return {{twice(), twice()}};
        case 2:
            return {{single() | u64(single()) << 32, single() | u64(single()) << 32}};
        default:
            return {{any() & 0x80ff7f0180ff7f01, any() & 0x00ff00ff01010101}};
        }
    }
    ZmmHigh zmm_high() { return std::bit_cast<ZmmHigh>(std::array{xmm(), xmm()}); }
    Zmm zmm() { return std::bit_cast<Zmm>(std::array{xmm(), xmm(), xmm(), xmm()}); }
    X87Register extended()
    {
        static constexpr X87Register special[]
            = {{0, 0},
               {0, 0x8000},
               {u64(1) << 63, 0x3fff},
               {u64(1) << 63, 0xbfff},
               {1, 0},
               {1, 0x8000},
               {u64(1) << 63, 0},
               {u64(1) << 63, 1},
               {~u64(0), 0x7ffe},
               {u64(1) << 63, 0x7fff},
               {u64(1) << 63, 0xffff},
               {u64(3) << 62, 0x7fff},
               {0xc000000012345678, 0xffff},
               {0x8000000012345678, 0x7fff},
               {0x1234567812345678, 0x4000},
               {0, 0x7fff},
               {0xc90fdaa22168c235, 0x4000},
               {u64(1) << 63, 0x403e},
               {u64(1) << 63, 0xc03e},
               {0xffffffffffffffff, 0x3ffe},
               {u64(1) << 63, 0x3ffe},
               {0x8123456789abcdef, 0x3f80},
               {0xfedcba9876543210, 0x407e},
               {0x9876543210fedcba, 0x0012},
               {0xabcdef0123456789, 0x7ff0},
               {0x8000000000000001, 0x3fff}};
        if (one_in(2))
            return special[below(std::size(special))];
        const u64 significand = any() | u64(1) << 63;
        if (one_in(2))
            return {significand, u16((0x3fff - 40 + below(80)) | below(2) << 15)};
        return {significand, u16(any())};
    }
    u32 mxcsr()
    {
        u32 value = 0x1f80 | u32(below(4)) << 13 | u32(any() & 0x8040);
        if (one_in(4))
            value &= ~(u32(any()) & 0x1f80);
        if (one_in(2))
            value |= u32(any()) & 0x3f;
        return value;
    }

private:
    std::mt19937_64 random_;
};

// An unmasked overflow or underflow says "inexact" of a result with a wider exponent, which we don't compute.
inline bool mxcsr_agrees(const Cpu& c, const NativeState& host)
{
    const u32 theirs = load_le<u32>(&host.fx[fx_mxcsr_offset]);
    const bool ignored = theirs & ~(theirs >> mxcsr_masks_shift) & (mxcsr_overflow | mxcsr_underflow);
    return ((theirs ^ c.fpu.mxcsr) & ~(ignored ? mxcsr_precision : 0)) == 0;
}

inline std::string in_hex(std::span<const u8> bytes)
{
    std::string out;
    for (const u8 byte : bytes)
        out += hex(byte, 2) + ' ';
    return out;
}

}
