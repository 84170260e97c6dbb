/* sequence.c - the sequence operators and the parts of Optional that need no optional type.
 *
 * The engine knows tensors only.  A sequence travels between these operators as one uint8 tensor, so that planning, control flow
 * and memory work as for any other value; a sequence cannot be an input or output of a model.  Layout, all fields int64:
 *
 *   [0, 64)    magic, number of entries, element type, 0...
 *   entry      128 bytes: element type, rank, dims[8], 0...;  then the elements, padded to a multiple of 64
 *
 * Any uint8 tensor of a hostile file may arrive here, so every walk checks magic, types, ranks and bounds.
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

#define SEQ_MAGIC 0x3151455354414541 /* "AEATSEQ1" */
#define SEQ_HEAD 64
#define SEQ_ENTRY 128

/* ---- the packed form -------------------------------------------------------------------------------------------------- */

static int64_t entry_bytes(const leat_tensor *t) {
    size_t bytes = leat_tensor_bytes(t);
    if (bytes > (size_t)INT64_MAX / 64) return -1;
    return SEQ_ENTRY + (int64_t)((bytes + 63) / 64 * 64);
}

static void write_head(uint8_t *blob, int64_t count, leat_dtype dtype) {
    int64_t head[SEQ_HEAD / 8] = {SEQ_MAGIC, count, dtype};
    memcpy(blob, head, sizeof head);
}

/* Writes the entry's header; returns where its elements go. */
static uint8_t *write_entry(uint8_t *at, const leat_tensor *t) {
    int64_t head[SEQ_ENTRY / 8] = {t->dtype, t->rank};
    for (int i = 0; i < t->rank; i++) head[2 + i] = t->dims[i];
    memcpy(at, head, sizeof head);
    return at + SEQ_ENTRY;
}

static int check_blob(leat_op_call *call, const leat_tensor *blob) {
    if (blob->dtype == LEAT_DTYPE_U8 && blob->rank == 1 && blob->dims[0] >= SEQ_HEAD) return LEAT_OK;
    return leat__op_fail(call, LEAT_ETYPE, "input 0 is no sequence");
}

static int read_count(leat_op_call *call, const leat_tensor *blob, int64_t *count) {
    int64_t head[2];
    int status = check_blob(call, blob);
    if (status) return status;
    if (!blob->data) return LEAT_EDYNAMIC;
    memcpy(head, blob->data, sizeof head);
    *count = head[1];
    if (head[0] == SEQ_MAGIC && head[1] >= 0 && head[1] <= (blob->dims[0] - SEQ_HEAD) / SEQ_ENTRY) return LEAT_OK;
    return leat__op_fail(call, LEAT_ETYPE, "input 0 is no sequence");
}

/* Reads the entry at *offset into *t (data inside the blob) and moves *offset to the next. */
static int next_entry(leat_op_call *call, const leat_tensor *blob, int64_t *offset, leat_tensor *t) {
    int64_t head[2 + LEAT_MAX_RANK], left = blob->dims[0] - *offset, bytes = -1;
    if (left >= SEQ_ENTRY) {
        memcpy(head, (const uint8_t *)blob->data + *offset, sizeof head);
        if (head[0] > 0 && head[0] < LEAT_DTYPE_COUNT && head[1] >= 0 && head[1] <= LEAT_MAX_RANK) {
            leat__tensor_set(t, (leat_dtype)head[0], (int)head[1], head + 2);
            bytes = entry_bytes(t);
        }
    }
    if (bytes < 0 || bytes > left) return leat__op_fail(call, LEAT_ETYPE, "input 0 is no sequence");
    t->data = (uint8_t *)blob->data + *offset + SEQ_ENTRY;
    *offset += bytes;
    return LEAT_OK;
}

/* Offset of entry `index` (count = the end). */
static int entry_offset(leat_op_call *call, const leat_tensor *blob, int64_t index, int64_t *offset) {
    leat_tensor t = {0};
    int status = LEAT_OK;
    *offset = SEQ_HEAD;
    for (int64_t i = 0; i < index && !status; i++) status = next_entry(call, blob, offset, &t);
    return status;
}

