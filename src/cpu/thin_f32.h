/* thin_f32.h - products with very few columns (1 to 4): convolutions down to an image or a mask.
 *
 *   y[i][n] = sum_t sum_k rows[t][i][k] * w[n][t][k]          i < count, n < LEAT_THIN_MAX_N
 *
 * A matrix multiply would leave most lanes of its column vector empty; here the vector runs along the depth instead and is summed at
 * the end, so the cost is that of the multiplications as long as taps * k is some hundreds.
 * rows [taps][row_stride] addresses of runs of k floats; w [n, taps, k]; y [count, ldy].  Reads and writes exactly these.
 * Tolerance against _ref: 2e-6 * taps * k * max|x| * max|w|.  NaN and Inf propagate.  RT-safe: no allocation, no failure. */
#ifndef LEAT_CPU_THIN_F32_H
#define LEAT_CPU_THIN_F32_H

#include <stdint.h>

#include "leat/common.h"

#define LEAT_THIN_MAX_N 4

typedef struct leat_thin {
    int64_t      taps, k;
    const float *w;
} leat_thin;

typedef void (*leat_thin_fn)(const leat_thin *t, const float *const *rows, int64_t row_stride, int64_t count, float *y, int64_t ldy);

typedef struct leat_thin_f32_table {
    const char  *isa;
    leat_thin_fn columns[LEAT_THIN_MAX_N + 1]; /* by n; [0] is NULL */
} leat_thin_f32_table;

extern leat_thin_f32_table leat__thin_f32;
void leat__thin_f32_init(leat_isa level);
void leat__thin_f32_fill_ref(leat_thin_f32_table *table);
void leat__thin_f32_fill_avx2(leat_thin_f32_table *table);
void leat__thin_f32_fill_avx512(leat_thin_f32_table *table);
void leat__thin_f32_fill_neon(leat_thin_f32_table *table);

#endif
