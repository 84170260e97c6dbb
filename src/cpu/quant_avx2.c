/* quant_avx2.c - quantisation with 256-bit vectors, 32 elements a step; remainders go through a small buffer and the same code. */
#include "cpu/quant.h"

#include <immintrin.h>
#include <string.h>

typedef struct {
    __m256  lo, hi;
    __m256i zero;
} limits;

static limits make_limits(int32_t zero, int32_t low, int32_t high) {
    return (limits){_mm256_set1_ps((float)(low - zero)), _mm256_set1_ps((float)(high - zero)), _mm256_set1_epi32(zero)};
}

/* max first, with the limit second: a NaN becomes the low limit. */
static __m256i rounded(__m256 v, const limits *l) {
    v = _mm256_min_ps(_mm256_max_ps(v, l->lo), l->hi);
    return _mm256_add_epi32(_mm256_cvtps_epi32(v), l->zero);
}

/* Packs work inside 128-bit lanes; the permutation brings the groups of four back in order. */
static __m256i unmix(__m256i v) { return _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)); }

static __m256i pack(__m256i a, __m256i b, __m256i c, __m256i d, int is_signed) {
    __m256i ab = _mm256_packs_epi32(a, b), cd = _mm256_packs_epi32(c, d);
    return unmix(is_signed ? _mm256_packs_epi16(ab, cd) : _mm256_packus_epi16(ab, cd));
}

static inline __m256i quantize32(const float *x, __m256 scale, const limits *l, int is_signed) {
    return pack(rounded(_mm256_div_ps(_mm256_loadu_ps(x), scale), l), rounded(_mm256_div_ps(_mm256_loadu_ps(x + 8), scale), l),
                rounded(_mm256_div_ps(_mm256_loadu_ps(x + 16), scale), l), rounded(_mm256_div_ps(_mm256_loadu_ps(x + 24), scale), l),
                is_signed);
}

static inline void quantize(const float *x, void *y, int64_t n, float scale, const limits *l, int is_signed) {
    __m256 s = _mm256_set1_ps(scale);
    float rest[32] = {0};
    uint8_t out[32], *to = y;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) _mm256_storeu_si256((__m256i *)(to + i), quantize32(x + i, s, l, is_signed));
    if (i == n) return;
    memcpy(rest, x + i, (size_t)(n - i) * sizeof *x);
    _mm256_storeu_si256((__m256i *)out, quantize32(rest, s, l, is_signed));
    memcpy(to + i, out, (size_t)(n - i));
}

static void quantize_u8_avx2(const float *x, uint8_t *y, int64_t n, float scale, int32_t zero) {
    limits l = make_limits(zero, 0, 255);
    quantize(x, y, n, scale, &l, 0);
}

static void quantize_i8_avx2(const float *x, int8_t *y, int64_t n, float scale, int32_t zero) {
    limits l = make_limits(zero, -128, 127);
    quantize(x, y, n, scale, &l, 1);
}

static inline __m256i requantize32(const int32_t *acc, const float *scale, const limits *l, int is_signed) {
    __m256i r[4];
    for (int k = 0; k < 4; k++) {
        __m256 v = _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(acc + 8 * k)));
        r[k] = rounded(_mm256_mul_ps(v, _mm256_loadu_ps(scale + 8 * k)), l);
    }
    return pack(r[0], r[1], r[2], r[3], is_signed);
}

static inline void requantize(const int32_t *acc, void *y, int64_t n, const float *scale, const limits *l, int is_signed) {
    int32_t rest[32] = {0};
    float rest_scale[32] = {0};
    uint8_t out[32], *to = y;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) _mm256_storeu_si256((__m256i *)(to + i), requantize32(acc + i, scale + i, l, is_signed));
    if (i == n) return;
    memcpy(rest, acc + i, (size_t)(n - i) * sizeof *acc);
    memcpy(rest_scale, scale + i, (size_t)(n - i) * sizeof *scale);
    _mm256_storeu_si256((__m256i *)out, requantize32(rest, rest_scale, l, is_signed));
    memcpy(to + i, out, (size_t)(n - i));
}

static void requantize_u8_avx2(const int32_t *acc, uint8_t *y, int64_t n, const float *scale, int32_t zero) {
    limits l = make_limits(zero, 0, 255);
    requantize(acc, y, n, scale, &l, 0);
}

static void requantize_i8_avx2(const int32_t *acc, int8_t *y, int64_t n, const float *scale, int32_t zero) {
    limits l = make_limits(zero, -128, 127);
    requantize(acc, y, n, scale, &l, 1);
}

static void dequantize_u8_avx2(const uint8_t *x, float *y, int64_t n, float scale, int32_t zero) {
    __m256 s = _mm256_set1_ps(scale);
    __m256i z = _mm256_set1_epi32(zero);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(x + i)));
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(v, z)), s));
    }
    for (; i < n; i++) y[i] = (float)(x[i] - zero) * scale;
}

static void dequantize_i8_avx2(const int8_t *x, float *y, int64_t n, float scale, int32_t zero) {
    __m256 s = _mm256_set1_ps(scale);
    __m256i z = _mm256_set1_epi32(zero);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i v = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(x + i)));
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(v, z)), s));
    }
    for (; i < n; i++) y[i] = (float)(x[i] - zero) * scale;
}

void leat__quant_init_avx2(leat_quant_kernels *table) {
    *table = (leat_quant_kernels){quantize_u8_avx2,   quantize_i8_avx2,   dequantize_u8_avx2, dequantize_i8_avx2,
                                  requantize_u8_avx2, requantize_i8_avx2, LEAT_ISA_AVX2};
}
