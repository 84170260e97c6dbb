/* rnn.h - the inner loops of recurrent cells: a few rows times a packed matrix, and the cells' element-wise updates.
 *
 *   rows_f32:  y[r][j] += sum over i < k of x[r][i] * w[i][j],   r < rows, j < n rounded up to LEAT_RNN_ALIGN
 * w is packed by leat__rnn_pack(): panels of LEAT_RNN_PANEL columns, each [k][width], the last one as wide as what is left, rounded up
 * to LEAT_RNN_ALIGN with zeros.  x rows are ldx apart (may be negative), y rows ldy; y rows need room for the rounded n.
 * Every y[r][j] is summed in the order of i in every variant; fused multiply-add: tolerance against _ref 1e-6 * k * max|x| * max|w|.
 *   lstm_cell: c[i] = f[i] * c[i] + in[i] * g[i]            gru_cell: h[i] = (1 - z[i]) * g[i] + z[i] * h[i]
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_RNN_H
#define LEAT_CPU_RNN_H

#include <stdint.h>

#include "cpu/cpu.h"

#define LEAT_RNN_PANEL 64
#define LEAT_RNN_ALIGN 16

typedef struct leat_rnn_kernels {
    void (*rows_f32)(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, const float *w, int64_t k, int64_t n);
    void (*lstm_cell)(float *c, const float *in, const float *f, const float *g, int64_t n);
    void (*gru_cell)(float *h, const float *z, const float *g, int64_t n);
    leat_isa isa;
} leat_rnn_kernels;

extern leat_rnn_kernels leat__rnn;
void leat__rnn_init(leat_isa level);
void leat__rnn_init_avx2(leat_rnn_kernels *table);
void leat__rnn_init_avx512(leat_rnn_kernels *table);
void leat__rnn_init_neon(leat_rnn_kernels *table);

static inline int64_t leat__rnn_round(int64_t n) { return (n + LEAT_RNN_ALIGN - 1) / LEAT_RNN_ALIGN * LEAT_RNN_ALIGN; }
/* Floats of a packed matrix of k rows and n columns: leat__rnn_round(n) * k. */
/* Packs w given as [n][k] (row j holds column j of the product) into `to`. */
void leat__rnn_pack(float *to, const float *w, int64_t k, int64_t n);

#endif
