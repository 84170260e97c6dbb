/* dwconv_f32_avx2.c - depthwise convolution and linear mixing, eight channels at a time. */
#include "cpu/dwconv_f32.h"

#include <immintrin.h>

static inline __m256i tail(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > 8 ? 8 : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#define V __m256
#define VEC 8
#define MASK __m256i
#define LOADU(p) _mm256_loadu_ps(p)
#define LOADM(p, m) _mm256_maskload_ps(p, m)
#define LOADE(p, m) LOADM(p, m)
#define STOREU(p, v) _mm256_storeu_ps(p, v)
#define STOREM(p, m, v) _mm256_maskstore_ps(p, m, v)
#define SET1(f) _mm256_set1_ps(f)
#define ZERO _mm256_setzero_ps()
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUB(a, b) _mm256_sub_ps(a, b)
#define MIN(a, b) _mm256_min_ps(a, b)
#define MAX(a, b) _mm256_max_ps(a, b)
#define FMADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define TAIL(n) tail(n)
#define ALL(condition) _mm256_set1_epi32((condition) ? -1 : 0)
#define AND(a, b) _mm256_and_si256(a, b)
#define NAME(x) x##_avx2

#include "cpu/dwconv_f32_tmpl.h"
