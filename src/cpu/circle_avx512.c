/* circle_avx512.c - the circle fitter's kernels, 16 lanes; painting is AVX2's: 64 bytes that begin anywhere
 * straddle two cache lines each, and were slower. */
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
    leat_circle_flags f = leat__circle_flags(alive, _mm512_mask_cmpgt_epi32_mask(alive, x0, _mm512_setzero_si512()), _mm512_mask_cmplt_epi32_mask(alive, x1, right));
    unsigned          doubt = near | (full & (doubt0 | doubt1));
    return __builtin_expect(doubt != 0, 0) ? leat__circle_settle(circle, width, y, doubt, f, s) : f;
}

/* ---- regions -------------------------------------------------------------------------------------------------------------------- */

typedef struct colours {
    __m512i c[3]; /* 16 regions */
} colours;

/* Integer painting; lanes whose rounding is not certain are set in *doubt. */
static colours paint_word(const leat_circle_paint *paints, const uint64_t *masks, colours v, __mmask16 *doubt) {
    const __m512i certain = _mm512_set1_epi32(((1 << CIRCLE_FRACTION) - 1) & -CIRCLE_DOUBT);
    __m512i       first = _mm512_loadu_si512(masks), second = _mm512_loadu_si512(masks + 8);
    for (uint64_t any = (uint64_t)_mm512_reduce_or_epi64(_mm512_or_si512(first, second)); any; any &= any - 1) {
        const leat_circle_paint *p = &paints[__builtin_ctzll(any)];
        __m512i   bit = _mm512_set1_epi64((long long)(any & -any)), scale = _mm512_set1_epi32((int)p->scale);
        __mmask16 in = _mm512_kunpackb(_mm512_test_epi64_mask(second, bit), _mm512_test_epi64_mask(first, bit));
        for (int c = 0; c < 3; c++) {
            __m512i wide = _mm512_add_epi32(_mm512_mullo_epi32(v.c[c], scale), _mm512_set1_epi32((int)p->shift[c]));
            *doubt |= _mm512_mask_testn_epi32_mask(in, wide, certain);
            v.c[c] = _mm512_mask_srli_epi32(v.c[c], in, wide, CIRCLE_FRACTION);
        }
    }
    return v;
}

static __m512i row_pair(const int32_t *sums) {
    __m512i v = _mm512_castsi128_si512(_mm_load_si128((const __m128i *)sums));
    v = _mm512_inserti32x4(v, _mm_load_si128((const __m128i *)(sums + 16)), 1);
    v = _mm512_inserti32x4(v, _mm_load_si128((const __m128i *)(sums + 32)), 2);
    return _mm512_inserti32x4(v, _mm_load_si128((const __m128i *)(sums + 48)), 3);
}

/* 16 rows of 4 sums to 4 columns. */
static void columns_of(const int32_t *sums, __m512i out[4]) {
    __m512i a = row_pair(sums), b = row_pair(sums + 4), c = row_pair(sums + 8), d = row_pair(sums + 12);
    __m512i ab0 = _mm512_unpacklo_epi32(a, b), ab1 = _mm512_unpackhi_epi32(a, b), cd0 = _mm512_unpacklo_epi32(c, d), cd1 = _mm512_unpackhi_epi32(c, d);
    out[0] = _mm512_unpacklo_epi64(ab0, cd0);
    out[1] = _mm512_unpackhi_epi64(ab0, cd0);
    out[2] = _mm512_unpacklo_epi64(ab1, cd1);
    out[3] = _mm512_unpackhi_epi64(ab1, cd1);
}

/* Adds v * (v * ones - 2 * sum), which is below 2^31 * 2^8, to 8 sums of 64 bits. */
static __m512i add_errors(__m512i total, colours v, const int32_t *sums) {
    __m512i column[4];
    columns_of(sums, column);
    for (int c = 0; c < 3; c++) {
        __m512i part = _mm512_sub_epi32(_mm512_mullo_epi32(v.c[c], column[3]), _mm512_slli_epi32(column[c], 1));
        total = _mm512_add_epi64(total, _mm512_mul_epi32(part, v.c[c]));
        total = _mm512_add_epi64(total, _mm512_mul_epi32(_mm512_srli_epi64(part, 32), _mm512_srli_epi64(v.c[c], 32)));
    }
    return total;
}

