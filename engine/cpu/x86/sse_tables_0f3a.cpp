// The 0F 3A map, table A-5.
#include "engine/cpu/x86/sse_tables.h"

#include "engine/cpu/x86/mmx.h"
#include "engine/cpu/x86/sse_handlers.h"
#include "engine/cpu/x86/sse_operations.h"

namespace engine::x86 {

using enum Operand;
using namespace host;

namespace {

// clang-format off
constexpr Opcode map_0f3a[] = {
    // SSE4.1.
    {p66, 0x08, 0x08, {"roundps", {V, W, Ib}, &any_form<packed_float<roundps>>, sse | aligned_16}},
    {p66, 0x09, 0x09, {"roundpd", {V, W, Ib}, &any_form<packed_float<roundpd>>, sse | aligned_16}},
    {p66, 0x0a, 0x0a, {"roundss", {V, W, Ib}, &any_form<packed_float<roundss, Rounded::none, u32>>, sse}},
    {p66, 0x0b, 0x0b, {"roundsd", {V, W, Ib}, &any_form<packed_float<roundsd, Rounded::none, u64>>, sse}},
    {p66, 0x0c, 0x0c, {"blendps", {V, W, Ib}, &any_form<packed<blendps>>, sse | aligned_16}},
    {p66, 0x0d, 0x0d, {"blendpd", {V, W, Ib}, &any_form<packed<blendpd>>, sse | aligned_16}},
    {p66, 0x0e, 0x0e, {"pblendw", {V, W, Ib}, &any_form<packed<pblendw>>, sse | aligned_16}},
    {np, 0x0f, 0x0f, {"palignr", {P, Q, Ib}, &any_form<mmx_packed<palignr_mmx>>, mmx}},
    {p66, 0x0f, 0x0f, {"palignr", {V, W, Ib}, &any_form<packed<palignr>>, sse | aligned_16}},
    {p66, 0x14, 0x14, {"pextrb", {Ed, V, Ib}, &any_form<pextrb>, sse}},
    {p66, 0x15, 0x15, {"pextrw", {Ed, V, Ib}, &any_form<pextrw>, sse}},
    {p66, 0x16, 0x16, {"pextrd", {Ey, V, Ib}, &any_form<pextrd>, sse}},
    {p66, 0x17, 0x17, {"extractps", {Ed, V, Ib}, &any_form<extractps>, sse}},
    {p66, 0x20, 0x20, {"pinsrb", {V, Ed, Ib}, &any_form<pinsrb>, sse}},
    {p66, 0x21, 0x21, {"insertps", {V, W, Ib}, &any_form<insertps>, sse}},
    {p66, 0x22, 0x22, {"pinsrd", {V, Ey, Ib}, &any_form<pinsrd>, sse}},
    {p66, 0x40, 0x40, {"dpps", {V, W, Ib}, &any_form<dpps>, sse | aligned_16}},
    {p66, 0x41, 0x41, {"dppd", {V, W, Ib}, &any_form<dppd>, sse | aligned_16}},
    {p66, 0x42, 0x42, {"mpsadbw", {V, W, Ib}, &any_form<packed<mpsadbw>>, sse | aligned_16}},
    // PCLMULQDQ.
    {p66, 0x44, 0x44, {"pclmulqdq", {V, W, Ib}, &any_form<packed<pclmulqdq>>, sse | aligned_16}},
    // SSE4.2.
    {p66, 0x60, 0x60, {"pcmpestrm", {V, W, Ib}, &any_form<pcmpestrm>, sse}},
    {p66, 0x61, 0x61, {"pcmpestri", {V, W, Ib}, &any_form<pcmpestri>, sse}},
    {p66, 0x62, 0x62, {"pcmpistrm", {V, W, Ib}, &any_form<pcmpistrm>, sse}},
    {p66, 0x63, 0x63, {"pcmpistri", {V, W, Ib}, &any_form<pcmpistri>, sse}},
    // SHA.
    {np, 0xcc, 0xcc, {"sha1rnds4", {V, W, Ib}, &any_form<packed<sha1rnds4>>, sse | aligned_16}},
    // AES.
    {p66, 0xdf, 0xdf, {"aeskeygenassist", {V, W, Ib}, &any_form<packed<aeskeygenassist>>, sse | aligned_16}},
};
// clang-format on

}

std::span<const Opcode> simd_opcodes_0f3a()
{
    return map_0f3a;
}

}
