/* qdotk_avx2.c - rows of Q4_K, Q5_K and Q6_K times few tokens, in integers: a chunk of 256 leaves them once.
 *
 * Multiplications (of bytes, of words, of floats) share two of the four vector units, so they are what counts.  The products' sums of pairs, int16, must be widened by
 * a multiply-add anyway; here its other side is not 1 but both sides' scale: the weights' integer times the activations' grain (qmat.h), below 2^15 and
 * exact.  So groups need no conversion and no product of their own:
 *
 *   Q4_K, Q5_K   4 products of at most 15 (31) * 127 a lane, times 63 * 255, times 8 groups: below 2^30 (2^31)
 *   Q6_K         4 products of at most 63 * 127 a lane, times 128 * 255, times 2 groups: below 2^31; so pairs of groups go to float
 *
 * A chunk's scales are made while the chunk before is multiplied, and wait in memory, from where a load spreads them over a vector.  With one token two
 * rows go side by side. */
#include "cpu/qdot.h"

#include <immintrin.h>

#define SIGNED_OFFSET 0

#include "cpu/qdot_unpack_tmpl.h"

enum { CHUNK = 256, MOST_TOKENS = 4 };

/* Of two rows: four lanes each. */
typedef struct sums {
    __m256 main[MOST_TOKENS], minimum[MOST_TOKENS];
} sums;

typedef struct chunk {
    const int8_t  *q;
    const float   *bias, *unit;
    const int16_t *sum, *grain;
    int64_t        groups;
} chunk;

/* What a chunk needs before its turn.  factor: scale * grain as int16; Q4_K, Q5_K: twice each, [token][groups 0..3 or 4..7][row][group];
 * Q6_K: [token][row][first or second half of a group][group]. */
typedef struct front {
    _Alignas(32) int32_t factor[MOST_TOKENS][2][8];
    __m256 d[MOST_TOKENS]; /* of both rows, times unit */
} front;

/* gcc 12 loads anew instead of holding a vector, and changes the order of integer sums until it has to spill them. */
#define PIN(v) __asm__("" : "+x"(v))

INLINE __m256i load_once(const void *p) {
    __m256i v = _mm256_loadu_si256(p);
    PIN(v);
    return v;
}
INLINE __m256i in_both(const void *p) { return _mm256_broadcastsi128_si256(_mm_loadu_si128(p)); }
INLINE __m256  floats_in_both(const float *p) { return _mm256_broadcast_ps((const __m128 *)(const void *)p); }
INLINE void    keep(__m256i v, int32_t *p) { _mm256_store_si256((__m256i *)(void *)p, v); }

/* Sums of lanes 0 and 4, 1 and 5, ... of both rows; as floats, since two lanes of Q5_K together pass 2^31. */
INLINE __m256 joined_floats(__m256 a, __m256 b) {
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}
INLINE __m256 joined(const __m256i v[2]) { return joined_floats(_mm256_cvtepi32_ps(v[0]), _mm256_cvtepi32_ps(v[1])); }

/* ---- scales ------------------------------------------------------------------------------------------------------------------- */

/* Words A, B, C of 6-bit numbers (see qdot_unpack_tmpl.h) of both rows: bytes of scales 0..3, minima 0..3, scales 4..7, minima 4..7. */
INLINE __m256i k45_bytes(__m256i raw) {
    __m256i six = _mm256_srlv_epi32(_mm256_shuffle_epi32(raw, 0x99), _mm256_setr_epi32(0, 0, 2, 2, 0, 0, 2, 2)); /* A B A B */
    __m256i four = _mm256_srlv_epi32(_mm256_shuffle_epi32(raw, 0xff), _mm256_setr_epi32(0, 0, 0, 4, 0, 0, 0, 4)); /* C C C C */
    six = _mm256_and_si256(six, _mm256_setr_epi32(0x3f3f3f3f, 0x3f3f3f3f, 0x30303030, 0x30303030, 0x3f3f3f3f, 0x3f3f3f3f, 0x30303030, 0x30303030));
    four = _mm256_and_si256(four, _mm256_setr_epi32(0, 0, 0x0f0f0f0f, 0x0f0f0f0f, 0, 0, 0x0f0f0f0f, 0x0f0f0f0f));
    return _mm256_or_si256(six, four);
}

