/* copy_nd.h - copy of an n-dimensional block between two strided layouts: the one engine under transpose, slice, expand, tile,
 * ...
 *
 *   dst[sum i_k dst_k] = src[sum i_k src_k]   for all i_k in [0, dims_k),   strides in bytes, axes from outer to inner
 *
 * Usage: {0}-initialise, set elem, leat__copy_axis() for each axis in the order of the destination, leat__copy_fold(), then
 * leat__copy_run() once, or leat__copy_part() for each share of several threads.  A source stride of 0 repeats, a negative one
 * reverses.  Destination elements must be distinct and must not overlap the source.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_COPY_ND_H
#define LEAT_CPU_COPY_ND_H

#include <stddef.h>
#include <stdint.h>

#define LEAT_COPY_RANK 16

typedef struct leat_copy {
    int     rank;
    int64_t elem;                 /* bytes that always move together: 1, 2, 4, 8 or 16 */
    int64_t dims[LEAT_COPY_RANK];
    int64_t src[LEAT_COPY_RANK];
    int64_t dst[LEAT_COPY_RANK];
} leat_copy;

/* Appends an inner axis; at most LEAT_COPY_RANK of them. */
void leat__copy_axis(leat_copy *copy, int64_t dim, int64_t src_stride, int64_t dst_stride);
/* Drops axes of 1, merges axes that are one run in both layouts, widens the element; the copy stays the same. */
void leat__copy_fold(leat_copy *copy);
/* Bytes that move. */
int64_t leat__copy_bytes(const leat_copy *copy);
void leat__copy_run(const leat_copy *copy, const void *src, void *dst);
/* Does share `part` of `parts` nearly equal ones; shares are disjoint and together the whole (some may be empty). */
void leat__copy_part(const leat_copy *copy, const void *src, void *dst, int64_t part, int64_t parts);
/* Writes the element at `value` [elem bytes] `count` times; elem 1, 2, 4, 8 or 16. */
void leat__copy_fill(void *dst, const void *value, int64_t elem, int64_t count);

#endif
