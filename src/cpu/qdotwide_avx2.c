/* qdotwide_avx2.c - rows of signed weights (Q8_0, IQ4_NL, IQ4_XS) times few tokens: two rows at once, float scales.
 *
 * |x| takes the unsigned side of `vpmaddubsw`, and weights have their bits turned over where x < 0: -w - 1, which always fits a byte; the |x| that are missing then are
 * known beforehand (leat_qact: lack).  What is made of activations serves both rows.
 *
 * Sums of four products are folded with those of other blocks until one sum of each of four blocks stands in each half of a vector: one conversion and one product with
 * scales does for four blocks, and scales need not be spread.  Loads are as scarce as units: sizes are made, not loaded.
 *
 * Scales of blocks whose size is 2 above a multiple of 16 fall into consecutive words of vectors that lie 16 (32) bytes apart: blends collect them. */
#include "cpu/qdot.h"

#include <immintrin.h>

#define SIGNED_OFFSET 0

#include "cpu/qdot_unpack_tmpl.h"

enum { CHUNK = 256, MOST_TOKENS = 4, MOST_CHUNK_BYTES = 272 };
enum { FARTHER = 18432 }; /* see FAR: 8-bit weights pass faster */

typedef struct sums {
    __m256 main[MOST_TOKENS][2], lack[MOST_TOKENS][2]; /* of two rows */
} sums;

typedef struct chunk {
    const int8_t *q; /* in the format's order */
    const float  *scale, *lack;
    int64_t       groups;
} chunk;

INLINE __m256i load_once(const void *p) {
    __m256i v = _mm256_loadu_si256(p);
    __asm__("" : "+x"(v)); /* gcc 12 loads anew instead of holding a vector */
    return v;
}

/* ---- scales ------------------------------------------------------------------------------------------------------------------- */

/* Blocks of 34 bytes: the scale of block j is word j of the 16 bytes at 32 j. */
INLINE __m256 scales_of_34(const uint8_t *b) {
    __m128i low = _mm_blend_epi32(_mm_blend_epi16(load16(b), load16(b + 32), 0x02), _mm_blend_epi16(load16(b + 64), load16(b + 96), 0x08), 0x2);
    __m128i high = _mm_blend_epi32(_mm_blend_epi16(load16(b + 128), load16(b + 160), 0x20), _mm_blend_epi16(load16(b + 192), load16(b + 224), 0x80), 0x8);
    return _mm256_cvtph_ps(_mm_blend_epi32(low, high, 0xc));
}

INLINE __m256 weight_scales(const int f, const uint8_t *b) {
    return f == Q8_0 ? scales_of_34(b) : f == IQ4_XS ? iq4_xs_scales(b) : _mm256_cvtph_ps(halves_of_18(b));
}

/* ---- products ----------------------------------------------------------------------------------------------------------------- */

/* Sizes of 32 activations, and all bits where they are negative. */
typedef struct operand {
    __m256i size, turned;
} operand;

INLINE __m256i negative(__m256i q) { return _mm256_cmpgt_epi8(_mm256_setzero_si256(), q); }
INLINE operand operand_at(const int8_t *p) {
    __m256i q = load_once(p);
    return (operand){_mm256_abs_epi8(q), negative(q)};
}

INLINE __m256i dot(__m256i w, operand x) { return _mm256_madd_epi16(_mm256_maddubs_epi16(x.size, _mm256_xor_si256(w, x.turned)), _mm256_set1_epi16(1)); }

/* In each half of a vector 4 sums of u, 4 of v: 2 and 2; 2 and 2, 2 and 2: one of each. */
INLINE __m256i halved(__m256i u, __m256i v) { return _mm256_add_epi32(_mm256_unpacklo_epi64(u, v), _mm256_unpackhi_epi64(u, v)); }
INLINE __m256i quartered(__m256i u, __m256i v) {
    __m256 a = _mm256_castsi256_ps(u), b = _mm256_castsi256_ps(v);
    return _mm256_add_epi32(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)));
}

INLINE void add(__m256 *to, __m256i sum, __m256 scale) { *to = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, *to); }

/* scale: of both sides. */
INLINE void add_q8_chunk(const uint8_t *b, int64_t stride, const chunk *x, const int tokens, __m256 scale[MOST_TOKENS][2], sums *s) {
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        __m256i half[MOST_TOKENS][2][2];
#pragma GCC unroll 2
        for (int k = 0; k < 2; k++) {
            const int j = 4 * i + 2 * k;
#pragma GCC unroll 4
            for (int t = 0; t < tokens; t++) {
                const int64_t at = 32 * (t * x->groups + j);
                const operand u = operand_at(x->q + at), v = operand_at(x->q + at + 32);
#pragma GCC unroll 2
                for (int r = 0; r < 2; r++) {
                    const uint8_t *w = b + r * stride + 34 * j + 2;
                    half[t][r][k] = halved(dot(load32(w), u), dot(load32(w + 34), v));
                }
            }
        }
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++)
#pragma GCC unroll 2
            for (int r = 0; r < 2; r++) {
                __m256 four = i ? _mm256_permute2f128_ps(scale[t][r], scale[t][r], 0x11) : _mm256_permute2f128_ps(scale[t][r], scale[t][r], 0x00);
                add(&s->main[t][r], quartered(half[t][r][0], half[t][r][1]), four);
            }
    }
}

