/* move.h - what the data-movement operators share: checked output shapes, values of small integer inputs, axes, threaded copies.
 *
 * These operators move bytes by element size, whatever the type.  Shapes are validated in infer; run derives everything again
 * from the inputs (that costs nanoseconds) and so keeps no state.
 */
#ifndef LEAT_OPS_MOVE_H
#define LEAT_OPS_MOVE_H

#include "cpu/copy_nd.h"
#include "ops/op.h"

/* Flags of a row that only moves bytes. */
#define MOVE_ANY_TYPE LEAT_OP_F16

/* Sets out[i] after checking rank, signs and product of dims [rank], zeros left out; absent output: LEAT_OK.  `rank` may exceed
 * LEAT_MAX_RANK (fails). */
int leat__move_out(leat_op_call *call, int i, leat_dtype dtype, int rank, const int64_t *dims);

/* Integers of input `i` into values [max], their number into *n (-1 when the input is absent).  LEAT_EDYNAMIC while data is NULL,
 * LEAT_ETYPE when it is not an integer tensor, LEAT_ESHAPE when rank > 1, LEAT_ELIMIT when there are more than max. */
int leat__move_values(leat_op_call *call, int i, int64_t *values, int max, int *n);
/* The same from input `i` or, when the node has no such input, from the INTS attribute `name`. */
int leat__move_values_or_attr(leat_op_call *call, int i, const char *name, int64_t *values, int max, int *n);

/* Normalises axis against rank; fails with the operator's name and the value. */
int leat__move_axis(leat_op_call *call, int64_t axis, int rank, int *out);
/* Normalises axes [n] in place; duplicates fail.  *mask: bit a for each axis. */
int leat__move_axes(leat_op_call *call, int64_t *axes, int n, int rank, uint32_t *mask);

/* Strides in bytes of the LOGICAL axes of t in its storage (plain or NHWC) and the order of the axes in memory. */
void leat__move_strides(const leat_tensor *t, int64_t strides[LEAT_MAX_RANK]);
void leat__move_order(const leat_tensor *t, int order[LEAT_MAX_RANK]);

/* Folds `copy` and runs it on as many threads as its size deserves. */
void leat__move_run(leat_op_call *call, leat_copy *copy, const void *src, void *dst);
/* memcpy on threads; nothing when the pointers are equal. */
void leat__move_bytes(leat_op_call *call, void *dst, const void *src, size_t bytes);
/* Number of shares worth making of a job that moves `bytes`. */
int64_t leat__move_parts(const leat_op_call *call, int64_t bytes);

/* run of a VIEW operator. */
int leat__move_view_run(leat_op_call *call);

/* Element i of an index tensor (int32 or int64). */
static inline int64_t leat__move_index(const leat_tensor *t, int64_t i) {
    return t->dtype == LEAT_DTYPE_I64 ? ((const int64_t *)t->data)[i] : ((const int32_t *)t->data)[i];
}
/* LEAT_ETYPE unless input `i` is int32 or int64. */
int leat__move_check_index(leat_op_call *call, int i);
/* Product of dims [from, to); 0 on overflow, which a checked tensor has only beside a dimension of 0. */
static inline int64_t leat__move_span(const int64_t *dims, int from, int to) {
    int64_t n = 1;
    for (int i = from; i < to; i++)
        if (__builtin_mul_overflow(n, dims[i], &n)) return 0;
    return n;
}

#endif
