/* qdotpair_avx2.c - rows of unsigned weights times few tokens: every vector holds 16 weights of one row and the same 16 of the next.
 *
 * What two rows have in common with 256 bits: activations (leat_qact: twice, each 16 of them twice) need no register, since they are the memory side of `vpmaddubsw`; scales of both rows
 * are unpacked at once; the scale of 16 or 32 weights belongs to a half of a vector, so that sums need not leave the halves until the row ends.
 *
 * Sums stay in 16 bits as long as they fit: pieces of 16 weights, 8 sums of a row each, are folded with one another until two (or one) sums of each of four blocks
 * stand side by side.  Then one multiply-add with what four blocks want, or one conversion, does for all of them:
 *
 *   blocks         int16 -> `vpmaddwd` with 1 -> float, times both sides' scales
 *   K formats      int16 -> `vpmaddwd` with the weights' integer scale times the activations' grain (qmat.h), below 2^15 and exact -> a chunk's int32 -> float
 *
 * Nothing overflows: |x| <= 127, grains <= 255.  Four bits: 16 products of 15 * 127 make 30480; a lane of Q4_K's sums has 64 products, times 63 * 255: below 2^31.
 * Five bits: 8 products of 31 * 127 make 31496, so the last fold is done by `vpmaddwd` or behind it; 32 products in a lane, times 63 * 255.  Six bits: 8 products of w - 32 make
 * 32512; folds may wrap, since what 32 stands for is taken off in the same 16 bits (leat_qact: eights); 16 products, times 128 * 255. */
#include "cpu/qdot.h"

#include <immintrin.h>

#define SIGNED_OFFSET 0

#include "cpu/qdot_unpack_tmpl.h"

enum { CHUNK = 256, MOST_TOKENS = 4, MOST_CHUNK_BYTES = 192 };

/* Here and below: the first row in the low half, the second in the high one. */
typedef struct sums {
    __m256 main[MOST_TOKENS], minimum[MOST_TOKENS];
} sums;

typedef struct chunk {
    const int8_t  *twice;
    const float   *scale, *bias, *unit;
    const int16_t *grain, *sum, *eights;
    int64_t        groups;
} chunk;

INLINE __m256i words_in_both(const int16_t *p) { return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p)); }
INLINE __m256  floats_in_both(const float *p) { return _mm256_broadcast_ps((const __m128 *)(const void *)p); }

INLINE __m256i rows16(const uint8_t *a, const uint8_t *b) {
    __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(a)), load16(b), 1);
    __asm__("" : "+x"(v)); /* gcc 12 would load anew for each use */
    return v;
}

/* Four halves of each row in single precision. */
INLINE __m256 rows4_halves(const uint8_t *a, const uint8_t *b) {
    __m128i low = _mm_loadl_epi64((const __m128i *)(const void *)a);
    return _mm256_cvtph_ps(_mm_castps_si128(_mm_loadh_pi(_mm_castsi128_ps(low), (const __m64 *)(const void *)b)));
}

/* ---- sums of 16 bits ---------------------------------------------------------------------------------------------------------- */

INLINE __m256i dot(__m256i w, const chunk *x, const int t, const int piece) {
    return _mm256_maddubs_epi16(w, _mm256_loadu_si256((const __m256i *)(const void *)(x->twice + 64 * t * x->groups + 32 * piece)));
}

/* The 8 sums of a group, of its halves u and v. */
INLINE __m256i group_dot(__m256i u, __m256i v, const chunk *x, const int t, const int group) {
    return _mm256_add_epi16(dot(u, x, t, 2 * group), dot(v, x, t, 2 * group + 1));
}

/* 8 sums of u, 8 of v: 4 and 4. */
INLINE __m256i halved(__m256i u, __m256i v) { return _mm256_add_epi16(_mm256_unpacklo_epi64(u, v), _mm256_unpackhi_epi64(u, v)); }

INLINE __m256i even_dwords(__m256i u, __m256i v) { return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(u), _mm256_castsi256_ps(v), 0x88)); }
INLINE __m256i odd_dwords(__m256i u, __m256i v) { return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(u), _mm256_castsi256_ps(v), 0xdd)); }

/* 4 and 4 sums, 4 and 4: two of each. */
INLINE __m256i quartered(__m256i u, __m256i v) { return _mm256_add_epi16(even_dwords(u, v), odd_dwords(u, v)); }

