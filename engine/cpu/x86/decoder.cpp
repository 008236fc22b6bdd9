#include "engine/cpu/x86/decoder.h"

#include <algorithm>
#include <array>

#include "engine/base/bits.h"
#include "engine/cpu/x86/cpu.h"
#include "engine/cpu/x86/decoder_operands.h"
#include "engine/cpu/x86/evex.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/x87_tables.h"

namespace engine::x86 {

namespace {

constexpr Row movsxd_row{"movsxd", {Operand::Gv, Operand::Ed}, &movsxd_forms, only_in_64};

// What does not decode stands in a block as an instruction that faults.
constexpr Row undefined_row{"(undefined)", {}, nullptr, ends_block};

class Decoder : OperandBytes {
public:
    Decoder(std::span<const u8> bytes, u32 mode, u16 offset, Insn& to) : OperandBytes(bytes, mode, to)
    {
        to_ = {};
        to_.offset = offset;
        to_.base = to_.index = gpr_zero;
    }

    Decoded run()
    {
        if (!prefixes() || !opcode())
            return finish_short();
        if (!row_)
            return fail(&undefined_opcode);
        const bool immediates_read = operands();
        if (truncated_)
            return finish_short();
        if (!immediates_read)
            return fail(&undefined_opcode);
        return finish();
    }

private:
    bool prefixes()
    {
        u8 byte = 0;
        for (;;) {
            if (at_ >= longest_instruction || !take(byte))
                return false;
            if (in_64() && (byte & 0xf0) == 0x40) {
                rex_ = byte;
                continue;
            }
            if (!prefix(byte))
                break;
            rex_ = 0;    // counts only right before the opcode
        }
        to_.opcode = byte;
        const bool wide_by_default = (mode_ & mode_size_mask) == mode_32;
        if (in_64()) {
            size_ = rex_ & 8 ? 8 : operand_prefix_ ? 2 : 4;
            to_.address_size = address_prefix_ ? 4 : 8;
        } else {
            size_ = wide_by_default != operand_prefix_ ? 4 : 2;
            to_.address_size = wide_by_default != address_prefix_ ? 4 : 2;
        }
        to_.address_mask = low_mask(8u * to_.address_size);
        return true;
    }

    bool prefix(u8 byte)
    {
        switch (byte) {
        case 0x26:
            return set_segment(es);
        case 0x2e:
            return set_segment(cs);
        case 0x36:
            return set_segment(ss);
        case 0x3e:
            return set_segment(ds);
        case 0x64:
            override_ = fs;
            return true;
        case 0x65:
            override_ = gs;
            return true;
        case 0x66:
            operand_prefix_ = true;
            return true;
        case 0x67:
            address_prefix_ = true;
            return true;
        case 0xf0:
            lock_ = true;
            return true;
        case 0xf2:
            repeat_ = pF2;
            return true;
        case 0xf3:
            repeat_ = pF3;
            return true;
        default:
            return false;
        }
    }
    bool set_segment(SegmentName name)
    {
        if (!in_64())
            override_ = name;
        return true;
    }

    Prefix column() const { return repeat_ != np ? repeat_ : operand_prefix_ ? p66 : np; }

    bool opcode()
    {
        OpcodeMap& map = to_.map;
        if (to_.opcode == 0x0f) {
            map = OpcodeMap::map_0f;
            if (!take(to_.opcode))
                return false;
            if (to_.opcode == 0x38 || to_.opcode == 0x3a) {
                map = to_.opcode == 0x38 ? OpcodeMap::map_0f38 : OpcodeMap::map_0f3a;
                if (!take(to_.opcode))
                    return false;
            }
        } else if (to_.opcode == 0xc4 || to_.opcode == 0xc5 || to_.opcode == 0x62) {
            bool begins = false;
            if (!begins_vex(begins))
                return false;
            if (begins)
                return to_.opcode == 0x62 ? evex() : vex();
        }
        to_.prefix = column();
        if (map == OpcodeMap::one_byte && to_.opcode >= 0xd8 && to_.opcode <= 0xdf)
            return x87();
        row_ = row_at(map, column(), to_.opcode);
        if (map == OpcodeMap::one_byte && to_.opcode == 0x63 && in_64())
            row_ = &movsxd_row;
        if (map == OpcodeMap::one_byte && to_.opcode == 0x90 && rex_ & 1)
            row_ = row_at(map, np, 0x91);
        if (!row_)
            return true;
        if (needs_modrm(*row_) && !read_modrm())
            return false;
        if (map == OpcodeMap::map_0f && mod_ == 3 && (to_.opcode == 0x01 || to_.opcode == 0xae || to_.opcode == 0xc7))
            row_ = register_only_row(to_.opcode, column(), to_.modrm);
        else
            enter_group();
        return true;
    }
    void enter_group()
    {
        if (!row_->group)
            return;
        outer_traits_ = row_->traits;
        row_ = row_->group[to_.modrm >> 3 & 7].forms ? &row_->group[to_.modrm >> 3 & 7] : nullptr;
    }

