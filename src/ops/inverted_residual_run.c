/* inverted_residual_run.c - running a fused inverted residual.
 *
 * Tiled: a task is a run of output rows of one strip of columns.  Expanded rows live in a ring that holds just those that the depthwise
 * kernel still needs; each is computed once per task.  A block of output rows goes depthwise into `middle`, then through the projection
 * into y.  Ring and middle are sized to stay in L2.
 * Staged: maps so small that tiles would only repeat work: the three steps one after the other over an image, each split over threads.
 */
#include <math.h>

#include "ops/inverted_residual.h"

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static const float *input(const leat_op_call *call, int i) {
    const leat_tensor *t = leat__op_in(call, i);
    return t ? t->data : NULL;
}

leat_gemm leat__ir_expand_gemm(const ir_plan *p, const leat_op_call *call, int64_t m) {
    leat_gemm g = {.m = m, .n = p->e, .k = p->c, .taps = 1, .lda = p->c, .ldc = p->e, .b = p->w1, .epilogue = p->expand};
    g.epilogue.bias = input(call, IR_B1);
    return g;
}

leat_gemm leat__ir_project_gemm(const ir_plan *p, const leat_op_call *call, int64_t m) {
    leat_gemm g = {.m = m, .n = p->co, .k = p->e, .taps = 1, .lda = p->e, .ldc = p->co, .b = p->w2, .epilogue = p->project};
    g.epilogue.bias = input(call, IR_B2);
    g.epilogue.ldr = p->co;
    return g;
}

static int is_clip(int act) { return act == LEAT_ACT_NONE || act == LEAT_ACT_RELU || act == LEAT_ACT_CLIP; }

static leat_dwconv depthwise(const ir_plan *p, const leat_op_call *call) {
    const leat_conv_shape *s = &p->dw;
    leat_dwconv d = {.channels = p->e, .in_width = s->in[2], .out_width = s->out[2], .kernel_h = s->kernel[1], .kernel_w = s->kernel[2],
                     .stride_w = s->stride[2], .dilation_w = s->dilation[2], .pad_w = s->pad[2], .weights = p->wd, .bias = input(call, IR_BD),
                     .lo = -INFINITY, .hi = INFINITY};
    if (p->act_dw == LEAT_ACT_RELU) d.lo = 0;
    if (p->act_dw == LEAT_ACT_CLIP) d.lo = p->params_dw.lo, d.hi = p->params_dw.hi;
    return d;
}

/* Kernel rows that fall inside the image for output row oh: first kernel row and input rows; returns their number. */
static int kernel_rows(const leat_conv_shape *s, int64_t oh, int *first, int64_t *ih) {
    int count = 0;
    *first = 0;
    for (int64_t k = 0; k < s->kernel[1]; k++) {
        int64_t i = oh * s->stride[1] - s->pad[1] + k * s->dilation[1];
        if (i < 0 || i >= s->in[1]) continue;
        if (count == 0) *first = (int)k;
        ih[count++] = i;
    }
    return count;
}

/* ---- tiled --------------------------------------------------------------------------------------------------------------- */

typedef struct strip_task {
    const ir_run *r;
    const ir_plan *p;
    leat_dwconv   d;
    const float  *x, *residual; /* of the image */
    float        *y;
    float        *ring, *middle;
    void         *gemm_scratch;
    int64_t       ow0, ow1;     /* output columns */
    int64_t       iw0, columns; /* input columns that they see */
    int64_t       next_row;     /* first input row that is not in the ring */
} strip_task;

static void strip_rows(const void *arg, int64_t m, int count, const float **rows, int64_t stride) {
    const strip_task *t = arg;
    int64_t row = m / t->columns, column = m % t->columns, width = t->p->dw.in[2];
    for (int i = 0; i < count; i++) {
        rows[i] = t->x + ((t->next_row + row) * width + t->iw0 + column) * t->p->c;
        if (++column < t->columns) continue;
        column = 0;
        row++;
    }
}