/* Four halves of groups, pieces i, i + 1, k, k + 1: two sums of each. */
INLINE __m256i four_dots(const __m256i w[4], const chunk *x, const int t, const int i, const int k) {
    return quartered(halved(dot(w[0], x, t, i), dot(w[1], x, t, i + 1)), halved(dot(w[2], x, t, k), dot(w[3], x, t, k + 1)));
}

/* ---- Q4_0, Q4_1, Q5_0, Q5_1 --------------------------------------------------------------------------------------------------- */

INLINE int has_five(const int f) { return f == Q5_0 || f == Q5_1 || f == Q5_K; }

/* Scales of 8 blocks of 22 bytes: that of block j is word j of the 16 bytes at 20 j. */
INLINE __m128i halves_of_22(const uint8_t *b) {
    __m128i low = _mm_blend_epi16(_mm_blend_epi16(load16(b), load16(b + 20), 0x02), _mm_blend_epi16(load16(b + 40), load16(b + 60), 0x08), 0x0c);
    __m128i high = _mm_blend_epi16(_mm_blend_epi16(load16(b + 80), load16(b + 100), 0x20), _mm_blend_epi16(load16(b + 120), load16(b + 140), 0x80), 0xc0);
    return _mm_blend_epi16(low, high, 0xf0);
}

/* Of 4 blocks of 20 or 24 bytes, with their minima behind them: dword j of the 16 bytes at 16 j or 20 j. */
INLINE __m128i scales_and_minima(const uint8_t *b, const int step) {
    __m128i all = _mm_blend_epi32(_mm_blend_epi32(load16(b), load16(b + step), 2), _mm_blend_epi32(load16(b + 2 * step), load16(b + 3 * step), 8), 12);
    return _mm_shuffle_epi8(all, _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
}

/* Scales of blocks 4i..4i + 3 of both rows, and what the sums of activations are multiplied with. */
INLINE void block_scales(const int f, const uint8_t *a, const uint8_t *b, const int i, __m256 *scale, __m256 *minimum) {
    if (has_minima(f)) {
        const int at = 4 * i * small_bytes(f), step = small_bytes(f) - 4;
        __m128i   u = scales_and_minima(a + at, step), v = scales_and_minima(b + at, step);
        *scale = _mm256_cvtph_ps(_mm_unpacklo_epi64(u, v));
        *minimum = _mm256_cvtph_ps(_mm_unpackhi_epi64(u, v));
    } else {
        __m128i u = f == Q4_0 ? halves_of_18(a) : halves_of_22(a), v = f == Q4_0 ? halves_of_18(b) : halves_of_22(b);
        *minimum = *scale = _mm256_cvtph_ps(i ? _mm_unpackhi_epi64(u, v) : _mm_unpacklo_epi64(u, v));
    }
}

/* The fifth bits of 16 weights: bytes 2h and 2h + 1 of each row's bits. */
INLINE __m256i fifth_bits(__m256i bits, const int h) {
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201u), first = _mm256_setr_epi64x(0, 0x0101010101010101, 0, 0x0101010101010101);
    __m256i       spread = _mm256_shuffle_epi8(bits, _mm256_add_epi8(first, bytes_of(2 * h)));
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit), bytes_of(16));
}

/* Both halves of a block. */
INLINE void block_weights(const int f, const uint8_t *a, const uint8_t *b, __m256i w[2]) {
    const int at = small_bytes(f) - 16;
    __m256i   raw = rows16(a + at, b + at);
    w[0] = moved(raw, 0, 15), w[1] = moved(raw, 4, 15);
    if (!has_five(f)) return;
    __m128i bits[2] = {_mm_cvtsi32_si128((int)dword(a + at - 4)), _mm_cvtsi32_si128((int)dword(b + at - 4))};
    __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(bits[0]), bits[1], 1);
    w[0] = _mm256_or_si256(w[0], fifth_bits(both, 0)), w[1] = _mm256_or_si256(w[1], fifth_bits(both, 1));
}

/* Each block's sum from 4 and 4, 4 and 4. */
INLINE __m256i four_blocks(const int f, __m256i u, __m256i v) {
    const __m256i one = _mm256_set1_epi16(1);
    if (!has_five(f)) return _mm256_madd_epi16(quartered(u, v), one);
    u = _mm256_madd_epi16(u, one), v = _mm256_madd_epi16(v, one);
    return _mm256_add_epi32(even_dwords(u, v), odd_dwords(u, v));
}

