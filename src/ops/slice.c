/* slice.c - Slice (opset 1: attributes; 10 and later: inputs, with steps) and the legacy Crop.
 *
 * A slice is a strided copy that starts somewhere inside: every axis gives a start, a count and a step, negative steps walk
 * backwards. Works on channels-last storage because only strides by logical axis are used.
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

typedef struct slice_range {
    int64_t start[LEAT_MAX_RANK], step[LEAT_MAX_RANK], count[LEAT_MAX_RANK];
} slice_range;

static void whole_range(const leat_tensor *x, slice_range *r) {
    for (int a = 0; a < x->rank; a++) r->start[a] = 0, r->step[a] = 1, r->count[a] = x->dims[a];
}

/* Clamps one axis as the specification says: start and end to [0, dim], walking backwards start to [0, dim - 1] and end to
 * [-1, dim - 1].  (numpy differs for a start before the first element: there nothing is left.) */
static void clamp_axis(slice_range *r, int axis, int64_t dim, int64_t start, int64_t end, int64_t step) {
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;
    start = start < -dim ? 0 : start < 0 ? start + dim : start;
    end = end < -dim ? low : end < 0 ? end + dim : end;
    if (start > high) start = high;
    if (end > high) end = high;
    int64_t span = step > 0 ? end - start : start - end;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    r->start[axis] = start;
    r->count[axis] = span > 0 ? (int64_t)(((uint64_t)span - 1) / stride) + 1 : 0;
    r->step[axis] = r->count[axis] > 1 ? step : 1; /* a step that is never taken cannot overflow a stride */
}

static int read_range(leat_op_call *call, slice_range *r) {
    const leat_tensor *x = call->in[0];
    int64_t starts[LEAT_MAX_RANK], ends[LEAT_MAX_RANK], axes[LEAT_MAX_RANK], steps[LEAT_MAX_RANK];
    uint32_t mask;
    int n, n_ends, n_axes, n_steps, status = leat__move_values_or_attr(call, 1, "starts", starts, LEAT_MAX_RANK, &n);
    if (!status) status = leat__move_values_or_attr(call, 2, "ends", ends, LEAT_MAX_RANK, &n_ends);
    if (!status) status = leat__move_values_or_attr(call, 3, "axes", axes, LEAT_MAX_RANK, &n_axes);
    if (!status) status = leat__move_values(call, 4, steps, LEAT_MAX_RANK, &n_steps);
    if (status) return status;
    if (n < 0 || n_ends < 0) return leat__op_fail(call, LEAT_EFORMAT, "lacks starts or ends");
    if (n != n_ends || (n_axes >= 0 && n_axes != n) || (n_steps >= 0 && n_steps != n))
        return leat__op_fail(call, LEAT_ESHAPE, "starts, ends, axes and steps differ in length (%d, %d, %d, %d)", n, n_ends,
                             n_axes, n_steps);
    for (int i = 0; n_axes < 0 && i < n; i++) axes[i] = i;
    if ((status = leat__move_axes(call, axes, n, x->rank, &mask)) != LEAT_OK) return status;
    whole_range(x, r);
    for (int i = 0; i < n; i++) {
        int64_t step = n_steps >= 0 ? steps[i] : 1;
        if (step == 0) return leat__op_fail(call, LEAT_EINVAL, "steps[%d] is 0", i);
        clamp_axis(r, (int)axes[i], x->dims[axes[i]], starts[i], ends[i], step);
    }
    return LEAT_OK;
}

static int set_output(leat_op_call *call, const slice_range *r) {
    const leat_tensor *x = call->in[0];
    int status = leat__move_out(call, 0, x->dtype, x->rank, r->count);
    if (status == LEAT_OK && call->out[0]) call->out[0]->flags = x->flags & LEAT_TENSOR_NHWC;
    return status;
}

static int copy_range(leat_op_call *call, const slice_range *r) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    leat_copy copy = {.elem = (int64_t)leat_dtype_size(x->dtype)};
    int64_t from[LEAT_MAX_RANK], to[LEAT_MAX_RANK], offset = 0;
    int order[LEAT_MAX_RANK];
    for (int a = 0; a < x->rank; a++)
        if (r->count[a] != y->dims[a]) return leat__op_fail(call, LEAT_EINTERNAL, "range changed after planning");
    if (leat_tensor_count(y) == 0) return LEAT_OK;
    leat__move_strides(x, from);
    leat__move_strides(y, to);
    leat__move_order(y, order);
    for (int i = 0; i < x->rank; i++) {
        int a = order[i];
        offset += r->start[a] * from[a];
        leat__copy_axis(&copy, r->count[a], r->step[a] * from[a], to[a]);
    }
    leat__move_run(call, &copy, (const uint8_t *)x->data + offset, y->data);
    return LEAT_OK;
}

static int slice_infer(leat_op_call *call) {
    slice_range r;
    int status = read_range(call, &r);
    return status ? status : set_output(call, &r);
}

static int slice_run(leat_op_call *call) {
    slice_range r;
    int status = read_range(call, &r);
    return status ? status : copy_range(call, &r);
}

/* ---- Crop (experimental, opset 1): border [left, top, right, bottom], or left, top and scale [height, width] ------------ */

static int crop_range(leat_op_call *call, slice_range *r) {
    const leat_tensor *x = call->in[0];
    int n, n_scale;
    const int64_t *border = leat__attr_ints(call->attrs, "border", &n), *scale = leat__attr_ints(call->attrs, "scale", &n_scale);
    if (x->rank != 4) return leat__op_fail(call, LEAT_ESHAPE, "input must have rank 4, has %d", x->rank);
    if (!border || n != 4 || (scale && n_scale != 2))
        return leat__op_fail(call, LEAT_EFORMAT, "border needs 4 values and scale 2");
    whole_range(x, r);
    for (int k = 0; k < 2; k++) { /* k 0 = height, 1 = width */
        int64_t dim = x->dims[2 + k], lo = border[1 - k], hi = border[3 - k], count = scale ? scale[k] : 0;
        if (lo < 0 || lo > dim || hi < 0 || hi > dim)
            return leat__op_fail(call, LEAT_ESHAPE, "border %" PRId64 ", %" PRId64 " is outside %" PRId64, lo, hi, dim);
        if (!scale) count = dim - lo - hi;
        if (count < 0 || count > dim - lo)
            return leat__op_fail(call, LEAT_ESHAPE, "crop of %" PRId64 " from %" PRId64 " is outside %" PRId64, count, lo, dim);
        r->start[2 + k] = lo, r->count[2 + k] = count;
    }
    return LEAT_OK;
}

static int crop_infer(leat_op_call *call) {
    slice_range r;
    int status = crop_range(call, &r);
    return status ? status : set_output(call, &r);
}

static int crop_run(leat_op_call *call) {
    slice_range r;
    int status = crop_range(call, &r);
    return status ? status : copy_range(call, &r);
}

const leat_op leat__ops_slice[] = {
    {"", "Slice", 1, 9, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 0, slice_infer, NULL, slice_run},
    {"", "Slice", 10, 0, 3, 5, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 2 | 4 | 8 | 16, slice_infer, NULL, slice_run},
    {"", "Crop", 1, 0, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 0, crop_infer, NULL, crop_run},
    {0}};