    // C4, C5 and 62 are LES, LDS and BOUND in real and virtual-8086 mode, and elsewhere but in 64-bit mode with a memory operand.
    bool begins_vex(bool& yes)
    {
        yes = in_64();
        if (yes || !(mode_ & mode_protected))
            return true;
        if (at_ >= bytes_.size()) {
            truncated_ = true;
            return false;
        }
        yes = bytes_[at_] >= 0xc0;
        return true;
    }
    // SDM vol. 2, 2.3.5: R, X, B and vvvv are stored inverted; C5 implies X, B and W clear and map 0F. #UD after LOCK, 66,
    // F2, F3 and REX.
    bool vex()
    {
        const bool refused = lock_ || repeat_ != np || operand_prefix_ || rex_;
        const bool three = to_.opcode == 0xc4;
        u8 first = 0, last = 0;
        if (!take(first) || (three && !take(last)) || !take(to_.opcode))
            return false;
        if (!three)
            last = first & 0x7f;
        rex_ = u8(~first >> 5 & (three ? 7 : 4));
        if (!in_64())
            rex_ = 0;
        else if (last & 0x80)
            rex_ |= 8;
        to_.vvvv = u8(~last >> 3 & 15);
        to_.vex = u8(Insn::vex_encoded | (last & 4 ? Insn::vex_wide : 0) | (last & 0x80 ? Insn::vex_w : 0));
        to_.prefix = last & 3;
        to_.map = three ? OpcodeMap(first & 0x1f) : OpcodeMap::map_0f;
        size_ = rex_ & 8 ? 8 : 4;
        if (refused || to_.map < OpcodeMap::map_0f || to_.map > OpcodeMap::map_0f3a)
            return true;
        row_ = vex_row_at(to_.map, Prefix(to_.prefix), to_.opcode);
        if (!row_)
            return true;
        if (needs_modrm(*row_) && !read_modrm())
            return false;
        enter_group();
        return true;
    }
    // SDM vol. 2, 2.7.1. All but aaa, z, b and L'L are stored inverted; two bits are fixed.
    bool evex()
    {
        const bool refused = lock_ || repeat_ != np || operand_prefix_ || rex_;
        u8 p0 = 0, p1 = 0, p2 = 0;
        if (!take(p0) || !take(p1) || !take(p2) || !take(to_.opcode))
            return false;
        evex_high_ = u8(~p0 >> 4 & 15);
        rex_ = in_64() ? u8((evex_high_ >> 1) | (p1 & 0x80 ? 8 : 0)) : u8(0);
        to_.vvvv = u8((~p1 >> 3 & 15) | (p2 & 8 ? 0 : 16));
        to_.vex = u8(
            Insn::vex_encoded | Insn::evex | (p1 & 0x80 ? Insn::vex_w : 0) | (p2 & 0x10 ? Insn::evex_b : 0)
            | (p2 & 0x80 ? Insn::evex_z : 0) | (p2 >> 5 & 3) << Insn::evex_length_shift);
        to_.prefix = p1 & 3;
        to_.map = OpcodeMap(p0 & 7);
        opmask_ = p2 & 7;
        size_ = rex_ & 8 ? 8 : 4;
        if (refused || p0 & 8 || !(p1 & 4))
            return true;
        if (!read_modrm())
            return false;
        const bool w = to_.vex & Insn::vex_w;
        const EvexRow* row = evex_row_at(to_.map, Prefix(to_.prefix), to_.opcode, w, to_.modrm >> 3 & 7);
        if (row && w && !in_64() && has_general_operand(*row)) {    // W is not looked at there
            to_.vex &= u8(~Insn::vex_w);
            row = evex_row_at(to_.map, Prefix(to_.prefix), to_.opcode, false, to_.modrm >> 3 & 7);
        }
        row_ = to_.row = row;
        return true;
    }
    bool x87()
    {
        if (!read_modrm())
            return false;
        row_ = x87_row(to_.opcode, to_.modrm);
        return true;
    }