INLINE void add_blocks(const int f, const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, sums *s) {
    const int size = small_bytes(f);
#pragma GCC unroll 4
    for (int i = 0; i < 2; i++) {
        __m256i half[MOST_TOKENS][2];
        __m256  scale, minimum;
#pragma GCC unroll 4
        for (int k = 0; k < 2; k++) {
            const int j = 4 * i + 2 * k;
            __m256i   u[2], v[2];
            block_weights(f, a + size * j, b + size * j, u);
            block_weights(f, a + size * (j + 1), b + size * (j + 1), v);
#pragma GCC unroll 4
            for (int t = 0; t < tokens; t++) half[t][k] = halved(group_dot(u[0], u[1], x, t, j), group_dot(v[0], v[1], x, t, j + 1));
        }
        block_scales(f, a, b, i, &scale, &minimum);
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            const int64_t at = t * x->groups + 4 * i;
            __m256        both = _mm256_mul_ps(scale, floats_in_both(x->scale + at));
            s->main[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(four_blocks(f, half[t][0], half[t][1])), both, s->main[t]);
            s->minimum[t] = _mm256_fmadd_ps(minimum, floats_in_both(x->bias + at), s->minimum[t]);
        }
    }
}

/* ---- K formats ---------------------------------------------------------------------------------------------------------------- */

/* A chunk's sum to float. */
INLINE void add_scaled(__m256 to[MOST_TOKENS], const int t, __m256 sum, __m256 d, const chunk *x) {
    to[t] = _mm256_fmadd_ps(sum, _mm256_mul_ps(d, _mm256_broadcast_ss(x->unit + t * (x->groups / 8))), to[t]);
}

/* Words A, B, C of 6-bit numbers, of both rows: bytes of scales 0..3, minima 0..3, scales 4..7, minima 4..7.
 * Scales are the low 6 bits of A, then the low nibbles of C with the high pairs of A; minima so from B and the high nibbles of C. */
INLINE __m256i k45_bytes(__m256i raw) {
    __m256i six = _mm256_srlv_epi32(_mm256_shuffle_epi32(raw, 0x99), _mm256_setr_epi32(0, 0, 2, 2, 0, 0, 2, 2)); /* A B A B */
    __m256i four = _mm256_srlv_epi32(_mm256_shuffle_epi32(raw, 0xff), _mm256_setr_epi32(0, 0, 0, 4, 0, 0, 0, 4)); /* C C C C */
    six = _mm256_and_si256(six, _mm256_setr_epi32(0x3f3f3f3f, 0x3f3f3f3f, 0x30303030, 0x30303030, 0x3f3f3f3f, 0x3f3f3f3f, 0x30303030, 0x30303030));
    four = _mm256_and_si256(four, _mm256_setr_epi32(0, 0, 0x0f0f0f0f, 0x0f0f0f0f, 0, 0, 0x0f0f0f0f, 0x0f0f0f0f));
    return _mm256_or_si256(six, four);
}
/* Bytes 8i..8i + 3 as pairs of words, and 8i + 4..8i + 7 as dwords. */
INLINE __m256i k45_scales_of(__m256i all, const long long i) {
    __m128i pairs = _mm_set_epi64x((long long)0x8003800380028002 + i * 0x8000800080008, (long long)0x8001800180008000 + i * 0x8000800080008);
    return _mm256_shuffle_epi8(all, _mm256_broadcastsi128_si256(pairs));
}
INLINE __m256 k45_minima_of(__m256i all, const long long i) {
    __m128i dwords = _mm_set_epi64x((long long)0x8080800780808006 + i * 0x800000008, (long long)0x8080800580808004 + i * 0x800000008);
    return _mm256_cvtepi32_ps(_mm256_shuffle_epi8(all, _mm256_broadcastsi128_si256(dwords)));
}

/* Halves of groups 2k and 2k + 1. */
INLINE void k45_weights(const int f, const uint8_t *a, const uint8_t *b, const __m256i high[2], const int k, __m256i w[2][2]) {
    const int at = (f == Q5_K ? 48 : 16) + 32 * k;
#pragma GCC unroll 4
    for (int h = 0; h < 2; h++) {
        __m256i raw = rows16(a + at + 16 * h, b + at + 16 * h);
        w[0][h] = moved(raw, 0, 15), w[1][h] = moved(raw, 4, 15);
        if (f == Q5_K) w[0][h] = _mm256_or_si256(w[0][h], moved(high[h], 2 * k - 4, 16)), w[1][h] = _mm256_or_si256(w[1][h], moved(high[h], 2 * k - 3, 16));
    }
}

