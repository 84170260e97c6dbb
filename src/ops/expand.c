/* expand.c - Expand (broadcast to a shape) and Tile (repeat): strided copies whose source stands still on some axes. */
#include "ops/move.h"

#include <inttypes.h>

/* ---- Expand ----------------------------------------------------------------------------------------------------------- */

static int expand_dims(leat_op_call *call, int64_t dims[LEAT_MAX_RANK], int *rank) {
    const leat_tensor *x = call->in[0];
    int64_t shape[LEAT_MAX_RANK];
    int n, status = leat__move_values(call, 1, shape, LEAT_MAX_RANK, &n);
    if (status) return status;
    for (int i = 0; i < n; i++)
        if (shape[i] < 0) return leat__op_fail(call, LEAT_ESHAPE, "shape[%d] is %" PRId64, i, shape[i]);
    if (leat__broadcast_dims(x->dims, x->rank, shape, n, dims, rank) == LEAT_OK) return LEAT_OK;
    char text[128];
    return leat__op_fail(call, LEAT_ESHAPE, "%s does not broadcast to the requested shape",
                         leat__tensor_text(x, text, sizeof text));
}

static int expand_infer(leat_op_call *call) {
    int64_t dims[LEAT_MAX_RANK];
    int rank, status = expand_dims(call, dims, &rank);
    return status ? status : leat__move_out(call, 0, call->in[0]->dtype, rank, dims);
}

static int expand_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    int64_t from[LEAT_MAX_RANK], to[LEAT_MAX_RANK], elem = (int64_t)leat_dtype_size(x->dtype);
    leat_copy copy = {.elem = elem};
    leat__broadcast_strides(x->dims, x->rank, y->dims, y->rank, from);
    leat__strides(y->dims, y->rank, to);
    for (int i = 0; i < y->rank; i++) leat__copy_axis(&copy, y->dims[i], from[i] * elem, to[i] * elem);
    leat__move_run(call, &copy, x->data, y->data);
    return LEAT_OK;
}

/* ---- Tile ------------------------------------------------------------------------------------------------------------- */

/* repeats [rank]; opset 1 has instead scalars `tiles` and `axis`. */
static int read_repeats(leat_op_call *call, int64_t repeats[LEAT_MAX_RANK]) {
    const leat_tensor *x = call->in[0];
    int64_t axis[1];
    int n, n_axis, status = leat__move_values(call, 1, repeats, LEAT_MAX_RANK, &n);
    if (!status) status = leat__move_values(call, 2, axis, 1, &n_axis);
    if (status) return status;
    if (n_axis == 1 && n == 1) {
        int at, times = (int)repeats[0];
        if ((status = leat__move_axis(call, axis[0], x->rank, &at)) != LEAT_OK) return status;
        if (repeats[0] < 0 || repeats[0] > INT32_MAX) return leat__op_fail(call, LEAT_ESHAPE, "tiles is %" PRId64, repeats[0]);
        for (int i = 0; i < x->rank; i++) repeats[i] = i == at ? times : 1;
        return LEAT_OK;
    }
    if (n != x->rank) return leat__op_fail(call, LEAT_ESHAPE, "repeats has %d values, the input has rank %d", n, x->rank);
    for (int i = 0; i < n; i++)
        if (repeats[i] < 0) return leat__op_fail(call, LEAT_ESHAPE, "repeats[%d] is %" PRId64, i, repeats[i]);
    return LEAT_OK;
}

static int tile_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t repeats[LEAT_MAX_RANK], dims[LEAT_MAX_RANK];
    int status = read_repeats(call, repeats);
    if (status) return status;
    for (int i = 0; i < x->rank; i++)
        if (__builtin_mul_overflow(x->dims[i], repeats[i], &dims[i]))
            return leat__op_fail(call, LEAT_ELIMIT, "output is too large");
    return leat__move_out(call, 0, x->dtype, x->rank, dims);
}

static int tile_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    int64_t repeats[LEAT_MAX_RANK], from[LEAT_MAX_RANK], to[LEAT_MAX_RANK];
    int status = read_repeats(call, repeats);
    if (status) return status;
    leat_copy copy = {.elem = (int64_t)leat_dtype_size(x->dtype)};
    leat__move_strides(x, from);
    leat__move_strides(y, to);
    for (int i = 0; i < x->rank; i++) {
        if (repeats[i] * x->dims[i] != y->dims[i]) return leat__op_fail(call, LEAT_EINTERNAL, "repeats changed after planning");
        leat__copy_axis(&copy, repeats[i], 0, x->dims[i] * to[i]);
        leat__copy_axis(&copy, x->dims[i], from[i], to[i]);
    }
    leat__move_run(call, &copy, x->data, y->data);
    return LEAT_OK;
}

const leat_op leat__ops_expand[] = {
    {"", "Expand", 8, 0, 2, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 2, expand_infer, NULL, expand_run},
    {"", "Tile", 1, 5, 3, 3, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 2 | 4, tile_infer, NULL, tile_run},
    {"", "Tile", 6, 0, 2, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 2, tile_infer, NULL, tile_run},
    {0}};
