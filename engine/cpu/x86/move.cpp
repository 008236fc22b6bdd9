// Data movement, exchanges, conversions, conditional moves.

#include <type_traits>

#include "engine/cpu/x86/condition.h"
#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"

namespace engine::x86 {

namespace {

template <class T, Form form> void mov(Cpu& c, const Insn* i)
{
    if constexpr (form == form_rr)
        c.set_reg<T>(i->dst, c.reg<T>(i->src));
    else if constexpr (form == form_rm)
        c.set_reg<T>(i->dst, load_operand<T>(c, i));
    else if constexpr (form == form_mr)
        store_operand<T>(c, i, c.reg<T>(i->src));
    else if constexpr (form == form_ri)
        c.set_reg<T>(i->dst, T(i->imm));
    else
        store_operand<T>(c, i, T(i->imm));
    return next(c, i);
}

template <class T> void mov_moffs_load(Cpu& c, const Insn* i)
{
    c.set_reg<T>(0, load<T>(c, i, i->imm & i->address_mask));
    return next(c, i);
}
template <class T> void mov_moffs_store(Cpu& c, const Insn* i)
{
    store<T>(c, i, i->imm & i->address_mask, c.reg<T>(0));
    return next(c, i);
}

template <class T> void lea(Cpu& c, const Insn* i)
{
    c.set_reg<T>(i->dst, T(effective_address(c, i)));
    return next(c, i);
}

// XCHG with memory locks without being asked.
template <class T> void xchg(Cpu& c, const Insn* i)
{
    if (!i->memory()) {
        const T a = c.reg<T>(i->dst);
        const T b = c.reg<T>(i->src);
        c.set_reg<T>(i->dst, b);
        c.set_reg<T>(i->src, a);
        return next(c, i);
    }
    const T fresh = c.reg<T>(i->src);
    T before = 0;
    modify<T>(c, i, [&](T old) {
        before = old;
        return fresh;
    });
    c.set_reg<T>(i->src, before);
    return next(c, i);
}

void xlat(Cpu& c, const Insn* i)
{
    const u64 offset = (c.gpr[rbx] + c.reg<u8>(0)) & i->address_mask;
    c.set_reg<u8>(0, load<u8>(c, i, offset));
    return next(c, i);
}

template <class To, class From> void movzx(Cpu& c, const Insn* i)
{
    c.set_reg<To>(i->dst, To(load_src<From>(c, i)));
    return next(c, i);
}
template <class To, class From> void movsx(Cpu& c, const Insn* i)
{
    c.set_reg<To>(i->dst, To(std::make_signed_t<To>(std::make_signed_t<From>(load_src<From>(c, i)))));
    return next(c, i);
}

template <class T> void movbe(Cpu& c, const Insn* i)
{
    if (i->row->operands[0] == Operand::M)
        store_operand<T>(c, i, swap_bytes(c.reg<T>(i->src)));
    else
        c.set_reg<T>(i->dst, swap_bytes(load_operand<T>(c, i)));
    return next(c, i);
}

// CBW, CWDE, CDQE and CWD, CDQ, CQO.
template <class T, class Half> void extend_accumulator(Cpu& c, const Insn* i)
{
    c.set_reg<T>(0, T(std::make_signed_t<T>(std::make_signed_t<Half>(c.reg<Half>(0)))));
    return next(c, i);
}
template <class T> void sign_to_dx(Cpu& c, const Insn* i)
{
    c.set_reg<T>(rdx * 8, c.reg<T>(0) >> (8 * sizeof(T) - 1) ? T(~T(0)) : T(0));
    return next(c, i);
}

// A 32-bit CMOV clears the upper half even if the condition is false; the memory operand is read in any case.
template <class T> void cmov(Cpu& c, const Insn* i)
{
    const T value = load_src<T>(c, i);
    c.set_reg<T>(i->dst, condition(c, i->opcode & 15) ? value : c.reg<T>(i->dst));
    return next(c, i);
}

void setcc(Cpu& c, const Insn* i)
{
    const u8 value = condition(c, i->opcode & 15);
    if (i->memory())
        store_operand<u8>(c, i, value);
    else
        c.set_reg<u8>(i->dst, value);
    return next(c, i);
}

template <class T> void xadd(Cpu& c, const Insn* i)
{
    const T addend = c.reg<T>(i->src);
    T before = 0;
    const auto change = [&](T old) {
        before = old;
        const T r = T(old + addend);
        c.lazy.add<T>(old, addend, r);
        return r;
    };
    if (i->memory()) {
        modify<T>(c, i, change);
        c.set_reg<T>(i->src, before);
    } else {
        const T sum = change(c.reg<T>(i->dst));
        c.set_reg<T>(i->src, before);
        c.set_reg<T>(i->dst, sum);
    }
    return next(c, i);
}

template <class T> void cmpxchg(Cpu& c, const Insn* i)
{
    const T expected = c.reg<T>(0);
    const T fresh = c.reg<T>(i->src);
    T before = 0;
    // Memory is written in any case; without a match with its own value.
    const auto change = [&](T old) {
        before = old;
        return old == expected ? fresh : old;
    };
    if (i->memory())
        modify<T>(c, i, change);
    else if (const T r = change(c.reg<T>(i->dst)); before == expected)
        c.set_reg<T>(i->dst, r);
    c.lazy.subtract<T>(expected, before, T(expected - before));
    if (before != expected)
        c.set_reg<T>(0, before);
    return next(c, i);
}

void set_z(Cpu& c, bool z)
{
    c.lazy.set_all((c.lazy.all() & ~flag_z) | (z ? flag_z : 0));
}

// CMPXCHG8B and CMPXCHG16B (with REX.W, 16-byte aligned).
void cmpxchg8b(Cpu& c, const Insn* i)
{
    const u64 expected = u64(u32(c.gpr[rdx])) << 32 | u32(c.gpr[rax]);
    const u64 fresh = u64(u32(c.gpr[rcx])) << 32 | u32(c.gpr[rbx]);
    u64 before = 0;
    modify<u64>(c, i, [&](u64 old) {
        before = old;
        return old == expected ? fresh : old;
    });
    set_z(c, before == expected);
    if (before != expected) {
        c.set_reg<u32>(rax * 8, u32(before));
        c.set_reg<u32>(rdx * 8, u32(before >> 32));
    }
    return next(c, i);
}

__extension__ using u128 = unsigned __int128;

bool compare_exchange_16(u128* at, u128& expected, u128 fresh)
{
    const u64 fresh_low = u64(fresh), fresh_high = u64(fresh >> 64);
    u64 low = u64(expected), high = u64(expected >> 64);
    bool same = false;
    asm volatile("lock cmpxchg16b %1"
                 : "=@ccz"(same), "+m"(*at), "+a"(low), "+d"(high)
                 : "b"(fresh_low), "c"(fresh_high)
                 : "memory");
    expected = u128(high) << 64 | low;
    return same;
}

void cmpxchg16b(Cpu& c, const Insn* i)
{
    const u64 offset = effective_address(c, i);
    const u64 linear = linear_address<Access::write>(c, i, i->segment, offset, 16);
    if (linear & 15)
        c.raise(i, general_protection, 0);
    const u128 expected = u128(c.gpr[rdx]) << 64 | c.gpr[rax];
    const u128 fresh = u128(c.gpr[rcx]) << 64 | c.gpr[rbx];
    u128 before = expected;
    if (u8* const host = host_address(c, i, linear, 16, Access::write)) {
        compare_exchange_16(reinterpret_cast<u128*>(host), before, fresh);
    } else {
        probe_write(c, i, linear, 16);
        if (i->lock())
            locked_slow_begin(c);
        before = u128(load_slow(c, i, linear + 8, 8)) << 64 | load_slow(c, i, linear, 8);
        if (before == expected) {
            store_slow(c, i, linear, u64(fresh), 8);
            store_slow(c, i, linear + 8, u64(fresh >> 64), 8);
        }
        if (i->lock())
            locked_slow_end(c);
    }
    set_z(c, before == expected);
    if (before != expected) {
        c.gpr[rax] = u64(before);
        c.gpr[rdx] = u64(before >> 64);
    }
    return next(c, i);
}

void lahf(Cpu& c, const Insn* i)
{
    c.set_reg<u8>(1, u8(c.lazy.all() | 2));
    return next(c, i);
}
void sahf(Cpu& c, const Insn* i)
{
    constexpr u64 low = flag_c | flag_p | flag_a | flag_z | flag_s;
    c.lazy.set_all((c.lazy.all() & ~low) | (c.reg<u8>(1) & low));
    return next(c, i);
}

// Undocumented: AL from C.
void salc(Cpu& c, const Insn* i)
{
    c.set_reg<u8>(0, c.lazy.c() ? 0xff : 0);
    return next(c, i);
}

void nop(Cpu& c, const Insn* i)
{
    return next(c, i);
}

constexpr Forms all_mov_forms()
{
    return {{{
        {&mov<u8, form_rr>, &mov<u16, form_rr>, &mov<u32, form_rr>, &mov<u64, form_rr>},
        {&mov<u8, form_rm>, &mov<u16, form_rm>, &mov<u32, form_rm>, &mov<u64, form_rm>},
        {&mov<u8, form_mr>, &mov<u16, form_mr>, &mov<u32, form_mr>, &mov<u64, form_mr>},
        {&mov<u8, form_ri>, &mov<u16, form_ri>, &mov<u32, form_ri>, &mov<u64, form_ri>},
        {&mov<u8, form_mi>, &mov<u16, form_mi>, &mov<u32, form_mi>, &mov<u64, form_mi>},
    }}};
}

}

constinit const Forms mov_forms = all_mov_forms();
constinit const Forms mov_moffs_load_forms
    = sized_forms(&mov_moffs_load<u8>, &mov_moffs_load<u16>, &mov_moffs_load<u32>, &mov_moffs_load<u64>);
constinit const Forms mov_moffs_store_forms
    = sized_forms(&mov_moffs_store<u8>, &mov_moffs_store<u16>, &mov_moffs_store<u32>, &mov_moffs_store<u64>);
constinit const Forms lea_forms = sized_forms(nullptr, &lea<u16>, &lea<u32>, &lea<u64>);
constinit const Forms xchg_forms = sized_forms(&xchg<u8>, &xchg<u16>, &xchg<u32>, &xchg<u64>);
constinit const Forms xlat_forms = any_form<&xlat>;
constinit const Forms movzx8_forms = sized_forms(nullptr, &movzx<u16, u8>, &movzx<u32, u8>, &movzx<u64, u8>);
constinit const Forms movzx16_forms = sized_forms(nullptr, &movzx<u16, u16>, &movzx<u32, u16>, &movzx<u64, u16>);
constinit const Forms movsx8_forms = sized_forms(nullptr, &movsx<u16, u8>, &movsx<u32, u8>, &movsx<u64, u8>);
constinit const Forms movsx16_forms = sized_forms(nullptr, &movsx<u16, u16>, &movsx<u32, u16>, &movsx<u64, u16>);
constinit const Forms movsxd_forms = sized_forms(nullptr, &movsx<u16, u16>, &movsx<u32, u32>, &movsx<u64, u32>);
constinit const Forms movnti_forms = sized_forms(nullptr, nullptr, &mov<u32, form_mr>, &mov<u64, form_mr>);
constinit const Forms movbe_forms = sized_forms(nullptr, &movbe<u16>, &movbe<u32>, &movbe<u64>);
constinit const Forms cbw_forms
    = sized_forms(nullptr, &extend_accumulator<u16, u8>, &extend_accumulator<u32, u16>, &extend_accumulator<u64, u32>);
constinit const Forms cwd_forms = sized_forms(nullptr, &sign_to_dx<u16>, &sign_to_dx<u32>, &sign_to_dx<u64>);
constinit const Forms cmov_forms = sized_forms(nullptr, &cmov<u16>, &cmov<u32>, &cmov<u64>);
constinit const Forms setcc_forms = any_form<&setcc>;
constinit const Forms xadd_forms = sized_forms(&xadd<u8>, &xadd<u16>, &xadd<u32>, &xadd<u64>);
constinit const Forms cmpxchg_forms = sized_forms(&cmpxchg<u8>, &cmpxchg<u16>, &cmpxchg<u32>, &cmpxchg<u64>);
constinit const Forms cmpxchg8b_forms = sized_forms(nullptr, &cmpxchg8b, &cmpxchg8b, &cmpxchg16b);
constinit const Forms lahf_forms = any_form<&lahf>;
constinit const Forms sahf_forms = any_form<&sahf>;
constinit const Forms salc_forms = any_form<&salc>;
constinit const Forms nop_forms = any_form<&nop>;

}
