/* conv_few.c - Conv of few input channels (the first of a network): a matrix multiply over a padded copy, a kernel row is one run.
 *
 * A block of output rows pads the input rows that it sees into its worker's scratch, from either layout, and multiplies row by row of the
 * output: there the left-hand rows lie a fixed distance apart, so that no table of addresses is needed.
 */
#include "ops/conv_plan.h"

#define TASK_MACS 500000
#define BLOCK_ROWS 8 /* of the output: the input rows that two blocks share are copied twice */

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static size_t packed_bytes(const conv_plan *p) {
    return align64(leat__f32_gemm_packed_bytes(leat__conv_taps(&p->shape) * p->shape.cin, p->shape.cout));
}

/* OIHW: element (co, ci, tap) lies at (co * cin + ci) * taps + tap. */
static void pack(const conv_plan *p, const float *w, void *packed) {
    int64_t taps = leat__conv_taps(&p->shape), cin = p->shape.cin;
    leat__f32_gemm_pack(w, taps, cin, p->shape.cout, 1, taps, cin * taps, packed);
}

static int64_t row_floats(const leat_conv_shape *s) { return leat__conv_padded_width(s) * s->cin; }

/* Padded rows that `count` output rows see. */
static int64_t rows_seen(const leat_conv_shape *s, int64_t count) {
    return (count - 1) * s->stride[1] + (s->kernel[1] - 1) * s->dilation[1] + 1;
}

/* The product of one output row, without A, C and residual. */
static leat_gemm row_gemm(const conv_plan *p) {
    const leat_conv_shape *s = &p->shape;
    leat_gemm g = {.m = s->out[2], .n = s->cout, .k = s->kernel[2] * s->cin, .taps = s->kernel[1], .lda = s->stride[2] * s->cin,
                   .tap_step = s->dilation[1] * row_floats(s), .ldc = s->cout, .epilogue = p->epilogue};
    g.epilogue.ldr = s->cout;
    return g;
}

static size_t copy_bytes(const leat_conv_shape *s) {
    int64_t rows = s->out[1] < 1 ? 0 : rows_seen(s, min64(BLOCK_ROWS, s->out[1])); /* an empty output sees nothing */
    return align64((size_t)(rows * row_floats(s)) * sizeof(float));
}

static void scratch(conv_plan *p, int threads) {
    leat_gemm g = row_gemm(p);
    g.a = (const float *)p; /* only whether there is one counts */
    p->worker_bytes = copy_bytes(&p->shape) + leat__f32_gemm_scratch(&g);
    p->shared_bytes = 0;
}

typedef struct few_job {
    const conv_run *r;
    int64_t         chunks; /* of all output rows of the batch */
} few_job;

/* Output rows [oh, oh + count) of image n. */
static void run_block(const conv_run *r, int64_t n, int64_t oh, int64_t count, char *worker) {
    const leat_conv_shape *s = &r->plan->shape;
    leat_conv_padded       input = {.shape = *s, .height = leat__conv_padded_height(s), .width = leat__conv_padded_width(s)};
    float                 *copy = (float *)(void *)worker;
    const leat_tensor     *bias = leat__op_in(r->call, 2);
    leat_gemm              g = row_gemm(r->plan);
    for (int64_t i = 0; i < rows_seen(s, count); i++)
        leat__conv_pad_row(&input, n * input.height + oh * s->stride[1] + i, r->x, r->x_plain, copy + i * row_floats(s));
    g.b = r->weights;
    g.epilogue.bias = bias ? bias->data : NULL;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = (n * s->out[1] + oh + i) * s->out[2] * s->cout;
        g.a = copy + i * s->stride[1] * row_floats(s);
        g.c = r->y + at;
        g.epilogue.residual = r->residual ? r->residual + at : NULL;
        leat__f32_gemm_part(&g, 0, g.m, 0, g.n, worker + copy_bytes(s));
    }
}

static void run_chunk(void *arg, int64_t index, int worker) {
    const few_job         *job = arg;
    const leat_conv_shape *s = &job->r->plan->shape;
    int64_t                rows = s->n * s->out[1], end = (index + 1) * rows / job->chunks;
    char                  *own = job->r->workers + (size_t)worker * job->r->plan->worker_bytes;
    for (int64_t i = index * rows / job->chunks; i < end;) {
        int64_t oh = i % s->out[1], count = min64(min64(BLOCK_ROWS, end - i), s->out[1] - oh);
        run_block(job->r, i / s->out[1], oh, count, own);
        i += count;
    }
}

static void run(const conv_run *r) {
    const leat_conv_shape *s = &r->plan->shape;
    int64_t                threads = r->plan->threads, rows = s->n * s->out[1], wanted = r->call->macs / TASK_MACS;
    few_job                job = {r, threads == 1 || wanted < 1 ? 1 : min64(min64(wanted, 8 * threads), rows)};
    leat__tpool_for_n(r->call->pool, r->plan->threads, job.chunks, run_chunk, &job);
}

const conv_algo leat__conv_few = {"conv_few", 1, packed_bytes, pack, scratch, run};
