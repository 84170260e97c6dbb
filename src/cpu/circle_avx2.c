/* circle_avx2.c - the circle fitter's kernels, 8 lanes of float or 4 of double; contraction is off, so the doubles are the reference's. */
#include "cpu/circle.h"

#include <immintrin.h>

/* ---- edges ---------------------------------------------------------------------------------------------------------------------- */

/* r^2 - dy^2 of 4 lanes. */
static __m128 height_left(const leat_circle_lanes *l, int i, __m256d y) {
    __m256d dy = _mm256_sub_pd(y, _mm256_load_pd(l->cy + i));
    return _mm256_cvtpd_ps(_mm256_fnmadd_pd(dy, dy, _mm256_load_pd(l->r2 + i)));
}

static __m256 magnitude(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }

/* base + floor(t), clamped to [0, width]; *doubt: lanes where t is within slack of an integer. */
static __m256i edge_of(__m256 t, __m256i base, __m256 slack, __m256i width, __m256 *doubt) {
    __m256 whole = _mm256_floor_ps(t);
    __m256 off = magnitude(_mm256_sub_ps(_mm256_sub_ps(t, whole), _mm256_set1_ps(0.5f)));
    *doubt = _mm256_cmp_ps(off, _mm256_sub_ps(_mm256_set1_ps(0.5f), slack), _CMP_GT_OQ);
    __m256i x = _mm256_add_epi32(_mm256_cvttps_epi32(whole), base);
    return _mm256_min_epi32(_mm256_max_epi32(x, _mm256_setzero_si256()), width);
}

static uint64_t bits_of(__m256 mask, int shift) { return (uint64_t)(uint32_t)_mm256_movemask_ps(mask) << shift; }

static void edges_of_8(const leat_circle_lanes *l, int i, __m256d y, __m256i width, leat_circle_bits *bits) {
    int    shift = i % CIRCLE_LANES;
    __m256 left2 = _mm256_set_m128(height_left(l, i + 4, y), height_left(l, i, y)), least = _mm256_load_ps(l->least + i), doubt0, doubt1;
    __m256 full = _mm256_cmp_ps(left2, least, _CMP_GE_OQ), near = _mm256_cmp_ps(magnitude(left2), least, _CMP_LT_OQ);
    __m256 half = _mm256_sqrt_ps(_mm256_and_ps(full, left2)), fraction = _mm256_load_ps(l->fraction + i), slack = _mm256_load_ps(l->slack + i);
    __m256i base = _mm256_load_si256((const __m256i *)(l->base + i));
    __m256i x0 = edge_of(_mm256_sub_ps(fraction, half), base, slack, width, &doubt0);
    __m256i x1 = edge_of(_mm256_add_ps(fraction, half), base, slack, width, &doubt1);
    _mm256_store_si256((__m256i *)(l->x0 + i), x0);
    _mm256_store_si256((__m256i *)(l->x1 + i), x1);
    __m256 alive = _mm256_and_ps(full, _mm256_castsi256_ps(_mm256_cmpgt_epi32(x1, x0)));
    bits->alive |= bits_of(alive, shift);
    bits->left |= bits_of(_mm256_and_ps(alive, _mm256_castsi256_ps(_mm256_cmpgt_epi32(x0, _mm256_setzero_si256()))), shift);
    bits->right |= bits_of(_mm256_and_ps(alive, _mm256_castsi256_ps(_mm256_cmpgt_epi32(width, x1))), shift);
    bits->doubt |= bits_of(_mm256_or_ps(near, _mm256_and_ps(full, _mm256_or_ps(doubt0, doubt1))), shift);
}

static void edges_avx2(const leat_circle_lanes *l, int width, int y, leat_circle_bits *bits) {
    __m256d row = _mm256_set1_pd(y);
    __m256i right = _mm256_set1_epi32(width);
    for (int w = 0; w < l->slots / CIRCLE_LANES; w++) {
        leat_circle_bits b = {0};
        for (int i = 0; i < CIRCLE_LANES && w * CIRCLE_LANES + i < l->used; i += 8) edges_of_8(l, w * CIRCLE_LANES + i, row, right, &b);
        bits[w] = b;
    }
}

/* ---- regions -------------------------------------------------------------------------------------------------------------------- */

