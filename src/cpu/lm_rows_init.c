/* lm_rows_init.c - dispatch table of the rows of a language model. */
#include "cpu/cpu.h"
#include "cpu/lm_rows.h"

leat_lm_rows leat__lm_rows;

void leat__lm_rows_init(leat_isa level) {
    leat__lm_rows_fill_ref(&leat__lm_rows);
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__lm_rows_fill_avx2(&leat__lm_rows);
    if (level >= LEAT_ISA_AVX512) leat__lm_rows_fill_avx512(&leat__lm_rows);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__lm_rows_fill_neon(&leat__lm_rows);
#else
    (void)level;
#endif
}
