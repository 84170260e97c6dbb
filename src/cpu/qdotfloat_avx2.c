/* qdotfloat_avx2.c - rows of F32, F16 and BF16 weights times one, two or four tokens.
 *
 * Bound by memory; four sums a row wait for each other less than memory does.  What is left of a row after steps of 32 is copied out on both sides, since nothing may be
 * read behind W, and what lies behind X may be no number. */
#include "cpu/qdot.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { F32 = 0, F16 = 1, BF16 = 30, STEP = 32, CHAINS = 4, MOST_TOKENS = 4 };

INLINE __m256 eight(const int f, const uint8_t *w, const int i) {
    if (f == F32) return _mm256_loadu_ps((const float *)(const void *)w + i);
    __m128i half = _mm_loadu_si128((const __m128i *)(const void *)(w + 2 * i));
    return f == F16 ? _mm256_cvtph_ps(half) : _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

INLINE void add_step(const int f, const uint8_t *w, const float *x, int64_t ld, const int tokens, __m256 sums[MOST_TOKENS][CHAINS]) {
#pragma GCC unroll 4
    for (int c = 0; c < CHAINS; c++) {
        __m256 value = eight(f, w, 8 * c);
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) { /* several tokens need no more than two chains each */
            const int chain = tokens == 1 ? c : c % 2;
            sums[t][chain] = _mm256_fmadd_ps(value, _mm256_loadu_ps(x + t * ld + 8 * c), sums[t][chain]);
        }
    }
}

INLINE float total(const __m256 sums[CHAINS]) {
    __m256 v = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

INLINE void row(const int f, const uint8_t *w, const float *x, int64_t ld, int64_t cols, const int tokens, float *y, int64_t ldy) {
    const int size = f == F32 ? 4 : 2;
    __m256    sums[MOST_TOKENS][CHAINS];
    int64_t   i = 0;
#pragma GCC unroll 16
    for (int c = 0; c < CHAINS * tokens; c++) sums[c / CHAINS][c % CHAINS] = _mm256_setzero_ps();
    for (; i + STEP <= cols; i += STEP) add_step(f, w + i * size, x + i, ld, tokens, sums);
    if (i < cols) {
        uint8_t last[STEP * 4] = {0};
        float   last_x[MOST_TOKENS][STEP] = {{0}};
        memcpy(last, w + i * size, (size_t)((cols - i) * size));
        for (int t = 0; t < tokens; t++) memcpy(last_x[t], x + t * ld + i, (size_t)(cols - i) * sizeof(float));
        add_step(f, last, last_x[0], STEP, tokens, sums);
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) y[t * ldy] = total(sums[t]);
}

INLINE void some_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    const float *x = act->x;
    int64_t      ld = act->ld;
    for (int64_t r = 0; r < rows; r++) {
        int64_t t = 0;
        for (; t + 4 <= act->n; t += 4) row(f, w + r * stride, x + t * ld, ld, act->cols, 4, y + t * ldy + r, ldy);
        if (t + 2 <= act->n) row(f, w + r * stride, x + t * ld, ld, act->cols, 2, y + t * ldy + r, ldy), t += 2;
        if (t < act->n) row(f, w + r * stride, x + t * ld, ld, act->cols, 1, y + t * ldy + r, ldy);
    }
}

#define ROWS(name, f)                                                                                                               \
    static void name(const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {                  \
        some_rows(f, w, stride, rows, act, y, ldy);                                                                                  \
    }
ROWS(f32_rows, F32)
ROWS(f16_rows, F16)
ROWS(bf16_rows, BF16)

void leat__qdotfloat_fill_avx2(leat_qdot_kernels *table) {
    table->rows[F32] = f32_rows;
    table->rows[F16] = f16_rows;
    table->rows[BF16] = bf16_rows;
}
