/* rnn_avx512.c - rows times packed matrix with 512-bit vectors: up to 4 rows x 64 columns in registers. */
#include "cpu/rnn.h"

#include <immintrin.h>

#define UNROLL _Pragma("GCC unroll 4")

static inline __attribute__((always_inline)) void tile(int R, int V, float *y, int64_t ldy, const float *x, int64_t ldx, const float *w,
                                                       int64_t k) {
    __m512 acc[4][4];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) acc[r][v] = _mm512_setzero_ps();
    for (int64_t i = 0; i < k; i++, w += 16 * V) {
        __m512 b[4];
        UNROLL for (int v = 0; v < V; v++) b[v] = _mm512_loadu_ps(w + 16 * v);
        UNROLL for (int r = 0; r < R; r++) {
            __m512 a = _mm512_set1_ps(x[r * ldx + i]);
            UNROLL for (int v = 0; v < V; v++) acc[r][v] = _mm512_fmadd_ps(a, b[v], acc[r][v]);
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) {
            float *to = y + r * ldy + 16 * v;
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), acc[r][v]));
        }
}

static inline __attribute__((always_inline)) void panel(int V, float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows,
                                                        const float *w, int64_t k) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) tile(4, V, y + r * ldy, ldy, x + r * ldx, ldx, w, k);
    for (; r < rows; r++) tile(1, V, y + r * ldy, ldy, x + r * ldx, ldx, w, k);
}

static void rows_f32_avx512(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, const float *w, int64_t k, int64_t n) {
    for (; n > 0; n -= LEAT_RNN_PANEL, y += LEAT_RNN_PANEL, w += LEAT_RNN_PANEL * k) {
        if (n > 48) panel(4, y, ldy, x, ldx, rows, w, k);
        else if (n > 32) panel(3, y, ldy, x, ldx, rows, w, k);
        else if (n > 16) panel(2, y, ldy, x, ldx, rows, w, k);
        else panel(1, y, ldy, x, ldx, rows, w, k);
    }
}

void leat__rnn_init_avx512(leat_rnn_kernels *table) {
    table->rows_f32 = rows_f32_avx512;
    table->isa = LEAT_ISA_AVX512;
}
