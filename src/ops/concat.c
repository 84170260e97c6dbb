/* concat.c - Concat and Split along one axis, on plain and channels-last storage.
 *
 * Seen from the axis a tensor is [outer, len * inner] rows; the big tensor's row is the parts' rows side by side.  Threads share
 * the rows where there are enough of them, else the bytes of each part.
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

/* Number of rows, and bytes of one step along logical axis `axis`. */
static void axis_view(const leat_tensor *t, int axis, int64_t *rows, int64_t *step) {
    int64_t dims[LEAT_MAX_RANK];
    int at = leat__physical_axis(t, axis);
    leat__tensor_physical(t, dims);
    *rows = leat__move_span(dims, 0, at);
    *step = leat__move_span(dims, at + 1, t->rank) * (int64_t)leat_dtype_size(t->dtype);
}

/* ---- the shared mover ------------------------------------------------------------------------------------------------- */

typedef struct rows_job {
    leat_tensor *const *parts;  /* inputs of Concat, outputs of Split; NULL entries are skipped, their length is in `len` */
    const int64_t      *len;    /* Split: lengths along the axis; Concat: NULL, taken from the parts */
    uint8_t            *whole;
    int                 n, axis, gather; /* gather: parts -> whole */
    int64_t             rows, step, row_bytes, shares;
} rows_job;

static void move_rows(const rows_job *job, int64_t lo, int64_t hi) {
    int64_t offset = 0;
    for (int i = 0; i < job->n; i++) {
        int64_t bytes = (job->len ? job->len[i] : job->parts[i]->dims[job->axis]) * job->step;
        uint8_t *whole = job->whole + lo * job->row_bytes + offset;
        offset += bytes;
        if (!job->parts[i] || bytes == 0) continue;
        uint8_t *part = (uint8_t *)job->parts[i]->data + lo * bytes;
        leat_copy copy = {.elem = 1};
        leat__copy_axis(&copy, hi - lo, job->gather ? bytes : job->row_bytes, job->gather ? job->row_bytes : bytes);
        leat__copy_axis(&copy, bytes, 1, 1);
        leat__copy_fold(&copy);
        leat__copy_run(&copy, job->gather ? part : whole, job->gather ? whole : part);
    }
}

/* In blocks of rows, so that the parts' pieces of one region are written while it is in cache. */
static void rows_task(void *arg, int64_t index, int worker) {
    const rows_job *job = arg;
    int64_t lo = job->rows * index / job->shares, hi = job->rows * (index + 1) / job->shares;
    int64_t block = (64 << 10) / (job->row_bytes ? job->row_bytes : 1);
    if (block < 1) block = 1;
    for (; lo < hi; lo += block) move_rows(job, lo, lo + block < hi ? lo + block : hi);
}

static void move_job(leat_op_call *call, rows_job *job) {
    int64_t parts = leat__move_parts(call, job->rows * job->row_bytes);
    job->shares = parts;
    if (parts > 1 && job->rows >= parts) {
        leat__tpool_for_n(call->pool, call->threads, parts, rows_task, job);
        return;
    }
    job->shares = 1;
    if (parts == 1 || job->rows != 1) {
        rows_task(job, 0, 0);
        return;
    }
    int64_t offset = 0; /* one row: each part is one run of bytes */
    for (int i = 0; i < job->n; i++) {
        int64_t bytes = (job->len ? job->len[i] : job->parts[i]->dims[job->axis]) * job->step;
        uint8_t *whole = job->whole + offset;
        offset += bytes;
        if (job->parts[i])
            leat__move_bytes(call, job->gather ? whole : job->parts[i]->data, job->gather ? job->parts[i]->data : whole,
                             (size_t)bytes);
    }
}

/* ---- Concat ----------------------------------------------------------------------------------------------------------- */

static int concat_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t dims[LEAT_MAX_RANK];
    int axis, status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", 1), x->rank, &axis);
    if (status) return status;
    memcpy(dims, x->dims, sizeof dims);
    for (int i = 1; i < call->n_in; i++) {
        const leat_tensor *t = call->in[i];
        if (!t) return leat__op_fail(call, LEAT_EFORMAT, "input %d is absent", i);
        if (t->dtype != x->dtype)
            return leat__op_fail(call, LEAT_ETYPE, "input %d is %s, input 0 is %s", i, leat_dtype_name(t->dtype),
                                 leat_dtype_name(x->dtype));
        if (leat__is_nhwc(t) != leat__is_nhwc(x))
            return leat__op_fail(call, LEAT_EINTERNAL, "input %d has another storage layout than input 0", i);
        int same = t->rank == x->rank;
        for (int a = 0; same && a < x->rank; a++) same = a == axis || t->dims[a] == dims[a];
        if (!same) {
            char one[96], two[96];
            return leat__op_fail(call, LEAT_ESHAPE, "input %d is %s, does not fit %s on axis %d", i,
                                 leat__tensor_text(t, one, sizeof one), leat__tensor_text(x, two, sizeof two), axis);
        }
        if (__builtin_add_overflow(dims[axis], t->dims[axis], &dims[axis]))
            return leat__op_fail(call, LEAT_ELIMIT, "output is too large");
    }
    status = leat__move_out(call, 0, x->dtype, x->rank, dims);
    if (status == LEAT_OK && call->out[0]) call->out[0]->flags = x->flags & LEAT_TENSOR_NHWC;
    return status;
}

