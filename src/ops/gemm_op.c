/* gemm_op.c - Gemm and FusedGemm (com.microsoft): Y = act(alpha A' B' + beta C), C broadcast to Y.
 *
 * A C of one row becomes the bias; any other is written out as [M, N] in scratch and added as a residual.  Integer and double Gemm
 * exist in the standard; they are computed in float64, exact for what such models hold. */
#include <string.h>

#include "ops/fuse_attr.h"
#include "ops/matmul_plan.h"

typedef struct gemm_state {
    matmul_plan plan; /* first: state is read as a matmul_plan too */
    float       beta;
    int         c_rows; /* 1: C is one row or a scalar, else [M, N] is made */
} gemm_state;

static int gemm_shape(leat_op_call *call, matmul_shape *s, leat_tensor *y) {
    const leat_tensor *a = leat__op_in(call, 0), *b = leat__op_in(call, 1);
    if (!a || !b || a->rank != 2 || b->rank != 2) return leat__op_fail(call, LEAT_ESHAPE, "inputs 0 and 1 must be matrices");
    return leat__matmul_shape(call, a, b, leat__attr_int(call->attrs, "transA", 0) != 0, leat__attr_int(call->attrs, "transB", 0) != 0, s, y);
}

static int gemm_infer(leat_op_call *call) {
    matmul_shape s;
    leat_tensor y = {0};
    int status = gemm_shape(call, &s, &y);
    if (status) return status;
    if (y.dtype != LEAT_DTYPE_F32 && !leat__matmul_knows(y.dtype))
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "element type %s", leat_dtype_name(y.dtype));
    const leat_tensor *c = leat__op_in(call, 2);
    int64_t dims[LEAT_MAX_RANK];
    int rank;
    char text[160];
    if (c && (c->dtype != y.dtype || leat__broadcast_dims(c->dims, c->rank, y.dims, 2, dims, &rank) != LEAT_OK || rank != 2 ||
              dims[0] != s.m || dims[1] != s.n))
        return leat__op_fail(call, LEAT_ESHAPE, "C %s does not broadcast to [%lld, %lld]", leat__tensor_text(c, text, sizeof text), (long long)s.m,
                             (long long)s.n);
    if (leat__op_out(call, 0)) leat__tensor_set(leat__op_out(call, 0), y.dtype, 2, y.dims);
    return LEAT_OK;
}

/* Strides of C under [M, N]. */
static void c_strides(const leat_tensor *c, int64_t *row, int64_t *column) {
    *column = c->rank > 0 && c->dims[c->rank - 1] > 1;
    *row = c->rank > 1 && c->dims[c->rank - 2] > 1 ? c->dims[c->rank - 1] : 0;
}

static int gemm_prepare(leat_op_call *call) {
    gemm_state *state = leat__op_state(call, sizeof *state);
    if (!state) return LEAT_ENOMEM;
    matmul_plan *p = &state->plan;
    int status = gemm_shape(call, &p->shape, NULL);
    if (!status) status = leat__epilogue_attrs(call, &p->epilogue);
    if (status) return status;
    p->epilogue.params.alpha = leat__attr_float(call->attrs, "activation_alpha", p->epilogue.params.alpha);
    p->epilogue.params.beta = leat__attr_float(call->attrs, "activation_beta", p->epilogue.params.beta);
    p->alpha = leat__attr_float(call->attrs, "alpha", 1.0f);
    state->beta = leat__attr_float(call->attrs, "beta", 1.0f);
    const leat_tensor *c = leat__op_in(call, 2);
    int64_t row = 0, column = 0;
    if (c) c_strides(c, &row, &column);
    state->c_rows = row == 0 ? 1 : 0;
    if (call->in[0]->dtype == LEAT_DTYPE_F32)
        return leat__matmul_prepare(call, p, c ? (size_t)((row ? p->shape.m : 1) * p->shape.n) * sizeof(float) : 0);
    call->macs = p->shape.m * p->shape.n * p->shape.k;
    call->kernel = "leat_gemm_plain_ref";
    return LEAT_OK;
}

static void spread_c(const gemm_state *state, const leat_tensor *c, float *to) {
    int64_t row, column;
    c_strides(c, &row, &column);
    const float *from = c->data;
    for (int64_t m = 0; m < (state->c_rows ? 1 : state->plan.shape.m); m++)
        for (int64_t n = 0; n < state->plan.shape.n; n++) *to++ = state->beta * from[m * row + n * column];
}

static void run_other_type(leat_op_call *call, const gemm_state *state) {
    const matmul_shape *s = &state->plan.shape;
    const leat_tensor *c = leat__op_in(call, 2);
    leat_tensor *y = call->out[0];
    leat__matmul_plain(y->dtype, s, call->in[0]->data, call->in[1]->data, y->data);
    int is_int = leat__dtype_is_int(y->dtype);
    if (is_int && state->plan.alpha == 1.0f && (!c || state->beta == 1.0f)) {
        int64_t row = 0, column = 0;
        if (c) c_strides(c, &row, &column);
        for (int64_t i = 0; c && i < s->m * s->n; i++) {
            uint64_t sum = (uint64_t)leat__tensor_get_int(y, i) + (uint64_t)leat__tensor_get_int(c, i / s->n * row + i % s->n * column);
            leat__tensor_set_int(y, i, (int64_t)sum);
        }
        return;
    }
    int64_t row = 0, column = 0;
    if (c) c_strides(c, &row, &column);
    for (int64_t i = 0; i < s->m * s->n; i++) {
        double v = (double)state->plan.alpha * leat__tensor_get_float(y, i);
        if (c) v += (double)state->beta * leat__tensor_get_float(c, i / s->n * row + i % s->n * column);
        leat__tensor_set_float(y, i, v);
    }
}

static int gemm_run(leat_op_call *call) {
    const gemm_state *state = call->state;
    const leat_tensor *c = leat__op_in(call, 2);
    leat_tensor *y = leat__op_out(call, 0);
    if (!y || leat_tensor_count(y) == 0) return LEAT_OK;
    if (y->dtype != LEAT_DTYPE_F32) {
        run_other_type(call, state);
        return LEAT_OK;
    }
    leat_epilogue e = {0};
    if (c) {
        float *spread = (float *)((char *)call->scratch + state->plan.at_c);
        spread_c(state, c, spread);
        if (state->c_rows) e.bias = spread;
        else e.residual = spread;
    }
    leat__matmul_run(call, &state->plan, &e);
    return LEAT_OK;
}

const leat_op leat__ops_gemm_op[] = {
    {"", "Gemm", 1, 0, 2, 3, 1, 1, 0, LEAT_OP_PLAIN, 0, gemm_infer, gemm_prepare, gemm_run},
    {"com.microsoft", "FusedGemm", 1, 0, 2, 3, 1, 1, 0, LEAT_OP_PLAIN, 0, gemm_infer, gemm_prepare, gemm_run},
    {0}};
