/* qdotgrain_avx512vnni.c - Q4_K and Q6_K, whose scales are integers, as the activations' grains are: a chunk of 256 is summed without leaving the integers.
 *
 *   sums of 4 products (vpdpbusd), two groups packed side by side to 16 bits, times scale * grain (vpdpwssd), one conversion and multiply-add a chunk
 *
 * Nothing overflows: |sum of 4| <= 4 * 15 * 127 in Q4_K, <= 4 * 32 * 127 in Q6_K, whose sums begin with -32 times the activations (leat_qact: fours) and so
 * have no offset; scales are <= 63 * 255 and <= 128 * 255; a lane adds up four products: at most 2.13e9.
 *
 * Two rows go side by side: they share the loads of activations, and what is as short as 8 groups fills a vector.  The scales of a chunk are made while the
 * one before is multiplied, also where that is the end of other rows.  On Zen 4 a 512-bit load that repeats what it loads costs as much as an operation
 * (a plain load, or a repeated number within an operation, costs none): hence grains and biases lie in memory twice. */
#include "cpu/qdot.h"

#include <immintrin.h>

#define SIGNED_OFFSET 128

#include "cpu/qdot_unpack_tmpl.h"

enum { CHUNK = 256, MOST_TOKENS = 2, ROWS = 2, BLOCK = 8 };

typedef struct chunk {
    const int8_t  *q; /* in the format's order */
    const int16_t *grain, *grains;
    const int32_t *fours;
    const float   *biases, *unit;
    int64_t        groups;
} chunk;

/* What a chunk of two rows needs before its turn. */
typedef struct front {
    __m512i scale[MOST_TOKENS];      /* Q4_K: words 0..3 and 8..11 are the groups', those of the second row 16 behind */
    __m512  minimum;                 /* Q4_K: of the groups of both rows */
    __m256i half[MOST_TOKENS][ROWS]; /* Q6_K: words of the 16 halves of groups */
    float   unit[MOST_TOKENS][4];    /* times d, [0] and [2] in Q4_K, [1] and [3] in Q6_K */
} front;

typedef struct sums {
    __m512 main[MOST_TOKENS][ROWS], minimum[MOST_TOKENS];
} sums;

INLINE __m512i load64(const void *p) { return _mm512_loadu_si512(p); }
/* A load that stays one: gcc would repeat it in every operation. */
INLINE __m512i pinned(__m512i v) {
    __asm__("" : "+v"(v));
    return v;
}

/* Four halves in single precision: of each row two. */
INLINE __m128 two_dwords(const uint8_t *a, const uint8_t *b) {
    return _mm_cvtph_ps(_mm_insert_epi32(_mm_cvtsi32_si128((int)dword(a)), (int)dword(b), 1));
}

/* ---- Q4_K --------------------------------------------------------------------------------------------------------------------- */

/* Bytes A, B, C of 6-bit numbers: scales are the low 6 bits of A, then the low nibbles of C with the high pairs of A; minima so from B and the high nibbles. */
INLINE __m256i k4_numbers(const uint8_t *a, const uint8_t *b) {
    const __m256i six = _mm256_setr_epi32(0x3f3f3f3f, 0x3f3f3f3f, 0x0f0f0f0f, 0x0f0f0f0f, 0x3f3f3f3f, 0x3f3f3f3f, 0x0f0f0f0f, 0x0f0f0f0f);
    const __m256i two = _mm256_setr_epi32(0, 0, 0x30303030, 0x30303030, 0, 0, 0x30303030, 0x30303030);
    const __m128i first = _mm_loadu_si128((const __m128i *)(const void *)a), second = _mm_loadu_si128((const __m128i *)(const void *)b);
    __m256i       raw = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
    __m256i       low = _mm256_srlv_epi32(_mm256_shuffle_epi32(raw, 0xf9), _mm256_setr_epi32(0, 0, 0, 4, 0, 0, 0, 4)); /* A B C C */
    __m256i       high = _mm256_srli_epi32(_mm256_shuffle_epi32(raw, 0x90), 2);                                       /* - - A B */
    return _mm256_or_si256(_mm256_and_si256(low, six), _mm256_and_si256(high, two));
}

INLINE void k4_front(const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, front *next) {
    const __m512i second = _mm512_setr_epi32(1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3);
    __m512i       words = _mm512_cvtepu8_epi16(k4_numbers(a, b));
    __m128        d = two_dwords(a, b);
    next->minimum = _mm512_cvtepi32_ps(_mm512_unpackhi_epi16(words, _mm512_setzero_si512()));
    next->minimum = _mm512_mul_ps(next->minimum, _mm512_permutexvar_ps(second, _mm512_castps128_ps512(d)));
#pragma GCC unroll 2
    for (int t = 0; t < tokens; t++) {
        next->scale[t] = _mm512_mullo_epi16(words, load64(x->grains + 4 * t * x->groups));
        _mm_storeu_ps(next->unit[t], _mm_mul_ps(d, _mm_set1_ps(x->unit[t * x->groups / 8])));
    }
}

#define FOUR(i) (i), (i), (i), (i)

