/* qdotwide_avx2.c - rows of signed weights (Q8_0, IQ4_NL, IQ4_XS) times few tokens: two rows at once, float scales.
 *
 * Multiplications (of bytes, of words, of floats) share two of the four vector units; loads are two a cycle.  So activations are loaded once for both rows.
 *
 * |x| takes the unsigned side, and weights have their bits turned over where x < 0: -w - 1, which always fits a byte; the |x| that are missing then are known
 * beforehand (leat_qact: size, lack).  `vpsignb` and `vpabsb` would take the units of the multiplications.
 *
 * Scales of blocks whose size is 2 above a multiple of 16 fall into consecutive words of vectors that lie 16 (32) bytes apart: blends collect them.
 * A chunk's scales are made while the chunk before is multiplied, and wait in memory. */
#include "cpu/qdot.h"

#include <immintrin.h>

#define SIGNED_OFFSET 0

#include "cpu/qdot_unpack_tmpl.h"

enum { CHUNK = 256, MOST_TOKENS = 4, MOST_CHUNK_BYTES = 272 };

typedef struct sums {
    __m256 main[MOST_TOKENS][2], lack[MOST_TOKENS][2]; /* of two rows; one token has two sums for each, since a sum waits for the one before */
} sums;

typedef struct chunk {
    const int8_t  *q; /* in the format's order */
    const uint8_t *size;
    const float   *scale, *lack;
    int64_t        groups;
} chunk;

/* What a chunk needs before its turn: both sides' scales multiplied. */
typedef struct front {
    _Alignas(32) float scale[MOST_TOKENS][2][8];
} front;

#define PIN(v) __asm__("" : "+x"(v)) /* gcc 12 loads anew instead of holding a vector */

INLINE __m256i load_once(const void *p) {
    __m256i v = _mm256_loadu_si256(p);
    PIN(v);
    return v;
}

/* ---- scales ------------------------------------------------------------------------------------------------------------------- */

/* Blocks of 34 bytes: word j of the 16 bytes at 32 j. */
INLINE __m256 scales_of_34(const uint8_t *b) {
    __m128i low = _mm_blend_epi32(_mm_blend_epi16(load16(b), load16(b + 32), 0x02), _mm_blend_epi16(load16(b + 64), load16(b + 96), 0x08), 0x2);
    __m128i high = _mm_blend_epi32(_mm_blend_epi16(load16(b + 128), load16(b + 160), 0x20), _mm_blend_epi16(load16(b + 192), load16(b + 224), 0x80), 0x8);
    return _mm256_cvtph_ps(_mm_blend_epi32(low, high, 0xc));
}

INLINE __m256 weight_scales(const int f, const uint8_t *b) { return f == Q8_0 ? scales_of_34(b) : f == IQ4_XS ? iq4_xs_scales(b) : _mm256_cvtph_ps(halves_of_18(b)); }

INLINE void open_front(const int f, const uint8_t *b, int64_t stride, const chunk *x, const int tokens, front *next, sums *s) {
#pragma GCC unroll 2
    for (int r = 0; r < 2; r++) {
        __m256 w = weight_scales(f, b + r * stride);
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            _mm256_store_ps(next->scale[t][r], _mm256_mul_ps(w, _mm256_loadu_ps(x->scale + t * x->groups)));
            s->lack[t][r] = _mm256_fmadd_ps(w, _mm256_loadu_ps(x->lack + t * x->groups), s->lack[t][r]);
        }
    }
}

/* ---- products ----------------------------------------------------------------------------------------------------------------- */

INLINE __m256i fours(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }
INLINE __m256i negative(__m256i q) { return _mm256_cmpgt_epi8(_mm256_setzero_si256(), q); }
INLINE void    add(sums *s, const int t, const int r, __m256i sum, __m256 scale) { s->main[t][r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, s->main[t][r]); }