/* The position input as an index in [0, limit); `fallback` when it is absent.  Negative counts from `count`. */
static int read_position(leat_op_call *call, int i, int64_t count, int64_t limit, int64_t fallback, int64_t *index) {
    int64_t v[1];
    int n, status = leat__move_values(call, i, v, 1, &n);
    if (status) return status;
    *index = n == 1 ? (v[0] < 0 ? v[0] + count : v[0]) : fallback;
    if (*index >= 0 && *index < limit) return LEAT_OK;
    return leat__op_fail(call, LEAT_EINVAL, "position %" PRId64 " is outside a sequence of %" PRId64, n == 1 ? v[0] : fallback,
                         count);
}

static int blob_out(leat_op_call *call, int64_t bytes) { return leat__move_out(call, 0, LEAT_DTYPE_U8, 1, &bytes); }

/* ---- SequenceEmpty, SequenceConstruct --------------------------------------------------------------------------------- */

static int empty_infer(leat_op_call *call) { return blob_out(call, SEQ_HEAD); }

static int empty_run(leat_op_call *call) {
    write_head(call->out[0]->data, 0, (leat_dtype)leat__attr_int(call->attrs, "dtype", LEAT_DTYPE_F32));
    return LEAT_OK;
}

static int construct_infer(leat_op_call *call) {
    int64_t total = SEQ_HEAD;
    for (int i = 0; i < call->n_in; i++) {
        if (!call->in[i] || call->in[i]->dtype != call->in[0]->dtype)
            return leat__op_fail(call, LEAT_ETYPE, "inputs must all be of one type");
        int64_t bytes = entry_bytes(call->in[i]);
        if (bytes < 0 || __builtin_add_overflow(total, bytes, &total))
            return leat__op_fail(call, LEAT_ELIMIT, "sequence is too large");
    }
    return blob_out(call, total);
}

static int construct_run(leat_op_call *call) {
    uint8_t *at = call->out[0]->data;
    write_head(at, call->n_in, call->in[0]->dtype);
    at += SEQ_HEAD;
    for (int i = 0; i < call->n_in; i++) {
        leat__move_bytes(call, write_entry(at, call->in[i]), call->in[i]->data, leat_tensor_bytes(call->in[i]));
        at += entry_bytes(call->in[i]);
    }
    return LEAT_OK;
}

/* ---- SequenceInsert, SequenceErase ------------------------------------------------------------------------------------ */

static int insert_infer(leat_op_call *call) {
    int status = check_blob(call, call->in[0]);
    if (status) return status;
    int64_t bytes = entry_bytes(call->in[1]), total;
    if (bytes < 0 || __builtin_add_overflow(call->in[0]->dims[0], bytes, &total))
        return leat__op_fail(call, LEAT_ELIMIT, "sequence is too large");
    return blob_out(call, total);
}

static int insert_run(leat_op_call *call) {
    const leat_tensor *blob = call->in[0], *t = call->in[1];
    int64_t count, index, offset;
    int status = read_count(call, blob, &count);
    if (!status) status = read_position(call, 2, count, count + 1, count, &index);
    if (!status) status = entry_offset(call, blob, index, &offset);
    if (status) return status;
    uint8_t *to = call->out[0]->data;
    memcpy(to, blob->data, (size_t)offset);
    write_head(to, count + 1, t->dtype);
    memcpy(write_entry(to + offset, t), t->data, leat_tensor_bytes(t));
    memcpy(to + offset + entry_bytes(t), (const uint8_t *)blob->data + offset, (size_t)(blob->dims[0] - offset));
    return LEAT_OK;
}

