// Integer arithmetic and logic. SDM vol. 2.

#include <limits>
#include <type_traits>

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"

namespace engine::x86 {

namespace {

struct Add {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b)
    {
        const T r = T(a + b);
        c.lazy.add<T>(a, b, r);
        return r;
    }
};
struct Adc {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b)
    {
        const T r = T(a + b + T(c.lazy.c()));
        c.lazy.add<T>(a, b, r);
        return r;
    }
};
struct Sub {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b)
    {
        const T r = T(a - b);
        c.lazy.subtract<T>(a, b, r);
        return r;
    }
};
struct Sbb {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b)
    {
        const T r = T(a - b - T(c.lazy.c()));
        c.lazy.subtract<T>(a, b, r);
        return r;
    }
};
struct Cmp : Sub {
    static constexpr bool writes = false;
};
struct And {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b)
    {
        const T r = a & b;
        c.lazy.logic<T>(r);
        return r;
    }
};
struct Test : And {
    static constexpr bool writes = false;
};
struct Or {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b)
    {
        const T r = a | b;
        c.lazy.logic<T>(r);
        return r;
    }
};
struct Xor {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b)
    {
        const T r = a ^ b;
        c.lazy.logic<T>(r);
        return r;
    }
};

struct Inc {
    template <class T> static T apply(Cpu& c, T a)
    {
        const T r = T(a + 1);
        const bool carry = c.lazy.c();
        c.lazy.add<T>(a, 1, r);
        c.lazy.set_c(carry);
        return r;
    }
};
struct Dec {
    template <class T> static T apply(Cpu& c, T a)
    {
        const T r = T(a - 1);
        const bool carry = c.lazy.c();
        c.lazy.subtract<T>(a, 1, r);
        c.lazy.set_c(carry);
        return r;
    }
};
struct Not {
    template <class T> static T apply(Cpu&, T a) { return T(~a); }
};
struct Neg {
    template <class T> static T apply(Cpu& c, T a)
    {
        const T r = T(0 - a);
        c.lazy.subtract<T>(0, a, r);
        return r;
    }
};

template <class T> struct Double;
template <> struct Double<u8> {
    using Unsigned = u16;
    using Signed = i16;
};
template <> struct Double<u16> {
    using Unsigned = u32;
    using Signed = i32;
};
template <> struct Double<u32> {
    using Unsigned = u64;
    using Signed = i64;
};
template <> struct Double<u64> {
    __extension__ using Unsigned = unsigned __int128;
    __extension__ using Signed = __int128;
};

constexpr u8 ah_offset = 1;

// The double-width accumulator: AX, DX:AX, EDX:EAX, RDX:RAX.
template <class T> typename Double<T>::Unsigned double_accumulator(const Cpu& c)
{
    if constexpr (sizeof(T) == 1)
        return c.reg<u16>(0);
    else
        return typename Double<T>::Unsigned(c.reg<T>(rdx * 8)) << (8 * sizeof(T)) | c.reg<T>(rax * 8);
}
template <class T> void set_double_accumulator(Cpu& c, T low, T high)
{
    c.set_reg<T>(rax * 8, low);
    c.set_reg<T>(sizeof(T) == 1 ? ah_offset : rdx * 8, high);
}

// One-operand forms: the operand is in dst.
template <class T> T only_operand(Cpu& c, const Insn* i)
{
    return i->memory() ? load_operand<T>(c, i) : c.reg<T>(i->dst);
}

template <class T> void mul(Cpu& c, const Insn* i)
{
    using Wide = typename Double<T>::Unsigned;
    const Wide product = Wide(only_operand<T>(c, i)) * c.reg<T>(0);
    const T high = T(product >> (8 * sizeof(T)));
    set_double_accumulator<T>(c, T(product), high);
    c.lazy.result_with<T>(T(product), high != 0, high != 0);
    return next(c, i);
}

template <class T> void imul(Cpu& c, const Insn* i)
{
    using Narrow = std::make_signed_t<T>;
    using Wide = typename Double<T>::Signed;
    const Wide product = Wide(Narrow(only_operand<T>(c, i))) * Narrow(c.reg<T>(0));
    const bool lost = product != Wide(Narrow(product));
    set_double_accumulator<T>(c, T(product), T(product >> (8 * sizeof(T))));
    c.lazy.result_with<T>(T(product), lost, lost);
    return next(c, i);
}

template <class T> T multiply_signed(Cpu& c, T a, T b)
{
    using Narrow = std::make_signed_t<T>;
    using Wide = typename Double<T>::Signed;
    const Wide product = Wide(Narrow(a)) * Narrow(b);
    const bool lost = product != Wide(Narrow(product));
    c.lazy.result_with<T>(T(product), lost, lost);
    return T(product);
}

struct Imul2 {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b) { return multiply_signed<T>(c, a, b); }
};

template <class T> void imul3(Cpu& c, const Insn* i)
{
    const T a = load_src<T>(c, i);
    c.set_reg<T>(i->dst, multiply_signed<T>(c, a, T(i->imm)));
    return next(c, i);
}

template <class T> void div(Cpu& c, const Insn* i)
{
    const T divisor = only_operand<T>(c, i);
    if (divisor == 0)
        c.raise(i, divide_error);
    const auto dividend = double_accumulator<T>(c);
    const auto quotient = dividend / divisor;
    if (quotient > std::numeric_limits<T>::max())
        c.raise(i, divide_error);
    set_double_accumulator<T>(c, T(quotient), T(dividend % divisor));
    return next(c, i);
}

