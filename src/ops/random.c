/* random.c - RandomUniform, RandomNormal, their ..Like forms, Bernoulli, Multinomial.
 *
 * Values come from the counter-based generator: element i of stream (seed, 0).  ONNX fixes no generator, so values differ from other engines' by design;
 * with a seed attribute they are the same in every run, without it a fixed seed is used: a run of this library is always repeatable.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "ops/op.h"

/* The attribute is a float; its bits make the key. */
static uint64_t seed_of(const leat_op_call *call) {
    const leat_attr *attr = leat__attr(call->attrs, "seed");
    uint32_t bits = 0;
    if (!attr) return 1;
    memcpy(&bits, &attr->f, sizeof bits);
    return (uint64_t)bits + 2;
}

static int check_dtype(leat_op_call *call, int64_t dtype, int ints) {
    if (dtype == LEAT_DTYPE_F32 || dtype == LEAT_DTYPE_F64 || dtype == LEAT_DTYPE_F16 || dtype == LEAT_DTYPE_BF16) return LEAT_OK;
    if (ints && dtype > 0 && dtype < LEAT_DTYPE_COUNT && (leat__dtype_is_int((leat_dtype)dtype) || dtype == LEAT_DTYPE_BOOL)) return LEAT_OK;
    return leat__op_fail(call, LEAT_EUNSUPPORTED, "attribute dtype = %lld is not supported", (long long)dtype);
}

static int shape_infer(leat_op_call *call) {
    int n;
    const int64_t *dims = leat__attr_ints(call->attrs, "shape", &n);
    int64_t dtype = leat__attr_int(call->attrs, "dtype", LEAT_DTYPE_F32);
    if (!leat__attr(call->attrs, "shape") || n > LEAT_MAX_RANK || (n > 0 && (leat__dims_count(dims, n) < 0 || leat__dims_count(dims, n) > INT64_MAX / 64)))
        return leat__op_fail(call, LEAT_EINVAL, "attribute shape is missing or out of range");
    int status = check_dtype(call, dtype, 0);
    if (!status) leat__tensor_set(call->out[0], (leat_dtype)dtype, n, dims);
    return status;
}

static int like_infer(leat_op_call *call) {
    int ints = strcmp(call->op->name, "Bernoulli") == 0;
    int64_t dtype = leat__attr_int(call->attrs, "dtype", call->in[0]->dtype);
    int status = check_dtype(call, dtype, ints);
    if (!status && ints && !leat__dtype_is_float(call->in[0]->dtype)) status = leat__op_fail(call, LEAT_ETYPE, "input must be float");
    if (!status) status = leat__infer_same(call);
    if (!status) call->out[0]->dtype = (leat_dtype)dtype;
    return status;
}

static int random_run(leat_op_call *call) {
    leat_tensor *y = call->out[0];
    uint64_t seed = seed_of(call);
    int normal = strstr(call->op->name, "Normal") != NULL;
    double low = normal ? (double)leat__attr_float(call->attrs, "mean", 0) : (double)leat__attr_float(call->attrs, "low", 0);
    double scale = normal ? (double)leat__attr_float(call->attrs, "scale", 1) : (double)leat__attr_float(call->attrs, "high", 1) - low;
    int64_t n = leat_tensor_count(y);
    for (int64_t i = 0; i < n; i++) {
        double v = normal ? leat__rng_normal(seed, 0, (uint64_t)i) : leat__rng_uniform(seed, 0, (uint64_t)i);
        leat__tensor_set_float(y, i, low + scale * v);
    }
    return LEAT_OK;
}

static int bernoulli_run(leat_op_call *call) {
    leat_tensor *y = call->out[0];
    uint64_t seed = seed_of(call);
    int64_t n = leat_tensor_count(y);
    for (int64_t i = 0; i < n; i++) {
        int one = leat__rng_uniform(seed, 0, (uint64_t)i) < leat__tensor_get_float(call->in[0], i);
        if (leat__dtype_is_float(y->dtype)) leat__tensor_set_float(y, i, one);
        else leat__tensor_set_int(y, i, one);
    }
    return LEAT_OK;
}

/* input [B, C] unnormalised log-probabilities -> [B, sample_size] classes */
static int multinomial_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t samples = leat__attr_int(call->attrs, "sample_size", 1), dtype = leat__attr_int(call->attrs, "dtype", LEAT_DTYPE_I32);
    if (x->rank != 2 || !leat__dtype_is_float(x->dtype) || x->dims[1] < 1) return leat__op_fail(call, LEAT_ESHAPE, "input must be float [batch, classes]");
    if (samples < 0 || (dtype != LEAT_DTYPE_I32 && dtype != LEAT_DTYPE_I64)) return leat__op_fail(call, LEAT_EINVAL, "sample_size or dtype out of range");
    leat__tensor_set(call->out[0], (leat_dtype)dtype, 2, (int64_t[]){x->dims[0], samples});
    return LEAT_OK;
}

static int64_t draw(const leat_tensor *x, int64_t row, double max, double target) {
    int64_t classes = x->dims[1];
    double sum = 0;
    for (int64_t c = 0; c < classes; c++) {
        sum += exp(leat__tensor_get_float(x, row * classes + c) - max);
        if (sum > target) return c;
    }
    return classes - 1;
}

static int multinomial_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t samples = call->out[0]->dims[1], classes = x->dims[1];
    uint64_t seed = seed_of(call);
    for (int64_t b = 0; b < x->dims[0]; b++) {
        double max = -INFINITY, sum = 0;
        for (int64_t c = 0; c < classes; c++) max = fmax(max, leat__tensor_get_float(x, b * classes + c));
        for (int64_t c = 0; c < classes; c++) sum += exp(leat__tensor_get_float(x, b * classes + c) - max);
        for (int64_t s = 0; s < samples; s++)
            leat__tensor_set_int(call->out[0], b * samples + s, draw(x, b, max, sum * leat__rng_uniform(seed, 0, (uint64_t)(b * samples + s))));
    }
    return LEAT_OK;
}

#define FLAGS (LEAT_OP_NONDET | LEAT_OP_F16)
const leat_op leat__ops_random[] = {
    {"", "RandomUniform", 1, 0, 0, 0, 1, 1, FLAGS, LEAT_OP_PLAIN, 0, shape_infer, NULL, random_run},
    {"", "RandomNormal", 1, 0, 0, 0, 1, 1, FLAGS, LEAT_OP_PLAIN, 0, shape_infer, NULL, random_run},
    {"", "RandomUniformLike", 1, 0, 1, 1, 1, 1, FLAGS, LEAT_OP_PLAIN, 0, like_infer, NULL, random_run},
    {"", "RandomNormalLike", 1, 0, 1, 1, 1, 1, FLAGS, LEAT_OP_PLAIN, 0, like_infer, NULL, random_run},
    {"", "Bernoulli", 15, 0, 1, 1, 1, 1, FLAGS, LEAT_OP_PLAIN, 0, like_infer, NULL, bernoulli_run},
    {"", "Multinomial", 7, 0, 1, 1, 1, 1, FLAGS, LEAT_OP_PLAIN, 0, multinomial_infer, NULL, multinomial_run},
    {0}};
