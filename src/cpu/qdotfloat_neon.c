/* qdotfloat_neon.c - rows of F32, F16 and BF16 weights times few tokens, with Advanced SIMD.
 *
 * A multiply-add wants two loads, of which these machines have two or three a cycle: two rows share those of activations, two tokens
 * those of weights.  Four sums a row and token run side by side.  What is left of a row after steps of 16 is copied out on both sides,
 * since nothing may be read behind W, and what lies behind X may be no number. */
#include "cpu/qdot.h"

#include <arm_neon.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { F32 = 0, F16 = 1, BF16 = 30, STEP = 16, CHAINS = 4, ROWS = 2, MOST_TOKENS = 2, AHEAD = 6144 };

typedef float32x4_t sums[MOST_TOKENS][ROWS][CHAINS];

INLINE void eight(const int f, const uint8_t *w, const int i, float32x4_t v[2]) {
    uint8x16_t first = vld1q_u8(w + (f == F32 ? 4 : 2) * i);
    if (f == F32) {
        v[0] = vreinterpretq_f32_u8(first);
        v[1] = vreinterpretq_f32_u8(vld1q_u8(w + 4 * i + 16));
    } else if (f == F16) {
        v[0] = vcvt_f32_f16(vget_low_f16(vreinterpretq_f16_u8(first)));
        v[1] = vcvt_high_f32_f16(vreinterpretq_f16_u8(first));
    } else {
        v[0] = vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(vreinterpretq_u16_u8(first)), 16));
        v[1] = vreinterpretq_f32_u32(vshll_high_n_u16(vreinterpretq_u16_u8(first), 16));
    }
}

/* Rows at w[0] and w[1]. */
INLINE void add_step(const int f, const uint8_t *const w[ROWS], const float *x, int64_t ld, const int tokens, sums s) {
#pragma GCC unroll 2
    for (int c = 0; c < CHAINS; c += 2) {
        float32x4_t v[ROWS][2];
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) eight(f, w[r], 4 * c, v[r]);
#pragma GCC unroll 8
        for (int i = 0; i < 2 * tokens; i++) {
            float32x4_t some = vld1q_f32(x + i / 2 * ld + 4 * (c + i % 2));
#pragma GCC unroll 2
            for (int r = 0; r < ROWS; r++) s[i / 2][r][c + i % 2] = vfmaq_f32(s[i / 2][r][c + i % 2], v[r][i % 2], some);
        }
    }
}

INLINE void add_rest(const int f, const uint8_t *const w[ROWS], const float *x, int64_t ld, size_t count, const int tokens,
                     sums s) {
    uint8_t last[ROWS][STEP * 4] = {{0}};
    float   last_x[MOST_TOKENS][STEP] = {{0}};
    for (int r = 0; r < ROWS; r++) memcpy(last[r], w[r], count * (f == F32 ? 4 : 2));
    for (int t = 0; t < tokens; t++) memcpy(last_x[t], x + t * ld, count * sizeof(float));
    add_step(f, (const uint8_t *const[]){last[0], last[1]}, last_x[0], STEP, tokens, s);
}

/* Rows at w and at w + stride, which may be 0: y[0] and y[next]. */
INLINE void two_rows(const int f, const uint8_t *w, int64_t stride, const float *x, int64_t ld, int64_t cols, const int tokens,
                     float *y, int64_t ldy, int64_t next) {
    const int      bytes = STEP * (f == F32 ? 4 : 2);
    const uint8_t *b[ROWS] = {w, w + stride};
    sums           s;
    int64_t        i = 0;
#pragma GCC unroll 16
    for (int c = 0; c < MOST_TOKENS * ROWS * CHAINS; c++) s[c / 8][c / 4 % 2][c % 4] = vdupq_n_f32(0);
    for (; i + STEP <= cols; i += STEP, b[0] += bytes, b[1] += bytes) {
        __builtin_prefetch((const void *)((uintptr_t)b[0] + AHEAD), 0, 2);
        __builtin_prefetch((const void *)((uintptr_t)b[1] + AHEAD), 0, 2);
        add_step(f, b, x + i, ld, tokens, s);
    }
    if (i < cols) add_rest(f, b, x + i, ld, (size_t)(cols - i), tokens, s);
#pragma GCC unroll 4
    for (int c = 0; c < ROWS * tokens; c++) {
        const float32x4_t *v = s[c / ROWS][c % ROWS];
        y[c / ROWS * ldy + c % ROWS * next] = vaddvq_f32(vaddq_f32(vaddq_f32(v[0], v[1]), vaddq_f32(v[2], v[3])));
    }
}

INLINE void all_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    const float  *x = act->x;
    const int64_t ld = act->ld, cols = act->cols;
    for (int64_t r = 0; r < rows; r += ROWS, w += ROWS * stride, y += ROWS) {
        const int64_t other = r + 1 < rows; /* a row that is left goes with itself */
        int64_t       t = 0;
        for (; t + 2 <= act->n; t += 2) two_rows(f, w, other * stride, x + t * ld, ld, cols, 2, y + t * ldy, ldy, other);
        if (t < act->n) two_rows(f, w, other * stride, x + t * ld, ld, cols, 1, y + t * ldy, ldy, other);
    }
}

#define KERNEL(name, f)                                                                                                      \
    static void name(const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {          \
        all_rows(f, w, stride, rows, act, y, ldy);                                                                           \
    }
KERNEL(f32_rows, F32)
KERNEL(f16_rows, F16)
KERNEL(bf16_rows, BF16)

void leat__qdotfloat_fill_neon(leat_qdot_kernels *table) {
    table->rows[F32] = f32_rows;
    table->rows[F16] = f16_rows;
    table->rows[BF16] = bf16_rows;
}
