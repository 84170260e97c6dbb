/* preproc_avx2.c - image preprocessing kernels, 8 pixels at a time; same bits as the reference (no fused multiply-add). */
#include "cpu/preproc.h"

#include <immintrin.h>

/* Byte `shift / 8` of each of 8 pixels that were loaded as little-endian words. */
static inline __m256 channel(__m256i pixels, int shift) {
    __m256i byte = _mm256_and_si256(_mm256_srli_epi32(pixels, shift), _mm256_set1_epi32(255));
    return _mm256_cvtepi32_ps(byte);
}

static inline __m256 lerp(__m256 p, __m256 q, __m256 w) {
    return _mm256_add_ps(p, _mm256_mul_ps(_mm256_sub_ps(q, p), w));
}

void leat_u8_columns_avx2(const uint8_t *row, const int32_t *at0, const int32_t *at1, const float *w, float *const out[3], int n, int wide) {
    int x = 0;
    for (; x + 8 <= wide; x += 8) {
        __m256i p = _mm256_i32gather_epi32((const int *)row, _mm256_loadu_si256((const __m256i *)(at0 + x)), 1);
        __m256i q = _mm256_i32gather_epi32((const int *)row, _mm256_loadu_si256((const __m256i *)(at1 + x)), 1);
        __m256 weight = _mm256_loadu_ps(w + x);
        _mm256_storeu_ps(out[0] + x, lerp(channel(p, 0), channel(q, 0), weight));
        _mm256_storeu_ps(out[1] + x, lerp(channel(p, 8), channel(q, 8), weight));
        _mm256_storeu_ps(out[2] + x, lerp(channel(p, 16), channel(q, 16), weight));
    }
    float *const rest[3] = {out[0] + x, out[1] + x, out[2] + x};
    leat_u8_columns_ref(row, at0 + x, at1 + x, w + x, rest, n - x, 0);
}

void leat_f32_rows_avx2(const float *a, const float *b, float w, float mul, float add, float *out, int n) {
    __m256 weight = _mm256_set1_ps(w), m = _mm256_set1_ps(mul), s = _mm256_set1_ps(add);
    int x = 0;
    for (; x + 8 <= n; x += 8) {
        __m256 v = lerp(_mm256_loadu_ps(a + x), _mm256_loadu_ps(b + x), weight);
        _mm256_storeu_ps(out + x, _mm256_add_ps(_mm256_mul_ps(v, m), s));
    }
    leat_f32_rows_ref(a + x, b + x, w, mul, add, out + x, n - x);
}

void leat_f32_to_f16_avx2(const float *in, uint16_t *out, int n) {
    int x = 0;
    for (; x + 8 <= n; x += 8) {
        __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(in + x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128((__m128i *)(out + x), half);
    }
    leat_f32_to_f16_ref(in + x, out + x, n - x);
}

void leat_f32_to_u8_avx2(const float *in, uint8_t *out, int n) {
    int x = 0;
    for (; x + 8 <= n; x += 8) {
        /* max(v, 0) with v first gives 0 for NaN, as the reference does */
        __m256 v = _mm256_min_ps(_mm256_max_ps(_mm256_loadu_ps(in + x), _mm256_setzero_ps()), _mm256_set1_ps(255.0f));
        __m256i words = _mm256_cvtps_epi32(v);
        __m128i shorts = _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storel_epi64((__m128i *)(out + x), _mm_packus_epi16(shorts, shorts));
    }
    leat_f32_to_u8_ref(in + x, out + x, n - x);
}
