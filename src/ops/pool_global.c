/* pool_global.c - GlobalAveragePool, GlobalMaxPool, GlobalLpPool over all spatial axes, any rank >= 2.
 *
 * Channels-last: positions are summed in a fixed number of pieces, each by the row kernels, then the pieces are added: the same bits
 * for any number of threads, and smaller rounding error than one long sum.  Plain: one contiguous plane after the other.
 */
#include <math.h>

#include "cpu/pool.h"
#include "ops/nn_util.h"

#define LIST_MAX 64
#define PIECES_MAX 16
#define PIECE_MIN 256 /* positions: shorter pieces are not worth their addition */

typedef struct {
    const leat_op_call *call;
    int64_t             c, size, pieces;
    int                 max;
    int64_t             p;
    float              *partial; /* [n, pieces, c], or the output itself for one piece */
} global_job;

static int infer_global(leat_op_call *call) {
    const leat_tensor *x = leat__op_in(call, 0);
    if (!x || x->rank < 2) return leat__op_fail(call, LEAT_ESHAPE, "an input of rank >= 2 is expected");
    if (x->dtype != LEAT_DTYPE_F32 && x->dtype != LEAT_DTYPE_F64)
        return leat__op_fail(call, LEAT_ETYPE, "type %s is not supported", leat_dtype_name(x->dtype));
    if (leat__attr_int(call->attrs, "p", 2) < 1) return leat__op_fail(call, LEAT_EINVAL, "p must be positive");
    int64_t dims[LEAT_MAX_RANK] = {x->dims[0], x->dims[1], 1, 1, 1, 1, 1, 1};
    leat__tensor_set(call->out[0], x->dtype, x->rank, dims);
    leat__op_same_layout(call);
    return LEAT_OK;
}

static int64_t piece_count(int64_t size) {
    int64_t pieces = leat__ceil_div(size, PIECE_MIN);
    return pieces < 1 ? 1 : leat__min64(pieces, PIECES_MAX);
}

static int prepare_global(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t size = leat__dims_count(x->dims + 2, x->rank - 2);
    if (leat__is_nhwc(x)) call->scratch_bytes = (size_t)(x->dims[0] * x->dims[1] * piece_count(size)) * sizeof(float);
    leat__op_name_kernel(call, leat__is_nhwc(x) ? "global_rows" : "global_planes", leat__pool.isa);
    return LEAT_OK;
}

static void piece_task(void *arg, int64_t index, int worker) {
    const global_job *job = arg;
    int64_t n = index / job->pieces, piece = index % job->pieces;
    int64_t from = job->size * piece / job->pieces, to = job->size * (piece + 1) / job->pieces;
    const float *in = (const float *)job->call->in[0]->data + n * job->size * job->c, *rows[LIST_MAX];
    float *out = job->partial + index * job->c;
    for (int64_t at = from; at < to; at += LIST_MAX) {
        int count = (int)leat__min64(LIST_MAX, to - at);
        for (int i = 0; i < count; i++) rows[i] = in + (at + i) * job->c;
        if (job->max) leat__pool.max_f32(out, rows, count, job->c, at == from);
        else leat__pool.sum_f32(out, rows, count, job->c, 1.0f, at == from);
    }
}

static void run_channels_last(leat_op_call *call, global_job *job, int64_t n) {
    float *y = call->out[0]->data;
    const float *rows[PIECES_MAX];
    job->pieces = piece_count(job->size);
    job->partial = call->scratch;
    leat__op_for(call, n * job->pieces, job->size / job->pieces * job->c, piece_task, job);
    for (int64_t b = 0; b < n; b++) {
        for (int64_t i = 0; i < job->pieces; i++) rows[i] = job->partial + (b * job->pieces + i) * job->c;
        if (job->max) leat__pool.max_f32(y + b * job->c, rows, (int)job->pieces, job->c, 1);
        else leat__pool.sum_f32(y + b * job->c, rows, (int)job->pieces, job->c, 1.0f / (float)job->size, 1);
    }
}

static double plane_f64(const global_job *job, int64_t index) {
    int nhwc = leat__is_nhwc(job->call->in[0]);
    int64_t step = nhwc ? job->c : 1, base = nhwc ? index / job->c * job->c * job->size + index % job->c : index * job->size;
    const double *in = (const double *)job->call->in[0]->data + base;
    double r = job->max ? -INFINITY : 0;
    for (int64_t i = 0; i < job->size; i++) r = job->max ? fmax(r, in[i * step]) : r + in[i * step];
    return job->max ? r : r / (double)job->size;
}

static void plane_task(void *arg, int64_t index, int worker) {
    const global_job *job = arg;
    const leat_tensor *x = job->call->in[0], *y = job->call->out[0];
    if (x->dtype == LEAT_DTYPE_F64) {
        ((double *)y->data)[index] = plane_f64(job, index);
        return;
    }
    const float *in = (const float *)x->data + index * job->size;
    ((float *)y->data)[index] = job->max ? leat__pool.reduce_max_f32(in, job->size) : leat__pool.reduce_sum_f32(in, job->size) / (float)job->size;
}

static int run_global(leat_op_call *call, int max) {
    const leat_tensor *x = call->in[0];
    global_job job = {.call = call, .c = x->dims[1], .size = leat__dims_count(x->dims + 2, x->rank - 2), .max = max};
    int64_t planes = x->dims[0] * x->dims[1];
    if (planes == 0) return LEAT_OK;
    if (leat__is_nhwc(x) && x->dtype == LEAT_DTYPE_F32 && job.size > 0) run_channels_last(call, &job, x->dims[0]);
    else leat__op_for(call, planes, job.size, plane_task, &job);
    return LEAT_OK;
}

static void lp_task(void *arg, int64_t index, int worker) {
    const global_job *job = arg;
    const leat_tensor *x = job->call->in[0], *y = job->call->out[0];
    double sum = 0;
    for (int64_t i = 0; i < job->size; i++) {
        int64_t at = index * job->size + i;
        double v = fabs(x->dtype == LEAT_DTYPE_F32 ? (double)((const float *)x->data)[at] : ((const double *)x->data)[at]);
        sum += job->p == 2 ? v * v : job->p == 1 ? v : pow(v, (double)job->p);
    }
    double r = job->p == 2 ? sqrt(sum) : job->p == 1 ? sum : pow(sum, 1.0 / (double)job->p);
    if (x->dtype == LEAT_DTYPE_F32) ((float *)y->data)[index] = (float)r;
    else ((double *)y->data)[index] = r;
}

static int run_lp(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    global_job job = {.call = call, .size = leat__dims_count(x->dims + 2, x->rank - 2), .p = leat__attr_int(call->attrs, "p", 2)};
    leat__op_for(call, x->dims[0] * x->dims[1], job.size, lp_task, &job);
    return LEAT_OK;
}

static int run_average(leat_op_call *call) { return run_global(call, 0); }
static int run_max(leat_op_call *call) { return run_global(call, 1); }

const leat_op leat__ops_pool_global[] = {
    {"", "GlobalAveragePool", 1, 0, 1, 1, 1, 1, 0, LEAT_OP_NHWC, 0, infer_global, prepare_global, run_average},
    {"", "GlobalMaxPool", 1, 0, 1, 1, 1, 1, 0, LEAT_OP_NHWC, 0, infer_global, prepare_global, run_max},
    {"", "GlobalLpPool", 1, 0, 1, 1, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_global, NULL, run_lp},
    {0},
};
