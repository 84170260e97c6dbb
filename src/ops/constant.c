/* constant.c - tensors made from attributes and a few numbers: Constant, ConstantOfShape, Range, EyeLike, OneHot. */
#include "ops/move.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/fp16.h"

/* ---- Constant --------------------------------------------------------------------------------------------------------- */

static int constant_infer(leat_op_call *call) {
    const leat_attrs *attrs = call->attrs;
    const leat_tensor *t = leat__attr_tensor(attrs, "value");
    int64_t dims[1] = {0};
    int n = 0;
    if (t) return t->data || leat_tensor_count(t) == 0 ? leat__move_out(call, 0, t->dtype, t->rank, t->dims)
                                                        : leat__op_fail(call, LEAT_EFORMAT, "attribute value has no data");
    if (leat__attr(attrs, "value_float")) return leat__move_out(call, 0, LEAT_DTYPE_F32, 0, NULL);
    if (leat__attr(attrs, "value_int")) return leat__move_out(call, 0, LEAT_DTYPE_I64, 0, NULL);
    if (leat__attr(attrs, "value_floats")) {
        leat__attr_floats(attrs, "value_floats", &n);
        return dims[0] = n, leat__move_out(call, 0, LEAT_DTYPE_F32, 1, dims);
    }
    if (leat__attr(attrs, "value_ints")) {
        leat__attr_ints(attrs, "value_ints", &n);
        return dims[0] = n, leat__move_out(call, 0, LEAT_DTYPE_I64, 1, dims);
    }
    return leat__op_fail(call, LEAT_EUNSUPPORTED, "only value, value_float(s) and value_int(s) are supported");
}

static int constant_run(leat_op_call *call) {
    const leat_attrs *attrs = call->attrs;
    const leat_tensor *t = leat__attr_tensor(attrs, "value"), *y = call->out[0];
    const void *from = NULL;
    float f = leat__attr_float(attrs, "value_float", 0);
    int64_t i = leat__attr_int(attrs, "value_int", 0);
    int n = 0;
    if (t) from = t->data;
    else if (leat__attr(attrs, "value_float")) from = &f;
    else if (leat__attr(attrs, "value_int")) from = &i;
    else if (leat__attr(attrs, "value_floats")) from = leat__attr_floats(attrs, "value_floats", &n);
    else from = leat__attr_ints(attrs, "value_ints", &n);
    leat__move_bytes(call, y->data, from, leat_tensor_bytes(y));
    return LEAT_OK;
}

/* ---- ConstantOfShape -------------------------------------------------------------------------------------------------- */

static int of_shape_infer(leat_op_call *call) {
    const leat_tensor *value = leat__attr_tensor(call->attrs, "value");
    int64_t dims[LEAT_MAX_RANK];
    int n, status = leat__move_values(call, 0, dims, LEAT_MAX_RANK, &n);
    if (status) return status;
    if (value && (leat_tensor_count(value) != 1 || !value->data))
        return leat__op_fail(call, LEAT_EFORMAT, "attribute value must hold one value");
    return leat__move_out(call, 0, value ? value->dtype : LEAT_DTYPE_F32, n, dims);
}

static int of_shape_run(leat_op_call *call) {
    const leat_tensor *value = leat__attr_tensor(call->attrs, "value"), *y = call->out[0];
    float zero = 0;
    leat__copy_fill(y->data, value ? value->data : &zero, (int64_t)leat_dtype_size(y->dtype), leat_tensor_count(y));
    return LEAT_OK;
}

/* ---- Range ------------------------------------------------------------------------------------------------------------ */

static int range_check(leat_op_call *call) {
    const leat_tensor *start = call->in[0];
    for (int i = 0; i < 3; i++) {
        if (leat_tensor_count(call->in[i]) != 1) return leat__op_fail(call, LEAT_ESHAPE, "input %d must be one value", i);
        if (call->in[i]->dtype != start->dtype) return leat__op_fail(call, LEAT_ETYPE, "start, limit and delta differ in type");
    }
    if (leat__dtype_is_float(start->dtype) || leat__dtype_is_int(start->dtype)) return LEAT_OK;
    return leat__op_fail(call, LEAT_ETYPE, "%s has no range", leat_dtype_name(start->dtype));
}

