// The one-byte opcode map. SDM vol. 2, table A-2.

#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/x87_tables.h"

namespace engine::x86 {

namespace {

using enum Operand;

constexpr u64 undefined_after_multiply = 0xd4, undefined_after_divide = 0x8d5, undefined_after_shift = 0x810;

// clang-format off
constexpr Row group_1_eb[8] = {
    {"add", {Eb, Ib}, &add_forms, lockable}, {"or", {Eb, Ib}, &or_forms, lockable},
    {"adc", {Eb, Ib}, &adc_forms, lockable}, {"sbb", {Eb, Ib}, &sbb_forms, lockable},
    {"and", {Eb, Ib}, &and_forms, lockable}, {"sub", {Eb, Ib}, &sub_forms, lockable},
    {"xor", {Eb, Ib}, &xor_forms, lockable}, {"cmp", {Eb, Ib}, &cmp_forms},
};
constexpr Row group_1_ev[8] = {
    {"add", {Ev, Iz}, &add_forms, lockable}, {"or", {Ev, Iz}, &or_forms, lockable},
    {"adc", {Ev, Iz}, &adc_forms, lockable}, {"sbb", {Ev, Iz}, &sbb_forms, lockable},
    {"and", {Ev, Iz}, &and_forms, lockable}, {"sub", {Ev, Iz}, &sub_forms, lockable},
    {"xor", {Ev, Iz}, &xor_forms, lockable}, {"cmp", {Ev, Iz}, &cmp_forms},
};
constexpr Row group_1_byte[8] = {
    {"add", {Ev, Ibs}, &add_forms, lockable}, {"or", {Ev, Ibs}, &or_forms, lockable},
    {"adc", {Ev, Ibs}, &adc_forms, lockable}, {"sbb", {Ev, Ibs}, &sbb_forms, lockable},
    {"and", {Ev, Ibs}, &and_forms, lockable}, {"sub", {Ev, Ibs}, &sub_forms, lockable},
    {"xor", {Ev, Ibs}, &xor_forms, lockable}, {"cmp", {Ev, Ibs}, &cmp_forms},
};
constexpr Row group_1a[8] = {{"pop", {Ev}, &pop_forms, defaults_to_64}};

template <Operand e, Operand count>
constexpr Row group_2[8] = {
    {"rol", {e, count}, &rol_forms, 0, nullptr, 0x800}, {"ror", {e, count}, &ror_forms, 0, nullptr, 0x800},
    {"rcl", {e, count}, &rcl_forms, 0, nullptr, 0x800}, {"rcr", {e, count}, &rcr_forms, 0, nullptr, 0x800},
    {"shl", {e, count}, &shl_forms, 0, nullptr, undefined_after_shift}, {"shr", {e, count}, &shr_forms, 0, nullptr, undefined_after_shift},
    {"shl", {e, count}, &shl_forms, 0, nullptr, undefined_after_shift}, {"sar", {e, count}, &sar_forms, 0, nullptr, undefined_after_shift},
};
template <Operand e, Operand immediate>
constexpr Row group_3[8] = {
    {"test", {e, immediate}, &test_forms}, {"test", {e, immediate}, &test_forms},
    {"not", {e}, &not_forms, lockable}, {"neg", {e}, &neg_forms, lockable},
    {"mul", {e}, &mul_forms, 0, nullptr, undefined_after_multiply}, {"imul", {e}, &imul_forms, 0, nullptr, undefined_after_multiply},
    {"div", {e}, &div_forms, 0, nullptr, undefined_after_divide}, {"idiv", {e}, &idiv_forms, 0, nullptr, undefined_after_divide},
};
constexpr Row group_4[8] = {{"inc", {Eb}, &inc_forms, lockable}, {"dec", {Eb}, &dec_forms, lockable}};
constexpr Row group_5[8] = {
    {"inc", {Ev}, &inc_forms, lockable}, {"dec", {Ev}, &dec_forms, lockable},
    {"call", {Ev}, &call_indirect_forms, forced_64 | ends_block}, {"call far", {M}, &call_far_indirect_forms, ends_block},
    {"jmp", {Ev}, &jmp_indirect_forms, forced_64 | ends_block}, {"jmp far", {M}, &jmp_far_indirect_forms, ends_block},
    {"push", {Ev}, &push_forms, defaults_to_64}, {},
};
constexpr Row group_11_eb[8] = {{"mov", {Eb, Ib}, &mov_forms}};
constexpr Row group_11_ev[8] = {{"mov", {Ev, Iz}, &mov_forms}};

constexpr Opcode list[] = {
    {any_prefix, 0x00, 0x00, {"add", {Eb, Gb}, &add_forms, lockable}}, {any_prefix, 0x01, 0x01, {"add", {Ev, Gv}, &add_forms, lockable}},
    {any_prefix, 0x02, 0x02, {"add", {Gb, Eb}, &add_forms}}, {any_prefix, 0x03, 0x03, {"add", {Gv, Ev}, &add_forms}},
    {any_prefix, 0x04, 0x04, {"add", {AL, Ib}, &add_forms}}, {any_prefix, 0x05, 0x05, {"add", {rAX, Iz}, &add_forms}},
    {any_prefix, 0x08, 0x08, {"or", {Eb, Gb}, &or_forms, lockable}}, {any_prefix, 0x09, 0x09, {"or", {Ev, Gv}, &or_forms, lockable}},
    {any_prefix, 0x0a, 0x0a, {"or", {Gb, Eb}, &or_forms}}, {any_prefix, 0x0b, 0x0b, {"or", {Gv, Ev}, &or_forms}},
    {any_prefix, 0x0c, 0x0c, {"or", {AL, Ib}, &or_forms}}, {any_prefix, 0x0d, 0x0d, {"or", {rAX, Iz}, &or_forms}},
    {any_prefix, 0x10, 0x10, {"adc", {Eb, Gb}, &adc_forms, lockable}}, {any_prefix, 0x11, 0x11, {"adc", {Ev, Gv}, &adc_forms, lockable}},
    {any_prefix, 0x12, 0x12, {"adc", {Gb, Eb}, &adc_forms}}, {any_prefix, 0x13, 0x13, {"adc", {Gv, Ev}, &adc_forms}},
    {any_prefix, 0x14, 0x14, {"adc", {AL, Ib}, &adc_forms}}, {any_prefix, 0x15, 0x15, {"adc", {rAX, Iz}, &adc_forms}},
    {any_prefix, 0x18, 0x18, {"sbb", {Eb, Gb}, &sbb_forms, lockable}}, {any_prefix, 0x19, 0x19, {"sbb", {Ev, Gv}, &sbb_forms, lockable}},
    {any_prefix, 0x1a, 0x1a, {"sbb", {Gb, Eb}, &sbb_forms}}, {any_prefix, 0x1b, 0x1b, {"sbb", {Gv, Ev}, &sbb_forms}},
    {any_prefix, 0x1c, 0x1c, {"sbb", {AL, Ib}, &sbb_forms}}, {any_prefix, 0x1d, 0x1d, {"sbb", {rAX, Iz}, &sbb_forms}},
    {any_prefix, 0x20, 0x20, {"and", {Eb, Gb}, &and_forms, lockable}}, {any_prefix, 0x21, 0x21, {"and", {Ev, Gv}, &and_forms, lockable}},
    {any_prefix, 0x22, 0x22, {"and", {Gb, Eb}, &and_forms}}, {any_prefix, 0x23, 0x23, {"and", {Gv, Ev}, &and_forms}},
    {any_prefix, 0x24, 0x24, {"and", {AL, Ib}, &and_forms}}, {any_prefix, 0x25, 0x25, {"and", {rAX, Iz}, &and_forms}},
    {any_prefix, 0x28, 0x28, {"sub", {Eb, Gb}, &sub_forms, lockable}}, {any_prefix, 0x29, 0x29, {"sub", {Ev, Gv}, &sub_forms, lockable}},
    {any_prefix, 0x2a, 0x2a, {"sub", {Gb, Eb}, &sub_forms}}, {any_prefix, 0x2b, 0x2b, {"sub", {Gv, Ev}, &sub_forms}},
    {any_prefix, 0x2c, 0x2c, {"sub", {AL, Ib}, &sub_forms}}, {any_prefix, 0x2d, 0x2d, {"sub", {rAX, Iz}, &sub_forms}},
    {any_prefix, 0x30, 0x30, {"xor", {Eb, Gb}, &xor_forms, lockable}}, {any_prefix, 0x31, 0x31, {"xor", {Ev, Gv}, &xor_forms, lockable}},
    {any_prefix, 0x32, 0x32, {"xor", {Gb, Eb}, &xor_forms}}, {any_prefix, 0x33, 0x33, {"xor", {Gv, Ev}, &xor_forms}},
    {any_prefix, 0x34, 0x34, {"xor", {AL, Ib}, &xor_forms}}, {any_prefix, 0x35, 0x35, {"xor", {rAX, Iz}, &xor_forms}},
    {any_prefix, 0x38, 0x38, {"cmp", {Eb, Gb}, &cmp_forms}}, {any_prefix, 0x39, 0x39, {"cmp", {Ev, Gv}, &cmp_forms}},
    {any_prefix, 0x3a, 0x3a, {"cmp", {Gb, Eb}, &cmp_forms}}, {any_prefix, 0x3b, 0x3b, {"cmp", {Gv, Ev}, &cmp_forms}},
    {any_prefix, 0x3c, 0x3c, {"cmp", {AL, Ib}, &cmp_forms}}, {any_prefix, 0x3d, 0x3d, {"cmp", {rAX, Iz}, &cmp_forms}},
    {any_prefix, 0x06, 0x06, {"push es", {}, &push_segment_forms, invalid_in_64}}, {any_prefix, 0x07, 0x07, {"pop es", {}, &pop_segment_forms, invalid_in_64 | ends_block}},
    {any_prefix, 0x0e, 0x0e, {"push cs", {}, &push_segment_forms, invalid_in_64}},
    {any_prefix, 0x16, 0x16, {"push ss", {}, &push_segment_forms, invalid_in_64}}, {any_prefix, 0x17, 0x17, {"pop ss", {}, &pop_segment_forms, invalid_in_64 | ends_block}},
    {any_prefix, 0x1e, 0x1e, {"push ds", {}, &push_segment_forms, invalid_in_64}}, {any_prefix, 0x1f, 0x1f, {"pop ds", {}, &pop_segment_forms, invalid_in_64 | ends_block}},
    {any_prefix, 0x27, 0x27, {"daa", {}, &daa_forms, invalid_in_64, nullptr, 0x800}}, {any_prefix, 0x2f, 0x2f, {"das", {}, &das_forms, invalid_in_64, nullptr, 0x800}},
    {any_prefix, 0x37, 0x37, {"aaa", {}, &aaa_forms, invalid_in_64, nullptr, 0x8c4}}, {any_prefix, 0x3f, 0x3f, {"aas", {}, &aas_forms, invalid_in_64, nullptr, 0x8c4}},
    {any_prefix, 0x40, 0x47, {"inc", {Zv}, &inc_forms, invalid_in_64}}, {any_prefix, 0x48, 0x4f, {"dec", {Zv}, &dec_forms, invalid_in_64}},
    {any_prefix, 0x50, 0x57, {"push", {Zv}, &push_forms, defaults_to_64}}, {any_prefix, 0x58, 0x5f, {"pop", {Zv}, &pop_forms, defaults_to_64}},
    {any_prefix, 0x60, 0x60, {"pusha", {}, &pusha_forms, invalid_in_64}}, {any_prefix, 0x61, 0x61, {"popa", {}, &popa_forms, invalid_in_64}},
    {any_prefix, 0x62, 0x62, {"bound", {Gv, M}, &bound_forms, invalid_in_64}},
    // 63 is ARPL outside 64-bit mode and MOVSXD in it; the decoder chooses.
    {any_prefix, 0x63, 0x63, {"arpl", {Ew, Gw}, &arpl_forms, invalid_in_64 | not_in_real}},
    {any_prefix, 0x68, 0x68, {"push", {Iz}, &push_imm_forms, defaults_to_64}}, {any_prefix, 0x6a, 0x6a, {"push", {Ibs}, &push_imm_forms, defaults_to_64}},
    {any_prefix, 0x69, 0x69, {"imul", {Gv, Ev, Iz}, &imul3_forms, 0, nullptr, undefined_after_multiply}},
    {any_prefix, 0x6b, 0x6b, {"imul", {Gv, Ev, Ibs}, &imul3_forms, 0, nullptr, undefined_after_multiply}},
    {any_prefix, 0x6c, 0x6c, {"ins", {}, &ins_forms, byte_sized | repeatable | ends_block}}, {any_prefix, 0x6d, 0x6d, {"ins", {}, &ins_forms, repeatable | ends_block}},
    {any_prefix, 0x6e, 0x6e, {"outs", {}, &outs_forms, byte_sized | repeatable | ends_block}}, {any_prefix, 0x6f, 0x6f, {"outs", {}, &outs_forms, repeatable | ends_block}},
    {any_prefix, 0x70, 0x7f, {"jcc", {Jb}, jcc_forms.data(), forced_64}},
    {any_prefix, 0x80, 0x80, {"group 1", {Eb}, nullptr, 0, group_1_eb}}, {any_prefix, 0x81, 0x81, {"group 1", {Ev}, nullptr, 0, group_1_ev}},
    {any_prefix, 0x82, 0x82, {"group 1", {Eb}, nullptr, invalid_in_64, group_1_eb}}, {any_prefix, 0x83, 0x83, {"group 1", {Ev}, nullptr, 0, group_1_byte}},
    {any_prefix, 0x84, 0x84, {"test", {Eb, Gb}, &test_forms}}, {any_prefix, 0x85, 0x85, {"test", {Ev, Gv}, &test_forms}},
    {any_prefix, 0x86, 0x86, {"xchg", {Eb, Gb}, &xchg_forms, lockable | always_locked}}, {any_prefix, 0x87, 0x87, {"xchg", {Ev, Gv}, &xchg_forms, lockable | always_locked}},
    {any_prefix, 0x88, 0x88, {"mov", {Eb, Gb}, &mov_forms}}, {any_prefix, 0x89, 0x89, {"mov", {Ev, Gv}, &mov_forms}},
    {any_prefix, 0x8a, 0x8a, {"mov", {Gb, Eb}, &mov_forms}}, {any_prefix, 0x8b, 0x8b, {"mov", {Gv, Ev}, &mov_forms}},
    {any_prefix, 0x8c, 0x8c, {"mov", {Ev, Sw}, &mov_from_segment_forms}}, {any_prefix, 0x8d, 0x8d, {"lea", {Gv, M}, &lea_forms}},
    {any_prefix, 0x8e, 0x8e, {"mov", {Sw, Ew}, &mov_to_segment_forms, ends_block}}, {any_prefix, 0x8f, 0x8f, {"group 1a", {Ev}, nullptr, 0, group_1a}},
    // 90 is NOP, not XCHG EAX, EAX, which would clear the upper half of RAX; with REX.B the decoder takes XCHG.
    {np, 0x90, 0x90, {"nop", {}, &nop_forms}}, {p66, 0x90, 0x90, {"nop", {}, &nop_forms}}, {pF2, 0x90, 0x90, {"nop", {}, &nop_forms}},
    {pF3, 0x90, 0x90, {"pause", {}, &pause_forms, ends_block}}, {any_prefix, 0x91, 0x97, {"xchg", {Zv, rAX}, &xchg_forms}},
    {any_prefix, 0x98, 0x98, {"cbw", {}, &cbw_forms}}, {any_prefix, 0x99, 0x99, {"cwd", {}, &cwd_forms}},
    {any_prefix, 0x9a, 0x9a, {"call far", {Ap}, &call_far_forms, invalid_in_64 | ends_block}}, {any_prefix, 0x9b, 0x9b, {"fwait", {}, &any_form<&fwait>}},
    {any_prefix, 0x9c, 0x9c, {"pushf", {}, &pushf_forms, defaults_to_64}}, {any_prefix, 0x9d, 0x9d, {"popf", {}, &popf_forms, defaults_to_64 | ends_block}},
    {any_prefix, 0x9e, 0x9e, {"sahf", {}, &sahf_forms}}, {any_prefix, 0x9f, 0x9f, {"lahf", {}, &lahf_forms}},
    {any_prefix, 0xa0, 0xa0, {"mov", {AL, Ob}, &mov_moffs_load_forms}}, {any_prefix, 0xa1, 0xa1, {"mov", {rAX, Ov}, &mov_moffs_load_forms}},
    {any_prefix, 0xa2, 0xa2, {"mov", {Ob, AL}, &mov_moffs_store_forms}}, {any_prefix, 0xa3, 0xa3, {"mov", {Ov, rAX}, &mov_moffs_store_forms}},
    {any_prefix, 0xa4, 0xa4, {"movs", {}, &movs_forms, byte_sized | repeatable | may_end_block}}, {any_prefix, 0xa5, 0xa5, {"movs", {}, &movs_forms, repeatable | may_end_block}},
    {any_prefix, 0xa6, 0xa6, {"cmps", {}, &cmps_forms, byte_sized | repeatable | may_end_block}}, {any_prefix, 0xa7, 0xa7, {"cmps", {}, &cmps_forms, repeatable | may_end_block}},
    {any_prefix, 0xa8, 0xa8, {"test", {AL, Ib}, &test_forms}}, {any_prefix, 0xa9, 0xa9, {"test", {rAX, Iz}, &test_forms}},
    {any_prefix, 0xaa, 0xaa, {"stos", {}, &stos_forms, byte_sized | repeatable | may_end_block}}, {any_prefix, 0xab, 0xab, {"stos", {}, &stos_forms, repeatable | may_end_block}},
    {any_prefix, 0xac, 0xac, {"lods", {}, &lods_forms, byte_sized | repeatable | may_end_block}}, {any_prefix, 0xad, 0xad, {"lods", {}, &lods_forms, repeatable | may_end_block}},
    {any_prefix, 0xae, 0xae, {"scas", {}, &scas_forms, byte_sized | repeatable | may_end_block}}, {any_prefix, 0xaf, 0xaf, {"scas", {}, &scas_forms, repeatable | may_end_block}},
    {any_prefix, 0xb0, 0xb7, {"mov", {Zb, Ib}, &mov_forms}}, {any_prefix, 0xb8, 0xbf, {"mov", {Zv, Iv}, &mov_forms}},
    {any_prefix, 0xc0, 0xc0, {"group 2", {Eb}, nullptr, 0, group_2<Eb, Ib>}}, {any_prefix, 0xc1, 0xc1, {"group 2", {Ev}, nullptr, 0, group_2<Ev, Ib>}},
    {any_prefix, 0xc2, 0xc2, {"ret", {Iw}, &ret_forms, forced_64 | ends_block}}, {any_prefix, 0xc3, 0xc3, {"ret", {}, &ret_forms, forced_64 | ends_block}},
    {any_prefix, 0xc4, 0xc4, {"les", {Gv, M}, &lds_forms, invalid_in_64 | ends_block}}, {any_prefix, 0xc5, 0xc5, {"lds", {Gv, M}, &lds_forms, invalid_in_64 | ends_block}},
    {any_prefix, 0xc6, 0xc6, {"group 11", {Eb}, nullptr, 0, group_11_eb}}, {any_prefix, 0xc7, 0xc7, {"group 11", {Ev}, nullptr, 0, group_11_ev}},
    {any_prefix, 0xc8, 0xc8, {"enter", {Iw_Ib}, &enter_forms, defaults_to_64}}, {any_prefix, 0xc9, 0xc9, {"leave", {}, &leave_forms, defaults_to_64}},
    {any_prefix, 0xca, 0xca, {"ret far", {Iw}, &ret_far_forms, ends_block}}, {any_prefix, 0xcb, 0xcb, {"ret far", {}, &ret_far_forms, ends_block}},
    {any_prefix, 0xcc, 0xcc, {"int3", {}, &int3_forms, ends_block}}, {any_prefix, 0xcd, 0xcd, {"int", {Ib}, &int_forms, ends_block}},
    {any_prefix, 0xce, 0xce, {"into", {}, &into_forms, invalid_in_64 | ends_block}}, {any_prefix, 0xcf, 0xcf, {"iret", {}, &iret_forms, ends_block}},
    {any_prefix, 0xd0, 0xd0, {"group 2", {Eb}, nullptr, 0, group_2<Eb, one>}}, {any_prefix, 0xd1, 0xd1, {"group 2", {Ev}, nullptr, 0, group_2<Ev, one>}},
    {any_prefix, 0xd2, 0xd2, {"group 2", {Eb}, nullptr, 0, group_2<Eb, CL>}}, {any_prefix, 0xd3, 0xd3, {"group 2", {Ev}, nullptr, 0, group_2<Ev, CL>}},
    {any_prefix, 0xd4, 0xd4, {"aam", {Ib}, &aam_forms, invalid_in_64, nullptr, 0x811}}, {any_prefix, 0xd5, 0xd5, {"aad", {Ib}, &aad_forms, invalid_in_64, nullptr, 0x811}},
    {any_prefix, 0xd6, 0xd6, {"salc", {}, &salc_forms, invalid_in_64}}, {any_prefix, 0xd7, 0xd7, {"xlat", {}, &xlat_forms}},
    {any_prefix, 0xe0, 0xe2, {"loop", {Jb}, &loop_forms, forced_64 | ends_block}}, {any_prefix, 0xe3, 0xe3, {"jcxz", {Jb}, &jcxz_forms, forced_64 | ends_block}},
    {any_prefix, 0xe4, 0xe4, {"in", {AL, Ib}, &in_forms, ends_block}}, {any_prefix, 0xe5, 0xe5, {"in", {rAX, Ib}, &in_forms, ends_block}},
    {any_prefix, 0xe6, 0xe6, {"out", {Ib, AL}, &out_forms, ends_block}}, {any_prefix, 0xe7, 0xe7, {"out", {Ib, rAX}, &out_forms, ends_block}},
    {any_prefix, 0xe8, 0xe8, {"call", {Jz}, &call_forms, forced_64 | ends_block}}, {any_prefix, 0xe9, 0xe9, {"jmp", {Jz}, &jmp_forms, forced_64 | ends_block}},
    {any_prefix, 0xea, 0xea, {"jmp far", {Ap}, &jmp_far_forms, invalid_in_64 | ends_block}}, {any_prefix, 0xeb, 0xeb, {"jmp", {Jb}, &jmp_forms, forced_64 | ends_block}},
    {any_prefix, 0xec, 0xec, {"in", {AL, DX}, &in_forms, ends_block}}, {any_prefix, 0xed, 0xed, {"in", {rAX, DX}, &in_forms, ends_block}},
    {any_prefix, 0xee, 0xee, {"out", {DX, AL}, &out_forms, ends_block}}, {any_prefix, 0xef, 0xef, {"out", {DX, rAX}, &out_forms, ends_block}},
    {any_prefix, 0xf1, 0xf1, {"int1", {}, &int1_forms, ends_block}}, {any_prefix, 0xf4, 0xf4, {"hlt", {}, &hlt_forms, privileged | ends_block}},
    {any_prefix, 0xf5, 0xf5, {"cmc", {}, &cmc_forms}},
    {any_prefix, 0xf6, 0xf6, {"group 3", {Eb}, nullptr, 0, group_3<Eb, Ib>}}, {any_prefix, 0xf7, 0xf7, {"group 3", {Ev}, nullptr, 0, group_3<Ev, Iz>}},
    {any_prefix, 0xf8, 0xf8, {"clc", {}, &clc_forms}}, {any_prefix, 0xf9, 0xf9, {"stc", {}, &stc_forms}},
    {any_prefix, 0xfa, 0xfa, {"cli", {}, &cli_forms}}, {any_prefix, 0xfb, 0xfb, {"sti", {}, &sti_forms}},
    {any_prefix, 0xfc, 0xfc, {"cld", {}, &cld_forms}}, {any_prefix, 0xfd, 0xfd, {"std", {}, &std_forms}},
    {any_prefix, 0xfe, 0xfe, {"group 4", {Eb}, nullptr, 0, group_4}}, {any_prefix, 0xff, 0xff, {"group 5", {Ev}, nullptr, 0, group_5}},
};
// clang-format on

}

std::span<const Opcode> one_byte_opcodes()
{
    return list;
}

}
