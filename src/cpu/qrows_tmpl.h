/* qrows_tmpl.h - rows_i16 with 512-bit vectors, up to 4 rows x 64 columns in registers; the includer defines
 *   DOT(acc, a, b)   acc + pairwise products of 16-bit values
 *   ROWS_NAME        name of the function */
#include <immintrin.h>
#include <string.h>

#define UNROLL _Pragma("GCC unroll 4")

static inline __m512i pair(const int16_t *x) {
    int32_t v;
    memcpy(&v, x, sizeof v);
    return _mm512_set1_epi32(v);
}

static inline __attribute__((always_inline)) void tile(int R, int V, int32_t *y, int64_t ldy, const int16_t *x, int64_t ldx, const int64_t *offset,
                                                       int segments, int64_t pairs, const int16_t *w, const int32_t *init) {
    __m512i acc[4][4];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) acc[r][v] = init ? _mm512_loadu_si512(init + 16 * v) : _mm512_setzero_si512();
    for (int s = 0; s < segments; s++) {
        const int16_t *from = x + offset[s];
        for (int64_t i = 0; i < pairs; i++, w += 32 * V, from += 2) {
            __m512i b[4];
            UNROLL for (int v = 0; v < V; v++) b[v] = _mm512_loadu_si512(w + 32 * v);
            UNROLL for (int r = 0; r < R; r++) {
                __m512i a = pair(from + r * ldx);
                UNROLL for (int v = 0; v < V; v++) acc[r][v] = DOT(acc[r][v], a, b[v]);
            }
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) _mm512_storeu_si512(y + r * ldy + 16 * v, acc[r][v]);
}

static inline __attribute__((always_inline)) void panel(int V, int32_t *y, int64_t ldy, const int16_t *x, int64_t ldx, int64_t rows,
                                                        const int64_t *offset, int segments, int64_t pairs, const int16_t *w,
                                                        const int32_t *init) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) tile(4, V, y + r * ldy, ldy, x + r * ldx, ldx, offset, segments, pairs, w, init);
    for (; r < rows; r++) tile(1, V, y + r * ldy, ldy, x + r * ldx, ldx, offset, segments, pairs, w, init);
}

static void ROWS_NAME(int32_t *y, int64_t ldy, const int16_t *x, int64_t ldx, int64_t rows, const int64_t *offset, int segments, int64_t pairs,
                      const int16_t *w, int64_t n, const int32_t *init) {
    for (int64_t p = 0; p < n; p += LEAT_QROWS_PANEL) {
        int64_t width = n - p < LEAT_QROWS_PANEL ? leat__qrows_round(n - p) : LEAT_QROWS_PANEL;
        const int32_t *from = init ? init + p : NULL;
        if (width == 64) panel(4, y + p, ldy, x, ldx, rows, offset, segments, pairs, w, from);
        else if (width == 48) panel(3, y + p, ldy, x, ldx, rows, offset, segments, pairs, w, from);
        else if (width == 32) panel(2, y + p, ldy, x, ldx, rows, offset, segments, pairs, w, from);
        else panel(1, y + p, ldy, x, ldx, rows, offset, segments, pairs, w, from);
        w += segments * pairs * 2 * width;
    }
}
