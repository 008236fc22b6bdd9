// Arithmetic and moves of general registers: the guest's instruction with the host's registers in its ModRM.

#include <algorithm>
#include <bit>

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

Rm BlockTranslator::guest(u8 offset) const
{
    const unsigned number = offset >> 3;
    const bool high = offset & 1;
    if (!pinned(offset))
        return state_at(offset);
    return Rm::of(high ? u8(host::ah + number) : host_[number]);
}

u8 BlockTranslator::in_register(u8 offset, unsigned size)
{
    if (pinned(offset))
        return guest(offset).reg;
    a_.load(size < 4 ? 4 : size, scratch_b, guest(offset));
    return scratch_b;
}

u8 BlockTranslator::low_of_high(u8 offset)
{
    if (__builtin_cpu_supports("bmi2")) {
        a_.rorx(scratch_b, host_[offset >> 3], 8);
    } else {
        a_.store(1, state_at(offset_spill), guest(offset).reg);
        a_.op_byte_source(0x0fb6, 4, scratch_b, state_at(offset_spill));
    }
    return scratch_b;
}

u8 BlockTranslator::begin_destination(u8 offset, unsigned size, bool reads)
{
    if (pinned(offset))
        return guest(offset).reg;
    if (reads)
        a_.load(size < 4 ? 4 : size, scratch_b, guest(offset));
    return scratch_b;
}

// A 32-bit result clears the upper half.
void BlockTranslator::end_destination(u8 offset, unsigned size)
{
    if (!pinned(offset))
        a_.store(size == 4 ? 8 : size, guest(offset), scratch_b);
}

// As a ModRM operand: in place, except where a 32-bit result clears the upper half.
template <class Emit> void BlockTranslator::destination_rm(u8 offset, unsigned size, bool reads, Emit emit)
{
    if (pinned(offset) || size != 4)
        return emit(guest(offset));
    emit(Rm::of(begin_destination(offset, size, reads)));
    end_destination(offset, size);
}

// The memory operand where AH and its kin can stand beside it.
void BlockTranslator::byte_to_spill()
{
    a_.op_byte_source(0x0fb6, 4, scratch_b, operand_);
    a_.store(1, state_at(offset_spill), scratch_b);
    operand_ = state_at(offset_spill);
}

// ADD OR ADC SBB AND SUB XOR CMP by lowering_->opcode 0 to 7, TEST is 8.
void BlockTranslator::emit_alu(const Insn& i)
{
    constexpr u8 cmp = 7, test = 8;
    const u8 number = lowering_->opcode;
    const unsigned size = i.operand_size;
    const bool byte = size == 1;
    const bool writes = number != cmp && number != test;
    const u32 to_rm = number == test ? (byte ? 0x84 : 0x85) : u32(number << 3 | !byte);
    const u32 to_reg = number == test ? to_rm : to_rm | 2;
    const auto with_immediate = [&](const Rm& rm, bool lock) {
        const bool fits = i.imm == u64(i64(i8(i.imm)));
        const unsigned most = byte ? 1 : size == 2 ? 2 : 4;
        if (number == test)
            a_.op_imm(byte ? 0xf6 : 0xf7, size, 0, rm, i.imm, most);
        else if (byte || fits)
            a_.op_imm(byte ? 0x80 : 0x83, size, number, rm, i.imm, 1, lock);
        else
            a_.op_imm(0x81, size, number, rm, i.imm, most, lock);
    };
    const FlagUse use = lowering_->flags(i);
    const Place first = place_of(i, 0), second = place_of(i, 1);
    if (first == Place::mem) {
        access(i);
        before_flags_change(use);
        if (second == Place::imm)
            with_immediate(operand_, locks(i));
        else
            a_.op(to_rm, size, byte && i.src & 1 ? low_of_high(i.src) : in_register(i.src, size), operand_, 0, locks(i));
    } else if (second == Place::mem) {
        access(i);
        if (byte && i.dst & 1)
            byte_to_spill();
        before_flags_change(use);
        const u8 to = begin_destination(i.dst, size, true);
        a_.op(to_reg, size, to, operand_);
        if (writes)
            end_destination(i.dst, size);
    } else if (second == Place::imm) {
        before_flags_change(use);
        if (writes)
            destination_rm(i.dst, size, true, [&](const Rm& rm) { with_immediate(rm, false); });
        else
            with_immediate(guest(i.dst), false);
    } else {
        before_flags_change(use);
        // XOR r, r and SUB r, r too: the host knows them as well.
        if (pinned(i.dst) || (size == 4 && writes)) {
            const u8 to = begin_destination(i.dst, size, true);
            a_.op(to_reg, size, to, guest(i.src));
            if (writes)
                end_destination(i.dst, size);
        } else {
            a_.op(to_rm, size, in_register(i.src, size), guest(i.dst));
        }
    }
    flags_made();
    made_by_ = recipe_of(i, number);
}

