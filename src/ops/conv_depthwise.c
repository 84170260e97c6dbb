/* conv_depthwise.c - one filter per channel, an output row at a time. */
#include <math.h>

#include "cpu/vmath.h"
#include "ops/conv_plan.h"

#define TASK_MACS 400000.0

static size_t packed_bytes(const conv_plan *p) { return (size_t)(p->shape.cin * leat__conv_taps(&p->shape)) * sizeof(float); }

static void pack(const conv_plan *p, const float *w, void *packed) {
    leat__f32_dwconv_pack(w, p->shape.cin, leat__conv_taps(&p->shape), packed);
}

static void scratch(conv_plan *p, int threads) { p->worker_bytes = p->shared_bytes = 0; }

typedef struct depthwise_job {
    const conv_run *r;
    leat_dwconv     d;
    leat_dwconv_row_fn row;
    int             separate; /* residual and activation after the kernel */
    int64_t         rows, chunks;
} depthwise_job;

static void finish_row(const depthwise_job *job, float *y, int64_t at, int64_t count) {
    const leat_epilogue *e = &job->r->plan->epilogue;
    const float *residual = job->r->residual ? job->r->residual + at : NULL;
    if (residual && !e->after) leat__vmath()->vv[LEAT_VBIN_ADD](y, residual, y, count);
    leat__act_f32(e->act, y, count, &e->params);
    if (residual && e->after) leat__vmath()->vv[LEAT_VBIN_ADD](y, residual, y, count);
}

static void run_row(const depthwise_job *job, int64_t index) {
    const leat_conv_shape *s = &job->r->plan->shape;
    int64_t n = index / s->out[1], oh = index % s->out[1], row = s->out[2] * s->cout, count = 0, first = 0;
    const float *image = job->r->x + n * s->in[1] * s->in[2] * s->cin;
    const float *rows[LEAT_DWCONV_MAX_ROWS];
    for (int64_t k = 0; k < s->kernel[1]; k++) {
        int64_t ih = oh * s->stride[1] - s->pad[1] + k * s->dilation[1];
        if (ih < 0 || ih >= s->in[1]) continue;
        if (count == 0) first = k;
        rows[count++] = image + ih * s->in[2] * s->cin;
    }
    float *y = job->r->y + index * row;
    job->row(&job->d, rows, (int)first, (int)count, y);
    if (job->separate) finish_row(job, y, index * row, row);
}

static void run_chunk(void *arg, int64_t index, int worker) {
    const depthwise_job *job = arg;
    int64_t end = (index + 1) * job->rows / job->chunks;
    for (int64_t i = index * job->rows / job->chunks; i < end; i++) run_row(job, i);
}

static int is_clip(int act) { return act == LEAT_ACT_NONE || act == LEAT_ACT_RELU || act == LEAT_ACT_CLIP; }

static void run(const conv_run *r) {
    const conv_plan *p = r->plan;
    const leat_conv_shape *s = &p->shape;
    const leat_epilogue *e = &p->epilogue;
    const leat_tensor *bias = leat__op_in(r->call, 2);
    depthwise_job job = {.r = r, .rows = s->n * s->out[1], .separate = r->residual || !is_clip(e->act)};
    job.d = (leat_dwconv){.channels = s->cin, .in_width = s->in[2], .out_width = s->out[2], .kernel_h = s->kernel[1], .kernel_w = s->kernel[2],
                          .stride_w = s->stride[2], .dilation_w = s->dilation[2], .pad_w = s->pad[2], .weights = r->weights,
                          .bias = bias ? bias->data : NULL, .lo = -INFINITY, .hi = INFINITY};
    if (!job.separate && e->act == LEAT_ACT_RELU) job.d.lo = 0;
    if (!job.separate && e->act == LEAT_ACT_CLIP) job.d.lo = e->params.lo, job.d.hi = e->params.hi;
    job.row = leat__dwconv_f32.choose(&job.d);
    int64_t chunks = (int64_t)((double)r->call->macs / TASK_MACS), most = 8 * (int64_t)p->threads;
    chunks = p->threads == 1 || chunks < 1 ? 1 : chunks > most ? most : chunks;
    job.chunks = chunks < job.rows ? chunks : job.rows;
    leat__tpool_for_n(r->call->pool, p->threads, job.chunks, run_chunk, &job);
}

const conv_algo leat__conv_depthwise = {"dwconv", 0, packed_bytes, pack, scratch, run};
