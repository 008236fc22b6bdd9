#pragma once
// What flags were made of. Flags that somebody may still look at, but hardly ever does (behind a call, a return, a jump to
// another page), are kept as the operation that made them and its operands, which takes two or three stores; packing them takes
// more. Whoever looks has the operation done again: want_flags() in a block that knows the recipe, Thunks::pack_flags
// elsewhere. What no recipe describes is packed.

#include <bit>

#include "engine/translator/frontend/x86/host_layout.h"

namespace engine::translator {

enum class FlagMaker : u8 {
    zero,    // the result is zero, and there was no carry
    logic,    // from the result
    add,    // from the result and the second operand
    subtract,    // likewise
    compare,    // from both operands
    test,    // likewise
    shl,    // from the first operand, by the second
    shr,
    sar,
};

struct FlagRecipe {
    static constexpr u8 none = 0xff;

    FlagMaker maker = FlagMaker::zero;
    bool known = false;    // otherwise the flags are to be packed
    u8 size = 4;    // of the operation, in bytes
    u8 first = none, second = none;    // registers as Insn has them; none: not one, or not needed
    i32 imm = 0;    // where there is no second register
    Rm at[2];    // where the registers' values are

    // As HostCodeState::flags tells it: a number, whether the second operand is an immediate, and that.
    static constexpr unsigned numbers = 9 * 4, number_mask = 0x3f, immediate_bit = 0x40;
    unsigned number() const { return unsigned(maker) * 4 + unsigned(std::countr_zero(size)); }
    static FlagRecipe of_number(unsigned number)
    {
        return {.maker = FlagMaker(number / 4), .known = true, .size = u8(1u << number % 4)};
    }
    bool in_word() const { return second == none && imm == i16(imm); }
    u32 word() const { return in_word() ? number() | immediate_bit | u32(imm) << 16 : number(); }
    bool has_second() const { return maker > FlagMaker::logic; }
};
static_assert(FlagRecipe::numbers <= FlagRecipe::number_mask + 1);
static_assert(!((FlagRecipe::number_mask | FlagRecipe::immediate_bit) & x86::packed_mark));

// The recipe's operation, with its operands in RAX and RCX: for the flags in the host's.
void write_recipe(Assembler& a, const FlagRecipe& recipe);
// The host's flags into their slot; RAX is spoiled. The host's stay.
void write_pack_flags(Assembler& a);

}
