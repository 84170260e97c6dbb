/* circle_avx2.c - the circle fitter's kernels, 8 lanes of 32 bits, 32 of 8; contraction is off, so that doubles are the reference's. */
#include "cpu/circle.h"

#include <immintrin.h>
#include <string.h>

/* ---- spans ---------------------------------------------------------------------------------------------------------------------- */

static __m128 height_left(const leat_circle_outline *o, __m256d y) {
    __m256d dy = _mm256_sub_pd(y, _mm256_set1_pd(o->cy));
    return _mm256_cvtpd_ps(_mm256_fnmadd_pd(dy, dy, _mm256_set1_pd(o->r2)));
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

static unsigned bits_of(__m256 mask) { return (unsigned)_mm256_movemask_ps(mask); }
static __m256 as_mask(__m256i mask) { return _mm256_castsi256_ps(mask); }

/* 8 rows from y on, rows i .. i + 7 of the tile; returns the bits of rows in doubt.  Empty rows get the width for both edges. */
static unsigned spans_of_8(const leat_circle_outline *o, int width, int y, int i, leat_circle_spans *s, leat_circle_flags *f) {
    __m256d first = _mm256_add_pd(_mm256_set1_pd(y), _mm256_setr_pd(0, 1, 2, 3)), next = _mm256_add_pd(first, _mm256_set1_pd(4));
    __m256  left2 = _mm256_set_m128(height_left(o, next), height_left(o, first)), least = _mm256_set1_ps(o->least), doubt0, doubt1;
    __m256  full = _mm256_cmp_ps(left2, least, _CMP_GE_OQ), near = _mm256_cmp_ps(magnitude(left2), least, _CMP_LT_OQ);
    __m256  half = _mm256_sqrt_ps(_mm256_and_ps(full, left2)), fraction = _mm256_set1_ps(o->fraction), slack = _mm256_set1_ps(o->slack);
    __m256i base = _mm256_set1_epi32(o->base), right = _mm256_set1_epi32(width), empty = _mm256_andnot_si256(_mm256_castps_si256(full), right);
    __m256i x0 = _mm256_max_epi32(edge_of(_mm256_sub_ps(fraction, half), base, slack, right, &doubt0), empty);
    __m256i x1 = _mm256_max_epi32(edge_of(_mm256_add_ps(fraction, half), base, slack, right, &doubt1), empty);
    _mm256_storeu_si256((__m256i *)(s->x0 + i), x0);
    _mm256_storeu_si256((__m256i *)(s->x1 + i), x1);
    unsigned alive = bits_of(as_mask(_mm256_cmpgt_epi32(x1, x0))), left = bits_of(as_mask(_mm256_cmpgt_epi32(x0, _mm256_setzero_si256())));
    f->bits |= leat__circle_flags(alive, alive & left, alive & bits_of(as_mask(_mm256_cmpgt_epi32(right, x1)))).bits << i;
    return bits_of(_mm256_or_ps(near, _mm256_and_ps(full, _mm256_or_ps(doubt0, doubt1)))) << i;
}

static leat_circle_flags spans_avx2(const leat_circle_outline *o, const double *circle, int width, int y, leat_circle_spans *s) {
    leat_circle_flags f = {0};
    unsigned          doubt = spans_of_8(o, width, y, 0, s, &f) | spans_of_8(o, width, y + 8, 8, s, &f);
    return doubt ? leat__circle_settle(circle, width, y, doubt, f, s) : f;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------------- */

/* By whole groups of edges: their number seldom changes from row to row, so that the branches are foreseen. */
static inline __attribute__((always_inline)) int32_t locate(const int32_t *x, const uint32_t *edges, int n, int32_t *at) {
    int32_t last = 0, disorder = 0; /* below 0: some x was smaller than the one before */
    for (int i = 0; i <= n; i += CIRCLE_EDGES)
#pragma GCC unroll 4
        for (int k = 0; k < CIRCLE_EDGES; k++) {
            int32_t here = x[edges[i + k]];
            disorder |= here - last;
            at[i + k] = last = here;
        }
    return disorder;
}

static inline __attribute__((always_inline)) void add_runs(const uint16_t *within, const int32_t *before, const int32_t *at, int n, int32_t *sums, const int wide) {
    __m128i last = _mm_setzero_si128();
    for (int i = 0; i <= n; i += CIRCLE_EDGES)
#pragma GCC unroll 4
        for (int k = 0; k < CIRCLE_EDGES; k++) {
            size_t   x = (uint32_t)at[i + k];
            __m128i *sum = (__m128i *)(sums + 4 * (i + k)), here = _mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)(within + 4 * x)));
            if (wide) here = _mm_add_epi32(here, _mm_load_si128((const __m128i *)(before + 4 * (x / CIRCLE_BLOCK))));
            _mm_store_si128(sum, _mm_add_epi32(_mm_load_si128(sum), _mm_sub_epi32(here, last)));
            last = here;
        }
}

