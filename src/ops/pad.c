/* pad.c - Pad (constant, reflect, edge, wrap; negative pads crop) and CenterCropPad.
 *
 * The output is written once, front to back: every output index of an axis maps to an input index or to "constant".  Axes behind
 * the last padded one move together as one unit, so that padding a channels-last image moves whole pixels and padding NCHW whole
 * runs. All arrays are in memory order; logical axes are mapped on entry, so plain and channels-last storage take the same path.
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP, PAD_UNKNOWN } pad_mode;

typedef struct pad_job {
    pad_mode       mode;
    int            rank;                               /* of the walk: axes up to the last padded one */
    int64_t        begin[LEAT_MAX_RANK], end[LEAT_MAX_RANK];
    int64_t        in_dims[LEAT_MAX_RANK], out_dims[LEAT_MAX_RANK], in_strides[LEAT_MAX_RANK]; /* strides in units */
    int64_t        unit, elem, rows, row_units, parts; /* unit and elem in bytes; a row = innermost walked axis */
    const uint8_t *src;
    uint8_t       *dst;
    uint8_t        value[16];
} pad_job;

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static pad_mode read_mode(const leat_op_call *call) {
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const char *mode = leat__attr_string(call->attrs, "mode", "constant");
    for (int i = 0; i < 4; i++)
        if (strcmp(mode, names[i]) == 0) return (pad_mode)i;
    return PAD_UNKNOWN;
}

/* pads of logical axes into begin and end [rank]. */
static int read_pads(leat_op_call *call, int64_t begin[LEAT_MAX_RANK], int64_t end[LEAT_MAX_RANK]) {
    const leat_tensor *x = call->in[0];
    int64_t pads[2 * LEAT_MAX_RANK], axes[LEAT_MAX_RANK];
    uint32_t mask;
    const char *attr = leat__attr(call->attrs, "paddings") ? "paddings" : "pads"; /* the name in opset 1 */
    int n, n_axes, status = leat__move_values_or_attr(call, 1, attr, pads, 2 * LEAT_MAX_RANK, &n);
    if (!status) status = leat__move_values(call, 3, axes, LEAT_MAX_RANK, &n_axes);
    if (status) return status;
    if (n < 0) return leat__op_fail(call, LEAT_EFORMAT, "has neither a pads input nor a pads attribute");
    for (int i = 0; n_axes < 0 && i < x->rank; i++) axes[i] = i;
    if (n_axes < 0) n_axes = x->rank;
    if (n != 2 * n_axes) return leat__op_fail(call, LEAT_ESHAPE, "pads has %d values, needs %d", n, 2 * n_axes);
    if ((status = leat__move_axes(call, axes, n_axes, x->rank, &mask)) != LEAT_OK) return status;
    memset(begin, 0, LEAT_MAX_RANK * sizeof *begin);
    memset(end, 0, LEAT_MAX_RANK * sizeof *end);
    for (int i = 0; i < n; i++)
        if (pads[i] > INT64_MAX / 64 || pads[i] < -INT64_MAX / 64)
            return leat__op_fail(call, LEAT_ELIMIT, "pads[%d] is %" PRId64, i, pads[i]);
    for (int i = 0; i < n_axes; i++) begin[axes[i]] = pads[i], end[axes[i]] = pads[n_axes + i];
    return LEAT_OK;
}

static int padded_dims(leat_op_call *call, pad_mode mode, const int64_t *begin, const int64_t *end, int64_t dims[LEAT_MAX_RANK]) {
    const leat_tensor *x = call->in[0];
    for (int a = 0; a < x->rank; a++) {
        int64_t kept = x->dims[a] + (begin[a] < 0 ? begin[a] : 0) + (end[a] < 0 ? end[a] : 0);
        if (__builtin_add_overflow(x->dims[a], begin[a], &dims[a]) || __builtin_add_overflow(dims[a], end[a], &dims[a]) ||
            dims[a] < 0)
            return leat__op_fail(call, LEAT_ESHAPE, "pads %" PRId64 ", %" PRId64 " leave nothing of axis %d (%" PRId64 ")",
                                 begin[a], end[a], a, x->dims[a]);
        if (mode != PAD_CONSTANT && kept <= 0 && dims[a] > 0)
            return leat__op_fail(call, LEAT_ESHAPE, "axis %d has nothing to repeat into its pads", a);
    }
    return LEAT_OK;
}

/* ---- the walk --------------------------------------------------------------------------------------------------------- */

/* Input index for output index o of an axis, or -1 for the constant. */
static int64_t source_index(const pad_job *job, int axis, int64_t o) {
    int64_t begin = job->begin[axis], end = job->end[axis], first = begin < 0 ? -begin : 0; /* what is kept: [first, first + n) */
    int64_t n = job->in_dims[axis] - first + (end < 0 ? end : 0), i = o - (begin > 0 ? begin : 0), period;
    switch (job->mode) {
    case PAD_EDGE: return first + (i < 0 ? 0 : i >= n ? n - 1 : i);
    case PAD_WRAP: return first + ((i % n) + n) % n;
    case PAD_REFLECT:
        if (n == 1) return first;
        period = 2 * (n - 1);
        i = ((i % period) + period) % period;
        return first + (i < n ? i : period - i);
    default: return i >= 0 && i < n ? first + i : -1;
    }
}

