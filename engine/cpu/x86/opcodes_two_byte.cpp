// The 0F map without MMX and SSE, and what stands in the register forms of its groups. SDM vol. 2, table A-3.

#include "engine/cpu/x86/decoder.h"
#include "engine/cpu/x86/handlers.h"
#include "engine/cpu/x86/sse_tables.h"
#include "engine/cpu/x86/protection_keys.h"
#include "engine/cpu/x86/xsave.h"

namespace engine::x86 {

namespace {

using enum Operand;

// clang-format off
constexpr Row group_6[8] = {
    {"sldt", {Ev}, &sldt_forms, not_in_real}, {"str", {Ev}, &str_forms, not_in_real},
    {"lldt", {Ew}, &lldt_forms, not_in_real | privileged | ends_block}, {"ltr", {Ew}, &ltr_forms, not_in_real | privileged | ends_block},
    {"verr", {Ew}, &verr_forms, not_in_real}, {"verw", {Ew}, &verw_forms, not_in_real}, {}, {},
};
constexpr Row group_7[8] = {
    {"sgdt", {M}, &sgdt_forms}, {"sidt", {M}, &sidt_forms}, {"lgdt", {M}, &lgdt_forms, privileged}, {"lidt", {M}, &lidt_forms, privileged},
    {"smsw", {Ev}, &smsw_forms}, {}, {"lmsw", {Ew}, &lmsw_forms, privileged | ends_block}, {"invlpg", {M}, &invlpg_forms, privileged | ends_block},
};
constexpr Row group_8[8] = {
    {}, {}, {}, {}, {"bt", {Ev, Ib}, &bt_forms, 0, nullptr, 0x894}, {"bts", {Ev, Ib}, &bts_forms, lockable, nullptr, 0x894},
    {"btr", {Ev, Ib}, &btr_forms, lockable, nullptr, 0x894}, {"btc", {Ev, Ib}, &btc_forms, lockable, nullptr, 0x894},
};
constexpr Row group_9[8] = {{}, {"cmpxchg8b", {M}, &cmpxchg8b_forms, lockable}, {}, {}, {}, {}, {}, {}};
constexpr Row group_9_np[8] = {
    {}, {"cmpxchg8b", {M}, &cmpxchg8b_forms, lockable}, {}, {"xrstors", {M}, &any_form<&xrstors>, ends_block},
    {"xsavec", {M}, &any_form<&xsavec>}, {"xsaves", {M}, &any_form<&xsaves>}, {}, {}};
constexpr Row group_15[8] = {
    {"fxsave", {M}, &any_form<&fxsave>}, {"fxrstor", {M}, &any_form<&fxrstor>, ends_block},
    {"ldmxcsr", {M}, &any_form<&ldmxcsr>, ends_block}, {"stmxcsr", {M}, &any_form<&stmxcsr>}, {"xsave", {M}, &any_form<&xsave>},
    {"xrstor", {M}, &any_form<&xrstor>, ends_block}, {"xsaveopt", {M}, &any_form<&xsaveopt>}, {"clflush", {M}, &clflush_forms},
};
constexpr Row group_15_66[8] = {{}, {}, {}, {}, {}, {}, {"clwb", {M}, &clflush_forms}, {"clflushopt", {M}, &clflush_forms}};
// Their rows are all register forms.
constexpr Row group_15_f3[8] = {};

constexpr Row swapgs_row{"swapgs", {}, &swapgs_forms, has_modrm | only_in_64 | privileged};
constexpr Row rdtscp_row{"rdtscp", {}, &rdtscp_forms, has_modrm};
constexpr Row clac_row{"clac", {}, &clac_forms, has_modrm | privileged};
constexpr Row stac_row{"stac", {}, &stac_forms, has_modrm | privileged};
constexpr Row xgetbv_row{"xgetbv", {}, &any_form<&xgetbv>, has_modrm};
constexpr Row xsetbv_row{"xsetbv", {}, &any_form<&xsetbv>, has_modrm | privileged | ends_block};
constexpr Row rdpkru_row{"rdpkru", {}, &any_form<&rdpkru>, has_modrm};
constexpr Row wrpkru_row{"wrpkru", {}, &any_form<&wrpkru>, has_modrm | ends_block};
constexpr Row serialize_row{"serialize", {}, &serialize_forms, has_modrm | ends_block};
constexpr Row fence_row{"fence", {}, &fence_forms, has_modrm};
constexpr Row rdrand_row{"rdrand", {Ev}, &rdrand_forms}, rdseed_row{"rdseed", {Ev}, &rdrand_forms};
constexpr Row rdpid_row{"rdpid", {Eq}, &rdpid_forms};
constexpr Row fs_gs_base[4] = {
    {"rdfsbase", {Ey}, &rdfsbase_forms, only_in_64}, {"rdgsbase", {Ey}, &rdgsbase_forms, only_in_64},
    {"wrfsbase", {Ey}, &wrfsbase_forms, only_in_64 | ends_block}, {"wrgsbase", {Ey}, &wrgsbase_forms, only_in_64 | ends_block},
};
constexpr Row smsw_row{"smsw", {Ev}, &smsw_forms};
constexpr Row lmsw_row{"lmsw", {Ew}, &lmsw_forms, privileged | ends_block};

constexpr Opcode list[] = {
    {any_prefix, 0x00, 0x00, {"group 6", {Ev}, nullptr, 0, group_6}}, {any_prefix, 0x01, 0x01, {"group 7", {Ev}, nullptr, 0, group_7}},
    {any_prefix, 0x02, 0x02, {"lar", {Gv, Ew}, &lar_forms, not_in_real}}, {any_prefix, 0x03, 0x03, {"lsl", {Gv, Ew}, &lsl_forms, not_in_real}},
    {any_prefix, 0x05, 0x05, {"syscall", {}, &syscall_forms, ends_block}}, {any_prefix, 0x06, 0x06, {"clts", {}, &clts_forms, privileged | ends_block}},
    {any_prefix, 0x07, 0x07, {"sysret", {}, &sysret_forms, ends_block}},
    {any_prefix, 0x08, 0x09, {"wbinvd", {}, &wbinvd_forms, privileged}}, {any_prefix, 0x0b, 0x0b, {"ud2", {}, &ud_forms, ends_block}},
    {any_prefix, 0x0d, 0x0d, {"prefetchw", {Eb}, &prefetch_forms}}, {any_prefix, 0x18, 0x1f, {"nop", {Ev}, &nop_forms}},
    {any_prefix, 0x20, 0x20, {"mov", {Eq, Cd}, &mov_from_cr_forms, privileged | ignores_mod}}, {any_prefix, 0x21, 0x21, {"mov", {Eq, Dd}, &mov_from_dr_forms, privileged | ignores_mod}},
    {any_prefix, 0x22, 0x22, {"mov", {Cd, Eq}, &mov_to_cr_forms, privileged | ignores_mod | ends_block}}, {any_prefix, 0x23, 0x23, {"mov", {Dd, Eq}, &mov_to_dr_forms, privileged | ignores_mod | ends_block}},
    {any_prefix, 0x30, 0x30, {"wrmsr", {}, &wrmsr_forms, privileged | ends_block}}, {any_prefix, 0x31, 0x31, {"rdtsc", {}, &rdtsc_forms}},
    {any_prefix, 0x32, 0x32, {"rdmsr", {}, &rdmsr_forms, privileged}}, {any_prefix, 0x33, 0x33, {"rdpmc", {}, &rdpmc_forms}},
    {any_prefix, 0x34, 0x34, {"sysenter", {}, &sysenter_forms, ends_block}}, {any_prefix, 0x35, 0x35, {"sysexit", {}, &sysexit_forms, ends_block}},
    {any_prefix, 0x40, 0x4f, {"cmov", {Gv, Ev}, &cmov_forms}},
    {any_prefix, 0x80, 0x8f, {"jcc", {Jz}, jcc_forms.data(), forced_64}}, {any_prefix, 0x90, 0x9f, {"setcc", {Eb}, &setcc_forms}},
    {any_prefix, 0xa0, 0xa0, {"push fs", {}, &push_segment_forms, defaults_to_64}}, {any_prefix, 0xa1, 0xa1, {"pop fs", {}, &pop_segment_forms, defaults_to_64 | ends_block}},
    {any_prefix, 0xa8, 0xa8, {"push gs", {}, &push_segment_forms, defaults_to_64}}, {any_prefix, 0xa9, 0xa9, {"pop gs", {}, &pop_segment_forms, defaults_to_64 | ends_block}},
    {any_prefix, 0xa2, 0xa2, {"cpuid", {}, &cpuid_forms}}, {any_prefix, 0xaa, 0xaa, {"rsm", {}, &rsm_forms, ends_block}},
    {any_prefix, 0xa3, 0xa3, {"bt", {Ev, Gv}, &bt_forms, 0, nullptr, 0x894}}, {any_prefix, 0xab, 0xab, {"bts", {Ev, Gv}, &bts_forms, lockable, nullptr, 0x894}},
    {any_prefix, 0xb3, 0xb3, {"btr", {Ev, Gv}, &btr_forms, lockable, nullptr, 0x894}}, {any_prefix, 0xbb, 0xbb, {"btc", {Ev, Gv}, &btc_forms, lockable, nullptr, 0x894}},
    {any_prefix, 0xba, 0xba, {"group 8", {Ev}, nullptr, 0, group_8}},
    {any_prefix, 0xa4, 0xa4, {"shld", {Ev, Gv, Ib}, &shld_forms, 0, nullptr, 0x810}}, {any_prefix, 0xa5, 0xa5, {"shld", {Ev, Gv, CL}, &shld_cl_forms, 0, nullptr, 0x810}},
    {any_prefix, 0xac, 0xac, {"shrd", {Ev, Gv, Ib}, &shrd_forms, 0, nullptr, 0x810}}, {any_prefix, 0xad, 0xad, {"shrd", {Ev, Gv, CL}, &shrd_cl_forms, 0, nullptr, 0x810}},
    {np, 0xae, 0xae, {"group 15", {Ev}, nullptr, 0, group_15}}, {p66, 0xae, 0xae, {"group 15", {Ev}, nullptr, 0, group_15_66}},
    {pF3, 0xae, 0xae, {"group 15", {Ev}, nullptr, 0, group_15_f3}}, {any_prefix, 0xaf, 0xaf, {"imul", {Gv, Ev}, &imul2_forms, 0, nullptr, 0xd4}},
    {any_prefix, 0xb0, 0xb0, {"cmpxchg", {Eb, Gb}, &cmpxchg_forms, lockable}}, {any_prefix, 0xb1, 0xb1, {"cmpxchg", {Ev, Gv}, &cmpxchg_forms, lockable}},
    {any_prefix, 0xb2, 0xb2, {"lss", {Gv, M}, &lds_forms, ends_block}}, {any_prefix, 0xb4, 0xb4, {"lfs", {Gv, M}, &lds_forms, ends_block}},
    {any_prefix, 0xb5, 0xb5, {"lgs", {Gv, M}, &lds_forms, ends_block}},
    {any_prefix, 0xb6, 0xb6, {"movzx", {Gv, Eb}, &movzx8_forms}}, {any_prefix, 0xb7, 0xb7, {"movzx", {Gv, Ew}, &movzx16_forms}},
    {any_prefix, 0xbe, 0xbe, {"movsx", {Gv, Eb}, &movsx8_forms}}, {any_prefix, 0xbf, 0xbf, {"movsx", {Gv, Ew}, &movsx16_forms}},
    {pF3, 0xb8, 0xb8, {"popcnt", {Gv, Ev}, &popcnt_forms}}, {any_prefix, 0xb9, 0xb9, {"ud1", {Gv, Ev}, &ud_forms, ends_block}},
    {np, 0xbc, 0xbc, {"bsf", {Gv, Ev}, &bsf_forms, 0, nullptr, 0x895}}, {p66, 0xbc, 0xbc, {"bsf", {Gv, Ev}, &bsf_forms, 0, nullptr, 0x895}},
    {pF2, 0xbc, 0xbc, {"bsf", {Gv, Ev}, &bsf_forms, 0, nullptr, 0x895}}, {pF3, 0xbc, 0xbc, {"tzcnt", {Gv, Ev}, &tzcnt_forms, 0, nullptr, 0x894}},
    {np, 0xbd, 0xbd, {"bsr", {Gv, Ev}, &bsr_forms, 0, nullptr, 0x895}}, {p66, 0xbd, 0xbd, {"bsr", {Gv, Ev}, &bsr_forms, 0, nullptr, 0x895}},
    {pF2, 0xbd, 0xbd, {"bsr", {Gv, Ev}, &bsr_forms, 0, nullptr, 0x895}}, {pF3, 0xbd, 0xbd, {"lzcnt", {Gv, Ev}, &lzcnt_forms, 0, nullptr, 0x894}},
    {any_prefix, 0xc0, 0xc0, {"xadd", {Eb, Gb}, &xadd_forms, lockable}}, {any_prefix, 0xc1, 0xc1, {"xadd", {Ev, Gv}, &xadd_forms, lockable}},
    {np, 0xc3, 0xc3, {"movnti", {M, Gy}, &movnti_forms}},
    {np, 0xc7, 0xc7, {"group 9", {Ev}, nullptr, 0, group_9_np}}, {p66, 0xc7, 0xc7, {"group 9", {Ev}, nullptr, 0, group_9}},
    {pF3, 0xc7, 0xc7, {"group 9", {Ev}, nullptr, 0, group_9}}, {pF2, 0xc7, 0xc7, {"group 9", {Ev}, nullptr, 0, group_9}},
    {any_prefix, 0xc8, 0xcf, {"bswap", {Zv}, &bswap_forms}}, {any_prefix, 0xff, 0xff, {"ud0", {Gv, Ev}, &ud_forms, ends_block}},
};

constexpr Opcode list_38[] = {
    {np, 0xf0, 0xf0, {"movbe", {Gv, M}, &movbe_forms}}, {p66, 0xf0, 0xf0, {"movbe", {Gv, M}, &movbe_forms}},
    {np, 0xf1, 0xf1, {"movbe", {M, Gv}, &movbe_forms}}, {p66, 0xf1, 0xf1, {"movbe", {M, Gv}, &movbe_forms}},
    {p66, 0xf6, 0xf6, {"adcx", {Gy, Ey}, &adcx_forms}}, {pF3, 0xf6, 0xf6, {"adox", {Gy, Ey}, &adox_forms}},
    {p66, 0x82, 0x82, {"invpcid", {Gy, M}, &invpcid_forms, not_in_real | privileged | ends_block}},
};
// clang-format on

const Row* row_0f01(Prefix prefix, u8 modrm)
{
    switch (modrm) {
    case 0xd0:
        return prefix == np ? &xgetbv_row : nullptr;
    case 0xd1:
        return prefix == np ? &xsetbv_row : nullptr;
    case 0xca:
        return &clac_row;
    case 0xcb:
        return &stac_row;
    case 0xe8:
        return prefix == np ? &serialize_row : nullptr;
    case 0xee:
        return prefix == np ? &rdpkru_row : nullptr;
    case 0xef:
        return prefix == np ? &wrpkru_row : nullptr;
    case 0xf8:
        return &swapgs_row;
    case 0xf9:
        return &rdtscp_row;
    default:
        break;
    }
    const unsigned reg = modrm >> 3 & 7;
    return reg == 4 ? &smsw_row : reg == 6 ? &lmsw_row : nullptr;
}

}

std::span<const Opcode> two_byte_opcodes()
{
    return list;
}

std::span<const Opcode> map_0f38_opcodes()
{
    return list_38;
}

const Row* register_only_row(u8 opcode, Prefix prefix, u8 modrm)
{
    const unsigned reg = modrm >> 3 & 7;
    if (opcode == 0x01)
        return row_0f01(prefix, modrm);
    if (opcode == 0xae)
        return prefix == pF3 ? (reg < 4 ? &fs_gs_base[reg] : nullptr) : prefix == np && reg >= 5 ? &fence_row : nullptr;
    if (opcode == 0xc7 && prefix == pF3)
        return reg == 7 ? &rdpid_row : nullptr;
    if (opcode == 0xc7 && prefix != pF2)
        return reg == 6 ? &rdrand_row : reg == 7 ? &rdseed_row : nullptr;
    return nullptr;
}

}
