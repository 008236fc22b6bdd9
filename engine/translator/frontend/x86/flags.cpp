// The guest's arithmetic flags: in the host's, or in their slot in Cpu.

#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

namespace {

constexpr u32 alu_add = 0x01, alu_sub = 0x29, alu_cmp = 0x39, alu_test = 0x85;    // r/m, register

// With byte operands the opcode is one less.
u32 sized(u32 opcode, unsigned size)
{
    return opcode - (size == 1);
}

// In the group of C1 and D3.
u8 shift_of(FlagMaker maker)
{
    return maker == FlagMaker::shl ? 4 : maker == FlagMaker::shr ? 5 : 7;
}

Rm slot_of(unsigned operand)
{
    return state_at(operand ? offset_flags_from_too : offset_flags_from);
}

}

void write_recipe(Assembler& a, const FlagRecipe& recipe)
{
    constexpr u32 alu_xor = 0x31;
    const Rm first = Rm::of(host::rax);
    const auto op = [&](u32 opcode, u8 reg = host::rcx) { a.op(sized(opcode, recipe.size), recipe.size, reg, first); };
    switch (recipe.maker) {
    case FlagMaker::zero:
        return op(alu_xor, host::rax);
    case FlagMaker::logic:
        return op(alu_test, host::rax);
    case FlagMaker::add:
        op(alu_sub);
        return op(alu_add);
    case FlagMaker::subtract:
        op(alu_add);
        return op(alu_cmp);
    case FlagMaker::compare:
        return op(alu_cmp);
    case FlagMaker::test:
        return op(alu_test);
    case FlagMaker::shl:
    case FlagMaker::shr:
    case FlagMaker::sar:
        return a.op_extended(sized(0xd3, recipe.size), recipe.size, shift_of(recipe.maker), first);
    }
}

// Packed as LAHF and SETO leave them; see pack_flags().
void write_pack_flags(Assembler& a)
{
    a.byte(0x9f);    // lahf
    a.op_extended(0x0f90, 1, 0, Rm::of(host::rax));    // seto al
    a.store(2, state_at(offset_flags), host::rax);
}

// What ALU instruction `number`, as emit_alu() counts, made the flags of.
FlagRecipe BlockTranslator::recipe_of(const Insn& i, u8 number) const
{
    constexpr u8 add = 0, adc = 2, sbb = 3, sub = 5, cmp = 7, test = 8;
    const Place second = place_of(i, 1);
    if (place_of(i, 0) != Place::reg || number == adc || number == sbb)
        return {};
    FlagRecipe r{.known = true, .size = i.operand_size, .first = i.dst};
    if (second == Place::imm)
        r.imm = i32(i.imm);
    else if (second == Place::reg)
        r.second = i.src;
    const bool same = r.second == r.first, arithmetic = number == add || number == sub || number == cmp;
    if (number == test) {
        r.maker = same ? FlagMaker::logic : FlagMaker::test;
        r.known = second != Place::mem;
    } else if (same && number != add && (arithmetic || number == 6)) {
        r.maker = FlagMaker::zero;
    } else if (arithmetic) {
        r.maker = number == add ? FlagMaker::add : number == sub ? FlagMaker::subtract : FlagMaker::compare;
        r.known = second != Place::mem && !same;
    } else {
        r.maker = FlagMaker::logic;
    }
    if (r.maker == FlagMaker::zero)
        r.first = none;
    if (!r.has_second())
        r.second = none, r.imm = 0;
    return r;
}

// Before a shift by an immediate: its operand is kept beforehand, since the result doesn't tell what was shifted out, where
// the next instruction has the flags kept.
FlagRecipe BlockTranslator::keep_shifted(const Insn& i)
{
    const bool kept_soon = now_ + 1u < block_.count && plan_[now_ + 1].lowering
        && (ends_block(block_.insns[now_ + 1])
            || stack_of(block_.insns[now_ + 1], *plan_[now_ + 1].lowering, address_size()).use.size);
    if (i.memory() || place_of(i, 1) != Place::imm || plan_[now_].use.kills != all_flags || lowering_->opcode < 4 || !kept_soon
        || !live_after_ || plan_[now_].after.read)
        return {};
    FlagRecipe r{.known = true, .size = i.operand_size, .first = i.dst, .imm = i32(i.imm & 63)};
    r.maker = lowering_->opcode == 4 ? FlagMaker::shl : lowering_->opcode == 5 ? FlagMaker::shr : FlagMaker::sar;
    keep_operand(located(r), 0);
    r.first = none;
    return r;
}

// With the places that its registers are in now.
FlagRecipe BlockTranslator::located(FlagRecipe recipe) const
{
    if (recipe.first != none)
        recipe.at[0] = guest(recipe.first);
    if (recipe.second != none)
        recipe.at[1] = guest(recipe.second);
    return recipe;
}

// After `i`: a recipe whose registers it changes can't be had any more.
void BlockTranslator::forget_changed(const Insn& i)
{
    if (!made_by_.known || (lowering_ && plan_[now_].use.modifies))
        return;
    u32 changed = ~0u;
    if (lowering_)
        changed = registers_written(i, *lowering_) | u32(stack_of(i, *lowering_, address_size()).use.size != 0) << x86::rsp;
    for (const u8 reg : {made_by_.first, made_by_.second})
        if (reg != none && changed >> (reg >> 3) & 1)
            made_by_ = {};
}

