/* scatter.c - Scatter, ScatterElements, ScatterND and TensorScatter: the data with some elements overwritten or combined.
 *
 * All may work in place.  Every index is checked before the first write; the writes go in index order on one thread, so that
 * repeated indices give what the specification's loop gives.
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

#include "ops/combine.h"

/* ---- shared ----------------------------------------------------------------------------------------------------------- */

static int check_reduction(leat_op_call *call) {
    const char *text = leat__attr_string(call->attrs, "reduction", "none");
    leat_combine op = leat__combine_parse(text);
    leat_dtype dtype = call->in[0]->dtype;
    if (op == LEAT_COMBINE_UNKNOWN) return leat__op_fail(call, LEAT_EUNSUPPORTED, "reduction '%s' is unknown", text);
    if (op != LEAT_COMBINE_NONE && !leat__combine_of(dtype))
        return leat__op_fail(call, LEAT_ETYPE, "%s has no reduction", leat_dtype_name(dtype));
    if (call->in[2]->dtype != dtype)
        return leat__op_fail(call, LEAT_ETYPE, "updates are %s, the data %s", leat_dtype_name(call->in[2]->dtype),
                             leat_dtype_name(dtype));
    return LEAT_OK;
}

static void put(const leat_tensor *y, int64_t at, const uint8_t *from, int64_t n, leat_combine op, leat_combine_fn fn) {
    int64_t elem = (int64_t)leat_dtype_size(y->dtype);
    uint8_t *to = (uint8_t *)y->data + at * elem;
    if (op == LEAT_COMBINE_NONE) memcpy(to, from, (size_t)(n * elem));
    else fn(to, from, n, op);
}

static int bad_index(leat_op_call *call, int64_t value, int64_t dim) {
    return leat__op_fail(call, LEAT_EINVAL, "index %" PRId64 " is outside [-%" PRId64 ", %" PRId64 ")", value, dim, dim);
}

/* ---- Scatter, ScatterElements ----------------------------------------------------------------------------------------- */

static int elements_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1], *updates = call->in[2];
    int axis, status = leat__move_check_index(call, 1);
    if (!status) status = check_reduction(call);
    if (!status) status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", 0), x->rank, &axis);
    if (status) return status;
    if (!leat__dims_equal(indices, updates) || indices->rank != x->rank)
        return leat__op_fail(call, LEAT_ESHAPE, "data, indices and updates do not fit together");
    for (int a = 0; a < x->rank; a++)
        if (a != axis && indices->dims[a] > x->dims[a])
            return leat__op_fail(call, LEAT_ESHAPE, "indices have %" PRId64 " on axis %d, data only %" PRId64, indices->dims[a],
                                 a, x->dims[a]);
    return leat__move_out(call, 0, x->dtype, x->rank, x->dims);
}

static int elements_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1], *y = call->out[0];
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 0), x->rank);
    int64_t strides[LEAT_MAX_RANK], at[LEAT_MAX_RANK] = {0}, n = leat_tensor_count(indices), dim = x->dims[axis], base = 0;
    const uint8_t *from = call->in[2]->data;
    leat_combine op = leat__combine_parse(leat__attr_string(call->attrs, "reduction", "none"));
    for (int64_t i = 0; i < n; i++) {
        int64_t v = leat__move_index(indices, i);
        if (v < -dim || v >= dim) return bad_index(call, v, dim);
    }
    leat__move_view_run(call);
    leat__strides(x->dims, x->rank, strides);
    for (int64_t i = 0; i < n; i++, from += leat_dtype_size(x->dtype)) {
        int64_t v = leat__move_index(indices, i);
        put(y, base + (v < 0 ? v + dim : v) * strides[axis], from, 1, op, leat__combine_of(x->dtype));
        for (int a = x->rank - 1; a >= 0; a--) { /* base: offset of the position, with the scattered axis at 0 */
            int64_t step = a == axis ? 0 : strides[a];
            base += step;
            if (++at[a] < indices->dims[a]) break;
            base -= step * indices->dims[a];
            at[a] = 0;
        }
    }
    return LEAT_OK;
}

/* ---- ScatterND -------------------------------------------------------------------------------------------------------- */

static int nd_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1], *updates = call->in[2];
    int status = leat__move_check_index(call, 1);
    if (!status) status = check_reduction(call);
    if (status) return status;
    if (x->rank < 1 || indices->rank < 1) return leat__op_fail(call, LEAT_ESHAPE, "data and indices need rank 1 or more");
    int64_t depth = indices->dims[indices->rank - 1];
    if (depth < 0 || depth > x->rank)
        return leat__op_fail(call, LEAT_ESHAPE, "index tuples of %" PRId64 " do not fit data of rank %d", depth, x->rank);
    int lead = indices->rank - 1, tail = x->rank - (int)depth, fits = updates->rank == lead + tail;
    for (int a = 0; fits && a < lead; a++) fits = updates->dims[a] == indices->dims[a];
    for (int a = 0; fits && a < tail; a++) fits = updates->dims[lead + a] == x->dims[depth + a];
    if (!fits) return leat__op_fail(call, LEAT_ESHAPE, "updates do not fit data and indices");
    return leat__move_out(call, 0, x->dtype, x->rank, x->dims);
}

