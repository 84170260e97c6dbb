/* qdot_unpack_tmpl.h - what the kernels of x86 for few tokens have in common: formats, scales, the lines asked for ahead.
 *
 * The including file defines SIGNED_OFFSET: 128 where dot products want unsigned weights (signed ones are brought there with 128 added), else 0.
 *
 *   offset(f)   weight = scale * (q - offset) - minimum
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

INLINE int is_signed(const int f) { return f == Q8_0 || f == IQ4_NL || f == IQ4_XS; }
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
INLINE __m128i load16(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
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

/* Of 8 blocks of 18 bytes: the scale of block j is word j of the 16 bytes at 16 j. */
INLINE __m128i halves_of_18(const uint8_t *b) {
    __m256i all = _mm256_blend_epi32(load32(b), load32(b + 32), 0x22);
    all = _mm256_blend_epi32(_mm256_blend_epi32(all, load32(b + 64), 0x44), load32(b + 96), 0x88);
    return _mm_blend_epi16(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1), 0xaa);
}

INLINE __m256 iq4_xs_scales(const uint8_t *b) {
    __m256i low = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32((int)dword(b + 4)), _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28)), _mm256_set1_epi32(15));
    __m256i high = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(word(b + 2)), _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14)), _mm256_set1_epi32(3));
    __m256i all = _mm256_sub_epi32(_mm256_or_si256(low, _mm256_slli_epi32(high, 4)), _mm256_set1_epi32(32));
    return _mm256_mul_ps(half_everywhere(b), _mm256_cvtepi32_ps(all));
}

/* ---- weights ------------------------------------------------------------------------------------------------------------------ */

INLINE __m256i steps(__m256i q) {
    __m128i table = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)leat__iq4_steps), _mm_set1_epi8((char)SIGNED_OFFSET));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), q);
}

/* Bits [at, at + width of mask) of 16-bit words moved to where `mask` has them. */
INLINE __m256i moved(__m256i x, const int right, const int mask) {
    return _mm256_and_si256(right > 0 ? _mm256_srli_epi16(x, right) : right < 0 ? _mm256_slli_epi16(x, -right) : x, bytes_of(mask));
}

#endif
