/* nms.c - NonMaxSuppression: greedy selection of boxes, class by class.
 *
 * The number of selected boxes is the output's first dimension, so infer runs the selection once to count (allocating, as shapes that
 * depend on data may) and run once more to write.  Candidates above the score threshold form a heap, best first, lower index first
 * among equals; only as many are taken out as are needed.
 */
#include <string.h>

#include "base/mem.h"
#include "ops/nn_util.h"

typedef struct {
    float   score;
    int32_t index;
} candidate;

typedef struct {
    const float *boxes, *scores;
    int64_t      batches, classes, n, limit;
    float        iou, score;
    int          center;
    candidate   *heap;   /* [n] */
    int32_t     *chosen; /* [min(n, limit)] */
} nms_job;

/* ---- boxes ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    float y0, x0, y1, x1;
} box;

static box load_box(const nms_job *job, const float *b) {
    if (job->center) return (box){b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
    return (box){b[0] < b[2] ? b[0] : b[2], b[1] < b[3] ? b[1] : b[3], b[0] < b[2] ? b[2] : b[0], b[1] < b[3] ? b[3] : b[1]};
}

static float area(const box *b) { return (b->y1 - b->y0) * (b->x1 - b->x0); }

static int overlaps(const nms_job *job, const float *p, const float *q) {
    box a = load_box(job, p), b = load_box(job, q);
    float y0 = a.y0 > b.y0 ? a.y0 : b.y0, x0 = a.x0 > b.x0 ? a.x0 : b.x0, y1 = a.y1 < b.y1 ? a.y1 : b.y1, x1 = a.x1 < b.x1 ? a.x1 : b.x1;
    if (!(y1 > y0) || !(x1 > x0)) return 0;
    float common = (y1 - y0) * (x1 - x0), total = area(&a) + area(&b) - common;
    return area(&a) > 0 && area(&b) > 0 && total > 0 && common / total > job->iou;
}

/* ---- heap ------------------------------------------------------------------------------------------------------------------------------ */

static int before(const candidate *a, const candidate *b) { return a->score > b->score || (a->score == b->score && a->index < b->index); }

static void sink(candidate *heap, int64_t n, int64_t i) {
    candidate moving = heap[i];
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &moving)) break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

static int64_t fill_heap(const nms_job *job, const float *scores, int has_threshold) {
    int64_t n = 0;
    for (int64_t i = 0; i < job->n; i++)
        if (!has_threshold || scores[i] > job->score) job->heap[n++] = (candidate){scores[i], (int32_t)i};
    for (int64_t i = n / 2 - 1; i >= 0; i--) sink(job->heap, n, i);
    return n;
}

/* Chooses boxes of one class into job->chosen; returns how many. */
static int64_t select_class(const nms_job *job, const float *boxes, const float *scores, int has_threshold) {
    int64_t left = fill_heap(job, scores, has_threshold), count = 0;
    while (left > 0 && count < job->limit) {
        int32_t best = job->heap[0].index;
        job->heap[0] = job->heap[--left];
        if (left > 0) sink(job->heap, left, 0);
        int64_t k = 0;
        while (k < count && !overlaps(job, boxes + 4 * best, boxes + 4 * job->chosen[k])) k++;
        if (k == count) job->chosen[count++] = best;
    }
    return count;
}

/* Writes [batch, class, box] rows to `out` unless NULL; returns their number. */
static int64_t select_all(const nms_job *job, int has_threshold, int64_t *out) {
    int64_t total = 0;
    for (int64_t b = 0; b < job->batches; b++)
        for (int64_t c = 0; c < job->classes; c++) {
            int64_t count = select_class(job, job->boxes + b * job->n * 4, job->scores + (b * job->classes + c) * job->n, has_threshold);
            for (int64_t i = 0; i < count && out; i++) {
                int64_t *row = out + 3 * (total + i);
                row[0] = b;
                row[1] = c;
                row[2] = job->chosen[i];
            }
            total += count;
        }
    return total;
}

/* ---- operator -------------------------------------------------------------------------------------------------------------------------- */