static inline __attribute__((always_inline)) int add_ordered(const leat_circle_table *t, int y, int rows, const int32_t *x, const leat_circle_list *list, const int wide) {
    const uint16_t *within = t->within + (int64_t)y * (t->width + 1) * 4;
    const int32_t  *before = t->before + (int64_t)y * t->blocks * 4;
    for (int row = 0; row < rows; row++, within += (t->width + 1) * 4, before += t->blocks * 4) {
        if ((row > 0 || !list->is_located) && locate(x + row, list->edges, list->n, list->at) < 0) return row;
        add_runs(within, before, list->at, list->n, list->sums, wide);
    }
    return rows;
}

static int add_rows_avx2(const leat_circle_table *t, int y, int rows, const int32_t *x, const leat_circle_list *list) {
    return t->blocks == 1 ? add_ordered(t, y, rows, x, list, 0) : add_ordered(t, y, rows, x, list, 1);
}

/* ---- regions -------------------------------------------------------------------------------------------------------------------- */

typedef struct colours {
    __m256i c[3]; /* 8 regions */
} colours;

/* Regions of 8: the low and the high halves of their masks. */
typedef struct mask_halves {
    __m256i  half[2];
    uint64_t any;
} mask_halves;

static mask_halves halves_of(const uint64_t *masks) {
    __m256 a = _mm256_loadu_ps((const float *)masks), b = _mm256_loadu_ps((const float *)(masks + 4));
    __m256i low = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), high = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
    __m256i both = _mm256_castps_si256(_mm256_or_ps(a, b));
    __m128i any = _mm_or_si128(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    return (mask_halves){{_mm256_permute4x64_epi64(low, 0xd8), _mm256_permute4x64_epi64(high, 0xd8)},
                         (uint64_t)_mm_cvtsi128_si64(any) | (uint64_t)_mm_extract_epi64(any, 1)};
}

/* Integer painting; lanes whose rounding is not certain are set in *doubt. */
static colours paint_word(const leat_circle_paint *paints, const uint64_t *masks, colours v, __m256i *doubt) {
    const __m256i certain = _mm256_set1_epi32(((1 << CIRCLE_FRACTION) - 1) & -CIRCLE_DOUBT);
    mask_halves   m = halves_of(masks);
    for (uint64_t any = m.any; any; any &= any - 1) {
        int at = __builtin_ctzll(any);
        const leat_circle_paint *p = &paints[at];
        __m256i bit = _mm256_set1_epi32((int)(1u << (at & 31))), in = _mm256_cmpeq_epi32(_mm256_and_si256(m.half[at >> 5], bit), bit);
        __m256i scale = _mm256_set1_epi32((int)p->scale);
        for (int c = 0; c < 3; c++) {
            __m256i wide = _mm256_add_epi32(_mm256_mullo_epi32(v.c[c], scale), _mm256_set1_epi32((int)p->shift[c]));
            __m256i tie = _mm256_cmpeq_epi32(_mm256_and_si256(wide, certain), _mm256_setzero_si256());
            *doubt = _mm256_or_si256(*doubt, _mm256_and_si256(tie, in));
            v.c[c] = _mm256_blendv_epi8(v.c[c], _mm256_srli_epi32(wide, CIRCLE_FRACTION), in);
        }
    }
    return v;
}

/* 8 rows of 4 sums to 4 columns. */
static void columns_of(const int32_t *sums, __m256i out[4]) {
    __m256i row[4];
    for (int i = 0; i < 4; i++) {
        __m256i low = _mm256_castsi128_si256(_mm_load_si128((const __m128i *)(sums + 4 * i)));
        row[i] = _mm256_inserti128_si256(low, _mm_load_si128((const __m128i *)(sums + 16 + 4 * i)), 1);
    }
    __m256i ab0 = _mm256_unpacklo_epi32(row[0], row[1]), ab1 = _mm256_unpackhi_epi32(row[0], row[1]);
    __m256i cd0 = _mm256_unpacklo_epi32(row[2], row[3]), cd1 = _mm256_unpackhi_epi32(row[2], row[3]);
    out[0] = _mm256_unpacklo_epi64(ab0, cd0);
    out[1] = _mm256_unpackhi_epi64(ab0, cd0);
    out[2] = _mm256_unpacklo_epi64(ab1, cd1);
    out[3] = _mm256_unpackhi_epi64(ab1, cd1);
}