/* Expands input rows [next_row, end) into the ring, in pieces that do not wrap. */
static void expand_until(strip_task *t, int64_t end) {
    const ir_plan *p = t->p;
    while (t->next_row < end) {
        int64_t slot = t->next_row % p->ring_rows, count = min64(end - t->next_row, p->ring_rows - slot);
        leat_gemm g = leat__ir_expand_gemm(p, t->r->call, count * t->columns);
        g.rows = strip_rows;
        g.rows_arg = t;
        g.c = t->ring + slot * t->columns * p->e;
        leat__f32_gemm_part(&g, 0, g.m, 0, g.n, t->gemm_scratch);
        t->next_row += count;
    }
}

static void depthwise_row(const strip_task *t, int64_t oh, float *to) {
    const ir_plan *p = t->p;
    const float *rows[LEAT_DWCONV_MAX_ROWS];
    int64_t ih[LEAT_DWCONV_MAX_ROWS];
    int first, count = kernel_rows(&p->dw, oh, &first, ih);
    for (int i = 0; i < count; i++)
        rows[i] = p->w1 ? t->ring + ih[i] % p->ring_rows * t->columns * p->e : t->x + (ih[i] * p->dw.in[2] + t->iw0) * p->c;
    leat__dwconv_f32.row(&t->d, rows, first, count, to);
    if (!is_clip(p->act_dw)) leat__act_f32(p->act_dw, to, (t->ow1 - t->ow0) * p->e, &p->params_dw);
}

/* Output rows [oh, oh + count) from middle; one product where they lie together in memory. */
static void project_rows(const strip_task *t, int64_t oh, int64_t count) {
    const ir_plan *p = t->p;
    int64_t width = t->ow1 - t->ow0, calls = width == p->dw.out[2] ? 1 : count;
    leat_gemm g = leat__ir_project_gemm(p, t->r->call, width * count / calls);
    for (int64_t i = 0; i < calls; i++) {
        int64_t at = ((oh + i) * p->dw.out[2] + t->ow0) * p->co;
        g.a = t->middle + i * width * p->e;
        g.c = t->y + at;
        g.epilogue.residual = t->residual ? t->residual + at : NULL;
        leat__f32_gemm_part(&g, 0, g.m, 0, g.n, t->gemm_scratch);
    }
}

static void run_rows(strip_task *t, int64_t oh0, int64_t oh1) {
    const ir_plan *p = t->p;
    const leat_conv_shape *s = &p->dw;
    int64_t width = t->ow1 - t->ow0;
    t->next_row = 0;
    for (int64_t oh = oh0; oh < oh1; oh += p->block) {
        int64_t count = min64(p->block, oh1 - oh), start = oh * s->stride[1] - s->pad[1];
        int64_t end = start + (count - 1) * s->stride[1] + (s->kernel[1] - 1) * s->dilation[1] + 1;
        t->next_row = max64(t->next_row, start);
        if (p->w1) expand_until(t, min64(end, s->in[1]));
        for (int64_t i = 0; i < count; i++) depthwise_row(t, oh + i, t->middle + i * width * p->e);
        project_rows(t, oh, count);
    }
}

static void place_strip(strip_task *t, int64_t strip) {
    const ir_plan *p = t->p;
    const leat_conv_shape *s = &p->dw;
    t->ow0 = strip * s->out[2] / p->strips;
    t->ow1 = (strip + 1) * s->out[2] / p->strips;
    int64_t start = t->ow0 * s->stride[2] - s->pad[2], end = (t->ow1 - 1) * s->stride[2] - s->pad[2] + (s->kernel[2] - 1) * s->dilation[2] + 1;
    t->iw0 = min64(max64(start, 0), s->in[2]);
    t->columns = max64(min64(end, s->in[2]) - t->iw0, 0);
    t->d.in_width = t->columns;
    t->d.out_width = t->ow1 - t->ow0;
    t->d.pad_w = t->iw0 - start;
}