typedef struct colours {
    __m256d c[3];
} colours;

/* trunc((front + v * (1 / 255.0) * keep) * 255 + 0.5) in the lanes of `in`. */
static __m256d painted(__m256d v, __m256d in, double front, __m256d keep) {
    __m256d back = _mm256_mul_pd(_mm256_mul_pd(v, _mm256_set1_pd(1.0 / 255.0)), keep);
    __m256d out = _mm256_add_pd(_mm256_mul_pd(_mm256_add_pd(_mm256_set1_pd(front), back), _mm256_set1_pd(255)), _mm256_set1_pd(0.5));
    return _mm256_blendv_pd(v, _mm256_round_pd(out, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC), in);
}

static colours paint_word(const leat_circle_paint *paints, __m256i masks, uint64_t any, colours v) {
    for (; any; any &= any - 1) {
        const leat_circle_paint *p = &paints[__builtin_ctzll(any)];
        __m256i bit = _mm256_set1_epi64x((long long)(any & -any));
        __m256d in = _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(masks, bit), bit)), keep = _mm256_set1_pd(p->keep);
        for (int c = 0; c < 3; c++) v.c[c] = painted(v.c[c], in, p->front[c], keep);
    }
    return v;
}

/* Four rows of 4 sums to four columns of doubles. */
static void columns(const int32_t *sums, __m256d out[4]) {
    const __m128i *rows = (const __m128i *)sums;
    __m128i a = _mm_loadu_si128(rows), b = _mm_loadu_si128(rows + 1), c = _mm_loadu_si128(rows + 2), d = _mm_loadu_si128(rows + 3);
    __m128i ab0 = _mm_unpacklo_epi32(a, b), ab1 = _mm_unpackhi_epi32(a, b), cd0 = _mm_unpacklo_epi32(c, d), cd1 = _mm_unpackhi_epi32(c, d);
    out[0] = _mm256_cvtepi32_pd(_mm_unpacklo_epi64(ab0, cd0));
    out[1] = _mm256_cvtepi32_pd(_mm_unpackhi_epi64(ab0, cd0));
    out[2] = _mm256_cvtepi32_pd(_mm_unpacklo_epi64(ab1, cd1));
    out[3] = _mm256_cvtepi32_pd(_mm_unpackhi_epi64(ab1, cd1));
}

/* Whole numbers below 2^53 throughout, so that the doubles are exact. */
static __m256d four_regions(const leat_circle_paint *paints, const uint8_t *ground, const uint64_t *masks, int words, const int32_t *sums, __m256d total) {
    colours v;
    __m256d sum[4];
    for (int c = 0; c < 3; c++) v.c[c] = _mm256_set1_pd(ground[c]);
    for (int w = 0; w < words; w++) {
        uint64_t m0 = masks[w], m1 = masks[words + w], m2 = masks[2 * words + w], m3 = masks[3 * words + w];
        __m256i lanes = _mm256_setr_epi64x((long long)m0, (long long)m1, (long long)m2, (long long)m3);
        v = paint_word(paints + w * CIRCLE_LANES, lanes, m0 | m1 | m2 | m3, v);
    }
    columns(sums, sum);
    for (int c = 0; c < 3; c++)
        total = _mm256_fmadd_pd(v.c[c], _mm256_fnmadd_pd(_mm256_set1_pd(2), sum[c], _mm256_mul_pd(v.c[c], sum[3])), total);
    return total;
}

static int64_t regions_avx2(const leat_circle_paint *paints, const uint8_t *ground, const uint64_t *masks, int words, const int32_t *sums, int n) {
    __m256d total = _mm256_setzero_pd();
    double  lanes[4];
    int     i = 0;
    for (; i + 4 <= n; i += 4) total = four_regions(paints, ground, masks + i * words, words, sums + 4 * i, total);
    _mm256_storeu_pd(lanes, total);
    int64_t whole = (int64_t)(lanes[0] + lanes[1] + lanes[2] + lanes[3]);
    return i < n ? whole + leat__circle_ref.regions(paints, ground, masks + i * words, words, sums + 4 * i, n - i) : whole;
}

void leat__circle_fill_avx2(leat_circle_kernels *k) {
    k->edges = edges_avx2;
    k->regions = regions_avx2;
    k->name = "avx2";
}
