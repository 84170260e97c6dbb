/* image_scaler.c - the experimental ImageScaler of opset 1 that old models carry: scale x + bias[channel]. */
#include "ops/move.h"

#include <inttypes.h>

static int check_real(leat_op_call *call) {
    leat_dtype dtype = call->in[0]->dtype;
    if (dtype == LEAT_DTYPE_F32 || dtype == LEAT_DTYPE_F64) return LEAT_OK;
    return leat__op_fail(call, LEAT_ETYPE, "%s is not supported, only float32 and float64", leat_dtype_name(dtype));
}

static double get(const leat_tensor *t, int64_t i) {
    return t->dtype == LEAT_DTYPE_F32 ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i];
}
static void put(const leat_tensor *t, int64_t i, double value) {
    if (t->dtype == LEAT_DTYPE_F32) ((float *)t->data)[i] = (float)value;
    else ((double *)t->data)[i] = value;
}

static int scaler_infer(leat_op_call *call) {
    int n;
    const float *bias = leat__attr_floats(call->attrs, "bias", &n);
    if (call->in[0]->rank != 4) return leat__op_fail(call, LEAT_ESHAPE, "input must have rank 4, has %d", call->in[0]->rank);
    if (bias && n != call->in[0]->dims[1])
        return leat__op_fail(call, LEAT_ESHAPE, "bias has %d values for %" PRId64 " channels", n, call->in[0]->dims[1]);
    int status = check_real(call);
    return status ? status : leat__infer_same(call);
}

static int scaler_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    int n;
    const float *bias = leat__attr_floats(call->attrs, "bias", &n);
    double scale = (double)leat__attr_float(call->attrs, "scale", 1);
    int64_t plane = x->dims[2] * x->dims[3], count = leat_tensor_count(x);
    for (int64_t i = 0; i < count; i++) put(y, i, scale * get(x, i) + (bias ? (double)bias[i / plane % x->dims[1]] : 0));
    return LEAT_OK;
}

const leat_op leat__ops_image_scaler[] = {
    {"", "ImageScaler", 1, 0, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, scaler_infer, NULL, scaler_run},
    {0}};