/* Index tuples that are known and name a box of chunks with regular steps, as exporters write x[:, a:b] = y: then it is one
 * strided copy.  first and step are in elements; one step per leading axis of the indices. */
typedef struct nd_box {
    int64_t first, step[LEAT_MAX_RANK];
} nd_box;

/* Element offset of tuple `t`; -1 with *bad set to the value that is out of range. */
static int64_t tuple_offset(const leat_tensor *indices, int64_t t, int depth, const int64_t *dims, const int64_t *strides,
                            int64_t *bad) {
    int64_t offset = 0;
    for (int k = 0; k < depth; k++) {
        int64_t v = leat__move_index(indices, t * depth + k);
        if (v < -dims[k] || v >= dims[k]) {
            *bad = v;
            return -1;
        }
        offset += (v < 0 ? v + dims[k] : v) * strides[k];
    }
    return offset;
}

/* Does every tuple lie where first and step say?  The steps are those of the second tuple along each axis. */
static int find_box(const leat_tensor *x, const leat_tensor *indices, nd_box *box) {
    int lead = indices->rank - 1, depth = (int)indices->dims[lead];
    int64_t strides[LEAT_MAX_RANK], spans[LEAT_MAX_RANK], tuples = leat__move_span(indices->dims, 0, lead), bad;
    int64_t least = leat__move_span(x->dims, depth, x->rank);
    leat__strides(x->dims, x->rank, strides);
    leat__strides(indices->dims, lead, spans);
    if (tuples < 1 || (box->first = tuple_offset(indices, 0, depth, x->dims, strides, &bad)) < 0) return 0;
    for (int a = lead - 1; a >= 0; a--) { /* outer steps must clear the inner extent: then no place is written twice */
        int64_t second = indices->dims[a] > 1 ? tuple_offset(indices, spans[a], depth, x->dims, strides, &bad)
            : box->first + least;
        box->step[a] = second - box->first;
        if (second < 0 || box->step[a] < least) return 0;
        least = box->step[a] * indices->dims[a];
    }
    for (int64_t t = 0; t < tuples; t++) {
        int64_t want = box->first;
        for (int a = 0; a < lead; a++) want += t / spans[a] % indices->dims[a] * box->step[a];
        if (tuple_offset(indices, t, depth, x->dims, strides, &bad) != want) return 0;
    }
    return 1;
}

static int nd_prepare(leat_op_call *call) {
    nd_box box;
    if (!leat__op_is_const(call, 1) || !call->in[1]->data || !find_box(call->in[0], call->in[1], &box)) return LEAT_OK;
    if (leat__combine_parse(leat__attr_string(call->attrs, "reduction", "none")) != LEAT_COMBINE_NONE) return LEAT_OK;
    nd_box *state = leat__op_state(call, sizeof box);
    if (!state) return LEAT_ENOMEM;
    *state = box;
    call->kernel = "box copy";
    return LEAT_OK;
}

static void write_box(leat_op_call *call, const nd_box *box) {
    const leat_tensor *indices = call->in[1], *updates = call->in[2], *y = call->out[0];
    int64_t elem = (int64_t)leat_dtype_size(y->dtype), strides[LEAT_MAX_RANK];
    int lead = indices->rank - 1, depth = (int)indices->dims[lead];
    leat_copy copy = {.elem = elem};
    if (leat_tensor_count(updates) == 0) return;
    leat__strides(updates->dims, updates->rank, strides);
    for (int a = 0; a < lead; a++) leat__copy_axis(&copy, indices->dims[a], strides[a] * elem, box->step[a] * elem);
    leat__copy_axis(&copy, leat__move_span(y->dims, depth, y->rank), elem, elem);
    leat__move_run(call, &copy, updates->data, (uint8_t *)y->data + box->first * elem);
}

