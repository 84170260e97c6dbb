/* move.c - shared parts of the data-movement operators, see move.h. */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

#define PART_BYTES (96 << 10) /* below this a thread costs more than it copies */

int leat__move_out(leat_op_call *call, int i, leat_dtype dtype, int rank, const int64_t *dims) {
    static const int64_t none[1] = {0}; /* rank 0 may come with NULL */
    leat_tensor *out = leat__op_out(call, i);
    int64_t count = 1;
    if (rank > LEAT_MAX_RANK)
        return leat__op_fail(call, LEAT_ELIMIT, "output has rank %d, at most %d are supported", rank, LEAT_MAX_RANK);
    for (int k = 0; k < rank; k++) { /* dims of 0 do not excuse the others: strides are made of them */
        if (dims[k] < 0) return leat__op_fail(call, LEAT_ESHAPE, "output dimension %d is %" PRId64, k, dims[k]);
        if (dims[k] && (__builtin_mul_overflow(count, dims[k], &count) || count > INT64_MAX / 64))
            return leat__op_fail(call, LEAT_ELIMIT, "output is too large");
    }
    if (out) leat__tensor_set(out, dtype, rank, rank ? dims : none);
    return LEAT_OK;
}

int leat__move_values(leat_op_call *call, int i, int64_t *values, int max, int *n) {
    const leat_tensor *t = leat__op_in(call, i);
    *n = -1;
    if (!t) return LEAT_OK;
    if (!leat__dtype_is_int(t->dtype)) return leat__op_fail(call, LEAT_ETYPE, "input %d must hold integers", i);
    if (t->rank > 1) return leat__op_fail(call, LEAT_ESHAPE, "input %d must have rank 0 or 1, has %d", i, t->rank);
    int64_t count = leat_tensor_count(t);
    if (count < 0 || count > max)
        return leat__op_fail(call, LEAT_ELIMIT, "input %d has %" PRId64 " values, at most %d make sense", i, count, max);
    if (count > 0 && !t->data) return LEAT_EDYNAMIC;
    for (int64_t k = 0; k < count; k++) values[k] = leat__tensor_get_int(t, k);
    *n = (int)count;
    return LEAT_OK;
}

int leat__move_values_or_attr(leat_op_call *call, int i, const char *name, int64_t *values, int max, int *n) {
    if (leat__op_in(call, i)) return leat__move_values(call, i, values, max, n);
    int count = 0;
    const int64_t *ints = leat__attr_ints(call->attrs, name, &count);
    *n = ints || leat__attr(call->attrs, name) ? count : -1;
    if (count > max)
        return leat__op_fail(call, LEAT_ELIMIT, "attribute %s has %d values, at most %d make sense", name, count, max);
    for (int k = 0; k < count; k++) values[k] = ints[k];
    return LEAT_OK;
}

int leat__move_axis(leat_op_call *call, int64_t axis, int rank, int *out) {
    *out = leat__norm_axis(axis, rank);
    if (*out < 0) return leat__op_fail(call, LEAT_ESHAPE, "axis %" PRId64 " is outside rank %d", axis, rank);
    return LEAT_OK;
}

int leat__move_axes(leat_op_call *call, int64_t *axes, int n, int rank, uint32_t *mask) {
    *mask = 0;
    for (int i = 0; i < n; i++) {
        int axis, status = leat__move_axis(call, axes[i], rank, &axis);
        if (status) return status;
        if (*mask & 1u << axis) return leat__op_fail(call, LEAT_ESHAPE, "axis %" PRId64 " is named twice", axes[i]);
        *mask |= 1u << axis;
        axes[i] = axis;
    }
    return LEAT_OK;
}

/* ---- storage ---------------------------------------------------------------------------------------------------------- */

void leat__move_order(const leat_tensor *t, int order[LEAT_MAX_RANK]) {
    for (int a = 0; a < t->rank; a++) order[leat__physical_axis(t, a)] = a;
}

void leat__move_strides(const leat_tensor *t, int64_t strides[LEAT_MAX_RANK]) {
    int64_t dims[LEAT_MAX_RANK], physical[LEAT_MAX_RANK];
    leat__tensor_physical(t, dims);
    leat__strides(dims, t->rank, physical);
    int64_t elem = (int64_t)leat_dtype_size(t->dtype);
    for (int a = 0; a < t->rank; a++) strides[a] = physical[leat__physical_axis(t, a)] * elem;
}

/* ---- threaded copies -------------------------------------------------------------------------------------------------- */

typedef struct copy_job {
    const leat_copy *copy;
    const void      *src;
    void            *dst;
    int64_t          parts;
} copy_job;

static void copy_task(void *arg, int64_t index, int worker) {
    const copy_job *job = arg;
    leat__copy_part(job->copy, job->src, job->dst, index, job->parts);
}

int64_t leat__move_parts(const leat_op_call *call, int64_t bytes) {
    int64_t parts = bytes / PART_BYTES, threads = call->threads;
    if (!call->pool || threads <= 1 || parts <= 1) return 1;
    return parts < threads ? parts : threads;
}

void leat__move_run(leat_op_call *call, leat_copy *copy, const void *src, void *dst) {
    leat__copy_fold(copy);
    copy_job job = {copy, src, dst, leat__move_parts(call, leat__copy_bytes(copy))};
    if (job.parts == 1) leat__copy_run(copy, src, dst);
    else leat__tpool_for_n(call->pool, call->threads, job.parts, copy_task, &job);
}

void leat__move_bytes(leat_op_call *call, void *dst, const void *src, size_t bytes) {
    if (dst == src || bytes == 0) return;
    leat_copy copy = {.elem = 1};
    leat__copy_axis(&copy, (int64_t)bytes, 1, 1);
    leat__move_run(call, &copy, src, dst);
}

int leat__move_view_run(leat_op_call *call) {
    if (call->out[0]) leat__move_bytes(call, call->out[0]->data, call->in[0]->data, leat_tensor_bytes(call->in[0]));
    return LEAT_OK;
}

int leat__move_check_index(leat_op_call *call, int i) {
    leat_dtype dtype = call->in[i]->dtype;
    if (dtype == LEAT_DTYPE_I64 || dtype == LEAT_DTYPE_I32) return LEAT_OK;
    return leat__op_fail(call, LEAT_ETYPE, "input %d (indices) must be int32 or int64, is %s", i, leat_dtype_name(dtype));
}
