/* activation.c - the activation functions with attributes: Relu, Clip, Elu, Gelu, HardSwish and their like.
 *
 * float32 is one call of act.h; float64 is computed in double from the same definitions; Relu and Clip take integers too.
 * Clip has its bounds as attributes before opset 11 and as inputs since, where they are read at run time.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "cpu/act.h"
#include "base/str.h"
#include "ops/el_walk.h"

typedef struct act_job {
    int             kind;
    leat_dtype      dtype;
    leat_act_params p;
    int64_t         lo, hi; /* integer clip */
    double          dlo, dhi;
    const char     *x;
    char           *y;
} act_job;

/* Operators whose name and attributes map straight to a kind: alpha and beta named, with ONNX's defaults. */
typedef struct act_op {
    const char *domain, *name;
    int         kind;
    const char *alpha, *beta;
    float       alpha_default, beta_default;
} act_op;

static const act_op table[] = {
    {"", "Relu", LEAT_ACT_RELU, NULL, NULL, 0, 0},
    {"", "Sigmoid", LEAT_ACT_SIGMOID, NULL, NULL, 0, 0},
    {"", "Softplus", LEAT_ACT_SOFTPLUS, NULL, NULL, 0, 0},
    {"", "Softsign", LEAT_ACT_SOFTSIGN, NULL, NULL, 0, 0},
    {"", "Mish", LEAT_ACT_MISH, NULL, NULL, 0, 0},
    {"", "HardSwish", LEAT_ACT_HARD_SWISH, NULL, NULL, 0, 0},
    {"", "LeakyRelu", LEAT_ACT_LEAKY_RELU, "alpha", NULL, 0.01f, 0},
    {"", "Elu", LEAT_ACT_ELU, "alpha", NULL, 1, 0},
    {"", "Celu", LEAT_ACT_CELU, "alpha", NULL, 1, 0},
    {"", "Selu", LEAT_ACT_SELU, "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
    {"", "ThresholdedRelu", LEAT_ACT_THRESHOLDED_RELU, "alpha", NULL, 1, 0},
    {"", "HardSigmoid", LEAT_ACT_HARD_SIGMOID, "alpha", "beta", 0.2f, 0.5f},
    {"", "Shrink", LEAT_ACT_SHRINK, "lambd", "bias", 0.5f, 0},
    {"", "Swish", LEAT_ACT_SILU, "alpha", NULL, 1, 0},
    {"", "Affine", LEAT_ACT_AFFINE, "alpha", "beta", 1, 0},
    {"", "ScaledTanh", LEAT_ACT_TANH, "alpha", "beta", 1, 1},
    {"", "Gelu", LEAT_ACT_GELU, NULL, NULL, 0, 0},
    {"com.microsoft", "Gelu", LEAT_ACT_GELU, NULL, NULL, 0, 0},
    {"com.microsoft", "QuickGelu", LEAT_ACT_SILU, "alpha", NULL, 1.702f, 0},
    {"", "Clip", LEAT_ACT_CLIP, NULL, NULL, 0, 0},
};

static void setup(const leat_op_call *call, act_job *job) {
    memset(job, 0, sizeof *job);
    job->dtype = call->in[0]->dtype;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const act_op *row = &table[i];
        if (strcmp(row->name, call->op->name) != 0 || strcmp(row->domain, call->op->domain) != 0) continue;
        job->kind = row->kind;
        job->p.alpha = row->alpha ? leat__attr_float(call->attrs, row->alpha, row->alpha_default) : row->alpha_default;
        job->p.beta = row->beta ? leat__attr_float(call->attrs, row->beta, row->beta_default) : row->beta_default;
    }
    if (job->kind == LEAT_ACT_GELU && *call->op->domain == 0 && leat__streq(leat__attr_string(call->attrs, "approximate", "none"), "tanh"))
        job->kind = LEAT_ACT_GELU_TANH;
}

/* ---- float64 and integers -------------------------------------------------------------------------------------------- */

static double sigmoid64(double v) { return 1 / (1 + exp(-v)); }
static double clamp64(double v, double lo, double hi) {
    v = v < lo ? lo : v;
    return v > hi ? hi : v;
}
static double softplus64(double v) { return v > 0 ? v + log1p(exp(-v)) : log1p(exp(v)); }

