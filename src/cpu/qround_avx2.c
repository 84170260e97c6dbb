/* qround_avx2.c - rounding of activations to 8 bits with AVX2; the bits of qdot_ref.c's. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "cpu/qdot.h"

enum { GROUP = 32, CHUNK = 256 };

static inline float largest_of(__m256 v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* The largest size of 32; NaN where one is no finite number. */
static inline float size_of(const float *x) {
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)), most = _mm256_set1_ps(3.4028235e38f);
    __m256 a[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) a[i] = _mm256_and_ps(_mm256_loadu_ps(x + 8 * i), magnitude);
    __m256 finite = _mm256_and_ps(_mm256_and_ps(_mm256_cmp_ps(a[0], most, _CMP_LE_OQ), _mm256_cmp_ps(a[1], most, _CMP_LE_OQ)),
                                  _mm256_and_ps(_mm256_cmp_ps(a[2], most, _CMP_LE_OQ), _mm256_cmp_ps(a[3], most, _CMP_LE_OQ)));
    float largest = largest_of(_mm256_max_ps(_mm256_max_ps(a[0], a[1]), _mm256_max_ps(a[2], a[3])));
    return _mm256_movemask_ps(finite) == 255 ? largest : NAN;
}

/* Sums of bytes from 0 to 255: of the first and of the last 16. */
static inline void sums_of(__m256i bytes, int *low, int *high) {
    __m256i eights = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
    __m256i both = _mm256_add_epi32(eights, _mm256_unpackhi_epi64(eights, eights));
    *low = _mm_cvtsi128_si32(_mm256_castsi256_si128(both));
    *high = _mm_cvtsi128_si32(_mm256_extracti128_si256(both, 1));
}

static inline void round_group(const float *x, float factor, const leat_qact *act, int64_t g, int *total, int *negative) {
    __m256i n[4], bytes = _mm256_setzero_si256();
    if (factor > 0) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) n[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), _mm256_set1_ps(factor)));
        bytes = _mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]), _mm256_packs_epi32(n[2], n[3]));
        bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)); /* packing goes by halves */
    }
    __m256i sizes = _mm256_abs_epi8(bytes);
    int     low, high, sizes_low, sizes_high;
    sums_of(_mm256_xor_si256(bytes, _mm256_set1_epi8((char)0x80)), &low, &high);
    sums_of(sizes, &sizes_low, &sizes_high);
    _mm256_storeu_si256((__m256i *)(void *)(act->q + GROUP * g), bytes);
    if (act->n <= LEAT_QMAT_FEW) {
        _mm256_storeu_si256((__m256i *)(void *)(act->twice + 2 * GROUP * g), _mm256_permute2x128_si256(bytes, bytes, 0x00));
        _mm256_storeu_si256((__m256i *)(void *)(act->twice + 2 * GROUP * g + GROUP), _mm256_permute2x128_si256(bytes, bytes, 0x11));
        __m256i twos = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
        _mm256_storeu_si256((__m256i *)(void *)(act->fours + 8 * g), _mm256_madd_epi16(twos, _mm256_set1_epi16(-32)));
    }
    act->sum[2 * g] = (int16_t)(low - 16 * 128);
    act->sum[2 * g + 1] = (int16_t)(high - 16 * 128);
    *total = low + high - 32 * 128;
    *negative = (sizes_low + sizes_high - *total) / 2;
}

/* Sums of pairs of bytes of 16, 8 for each: 4 and 4. */
static inline __m256i halves_of_16(const int8_t *twice) {
    const __m256i one = _mm256_set1_epi8(1);
    __m256i       u = _mm256_maddubs_epi16(one, _mm256_loadu_si256((const __m256i *)(const void *)twice));
    __m256i       v = _mm256_maddubs_epi16(one, _mm256_loadu_si256((const __m256i *)(const void *)(twice + GROUP)));
    return _mm256_add_epi16(_mm256_unpacklo_epi64(u, v), _mm256_unpackhi_epi64(u, v));
}

/* leat_qact: eights, of 4 groups. */
static void sum_eights(const leat_qact *act, int64_t g) {
    for (int k = 0; k < 2; k++) {
        const int8_t *twice = act->twice + 2 * GROUP * (g + k);
        __m256        u = _mm256_castsi256_ps(halves_of_16(twice)), v = _mm256_castsi256_ps(halves_of_16(twice + 4 * GROUP));
        __m256i       sum = _mm256_add_epi16(_mm256_castps_si256(_mm256_shuffle_ps(u, v, 0x88)), _mm256_castps_si256(_mm256_shuffle_ps(u, v, 0xdd)));
        _mm256_storeu_si256((__m256i *)(void *)(act->eights + 8 * g + 16 * k), _mm256_slli_epi16(sum, 5));
    }
}

/* 256 elements, groups from g on. */
static void round_chunk(const float *x, const leat_qact *act, int64_t g) {
    _Alignas(32) float size[8], factor[8];
    _Alignas(32) int   total[8], negative[8];
    for (int j = 0; j < 8; j++) size[j] = size_of(x + GROUP * j);
    __m256 all = _mm256_load_ps(size), broken = _mm256_cmp_ps(all, all, _CMP_UNORD_Q);
    all = _mm256_and_ps(all, _mm256_cmp_ps(all, _mm256_set1_ps(LEAT_QACT_TINY), _CMP_GE_OQ));
    const float most = largest_of(all), unit = most / (127.0f * LEAT_QACT_GRAINS), step = most > 0 ? LEAT_QACT_GRAINS / most : 0;
    __m256      some = _mm256_cmp_ps(all, _mm256_setzero_ps(), _CMP_GT_OQ), grain = _mm256_ceil_ps(_mm256_mul_ps(all, _mm256_set1_ps(step)));
    grain = _mm256_and_ps(_mm256_max_ps(_mm256_min_ps(grain, _mm256_set1_ps(LEAT_QACT_GRAINS)), _mm256_set1_ps(1)), some);
    __m256 scale = _mm256_mul_ps(_mm256_set1_ps(unit), grain);
    _mm256_store_ps(factor, _mm256_and_ps(_mm256_div_ps(_mm256_set1_ps(1), scale), some));
    for (int j = 0; j < 8; j++) round_group(x + GROUP * j, factor[j], act, g + j, &total[j], &negative[j]);
    __m256i whole = _mm256_cvtps_epi32(grain);
    scale = _mm256_blendv_ps(scale, _mm256_set1_ps(NAN), broken);
    act->unit[g / 8] = _mm256_movemask_ps(broken) ? NAN : unit;
    _mm256_storeu_si256((__m256i *)(void *)(act->grain + 2 * g), _mm256_or_si256(whole, _mm256_slli_epi32(whole, 16)));
    _mm256_storeu_ps(act->scale + g, scale);
    _mm256_storeu_ps(act->bias + g, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_load_si256((const __m256i *)(const void *)total))));
    if (act->n > LEAT_QMAT_FEW) return;
    _mm256_storeu_ps(act->lack + g, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_load_si256((const __m256i *)(const void *)negative))));
    sum_eights(act, g);
    sum_eights(act, g + 4);
}

void leat__qdot_round_avx2(const leat_qact *act, int64_t t) {
    const float *x = act->x + t * act->ld;
    int64_t      g = t * act->groups, i = 0;
    for (; i + CHUNK <= act->cols; i += CHUNK, g += CHUNK / GROUP) round_chunk(x + i, act, g);
    if (i == act->cols) return;
    float rest[CHUNK] = {0};
    memcpy(rest, x + i, (size_t)(act->cols - i) * sizeof *x);
    round_chunk(rest, act, g);
}
