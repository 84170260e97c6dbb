/* copy_nd.c - strided n-dimensional copy: fold the axes, pick the inner kernel, walk the rest like an odometer.
 *
 * Inner kernels, in order of preference:
 *   run        innermost axis contiguous on both sides: memcpy of whole rows; rows of at most 64 bytes, which memcpy calls would
 *              dominate, by loads and stores that overlap in the middle
 *   transpose  destination contiguous in the innermost axis, source contiguous in another one: 2-D tiles over the two
 *   fill       innermost source stride 0: one element repeated
 *   strided    one element at a time
 */
#include "cpu/copy_nd.h"

#include <string.h>

#include "cpu/transpose.h"

void leat__copy_axis(leat_copy *copy, int64_t dim, int64_t src_stride, int64_t dst_stride) {
    if (copy->rank == LEAT_COPY_RANK) return;
    copy->dims[copy->rank] = dim;
    copy->src[copy->rank] = src_stride;
    copy->dst[copy->rank] = dst_stride;
    copy->rank++;
}

/* ---- folding ---------------------------------------------------------------------------------------------------------- */

static void drop_axis(leat_copy *c, int axis) {
    for (int i = axis; i + 1 < c->rank; i++) c->dims[i] = c->dims[i + 1], c->src[i] = c->src[i + 1], c->dst[i] = c->dst[i + 1];
    c->rank--;
}

static int is_run(const leat_copy *c, int axis) { return c->src[axis] == c->elem && c->dst[axis] == c->elem; }

static int is_empty(const leat_copy *c) {
    for (int i = 0; i < c->rank; i++)
        if (c->dims[i] == 0) return 1;
    return 0;
}

void leat__copy_fold(leat_copy *c) {
    if (is_empty(c)) {
        c->rank = 1, c->dims[0] = 0, c->src[0] = c->dst[0] = c->elem;
        return;
    }
    for (int i = c->rank - 1; i >= 0; i--)
        if (c->dims[i] == 1) drop_axis(c, i);
    for (int i = c->rank - 2; i >= 0; i--) {
        if (c->src[i] != c->dims[i + 1] * c->src[i + 1] || c->dst[i] != c->dims[i + 1] * c->dst[i + 1]) continue;
        c->dims[i] *= c->dims[i + 1], c->src[i] = c->src[i + 1], c->dst[i] = c->dst[i + 1];
        drop_axis(c, i + 1);
    }
    if (c->rank == 0 || !is_run(c, c->rank - 1)) return;
    int64_t wide = c->dims[c->rank - 1] * c->elem;
    if (wide != 2 && wide != 4 && wide != 8 && wide != 16) return;
    c->elem = wide; /* a run of a few bytes moves as one element from here on */
    c->rank--;
}

int64_t leat__copy_bytes(const leat_copy *copy) {
    int64_t n = copy->elem;
    for (int i = 0; i < copy->rank; i++) n *= copy->dims[i];
    return n;
}

/* ---- inner kernels ---------------------------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void strided_of(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds,
                                                             int64_t n, size_t elem) {
    for (int64_t i = 0; i < n; i++) memcpy(dst + i * ds, src + i * ss, elem);
}

static void strided(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds, int64_t n, int64_t elem) {
    switch (elem) {
    case 1: strided_of(src, ss, dst, ds, n, 1); break;
    case 2: strided_of(src, ss, dst, ds, n, 2); break;
    case 4: strided_of(src, ss, dst, ds, n, 4); break;
    case 8: strided_of(src, ss, dst, ds, n, 8); break;
    default: strided_of(src, ss, dst, ds, n, 16); break;
    }
}

void leat__copy_fill(void *dst, const void *value, int64_t elem, int64_t count) {
    const int64_t bytes = elem * count;
    if (elem == 1) {
        memset(dst, *(const uint8_t *)value, (size_t)count);
        return;
    }
    int64_t done = bytes < 64 ? bytes : 64;
    strided(value, 0, dst, elem, done / elem, elem);
    while (done < bytes) { /* then the written part doubles itself, up to a piece that stays in L1 */
        int64_t piece = done < 4096 ? done : 4096;
        if (piece > bytes - done) piece = bytes - done;
        memcpy((uint8_t *)dst + done, dst, (size_t)piece);
        done += piece;
    }
}

/* Rows of `bytes` in [half, 2 * half]: first and last `half` bytes, which overlap. */
static inline __attribute__((always_inline)) void short_rows_of(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds,
                                                                int64_t n,
                                                                int64_t bytes, size_t half) {
    for (int64_t i = 0; i < n; i++) {
        uint8_t head[32], tail[32];
        memcpy(head, src + i * ss, half);
        memcpy(tail, src + i * ss + bytes - half, half);
        memcpy(dst + i * ds, head, half);
        memcpy(dst + i * ds + bytes - half, tail, half);
    }
}

