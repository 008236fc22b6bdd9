#include "engine/translator/backend/assembler.h"

#include <algorithm>

namespace engine::translator {

void Assembler::head(u32 opcode, bool wide, bool needs_rex, u8 reg, const Rm& rm)
{
    const bool index_high = rm.memory && rm.index != Rm::none && rm.index & 8;
    const bool base_high = encoding(rm.reg) & 8 && rm.reg != Rm::none;
    const u8 rex = u8(wide << 3 | (encoding(reg) >> 3) << 2 | index_high << 1 | base_high);
    if (rex || needs_rex)
        byte(0x40 | rex);
    if (opcode > 0xffff)
        byte(opcode >> 16);
    if (opcode > 0xff)
        byte(opcode >> 8);
    byte(opcode);
}

void Assembler::modrm(u8 reg, const Rm& rm)
{
    const unsigned r = (encoding(reg) & 7u) << 3;
    if (!rm.memory)
        return byte(0xc0 | r | (encoding(rm.reg) & 7));
    if (rm.reg == Rm::none) {
        byte(r | 4);
        byte(unsigned(rm.scale) << 6 | (rm.index == Rm::none ? 4u : rm.index & 7u) << 3 | 5);
        return value<i32>(rm.disp);
    }
    const bool sib = rm.index != Rm::none || (rm.reg & 7) == host::rsp;
    // RBP and R13 as base always carry a displacement.
    const unsigned mod = rm.disp == 0 && (rm.reg & 7) != host::rbp ? 0 : rm.disp == i8(rm.disp) ? 1 : 2;
    byte(mod << 6 | r | (sib ? 4u : rm.reg & 7u));
    if (sib)
        byte(unsigned(rm.scale) << 6 | (rm.index == Rm::none ? 4u : rm.index & 7u) << 3 | (rm.reg & 7u));
    if (mod == 1)
        byte(u8(rm.disp));
    else if (mod == 2)
        value<i32>(rm.disp);
}

void Assembler::op(u32 opcode, unsigned size, u8 reg, const Rm& rm, u8 prefix, bool lock)
{
    if (lock)
        byte(0xf0);
    if (size == 2)
        byte(0x66);
    if (prefix)
        byte(prefix);
    const auto plain_byte = [&](u8 r) { return size == 1 && r >= host::rsp && r <= host::rdi; };
    head(opcode, size == 8, plain_byte(reg) || (!rm.memory && plain_byte(rm.reg)), reg, rm);
    modrm(reg, rm);
}

void Assembler::op_byte_source(u32 opcode, unsigned size, u8 reg, const Rm& rm, u8 prefix)
{
    if (size == 2)
        byte(0x66);
    if (prefix)
        byte(prefix);
    head(opcode, size == 8, !rm.memory && rm.reg >= host::rsp && rm.reg <= host::rdi, reg, rm);
    modrm(reg, rm);
}

void Assembler::op_extended(u32 opcode, unsigned size, u8 extension, const Rm& rm, bool lock)
{
    if (lock)
        byte(0xf0);
    if (size == 2)
        byte(0x66);
    head(opcode, size == 8, size == 1 && !rm.memory && rm.reg >= host::rsp && rm.reg <= host::rdi, 0, rm);
    modrm(extension, rm);
}

void Assembler::op_imm(u32 opcode, unsigned size, u8 extension, const Rm& rm, u64 imm, unsigned imm_size, bool lock)
{
    op_extended(opcode, size, extension, rm, lock);
    std::memcpy(at_, &imm, imm_size);
    at_ += imm_size;
}

// SDM vol. 2, 2.3.5.
void Assembler::vex(u8 map, u8 pp, bool w, bool wide, u8 opcode, u8 reg, u8 vvvv, const Rm& rm)
{
    const u8 index = rm.memory && rm.index != Rm::none ? rm.index : u8(0);
    const bool r = reg & 8, x = index & 8, b = rm.reg != Rm::none && rm.reg & 8;
    byte(0xc4);
    byte(unsigned(!r) << 7 | unsigned(!x) << 6 | unsigned(!b) << 5 | map);
    byte(unsigned(w) << 7 | unsigned(~vvvv & 15) << 3 | unsigned(wide) << 2 | pp);
    byte(opcode);
    modrm(reg, rm);
}

bool Assembler::encodable(u8 reg, const Rm& rm)
{
    const auto needs_rex = [](u8 r) { return r >= host::rsp && r <= host::r15; };
    const bool high = high_byte(reg) || (!rm.memory && high_byte(rm.reg));
    const bool rex = needs_rex(reg) || (rm.memory ? rm.reg >= host::r8 : needs_rex(rm.reg));
    return !high || !rex;
}

void Assembler::load_imm(u8 to, u64 imm)
{
    if (imm == u32(imm)) {
        if (to & 8)
            byte(0x41);
        byte(0xb8 | (to & 7));
        return value<u32>(u32(imm));
    }
    if (imm == u64(i64(i32(imm))))
        return op_imm(0xc7, 8, 0, Rm::of(to), imm, 4);
    std::memcpy(load_long_imm(to), &imm, sizeof imm);
}
u8* Assembler::load_long_imm(u8 to)
{
    byte(0x48 | to >> 3);
    byte(0xb8 | (to & 7));
    value<u64>(0);
    return at_ - sizeof(u64);
}

void Assembler::jump_to(const u8* target)
{
    patch(jump(), target);
}
void Assembler::call_to(const u8* target)
{
    patch(call(), target);
}
void Assembler::jump_if_to(unsigned condition, const u8* target)
{
    patch(jump_if(condition), target);
}
u8* Assembler::jump()
{
    byte(0xe9);
    value<i32>(0);
    return at_ - 4;
}
u8* Assembler::call()
{
    byte(0xe8);
    value<i32>(0);
    return at_ - 4;
}
u8* Assembler::jump_if(unsigned condition)
{
    byte(0x0f);
    byte(0x80 | condition);
    value<i32>(0);
    return at_ - 4;
}

void Assembler::lea(unsigned size, u8 to, const Rm& from)
{
    if (from.index != Rm::none || from.disp != 0)
        op(0x8d, size, to, from);
    else if (size != 8 || to != from.reg)
        load(size, to, Rm::of(from.reg));
}

void Assembler::rorx(u8 to, u8 from, u8 count)
{
    constexpr u8 vex_3_bytes = 0xc4, map_0f3a = 3, no_index = 0x40, prefix_f2 = 0x7b;
    byte(vex_3_bytes);
    byte(u8((to & 8 ? 0 : 0x80) | no_index | (from & 8 ? 0 : 0x20) | map_0f3a));
    byte(prefix_f2);
    byte(0xf0);
    byte(u8(0xc0 | (to & 7) << 3 | (from & 7)));
    byte(count);
}

void Assembler::align_jump(unsigned opcode_bytes)
{
    nothing(unsigned(-(reinterpret_cast<u64>(at_) + opcode_bytes)) % sizeof(i32));
}

void Assembler::nothing(unsigned bytes)
{
    constexpr unsigned longest = 9;
    static constexpr u8 nops[longest][longest]{
        {0x90},
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0x00},
        {0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    };
    while (bytes != 0) {
        const unsigned size = std::min(bytes, longest);
        for (unsigned n = 0; n < size; ++n)
            byte(nops[size - 1][n]);
        bytes -= size;
    }
}

}