INLINE void open_k45_front(const uint8_t *b, int64_t stride, const chunk *x, const int tokens, front *next, sums *s) {
    __m256i raw = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)b)),
                                          _mm_loadu_si128((const __m128i *)(const void *)(b + stride)), 1);
    __m128  dm = _mm_cvtph_ps(_mm_insert_epi32(_mm_cvtsi32_si128((int)dword(b)), (int)dword(b + stride), 1));
    __m256  d = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(dm), _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2));
    __m256  m = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(dm), _mm256_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3));
    __m256i all = k45_bytes(raw), scale[2];
    __m256  minimum[2];
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) { /* bytes 8 h .. 8 h + 3 as pairs of words, 8 h + 4 .. 8 h + 7 as dwords */
        const long long at = 8 * h;
        __m128i pairs = _mm_set_epi64x((long long)0x8003800380028002 + at * 0x1000100010001, (long long)0x8001800180008000 + at * 0x1000100010001);
        __m128i dwords = _mm_set_epi64x((long long)0x8080800780808006 + at * 0x100000001, (long long)0x8080800580808004 + at * 0x100000001);
        scale[h] = _mm256_shuffle_epi8(all, _mm256_broadcastsi128_si256(pairs));
        minimum[h] = _mm256_cvtepi32_ps(_mm256_shuffle_epi8(all, _mm256_broadcastsi128_si256(dwords)));
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
        const int16_t *grain = x->grain + 2 * t * x->groups;
        const float   *bias = x->bias + t * x->groups;
        keep(_mm256_mullo_epi16(scale[0], in_both(grain)), next->factor[t][0]);
        keep(_mm256_mullo_epi16(scale[1], in_both(grain + 8)), next->factor[t][1]);
        next->d[t] = _mm256_mul_ps(d, _mm256_broadcast_ss(x->unit + t * (x->groups / 8)));
        __m256 part = _mm256_fmadd_ps(minimum[1], floats_in_both(bias + 4), _mm256_mul_ps(minimum[0], floats_in_both(bias)));
        s->minimum[t] = _mm256_fmadd_ps(m, part, s->minimum[t]);
    }
}

/* The offset of 32 is taken from sums of 16 activations: minimum holds a 32th of it. */
INLINE void open_k6_front(const uint8_t *b, int64_t stride, const chunk *x, const int tokens, front *next, sums *s) {
    const __m256i evens_first = in_both((const uint8_t[]){0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15});
    __m128        halves = _mm_cvtph_ps(_mm_cvtsi32_si128((int)((uint32_t)word(b + 208) | (uint32_t)word(b + stride + 208) << 16)));
    __m256        d = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(halves), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
    __m256i       scale[2];
#pragma GCC unroll 2
    for (int r = 0; r < 2; r++) scale[r] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(b + r * stride + 192)));
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
        __m256i grain = _mm256_loadu_si256((const __m256i *)(const void *)(x->grain + 2 * t * x->groups)), offset[2];
        __m256i sum = _mm256_loadu_si256((const __m256i *)(const void *)(x->sum + 2 * t * x->groups));
#pragma GCC unroll 2
        for (int r = 0; r < 2; r++) {
            __m256i factor = _mm256_mullo_epi16(scale[r], grain);
            offset[r] = _mm256_madd_epi16(factor, sum);
            keep(_mm256_permute4x64_epi64(_mm256_shuffle_epi8(factor, evens_first), 0xd8), next->factor[t][r]);
        }
        next->d[t] = _mm256_mul_ps(d, _mm256_broadcast_ss(x->unit + t * (x->groups / 8)));
        s->minimum[t] = _mm256_fmadd_ps(joined(offset), next->d[t], s->minimum[t]);
    }
}

