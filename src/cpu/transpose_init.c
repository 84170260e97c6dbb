/* transpose_init.c - the table of transposition kernels; valid (reference) even before the first init. */
#include "cpu/cpu.h"
#include "cpu/transpose.h"

leat_transpose_kernels leat__transpose = {leat_b1_transpose_ref, leat_b2_transpose_ref, leat_b4_transpose_ref,
    leat_b8_transpose_ref, "ref"};

void leat__transpose_init(leat_isa level) {
    leat__transpose = (leat_transpose_kernels){leat_b1_transpose_ref, leat_b2_transpose_ref, leat_b4_transpose_ref,
        leat_b8_transpose_ref, "ref"};
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2)
        leat__transpose = (leat_transpose_kernels){leat_b1_transpose_avx2, leat_b2_transpose_avx2, leat_b4_transpose_avx2,
            leat_b8_transpose_avx2, "avx2"};
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON)
        leat__transpose = (leat_transpose_kernels){leat_b1_transpose_neon, leat_b2_transpose_neon, leat_b4_transpose_neon,
            leat_b8_transpose_neon, "neon"};
#endif
}