// INC DEC (FE, FF /0 /1), NOT NEG (F6, F7 /2 /3) by lowering_->opcode.
void BlockTranslator::emit_unary(const Insn& i)
{
    const unsigned size = i.operand_size;
    const u8 number = lowering_->opcode;
    const u32 opcode = (number < 2 ? 0xfeu : 0xf6u) | (size != 1);
    const FlagUse use = lowering_->flags(i);
    if (i.memory())
        access(i);
    before_flags_change(use);
    if (i.memory())
        a_.op_extended(opcode, size, number, operand_, locks(i));
    else
        destination_rm(i.dst, size, true, [&](const Rm& rm) { a_.op_extended(opcode, size, number, rm); });
    if (use.modifies)
        flags_made();
}

// ROL ROR RCL RCR SHL SHR SAR by lowering_->opcode, by an immediate or by CL.
void BlockTranslator::emit_shift(const Insn& i)
{
    const unsigned size = i.operand_size;
    const bool immediate = place_of(i, 1) == Place::imm;
    const FlagUse use = lowering_->flags(i);
    if (i.memory())
        access(i);
    before_flags_change(use);
    const auto emit = [&](const Rm& rm) {
        if (immediate)
            a_.op_imm(size == 1 ? 0xc0 : 0xc1, size, lowering_->opcode, rm, i.imm, 1);
        else
            a_.op_extended(size == 1 ? 0xd2 : 0xd3, size, lowering_->opcode, rm);
    };
    const FlagRecipe recipe = keep_shifted(i);
    if (i.memory())
        emit(operand_);
    else
        destination_rm(i.dst, size, true, emit);
    if (!use.modifies)
        return;
    flags_made();
    made_by_ = recipe;
}

// SHLD (A4, A5) and SHRD (AC, AD).
void BlockTranslator::emit_double_shift(const Insn& i)
{
    const unsigned size = i.operand_size;
    const FlagUse use = lowering_->flags(i);
    if (i.memory())
        access(i);
    before_flags_change(use);
    const u32 opcode = 0x0f00u | lowering_->opcode;
    const u8 fill = in_register(i.src, size);
    const Rm rm = i.memory() ? operand_ : guest(i.dst);
    if (lowering_->opcode & 1) {
        a_.op(opcode, size, fill, rm);
    } else {
        a_.op(opcode, size, fill, rm);
        a_.byte(u8(i.imm));
    }
    if (use.modifies)
        flags_made();
}

void BlockTranslator::emit_mov(const Insn& i)
{
    const unsigned size = i.operand_size;
    const Place first = place_of(i, 0), second = place_of(i, 1);
    const auto immediate_to = [&](const Rm& rm) { a_.op_imm(size == 1 ? 0xc6 : 0xc7, size, 0, rm, i.imm, size < 4 ? size : 4); };
    if (first == Place::mem) {
        access(i);
        if (second == Place::imm)
            immediate_to(operand_);
        else
            a_.store(size, operand_, size == 1 && i.src & 1 ? low_of_high(i.src) : in_register(i.src, size));
    } else if (second == Place::mem) {
        access(i);
        if (size == 1 && i.dst & 1)
            byte_to_spill();
        a_.op(size == 1 ? 0x8a : 0x8b, size, begin_destination(i.dst, size, false), operand_);
        end_destination(i.dst, size);
    } else if (second == Place::imm && size >= 4) {
        a_.load_imm(begin_destination(i.dst, size, false), size == 4 ? u32(i.imm) : i.imm);
        end_destination(i.dst, size);
    } else if (second == Place::imm) {
        immediate_to(guest(i.dst));
    } else if (pinned(i.dst)) {
        a_.op(size == 1 ? 0x8a : 0x8b, size, guest(i.dst).reg, guest(i.src));
    } else {
        const u8 from = in_register(i.src, size);
        if (size == 4 && from != scratch_b)
            a_.load(4, scratch_b, Rm::of(from));
        a_.store(size == 4 ? 8 : size, guest(i.dst), size == 4 ? scratch_b : from);
    }
}