/* Adds v * (v * ones - 2 * sum), which is below 2^31 * 2^8, to 4 sums of 64 bits. */
static __m256i add_errors(__m256i total, colours v, const int32_t *sums) {
    __m256i column[4];
    columns_of(sums, column);
    for (int c = 0; c < 3; c++) {
        __m256i part = _mm256_sub_epi32(_mm256_mullo_epi32(v.c[c], column[3]), _mm256_slli_epi32(column[c], 1));
        total = _mm256_add_epi64(total, _mm256_mul_epi32(part, v.c[c]));
        total = _mm256_add_epi64(total, _mm256_mul_epi32(_mm256_srli_epi64(part, 32), _mm256_srli_epi64(v.c[c], 32)));
    }
    return total;
}

static int64_t regions_avx2(const leat_circle_paint *paints, const uint8_t *ground, const uint64_t *masks, int words, int stride, const int32_t *sums, int n) {
    __m256i total = _mm256_setzero_si256();
    int64_t lanes[4], doubtful = 0;
    for (int i = 0; i < n; i += 8) {
        colours v;
        __m256i doubt = _mm256_setzero_si256();
        for (int c = 0; c < 3; c++) v.c[c] = _mm256_set1_epi32(ground[c]);
        for (int w = 0; w < words; w++) v = paint_word(paints + w * CIRCLE_LANES, masks + w * stride + i, v, &doubt);
        if (_mm256_testz_si256(doubt, doubt)) total = add_errors(total, v, sums + 4 * i);
        else doubtful += leat__circle_ref.regions(paints, ground, masks + i, words, stride, sums + 4 * i, 8);
    }
    _mm256_storeu_si256((__m256i *)lanes, total);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3] + doubtful;
}

/* ---- maps ------------------------------------------------------------------------------------------------------------------------------- */

/* ((257 b * mul >> 16) + add) >> 8 of 32 bytes; the constants of the low and the high halves of 16 differ in phase. */
static __m256i arithmetic(__m256i b, __m256i mul0, __m256i add0, __m256i mul1, __m256i add1) {
    __m256i low = _mm256_add_epi16(_mm256_mulhi_epu16(_mm256_unpacklo_epi8(b, b), mul0), add0);
    __m256i high = _mm256_add_epi16(_mm256_mulhi_epu16(_mm256_unpackhi_epi8(b, b), mul1), add1);
    return _mm256_packus_epi16(_mm256_srli_epi16(low, 8), _mm256_srli_epi16(high, 8));
}

static int matches_avx2(const uint8_t *table, uint16_t mul, uint16_t add, uint8_t wrong[CIRCLE_PATCHES]) {
    __m256i m = _mm256_set1_epi16((short)mul), a = _mm256_set1_epi16((short)add);
    __m256i b = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
    int     missed = 0;
    for (int i = 0; i < 256; i += 32, b = _mm256_add_epi8(b, _mm256_set1_epi8(32))) {
        __m256i same = _mm256_cmpeq_epi8(arithmetic(b, m, a, m, a), _mm256_loadu_si256((const __m256i *)(table + i)));
        for (uint32_t bad = ~(uint32_t)_mm256_movemask_epi8(same); bad; bad &= bad - 1, missed++)
            if (missed < CIRCLE_PATCHES) wrong[missed] = (uint8_t)(i + __builtin_ctz(bad));
    }
    return missed;
}

/* Four bytes b, b + 1, ... as doubles b * (1 / 255.0) -> their new values. */
static __m128i painted_bytes(__m256d b, __m256d front, __m256d keep) {
    __m256d back = _mm256_mul_pd(_mm256_mul_pd(b, _mm256_set1_pd(1.0 / 255.0)), keep);
    return _mm256_cvttpd_epi32(_mm256_add_pd(_mm256_mul_pd(_mm256_add_pd(front, back), _mm256_set1_pd(255)), _mm256_set1_pd(0.5)));
}

