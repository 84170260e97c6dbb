/* nn_util.c - parallel loops and the [N, C, D, H, W] view of spatial tensors. */
#include "ops/nn_util.h"

#include <stdio.h>

#define PARALLEL_MIN_COST 16384 /* elements: about 5 us of work, the price of waking a parked thread */

void leat__op_for(const leat_op_call *call, int64_t n, int64_t cost, leat_task_fn fn, void *arg) {
    if (n <= 0) return;
    if (n == 1 || call->threads == 1 || !call->pool || (cost < PARALLEL_MIN_COST && n * cost < PARALLEL_MIN_COST)) {
        for (int64_t i = 0; i < n; i++) fn(arg, i, 0);
        return;
    }
    leat__tpool_for_n(call->pool, call->threads, n, fn, arg);
}

leat_planes leat__planes(const leat_tensor *t) {
    leat_planes p = {.n = t->dims[0], .c = t->dims[1], .d = {1, 1, 1}, .size = 1};
    int k = t->rank - 2;
    for (int i = 0; i < k; i++) {
        p.d[LEAT_SPATIAL_MAX - k + i] = t->dims[2 + i];
        p.size *= t->dims[2 + i];
    }
    int nhwc = leat__is_nhwc(t);
    p.n_stride = p.c * p.size;
    p.c_stride = nhwc ? 1 : p.size;
    p.p_stride = nhwc ? p.c : 1;
    return p;
}

void leat__op_name_kernel(leat_op_call *call, const char *base, leat_isa isa) {
    enum { NAME_MAX_BYTES = 48 };
    char *name = call->services->state(call, NAME_MAX_BYTES);
    call->kernel = base;
    if (!name) return;
    snprintf(name, NAME_MAX_BYTES, "%s_%s", base, leat_isa_name(isa));
    call->kernel = name;
}

int leat__op_expect(leat_op_call *call, int i, leat_dtype dtype) {
    const leat_tensor *t = leat__op_in(call, i);
    if (!t) return leat__op_fail(call, LEAT_EINVAL, "input %d is missing", i);
    if (t->dtype == dtype) return LEAT_OK;
    return leat__op_fail(call, LEAT_ETYPE, "input %d is %s, expected %s", i, leat_dtype_name(t->dtype), leat_dtype_name(dtype));
}
