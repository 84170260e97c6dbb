/* topk.c - TopK: the k largest (or smallest) elements along an axis and their indices.
 *
 * Elements become order keys (order_key.h), complemented when the smallest are wanted, and go through a heap of k entries whose
 * root is the worst kept; most elements of a long row cost one comparison.  Equal values: the lower index wins and comes first.
 * The output is always sorted, which `sorted` = 0 allows too.
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

#include "ops/order_key.h"

typedef struct heap_entry {
    uint64_t key;
    int64_t  index;
} heap_entry;

/* a should be thrown out before b. */
static int worse(const heap_entry *a, const heap_entry *b) { return a->key != b->key ? a->key < b->key : a->index > b->index; }

static void sift_down(heap_entry *heap, int64_t n, int64_t at) {
    heap_entry moving = heap[at];
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && worse(&heap[child + 1], &heap[child])) child++;
        if (!worse(&heap[child], &moving)) break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

static void heapify(heap_entry *heap, int64_t n) {
    for (int64_t i = n / 2 - 1; i >= 0; i--) sift_down(heap, n, i);
}

/* Worst to the end, again and again: leaves the entries best first. */
static void sort_entries(heap_entry *heap, int64_t n) {
    for (int64_t end = n - 1; end > 0; end--) {
        heap_entry worst = heap[0];
        heap[0] = heap[end];
        heap[end] = worst;
        sift_down(heap, end, 0);
    }
}

/* ---- the operator ----------------------------------------------------------------------------------------------------- */

typedef struct topk_job {
    const leat_tensor *x;
    leat_tensor       *values, *indices; /* NULL when nobody reads them */
    heap_entry        *heaps;            /* [threads, k] */
    int64_t            dim, k, inner;
    uint64_t           flip;
} topk_job;

static int read_k(leat_op_call *call, int64_t *k) {
    int n, status = leat__move_values(call, 1, k, 1, &n);
    if (status) return status;
    if (n < 0) *k = leat__attr_int(call->attrs, "k", -1); /* opset 1 */
    else if (n != 1) return leat__op_fail(call, LEAT_ESHAPE, "k must be one value");
    return LEAT_OK;
}

static int topk_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t k, dims[LEAT_MAX_RANK];
    int axis, status = read_k(call, &k);
    if (!status) status = leat__move_axis(call, leat__attr_int(call->attrs, "axis", -1), x->rank, &axis);
    if (status) return status;
    if (!leat__has_order_key(x->dtype)) return leat__op_fail(call, LEAT_ETYPE, "%s has no order", leat_dtype_name(x->dtype));
    if (k < 0 || k > x->dims[axis])
        return leat__op_fail(call, LEAT_EINVAL, "k = %" PRId64 " of %" PRId64 " elements", k, x->dims[axis]);
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = k;
    status = leat__move_out(call, 0, x->dtype, x->rank, dims);
    return status || call->n_out < 2 ? status : leat__move_out(call, 1, LEAT_DTYPE_I64, x->rank, dims);
}

static int topk_prepare(leat_op_call *call) {
    int64_t k;
    int status = read_k(call, &k);
    if (!status) call->scratch_bytes = (size_t)k * sizeof(heap_entry) * (size_t)(call->threads > 0 ? call->threads : 1);
    return status;
}

static heap_entry entry_of(const topk_job *job, int64_t base, int64_t i) {
    return (heap_entry){leat__order_key(job->x->dtype, job->x->data, base + i * job->inner) ^ job->flip, i};
}

static void topk_task(void *arg, int64_t row, int worker) {
    const topk_job *job = arg;
    heap_entry *heap = job->heaps + worker * job->k;
    int64_t elem = (int64_t)leat_dtype_size(job->x->dtype), outer = row / job->inner, column = row % job->inner;
    int64_t from = outer * job->dim * job->inner + column, to = outer * job->k * job->inner + column;
    for (int64_t i = 0; i < job->k; i++) heap[i] = entry_of(job, from, i);
    heapify(heap, job->k);
    for (int64_t i = job->k; i < job->dim; i++) {
        heap_entry e = entry_of(job, from, i);
        if (!worse(&heap[0], &e)) continue;
        heap[0] = e;
        sift_down(heap, job->k, 0);
    }
    sort_entries(heap, job->k);
    for (int64_t i = 0; i < job->k; i++) {
        int64_t at = to + i * job->inner;
        if (job->indices) ((int64_t *)job->indices->data)[at] = heap[i].index;
        if (job->values)
            memcpy((uint8_t *)job->values->data + at * elem,
                   (const uint8_t *)job->x->data + (from + heap[i].index * job->inner) * elem, (size_t)elem);
    }
}

static int topk_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", -1), x->rank);
    topk_job job = {.x = x, .values = leat__op_out(call, 0), .indices = leat__op_out(call, 1), .heaps = call->scratch,
        .dim = x->dims[axis]};
    const leat_tensor *y = job.values ? job.values : job.indices;
    if (!y || leat_tensor_count(y) == 0) return LEAT_OK;
    int64_t k, rows;
    int status = read_k(call, &k);
    if (status) return status;
    if (k != y->dims[axis]) return leat__op_fail(call, LEAT_EINTERNAL, "k changed after planning");
    job.k = k;
    job.inner = leat__move_span(x->dims, axis + 1, x->rank);
    job.flip = leat__attr_int(call->attrs, "largest", 1) ? 0 : UINT64_MAX;
    rows = leat__move_span(x->dims, 0, axis) * job.inner;
    if (call->pool && call->threads > 1 && rows > 1) leat__tpool_for_n(call->pool, call->threads, rows, topk_task, &job);
    else
        for (int64_t row = 0; row < rows; row++) topk_task(&job, row, 0);
    return LEAT_OK;
}

const leat_op leat__ops_topk[] = {
    {"", "TopK", 1, 9, 1, 1, 1, 2, LEAT_OP_F16, LEAT_OP_PLAIN, 0, topk_infer, topk_prepare, topk_run},
    {"", "TopK", 10, 0, 2, 2, 1, 2, LEAT_OP_F16, LEAT_OP_PLAIN, 2, topk_infer, topk_prepare, topk_run},
    {0}};
