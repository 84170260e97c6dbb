/* gather.c - Gather, GatherElements and GatherND: copies picked by index tensors (int32 or int64, negative = from the end).
 *
 * Indices are data, so they are checked in run, all of them before the first byte is written; a bad one fails with its value.
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

static int bad_index(leat_op_call *call, int64_t value, int64_t dim) {
    return leat__op_fail(call, LEAT_EINVAL, "index %" PRId64 " is outside [-%" PRId64 ", %" PRId64 ")", value, dim, dim);
}

static int check_indices(leat_op_call *call, const leat_tensor *indices, int64_t dim) {
    int64_t n = leat_tensor_count(indices);
    for (int64_t i = 0; i < n; i++) {
        int64_t v = leat__move_index(indices, i);
        if (v < -dim || v >= dim) return bad_index(call, v, dim);
    }
    return LEAT_OK;
}

/* A small fixed-size copy where the size is common, so that embedding look-ups and scalar picks do not pay for memcpy calls. */
static inline __attribute__((always_inline)) void copy_chunk(uint8_t *dst, const uint8_t *src, int64_t bytes) {
    if (bytes == 4) memcpy(dst, src, 4);
    else if (bytes == 8) memcpy(dst, src, 8);
    else memcpy(dst, src, (size_t)bytes);
}

/* ---- Gather ----------------------------------------------------------------------------------------------------------- */

typedef struct gather_job {
    const leat_tensor *indices;
    const uint8_t     *src;
    uint8_t           *dst;
    int64_t            dim, picks, chunk, total, parts; /* chunk in bytes; total = outer * picks chunks */
} gather_job;

static int gather_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1];
    int64_t dims[2 * LEAT_MAX_RANK];
    int axis, rank = 0, status = leat__move_check_index(call, 1);
    if (!status) status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", 0), x->rank, &axis);
    if (status) return status;
    for (int a = 0; a < axis; a++) dims[rank++] = x->dims[a];
    for (int a = 0; a < indices->rank; a++) dims[rank++] = indices->dims[a];
    for (int a = axis + 1; a < x->rank; a++) dims[rank++] = x->dims[a];
    return leat__move_out(call, 0, x->dtype, rank, dims);
}

/* Picks [from, to) of one outer row.  Inlined with constant `chunk` and index type for the common cases. */
static inline __attribute__((always_inline)) void gather_row(const gather_job *job, const uint8_t *src, uint8_t *dst,
                                                             int64_t from, int64_t to,
                                                             int64_t chunk, int wide) {
    const int64_t *wide_index = job->indices->data;
    const int32_t *narrow_index = job->indices->data;
    for (int64_t i = from; i < to; i++, dst += chunk) {
        int64_t v = wide ? wide_index[i] : narrow_index[i];
        memcpy(dst, src + (v < 0 ? v + job->dim : v) * chunk, (size_t)chunk);
    }
}

static void gather_task(void *arg, int64_t index, int worker) {
    const gather_job *job = arg;
    int64_t lo = job->total * index / job->parts, hi = job->total * (index + 1) / job->parts, row_bytes = job->dim * job->chunk;
    int wide = job->indices->dtype == LEAT_DTYPE_I64;
    while (lo < hi) {
        int64_t outer = lo / job->picks, from = lo % job->picks, to = from + (hi - lo) < job->picks ? from + (hi - lo)
            : job->picks;
        const uint8_t *src = job->src + outer * row_bytes;
        uint8_t *dst = job->dst + lo * job->chunk;
        if (job->chunk == 4 && wide) gather_row(job, src, dst, from, to, 4, 1);
        else if (job->chunk == 8 && wide) gather_row(job, src, dst, from, to, 8, 1);
        else gather_row(job, src, dst, from, to, job->chunk, wide);
        lo += to - from;
    }
}

static int gather_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1], *y = call->out[0];
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 0), x->rank);
    gather_job job = {.indices = indices, .src = x->data, .dst = y->data, .dim = x->dims[axis],
        .picks = leat_tensor_count(indices)};
    int status = check_indices(call, indices, job.dim);
    if (status || leat_tensor_count(y) == 0) return status;
    job.chunk = leat__move_span(x->dims, axis + 1, x->rank) * (int64_t)leat_dtype_size(x->dtype);
    job.total = leat__move_span(x->dims, 0, axis) * job.picks;
    job.parts = leat__move_parts(call, job.total * job.chunk);
    if (job.parts == 1) gather_task(&job, 0, 0);
    else leat__tpool_for_n(call->pool, call->threads, job.parts, gather_task, &job);
    return LEAT_OK;
}

/* ---- GatherElements --------------------------------------------------------------------------------------------------- */

static int elements_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1];
    int axis, status = leat__move_check_index(call, 1);
    if (!status) status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", 0), x->rank, &axis);
    if (status) return status;
    if (indices->rank != x->rank)
        return leat__op_fail(call, LEAT_ESHAPE, "indices have rank %d, data %d", indices->rank, x->rank);
    for (int a = 0; a < x->rank; a++)
        if (a != axis && indices->dims[a] > x->dims[a])
            return leat__op_fail(call, LEAT_ESHAPE, "indices have %" PRId64 " on axis %d, data only %" PRId64, indices->dims[a],
                                 a, x->dims[a]);
    return leat__move_out(call, 0, x->dtype, x->rank, indices->dims);
}