/* Where the erased entry begins and ends. */
static int erased_range(leat_op_call *call, int64_t *count, int64_t *from, int64_t *to) {
    leat_tensor t = {0};
    int64_t index;
    int status = read_count(call, call->in[0], count);
    if (!status) status = read_position(call, 1, *count, *count, *count - 1, &index);
    if (!status) status = entry_offset(call, call->in[0], index, from);
    if (status) return status;
    *to = *from;
    return next_entry(call, call->in[0], to, &t);
}

static int erase_infer(leat_op_call *call) {
    int64_t count, from, to;
    int status = erased_range(call, &count, &from, &to);
    return status ? status : blob_out(call, call->in[0]->dims[0] - (to - from));
}

static int erase_run(leat_op_call *call) {
    const leat_tensor *blob = call->in[0], *y = call->out[0];
    int64_t count, from, to, head[3];
    int status = erased_range(call, &count, &from, &to);
    if (status) return status;
    if (y->dims[0] != blob->dims[0] - (to - from)) return leat__op_fail(call, LEAT_EINTERNAL, "position changed after planning");
    memcpy(head, blob->data, sizeof head);
    memcpy(y->data, blob->data, (size_t)from);
    memcpy((uint8_t *)y->data + from, (const uint8_t *)blob->data + to, (size_t)(blob->dims[0] - to));
    write_head(y->data, count - 1, (leat_dtype)head[2]);
    return LEAT_OK;
}

/* ---- SequenceAt, SequenceLength --------------------------------------------------------------------------------------- */

static int find_entry(leat_op_call *call, leat_tensor *t) {
    int64_t count, index, offset;
    int status = read_count(call, call->in[0], &count);
    if (!status) status = read_position(call, 1, count, count, 0, &index);
    if (!status) status = entry_offset(call, call->in[0], index, &offset);
    return status ? status : next_entry(call, call->in[0], &offset, t);
}

static int at_infer(leat_op_call *call) {
    leat_tensor t = {0};
    int status = find_entry(call, &t);
    return status ? status : leat__move_out(call, 0, t.dtype, t.rank, t.dims);
}

static int at_run(leat_op_call *call) {
    leat_tensor t = {0};
    int status = find_entry(call, &t);
    if (status) return status;
    if (leat_tensor_bytes(&t) != leat_tensor_bytes(call->out[0]))
        return leat__op_fail(call, LEAT_EINTERNAL, "position changed after planning");
    leat__move_bytes(call, call->out[0]->data, t.data, leat_tensor_bytes(&t));
    return LEAT_OK;
}

static int length_infer(leat_op_call *call) {
    int status = check_blob(call, call->in[0]);
    return status ? status : leat__move_out(call, 0, LEAT_DTYPE_I64, 0, NULL);
}

static int length_run(leat_op_call *call) { return read_count(call, call->in[0], call->out[0]->data); }

/* ---- SplitToSequence -------------------------------------------------------------------------------------------------- */

typedef struct split_plan {
    const leat_tensor *x, *sizes; /* sizes NULL: equal chunks */
    int                axis, drop; /* drop: chunks of 1 lose the axis */
    int64_t            count, chunk;
} split_plan;

static int64_t chunk_length(const split_plan *p, int64_t i) {
    if (p->sizes) return leat__tensor_get_int(p->sizes, i);
    int64_t left = p->x->dims[p->axis] - i * p->chunk;
    return left < p->chunk ? left : p->chunk;
}