static int range_count(leat_op_call *call, int64_t *count) {
    if (leat__dtype_is_float(call->in[0]->dtype)) {
        double start = leat__tensor_get_float(call->in[0], 0), limit = leat__tensor_get_float(call->in[1], 0),
            delta = leat__tensor_get_float(call->in[2], 0);
        double n = ceil((limit - start) / delta);
        if (!(delta != 0) || !(n < 1e15))
            return leat__op_fail(call, LEAT_EINVAL, "start %g, limit %g, delta %g make no range", start, limit, delta);
        *count = n > 0 ? (int64_t)n : 0;
        return LEAT_OK;
    }
    int64_t start = leat__tensor_get_int(call->in[0], 0), limit = leat__tensor_get_int(call->in[1], 0),
        delta = leat__tensor_get_int(call->in[2], 0);
    if (delta == 0) return leat__op_fail(call, LEAT_EINVAL, "delta is 0");
    *count = 0;
    if (delta > 0 ? start >= limit : start <= limit) return LEAT_OK;
    uint64_t span = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta, n = (span - 1) / step + 1;
    if (n > INT64_MAX / 64) return leat__op_fail(call, LEAT_ELIMIT, "output is too large");
    *count = (int64_t)n;
    return LEAT_OK;
}

static int range_infer(leat_op_call *call) {
    int64_t dims[1];
    int status = range_check(call);
    if (status) return status;
    for (int i = 0; i < 3; i++)
        if (!call->in[i]->data) return LEAT_EDYNAMIC;
    status = range_count(call, dims);
    return status ? status : leat__move_out(call, 0, call->in[0]->dtype, 1, dims);
}

static int range_run(leat_op_call *call) {
    leat_tensor *y = call->out[0];
    int64_t n;
    int status = range_count(call, &n);
    if (status) return status;
    if (n != y->dims[0]) return leat__op_fail(call, LEAT_EINTERNAL, "range changed after planning");
    if (leat__dtype_is_float(y->dtype)) {
        double start = leat__tensor_get_float(call->in[0], 0), delta = leat__tensor_get_float(call->in[2], 0);
        for (int64_t i = 0; i < n; i++) { /* float32 rounds as its own arithmetic does */
            double value = y->dtype == LEAT_DTYPE_F32 ? (double)((float)start + (float)i * (float)delta) : start + (double)i * delta;
            leat__tensor_set_float(y, i, value);
        }
        return LEAT_OK;
    }
    /* unsigned, so that a hostile range wraps without undefined behaviour */
    uint64_t start = (uint64_t)leat__tensor_get_int(call->in[0], 0), delta = (uint64_t)leat__tensor_get_int(call->in[2], 0);
    for (int64_t i = 0; i < n; i++) leat__tensor_set_int(y, i, (int64_t)(start + (uint64_t)i * delta));
    return LEAT_OK;
}

/* ---- EyeLike ---------------------------------------------------------------------------------------------------------- */

static int eye_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t dtype = leat__attr_int(call->attrs, "dtype", x->dtype);
    if (x->rank != 2) return leat__op_fail(call, LEAT_ESHAPE, "input must have rank 2, has %d", x->rank);
    if (dtype <= 0 || dtype >= LEAT_DTYPE_COUNT || !(leat__dtype_is_float((leat_dtype)dtype) ||
                                                     leat__dtype_is_int((leat_dtype)dtype) || dtype == LEAT_DTYPE_BOOL))
        return leat__op_fail(call, LEAT_ETYPE, "attribute dtype is %" PRId64, dtype);
    return leat__move_out(call, 0, (leat_dtype)dtype, 2, x->dims);
}

