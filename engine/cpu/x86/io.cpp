// Ports, and the instructions for single flags.

#include "engine/cpu/x86/io.h"

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/segments.h"

namespace engine::x86 {

void check_io_permission(Cpu& c, const Insn* i, u16 port, unsigned size)
{
    if (!c.protected_mode() || (c.cpl <= c.iopl() && !c.v86()))
        return;
    constexpr unsigned bitmap_offset_at = 0x66;
    const unsigned type = c.tr.attributes & attr_type;
    if ((type != tss_32_busy && type != tss_32_available) || c.tr.limit < bitmap_offset_at + 1)
        c.raise(i, general_protection, 0);
    const u32 at = load_system<u16>(c, i, c.tr.base + bitmap_offset_at) + port / 8u;
    if (at + 1 > c.tr.limit)
        c.raise(i, general_protection, 0);
    const u16 bitmap = load_system<u16>(c, i, c.tr.base + at);
    if (bitmap >> (port & 7) & ((1u << size) - 1))
        c.raise(i, general_protection, 0);
}

void note_port_access(Cpu& c, const Insn* i, u16 port, unsigned size, bool is_input, bool is_string)
{
    constexpr u32 valid = 2;
    const bool repeated = is_string && (i->prefix == pF3 || i->prefix == pF2);
    c.port_access
        = {.rip = c.ip(i),
           .next_rip = c.next_ip(i),
           .rcx = c.gpr[rcx],
           .rsi = c.gpr[rsi],
           .rdi = c.gpr[rdi],
           .what = u32(port) << 16 | size << 4 | u32(repeated) << 3 | u32(is_string) << 2 | valid | u32(is_input)};
}

namespace {

u16 port_operand(const Cpu& c, const Insn* i)
{
    return i->row->operands[0] == Operand::Ib || i->row->operands[1] == Operand::Ib ? u8(i->imm) : c.reg<u16>(rdx * 8);
}

// Ports end the block: a device may have moved memory under it.
template <class T> void in(Cpu& c, const Insn* i)
{
    const u16 port = port_operand(c, i);
    check_io_permission(c, i, port, sizeof(T));
    note_port_access(c, i, port, sizeof(T), true, false);
    c.set_reg<T>(0, T(c.ports->read(port, sizeof(T))));
    return leave_block(c, i);
}
template <class T> void out(Cpu& c, const Insn* i)
{
    const u16 port = port_operand(c, i);
    check_io_permission(c, i, port, sizeof(T));
    note_port_access(c, i, port, sizeof(T), false, false);
    c.ports->write(port, c.reg<T>(0), sizeof(T));
    return leave_block(c, i);
}

// CLI and STI touch VIF instead of IF under VME and PVI. SDM vol. 3, 20.3 and 20.4.
bool virtual_interrupts(const Cpu& c)
{
    if (!c.protected_mode() || c.iopl() >= c.cpl)
        return false;
    return c.v86() ? c.cr4 & cr4_vme : c.cpl == 3 && c.cr4 & cr4_pvi;
}
void require_interrupt_privilege(Cpu& c, const Insn* i)
{
    if (c.protected_mode() && c.iopl() < c.cpl)
        c.raise(i, general_protection, 0);
}

void cli(Cpu& c, const Insn* i)
{
    if (virtual_interrupts(c)) {
        c.rflags_other &= ~flag_vif;
    } else {
        require_interrupt_privilege(c, i);
        c.rflags_other &= ~flag_i;
    }
    return next(c, i);
}
// The block goes on only where the flag was set already.
void sti(Cpu& c, const Insn* i)
{
    if (virtual_interrupts(c)) {
        if (c.flag(flag_vip))
            c.raise(i, general_protection, 0);
        c.rflags_other |= flag_vif;
        return next(c, i);
    }
    require_interrupt_privilege(c, i);
    if (c.flag(flag_i))
        return next(c, i);
    c.rflags_other |= flag_i;
    c.shadow = true;
    return leave_block(c, i);
}

void clc(Cpu& c, const Insn* i)
{
    c.lazy.set_c(false);
    return next(c, i);
}
void stc(Cpu& c, const Insn* i)
{
    c.lazy.set_c(true);
    return next(c, i);
}
void cmc(Cpu& c, const Insn* i)
{
    c.lazy.set_c(!c.lazy.c());
    return next(c, i);
}
void cld(Cpu& c, const Insn* i)
{
    c.rflags_other &= ~flag_d;
    return next(c, i);
}
void std_flag(Cpu& c, const Insn* i)
{
    c.rflags_other |= flag_d;
    return next(c, i);
}

}

constinit const Forms in_forms = sized_forms(&in<u8>, &in<u16>, &in<u32>, &in<u32>);
constinit const Forms out_forms = sized_forms(&out<u8>, &out<u16>, &out<u32>, &out<u32>);
constinit const Forms cli_forms = any_form<&cli>;
constinit const Forms sti_forms = any_form<&sti>;
constinit const Forms clc_forms = any_form<&clc>;
constinit const Forms stc_forms = any_form<&stc>;
constinit const Forms cmc_forms = any_form<&cmc>;
constinit const Forms cld_forms = any_form<&cld>;
constinit const Forms std_forms = any_form<&std_flag>;

}
