/* qrows_tiles_tmpl.h - rows through panels by tiles of 4 rows or 1 x 16 columns; the including file has tile() for words and tile_bytes(). */
#ifndef LEAT_CPU_QROWS_TILES_TMPL_H
#define LEAT_CPU_QROWS_TILES_TMPL_H

#include "cpu/qrows.h"

static void rows_i16(int32_t *y, int64_t ldy, const int16_t *x, int64_t ldx, int64_t rows, const int64_t *offset, int segments, int64_t pairs, const int16_t *w,
                     int64_t n, const int32_t *init) {
    for (int64_t p = 0; p < n; p += LEAT_QROWS_PANEL) {
        int64_t width = n - p < LEAT_QROWS_PANEL ? leat__qrows_round(n - p) : LEAT_QROWS_PANEL, r = 0;
        for (; r + 4 <= rows; r += 4)
            for (int64_t j = 0; j < width; j += 16)
                tile(4, y + r * ldy + p + j, ldy, x + r * ldx, ldx, offset, segments, pairs, w + 2 * j, width, init ? init + p + j : NULL);
        for (; r < rows; r++)
            for (int64_t j = 0; j < width; j += 16)
                tile(1, y + r * ldy + p + j, ldy, x + r * ldx, ldx, offset, segments, pairs, w + 2 * j, width, init ? init + p + j : NULL);
        w += segments * pairs * 2 * width;
    }
}

static void rows_u8s8(int32_t *y, int64_t ldy, const uint8_t *x, int64_t ldx, int64_t rows, const int64_t *offset, int segments, int64_t quads, const int8_t *w,
                      int64_t n, const int32_t *init) {
    for (int64_t p = 0; p < n; p += LEAT_QROWS_PANEL) {
        int64_t width = n - p < LEAT_QROWS_PANEL ? leat__qrows_round(n - p) : LEAT_QROWS_PANEL, r = 0;
        for (; r + 4 <= rows; r += 4)
            for (int64_t j = 0; j < width; j += 16)
                tile_bytes(4, y + r * ldy + p + j, ldy, x + r * ldx, ldx, offset, segments, quads, w + 4 * j, width, init + p + j);
        for (; r < rows; r++)
            for (int64_t j = 0; j < width; j += 16)
                tile_bytes(1, y + r * ldy + p + j, ldy, x + r * ldx, ldx, offset, segments, quads, w + 4 * j, width, init + p + j);
        w += segments * quads * 4 * width;
    }
}

#endif
