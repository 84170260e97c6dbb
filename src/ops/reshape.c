/* reshape.c - operators that change dims and keep the bytes: Identity, Reshape, Flatten, Squeeze, Unsqueeze, BitCast;
 * and those that only tell dims: Shape, Size.
 *
 * Every one of the first kind is a view: the planner may give input and output the same memory, and run copies only if it did
 * not. Axes and shapes are attributes in old opsets and inputs in new ones.
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

/* ---- Reshape ---------------------------------------------------------------------------------------------------------- */

/* Replaces 0 (copy from the input, unless allowzero) and the one -1 in dims [n]. */
static int resolve_shape(leat_op_call *call, const leat_tensor *x, int64_t *dims, int n, int allow_zero) {
    int unknown = -1;
    int64_t known = 1;
    for (int i = 0; i < n; i++) {
        if (dims[i] == 0 && !allow_zero) {
            if (i >= x->rank)
                return leat__op_fail(call, LEAT_ESHAPE, "shape[%d] is 0 (keep) but the input has rank %d", i, x->rank);
            dims[i] = x->dims[i];
        }
        if (dims[i] < -1) return leat__op_fail(call, LEAT_ESHAPE, "shape[%d] is %" PRId64, i, dims[i]);
        if (dims[i] == -1) {
            if (unknown >= 0) return leat__op_fail(call, LEAT_ESHAPE, "shape has more than one -1");
            unknown = i;
        } else if (__builtin_mul_overflow(known, dims[i], &known)) return leat__op_fail(call, LEAT_ELIMIT, "shape is too large");
    }
    int64_t count = leat_tensor_count(x);
    if (unknown >= 0) dims[unknown] = known ? count / known : 0;
    if ((unknown < 0 ? known : known * dims[unknown]) != count) {
        char text[128];
        return leat__op_fail(call, LEAT_ESHAPE, "%s does not fit the requested shape of %" PRId64 " elements",
                             leat__tensor_text(x, text, sizeof text), known);
    }
    return LEAT_OK;
}

static int reshape_infer(leat_op_call *call) {
    int64_t dims[LEAT_MAX_RANK];
    int n, status = leat__move_values_or_attr(call, 1, "shape", dims, LEAT_MAX_RANK, &n);
    if (status) return status;
    if (n < 0) return leat__op_fail(call, LEAT_EFORMAT, "has neither a shape input nor a shape attribute");
    status = resolve_shape(call, call->in[0], dims, n, leat__attr_int(call->attrs, "allowzero", 0) != 0);
    return status ? status : leat__move_out(call, 0, call->in[0]->dtype, n, dims);
}

static int flatten_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t axis = leat__attr_int(call->attrs, "axis", 1);
    if (axis < -x->rank || axis > x->rank)
        return leat__op_fail(call, LEAT_ESHAPE, "axis %" PRId64 " is outside rank %d", axis, x->rank);
    if (axis < 0) axis += x->rank;
    int64_t dims[2] = {leat__move_span(x->dims, 0, (int)axis), leat__move_span(x->dims, (int)axis, x->rank)};
    return leat__move_out(call, 0, x->dtype, 2, dims);
}

/* ---- Squeeze, Unsqueeze ----------------------------------------------------------------------------------------------- */

static int squeeze_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t axes[LEAT_MAX_RANK], dims[LEAT_MAX_RANK];
    uint32_t mask = 0;
    int n, rank = 0, status = leat__move_values_or_attr(call, 1, "axes", axes, LEAT_MAX_RANK, &n);
    if (!status && n >= 0) status = leat__move_axes(call, axes, n, x->rank, &mask);
    if (status) return status;
    for (int i = 0; i < x->rank; i++) {
        int drop = n < 0 ? x->dims[i] == 1 : (int)(mask >> i & 1);
        if (drop && x->dims[i] != 1)
            return leat__op_fail(call, LEAT_ESHAPE, "cannot drop axis %d, its dimension is %" PRId64, i, x->dims[i]);
        if (!drop) dims[rank++] = x->dims[i];
    }
    return leat__move_out(call, 0, x->dtype, rank, dims);
}

