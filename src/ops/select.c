/* select.c - operators whose output size is in the data: NonZero, Compress, Unique.
 *
 * infer counts when the data is there and says LEAT_EDYNAMIC when it is not; the planner then runs them as dynamic steps.
 * Unique sorts; the indices it sorts live in scratch, and for the count in infer in a block of their own.
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "ops/order_key.h"

/* ---- NonZero ---------------------------------------------------------------------------------------------------------- */

static int is_set(const leat_tensor *t, int64_t i) {
    switch (t->dtype) {
    case LEAT_DTYPE_F16:
    case LEAT_DTYPE_BF16: return (((const uint16_t *)t->data)[i] & 0x7fff) != 0;
    case LEAT_DTYPE_F32: return ((const float *)t->data)[i] != 0;
    case LEAT_DTYPE_F64: return ((const double *)t->data)[i] != 0;
    default: break;
    }
    switch (leat_dtype_size(t->dtype)) {
    case 1: return ((const uint8_t *)t->data)[i] != 0;
    case 2: return ((const uint16_t *)t->data)[i] != 0;
    case 4: return ((const uint32_t *)t->data)[i] != 0;
    default: return ((const uint64_t *)t->data)[i] != 0;
    }
}

static int nonzero_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t n = leat_tensor_count(x), dims[2] = {x->rank ? x->rank : 1, 0}; /* a scalar counts as a vector of one */
    if (!leat__has_order_key(x->dtype)) return leat__op_fail(call, LEAT_ETYPE, "%s is not supported", leat_dtype_name(x->dtype));
    if (n > 0 && !x->data) return LEAT_EDYNAMIC;
    for (int64_t i = 0; i < n; i++) dims[1] += is_set(x, i);
    return leat__move_out(call, 0, LEAT_DTYPE_I64, 2, dims);
}

static int nonzero_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    int64_t n = leat_tensor_count(x), found = 0, count = y->dims[1], *out = y->data;
    for (int64_t i = 0; i < n && found < count; i++) {
        if (!is_set(x, i)) continue;
        int64_t left = i;
        for (int a = x->rank - 1; a >= 0; a--) {
            out[a * count + found] = left % x->dims[a];
            left /= x->dims[a];
        }
        if (x->rank == 0) out[found] = 0;
        found++;
    }
    return found == count ? LEAT_OK : leat__op_fail(call, LEAT_EINTERNAL, "data changed after planning");
}

/* ---- Compress --------------------------------------------------------------------------------------------------------- */

/* The tensor as [outer, dim, chunk bytes] round the axis; without an axis all elements in a row. */
static int compress_view(leat_op_call *call, int64_t *outer, int64_t *dim, int64_t *chunk, int *axis) {
    const leat_tensor *x = call->in[0];
    *outer = 1, *dim = leat_tensor_count(x), *chunk = (int64_t)leat_dtype_size(x->dtype), *axis = -1;
    if (!leat__attr(call->attrs, "axis")) return LEAT_OK;
    int status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", 0), x->rank, axis);
    if (status) return status;
    *outer = leat__move_span(x->dims, 0, *axis), *dim = x->dims[*axis], *chunk *= leat__move_span(x->dims, *axis + 1, x->rank);
    return LEAT_OK;
}

static int compress_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *keep = call->in[1];
    int64_t outer, dim, chunk, dims[LEAT_MAX_RANK], kept = 0;
    int axis, status = compress_view(call, &outer, &dim, &chunk, &axis);
    if (status) return status;
    if (keep->dtype != LEAT_DTYPE_BOOL || keep->rank != 1)
        return leat__op_fail(call, LEAT_ETYPE, "condition must be bool of rank 1");
    if (keep->dims[0] > 0 && !keep->data) return LEAT_EDYNAMIC;
    for (int64_t i = 0; i < keep->dims[0]; i++) {
        if (!((const uint8_t *)keep->data)[i]) continue;
        if (i >= dim)
            return leat__op_fail(call, LEAT_EINVAL, "condition[%" PRId64 "] is set, the axis has %" PRId64 " entries", i, dim);
        kept++;
    }
    memcpy(dims, x->dims, sizeof dims);
    dims[axis < 0 ? 0 : axis] = kept;
    return leat__move_out(call, 0, x->dtype, axis < 0 ? 1 : x->rank, dims);
}