void BlockTranslator::emit_lea(const Insn& i)
{
    if (pinned(i.dst) && i.operand_size >= 4)
        return effective_address(
            i.base, i.index, i.scale, i.disp, guest(i.dst).reg, std::min<unsigned>(i.operand_size, i.address_size));
    address(i);
    if (pinned(i.dst))
        return a_.load(i.operand_size, guest(i.dst).reg, Rm::of(scratch_a));
    a_.load(i.operand_size, scratch_b, Rm::of(scratch_a));
    a_.store(8, guest(i.dst), scratch_b);
}

// MOVZX (0F B6, B7), MOVSX (0F BE, BF), MOVSXD (63).
void BlockTranslator::emit_extend(const Insn& i)
{
    const unsigned from_size = source_size(i);
    if (i.memory())
        access(i);
    const u8 to = begin_destination(i.dst, i.operand_size, false);
    Rm from = i.memory() ? operand_ : guest(i.src);
    if (!i.memory() && from_size == 1 && i.src & 1 && !Assembler::encodable(to, from))
        from = Rm::of(low_of_high(i.src));
    const u32 opcode = lowering_->opcode == 0x63 ? 0x63 : 0x0f00u | lowering_->opcode;
    if (from_size == 1)
        a_.op_byte_source(opcode, i.operand_size, to, from);
    else
        a_.op(opcode, i.operand_size, to, from);
    end_destination(i.dst, i.operand_size);
}

// 0F xx with a register as destination: CMOVcc, IMUL, BSF, BSR, and with F3 as lowering_->opcode POPCNT, TZCNT, LZCNT.
void BlockTranslator::emit_to_register(const Insn& i)
{
    const unsigned size = i.operand_size;
    const FlagUse use = lowering_->flags(i);
    if (i.memory())
        access(i);
    before_flags_change(use);
    // Whole, since BSF and BSR of zero leave all of it.
    const u8 to = begin_destination(i.dst, 8, true);
    const u32 opcode = 0x0f00u | i.opcode;
    a_.op(opcode, size, to, i.memory() ? operand_ : guest(i.src), lowering_->opcode);
    end_destination(i.dst, size);
    if (use.modifies)
        flags_made();
}

// ADCX (66) and ADOX (F3) by lowering_->opcode.
void BlockTranslator::emit_add_with_flag(const Insn& i)
{
    const unsigned size = i.rex_w() ? 8 : 4;
    if (i.memory())
        access(i);
    before_flags_change(lowering_->flags(i));
    const u8 to = begin_destination(i.dst, size, true);
    a_.op(0x0f38f6, size, to, i.memory() ? operand_ : guest(i.src), lowering_->opcode);
    end_destination(i.dst, size);
    flags_made();
}

// The source's size is that of the operation, though the destination is 32 or 64 bits.
void BlockTranslator::emit_crc32(const Insn& i)
{
    const bool byte = i.row->operands[1] == x86::Operand::Eb;
    if (i.memory())
        access(i);
    const Rm from = i.memory() ? operand_ : guest(i.src);
    const u8 to = begin_destination(i.dst, 8, true);
    if (byte)
        a_.op_byte_source(0x0f38f0, i.rex_w() ? 8 : 4, to, from, 0xf2);
    else
        a_.op(0x0f38f1, i.operand_size, to, from, 0xf2);
    end_destination(i.dst, 8);
}

void BlockTranslator::emit_movbe(const Insn& i)
{
    const unsigned size = i.operand_size;
    access(i);
    if (place_of(i, 0) == Place::mem)
        return a_.op(0x0f38f1, size, in_register(i.src, size), operand_);
    a_.op(0x0f38f0, size, begin_destination(i.dst, size, false), operand_);
    end_destination(i.dst, size);
}

