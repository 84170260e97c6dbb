/* preproc_avx2.c - image preprocessing kernels, 8 values at a time; same bits as the reference (no fused multiply-add). */
#include "cpu/preproc.h"

#include <immintrin.h>

static inline __m256 load_bytes(const uint8_t *at) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)at))); }

void leat_u8_rows_avx2(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n) {
    int i = 0;
    for (; i + 32 <= n; i += 32) { /* four accumulators hide the latency of the sum */
        __m256 weight = _mm256_set1_ps(w[0]), sum[4];
        for (int j = 0; j < 4; j++) sum[j] = _mm256_mul_ps(weight, load_bytes(rows + i + 8 * j));
        for (int r = 1; r < k; r++) {
            weight = _mm256_set1_ps(w[r]);
            for (int j = 0; j < 4; j++)
                sum[j] = _mm256_add_ps(sum[j], _mm256_mul_ps(weight, load_bytes(rows + r * stride + i + 8 * j)));
        }
        for (int j = 0; j < 4; j++) _mm256_storeu_ps(out + i + 8 * j, sum[j]);
    }
    for (; i + 8 <= n; i += 8) {
        __m256 sum = _mm256_mul_ps(_mm256_set1_ps(w[0]), load_bytes(rows + i));
        for (int r = 1; r < k; r++) sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_set1_ps(w[r]), load_bytes(rows + r * stride + i)));
        _mm256_storeu_ps(out + i, sum);
    }
    leat_u8_rows_ref(rows + i, stride, w, k, out + i, n - i);
}

void leat_f32_columns_avx2(const float *rgb, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n) {
    for (int x = 0; x < n; w += taps[x], x++) {
        const float *at = rgb + 3 * (int64_t)first[x];
        __m128 sum = _mm_setzero_ps(); /* red, green, blue, and the next pixel's red, which is dropped */
        for (int t = 0; t < taps[x]; t++) sum = _mm_add_ps(sum, _mm_mul_ps(_mm_set1_ps(w[t]), _mm_loadu_ps(at + 3 * t)));
        out[0][x] = _mm_cvtss_f32(sum);
        out[1][x] = _mm_cvtss_f32(_mm_shuffle_ps(sum, sum, 1));
        out[2][x] = _mm_cvtss_f32(_mm_shuffle_ps(sum, sum, 2));
    }
}

void leat_f32_affine_avx2(float *line, float mul, float add, int n) {
    __m256 m = _mm256_set1_ps(mul), a = _mm256_set1_ps(add);
    int x = 0;
    for (; x + 8 <= n; x += 8) _mm256_storeu_ps(line + x, _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(line + x), m), a));
    leat_f32_affine_ref(line + x, mul, add, n - x);
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
