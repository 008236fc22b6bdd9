// x87 control instructions and the images of FSTENV and FSAVE. SDM vol. 1, 8.1.8-8.1.10.
#include "engine/cpu/x86/x87_tables.h"

#include "engine/cpu/x86/x87.h"

namespace engine::x86 {

namespace {

// The four layouts of the environment: 16 or 32 bits, real (and virtual-8086) or protected.
struct Layout {
    bool wide;
    bool real;
    unsigned size() const { return wide ? 28 : 14; }
    unsigned alignment() const { return wide ? 4 : 2; }
};

Layout layout(const Cpu& c, const Insn* i)
{
    return {.wide = i->operand_size != 2, .real = !c.protected_mode() || c.v86()};
}

constexpr u32 reserved_high = 0xffff0000;

u32 linear(u16 selector, u64 offset)
{
    return u32(selector) * 16 + u32(offset);
}

void write_environment(const FpuState& f, Layout how, u8* image)
{
    const u32 ip = how.real ? linear(f.instruction_selector, f.instruction_pointer) : u32(f.instruction_pointer);
    const u32 dp = how.real ? linear(f.data_selector, f.data_pointer) : u32(f.data_pointer);
    if (how.wide) {
        store_le<u32>(image, reserved_high | f.control);
        store_le<u32>(image + 4, reserved_high | f.status);
        store_le<u32>(image + 8, reserved_high | x87_tag_word(f));
        store_le<u32>(image + 12, how.real ? reserved_high | u16(ip) : ip);
        store_le<u32>(image + 16, how.real ? (ip >> 16) << 12 | f.opcode : u32(f.opcode) << 16 | f.instruction_selector);
        store_le<u32>(image + 20, how.real ? reserved_high | u16(dp) : dp);
        store_le<u32>(image + 24, how.real ? (dp >> 16) << 12 : reserved_high | f.data_selector);
        return;
    }
    store_le<u16>(image, f.control);
    store_le<u16>(image + 2, f.status);
    store_le<u16>(image + 4, x87_tag_word(f));
    store_le<u16>(image + 6, u16(ip));
    store_le<u16>(image + 8, how.real ? u16((ip >> 16) << 12 | f.opcode) : f.instruction_selector);
    store_le<u16>(image + 10, u16(dp));
    store_le<u16>(image + 12, how.real ? u16((dp >> 16) << 12) : f.data_selector);
}

void read_pointers(FpuState& f, Layout how, const u8* image)
{
    const unsigned step = how.wide ? 4 : 2;
    const u8* at = image + 3 * step;
    const auto field = [&](unsigned n) -> u32 { return how.wide ? load_le<u32>(at + n * step) : load_le<u16>(at + n * step); };
    if (how.real) {
        const u32 high_mask = how.wide ? 0xffff : 0xf;
        f.instruction_pointer = u16(field(0)) | (field(1) >> 12 & high_mask) << 16;
        f.data_pointer = u16(field(2)) | (field(3) >> 12 & high_mask) << 16;
        f.opcode = field(1) & 0x7ff;
        f.instruction_selector = f.data_selector = 0;
        return;
    }
    f.instruction_pointer = field(0);
    f.instruction_selector = u16(field(1));
    f.opcode = how.wide ? u16(field(1) >> 16 & 0x7ff) : u16(0);
    f.data_pointer = field(2);
    f.data_selector = u16(field(3));
}

void read_environment(Cpu& c, Layout how, const u8* image)
{
    const unsigned step = how.wide ? 4 : 2;
    FpuState& f = c.fpu;
    f.control = u16((load_le<u16>(image) & fcw_writable) | fcw_always);
    f.status = load_le<u16>(image + step);
    f.valid = x87_valid_from_tag_word(load_le<u16>(image + 2 * step));
    read_pointers(f, how, image);
    update_x87_summary(c);
}

constexpr unsigned environment_limit = 28, register_size = 10, registers_size = 8 * register_size;

void initialise(Cpu& c)
{
    FpuState& f = c.fpu;
    f.control = fcw_initial;
    f.status = 0;
    f.valid = 0;
    f.opcode = 0;
    f.instruction_pointer = f.data_pointer = 0;
    f.instruction_selector = f.data_selector = 0;
    update_x87_summary(c);
}

}

void fldcw(Cpu& c, const Insn* i)
{
    c.fpu.control = u16((load_operand<u16>(c, i) & fcw_writable) | fcw_always);
    update_x87_summary(c);
}

void fnstcw(Cpu& c, const Insn* i)
{
    store_operand<u16>(c, i, c.fpu.control);
}
void fnstsw(Cpu& c, const Insn* i)
{
    store_operand<u16>(c, i, c.fpu.status);
}
void fnstsw_ax(Cpu& c, const Insn*)
{
    c.gpr[rax] = (c.gpr[rax] & ~u64(0xffff)) | c.fpu.status;
}

void fnclex(Cpu& c, const Insn*)
{
    c.fpu.status &= u16(~(fsw_exceptions | fsw_stack_fault));
    update_x87_summary(c);
}

void fninit(Cpu& c, const Insn*)
{
    initialise(c);
}
void no_operation(Cpu&, const Insn*) { }

void fnstenv(Cpu& c, const Insn* i)
{
    u8 image[environment_limit];
    const Layout how = layout(c, i);
    write_environment(c.fpu, how, image);
    store_bytes(c, i, effective_address(c, i), image, how.size(), how.alignment());
    c.fpu.control |= fsw_exceptions;
    update_x87_summary(c);
}

void fldenv(Cpu& c, const Insn* i)
{
    u8 image[environment_limit];
    const Layout how = layout(c, i);
    load_bytes(c, i, effective_address(c, i), image, how.size(), how.alignment());
    read_environment(c, how, image);
}

void fnsave(Cpu& c, const Insn* i)
{
    u8 image[environment_limit + registers_size];
    const Layout how = layout(c, i);
    write_environment(c.fpu, how, image);
    for (unsigned n = 0; n < 8; ++n) {
        u8* to = image + how.size() + n * register_size;
        store_le<u64>(to, st(c.fpu, n).significand);
        store_le<u16>(to + 8, st(c.fpu, n).sign_exponent);
    }
    store_bytes(c, i, effective_address(c, i), image, how.size() + registers_size, how.alignment());
    initialise(c);
}

void frstor(Cpu& c, const Insn* i)
{
    u8 image[environment_limit + registers_size];
    const Layout how = layout(c, i);
    load_bytes(c, i, effective_address(c, i), image, how.size() + registers_size, how.alignment());
    read_environment(c, how, image);
    for (unsigned n = 0; n < 8; ++n) {
        const u8* from = image + how.size() + n * register_size;
        st(c.fpu, n) = {load_le<u64>(from), load_le<u16>(from + 8)};
    }
}

void fwait(Cpu& c, const Insn* i)
{
    if ((c.cr0 & (cr0_mp | cr0_ts)) == (cr0_mp | cr0_ts))
        c.raise(i, device_not_available);
    check_x87_exception(c, i);
    return next(c, i);
}

}