/* Rows along the innermost axis; `base` is the data offset of the row with the gathered axis at 0. */
static int elements_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1];
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 0), x->rank), last = x->rank - 1;
    int64_t strides[LEAT_MAX_RANK], at[LEAT_MAX_RANK] = {0}, n = leat_tensor_count(indices),
        elem = (int64_t)leat_dtype_size(x->dtype);
    int64_t dim = x->dims[axis], base = 0;
    const uint8_t *src = x->data;
    uint8_t *dst = call->out[0]->data;
    int status = check_indices(call, indices, dim);
    if (status) return status;
    leat__strides(x->dims, x->rank, strides);
    for (int64_t i = 0; i < n;) {
        for (int64_t k = 0; k < indices->dims[last]; k++, i++) {
            int64_t v = leat__move_index(indices, i);
            if (v < 0) v += dim;
            copy_chunk(dst + i * elem, src + (base + v * strides[axis] + (axis == last ? 0 : k)) * elem, elem);
        }
        for (int a = last - 1; a >= 0; a--) {
            int64_t step = a == axis ? 0 : strides[a];
            base += step;
            if (++at[a] < indices->dims[a]) break;
            base -= step * indices->dims[a];
            at[a] = 0;
        }
    }
    return LEAT_OK;
}

/* ---- GatherND --------------------------------------------------------------------------------------------------------- */

static int nd_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1];
    int64_t batch = leat__attr_int(call->attrs, "batch_dims", 0), dims[2 * LEAT_MAX_RANK];
    int rank = 0, status = leat__move_check_index(call, 1);
    if (status) return status;
    if (x->rank < 1 || indices->rank < 1) return leat__op_fail(call, LEAT_ESHAPE, "data and indices need rank 1 or more");
    if (batch < 0 || batch >= x->rank || batch >= indices->rank)
        return leat__op_fail(call, LEAT_ESHAPE, "batch_dims is %" PRId64, batch);
    int64_t depth = indices->dims[indices->rank - 1];
    if (depth < 1 || depth > x->rank - batch)
        return leat__op_fail(call, LEAT_ESHAPE, "index tuples of %" PRId64 " do not fit data of rank %d", depth, x->rank);
    for (int a = 0; a < batch; a++)
        if (x->dims[a] != indices->dims[a])
            return leat__op_fail(call, LEAT_ESHAPE, "data and indices differ on batch axis %d", a);
    for (int a = 0; a < indices->rank - 1; a++) dims[rank++] = indices->dims[a];
    for (int a = (int)(batch + depth); a < x->rank; a++) dims[rank++] = x->dims[a];
    return leat__move_out(call, 0, x->dtype, rank, dims);
}

/* Chunk number of tuple `t` inside its batch, or -1 with the error set. */
static int64_t tuple_offset(leat_op_call *call, const leat_tensor *indices, int64_t t, int depth, const int64_t *dims,
                            int *status) {
    int64_t offset = 0;
    for (int k = 0; k < depth; k++) {
        int64_t v = leat__move_index(indices, t * depth + k);
        if (v < -dims[k] || v >= dims[k]) {
            *status = bad_index(call, v, dims[k]);
            return -1;
        }
        offset = offset * dims[k] + (v < 0 ? v + dims[k] : v);
    }
    return offset;
}

static int nd_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1];
    int batch = (int)leat__attr_int(call->attrs, "batch_dims", 0), depth = (int)indices->dims[indices->rank - 1],
        status = LEAT_OK;
    int64_t chunk = leat__move_span(x->dims, batch + depth, x->rank) * (int64_t)leat_dtype_size(x->dtype);
    int64_t batches = leat__move_span(indices->dims, 0, batch), tuples = leat__move_span(indices->dims, batch, indices->rank - 1);
    int64_t batch_bytes = leat__move_span(x->dims, batch, x->rank) * (int64_t)leat_dtype_size(x->dtype);
    const uint8_t *src = x->data;
    uint8_t *dst = call->out[0]->data;
    for (int64_t b = 0; b < batches; b++)
        for (int64_t t = 0; t < tuples; t++, dst += chunk) {
            int64_t offset = tuple_offset(call, indices, b * tuples + t, depth, x->dims + batch, &status);
            if (offset < 0) return status;
            copy_chunk(dst, src + b * batch_bytes + offset * chunk, chunk);
        }
    return LEAT_OK;
}

const leat_op leat__ops_gather[] = {
    {"", "Gather", 1, 0, 2, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, gather_infer, NULL, gather_run},
    {"", "GatherElements", 11, 0, 2, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, elements_infer, NULL, elements_run},
    {"", "GatherND", 11, 0, 2, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, nd_infer, NULL, nd_run},
    {0}};
