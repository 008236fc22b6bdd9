// The VEX rows of map 0F 3A, in the order of sse_tables_0f3a.cpp, whose operations they share.
#include "engine/cpu/x86/vex_tables.h"

#include "engine/cpu/x86/avx_handlers.h"
#include "engine/cpu/x86/evex.h"
#include "engine/cpu/x86/handlers.h"

namespace engine::x86 {

using enum Operand;
using namespace host;

namespace {

// clang-format off
constexpr Opcode map_0f3a[] = {
    {p66, 0x08, 0x08, {"vroundps", {V, W, Ib}, &vex::any<packed_float<roundps>>, avx}},
    {p66, 0x09, 0x09, {"vroundpd", {V, W, Ib}, &vex::any<packed_float<roundpd>>, avx}},
    {p66, 0x0a, 0x0a, {"vroundss", {V, H, W, Ib}, &vex::any<packed_float<roundss, Rounded::none, u32>>, avx}},
    {p66, 0x0b, 0x0b, {"vroundsd", {V, H, W, Ib}, &vex::any<packed_float<roundsd, Rounded::none, u64>>, avx}},
    {p66, 0x0c, 0x0c, {"vblendps", {V, H, W, Ib}, &vex::any<packed<blendps, Xmm, 4>>, avx}},
    {p66, 0x0d, 0x0d, {"vblendpd", {V, H, W, Ib}, &vex::any<packed<blendpd, Xmm, 2>>, avx}},
    {p66, 0x0e, 0x0e, {"vpblendw", {V, H, W, Ib}, &vex::any<packed<pblendw>>, avx}},
    {p66, 0x0f, 0x0f, {"vpalignr", {V, H, W, Ib}, &vex::any<packed<palignr>>, avx}},
    {p66, 0x14, 0x14, {"vpextrb", {Ed, V, Ib}, &vex::l0<pextrb>, avx}},
    {p66, 0x15, 0x15, {"vpextrw", {Ed, V, Ib}, &vex::l0<pextrw>, avx}},
    {p66, 0x16, 0x16, {"vpextrd", {Ey, V, Ib}, &vex::l0<pextrd>, avx}},
    {p66, 0x17, 0x17, {"vextractps", {Ed, V, Ib}, &vex::l0<extractps>, avx}},
    {p66, 0x20, 0x20, {"vpinsrb", {V, H, Ed, Ib}, &vex::l0<pinsrb>, avx}},
    {p66, 0x21, 0x21, {"vinsertps", {V, H, W, Ib}, &vex::l0<insertps>, avx}},
    {p66, 0x22, 0x22, {"vpinsrd", {V, H, Ey, Ib}, &vex::l0<pinsrd>, avx}},
    {p66, 0x40, 0x40, {"vdpps", {V, H, W, Ib}, &vex::any<dpps>, avx}},
    {p66, 0x41, 0x41, {"vdppd", {V, H, W, Ib}, &vex::l0<dppd>, avx}},
    {p66, 0x42, 0x42, {"vmpsadbw", {V, H, W, Ib}, &vex::any<packed<mpsadbw, Xmm, 3>>, avx}},
    {p66, 0x44, 0x44, {"vpclmulqdq", {V, H, W, Ib}, &vex::any<packed<pclmulqdq>>, avx}},
    {p66, 0x60, 0x60, {"vpcmpestrm", {V, W, Ib}, &vex::l0<pcmpestrm>, avx}},
    {p66, 0x61, 0x61, {"vpcmpestri", {V, W, Ib}, &vex::l0<pcmpestri>, avx}},
    {p66, 0x62, 0x62, {"vpcmpistrm", {V, W, Ib}, &vex::l0<pcmpistrm>, avx}},
    {p66, 0x63, 0x63, {"vpcmpistri", {V, W, Ib}, &vex::l0<pcmpistri>, avx}},
    {p66, 0xdf, 0xdf, {"vaeskeygenassist", {V, W, Ib}, &vex::l0<packed<aeskeygenassist>>, avx}},
    // AVX.
    {p66, 0x04, 0x04, {"vpermilps", {V, W, Ib}, &vex::w0<packed<pshufd>>, avx}},
    {p66, 0x05, 0x05, {"vpermilpd", {V, W, Ib}, &vex::w0<packed<vpermilpd_constant, Xmm, 2>>, avx}},
    {p66, 0x06, 0x06, {"vperm2f128", {V, H, W, Ib}, &vex::l1_w0<vperm2_128>, avx}},
    {p66, 0x18, 0x18, {"vinsertf128", {V, H, W, Ib}, &vex::l1_w0<vinsert_128>, avx}},
    {p66, 0x19, 0x19, {"vextractf128", {W, V, Ib}, &vex::l1_w0<vextract_128>, avx}},
    {p66, 0x4a, 0x4a, {"vblendvps", {V, H, W, L}, &vex::w0<vblendvps>, avx}},
    {p66, 0x4b, 0x4b, {"vblendvpd", {V, H, W, L}, &vex::w0<vblendvpd>, avx}},
    {p66, 0x4c, 0x4c, {"vpblendvb", {V, H, W, L}, &vex::w0<vpblendvb>, avx}},
    // AVX2.
    {p66, 0x00, 0x00, {"vpermq", {V, W, Ib}, &vex::l1_w1<vpermq>, avx}},
    {p66, 0x01, 0x01, {"vpermpd", {V, W, Ib}, &vex::l1_w1<vpermq>, avx}},
    {p66, 0x02, 0x02, {"vpblendd", {V, H, W, Ib}, &vex::w0<packed<blendps, Xmm, 4>>, avx}},
    {p66, 0x38, 0x38, {"vinserti128", {V, H, W, Ib}, &vex::l1_w0<vinsert_128>, avx}},
    {p66, 0x39, 0x39, {"vextracti128", {W, V, Ib}, &vex::l1_w0<vextract_128>, avx}},
    {p66, 0x46, 0x46, {"vperm2i128", {V, H, W, Ib}, &vex::l1_w0<vperm2_128>, avx}},
    // F16C.
    {p66, 0x1d, 0x1d, {"vcvtps2ph", {W, V, Ib}, &vex::w0<halves_from_singles>, avx}},
    // BMI2.
    {pF2, 0xf0, 0xf0, {"rorx", {Gy, Ey, Ib}, &rorx_forms}},
    // Opmasks: bytes and doublewords, words and quadwords by W.
    {p66, 0x30, 0x30, {"kshiftr", {KV, KU, Ib}, &vex::l0<opmask_general>, avx512}},
    {p66, 0x31, 0x31, {"kshiftr", {KV, KU, Ib}, &vex::l0<opmask_general>, avx512}},
    {p66, 0x32, 0x32, {"kshiftl", {KV, KU, Ib}, &vex::l0<opmask_general>, avx512}},
    {p66, 0x33, 0x33, {"kshiftl", {KV, KU, Ib}, &vex::l0<opmask_general>, avx512}},
};
// clang-format on

}

std::span<const Opcode> vex_opcodes_0f3a()
{
    return map_0f3a;
}

}