static int compress_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *keep = call->in[1], *y = call->out[0];
    int64_t outer, dim, chunk, kept = 0;
    int axis, status = compress_view(call, &outer, &dim, &chunk, &axis);
    if (status) return status;
    const uint8_t *flags = keep->data, *src = x->data;
    uint8_t *dst = y->data;
    for (int64_t i = 0; i < keep->dims[0] && i < dim; i++) kept += flags[i] != 0;
    if (kept != y->dims[axis < 0 ? 0 : axis]) return leat__op_fail(call, LEAT_EINTERNAL, "condition changed after planning");
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < keep->dims[0] && i < dim; i++)
            if (flags[i]) memcpy(dst, src + (o * dim + i) * chunk, (size_t)chunk), dst += chunk;
    return LEAT_OK;
}

/* ---- Unique ----------------------------------------------------------------------------------------------------------- */

/* Slice s of the input: elements at s * step + o * stride + j, o in [0, outer), j in [0, step). */
typedef struct unique_view {
    const leat_tensor *x;
    int64_t            slices, outer, step, stride;
} unique_view;

static int unique_setup(leat_op_call *call, unique_view *v, int *axis) {
    const leat_tensor *x = call->in[0];
    *axis = -1;
    *v = (unique_view){x, leat_tensor_count(x), 1, 1, 0};
    if (!leat__has_order_key(x->dtype)) return leat__op_fail(call, LEAT_ETYPE, "%s has no order", leat_dtype_name(x->dtype));
    if (!leat__attr(call->attrs, "axis")) return LEAT_OK;
    int status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", 0), x->rank, axis);
    if (status) return status;
    v->slices = x->dims[*axis];
    v->outer = leat__move_span(x->dims, 0, *axis);
    v->step = leat__move_span(x->dims, *axis + 1, x->rank);
    v->stride = v->step * v->slices;
    return LEAT_OK;
}

/* Order of two slices, element by element. */
static int slice_compare(const unique_view *v, int64_t a, int64_t b) {
    for (int64_t o = 0; o < v->outer; o++)
        for (int64_t j = 0; j < v->step; j++) {
            uint64_t ka = leat__order_key(v->x->dtype, v->x->data, o * v->stride + a * v->step + j);
            uint64_t kb = leat__order_key(v->x->dtype, v->x->data, o * v->stride + b * v->step + j);
            if (ka != kb) return ka < kb ? -1 : 1;
        }
    return 0;
}

static int slice_after(const unique_view *v, int64_t a, int64_t b) {
    int order = slice_compare(v, a, b);
    return order ? order > 0 : a > b;
}

static void sift(const unique_view *v, int64_t *heap, int64_t n, int64_t at) {
    int64_t moving = heap[at];
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && slice_after(v, heap[child + 1], heap[child])) child++;
        if (!slice_after(v, heap[child], moving)) break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

/* Heap sort of slice numbers: by value, equal ones by number.  No memory, no worst case. */
static void sort_slices(const unique_view *v, int64_t *list) {
    for (int64_t i = 0; i < v->slices; i++) list[i] = i;
    for (int64_t i = v->slices / 2 - 1; i >= 0; i--) sift(v, list, v->slices, i);
    for (int64_t end = v->slices - 1; end > 0; end--) {
        int64_t last = list[0];
        list[0] = list[end];
        list[end] = last;
        sift(v, list, end, 0);
    }
}

