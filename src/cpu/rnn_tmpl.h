/* rnn_tmpl.h - recurrent kernels over vectors of 8 lanes (names of vmath_vec.h): 1 row x 64 columns or 4 rows x 16 columns in registers. */
#ifndef LEAT_CPU_RNN_TMPL_H
#define LEAT_CPU_RNN_TMPL_H

#include "cpu/rnn.h"

#define UNROLL _Pragma("GCC unroll 8")

/* R rows by V vectors of columns; `width` is the row length of the panel. */
static inline __attribute__((always_inline)) void tile(const int R, const int V, float *y, int64_t ldy, const float *x, int64_t ldx, const float *w, int64_t width,
                                                       int64_t k) {
    VF acc[4][8];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) acc[r][v] = V_SET(0.0f);
    for (int64_t i = 0; i < k; i++, w += width) {
        VF b[8];
        UNROLL for (int v = 0; v < V; v++) b[v] = V_LOAD(w + W * v);
        UNROLL for (int r = 0; r < R; r++) {
            float a = x[r * ldx + i];
            UNROLL for (int v = 0; v < V; v++) acc[r][v] = V_FMA1(a, b[v], acc[r][v]);
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) {
            float *to = y + r * ldy + W * v;
            V_STORE(to, V_ADD(V_LOAD(to), acc[r][v]));
        }
}

static void panel(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, const float *w, int64_t width, int64_t k) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4)
        for (int64_t j = 0; j < width; j += 16) tile(4, 2, y + r * ldy + j, ldy, x + r * ldx, ldx, w + j, width, k);
    for (; r < rows; r++) {
        if (width == 64) tile(1, 8, y + r * ldy, ldy, x + r * ldx, ldx, w, width, k);
        else
            for (int64_t j = 0; j < width; j += 16) tile(1, 2, y + r * ldy + j, ldy, x + r * ldx, ldx, w + j, width, k);
    }
}

static void rows_f32(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, const float *w, int64_t k, int64_t n) {
    for (int64_t p = 0; p < n; p += LEAT_RNN_PANEL) {
        int64_t width = n - p < LEAT_RNN_PANEL ? leat__rnn_round(n - p) : LEAT_RNN_PANEL;
        panel(y + p, ldy, x, ldx, rows, w, width, k);
        w += width * k;
    }
}

static void lstm_cell(float *c, const float *in, const float *f, const float *g, int64_t n) {
    int64_t i = 0;
    for (; i + W <= n; i += W) V_STORE(c + i, V_FMA(V_LOAD(f + i), V_LOAD(c + i), V_MUL(V_LOAD(in + i), V_LOAD(g + i))));
    for (; i < n; i++) c[i] = f[i] * c[i] + in[i] * g[i];
}

static void gru_cell(float *h, const float *z, const float *g, int64_t n) {
    const VF one = V_SET(1.0f);
    int64_t  i = 0;
    for (; i + W <= n; i += W) {
        VF u = V_LOAD(z + i);
        V_STORE(h + i, V_FMA(u, V_LOAD(h + i), V_MUL(V_SUB(one, u), V_LOAD(g + i))));
    }
    for (; i < n; i++) h[i] = (1.0f - z[i]) * g[i] + z[i] * h[i];
}

#endif
