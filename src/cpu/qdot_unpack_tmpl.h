/* qdot_unpack_tmpl.h - 256 weights of each block format as bytes and scales, in vectors of 256 bits.
 *
 * The including file defines SIGNED_OFFSET: 128 where dot products want unsigned weights (signed ones are brought there with 128 added), else 0.
 *
 *   scales(f, b, s)   s->scale, s->minimum of the 8 groups of 32 or, where halves(f), of 16 halves of them
 *   group(f, b, j)    the bytes q of group j, in their order, of the formats of qdot_tmpl.h
 *   offset(f)         weight = scale * (q - offset) - minimum
 */
#ifndef LEAT_CPU_QDOT_UNPACK_TMPL_H
#define LEAT_CPU_QDOT_UNPACK_TMPL_H

#include <string.h>

#include "cpu/blocks.h"

#define INLINE static inline __attribute__((always_inline))

enum { Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14, IQ4_NL = 20, IQ4_XS = 23 };

/* Asks for the lines that lie `ahead` bytes behind `bytes` at w, into the second-level cache: the hardware's own prefetch ends with a page, and the scheduler is full of
 * arithmetic.  What is asked for need not be there.  How far is measured (SPEED.md): NEAR, or FAR where several rows go at once. */
enum { NEAR = 6144, FAR = 12288 };
INLINE void look_ahead(const uint8_t *w, const int bytes, uintptr_t ahead) {
#pragma GCC unroll 5
    for (int i = 0; i < bytes; i += 64) _mm_prefetch((const char *)((uintptr_t)w + ahead + (uintptr_t)i), _MM_HINT_T1);
}

/* How far ahead of each of `rows` rows at w to ask: `ahead`, but for the last rows that far, which ask for the first of what comes next. */
typedef struct looking {
    uintptr_t ahead, turned;
    int64_t   last; /* rows */
} looking;
INLINE looking look(const uint8_t *w, int64_t stride, int64_t rows, const uint8_t *next, uintptr_t ahead) {
    int64_t last = ((int64_t)ahead + stride - 1) / stride;
    return (looking){ahead, (uintptr_t)next + (uintptr_t)((last - rows) * stride) - (uintptr_t)w, next ? last : 0};
}
INLINE uintptr_t look_from(const looking *l, int64_t rows_left) { return rows_left > l->last ? l->ahead : l->turned; }

/* A kernel of the table from the including file's all_rows(). */
#define ROWS(name, f)                                                                                                               \
    static void name(const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {                  \
        all_rows(f, w, stride, rows, act, y, ldy);                                                                                   \
    }

typedef struct factors {
    __m256 scale[2], minimum[2]; /* [1] where halves */
} factors;

INLINE int is_signed(const int f) { return f == Q8_0 || f == IQ4_NL || f == IQ4_XS; }
INLINE int has_halves(const int f) { return f == Q2_K || f == Q3_K || f == Q6_K; }
INLINE int has_minima(const int f) { return f == Q4_1 || f == Q5_1 || f == Q2_K || f == Q4_K || f == Q5_K; }
INLINE int is_small(const int f) { return f < Q2_K || f == IQ4_NL; }
INLINE int offset(const int f) {
    return is_signed(f) ? SIGNED_OFFSET : f == Q4_0 ? 8 : f == Q5_0 ? 16 : f == Q3_K ? 4 : f == Q6_K ? 32 : 0;
}
/* Bytes of 32 weights, and of 256. */
INLINE int small_bytes(const int f) { return f == Q8_0 ? 34 : f == Q5_1 ? 24 : f == Q5_0 ? 22 : f == Q4_1 ? 20 : 18; }
INLINE int chunk_bytes(const int f) {
    return is_small(f) ? 8 * small_bytes(f) : f == Q2_K ? 84 : f == Q3_K ? 110 : f == Q4_K ? 144 : f == Q5_K ? 176 : f == Q6_K ? 210 : 136;
}

INLINE __m256i load32(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
INLINE __m256i load16_twice(const uint8_t *p) { return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p)); }
INLINE __m256i bytes_of(const int value) { return _mm256_set1_epi8((char)value); }
INLINE int word(const uint8_t *p) {
    uint16_t value;
    memcpy(&value, p, 2);
    return value;
}
INLINE uint32_t dword(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
}
INLINE __m256 half_everywhere(const uint8_t *p) { return _mm256_cvtph_ps(_mm_set1_epi16((short)word(p))); }
INLINE __m256 floats_of(__m128i bytes) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)); }
INLINE __m256 signed_floats_of(__m128i bytes) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)); }