static int unsqueeze_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t axes[LEAT_MAX_RANK], dims[LEAT_MAX_RANK];
    uint32_t mask = 0;
    int n, status = leat__move_values_or_attr(call, 1, "axes", axes, LEAT_MAX_RANK, &n);
    if (status) return status;
    if (n < 0) return leat__op_fail(call, LEAT_EFORMAT, "has neither an axes input nor an axes attribute");
    int rank = x->rank + n;
    if (rank > LEAT_MAX_RANK)
        return leat__op_fail(call, LEAT_ELIMIT, "output has rank %d, at most %d are supported", rank, LEAT_MAX_RANK);
    if ((status = leat__move_axes(call, axes, n, rank, &mask)) != LEAT_OK) return status;
    for (int i = 0, from = 0; i < rank; i++) dims[i] = mask >> i & 1 ? 1 : x->dims[from++];
    return leat__move_out(call, 0, x->dtype, rank, dims);
}

/* ---- Bitcast ---------------------------------------------------------------------------------------------------------- */

static int bitcast_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t to = leat__attr_int(call->attrs, "to", 0);
    if (to <= 0 || to >= LEAT_DTYPE_COUNT || to == LEAT_DTYPE_STRING || x->dtype == LEAT_DTYPE_STRING ||
        leat_dtype_size((leat_dtype)to) != leat_dtype_size(x->dtype))
        return leat__op_fail(call, LEAT_ETYPE, "cannot reinterpret %s as type %" PRId64 " (sizes must be equal)",
                             leat_dtype_name(x->dtype), to);
    return leat__move_out(call, 0, (leat_dtype)to, x->rank, x->dims);
}

/* ---- Shape, Size ------------------------------------------------------------------------------------------------------ */

/* start and end of Shape, clamped to [0, rank]. */
static void shape_range(const leat_op_call *call, int rank, int64_t *start, int64_t *end) {
    *start = leat__attr_int(call->attrs, "start", 0);
    *end = leat__attr_int(call->attrs, "end", rank);
    if (*start < 0) *start = *start < -rank ? 0 : *start + rank;
    if (*end < 0) *end = *end < -rank ? 0 : *end + rank;
    if (*start > rank) *start = rank;
    if (*end > rank) *end = rank;
    if (*end < *start) *end = *start;
}

static int shape_infer(leat_op_call *call) {
    int64_t start, end;
    shape_range(call, call->in[0]->rank, &start, &end);
    int64_t dims[1] = {end - start};
    return leat__move_out(call, 0, LEAT_DTYPE_I64, 1, dims);
}

static int shape_run(leat_op_call *call) {
    int64_t start, end, *to = call->out[0]->data;
    shape_range(call, call->in[0]->rank, &start, &end);
    for (int64_t i = start; i < end; i++) *to++ = call->in[0]->dims[i];
    return LEAT_OK;
}

static int size_infer(leat_op_call *call) { return leat__move_out(call, 0, LEAT_DTYPE_I64, 0, NULL); }

static int size_run(leat_op_call *call) {
    *(int64_t *)call->out[0]->data = leat_tensor_count(call->in[0]);
    return LEAT_OK;
}

#define VIEW (LEAT_OP_VIEW | MOVE_ANY_TYPE)
const leat_op leat__ops_reshape[] = {
    {"", "Identity", 1, 0, 1, 1, 1, 1, VIEW, LEAT_OP_ANY, 0, leat__infer_same, NULL, leat__move_view_run},
    {"", "Reshape", 1, 4, 1, 1, 1, 1, VIEW, LEAT_OP_PLAIN, 0, reshape_infer, NULL, leat__move_view_run},
    {"", "Reshape", 5, 0, 2, 2, 1, 1, VIEW, LEAT_OP_PLAIN, 2, reshape_infer, NULL, leat__move_view_run},
    {"", "Flatten", 1, 0, 1, 1, 1, 1, VIEW, LEAT_OP_PLAIN, 0, flatten_infer, NULL, leat__move_view_run},
    {"", "Squeeze", 1, 0, 1, 2, 1, 1, VIEW, LEAT_OP_PLAIN, 2, squeeze_infer, NULL, leat__move_view_run},
    {"", "Unsqueeze", 1, 0, 1, 2, 1, 1, VIEW, LEAT_OP_PLAIN, 2, unsqueeze_infer, NULL, leat__move_view_run},
    {"", "BitCast", 1, 0, 1, 1, 1, 1, VIEW, LEAT_OP_PLAIN, 0, bitcast_infer, NULL, leat__move_view_run},
    {"", "Shape", 1, 0, 1, 1, 1, 1, LEAT_OP_SHAPE_ONLY | MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, shape_infer, NULL, shape_run},
    {"", "Size", 1, 0, 1, 1, 1, 1, LEAT_OP_SHAPE_ONLY | MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, size_infer, NULL, size_run},
    {0}};