static int plan_split(leat_op_call *call, split_plan *p) {
    const leat_tensor *x = call->in[0], *split = leat__op_in(call, 1);
    *p = (split_plan){.x = x, .chunk = 1, .drop = !split && leat__attr_int(call->attrs, "keepdims", 1) == 0};
    int status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", 0), x->rank, &p->axis);
    if (status) return status;
    if (split && (!leat__dtype_is_int(split->dtype) || split->rank > 1))
        return leat__op_fail(call, LEAT_ETYPE, "split must be integers of rank 0 or 1");
    if (split && leat_tensor_count(split) > 0 && !split->data) return LEAT_EDYNAMIC;
    int64_t dim = x->dims[p->axis], sum = 0;
    if (split && split->rank == 1) {
        p->sizes = split, p->count = split->dims[0];
        for (int64_t i = 0; i < p->count; i++)
            if (chunk_length(p, i) < 0 || __builtin_add_overflow(sum, chunk_length(p, i), &sum) || sum > dim)
                return leat__op_fail(call, LEAT_ESHAPE, "split[%" PRId64 "] is %" PRId64, i, chunk_length(p, i));
        return sum == dim ? LEAT_OK : leat__op_fail(call, LEAT_ESHAPE, "split sizes sum to %" PRId64 " of %" PRId64, sum, dim);
    }
    if (split) p->chunk = leat__tensor_get_int(split, 0);
    if (p->chunk < 1) return leat__op_fail(call, LEAT_EINVAL, "split is %" PRId64, p->chunk);
    p->count = dim / p->chunk + (dim % p->chunk != 0);
    return LEAT_OK;
}

/* Dims of chunk i. */
static void chunk_shape(const split_plan *p, int64_t i, leat_tensor *t) {
    *t = *p->x;
    t->dims[p->axis] = chunk_length(p, i);
    if (!p->drop) return;
    for (int a = p->axis; a + 1 < t->rank; a++) t->dims[a] = t->dims[a + 1];
    t->rank--;
}

static int split_infer(leat_op_call *call) {
    split_plan p;
    leat_tensor t;
    int64_t total = SEQ_HEAD;
    int status = plan_split(call, &p);
    for (int64_t i = 0; i < p.count && !status; i++) {
        chunk_shape(&p, i, &t);
        int64_t bytes = entry_bytes(&t);
        if (bytes < 0 || __builtin_add_overflow(total, bytes, &total))
            return leat__op_fail(call, LEAT_ELIMIT, "sequence is too large");
    }
    return status ? status : blob_out(call, total);
}

static int split_run(leat_op_call *call) {
    split_plan p;
    leat_tensor t;
    int status = plan_split(call, &p);
    if (status) return status;
    const leat_tensor *x = p.x;
    int64_t step = leat__move_span(x->dims, p.axis + 1, x->rank) * (int64_t)leat_dtype_size(x->dtype),
        row = x->dims[p.axis] * step;
    const uint8_t *from = x->data;
    uint8_t *at = call->out[0]->data;
    write_head(at, p.count, x->dtype);
    at += SEQ_HEAD;
    for (int64_t i = 0; i < p.count; i++) {
        int64_t bytes = chunk_length(&p, i) * step;
        chunk_shape(&p, i, &t);
        leat_copy copy = {.elem = 1};
        leat__copy_axis(&copy, leat__move_span(x->dims, 0, p.axis), row, bytes);
        leat__copy_axis(&copy, bytes, 1, 1);
        leat__move_run(call, &copy, from, write_entry(at, &t));
        from += bytes, at += entry_bytes(&t);
    }
    return LEAT_OK;
}

/* ---- ConcatFromSequence ----------------------------------------------------------------------------------------------- */

/* The entry as it is joined: with new_axis a dimension of 1 is put in at `axis`. */
static int joined_shape(leat_op_call *call, leat_tensor *t, int *axis) {
    int fresh = leat__attr_int(call->attrs, "new_axis", 0) != 0, rank = t->rank + fresh;
    if (rank > LEAT_MAX_RANK)
        return leat__op_fail(call, LEAT_ELIMIT, "output has rank %d, at most %d are supported", rank, LEAT_MAX_RANK);
    int status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", 0), rank, axis);
    if (status || !fresh) return status;
    for (int a = rank - 1; a > *axis; a--) t->dims[a] = t->dims[a - 1];
    t->dims[*axis] = 1;
    t->rank = rank;
    return LEAT_OK;
}

