/* qround_avx2.c - rounding of activations to 8 bits with AVX2; the bits of qdot_ref.c's. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "cpu/qdot.h"

enum { GROUP = 32 };

static inline float largest_of(__m256 v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* Sum of 16 bytes. */
static inline int sum_of(__m128i q) {
    __m128i biased = _mm_sad_epu8(_mm_xor_si128(q, _mm_set1_epi8((char)0x80)), _mm_setzero_si128());
    return _mm_cvtsi128_si32(biased) + _mm_extract_epi16(biased, 4) - 16 * 128;
}

static inline void round_32(const float *x, int8_t *q, float *scale, float *bias, int16_t *sum) {
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)), most = _mm256_set1_ps(3.4028235e38f);
    __m256 v[4], a[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) v[i] = _mm256_loadu_ps(x + 8 * i);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) a[i] = _mm256_and_ps(v[i], magnitude);
    __m256 finite = _mm256_and_ps(_mm256_and_ps(_mm256_cmp_ps(a[0], most, _CMP_LE_OQ), _mm256_cmp_ps(a[1], most, _CMP_LE_OQ)),
                                  _mm256_and_ps(_mm256_cmp_ps(a[2], most, _CMP_LE_OQ), _mm256_cmp_ps(a[3], most, _CMP_LE_OQ)));
    float largest = largest_of(_mm256_max_ps(_mm256_max_ps(a[0], a[1]), _mm256_max_ps(a[2], a[3])));
    int   whole = _mm256_movemask_ps(finite) == 255;
    if (!whole || largest < LEAT_QACT_TINY) {
        memset(q, 0, GROUP);
        sum[0] = sum[1] = 0;
        *scale = *bias = whole ? 0 : NAN;
        return;
    }
    __m256  factor = _mm256_set1_ps(127.0f / largest);
    __m256i n[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) n[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], factor));
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]), _mm256_packs_epi32(n[2], n[3]));
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)); /* packing goes by halves */
    _mm256_storeu_si256((__m256i *)(void *)q, bytes);
    int low = sum_of(_mm256_castsi256_si128(bytes)), high = sum_of(_mm256_extracti128_si256(bytes, 1));
    sum[0] = (int16_t)low;
    sum[1] = (int16_t)high;
    *scale = largest / 127.0f;
    *bias = *scale * (float)(low + high);
}

void leat__qdot_round_avx2(const float *x, int64_t cols, int8_t *q, float *scale, float *bias, int16_t *sum) {
    int64_t i = 0;
    for (; i + GROUP <= cols; i += GROUP) round_32(x + i, q + i, scale + i / GROUP, bias + i / GROUP, sum + i / 16);
    if (i == cols) return;
    float rest[GROUP] = {0};
    memcpy(rest, x + i, (size_t)(cols - i) * sizeof *x);
    round_32(rest, q + i, scale + i / GROUP, bias + i / GROUP, sum + i / 16);
}
