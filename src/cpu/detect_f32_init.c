/* detect_f32_init.c - dispatch table of the detection kernels. */
#include "cpu/cpu.h"
#include "cpu/detect_f32.h"

leat_detect_f32_table leat__detect_f32;

void leat__detect_f32_init(leat_isa level) {
    leat__detect_f32 = (leat_detect_f32_table){"ref", leat_f32_row_max_ref, leat_f32_column_max_ref, leat_f32_suppress_ref, leat_f32_overlap_ref};
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2)
        leat__detect_f32 = (leat_detect_f32_table){"avx2", leat_f32_row_max_avx2, leat_f32_column_max_avx2, leat_f32_suppress_avx2,
                                                   leat_f32_overlap_avx2};
    if (level >= LEAT_ISA_AVX512) leat__detect_f32.suppress = leat_f32_suppress_avx512;
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON)
        leat__detect_f32 = (leat_detect_f32_table){"neon", leat_f32_row_max_neon, leat_f32_column_max_neon, leat_f32_suppress_neon,
                                                   leat_f32_overlap_neon};
#endif
}