static int64_t regions_avx512(const leat_circle_paint *paints, const uint8_t *ground, const uint64_t *masks, int words, int stride, const int32_t *sums, int n) {
    __m512i total = _mm512_setzero_si512();
    int64_t doubtful = 0;
    for (int i = 0; i < n; i += CIRCLE_BATCH) {
        colours   v;
        __mmask16 doubt = 0;
        for (int c = 0; c < 3; c++) v.c[c] = _mm512_set1_epi32(ground[c]);
        for (int w = 0; w < words; w++) v = paint_word(paints + w * CIRCLE_LANES, masks + w * stride + i, v, &doubt);
        if (doubt == 0) total = add_errors(total, v, sums + 4 * i);
        else doubtful += leat__circle_ref.regions(paints, ground, masks + i, words, stride, sums + 4 * i, CIRCLE_BATCH);
    }
    return _mm512_reduce_add_epi64(total) + doubtful;
}

/* ---- maps ------------------------------------------------------------------------------------------------------------------------------- */

/* ((257 b * mul >> 16) + add) >> 8 of 64 bytes; the constants of the low and the high halves of 16 differ in phase. */
static inline __attribute__((always_inline)) __m512i arithmetic(__m512i b, __m512i mul0, __m512i add0, __m512i mul1, __m512i add1) {
    __m512i low = _mm512_add_epi16(_mm512_mulhi_epu16(_mm512_unpacklo_epi8(b, b), mul0), add0);
    __m512i high = _mm512_add_epi16(_mm512_mulhi_epu16(_mm512_unpackhi_epi8(b, b), mul1), add1);
    return _mm512_packus_epi16(_mm512_srli_epi16(low, 8), _mm512_srli_epi16(high, 8));
}

static __m512i counting_bytes(void) {
    __m512i tens = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    return _mm512_add_epi8(tens, _mm512_setr_epi64(0, 0, 0x1010101010101010, 0x1010101010101010, 0x2020202020202020, 0x2020202020202020,
                                                   0x3030303030303030, 0x3030303030303030));
}

static int matches_avx512(const uint8_t *table, uint16_t mul, uint16_t add, uint8_t wrong[CIRCLE_PATCHES]) {
    __m512i m = _mm512_set1_epi16((short)mul), a = _mm512_set1_epi16((short)add), b = counting_bytes();
    int     missed = 0;
    for (int i = 0; i < 256; i += 64, b = _mm512_add_epi8(b, _mm512_set1_epi8(64)))
        for (uint64_t bad = _mm512_cmpneq_epi8_mask(arithmetic(b, m, a, m, a), _mm512_loadu_si512(table + i)); bad; bad &= bad - 1, missed++)
            if (missed < CIRCLE_PATCHES) wrong[missed] = (uint8_t)(i + __builtin_ctzll(bad));
    return missed;
}

/* Eight bytes at a time, as the reference: contraction is off. */
static void map_avx512(const double *c, leat_circle_map *map) {
    const __m512d unit = _mm512_set1_pd(1.0 / 255.0), keep = _mm512_set1_pd(1 - c[CIRCLE_OPACITY]), full = _mm512_set1_pd(255), half = _mm512_set1_pd(0.5);
    __m512d front[3], b = _mm512_setr_pd(0, 1, 2, 3, 4, 5, 6, 7);
    for (int k = 0; k < 3; k++) front[k] = _mm512_set1_pd(c[CIRCLE_RED + k] * c[CIRCLE_OPACITY]);
    for (int i = 0; i < 256; i += 8, b = _mm512_add_pd(b, _mm512_set1_pd(8))) {
        __m512d back = _mm512_mul_pd(_mm512_mul_pd(b, unit), keep);
        for (int k = 0; k < 3; k++) {
            __m256i v = _mm512_cvttpd_epi32(_mm512_add_pd(_mm512_mul_pd(_mm512_add_pd(front[k], back), full), half));
            _mm_storel_epi64((__m128i *)(map->table[k] + i), _mm256_cvtepi32_epi8(v));
        }
    }
    leat__circle_map_fit(map, c, matches_avx512);
}

void leat__circle_fill_avx512(leat_circle_kernels *k) {
    k->spans = spans_avx512;
    k->regions = regions_avx512;
    k->map = map_avx512;
    k->name = "avx512";
}
