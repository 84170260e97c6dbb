/* arg_reduce.c - ArgMax and ArgMin: the first (or last) index of the extreme value along one axis. */
#include <string.h>

#include "ops/el_walk.h"
#include "ops/reduce_shape.h"

typedef struct arg_job {
    leat_reduce_shape  s;
    const leat_tensor *in;
    int64_t           *out;
    int                min, last;
    int64_t            n, stride; /* along the axis */
} arg_job;

static int arg_infer(leat_op_call *call) {
    const leat_tensor *in = call->in[0];
    int64_t dims[LEAT_MAX_RANK], attr = leat__attr_int(call->attrs, "axis", 0);
    int axis = leat__norm_axis(attr, in->rank), keep = leat__attr_int(call->attrs, "keepdims", 1) != 0, rank = 0;
    if (axis < 0) return leat__op_fail(call, LEAT_EINVAL, "axis %lld is outside a tensor of rank %d", (long long)attr, in->rank);
    if (!leat__dtype_is_int(in->dtype) && in->dtype != LEAT_DTYPE_F32 && in->dtype != LEAT_DTYPE_F64)
        return leat__op_fail(call, LEAT_ETYPE, "input has element type %s, which the operator does not take", leat_dtype_name(in->dtype));
    if (in->dims[axis] == 0 && leat_tensor_count(in) == 0) {
        int64_t others = 1;
        for (int i = 0; i < in->rank; i++) others *= i == axis ? 1 : in->dims[i];
        if (others) return leat__op_fail(call, LEAT_ESHAPE, "axis %d has no elements to choose from", axis);
    }
    for (int i = 0; i < in->rank; i++)
        if (i != axis) dims[rank++] = in->dims[i];
        else if (keep) dims[rank++] = 1;
    leat__tensor_set(call->out[0], LEAT_DTYPE_I64, rank, dims);
    if (keep && leat__is_nhwc(in)) call->out[0]->flags |= LEAT_TENSOR_NHWC;
    return LEAT_OK;
}

#define ARG_LOOP(T, get)                                                            \
    do {                                                                            \
        T best_value = get(base);                                                   \
        for (int64_t i = 1; i < job->n; i++) {                                      \
            T v = get(base + i * job->stride);                                      \
            if (job->min ? v < best_value : v > best_value) best_value = v, best = i; \
            else if (job->last && v == best_value) best = i;                        \
        }                                                                           \
    } while (0)
#define GET_F32(at) ((const float *)job->in->data)[at]
#define GET_FLOAT(at) leat__tensor_get_float(job->in, at)
#define GET_INT(at) leat__tensor_get_int(job->in, at)
#define GET_U64(at) ((const uint64_t *)job->in->data)[at]

static void arg_span(const void *arg, int64_t from, int64_t count) {
    const arg_job *job = arg;
    for (int64_t o = from; o < from + count; o++) {
        int64_t to, base = leat__reduce_offset(&job->s, 0, job->s.n, o, &to), best = 0;
        if (job->in->dtype == LEAT_DTYPE_F32) ARG_LOOP(float, GET_F32);
        else if (job->in->dtype == LEAT_DTYPE_F64) ARG_LOOP(double, GET_FLOAT);
        else if (job->in->dtype == LEAT_DTYPE_U64) ARG_LOOP(uint64_t, GET_U64);
        else ARG_LOOP(int64_t, GET_INT);
        job->out[to] = best;
    }
}

static int arg_run(leat_op_call *call) {
    arg_job job = {.in = call->in[0], .out = call->out[0]->data, .min = strcmp(call->op->name, "ArgMin") == 0};
    int64_t strides[LEAT_MAX_RANK];
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 0), job.in->rank);
    job.last = leat__attr_int(call->attrs, "select_last_index", 0) != 0;
    job.n = job.in->dims[axis];
    leat__logical_strides(job.in, strides);
    job.stride = strides[axis];
    leat__reduce_shape(job.in, call->out[0], 1u << axis, &job.s);
    if (job.s.outputs > 0) leat__el_rows(call, job.s.outputs, job.n, arg_span, &job);
    return LEAT_OK;
}

const leat_op leat__ops_arg_reduce[] = {
    {"", "ArgMax", 1, 0, 1, 1, 1, 1, 0, LEAT_OP_AXIS, 0, arg_infer, NULL, arg_run},
    {"", "ArgMin", 1, 0, 1, 1, 1, 1, 0, LEAT_OP_AXIS, 0, arg_infer, NULL, arg_run},
    {0}};
