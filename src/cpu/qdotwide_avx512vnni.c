/* qdotwide_avx512vnni.c - the formats that decode meets most, 64 weights at once.
 *
 * The weights of Q8_0 and Q4_0 begin at any byte: loads that straddle cache lines, and not arithmetic, are the limit.  So blocks are taken by few long loads and put in
 * place by one permutation, and what is loaded for the scales of a chunk is kept for its weights.  A chunk's scales are made while the one before is
 * multiplied: multiply-adds that wait for their scale would fill the scheduler.  Vectors of activations lie in the order in which a format's nibbles come
 * (leat_qact: split), so that weights are never put in order.  8-bit weights are, for several tokens: 16 of each of four groups, then 16 more, make the four sums
 * of a group lie side by side, and four groups are converted, scaled and added at once instead of two. */
#include "cpu/qdot.h"

#include <immintrin.h>

#define SIGNED_OFFSET 128

#include "cpu/qdot_unpack_tmpl.h"

enum { CHUNK = 256, MOST_TOKENS = 4, MOST_CHUNK_BYTES = 272, MOST_ROWS = 2 };

typedef struct sums {
    __m512 main[MOST_TOKENS], minimum[MOST_TOKENS];
} sums;

typedef struct chunk {
    const int8_t *q; /* in the format's order */
    const float  *scale, *bias;
    int64_t       groups;
} chunk;

/* What a chunk needs before its turn: both sides' scales multiplied, [8 groups], and for Q4_0 its first loads. */
typedef struct front {
    __m512  scale[MOST_TOKENS];
    __m512i raw[2];
} front;

INLINE __m512i load64(const void *p) { return _mm512_loadu_si512(p); }
INLINE __m512i wide_bytes(const int value) { return _mm512_set1_epi8((char)value); }
INLINE __m512  widened(__m256 v) { return _mm512_castps256_ps512(v); }

/* ---- scales ------------------------------------------------------------------------------------------------------------------- */

#define EACH_9(first) (first), (first) + 9, (first) + 18, (first) + 27

/* Scales of 8 blocks of 18 bytes whose first 64 bytes, of each 4, are in raw. */
INLINE __m256 scales_of_18(const __m512i raw[2]) {
    const short index[32] = {EACH_9(0), EACH_9(32)};
    return _mm256_cvtph_ps(_mm512_castsi512_si128(_mm512_permutex2var_epi16(raw[0], load64(index), raw[1])));
}

INLINE void open_front(const int f, const uint8_t *b, const chunk *x, const int tokens, front *next, sums *s) {
    __m256 w;
    if (f == Q4_0 || f == IQ4_NL) {
        next->raw[0] = load64(b);
        next->raw[1] = load64(b + 72);
        w = scales_of_18(next->raw);
    } else {
        w = f == Q8_0 ? eight_halves(b, small_bytes(f)) : iq4_xs_scales(b);
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
        __m256 scale = _mm256_loadu_ps(x->scale + t * x->groups);
        __m256 bias = _mm256_loadu_ps(x->bias + t * x->groups);
        next->scale[t] = widened(_mm256_mul_ps(w, scale));
        s->minimum[t] = widened(_mm256_fmadd_ps(w, bias, _mm512_castps512_ps256(s->minimum[t])));
    }
}

/* ---- products ----------------------------------------------------------------------------------------------------------------- */

/* Nibbles of the 4 blocks of 18 bytes at b, whose first 64 bytes are `raw`. */
INLINE __m512i nibbles_of_18(const uint8_t *b, __m512i raw) {
    const short index[32] = {1,  2,  3,  4,  5,  6,  7,  8,  10, 11, 12, 13, 14, 15, 16, 17,
                             19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 31, 32, 33, 34, 35};
    return _mm512_permutex2var_epi16(raw, load64(index), _mm512_zextsi128_si512(_mm_loadl_epi64((const __m128i *)(const void *)(b + 64))));
}

