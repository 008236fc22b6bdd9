// The x87 map: a table for memory operands and one for registers, each by opcode and ModRM.reg.
#include "engine/cpu/x86/x87_tables.h"

#include "engine/cpu/x86/x87_templates.h"

namespace engine::x86 {

using enum Operand;

namespace {

using Bcd = std::array<u8, 10>;

// The host's instructions, by the shape of their operands. AT&T syntax gives FSUBR of the manual its own name when the
// destination is ST(0), which here it always is.
// clang-format off
namespace host {

void fsqrt() { asm volatile("fsqrt"); }
void frndint() { asm volatile("frndint"); }
void f2xm1() { asm volatile("f2xm1"); }
void fsin() { asm volatile("fsin"); }
void fcos() { asm volatile("fcos"); }
void fptan() { asm volatile("fptan"); }
void fsincos() { asm volatile("fsincos"); }
void fxtract() { asm volatile("fxtract"); }
void fprem() { asm volatile("fprem"); }
void fprem1() { asm volatile("fprem1"); }
void fscale() { asm volatile("fscale"); }
void fyl2x() { asm volatile("fyl2x"); }
void fyl2xp1() { asm volatile("fyl2xp1"); }
void fpatan() { asm volatile("fpatan"); }
void fld1() { asm volatile("fld1"); }
void fldl2t() { asm volatile("fldl2t"); }
void fldl2e() { asm volatile("fldl2e"); }
void fldpi() { asm volatile("fldpi"); }
void fldlg2() { asm volatile("fldlg2"); }
void fldln2() { asm volatile("fldln2"); }
void fldz() { asm volatile("fldz"); }
void fadd() { asm volatile("fadd %st(1), %st"); }
void fmul() { asm volatile("fmul %st(1), %st"); }
void fsub() { asm volatile("fsub %st(1), %st"); }
void fsubr() { asm volatile("fsubr %st(1), %st"); }
void fdiv() { asm volatile("fdiv %st(1), %st"); }
void fdivr() { asm volatile("fdivr %st(1), %st"); }
void fcom() { asm volatile("fcom %st(1)"); }
void fucom() { asm volatile("fucom %st(1)"); }
void fadd_m32(u32& from) { asm volatile("fadds %0" : : "m"(from)); }
void fadd_m64(u64& from) { asm volatile("faddl %0" : : "m"(from)); }
void fiadd_m16(u16& from) { asm volatile("fiadds %0" : : "m"(from)); }
void fiadd_m32(u32& from) { asm volatile("fiaddl %0" : : "m"(from)); }
void fmul_m32(u32& from) { asm volatile("fmuls %0" : : "m"(from)); }
void fmul_m64(u64& from) { asm volatile("fmull %0" : : "m"(from)); }
void fimul_m16(u16& from) { asm volatile("fimuls %0" : : "m"(from)); }
void fimul_m32(u32& from) { asm volatile("fimull %0" : : "m"(from)); }
void fcom_m32(u32& from) { asm volatile("fcoms %0" : : "m"(from)); }
void fcom_m64(u64& from) { asm volatile("fcoml %0" : : "m"(from)); }
void ficom_m16(u16& from) { asm volatile("ficoms %0" : : "m"(from)); }
void ficom_m32(u32& from) { asm volatile("ficoml %0" : : "m"(from)); }
void fsub_m32(u32& from) { asm volatile("fsubs %0" : : "m"(from)); }
void fsub_m64(u64& from) { asm volatile("fsubl %0" : : "m"(from)); }
void fisub_m16(u16& from) { asm volatile("fisubs %0" : : "m"(from)); }
void fisub_m32(u32& from) { asm volatile("fisubl %0" : : "m"(from)); }
void fsubr_m32(u32& from) { asm volatile("fsubrs %0" : : "m"(from)); }
void fsubr_m64(u64& from) { asm volatile("fsubrl %0" : : "m"(from)); }
void fisubr_m16(u16& from) { asm volatile("fisubrs %0" : : "m"(from)); }
void fisubr_m32(u32& from) { asm volatile("fisubrl %0" : : "m"(from)); }
void fdiv_m32(u32& from) { asm volatile("fdivs %0" : : "m"(from)); }
void fdiv_m64(u64& from) { asm volatile("fdivl %0" : : "m"(from)); }
void fidiv_m16(u16& from) { asm volatile("fidivs %0" : : "m"(from)); }
void fidiv_m32(u32& from) { asm volatile("fidivl %0" : : "m"(from)); }
void fdivr_m32(u32& from) { asm volatile("fdivrs %0" : : "m"(from)); }
void fdivr_m64(u64& from) { asm volatile("fdivrl %0" : : "m"(from)); }
void fidivr_m16(u16& from) { asm volatile("fidivrs %0" : : "m"(from)); }
void fidivr_m32(u32& from) { asm volatile("fidivrl %0" : : "m"(from)); }
void fld_m32(u32& from) { asm volatile("flds %0" : : "m"(from)); }
void fld_m64(u64& from) { asm volatile("fldl %0" : : "m"(from)); }
void fild_m16(u16& from) { asm volatile("filds %0" : : "m"(from)); }
void fild_m32(u32& from) { asm volatile("fildl %0" : : "m"(from)); }
void fild_m64(u64& from) { asm volatile("fildll %0" : : "m"(from)); }
void fbld(Bcd& from) { asm volatile("fbld %0" : : "m"(from)); }
void fst_m32(u32& to) { asm volatile("fsts %0" : "=m"(to)); }
void fst_m64(u64& to) { asm volatile("fstl %0" : "=m"(to)); }
void fist_m16(u16& to) { asm volatile("fistps %0" : "=m"(to)); }
void fist_m32(u32& to) { asm volatile("fistpl %0" : "=m"(to)); }
void fist_m64(u64& to) { asm volatile("fistpll %0" : "=m"(to)); }
void fisttp_m16(u16& to) { asm volatile("fisttps %0" : "=m"(to)); }
void fisttp_m32(u32& to) { asm volatile("fisttpl %0" : "=m"(to)); }
void fisttp_m64(u64& to) { asm volatile("fisttpll %0" : "=m"(to)); }
void fbstp(Bcd& to) { asm volatile("fbstp %0" : "=m"(to)); }
}

consteval Row memory_row(const char* name, const Forms& forms) { return {name, {M}, &forms, fpu}; }
consteval Row masking_row(const char* name, const Forms& forms) { return {name, {M}, &forms, fpu | ends_block}; }
consteval Row register_row(const char* name, const Forms& forms) { return {name, {}, &forms, fpu | has_modrm | register_only}; }

constexpr Row memory_rows[8][8] = {
    { // D8
        memory_row("fadd", any_form<x87<arithmetic_memory<host::fadd_m32, u32>>>),
        memory_row("fmul", any_form<x87<arithmetic_memory<host::fmul_m32, u32>>>),
        memory_row("fcom", any_form<x87<compare_memory<host::fcom_m32, u32>>>),
        memory_row("fcomp", any_form<x87<compare_memory<host::fcom_m32, u32, Pops::one>>>),
        memory_row("fsub", any_form<x87<arithmetic_memory<host::fsub_m32, u32>>>),
        memory_row("fsubr", any_form<x87<arithmetic_memory<host::fsubr_m32, u32>>>),
        memory_row("fdiv", any_form<x87<arithmetic_memory<host::fdiv_m32, u32>>>),
        memory_row("fdivr", any_form<x87<arithmetic_memory<host::fdivr_m32, u32>>>),
    },
    { // D9
        memory_row("fld", any_form<x87<load_memory<host::fld_m32, u32>>>),
        {},
        memory_row("fst", any_form<x87<store_memory<host::fst_m32, u32>>>),
        memory_row("fstp", any_form<x87<store_memory<host::fst_m32, u32, Pops::one>>>),
        masking_row("fldenv", any_form<x87_mask<fldenv>>),
        masking_row("fldcw", any_form<x87_mask<fldcw>>),
        masking_row("fnstenv", any_form<x87_mask_no_wait<fnstenv>>),
        memory_row("fnstcw", any_form<x87_no_wait<fnstcw>>),
    },
    { // DA
        memory_row("fiadd", any_form<x87<arithmetic_memory<host::fiadd_m32, u32>>>),
        memory_row("fimul", any_form<x87<arithmetic_memory<host::fimul_m32, u32>>>),
        memory_row("ficom", any_form<x87<compare_memory<host::ficom_m32, u32>>>),
        memory_row("ficomp", any_form<x87<compare_memory<host::ficom_m32, u32, Pops::one>>>),
        memory_row("fisub", any_form<x87<arithmetic_memory<host::fisub_m32, u32>>>),
        memory_row("fisubr", any_form<x87<arithmetic_memory<host::fisubr_m32, u32>>>),
        memory_row("fidiv", any_form<x87<arithmetic_memory<host::fidiv_m32, u32>>>),
        memory_row("fidivr", any_form<x87<arithmetic_memory<host::fidivr_m32, u32>>>),
    },
    { // DB
        memory_row("fild", any_form<x87<load_memory<host::fild_m32, u32>>>),
        memory_row("fisttp", any_form<x87<store_memory<host::fisttp_m32, u32, Pops::one>>>),
        memory_row("fist", any_form<x87<store_memory<host::fist_m32, u32>>>),
        memory_row("fistp", any_form<x87<store_memory<host::fist_m32, u32, Pops::one>>>),
        {},
        memory_row("fld", any_form<x87<fld_m80>>),
        {},
        memory_row("fstp", any_form<x87<fstp_m80>>),
    },
    { // DC
        memory_row("fadd", any_form<x87<arithmetic_memory<host::fadd_m64, u64>>>),
        memory_row("fmul", any_form<x87<arithmetic_memory<host::fmul_m64, u64>>>),
        memory_row("fcom", any_form<x87<compare_memory<host::fcom_m64, u64>>>),
        memory_row("fcomp", any_form<x87<compare_memory<host::fcom_m64, u64, Pops::one>>>),
        memory_row("fsub", any_form<x87<arithmetic_memory<host::fsub_m64, u64>>>),
        memory_row("fsubr", any_form<x87<arithmetic_memory<host::fsubr_m64, u64>>>),
        memory_row("fdiv", any_form<x87<arithmetic_memory<host::fdiv_m64, u64>>>),
        memory_row("fdivr", any_form<x87<arithmetic_memory<host::fdivr_m64, u64>>>),
    },
    { // DD
        memory_row("fld", any_form<x87<load_memory<host::fld_m64, u64>>>),
        memory_row("fisttp", any_form<x87<store_memory<host::fisttp_m64, u64, Pops::one>>>),
        memory_row("fst", any_form<x87<store_memory<host::fst_m64, u64>>>),
        memory_row("fstp", any_form<x87<store_memory<host::fst_m64, u64, Pops::one>>>),
        masking_row("frstor", any_form<x87_mask<frstor>>),
        {},
        masking_row("fnsave", any_form<x87_mask_no_wait<fnsave>>),
        memory_row("fnstsw", any_form<x87_no_wait<fnstsw>>),
    },
    { // DE
        memory_row("fiadd", any_form<x87<arithmetic_memory<host::fiadd_m16, u16>>>),
        memory_row("fimul", any_form<x87<arithmetic_memory<host::fimul_m16, u16>>>),
        memory_row("ficom", any_form<x87<compare_memory<host::ficom_m16, u16>>>),
        memory_row("ficomp", any_form<x87<compare_memory<host::ficom_m16, u16, Pops::one>>>),
        memory_row("fisub", any_form<x87<arithmetic_memory<host::fisub_m16, u16>>>),
        memory_row("fisubr", any_form<x87<arithmetic_memory<host::fisubr_m16, u16>>>),
        memory_row("fidiv", any_form<x87<arithmetic_memory<host::fidiv_m16, u16>>>),
        memory_row("fidivr", any_form<x87<arithmetic_memory<host::fidivr_m16, u16>>>),
    },
    { // DF
        memory_row("fild", any_form<x87<load_memory<host::fild_m16, u16>>>),
        memory_row("fisttp", any_form<x87<store_memory<host::fisttp_m16, u16, Pops::one>>>),
        memory_row("fist", any_form<x87<store_memory<host::fist_m16, u16>>>),
        memory_row("fistp", any_form<x87<store_memory<host::fist_m16, u16, Pops::one>>>),
        memory_row("fbld", any_form<x87<load_memory<host::fbld, Bcd>>>),
        memory_row("fild", any_form<x87<load_memory<host::fild_m64, u64>>>),
        memory_row("fbstp", any_form<x87<store_memory<host::fbstp, Bcd, Pops::one>>>),
        memory_row("fistp", any_form<x87<store_memory<host::fist_m64, u64, Pops::one>>>),
    },
};

// DC C0, DC E0 and DE E0 have their destination in ST(i); the manual's FSUB and FSUBR change places there (A.5.2).
constexpr Row register_rows[8][8] = {
    { // D8
        register_row("fadd", any_form<x87<arithmetic<host::fadd, Into::st0>>>),
        register_row("fmul", any_form<x87<arithmetic<host::fmul, Into::st0>>>),
        register_row("fcom", any_form<x87<compare_register<host::fcom>>>),
        register_row("fcomp", any_form<x87<compare_register<host::fcom, Answer::conditions, Pops::one>>>),
        register_row("fsub", any_form<x87<arithmetic<host::fsub, Into::st0>>>),
        register_row("fsubr", any_form<x87<arithmetic<host::fsubr, Into::st0>>>),
        register_row("fdiv", any_form<x87<arithmetic<host::fdiv, Into::st0>>>),
        register_row("fdivr", any_form<x87<arithmetic<host::fdivr, Into::st0>>>),
    },
    { // D9
        register_row("fld", any_form<x87<fld_register>>),
        register_row("fxch", any_form<x87<fxch>>),
        {},
        register_row("fstpnce", any_form<x87<fstpnce>>),
        {},
        {},
        {},
        {},
    },
    { // DA
        register_row("fcmovb", any_form<x87<conditional_move<flag_c, true>>>),
        register_row("fcmove", any_form<x87<conditional_move<flag_z, true>>>),
        register_row("fcmovbe", any_form<x87<conditional_move<flag_c | flag_z, true>>>),
        register_row("fcmovu", any_form<x87<conditional_move<flag_p, true>>>),
        {},
        {},
        {},
        {},
    },
    { // DB
        register_row("fcmovnb", any_form<x87<conditional_move<flag_c, false>>>),
        register_row("fcmovne", any_form<x87<conditional_move<flag_z, false>>>),
        register_row("fcmovnbe", any_form<x87<conditional_move<flag_c | flag_z, false>>>),
        register_row("fcmovnu", any_form<x87<conditional_move<flag_p, false>>>),
        {},
        register_row("fucomi", any_form<x87<compare_register<host::fucom, Answer::rflags>>>),
        register_row("fcomi", any_form<x87<compare_register<host::fcom, Answer::rflags>>>),
        {},
    },
    { // DC
        register_row("fadd", any_form<x87<arithmetic<host::fadd, Into::sti>>>),
        register_row("fmul", any_form<x87<arithmetic<host::fmul, Into::sti>>>),
        register_row("fcom", any_form<x87<compare_register<host::fcom>>>),
        register_row("fcomp", any_form<x87<compare_register<host::fcom, Answer::conditions, Pops::one>>>),
        register_row("fsubr", any_form<x87<arithmetic<host::fsubr, Into::sti>>>),
        register_row("fsub", any_form<x87<arithmetic<host::fsub, Into::sti>>>),
        register_row("fdivr", any_form<x87<arithmetic<host::fdivr, Into::sti>>>),
        register_row("fdiv", any_form<x87<arithmetic<host::fdiv, Into::sti>>>),
    },
    { // DD
        register_row("ffree", any_form<x87<ffree>>),
        register_row("fxch", any_form<x87<fxch>>),
        register_row("fst", any_form<x87<fst_register>>),
        register_row("fstp", any_form<x87<fstp_register>>),
        register_row("fucom", any_form<x87<compare_register<host::fucom>>>),
        register_row("fucomp", any_form<x87<compare_register<host::fucom, Answer::conditions, Pops::one>>>),
        {},
        {},
    },
    { // DE
        register_row("faddp", any_form<x87<arithmetic<host::fadd, Into::sti, Pops::one>>>),
        register_row("fmulp", any_form<x87<arithmetic<host::fmul, Into::sti, Pops::one>>>),
        register_row("fcomp", any_form<x87<compare_register<host::fcom, Answer::conditions, Pops::one>>>),
        {},
        register_row("fsubrp", any_form<x87<arithmetic<host::fsubr, Into::sti, Pops::one>>>),
        register_row("fsubp", any_form<x87<arithmetic<host::fsub, Into::sti, Pops::one>>>),
        register_row("fdivrp", any_form<x87<arithmetic<host::fdivr, Into::sti, Pops::one>>>),
        register_row("fdivp", any_form<x87<arithmetic<host::fdiv, Into::sti, Pops::one>>>),
    },
    { // DF
        register_row("ffreep", any_form<x87<ffreep>>),
        register_row("fxch", any_form<x87<fxch>>),
        register_row("fstp", any_form<x87<fstp_register>>),
        register_row("fstp", any_form<x87<fstp_register>>),
        {},
        register_row("fucomip", any_form<x87<compare_register<host::fucom, Answer::rflags, Pops::one>>>),
        register_row("fcomip", any_form<x87<compare_register<host::fcom, Answer::rflags, Pops::one>>>),
        {},
    },
};

struct Single {
    u8 opcode, modrm;
    Row row;
};
// Where every ModRM byte is an instruction of its own.
constexpr Single single_rows[] = {
    {0xd9, 0xd0, register_row("fnop", any_form<x87<fnop>>)},
    {0xd9, 0xe0, register_row("fchs", any_form<x87<fchs>>)},
    {0xd9, 0xe1, register_row("fabs", any_form<x87<fabs>>)},
    {0xd9, 0xe4, register_row("ftst", any_form<x87<compare_zero>>)},
    {0xd9, 0xe5, register_row("fxam", any_form<x87<fxam>>)},
    {0xd9, 0xe8, register_row("fld1", any_form<x87<load_constant<host::fld1>>>)},
    {0xd9, 0xe9, register_row("fldl2t", any_form<x87<load_constant<host::fldl2t>>>)},
    {0xd9, 0xea, register_row("fldl2e", any_form<x87<load_constant<host::fldl2e>>>)},
    {0xd9, 0xeb, register_row("fldpi", any_form<x87<load_constant<host::fldpi>>>)},
    {0xd9, 0xec, register_row("fldlg2", any_form<x87<load_constant<host::fldlg2>>>)},
    {0xd9, 0xed, register_row("fldln2", any_form<x87<load_constant<host::fldln2>>>)},
    {0xd9, 0xee, register_row("fldz", any_form<x87<load_constant<host::fldz>>>)},
    {0xd9, 0xf0, register_row("f2xm1", any_form<x87<unary<host::f2xm1>>>)},
    {0xd9, 0xf1, register_row("fyl2x", any_form<x87<binary_pop<host::fyl2x>>>)},
    {0xd9, 0xf2, register_row("fptan", any_form<x87<unary_push<host::fptan, fsw_c2>>>)},
    {0xd9, 0xf3, register_row("fpatan", any_form<x87<binary_pop<host::fpatan>>>)},
    {0xd9, 0xf4, register_row("fxtract", any_form<x87<unary_push<host::fxtract>>>)},
    {0xd9, 0xf5, register_row("fprem1", any_form<x87<binary<host::fprem1, fsw_c0 | fsw_c2 | fsw_c3>>>)},
    {0xd9, 0xf6, register_row("fdecstp", any_form<x87<fdecstp>>)},
    {0xd9, 0xf7, register_row("fincstp", any_form<x87<fincstp>>)},
    {0xd9, 0xf8, register_row("fprem", any_form<x87<binary<host::fprem, fsw_c0 | fsw_c2 | fsw_c3>>>)},
    {0xd9, 0xf9, register_row("fyl2xp1", any_form<x87<binary_pop<host::fyl2xp1>>>)},
    {0xd9, 0xfa, register_row("fsqrt", any_form<x87<unary<host::fsqrt>>>)},
    {0xd9, 0xfb, register_row("fsincos", any_form<x87<unary_push<host::fsincos, fsw_c2>>>)},
    {0xd9, 0xfc, register_row("frndint", any_form<x87<unary<host::frndint>>>)},
    {0xd9, 0xfd, register_row("fscale", any_form<x87<binary<host::fscale>>>)},
    {0xd9, 0xfe, register_row("fsin", any_form<x87<unary<host::fsin, fsw_c2>>>)},
    {0xd9, 0xff, register_row("fcos", any_form<x87<unary<host::fcos, fsw_c2>>>)},
    {0xda, 0xe9, register_row("fucompp", any_form<x87<fucompp>>)},
    {0xdb, 0xe0, register_row("fneni", any_form<x87_no_wait<no_operation>>)},
    {0xdb, 0xe1, register_row("fndisi", any_form<x87_no_wait<no_operation>>)},
    {0xdb, 0xe2, register_row("fnclex", any_form<x87_no_wait<fnclex>>)},
    {0xdb, 0xe3, {"fninit", {}, &any_form<x87_mask_no_wait<fninit>>, fpu | has_modrm | register_only | ends_block}},
    {0xdb, 0xe4, register_row("fnsetpm", any_form<x87_no_wait<no_operation>>)},
    {0xde, 0xd9, register_row("fcompp", any_form<x87<fcompp>>)},
    {0xdf, 0xe0, register_row("fnstsw", any_form<x87_no_wait<fnstsw_ax>>)},
};
// clang-format on

}

const Row* x87_row(u8 opcode, u8 modrm)
{
    const unsigned map = opcode & 7, reg = modrm >> 3 & 7;
    const Row* row = modrm < 0xc0 ? &memory_rows[map][reg] : &register_rows[map][reg];
    if (modrm >= 0xc0)
        for (const Single& single : single_rows)
            if (single.opcode == opcode && single.modrm == modrm)
                row = &single.row;
    return row->forms ? row : nullptr;
}

}
