/* det.c - Det: determinants of the last two axes by elimination with partial pivoting, in double. */
#include <math.h>
#include <string.h>

#include "ops/op.h"

static int det_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int r = x->rank;
    if (x->dtype != LEAT_DTYPE_F32 && x->dtype != LEAT_DTYPE_F64) return leat__op_fail(call, LEAT_ETYPE, "input is %s, not float", leat_dtype_name(x->dtype));
    if (r < 2 || x->dims[r - 1] != x->dims[r - 2]) return leat__op_fail(call, LEAT_ESHAPE, "the last two axes must be square");
    leat__tensor_set(call->out[0], x->dtype, r - 2, x->dims);
    return LEAT_OK;
}

static int det_prepare(leat_op_call *call) {
    size_t n = (size_t)call->in[0]->dims[call->in[0]->rank - 1];
    call->scratch_bytes = n * n * sizeof(double) + 8;
    return LEAT_OK;
}

static double determinant(double *m, int64_t n) {
    double det = 1;
    for (int64_t c = 0; c < n; c++) {
        int64_t pivot = c;
        for (int64_t r = c + 1; r < n; r++)
            if (fabs(m[r * n + c]) > fabs(m[pivot * n + c])) pivot = r;
        if (m[pivot * n + c] == 0) return 0;
        for (int64_t k = c; pivot != c && k < n; k++) {
            double swap = m[c * n + k];
            m[c * n + k] = m[pivot * n + k];
            m[pivot * n + k] = swap;
        }
        det *= pivot != c ? -m[c * n + c] : m[c * n + c];
        for (int64_t r = c + 1; r < n; r++) {
            double f = m[r * n + c] / m[c * n + c];
            for (int64_t k = c; k < n; k++) m[r * n + k] -= f * m[c * n + k];
        }
    }
    return det;
}

static int det_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t n = x->dims[x->rank - 1], count = leat_tensor_count(call->out[0]);
    double *m = call->scratch;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < n * n; k++) m[k] = leat__tensor_get_float(x, i * n * n + k);
        leat__tensor_set_float(call->out[0], i, determinant(m, n));
    }
    return LEAT_OK;
}

const leat_op leat__ops_det[] = {{"", "Det", 11, 0, 1, 1, 1, 1, 0, LEAT_OP_PLAIN, 0, det_infer, det_prepare, det_run}, {0}};
