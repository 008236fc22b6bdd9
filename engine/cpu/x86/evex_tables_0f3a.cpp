// The EVEX rows of map 0F3A. SDM vol. 2, appendix A and under each name.
#include "engine/cpu/x86/evex.h"

namespace engine::x86 {

using enum Operand;
using enum Extent;

namespace {

// clang-format off
constexpr EvexOpcode rows[] = {
    evex(p66, 0x00, "vpermq", {V, W, Ib}, full, 8, w1 | l256 | l512 | merging | broadcast | all_of_memory),
    evex(p66, 0x01, "vpermpd", {V, W, Ib}, full, 8, w1 | l256 | l512 | merging | broadcast | all_of_memory),
    evex(p66, 0x03, "valignd", {V, H, W, Ib}, full, 4, w0 | vl | merging | broadcast | all_of_memory),
    evex(p66, 0x03, "valignq", {V, H, W, Ib}, full, 8, w1 | vl | merging | broadcast | all_of_memory),
    evex(p66, 0x04, "vpermilps", {V, W, Ib}, full, 4, w0 | vl | merging | broadcast | all_of_memory),
    evex(p66, 0x05, "vpermilpd", {V, W, Ib}, full, 8, w1 | vl | merging | broadcast | all_of_memory),
    evex(np, 0x08, "vrndscaleph", {V, W, Ib}, full, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(p66, 0x08, "vrndscaleps", {V, W, Ib}, full, 4, w0 | vl | merging | broadcast | sae),
    evex(p66, 0x09, "vrndscalepd", {V, W, Ib}, full, 8, w1 | vl | merging | broadcast | sae),
    evex(np, 0x0a, "vrndscalesh", {V, H, W, Ib}, bytes_2, 2, w0 | lig | merging | sae, feature_avx512_fp16),
    evex(p66, 0x0a, "vrndscaless", {V, H, W, Ib}, bytes_4, 4, w0 | lig | merging | sae),
    evex(p66, 0x0b, "vrndscalesd", {V, H, W, Ib}, bytes_8, 8, w1 | lig | merging | sae),
    evex(p66, 0x0f, "vpalignr", {V, H, W, Ib}, full, 1, wig | vl | merging | all_of_memory),
    evex(p66, 0x14, "vpextrb", {Ed, V, Ib}, bytes_1, 1, wig | l128),
    evex(p66, 0x15, "vpextrw", {Ed, V, Ib}, bytes_2, 2, wig | l128),
    evex(p66, 0x16, "vpextrd", {Ed, V, Ib}, bytes_4, 4, w0 | l128),
    evex(p66, 0x16, "vpextrq", {Eq, V, Ib}, bytes_8, 8, w1 | l128),
    evex(p66, 0x17, "vextractps", {Ed, V, Ib}, bytes_4, 4, wig | l128),
    evex(p66, 0x18, "vinsertf32x4", {V, H, W, Ib}, bytes_16, 4, w0 | l256 | l512 | merging | all_of_memory),
    evex(p66, 0x18, "vinsertf64x2", {V, H, W, Ib}, bytes_16, 8, w1 | l256 | l512 | merging | all_of_memory),
    evex(p66, 0x19, "vextractf32x4", {W, V, Ib}, bytes_16, 4, w0 | l256 | l512 | merging | all_of_memory),
    evex(p66, 0x19, "vextractf64x2", {W, V, Ib}, bytes_16, 8, w1 | l256 | l512 | merging | all_of_memory),
    evex(p66, 0x1a, "vinsertf32x8", {V, H, W, Ib}, bytes_32, 4, w0 | l512 | merging | all_of_memory),
    evex(p66, 0x1a, "vinsertf64x4", {V, H, W, Ib}, bytes_32, 8, w1 | l512 | merging | all_of_memory),
    evex(p66, 0x1b, "vextractf32x8", {W, V, Ib}, bytes_32, 4, w0 | l512 | merging | all_of_memory),
    evex(p66, 0x1b, "vextractf64x4", {W, V, Ib}, bytes_32, 8, w1 | l512 | merging | all_of_memory),
    evex(p66, 0x1d, "vcvtps2ph", {W, V, Ib}, half, 2, w0 | vl | merging | sae, feature_avx512, 2),
    evex(p66, 0x1e, "vpcmpud", {KV, H, W, Ib}, full, 4, w0 | vl | masks | broadcast),
    evex(p66, 0x1e, "vpcmpuq", {KV, H, W, Ib}, full, 8, w1 | vl | masks | broadcast),
    evex(p66, 0x1f, "vpcmpd", {KV, H, W, Ib}, full, 4, w0 | vl | masks | broadcast),
    evex(p66, 0x1f, "vpcmpq", {KV, H, W, Ib}, full, 8, w1 | vl | masks | broadcast),
    evex(p66, 0x20, "vpinsrb", {V, H, Ed, Ib}, bytes_1, 1, wig | l128),
    evex(p66, 0x21, "vinsertps", {V, H, W, Ib}, bytes_4, 4, w0 | l128),
    evex(p66, 0x22, "vpinsrd", {V, H, Ed, Ib}, bytes_4, 4, w0 | l128),
    evex(p66, 0x22, "vpinsrq", {V, H, Eq, Ib}, bytes_8, 8, w1 | l128),
    evex(p66, 0x23, "vshuff32x4", {V, H, W, Ib}, full, 4, w0 | l256 | l512 | merging | broadcast | all_of_memory),
    evex(p66, 0x23, "vshuff64x2", {V, H, W, Ib}, full, 8, w1 | l256 | l512 | merging | broadcast | all_of_memory),
    evex(p66, 0x25, "vpternlogd", {V, H, W, Ib}, full, 4, w0 | vl | merging | broadcast),
    evex(p66, 0x25, "vpternlogq", {V, H, W, Ib}, full, 8, w1 | vl | merging | broadcast),
    evex(np, 0x26, "vgetmantph", {V, W, Ib}, full, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(p66, 0x26, "vgetmantps", {V, W, Ib}, full, 4, w0 | vl | merging | broadcast | sae),
    evex(p66, 0x26, "vgetmantpd", {V, W, Ib}, full, 8, w1 | vl | merging | broadcast | sae),
    evex(np, 0x27, "vgetmantsh", {V, H, W, Ib}, bytes_2, 2, w0 | lig | merging | sae, feature_avx512_fp16),
    evex(p66, 0x27, "vgetmantss", {V, H, W, Ib}, bytes_4, 4, w0 | lig | merging | sae),
    evex(p66, 0x27, "vgetmantsd", {V, H, W, Ib}, bytes_8, 8, w1 | lig | merging | sae),
    evex(p66, 0x38, "vinserti32x4", {V, H, W, Ib}, bytes_16, 4, w0 | l256 | l512 | merging | all_of_memory),
    evex(p66, 0x38, "vinserti64x2", {V, H, W, Ib}, bytes_16, 8, w1 | l256 | l512 | merging | all_of_memory),
    evex(p66, 0x39, "vextracti32x4", {W, V, Ib}, bytes_16, 4, w0 | l256 | l512 | merging | all_of_memory),
    evex(p66, 0x39, "vextracti64x2", {W, V, Ib}, bytes_16, 8, w1 | l256 | l512 | merging | all_of_memory),
    evex(p66, 0x3a, "vinserti32x8", {V, H, W, Ib}, bytes_32, 4, w0 | l512 | merging | all_of_memory),
    evex(p66, 0x3a, "vinserti64x4", {V, H, W, Ib}, bytes_32, 8, w1 | l512 | merging | all_of_memory),
    evex(p66, 0x3b, "vextracti32x8", {W, V, Ib}, bytes_32, 4, w0 | l512 | merging | all_of_memory),
    evex(p66, 0x3b, "vextracti64x4", {W, V, Ib}, bytes_32, 8, w1 | l512 | merging | all_of_memory),
    evex(p66, 0x3e, "vpcmpub", {KV, H, W, Ib}, full, 1, w0 | vl | masks),
    evex(p66, 0x3e, "vpcmpuw", {KV, H, W, Ib}, full, 2, w1 | vl | masks),
    evex(p66, 0x3f, "vpcmpb", {KV, H, W, Ib}, full, 1, w0 | vl | masks),
    evex(p66, 0x3f, "vpcmpw", {KV, H, W, Ib}, full, 2, w1 | vl | masks),
    evex(p66, 0x42, "vdbpsadbw", {V, H, W, Ib}, full, 1, w0 | vl | merging | all_of_memory),
    evex(p66, 0x43, "vshufi32x4", {V, H, W, Ib}, full, 4, w0 | l256 | l512 | merging | broadcast | all_of_memory),
    evex(p66, 0x43, "vshufi64x2", {V, H, W, Ib}, full, 8, w1 | l256 | l512 | merging | broadcast | all_of_memory),
    evex(p66, 0x44, "vpclmulqdq", {V, H, W, Ib}, full, 8, wig | vl, feature_vpclmulqdq),
    evex(p66, 0x50, "vrangeps", {V, H, W, Ib}, full, 4, w0 | vl | merging | broadcast | sae),
    evex(p66, 0x50, "vrangepd", {V, H, W, Ib}, full, 8, w1 | vl | merging | broadcast | sae),
    evex(p66, 0x51, "vrangess", {V, H, W, Ib}, bytes_4, 4, w0 | lig | merging | sae),
    evex(p66, 0x51, "vrangesd", {V, H, W, Ib}, bytes_8, 8, w1 | lig | merging | sae),
    evex(p66, 0x54, "vfixupimmps", {V, H, W, Ib}, full, 4, w0 | vl | merging | broadcast | sae),
    evex(p66, 0x54, "vfixupimmpd", {V, H, W, Ib}, full, 8, w1 | vl | merging | broadcast | sae),
    evex(p66, 0x55, "vfixupimmss", {V, H, W, Ib}, bytes_4, 4, w0 | lig | merging | sae),
    evex(p66, 0x55, "vfixupimmsd", {V, H, W, Ib}, bytes_8, 8, w1 | lig | merging | sae),
    evex(np, 0x56, "vreduceph", {V, W, Ib}, full, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(p66, 0x56, "vreduceps", {V, W, Ib}, full, 4, w0 | vl | merging | broadcast | sae),
    evex(p66, 0x56, "vreducepd", {V, W, Ib}, full, 8, w1 | vl | merging | broadcast | sae),
    evex(np, 0x57, "vreducesh", {V, H, W, Ib}, bytes_2, 2, w0 | lig | merging | sae, feature_avx512_fp16),
    evex(p66, 0x57, "vreducess", {V, H, W, Ib}, bytes_4, 4, w0 | lig | merging | sae),
    evex(p66, 0x57, "vreducesd", {V, H, W, Ib}, bytes_8, 8, w1 | lig | merging | sae),
    evex(np, 0x66, "vfpclassph", {KV, W, Ib}, full, 2, w0 | vl | masks | broadcast, feature_avx512_fp16),
    evex(p66, 0x66, "vfpclassps", {KV, W, Ib}, full, 4, w0 | vl | masks | broadcast),
    evex(p66, 0x66, "vfpclasspd", {KV, W, Ib}, full, 8, w1 | vl | masks | broadcast),
    evex(np, 0x67, "vfpclasssh", {KV, W, Ib}, bytes_2, 2, w0 | lig | masks, feature_avx512_fp16),
    evex(p66, 0x67, "vfpclassss", {KV, W, Ib}, bytes_4, 4, w0 | lig | masks),
    evex(p66, 0x67, "vfpclasssd", {KV, W, Ib}, bytes_8, 8, w1 | lig | masks),
    evex(p66, 0x70, "vpshldw", {V, H, W, Ib}, full, 2, w1 | vl | merging, feature_avx512_vbmi2),
    evex(p66, 0x71, "vpshldd", {V, H, W, Ib}, full, 4, w0 | vl | merging | broadcast, feature_avx512_vbmi2),
    evex(p66, 0x71, "vpshldq", {V, H, W, Ib}, full, 8, w1 | vl | merging | broadcast, feature_avx512_vbmi2),
    evex(p66, 0x72, "vpshrdw", {V, H, W, Ib}, full, 2, w1 | vl | merging, feature_avx512_vbmi2),
    evex(p66, 0x73, "vpshrdd", {V, H, W, Ib}, full, 4, w0 | vl | merging | broadcast, feature_avx512_vbmi2),
    evex(p66, 0x73, "vpshrdq", {V, H, W, Ib}, full, 8, w1 | vl | merging | broadcast, feature_avx512_vbmi2),
    evex(np, 0xc2, "vcmpph", {KV, H, W, Ib}, full, 2, w0 | vl | masks | broadcast | sae, feature_avx512_fp16),
    evex(pF3, 0xc2, "vcmpsh", {KV, H, W, Ib}, bytes_2, 2, w0 | lig | masks | sae, feature_avx512_fp16),
};
// clang-format on

}

std::span<const EvexOpcode> evex_opcodes_0f3a()
{
    return rows;
}

}