static int nd_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *indices = call->in[1], *y = call->out[0];
    int depth = (int)indices->dims[indices->rank - 1];
    int64_t strides[LEAT_MAX_RANK], tuples = leat__move_span(indices->dims, 0, indices->rank - 1), bad = 0;
    int64_t chunk = leat__move_span(x->dims, depth, x->rank), bytes = chunk * (int64_t)leat_dtype_size(x->dtype);
    const uint8_t *from = call->in[2]->data;
    leat_combine op = leat__combine_parse(leat__attr_string(call->attrs, "reduction", "none"));
    leat_combine_fn fn = leat__combine_of(x->dtype);
    leat__strides(x->dims, x->rank, strides);
    if (call->state) {
        leat__move_view_run(call);
        write_box(call, call->state);
        return LEAT_OK;
    }
    for (int64_t t = 0; t < tuples; t++)
        if (tuple_offset(indices, t, depth, x->dims, strides, &bad) < 0)
            return leat__op_fail(call, LEAT_EINVAL, "index %" PRId64 " is outside the data", bad);
    leat__move_view_run(call);
    for (int64_t t = 0; t < tuples; t++, from += bytes)
        put(y, tuple_offset(indices, t, depth, x->dims, strides, &bad), from, chunk, op, fn);
    return LEAT_OK;
}

/* ---- TensorScatter: a key-value cache [batch, .., sequence, ..] with `update` written at write_indices[batch] ------------- */

static int cache_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *update = call->in[1], *at = leat__op_in(call, 2);
    const char *mode = leat__attr_string(call->attrs, "mode", "linear");
    int axis, status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", -2), x->rank, &axis);
    if (status) return status;
    if (axis == 0) return leat__op_fail(call, LEAT_ESHAPE, "the sequence axis cannot be the batch axis");
    if (strcmp(mode, "linear") != 0 && strcmp(mode, "circular") != 0)
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "mode '%s' is unknown", mode);
    if (update->dtype != x->dtype)
        return leat__op_fail(call, LEAT_ETYPE, "update is %s, the cache %s", leat_dtype_name(update->dtype),
                             leat_dtype_name(x->dtype));
    int fits = update->rank == x->rank;
    for (int a = 0; fits && a < x->rank; a++) fits = a == axis ? update->dims[a] <= x->dims[a] : update->dims[a] == x->dims[a];
    if (!fits) return leat__op_fail(call, LEAT_ESHAPE, "update does not fit the cache");
    if (at && (status = leat__move_check_index(call, 2)) != LEAT_OK) return status;
    if (at && (at->rank != 1 || at->dims[0] != x->dims[0]))
        return leat__op_fail(call, LEAT_ESHAPE, "write_indices must have one value per batch entry");
    return leat__move_out(call, 0, x->dtype, x->rank, x->dims);
}

/* Writes all rows of one batch entry from position `start`; wraps round at the end of the cache. */
static void cache_write(const leat_tensor *y, const leat_tensor *update, int axis, int64_t batch, int64_t start) {
    int64_t size = y->dims[axis], length = update->dims[axis], outer = leat__move_span(y->dims, 1, axis);
    int64_t step = leat__move_span(y->dims, axis + 1, y->rank) * (int64_t)leat_dtype_size(y->dtype),
        first = size - start < length ? size - start : length;
    for (int64_t o = batch * outer; o < (batch + 1) * outer; o++) {
        const uint8_t *from = (const uint8_t *)update->data + o * length * step;
        uint8_t *to = (uint8_t *)y->data + o * size * step;
        memcpy(to + start * step, from, (size_t)(first * step));
        memcpy(to, from + first * step, (size_t)((length - first) * step));
    }
}

static int cache_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *update = call->in[1], *at = leat__op_in(call, 2);
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", -2), x->rank),
        circular = leat__attr_string(call->attrs, "mode", "linear")[0] == 'c';
    int64_t size = x->dims[axis], length = update->dims[axis];
    for (int64_t b = 0; at && b < x->dims[0]; b++) {
        int64_t v = leat__move_index(at, b);
        if (v < 0 || (circular ? 0 : v > size - length))
            return leat__op_fail(call, LEAT_EINVAL, "write index %" PRId64 " does not leave room for %" PRId64 " in %" PRId64,
                                 v, length, size);
    }
    leat__move_view_run(call);
    for (int64_t b = 0; size && b < x->dims[0]; b++)
        cache_write(call->out[0], update, axis, b, at ? leat__move_index(at, b) % size : 0);
    return LEAT_OK;
}

#define IN_PLACE (LEAT_OP_INPLACE | MOVE_ANY_TYPE)
const leat_op leat__ops_scatter[] = {
    {"", "Scatter", 9, 10, 3, 3, 1, 1, IN_PLACE, LEAT_OP_PLAIN, 0, elements_infer, NULL, elements_run},
    {"", "ScatterElements", 11, 0, 3, 3, 1, 1, IN_PLACE, LEAT_OP_PLAIN, 0, elements_infer, NULL, elements_run},
    {"", "ScatterND", 11, 0, 3, 3, 1, 1, IN_PLACE, LEAT_OP_PLAIN, 0, nd_infer, nd_prepare, nd_run},
    {"", "TensorScatter", 24, 0, 2, 3, 1, 1, IN_PLACE, LEAT_OP_PLAIN, 0, cache_infer, NULL, cache_run},
    {0}};
