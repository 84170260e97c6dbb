/* inverted_residual_run.c - running a fused inverted residual.
 *
 * Tiled: a task is a run of output rows of one strip of columns.  Block by block of channels, the new input rows are expanded into a ring
 * that holds just the rows that the depthwise kernel still needs, and go depthwise into `middle`; then the projection takes a tile of
 * middle into y.  Each row is expanded once per task.  Ring and middle are sized to stay in L2, a block's part of the ring in L1.
 * Staged: small maps with much weight.  A task is a block of channels of a whole image, so that its weights are read once and no row is
 * expanded twice however many threads there are; the projection follows, split over the threads.
 */
#include <math.h>
#include <string.h>

#include "ops/inverted_residual.h"

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

leat_gemm leat__ir_expand_gemm(const ir_plan *p, int64_t m) {
    int64_t k = p->c / p->parts; /* an input is a tap */
    return (leat_gemm){.m = m, .n = p->eb, .k = k, .taps = p->parts, .lda = k, .ldc = p->eb, .epilogue = p->expand};
}

leat_gemm leat__ir_enlarged_gemm(const ir_plan *p, int64_t m) {
    return (leat_gemm){.m = m, .n = p->eb, .k = p->up_c, .taps = 1, .lda = p->up_c, .ldc = p->eb};
}

leat_gemm leat__ir_project_gemm(const ir_plan *p, int64_t m, int64_t pixels) {
    leat_gemm g = {.m = m, .n = p->co, .k = p->eb, .taps = p->blocks, .lda = p->eb, .tap_step = pixels * p->eb, .ldc = p->co, .b = p->w2,
                   .epilogue = p->project};
    g.epilogue.ldr = p->co;
    return g;
}

static int is_clip(int act) { return act == LEAT_ACT_NONE || act == LEAT_ACT_RELU || act == LEAT_ACT_CLIP; }

/* One block of channels of a strip: the depthwise kernel and where its rows lie. */
typedef struct ir_depthwise {
    leat_dwconv        d;
    leat_dwconv_row_fn row;
    const ir_plan     *p;
} ir_depthwise;

static ir_depthwise depthwise(const ir_plan *p, int64_t in_width, int64_t out_width, int64_t pad) {
    const leat_conv_shape *s = &p->dw;
    ir_depthwise w = {.p = p};
    w.d = (leat_dwconv){.channels = p->eb, .in_width = in_width, .out_width = out_width, .kernel_h = s->kernel[1], .kernel_w = s->kernel[2],
                        .stride_w = s->stride[2], .dilation_w = s->dilation[2], .pad_w = pad, .lo = -INFINITY, .hi = INFINITY};
    if (p->act_dw == LEAT_ACT_RELU) w.d.lo = 0;
    if (p->act_dw == LEAT_ACT_CLIP) w.d.lo = p->params_dw.lo, w.d.hi = p->params_dw.hi;
    w.row = leat__dwconv_f32.choose(&w.d);
    return w;
}

static void set_block(ir_depthwise *w, const ir_run *r, int64_t block) {
    w->d.weights = w->p->wd + block * leat__conv_taps(&w->p->dw) * w->p->eb;
    w->d.bias = r->bd ? r->bd + block * w->p->eb : NULL;
}

/* Output row oh from input rows that lie `pitch` floats apart in `ring`, row i in slot i mod slots. */
static void depthwise_row(const ir_depthwise *w, int64_t oh, const float *ring, int64_t slots, int64_t pitch, float *to) {
    const leat_conv_shape *s = &w->p->dw;
    const float *rows[LEAT_DWCONV_MAX_ROWS];
    int count = 0, first = 0;
    for (int64_t k = 0; k < s->kernel[1]; k++) {
        int64_t ih = oh * s->stride[1] - s->pad[1] + k * s->dilation[1];
        if (ih < 0 || ih >= s->in[1]) continue;
        if (count == 0) first = (int)k;
        rows[count++] = ring + ih % slots * pitch;
    }
    w->row(&w->d, rows, first, count, to);
    if (!is_clip(w->p->act_dw)) leat__act_f32(w->p->act_dw, to, w->d.out_width * w->p->eb, &w->p->params_dw);
}