INLINE void add_q8_chunk(const uint8_t *b, int64_t stride, const chunk *x, const int tokens, const front *now, sums *s) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        __m256i w[2] = {load32(b + 34 * j + 2), load32(b + stride + 34 * j + 2)};
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            const int64_t at = 32 * (t * x->groups + j);
            __m256i       size = load_once(x->size + at), turned = negative(load_once(x->q + at));
#pragma GCC unroll 2
            for (int r = 0; r < 2; r++) add(s, tokens > 1 ? t : j % 2, r, fours(_mm256_maddubs_epi16(size, _mm256_xor_si256(w[r], turned))), _mm256_set1_ps(now->scale[t][r][j]));
        }
    }
}

/* Nibbles of groups 2k and 2k + 1: first halves low, second halves high. */
INLINE __m256i two_blocks(const int f, const uint8_t *b, const int k) {
    if (f == IQ4_XS) return load_once(b + 8 + 32 * k);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load16(b + 36 * k + 2)), load16(b + 36 * k + 20), 1);
}

/* Sizes of 32 activations, and all bits where they are negative. */
typedef struct operand {
    __m256i size, turned;
} operand;

INLINE operand operand_at(const int8_t *p) {
    __m256i q = load_once(p);
    return (operand){_mm256_abs_epi8(q), negative(q)};
}

/* Of 2 x 32 weights and activations, in fours. */
INLINE __m256i dot64(__m256i low, __m256i high, operand a, operand c) {
    __m256i first = _mm256_maddubs_epi16(a.size, _mm256_xor_si256(low, a.turned)), second = _mm256_maddubs_epi16(c.size, _mm256_xor_si256(high, c.turned));
    return _mm256_add_epi32(fours(first), fours(second));
}

INLINE void add_nibbles_chunk(const int f, const uint8_t *b, int64_t stride, const chunk *x, const int tokens, const front *now, sums *s) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
        const __m256i lanes = _mm256_setr_epi32(2 * k, 2 * k, 2 * k, 2 * k, 2 * k + 1, 2 * k + 1, 2 * k + 1, 2 * k + 1);
        __m256i       low[2], high[2];
#pragma GCC unroll 2
        for (int r = 0; r < 2; r++) {
            __m256i raw = two_blocks(f, b + r * stride, k);
            low[r] = steps(moved(raw, 0, 15)), high[r] = steps(moved(raw, 4, 15));
        }
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            const int8_t *q = x->q + 32 * t * x->groups + k / 2 * 128 + k % 2 * 32;
            const operand a = operand_at(q), c = operand_at(q + 64);
#pragma GCC unroll 2
            for (int r = 0; r < 2; r++)
                add(s, tokens > 1 ? t : k % 2, r, dot64(low[r], high[r], a, c), _mm256_permutevar8x32_ps(_mm256_load_ps(now->scale[t][r]), lanes));
        }
    }
}

