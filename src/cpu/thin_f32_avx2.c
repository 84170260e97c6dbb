/* thin_f32_avx2.c - thin products, 8 floats of depth at a time. */
#include <immintrin.h>

#include "cpu/thin_f32.h"

static inline __m256i part_mask(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline float sum8(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

#define V __m256
#define W 8
#define ZERO _mm256_setzero_ps()
#define LOAD(p) _mm256_loadu_ps(p)
#define LOAD_PART(p, n) _mm256_maskload_ps(p, part_mask(n))
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define SUM(v) sum8(v)
#define NAME(x) x##_avx2
#define P1 10
#define P2 6
#define P3 4
#define P4 3

#include "cpu/thin_f32_tmpl.h"

void leat__thin_f32_fill_avx2(leat_thin_f32_table *table) { FILL(table, "avx2"); }