static double eval64(const act_job *job, double v) {
    double alpha = job->p.alpha, beta = job->p.beta;
    switch (job->kind) {
    case LEAT_ACT_RELU: return v < 0 ? 0 : v;
    case LEAT_ACT_CLIP: return clamp64(v, job->dlo, job->dhi);
    case LEAT_ACT_SIGMOID: return sigmoid64(v);
    case LEAT_ACT_SILU: return v * sigmoid64(alpha * v);
    case LEAT_ACT_HARD_SWISH: return v * clamp64(v / 6 + 0.5, 0, 1);
    case LEAT_ACT_HARD_SIGMOID: return clamp64(alpha * v + beta, 0, 1);
    case LEAT_ACT_LEAKY_RELU: return v < 0 ? alpha * v : v;
    case LEAT_ACT_TANH: return alpha * tanh(beta * v); /* ScaledTanh; Tanh itself is in unary.c */
    case LEAT_ACT_GELU: return 0.5 * v * erfc(-v * 0.70710678118654752440);
    case LEAT_ACT_GELU_TANH: return 0.5 * v * (1 + tanh(0.79788456080286535588 * (v + 0.044715 * v * v * v)));
    case LEAT_ACT_ELU: return v < 0 ? alpha * expm1(v) : v;
    case LEAT_ACT_SELU: return beta * (v < 0 ? alpha * expm1(v) : v);
    case LEAT_ACT_CELU: return v < 0 ? alpha * expm1(v / alpha) : v;
    case LEAT_ACT_SOFTPLUS: return softplus64(v);
    case LEAT_ACT_MISH: return v * tanh(softplus64(v));
    case LEAT_ACT_SOFTSIGN: return v / (1 + fabs(v));
    case LEAT_ACT_THRESHOLDED_RELU: return v > alpha ? v : 0;
    case LEAT_ACT_SHRINK: return v < -alpha ? v + beta : v > alpha ? v - beta : 0;
    case LEAT_ACT_AFFINE: return alpha * v + beta;
    default: return v;
    }
}

#define CLIP_SPAN(T)                                                                            \
    do {                                                                                        \
        const T *x = (const T *)(const void *)job->x + from;                                    \
        T       *y = (T *)(void *)job->y + from, lo = (T)job->lo, hi = (T)job->hi;              \
        for (int64_t i = 0; i < n; i++) {                                                       \
            T v = x[i] < lo ? lo : x[i];                                                        \
            y[i] = v > hi ? hi : v;                                                             \
        }                                                                                       \
    } while (0)

static void act_span(const void *arg, int64_t from, int64_t n) {
    const act_job *job = arg;
    switch (job->dtype) {
    case LEAT_DTYPE_F32: {
        const float *x = (const float *)(const void *)job->x + from;
        float *y = (float *)(void *)job->y + from;
        leat__act_map_f32(job->kind, x, y, n, &job->p);
        break;
    }
    case LEAT_DTYPE_F64:
        for (int64_t i = from; i < from + n; i++) ((double *)(void *)job->y)[i] = eval64(job, ((const double *)(const void *)job->x)[i]);
        break;
    case LEAT_DTYPE_I8: CLIP_SPAN(int8_t); break;
    case LEAT_DTYPE_U8: CLIP_SPAN(uint8_t); break;
    case LEAT_DTYPE_I16: CLIP_SPAN(int16_t); break;
    case LEAT_DTYPE_U16: CLIP_SPAN(uint16_t); break;
    case LEAT_DTYPE_I32: CLIP_SPAN(int32_t); break;
    case LEAT_DTYPE_U32: CLIP_SPAN(uint32_t); break;
    case LEAT_DTYPE_I64: CLIP_SPAN(int64_t); break;
    default: CLIP_SPAN(uint64_t); break;
    }
}

/* ---- the operators -------------------------------------------------------------------------------------------------- */

static int act_infer(leat_op_call *call) {
    leat_dtype dtype = call->in[0]->dtype;
    int integers = strcmp(call->op->name, "Relu") == 0 || strcmp(call->op->name, "Clip") == 0 || strcmp(call->op->name, "Shrink") == 0;
    if (dtype != LEAT_DTYPE_F32 && dtype != LEAT_DTYPE_F64 && !(integers && leat__dtype_is_int(dtype)))
        return leat__op_fail(call, LEAT_ETYPE, "input has element type %s, which the operator does not take", leat_dtype_name(dtype));
    for (int i = 1; i < call->n_in; i++)
        if (call->in[i] && (call->in[i]->dtype != dtype || leat_tensor_count(call->in[i]) != 1))
            return leat__op_fail(call, LEAT_ESHAPE, "input %d must be one value of the first input's element type", i);
    return leat__infer_same(call);
}

