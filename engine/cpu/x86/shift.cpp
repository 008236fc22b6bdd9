// Shifts and rotates. A count of zero changes no flag; O for counts above one follows what processors do.

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"

namespace engine::x86 {

namespace {

template <class T> constexpr unsigned width = 8 * sizeof(T);
template <class T> constexpr unsigned count_mask = sizeof(T) == 8 ? 63 : 31;
template <class T> bool top(T value)
{
    return value >> (width<T> - 1);
}

struct Shl {
    template <class T> static T apply(Cpu& c, T a, unsigned n)
    {
        const T r = n < width<T> ? T(a << n) : T(0);
        const bool carry = n <= width<T> && a >> (width<T> - n) & 1;
        c.lazy.result_with<T>(r, carry, top(r) != carry);
        return r;
    }
};
struct Shr {
    template <class T> static T apply(Cpu& c, T a, unsigned n)
    {
        const T r = n < width<T> ? T(a >> n) : T(0);
        const bool carry = n <= width<T> && a >> (n - 1) & 1;
        c.lazy.result_with<T>(r, carry, n == 1 && top(a));
        return r;
    }
};
struct Sar {
    template <class T> static T apply(Cpu& c, T a, unsigned n)
    {
        using Signed = std::make_signed_t<T>;
        const unsigned least = n < width<T> ? n : width<T> - 1;
        const T r = T(Signed(a) >> least);
        const bool carry = n < width<T> ? a >> (n - 1) & 1 : top(a);
        c.lazy.result_with<T>(r, carry, false);
        return r;
    }
};
struct Rol {
    template <class T> static T apply(Cpu& c, T a, unsigned n)
    {
        n %= width<T>;
        const T r = n ? T(a << n | a >> (width<T> - n)) : a;
        const bool carry = r & 1;
        c.lazy.set_carry_overflow(carry, top(r) != carry);
        return r;
    }
};
struct Ror {
    template <class T> static T apply(Cpu& c, T a, unsigned n)
    {
        n %= width<T>;
        const T r = n ? T(a >> n | a << (width<T> - n)) : a;
        c.lazy.set_carry_overflow(top(r), (r >> (width<T> - 1) ^ r >> (width<T> - 2)) & 1);
        return r;
    }
};
struct Rcl {
    template <class T> static T apply(Cpu& c, T a, unsigned n)
    {
        n %= width<T> + 1;
        bool carry = c.lazy.c();
        for (; n; --n) {
            const bool out = top(a);
            a = T(a << 1 | T(carry));
            carry = out;
        }
        c.lazy.set_carry_overflow(carry, top(a) != carry);
        return a;
    }
};
struct Rcr {
    template <class T> static T apply(Cpu& c, T a, unsigned n)
    {
        n %= width<T> + 1;
        bool carry = c.lazy.c();
        for (; n; --n) {
            const bool out = a & 1;
            a = T(a >> 1 | T(T(carry) << (width<T> - 1)));
            carry = out;
        }
        c.lazy.set_carry_overflow(carry, (a >> (width<T> - 1) ^ a >> (width<T> - 2)) & 1);
        return a;
    }
};

// The count stands in imm (ri, mi) or in CL (rr, mr).
template <class Op, class T, Form form> void shift(Cpu& c, const Insn* i)
{
    constexpr bool immediate = form == form_ri || form == form_mi;
    const unsigned n = (immediate ? unsigned(i->imm) : c.reg<u8>(rcx * 8)) & count_mask<T>;
    const auto change = [&](T a) { return n ? Op::template apply<T>(c, a, n) : a; };
    if constexpr (form == form_ri || form == form_rr) {
        if (n || sizeof(T) == 4)
            c.set_reg<T>(i->dst, change(c.reg<T>(i->dst)));
    } else {
        modify<T>(c, i, change);
    }
    return next(c, i);
}

template <class Op> constexpr Forms shift_forms()
{
    return {{{
        {&shift<Op, u8, form_rr>, &shift<Op, u16, form_rr>, &shift<Op, u32, form_rr>, &shift<Op, u64, form_rr>},
        {},
        {&shift<Op, u8, form_mr>, &shift<Op, u16, form_mr>, &shift<Op, u32, form_mr>, &shift<Op, u64, form_mr>},
        {&shift<Op, u8, form_ri>, &shift<Op, u16, form_ri>, &shift<Op, u32, form_ri>, &shift<Op, u64, form_ri>},
        {&shift<Op, u8, form_mi>, &shift<Op, u16, form_mi>, &shift<Op, u32, form_mi>, &shift<Op, u64, form_mi>},
    }}};
}

// SHLD and SHRD. Counts above 16 in 16-bit form are undefined; the processor goes on with bits of the destination.
template <class T> T double_left(Cpu& c, T a, T fill, unsigned n)
{
    if constexpr (sizeof(T) == 2) {
        const u64 wide = u64(a) << 32 | u64(fill) << 16 | a;
        const T r = T(wide << n >> 32);
        const bool carry = wide >> (48 - n) & 1;
        c.lazy.result_with<T>(r, carry, top(r) != top(a));
        return r;
    } else {
        const T r = T(a << n | fill >> (width<T> - n));
        c.lazy.result_with<T>(r, a >> (width<T> - n) & 1, top(r) != top(a));
        return r;
    }
}
template <class T> T double_right(Cpu& c, T a, T fill, unsigned n)
{
    if constexpr (sizeof(T) == 2) {
        const u64 wide = u64(a) << 32 | u64(fill) << 16 | a;
        const T r = T(wide >> n);
        c.lazy.result_with<T>(r, wide >> (n - 1) & 1, top(r) != top(a));
        return r;
    } else {
        const T r = T(a >> n | fill << (width<T> - n));
        c.lazy.result_with<T>(r, a >> (n - 1) & 1, top(r) != top(a));
        return r;
    }
}

enum class Direction : u8 { left, right };

template <class T, Direction direction, bool by_cl> void double_shift(Cpu& c, const Insn* i)
{
    const unsigned n = (by_cl ? c.reg<u8>(rcx * 8) : unsigned(i->imm)) & count_mask<T>;
    const T fill = c.reg<T>(i->src);
    const auto change = [&](T a) {
        if (n == 0)
            return a;
        return direction == Direction::left ? double_left<T>(c, a, fill, n) : double_right<T>(c, a, fill, n);
    };
    if (i->memory())
        modify<T>(c, i, change);
    else if (n || sizeof(T) == 4)
        c.set_reg<T>(i->dst, change(c.reg<T>(i->dst)));
    return next(c, i);
}

template <Direction direction, bool by_cl> constexpr Forms double_shift_forms()
{
    return sized_forms(
        nullptr, &double_shift<u16, direction, by_cl>, &double_shift<u32, direction, by_cl>,
        &double_shift<u64, direction, by_cl>);
}

}

constinit const Forms rol_forms = shift_forms<Rol>();
constinit const Forms ror_forms = shift_forms<Ror>();
constinit const Forms rcl_forms = shift_forms<Rcl>();
constinit const Forms rcr_forms = shift_forms<Rcr>();
constinit const Forms shl_forms = shift_forms<Shl>();
constinit const Forms shr_forms = shift_forms<Shr>();
constinit const Forms sar_forms = shift_forms<Sar>();
constinit const Forms shld_forms = double_shift_forms<Direction::left, false>();
constinit const Forms shrd_forms = double_shift_forms<Direction::right, false>();
constinit const Forms shld_cl_forms = double_shift_forms<Direction::left, true>();
constinit const Forms shrd_cl_forms = double_shift_forms<Direction::right, true>();

}
