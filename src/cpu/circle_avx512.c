/* circle_avx512.c - the circle fitter's kernels, 16 lanes of float or 8 of double; contraction is off, so the doubles are the reference's. */
#include "cpu/circle.h"

#include <immintrin.h>

/* ---- spans ---------------------------------------------------------------------------------------------------------------------- */

/* r^2 - dy^2 of 8 rows. */
static __m256 height_left(const leat_circle_outline *o, __m512d y) {
    __m512d dy = _mm512_sub_pd(y, _mm512_set1_pd(o->cy));
    return _mm512_cvtpd_ps(_mm512_fnmadd_pd(dy, dy, _mm512_set1_pd(o->r2)));
}

/* base + floor(t), clamped to [0, width]; *doubt: lanes where t is within slack of an integer. */
static __m512i edge_of(__m512 t, __m512i base, __m512 sure, __m512i width, __mmask16 *doubt) {
    __m512 whole = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    *doubt = _mm512_cmp_ps_mask(_mm512_abs_ps(_mm512_sub_ps(_mm512_sub_ps(t, whole), _mm512_set1_ps(0.5f))), sure, _CMP_GT_OQ);
    __m512i x = _mm512_add_epi32(_mm512_cvttps_epi32(whole), base);
    return _mm512_min_epi32(_mm512_max_epi32(x, _mm512_setzero_si512()), width);
}

static leat_circle_flags spans_avx512(const leat_circle_outline *o, const double *circle, int width, int y, leat_circle_spans *s) {
    __m512d   first = _mm512_add_pd(_mm512_set1_pd(y), _mm512_setr_pd(0, 1, 2, 3, 4, 5, 6, 7)), next = _mm512_add_pd(first, _mm512_set1_pd(8));
    __m512    left2 = _mm512_insertf32x8(_mm512_castps256_ps512(height_left(o, first)), height_left(o, next), 1), least = _mm512_set1_ps(o->least);
    __mmask16 full = _mm512_cmp_ps_mask(left2, least, _CMP_GE_OQ), near = _mm512_cmp_ps_mask(_mm512_abs_ps(left2), least, _CMP_LT_OQ), doubt0, doubt1;
    __m512    half = _mm512_maskz_sqrt_ps(full, left2), fraction = _mm512_set1_ps(o->fraction), sure = _mm512_set1_ps(0.5f - o->slack);
    __m512i   base = _mm512_set1_epi32(o->base), right = _mm512_set1_epi32(width);
    __m512i   x0 = _mm512_maskz_mov_epi32(full, edge_of(_mm512_sub_ps(fraction, half), base, sure, right, &doubt0));
    __m512i   x1 = _mm512_maskz_mov_epi32(full, edge_of(_mm512_add_ps(fraction, half), base, sure, right, &doubt1));
    __mmask16 alive = _mm512_cmplt_epi32_mask(x0, x1);
    _mm512_storeu_si512(s->x0, x0);
    _mm512_storeu_si512(s->x1, x1);
    leat_circle_flags f = {alive, _mm512_mask_cmpgt_epi32_mask(alive, x0, _mm512_setzero_si512()), _mm512_mask_cmplt_epi32_mask(alive, x1, right)};
    unsigned          doubt = near | (full & (doubt0 | doubt1));
    return __builtin_expect(doubt != 0, 0) ? leat__circle_settle(circle, width, y, doubt, f, s) : f;
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
    k->spans = spans_avx512;
    k->regions = regions_avx512;
    k->name = "avx512";
}
