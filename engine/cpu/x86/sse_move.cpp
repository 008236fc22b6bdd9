// Moves between XMM registers, memory and general registers, and single elements. SDM vol. 1, 10.4.1, 11.4.1, 12.
#include "engine/cpu/x86/run_loop.h"
#include "engine/cpu/x86/sse_handlers.h"

namespace engine::x86 {

namespace {

const Xmm& register_source(const Cpu& c, const Insn* i)
{
    return c.fpu.xmm[i->rm];
}

template <class T> T element(const Xmm& from, unsigned n)
{
    return std::bit_cast<Elements<T>>(from)[n];
}
template <class T> Lanes with_element(Lanes all, unsigned n, T value)
{
    auto changed = elements<T>(all);
    changed[n] = value;
    return lanes<T>(changed);
}

// MOVSS and MOVSD: from memory the rest of the register becomes zero, from a register it is the first operand's.
template <class T> void load_scalar(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if (i->memory())
        set_vector(c, i, i->reg, lanes(load_operand<T>(c, i)));
    else
        set_vector(c, i, i->reg, with_element<T>(first(c, i), 0, element<T>(register_source(c, i), 0)));
    return next(c, i);
}

template <class T> void store_scalar(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const T value = element<T>(c.fpu.xmm[i->reg], 0);
    if (i->memory())
        store_operand<T>(c, i, value);
    else
        set_vector(c, i, i->rm, with_element<T>(lanes(c.fpu.xmm[i->vex ? i->vvvv : i->rm]), 0, value));
    return next(c, i);
}

// One half of the register from memory, or from the other register's half `from`.
template <unsigned to, unsigned from> void load_half(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    Lanes result = first(c, i);
    result[to] = i->memory() ? load_operand<u64>(c, i) : register_source(c, i).q[from];
    set_vector(c, i, i->reg, result);
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
    set_vector(c, i, i->reg, with_element<T>(first(c, i), n, value));
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
template <class T> u64 sign_mask(const Cpu& c, const Insn* i)
{
    const u64 low = sign_mask<T>(c.fpu.xmm[i->rm]);
    return i->wide() ? low | sign_mask<T>(c.fpu.ymm_high[i->rm]) << (16 / sizeof(T)) : low;
}

}

void load_vector(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    if (i->wide())
        set_vector(c, i->reg, wide_source<Xmm>(c, i));
    else
        set_vector(c, i, i->reg, source<Xmm>(c, i));
    return next(c, i);
}

void store_vector(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Wide value{lanes(c.fpu.xmm[i->reg]), lanes(c.fpu.ymm_high[i->reg])};
    if (i->memory() && i->wide())
        store_wide(c, i, value);
    else if (i->memory())
        store_xmm(c, i, effective_address(c, i), c.fpu.xmm[i->reg]);
    else if (i->wide())
        set_vector(c, i->rm, value);
    else
        set_vector(c, i, i->rm, value.low);
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
    set_vector(c, i, i->reg, lanes(source<u64>(c, i)[0]));
    return next(c, i);
}

void movq_store(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const u64 value = c.fpu.xmm[i->reg].q[0];
    if (i->memory())
        store_operand<u64>(c, i, value);
    else
        set_vector(c, i, i->rm, lanes(value));
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
    set_vector(c, i, i->reg, lanes(value));
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
    check_alignment(c, i, (c.base[i->segment] + (c.gpr[rdi] & i->address_mask)) & c.linear_mask, 8);
    for (unsigned n = 0; n < 16; ++n)
        if (element<u8>(c.fpu.xmm[i->rm], n) & 0x80)
            store<u8>(c, i, (c.gpr[rdi] + n) & i->address_mask, element<u8>(c.fpu.xmm[i->reg], n));
    return next(c, i);
}

void movmskps(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    c.gpr[i->reg] = sign_mask<u32>(c, i);
    return next(c, i);
}

void movmskpd(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    c.gpr[i->reg] = sign_mask<u64>(c, i);
    return next(c, i);
}

void pmovmskb(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    c.gpr[i->reg] = sign_mask<u8>(c, i);
    return next(c, i);
}

// PTEST, VTESTPS and VTESTPD: the bits of `looked_at` that both have, and that only the second has.
template <u64 looked_at> void test_bits(Cpu& c, const Insn* i)
{
    check_sse(c, i);
    const Wide b = i->wide() ? wide_source<Xmm>(c, i) : Wide{source<Xmm>(c, i)};
    const Lanes a = lanes(c.fpu.xmm[i->reg]), a_high = lanes(c.fpu.ymm_high[i->reg]);
    const Lanes both = (a & b.low) | (a_high & b.high), only_b = (~a & b.low) | (~a_high & b.high);
    const bool zero = !((both[0] | both[1]) & looked_at), carry = !((only_b[0] | only_b[1]) & looked_at);
    c.lazy.set_all((zero ? flag_z : 0) | (carry ? flag_c : 0));
    return next(c, i);
}

void ptest(Cpu& c, const Insn* i)
{
    return test_bits<~u64(0)>(c, i);
}
void vtestps(Cpu& c, const Insn* i)
{
    return test_bits<0x8000000080000000>(c, i);
}
void vtestpd(Cpu& c, const Insn* i)
{
    return test_bits<0x8000000000000000>(c, i);
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
    Lanes result = with_element<u32>(first(c, i), control >> 4 & 3, value);
    for (unsigned n = 0; n < 4; ++n)
        if (bit(control, n))
            result = with_element<u32>(result, n, 0);
    set_vector(c, i, i->reg, result);
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