void BlockTranslator::emit_imul3(const Insn& i)
{
    const unsigned size = i.operand_size;
    if (i.memory())
        access(i);
    const u8 to = begin_destination(i.dst, size, false);
    a_.op(0x69, size, to, i.memory() ? operand_ : guest(i.src));
    if (size == 2)
        a_.value<u16>(u16(i.imm));
    else
        a_.value<u32>(u32(i.imm));
    end_destination(i.dst, size);
    flags_made();
}

// MUL (/4) and IMUL (/5): RDX:RAX are where the host has them.
void BlockTranslator::emit_multiply(const Insn& i)
{
    if (i.memory())
        access(i);
    const Rm from = i.memory() ? operand_ : guest(i.dst);
    a_.op_extended(i.operand_size == 1 ? 0xf6 : 0xf7, i.operand_size, lowering_->opcode, from);
    flags_made();
}

// DIV where the upper half is below the divisor, so that it can't overflow; the handler does the others.
void BlockTranslator::emit_divide(const Insn& i)
{
    const unsigned size = i.operand_size;
    spoil_flags();
    if (i.memory())
        access(i);
    const Rm from = i.memory() ? operand_ : guest(i.dst);
    a_.op(0x3b, size, host::rdx, from);
    u8* const slow = a_.jump_if(cond_ae);
    a_.op_extended(0xf7, size, 6, from);
    handlers_.push_back({slow, &i, a_.at(), here_, x87_loaded_});
    flags_made();
}

// IDIV of a sign-extended value by neither 0 nor -1, which can't overflow; the handler does the others.
void BlockTranslator::emit_signed_divide(const Insn& i)
{
    const unsigned size = i.operand_size;
    spoil_flags();
    if (i.memory())
        access(i);
    const auto otherwise = [&](unsigned condition) {
        handlers_.push_back({a_.jump_if(condition), &i, nullptr, here_, x87_loaded_});
    };
    const std::size_t first = handlers_.size();
    a_.load(size, scratch_b, Rm::of(host::rax));
    a_.op_imm(0xc1, size, 7, Rm::of(scratch_b), size * 8 - 1, 1);
    a_.op(0x3b, size, scratch_b, Rm::of(host::rdx));
    otherwise(cond_ne);
    a_.load(size, scratch_b, i.memory() ? operand_ : guest(i.dst));
    a_.lea(size, scratch_b, Rm::at(scratch_b, 1));
    a_.op_imm(0x83, size, 7, Rm::of(scratch_b), 1, 1);
    otherwise(cond_be);
    a_.op_extended(0xf7, size, 7, i.memory() ? operand_ : guest(i.dst));
    for (std::size_t n = first; n < handlers_.size(); ++n)
        handlers_[n].back = a_.at();
    flags_made();
}

// CBW, CWDE, CDQE (98); CWD, CDQ, CQO (99); CLC STC CMC (F8 F9 F5).
void BlockTranslator::emit_no_operands(const Insn& i)
{
    const FlagUse use = lowering_->flags(i);
    before_flags_change(use);
    if (use.modifies) {
        a_.byte(lowering_->opcode);
        return flags_made();
    }
    if (i.operand_size == 2)
        a_.byte(0x66);
    if (i.operand_size == 8)
        a_.byte(0x48);
    a_.byte(lowering_->opcode);
}

// Memory locks without being asked; so does the host.
void BlockTranslator::emit_xchg(const Insn& i)
{
    const unsigned size = i.operand_size;
    const u32 opcode = size == 1 ? 0x86 : 0x87;
    if (i.memory()) {
        access(i);
        const u8 reg = begin_destination(i.src, size, true);
        if (!shared_ && size >= 4 && pinned(i.src)) {
            a_.load(size, scratch_b, operand_);
            a_.store(size, operand_, reg);
            return a_.load(size, reg, Rm::of(scratch_b));
        }
        a_.op(opcode, size, reg, operand_);
        return end_destination(i.src, size);
    }
    const u8 a = begin_destination(i.dst, size, true);
    if (pinned(i.src)) {
        a_.op(opcode, size, guest(i.src).reg, Rm::of(a));
        return end_destination(i.dst, size);
    }
    release_held();
    a_.load(8, scratch_a, guest(i.src));
    a_.op(opcode, size, scratch_a, Rm::of(a));
    a_.store(size == 4 ? 8 : size, guest(i.src), scratch_a);
    end_destination(i.dst, size);
}

