// x87: the guest's instruction on the host's x87, which holds the guest's stack, control and status from the first x87
// instruction that a run meets until somebody else needs the unit or the state: save_x87(). Masked exceptions only
// (mode_x87), so that nothing traps; FIP, FDP and FOP keep telling of the last instruction that a handler did.

#include "engine/cpu/x86/fpu.h"
#include "engine/cpu/x86/x87_tables.h"
#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

namespace {

// FNSAVE's image in 32-bit protected mode, SDM vol. 1, figure 8-9.
struct X87Image {
    u32 control = 0, status = 0, tags = 0;
    std::array<u32, 4> pointers{};
    struct [[gnu::packed]] Register {
        u64 significand = 0;
        u16 sign_exponent = 0;
    };
    std::array<Register, 8> st;
};
static_assert(sizeof(X87Image) == 108);

constexpr unsigned first_escape = 0xd8;

// Bytes of the memory operand by opcode and ModRM.reg, SDM vol. 2, table A-7 on; 0: its handler does it. The ten bytes of
// the 80-bit formats are looked up as sixteen.
constexpr u8 memory_sizes[8][8] = {
    {4, 4, 4, 4, 4, 4, 4, 4}, {4, 0, 4, 4, 0, 2, 0, 2}, {4, 4, 4, 4, 4, 4, 4, 4}, {4, 4, 4, 4, 0, 16, 0, 16},
    {8, 8, 8, 8, 8, 8, 8, 8}, {8, 8, 8, 8, 0, 0, 0, 2}, {2, 2, 2, 2, 2, 2, 2, 2}, {2, 2, 2, 2, 16, 8, 16, 8},
};

// Register forms that the manual documents, a bit for each ModRM.rm, by opcode and ModRM.reg.
constexpr u8 all = 0xff;
constexpr u8 register_forms[8][8] = {
    {all, all, all, all, all, all, all, all}, {all, all, 1, 0, 0x33, 0x7f, all, all}, {all, all, all, all, 0, 2, 0, 0},
    {all, all, all, all, 4, all, all, 0},     {all, all, 0, 0, all, all, all, all},   {all, 0, all, all, all, all, 0, 0},
    {all, all, 0, 2, all, all, all, all},     {0, 0, 0, 0, 1, all, all, 0},
};

unsigned escape(const Insn& i)
{
    return i.opcode - first_escape;
}
unsigned extension(const Insn& i)
{
    return i.modrm >> 3 & 7;
}
bool is_load_control(const Insn& i)
{
    return i.memory() && i.opcode == 0xd9 && extension(i) == 5;
}
bool stores(const Insn& i)
{
    const bool loads = !(i.opcode & 1) || extension(i) == 0 || extension(i) == 4 || extension(i) == 5;
    return !loads;
}
// FCMOVcc.
bool moves_on_condition(const Insn& i)
{
    return !i.memory() && (i.opcode == 0xda || i.opcode == 0xdb) && extension(i) < 4;
}
// FCOMI and FUCOMI, with and without a pop.
bool sets_flags(const Insn& i)
{
    return !i.memory() && (i.opcode == 0xdb || i.opcode == 0xdf) && (extension(i) == 5 || extension(i) == 6);
}

}

bool x87_suits(const Insn& i)
{
    if (i.handler == &x86::fwait)
        return true;
    if (i.memory())
        return !(i.flags & Insn::flag_checked) && i.address_size != 2 && memory_sizes[escape(i)][extension(i)];
    return register_forms[escape(i)][extension(i)] >> (i.modrm & 7) & 1;
}

MemoryUse x87_memory(const Insn& i)
{
    return {memory_sizes[escape(i)][extension(i)], stores(i) ? Access::write : Access::read};
}

FlagUse x87_flags(const Insn& i)
{
    using namespace x86;
    static constexpr FlagMask read_by_move[4] = {FlagMask(flag_c), FlagMask(flag_z), FlagMask(flag_c | flag_z), FlagMask(flag_p)};
    if (i.handler == &fwait)
        return {};
    if (moves_on_condition(i))
        return {read_by_move[extension(i)], 0, false};
    return sets_flags(i) ? FlagUse{0, all_flags, true} : FlagUse{};
}

void load_x87(Cpu& c)
{
    const x86::FpuState& f = c.fpu;
    X87Image image;
    image.control = f.control;
    image.status = f.status;
    image.tags = x87_tag_word(f);
    for (unsigned n = 0; n < 8; ++n) {
        const x86::X87Register& r = f.registers[(x86::x87_top(f) + n) & 7];
        image.st[n] = {r.significand, r.sign_exponent};
    }
    asm volatile("frstor %0" : : "m"(image));
    c.host_code.x87_on_host = true;
}

// FNSAVE leaves the unit as FNINIT does, which is as the System V ABI wants it.
void save_x87(Cpu& c)
{
    if (!c.host_code.x87_on_host)
        return;
    c.host_code.x87_on_host = false;
    X87Image image;
    asm volatile("fnsave %0" : "=m"(image));
    x86::FpuState& f = c.fpu;
    f.control = u16((image.control & x86::fcw_writable) | x86::fcw_always);
    f.status = u16(image.status);
    f.valid = x86::x87_valid_from_tag_word(u16(image.tags));
    for (unsigned n = 0; n < 8; ++n)
        f.registers[(x86::x87_top(f) + n) & 7] = {image.st[n].significand, image.st[n].sign_exponent};
}

void BlockTranslator::want_x87()
{
    if (x87_loaded_)
        return;
    spoil_flags();
    a_.op_imm(0x80, 1, 7, state_at(offset_x87_on_host), 0, 1);
    u8* const absent = a_.jump_if(cond_e);
    x87_loads_.push_back({absent, a_.at(), here_});
    x87_loaded_ = true;
}

void BlockTranslator::emit_x87(const Insn& i)
{
    if (i.handler == &x86::fwait)
        return;
    want_x87();
    if (!i.memory()) {
        if (moves_on_condition(i))
            want_flags();
        a_.byte(i.opcode);
        a_.byte(i.modrm);
        if (sets_flags(i))
            flags_made();
        return;
    }
    access(i);
    if (is_load_control(i))
        return emit_load_control(i);
    a_.op_extended(i.opcode, 4, u8(extension(i)), operand_);
}

// Ends its block: with an exception unmasked, blocks of another mode follow.
void BlockTranslator::emit_load_control(const Insn& i)
{
    constexpr u64 masks = x86::fsw_exceptions;
    spoil_flags();
    a_.op(0x0fb7, 4, scratch_b, operand_);
    a_.op_extended(0xf7, 4, 2, Rm::of(scratch_b));
    a_.op_imm(0xf7, 4, 0, Rm::of(scratch_b), masks, 4);
    handlers_.push_back({a_.jump_if(cond_ne), &i, nullptr, {}, false});
    a_.op_extended(0xd9, 4, 5, operand_);
    go_to(u64(i.offset) + i.length);
}

}