INLINE void open_front(const int f, const uint8_t *b, int64_t stride, const chunk *x, const int tokens, front *next, sums *s) {
    if (f == Q6_K) open_k6_front(b, stride, x, tokens, next, s);
    else open_k45_front(b, stride, x, tokens, next, s);
}

/* ---- products ----------------------------------------------------------------------------------------------------------------- */

/* Groups 2k (h = 0) and 2k + 1 of Q4_K or Q5_K, from nibbles and fifth bits. */
INLINE __m256i k45_group(const int f, __m256i low, __m256i high, const int k, const int h) {
    __m256i w = moved(low, 4 * h, 15);
    return f == Q5_K ? _mm256_or_si256(w, moved(high, 2 * k + h - 4, 16)) : w;
}

INLINE void add_k45_chunk(const int f, const uint8_t *b, int64_t stride, const chunk *x, const int tokens, const front *now, sums *s) {
    __m256i sum[MOST_TOKENS][2], high[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, low[2];
    if (f == Q5_K) high[0] = load_once(b + 16), high[1] = load_once(b + stride + 16);
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        const uint8_t *nibbles = b + (f == Q5_K ? 48 : 16) + j / 2 * 32;
        if (j % 2 == 0) low[0] = load_once(nibbles), low[1] = load_once(nibbles + stride);
        __m256i w[2] = {k45_group(f, low[0], high[0], j / 2, j % 2), k45_group(f, low[1], high[1], j / 2, j % 2)};
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            __m256i q = load_once(x->q + 32 * (t * x->groups + j));
#pragma GCC unroll 2
            for (int r = 0; r < 2; r++) {
                __m256i part = _mm256_madd_epi16(_mm256_maddubs_epi16(w[r], q), _mm256_set1_epi32(now->factor[t][j / 4][4 * r + j % 4]));
                sum[t][r] = j ? _mm256_add_epi32(sum[t][r], part) : part;
                PIN(sum[t][r]);
            }
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) s->main[t] = _mm256_fmadd_ps(joined(sum[t]), now->d[t], s->main[t]);
}

/* Low (h = 0) or high nibbles with the pair of bits of group j of four. */
INLINE __m256i k6_group(__m256i low, __m256i high, const int j) { return _mm256_or_si256(moved(low, j / 2 * 4, 15), moved(high, 2 * j - 4, 48)); }

/* Groups go in the order 0 2 1 3 of four, since the same bytes hold two. */
INLINE void add_k6_chunk(const uint8_t *b, int64_t stride, const chunk *x, const int tokens, const front *now, sums *s) {
    __m256i low[2], high[2], sum[MOST_TOKENS][2];
    __m256  all[MOST_TOKENS][2];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        const int     j = i / 4 * 4 + i % 2 * 2 + i % 4 / 2;
        const __m256i group_bytes = _mm256_set1_epi16((short)(2 * j | (2 * j + 1) << 8));
        __m256i       w[2];
#pragma GCC unroll 2
        for (int r = 0; r < 2; r++) {
            if (i % 4 == 0) high[r] = load_once(b + r * stride + 128 + 8 * i);
            if (i % 2 == 0) low[r] = load_once(b + r * stride + 32 * (i / 2));
            w[r] = k6_group(low[r], high[r], j % 4);
        }
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            __m256i q = load_once(x->q + 32 * (t * x->groups + j));
#pragma GCC unroll 2
            for (int r = 0; r < 2; r++) {
                __m256i factor = _mm256_shuffle_epi8(_mm256_load_si256((const __m256i *)(const void *)now->factor[t][r]), group_bytes);
                __m256i part = _mm256_madd_epi16(_mm256_maddubs_epi16(w[r], q), factor);
                sum[t][r] = i % 2 ? _mm256_add_epi32(sum[t][r], part) : part;
                PIN(sum[t][r]);
                if (i % 2 == 0) continue;
                all[t][r] = i > 1 ? _mm256_add_ps(all[t][r], _mm256_cvtepi32_ps(sum[t][r])) : _mm256_cvtepi32_ps(sum[t][r]);
                PIN(all[t][r]);
            }
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) s->main[t] = _mm256_fmadd_ps(joined_floats(all[t][0], all[t][1]), now->d[t], s->main[t]);
}

