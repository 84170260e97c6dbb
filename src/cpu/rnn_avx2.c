/* rnn_avx2.c - recurrent kernels with 256-bit vectors: 1 row x 64 columns or 4 rows x 16 columns in registers. */
#include "cpu/rnn.h"

#include <immintrin.h>

#define UNROLL _Pragma("GCC unroll 8")

/* R rows by V vectors of columns; `width` is the row length of the panel. */
static inline __attribute__((always_inline)) void tile(int R, int V, float *y, int64_t ldy, const float *x, int64_t ldx, const float *w,
                                                       int64_t width, int64_t k) {
    __m256 acc[4][8];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) acc[r][v] = _mm256_setzero_ps();
    for (int64_t i = 0; i < k; i++, w += width) {
        __m256 b[8];
        UNROLL for (int v = 0; v < V; v++) b[v] = _mm256_loadu_ps(w + 8 * v);
        UNROLL for (int r = 0; r < R; r++) {
            __m256 a = _mm256_broadcast_ss(x + r * ldx + i);
            UNROLL for (int v = 0; v < V; v++) acc[r][v] = _mm256_fmadd_ps(a, b[v], acc[r][v]);
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) {
            float *to = y + r * ldy + 8 * v;
            _mm256_storeu_ps(to, _mm256_add_ps(_mm256_loadu_ps(to), acc[r][v]));
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

static void rows_f32_avx2(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, const float *w, int64_t k, int64_t n) {
    for (int64_t p = 0; p < n; p += LEAT_RNN_PANEL) {
        int64_t width = n - p < LEAT_RNN_PANEL ? leat__rnn_round(n - p) : LEAT_RNN_PANEL;
        panel(y + p, ldy, x, ldx, rows, w, width, k);
        w += width * k;
    }
}

static void lstm_cell_avx2(float *c, const float *in, const float *f, const float *g, int64_t n) {
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 ig = _mm256_mul_ps(_mm256_loadu_ps(in + i), _mm256_loadu_ps(g + i));
        _mm256_storeu_ps(c + i, _mm256_fmadd_ps(_mm256_loadu_ps(f + i), _mm256_loadu_ps(c + i), ig));
    }
    for (; i < n; i++) c[i] = f[i] * c[i] + in[i] * g[i];
}

static void gru_cell_avx2(float *h, const float *z, const float *g, int64_t n) {
    __m256 one = _mm256_set1_ps(1);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 u = _mm256_loadu_ps(z + i);
        __m256 s = _mm256_mul_ps(_mm256_sub_ps(one, u), _mm256_loadu_ps(g + i));
        _mm256_storeu_ps(h + i, _mm256_fmadd_ps(u, _mm256_loadu_ps(h + i), s));
    }
    for (; i < n; i++) h[i] = (1.0f - z[i]) * g[i] + z[i] * h[i];
}

void leat__rnn_init_avx2(leat_rnn_kernels *table) {
    *table = (leat_rnn_kernels){rows_f32_avx2, lstm_cell_avx2, gru_cell_avx2, LEAT_ISA_AVX2};
}