void BlockTranslator::emit_bswap(const Insn& i)
{
    const u8 reg = begin_destination(i.dst, i.operand_size, true);
    const u8 rex = u8(0x40 | (i.operand_size == 8) << 3 | reg >> 3);
    if (rex != 0x40)
        a_.byte(rex);
    a_.byte(0x0f);
    a_.byte(0xc8 | (reg & 7));
    end_destination(i.dst, i.operand_size);
}

void BlockTranslator::emit_setcc(const Insn& i)
{
    const u32 opcode = 0x0f90u | (i.opcode & 15);
    if (i.memory())
        access(i);
    want_flags();
    a_.op_extended(opcode, 1, 0, i.memory() ? operand_ : guest(i.dst));
}

// BT BTS BTR BTC by lowering_->opcode 4 to 7, of registers, or of memory by an immediate.
void BlockTranslator::emit_bit_test(const Insn& i)
{
    const unsigned size = i.operand_size;
    const bool writes = lowering_->opcode != 4;
    if (i.memory() && place_of(i, 1) != Place::imm)
        return emit_bit_string(i);
    if (i.memory())
        access(i);
    before_flags_change(lowering_->flags(i));
    const auto by_immediate = [&](const Rm& rm) { a_.op_imm(0x0fba, size, lowering_->opcode, rm, i.imm, 1, locks(i)); };
    if (i.memory()) {
        by_immediate(operand_);
    } else if (place_of(i, 1) == Place::imm) {
        if (writes)
            destination_rm(i.dst, size, true, by_immediate);
        else
            by_immediate(guest(i.dst));
    } else {
        // In registers: with a register as offset a memory operand would be a bit string.
        u8 offset = scratch_a;
        release_held();
        if (pinned(i.src))
            offset = guest(i.src).reg;
        else
            a_.load(8, offset, guest(i.src));
        const u8 to = begin_destination(i.dst, size, true);
        a_.op(0x0f83u | u32(lowering_->opcode) << 3, size, offset, Rm::of(to));
        if (writes)
            end_destination(i.dst, size);
    }
    flags_made();
}

// The word that the bit is in may be anywhere: it is looked up, and what the host takes for the string's beginning is as
// far from it as the guest's is.
void BlockTranslator::emit_bit_string(const Insn& i)
{
    const unsigned size = i.operand_size, log_size = unsigned(std::countr_zero(size));
    const Access access = lowering_->opcode == 4 ? Access::read : Access::write;
    const auto word_of_bit = [&] {
        a_.op(size == 8 ? 0x8b : 0x63, 8, scratch_b, guest(i.src));
        a_.op_imm(0xc1, 8, 7, Rm::of(scratch_b), log_size + 3, 1);
    };
    spoil_flags();
    address(i);
    word_of_bit();
    a_.lea(i.address_size, scratch_a, Rm::at(scratch_a, scratch_b, u8(log_size)));
    add_segment_base(i);
    access_linear(i, size, access);
    word_of_bit();
    a_.op_imm(0xc1, 8, 4, Rm::of(scratch_b), log_size, 1);
    a_.op(0x2b, 8, scratch_a, Rm::of(scratch_b));
    before_flags_change(lowering_->flags(i));
    a_.op(0x0f83u | u32(lowering_->opcode) << 3, size, in_register(i.src, size), Rm::at(scratch_a), 0, locks(i));
    flags_made();
}

void BlockTranslator::emit_from_segment(const Insn& i)
{
    a_.op(0x0fb7, 4, scratch_b, state_at(offset_segments + i.reg * sizeof(x86::Segment) + offsetof(x86::Segment, selector)));
    a_.store(i.operand_size == 2 ? 2 : 8, guest(i.dst), scratch_b);
}

// XADD (C0, C1) and CMPXCHG (B0, B1) with memory.
void BlockTranslator::emit_exchange_add(const Insn& i)
{
    const unsigned size = i.operand_size;
    access(i);
    const bool adds = lowering_->opcode == 0xc0;
    const u8 reg = begin_destination(i.src, size, true);
    a_.op(0x0f00u | lowering_->opcode | (size != 1), size, reg, operand_, 0, locks(i));
    if (adds)
        end_destination(i.src, size);
    flags_made();
}

void BlockTranslator::emit_nothing(const Insn&) { }

}