static int check_scalar(leat_op_call *call, int i, leat_dtype dtype) {
    const leat_tensor *t = leat__op_in(call, i);
    if (!t) return LEAT_OK;
    if (t->dtype != dtype || leat_tensor_count(t) != 1) return leat__op_fail(call, LEAT_ETYPE, "input %d is not one %s", i, leat_dtype_name(dtype));
    return t->data ? LEAT_OK : LEAT_EDYNAMIC;
}

static int read_call(leat_op_call *call, nms_job *job) {
    const leat_tensor *boxes = leat__op_in(call, 0), *scores = leat__op_in(call, 1), *limit = leat__op_in(call, 2), *iou = leat__op_in(call, 3);
    const leat_tensor *score = leat__op_in(call, 4);
    if (!boxes || !scores || boxes->dtype != LEAT_DTYPE_F32 || scores->dtype != LEAT_DTYPE_F32)
        return leat__op_fail(call, LEAT_ETYPE, "boxes and scores must be float32");
    if (boxes->rank != 3 || scores->rank != 3 || boxes->dims[2] != 4 || boxes->dims[0] != scores->dims[0] || boxes->dims[1] != scores->dims[2] ||
        boxes->dims[1] > INT32_MAX)
        return leat__op_fail(call, LEAT_ESHAPE, "boxes must be [batches, boxes, 4], scores [batches, classes, boxes]");
    int status = check_scalar(call, 2, LEAT_DTYPE_I64);
    if (!status) status = check_scalar(call, 3, LEAT_DTYPE_F32);
    if (!status) status = check_scalar(call, 4, LEAT_DTYPE_F32);
    if (status) return status;
    if (!boxes->data || !scores->data) return LEAT_EDYNAMIC;
    *job = (nms_job){.boxes = boxes->data, .scores = scores->data, .batches = boxes->dims[0], .classes = scores->dims[1], .n = boxes->dims[1]};
    job->limit = limit ? leat__max64(0, leat__min64(*(const int64_t *)limit->data, job->n)) : 0;
    job->iou = iou ? *(const float *)iou->data : 0;
    job->score = score ? *(const float *)score->data : 0;
    job->center = leat__attr_int(call->attrs, "center_point_box", 0) != 0;
    return LEAT_OK;
}

static size_t scratch_bytes(int64_t n) { return (size_t)n * (sizeof(candidate) + sizeof(int32_t)); }

static void place_buffers(nms_job *job, void *memory) {
    job->heap = memory;
    job->chosen = (int32_t *)(job->heap + job->n);
}

static int infer_nms(leat_op_call *call) {
    nms_job job;
    int status = read_call(call, &job);
    if (status) return status;
    void *memory = leat__alloc(scratch_bytes(job.n), LEAT_MEMORY_PLAN);
    if (!memory) return leat__op_fail(call, LEAT_ENOMEM, "no memory for %lld boxes", (long long)job.n);
    place_buffers(&job, memory);
    int64_t dims[2] = {select_all(&job, leat__op_in(call, 4) != NULL, NULL), 3};
    leat__free(memory);
    leat__tensor_set(call->out[0], LEAT_DTYPE_I64, 2, dims);
    return LEAT_OK;
}

static int prepare_nms(leat_op_call *call) {
    call->scratch_bytes = scratch_bytes(call->in[0]->dims[1]);
    call->kernel = "nms_heap";
    return LEAT_OK;
}

static int run_nms(leat_op_call *call) {
    nms_job job;
    int status = read_call(call, &job);
    if (status) return status;
    place_buffers(&job, call->scratch);
    int has_threshold = leat__op_in(call, 4) != NULL;
    if (select_all(&job, has_threshold, NULL) != call->out[0]->dims[0]) return leat__op_fail(call, LEAT_EINTERNAL, "data changed within a run");
    select_all(&job, has_threshold, call->out[0]->data);
    return LEAT_OK;
}

const leat_op leat__ops_nms[] = {
    {"", "NonMaxSuppression", 10, 0, 2, 5, 1, 1, 0, LEAT_OP_PLAIN, 31, infer_nms, prepare_nms, run_nms},
    {0},
};
