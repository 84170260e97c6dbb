/* preproc_avx2.c - image preprocessing kernels, 8 pixels at a time; same bits as the reference (no fused multiply-add). */
#include "cpu/preproc.h"

#include <immintrin.h>
#include <string.h>

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

/* A pixel is 3 of 4 lanes; the last pixel of a row is read byte by byte, since a 4-byte load would leave the row. */
static inline __m128 pixel_lanes(const uint8_t *pixel, int last) {
    int32_t word = 0;
    memcpy(&word, pixel, last ? 3 : 4);
    return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(word)));
}

void leat_u8_taps_avx2(const uint8_t *row, int width, const int32_t *first, const int32_t *count, const float *w, float *const out[3], int n) {
    for (int x = 0; x < n; x++) {
        __m128 sum = _mm_setzero_ps();
        int begin = first[x], end = begin + count[x], safe = end < width ? end : width - 1;
        for (int t = begin; t < safe; t++) sum = _mm_add_ps(sum, _mm_mul_ps(pixel_lanes(row + 3 * t, 0), _mm_set1_ps(*w++)));
        if (safe < end) sum = _mm_add_ps(sum, _mm_mul_ps(pixel_lanes(row + 3 * safe, 1), _mm_set1_ps(*w++)));
        float lanes[4];
        _mm_storeu_ps(lanes, sum);
        for (int c = 0; c < 3; c++) out[c][x] = lanes[c];
    }
}

void leat_f32_gather_avx2(const float *a, float w, float *sum, int n) {
    __m256 weight = _mm256_set1_ps(w);
    int x = 0;
    for (; x + 8 <= n; x += 8) _mm256_storeu_ps(sum + x, _mm256_add_ps(_mm256_loadu_ps(sum + x), _mm256_mul_ps(_mm256_loadu_ps(a + x), weight)));
    leat_f32_gather_ref(a + x, w, sum + x, n - x);
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
