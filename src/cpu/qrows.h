/* qrows.h - integer matrix products and depthwise windows on 16-bit values, exact in 32 bits.
 *
 * 8-bit operands are widened with their zero points taken off (range -255..255), so that any zero point on either side costs nothing and
 * a pair of products fits a 32-bit multiply-add instruction exactly.
 *   rows_i16:  y[r][j] = init[j] + sum over s < segments, i < 2 * pairs of x[r * ldx + offset[s] + i] * w[s][i][j]
 *              j < n rounded up to LEAT_QROWS_ALIGN; init [n rounded] or NULL; y rows need room for the rounded n
 *              w packed by leat__qrows_pack(): panels of LEAT_QROWS_PANEL columns, each [segments][pairs][width][2]
 *   window_i16: y[j] = init[j] + sum over p < positions of x[offset[p] + j] * w[p][j]     (depthwise), j < c
 *              w [(positions + 1) / 2][c rounded up to LEAT_QROWS_ALIGN][2], packed by leat__qrows_pack_window()
 *              reads x up to the rounded c; y needs room for it
 *   rows_u8s8: y[r][j] = init[j] + sum over s < segments, i < 2 * quads of clamp16(x[2i] * w[2i][j] + x[2i + 1] * w[2i + 1][j])
 *              on bytes, zero points not taken off; pairs of products are clamped to 16 bits, as the byte multiply-add of AVX2 does
 *              w packed by leat__qrows_pack_bytes(): panels as above, each [segments][quads][width][4]; init may not be NULL
 *   widen:     y[i] = x[i] - zero
 * A run of x is read in whole pairs (rows_i16) or groups of four (rows_u8s8): up to 1 or 3 values past k, times zero weights.
 * Sums wrap modulo 2^32.  All variants give the same bits.  RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_QROWS_H
#define LEAT_CPU_QROWS_H

#include <stdint.h>

#include "cpu/cpu.h"

#define LEAT_QROWS_PANEL 64
#define LEAT_QROWS_ALIGN 16

typedef struct leat_qrows_kernels {
    void (*rows_i16)(int32_t *y, int64_t ldy, const int16_t *x, int64_t ldx, int64_t rows, const int64_t *offset, int segments, int64_t pairs,
                     const int16_t *w, int64_t n, const int32_t *init);
    void (*rows_u8s8)(int32_t *y, int64_t ldy, const uint8_t *x, int64_t ldx, int64_t rows, const int64_t *offset, int segments, int64_t quads,
                      const int8_t *w, int64_t n, const int32_t *init);
    void (*window_i16)(int32_t *y, const int16_t *x, const int64_t *offset, int positions, const int16_t *w, int64_t c, const int32_t *init);
    void (*widen_u8)(int16_t *y, const uint8_t *x, int64_t n, int32_t zero);
    void (*widen_i8)(int16_t *y, const int8_t *x, int64_t n, int32_t zero);
    leat_isa isa;
} leat_qrows_kernels;

extern leat_qrows_kernels leat__qrows;
void leat__qrows_init(leat_isa level);
void leat__qrows_init_avx2(leat_qrows_kernels *table);
void leat__qrows_init_avx512(leat_qrows_kernels *table);
void leat__qrows_init_avx512vnni(leat_qrows_kernels *table);
void leat__qrows_init_neon(leat_qrows_kernels *table);

static inline int64_t leat__qrows_round(int64_t n) { return (n + LEAT_QROWS_ALIGN - 1) / LEAT_QROWS_ALIGN * LEAT_QROWS_ALIGN; }

/* 8-bit weights as they lie in a tensor.  Value (s, i, j), s < segments, i < k, j < n:
 *   data[s * segment_stride + i / inner * outer_stride + i % inner * inner_stride + j * n_stride] - zero[j * zero_step] */
typedef struct leat_qrows_source {
    const void *data, *zero; /* zero NULL = 0 */
    int         is_signed;   /* int8, both; else uint8 */
    int         zero_step;   /* 0 = one zero point for all columns */
    int64_t     segment_stride, outer_stride, inner, inner_stride, n_stride;
} leat_qrows_source;

/* Elements of a packed matrix: segments * 2 * ceil(k / 2) * leat__qrows_round(n). */
void leat__qrows_pack(int16_t *to, const leat_qrows_source *w, int segments, int64_t k, int64_t n);
/* int8 without zero points for rows_u8s8; elements: segments * 4 * ceil(k / 4) * leat__qrows_round(n). */
void leat__qrows_pack_bytes(int8_t *to, const leat_qrows_source *w, int segments, int64_t k, int64_t n);
/* For window_i16: positions are segments, k is 1, columns are channels.  Elements: 2 * ceil(positions / 2) * leat__qrows_round(c). */
void leat__qrows_pack_window(int16_t *to, const leat_qrows_source *w, int positions, int64_t c);

#endif
