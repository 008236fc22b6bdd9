#pragma once
// The decoder's reading of bytes: values, ModRM, SIB, displacement. SDM vol. 2, 2.1.3 to 2.1.5 and 2.3.12 (vector indices).

#include <span>

#include "engine/cpu/x86/cpu.h"

namespace engine::x86 {

class OperandBytes {
protected:
    enum class Index : u8 { general, vector };

    OperandBytes(std::span<const u8> bytes, u32 mode, Insn& to) : bytes_(bytes), mode_(mode), to_(to) { }

    bool in_64() const { return (mode_ & mode_size_mask) == mode_64; }

    bool take(u8& byte)
    {
        if (at_ >= bytes_.size()) {
            truncated_ = true;
            return false;
        }
        byte = bytes_[at_++];
        return true;
    }
    u64 take_value(unsigned size)
    {
        u64 value = 0;
        if (at_ + size > bytes_.size()) {
            truncated_ = true;
            return 0;
        }
        for (unsigned n = 0; n < size; ++n)
            value |= u64(bytes_[at_ + n]) << (8 * n);
        at_ += size;
        return value;
    }
    u64 take_signed(unsigned size)
    {
        const u64 value = take_value(size);
        return u64(i64(value << (64 - 8 * size)) >> (64 - 8 * size));
    }

    bool read_modrm()
    {
        if (modrm_read_)
            return true;
        modrm_read_ = true;
        if (!take(to_.modrm))
            return false;
        mod_ = to_.modrm >> 6;
        to_.reg = u8((to_.modrm >> 3 & 7) | (rex_ & 4) << 1);
        to_.rm = u8((to_.modrm & 7) | (rex_ & 1) << 3);
        return true;
    }

    // With a vector index its number goes to Insn::src.
    bool memory_operand(Index kind)
    {
        default_segment_ = ds;
        const bool ok = to_.address_size == 2 ? memory_16() : memory_32(kind);
        to_.segment = override_ != no_override ? override_ : default_segment_;
        return ok;
    }

    bool memory_16()
    {
        static constexpr u8 bases[8] = {rbx, rbx, rbp, rbp, rsi, rdi, rbp, rbx};
        static constexpr u8 indices[8] = {rsi, rdi, rsi, rdi, gpr_zero, gpr_zero, gpr_zero, gpr_zero};
        const unsigned rm = to_.modrm & 7;
        if (mod_ == 0 && rm == 6) {
            to_.disp = i32(take_value(2));
            return !truncated_;
        }
        to_.base = bases[rm];
        to_.index = indices[rm];
        if (to_.base == rbp)
            default_segment_ = ss;
        if (mod_)
            to_.disp = i32(i64(take_signed(mod_ == 1 ? 1 : 2)));
        return !truncated_;
    }

    bool memory_32(Index kind)
    {
        const unsigned rm = to_.modrm & 7;
        if (rm == 4) {
            if (!sib(kind))
                return false;
        } else if (mod_ == 0 && rm == 5) {
            to_.disp = i32(take_value(4));
            rip_relative_ = in_64();
            if (rip_relative_)
                to_.base = gpr_rip;
            return !truncated_;
        } else {
            to_.base = to_.rm;
        }
        if ((to_.base & 7) == rsp || (to_.base & 7) == rbp)
            default_segment_ = to_.base == rsp || to_.base == rbp ? ss : ds;
        if (mod_)
            to_.disp = i32(i64(take_signed(mod_ == 1 ? 1 : 4)));
        return !truncated_;
    }

    bool sib(Index kind)
    {
        u8 sib = 0;
        if (!take(sib))
            return false;
        const u8 index = u8((sib >> 3 & 7) | (rex_ & 2) << 2);
        if (kind == Index::vector) {
            to_.src = index;
            to_.scale = sib >> 6;
        } else if (index != rsp) {
            to_.index = index;
            to_.scale = sib >> 6;
        }
        if ((sib & 7) == 5 && mod_ == 0) {
            to_.disp = i32(take_value(4));
            return !truncated_;
        }
        to_.base = u8((sib & 7) | (rex_ & 1) << 3);
        return true;
    }

    static constexpr u8 no_override = 0xff;

    std::span<const u8> bytes_;
    u32 mode_;
    Insn& to_;
    std::size_t at_ = 0;
    u8 rex_ = 0, override_ = no_override, default_segment_ = ds, mod_ = 0;
    bool modrm_read_ = false, rip_relative_ = false, truncated_ = false;
};

}