static void run_task(void *arg, int64_t index, int worker) {
    const ir_run *r = arg;
    const ir_plan *p = r->p;
    const leat_conv_shape *s = &p->dw;
    int64_t segment = index % p->segments, strip = index / p->segments % p->strips, n = index / (p->segments * p->strips);
    char *scratch = (char *)r->call->scratch + p->at_workers + (size_t)worker * p->worker_bytes;
    strip_task t = {.r = r, .p = p, .d = depthwise(p, r->call), .ring = (float *)(scratch + p->at_ring), .middle = (float *)(scratch + p->at_middle),
                    .gemm_scratch = scratch + p->at_gemm};
    int64_t out = leat__conv_out_pixels(s) * p->co;
    t.x = r->x + n * leat__conv_in_pixels(s) * p->c;
    t.y = r->y + n * out;
    t.residual = r->residual ? r->residual + n * out : NULL;
    place_strip(&t, strip);
    run_rows(&t, segment * s->out[1] / p->segments, (segment + 1) * s->out[1] / p->segments);
}

/* ---- staged -------------------------------------------------------------------------------------------------------------- */

typedef struct stage_job {
    const ir_run *r;
    leat_dwconv   d;
    const float  *from;
    float        *to;
    int64_t       chunks;
} stage_job;

static void stage_depthwise(void *arg, int64_t index, int worker) {
    const stage_job *j = arg;
    const ir_plan *p = j->r->p;
    const leat_conv_shape *s = &p->dw;
    for (int64_t oh = index * s->out[1] / j->chunks; oh < (index + 1) * s->out[1] / j->chunks; oh++) {
        const float *rows[LEAT_DWCONV_MAX_ROWS];
        int64_t ih[LEAT_DWCONV_MAX_ROWS];
        int first, count = kernel_rows(s, oh, &first, ih);
        for (int i = 0; i < count; i++) rows[i] = j->from + ih[i] * s->in[2] * p->e;
        float *to = j->to + oh * s->out[2] * p->e;
        leat__dwconv_f32.row(&j->d, rows, first, count, to);
        if (!is_clip(p->act_dw)) leat__act_f32(p->act_dw, to, s->out[2] * p->e, &p->params_dw);
    }
}

static void run_staged(const ir_run *r, int64_t n) {
    const ir_plan *p = r->p;
    const leat_conv_shape *s = &p->dw;
    int64_t in = leat__conv_in_pixels(s), out = leat__conv_out_pixels(s);
    char *scratch = r->call->scratch, *workers = scratch + p->at_workers;
    stage_job j = {.r = r, .d = depthwise(p, r->call), .from = r->x + n * in * p->c, .to = (float *)(scratch + p->at_middle)};
    if (p->w1) {
        leat_gemm g = leat__ir_expand_gemm(p, r->call, in);
        g.a = j.from;
        g.c = (float *)(scratch + p->at_ring);
        leat__f32_gemm_parallel(&g, r->call->pool, p->threads, p->worker_bytes, workers);
        j.from = g.c;
    }
    j.chunks = p->threads == 1 ? 1 : min64(s->out[1], 4 * p->threads);
    leat__tpool_for_n(r->call->pool, p->threads, j.chunks, stage_depthwise, &j);
    leat_gemm g = leat__ir_project_gemm(p, r->call, out);
    g.a = j.to;
    g.c = r->y + n * out * p->co;
    g.epilogue.residual = r->residual ? r->residual + n * out * p->co : NULL;
    leat__f32_gemm_parallel(&g, r->call->pool, p->threads, p->worker_bytes, workers);
}

void leat__ir_run(const ir_run *r) {
    const ir_plan *p = r->p;
    if (!p->staged) {
        leat__tpool_for_n(r->call->pool, p->threads, p->dw.n * p->strips * p->segments, run_task, (void *)r);
        return;
    }
    for (int64_t n = 0; n < p->dw.n; n++) run_staged(r, n);
}
