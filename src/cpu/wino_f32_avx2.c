/* wino_f32_avx2.c - tile transforms, 8 channels at a time. */
#include <immintrin.h>

#include "cpu/wino_f32.h"

static inline __m256i part_mask(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#define V __m256
#define W 8
#define LOAD(p) _mm256_loadu_ps(p)
#define LOAD_PART(p, n) _mm256_maskload_ps(p, part_mask(n))
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define STORE_PART(p, v, n) _mm256_maskstore_ps(p, part_mask(n), v)
#define SET(f) _mm256_set1_ps(f)
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUB(a, b) _mm256_sub_ps(a, b)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define CLIP(v, lo, hi) _mm256_min_ps(hi, _mm256_max_ps(lo, v)) /* this order keeps a NaN */
#define NAME(x) x##_avx2

#include "cpu/wino_f32_tmpl.h"

void leat__wino_f32_fill_avx2(leat_wino_f32_table *table) {
    *table = (leat_wino_f32_table){"avx2", wino_in4_avx2, wino_in2_avx2, wino_out4_avx2, wino_out2_avx2};
}
