#pragma once
// Every handler that an opcode row names, by the file that defines it.

#include <array>

#include "engine/cpu/x86/insn.h"

namespace engine::x86 {

// alu.cpp
extern const Forms add_forms, or_forms, adc_forms, sbb_forms, and_forms, sub_forms, xor_forms, cmp_forms, test_forms;
extern const Forms inc_forms, dec_forms, not_forms, neg_forms;
extern const Forms mul_forms, imul_forms, div_forms, idiv_forms, imul2_forms, imul3_forms;
extern const Forms daa_forms, das_forms, aaa_forms, aas_forms, aam_forms, aad_forms;

// shift.cpp: by an immediate or 1, and by CL
extern const Forms rol_forms, ror_forms, rcl_forms, rcr_forms, shl_forms, shr_forms, sar_forms;
extern const Forms shld_forms, shrd_forms;    // count in imm
extern const Forms shld_cl_forms, shrd_cl_forms;

// bit.cpp
extern const Forms bt_forms, bts_forms, btr_forms, btc_forms;
extern const Forms bsf_forms, bsr_forms, tzcnt_forms, lzcnt_forms, popcnt_forms, bswap_forms;

// bmi.cpp: by VEX.W (all but the last two)
extern const Forms andn_forms, blsr_forms, blsmsk_forms, blsi_forms, bextr_forms, bzhi_forms, pext_forms, pdep_forms, mulx_forms;
extern const Forms shlx_forms, shrx_forms, sarx_forms, rorx_forms;
extern const Forms adcx_forms, adox_forms;

// move.cpp
extern const Forms mov_forms, mov_moffs_load_forms, mov_moffs_store_forms, lea_forms, xchg_forms, xlat_forms;
extern const Forms movzx8_forms, movzx16_forms, movsx8_forms, movsx16_forms, movsxd_forms, movnti_forms, movbe_forms;
extern const Forms cbw_forms, cwd_forms, cmov_forms, setcc_forms, xadd_forms, cmpxchg_forms, cmpxchg8b_forms;
extern const Forms lahf_forms, sahf_forms, salc_forms, nop_forms;

// stack.cpp
extern const Forms push_forms, push_imm_forms, pop_forms, push_segment_forms, pop_segment_forms, pusha_forms, popa_forms;
extern const Forms pushf_forms, popf_forms, enter_forms, leave_forms;

// control.cpp
extern const std::array<Forms, 16> jcc_forms;    // by condition
extern const Forms jmp_forms, jmp_indirect_forms, call_forms, call_indirect_forms, ret_forms, loop_forms, jcxz_forms;
extern const Forms jmp_far_forms, call_far_forms, jmp_far_indirect_forms, call_far_indirect_forms, ret_far_forms, iret_forms;
extern const Forms int_forms, int1_forms, int3_forms, into_forms, ud_forms, bound_forms;
extern const Forms syscall_forms, sysret_forms, sysenter_forms, sysexit_forms;

// string.cpp
extern const Forms movs_forms, cmps_forms, scas_forms, lods_forms, stos_forms, ins_forms, outs_forms;

// io.cpp
extern const Forms in_forms, out_forms;
extern const Forms cli_forms, sti_forms, clc_forms, stc_forms, cmc_forms, cld_forms, std_forms;

// system.cpp
extern const Forms mov_from_cr_forms, mov_to_cr_forms, mov_from_dr_forms, mov_to_dr_forms, clts_forms, hlt_forms;
extern const Forms lgdt_forms, lidt_forms, sgdt_forms, sidt_forms, lmsw_forms, smsw_forms, invlpg_forms, invpcid_forms,
    wbinvd_forms;
extern const Forms rdmsr_forms, wrmsr_forms, rdtsc_forms, rdtscp_forms, rdpmc_forms, cpuid_forms, swapgs_forms, rsm_forms;
extern const Forms clac_forms, stac_forms, pause_forms, fence_forms, prefetch_forms, clflush_forms;
extern const Forms rdrand_forms, rdpid_forms, serialize_forms;
extern const Forms rdfsbase_forms, rdgsbase_forms, wrfsbase_forms, wrgsbase_forms;

// segment_handlers.cpp
extern const Forms mov_from_segment_forms, mov_to_segment_forms, lds_forms;
extern const Forms sldt_forms, str_forms, lldt_forms, ltr_forms, verr_forms, verw_forms, lar_forms, lsl_forms, arpl_forms;

// Raises #UD (what does not decode), #GP(0) (over 15 bytes); and the end of every block, which only returns.
void undefined_opcode(Cpu& c, const Insn* i);
void too_long(Cpu& c, const Insn* i);
void end_of_block(Cpu& c, const Insn* i);

}
