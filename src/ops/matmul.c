/* matmul.c - MatMul, FusedMatMul (com.microsoft) and MatMul of domain "leat" (fused.h). */
#include <string.h>

#include "ops/fuse_attr.h"
#include "ops/matmul_plan.h"

static int is_fused(const leat_op_call *call) { return strcmp(call->op->domain, "leat") == 0; }

static int matmul_shape_of(leat_op_call *call, matmul_shape *shape, leat_tensor *out) {
    int ms = strcmp(call->op->domain, "com.microsoft") == 0;
    int ta = leat__attr_int(call->attrs, ms ? "transA" : "trans_a", 0) != 0, tb = leat__attr_int(call->attrs, ms ? "transB" : "trans_b", 0) != 0;
    if (ms && (leat__attr_int(call->attrs, "transBatchA", 0) || leat__attr_int(call->attrs, "transBatchB", 0)))
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "transBatchA and transBatchB");
    if (!ms && !is_fused(call)) ta = tb = 0;
    return leat__matmul_shape(call, leat__op_in(call, 0), leat__op_in(call, 1), ta, tb, shape, out);
}

static int matmul_infer(leat_op_call *call) {
    matmul_shape s;
    leat_tensor y = {0};
    int status = matmul_shape_of(call, &s, &y);
    if (status) return status;
    const leat_tensor *bias = leat__op_in(call, 2), *residual = leat__op_in(call, 3);
    int f32 = y.dtype == LEAT_DTYPE_F32;
    if (!f32 && (is_fused(call) || !leat__matmul_knows(y.dtype)))
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "element type %s", leat_dtype_name(y.dtype));
    if (bias && (bias->dtype != LEAT_DTYPE_F32 || leat_tensor_count(bias) != s.n))
        return leat__op_fail(call, LEAT_ESHAPE, "the bias must be float32[%lld]", (long long)s.n);
    if (residual && (residual->dtype != LEAT_DTYPE_F32 || leat_tensor_count(residual) != leat_tensor_count(&y)))
        return leat__op_fail(call, LEAT_ESHAPE, "the residual must be float32 with the shape of the output");
    if (leat__op_out(call, 0)) leat__tensor_set(leat__op_out(call, 0), y.dtype, y.rank, y.dims);
    return LEAT_OK;
}

static int matmul_prepare(leat_op_call *call) {
    matmul_plan *p = leat__op_state(call, sizeof *p);
    if (!p) return LEAT_ENOMEM;
    int status = matmul_shape_of(call, &p->shape, NULL);
    if (status) return status;
    p->alpha = call->op->domain[0] ? leat__attr_float(call->attrs, "alpha", 1.0f) : 1.0f;
    leat__act_defaults(LEAT_ACT_NONE, &p->epilogue.params);
    if (is_fused(call)) status = leat__epilogue_attrs(call, &p->epilogue);
    if (status) return status;
    if (call->in[0]->dtype == LEAT_DTYPE_F32) return leat__matmul_prepare(call, p, 0);
    call->macs = p->shape.batch * p->shape.m * p->shape.n * p->shape.k;
    call->kernel = "leat_matmul_plain_ref";
    return LEAT_OK;
}

static int matmul_run(leat_op_call *call) {
    const matmul_plan *p = call->state;
    leat_tensor *y = leat__op_out(call, 0);
    if (!y || leat_tensor_count(y) == 0) return LEAT_OK;
    if (y->dtype != LEAT_DTYPE_F32) {
        leat__matmul_plain(y->dtype, &p->shape, call->in[0]->data, call->in[1]->data, y->data);
        return LEAT_OK;
    }
    leat_epilogue e = {0};
    const leat_tensor *bias = leat__op_in(call, 2), *residual = leat__op_in(call, 3);
    e.bias = bias ? bias->data : NULL;
    e.residual = residual ? residual->data : NULL;
    leat__matmul_run(call, p, &e);
    return LEAT_OK;
}

const leat_op leat__ops_matmul[] = {
    {"", "MatMul", 1, 0, 2, 2, 1, 1, 0, LEAT_OP_PLAIN, 0, matmul_infer, matmul_prepare, matmul_run},
    {"leat", "MatMul", 1, 0, 2, 4, 1, 1, 0, LEAT_OP_PLAIN, 0, matmul_infer, matmul_prepare, matmul_run},
    {"com.microsoft", "FusedMatMul", 1, 0, 2, 2, 1, 1, 0, LEAT_OP_PLAIN, 0, matmul_infer, matmul_prepare, matmul_run},
    {0}};
