#pragma once
// A decoded instruction, as the interpreter executes it, and the rows of the opcode tables it comes from.

#include <array>

#include "engine/base/types.h"

namespace engine::x86 {

struct Cpu;
struct Insn;

// Does what the instruction means, then calls the next one's handler (see next() in access.h) unless it ends a block.
using Handler = void (*)(Cpu&, const Insn*);

// Where destination and source are. Rows hold a handler for each form and operand size; VEX rows for VEX.L and VEX.W instead
// (see vex_index()), and null where these are not for them.
enum Form : u8 { form_rr, form_rm, form_mr, form_ri, form_mi, form_count };

// Handlers by form and by log2 of the operand size in bytes (index 0: bytes).
struct Forms {
    std::array<std::array<Handler, 4>, form_count> by{};
};

constexpr unsigned vex_index(bool wide, bool w)
{
    return unsigned(wide) | unsigned(w) << 1;
}

namespace detail {
constexpr Forms same_for_all(Handler handler)
{
    Forms forms;
    for (auto& sizes : forms.by)
        sizes.fill(handler);
    return forms;
}
}
// For instructions whose handler looks at the operands itself.
template <Handler handler> inline constexpr Forms any_form = detail::same_for_all(handler);

// Operand codes are the manual's own (SDM vol. 2, appendix A.2): a letter for where the operand is, a letter for its size.
enum class Operand : u8 {
    none,
    Eb,
    Ew,
    Ed,
    Ev,
    Ey,
    Eq,    // ModRM r/m: byte, word, doubleword, by operand size, 32/64, quadword
    Gb,
    Gw,
    Gd,
    Gv,
    Gy,
    Gq,    // ModRM reg
    Ib,
    Ibs,
    Iw,
    Iz,
    Iv,    // immediates; Ibs is a sign-extended byte, Iv as wide as the operand
    Jb,
    Jz,    // branch displacements
    AL,
    AX,
    rAX,
    CL,
    DX,
    one,    // fixed registers, the constant 1
    Zb,
    Zv,    // register in the opcode's low three bits
    M,    // memory only (a register form is #UD)
    Ob,
    Ov,    // moffs
    Ap,    // ptr16:16/32
    Sw,
    Cd,
    Dd,    // segment, control, debug register in reg
    V,
    W,
    P,
    Q,
    U,
    N,    // SSE and MMX: reg XMM, r/m XMM or memory, reg MMX, r/m MMX or memory, register-only r/m
    Iw_Ib,    // ENTER's pair
    H,
    By,
    L,    // VEX: vvvv as XMM or YMM register, vvvv as general register, bits 7:4 of a last byte as XMM or YMM register
    KV,
    KH,
    KW,
    KU,    // opmasks: reg, vvvv, r/m or memory, register-only r/m
};

enum Trait : u32 {
    lockable = 1 << 0,
    ends_block = 1 << 1,
    defaults_to_64 = 1 << 2,    // operand size 64 in 64-bit mode without REX.W (66 still makes 16)
    forced_64 = 1 << 3,    // near branches: 64 in 64-bit mode whatever the prefixes
    invalid_in_64 = 1 << 4,
    only_in_64 = 1 << 5,
    not_in_real = 1 << 6,    // #UD in real and virtual-8086 mode
    has_modrm = 1 << 7,    // where no operand shows it
    memory_only = 1 << 8,
    register_only = 1 << 9,
    privileged = 1 << 10,    // CPL 0, else #GP(0)
    ignores_mod = 1 << 11,    // MOV to and from CR and DR: always registers
    fpu = 1 << 12,    // x87: #NM when CR0.EM or TS
    mmx = 1 << 13,    // #UD when CR0.EM, #NM when TS
    sse = 1 << 14,    // #UD when CR0.EM or not CR4.OSFXSR, #NM when TS
    aligned_16 = 1 << 15,    // 16-byte memory operand must be aligned: #GP(0) (checked by load_xmm and store_xmm)
    repeatable = 1 << 16,    // REP means repetition, not a mandatory prefix
    byte_sized = 1 << 17,    // operand size is a byte whatever the prefixes
    always_locked = 1 << 18,    // with a memory operand
    may_end_block = 1 << 19,    // ends it when repeated
    avx = 1 << 20,    // #UD when not CR4.OSXSAVE or not XCR0[2:1], #NM when CR0.TS
    vsib = 1 << 21,    // the memory operand's index is a vector register
    register_vvvv = 1 << 22,    // vvvv is an operand of the register form only
    avx512 = 1 << 23,    // #UD when not CR4.OSXSAVE, not XCR0[7:5] and [2:1] or not in the model, #NM when CR0.TS
};

enum class OpcodeMap : u8 { one_byte, map_0f, map_0f38, map_0f3a, map_5 = 5, map_6 };

// Opcode prefixes that choose a column of the 0F maps.
enum Prefix : u8 { np, p66, pF3, pF2, any_prefix };

struct Row {
    const char* name = nullptr;
    std::array<Operand, 4> operands{};
    const Forms* forms = nullptr;
    u32 traits = 0;
    const Row* group = nullptr;    // eight rows by ModRM.reg; `forms` is null then
    u64 undefined_flags = 0;    // left undefined by the manual; only tests read it
};

// A line of an opcode list: the opcodes `first` to `last` of a map, in one prefix column or (any_prefix) in all four.
struct Opcode {
    Prefix prefix;
    u8 first, last;
    Row row;
};

struct Insn {
    Handler handler;
    u64 imm;    // sign-extended; for branches the displacement from the page's start
    u64 address_mask;    // low 16, 32 or 64 bits
    const Row* row;
    i32 disp;
    // Byte offsets into Cpu::gpr for general registers; with a vector index its number is in src, with EVEX that of the opmask
    // in dst, 0 for none.
    u8 dst, src;
    u8 base, index, scale;    // numbers into Cpu::gpr; gpr_zero where absent, gpr_rip for RIP-relative
    u8 segment;    // effective segment of the memory operand
    u16 offset;    // of the instruction in the page its block begins in
    u8 length;
    u8 operand_size;    // 1, 2, 4 or 8
    u8 address_size;    // 2, 4 or 8
    u8 flags;
    u8 reg, rm;    // ModRM fields with REX bits: register numbers, also of XMM; MMX uses the low 3
    u8 opcode;    // last opcode byte
    u8 prefix;    // Prefix: which of 66/F3/F2 came (F2 and F3 before 66)
    u8 modrm;
    OpcodeMap map;    // that the row stands in
    u8 vex;    // zero, or vex_encoded with vex_wide (VEX.L) and vex_w; with evex the length instead, and evex_b and evex_z
    u8 vvvv;    // VEX.vvvv, with EVEX.V', as a register number; zero where unused

    bool memory() const { return flags & flag_memory; }
    bool lock() const { return flags & flag_lock; }
    bool rep() const { return prefix == pF3; }
    bool repne() const { return prefix == pF2; }
    bool rex_w() const { return flags & flag_rex_w; }
    bool operand_16() const { return flags & flag_66; }
    bool wide() const { return vex & vex_wide; }    // 256 bits
    bool is_evex() const { return vex & evex; }
    unsigned evex_length() const { return vex >> evex_length_shift; }    // EVEX.L'L: 16 bytes times two to it, or a rounding mode

    static constexpr u8 flag_memory = 1, flag_lock = 2, flag_checked = 4, flag_rex_w = 8, flag_66 = 16, flag_rex = 32;
    static constexpr u8 vex_encoded = 1, vex_wide = 2, vex_w = 4, evex = 8, evex_b = 16, evex_z = 32;
    static constexpr unsigned evex_length_shift = 6;
};

constexpr u8 gpr_zero = 16, gpr_rip = 17;

enum Register : u8 { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi };

}
