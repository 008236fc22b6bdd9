// Bit tests, scans and counts.

#include "engine/cpu/x86/forms.h"
#include "engine/cpu/x86/handlers.h"

namespace engine::x86 {

namespace {

struct Bt {
    static constexpr bool writes = false;
    template <class T> static T change(T a, T) { return a; }
};
struct Bts {
    static constexpr bool writes = true;
    template <class T> static T change(T a, T mask) { return a | mask; }
};
struct Btr {
    static constexpr bool writes = true;
    template <class T> static T change(T a, T mask) { return a & T(~mask); }
};
struct Btc {
    static constexpr bool writes = true;
    template <class T> static T change(T a, T mask) { return a ^ mask; }
};

// With a register as bit offset the memory operand is a bit string that reaches beyond the addressed word.
template <class Op, class T> void bit_test(Cpu& c, const Insn* i)
{
    constexpr unsigned width = 8 * sizeof(T);
    const bool by_register = i->row->operands[1] != Operand::Ib;
    const T offset = by_register ? c.reg<T>(i->src) : T(i->imm);
    const T mask = T(T(1) << (offset & (width - 1)));
    if (!i->memory()) {
        const T a = c.reg<T>(i->dst);
        if constexpr (Op::writes)
            c.set_reg<T>(i->dst, Op::template change<T>(a, mask));
        c.lazy.set_c(a & mask);
        return next(c, i);
    }
    u64 address = effective_address(c, i);
    if (by_register) {
        const i64 words = i64(std::make_signed_t<T>(offset)) >> std::countr_zero(width);
        address = (address + u64(words * i64(sizeof(T)))) & i->address_mask;
    }
    if constexpr (!Op::writes) {
        c.lazy.set_c(load<T>(c, i, address) & mask);
    } else {
        bool was = false;
        modify_at<T>(c, i, address, [&](T a) {
            was = a & mask;
            return Op::template change<T>(a, mask);
        });
        c.lazy.set_c(was);
    }
    return next(c, i);
}

template <class Op> constexpr Forms bit_test_forms()
{
    return sized_forms(nullptr, &bit_test<Op, u16>, &bit_test<Op, u32>, &bit_test<Op, u64>);
}

// BSF and BSR leave the destination alone when the source is zero, in 32-bit form the upper half as well.
template <class T> void bsf(Cpu& c, const Insn* i)
{
    const T a = load_src<T>(c, i);
    if (a)
        c.set_reg<T>(i->dst, T(std::countr_zero(a)));
    c.lazy.logic<T>(a);
    return next(c, i);
}
template <class T> void bsr(Cpu& c, const Insn* i)
{
    const T a = load_src<T>(c, i);
    if (a)
        c.set_reg<T>(i->dst, T(8 * sizeof(T) - 1 - unsigned(std::countl_zero(a))));
    c.lazy.logic<T>(a);
    return next(c, i);
}
template <class T> void tzcnt(Cpu& c, const Insn* i)
{
    const T a = load_src<T>(c, i);
    const T r = T(std::countr_zero(a));
    c.set_reg<T>(i->dst, r);
    c.lazy.result_with<T>(r, a == 0, false);
    return next(c, i);
}
template <class T> void lzcnt(Cpu& c, const Insn* i)
{
    const T a = load_src<T>(c, i);
    const T r = T(std::countl_zero(a));
    c.set_reg<T>(i->dst, r);
    c.lazy.result_with<T>(r, a == 0, false);
    return next(c, i);
}
template <class T> void popcnt(Cpu& c, const Insn* i)
{
    const T a = load_src<T>(c, i);
    c.set_reg<T>(i->dst, T(std::popcount(a)));
    c.lazy.set_all(a == 0 ? flag_z : 0);
    return next(c, i);
}

// A 16-bit BSWAP is undefined; processors clear the register.
void bswap16(Cpu& c, const Insn* i)
{
    c.set_reg<u16>(i->dst, 0);
    return next(c, i);
}
template <class T> void bswap(Cpu& c, const Insn* i)
{
    c.set_reg<T>(i->dst, swap_bytes(c.reg<T>(i->dst)));
    return next(c, i);
}

}

constinit const Forms bt_forms = bit_test_forms<Bt>();
constinit const Forms bts_forms = bit_test_forms<Bts>();
constinit const Forms btr_forms = bit_test_forms<Btr>();
constinit const Forms btc_forms = bit_test_forms<Btc>();
constinit const Forms bsf_forms = sized_forms(nullptr, &bsf<u16>, &bsf<u32>, &bsf<u64>);
constinit const Forms bsr_forms = sized_forms(nullptr, &bsr<u16>, &bsr<u32>, &bsr<u64>);
constinit const Forms tzcnt_forms = sized_forms(nullptr, &tzcnt<u16>, &tzcnt<u32>, &tzcnt<u64>);
constinit const Forms lzcnt_forms = sized_forms(nullptr, &lzcnt<u16>, &lzcnt<u32>, &lzcnt<u64>);
constinit const Forms popcnt_forms = sized_forms(nullptr, &popcnt<u16>, &popcnt<u32>, &popcnt<u64>);
constinit const Forms bswap_forms = sized_forms(nullptr, &bswap16, &bswap<u32>, &bswap<u64>);

}
