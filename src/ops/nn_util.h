/* nn_util.h - what the spatial and quantised operators share: parallel loops over rows, and tensors seen as [N, C, D, H, W]. */
#ifndef LEAT_OPS_NN_UTIL_H
#define LEAT_OPS_NN_UTIL_H

#include "ops/op.h"

#define LEAT_SPATIAL_MAX 3

/* Runs fn for every index in [0, n) on the call's threads; `cost` is the work of one index in elements touched, roughly: small
 * loops stay on the calling thread, because waking another costs more than they do. */
void leat__op_for(const leat_op_call *call, int64_t n, int64_t cost, leat_task_fn fn, void *arg);

/* A rank 3..5 tensor as batch, channels and three spatial axes (missing leading ones are 1), with element strides of its storage. */
typedef struct leat_planes {
    int64_t n, c, d[LEAT_SPATIAL_MAX];
    int64_t size;                          /* d[0] * d[1] * d[2] */
    int64_t n_stride, c_stride, p_stride;  /* p: from one spatial position to the next */
} leat_planes;

/* rank in [3, 5] must hold. */
leat_planes leat__planes(const leat_tensor *t);

static inline int64_t leat__min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t leat__max64(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t leat__ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Copies the layout of input 0 to output 0: the last step of the infer of a LEAT_OP_NHWC operator. */
static inline void leat__op_same_layout(leat_op_call *call) {
    if (leat__op_out(call, 0)) call->out[0]->flags = call->in[0]->flags & LEAT_TENSOR_NHWC;
}

/* Sets call->kernel to "base_isa" (or base alone when out of memory); prepare only. */
void leat__op_name_kernel(leat_op_call *call, const char *base, leat_isa isa);

/* Fails unless input i exists and has dtype `dtype`. */
int leat__op_expect(leat_op_call *call, int i, leat_dtype dtype);

#endif
