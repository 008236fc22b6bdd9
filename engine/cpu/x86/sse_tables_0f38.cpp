// The 0F 38 map, table A-4.
#include "engine/cpu/x86/sse_tables.h"

#include "engine/cpu/x86/mmx.h"
#include "engine/cpu/x86/sse_handlers.h"
#include "engine/cpu/x86/sse_operations.h"

namespace engine::x86 {

using enum Operand;
using namespace host;

namespace {

// clang-format off
constexpr Opcode map_0f38[] = {
    // SSSE3.
    {np, 0x00, 0x00, {"pshufb", {P, Q}, &any_form<mmx_packed<pshufb_mmx>>, mmx}},
    {p66, 0x00, 0x00, {"pshufb", {V, W}, &any_form<packed<pshufb>>, sse | aligned_16}},
    {np, 0x01, 0x01, {"phaddw", {P, Q}, &any_form<mmx_packed<both_in_one<phaddw>>>, mmx}},
    {p66, 0x01, 0x01, {"phaddw", {V, W}, &any_form<packed<phaddw>>, sse | aligned_16}},
    {np, 0x02, 0x02, {"phaddd", {P, Q}, &any_form<mmx_packed<both_in_one<phaddd>>>, mmx}},
    {p66, 0x02, 0x02, {"phaddd", {V, W}, &any_form<packed<phaddd>>, sse | aligned_16}},
    {np, 0x03, 0x03, {"phaddsw", {P, Q}, &any_form<mmx_packed<both_in_one<phaddsw>>>, mmx}},
    {p66, 0x03, 0x03, {"phaddsw", {V, W}, &any_form<packed<phaddsw>>, sse | aligned_16}},
    {np, 0x04, 0x04, {"pmaddubsw", {P, Q}, &any_form<mmx_packed<pmaddubsw>>, mmx}},
    {p66, 0x04, 0x04, {"pmaddubsw", {V, W}, &any_form<packed<pmaddubsw>>, sse | aligned_16}},
    {np, 0x05, 0x05, {"phsubw", {P, Q}, &any_form<mmx_packed<both_in_one<phsubw>>>, mmx}},
    {p66, 0x05, 0x05, {"phsubw", {V, W}, &any_form<packed<phsubw>>, sse | aligned_16}},
    {np, 0x06, 0x06, {"phsubd", {P, Q}, &any_form<mmx_packed<both_in_one<phsubd>>>, mmx}},
    {p66, 0x06, 0x06, {"phsubd", {V, W}, &any_form<packed<phsubd>>, sse | aligned_16}},
    {np, 0x07, 0x07, {"phsubsw", {P, Q}, &any_form<mmx_packed<both_in_one<phsubsw>>>, mmx}},
    {p66, 0x07, 0x07, {"phsubsw", {V, W}, &any_form<packed<phsubsw>>, sse | aligned_16}},
    {np, 0x08, 0x08, {"psignb", {P, Q}, &any_form<mmx_packed<psignb>>, mmx}},
    {p66, 0x08, 0x08, {"psignb", {V, W}, &any_form<packed<psignb>>, sse | aligned_16}},
    {np, 0x09, 0x09, {"psignw", {P, Q}, &any_form<mmx_packed<psignw>>, mmx}},
    {p66, 0x09, 0x09, {"psignw", {V, W}, &any_form<packed<psignw>>, sse | aligned_16}},
    {np, 0x0a, 0x0a, {"psignd", {P, Q}, &any_form<mmx_packed<psignd>>, mmx}},
    {p66, 0x0a, 0x0a, {"psignd", {V, W}, &any_form<packed<psignd>>, sse | aligned_16}},
    {np, 0x0b, 0x0b, {"pmulhrsw", {P, Q}, &any_form<mmx_packed<pmulhrsw>>, mmx}},
    {p66, 0x0b, 0x0b, {"pmulhrsw", {V, W}, &any_form<packed<pmulhrsw>>, sse | aligned_16}},
    {np, 0x1c, 0x1c, {"pabsb", {P, Q}, &any_form<mmx_packed<pabsb>>, mmx}},
    {p66, 0x1c, 0x1c, {"pabsb", {V, W}, &any_form<packed<pabsb>>, sse | aligned_16}},
    {np, 0x1d, 0x1d, {"pabsw", {P, Q}, &any_form<mmx_packed<pabsw>>, mmx}},
    {p66, 0x1d, 0x1d, {"pabsw", {V, W}, &any_form<packed<pabsw>>, sse | aligned_16}},
    {np, 0x1e, 0x1e, {"pabsd", {P, Q}, &any_form<mmx_packed<pabsd>>, mmx}},
    {p66, 0x1e, 0x1e, {"pabsd", {V, W}, &any_form<packed<pabsd>>, sse | aligned_16}},
    // SSE4.1 and SSE4.2.
    {p66, 0x10, 0x10, {"pblendvb", {V, W}, &any_form<pblendvb>, sse | aligned_16}},
    {p66, 0x14, 0x14, {"blendvps", {V, W}, &any_form<blendvps>, sse | aligned_16}},
    {p66, 0x15, 0x15, {"blendvpd", {V, W}, &any_form<blendvpd>, sse | aligned_16}},
    {p66, 0x17, 0x17, {"ptest", {V, W}, &any_form<ptest>, sse | aligned_16}},
    {p66, 0x20, 0x20, {"pmovsxbw", {V, W}, &any_form<packed<pmovsxbw, Widening<8>>>, sse}},
    {p66, 0x21, 0x21, {"pmovsxbd", {V, W}, &any_form<packed<pmovsxbd, Widening<4>>>, sse}},
    {p66, 0x22, 0x22, {"pmovsxbq", {V, W}, &any_form<packed<pmovsxbq, Widening<2>>>, sse}},
    {p66, 0x23, 0x23, {"pmovsxwd", {V, W}, &any_form<packed<pmovsxwd, Widening<8>>>, sse}},
    {p66, 0x24, 0x24, {"pmovsxwq", {V, W}, &any_form<packed<pmovsxwq, Widening<4>>>, sse}},
    {p66, 0x25, 0x25, {"pmovsxdq", {V, W}, &any_form<packed<pmovsxdq, Widening<8>>>, sse}},
    {p66, 0x30, 0x30, {"pmovzxbw", {V, W}, &any_form<packed<pmovzxbw, Widening<8>>>, sse}},
    {p66, 0x31, 0x31, {"pmovzxbd", {V, W}, &any_form<packed<pmovzxbd, Widening<4>>>, sse}},
    {p66, 0x32, 0x32, {"pmovzxbq", {V, W}, &any_form<packed<pmovzxbq, Widening<2>>>, sse}},
    {p66, 0x33, 0x33, {"pmovzxwd", {V, W}, &any_form<packed<pmovzxwd, Widening<8>>>, sse}},
    {p66, 0x34, 0x34, {"pmovzxwq", {V, W}, &any_form<packed<pmovzxwq, Widening<4>>>, sse}},
    {p66, 0x35, 0x35, {"pmovzxdq", {V, W}, &any_form<packed<pmovzxdq, Widening<8>>>, sse}},
    {p66, 0x28, 0x28, {"pmuldq", {V, W}, &any_form<packed<pmuldq>>, sse | aligned_16}},
    {p66, 0x29, 0x29, {"pcmpeqq", {V, W}, &any_form<packed<pcmpeqq>>, sse | aligned_16}},
    {p66, 0x2a, 0x2a, {"movntdqa", {V, M}, &any_form<load_vector>, sse | aligned_16}},
    {p66, 0x2b, 0x2b, {"packusdw", {V, W}, &any_form<packed<packusdw>>, sse | aligned_16}},
    {p66, 0x37, 0x37, {"pcmpgtq", {V, W}, &any_form<packed<pcmpgtq>>, sse | aligned_16}},
    {p66, 0x38, 0x38, {"pminsb", {V, W}, &any_form<packed<pminsb>>, sse | aligned_16}},
    {p66, 0x39, 0x39, {"pminsd", {V, W}, &any_form<packed<pminsd>>, sse | aligned_16}},
    {p66, 0x3a, 0x3a, {"pminuw", {V, W}, &any_form<packed<pminuw>>, sse | aligned_16}},
    {p66, 0x3b, 0x3b, {"pminud", {V, W}, &any_form<packed<pminud>>, sse | aligned_16}},
    {p66, 0x3c, 0x3c, {"pmaxsb", {V, W}, &any_form<packed<pmaxsb>>, sse | aligned_16}},
    {p66, 0x3d, 0x3d, {"pmaxsd", {V, W}, &any_form<packed<pmaxsd>>, sse | aligned_16}},
    {p66, 0x3e, 0x3e, {"pmaxuw", {V, W}, &any_form<packed<pmaxuw>>, sse | aligned_16}},
    {p66, 0x3f, 0x3f, {"pmaxud", {V, W}, &any_form<packed<pmaxud>>, sse | aligned_16}},
    {p66, 0x40, 0x40, {"pmulld", {V, W}, &any_form<packed<pmulld>>, sse | aligned_16}},
    {p66, 0x41, 0x41, {"phminposuw", {V, W}, &any_form<packed<phminposuw>>, sse | aligned_16}},
    // SHA.
    {np, 0xc8, 0xc8, {"sha1nexte", {V, W}, &any_form<packed<sha1nexte>>, sse | aligned_16}},
    {np, 0xc9, 0xc9, {"sha1msg1", {V, W}, &any_form<packed<sha1msg1>>, sse | aligned_16}},
    {np, 0xca, 0xca, {"sha1msg2", {V, W}, &any_form<packed<sha1msg2>>, sse | aligned_16}},
    {np, 0xcb, 0xcb, {"sha256rnds2", {V, W}, &any_form<sha256rnds2>, sse | aligned_16}},
    {np, 0xcc, 0xcc, {"sha256msg1", {V, W}, &any_form<packed<sha256msg1>>, sse | aligned_16}},
    {np, 0xcd, 0xcd, {"sha256msg2", {V, W}, &any_form<packed<sha256msg2>>, sse | aligned_16}},
    // AES.
    {p66, 0xdb, 0xdb, {"aesimc", {V, W}, &any_form<packed<aesimc>>, sse | aligned_16}},
    {p66, 0xdc, 0xdc, {"aesenc", {V, W}, &any_form<packed<aesenc>>, sse | aligned_16}},
    {p66, 0xdd, 0xdd, {"aesenclast", {V, W}, &any_form<packed<aesenclast>>, sse | aligned_16}},
    {p66, 0xde, 0xde, {"aesdec", {V, W}, &any_form<packed<aesdec>>, sse | aligned_16}},
    {p66, 0xdf, 0xdf, {"aesdeclast", {V, W}, &any_form<packed<aesdeclast>>, sse | aligned_16}},
    // CRC32.
    {pF2, 0xf0, 0xf0, {"crc32", {Gd, Eb}, &any_form<crc32_byte>, 0}},
    {pF2, 0xf1, 0xf1, {"crc32", {Gd, Ev}, &any_form<crc32_wide>, 0}},
};
// clang-format on

}

std::span<const Opcode> simd_opcodes_0f38()
{
    return map_0f38;
}

}
