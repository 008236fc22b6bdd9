#pragma once
// Writes x86-64 instructions. Intel SDM vol. 2, chapter 2. The caller sees to room: an instruction takes at most 15 bytes.

#include <cstring>

#include "engine/base/types.h"

namespace engine::translator {

// Host registers by their encoding. Byte forms of 16 to 19 are AH, CH, DH and BH, which no instruction with REX reaches.
namespace host {
enum : u8 { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15, ah, ch, dh, bh };
}

enum Condition : u8 {
    cond_o,
    cond_no,
    cond_b,
    cond_ae,
    cond_e,
    cond_ne,
    cond_be,
    cond_a,
    cond_s,
    cond_ns,
    cond_p,
    cond_np,
    cond_l
};

// A register, or memory at base + (index << scale) + disp; no base where `reg` is none.
struct Rm {
    static constexpr u8 none = 0xff;
    bool memory = false;
    u8 reg = 0;    // or base
    u8 index = none;
    u8 scale = 0;
    i32 disp = 0;

    static Rm of(u8 reg) { return {false, reg}; }
    static Rm at(u8 base, i32 disp = 0) { return {true, base, none, 0, disp}; }
    static Rm at(u8 base, u8 index, u8 scale, i32 disp = 0) { return {true, base, index, scale, disp}; }
};

class Assembler {
public:
    explicit Assembler(u8* at = nullptr) : at_(at) { }
    u8* at() const { return at_; }

    void byte(unsigned value) { *at_++ = u8(value); }
    template <class T> void value(T v)
    {
        std::memcpy(at_, &v, sizeof v);
        at_ += sizeof v;
    }

    // `opcode` is 0x01, 0x0f01, 0x0f3801 or 0x0f3a01; `prefix` 0, 0x66, 0xf2 or 0xf3; `size` the operand's in bytes: 2 adds
    // 66, 8 adds REX.W, 1 minds which byte registers need a REX. `lock` adds F0.
    void op(u32 opcode, unsigned size, u8 reg, const Rm& rm, u8 prefix = 0, bool lock = false);
    // As op, for instructions whose r/m is a byte and whose register is not (MOVZX, MOVSX, CRC32).
    void op_byte_source(u32 opcode, unsigned size, u8 reg, const Rm& rm, u8 prefix = 0);
    // As op, where `extension` is part of the opcode and no register.
    void op_extended(u32 opcode, unsigned size, u8 extension, const Rm& rm, bool lock = false);
    // The same with an immediate: `imm_size` bytes of `imm` follow.
    void op_imm(u32 opcode, unsigned size, u8 extension, const Rm& rm, u64 imm, unsigned imm_size, bool lock = false);
    // Whether op() can encode a byte operation on these: AH and its kin with nothing that needs a REX.
    static bool encodable(u8 reg, const Rm& rm);

    // VEX in its three bytes: `map` 1 is 0F, 2 is 0F 38, 3 is 0F 3A; `vvvv` 0 where it is no operand.
    void vex(u8 map, u8 pp, bool w, bool wide, u8 opcode, u8 reg, u8 vvvv, const Rm& rm);

    void mov(u8 to, u8 from) { op(0x8b, 8, to, Rm::of(from)); }
    void load(unsigned size, u8 to, const Rm& from) { op(0x8b, size, to, from); }
    void store(unsigned size, const Rm& to, u8 from) { op(size == 1 ? 0x88 : 0x89, size, from, to); }
    void load_imm(u8 to, u64 imm);
    u8* load_long_imm(u8 to);    // all 64 bits, 0 for now; returns where
    void rorx(u8 to, u8 from, u8 count);    // 32 bits; BMI2
    void lea(unsigned size, u8 to, const Rm& from);    // nothing where it would change nothing

    void jump_to(const u8* target);
    void call_to(const u8* target);
    void jump_if_to(unsigned condition, const u8* target);
    // With a target still to be given by bind(); they return where.
    u8* jump();
    u8* call();
    u8* jump_if(unsigned condition);
    void bind(u8* displacement) const { patch(displacement, at_); }
    // Nothing, as long as it takes that the displacement of a jump with so many bytes of opcode is aligned, and another thread
    // sees it change at once.
    void align_jump(unsigned opcode_bytes);
    // As few instructions as take so many bytes and do nothing.
    void nothing(unsigned bytes);
    // Bytes that are missing here to a multiple of `alignment`.
    unsigned missing_to(unsigned alignment) const { return unsigned(-reinterpret_cast<u64>(at_) % alignment); }
    static void patch(u8* displacement, const u8* target)
    {
        const i32 distance = i32(target - (displacement + 4));
        std::memcpy(displacement, &distance, sizeof distance);
    }
    static const u8* target_of(const u8* displacement)
    {
        i32 distance = 0;
        std::memcpy(&distance, displacement, sizeof distance);
        return displacement + 4 + distance;
    }

private:
    static bool high_byte(u8 reg) { return reg >= host::ah && reg <= host::bh; }
    static u8 encoding(u8 reg) { return high_byte(reg) ? u8(reg - host::ah + 4) : reg; }
    void head(u32 opcode, bool wide, bool needs_rex, u8 reg, const Rm& rm);
    void modrm(u8 reg, const Rm& rm);

    u8* at_;
};

}
