/* el_walk.c - the broadcast walk of the element-wise operators and their common infer. */
#include "ops/el_walk.h"

#include <string.h>

#include "cpu/cpu.h"

void leat__logical_strides(const leat_tensor *t, int64_t strides[LEAT_MAX_RANK]) {
    if (!leat__is_nhwc(t) || t->rank < 3) {
        leat__strides(t->dims, t->rank, strides);
        return;
    }
    int64_t step = t->dims[1];
    strides[1] = 1;
    for (int i = t->rank - 1; i >= 2; i--) {
        strides[i] = step;
        step *= t->dims[i];
    }
    strides[0] = step;
}

/* Strides of operand t for the logical axes of an output of `rank`. */
static void operand_strides(const leat_tensor *t, int rank, int64_t out[LEAT_MAX_RANK]) {
    int64_t own[LEAT_MAX_RANK];
    int lead = rank - t->rank;
    leat__logical_strides(t, own);
    for (int i = 0; i < rank; i++) out[i] = i < lead || t->dims[i - lead] == 1 ? 0 : own[i - lead];
}

/* Logical axis that is the i-th in memory order. */
static int axis_at(const leat_tensor *out, int i) {
    if (!leat__is_nhwc(out) || out->rank < 3 || i == 0) return i;
    return i == out->rank - 1 ? 1 : i + 1;
}

static int merges(const leat_el_walk *w, int64_t strides[][LEAT_MAX_RANK], int axis, int64_t dim) {
    for (int o = 0; o < w->n; o++)
        if (w->stride[o][w->rank - 1] != strides[o][axis] * dim) return 0;
    return 1;
}

void leat__el_walk(leat_el_walk *w, const leat_tensor *out, const leat_tensor *const *operands, int n) {
    int64_t strides[LEAT_EL_OPERANDS][LEAT_MAX_RANK];
    w->rank = 0;
    w->n = n;
    for (int o = 0; o < n; o++) operand_strides(operands[o], out->rank, strides[o]);
    for (int i = 0; i < out->rank; i++) {
        int axis = axis_at(out, i);
        int64_t dim = out->dims[axis];
        if (dim == 1) continue;
        if (w->rank && merges(w, strides, axis, dim)) w->dims[w->rank - 1] *= dim;
        else w->dims[w->rank++] = dim;
        for (int o = 0; o < n; o++) w->stride[o][w->rank - 1] = strides[o][axis];
    }
    if (w->rank) return;
    w->rank = 1;
    w->dims[0] = leat_tensor_count(out);
    for (int o = 0; o < n; o++) w->stride[o][0] = 0;
}

/* ---- running -------------------------------------------------------------------------------------------------------- */

typedef struct walk_job {
    const leat_el_walk *walk;
    leat_el_fn          fn;
    const void         *arg;
    int64_t             rows, row_step, piece; /* rows in all and per task; elements of a row per task */
    int64_t             pieces;                /* tasks of one row; 1 when row_step > 1 */
} walk_job;

static void seek(const leat_el_walk *w, int64_t row, int64_t index[LEAT_MAX_RANK], int64_t at[LEAT_EL_OPERANDS]) {
    memset(at, 0, LEAT_EL_OPERANDS * sizeof *at);
    for (int i = w->rank - 2; i >= 0; i--) {
        index[i] = row % w->dims[i];
        row /= w->dims[i];
        for (int o = 0; o < w->n; o++) at[o] += index[i] * w->stride[o][i];
    }
}

static void next_row(const leat_el_walk *w, int64_t index[LEAT_MAX_RANK], int64_t at[LEAT_EL_OPERANDS]) {
    for (int i = w->rank - 2; i >= 0; i--) {
        int wraps = ++index[i] == w->dims[i];
        for (int o = 0; o < w->n; o++) at[o] += wraps ? -(w->dims[i] - 1) * w->stride[o][i] : w->stride[o][i];
        if (!wraps) return;
        index[i] = 0;
    }
}

static void walk_task(void *arg, int64_t task, int worker) {
    const walk_job *job = arg;
    const leat_el_walk *w = job->walk;
    int64_t inner = w->dims[w->rank - 1], index[LEAT_MAX_RANK], at[LEAT_EL_OPERANDS];
    (void)worker;
    int64_t row = task / job->pieces * job->row_step, end = row + job->row_step < job->rows ? row + job->row_step : job->rows;
    int64_t from = task % job->pieces * job->piece, n = inner - from < job->piece ? inner - from : job->piece;
    seek(w, row, index, at);
    for (; row < end; row++) {
        int64_t here[LEAT_EL_OPERANDS];
        for (int o = 0; o < w->n; o++) here[o] = at[o] + from * w->stride[o][w->rank - 1];
        job->fn(job->arg, w, here, row * inner + from, n);
        next_row(w, index, at);
    }
}

