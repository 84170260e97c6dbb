/* preproc_init.c - dispatch table of the image preprocessing kernels. */
#include "cpu/cpu.h"
#include "cpu/preproc.h"

leat_preproc_table leat__preproc;

void leat__preproc_init(leat_isa level) {
    leat__preproc = (leat_preproc_table){leat_u8_bilinear_ref,
                                         leat_u8_rows_ref, leat_f32_columns_ref, leat_f32_pairs_ref, leat_f32_color_ref, leat_f32_affine_ref,
                                         leat_f32_to_f16_ref, leat_f32_to_u8_ref, leat_f32_interleave3_ref};
#if LEAT_CPU_X86
    if (level < LEAT_ISA_AVX2) return;
    leat__preproc = (leat_preproc_table){leat_u8_bilinear_avx2,
                                         leat_u8_rows_avx2, leat_f32_columns_avx2, leat_f32_pairs_avx2, leat_f32_color_avx2, leat_f32_affine_avx2,
                                         leat_f32_to_f16_avx2, leat_f32_to_u8_avx2, leat_f32_interleave3_avx2};
#elif LEAT_CPU_ARM
    if (level < LEAT_ISA_NEON) return;
    leat__preproc = (leat_preproc_table){leat_u8_bilinear_neon,
                                         leat_u8_rows_neon, leat_f32_columns_neon, leat_f32_pairs_neon, leat_f32_color_neon, leat_f32_affine_neon,
                                         leat_f32_to_f16_neon, leat_f32_to_u8_neon, leat_f32_interleave3_neon};
#endif
}