static leat_gemm block_gemm(const ir_run *r, int64_t block, int64_t m) {
    leat_gemm g = leat__ir_expand_gemm(r->p, m);
    g.b = r->p->w1 + (size_t)block * r->p->w1_block;
    g.epilogue.bias = r->b1 ? r->b1 + block * r->p->eb : NULL;
    return g;
}

static leat_gemm project_gemm(const ir_run *r, int64_t m, int64_t pixels) {
    leat_gemm g = leat__ir_project_gemm(r->p, m, pixels);
    const leat_tensor *b2 = leat__op_in(r->call, IR_B2);
    g.epilogue.bias = b2 ? b2->data : NULL;
    return g;
}

static const float *image_of(const ir_run *r, const float *x, int64_t n) {
    return x ? x + n * leat__conv_in_pixels(&r->p->dw) * (r->p->c / r->p->parts) : NULL;
}

/* ---- tiled --------------------------------------------------------------------------------------------------------------- */

typedef struct strip_task {
    const ir_run *r;
    const ir_plan *p;
    ir_depthwise  w;
    const float  *x[2], *up, *residual; /* of the image */
    float        *y;
    float        *ring, *middle; /* [blocks][ring_rows][columns][eb], [blocks][rows of the tile][width][eb] */
    float        *low, *lerp;    /* [blocks][low_rows][low_columns][eb], [low_columns][eb] */
    void         *gemm_scratch;
    int64_t       ow0, width;    /* output columns */
    int64_t       iw0, columns;  /* input columns that they see */
    int64_t       row, first_row; /* first input row that is being expanded, that the task has expanded at all */
    int64_t       low_column, low_count; /* columns of UP that the strip sees */
} strip_task;

static void strip_rows(const void *arg, int64_t m, int count, const float **rows, int64_t stride) {
    const strip_task *t = arg;
    int64_t row = m / t->columns, column = m % t->columns, width = t->p->dw.in[2], channels = t->p->c / t->p->parts;
    for (int i = 0; i < count; i++) {
        int64_t at = ((t->row + row) * width + t->iw0 + column) * channels;
        rows[i] = t->x[0] + at;
        if (t->p->parts > 1) rows[stride + i] = t->x[1] + at;
        if (++column < t->columns) continue;
        column = 0;
        row++;
    }
}

/* ---- enlarged channels ---- */

static int64_t low_end(const ir_plan *p, int64_t end) { return min64(p->up_rows.from[end - 1] + 2, p->up_h); }

/* Rows of UP [begin, end) of one block into the low ring, a row at a time. */
static void expand_low(const strip_task *t, int64_t block, int64_t begin, int64_t end, float *low) {
    const ir_plan *p = t->p;
    for (int64_t row = begin; row < end; row++) {
        leat_gemm g = leat__ir_enlarged_gemm(p, t->low_count);
        g.b = p->w1_up + (size_t)block * p->w1_up_block;
        g.a = t->up + (row * p->up_w + t->low_column) * p->up_c;
        g.c = low + row % p->low_rows * p->low_columns * p->eb;
        leat__f32_gemm_part(&g, 0, g.m, 0, g.n, t->gemm_scratch);
    }
}