/* 64 or 2 x 64 weights of a step: nibbles come low and high. */
INLINE __m512i low_nibbles(__m512i raw) { return _mm512_and_si512(raw, wide_bytes(15)); }
INLINE __m512i high_nibbles(__m512i raw) { return _mm512_and_si512(_mm512_srli_epi16(raw, 4), wide_bytes(15)); }

INLINE __m512i wide_steps(__m512i q) {
    __m128i table = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)leat__iq4_steps), _mm_set1_epi8((char)SIGNED_OFFSET));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), q);
}

/* 16 bytes at b of each of 4 blocks of Q8_0. */
INLINE __m512i four_pieces(const uint8_t *b) {
    __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(b)), load16(b + 34), 1);
    __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(b + 68)), load16(b + 102), 1);
    return _mm512_xor_si512(_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1), wide_bytes(128));
}

/* Groups 2k and 2k + 1 of a chunk of Q8_0, in their order. */
INLINE __m512i two_groups(const uint8_t *b, const int k) {
    __m512i w = _mm512_inserti64x4(_mm512_castsi256_si512(load32(b + 68 * k + 2)), load32(b + 68 * k + 36), 1);
    return _mm512_xor_si512(w, wide_bytes(128));
}

/* Each of the lanes of a vector of sums takes the scale of its group: `per` lanes each, groups from `first` on. */
INLINE __m512 spread(__m512 scale, const int per, const int first) {
    __m512i lanes = per == 8 ? _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1) : _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    return _mm512_permutexvar_ps(_mm512_add_epi32(lanes, _mm512_set1_epi32(first)), scale);
}

INLINE void add(sums *s, const int chain, __m512i dot, __m512 scale) { s->main[chain] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, s->main[chain]); }

INLINE __m512i dot_with(__m512i sum, __m512i w, const int8_t *q) { return _mm512_dpbusd_epi32(sum, w, load64(q)); }

INLINE void add_chunk(const int f, const uint8_t *b, const chunk *x, const int tokens, const front *now, sums *s) {
    const int     plain = f == Q8_0 && tokens == 1, steps_of = plain ? 4 : 2;
    const __m512i zero = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int k = 0; k < steps_of; k++) {
        __m512i low, high = zero;
        if (plain) {
            low = two_groups(b, k);
        } else if (f == Q8_0) {
            low = four_pieces(b + 136 * k + 2), high = four_pieces(b + 136 * k + 18);
        } else {
            __m512i raw = f == IQ4_XS ? load64(b + 8 + 64 * k) : nibbles_of_18(b + 72 * k, now->raw[k]);
            low = low_nibbles(raw), high = high_nibbles(raw);
            if (is_signed(f)) low = wide_steps(low), high = wide_steps(high);
        }
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            const int8_t *q = x->q + 32 * t * x->groups + CHUNK / steps_of * k;
            if (plain) add(s, t, dot_with(zero, low, q), spread(now->scale[t], 8, 2 * k));
            else add(s, t, dot_with(dot_with(zero, low, q), high, q + 64), spread(now->scale[t], 4, 4 * k));
        }
    }
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

INLINE void advance(chunk *x) {
    x->q += CHUNK;
    x->scale += CHUNK / 32;
    x->bias += CHUNK / 32;
}

INLINE void finish(const int f, const sums *s, const int tokens, float *y, int64_t ldy) {
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
        __m512 v = _mm512_fnmadd_ps(_mm512_set1_ps((float)offset(f)), s->minimum[t], s->main[t]);
        __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
        __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
        quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
        y[t * ldy] = _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
    }
}

/* How far ahead lines are asked for: pairs of short rows want more than a pair's length, but not of runs that other threads cut short. */
INLINE uintptr_t ahead(const int f, int alone) { return alone && (f == Q4_0 || f == IQ4_NL) ? FAR : NEAR; }