static void map_avx2(const double *c, leat_circle_map *map) {
    __m256d keep = _mm256_set1_pd(1 - c[CIRCLE_OPACITY]);
    for (int channel = 0; channel < 3; channel++) {
        __m256d front = _mm256_set1_pd(c[CIRCLE_RED + channel] * c[CIRCLE_OPACITY]), b = _mm256_setr_pd(0, 1, 2, 3), four = _mm256_set1_pd(4);
        for (int i = 0; i < 256; i += 16) {
            __m128i v[4];
            for (int k = 0; k < 4; k++, b = _mm256_add_pd(b, four)) v[k] = painted_bytes(b, front, keep);
            __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(v[0], v[1]), _mm_packs_epi32(v[2], v[3]));
            _mm_storeu_si128((__m128i *)(map->table[channel] + i), bytes);
        }
    }
    leat__circle_map_fit(map, c, matches_avx2);
}

/* ---- painting --------------------------------------------------------------------------------------------------------------------------- */

/* Constants of packed pixels: 8 bytes that begin with channel q take 8 places of the ring from q on.  32 bytes that begin with channel p have
 * p, p + 1 in the low and p + 2, p + 3 in the high halves of their 16s, so that three registers serve every phase. */
typedef struct constants {
    __m256i mul[3], add[3];
} constants;

static inline __attribute__((always_inline)) __m256i ring_pair(const uint16_t *ring, int q) {
    return _mm256_set_m128i(_mm_loadu_si128((const __m128i *)(ring + (q + 1) % 3)), _mm_loadu_si128((const __m128i *)(ring + q)));
}

static inline __attribute__((always_inline)) constants constants_of(const leat_circle_map *map) {
    constants k;
    for (int q = 0; q < 3; q++) {
        k.mul[q] = ring_pair(map->mul, q);
        k.add[q] = ring_pair(map->add, q);
    }
    return k;
}

/* New values of 32 bytes that begin with channel p. */
static inline __attribute__((always_inline)) __m256i painted_block(const leat_circle_map *map, const constants *k, __m256i b, const int p, const int patched) {
    __m256i out = arithmetic(b, k->mul[p], k->add[p], k->mul[(p + 2) % 3], k->add[(p + 2) % 3]);
    if (patched)
        for (int i = 0; i < CIRCLE_PATCHES; i++) {
            __m256i hit = _mm256_cmpeq_epi8(b, _mm256_loadu_si256((const __m256i *)(map->at[i] + p)));
            out = _mm256_add_epi8(out, _mm256_and_si256(hit, _mm256_loadu_si256((const __m256i *)(map->change[i] + p))));
        }
    return out;
}

static const uint8_t ramp[64] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

/* The first n bytes of 32, n in 0..32. */
static __m256i first_bytes(int64_t n) { return _mm256_loadu_si256((const __m256i *)(ramp + 32 - n)); }

static inline __attribute__((always_inline)) void paint_block(const leat_circle_map *map, const constants *k, uint8_t *at, const int p, const int patched) {
    __m256i b = _mm256_loadu_si256((const __m256i *)at);
    _mm256_storeu_si256((__m256i *)at, painted_block(map, k, b, p, patched));
}

/* The last n bytes of a span, 1..32. */
static inline __attribute__((always_inline)) void paint_end(const leat_circle_map *map, const constants *k, uint8_t *at, int64_t n, const uint8_t *limit, const int p,
                                                            const int patched) {
    if (__builtin_expect(at + 32 <= limit, 1)) {
        __m256i b = _mm256_loadu_si256((const __m256i *)at);
        _mm256_storeu_si256((__m256i *)at, _mm256_blendv_epi8(b, painted_block(map, k, b, p, patched), first_bytes(n)));
        return;
    }
    uint8_t block[32] = {0};
    memcpy(block, at, (size_t)n);
    paint_block(map, k, block, p, patched);
    memcpy(at, block, (size_t)n);
}

static inline __attribute__((always_inline)) void paint_rows(const leat_circle_map *map, const leat_circle_band *band, const int32_t *x0, const int32_t *x1, int rows,
                                                             const int patched) {
    constants k = constants_of(map);
    for (int i = 0; i < rows; i++) {
        uint8_t       *at = band->rgb + i * band->stride + 3 * (int64_t)x0[i];
        const uint8_t *limit = band->limit + i * band->limit_step;
        int64_t        n = 3 * (int64_t)(x1[i] - x0[i]);
        for (; n >= 96; n -= 96, at += 96) {
            paint_block(map, &k, at, 0, patched);
            paint_block(map, &k, at + 32, 2, patched);
            paint_block(map, &k, at + 64, 1, patched);
        }
        if (n > 64) {
            paint_block(map, &k, at, 0, patched);
            paint_block(map, &k, at + 32, 2, patched);
            paint_end(map, &k, at + 64, n - 64, limit, 1, patched);
        } else if (n > 32) {
            paint_block(map, &k, at, 0, patched);
            paint_end(map, &k, at + 32, n - 32, limit, 2, patched);
        } else if (n > 0) {
            paint_end(map, &k, at, n, limit, 0, patched);
        }
    }
}

