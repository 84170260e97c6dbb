/* transpose_walk.h - the order in which register tiles transpose a matrix, of any size of element and tile.
 *
 * The walk goes over blocks of one cache line each way (16x16 floats = four tiles of 8x8), so that a line is fetched once and stored
 * whole even when the strides are powers of two and all rows fall into one cache set.
 */
#ifndef LEAT_CPU_TRANSPOSE_WALK_H
#define LEAT_CPU_TRANSPOSE_WALK_H

#include "cpu/transpose.h"

/* Before the loops of a tile, or gcc keeps its rows on the stack. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

typedef void (*tile_fn)(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride);

/* The last tile of a row or column is moved back inside, so that it does again a few elements of its neighbour instead of
 * leaving an edge.  Where there is less than one tile either way, `rest` does it all. */
static inline __attribute__((always_inline)) void walk(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds, int64_t rows,
                                                       int64_t cols,
                                                       int64_t elem, int64_t side, tile_fn tile, leat_transpose_fn rest) {
    const int64_t line = 64 / elem, last_i = rows - side, last_j = cols - side;
    if (last_i < 0 || last_j < 0) {
        rest(src, ss, dst, ds, rows, cols);
        return;
    }
    for (int64_t j0 = 0; j0 < cols; j0 += line)
        for (int64_t i0 = 0; i0 < rows; i0 += line)
            for (int64_t i = i0; i < i0 + line && i < rows; i += side)
                for (int64_t j = j0; j < j0 + line && j < cols; j += side) {
                    int64_t at_i = i < last_i ? i : last_i, at_j = j < last_j ? j : last_j;
                    tile(src + at_i * ss + at_j * elem, ss, dst + at_j * ds + at_i * elem, ds);
                }
}

#endif