static void fill_units(const pad_job *job, uint8_t *dst, int64_t units) {
    if (units > 0) leat__copy_fill(dst, job->value, job->elem, units * (job->unit / job->elem));
}

/* One row: left pads by index, the middle as one run, right pads by index. */
static void pad_row(const pad_job *job, const uint8_t *src, uint8_t *dst) {
    int axis = job->rank - 1;
    int64_t n = job->row_units, lo = job->begin[axis] > 0 ? job->begin[axis] : 0,
        hi = n - (job->end[axis] > 0 ? job->end[axis] : 0);
    if (lo > n) lo = n;
    if (hi < lo) hi = lo; /* more cropped on one side than there is: constant mode only, all of it pads */
    for (int64_t o = 0; o < n; o++) {
        if (o == lo && hi > lo) {
            int64_t first = job->begin[axis] < 0 ? -job->begin[axis] : 0;
            memcpy(dst + lo * job->unit, src + first * job->unit, (size_t)((hi - lo) * job->unit));
            o = hi;
            if (o == n) return;
        }
        int64_t i = source_index(job, axis, o);
        if (i >= 0) memcpy(dst + o * job->unit, src + i * job->unit, (size_t)job->unit);
        else {
            int64_t stop = o < lo ? lo : n;
            fill_units(job, dst + o * job->unit, stop - o);
            o = stop - 1;
        }
    }
}

static void pad_task(void *arg, int64_t index, int worker) {
    const pad_job *job = arg;
    int64_t row_bytes = job->row_units * job->unit;
    for (int64_t row = job->rows * index / job->parts; row < job->rows * (index + 1) / job->parts; row++) {
        int64_t left = row, offset = 0;
        uint8_t *dst = job->dst + row * row_bytes;
        for (int a = job->rank - 2; a >= 0 && offset >= 0; a--) {
            int64_t i = source_index(job, a, left % job->out_dims[a]);
            left /= job->out_dims[a];
            offset = i < 0 ? -1 : offset + i * job->in_strides[a];
        }
        if (offset < 0) fill_units(job, dst, job->row_units);
        else pad_row(job, job->src + offset * job->unit, dst);
    }
}

/* Takes dims and pads into memory order and folds the unpadded inner axes into the unit. */
static void set_geometry(pad_job *job, const leat_tensor *x, const leat_tensor *y, const int64_t *begin, const int64_t *end) {
    int64_t in_dims[LEAT_MAX_RANK], out_dims[LEAT_MAX_RANK];
    leat__tensor_physical(x, in_dims);
    leat__tensor_physical(y, out_dims);
    for (int a = 0; a < x->rank; a++) {
        int at = leat__physical_axis(x, a);
        job->begin[at] = begin[a], job->end[at] = end[a];
    }
    job->elem = job->unit = (int64_t)leat_dtype_size(x->dtype);
    job->rank = x->rank;
    while (job->rank > 1 && job->begin[job->rank - 1] == 0 && job->end[job->rank - 1] == 0) job->unit *= in_dims[--job->rank];
    memcpy(job->in_dims, in_dims, sizeof in_dims);
    memcpy(job->out_dims, out_dims, sizeof out_dims);
    leat__strides(in_dims, job->rank, job->in_strides);
    job->row_units = out_dims[job->rank - 1];
    job->rows = leat__move_span(out_dims, 0, job->rank - 1);
}

static int pad_with(leat_op_call *call, pad_mode mode, const int64_t *begin, const int64_t *end, const void *value) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    int64_t dims[LEAT_MAX_RANK];
    int status = padded_dims(call, mode, begin, end, dims);
    if (status) return status;
    for (int a = 0; a < x->rank; a++)
        if (dims[a] != y->dims[a]) return leat__op_fail(call, LEAT_EINTERNAL, "pads changed after planning");
    if (leat_tensor_count(y) == 0) return LEAT_OK;
    if (x->rank == 0) return leat__move_view_run(call);
    pad_job job = {.mode = mode, .src = x->data, .dst = y->data};
    if (value) memcpy(job.value, value, leat_dtype_size(x->dtype));
    set_geometry(&job, x, y, begin, end);
    job.parts = leat__move_parts(call, job.rows * job.row_units * job.unit);
    if (job.parts == 1) pad_task(&job, 0, 0);
    else leat__tpool_for_n(call->pool, call->threads, job.parts, pad_task, &job);
    return LEAT_OK;
}

/* ---- Pad -------------------------------------------------------------------------------------------------------------- */

