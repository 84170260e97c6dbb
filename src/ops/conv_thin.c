/* conv_thin.c - Conv with one to four output channels: thin products (thin_f32.h) over the rows of a padded copy.
 *
 * Where nothing is padded the rows are those of the input itself.
 */
#include <math.h>
#include <string.h>

#include "cpu/thin_f32.h"
#include "ops/conv_plan.h"

#define LEAST_DEPTH 48   /* below, summing the lanes costs more than the matrix multiply wastes */
#define BLOCK_PIXELS 48
#define TASK_MACS 1000000

int leat__conv_suits_thin(const leat_conv_shape *s) {
    return s->group == 1 && s->cout <= LEAT_THIN_MAX_N && leat__conv_is_flat(s) && s->dilation[2] == 1 && leat__conv_padding_is_small(s) &&
           s->cin * leat__conv_taps(s) >= LEAST_DEPTH;
}

static int needs_copy(const leat_conv_shape *s) { return s->pad[1] || s->pad[2] || s->pad_end[1] || s->pad_end[2]; }

static size_t packed_bytes(const conv_plan *p) {
    return (size_t)(p->shape.cout * p->shape.cin * leat__conv_taps(&p->shape)) * sizeof(float);
}

/* OIHW to [co][kh][kw * ci]. */
static void pack(const conv_plan *p, const float *w, void *packed) {
    const leat_conv_shape *s = &p->shape;
    int64_t                taps = leat__conv_taps(s);
    float                 *to = packed;
    for (int64_t o = 0; o < s->cout; o++)
        for (int64_t t = 0; t < taps; t++)
            for (int64_t c = 0; c < s->cin; c++) *to++ = w[(o * s->cin + c) * taps + t];
}

typedef struct pad_job {
    const conv_run         *r;
    const leat_conv_padded *input;
    int64_t                 rows, chunks;
} pad_job;

static void pad_chunk(void *arg, int64_t index, int worker) {
    const pad_job *job = arg;
    int64_t end = (index + 1) * job->rows / job->chunks, floats = job->input->width * job->input->shape.cin;
    for (int64_t i = index * job->rows / job->chunks; i < end; i++)
        leat__conv_pad_row(job->input, i, job->r->x, job->r->x_plain, (float *)job->r->shared + i * floats);
}

static size_t padded_bytes(const leat_conv_shape *s) {
    return (size_t)(s->n * leat__conv_padded_height(s) * leat__conv_padded_width(s) * s->cin) * sizeof(float);
}

/* Copies the input with its zero border to r->shared. */
static leat_conv_padded pad_input(const conv_run *r) {
    const leat_conv_shape *s = &r->plan->shape;
    leat_conv_padded input = {.shape = *s, .x = r->shared, .height = leat__conv_padded_height(s), .width = leat__conv_padded_width(s)};
    pad_job job = {r, &input, s->n * input.height, 1};
    job.chunks = job.rows < 4 * r->plan->threads ? job.rows : 4 * r->plan->threads;
    leat__tpool_for_n(r->call->pool, r->plan->threads, job.chunks, pad_chunk, &job);
    return input;
}

static void scratch(conv_plan *p, int threads) {
    p->worker_bytes = (size_t)(p->shape.kernel[1] * BLOCK_PIXELS) * sizeof(float *);
    p->shared_bytes = needs_copy(&p->shape) ? padded_bytes(&p->shape) : 0;
}

typedef struct thin_job {
    const conv_run  *r;
    leat_conv_padded input;
    leat_thin        thin;
    const float     *bias;
    int64_t          pixels, chunks;
} thin_job;

static void finish(const thin_job *job, int64_t first, int64_t count) {
    const conv_run      *r = job->r;
    const leat_epilogue *e = &r->plan->epilogue;
    int64_t              n = r->plan->shape.cout;
    float               *y = r->y + first * n;
    const float         *residual = r->residual ? r->residual + first * n : NULL;
    for (int64_t i = 0; job->bias && i < count; i++)
        for (int64_t j = 0; j < n; j++) y[i * n + j] += job->bias[j];
    for (int64_t i = 0; residual && !e->after && i < count * n; i++) y[i] += residual[i];
    leat__act_f32(e->act, y, count * n, &e->params);
    for (int64_t i = 0; residual && e->after && i < count * n; i++) y[i] += residual[i];
}

static void run_chunk(void *arg, int64_t index, int worker) {
    const thin_job        *job = arg;
    const leat_conv_shape *s = &job->r->plan->shape;
    const float          **rows = (const float **)(void *)(job->r->workers + (size_t)worker * job->r->plan->worker_bytes);
    int64_t                end = (index + 1) * job->pixels / job->chunks;
    for (int64_t i = index * job->pixels / job->chunks; i < end; i += BLOCK_PIXELS) {
        int64_t count = end - i < BLOCK_PIXELS ? end - i : BLOCK_PIXELS;
        leat__conv_padded_rows(&job->input, i, (int)count, rows, BLOCK_PIXELS);
        leat__thin_f32.columns[s->cout](&job->thin, rows, BLOCK_PIXELS, count, job->r->y + i * s->cout, s->cout);
        finish(job, i, count);
    }
}

static void run(const conv_run *r) {
    const leat_conv_shape *s = &r->plan->shape;
    const leat_tensor     *bias = leat__op_in(r->call, 2);
    thin_job               job = {.r = r, .bias = bias ? bias->data : NULL, .pixels = s->n * leat__conv_out_pixels(s)};
    job.input = needs_copy(s) ? pad_input(r) : (leat_conv_padded){.shape = *s, .x = r->x, .height = s->in[1], .width = s->in[2]};
    job.thin = (leat_thin){.taps = s->kernel[1], .k = s->kernel[2] * s->cin, .w = r->weights};
    int64_t chunks = r->call->macs / TASK_MACS, most = 8 * (int64_t)r->plan->threads;
    job.chunks = r->plan->threads == 1 || chunks < 1 ? 1 : chunks > most ? most : chunks;
    leat__tpool_for_n(r->call->pool, r->plan->threads, job.chunks, run_chunk, &job);
}

const conv_algo leat__conv_thin = {"conv_thin", 0, packed_bytes, pack, scratch, run};