/* Enlarges row `row` of one block into its place in the ring. */
static void enlarge_row(const strip_task *t, int64_t row, const float *low, float *to) {
    const ir_plan *p = t->p;
    int64_t from = p->up_rows.from[row], pitch = p->low_columns * p->eb;
    const float *above = low + from % p->low_rows * pitch, *below = low + min64(from + 1, p->up_h - 1) % p->low_rows * pitch;
    leat__dwconv_f32.lerp(above, below, p->up_rows.weight[row], t->low_count * p->eb, t->lerp);
    for (int64_t i = 0; i < t->columns; i++) {
        int64_t column = p->up_columns.from[t->iw0 + i], next = min64(column + 1, p->up_w - 1);
        const float *left = t->lerp + (column - t->low_column) * p->eb, *right = t->lerp + (next - t->low_column) * p->eb;
        leat__dwconv_f32.lerp(left, right, p->up_columns.weight[t->iw0 + i], p->eb, to + i * p->eb);
    }
}

static void enlarge_rows(const strip_task *t, int64_t block, int64_t begin, int64_t end, float *ring) {
    const ir_plan *p = t->p;
    if (begin >= end) return;
    float *low = t->low + block * p->low_rows * p->low_columns * p->eb;
    int64_t done = begin > t->first_row ? low_end(p, begin) : 0; /* rows of UP that the rows before have brought */
    expand_low(t, block, max64(done, p->up_rows.from[begin]), low_end(p, end), low);
    for (int64_t row = begin; row < end; row++) enlarge_row(t, row, low, ring + row % p->ring_rows * t->columns * p->eb);
}

/* Copies input rows [begin, end) of one block of X into its ring. */
static void copy_rows(const strip_task *t, int64_t block, int64_t begin, int64_t end, float *ring) {
    const ir_plan *p = t->p;
    for (int64_t row = begin; row < end; row++) {
        const float *from = t->x[0] + (row * p->dw.in[2] + t->iw0) * p->c + block * p->eb;
        float *to = ring + row % p->ring_rows * t->columns * p->eb;
        for (int64_t i = 0; i < t->columns; i++) memcpy(to + i * p->eb, from + i * p->c, (size_t)p->eb * sizeof(float));
    }
}

/* Expands input rows [begin, end) of one block into its ring, in pieces that do not wrap; on top of the enlarged channels, if any. */
static void expand_rows(strip_task *t, int64_t block, int64_t begin, int64_t end, float *ring) {
    const ir_plan *p = t->p;
    if (p->up_c) enlarge_rows(t, block, begin, end, ring);
    for (t->row = begin; t->row < end;) {
        int64_t slot = t->row % p->ring_rows, count = min64(end - t->row, p->ring_rows - slot);
        leat_gemm g = block_gemm(t->r, block, count * t->columns);
        if (p->parts == 1 && t->columns == p->dw.in[2]) {
            g.a = t->x[0] + t->row * t->columns * p->c; /* whole rows lie together */
        } else {
            g.rows = strip_rows;
            g.rows_arg = t;
        }
        g.c = ring + slot * t->columns * p->eb;
        if (p->up_c) {
            g.epilogue.residual = g.c;
            g.epilogue.ldr = p->eb;
        }
        leat__f32_gemm_part(&g, 0, g.m, 0, g.n, t->gemm_scratch);
        t->row += count;
    }
}

/* Output rows [oh, oh + count) from middle; one product where they lie together in memory. */
static void project_rows(const strip_task *t, int64_t oh, int64_t count) {
    const ir_plan *p = t->p;
    int64_t calls = t->width == p->dw.out[2] ? 1 : count;
    leat_gemm g = project_gemm(t->r, t->width * count / calls, t->width * count);
    for (int64_t i = 0; i < calls; i++) {
        int64_t at = ((oh + i) * p->dw.out[2] + t->ow0) * p->co;
        g.a = t->middle + i * t->width * p->eb;
        g.c = t->y + at;
        g.epilogue.residual = t->residual ? t->residual + at : NULL;
        leat__f32_gemm_part(&g, 0, g.m, 0, g.n, t->gemm_scratch);
    }
}