/* n rows of `bytes` contiguous bytes, 2 to 64. */
static void short_rows(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds, int64_t n, int64_t bytes) {
    if (bytes >= 32) short_rows_of(src, ss, dst, ds, n, bytes, 32);
    else if (bytes >= 16) short_rows_of(src, ss, dst, ds, n, bytes, 16);
    else if (bytes >= 8) short_rows_of(src, ss, dst, ds, n, bytes, 8);
    else if (bytes >= 4) short_rows_of(src, ss, dst, ds, n, bytes, 4);
    else short_rows_of(src, ss, dst, ds, n, bytes, 2);
}

/* ---- the walk --------------------------------------------------------------------------------------------------------- */

static int has_short_rows(const leat_copy *c) {
    int64_t bytes = c->dims[c->rank - 1] * c->elem;
    return c->rank > 1 && is_run(c, c->rank - 1) && bytes >= 2 && bytes <= 64;
}

/* The axis that the inner kernel takes together with the innermost one, or -1. */
static int paired_axis(const leat_copy *c) {
    int in = c->rank - 1;
    if (is_run(c, in)) return has_short_rows(c) ? in - 1 : -1;
    if (c->dst[in] != c->elem || c->elem > 8 || c->src[in] == 0) return -1;
    for (int i = 0; i < in; i++)
        if (c->src[i] == c->elem) return i;
    return -1;
}

/* Everything inside the odometer for one setting of the outer axes. */
static void inner(const leat_copy *c, int pair, const uint8_t *src, uint8_t *dst) {
    int in = c->rank - 1;
    if (is_run(c, in) && pair >= 0) short_rows(src, c->src[pair], dst, c->dst[pair], c->dims[pair], c->dims[in] * c->elem);
    else if (is_run(c, in)) memcpy(dst, src, (size_t)(c->dims[in] * c->elem));
    else if (pair >= 0) leat__transpose_of((size_t)c->elem)(src, c->src[in], dst, c->dst[pair], c->dims[in], c->dims[pair]);
    else if (c->src[in] == 0 && c->dst[in] == c->elem) leat__copy_fill(dst, src, c->elem, c->dims[in]);
    else strided(src, c->src[in], dst, c->dst[in], c->dims[in], c->elem);
}

void leat__copy_run(const leat_copy *c, const void *source, void *destination) {
    const uint8_t *src = source;
    uint8_t *dst = destination;
    if (is_empty(c)) return;
    if (c->rank == 0) {
        memcpy(dst, src, (size_t)c->elem);
        return;
    }
    int pair = paired_axis(c), outer[LEAT_COPY_RANK], n_outer = 0;
    int64_t index[LEAT_COPY_RANK] = {0};
    for (int i = 0; i < c->rank - 1; i++)
        if (i != pair) outer[n_outer++] = i;
    for (;;) {
        inner(c, pair, src, dst);
        int k = n_outer - 1;
        for (; k >= 0; k--) { /* odometer: step the innermost outer axis, carry outwards */
            int axis = outer[k];
            src += c->src[axis], dst += c->dst[axis];
            if (++index[k] < c->dims[axis]) break;
            src -= c->dims[axis] * c->src[axis], dst -= c->dims[axis] * c->dst[axis];
            index[k] = 0;
        }
        if (k < 0) return;
    }
}

/* The outermost axis that gives every share something to do, else the longest one. */
static int split_axis(const leat_copy *c, int64_t parts) {
    int best = 0;
    for (int i = 0; i < c->rank; i++) {
        if (c->dims[i] >= 4 * parts) return i;
        if (c->dims[i] > c->dims[best]) best = i;
    }
    return best;
}

void leat__copy_part(const leat_copy *copy, const void *src, void *dst, int64_t part, int64_t parts) {
    if (copy->rank == 0) {
        if (part == 0) leat__copy_run(copy, src, dst);
        return;
    }
    leat_copy share = *copy;
    int axis = split_axis(copy, parts);
    /* whole cache lines and tiles to a share where the axis is long enough */
    int64_t n = copy->dims[axis], grain = n >= 64 * parts ? 64 : 1;
    int64_t lo = n / grain * part / parts * grain, hi = part + 1 == parts ? n : n / grain * (part + 1) / parts * grain;
    share.dims[axis] = hi - lo;
    leat__copy_run(&share, (const uint8_t *)src + lo * copy->src[axis], (uint8_t *)dst + lo * copy->dst[axis]);
}
