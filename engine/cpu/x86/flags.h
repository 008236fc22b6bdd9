#pragma once
// RFLAGS, with the six arithmetic flags kept lazily: an operation leaves its result and its carries, and a flag is
// worked out when somebody looks. No flag needs to know which operation it was.

#include <bit>
#include <concepts>
#include <type_traits>

#include "engine/base/types.h"

namespace engine::x86 {

constexpr u64 flag_c = 1 << 0, flag_p = 1 << 2, flag_a = 1 << 4, flag_z = 1 << 6, flag_s = 1 << 7, flag_t = 1 << 8,
              flag_i = 1 << 9, flag_d = 1 << 10, flag_o = 1 << 11, flag_iopl = 3 << 12, flag_nt = 1 << 14, flag_rf = 1 << 16,
              flag_vm = 1 << 17, flag_ac = 1 << 18, flag_vif = 1 << 19, flag_vip = 1 << 20, flag_id = 1 << 21;
constexpr u64 flags_arithmetic = flag_c | flag_p | flag_a | flag_z | flag_s | flag_o;

// The arithmetic flags as LAHF and SETO leave them in AX: how host code keeps them between blocks. RFLAGS' bit 1 is always
// set, so that they can be told from what is not packed.
constexpr u16 packed_mark = 1 << 9;
constexpr u16 pack_flags(u64 flags)
{
    return u16((flags & 0xd5) << 8 | packed_mark | (flags >> 11 & 1));
}
constexpr u64 unpack_flags(u16 packed)
{
    return (packed >> 8 & 0xd5) | u64(packed & 1) << 11;
}

class LazyFlags {
public:
    bool z() const { return result_ == 0; }
    bool s() const { return (result_ ^ adjust_) >> 63; }
    bool c() const { return carries_ >> 63; }
    bool o() const { return (carries_ ^ carries_ << 1) >> 63; }
    bool a() const { return adjust_ >> 4 & 1; }
    bool p() const { return !(std::popcount(u8(result_ ^ adjust_ >> 8)) & 1); }

    u64 all() const { return u64(c()) | u64(p()) << 2 | u64(a()) << 4 | u64(z()) << 6 | u64(s()) << 7 | u64(o()) << 11; }
    void set_all(u64 flags)
    {
        const bool zero = flags & flag_z;
        result_ = !zero;
        // An odd number of set bits in the low byte means "parity odd": bit 8 of adjust_ turns it round where needed.
        const bool odd = result_ & 1;
        const bool want_odd = !(flags & flag_p);
        adjust_ = (flags & flag_s ? u64(1) << 63 : 0) | (flags & flag_a) | (odd != want_odd ? u64(1) << 8 : 0);
        set_carry_overflow(flags & flag_c, flags & flag_o);
    }
    void set_carry_overflow(bool carry, bool overflow) { carries_ = u64(carry) << 63 | u64(carry != overflow) << 62; }
    void set_c(bool carry) { set_carry_overflow(carry, o()); }

    template <std::unsigned_integral T> void add(T a, T b, T r) { arithmetic(a, b, r, T((a & b) | ((a | b) & ~r))); }
    template <std::unsigned_integral T> void subtract(T a, T b, T r) { arithmetic(a, b, r, T((~a & b) | ((~a | b) & r))); }
    template <std::unsigned_integral T> void logic(T r)
    {
        set_result(r);
        carries_ = 0;
        adjust_ = 0;
    }
    // Z, S and P from `r`, A clear, C and O given: shifts, multiplications.
    template <std::unsigned_integral T> void result_with(T r, bool carry, bool overflow)
    {
        set_result(r);
        adjust_ = 0;
        set_carry_overflow(carry, overflow);
    }

private:
    template <std::unsigned_integral T> void set_result(T r) { result_ = u64(i64(std::make_signed_t<T>(r))); }
    template <std::unsigned_integral T> void arithmetic(T a, T b, T r, T carries)
    {
        set_result(r);
        carries_ = u64(carries) << (64 - 8 * sizeof(T));
        adjust_ = u8(a ^ b ^ r) & 0x10;
    }

    u64 result_ = 1;    // sign-extended; zero if and only if Z
    u64 carries_ = 0;    // bit 63: carry out of the top bit, bit 62: out of the bit below
    u64 adjust_ = 0;    // bit 4: A; bits 8-15 change P, bit 63 changes S, where flags were set by hand
};

}