static int concat_run(leat_op_call *call) {
    const leat_tensor *y = call->out[0];
    rows_job job = {.parts = call->in, .whole = y->data, .n = call->n_in, .gather = 1};
    job.axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 1), y->rank);
    axis_view(y, job.axis, &job.rows, &job.step);
    job.row_bytes = y->dims[job.axis] * job.step;
    move_job(call, &job);
    return LEAT_OK;
}

/* ---- Split ------------------------------------------------------------------------------------------------------------ */

#define SPLIT_MAX 1024 /* outputs of one Split */

/* Sizes along the axis: given (input or attribute), else equal; from opset 18 the last equal part may be smaller. */
static int split_sizes(leat_op_call *call, int64_t dim, int64_t *sizes) {
    int n, count = call->n_out, status;
    if (count > SPLIT_MAX) return leat__op_fail(call, LEAT_ELIMIT, "has %d outputs, at most %d are supported", count, SPLIT_MAX);
    status = leat__move_values_or_attr(call, 1, "split", sizes, SPLIT_MAX, &n);
    if (status) return status;
    if (n < 0) {
        int64_t declared = leat__attr_int(call->attrs, "num_outputs", count), chunk = (dim + count - 1) / count;
        if (declared != count)
            return leat__op_fail(call, LEAT_EFORMAT, "num_outputs is %" PRId64 " but the node has %d outputs", declared, count);
        if (call->opset < 18 && dim % count)
            return leat__op_fail(call, LEAT_ESHAPE, "dimension %" PRId64 " does not split into %d equal parts", dim, count);
        for (int i = 0; i < count; i++) {
            int64_t left = dim - (int64_t)i * chunk;
            sizes[i] = left < 0 ? 0 : left < chunk ? left : chunk;
        }
        return LEAT_OK;
    }
    int64_t sum = 0;
    if (n != count) return leat__op_fail(call, LEAT_ESHAPE, "split has %d sizes but the node has %d outputs", n, count);
    for (int i = 0; i < n; i++)
        if (sizes[i] < 0 || __builtin_add_overflow(sum, sizes[i], &sum))
            return leat__op_fail(call, LEAT_ESHAPE, "split[%d] is %" PRId64, i, sizes[i]);
    if (sum != dim)
        return leat__op_fail(call, LEAT_ESHAPE, "split sizes sum to %" PRId64 ", the dimension is %" PRId64, sum, dim);
    return LEAT_OK;
}

static int split_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t dims[LEAT_MAX_RANK], sizes[SPLIT_MAX];
    int axis, status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", 0), x->rank, &axis);
    if (!status) status = split_sizes(call, x->dims[axis], sizes);
    memcpy(dims, x->dims, sizeof dims);
    for (int i = 0; !status && i < call->n_out; i++) {
        dims[axis] = sizes[i];
        status = leat__move_out(call, i, x->dtype, x->rank, dims);
        if (!status && call->out[i]) call->out[i]->flags = x->flags & LEAT_TENSOR_NHWC;
    }
    return status;
}

static int split_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t sizes[SPLIT_MAX];
    rows_job job = {.parts = call->out, .len = sizes, .whole = x->data, .n = call->n_out};
    job.axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 0), x->rank);
    int status = split_sizes(call, x->dims[job.axis], sizes);
    if (status) return status;
    for (int i = 0; i < job.n; i++)
        if (call->out[i] && call->out[i]->dims[job.axis] != sizes[i])
            return leat__op_fail(call, LEAT_EINTERNAL, "split sizes changed after planning");
    axis_view(x, job.axis, &job.rows, &job.step);
    job.row_bytes = x->dims[job.axis] * job.step;
    move_job(call, &job);
    return LEAT_OK;
}

const leat_op leat__ops_concat[] = {
    {"", "Concat", 1, 0, 1, -1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 0, concat_infer, NULL, concat_run},
    {"", "Split", 1, 0, 1, 2, 1, -1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 2, split_infer, NULL, split_run},
    {0}};
