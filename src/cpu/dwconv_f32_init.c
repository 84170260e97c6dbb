/* dwconv_f32_init.c - dispatch and packing of the depthwise convolution. */
#include "cpu/cpu.h"
#include "cpu/dwconv_f32.h"

leat_dwconv_f32_table leat__dwconv_f32;

void leat__dwconv_f32_init(leat_isa level) {
    leat__dwconv_f32 = (leat_dwconv_f32_table){"ref", leat__f32_dwconv_choose_ref, leat_f32_lerp_ref};
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__dwconv_f32 = (leat_dwconv_f32_table){"avx2", leat__f32_dwconv_choose_avx2, leat_f32_lerp_avx2};
    if (level >= LEAT_ISA_AVX512) leat__dwconv_f32 = (leat_dwconv_f32_table){"avx512", leat__f32_dwconv_choose_avx512, leat_f32_lerp_avx512};
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__dwconv_f32 = (leat_dwconv_f32_table){"neon", leat__f32_dwconv_choose_neon, leat_f32_lerp_neon};
#endif
}

void leat__f32_dwconv_pack(const float *w, int64_t channels, int64_t taps, float *packed) {
    for (int64_t c = 0; c < channels; c++)
        for (int64_t t = 0; t < taps; t++) packed[t * channels + c] = w[c * taps + t];
}