INLINE void add_chunk(const int f, const uint8_t *b, int64_t stride, const chunk *x, const int tokens, const front *now, sums *s) {
    if (f == Q6_K) add_k6_chunk(b, stride, x, tokens, now, s);
    else add_k45_chunk(f, b, stride, x, tokens, now, s);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

INLINE void advance(chunk *x) {
    x->q += CHUNK;
    x->bias += CHUNK / 32;
    x->unit += 1;
    x->sum += CHUNK / 16;
    x->grain += CHUNK / 16;
}

/* y[0] and y[next]; both rows may be the same. */
INLINE void finish(const int f, __m256 main, __m256 minimum, float *y, int64_t next) {
    __m256 v = _mm256_fnmadd_ps(minimum, _mm256_set1_ps(f == Q6_K ? 32 : 1), main);
    v = _mm256_add_ps(v, _mm256_movehdup_ps(v));
    v = _mm256_add_ps(v, _mm256_permute_ps(v, 2));
    y[0] = _mm_cvtss_f32(_mm256_castps256_ps128(v));
    y[next] = _mm_cvtss_f32(_mm256_extractf128_ps(v, 1));
}

/* Rows at w and at w + stride, which may be 0. */
INLINE void two_rows(const int f, const uint8_t *w, int64_t stride, const leat_qact *act, int64_t first, const int tokens, float *y, int64_t ldy, int64_t next_row) {
    const int64_t  at = first * act->groups;
    const uint8_t *last = w + (act->cols / CHUNK - 1) * chunk_bytes(f);
    chunk          x = {act->q + 32 * at, act->bias + at, act->unit + at / 8, act->sum + 2 * at, act->grain + 2 * at, act->groups};
    sums           s;
    front          fronts[2], *now = &fronts[0], *next = &fronts[1];
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) s.main[t] = s.minimum[t] = _mm256_setzero_ps();
    open_front(f, w, stride, &x, tokens, now, &s);
    for (; w < last; w += chunk_bytes(f)) {
        front *used = now;
        chunk  after = x;
        advance(&after);
        look_ahead(w, chunk_bytes(f), FAR);
        look_ahead(w + stride, chunk_bytes(f), FAR);
        open_front(f, w + chunk_bytes(f), stride, &after, tokens, next, &s);
        add_chunk(f, w, stride, &x, tokens, now, &s);
        now = next;
        next = used;
        x = after;
    }
    look_ahead(w, chunk_bytes(f), FAR);
    look_ahead(w + stride, chunk_bytes(f), FAR);
    add_chunk(f, w, stride, &x, tokens, now, &s);
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) finish(f, s.main[t], s.minimum[t], y + t * ldy, next_row);
}

INLINE void all_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    for (int64_t r = 0; r < rows; r += 2, w += 2 * stride, y += 2) {
        const int64_t other = r + 1 < rows, step = other * stride; /* a row that is left goes with itself */
        int64_t       t = 0;
        for (; t + 4 <= act->n; t += 4) two_rows(f, w, step, act, t, 4, y + t * ldy, ldy, other);
        if (t + 2 <= act->n) two_rows(f, w, step, act, t, 2, y + t * ldy, ldy, other), t += 2;
        if (t < act->n) two_rows(f, w, step, act, t, 1, y + t * ldy, ldy, other);
    }
}

ROWS(q4_k_rows, Q4_K)
ROWS(q5_k_rows, Q5_K)
ROWS(q6_k_rows, Q6_K)

void leat__qdotk_fill_avx2(leat_qdot_kernels *table) {
    table->rows[Q4_K] = q4_k_rows;
    table->rows[Q5_K] = q5_k_rows;
    table->rows[Q6_K] = q6_k_rows;
}