static int join_infer(leat_op_call *call) {
    leat_tensor first = {0}, t = {0};
    int64_t count, offset = SEQ_HEAD, length = 0;
    int axis = 0, status = read_count(call, call->in[0], &count);
    if (status) return status;
    if (count == 0) return leat__op_fail(call, LEAT_EINVAL, "the sequence is empty");
    for (int64_t i = 0; i < count; i++) {
        status = next_entry(call, call->in[0], &offset, &t);
        if (!status) status = joined_shape(call, &t, &axis);
        if (status) return status;
        if (i == 0) first = t;
        int fits = t.dtype == first.dtype && t.rank == first.rank;
        for (int a = 0; fits && a < t.rank; a++) fits = a == axis || t.dims[a] == first.dims[a];
        if (!fits || __builtin_add_overflow(length, t.dims[axis], &length))
            return leat__op_fail(call, LEAT_ESHAPE, "entry %" PRId64 " does not fit the others", i);
    }
    first.dims[axis] = length;
    return leat__move_out(call, 0, first.dtype, first.rank, first.dims);
}

static int join_run(leat_op_call *call) {
    const leat_tensor *y = call->out[0];
    leat_tensor t = {0};
    int64_t count, offset = SEQ_HEAD, end = 0;
    int axis = 0, status = read_count(call, call->in[0], &count);
    for (int64_t i = 0; i < count && !status; i++) {
        status = next_entry(call, call->in[0], &offset, &t);
        if (!status) status = joined_shape(call, &t, &axis);
        if (status) break;
        if (t.rank != y->rank || t.dtype != y->dtype || t.dims[axis] > y->dims[axis] - end)
            return leat__op_fail(call, LEAT_EINTERNAL, "sequence changed after planning");
        int64_t step = leat__move_span(y->dims, axis + 1, y->rank) * (int64_t)leat_dtype_size(y->dtype),
            bytes = t.dims[axis] * step;
        leat_copy copy = {.elem = 1};
        leat__copy_axis(&copy, leat__move_span(y->dims, 0, axis), bytes, y->dims[axis] * step);
        leat__copy_axis(&copy, bytes, 1, 1);
        leat__move_run(call, &copy, t.data, (uint8_t *)y->data + end * step);
        end += t.dims[axis];
    }
    return status;
}

/* ---- Optional: a tensor is its own optional; the absent input is the empty one ---------------------------------------- */

static int has_infer(leat_op_call *call) { return leat__move_out(call, 0, LEAT_DTYPE_BOOL, 0, NULL); }

static int has_run(leat_op_call *call) {
    *(uint8_t *)call->out[0]->data = leat__op_in(call, 0) != NULL;
    return LEAT_OK;
}

#define VIEW (LEAT_OP_VIEW | MOVE_ANY_TYPE)
const leat_op leat__ops_sequence[] = {
    {"", "SequenceEmpty", 11, 0, 0, 0, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, empty_infer, NULL, empty_run},
    {"", "SequenceConstruct", 11, 0, 1, -1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, construct_infer, NULL, construct_run},
    {"", "SequenceInsert", 11, 0, 2, 3, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, insert_infer, NULL, insert_run},
    {"", "SequenceErase", 11, 0, 1, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 1 | 2, erase_infer, NULL, erase_run},
    {"", "SequenceAt", 11, 0, 2, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 1 | 2, at_infer, NULL, at_run},
    {"", "SequenceLength", 11, 0, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, length_infer, NULL, length_run},
    {"", "SplitToSequence", 11, 0, 1, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 2, split_infer, NULL, split_run},
    {"", "ConcatFromSequence", 11, 0, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 1, join_infer, NULL, join_run},
    {"", "OptionalHasElement", 15, 0, 0, 1, 1, 1, LEAT_OP_SHAPE_ONLY | MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, has_infer, NULL, has_run},
    {"", "OptionalGetElement", 15, 0, 1, 1, 1, 1, VIEW, LEAT_OP_PLAIN, 0, leat__infer_same, NULL, leat__move_view_run},
    {"", "Optional", 15, 0, 1, 1, 1, 1, VIEW, LEAT_OP_PLAIN, 0, leat__infer_same, NULL, leat__move_view_run},
    {0}};