    static bool in_modrm(Operand o)
    {
        return (o >= Operand::Eb && o <= Operand::Gq) || o == Operand::M || (o >= Operand::Sw && o <= Operand::N)
            || (o >= Operand::KV && o <= Operand::KU);
    }
    static bool needs_modrm(const Row& row)
    {
        return row.traits & has_modrm || row.group || std::ranges::any_of(row.operands, in_modrm);
    }

    bool allowed() const
    {
        const u32 t = row_->traits | outer_traits_;
        if ((t & invalid_in_64 && in_64()) || (t & only_in_64 && !in_64()) || (t & not_in_real && !(mode_ & mode_protected)))
            return false;
        if (t & memory_only && mod_ == 3)
            return false;
        return !(t & register_only && mod_ != 3);
    }

    bool operands()
    {
        if (!allowed())
            return false;
        if (row_->traits & forced_64 && in_64())
            size_ = 8;
        else if (row_->traits & defaults_to_64 && in_64() && size_ == 4)
            size_ = 8;
        // Branches in 64-bit mode ignore 66; PUSH and the like keep it.
        if (modrm_read_ && mod_ != 3 && !(row_->traits & ignores_mod)) {
            to_.flags |= Insn::flag_memory;
            if (!memory_operand(row_->traits & vsib ? Index::vector : Index::general))
                return false;
        }
        if (!modrm_read_)
            to_.reg = u8(to_.opcode >> 3 & 7);
        for (unsigned n = 0; n < row_->operands.size(); ++n)
            if (!operand(n, row_->operands[n]))
                return false;
        if (to_.is_evex())
            return evex_operands();
        if (to_.vex && !vex_operands())
            return false;
        if (row_->operands[0] == Operand::none && row_->traits & byte_sized)
            leading_size_ = 1;
        return true;
    }

    // vvvv must be all ones where it names no operand, and VEX.L and W of a form that there is. W says the size of general
    // registers in 64-bit mode only. The three registers of a gather must differ.
    bool vex_operands()
    {
        using enum Operand;
        const auto has = [&](Operand o) { return std::ranges::find(row_->operands, o) != row_->operands.end(); };
        const bool unused = (!has(H) && !has(By) && !has(KH)) || (row_->traits & register_vvvv && to_.memory());
        if (unused && to_.vvvv)
            return false;
        if ((has(KV) && to_.reg > 7) || (has(KH) && in_64() && to_.vvvv > 7))
            return false;
        if (!in_64())
            to_.vvvv &= 7;
        if (row_->traits & vsib && ((to_.modrm & 7) != 4 || to_.address_size == 2))
            return false;
        if (row_->traits & vsib && (to_.reg == to_.vvvv || to_.reg == to_.src || to_.vvvv == to_.src))
            return false;
        // KMOVB and KMOVW are W0 everywhere.
        const bool short_opmask = row_->traits & avx512 && to_.prefix != pF2;
        const bool general = (has(Gy) || has(Ey) || has(By)) && !short_opmask;
        const bool w = general ? rex_ & 8 : to_.vex & Insn::vex_w;
        to_.handler = row_->forms->by[0][vex_index(to_.wide(), w)];
        return to_.handler;
    }

