/* affine.c - AffineGrid, and the experimental ImageScaler of opset 1 that old models carry (scale x + bias[channel]). */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

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

/* ---- AffineGrid ------------------------------------------------------------------------------------------------------- */

/* theta [N, d, d + 1] and size [N, C, spatial(d)] -> grid [N, spatial.., d], d = 2 or 3. */
static int grid_infer(leat_op_call *call) {
    const leat_tensor *theta = call->in[0];
    int64_t size[5], dims[5];
    int n, status = check_real(call);
    if (!status) status = leat__move_values(call, 1, size, 5, &n);
    if (status) return status;
    if (n < 4) return leat__op_fail(call, LEAT_ESHAPE, "size has %d values, needs 4 or 5", n);
    int d = n - 2;
    if (theta->rank != 3 || theta->dims[0] != size[0] || theta->dims[1] != d || theta->dims[2] != d + 1)
        return leat__op_fail(call, LEAT_ESHAPE, "theta must be [%" PRId64 ", %d, %d]", size[0], d, d + 1);
    dims[0] = size[0];
    for (int i = 0; i < d; i++) dims[1 + i] = size[2 + i];
    dims[1 + d] = d;
    return leat__move_out(call, 0, theta->dtype, n, dims);
}

/* Position i of n in [-1, 1]: corners on the ends, or pixel centres. */
static double grid_position(int64_t i, int64_t n, int corners) {
    if (!corners) return (2.0 * (double)i + 1.0) / (double)n - 1.0;
    return n > 1 ? 2.0 * (double)i / (double)(n - 1) - 1.0 : 0.0;
}

static int grid_run(leat_op_call *call) {
    const leat_tensor *theta = call->in[0], *y = call->out[0];
    int d = y->rank - 2, corners = leat__attr_int(call->attrs, "align_corners", 0) != 0;
    int64_t points = leat__move_span(y->dims, 1, 1 + d), n = y->dims[0];
    for (int64_t p = 0; p < n * points; p++) {
        double at[4];
        int64_t left = p % points, matrix = p / points * d * (d + 1);
        for (int a = 0; a < d; a++) { /* x, y, z: the innermost spatial axis comes first */
            int64_t dim = y->dims[d - a];
            at[a] = grid_position(left % dim, dim, corners);
            left /= dim;
        }
        at[d] = 1;
        for (int r = 0; r < d; r++) {
            double sum = 0;
            for (int c = 0; c <= d; c++) sum += get(theta, matrix + r * (d + 1) + c) * at[c];
            put(y, p * d + r, sum);
        }
    }
    return LEAT_OK;
}

/* ---- ImageScaler ------------------------------------------------------------------------------------------------------- */

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

const leat_op leat__ops_affine[] = {
    {"", "AffineGrid", 20, 0, 2, 2, 1, 1, 0, LEAT_OP_PLAIN, 2, grid_infer, NULL, grid_run},
    {"", "ImageScaler", 1, 0, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, scaler_infer, NULL, scaler_run},
    {0}};
