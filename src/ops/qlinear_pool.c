/* qlinear_pool.c - QLinearGlobalAveragePool and QLinearAveragePool of com.microsoft.
 *
 * Bytes are summed as integers; the mean is scaled once and rounded half to even.  channels_last = 1 means that the tensor's own dims are
 * [N, .., C]: it is then read as a channels-last view of [N, C, ..].
 */
#include <math.h>
#include <string.h>

#include "ops/quant_util.h"
#include "ops/window.h"

typedef struct {
    const leat_op_call *call;
    leat_window         w;
    leat_planes         x, y;
    int                 include_pad;
    float               x_scale, y_scale;
    int32_t             x_zero, y_zero;
} pool_job;

static int global(const leat_op_call *call) { return strcmp(call->op->name, "QLinearGlobalAveragePool") == 0; }
static int channels_last(const leat_op_call *call) { return leat__attr_int(call->attrs, "channels_last", 0) != 0; }

/* The tensor with dims [N, C, ..], flagged if they are stored channels last. */
static leat_tensor as_nchw(const leat_op_call *call, const leat_tensor *t) {
    leat_tensor v = *t;
    if (!channels_last(call)) return v;
    v.dims[1] = t->dims[t->rank - 1];
    for (int i = 2; i < t->rank; i++) v.dims[i] = t->dims[i - 1];
    v.flags = LEAT_TENSOR_NHWC;
    return v;
}

static int make_window(const leat_op_call *call, const leat_tensor *x, leat_window *w) {
    leat_op_call inner = *call;
    leat_tensor view = *x, *list[1] = {&view};
    if (!global(call)) {
        inner.in = list;
        inner.n_in = 1;
        return leat__window_init(&inner, w);
    }
    for (int i = 0; i < 3; i++) {
        int axis = x->rank - 3 + i;
        w->stride[i] = w->dilation[i] = w->out[i] = 1;
        w->pad_begin[i] = w->pad_end[i] = 0;
        w->in[i] = w->kernel[i] = axis < 2 ? 1 : x->dims[axis];
    }
    return LEAT_OK;
}

static int check_param(leat_op_call *call, int i, leat_dtype dtype, int required) {
    const leat_tensor *t = leat__op_in(call, i);
    if (!t) return required ? leat__op_fail(call, LEAT_EINVAL, "input %d is missing", i) : LEAT_OK;
    if (t->dtype == dtype && leat_tensor_count(t) == 1) return LEAT_OK;
    return leat__op_fail(call, LEAT_ETYPE, "input %d is not one %s", i, leat_dtype_name(dtype));
}

static int infer_pool(leat_op_call *call) {
    const leat_tensor *x = leat__op_in(call, 0);
    leat_window w;
    if (!x || (x->dtype != LEAT_DTYPE_U8 && x->dtype != LEAT_DTYPE_I8)) return leat__op_fail(call, LEAT_ETYPE, "input is not 8 bits wide");
    if (x->rank < 3 || x->rank > 5) return leat__op_fail(call, LEAT_EUNSUPPORTED, "input rank %d, 3 to 5 expected", x->rank);
    int status = check_param(call, 1, LEAT_DTYPE_F32, 1);
    if (!status) status = check_param(call, 2, x->dtype, 0);
    if (!status) status = check_param(call, 3, LEAT_DTYPE_F32, 1);
    if (!status) status = check_param(call, 4, x->dtype, 0);
    leat_tensor view = as_nchw(call, x);
    if (!status) status = make_window(call, &view, &w);
    if (status) return status;
    int64_t dims[LEAT_MAX_RANK] = {x->dims[0]};
    int last = channels_last(call);
    dims[last ? x->rank - 1 : 1] = view.dims[1];
    for (int i = 2; i < x->rank; i++) dims[last ? i - 1 : i] = w.out[LEAT_SPATIAL_MAX - x->rank + i];
    leat__tensor_set(call->out[0], x->dtype, x->rank, dims);
    return LEAT_OK;
}

/* Sum and number of the values in the window of output position o. */
static int64_t window_sum(const pool_job *job, const void *x, int64_t base, const int64_t o[3], int64_t *count) {
    const leat_window *w = &job->w;
    int64_t first[3], last[3], at[3], sum = 0, padded = 1;
    int is_signed = job->call->in[0]->dtype == LEAT_DTYPE_I8;
    for (int a = 0; a < 3; a++) {
        leat__window_clip(w, a, o[a], &first[a], &last[a]);
        at[a] = o[a] * w->stride[a] - w->pad_begin[a];
        padded *= leat__window_padded(w, a, o[a]);
    }
    *count = 0;
    for (int64_t i = first[0]; i < last[0]; i++)
        for (int64_t j = first[1]; j < last[1]; j++)
            for (int64_t k = first[2]; k < last[2]; k++, ++*count) {
                int64_t row = (at[0] + i * w->dilation[0]) * w->in[1] + at[1] + j * w->dilation[1];
                int64_t p = base + (row * w->in[2] + at[2] + k * w->dilation[2]) * job->x.p_stride;
                sum += is_signed ? ((const int8_t *)x)[p] : ((const uint8_t *)x)[p];
            }
    sum -= *count * job->x_zero;
    if (job->include_pad) *count = padded;
    return sum;
}

static void plane_task(void *arg, int64_t index, int worker) {
    const pool_job *job = arg;
    const leat_tensor *y = job->call->out[0];
    int64_t n = index / job->x.c, c = index % job->x.c, o[3], at = 0, count;
    float low, high;
    leat__quant_range(y->dtype, &low, &high);
    for (o[0] = 0; o[0] < job->w.out[0]; o[0]++)
        for (o[1] = 0; o[1] < job->w.out[1]; o[1]++)
            for (o[2] = 0; o[2] < job->w.out[2]; o[2]++, at++) {
                int64_t sum = window_sum(job, job->call->in[0]->data, n * job->x.n_stride + c * job->x.c_stride, o, &count);
                float v = (float)sum * (job->x_scale / (job->y_scale * (float)(count > 0 ? count : 1)));
                v = fminf(fmaxf(rintf(v) + (float)job->y_zero, low), high);
                leat__tensor_set_int((leat_tensor *)y, n * job->y.n_stride + c * job->y.c_stride + at * job->y.p_stride, (int64_t)v);
            }
}

static int32_t zero_of(const leat_op_call *call, int i) {
    const leat_tensor *t = leat__op_in(call, i);
    return t ? (int32_t)leat__tensor_get_int(t, 0) : 0;
}

static int run_pool(leat_op_call *call) {
    leat_tensor x = as_nchw(call, call->in[0]), y = as_nchw(call, call->out[0]);
    pool_job job = {.call = call, .x = leat__planes(&x), .y = leat__planes(&y), .include_pad = leat__attr_int(call->attrs, "count_include_pad", 0) != 0};
    int status = make_window(call, &x, &job.w);
    if (status) return status;
    job.x_scale = *(const float *)call->in[1]->data;
    job.y_scale = *(const float *)call->in[3]->data;
    job.x_zero = zero_of(call, 2);
    job.y_zero = zero_of(call, 4);
    if (leat_tensor_count(call->out[0]) > 0) leat__op_for(call, job.x.n * job.x.c, job.x.size, plane_task, &job);
    return LEAT_OK;
}

const leat_op leat__ops_qlinear_pool[] = {
    {"com.microsoft", "QLinearGlobalAveragePool", 1, 0, 4, 5, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_pool, NULL, run_pool},
    {"com.microsoft", "QLinearAveragePool", 1, 0, 4, 5, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_pool, NULL, run_pool},
    {0},
};
