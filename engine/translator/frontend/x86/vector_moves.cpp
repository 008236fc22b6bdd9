#include "engine/translator/frontend/x86/vector_moves.h"

#include "engine/cpu/x86/cpuid.h"
#include "engine/translator/frontend/x86/host_layout.h"
#include "engine/translator/frontend/x86/thunks.h"

namespace engine::translator {

namespace {

constexpr u8 map_0f = u8(x86::OpcodeMap::map_0f), map_0f38 = u8(x86::OpcodeMap::map_0f38),
             map_0f3a = u8(x86::OpcodeMap::map_0f3a);
constexpr unsigned vector_count = 16;

Rm zmm_high_slot(unsigned number)
{
    return state_at(offset_zmm_high + sizeof(x86::ZmmHigh) * number);
}

}

bool host_has_wide_vectors()
{
    return x86::host_features() & x86::feature_avx2;
}

void write_vzeroupper(Assembler& a)
{
    for (const u8 byte : {0xc5, 0xf8, 0x77})
        a.byte(byte);
}

VectorMoves::VectorMoves(Assembler& a) : a_(a), wide_(host_has_wide_vectors()), very_wide_(wide_ && x86::host_avx512_features())
{
}

void VectorMoves::load()
{
    if (wide_)
        look_at_highs();
    for (u8 n = 0; n < vector_count; ++n)
        move_low(true, n);
    if (wide_) {
        u8* const none = jump_if_clear(offset_uppers_used);
        for (u8 n = 0; n < vector_count; ++n)
            move_high(true, n);
        set(offset_uppers_stored, true);
        if (very_wide_)
            load_zmm_highs();
        a_.bind(none);
    }
    a_.op_imm(0xc7, 4, 0, state_at(offset_vectors_away), 0, 4);
}

void VectorMoves::store()
{
    for (u8 n = 0; n < vector_count; ++n)
        move_low(false, n);
    if (wide_)
        store_highs();
    a_.op_imm(0xc7, 4, 0, state_at(offset_vectors_away), ~u64(0), 4);
}

void VectorMoves::move_low(bool to_host, u8 number)
{
    if (wide_)
        a_.vex(map_0f, x86::np, false, false, to_host ? 0x28 : 0x29, number, 0, xmm_slot(number));    // VMOVAPS
    else
        a_.op(to_host ? 0x0f28 : 0x0f29, 4, number, xmm_slot(number));
}
void VectorMoves::move_high(bool to_host, u8 number)    // VINSERTF128, VEXTRACTF128
{
    a_.vex(map_0f3a, x86::p66, false, true, to_host ? 0x18 : 0x19, number, to_host ? number : u8(0), high_slot(number));
    a_.byte(1);
}
void VectorMoves::clear_highs()
{
    a_.vex(map_0f, x86::np, false, false, 0x57, 0, 0, Rm::of(0));    // VXORPS
    for (unsigned n = 0; n < vector_count; ++n)
        a_.vex(map_0f, x86::np, false, false, 0x29, 0, 0, high_slot(n));
}
u8* VectorMoves::jump_if_clear(std::size_t flag)
{
    a_.op_imm(0x80, 1, 7, state_at(flag), 0, 1);
    return a_.jump_if(cond_e);
}
void VectorMoves::set(std::size_t flag, bool value)
{
    a_.op_imm(0xc6, 1, 0, state_at(flag), value, 1);
}

// VINSERTF64X4 and VEXTRACTF64X4, with EVEX: the upper half of a ZMM register.
void VectorMoves::move_zmm_high(bool to_host, u8 number)
{
    constexpr u8 evex = 0x62, map_and_no_extensions = 0x63, upper_extension = 0x80, w_66 = 0x85, length_512 = 0x48,
                 modrm_rbp_disp32 = 0x85;
    const u8 vvvv = to_host ? number : u8(0);
    const u8 extension = number < 8 ? upper_extension : u8(0);
    const u8 bytes[]
        = {evex,
           u8(map_and_no_extensions + 0x10 + extension),
           u8(w_66 | (~vvvv & 15) << 3),
           length_512,
           u8(to_host ? 0x3a : 0x3b),
           u8(modrm_rbp_disp32 | (number & 7) << 3)};
    for (const u8 byte : bytes)
        a_.byte(byte);
    a_.value(u32(i32(offset_zmm_high + sizeof(x86::ZmmHigh) * number) - state_bias));
    a_.byte(1);
}
// Zero is as good as not used.
void VectorMoves::look_at_zmm_highs()
{
    constexpr u8 vpor = 0xeb, vptest = 0x17, vmovups = 0x10;
    u8* const none = jump_if_clear(offset_zmm_used);
    a_.vex(map_0f, x86::np, false, true, vmovups, 0, 0, zmm_high_slot(0));
    for (unsigned n = 1; n < vector_count; ++n)
        a_.vex(map_0f, x86::p66, false, true, vpor, 0, 0, zmm_high_slot(n));
    a_.vex(map_0f38, x86::p66, false, true, vptest, 0, 0, Rm::of(0));
    some_zmm_ = a_.jump_if(cond_ne);
    set(offset_zmm_used, false);
    a_.bind(none);
}
void VectorMoves::load_zmm_highs()
{
    u8* const none = jump_if_clear(offset_zmm_used);
    for (u8 n = 0; n < vector_count; ++n)
        move_zmm_high(true, n);
    set(offset_zmm_stored, true);
    a_.bind(none);
}
void VectorMoves::store_zmm_highs()
{
    u8* const none = jump_if_clear(offset_zmm_used);
    for (u8 n = 0; n < vector_count; ++n)
        move_zmm_high(false, n);
    set(offset_zmm_stored, true);
    u8* const stored = a_.jump();
    a_.bind(none);
    clear_zmm_highs();
    a_.bind(stored);
}
void VectorMoves::clear_zmm_highs()
{
    u8* const clear = jump_if_clear(offset_zmm_stored);
    a_.vex(map_0f, x86::np, false, false, 0x57, 0, 0, Rm::of(0));    // VXORPS
    for (unsigned n = 0; n < vector_count; ++n)
        a_.vex(map_0f, x86::np, false, true, 0x11, 0, 0, zmm_high_slot(n));    // VMOVUPS
    set(offset_zmm_stored, false);
    a_.bind(clear);
}

// Zero upper halves are not moved: some processors take long over each change between SSE and VEX once they were.
void VectorMoves::look_at_highs()
{
    constexpr u8 vpor = 0xeb, vptest = 0x17, vmovaps = 0x28;
    u8* const none = jump_if_clear(offset_uppers_used);
    if (very_wide_)
        look_at_zmm_highs();
    a_.vex(map_0f, x86::np, false, false, vmovaps, 0, 0, high_slot(0));
    for (unsigned n = 1; n < vector_count; ++n)
        a_.vex(map_0f, x86::p66, false, false, vpor, 0, 0, high_slot(n));
    a_.vex(map_0f38, x86::p66, false, false, vptest, 0, 0, Rm::of(0));
    u8* const some = a_.jump_if(cond_ne);
    set(offset_uppers_used, false);
    a_.bind(some);
    a_.bind(none);
    if (very_wide_)
        a_.bind(some_zmm_);
}
// What runs then is not to meet upper halves.
void VectorMoves::store_highs()
{
    u8* const none = jump_if_clear(offset_uppers_used);
    for (u8 n = 0; n < vector_count; ++n)
        move_high(false, n);
    set(offset_uppers_stored, true);
    if (very_wide_)
        store_zmm_highs();
    u8* const stored = a_.jump();
    a_.bind(none);
    u8* const clear = jump_if_clear(offset_uppers_stored);
    clear_highs();
    set(offset_uppers_stored, false);
    a_.bind(clear);
    if (very_wide_)
        clear_zmm_highs();
    a_.bind(stored);
    write_vzeroupper(a_);
}

}