static int same_layout_out(leat_op_call *call, const int64_t *dims) {
    const leat_tensor *x = call->in[0];
    int status = leat__move_out(call, 0, x->dtype, x->rank, dims);
    if (status == LEAT_OK && call->out[0]) call->out[0]->flags = x->flags & LEAT_TENSOR_NHWC;
    return status;
}

static int pad_infer(leat_op_call *call) {
    int64_t begin[LEAT_MAX_RANK], end[LEAT_MAX_RANK], dims[LEAT_MAX_RANK];
    const leat_tensor *value = leat__op_in(call, 2);
    pad_mode mode = read_mode(call);
    if (mode == PAD_UNKNOWN)
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "mode '%s' is unknown", leat__attr_string(call->attrs, "mode", ""));
    if (value && value->dtype != call->in[0]->dtype)
        return leat__op_fail(call, LEAT_ETYPE, "the constant is %s, the data %s", leat_dtype_name(value->dtype),
                             leat_dtype_name(call->in[0]->dtype));
    if (value && leat_tensor_count(value) > 1) return leat__op_fail(call, LEAT_ESHAPE, "the constant must be one value");
    if (!value && leat__attr(call->attrs, "value") && !leat__dtype_is_float(call->in[0]->dtype) &&
        !leat__dtype_is_int(call->in[0]->dtype))
        return leat__op_fail(call, LEAT_ETYPE, "attribute value needs numeric data");
    int status = read_pads(call, begin, end);
    if (!status) status = padded_dims(call, mode, begin, end, dims);
    return status ? status : same_layout_out(call, dims);
}

static int pad_run(leat_op_call *call) {
    int64_t begin[LEAT_MAX_RANK], end[LEAT_MAX_RANK], one[2] = {0};
    const leat_tensor *value = leat__op_in(call, 2);
    leat_tensor scalar = {.data = one, .dtype = call->in[0]->dtype};
    int status = read_pads(call, begin, end);
    if (status) return status;
    if (value && leat_tensor_count(value) == 1) scalar.data = value->data;
    else if (leat__attr(call->attrs, "value")) leat__tensor_set_float(&scalar, 0, leat__attr_float(call->attrs, "value", 0));
    return pad_with(call, read_mode(call), begin, end, scalar.data);
}

/* ---- CenterCropPad ---------------------------------------------------------------------------------------------------- */

/* The wanted size of each axis as pads: negative crops; an odd difference goes to the end. */
static int center_pads(leat_op_call *call, int64_t begin[LEAT_MAX_RANK], int64_t end[LEAT_MAX_RANK]) {
    const leat_tensor *x = call->in[0];
    int64_t shape[LEAT_MAX_RANK], axes[LEAT_MAX_RANK];
    uint32_t mask;
    int n, n_axes = 0, status = leat__move_values(call, 1, shape, LEAT_MAX_RANK, &n);
    if (status) return status;
    const int64_t *given = leat__attr_ints(call->attrs, "axes", &n_axes);
    if (!given) n_axes = x->rank;
    if (n_axes != n || n > LEAT_MAX_RANK) return leat__op_fail(call, LEAT_ESHAPE, "shape has %d values, needs %d", n, n_axes);
    for (int i = 0; i < n; i++) axes[i] = given ? given[i] : i;
    if ((status = leat__move_axes(call, axes, n, x->rank, &mask)) != LEAT_OK) return status;
    memset(begin, 0, LEAT_MAX_RANK * sizeof *begin);
    memset(end, 0, LEAT_MAX_RANK * sizeof *end);
    for (int i = 0; i < n; i++) {
        if (shape[i] < 0 || shape[i] > INT64_MAX / 64)
            return leat__op_fail(call, LEAT_ESHAPE, "shape[%d] is %" PRId64, i, shape[i]);
        int64_t more = shape[i] - x->dims[axes[i]];
        begin[axes[i]] = more / 2;
        end[axes[i]] = more - more / 2;
    }
    return LEAT_OK;
}

static int center_infer(leat_op_call *call) {
    int64_t begin[LEAT_MAX_RANK], end[LEAT_MAX_RANK], dims[LEAT_MAX_RANK];
    int status = center_pads(call, begin, end);
    if (!status) status = padded_dims(call, PAD_CONSTANT, begin, end, dims);
    return status ? status : same_layout_out(call, dims);
}

static int center_run(leat_op_call *call) {
    int64_t begin[LEAT_MAX_RANK], end[LEAT_MAX_RANK];
    int status = center_pads(call, begin, end);
    return status ? status : pad_with(call, PAD_CONSTANT, begin, end, NULL);
}

const leat_op leat__ops_pad[] = {
    {"", "Pad", 1, 10, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 0, pad_infer, NULL, pad_run},
    {"", "Pad", 11, 0, 2, 4, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 2 | 8, pad_infer, NULL, pad_run},
    {"", "CenterCropPad", 18, 0, 2, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 2, center_infer, NULL, center_run},
    {0}};
