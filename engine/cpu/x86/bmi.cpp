// BMI1, BMI2 and ADX: arithmetic on general registers that came with VEX. SDM vol. 2, under each name.

#include <type_traits>

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/vex_tables.h"

namespace engine::x86 {

namespace {

__extension__ using u128 = unsigned __int128;

template <class T> T rm_operand(Cpu& c, const Insn* i)
{
    return i->memory() ? load_operand<T>(c, i) : T(c.gpr[i->rm]);
}

template <class T> void andn(Cpu& c, const Insn* i)
{
    const T r = T(~T(c.gpr[i->vvvv]) & rm_operand<T>(c, i));
    c.gpr[i->reg] = r;
    c.lazy.logic<T>(r);
    return next(c, i);
}

// Group 17: of the lowest bit set. The destination is vvvv.
enum class Lowest : u8 { reset, mask, isolate };
template <Lowest what, class T> void lowest_bit(Cpu& c, const Insn* i)
{
    const T a = rm_operand<T>(c, i);
    const T below = T(a - 1);
    const T r = what == Lowest::reset ? T(a & below) : what == Lowest::mask ? T(a ^ below) : T(a & ~below);
    c.gpr[i->vvvv] = r;
    c.lazy.result_with<T>(r, what == Lowest::isolate ? a != 0 : a == 0, false);
    return next(c, i);
}

template <class T> T low_bits(T a, unsigned count)
{
    return count >= 8 * sizeof(T) ? a : T(a & ((T(1) << count) - 1));
}

// vvvv: start in bits 7:0, length in 15:8.
template <class T> void bextr(Cpu& c, const Insn* i)
{
    const T a = rm_operand<T>(c, i);
    const unsigned start = u8(c.gpr[i->vvvv]), length = u8(c.gpr[i->vvvv] >> 8);
    const T r = start >= 8 * sizeof(T) ? T(0) : low_bits<T>(T(a >> start), length);
    c.gpr[i->reg] = r;
    c.lazy.logic<T>(r);
    return next(c, i);
}

template <class T> void bzhi(Cpu& c, const Insn* i)
{
    const T a = rm_operand<T>(c, i);
    const unsigned count = u8(c.gpr[i->vvvv]);
    const T r = low_bits<T>(a, count);
    c.gpr[i->reg] = r;
    c.lazy.result_with<T>(r, count >= 8 * sizeof(T), false);
    return next(c, i);
}

// The bits of `a` chosen by `mask`, side by side at the bottom; and from the bottom to where `mask` has ones.
template <class T> void pext(Cpu& c, const Insn* i)
{
    T mask = rm_operand<T>(c, i);
    const T a = T(c.gpr[i->vvvv]);
    T r = 0;
    for (T to = 1; mask; mask &= mask - 1, to = T(to << 1))
        if (a & mask & -mask)
            r |= to;
    c.gpr[i->reg] = r;
    return next(c, i);
}
template <class T> void pdep(Cpu& c, const Insn* i)
{
    T mask = rm_operand<T>(c, i);
    T a = T(c.gpr[i->vvvv]);
    T r = 0;
    for (; mask; mask &= mask - 1, a = T(a >> 1))
        if (a & 1)
            r |= mask & -mask;
    c.gpr[i->reg] = r;
    return next(c, i);
}

// The high half is written last: it wins where both destinations are one register.
template <class T> void mulx(Cpu& c, const Insn* i)
{
    using Double = std::conditional_t<sizeof(T) == 8, u128, u64>;
    const Double product = Double(T(c.gpr[rdx])) * rm_operand<T>(c, i);
    c.gpr[i->vvvv] = T(product);
    c.gpr[i->reg] = T(product >> (8 * sizeof(T)));
    return next(c, i);
}

enum class Shift : u8 { left, right, right_signed };
template <Shift how, class T> void shift_by_register(Cpu& c, const Insn* i)
{
    const T a = rm_operand<T>(c, i);
    const unsigned count = c.gpr[i->vvvv] & (8 * sizeof(T) - 1);
    const T r = how == Shift::left ? T(a << count) : how == Shift::right ? T(a >> count) : T(std::make_signed_t<T>(a) >> count);
    c.gpr[i->reg] = r;
    return next(c, i);
}

template <class T> void rorx(Cpu& c, const Insn* i)
{
    c.gpr[i->reg] = std::rotr(rm_operand<T>(c, i), int(i->imm & (8 * sizeof(T) - 1)));
    return next(c, i);
}

// ADCX and ADOX know one flag each and leave the others.
struct Adcx {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b)
    {
        const T sum = T(a + b);
        const T r = T(sum + c.lazy.c());
        c.lazy.set_c(sum < a || r < sum);
        return r;
    }
};
struct Adox {
    static constexpr bool writes = true;
    template <class T> static T apply(Cpu& c, T a, T b)
    {
        const T sum = T(a + b);
        const T r = T(sum + c.lazy.o());
        c.lazy.set_carry_overflow(c.lazy.c(), sum < a || r < sum);
        return r;
    }
};

}

constinit const Forms andn_forms = vex::l0_by_w<&andn<u32>, &andn<u64>>;
constinit const Forms blsr_forms = vex::l0_by_w<&lowest_bit<Lowest::reset, u32>, &lowest_bit<Lowest::reset, u64>>;
constinit const Forms blsmsk_forms = vex::l0_by_w<&lowest_bit<Lowest::mask, u32>, &lowest_bit<Lowest::mask, u64>>;
constinit const Forms blsi_forms = vex::l0_by_w<&lowest_bit<Lowest::isolate, u32>, &lowest_bit<Lowest::isolate, u64>>;
constinit const Forms bextr_forms = vex::l0_by_w<&bextr<u32>, &bextr<u64>>;
constinit const Forms bzhi_forms = vex::l0_by_w<&bzhi<u32>, &bzhi<u64>>;
constinit const Forms pext_forms = vex::l0_by_w<&pext<u32>, &pext<u64>>;
constinit const Forms pdep_forms = vex::l0_by_w<&pdep<u32>, &pdep<u64>>;
constinit const Forms mulx_forms = vex::l0_by_w<&mulx<u32>, &mulx<u64>>;
constinit const Forms shlx_forms = vex::l0_by_w<&shift_by_register<Shift::left, u32>, &shift_by_register<Shift::left, u64>>;
constinit const Forms shrx_forms = vex::l0_by_w<&shift_by_register<Shift::right, u32>, &shift_by_register<Shift::right, u64>>;
constinit const Forms sarx_forms
    = vex::l0_by_w<&shift_by_register<Shift::right_signed, u32>, &shift_by_register<Shift::right_signed, u64>>;
constinit const Forms rorx_forms = vex::l0_by_w<&rorx<u32>, &rorx<u64>>;
constinit const Forms adcx_forms = binary_forms<Adcx>();
constinit const Forms adox_forms = binary_forms<Adox>();

}