/* Sums of four groups, 4 and 4, 4 and 4, times what their pairs of words are multiplied with. */
INLINE __m256i k45_four(const int f, __m256i u, __m256i v, __m256i factor) {
    if (f == Q4_K) return _mm256_madd_epi16(quartered(u, v), factor);
    return _mm256_add_epi32(_mm256_madd_epi16(u, _mm256_shuffle_epi32(factor, 0x50)), _mm256_madd_epi16(v, _mm256_shuffle_epi32(factor, 0xfa)));
}

INLINE void add_k45(const int f, const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, sums *s) {
    __m256i all = k45_bytes(rows16(a, b)), four[MOST_TOKENS][2], high[2];
    __m256  dm = rows4_halves(a, b), d = _mm256_permute_ps(dm, 0), m = _mm256_permute_ps(dm, 0x55);
    if (f == Q5_K) high[0] = rows16(a + 16, b + 16), high[1] = rows16(a + 32, b + 32);
#pragma GCC unroll 4
    for (int i = 0; i < 2; i++) {
        __m256i scale = k45_scales_of(all, i), half[MOST_TOKENS][2];
#pragma GCC unroll 4
        for (int k = 0; k < 2; k++) {
            const int j = 4 * i + 2 * k;
            __m256i   w[2][2];
            k45_weights(f, a, b, high, j / 2, w);
#pragma GCC unroll 4
            for (int t = 0; t < tokens; t++) half[t][k] = halved(group_dot(w[0][0], w[0][1], x, t, j), group_dot(w[1][0], w[1][1], x, t, j + 1));
        }
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++)
            four[t][i] = k45_four(f, half[t][0], half[t][1], _mm256_mullo_epi16(scale, words_in_both(x->grain + 2 * t * x->groups + 8 * i)));
    }
    const __m256 minimum[2] = {k45_minima_of(all, 0), k45_minima_of(all, 1)};
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
        const float *bias = x->bias + t * x->groups;
        __m256       part = _mm256_fmadd_ps(minimum[1], floats_in_both(bias + 4), _mm256_mul_ps(minimum[0], floats_in_both(bias)));
        s->minimum[t] = _mm256_fmadd_ps(m, part, s->minimum[t]);
        if (f == Q4_K) add_scaled(s->main, t, _mm256_cvtepi32_ps(_mm256_add_epi32(four[t][0], four[t][1])), d, x);
        else add_scaled(s->main, t, _mm256_add_ps(_mm256_cvtepi32_ps(four[t][0]), _mm256_cvtepi32_ps(four[t][1])), d, x);
    }
}

/* Signed bytes 8i..8i + 7 of both rows, times grains. */
INLINE __m256i signed_factors(__m256i bytes, const int i, const chunk *x, const int t) {
    __m256i sign = _mm256_cmpgt_epi8(_mm256_setzero_si256(), bytes);
    return _mm256_mullo_epi16(i ? _mm256_unpackhi_epi8(bytes, sign) : _mm256_unpacklo_epi8(bytes, sign), words_in_both(x->grain + 2 * t * x->groups + 8 * i));
}

/* Unsigned bytes. */
INLINE __m256i factors_of(__m256i bytes, const int i, const chunk *x, const int t) {
    const __m256i zero = _mm256_setzero_si256();
    return _mm256_mullo_epi16(i ? _mm256_unpackhi_epi8(bytes, zero) : _mm256_unpacklo_epi8(bytes, zero), words_in_both(x->grain + 2 * t * x->groups + 8 * i));
}

/* Scales of Q3_K, of the 16 bytes that end with a chunk.  Words A, B of nibbles and C of pairs:
 * scale 4i + l is nibble i / 2 of byte l of A (i even) or B, and pair i of byte l of C. */
INLINE __m256i k3_bytes(__m256i raw) {
    const __m256i nibbles_at = _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9));
    const __m256i pairs_at = _mm256_broadcastsi128_si256(_mm_setr_epi8(10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13));
    __m256i       low = _mm256_srlv_epi32(_mm256_shuffle_epi8(raw, nibbles_at), _mm256_setr_epi32(0, 0, 4, 4, 0, 0, 4, 4));
    __m256i       high = _mm256_srlv_epi32(_mm256_shuffle_epi8(raw, pairs_at), _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    __m256i       all = _mm256_or_si256(_mm256_and_si256(low, bytes_of(15)), _mm256_slli_epi16(_mm256_and_si256(high, bytes_of(3)), 4));
    return _mm256_sub_epi8(all, bytes_of(32));
}

