// The EVEX rows of map 6: FP16, as map 0F38. SDM vol. 2, appendix A and under each name.
#include "engine/cpu/x86/evex.h"

namespace engine::x86 {

using enum Operand;
using enum Extent;

namespace {

// clang-format off
constexpr EvexOpcode rows[] = {
    evex(np, 0x13, "vcvtsh2ss", {V, H, W}, bytes_2, 2, w0 | lig | merging | sae, feature_avx512_fp16),
    evex(p66, 0x13, "vcvtph2psx", {V, W}, half, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(p66, 0x2c, "vscalefph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x2d, "vscalefsh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x42, "vgetexpph", {V, W}, full, 2, w0 | vl | merging | broadcast | sae, feature_avx512_fp16),
    evex(p66, 0x43, "vgetexpsh", {V, H, W}, bytes_2, 2, w0 | lig | merging | sae, feature_avx512_fp16),
    evex(p66, 0x4c, "vrcpph", {V, W}, full, 2, w0 | vl | merging | broadcast, feature_avx512_fp16),
    evex(p66, 0x4d, "vrcpsh", {V, H, W}, bytes_2, 2, w0 | lig | merging, feature_avx512_fp16),
    evex(p66, 0x4e, "vrsqrtph", {V, W}, full, 2, w0 | vl | merging | broadcast, feature_avx512_fp16),
    evex(p66, 0x4f, "vrsqrtsh", {V, H, W}, bytes_2, 2, w0 | lig | merging, feature_avx512_fp16),
    evex(pF3, 0x56, "vfmaddcph", {V, H, W}, full, 4, w0 | vl | merging | broadcast | rounding | distinct, feature_avx512_fp16),
    evex(pF2, 0x56, "vfcmaddcph", {V, H, W}, full, 4, w0 | vl | merging | broadcast | rounding | distinct, feature_avx512_fp16),
    evex(pF3, 0x57, "vfmaddcsh", {V, H, W}, bytes_4, 4, w0 | lig | merging | rounding | distinct, feature_avx512_fp16),
    evex(pF2, 0x57, "vfcmaddcsh", {V, H, W}, bytes_4, 4, w0 | lig | merging | rounding | distinct, feature_avx512_fp16),
    evex(p66, 0x96, "vfmaddsub132ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x97, "vfmsubadd132ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x98, "vfmadd132ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x99, "vfmadd132sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x9a, "vfmsub132ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x9b, "vfmsub132sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x9c, "vfnmadd132ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x9d, "vfnmadd132sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x9e, "vfnmsub132ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0x9f, "vfnmsub132sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xa6, "vfmaddsub213ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xa7, "vfmsubadd213ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xa8, "vfmadd213ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xa9, "vfmadd213sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xaa, "vfmsub213ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xab, "vfmsub213sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xac, "vfnmadd213ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xad, "vfnmadd213sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xae, "vfnmsub213ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xaf, "vfnmsub213sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xb6, "vfmaddsub231ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xb7, "vfmsubadd231ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xb8, "vfmadd231ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xb9, "vfmadd231sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xba, "vfmsub231ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xbb, "vfmsub231sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xbc, "vfnmadd231ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xbd, "vfnmadd231sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xbe, "vfnmsub231ph", {V, H, W}, full, 2, w0 | vl | merging | broadcast | rounding, feature_avx512_fp16, 2),
    evex(p66, 0xbf, "vfnmsub231sh", {V, H, W}, bytes_2, 2, w0 | lig | merging | rounding, feature_avx512_fp16, 2),
    evex(pF3, 0xd6, "vfmulcph", {V, H, W}, full, 4, w0 | vl | merging | broadcast | rounding | distinct, feature_avx512_fp16),
    evex(pF2, 0xd6, "vfcmulcph", {V, H, W}, full, 4, w0 | vl | merging | broadcast | rounding | distinct, feature_avx512_fp16),
    evex(pF3, 0xd7, "vfmulcsh", {V, H, W}, bytes_4, 4, w0 | lig | merging | rounding | distinct, feature_avx512_fp16),
    evex(pF2, 0xd7, "vfcmulcsh", {V, H, W}, bytes_4, 4, w0 | lig | merging | rounding | distinct, feature_avx512_fp16),
};
// clang-format on

}

std::span<const EvexOpcode> evex_opcodes_6()
{
    return rows;
}

}