    bool evex_operands()
    {
        to_.dst = opmask_;
        if (!evex_allowed(to_, evex_high_, in_64()))
            return false;
        constexpr unsigned with_byte_displacement = 1;
        if (to_.memory() && mod_ == with_byte_displacement)
            to_.disp *= i32(displacement_unit(to_));
        to_.handler = row_->forms->by[0][0];
        return true;
    }

    u8 byte_register(unsigned number) const
    {
        const bool high = !rex_ && number >= 4 && number < 8;
        return u8(high ? (number - 4) * 8 + 1 : number * 8);
    }
    u8 register_offset(unsigned number, unsigned size) const { return size == 1 ? byte_register(number) : u8(number * 8); }

    void set_size(unsigned size)
    {
        if (!leading_size_)
            leading_size_ = u8(size);
    }
    void place(unsigned n, u8 offset)
    {
        if (n == 0)
            to_.dst = offset;
        else if (n == 1)
            to_.src = offset;
    }
    bool register_place(unsigned n, unsigned number, unsigned size)
    {
        set_size(size);
        place(n, register_offset(number, size));
        kinds_[n] = Kind::reg;
        return true;
    }
    bool modrm_place(unsigned n, unsigned size)
    {
        set_size(size);
        kinds_[n] = to_.memory() ? Kind::mem : Kind::reg;
        if (!to_.memory())
            place(n, register_offset(to_.rm, size));
        return true;
    }
    bool immediate(unsigned n, u64 value)
    {
        kinds_[n] = Kind::imm;
        to_.imm = value;
        return !truncated_;
    }

    bool operand(unsigned n, Operand o)
    {
        using enum Operand;
        const unsigned v = size_;
        const unsigned y = rex_ & 8 ? 8 : 4;
        const unsigned low_register = (to_.opcode & 7u) | (rex_ & 1u) << 3;
        switch (o) {
        case none:
            return true;
        case Eb:
            return modrm_place(n, 1);
        case Ew:
            return modrm_place(n, 2);
        case Ed:
            return modrm_place(n, 4);
        case Ev:
            return modrm_place(n, v);
        case Ey:
            return modrm_place(n, y);
        case Eq:
            return modrm_place(n, 8);
        case Gb:
            return register_place(n, to_.reg, 1);
        case Gw:
            return register_place(n, to_.reg, 2);
        case Gd:
            return register_place(n, to_.reg, 4);
        case Gv:
            return register_place(n, to_.reg, v);
        case Gy:
            return register_place(n, to_.reg, y);
        case Gq:
            return register_place(n, to_.reg, 8);
        case Ib:
            return immediate(n, take_value(1));
        case Ibs:
            return immediate(n, take_signed(1));
        case Iw:
            return immediate(n, take_value(2));
        case Iz:
            return immediate(n, take_signed(std::min(v, 4u)));
        case Iv:
            return immediate(n, take_signed(v));
        case Jb:
            return branch(n, take_signed(1));
        case Jz:
            return branch(n, take_signed(v == 2 ? 2 : 4));
        case AL:
            return register_place(n, rax, 1);
        case AX:
            return register_place(n, rax, 2);
        case rAX:
            return register_place(n, rax, v);
        case CL:
            place(n, rcx * 8);
            kinds_[n] = Kind::reg;
            return true;
        case DX:
            kinds_[n] = Kind::imm;
            return true;
        case one:
            return immediate(n, 1);
        case Zb:
            return register_place(n, low_register, 1);
        case Zv:
            return register_place(n, low_register, v);
        case M:
            return modrm_place(n, v) && to_.memory();
        case Ob:
            return moffs(n, 1);
        case Ov:
            return moffs(n, v);
        case Ap:
            return far_pointer(n);
        case Sw:
            to_.reg &= 7;    // REX.R is ignored (SDM vol. 2, 2.2.1.2)
            kinds_[n] = Kind::reg;
            set_size(v);
            return true;
        case Cd:
        case Dd:
            kinds_[n] = Kind::reg;
            return true;
        case V:
        case P:
        case H:
        case By:
        case KV:
        case KH:
            kinds_[n] = Kind::reg;
            set_size(v);
            return true;
        case W:
        case Q:
        case KW:
            kinds_[n] = to_.memory() ? Kind::mem : Kind::reg;
            set_size(v);
            return true;
        case U:
        case N:
        case KU:
            kinds_[n] = Kind::reg;
            set_size(v);
            return !to_.memory();
        case L:
            return immediate(n, take_value(1));
        case Iw_Ib: {
            const u64 size = take_value(2);
            return immediate(n, size | take_value(1) << 16);
        }
        }
        return false;
    }