static void paint_avx2(const leat_circle_map *map, const leat_circle_band *band, const int32_t *x0, const int32_t *x1, int rows) {
    if (map->kind == CIRCLE_PLAIN) paint_rows(map, band, x0, x1, rows, 0);
    else if (map->kind == CIRCLE_PATCHED) paint_rows(map, band, x0, x1, rows, 1);
    else leat__circle_ref.paint(map, band, x0, x1, rows);
}

/* ---- squared error ------------------------------------------------------------------------------------------------------------------------ */

/* Adds the squares of 32 differences to 8 sums: at most 2^18 each. */
static inline __attribute__((always_inline)) __m256i add_squares(__m256i sum, __m256i a, __m256i b) {
    __m256i d = _mm256_or_si256(_mm256_subs_epu8(a, b), _mm256_subs_epu8(b, a)), zero = _mm256_setzero_si256();
    __m256i low = _mm256_unpacklo_epi8(d, zero), high = _mm256_unpackhi_epi8(d, zero);
    return _mm256_add_epi32(sum, _mm256_add_epi32(_mm256_madd_epi16(low, low), _mm256_madd_epi16(high, high)));
}

static uint64_t total_of(__m256i sum) {
    __m256i wide = _mm256_add_epi64(_mm256_cvtepu32_epi64(_mm256_castsi256_si128(sum)), _mm256_cvtepu32_epi64(_mm256_extracti128_si256(sum, 1)));
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    return (uint64_t)_mm_cvtsi128_si64(half) + (uint64_t)_mm_extract_epi64(half, 1);
}

static __m256i load(const uint8_t *at) { return _mm256_loadu_si256((const __m256i *)at); }

static uint64_t sse_avx2(const uint8_t *a, const uint8_t *b, int64_t n) {
    __m256i sum = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) sum = add_squares(sum, load(a + i), load(b + i));
    if (i < n) sum = add_squares(sum, _mm256_and_si256(load(a + i), first_bytes(n - i)), _mm256_and_si256(load(b + i), first_bytes(n - i)));
    return total_of(sum);
}

static inline __attribute__((always_inline)) __m256i painted_end(const leat_circle_map *map, const constants *k, __m256i sum, const uint8_t *a, const uint8_t *b,
                                                                 int64_t n, const int p, const int patched) {
    __m256i in = first_bytes(n < 32 ? n : 32);
    return add_squares(sum, _mm256_and_si256(painted_block(map, k, load(a), p, patched), in), _mm256_and_si256(load(b), in));
}

static inline __attribute__((always_inline)) uint64_t painted_sums(const leat_circle_map *map, const uint8_t *a, const uint8_t *b, int64_t n, const int patched) {
    constants k = constants_of(map);
    __m256i   sum = _mm256_setzero_si256();
    for (; n >= 96; n -= 96, a += 96, b += 96) {
        sum = add_squares(sum, painted_block(map, &k, load(a), 0, patched), load(b));
        sum = add_squares(sum, painted_block(map, &k, load(a + 32), 2, patched), load(b + 32));
        sum = add_squares(sum, painted_block(map, &k, load(a + 64), 1, patched), load(b + 64));
    }
    if (n > 0) sum = painted_end(map, &k, sum, a, b, n, 0, patched);
    if (n > 32) sum = painted_end(map, &k, sum, a + 32, b + 32, n - 32, 2, patched);
    if (n > 64) sum = painted_end(map, &k, sum, a + 64, b + 64, n - 64, 1, patched);
    return total_of(sum);
}

static uint64_t painted_sse_avx2(const leat_circle_map *map, const uint8_t *a, const uint8_t *b, int64_t n) {
    if (map->kind == CIRCLE_PLAIN) return painted_sums(map, a, b, n, 0);
    if (map->kind == CIRCLE_PATCHED) return painted_sums(map, a, b, n, 1);
    return leat__circle_ref.painted_sse(map, a, b, n);
}

void leat__circle_fill_avx2(leat_circle_kernels *k) {
    *k = (leat_circle_kernels){spans_avx2, add_rows_avx2, regions_avx2, map_avx2, paint_avx2, sse_avx2, painted_sse_avx2, "avx2"};
}
