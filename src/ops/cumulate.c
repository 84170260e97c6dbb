/* cumulate.c - CumSum and CumProd along an axis, exclusive or not, forward or reverse. */
#include <string.h>

#include "ops/op.h"

typedef struct scan {
    int64_t outer, n, inner;
    int     product, exclusive, reverse;
} scan;

static int axis_of(leat_op_call *call, int *axis) {
    const leat_tensor *t = call->in[1];
    if (leat_tensor_count(t) != 1 || !leat__dtype_is_int(t->dtype)) return leat__op_fail(call, LEAT_ESHAPE, "axis must be one integer");
    if (!t->data) return LEAT_EDYNAMIC;
    *axis = leat__norm_axis(leat__tensor_get_int(t, 0), call->in[0]->rank);
    if (*axis < 0) return leat__op_fail(call, LEAT_EINVAL, "axis is outside a tensor of rank %d", call->in[0]->rank);
    return LEAT_OK;
}

static int scan_infer(leat_op_call *call) {
    leat_dtype dtype = call->in[0]->dtype;
    if (!leat__dtype_is_int(dtype) && dtype != LEAT_DTYPE_F32 && dtype != LEAT_DTYPE_F64)
        return leat__op_fail(call, LEAT_ETYPE, "input has element type %s, which the operator does not take", leat_dtype_name(dtype));
    return leat__infer_same(call);
}

/* U: the type to compute in, so that integers wrap. */
#define SCAN(T, U)                                                                                  \
    do {                                                                                            \
        const T *x = px;                                                                            \
        T       *y = py;                                                                            \
        for (int64_t o = 0; o < s->outer; o++)                                                      \
            for (int64_t i = 0; i < s->inner; i++) {                                                \
                U total = (U)s->product;                                                            \
                for (int64_t k = 0; k < s->n; k++) {                                                \
                    int64_t at = (o * s->n + (s->reverse ? s->n - 1 - k : k)) * s->inner + i;       \
                    U       v = (U)x[at], before = total;                                           \
                    total = s->product ? total * v : total + v;                                     \
                    y[at] = (T)(s->exclusive ? before : total);                                     \
                }                                                                                   \
            }                                                                                       \
    } while (0)

static void run_scan(const scan *s, leat_dtype dtype, const void *px, void *py) {
    switch (dtype) {
    case LEAT_DTYPE_F32: SCAN(float, float); break;
    case LEAT_DTYPE_F64: SCAN(double, double); break;
    case LEAT_DTYPE_I8: SCAN(int8_t, uint64_t); break;
    case LEAT_DTYPE_U8: SCAN(uint8_t, uint64_t); break;
    case LEAT_DTYPE_I16: SCAN(int16_t, uint64_t); break;
    case LEAT_DTYPE_U16: SCAN(uint16_t, uint64_t); break;
    case LEAT_DTYPE_I32: SCAN(int32_t, uint64_t); break;
    case LEAT_DTYPE_U32: SCAN(uint32_t, uint64_t); break;
    case LEAT_DTYPE_I64: SCAN(int64_t, uint64_t); break;
    default: SCAN(uint64_t, uint64_t); break;
    }
}

static int scan_run(leat_op_call *call) {
    const leat_tensor *t = call->in[0];
    scan s = {1, 1, 1, strcmp(call->op->name, "CumProd") == 0, leat__attr_int(call->attrs, "exclusive", 0) != 0,
              leat__attr_int(call->attrs, "reverse", 0) != 0};
    int axis = 0, status = axis_of(call, &axis);
    if (status) return status;
    for (int i = 0; i < t->rank; i++) *(i < axis ? &s.outer : i == axis ? &s.n : &s.inner) *= t->dims[i];
    run_scan(&s, t->dtype, t->data, call->out[0]->data);
    return LEAT_OK;
}

const leat_op leat__ops_cumulate[] = {
    {"", "CumSum", 11, 0, 2, 2, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, scan_infer, NULL, scan_run},
    {"", "CumProd", 26, 0, 2, 2, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, scan_infer, NULL, scan_run},
    {0}};
