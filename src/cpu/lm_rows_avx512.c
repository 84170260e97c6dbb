/* lm_rows_avx512.c - rows of a language model, 16 lanes; see lm_rows_tmpl.h. */
#include "cpu/lm_rows.h"
#include "cpu/simd_avx512.h"

#define V_SWAP(v) _mm512_permute_ps(v, 0xb1)
#define V_MULSUBADD _mm512_fmaddsub_ps

static inline VF V_PAIRS(const float *p) {
    const VI twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
}

#include "cpu/lm_rows_tmpl.h"

void leat__lm_rows_fill_avx512(leat_lm_rows *table) { *table = (leat_lm_rows)LM_ROWS_TABLE("avx512"); }