void BlockTranslator::keep_operand(const FlagRecipe& recipe, unsigned operand)
{
    const Rm& from = recipe.at[operand];
    if (from.memory)
        a_.load(8, scratch_b, from);
    a_.store(recipe.size, slot_of(operand), from.memory ? scratch_b : from.reg);
}

void BlockTranslator::save_flags(const FlagRecipe& recipe)
{
    if (!recipe.known) {
        a_.mov(scratch_b, host::rax);
        write_pack_flags(a_);
        return a_.mov(host::rax, scratch_b);
    }
    if (recipe.first != none)
        keep_operand(recipe, 0);
    if (recipe.second != none)
        keep_operand(recipe, 1);
    else if (!recipe.in_word())
        a_.op_imm(0xc7, 8, 0, slot_of(1), u64(i64(recipe.imm)), 4);
    a_.op_imm(0xc7, 4, 0, state_at(offset_flags), recipe.word(), 4);
}

void BlockTranslator::keep_flags(const FlagRecipe& recipe)
{
    save_flags(recipe);
    in_memory_ = true;
    slot_ = recipe.known ? FlagSlot::recipe : FlagSlot::packed;
    kept_ = recipe;
}

// Packed where other host code wants them, since what that finds in the slot it must look at first.
void BlockTranslator::spoil_flags()
{
    if (in_host_ && !in_memory_ && live_before_)
        keep_flags(read_before_ ? FlagRecipe{} : located(made_by_));
    in_host_ = false;
}

// Seen by other host code, which hardly ever happens.
void BlockTranslator::meet_recipe()
{
    a_.op_imm(0xf6, 1, 0, state_at(offset_flags + 1), x86::packed_mark >> 8, 1);
    u8* const met = a_.jump_if(cond_e);
    recipes_met_.push_back({met, a_.at()});
    slot_ = FlagSlot::packed;
}

// AL + 7F overflows exactly if AL is 1; SAHF leaves O alone.
void BlockTranslator::want_flags()
{
    if (in_host_)
        return;
    in_host_ = true;
    if (slot_ == FlagSlot::recipe)
        return redo(kept_);
    if (slot_ == FlagSlot::unknown)
        meet_recipe();
    a_.mov(scratch_b, host::rax);
    a_.op(0x0fb7, 4, host::rax, state_at(offset_flags));
    a_.byte(0x04);    // add al, 7f
    a_.byte(0x7f);
    a_.byte(0x9e);    // sahf
    a_.mov(host::rax, scratch_b);
}

// Only C, for an instruction that gives the others: INC, DEC, ADC, SBB.
void BlockTranslator::want_carry()
{
    constexpr u8 packed_carry = 8;
    if (in_host_ || slot_ == FlagSlot::recipe)
        return want_flags();
    if (slot_ == FlagSlot::unknown)
        meet_recipe();
    a_.op_imm(0x0fba, 2, 4, state_at(offset_flags), packed_carry, 1);    // bt
}

// The operation of the recipe in the slot.
void BlockTranslator::redo(const FlagRecipe& recipe)
{
    const unsigned size = recipe.size;
    const auto op = [&](u32 opcode, u8 extension) {
        if (recipe.second != none)
            a_.op(sized(opcode + 2, size), size, scratch_b, slot_of(1));
        else
            a_.op_imm(sized(0x81, size), size, extension, Rm::of(scratch_b), u64(i64(recipe.imm)), size < 4 ? size : 4);
    };
    if (recipe.maker == FlagMaker::zero)
        return a_.op(0x31, 4, scratch_b, Rm::of(scratch_b));
    a_.load(size < 4 ? 4 : size, scratch_b, slot_of(0));
    switch (recipe.maker) {
    case FlagMaker::add:
        op(alu_sub, 5);
        return op(alu_add, 0);
    case FlagMaker::subtract:
        op(alu_add, 0);
        return op(alu_cmp, 7);
    case FlagMaker::compare:
        return op(alu_cmp, 7);
    case FlagMaker::test:
        if (recipe.second == none)
            return a_.op_imm(sized(0xf7, size), size, 0, Rm::of(scratch_b), u64(i64(recipe.imm)), size < 4 ? size : 4);
        return a_.op(sized(alu_test, size), size, scratch_b, slot_of(1));
    case FlagMaker::shl:
    case FlagMaker::shr:
    case FlagMaker::sar:
        return a_.op_imm(sized(0xc1, size), size, shift_of(recipe.maker), Rm::of(scratch_b), u64(recipe.imm), 1);
    default:
        return a_.op(sized(alu_test, size), size, scratch_b, Rm::of(scratch_b));
    }
}

void BlockTranslator::want_packed()
{
    if (!in_host_ && slot_ == FlagSlot::unknown)
        meet_recipe();
    if (!in_memory_ || slot_ != FlagSlot::packed) {
        want_flags();
        keep_flags({});
    }
    in_host_ = false;
}

// Flags that the instruction reads, or leaves as they are while it changes others, must be in the host's.
void BlockTranslator::before_flags_change(FlagUse use)
{
    const auto wanted = FlagMask(use.reads | (use.modifies ? live_after_ & ~use.kills : 0));
    if (wanted == x86::flag_c)
        want_carry();
    else if (wanted)
        want_flags();
}

}