/* The scales of row r for the sums of groups 4k..4k + 3 as they lie after packing. */
INLINE __m512i spread(__m512i scale, const int r, const int k) {
    const short index[32] = {FOUR(0), FOUR(1), FOUR(0), FOUR(1), FOUR(2), FOUR(3), FOUR(2), FOUR(3)};
    return _mm512_permutexvar_epi16(_mm512_add_epi16(_mm512_set1_epi16((short)(16 * r + 8 * k)), load64(index)), scale);
}

INLINE void k4_add(const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, const front *now, sums *s) {
    const __m512i nibble = _mm512_set1_epi8(15), zero = _mm512_setzero_si512();
    const uint8_t *w[ROWS] = {a, b};
    __m512i        sum[MOST_TOKENS][ROWS];
#pragma GCC unroll 2
    for (int k = 0; k < 2; k++) {
        __m512i low[ROWS], high[ROWS];
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) {
            __m512i raw = pinned(load64(w[r] + 16 + 64 * k));
            low[r] = _mm512_and_si512(raw, nibble);
            high[r] = _mm512_and_si512(_mm512_srli_epi16(raw, 4), nibble);
        }
#pragma GCC unroll 2
        for (int t = 0; t < tokens; t++) {
            const int8_t *q = x->q + 32 * t * x->groups + 128 * k;
            __m512i xl = pinned(load64(q)), xh = pinned(load64(q + 64));
#pragma GCC unroll 2
            for (int r = 0; r < ROWS; r++) {
                __m512i both = _mm512_packs_epi32(_mm512_dpbusd_epi32(zero, low[r], xl), _mm512_dpbusd_epi32(zero, high[r], xh));
                __m512i scale = spread(now->scale[t], r, k);
                sum[t][r] = k ? _mm512_dpwssd_epi32(sum[t][r], both, scale) : _mm512_madd_epi16(both, scale);
            }
        }
    }
#pragma GCC unroll 2
    for (int t = 0; t < tokens; t++) {
        s->minimum[t] = _mm512_fmadd_ps(now->minimum, _mm512_loadu_ps(x->biases + 2 * t * x->groups), s->minimum[t]);
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) s->main[t][r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[t][r]), _mm512_set1_ps(now->unit[t][2 * r]), s->main[t][r]);
    }
}

/* ---- Q6_K --------------------------------------------------------------------------------------------------------------------- */

INLINE void k6_front(const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, front *next) {
    __m256i sa = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(a + 192)));
    __m256i sb = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(b + 192)));
    __m128  d = two_dwords(a + 206, b + 206); /* two scales, d: the scales become numbers that are not used */
#pragma GCC unroll 2
    for (int t = 0; t < tokens; t++) {
        __m256i grain = _mm256_loadu_si256((const __m256i *)(const void *)(x->grain + 2 * t * x->groups));
        next->half[t][0] = _mm256_mullo_epi16(sa, grain);
        next->half[t][1] = _mm256_mullo_epi16(sb, grain);
        _mm_storeu_ps(next->unit[t], _mm_mul_ps(d, _mm_set1_ps(x->unit[t * x->groups / 8])));
    }
}

/* The scales for the sums of groups 4k..4k + 3 as they lie after packing. */
INLINE __m512i spread_halves(__m256i scale, const int k) {
    const short index[32] = {FOUR(0), FOUR(4), FOUR(1), FOUR(5), FOUR(2), FOUR(6), FOUR(3), FOUR(7)};
    return _mm512_permutexvar_epi16(_mm512_add_epi16(_mm512_set1_epi16((short)(8 * k)), load64(index)), _mm512_castsi256_si512(scale));
}

/* Groups 4k, 4k + 1 and 4k + 2, 4k + 3. */
INLINE void k6_weights(const uint8_t *w, const int k, __m512i q[2]) {
    const __m512i nibble = _mm512_set1_epi8(15), pair = _mm512_set1_epi8(48);
    __m512i raw = pinned(load64(w + 64 * k)), high = pinned(_mm512_broadcast_i64x4(load32(w + 128 + 32 * k)));
    __m512i first = _mm512_and_si512(_mm512_sllv_epi64(high, _mm512_setr_epi64(4, 4, 4, 4, 2, 2, 2, 2)), pair);
    __m512i second = _mm512_and_si512(_mm512_srlv_epi64(high, _mm512_setr_epi64(0, 0, 0, 0, 2, 2, 2, 2)), pair);
    q[0] = _mm512_ternarylogic_epi64(raw, nibble, first, 0xea);
    q[1] = _mm512_ternarylogic_epi64(_mm512_srli_epi16(raw, 4), nibble, second, 0xea);
}

