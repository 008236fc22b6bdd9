// The EVEX rows of map 5: FP16, as map 0F with singles. SDM vol. 2, appendix A and under each name.
#include "engine/cpu/x86/evex.h"

namespace engine::x86 {

using enum Operand;
using enum Extent;

namespace {

// clang-format off
constexpr EvexOpcode rows[] = {
    evex(pF3, 0x10, "vmovsh", {V, H, W}, bytes_2, 2, w0 | lig | merging, feature_avx512_fp16, 0, register_vvvv),
    evex(pF3, 0x11, "vmovsh", {W, H, V}, bytes_2, 2, w0 | lig | merging, feature_avx512_fp16, 0, register_vvvv),
    evex(np, 0x1d, "vcvtss2sh", {V, H, W}, bytes_4, 4, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x1d, "vcvtps2phx", {V, W}, full, 4, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(pF3, 0x2a, "vcvtsi2sh", {V, H, Ed}, bytes_4, 4, w0 | lig | rounding, feature_avx512_fp16),
    evex(pF3, 0x2a, "vcvtsi2sh", {V, H, Eq}, bytes_8, 8, w1 | lig | rounding, feature_avx512_fp16),
    evex(pF3, 0x2c, "vcvttsh2si", {Gd, W}, bytes_2, 2, w0 | lig | sae, feature_avx512_fp16),
    evex(pF3, 0x2c, "vcvttsh2si", {Gq, W}, bytes_2, 2, w1 | lig | sae, feature_avx512_fp16),
    evex(pF3, 0x2d, "vcvtsh2si", {Gd, W}, bytes_2, 2, w0 | lig | rounding, feature_avx512_fp16),
    evex(pF3, 0x2d, "vcvtsh2si", {Gq, W}, bytes_2, 2, w1 | lig | rounding, feature_avx512_fp16),
    evex(np, 0x2e, "vucomish", {V, W}, bytes_2, 2, w0 | lig | sae | compares, feature_avx512_fp16),
    evex(np, 0x2f, "vcomish", {V, W}, bytes_2, 2, w0 | lig | sae | compares, feature_avx512_fp16),
    evex(np, 0x51, "vsqrtph", {V, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(pF3, 0x51, "vsqrtsh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16),
    evex(np, 0x58, "vaddph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(pF3, 0x58, "vaddsh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(np, 0x59, "vmulph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(pF3, 0x59, "vmulsh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(np, 0x5a, "vcvtph2pd", {V, W}, quarter, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(p66, 0x5a, "vcvtpd2ph", {V, W}, full, 8, w1 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(pF3, 0x5a, "vcvtsh2sd", {V, H, W}, bytes_2, 2, w0 | lig | merging | sae, feature_avx512_fp16),
    evex(pF2, 0x5a, "vcvtsd2sh", {V, H, W}, bytes_8, 8, w1 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(np, 0x5b, "vcvtdq2ph", {V, W}, full, 4, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(np, 0x5b, "vcvtqq2ph", {V, W}, full, 8, w1 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(p66, 0x5b, "vcvtph2dq", {V, W}, half, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(pF3, 0x5b, "vcvttph2dq", {V, W}, half, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(np, 0x5c, "vsubph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(pF3, 0x5c, "vsubsh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(np, 0x5d, "vminph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(pF3, 0x5d, "vminsh", {V, H, W}, bytes_2, 2, w0 | lig | merging | sae, feature_avx512_fp16),
    evex(np, 0x5e, "vdivph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(pF3, 0x5e, "vdivsh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(np, 0x5f, "vmaxph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(pF3, 0x5f, "vmaxsh", {V, H, W}, bytes_2, 2, w0 | lig | merging | sae, feature_avx512_fp16),
    evex(p66, 0x6e, "vmovw", {V, Ed}, bytes_2, 2, wig | l128, feature_avx512_fp16),
    evex(np, 0x78, "vcvttph2udq", {V, W}, half, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(p66, 0x78, "vcvttph2uqq", {V, W}, quarter, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(pF3, 0x78, "vcvttsh2usi", {Gd, W}, bytes_2, 2, w0 | lig | sae, feature_avx512_fp16),
    evex(pF3, 0x78, "vcvttsh2usi", {Gq, W}, bytes_2, 2, w1 | lig | sae, feature_avx512_fp16),
    evex(np, 0x79, "vcvtph2udq", {V, W}, half, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(p66, 0x79, "vcvtph2uqq", {V, W}, quarter, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(pF3, 0x79, "vcvtsh2usi", {Gd, W}, bytes_2, 2, w0 | lig | rounding, feature_avx512_fp16),
    evex(pF3, 0x79, "vcvtsh2usi", {Gq, W}, bytes_2, 2, w1 | lig | rounding, feature_avx512_fp16),
    evex(p66, 0x7a, "vcvttph2qq", {V, W}, quarter, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(pF2, 0x7a, "vcvtudq2ph", {V, W}, full, 4, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(pF2, 0x7a, "vcvtuqq2ph", {V, W}, full, 8, w1 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(p66, 0x7b, "vcvtph2qq", {V, W}, quarter, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(pF3, 0x7b, "vcvtusi2sh", {V, H, Ed}, bytes_4, 4, w0 | lig | rounding, feature_avx512_fp16),
    evex(pF3, 0x7b, "vcvtusi2sh", {V, H, Eq}, bytes_8, 8, w1 | lig | rounding, feature_avx512_fp16),
    evex(np, 0x7c, "vcvttph2uw", {V, W}, full, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(p66, 0x7c, "vcvttph2w", {V, W}, full, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(np, 0x7d, "vcvtph2uw", {V, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(p66, 0x7d, "vcvtph2w", {V, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(pF3, 0x7d, "vcvtw2ph", {V, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(pF2, 0x7d, "vcvtuw2ph", {V, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16),
    evex(p66, 0x7e, "vmovw", {Ed, V}, bytes_2, 2, wig | l128, feature_avx512_fp16),
};
// clang-format on

}

std::span<const EvexOpcode> evex_opcodes_5()
{
    return rows;
}

}
