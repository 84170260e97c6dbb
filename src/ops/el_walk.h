/* el_walk.h - walking the elements of several broadcast tensors in the memory order of the output, in parallel pieces.
 *
 * Every operand gets its strides from its own layout, so plain and channels-last operands may be mixed.  Axes that are contiguous in
 * all operands are merged: same-shape operands become one axis, a per-channel operand becomes a short inner or outer axis.
 * Pieces are cut by size only, so results do not depend on the number of threads.
 */
#ifndef LEAT_OPS_EL_WALK_H
#define LEAT_OPS_EL_WALK_H

#include "ops/op.h"

enum { LEAT_EL_OPERANDS = 3, LEAT_EL_PIECE = 16384 };

typedef struct leat_el_walk {
    int     rank;                                        /* merged axes, >= 1 */
    int     n;                                           /* operands */
    int64_t dims[LEAT_MAX_RANK];
    int64_t stride[LEAT_EL_OPERANDS][LEAT_MAX_RANK];     /* elements; 0 on broadcast axes */
} leat_el_walk;

/* Operands [n] must broadcast to `out`, as infer has checked. */
void leat__el_walk(leat_el_walk *walk, const leat_tensor *out, const leat_tensor *const *operands, int n);

/* n elements of the inner axis: operand i starts at element at[i] and steps by walk->stride[i][rank-1]; the output at element `to`. */
typedef void (*leat_el_fn)(const void *arg, const leat_el_walk *walk, const int64_t *at, int64_t to, int64_t n);
void leat__el_run(leat_op_call *call, const leat_el_walk *walk, leat_el_fn fn, const void *arg);

/* Calls fn(arg, from, n) for pieces of [0, total), in parallel when it pays. */
typedef void (*leat_el_span_fn)(const void *arg, int64_t from, int64_t n);
void leat__el_spans(leat_op_call *call, int64_t total, leat_el_span_fn fn, const void *arg);

/* Calls fn(arg, index) for [0, n) tasks of about `cost` elements each: grouped into pieces, in parallel when it pays. */
void leat__el_rows(leat_op_call *call, int64_t n, int64_t cost, leat_el_span_fn fn, const void *arg);

/* Strides in elements of the logical axes of a tensor as it is stored. */
void leat__logical_strides(const leat_tensor *t, int64_t strides[LEAT_MAX_RANK]);

/* Infers out[0] as the broadcast of `n` tensors with `dtype`; channels-last if a full-rank one is. */
int leat__el_infer(leat_op_call *call, const leat_tensor *const *operands, int n, leat_dtype dtype);

/* prepare of operators that need nothing but a kernel's name for the tables: the vector math's when in[0] is float32. */
int leat__el_prepare(leat_op_call *call);

/* Before opset 7 B was laid against A at attribute `axis`: *view = B with axes of 1 appended.  Later opsets: a plain copy. */
int leat__el_legacy(leat_op_call *call, const leat_tensor *a, const leat_tensor *b, leat_tensor *view);

#endif
