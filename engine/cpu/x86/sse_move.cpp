// Moves between XMM registers, memory and general registers, and single elements. SDM vol. 1, 10.4.1, 11.4.1, 12.
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/sse_handlers.h"

namespace engine::x86 {

namespace {

Xmm& destination(Cpu& c, const Insn* i)
{
    return c.fpu.xmm[i->reg];
}
const Xmm& register_source(const Cpu& c, const Insn* i)
{
    return c.fpu.xmm[i->rm];
}

template <class T> T element(const Xmm& from, unsigned n)
{
    return std::bit_cast<Elements<T>>(from)[n];
}
template <class T> void set_element(Xmm& to, unsigned n, T value)
{
    auto all = std::bit_cast<Elements<T>>(to);
    all[n] = value;
    to = std::bit_cast<Xmm>(all);
}

// MOVSS and MOVSD: from memory the rest of the register becomes zero, from a register it stays.
template <class T> void load_scalar(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if (i->memory())
        destination(c, i) = Xmm{{load_operand<T>(c, i), 0}};
    else
        set_element<T>(destination(c, i), 0, element<T>(register_source(c, i), 0));
    return next(c, i);
}

template <class T> void store_scalar(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const T value = element<T>(c.fpu.xmm[i->reg], 0);
    if (i->memory())
        store_operand<T>(c, i, value);
    else
        set_element<T>(c.fpu.xmm[i->rm], 0, value);
    return next(c, i);
}

// One half of the register from memory, or from the other register's half `from`.
template <unsigned to, unsigned from> void load_half(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    destination(c, i).q[to] = i->memory() ? load_operand<u64>(c, i) : register_source(c, i).q[from];
    return next(c, i);
}

template <unsigned from> void store_half(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    store_operand<u64>(c, i, c.fpu.xmm[i->reg].q[from]);
    return next(c, i);
}

template <class T> void insert(Cpu& c, const Insn* i, unsigned n)
{
    const T value = i->memory() ? load_operand<T>(c, i) : T(c.gpr[i->rm]);
    set_element<T>(destination(c, i), n, value);
}

template <class T> void extract(Cpu& c, const Insn* i, unsigned n)
{
    const T value = element<T>(c.fpu.xmm[i->reg], n);
    if (i->memory())
        store_operand<T>(c, i, value);
    else
        c.gpr[i->rm] = value;
}

template <class T> u64 sign_mask(const Xmm& value)
{
    const auto all = std::bit_cast<Elements<T>>(value);
    u64 mask = 0;
    for (unsigned n = 0; n < all.size(); ++n)
        mask |= u64(all[n] >> (8 * sizeof(T) - 1)) << n;
    return mask;
}

}

void load_128(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    destination(c, i) = xmm(source<Xmm>(c, i));
    return next(c, i);
}

void store_128(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if (i->memory())
        store_xmm(c, i, effective_address(c, i), c.fpu.xmm[i->reg]);
    else
        c.fpu.xmm[i->rm] = c.fpu.xmm[i->reg];
    return next(c, i);
}

void movss_load(Cpu& c, const Insn* i)
{
    return load_scalar<u32>(c, i);
}
void movss_store(Cpu& c, const Insn* i)
{
    return store_scalar<u32>(c, i);
}
void movsd_load(Cpu& c, const Insn* i)
{
    return load_scalar<u64>(c, i);
}
void movsd_store(Cpu& c, const Insn* i)
{
    return store_scalar<u64>(c, i);
}
void movlps_load(Cpu& c, const Insn* i)
{
    return load_half<0, 1>(c, i);
}
void movlps_store(Cpu& c, const Insn* i)
{
    return store_half<0>(c, i);
}
void movhps_load(Cpu& c, const Insn* i)
{
    return load_half<1, 0>(c, i);
}
void movhps_store(Cpu& c, const Insn* i)
{
    return store_half<1>(c, i);
}

void movq_load(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    destination(c, i) = Xmm{{source<u64>(c, i)[0], 0}};
    return next(c, i);
}

void movq_store(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u64 value = c.fpu.xmm[i->reg].q[0];
    if (i->memory())
        store_operand<u64>(c, i, value);
    else
        c.fpu.xmm[i->rm] = Xmm{{value, 0}};
    return next(c, i);
}

void movd_to_xmm(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    u64 value;
    if (i->rex_w())
        value = i->memory() ? load_operand<u64>(c, i) : c.gpr[i->rm];
    else
        value = i->memory() ? load_operand<u32>(c, i) : u32(c.gpr[i->rm]);
    destination(c, i) = Xmm{{value, 0}};
    return next(c, i);
}

void movd_from_xmm(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if (i->rex_w())
        extract<u64>(c, i, 0);
    else
        extract<u32>(c, i, 0);
    return next(c, i);
}

void maskmovdqu(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    for (unsigned n = 0; n < 16; ++n)
        if (element<u8>(c.fpu.xmm[i->rm], n) & 0x80)
            store<u8>(c, i, (c.gpr[rdi] + n) & i->address_mask, element<u8>(c.fpu.xmm[i->reg], n));
    return next(c, i);
}

void movmskps(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    c.gpr[i->reg] = sign_mask<u32>(c.fpu.xmm[i->rm]);
    return next(c, i);
}

void movmskpd(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    c.gpr[i->reg] = sign_mask<u64>(c.fpu.xmm[i->rm]);
    return next(c, i);
}

void pmovmskb(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    c.gpr[i->reg] = sign_mask<u8>(c.fpu.xmm[i->rm]);
    return next(c, i);
}

void ptest(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Lanes b = source<Xmm>(c, i);
    const Lanes a = lanes(c.fpu.xmm[i->reg]);
    const Lanes both = a & b, only_b = ~a & b;
    c.lazy.set_all(((both[0] | both[1]) == 0 ? flag_z : 0) | ((only_b[0] | only_b[1]) == 0 ? flag_c : 0));
    return next(c, i);
}

void pinsrb(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    insert<u8>(c, i, immediate(i) & 15);
    return next(c, i);
}

void pinsrw(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    insert<u16>(c, i, immediate(i) & 7);
    return next(c, i);
}

void pinsrd(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if (i->rex_w())
        insert<u64>(c, i, immediate(i) & 1);
    else
        insert<u32>(c, i, immediate(i) & 3);
    return next(c, i);
}

void pextrb(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    extract<u8>(c, i, immediate(i) & 15);
    return next(c, i);
}

void pextrw(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    extract<u16>(c, i, immediate(i) & 7);
    return next(c, i);
}

void pextrw_register(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    c.gpr[i->reg] = element<u16>(c.fpu.xmm[i->rm], immediate(i) & 7);
    return next(c, i);
}

void pextrd(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if (i->rex_w())
        extract<u64>(c, i, immediate(i) & 1);
    else
        extract<u32>(c, i, immediate(i) & 3);
    return next(c, i);
}

// Always 32 bits, whatever REX.W says.
void extractps(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    extract<u32>(c, i, immediate(i) & 3);
    return next(c, i);
}

// Immediate: source element (registers only) 7:6, destination element 5:4, elements to clear 3:0.
void insertps(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u8 control = immediate(i);
    const u32 value = i->memory() ? load_operand<u32>(c, i) : element<u32>(register_source(c, i), control >> 6);
    set_element<u32>(destination(c, i), control >> 4 & 3, value);
    for (unsigned n = 0; n < 4; ++n)
        if (bit(control, n))
            set_element<u32>(destination(c, i), n, 0);
    return next(c, i);
}

void ldmxcsr(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u32 value = load_operand<u32>(c, i);
    if (value & ~mxcsr_mask)
        c.raise(i, general_protection, 0);
    c.fpu.mxcsr = value;
    update_mode(c);
    return leave_block(c, i);
}

void stmxcsr(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    store_operand<u32>(c, i, c.fpu.mxcsr);
    return next(c, i);
}

}