static int eye_run(leat_op_call *call) {
    leat_tensor *y = call->out[0];
    int64_t k = leat__attr_int(call->attrs, "k", 0), rows = y->dims[0], cols = y->dims[1];
    memset(y->data, 0, leat_tensor_bytes(y));
    if (k >= cols || k <= -rows) return LEAT_OK;
    for (int64_t r = k < 0 ? -k : 0; r < rows && r + k < cols; r++) {
        if (y->dtype == LEAT_DTYPE_BOOL) ((uint8_t *)y->data)[r * cols + r + k] = 1;
        else leat__tensor_set_float(y, r * cols + r + k, 1);
    }
    return LEAT_OK;
}

/* ---- OneHot ----------------------------------------------------------------------------------------------------------- */

static int one_hot_infer(leat_op_call *call) {
    const leat_tensor *indices = call->in[0], *depth = call->in[1], *values = call->in[2];
    int64_t dims[LEAT_MAX_RANK + 1], n;
    int axis, rank = indices->rank + 1, status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", -1), rank, &axis);
    if (status) return status;
    if (leat_tensor_count(values) != 2 || leat_tensor_count(depth) != 1)
        return leat__op_fail(call, LEAT_ESHAPE, "depth must be one value and values two");
    if (!(leat__dtype_is_float(indices->dtype) || leat__dtype_is_int(indices->dtype)) ||
        !(leat__dtype_is_float(depth->dtype) || leat__dtype_is_int(depth->dtype)))
        return leat__op_fail(call, LEAT_ETYPE, "indices and depth must be numbers");
    if (!depth->data) return LEAT_EDYNAMIC;
    if (leat__dtype_is_float(depth->dtype)) {
        double d = leat__tensor_get_float(depth, 0);
        n = d >= 0 && d < 1e15 ? (int64_t)d : -1;
    } else n = leat__tensor_get_int(depth, 0);
    if (n < 0) return leat__op_fail(call, LEAT_EINVAL, "depth is %" PRId64, n);
    for (int a = 0; a < rank; a++) dims[a] = a < axis ? indices->dims[a] : a == axis ? n : indices->dims[a - 1];
    return leat__move_out(call, 0, values->dtype, rank, dims);
}

static int one_hot_run(leat_op_call *call) {
    const leat_tensor *indices = call->in[0], *values = call->in[2], *y = call->out[0];
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", -1), y->rank), is_float = leat__dtype_is_float(indices->dtype);
    int64_t depth = y->dims[axis], inner = leat__move_span(y->dims, axis + 1, y->rank),
        elem = (int64_t)leat_dtype_size(y->dtype), n = leat_tensor_count(indices);
    const uint8_t *on = (const uint8_t *)values->data + elem;
    leat__copy_fill(y->data, values->data, elem, leat_tensor_count(y));
    for (int64_t i = 0; i < n; i++) {
        double f = is_float ? leat__tensor_get_float(indices, i) : 0;
        if (is_float && !(f >= (double)-depth && f < (double)depth)) continue;
        int64_t v = is_float ? (int64_t)f : leat__tensor_get_int(indices, i);
        if (v < -depth || v >= depth) continue; /* outside: the row stays off */
        if (v < 0) v += depth;
        memcpy((uint8_t *)y->data + ((i / inner * depth + v) * inner + i % inner) * elem, on, (size_t)elem);
    }
    return LEAT_OK;
}

const leat_op leat__ops_constant[] = {
    {"", "Constant", 1, 0, 0, 0, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, constant_infer, NULL, constant_run},
    {"", "ConstantOfShape", 9, 0, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 1, of_shape_infer, NULL, of_shape_run},
    {"", "Range", 11, 0, 3, 3, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 1 | 2 | 4, range_infer, NULL, range_run},
    {"", "EyeLike", 9, 0, 1, 1, 1, 1, LEAT_OP_SHAPE_ONLY | MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, eye_infer, NULL, eye_run},
    {"", "OneHot", 9, 0, 3, 3, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 2, one_hot_infer, NULL, one_hot_run},
    {0}};