/* Nibbles of groups 2k and 2k + 1: first halves low, second halves high. */
INLINE __m256i two_blocks(const int f, const uint8_t *b, const int k) {
    if (f == IQ4_XS) return load_once(b + 8 + 32 * k);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load16(b + 36 * k + 2)), load16(b + 36 * k + 20), 1);
}

INLINE void add_nibbles_chunk(const int f, const uint8_t *b, int64_t stride, const chunk *x, const int tokens, __m256 scale[MOST_TOKENS][2], sums *s) {
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    __m256i       all[MOST_TOKENS][2][4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
        __m256i low[2], high[2];
#pragma GCC unroll 2
        for (int r = 0; r < 2; r++) {
            __m256i raw = two_blocks(f, b + r * stride, k);
            low[r] = steps(moved(raw, 0, 15)), high[r] = steps(moved(raw, 4, 15));
        }
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            const int8_t *q = x->q + 32 * t * x->groups + k / 2 * 128 + k % 2 * 32;
            const operand u = operand_at(q), v = operand_at(q + 64);
#pragma GCC unroll 2
            for (int r = 0; r < 2; r++) {
                all[t][r][k] = _mm256_add_epi32(dot(low[r], u), dot(high[r], v));
                if (k % 2) all[t][r][k / 2] = halved(all[t][r][k - 1], all[t][r][k]);
            }
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++)
#pragma GCC unroll 2
        for (int r = 0; r < 2; r++) add(&s->main[t][r], quartered(all[t][r][0], all[t][r][1]), _mm256_permutevar8x32_ps(scale[t][r], order));
}

INLINE void add_chunk(const int f, const uint8_t *b, int64_t stride, const chunk *x, const int tokens, sums *s) {
    __m256 scale[MOST_TOKENS][2];
#pragma GCC unroll 2
    for (int r = 0; r < 2; r++) {
        __m256 w = weight_scales(f, b + r * stride);
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            scale[t][r] = _mm256_mul_ps(w, _mm256_loadu_ps(x->scale + t * x->groups));
            s->lack[t][r] = _mm256_fmadd_ps(w, _mm256_loadu_ps(x->lack + t * x->groups), s->lack[t][r]);
        }
    }
    if (f == Q8_0) add_q8_chunk(b, stride, x, tokens, scale, s);
    else add_nibbles_chunk(f, b, stride, x, tokens, scale, s);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

INLINE uintptr_t ahead(const int f) { return f == Q8_0 ? FARTHER : FAR; }

INLINE chunk chunk_at(const int f, const leat_qact *act, int64_t first) {
    const int64_t g = first * act->groups;
    return (chunk){(f == Q8_0 ? act->q : act->split) + 32 * g, act->scale + g, act->lack + g, act->groups};
}

INLINE void advance(chunk *x) {
    x->q += CHUNK;
    x->scale += CHUNK / 32;
    x->lack += CHUNK / 32;
}

INLINE void clear(sums *s, const int tokens) {
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) s->main[t][0] = s->main[t][1] = s->lack[t][0] = s->lack[t][1] = _mm256_setzero_ps();
}

INLINE void finish(const int f, const sums *s, const int t, float *y, int64_t next) {
    __m256 v[2] = {_mm256_add_ps(s->main[t][0], s->lack[t][0]), _mm256_add_ps(s->main[t][1], s->lack[t][1])};
    __m256 both = _mm256_add_ps(_mm256_permute2f128_ps(v[0], v[1], 0x20), _mm256_permute2f128_ps(v[0], v[1], 0x31));
    both = _mm256_add_ps(both, _mm256_movehdup_ps(both));
    both = _mm256_add_ps(both, _mm256_permute_ps(both, 2));
    y[0] = _mm_cvtss_f32(_mm256_castps256_ps128(both));
    y[next] = _mm_cvtss_f32(_mm256_extractf128_ps(both, 1));
}

#include "cpu/qdot_rows_tmpl.h"

ROWS(q8_0_rows, Q8_0)
ROWS(iq4_nl_rows, IQ4_NL)
ROWS(iq4_xs_rows, IQ4_XS)

void leat__qdotwide_fill_avx2(leat_qdot_kernels *table) {
    table->rows[Q8_0] = q8_0_rows;
    table->rows[IQ4_NL] = iq4_nl_rows;
    table->rows[IQ4_XS] = iq4_xs_rows;
}
