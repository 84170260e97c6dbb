/* softmax.c - Softmax, LogSoftmax, Hardmax.
 *
 * Since opset 13 along one axis; before it the input is taken as a matrix, cut at the axis, and each row is normalised as a whole.  Contiguous rows
 * use the vector math; a strided axis is done for a block of columns at a time, with rows of maxima and sums.
 */
#include <math.h>
#include <string.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"

typedef enum softmax_kind { SOFT, LOG_SOFT, HARD } softmax_kind;

typedef struct softmax_job {
    softmax_kind kind;
    leat_dtype   dtype;
    int64_t      outer, n, inner; /* x [outer, n, inner], reduced over n */
    const void  *x;
    void        *y;
} softmax_job;

static softmax_kind kind_of(const leat_op_call *call) {
    if (strcmp(call->op->name, "Softmax") == 0) return SOFT;
    return strcmp(call->op->name, "LogSoftmax") == 0 ? LOG_SOFT : HARD;
}

static int axis_of(leat_op_call *call, int *axis) {
    const leat_tensor *in = call->in[0];
    int64_t value = leat__attr_int(call->attrs, "axis", call->opset < 13 ? 1 : -1);
    int rank = in->rank ? in->rank : 1;
    *axis = call->opset < 13 && value == in->rank ? in->rank : leat__norm_axis(value, rank);
    if (*axis < 0) return leat__op_fail(call, LEAT_EINVAL, "axis %lld is outside a tensor of rank %d", (long long)value, in->rank);
    return LEAT_OK;
}

static int softmax_infer(leat_op_call *call) {
    int axis, status = axis_of(call, &axis);
    if (status) return status;
    if (call->in[0]->dtype != LEAT_DTYPE_F32 && call->in[0]->dtype != LEAT_DTYPE_F64)
        return leat__op_fail(call, LEAT_ETYPE, "input has element type %s, float32 or float64 expected", leat_dtype_name(call->in[0]->dtype));
    return leat__infer_same(call);
}

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

static void hard_row(const float *x, float *y, int64_t n, int64_t stride) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i * stride] > x[best * stride]) best = i;
    for (int64_t i = 0; i < n; i++) y[i * stride] = i == best;
}

static void row64(softmax_kind kind, const double *x, double *y, int64_t n, int64_t stride) {
    double max = -INFINITY, sum = 0;
    int64_t best = 0;
    for (int64_t i = 0; i < n; i++)
        if (x[i * stride] > max) max = x[i * stride], best = i;
    for (int64_t i = 0; i < n; i++) sum += exp(x[i * stride] - max);
    for (int64_t i = 0; i < n; i++) {
        double d = x[i * stride] - max;
        y[i * stride] = kind == HARD ? (double)(i == best) : kind == SOFT ? exp(d) / sum : d - log(sum);
    }
}

/* Rows of a few values: blocks of them are turned, so that the vectors run across rows. */
enum { SHORT_ROW = 12, BLOCK_ROWS = 128, COLUMNS = 256 };

static void soft_columns(const softmax_job *job, const float *x, float *y, int64_t columns);

static void short_rows_span(const void *arg, int64_t from, int64_t count) {
    const softmax_job *job = arg;
    softmax_job block = *job;
    float turned[SHORT_ROW * BLOCK_ROWS];
    int64_t n = job->n;
    block.inner = BLOCK_ROWS;
    for (int64_t r = from; r < from + count; r += BLOCK_ROWS) {
        int64_t rows = from + count - r < BLOCK_ROWS ? from + count - r : BLOCK_ROWS;
        const float *x = (const float *)job->x + r * n;
        float *y = (float *)job->y + r * n;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t c = 0; c < n; c++) turned[c * BLOCK_ROWS + i] = x[i * n + c];
        soft_columns(&block, turned, turned, rows);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t c = 0; c < n; c++) y[i * n + c] = turned[c * BLOCK_ROWS + i];
    }
}

static void rows_span(const void *arg, int64_t from, int64_t count) {
    const softmax_job *job = arg;
    int64_t n = job->n;
    for (int64_t r = from; r < from + count; r++) {
        const float *x = (const float *)job->x + r * n;
        float *y = (float *)job->y + r * n;
        if (job->kind == SOFT) leat__softmax_row(x, y, n);
        else if (job->kind == LOG_SOFT) leat__log_softmax_row(x, y, n);
        else hard_row(x, y, n, 1);
    }
}

