/* gelu_bias.c - activations of two operands: com.microsoft BiasGelu and FastGelu (bias over the last axis), ai.onnx SwiGLU (gate times value). */
#include <string.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"

typedef struct gelu_job {
    const float    *x, *second; /* bias [n] or NULL; gate's value */
    float          *y;
    int64_t         n;
    int             kind;
    leat_act_params p;
} gelu_job;

static void bias_span(const void *arg, int64_t from, int64_t count) {
    const gelu_job *job = arg;
    for (int64_t r = from; r < from + count; r++) {
        const float *x = job->x + r * job->n;
        float *y = job->y + r * job->n;
        if (job->second) leat__vmath()->vv[LEAT_VBIN_ADD](x, job->second, y, job->n);
        leat__act_map_f32(job->kind, job->second ? y : x, y, job->n, NULL);
    }
}

static int bias_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *bias = leat__op_in(call, 1);
    if (x->dtype != LEAT_DTYPE_F32 || x->rank < 1) return leat__op_fail(call, LEAT_ETYPE, "input must be float32 of rank 1 or more");
    if (bias && (bias->dtype != LEAT_DTYPE_F32 || bias->rank != 1 || bias->dims[0] != x->dims[x->rank - 1]))
        return leat__op_fail(call, LEAT_ESHAPE, "bias must be float32 [%lld]", (long long)x->dims[x->rank - 1]);
    return leat__infer_same(call);
}

static int bias_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *bias = leat__op_in(call, 1);
    int tanh_form = strcmp(call->op->name, "FastGelu") == 0;
    gelu_job job = {.x = x->data, .second = bias ? bias->data : NULL, .y = call->out[0]->data, .n = x->dims[x->rank - 1],
                    .kind = tanh_form ? LEAT_ACT_GELU_TANH : LEAT_ACT_GELU};
    int64_t total = leat_tensor_count(x);
    if (total) leat__el_rows(call, total / job.n, job.n, bias_span, &job);
    return LEAT_OK;
}

static int swiglu_infer(leat_op_call *call) {
    if (call->in[0]->dtype != LEAT_DTYPE_F32 || call->in[1]->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "inputs must be float32");
    if (!leat__dims_equal(call->in[0], call->in[1])) return leat__op_fail(call, LEAT_ESHAPE, "inputs must have one shape");
    return leat__infer_same(call);
}

static void swiglu_span(const void *arg, int64_t from, int64_t n) {
    enum { PIECE = 512 };
    const gelu_job *job = arg;
    float gate[PIECE];
    for (int64_t i = from; i < from + n; i += PIECE) {
        int64_t k = from + n - i < PIECE ? from + n - i : PIECE;
        leat__act_map_f32(LEAT_ACT_SILU, job->x + i, gate, k, &job->p);
        leat__vmath()->vv[LEAT_VBIN_MUL](gate, job->second + i, job->y + i, k);
    }
}

static int swiglu_run(leat_op_call *call) {
    gelu_job job = {.x = call->in[0]->data, .second = call->in[1]->data, .y = call->out[0]->data};
    job.p.alpha = leat__attr_float(call->attrs, "alpha", 1);
    leat__el_spans(call, leat_tensor_count(call->out[0]), swiglu_span, &job);
    return LEAT_OK;
}

const leat_op leat__ops_gelu_bias[] = {
    {"com.microsoft", "BiasGelu", 1, 0, 2, 2, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, bias_infer, leat__el_prepare, bias_run},
    {"com.microsoft", "FastGelu", 1, 0, 1, 2, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, bias_infer, leat__el_prepare, bias_run},
    {"", "SwiGLU", 1, 0, 2, 2, 1, 1, LEAT_OP_INPLACE | LEAT_OP_INPLACE1, LEAT_OP_PLAIN, 0, swiglu_infer, leat__el_prepare, swiglu_run},
    {0}};