/* Row r of `rows` begins at w + r * stride.  rest: the last chunk, where cols ends within one. */
INLINE void some_rows(const int f, const uint8_t *w, int64_t stride, const int rows, const leat_qact *act, int64_t first, const int tokens, float *y, int64_t ldy, uintptr_t from) {
    const int8_t *q = f == Q8_0 && tokens == 1 ? act->q : act->split;
    const int64_t at0 = first * act->groups;
    chunk         x = {q + 32 * at0, act->scale + at0, act->bias + at0, act->groups};
    const int64_t part = is_small(f) ? act->cols % CHUNK : 0, last = act->cols / CHUNK, chunks = last + (part > 0);
    uint8_t       rest[MOST_ROWS][MOST_CHUNK_BYTES];
    sums          s[MOST_ROWS];
    front         now[MOST_ROWS], next[MOST_ROWS];
    if (part) {
        memset(rest, 0, sizeof rest);
        for (int r = 0; r < rows; r++) memcpy(rest[r], w + r * stride + last * chunk_bytes(f), (size_t)(part / 32 * small_bytes(f)));
        if (last == 0) w = rest[0], stride = MOST_CHUNK_BYTES;
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int i = 0; i < MOST_TOKENS; i++) s[r].main[i] = s[r].minimum[i] = _mm512_setzero_ps();
        open_front(f, w + r * stride, &x, tokens, &now[r], &s[r]);
    }
    for (int64_t i = 1; i < chunks; i++) {
        const uint8_t *after = w + chunk_bytes(f);
        int64_t        step = stride;
        chunk          at = x;
        advance(&at);
        if (i == last) after = rest[0], step = MOST_CHUNK_BYTES;
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            look_ahead(w + r * stride, chunk_bytes(f), from);
            open_front(f, after + r * step, &at, tokens, &next[r], &s[r]);
            add_chunk(f, w + r * stride, &x, tokens, &now[r], &s[r]);
            now[r] = next[r];
        }
        x = at;
        w = after;
        stride = step;
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        look_ahead(w + r * stride, chunk_bytes(f), from);
        add_chunk(f, w + r * stride, &x, tokens, &now[r], &s[r]);
        finish(f, &s[r], tokens, y + r, ldy);
    }
}

INLINE void all_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    /* Two rows hide each other's latency; 8-bit weights wait for memory alone, which one stream gets faster than two. */
    const int     pair = f == Q8_0 ? 1 : 2;
    const looking l = look(w, stride, rows, act->next, ahead(f, act->alone));
    int64_t       r = 0;
    if (act->n == 1) {
        for (; r + pair <= rows; r += pair) some_rows(f, w + r * stride, stride, pair, act, 0, 1, y + r, ldy, look_from(&l, rows - r));
        for (; r < rows; r++) some_rows(f, w + r * stride, stride, 1, act, 0, 1, y + r, ldy, look_from(&l, rows - r));
    }
    for (; r < rows; r++) {
        const uintptr_t from = look_from(&l, rows - r);
        int64_t         t = 0;
        for (; t + 4 <= act->n; t += 4) some_rows(f, w + r * stride, stride, 1, act, t, 4, y + t * ldy + r, ldy, from);
        if (t + 2 <= act->n) some_rows(f, w + r * stride, stride, 1, act, t, 2, y + t * ldy + r, ldy, from), t += 2;
        if (t < act->n) some_rows(f, w + r * stride, stride, 1, act, t, 1, y + t * ldy + r, ldy, from);
    }
}

ROWS(q8_0_rows, Q8_0)
ROWS(q4_0_rows, Q4_0)
ROWS(iq4_nl_rows, IQ4_NL)
ROWS(iq4_xs_rows, IQ4_XS)

void leat__qdotwide_fill_avx512vnni(leat_qdot_kernels *table) {
    table->rows[Q8_0] = q8_0_rows;
    table->rows[Q4_0] = q4_0_rows;
    table->rows[IQ4_NL] = iq4_nl_rows;
    table->rows[IQ4_XS] = iq4_xs_rows;
}
