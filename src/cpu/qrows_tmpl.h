/* qrows_tmpl.h - rows times packed panel with 512-bit vectors, up to 4 rows x 64 columns in registers; the includer defines
 *   DOT(acc, a, b)     acc + products of the 4 bytes of each lane, in whatever way
 *   ROWS_NAME          name of the function
 *   X_TYPE, W_TYPE     elements of x and w
 *   GROUP              elements in 4 bytes */
#include <immintrin.h>
#include <string.h>

#define UNROLL _Pragma("GCC unroll 4")
#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define LANES JOIN(lanes, ROWS_NAME)
#define TILE JOIN(tile, ROWS_NAME)
#define PANEL JOIN(panel, ROWS_NAME)

static inline __m512i LANES(const X_TYPE *x) {
    int32_t v;
    memcpy(&v, x, sizeof v);
    return _mm512_set1_epi32(v);
}

static inline __attribute__((always_inline)) void TILE(int R, int V, int32_t *y, int64_t ldy, const X_TYPE *x, int64_t ldx, const int64_t *offset,
                                                       int segments, int64_t groups, const W_TYPE *w, const int32_t *init) {
    __m512i acc[4][4];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) acc[r][v] = init ? _mm512_loadu_si512(init + 16 * v) : _mm512_setzero_si512();
    for (int s = 0; s < segments; s++) {
        const X_TYPE *from = x + offset[s];
        for (int64_t i = 0; i < groups; i++, w += 16 * GROUP * V, from += GROUP) {
            __m512i b[4];
            UNROLL for (int v = 0; v < V; v++) b[v] = _mm512_loadu_si512(w + 16 * GROUP * v);
            UNROLL for (int r = 0; r < R; r++) {
                __m512i a = LANES(from + r * ldx);
                UNROLL for (int v = 0; v < V; v++) acc[r][v] = DOT(acc[r][v], a, b[v]);
            }
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) _mm512_storeu_si512(y + r * ldy + 16 * v, acc[r][v]);
}

static inline __attribute__((always_inline)) void PANEL(int V, int32_t *y, int64_t ldy, const X_TYPE *x, int64_t ldx, int64_t rows,
                                                        const int64_t *offset, int segments, int64_t groups, const W_TYPE *w,
                                                        const int32_t *init) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) TILE(4, V, y + r * ldy, ldy, x + r * ldx, ldx, offset, segments, groups, w, init);
    for (; r < rows; r++) TILE(1, V, y + r * ldy, ldy, x + r * ldx, ldx, offset, segments, groups, w, init);
}

static void ROWS_NAME(int32_t *y, int64_t ldy, const X_TYPE *x, int64_t ldx, int64_t rows, const int64_t *offset, int segments, int64_t groups,
                      const W_TYPE *w, int64_t n, const int32_t *init) {
    for (int64_t p = 0; p < n; p += LEAT_QROWS_PANEL) {
        int64_t width = n - p < LEAT_QROWS_PANEL ? leat__qrows_round(n - p) : LEAT_QROWS_PANEL;
        const int32_t *from = init ? init + p : NULL;
        if (width == 64) PANEL(4, y + p, ldy, x, ldx, rows, offset, segments, groups, w, from);
        else if (width == 48) PANEL(3, y + p, ldy, x, ldx, rows, offset, segments, groups, w, from);
        else if (width == 32) PANEL(2, y + p, ldy, x, ldx, rows, offset, segments, groups, w, from);
        else PANEL(1, y + p, ldy, x, ldx, rows, offset, segments, groups, w, from);
        w += segments * groups * GROUP * width;
    }
}

#undef LANES
#undef TILE
#undef PANEL
#undef JOIN
#undef JOIN2
#undef UNROLL
#undef DOT
#undef ROWS_NAME
#undef X_TYPE
#undef W_TYPE
#undef GROUP