static int run_job(leat_op_call *call, act_job *job) {
    job->x = call->in[0]->data;
    job->y = call->out[0]->data;
    leat__el_spans(call, leat_tensor_count(call->out[0]), act_span, job);
    return LEAT_OK;
}

static void integer_bounds(leat_dtype dtype, int64_t *lo, int64_t *hi) {
    int bits = (int)leat_dtype_size(dtype) * 8;
    *lo = leat__dtype_is_signed(dtype) ? -(int64_t)(((uint64_t)1 << (bits - 1)) - 1) - 1 : 0;
    *hi = (int64_t)(leat__dtype_is_signed(dtype) ? ((uint64_t)1 << (bits - 1)) - 1 : bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1);
}

/* Integer Shrink is rare and small: one value at a time. */
static void shrink_integers(const leat_op_call *call, const act_job *job) {
    int64_t n = leat_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++) leat__tensor_set_int(call->out[0], i, (int64_t)eval64(job, (double)leat__tensor_get_int(call->in[0], i)));
}

static int act_run(leat_op_call *call) {
    act_job job;
    setup(call, &job);
    if (leat__dtype_is_int(job.dtype)) {
        integer_bounds(job.dtype, &job.lo, &job.hi);
        if (job.kind == LEAT_ACT_SHRINK) return shrink_integers(call, &job), LEAT_OK;
        if (job.lo < 0) job.lo = 0; /* Relu */
    }
    return run_job(call, &job);
}

static int clip_run(leat_op_call *call) {
    act_job job;
    const leat_tensor *lo = leat__op_in(call, 1), *hi = leat__op_in(call, 2);
    setup(call, &job);
    if (leat__dtype_is_int(job.dtype)) {
        integer_bounds(job.dtype, &job.lo, &job.hi);
        if (lo) job.lo = leat__tensor_get_int(lo, 0);
        if (hi) job.hi = leat__tensor_get_int(hi, 0);
        return run_job(call, &job);
    }
    job.p.lo = call->opset < 11 ? leat__attr_float(call->attrs, "min", -FLT_MAX) : -INFINITY;
    job.p.hi = call->opset < 11 ? leat__attr_float(call->attrs, "max", FLT_MAX) : INFINITY;
    job.dlo = lo ? leat__tensor_get_float(lo, 0) : (double)job.p.lo;
    job.dhi = hi ? leat__tensor_get_float(hi, 0) : (double)job.p.hi;
    job.p.lo = (float)job.dlo;
    job.p.hi = (float)job.dhi;
    return run_job(call, &job);
}

/* y = alpha * tanh(beta * x) */
static int scaled_tanh_run(leat_op_call *call) {
    act_job job;
    setup(call, &job);
    if (job.dtype == LEAT_DTYPE_F64) return run_job(call, &job);
    float alpha = job.p.alpha, beta = job.p.beta, *y = call->out[0]->data;
    int64_t n = leat_tensor_count(call->out[0]);
    leat_act_params scale = {beta, 0, 0, 0};
    leat__act_map_f32(LEAT_ACT_AFFINE, call->in[0]->data, y, n, &scale);
    leat__act_f32(LEAT_ACT_TANH, y, n, NULL);
    scale.alpha = alpha;
    leat__act_f32(LEAT_ACT_AFFINE, y, n, &scale);
    return LEAT_OK;
}

#define ROW(domain, name) {domain, name, 1, 0, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_ANY, 0, act_infer, leat__el_prepare, act_run}

const leat_op leat__ops_activation[] = {
    ROW("", "Relu"), ROW("", "Sigmoid"), ROW("", "Softplus"), ROW("", "Softsign"), ROW("", "Mish"), ROW("", "HardSwish"),
    ROW("", "LeakyRelu"), ROW("", "Elu"), ROW("", "Celu"), ROW("", "Selu"), ROW("", "ThresholdedRelu"), ROW("", "HardSigmoid"),
    ROW("", "Shrink"), ROW("", "Swish"), ROW("", "Affine"), ROW("", "Gelu"), ROW("com.microsoft", "Gelu"), ROW("com.microsoft", "QuickGelu"),
    {"", "ScaledTanh", 1, 0, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_ANY, 0, act_infer, leat__el_prepare, scaled_tanh_run},
    {"", "Clip", 1, 10, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_ANY, 0, act_infer, leat__el_prepare, clip_run},
    {"", "Clip", 11, 0, 1, 3, 1, 1, LEAT_OP_INPLACE, LEAT_OP_ANY, 0, act_infer, leat__el_prepare, clip_run},
    {0}};
