/* image_scaler.c - the experimental ImageScaler of opset 1 that old models carry: scale x + bias[channel], a plane at a time. */
#include "cpu/act.h"
#include "ops/move.h"

#include <inttypes.h>

static int scaler_infer(leat_op_call *call) {
    int n;
    const float *bias = leat__attr_floats(call->attrs, "bias", &n);
    if (call->in[0]->rank != 4) return leat__op_fail(call, LEAT_ESHAPE, "input must have rank 4, has %d", call->in[0]->rank);
    if (bias && n != call->in[0]->dims[1])
        return leat__op_fail(call, LEAT_ESHAPE, "bias has %d values for %" PRId64 " channels", n, call->in[0]->dims[1]);
    if (call->in[0]->dtype != LEAT_DTYPE_F32)
        return leat__op_fail(call, LEAT_ETYPE, "input is %s, not float32", leat_dtype_name(call->in[0]->dtype));
    return leat__infer_same(call);
}

/* One channel of one image. */
static void plane_task(void *arg, int64_t index, int worker) {
    const leat_op_call *call = arg;
    const leat_tensor *x = call->in[0];
    int n;
    const float *bias = leat__attr_floats(call->attrs, "bias", &n);
    int64_t plane = x->dims[2] * x->dims[3];
    leat_act_params params;
    leat__act_defaults(LEAT_ACT_AFFINE, &params);
    params.alpha = leat__attr_float(call->attrs, "scale", 1);
    params.beta = bias ? bias[index % x->dims[1]] : 0;
    leat__act_map_f32(LEAT_ACT_AFFINE, (const float *)x->data + index * plane, (float *)call->out[0]->data + index * plane,
                      plane, &params);
}

static int scaler_run(leat_op_call *call) {
    if (leat_tensor_count(call->in[0]) == 0) return LEAT_OK;
    leat__tpool_for_n(call->pool, call->threads, call->in[0]->dims[0] * call->in[0]->dims[1], plane_task, call);
    return LEAT_OK;
}

const leat_op leat__ops_image_scaler[] = {
    {"", "ImageScaler", 1, 0, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, scaler_infer, NULL, scaler_run},
    {0}};