/* ---- scales ------------------------------------------------------------------------------------------------------------------- */

/* Halves at b, b + step, ... b + 7 step. */
INLINE __m256 eight_halves(const uint8_t *b, const int step) {
    __m128i h = _mm_cvtsi32_si128(word(b)), g = _mm_cvtsi32_si128(word(b + 4 * step));
    h = _mm_insert_epi16(h, word(b + step), 1);
    g = _mm_insert_epi16(g, word(b + 5 * step), 1);
    h = _mm_insert_epi16(h, word(b + 2 * step), 2);
    g = _mm_insert_epi16(g, word(b + 6 * step), 2);
    h = _mm_insert_epi16(h, word(b + 3 * step), 3);
    g = _mm_insert_epi16(g, word(b + 7 * step), 3);
    return _mm256_cvtph_ps(_mm_unpacklo_epi64(h, g));
}

/* Q4_K and Q5_K: words A, B, C of 6-bit numbers; scales are the low 6 bits of A, then the nibbles of C with the high pairs of A; minima so from B. */
INLINE void k45_scales(const uint8_t *b, factors *s) {
    __m128i raw = _mm_loadu_si128((const __m128i *)(const void *)b);
    __m128i six = _mm_srlv_epi32(_mm_shuffle_epi32(raw, 0x99), _mm_setr_epi32(0, 0, 2, 2)); /* A B A B */
    __m128i four = _mm_srlv_epi32(_mm_shuffle_epi32(raw, 0xff), _mm_setr_epi32(0, 0, 0, 4)); /* C C C C */
    six = _mm_and_si128(six, _mm_setr_epi32(0x3f3f3f3f, 0x3f3f3f3f, 0x30303030, 0x30303030));
    four = _mm_and_si128(four, _mm_setr_epi32(0, 0, 0x0f0f0f0f, 0x0f0f0f0f));
    __m128i all = _mm_shuffle_epi32(_mm_or_si128(six, four), 0xd8);
    s->scale[0] = _mm256_mul_ps(half_everywhere(b), floats_of(all));
    s->minimum[0] = _mm256_mul_ps(half_everywhere(b + 2), floats_of(_mm_srli_si128(all, 8)));
}

INLINE void q2_k_scales(const uint8_t *b, factors *s) {
    __m128i raw = _mm_loadu_si128((const __m128i *)(const void *)b), low = _mm_and_si128(raw, _mm_set1_epi8(15));
    __m128i high = _mm_and_si128(_mm_srli_epi16(raw, 4), _mm_set1_epi8(15));
    __m256  d = half_everywhere(b + 80), m = half_everywhere(b + 82);
    s->scale[0] = _mm256_mul_ps(d, floats_of(low));
    s->scale[1] = _mm256_mul_ps(d, floats_of(_mm_srli_si128(low, 8)));
    s->minimum[0] = _mm256_mul_ps(m, floats_of(high));
    s->minimum[1] = _mm256_mul_ps(m, floats_of(_mm_srli_si128(high, 8)));
}

INLINE void signed_scales(const uint8_t *half, __m128i scales, factors *s) {
    __m256 d = half_everywhere(half);
    s->scale[0] = _mm256_mul_ps(d, signed_floats_of(scales));
    s->scale[1] = _mm256_mul_ps(d, signed_floats_of(_mm_srli_si128(scales, 8)));
}

