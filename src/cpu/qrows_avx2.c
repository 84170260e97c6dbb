/* qrows_avx2.c - integer products with 256-bit vectors (multiply-add of 16-bit pairs). */
#include "cpu/qrows.h"

#include <immintrin.h>
#include <string.h>

#define UNROLL _Pragma("GCC unroll 4")

static inline __m256i pair(const int16_t *x) {
    int32_t v;
    memcpy(&v, x, sizeof v);
    return _mm256_set1_epi32(v);
}

/* R rows by 16 columns of a panel of `width` columns. */
static inline __attribute__((always_inline)) void tile(int R, int32_t *y, int64_t ldy, const int16_t *x, int64_t ldx, const int64_t *offset,
                                                       int segments, int64_t pairs, const int16_t *w, int64_t width, const int32_t *init) {
    __m256i acc[4][2];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < 2; v++) acc[r][v] = init ? _mm256_loadu_si256((const __m256i *)(init + 8 * v)) : _mm256_setzero_si256();
    for (int s = 0; s < segments; s++) {
        const int16_t *from = x + offset[s];
        for (int64_t i = 0; i < pairs; i++, w += 2 * width, from += 2) {
            __m256i b0 = _mm256_loadu_si256((const __m256i *)w), b1 = _mm256_loadu_si256((const __m256i *)(w + 16));
            UNROLL for (int r = 0; r < R; r++) {
                __m256i a = pair(from + r * ldx);
                acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(a, b0));
                acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(a, b1));
            }
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < 2; v++) _mm256_storeu_si256((__m256i *)(y + r * ldy + 8 * v), acc[r][v]);
}

static inline __m256i quad(const uint8_t *x) {
    int32_t v;
    memcpy(&v, x, sizeof v);
    return _mm256_set1_epi32(v);
}

static inline __attribute__((always_inline)) void tile_bytes(int R, int32_t *y, int64_t ldy, const uint8_t *x, int64_t ldx, const int64_t *offset,
                                                             int segments, int64_t quads, const int8_t *w, int64_t width, const int32_t *init) {
    __m256i acc[4][2], ones = _mm256_set1_epi16(1);
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < 2; v++) acc[r][v] = _mm256_loadu_si256((const __m256i *)(init + 8 * v));
    for (int s = 0; s < segments; s++) {
        const uint8_t *from = x + offset[s];
        for (int64_t i = 0; i < quads; i++, w += 4 * width, from += 4) {
            __m256i b0 = _mm256_loadu_si256((const __m256i *)w), b1 = _mm256_loadu_si256((const __m256i *)(w + 32));
            UNROLL for (int r = 0; r < R; r++) {
                __m256i a = quad(from + r * ldx);
                acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b0), ones));
                acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b1), ones));
            }
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < 2; v++) _mm256_storeu_si256((__m256i *)(y + r * ldy + 8 * v), acc[r][v]);
}

#include "cpu/qrows_tiles_tmpl.h"

/* Two positions at once: their channels are interleaved to pairs.  Interleaving works inside 128-bit halves, so the low result holds
 * channels 0-3 and 8-11, the high one 4-7 and 12-15; weights are brought to that order as they are loaded. */
static void window_i16_avx2(int32_t *y, const int16_t *x, const int64_t *offset, int positions, const int16_t *w, int64_t c, const int32_t *init) {
    int64_t width = leat__qrows_round(c);
    for (int64_t j = 0; j < width; j += 16) {
        __m256i a0 = _mm256_setzero_si256(), a1 = a0;
        const int16_t *from = w + 2 * j;
        for (int p = 0; p < positions; p += 2, from += 2 * width) {
            __m256i u = _mm256_loadu_si256((const __m256i *)(x + offset[p] + j)), v = _mm256_setzero_si256();
            if (p + 1 < positions) v = _mm256_loadu_si256((const __m256i *)(x + offset[p + 1] + j));
            __m256i w0 = _mm256_loadu_si256((const __m256i *)from), w1 = _mm256_loadu_si256((const __m256i *)(from + 16));
            a0 = _mm256_add_epi32(a0, _mm256_madd_epi16(_mm256_unpacklo_epi16(u, v), _mm256_permute2x128_si256(w0, w1, 0x20)));
            a1 = _mm256_add_epi32(a1, _mm256_madd_epi16(_mm256_unpackhi_epi16(u, v), _mm256_permute2x128_si256(w0, w1, 0x31)));
        }
        __m256i lo = _mm256_permute2x128_si256(a0, a1, 0x20), hi = _mm256_permute2x128_si256(a0, a1, 0x31);
        if (init) {
            lo = _mm256_add_epi32(lo, _mm256_loadu_si256((const __m256i *)(init + j)));
            hi = _mm256_add_epi32(hi, _mm256_loadu_si256((const __m256i *)(init + j + 8)));
        }
        _mm256_storeu_si256((__m256i *)(y + j), lo);
        _mm256_storeu_si256((__m256i *)(y + j + 8), hi);
    }
}

static void widen_u8_avx2(int16_t *y, const uint8_t *x, int64_t n, int32_t zero) {
    __m256i z = _mm256_set1_epi16((short)zero);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(x + i)));
        _mm256_storeu_si256((__m256i *)(y + i), _mm256_sub_epi16(v, z));
    }
    for (; i < n; i++) y[i] = (int16_t)(x[i] - zero);
}

static void widen_i8_avx2(int16_t *y, const int8_t *x, int64_t n, int32_t zero) {
    __m256i z = _mm256_set1_epi16((short)zero);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i v = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(x + i)));
        _mm256_storeu_si256((__m256i *)(y + i), _mm256_sub_epi16(v, z));
    }
    for (; i < n; i++) y[i] = (int16_t)(x[i] - zero);
}

void leat__qrows_init_avx2(leat_qrows_kernels *table) {
    *table = (leat_qrows_kernels){rows_i16, rows_u8s8, window_i16_avx2, widen_u8_avx2, widen_i8_avx2, LEAT_ISA_AVX2};
}
