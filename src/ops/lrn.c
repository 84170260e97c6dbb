/* lrn.c - LRN, local response normalisation across channels: y = x / (bias + alpha / size * sum of squares of the neighbours)^beta.
 *
 * Plain tensors are done a piece of a plane at a time, channels-last ones a piece of a pixel's channels; the window's squares are added row by row.
 */
#include <math.h>
#include <string.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"

enum { PIECE = 256 };

typedef struct lrn_job {
    const float    *x;
    float          *y;
    int64_t         C, S, before, after; /* neighbours on each side */
    leat_act_params sum, power;          /* alpha/size s + bias;  -beta log */
} lrn_job;

static void divide(const lrn_job *job, const float *x, float *sum, float *y, int64_t n) {
    leat__act_f32(LEAT_ACT_AFFINE, sum, n, &job->sum);
    leat__act_f32(LEAT_ACT_LOG, sum, n, NULL);
    leat__act_f32(LEAT_ACT_AFFINE, sum, n, &job->power);
    leat__act_f32(LEAT_ACT_EXP, sum, n, NULL);
    leat__vmath()->vv[LEAT_VBIN_MUL](x, sum, y, n);
}

static void plane_span(const void *arg, int64_t from, int64_t count) {
    const lrn_job *job = arg;
    int64_t pieces = (job->S + PIECE - 1) / PIECE;
    float sum[PIECE];
    for (int64_t i = from; i < from + count; i++) {
        int64_t at = i % pieces * PIECE, n = job->S - at < PIECE ? job->S - at : PIECE, plane = i / pieces, c = plane % job->C;
        const float *x = job->x + plane * job->S + at;
        memset(sum, 0, sizeof sum);
        for (int64_t d = -job->before; d <= job->after; d++)
            if (c + d >= 0 && c + d < job->C) leat__vmath()->redrow[LEAT_VRED_SUMSQ](x + d * job->S, sum, n);
        divide(job, x, sum, job->y + plane * job->S + at, n);
    }
}

static void pixel_span(const void *arg, int64_t from, int64_t count) {
    const lrn_job *job = arg;
    float sum[PIECE];
    for (int64_t i = from; i < from + count; i++)
        for (int64_t c0 = 0; c0 < job->C; c0 += PIECE) {
            int64_t n = job->C - c0 < PIECE ? job->C - c0 : PIECE;
            const float *x = job->x + i * job->C;
            memset(sum, 0, sizeof sum);
            for (int64_t d = -job->before; d <= job->after; d++) {
                int64_t lo = c0 + d < 0 ? -d : c0, hi = c0 + n + d > job->C ? job->C - d : c0 + n; /* channels whose neighbour at d exists */
                if (lo < hi) leat__vmath()->redrow[LEAT_VRED_SUMSQ](x + lo + d, sum + (lo - c0), hi - lo);
            }
            divide(job, x + c0, sum, job->y + i * job->C + c0, n);
        }
}

static int lrn_infer(leat_op_call *call) {
    int64_t size = leat__attr_int(call->attrs, "size", 0);
    if (call->in[0]->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "input is %s, not float32", leat_dtype_name(call->in[0]->dtype));
    if (call->in[0]->rank < 2) return leat__op_fail(call, LEAT_ESHAPE, "input needs rank 2 or more");
    if (size < 1 || size > INT32_MAX) return leat__op_fail(call, LEAT_EINVAL, "attribute size is missing or out of range");
    return leat__infer_same(call);
}

static int lrn_run(leat_op_call *call) {
    const leat_tensor *t = call->in[0];
    int64_t size = leat__attr_int(call->attrs, "size", 1), N = t->dims[0];
    lrn_job job = {.x = t->data, .y = call->out[0]->data, .C = t->dims[1], .S = 1};
    job.sum.alpha = leat__attr_float(call->attrs, "alpha", 1e-4f) / (float)size;
    job.sum.beta = leat__attr_float(call->attrs, "bias", 1);
    job.power.alpha = -leat__attr_float(call->attrs, "beta", 0.75f);
    job.before = (size - 1) / 2 < job.C ? (size - 1) / 2 : job.C;
    job.after = size / 2 < job.C ? size / 2 : job.C;
    for (int i = 2; i < t->rank; i++) job.S *= t->dims[i];
    if (leat_tensor_count(t) == 0) return LEAT_OK;
    if (leat__is_nhwc(t)) leat__el_rows(call, N * job.S, job.C, pixel_span, &job);
    else leat__el_rows(call, N * job.C * ((job.S + PIECE - 1) / PIECE), PIECE, plane_span, &job);
    return LEAT_OK;
}

const leat_op leat__ops_lrn[] = {{"", "LRN", 1, 0, 1, 1, 1, 1, 0, LEAT_OP_AXIS, 0, lrn_infer, leat__el_prepare, lrn_run}, {0}};