/* ---- columns: the axis is strided ------------------------------------------------------------------------------------ */

static void soft_columns(const softmax_job *job, const float *x, float *y, int64_t columns) {
    const leat_vmath_table *v = leat__vmath();
    int64_t n = job->n, stride = job->inner;
    float max[COLUMNS], sum[COLUMNS], e[COLUMNS];
    for (int64_t i = 0; i < columns; i++) max[i] = -INFINITY, sum[i] = 0;
    for (int64_t r = 0; r < n; r++) v->redrow[LEAT_VRED_MAX](x + r * stride, max, columns);
    for (int64_t r = 0; r < n; r++) {
        float *to = job->kind == SOFT ? y + r * stride : e;
        v->vv[LEAT_VBIN_SUB](x + r * stride, max, to, columns);
        v->act[LEAT_ACT_EXP](to, to, columns, NULL);
        v->redrow[LEAT_VRED_SUM](to, sum, columns);
    }
    if (job->kind == SOFT) {
        for (int64_t r = 0; r < n; r++) v->vv[LEAT_VBIN_DIV](y + r * stride, sum, y + r * stride, columns);
        return;
    }
    v->act[LEAT_ACT_LOG](sum, sum, columns, NULL);
    v->vv[LEAT_VBIN_ADD](max, sum, max, columns);
    for (int64_t r = 0; r < n; r++) v->vv[LEAT_VBIN_SUB](x + r * stride, max, y + r * stride, columns);
}

static void columns_span(const void *arg, int64_t from, int64_t count) {
    const softmax_job *job = arg;
    int64_t pieces = (job->inner + COLUMNS - 1) / COLUMNS;
    for (int64_t i = from; i < from + count; i++) {
        int64_t column = i % pieces * COLUMNS, at = i / pieces * job->n * job->inner + column;
        int64_t columns = job->inner - column < COLUMNS ? job->inner - column : COLUMNS;
        const float *x = (const float *)job->x + at;
        float *y = (float *)job->y + at;
        if (job->kind != HARD) soft_columns(job, x, y, columns);
        else
            for (int64_t c = 0; c < columns; c++) hard_row(x + c, y + c, job->n, job->inner);
    }
}

static void rows64_span(const void *arg, int64_t from, int64_t count) {
    const softmax_job *job = arg;
    for (int64_t i = from; i < from + count; i++) {
        int64_t at = i / job->inner * job->n * job->inner + i % job->inner;
        row64(job->kind, (const double *)job->x + at, (double *)job->y + at, job->n, job->inner);
    }
}

static int softmax_run(leat_op_call *call) {
    int64_t dims[LEAT_MAX_RANK];
    softmax_job job = {kind_of(call), call->in[0]->dtype, 1, 1, 1, call->in[0]->data, call->out[0]->data};
    int axis, status = axis_of(call, &axis), rank = call->in[0]->rank;
    if (status) return status;
    if (call->opset >= 13 && rank) axis = leat__physical_axis(call->in[0], axis);
    leat__tensor_physical(call->in[0], dims);
    for (int i = 0; i < rank; i++)
        if (i < axis) job.outer *= dims[i];
        else if (i == axis || call->opset < 13) job.n *= dims[i];
        else job.inner *= dims[i];
    if (leat_tensor_count(call->in[0]) == 0) return LEAT_OK;
    if (job.dtype == LEAT_DTYPE_F64) leat__el_rows(call, job.outer * job.inner, job.n, rows64_span, &job);
    else if (job.inner == 1 && job.n <= SHORT_ROW && job.outer >= 16 && job.kind != HARD) leat__el_rows(call, job.outer, job.n, short_rows_span, &job);
    else if (job.inner == 1) leat__el_rows(call, job.outer, job.n, rows_span, &job);
    else leat__el_rows(call, job.outer * ((job.inner + COLUMNS - 1) / COLUMNS), job.n * (job.inner < COLUMNS ? job.inner : COLUMNS), columns_span, &job);
    return LEAT_OK;
}

#define ROWS(name)                                                                                                      \
    {"", name, 1, 12, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, softmax_infer, leat__el_prepare, softmax_run},                 \
    {"", name, 13, 0, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_AXIS, 0, softmax_infer, leat__el_prepare, softmax_run}

const leat_op leat__ops_softmax[] = {ROWS("Softmax"), ROWS("LogSoftmax"), ROWS("Hardmax"), {0}};