/* Halves of groups j and j + 1 of a chunk, from pairs of bits and third bits. */
INLINE void k23_weights(const int f, const __m256i low[2], const __m256i high[2], const int j, __m256i w[4]) {
#pragma GCC unroll 4
    for (int p = 0; p < 4; p++) {
        const int g = j + p / 2;
        w[p] = moved(low[p % 2], g % 4 * 2, 3);
        if (f == Q3_K) w[p] = _mm256_or_si256(w[p], moved(high[p % 2], g - 2, 4));
    }
}

/* Q2_K has minima, Q3_K an offset of 4: both times grain times the sums of 16 activations. */
INLINE void add_k23(const int f, const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, sums *s) {
    const int at = f == Q2_K ? 16 : 32;
    __m256i   raw = f == Q2_K ? rows16(a, b) : rows16(a + 94, b + 94), scale = f == Q2_K ? _mm256_and_si256(raw, bytes_of(15)) : k3_bytes(raw);
    __m256i   all[MOST_TOKENS], less[MOST_TOKENS], high[2] = {rows16(a, b), rows16(a + 16, b + 16)};
    __m256    dm = f == Q2_K ? rows4_halves(a + 76, b + 76) : rows4_halves(a + 102, b + 102), last = _mm256_permute_ps(dm, 0xff);
#pragma GCC unroll 4
    for (int i = 0; i < 2; i++) {
        __m256i low[2] = {rows16(a + at + 32 * i, b + at + 32 * i), rows16(a + at + 32 * i + 16, b + at + 32 * i + 16)}, w[4], factor[MOST_TOKENS];
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            factor[t] = f == Q2_K ? factors_of(scale, i, x, t) : signed_factors(scale, i, x, t);
            __m256i other = f == Q2_K ? factors_of(moved(raw, 4, 15), i, x, t) : factor[t];
            __m256i part = _mm256_madd_epi16(other, words_in_both(x->sum + 2 * t * x->groups + 8 * i));
            less[t] = i ? _mm256_add_epi32(less[t], part) : part;
        }
#pragma GCC unroll 4
        for (int k = 0; k < 2; k++) {
            k23_weights(f, low, high, 4 * i + 2 * k, w);
#pragma GCC unroll 4
            for (int t = 0; t < tokens; t++) {
                __m256i both = k ? _mm256_unpackhi_epi16(factor[t], factor[t]) : _mm256_unpacklo_epi16(factor[t], factor[t]);
                __m256i part = _mm256_madd_epi16(four_dots(w, x, t, 8 * i + 4 * k, 8 * i + 4 * k + 2), both);
                all[t] = i + k ? _mm256_add_epi32(all[t], part) : part;
            }
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
        if (f == Q3_K) all[t] = _mm256_sub_epi32(all[t], _mm256_slli_epi32(less[t], 2));
        else add_scaled(s->minimum, t, _mm256_cvtepi32_ps(less[t]), last, x);
        add_scaled(s->main, t, _mm256_cvtepi32_ps(all[t]), f == Q2_K ? _mm256_permute_ps(dm, 0xaa) : last, x);
    }
}

/* Groups 4i + k and 4i + k + 2 share bytes: halves of the one, then of the other. */
INLINE void k6_weights(const uint8_t *a, const uint8_t *b, const __m256i high[2], const int i, const int k, __m256i w[4]) {
    const int at = 64 * i + 32 * k;
#pragma GCC unroll 4
    for (int h = 0; h < 2; h++) {
        __m256i raw = rows16(a + at + 16 * h, b + at + 16 * h);
        w[h] = _mm256_or_si256(moved(raw, 0, 15), moved(high[h], 2 * k - 4, 48));
        w[2 + h] = _mm256_or_si256(moved(raw, 4, 15), moved(high[h], 2 * k, 48));
    }
}