template <class T> void idiv(Cpu& c, const Insn* i)
{
    using Narrow = std::make_signed_t<T>;
    using Wide = typename Double<T>::Signed;
    const Narrow divisor = Narrow(only_operand<T>(c, i));
    const Wide dividend = Wide(double_accumulator<T>(c));
    if (divisor == 0)
        c.raise(i, divide_error);
    // The one division of the wide type that overflows itself; the quotient does not fit anyway.
    const auto top = typename Double<T>::Unsigned(1) << (16 * sizeof(T) - 1);
    if (divisor == -1 && dividend == Wide(top))
        c.raise(i, divide_error);
    const Wide quotient = dividend / divisor;
    if (quotient != Wide(Narrow(quotient)))
        c.raise(i, divide_error);
    set_double_accumulator<T>(c, T(quotient), T(dividend % divisor));
    return next(c, i);
}

// Decimal adjustments. The flags that the manual leaves undefined follow the processors of the P6 line.
void daa(Cpu& c, const Insn* i)
{
    const u8 old = c.reg<u8>(0);
    const bool old_carry = c.lazy.c();
    const bool low = (old & 0xf) > 9 || c.lazy.a();
    const bool high = old > 0x99 || old_carry;
    const u8 al = u8(old + (low ? 6 : 0) + (high ? 0x60 : 0));
    c.set_reg<u8>(0, al);
    c.lazy.result_with<u8>(al, high, false);
    c.lazy.set_all((c.lazy.all() & ~flag_a) | (low ? flag_a : 0));
    return next(c, i);
}
void das(Cpu& c, const Insn* i)
{
    const u8 old = c.reg<u8>(0);
    const bool old_carry = c.lazy.c();
    const bool low = (old & 0xf) > 9 || c.lazy.a();
    const bool high = old > 0x99 || old_carry;
    const u8 al = u8(old - (low ? 6 : 0) - (high ? 0x60 : 0));
    const bool carry = high || (low && old < 6);
    c.set_reg<u8>(0, al);
    c.lazy.result_with<u8>(al, carry, false);
    c.lazy.set_all((c.lazy.all() & ~flag_a) | (low ? flag_a : 0));
    return next(c, i);
}
void ascii_adjust(Cpu& c, int step)
{
    const u8 old = c.reg<u8>(0);
    const bool adjust = (old & 0xf) > 9 || c.lazy.a();
    u16 ax = c.reg<u16>(0);
    if (adjust)
        ax = u16(ax + step * 0x106);
    ax &= 0xff0f;
    c.set_reg<u16>(0, ax);
    c.lazy.result_with<u8>(u8(ax), adjust, false);
    c.lazy.set_all((c.lazy.all() & ~flag_a) | (adjust ? flag_a : 0));
}
void aaa(Cpu& c, const Insn* i)
{
    ascii_adjust(c, 1);
    return next(c, i);
}
void aas(Cpu& c, const Insn* i)
{
    ascii_adjust(c, -1);
    return next(c, i);
}
void aam(Cpu& c, const Insn* i)
{
    const u8 divisor = u8(i->imm);
    if (divisor == 0)
        c.raise(i, divide_error);
    const u8 al = c.reg<u8>(0);
    c.set_reg<u16>(0, u16((al / divisor) << 8 | al % divisor));
    c.lazy.logic<u8>(u8(al % divisor));
    return next(c, i);
}
void aad(Cpu& c, const Insn* i)
{
    const u8 al = u8(c.reg<u8>(0) + c.reg<u8>(ah_offset) * u8(i->imm));
    c.set_reg<u16>(0, al);
    c.lazy.logic<u8>(al);
    return next(c, i);
}

}

constinit const Forms add_forms = binary_forms<Add>();
constinit const Forms or_forms = binary_forms<Or>();
constinit const Forms adc_forms = binary_forms<Adc>();
constinit const Forms sbb_forms = binary_forms<Sbb>();
constinit const Forms and_forms = binary_forms<And>();
constinit const Forms sub_forms = binary_forms<Sub>();
constinit const Forms xor_forms = binary_forms<Xor>();
constinit const Forms cmp_forms = binary_forms<Cmp>();
constinit const Forms test_forms = binary_forms<Test>();
constinit const Forms inc_forms = unary_forms<Inc>();
constinit const Forms dec_forms = unary_forms<Dec>();
constinit const Forms not_forms = unary_forms<Not>();
constinit const Forms neg_forms = unary_forms<Neg>();
constinit const Forms mul_forms = sized_forms(&mul<u8>, &mul<u16>, &mul<u32>, &mul<u64>);
constinit const Forms imul_forms = sized_forms(&imul<u8>, &imul<u16>, &imul<u32>, &imul<u64>);
constinit const Forms div_forms = sized_forms(&div<u8>, &div<u16>, &div<u32>, &div<u64>);
constinit const Forms idiv_forms = sized_forms(&idiv<u8>, &idiv<u16>, &idiv<u32>, &idiv<u64>);
constinit const Forms imul2_forms = binary_forms<Imul2>();
constinit const Forms imul3_forms = sized_forms(nullptr, &imul3<u16>, &imul3<u32>, &imul3<u64>);
constinit const Forms daa_forms = any_form<&daa>;
constinit const Forms das_forms = any_form<&das>;
constinit const Forms aaa_forms = any_form<&aaa>;
constinit const Forms aas_forms = any_form<&aas>;
constinit const Forms aam_forms = any_form<&aam>;
constinit const Forms aad_forms = any_form<&aad>;

}
