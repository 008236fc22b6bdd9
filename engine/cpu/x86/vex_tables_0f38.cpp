// The VEX rows of map 0F 38, in the order of sse_tables_0f38.cpp, whose operations they share.
#include "engine/cpu/x86/vex_tables.h"

#include "engine/cpu/x86/avx_handlers.h"
#include "engine/cpu/x86/handlers.h"

namespace engine::x86 {

using enum Operand;
using namespace host;

namespace {

// clang-format off
constexpr Row group_17[8] = {
    {},
    {"blsr", {By, Ey}, &blsr_forms, 0, nullptr, 0x14},
    {"blsmsk", {By, Ey}, &blsmsk_forms, 0, nullptr, 0x14},
    {"blsi", {By, Ey}, &blsi_forms, 0, nullptr, 0x14},
    {},
    {},
    {},
    {},
};

constexpr Opcode map_0f38[] = {
    {p66, 0x00, 0x00, {"vpshufb", {V, H, W}, &vex::any<packed<pshufb>>, avx}},
    {p66, 0x01, 0x01, {"vphaddw", {V, H, W}, &vex::any<packed<phaddw>>, avx}},
    {p66, 0x02, 0x02, {"vphaddd", {V, H, W}, &vex::any<packed<phaddd>>, avx}},
    {p66, 0x03, 0x03, {"vphaddsw", {V, H, W}, &vex::any<packed<phaddsw>>, avx}},
    {p66, 0x04, 0x04, {"vpmaddubsw", {V, H, W}, &vex::any<packed<pmaddubsw>>, avx}},
    {p66, 0x05, 0x05, {"vphsubw", {V, H, W}, &vex::any<packed<phsubw>>, avx}},
    {p66, 0x06, 0x06, {"vphsubd", {V, H, W}, &vex::any<packed<phsubd>>, avx}},
    {p66, 0x07, 0x07, {"vphsubsw", {V, H, W}, &vex::any<packed<phsubsw>>, avx}},
    {p66, 0x08, 0x08, {"vpsignb", {V, H, W}, &vex::any<packed<psignb>>, avx}},
    {p66, 0x09, 0x09, {"vpsignw", {V, H, W}, &vex::any<packed<psignw>>, avx}},
    {p66, 0x0a, 0x0a, {"vpsignd", {V, H, W}, &vex::any<packed<psignd>>, avx}},
    {p66, 0x0b, 0x0b, {"vpmulhrsw", {V, H, W}, &vex::any<packed<pmulhrsw>>, avx}},
    {p66, 0x1c, 0x1c, {"vpabsb", {V, W}, &vex::any<packed<pabsb>>, avx}},
    {p66, 0x1d, 0x1d, {"vpabsw", {V, W}, &vex::any<packed<pabsw>>, avx}},
    {p66, 0x1e, 0x1e, {"vpabsd", {V, W}, &vex::any<packed<pabsd>>, avx}},
    {p66, 0x17, 0x17, {"vptest", {V, W}, &vex::any<ptest>, avx}},
    {p66, 0x20, 0x20, {"vpmovsxbw", {V, W}, &vex::any<packed<pmovsxbw, Widening<8>>>, avx}},
    {p66, 0x21, 0x21, {"vpmovsxbd", {V, W}, &vex::any<packed<pmovsxbd, Widening<4>>>, avx}},
    {p66, 0x22, 0x22, {"vpmovsxbq", {V, W}, &vex::any<packed<pmovsxbq, Widening<2>>>, avx}},
    {p66, 0x23, 0x23, {"vpmovsxwd", {V, W}, &vex::any<packed<pmovsxwd, Widening<8>>>, avx}},
    {p66, 0x24, 0x24, {"vpmovsxwq", {V, W}, &vex::any<packed<pmovsxwq, Widening<4>>>, avx}},
    {p66, 0x25, 0x25, {"vpmovsxdq", {V, W}, &vex::any<packed<pmovsxdq, Widening<8>>>, avx}},
    {p66, 0x30, 0x30, {"vpmovzxbw", {V, W}, &vex::any<packed<pmovzxbw, Widening<8>>>, avx}},
    {p66, 0x31, 0x31, {"vpmovzxbd", {V, W}, &vex::any<packed<pmovzxbd, Widening<4>>>, avx}},
    {p66, 0x32, 0x32, {"vpmovzxbq", {V, W}, &vex::any<packed<pmovzxbq, Widening<2>>>, avx}},
    {p66, 0x33, 0x33, {"vpmovzxwd", {V, W}, &vex::any<packed<pmovzxwd, Widening<8>>>, avx}},
    {p66, 0x34, 0x34, {"vpmovzxwq", {V, W}, &vex::any<packed<pmovzxwq, Widening<4>>>, avx}},
    {p66, 0x35, 0x35, {"vpmovzxdq", {V, W}, &vex::any<packed<pmovzxdq, Widening<8>>>, avx}},
    {p66, 0x28, 0x28, {"vpmuldq", {V, H, W}, &vex::any<packed<pmuldq>>, avx}},
    {p66, 0x29, 0x29, {"vpcmpeqq", {V, H, W}, &vex::any<packed<pcmpeqq>>, avx}},
    {p66, 0x2a, 0x2a, {"vmovntdqa", {V, M}, &vex::any<load_vector>, avx | aligned_16}},
    {p66, 0x2b, 0x2b, {"vpackusdw", {V, H, W}, &vex::any<packed<packusdw>>, avx}},
    {p66, 0x37, 0x37, {"vpcmpgtq", {V, H, W}, &vex::any<packed<pcmpgtq>>, avx}},
    {p66, 0x38, 0x38, {"vpminsb", {V, H, W}, &vex::any<packed<pminsb>>, avx}},
    {p66, 0x39, 0x39, {"vpminsd", {V, H, W}, &vex::any<packed<pminsd>>, avx}},
    {p66, 0x3a, 0x3a, {"vpminuw", {V, H, W}, &vex::any<packed<pminuw>>, avx}},
    {p66, 0x3b, 0x3b, {"vpminud", {V, H, W}, &vex::any<packed<pminud>>, avx}},
    {p66, 0x3c, 0x3c, {"vpmaxsb", {V, H, W}, &vex::any<packed<pmaxsb>>, avx}},
    {p66, 0x3d, 0x3d, {"vpmaxsd", {V, H, W}, &vex::any<packed<pmaxsd>>, avx}},
    {p66, 0x3e, 0x3e, {"vpmaxuw", {V, H, W}, &vex::any<packed<pmaxuw>>, avx}},
    {p66, 0x3f, 0x3f, {"vpmaxud", {V, H, W}, &vex::any<packed<pmaxud>>, avx}},
    {p66, 0x40, 0x40, {"vpmulld", {V, H, W}, &vex::any<packed<pmulld>>, avx}},
    {p66, 0x41, 0x41, {"vphminposuw", {V, W}, &vex::l0<packed<phminposuw>>, avx}},
    {p66, 0xdb, 0xdb, {"vaesimc", {V, W}, &vex::l0<packed<aesimc>>, avx}},
    {p66, 0xdc, 0xdc, {"vaesenc", {V, H, W}, &vex::any<packed<aesenc>>, avx}},
    {p66, 0xdd, 0xdd, {"vaesenclast", {V, H, W}, &vex::any<packed<aesenclast>>, avx}},
    {p66, 0xde, 0xde, {"vaesdec", {V, H, W}, &vex::any<packed<aesdec>>, avx}},
    {p66, 0xdf, 0xdf, {"vaesdeclast", {V, H, W}, &vex::any<packed<aesdeclast>>, avx}},
    // AVX.
    {p66, 0x0c, 0x0c, {"vpermilps", {V, H, W}, &vex::w0<packed<vpermilps>>, avx}},
    {p66, 0x0d, 0x0d, {"vpermilpd", {V, H, W}, &vex::w0<packed<vpermilpd>>, avx}},
    {p66, 0x0e, 0x0e, {"vtestps", {V, W}, &vex::w0<vtestps>, avx}},
    {p66, 0x0f, 0x0f, {"vtestpd", {V, W}, &vex::w0<vtestpd>, avx}},
    {p66, 0x18, 0x18, {"vbroadcastss", {V, W}, &vex::w0<vbroadcast_32>, avx}},
    {p66, 0x19, 0x19, {"vbroadcastsd", {V, W}, &vex::l1_w0<vbroadcast_64>, avx}},
    {p66, 0x1a, 0x1a, {"vbroadcastf128", {V, M}, &vex::l1_w0<vbroadcast_128>, avx}},
    {p66, 0x2c, 0x2c, {"vmaskmovps", {V, H, M}, &vex::w0<vmask_load_32>, avx}},
    {p66, 0x2d, 0x2d, {"vmaskmovpd", {V, H, M}, &vex::w0<vmask_load_64>, avx}},
    {p66, 0x2e, 0x2e, {"vmaskmovps", {M, H, V}, &vex::w0<vmask_store_32>, avx}},
    {p66, 0x2f, 0x2f, {"vmaskmovpd", {M, H, V}, &vex::w0<vmask_store_64>, avx}},
    // AVX2.
    {p66, 0x16, 0x16, {"vpermps", {V, H, W}, &vex::l1_w0<vpermd>, avx}},
    {p66, 0x36, 0x36, {"vpermd", {V, H, W}, &vex::l1_w0<vpermd>, avx}},
    {p66, 0x45, 0x45, {"vpsrlv", {V, H, W}, &vex::by_w<packed<vpsrlvd>, packed<vpsrlvq>>, avx}},
    {p66, 0x46, 0x46, {"vpsravd", {V, H, W}, &vex::w0<packed<vpsravd>>, avx}},
    {p66, 0x47, 0x47, {"vpsllv", {V, H, W}, &vex::by_w<packed<vpsllvd>, packed<vpsllvq>>, avx}},
    {p66, 0x58, 0x58, {"vpbroadcastd", {V, W}, &vex::w0<vbroadcast_32>, avx}},
    {p66, 0x59, 0x59, {"vpbroadcastq", {V, W}, &vex::w0<vbroadcast_64>, avx}},
    {p66, 0x5a, 0x5a, {"vbroadcasti128", {V, M}, &vex::l1_w0<vbroadcast_128>, avx}},
    {p66, 0x78, 0x78, {"vpbroadcastb", {V, W}, &vex::w0<vbroadcast_8>, avx}},
    {p66, 0x79, 0x79, {"vpbroadcastw", {V, W}, &vex::w0<vbroadcast_16>, avx}},
    {p66, 0x8c, 0x8c, {"vpmaskmov", {V, H, M}, &vex::by_w<vmask_load_32, vmask_load_64>, avx}},
    {p66, 0x8e, 0x8e, {"vpmaskmov", {M, H, V}, &vex::by_w<vmask_store_32, vmask_store_64>, avx}},
    {p66, 0x90, 0x90, {"vpgatherd", {V, M, H}, &vex::by_w<vgather_32_by_32, vgather_64_by_32>, avx | vsib}},
    {p66, 0x91, 0x91, {"vpgatherq", {V, M, H}, &vex::by_w<vgather_32_by_64, vgather_64_by_64>, avx | vsib}},
    {p66, 0x92, 0x92, {"vgatherdp", {V, M, H}, &vex::by_w<vgather_32_by_32, vgather_64_by_32>, avx | vsib}},
    {p66, 0x93, 0x93, {"vgatherqp", {V, M, H}, &vex::by_w<vgather_32_by_64, vgather_64_by_64>, avx | vsib}},
    // F16C and FMA; VEX.W chooses between singles and doubles.
    {p66, 0x13, 0x13, {"vcvtph2ps", {V, W}, &vex::w0<singles_from_halves>, avx}},
    {p66, 0x96, 0x96, {"vfmaddsub132p", {V, H, W}, &vex::by_w<fused<vfmaddsub132ps, Rounded::ps>, fused<vfmaddsub132pd, Rounded::pd>>, avx}},
    {p66, 0x97, 0x97, {"vfmsubadd132p", {V, H, W}, &vex::by_w<fused<vfmsubadd132ps, Rounded::ps>, fused<vfmsubadd132pd, Rounded::pd>>, avx}},
    {p66, 0x98, 0x98, {"vfmadd132p", {V, H, W}, &vex::by_w<fused<vfmadd132ps, Rounded::ps>, fused<vfmadd132pd, Rounded::pd>>, avx}},
    {p66, 0x99, 0x99, {"vfmadd132s", {V, H, W}, &vex::by_w<fused<vfmadd132ss, Rounded::ss, u32>, fused<vfmadd132sd, Rounded::sd, u64>>, avx}},
    {p66, 0x9a, 0x9a, {"vfmsub132p", {V, H, W}, &vex::by_w<fused<vfmsub132ps, Rounded::ps>, fused<vfmsub132pd, Rounded::pd>>, avx}},
    {p66, 0x9b, 0x9b, {"vfmsub132s", {V, H, W}, &vex::by_w<fused<vfmsub132ss, Rounded::ss, u32>, fused<vfmsub132sd, Rounded::sd, u64>>, avx}},
    {p66, 0x9c, 0x9c, {"vfnmadd132p", {V, H, W}, &vex::by_w<fused<vfnmadd132ps, Rounded::ps>, fused<vfnmadd132pd, Rounded::pd>>, avx}},
    {p66, 0x9d, 0x9d, {"vfnmadd132s", {V, H, W}, &vex::by_w<fused<vfnmadd132ss, Rounded::ss, u32>, fused<vfnmadd132sd, Rounded::sd, u64>>, avx}},
    {p66, 0x9e, 0x9e, {"vfnmsub132p", {V, H, W}, &vex::by_w<fused<vfnmsub132ps, Rounded::ps>, fused<vfnmsub132pd, Rounded::pd>>, avx}},
    {p66, 0x9f, 0x9f, {"vfnmsub132s", {V, H, W}, &vex::by_w<fused<vfnmsub132ss, Rounded::ss, u32>, fused<vfnmsub132sd, Rounded::sd, u64>>, avx}},
    {p66, 0xa6, 0xa6, {"vfmaddsub213p", {V, H, W}, &vex::by_w<fused<vfmaddsub213ps, Rounded::ps>, fused<vfmaddsub213pd, Rounded::pd>>, avx}},
    {p66, 0xa7, 0xa7, {"vfmsubadd213p", {V, H, W}, &vex::by_w<fused<vfmsubadd213ps, Rounded::ps>, fused<vfmsubadd213pd, Rounded::pd>>, avx}},
    {p66, 0xa8, 0xa8, {"vfmadd213p", {V, H, W}, &vex::by_w<fused<vfmadd213ps, Rounded::ps>, fused<vfmadd213pd, Rounded::pd>>, avx}},
    {p66, 0xa9, 0xa9, {"vfmadd213s", {V, H, W}, &vex::by_w<fused<vfmadd213ss, Rounded::ss, u32>, fused<vfmadd213sd, Rounded::sd, u64>>, avx}},
    {p66, 0xaa, 0xaa, {"vfmsub213p", {V, H, W}, &vex::by_w<fused<vfmsub213ps, Rounded::ps>, fused<vfmsub213pd, Rounded::pd>>, avx}},
    {p66, 0xab, 0xab, {"vfmsub213s", {V, H, W}, &vex::by_w<fused<vfmsub213ss, Rounded::ss, u32>, fused<vfmsub213sd, Rounded::sd, u64>>, avx}},
    {p66, 0xac, 0xac, {"vfnmadd213p", {V, H, W}, &vex::by_w<fused<vfnmadd213ps, Rounded::ps>, fused<vfnmadd213pd, Rounded::pd>>, avx}},
    {p66, 0xad, 0xad, {"vfnmadd213s", {V, H, W}, &vex::by_w<fused<vfnmadd213ss, Rounded::ss, u32>, fused<vfnmadd213sd, Rounded::sd, u64>>, avx}},
    {p66, 0xae, 0xae, {"vfnmsub213p", {V, H, W}, &vex::by_w<fused<vfnmsub213ps, Rounded::ps>, fused<vfnmsub213pd, Rounded::pd>>, avx}},
    {p66, 0xaf, 0xaf, {"vfnmsub213s", {V, H, W}, &vex::by_w<fused<vfnmsub213ss, Rounded::ss, u32>, fused<vfnmsub213sd, Rounded::sd, u64>>, avx}},
    {p66, 0xb6, 0xb6, {"vfmaddsub231p", {V, H, W}, &vex::by_w<fused<vfmaddsub231ps, Rounded::ps>, fused<vfmaddsub231pd, Rounded::pd>>, avx}},
    {p66, 0xb7, 0xb7, {"vfmsubadd231p", {V, H, W}, &vex::by_w<fused<vfmsubadd231ps, Rounded::ps>, fused<vfmsubadd231pd, Rounded::pd>>, avx}},
    {p66, 0xb8, 0xb8, {"vfmadd231p", {V, H, W}, &vex::by_w<fused<vfmadd231ps, Rounded::ps>, fused<vfmadd231pd, Rounded::pd>>, avx}},
    {p66, 0xb9, 0xb9, {"vfmadd231s", {V, H, W}, &vex::by_w<fused<vfmadd231ss, Rounded::ss, u32>, fused<vfmadd231sd, Rounded::sd, u64>>, avx}},
    {p66, 0xba, 0xba, {"vfmsub231p", {V, H, W}, &vex::by_w<fused<vfmsub231ps, Rounded::ps>, fused<vfmsub231pd, Rounded::pd>>, avx}},
    {p66, 0xbb, 0xbb, {"vfmsub231s", {V, H, W}, &vex::by_w<fused<vfmsub231ss, Rounded::ss, u32>, fused<vfmsub231sd, Rounded::sd, u64>>, avx}},
    {p66, 0xbc, 0xbc, {"vfnmadd231p", {V, H, W}, &vex::by_w<fused<vfnmadd231ps, Rounded::ps>, fused<vfnmadd231pd, Rounded::pd>>, avx}},
    {p66, 0xbd, 0xbd, {"vfnmadd231s", {V, H, W}, &vex::by_w<fused<vfnmadd231ss, Rounded::ss, u32>, fused<vfnmadd231sd, Rounded::sd, u64>>, avx}},
    {p66, 0xbe, 0xbe, {"vfnmsub231p", {V, H, W}, &vex::by_w<fused<vfnmsub231ps, Rounded::ps>, fused<vfnmsub231pd, Rounded::pd>>, avx}},
    {p66, 0xbf, 0xbf, {"vfnmsub231s", {V, H, W}, &vex::by_w<fused<vfnmsub231ss, Rounded::ss, u32>, fused<vfnmsub231sd, Rounded::sd, u64>>, avx}},
    // BMI1 and BMI2.
    {np, 0xf2, 0xf2, {"andn", {Gy, By, Ey}, &andn_forms, 0, nullptr, 0x14}},
    {np, 0xf3, 0xf3, {"group 17", {Ey}, nullptr, 0, group_17}},
    {np, 0xf5, 0xf5, {"bzhi", {Gy, Ey, By}, &bzhi_forms, 0, nullptr, 0x14}},
    {pF3, 0xf5, 0xf5, {"pext", {Gy, By, Ey}, &pext_forms}},
    {pF2, 0xf5, 0xf5, {"pdep", {Gy, By, Ey}, &pdep_forms}},
    {pF2, 0xf6, 0xf6, {"mulx", {Gy, By, Ey}, &mulx_forms}},
    {np, 0xf7, 0xf7, {"bextr", {Gy, Ey, By}, &bextr_forms, 0, nullptr, 0x94}},
    {p66, 0xf7, 0xf7, {"shlx", {Gy, Ey, By}, &shlx_forms}},
    {pF3, 0xf7, 0xf7, {"sarx", {Gy, Ey, By}, &sarx_forms}},
    {pF2, 0xf7, 0xf7, {"shrx", {Gy, Ey, By}, &shrx_forms}},
};
// clang-format on

}

std::span<const Opcode> vex_opcodes_0f38()
{
    return map_0f38;
}

}