/* Output rows [oh, oh + count), new input rows [begin, end). */
static void run_tile(strip_task *t, int64_t oh, int64_t count, int64_t begin, int64_t end) {
    const ir_plan *p = t->p;
    for (int64_t b = 0; b < p->blocks; b++) {
        float *ring = t->ring + b * p->ring_rows * t->columns * p->eb, *middle = t->middle + b * count * t->width * p->eb;
        set_block(&t->w, t->r, b);
        if (p->w1) expand_rows(t, b, begin, end, ring);
        else if (p->ringed) copy_rows(t, b, begin, end, ring);
        for (int64_t i = 0; i < count; i++) {
            float *to = middle + i * t->width * p->eb;
            if (p->ringed) depthwise_row(&t->w, oh + i, ring, p->ring_rows, t->columns * p->eb, to);
            else depthwise_row(&t->w, oh + i, t->x[0] + t->iw0 * p->c, INT64_MAX, p->dw.in[2] * p->c, to);
        }
    }
    project_rows(t, oh, count);
}

static void run_rows(strip_task *t, int64_t oh0, int64_t oh1) {
    const ir_plan *p = t->p;
    const leat_conv_shape *s = &p->dw;
    int64_t expanded = 0;
    for (int64_t oh = oh0; oh < oh1; oh += p->block) {
        int64_t count = min64(p->block, oh1 - oh), start = oh * s->stride[1] - s->pad[1];
        int64_t end = min64(s->in[1], start + (count - 1) * s->stride[1] + (s->kernel[1] - 1) * s->dilation[1] + 1);
        expanded = max64(expanded, start);
        if (oh == oh0) t->first_row = expanded;
        run_tile(t, oh, count, expanded, end);
        expanded = max64(expanded, end);
    }
}

static void place_strip(strip_task *t, int64_t strip) {
    const ir_plan *p = t->p;
    const leat_conv_shape *s = &p->dw;
    t->ow0 = strip * s->out[2] / p->strips;
    t->width = (strip + 1) * s->out[2] / p->strips - t->ow0;
    int64_t start = t->ow0 * s->stride[2] - s->pad[2];
    int64_t end = start + (t->width - 1) * s->stride[2] + (s->kernel[2] - 1) * s->dilation[2] + 1;
    t->iw0 = min64(max64(start, 0), s->in[2]);
    t->columns = max64(min64(end, s->in[2]) - t->iw0, 0);
    t->w = depthwise(p, t->columns, t->width, t->iw0 - start);
    if (!p->up_c || t->columns == 0) return;
    t->low_column = p->up_columns.from[t->iw0];
    t->low_count = min64(p->up_columns.from[t->iw0 + t->columns - 1] + 2, p->up_w) - t->low_column;
}

static strip_task open_task(const ir_run *r, int64_t n, int worker) {
    const ir_plan *p = r->p;
    int64_t out = leat__conv_out_pixels(&p->dw) * p->co;
    char *scratch = (char *)r->call->scratch + p->at_workers + (size_t)worker * p->worker_bytes;
    strip_task t = {.r = r, .p = p, .gemm_scratch = scratch + p->at_gemm};
    t.ring = (float *)(scratch + p->at_ring);
    t.middle = (float *)(scratch + p->at_middle);
    t.low = (float *)(scratch + p->at_low);
    t.lerp = (float *)(scratch + p->at_lerp);
    t.x[0] = image_of(r, r->x, n);
    t.x[1] = image_of(r, r->x2, n);
    t.up = p->up_c ? r->up + n * p->up_h * p->up_w * p->up_c : NULL;
    t.y = r->y + n * out;
    t.residual = r->residual ? r->residual + n * out : NULL;
    return t;
}

static void run_strip(void *arg, int64_t index, int worker) {
    const ir_run *r = arg;
    const ir_plan *p = r->p;
    const leat_conv_shape *s = &p->dw;
    int64_t segment = index % p->segments, strip = index / p->segments % p->strips, n = index / (p->segments * p->strips);
    strip_task t = open_task(r, n, worker);
    place_strip(&t, strip);
    run_rows(&t, segment * s->out[1] / p->segments, (segment + 1) * s->out[1] / p->segments);
}