INLINE void k6_add(const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, const front *now, sums *s) {
    const uint8_t *w[ROWS] = {a, b};
    __m512i        sum[MOST_TOKENS][ROWS];
#pragma GCC unroll 2
    for (int k = 0; k < 2; k++) {
        __m512i q[ROWS][2];
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) k6_weights(w[r], k, q[r]);
#pragma GCC unroll 2
        for (int t = 0; t < tokens; t++) {
            const int8_t  *xq = x->q + 32 * t * x->groups + 128 * k;
            const int32_t *fours = x->fours + 8 * t * x->groups + 32 * k;
            __m512i        x0 = pinned(load64(xq)), x1 = pinned(load64(xq + 64)), f0 = pinned(load64(fours)), f1 = pinned(load64(fours + 16));
#pragma GCC unroll 2
            for (int r = 0; r < ROWS; r++) {
                __m512i both = _mm512_packs_epi32(_mm512_dpbusd_epi32(f0, q[r][0], x0), _mm512_dpbusd_epi32(f1, q[r][1], x1));
                __m512i scale = spread_halves(now->half[t][r], k);
                sum[t][r] = k ? _mm512_dpwssd_epi32(sum[t][r], both, scale) : _mm512_madd_epi16(both, scale);
            }
        }
    }
#pragma GCC unroll 2
    for (int t = 0; t < tokens; t++)
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) s->main[t][r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[t][r]), _mm512_set1_ps(now->unit[t][2 * r + 1]), s->main[t][r]);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

INLINE void make_front(const int f, const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, front *next) {
    if (f == Q4_K) k4_front(a, b, x, tokens, next);
    else k6_front(a, b, x, tokens, next);
}
INLINE void add_chunk(const int f, const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, const front *now, sums *s) {
    if (f == Q4_K) k4_add(a, b, x, tokens, now, s);
    else k6_add(a, b, x, tokens, now, s);
}

INLINE void advance(chunk *x) {
    x->q += CHUNK;
    x->grain += CHUNK / 16;
    x->grains += CHUNK / 8;
    x->fours += CHUNK / 4;
    x->biases += CHUNK / 16;
    x->unit += 1;
}

INLINE float total(__m512 v, __m256 minimum) {
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    half = _mm256_sub_ps(half, minimum);
    __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}

/* Two rows at once; where they are odd the last one twice.  The chunk that comes next may be the first of other rows. */
INLINE void some_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, int64_t first, const int tokens, float *y, int64_t ldy) {
    const int64_t at0 = first * act->groups, chunks = act->cols / CHUNK;
    const chunk   start = {(f == Q4_K ? act->pairs : act->q) + 32 * at0, act->grain + 2 * at0, act->grains + 4 * at0, act->fours + 8 * at0, act->biases + 2 * at0, act->unit + at0 / 8, act->groups};
    const looking l = look(w, stride, rows, act->next, act->alone ? FAR : NEAR); /* nearer in runs that others cut short */
    const uint8_t *a = w, *b = rows > 1 ? w + stride : w;
    chunk         x = start;
    front         now, next;
    make_front(f, a, b, &x, tokens, &now);
    for (int64_t r = 0; r < rows; r += ROWS) {
        const uintptr_t ahead = look_from(&l, rows - r);
        sums s;
#pragma GCC unroll 2
        for (int t = 0; t < tokens; t++) s.main[t][0] = s.main[t][1] = s.minimum[t] = _mm512_setzero_ps();
        for (int64_t left = chunks; left > 0; left--) {
            const uint8_t *a2 = a + chunk_bytes(f), *b2 = b + chunk_bytes(f);
            chunk          at = x;
            advance(&at);
            if (left == 1) {
                const int64_t more = r + ROWS < rows ? r + ROWS : r;
                a2 = w + more * stride;
                b2 = more + 1 < rows ? a2 + stride : a2;
                at = start;
            }
            look_ahead(a, chunk_bytes(f), ahead);
            look_ahead(b, chunk_bytes(f), ahead);
            make_front(f, a2, b2, &at, tokens, &next);
            add_chunk(f, a, b, &x, tokens, &now, &s);
            now = next;
            x = at;
            a = a2;
            b = b2;
        }
#pragma GCC unroll 2
        for (int t = 0; t < tokens; t++) {
            y[t * ldy + r] = total(s.main[t][0], _mm512_castps512_ps256(s.minimum[t]));
            if (r + 1 < rows) y[t * ldy + r + 1] = total(s.main[t][1], _mm512_extractf32x8_ps(s.minimum[t], 1));
        }
    }
}

/* Several tokens go two by two over the same few rows: four at once, or one row for each, would not fit the registers. */
INLINE void all_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    const int64_t block = act->n > 2 ? BLOCK : rows;
    for (int64_t r = 0; r < rows; r += block) {
        int64_t t = 0, n = rows - r < block ? rows - r : block;
        for (; t + 2 <= act->n; t += 2) some_rows(f, w + r * stride, stride, n, act, t, 2, y + t * ldy + r, ldy);
        if (t < act->n) some_rows(f, w + r * stride, stride, n, act, t, 1, y + t * ldy + r, ldy);
    }
}

ROWS(q4_k_rows, Q4_K)
ROWS(q6_k_rows, Q6_K)

void leat__qdotgrain_fill_avx512vnni(leat_qdot_kernels *table) {
    table->rows[Q4_K] = q4_k_rows;
    table->rows[Q6_K] = q6_k_rows;
    table->isa = LEAT_ISA_AVX512VNNI;
}