static void run_tasks(leat_op_call *call, int64_t tasks, leat_task_fn fn, void *arg) {
    if (tasks > 1 && call->pool && call->threads != 1) {
        leat__tpool_for_n(call->pool, call->threads, tasks, fn, arg);
        return;
    }
    for (int64_t i = 0; i < tasks; i++) fn(arg, i, 0);
}

void leat__el_run(leat_op_call *call, const leat_el_walk *walk, leat_el_fn fn, const void *arg) {
    walk_job job = {walk, fn, arg, 1, 1, walk->dims[walk->rank - 1], 1};
    for (int i = 0; i < walk->rank - 1; i++) job.rows *= walk->dims[i];
    if (job.rows == 0 || job.piece == 0) return;
    if (job.piece >= 2 * LEAT_EL_PIECE) {
        job.pieces = (job.piece + LEAT_EL_PIECE - 1) / LEAT_EL_PIECE;
        job.piece = LEAT_EL_PIECE;
    } else {
        job.row_step = (LEAT_EL_PIECE + job.piece - 1) / job.piece;
    }
    run_tasks(call, (job.rows + job.row_step - 1) / job.row_step * job.pieces, walk_task, &job);
}

typedef struct span_job {
    leat_el_span_fn fn;
    const void     *arg;
    int64_t         total, step;
} span_job;

static void span_task(void *arg, int64_t task, int worker) {
    const span_job *job = arg;
    int64_t from = task * job->step;
    (void)worker;
    job->fn(job->arg, from, job->total - from < job->step ? job->total - from : job->step);
}

void leat__el_rows(leat_op_call *call, int64_t n, int64_t cost, leat_el_span_fn fn, const void *arg) {
    int64_t step = cost < 1 ? LEAT_EL_PIECE : (LEAT_EL_PIECE + cost - 1) / cost;
    span_job job = {fn, arg, n, step};
    run_tasks(call, (n + step - 1) / step, span_task, &job);
}

void leat__el_spans(leat_op_call *call, int64_t total, leat_el_span_fn fn, const void *arg) { leat__el_rows(call, total, 1, fn, arg); }

/* ---- infer ---------------------------------------------------------------------------------------------------------- */

int leat__el_infer(leat_op_call *call, const leat_tensor *const *operands, int n, leat_dtype dtype) {
    int64_t dims[LEAT_MAX_RANK], next[LEAT_MAX_RANK];
    int rank = operands[0]->rank, nhwc = 0;
    memcpy(dims, operands[0]->dims, sizeof dims);
    for (int i = 1; i < n; i++) {
        int status = leat__broadcast_dims(dims, rank, operands[i]->dims, operands[i]->rank, next, &rank);
        memcpy(dims, next, sizeof dims);
        if (!status) continue;
        char a[96], b[96];
        return leat__op_fail(call, status, "inputs %s and %s do not broadcast", leat__tensor_text(operands[0], a, sizeof a),
                             leat__tensor_text(operands[i], b, sizeof b));
    }
    for (int i = 0; i < n; i++) nhwc |= operands[i]->rank == rank && rank >= 3 && leat__is_nhwc(operands[i]);
    leat__tensor_set(call->out[0], dtype, rank, dims);
    if (nhwc) call->out[0]->flags |= LEAT_TENSOR_NHWC;
    return LEAT_OK;
}

int leat__el_prepare(leat_op_call *call) {
    static const char *const names[LEAT_ISA_COUNT] = {"vmath_ref", "vmath_avx2", "vmath_avx512", "vmath_avx512", "vmath_neon", "vmath_neon", "vmath_neon"};
    call->kernel = call->in[0]->dtype == LEAT_DTYPE_F32 ? names[leat__cpu_level()] : "scalar";
    return LEAT_OK;
}

int leat__el_legacy(leat_op_call *call, const leat_tensor *a, const leat_tensor *b, leat_tensor *view) {
    *view = *b;
    const leat_attr *attr = call->opset < 7 && *call->op->domain == 0 ? leat__attr(call->attrs, "axis") : NULL;
    if (!attr || b->rank == 0) return LEAT_OK;
    int64_t axis = attr->i < 0 ? attr->i + a->rank : attr->i;
    if (axis < 0 || axis > a->rank - b->rank)
        return leat__op_fail(call, LEAT_ESHAPE, "attribute axis %lld does not fit inputs of rank %d and %d", (long long)attr->i, a->rank, b->rank);
    if (attr->i == -1) return LEAT_OK; /* suffix matching */
    if (b->rank + axis < a->rank) view->flags &= ~LEAT_TENSOR_NHWC;
    while (view->rank + axis < a->rank) view->dims[view->rank++] = 1;
    return LEAT_OK;
}
