#include "engine/translator/frontend/x86/lowering.h"

#include <algorithm>
#include <vector>

#include <cpuid.h>

#include "engine/cpu/x86/cpu.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/sse_handlers.h"
#include "engine/cpu/x86/x87_tables.h"
#include "engine/translator/frontend/x86/block_translator.h"

namespace engine::translator {

using namespace x86;

Place place_of(const Insn& i, unsigned operand)
{
    using enum Operand;
    switch (i.row->operands[operand]) {
    case none:
        return Place::none;
    case Eb:
    case Ew:
    case Ed:
    case Ev:
    case Ey:
    case Eq:
    case M:
    case W:
    case Q:
        return i.memory() ? Place::mem : Place::reg;
    case Ib:
    case Ibs:
    case Iw:
    case Iz:
    case Iv:
    case Jb:
    case Jz:
    case one:
    case Ap:
    case Iw_Ib:
        return Place::imm;
    case Ob:
    case Ov:
        return Place::mem;
    default:
        return Place::reg;
    }
}

unsigned source_size(const Insn& i)
{
    switch (i.row->operands[1]) {
    case Operand::Eb:
        return 1;
    case Operand::Ew:
        return 2;
    default:
        return 4;
    }
}

MemoryUse usual_memory(const Insn& i)
{
    return {i.operand_size, place_of(i, 0) == Place::mem ? Access::write : Access::read};
}

namespace {

constexpr FlagMask c = FlagMask(flag_c), c_and_o = FlagMask(flag_c | flag_o);

// By the low four bits of the opcode, in pairs.
constexpr FlagMask condition_reads[8] = {
    FlagMask(flag_o),          c,
    FlagMask(flag_z),          FlagMask(flag_c | flag_z),
    FlagMask(flag_s),          FlagMask(flag_p),
    FlagMask(flag_s | flag_o), FlagMask(flag_z | flag_s | flag_o),
};

FlagUse kills_all(const Insn&)
{
    return {0, all_flags, true};
}
FlagUse adds_carry(const Insn&)
{
    return {c, all_flags, true};
}
FlagUse all_but_carry(const Insn&)
{
    return {0, FlagMask(all_flags & ~c), true};
}
FlagUse leaves_flags(const Insn&)
{
    return {};
}
FlagUse reads_condition(const Insn& i)
{
    return {condition_reads[i.opcode >> 1 & 7], 0, false};
}
FlagUse reads_all(const Insn&)
{
    return {all_flags, 0, false};
}
FlagUse sets_zero(const Insn&)
{
    return {0, FlagMask(flag_z), true};
}
FlagUse sets_carry(const Insn&)
{
    return {0, c, true};
}
FlagUse turns_carry(const Insn&)
{
    return {c, c, true};
}
FlagUse turns_overflow(const Insn&)
{
    return {FlagMask(flag_o), FlagMask(flag_o), true};
}

bool by_cl(const Insn& i)
{
    return i.row->operands[1] == Operand::CL;
}
unsigned count_of(const Insn& i)
{
    return unsigned(i.imm) & (i.operand_size == 8 ? 63 : 31);
}

// A count of zero leaves all flags; by CL nobody knows.
FlagUse shifts(const Insn& i)
{
    if (by_cl(i))
        return {0, 0, true};
    return count_of(i) ? kills_all(i) : FlagUse{};
}
FlagUse rotates(const Insn& i)
{
    if (by_cl(i))
        return {0, 0, true};
    return count_of(i) ? FlagUse{0, c_and_o, true} : FlagUse{};
}
FlagUse rotates_through_carry(const Insn& i)
{
    FlagUse use = rotates(i);
    use.reads |= use.modifies ? c : FlagMask(0);
    return use;
}
FlagUse double_shifts(const Insn& i)
{
    if (i.row->operands[2] == Operand::CL)
        return {0, 0, true};
    return count_of(i) ? kills_all(i) : FlagUse{};
}

bool high_byte(u8 offset)
{
    return offset & 1;
}
// Whether the register's host form carries a REX prefix as a byte register, or as any.
bool needs_rex(u8 offset, bool byte)
{
    const unsigned number = offset >> 3;
    return number < pinned_count && (host_of[number] >= host::r8 || (byte && host_of[number] >= host::rsp));
}

// Memory by 32- or 64-bit addresses without segment checks. Its host form is [R14], which needs a REX, and so do many
// registers; AH, CH, DH and BH can't stand beside them.
bool plain(const Insn& i)
{
    if (i.memory() && (i.flags & Insn::flag_checked || i.address_size == 2))
        return false;
    const Place first = place_of(i, 0), second = place_of(i, 1);
    const bool first_high = i.operand_size == 1 && first == Place::reg && high_byte(i.dst);
    const bool second_high = (i.operand_size == 1 || source_size(i) == 1) && second == Place::reg && high_byte(i.src);
    if (!first_high && !second_high)
        return true;
    if (i.memory())
        return false;
    const bool byte = i.operand_size == 1;
    return !(first == Place::reg && !first_high && (needs_rex(i.dst, byte) || i.operand_size == 8))
        && !(second == Place::reg && !second_high && needs_rex(i.src, byte))
        // Through scratch_b, which needs one too.
        && !(first == Place::reg && !first_high && !byte && i.dst >> 3 >= int(pinned_count))
        && !(
            first == Place::reg && second == Place::reg && byte
            && (i.dst >> 3 >= int(pinned_count) || i.src >> 3 >= int(pinned_count)));
}
// Likewise where high bytes may go through a register or a slot.
bool plain_or_high(const Insn& i)
{
    const bool reachable = !i.memory() || !(i.flags & Insn::flag_checked || i.address_size == 2);
    const bool extends = source_size(i) == 1;
    return plain(i) || (reachable && (extends || (i.memory() && i.operand_size == 1)));
}
bool wide(const Insn& i)
{
    return plain(i) && i.operand_size >= 4;
}
bool with_memory(const Insn& i)
{
    return plain(i) && i.memory();
}
bool exchanges_double(const Insn& i)
{
    return with_memory(i) && i.operand_size >= 4;
}
bool always(const Insn&)
{
    return true;
}
// With a register as offset a memory operand is a bit string.
bool bit_test(const Insn& i)
{
    return plain(i) && (!i.memory() || i.row->operands[1] == Operand::Ib || i.operand_size >= 4);
}
bool to_register(const Insn& i)
{
    return !i.memory();
}
bool double_shift(const Insn& i)
{
    return plain(i) && i.operand_size >= 4 && (i.memory() || (i.dst >> 3 < int(pinned_count)));
}
bool near_branch(const Insn& i)
{
    const bool sized = i.operand_size >= 4;
    const bool reaches
        = i.row->operands[0] != Operand::Jb && i.row->operands[0] != Operand::Jz ? true : i.imm == u64(i64(i32(i.imm)));
    return sized && reaches && plain(i);
}
bool stack(const Insn& i)
{
    return plain(i) && i.operand_size != 1;
}
bool leave_frame(const Insn& i)
{
    return i.operand_size >= 4;
}
bool pop_register(const Insn& i)
{
    return !i.memory() && i.operand_size >= 4;
}
struct HostLeaf {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};
HostLeaf host_leaf(u32 number)
{
    HostLeaf leaf;
    __get_cpuid_count(number, 0, &leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx);
    return leaf;
}
bool counts_zeros(const Insn& i)
{
    constexpr u32 lzcnt = 1 << 5;
    static const bool host_does = __builtin_cpu_supports("bmi") && host_leaf(0x80000001).ecx & lzcnt;
    return host_does && plain(i);
}
bool adds_with_one_flag(const Insn& i)
{
    constexpr u32 adx = 1 << 19;
    static const bool host_does = host_leaf(7).ebx & adx;
    return host_does && plain(i);
}
bool swaps_bytes(const Insn& i)
{
    constexpr u32 movbe = 1 << 22;
    static const bool host_does = host_leaf(1).ecx & movbe;
    return host_does && plain(i);
}
// JCXZ and LOOP, but not on a condition.
bool counted_branch(const Insn& i)
{
    constexpr u8 loop = 0xe2, jcxz = 0xe3;
    return near_branch(i) && i.address_size != 2 && (i.opcode == loop || i.opcode == jcxz);
}
bool repeated(const Insn& i)
{
    return i.prefix >= pF3 && i.address_size != 2 && !(i.flags & Insn::flag_checked);
}

MemoryUse reads_memory(const Insn& i)
{
    return {i.operand_size, Access::read};
}
MemoryUse reads_source(const Insn& i)
{
    return {u8(source_size(i)), Access::read};
}
MemoryUse writes_byte(const Insn&)
{
    return {1, Access::write};
}
// Without regard to 66, which is part of the opcode.
MemoryUse reads_by_rex(const Insn& i)
{
    return {u8(i.rex_w() ? 8 : 4), Access::read};
}
MemoryUse reads_to_check(const Insn& i)
{
    return {i.row->operands[1] == Operand::Eb ? u8(1) : i.operand_size, Access::read};
}
// A bit string is not just where its operand begins.
MemoryUse bit_memory(const Insn& i)
{
    if (i.row->operands[1] != Operand::Ib)
        return {};
    return i.row->forms == &bt_forms ? reads_memory(i) : usual_memory(i);
}
// CMPXCHG16B must be aligned.
MemoryUse exchanges_twice(const Insn& i)
{
    return {u8(2 * i.operand_size), Access::write, i.operand_size == 8};
}
MemoryUse reads_four(const Insn&)
{
    return {4, Access::read};
}
MemoryUse writes_four(const Insn&)
{
    return {4, Access::write};
}
MemoryUse no_memory(const Insn&)
{
    return {};
}

// LDMXCSR (0F AE /2) and STMXCSR (/3), with VEX or without.
bool is_mxcsr(const Insn& i)
{
    return in(OpcodeMap::map_0f, i) && i.opcode == 0xae && i.memory() && i.prefix == np && (i.modrm >> 4 & 3) == 1;
}

using B = BlockTranslator;
using W = Writes;

const std::vector<Lowering>& table()
{
    static const std::vector<Lowering> rows = [] {
        std::vector<Lowering> r{
            {&add_forms, plain_or_high, kills_all, &B::emit_alu, 0},
            {&or_forms, plain_or_high, kills_all, &B::emit_alu, 1},
            {&adc_forms, plain_or_high, adds_carry, &B::emit_alu, 2},
            {&sbb_forms, plain_or_high, adds_carry, &B::emit_alu, 3},
            {&and_forms, plain_or_high, kills_all, &B::emit_alu, 4},
            {&sub_forms, plain_or_high, kills_all, &B::emit_alu, 5},
            {&xor_forms, plain_or_high, kills_all, &B::emit_alu, 6},
            {&cmp_forms, plain_or_high, kills_all, &B::emit_alu, 7, W::nothing, reads_memory},
            {&test_forms, plain_or_high, kills_all, &B::emit_alu, 8, W::nothing, reads_memory},
            {&inc_forms, plain, all_but_carry, &B::emit_unary, 0},
            {&dec_forms, plain, all_but_carry, &B::emit_unary, 1},
            {&not_forms, plain, leaves_flags, &B::emit_unary, 2},
            {&neg_forms, plain, kills_all, &B::emit_unary, 3},
            {&rol_forms, plain, rotates, &B::emit_shift, 0},
            {&ror_forms, plain, rotates, &B::emit_shift, 1},
            {&rcl_forms, plain, rotates_through_carry, &B::emit_shift, 2},
            {&rcr_forms, plain, rotates_through_carry, &B::emit_shift, 3},
            {&shl_forms, plain, shifts, &B::emit_shift, 4},
            {&shr_forms, plain, shifts, &B::emit_shift, 5},
            {&sar_forms, plain, shifts, &B::emit_shift, 7},
            {&shld_forms, double_shift, double_shifts, &B::emit_double_shift, 0xa4},
            {&shrd_forms, double_shift, double_shifts, &B::emit_double_shift, 0xac},
            {&shld_cl_forms, double_shift, double_shifts, &B::emit_double_shift, 0xa5},
            {&shrd_cl_forms, double_shift, double_shifts, &B::emit_double_shift, 0xad},
            {&mov_forms, plain_or_high, leaves_flags, &B::emit_mov},
            {&mov_from_segment_forms, to_register, leaves_flags, &B::emit_from_segment},
            {&movnti_forms, plain, leaves_flags, &B::emit_mov},
            {&lea_forms, wide, leaves_flags, &B::emit_lea, 0, W::destination, no_memory},
            {&movzx8_forms, plain_or_high, leaves_flags, &B::emit_extend, 0xb6, W::destination, reads_source},
            {&movzx16_forms, plain, leaves_flags, &B::emit_extend, 0xb7, W::destination, reads_source},
            {&movsx8_forms, plain_or_high, leaves_flags, &B::emit_extend, 0xbe, W::destination, reads_source},
            {&movsx16_forms, plain, leaves_flags, &B::emit_extend, 0xbf, W::destination, reads_source},
            {&movsxd_forms, wide, leaves_flags, &B::emit_extend, 0x63, W::destination, reads_source},
            {&cmov_forms, plain, reads_condition, &B::emit_to_register},
            {&imul2_forms, plain, kills_all, &B::emit_to_register},
            {&bsf_forms, plain, kills_all, &B::emit_to_register},
            {&bsr_forms, plain, kills_all, &B::emit_to_register},
            {&popcnt_forms, plain, kills_all, &B::emit_to_register, 0xf3},
            {&tzcnt_forms, counts_zeros, kills_all, &B::emit_to_register, 0xf3},
            {&lzcnt_forms, counts_zeros, kills_all, &B::emit_to_register, 0xf3},
            {&adcx_forms, adds_with_one_flag, turns_carry, &B::emit_add_with_flag, 0x66, W::destination, reads_by_rex},
            {&adox_forms, adds_with_one_flag, turns_overflow, &B::emit_add_with_flag, 0xf3, W::destination, reads_by_rex},
            {&any_form<crc32_byte>, plain, leaves_flags, &B::emit_crc32, 0, W::destination, reads_to_check},
            {&any_form<crc32_wide>, plain, leaves_flags, &B::emit_crc32, 0, W::destination, reads_to_check},
            {&movbe_forms, swaps_bytes, leaves_flags, &B::emit_movbe},
            {&imul3_forms, plain, kills_all, &B::emit_imul3},
            {&mul_forms, plain, kills_all, &B::emit_multiply, 4, W::rax_rdx, reads_memory},
            {&imul_forms, plain, kills_all, &B::emit_multiply, 5, W::rax_rdx, reads_memory},
            {&div_forms, wide, kills_all, &B::emit_divide, 0, W::rax_rdx, reads_memory},
            {&idiv_forms, wide, kills_all, &B::emit_signed_divide, 0, W::rax_rdx, reads_memory},
            {&cbw_forms, always, leaves_flags, &B::emit_no_operands, 0x98, W::rax_rdx},
            {&cwd_forms, always, leaves_flags, &B::emit_no_operands, 0x99, W::rax_rdx},
            {&clc_forms, always, sets_carry, &B::emit_no_operands, 0xf8, W::nothing},
            {&stc_forms, always, sets_carry, &B::emit_no_operands, 0xf9, W::nothing},
            {&cmc_forms, always, turns_carry, &B::emit_no_operands, 0xf5, W::nothing},
            {&xchg_forms, plain, leaves_flags, &B::emit_xchg, 0, W::destination_source_rax},
            {&bswap_forms, wide, leaves_flags, &B::emit_bswap},
            {&setcc_forms, plain, reads_condition, &B::emit_setcc, 0, W::destination, writes_byte},
            {&bt_forms, bit_test, sets_carry, &B::emit_bit_test, 4, W::nothing, bit_memory},
            {&bts_forms, bit_test, sets_carry, &B::emit_bit_test, 5, W::destination, bit_memory},
            {&btr_forms, bit_test, sets_carry, &B::emit_bit_test, 6, W::destination, bit_memory},
            {&btc_forms, bit_test, sets_carry, &B::emit_bit_test, 7, W::destination, bit_memory},
            {&xadd_forms, with_memory, kills_all, &B::emit_exchange_add, 0xc0, W::destination_source_rax},
            {&cmpxchg_forms, with_memory, kills_all, &B::emit_exchange_add, 0xb0, W::destination_source_rax},
            {&cmpxchg8b_forms, exchanges_double, sets_zero, &B::emit_compare_exchange_double, 0, W::rax_rdx, exchanges_twice},
            {&cli_forms, always, leaves_flags, &B::emit_system_flag, 0xfa, W::nothing, usual_memory, true},
            {&sti_forms, always, leaves_flags, &B::emit_sti, 0, W::others, usual_memory, true},
            {&cld_forms, always, leaves_flags, &B::emit_system_flag, 0xfc, W::nothing},
            {&std_forms, always, leaves_flags, &B::emit_system_flag, 0xfd, W::nothing},
            {&clac_forms, always, leaves_flags, &B::emit_access_check, 0xca, W::others, usual_memory, true},
            {&stac_forms, always, leaves_flags, &B::emit_access_check, 0xcb, W::others, usual_memory, true},
            {&swapgs_forms, always, leaves_flags, &B::emit_swapgs, 0, W::nothing, usual_memory, true},
            {&fence_forms, always, leaves_flags, &B::emit_fence, 0, W::nothing, no_memory},
            {&pushf_forms, stack, reads_all, &B::emit_pushf, 0, W::nothing, no_memory},
            {&nop_forms, always, leaves_flags, &B::emit_nothing, 0, W::nothing, no_memory},
            {&prefetch_forms, always, leaves_flags, &B::emit_nothing, 0, W::nothing, no_memory},
            {&push_forms, stack, leaves_flags, &B::emit_push, 0, W::nothing, reads_memory},
            {&push_imm_forms, stack, leaves_flags, &B::emit_push, 0, W::nothing},
            {&pop_forms, pop_register, leaves_flags, &B::emit_pop},
            {&leave_forms, leave_frame, leaves_flags, &B::emit_leave, 0, W::others},
            {&jmp_forms, near_branch, leaves_flags, &B::emit_jmp, 0, W::nothing},
            {jcc_forms.data(), near_branch, reads_condition, &B::emit_jcc, 0, W::nothing},    // all sixteen share a row
            {&jcxz_forms, counted_branch, leaves_flags, &B::emit_counted_branch, 0, W::others},
            {&loop_forms, counted_branch, leaves_flags, &B::emit_counted_branch, 0, W::others},
            {&movs_forms, repeated, leaves_flags, &B::emit_repeated, 0xa4, W::others, no_memory},
            {&stos_forms, repeated, leaves_flags, &B::emit_repeated, 0xaa, W::others, no_memory},
            {&call_forms, near_branch, leaves_flags, &B::emit_call, 0, W::nothing},
            {&jmp_indirect_forms, near_branch, leaves_flags, &B::emit_jmp_indirect, 0, W::nothing, reads_memory},
            {&call_indirect_forms, near_branch, leaves_flags, &B::emit_call_indirect, 0, W::nothing, reads_memory},
            {&ret_forms, near_branch, leaves_flags, &B::emit_ret, 0, W::nothing},
        };
        std::ranges::sort(r, {}, &Lowering::forms);
        return r;
    }();
    return rows;
}

}

const Lowering* lowering_of(const Insn& i, u32 mode)
{
    static constexpr Lowering sse_lowering{nullptr, sse_suits, sse_flags, &B::emit_sse, 0, W::others, sse_memory};
    static constexpr Lowering vex_lowering{nullptr, always, vex_flags, &B::emit_vex, 0, W::others, vex_memory};
    static constexpr Lowering x87_lowering{nullptr, x87_suits, x87_flags, &B::emit_x87, 0, W::rax_rdx, x87_memory};
    static constexpr Lowering mmx_lowering{nullptr, mmx_suits, leaves_flags, &B::emit_mmx, 0, W::others, mmx_memory};
    static constexpr Lowering store_mxcsr_lowering{nullptr, always,     leaves_flags, &B::emit_store_mxcsr,
                                                   0,       W::nothing, writes_four};
    static constexpr Lowering load_mxcsr_lowering{nullptr, always, leaves_flags, &B::emit_load_mxcsr, 0, W::nothing, reads_four};
    if (!i.row->forms || i.handler == &undefined_opcode || i.handler == &too_long)
        return nullptr;
    if (is_mxcsr(i))
        return !(mode & (i.vex ? mode_avx : mode_sse)) || !plain(i) ? nullptr
            : i.modrm >> 3 & 1                                      ? &store_mxcsr_lowering
                                                                    : &load_mxcsr_lowering;
    if (i.row->traits & avx512)
        return nullptr;
    if (i.vex)
        return vex_suits(i, mode) ? &vex_lowering : nullptr;
    if (has_mmx_operand(i)) {
        const u32 needed = i.row->traits & sse ? mode_x87 | mode_sse : mode_x87;
        return (mode & needed) == needed && mmx_suits(i) ? &mmx_lowering : nullptr;
    }
    if (i.row->traits & sse)
        return mode & mode_sse && sse_suits(i) ? &sse_lowering : nullptr;
    if (i.row->traits & fpu || i.handler == &fwait)
        return mode & mode_x87 && x87_suits(i) ? &x87_lowering : nullptr;
    const auto& rows = table();
    const auto at = std::ranges::lower_bound(rows, i.row->forms, {}, &Lowering::forms);
    if (at == rows.end() || at->forms != i.row->forms || (at->at_cpl_0 && mode & mode_unprivileged))
        return nullptr;
    return at->suits(i) ? &*at : nullptr;
}

Stack stack_of(const Insn& i, const Lowering& lowering, unsigned address_size)
{
    const auto emit = lowering.emit;
    const auto push = [](unsigned size) { return Stack{rsp, -i32(size), {u8(size), Access::write}, -i32(size)}; };
    const auto pop = [](unsigned size, i32 more) { return Stack{rsp, 0, {u8(size), Access::read}, i32(size) + more}; };
    if (emit == &B::emit_push || emit == &B::emit_pushf)
        return push(i.operand_size);
    if (emit == &B::emit_call || emit == &B::emit_call_indirect)
        return push(address_size);
    if (emit == &B::emit_pop)
        return pop(i.operand_size, 0);
    if (emit == &B::emit_ret)
        return pop(address_size, u16(i.imm));
    if (emit == &B::emit_leave)
        return {rbp, 0, {i.operand_size, Access::read}, 0};
    return {};
}

u32 registers_written(const Insn& i, const Lowering& lowering)
{
    using enum Operand;
    constexpr u32 all = 0xffff, rax_bit = 1 << rax, rcx_bit = 1 << rcx, rdx_bit = 1 << rdx;
    const u32 destination = place_of(i, 0) == Place::reg ? 1u << (i.dst >> 3) : 0;
    switch (lowering.writes) {
    case Writes::nothing:
        return 0;
    case Writes::destination:
        return destination;
    case Writes::destination_source_rax:
        return destination | 1u << (i.src >> 3) | rax_bit;
    case Writes::rax_rdx:
        return rax_bit | rdx_bit;
    case Writes::others:
        break;
    }
    if (!i.vex && !(i.row->traits & (sse | mmx)))
        return all;
    // PCMPESTRI and PCMPISTRI write RCX; the others what their row begins with, and MULX vvvv too.
    const Operand first = i.row->operands[0];
    constexpr u8 pcmpestri = 0x61, pcmpistri = 0x63;
    if (first == V || first == W || first == U || first == M)
        return in(OpcodeMap::map_0f3a, i) && (i.opcode == pcmpestri || i.opcode == pcmpistri) ? rcx_bit : 0;
    if (first == P || first == Q || first == N || first == none)
        return 0;
    return 1u << i.reg | 1u << i.rm | 1u << i.vvvv;
}

FlagUse flag_use(const Insn& i, const Lowering* lowering)
{
    return lowering ? lowering->flags(i) : FlagUse{all_flags, 0, true};
}

bool adds_constant(const Insn& i, unsigned size, i64& added)
{
    if (place_of(i, 0) != Place::reg || i.operand_size != size)
        return false;
    const auto* const f = i.row->forms;
    const bool immediate = place_of(i, 1) == Place::imm;
    if (f == &add_forms && immediate)
        added = i64(i.imm);
    else if (f == &sub_forms && immediate)
        added = -i64(i.imm);
    else if (f == &inc_forms || f == &dec_forms)
        added = f == &inc_forms ? 1 : -1;
    else if (f == &lea_forms && i.base == i.dst >> 3 && i.index == gpr_zero && i.address_size == size)
        added = i.disp;
    else
        return false;
    return added > -most_added && added < most_added;
}

}