/* Words A, B of nibbles and C of pairs: scale 4i + l is nibble i / 2 of byte l of A (i even) or B, and pair i of byte l of C. */
INLINE __m128i k3_scales(const uint8_t *p) {
    uint32_t a = dword(p), b = dword(p + 4), c = dword(p + 8);
    __m128i  low = _mm_srlv_epi32(_mm_setr_epi32((int)a, (int)b, (int)a, (int)b), _mm_setr_epi32(0, 0, 4, 4));
    __m128i  high = _mm_srlv_epi32(_mm_set1_epi32((int)c), _mm_setr_epi32(0, 2, 4, 6));
    low = _mm_and_si128(low, _mm_set1_epi8(15));
    high = _mm_slli_epi16(_mm_and_si128(high, _mm_set1_epi8(3)), 4);
    return _mm_sub_epi8(_mm_or_si128(low, high), _mm_set1_epi8(32));
}

INLINE __m256 iq4_xs_scales(const uint8_t *b) {
    __m256i low = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32((int)dword(b + 4)), _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28)), _mm256_set1_epi32(15));
    __m256i high = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(word(b + 2)), _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14)), _mm256_set1_epi32(3));
    __m256i all = _mm256_sub_epi32(_mm256_or_si256(low, _mm256_slli_epi32(high, 4)), _mm256_set1_epi32(32));
    return _mm256_mul_ps(half_everywhere(b), _mm256_cvtepi32_ps(all));
}

INLINE void scales(const int f, const uint8_t *b, factors *s) {
    if (is_small(f)) s->scale[0] = eight_halves(b, small_bytes(f));
    if (f == Q4_1 || f == Q5_1) s->minimum[0] = _mm256_sub_ps(_mm256_setzero_ps(), eight_halves(b + 2, small_bytes(f)));
    if (f == Q2_K) q2_k_scales(b, s);
    if (f == Q3_K) signed_scales(b + 108, k3_scales(b + 96), s);
    if (f == Q5_K) k45_scales(b, s);
    if (f == IQ4_XS) s->scale[0] = iq4_xs_scales(b);
}

/* ---- groups ------------------------------------------------------------------------------------------------------------------- */

/* Low nibbles of 16 bytes, then the high ones. */
INLINE __m256i nibbles(const uint8_t *p) {
    return _mm256_and_si256(_mm256_srlv_epi64(load16_twice(p), _mm256_setr_epi64x(0, 0, 4, 4)), bytes_of(15));
}

/* Byte i is `value` where bit i is set. */
INLINE __m256i where_bits(uint32_t bits, const int value) {
    __m256i at = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201u);
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(at, bit), bit), bytes_of(value));
}

INLINE __m256i steps(__m256i q) {
    __m128i table = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)leat__iq4_steps), _mm_set1_epi8((char)SIGNED_OFFSET));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), q);
}

/* Bits [at, at + width of mask) of 16-bit words moved to where `mask` has them. */
INLINE __m256i moved(__m256i x, const int right, const int mask) {
    return _mm256_and_si256(right > 0 ? _mm256_srli_epi16(x, right) : right < 0 ? _mm256_slli_epi16(x, -right) : x, bytes_of(mask));
}

INLINE __m256i group(const int f, const uint8_t *b, const int j) {
    const uint8_t *small = b + small_bytes(f) * j;
    if (f == Q4_1) return nibbles(small + 4);
    if (f == Q5_0) return _mm256_or_si256(nibbles(small + 6), where_bits(dword(small + 2), 16));
    if (f == Q5_1) return _mm256_or_si256(nibbles(small + 8), where_bits(dword(small + 4), 16));
    if (f == Q2_K) return moved(load32(b + 16 + j / 4 * 32), j % 4 * 2, 3);
    if (f == Q3_K) return _mm256_or_si256(moved(load32(b + 32 + j / 4 * 32), j % 4 * 2, 3), moved(load32(b), j - 2, 4));
    return _mm256_or_si256(moved(load32(b + 48 + j / 2 * 32), j % 2 * 4, 15), moved(load32(b + 16), j - 4, 16)); /* Q5_K */
}

#endif
