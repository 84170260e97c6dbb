/* lm_rows_avx2.c - rows of a language model, 8 lanes; see lm_rows_tmpl.h. */
#include "cpu/lm_rows.h"
#include "cpu/simd_avx2.h"

#define V_SWAP(v) _mm256_permute_ps(v, 0xb1)
#define V_MULSUBADD _mm256_fmaddsub_ps
#define V_PAIRS(p) _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3))

#include "cpu/lm_rows_tmpl.h"

void leat__lm_rows_fill_avx2(leat_lm_rows *table) { *table = (leat_lm_rows)LM_ROWS_TABLE("avx2"); }