INLINE void add_chunk(const int f, const uint8_t *b, int64_t stride, const chunk *x, const int tokens, const front *now, sums *s) {
    if (f == Q8_0) add_q8_chunk(b, stride, x, tokens, now, s);
    else add_nibbles_chunk(f, b, stride, x, tokens, now, s);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

INLINE void advance(chunk *x) {
    x->q += CHUNK;
    x->size += CHUNK;
    x->scale += CHUNK / 32;
    x->lack += CHUNK / 32;
}

/* y[0] and y[next]. */
INLINE void finish(const int f, const sums *s, const int t, const int tokens, float *y, int64_t next) {
    __m256 v[2];
#pragma GCC unroll 2
    for (int r = 0; r < 2; r++) {
        v[r] = tokens > 1 ? s->main[t][r] : _mm256_add_ps(s->main[0][r], s->main[1][r]);
        v[r] = _mm256_add_ps(v[r], s->lack[t][r]);
    }
    __m256 both = _mm256_add_ps(_mm256_permute2f128_ps(v[0], v[1], 0x20), _mm256_permute2f128_ps(v[0], v[1], 0x31));
    both = _mm256_add_ps(both, _mm256_movehdup_ps(both));
    both = _mm256_add_ps(both, _mm256_permute_ps(both, 2));
    y[0] = _mm_cvtss_f32(_mm256_castps256_ps128(both));
    y[next] = _mm_cvtss_f32(_mm256_extractf128_ps(both, 1));
}

/* The chunk at w, and the scales of the one `after`. */
INLINE void step(const int f, const uint8_t *w, int64_t stride, const uint8_t *after, int64_t after_stride, uintptr_t ahead, chunk *x, const int tokens,
                 front fronts[2], int64_t i, sums *s) {
    chunk at = *x;
    advance(&at);
    look_ahead(w, chunk_bytes(f), ahead);
    look_ahead(w + stride, chunk_bytes(f), ahead);
    if (after) open_front(f, after, after_stride, &at, tokens, &fronts[(i + 1) % 2], s);
    add_chunk(f, w, stride, x, tokens, &fronts[i % 2], s);
    *x = at;
}

/* Rows at w and at w + stride, which may be 0.  rest: the last chunk, where cols ends within one. */
INLINE void two_rows(const int f, const uint8_t *w, int64_t stride, const leat_qact *act, int64_t first, const int tokens, float *y, int64_t ldy, int64_t next,
                     uintptr_t ahead) {
    const int64_t at = first * act->groups, part = is_small(f) ? act->cols % CHUNK : 0, whole = act->cols / CHUNK;
    chunk         x = {(f == Q8_0 ? act->q : act->split) + 32 * at, act->size + 32 * at, act->scale + at, act->lack + at, act->groups};
    uint8_t       rest[2][MOST_CHUNK_BYTES];
    sums          s;
    front         fronts[2];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) s.main[i / 2][i % 2] = s.lack[i / 2][i % 2] = _mm256_setzero_ps();
    if (part) {
        memset(rest, 0, sizeof rest);
        for (int r = 0; r < 2; r++) memcpy(rest[r], w + r * stride + whole * chunk_bytes(f), (size_t)(part / 32 * small_bytes(f)));
    }
    open_front(f, whole ? w : rest[0], whole ? stride : MOST_CHUNK_BYTES, &x, tokens, &fronts[0], &s);
    for (int64_t i = 0; i < whole; i++, w += chunk_bytes(f)) {
        const int last = i + 1 == whole;
        step(f, w, stride, !last ? w + chunk_bytes(f) : part ? rest[0] : NULL, last ? MOST_CHUNK_BYTES : stride, ahead, &x, tokens, fronts, i, &s);
    }
    if (part) add_chunk(f, rest[0], MOST_CHUNK_BYTES, &x, tokens, &fronts[whole % 2], &s);
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) finish(f, &s, t, tokens, y + t * ldy, next);
}

INLINE void all_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    const looking l = look(w, stride, rows, act->next, FAR);
    for (int64_t r = 0; r < rows; r += 2, w += 2 * stride, y += 2) {
        const int64_t   other = r + 1 < rows, step = other * stride; /* a row that is left goes with itself */
        const uintptr_t ahead = look_from(&l, rows - r);
        int64_t         t = 0;
        for (; t + 4 <= act->n; t += 4) two_rows(f, w, step, act, t, 4, y + t * ldy, ldy, other, ahead);
        if (t + 2 <= act->n) two_rows(f, w, step, act, t, 2, y + t * ldy, ldy, other, ahead), t += 2;
        if (t < act->n) two_rows(f, w, step, act, t, 1, y + t * ldy, ldy, other, ahead);
    }
}

ROWS(q8_0_rows, Q8_0)
ROWS(iq4_nl_rows, IQ4_NL)
ROWS(iq4_xs_rows, IQ4_XS)

void leat__qdotwide_fill_avx2(leat_qdot_kernels *table) {
    table->rows[Q8_0] = q8_0_rows;
    table->rows[IQ4_NL] = iq4_nl_rows;
    table->rows[IQ4_XS] = iq4_xs_rows;
}