INLINE void add_k6(const uint8_t *a, const uint8_t *b, const chunk *x, const int tokens, sums *s) {
    const __m128i order[2] = {_mm_set_epi64x(0x0b0a0b0a09080908, 0x0302030201000100), _mm_set_epi64x(0x0f0e0f0e0d0c0d0c, 0x0706070605040504)};
    __m256i       scale = rows16(a + 192, b + 192);
    __m256        d = _mm256_permute_ps(rows4_halves(a + 202, b + 202), 0xff), all[MOST_TOKENS];
#pragma GCC unroll 4
    for (int i = 0; i < 2; i++) {
        const int at = 128 + 32 * i;
        __m256i   high[2] = {rows16(a + at, b + at), rows16(a + at + 16, b + at + 16)}, factor[MOST_TOKENS], w[4];
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) factor[t] = signed_factors(scale, i, x, t);
#pragma GCC unroll 4
        for (int k = 0; k < 2; k++) {
            k6_weights(a, b, high, i, k, w);
#pragma GCC unroll 4
            for (int t = 0; t < tokens; t++) {
                const void *eights = x->eights + 8 * t * x->groups + 32 * i + 16 * k;
                __m256i     four = _mm256_sub_epi16(four_dots(w, x, t, 8 * i + 2 * k, 8 * i + 2 * k + 4), _mm256_loadu_si256(eights));
                __m256      part = _mm256_cvtepi32_ps(_mm256_madd_epi16(four, _mm256_shuffle_epi8(factor[t], _mm256_broadcastsi128_si256(order[k]))));
                all[t] = i + k ? _mm256_add_ps(all[t], part) : part;
            }
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) add_scaled(s->main, t, all[t], d, x);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

INLINE uintptr_t ahead(const int f) { return FAR; }

INLINE chunk chunk_at(const int f, const leat_qact *act, int64_t first) {
    const int64_t g = first * act->groups;
    return (chunk){act->twice + 64 * g, act->scale + g, act->bias + g, act->unit + g / 8, act->grain + 2 * g, act->sum + 2 * g, act->eights + 8 * g, act->groups};
}

INLINE void advance(chunk *x) {
    x->twice += 2 * CHUNK;
    x->scale += CHUNK / 32;
    x->bias += CHUNK / 32;
    x->unit += 1;
    x->grain += CHUNK / 16;
    x->sum += CHUNK / 16;
    x->eights += CHUNK / 4;
}

INLINE void clear(sums *s, const int tokens) {
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) s->main[t] = s->minimum[t] = _mm256_setzero_ps();
}

INLINE void add_chunk(const int f, const uint8_t *w, int64_t stride, const chunk *x, const int tokens, sums *s) {
    if (is_small(f)) add_blocks(f, w, w + stride, x, tokens, s);
    else if (f == Q6_K) add_k6(w, w + stride, x, tokens, s);
    else if (f == Q2_K || f == Q3_K) add_k23(f, w, w + stride, x, tokens, s);
    else add_k45(f, w, w + stride, x, tokens, s);
}

INLINE void finish(const int f, const sums *s, const int t, float *y, int64_t next) {
    const float factor = is_small(f) && has_minima(f) ? -1 : has_minima(f) ? 1 : f == Q6_K || f == Q3_K ? 0 : (float)offset(f);
    __m256      v = factor != 0 ? _mm256_fnmadd_ps(s->minimum[t], _mm256_set1_ps(factor), s->main[t]) : s->main[t];
    v = _mm256_add_ps(v, _mm256_movehdup_ps(v));
    v = _mm256_add_ps(v, _mm256_permute_ps(v, 2));
    y[0] = _mm_cvtss_f32(_mm256_castps256_ps128(v));
    y[next] = _mm_cvtss_f32(_mm256_extractf128_ps(v, 1));
}

#include "cpu/qdot_rows_tmpl.h"

ROWS(q4_0_rows, Q4_0)
ROWS(q4_1_rows, Q4_1)
ROWS(q5_0_rows, Q5_0)
ROWS(q5_1_rows, Q5_1)
ROWS(q2_k_rows, Q2_K)
ROWS(q3_k_rows, Q3_K)
ROWS(q4_k_rows, Q4_K)
ROWS(q5_k_rows, Q5_K)
ROWS(q6_k_rows, Q6_K)

void leat__qdotpair_fill_avx2(leat_qdot_kernels *table) {
    table->rows[Q4_0] = q4_0_rows;
    table->rows[Q4_1] = q4_1_rows;
    table->rows[Q5_0] = q5_0_rows;
    table->rows[Q5_1] = q5_1_rows;
    table->rows[Q2_K] = q2_k_rows;
    table->rows[Q3_K] = q3_k_rows;
    table->rows[Q4_K] = q4_k_rows;
    table->rows[Q5_K] = q5_k_rows;
    table->rows[Q6_K] = q6_k_rows;
}
