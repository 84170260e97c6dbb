/* circle_avx512.c - the circle fitter's kernels, 16 lanes of float or 8 of double; contraction is off, so the doubles are the reference's. */
#include "cpu/circle.h"

#include <immintrin.h>

/* ---- edges ---------------------------------------------------------------------------------------------------------------------- */

static __m512 two_halves(__m256 low, __m256 high) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

/* r^2 - dy^2 of 8 lanes. */
static __m256 height_left(const leat_circle_lanes *l, int i, __m512d y) {
    __m512d dy = _mm512_sub_pd(y, _mm512_load_pd(l->cy + i));
    return _mm512_cvtpd_ps(_mm512_fnmadd_pd(dy, dy, _mm512_load_pd(l->r2 + i)));
}

/* base + floor(t), clamped to [0, width]; *doubt: lanes where t is within slack of an integer. */
static __m512i edge_of(__m512 t, __m512i base, __m512 slack, __m512i width, __mmask16 *doubt) {
    __m512 whole = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 off = _mm512_abs_ps(_mm512_sub_ps(_mm512_sub_ps(t, whole), _mm512_set1_ps(0.5f)));
    *doubt = _mm512_cmp_ps_mask(off, _mm512_sub_ps(_mm512_set1_ps(0.5f), slack), _CMP_GT_OQ);
    __m512i x = _mm512_add_epi32(_mm512_cvttps_epi32(whole), base);
    return _mm512_min_epi32(_mm512_max_epi32(x, _mm512_setzero_si512()), width);
}

static void edges_of_16(const leat_circle_lanes *l, int i, __m512d y, __m512i width, leat_circle_bits *bits) {
    int       shift = i % CIRCLE_LANES;
    __m512    left2 = two_halves(height_left(l, i, y), height_left(l, i + 8, y)), least = _mm512_load_ps(l->least + i);
    __mmask16 full = _mm512_cmp_ps_mask(left2, least, _CMP_GE_OQ), near, doubt0, doubt1;
    near = _mm512_cmp_ps_mask(_mm512_abs_ps(left2), least, _CMP_LT_OQ);
    __m512  half = _mm512_maskz_sqrt_ps(full, left2), fraction = _mm512_load_ps(l->fraction + i), slack = _mm512_load_ps(l->slack + i);
    __m512i base = _mm512_load_si512(l->base + i);
    __m512i x0 = edge_of(_mm512_sub_ps(fraction, half), base, slack, width, &doubt0);
    __m512i x1 = edge_of(_mm512_add_ps(fraction, half), base, slack, width, &doubt1);
    _mm512_store_si512(l->x0 + i, x0);
    _mm512_store_si512(l->x1 + i, x1);
    __mmask16 alive = _mm512_mask_cmplt_epi32_mask(full, x0, x1);
    bits->alive |= (uint64_t)alive << shift;
    bits->left |= (uint64_t)_mm512_mask_cmpgt_epi32_mask(alive, x0, _mm512_setzero_si512()) << shift;
    bits->right |= (uint64_t)_mm512_mask_cmplt_epi32_mask(alive, x1, width) << shift;
    bits->doubt |= (uint64_t)(__mmask16)(near | (full & (doubt0 | doubt1))) << shift;
}

static void edges_avx512(const leat_circle_lanes *l, int width, int y, leat_circle_bits *bits) {
    __m512d row = _mm512_set1_pd(y);
    __m512i right = _mm512_set1_epi32(width);
    for (int w = 0; w < l->slots / CIRCLE_LANES; w++) {
        leat_circle_bits b = {0};
        for (int i = 0; i < CIRCLE_LANES && w * CIRCLE_LANES + i < l->used; i += 16) edges_of_16(l, w * CIRCLE_LANES + i, row, right, &b);
        bits[w] = b;
    }
}

/* ---- regions -------------------------------------------------------------------------------------------------------------------- */

typedef struct colours {
    __m512d c[3];
} colours;

/* trunc((front + v * (1 / 255.0) * keep) * 255 + 0.5) in the lanes of `in`. */
static __m512d painted(__m512d v, __mmask8 in, double front, __m512d keep) {
    __m512d back = _mm512_mul_pd(_mm512_mul_pd(v, _mm512_set1_pd(1.0 / 255.0)), keep);
    __m512d out = _mm512_add_pd(_mm512_mul_pd(_mm512_add_pd(_mm512_set1_pd(front), back), _mm512_set1_pd(255)), _mm512_set1_pd(0.5));
    return _mm512_mask_roundscale_pd(v, in, out, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
}

static colours paint_word(const leat_circle_paint *paints, __m512i masks, colours v) {
    uint64_t any = (uint64_t)_mm512_reduce_or_epi64(masks);
    for (; any; any &= any - 1) {
        const leat_circle_paint *p = &paints[__builtin_ctzll(any)];
        __mmask8 in = _mm512_test_epi64_mask(masks, _mm512_set1_epi64((long long)(any & -any)));
        __m512d  keep = _mm512_set1_pd(p->keep);
        for (int c = 0; c < 3; c++) v.c[c] = painted(v.c[c], in, p->front[c], keep);
    }
    return v;
}

static __m512i gather_words(const uint64_t *masks, int words, __mmask8 lanes) {
    const __m512i steps = _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64(words));
    return _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), lanes, steps, masks, 8);
}

static __m512d column(const int32_t *sums, int c, __mmask8 lanes) {
    const __m256i steps = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    return _mm512_cvtepi32_pd(_mm256_mmask_i32gather_epi32(_mm256_setzero_si256(), lanes, steps, sums + c, 4));
}

/* Whole numbers below 2^53 throughout, so that the doubles are exact. */
static int64_t regions_avx512(const leat_circle_paint *paints, const uint8_t *ground, const uint64_t *masks, int words, const int32_t *sums, int n) {
    __m512d total = _mm512_setzero_pd();
    for (int i = 0; i < n; i += 8) {
        __mmask8 lanes = (__mmask8)(n - i >= 8 ? 255 : (1 << (n - i)) - 1);
        colours  v;
        for (int c = 0; c < 3; c++) v.c[c] = _mm512_set1_pd(ground[c]);
        for (int w = 0; w < words; w++) v = paint_word(paints + w * CIRCLE_LANES, gather_words(masks + i * words + w, words, lanes), v);
        __m512d ones = column(sums + 4 * i, 3, lanes);
        for (int c = 0; c < 3; c++) {
            __m512d sum = column(sums + 4 * i, c, lanes);
            total = _mm512_fmadd_pd(v.c[c], _mm512_fnmadd_pd(_mm512_set1_pd(2), sum, _mm512_mul_pd(v.c[c], ones)), total);
        }
    }
    return (int64_t)_mm512_reduce_add_pd(total);
}

void leat__circle_fill_avx512(leat_circle_kernels *k) {
    k->edges = edges_avx512;
    k->regions = regions_avx512;
    k->name = "avx512";
}