static int unique_infer(leat_op_call *call) {
    unique_view v;
    int64_t dims[LEAT_MAX_RANK], groups = 0;
    int axis, status = unique_setup(call, &v, &axis);
    if (status) return status;
    if (leat_tensor_count(v.x) > 0 && !v.x->data) return LEAT_EDYNAMIC;
    int64_t *list = leat__alloc((size_t)v.slices * sizeof *list, LEAT_MEMORY_OTHER);
    if (!list) return leat__op_fail(call, LEAT_ENOMEM, "out of memory for %" PRId64 " indices", v.slices);
    sort_slices(&v, list);
    for (int64_t i = 0; i < v.slices; i++) groups += i == 0 || slice_compare(&v, list[i - 1], list[i]) != 0;
    leat__free(list);
    memcpy(dims, v.x->dims, sizeof dims);
    dims[axis < 0 ? 0 : axis] = groups;
    status = leat__move_out(call, 0, v.x->dtype, axis < 0 ? 1 : v.x->rank, dims);
    for (int o = 1; o < 4 && !status; o++) status = leat__move_out(call, o, LEAT_DTYPE_I64, 1, o == 2 ? &v.slices : &groups);
    return status;
}

static int unique_prepare(leat_op_call *call) {
    unique_view v;
    int axis, status = unique_setup(call, &v, &axis);
    if (!status) call->scratch_bytes = 3 * (size_t)v.slices * sizeof(int64_t);
    return status;
}

static void copy_slice(const unique_view *v, const leat_tensor *y, int64_t groups, int64_t from, int64_t to) {
    size_t elem = leat_dtype_size(v->x->dtype), bytes = (size_t)v->step * elem;
    for (int64_t o = 0; o < v->outer; o++)
        memcpy((uint8_t *)y->data + (size_t)((o * groups + to) * v->step) * elem,
               (const uint8_t *)v->x->data + (size_t)(o * v->stride + from * v->step) * elem, bytes);
}

/* group[s] for each slice s and first[g] for each group, groups numbered by value, or by first appearance. */
static int64_t number_groups(const unique_view *v, const int64_t *list, int64_t *group, int64_t *first, int by_value) {
    int64_t n = 0;
    for (int64_t i = 0; i < v->slices; i++) { /* equal slices are in order: the first of a run is the first seen */
        if (i == 0 || slice_compare(v, list[i - 1], list[i]) != 0) first[n++] = list[i];
        group[list[i]] = by_value ? n - 1 : first[n - 1];
    }
    if (by_value) return n;
    n = 0;
    for (int64_t s = 0; s < v->slices; s++) { /* group[s] holds its group's first slice; those before s are numbered already */
        if (group[s] == s) first[n] = s, group[s] = n++;
        else group[s] = group[group[s]];
    }
    return n;
}

static int unique_run(leat_op_call *call) {
    unique_view v;
    int axis, status = unique_setup(call, &v, &axis);
    if (status) return status;
    leat_tensor *y = leat__op_out(call, 0), *firsts = leat__op_out(call, 1), *inverse = leat__op_out(call, 2),
        *counts = leat__op_out(call, 3);
    int64_t *list = call->scratch, *group = list + v.slices, *first = group + v.slices;
    sort_slices(&v, list);
    int64_t groups = number_groups(&v, list, group, first, leat__attr_int(call->attrs, "sorted", 1) != 0);
    const leat_tensor *sized = y ? y : firsts ? firsts : counts;
    if (sized && sized->dims[sized == y && axis >= 0 ? axis : 0] != groups)
        return leat__op_fail(call, LEAT_EINTERNAL, "data changed after planning");
    for (int64_t g = 0; y && g < groups; g++) copy_slice(&v, y, groups, first[g], g);
    if (firsts) memcpy(firsts->data, first, (size_t)groups * sizeof *first);
    if (inverse) memcpy(inverse->data, group, (size_t)v.slices * sizeof *group);
    if (counts) memset(counts->data, 0, (size_t)groups * sizeof(int64_t));
    for (int64_t s = 0; counts && s < v.slices; s++) ((int64_t *)counts->data)[group[s]]++;
    return LEAT_OK;
}

const leat_op leat__ops_select[] = {
    {"", "NonZero", 9, 0, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 1, nonzero_infer, NULL, nonzero_run},
    {"", "Compress", 9, 0, 2, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 2, compress_infer, NULL, compress_run},
    {"", "Unique", 11, 0, 1, 1, 1, 4, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 1, unique_infer, unique_prepare, unique_run},
    {0}};