    bool branch(unsigned n, u64 displacement)
    {
        relative_ = true;
        return immediate(n, displacement);
    }
    bool moffs(unsigned n, unsigned size)
    {
        set_size(size);
        kinds_[n] = Kind::mem;
        to_.flags |= Insn::flag_memory;
        to_.segment = override_ != no_override ? override_ : u8(ds);
        to_.imm = take_value(to_.address_size);
        return !truncated_;
    }
    bool far_pointer(unsigned n)
    {
        const u64 offset = take_value(size_);
        return immediate(n, offset | take_value(2) << 32);
    }

    Form form() const
    {
        if (kinds_[0] == Kind::mem)
            return kinds_[1] == Kind::imm ? form_mi : form_mr;
        if (kinds_[0] == Kind::imm)
            return form_ri;
        return kinds_[1] == Kind::mem ? form_rm : kinds_[1] == Kind::imm ? form_ri : form_rr;
    }

    Decoded finish()
    {
        if (at_ > longest_instruction)
            return fail(&too_long);
        to_.length = u8(at_);
        to_.row = row_;
        to_.operand_size = leading_size_ == 1 ? 1 : size_;
        const unsigned size = leading_size_ ? leading_size_ : size_;
        const Forms* forms = row_->forms;
        if (forms == jcc_forms.data())
            forms += to_.opcode & 15;
        if (!to_.vex)
            to_.handler = forms->by[form()][unsigned(std::countr_zero(size))];
        if (!to_.handler)
            return fail(&undefined_opcode);
        if (lock_ && (!(row_->traits & lockable) || kinds_[0] != Kind::mem))
            return fail(&undefined_opcode);
        if (row_->traits & privileged && mode_ & mode_unprivileged) {
            to_.handler = &too_long;
            to_.row = &undefined_row;
        }
        set_flags();
        const u64 end = u64(to_.offset) + to_.length;
        if (relative_)
            to_.imm += end;
        if (rip_relative_)
            to_.disp = i32(u32(to_.disp) + u32(end));
        return Decoded::ok;
    }

    void set_flags()
    {
        if (!to_.memory())
            to_.segment = override_ != no_override ? override_ : u8(ds);
        if (lock_ || (row_->traits & always_locked && to_.memory()))
            to_.flags |= Insn::flag_lock;
        if (rex_ & 8)
            to_.flags |= Insn::flag_rex_w;
        if (rex_)
            to_.flags |= Insn::flag_rex;
        if (operand_prefix_)
            to_.flags |= Insn::flag_66;
        if (!in_64() && (!(mode_ & mode_flat) || to_.segment >= fs))
            to_.flags |= Insn::flag_checked;
    }

    Decoded fail(Handler handler)
    {
        to_.handler = handler;
        to_.row = &undefined_row;
        to_.length = u8(std::min<std::size_t>(at_, longest_instruction));
        return Decoded::ok;
    }
    Decoded finish_short() { return bytes_.size() >= longest_instruction ? fail(&too_long) : Decoded::truncated; }

    enum class Kind : u8 { none, reg, mem, imm };

    const Row* row_ = nullptr;
    u32 outer_traits_ = 0;    // of the row that led to a group
    std::array<Kind, 4> kinds_{};
    u8 size_ = 4, leading_size_ = 0;
    u8 evex_high_ = 0, opmask_ = 0;    // EVEX.RXBR' and aaa
    Prefix repeat_ = np;
    bool operand_prefix_ = false, address_prefix_ = false, lock_ = false, relative_ = false;
};

}

Decoded decode(std::span<const u8> bytes, u32 mode, u16 offset, Insn& to)
{
    return Decoder(bytes.first(std::min<std::size_t>(bytes.size(), longest_instruction)), mode, offset, to).run();
}

}