/* ---- staged -------------------------------------------------------------------------------------------------------------- */

typedef struct stage_job {
    const ir_run *r;
    int64_t       n, whole; /* the first blocks are a task each, of the others every output row range */
    float        *middle;   /* [blocks][pixels][eb] */
} stage_job;

/* Output rows [oh0, oh1) of one block. */
static void run_block_rows(const stage_job *j, int64_t block, int64_t oh0, int64_t oh1, int worker) {
    const ir_plan *p = j->r->p;
    const leat_conv_shape *s = &p->dw;
    int64_t start = oh0 * s->stride[1] - s->pad[1], extent = (s->kernel[1] - 1) * s->dilation[1] + 1;
    int64_t end = min64(s->in[1], (oh1 - 1) * s->stride[1] - s->pad[1] + extent);
    strip_task t = open_task(j->r, j->n, worker);
    place_strip(&t, 0);
    t.low -= block * p->low_rows * p->low_columns * p->eb; /* only this block is there */
    t.first_row = min64(max64(0, start), s->in[1]);
    set_block(&t.w, j->r, block);
    expand_rows(&t, block, t.first_row, end, t.ring);
    float *to = j->middle + block * leat__conv_out_pixels(s) * p->eb;
    for (int64_t oh = oh0; oh < oh1; oh++) depthwise_row(&t.w, oh, t.ring, s->in[1], t.columns * p->eb, to + oh * s->out[2] * p->eb);
}

static void run_block(void *arg, int64_t index, int worker) {
    const stage_job *j = arg;
    int64_t threads = j->r->p->threads, rows = j->r->p->dw.out[1], rest = index - j->whole;
    if (rest < 0) run_block_rows(j, index, 0, rows, worker);
    else run_block_rows(j, j->whole + rest / threads, rest % threads * rows / threads, (rest % threads + 1) * rows / threads, worker);
}

static void run_stages(const ir_run *r, int64_t n) {
    const ir_plan *p = r->p;
    const leat_conv_shape *s = &p->dw;
    int64_t out = leat__conv_out_pixels(s), whole = s->out[1] < 2 * p->threads ? p->blocks : p->blocks / p->threads * p->threads;
    char *scratch = r->call->scratch;
    stage_job j = {r, n, whole, (float *)(scratch + p->at_middle)};
    leat__tpool_for_n(r->call->pool, p->threads, whole + (p->blocks - whole) * p->threads, run_block, &j);
    leat_gemm g = project_gemm(r, out, out);
    g.a = j.middle;
    g.c = r->y + n * out * p->co;
    g.epilogue.residual = r->residual ? r->residual + n * out * p->co : NULL;
    leat__f32_gemm_parallel(&g, r->call->pool, p->threads, p->worker_bytes, scratch + p->at_workers);
}

/* The bias [e] with zeros up to the last block's end. */
static const float *padded_bias(const ir_run *r, int input, float *to) {
    const leat_tensor *bias = leat__op_in(r->call, input);
    if (!bias) return NULL;
    memcpy(to, bias->data, (size_t)r->p->e * sizeof(float));
    memset(to + r->p->e, 0, (size_t)(r->p->blocks * r->p->eb - r->p->e) * sizeof(float));
    return to;
}

void leat__ir_run(ir_run *r) {
    const ir_plan *p = r->p;
    float *biases = (float *)((char *)r->call->scratch + p->at_biases);
    r->b1 = padded_bias(r, IR_B1, biases);
    r->bd = padded_bias(r, IR_BD, biases + p->blocks * p->eb);
    if (!p->staged) {
        leat__tpool_for_n(r->call->pool, p->threads, p->dw.n * p->strips * p->segments, run_strip, r);
        return;
    }
    for (int64_t n = 0; n < p->dw.n; n++) run_stages(r, n);
}
