/* inverted_residual.c - InvertedResidual of domain "leat" (contract in fused.h): 1x1 expansion, depthwise, 1x1 projection in one operator, so
 * that the wide middle never leaves the cache.  Without W1 it is a depthwise-separable convolution.
 *
 * prepare packs the weights in blocks of expanded channels and chooses between tiles and stages (inverted_residual_run.c).  A tile is a
 * strip of columns by a block of rows: narrow enough that the ring of expanded rows and the depthwise result fit in L2, large enough
 * that the products have rows to reuse the weights on.  With several threads a strip is cut into segments of rows; at a cut the rows
 * that both sides need are expanded twice.  Stages are for a small middle, unless one block of expanded channels already leaves L2, and
 * where HALO_LIMIT leaves a thread without a segment.
 */
#include "ops/inverted_residual.h"

#include <stdio.h>
#include <string.h>

#include "cpu/cpu.h"
#include "ops/conv_geom.h"
#include "ops/fuse_attr.h"
#include "ops/pack_scaled.h"

#define LEAST_ROWS 64     /* of a product, where the map has them */
#define LEAST_STRIP 40    /* output columns: below, halo columns cost too much */
#define DEFAULT_L2 524288
#define MOST_MIDDLE 1e12    /* elements: sizes in bytes stay far from overflow */
#define ALIAS_CHANNELS 256 /* 1 KiB from pixel to pixel */
#define STAGED_BYTES 2e6   /* a middle up to here lives in L2 and L3 well enough */
#define HALO_LIMIT 0.06   /* of the expansion's work */
#define TASKS_PER_THREAD 2 /* of a tiled block: each costs a halo */

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int check_pointwise(leat_op_call *call, int i, int64_t out, int64_t in) {
    const leat_tensor *w = leat__op_in(call, i);
    if (!w || w->dtype != LEAT_DTYPE_F32 || w->rank != 4 || w->dims[0] != out || w->dims[1] != in || w->dims[2] != 1 || w->dims[3] != 1)
        return leat__op_fail(call, LEAT_ESHAPE, "input %d must be float32[%lld,%lld,1,1]", i, (long long)out, (long long)in);
    return LEAT_OK;
}

static int check_bias(leat_op_call *call, int i, int64_t n) {
    const leat_tensor *b = leat__op_in(call, i);
    if (b && (b->dtype != LEAT_DTYPE_F32 || leat_tensor_count(b) != n))
        return leat__op_fail(call, LEAT_ESHAPE, "input %d must be float32[%lld]", i, (long long)n);
    return LEAT_OK;
}

/* Blocks of 32 channels, or of 16 where that leaves fewer to padding. */
static void choose_block(ir_plan *p, int expands) {
    p->ringed = expands || (p->e > 0 && p->e % ALIAS_CHANNELS == 0);
    int64_t by16 = ceil_div(p->e, 16), by32 = ceil_div(p->e, 32);
    p->eb = !p->ringed ? max64(p->e, 1) : by16 * 16 < by32 * 32 ? 16 : 32;
    p->blocks = max64(1, ceil_div(p->e, p->eb));
}

/* The tensor that is enlarged, if any. */
static int read_up(leat_op_call *call, ir_plan *p, const leat_tensor *x) {
    const leat_tensor *up = leat__op_in(call, IR_UP);
    p->up_c = 0;
    if (!up) return LEAT_OK;
    if (!leat__op_in(call, IR_W1)) return leat__op_fail(call, LEAT_ESHAPE, "UP needs W1");
    if (up->dtype != LEAT_DTYPE_F32 || up->rank != 4 || up->dims[0] != x->dims[0] || up->dims[1] < 1 || up->dims[1] > INT32_MAX || x->dims[1] > INT32_MAX || up->dims[2] < 1 || up->dims[3] < 1 ||
        up->dims[2] > INT32_MAX || up->dims[3] > INT32_MAX)
        return leat__op_fail(call, LEAT_ESHAPE, "UP must be a float32 image with the batch of X");
    p->up_c = up->dims[1];
    p->up_h = up->dims[2];
    p->up_w = up->dims[3];
    return LEAT_OK;
}

/* Shapes of the three steps into p->dw, c, e, co. */
static int read_shapes(leat_op_call *call, ir_plan *p) {
    const leat_tensor *x = leat__op_in(call, IR_X), *wd = leat__op_in(call, IR_WD), *w2 = leat__op_in(call, IR_W2);
    if (!x || !wd || !w2 || x->rank != 4 || wd->rank != 4 || w2->rank != 4 || x->dtype != LEAT_DTYPE_F32)
        return leat__op_fail(call, LEAT_ESHAPE, "inputs X, WD and W2 must be float32 of rank 4");
    leat_tensor expanded = *x; /* what the depthwise sees */
    const leat_tensor *x2 = leat__op_in(call, IR_X2);
    if (x2 && (x2->dtype != x->dtype || !leat__dims_equal(x, x2) || !leat__op_in(call, IR_W1) || leat__op_in(call, IR_UP) || x->dims[1] > INT32_MAX))
        return leat__op_fail(call, LEAT_ESHAPE, "X2 must have the shape of X, W1 be there and UP not");
    p->parts = x2 ? 2 : 1;
    p->c = x->dims[1] * p->parts;
    int up_status = read_up(call, p, x);
    if (up_status) return up_status;
    p->e = expanded.dims[1] = wd->dims[0];
    p->co = w2->dims[0];
    int status = LEAT_OK;
    if (wd->dims[1] != 1) status = leat__op_fail(call, LEAT_ESHAPE, "WD must have one input channel per filter");
    if (!status && !leat__op_in(call, IR_W1) && p->e != p->c) status = leat__op_fail(call, LEAT_ESHAPE, "without W1, WD must have X's channels");
    if (!status && leat__op_in(call, IR_W1)) status = check_pointwise(call, IR_W1, p->e, p->c + p->up_c);
    if (!status) status = check_pointwise(call, IR_W2, p->co, p->e);
    if (!status) status = check_bias(call, IR_B1, p->e);
    if (!status) status = check_bias(call, IR_BD, p->e);
    if (!status) status = check_bias(call, IR_B2, p->co);
    if (!status) status = leat__op_check_scale(call, IR_W1, IR_S1, p->e);
    if (!status) status = leat__op_check_scale(call, IR_WD, IR_SD, p->e);
    if (!status) status = leat__op_check_scale(call, IR_W2, IR_S2, p->co);
    if (!status) status = leat__conv_geometry_of_group(call, &expanded, wd, p->e, &p->dw);
    if (!status) choose_block(p, leat__op_in(call, IR_W1) != NULL);
    if (!status && p->dw.kernel[1] > LEAT_DWCONV_MAX_ROWS)
        status = leat__op_fail(call, LEAT_EUNSUPPORTED, "a depthwise kernel of %lld rows", (long long)p->dw.kernel[1]);
    return status;
}

static int ir_infer(leat_op_call *call) {
    ir_plan p = {0};
    int status = read_shapes(call, &p);
    if (status) return status;
    leat_tensor y = {0};
    leat__tensor_set(&y, LEAT_DTYPE_F32, 4, (int64_t[]){p.dw.n, p.co, p.dw.out[1], p.dw.out[2]});
    const leat_tensor *residual = leat__op_in(call, IR_R);
    if (leat_tensor_count(&y) < 0) return leat__op_fail(call, LEAT_ELIMIT, "the output is too large");
    if (residual && (residual->dtype != LEAT_DTYPE_F32 || !leat__dims_equal(residual, &y)))
        return leat__op_fail(call, LEAT_ESHAPE, "the residual must have the shape of the output");
    if (leat__op_out(call, 0)) leat__tensor_set(leat__op_out(call, 0), y.dtype, y.rank, y.dims);
    return LEAT_OK;
}

/* ---- packing ------------------------------------------------------------------------------------------------------------- */

typedef struct pack_job {
    const ir_plan *p;
    const float   *w;
    void (*fill)(void *packed, void *arg);
    int64_t        first, count; /* input channels of W1 that belong to this product */
} pack_job;

static int64_t block_there(const ir_plan *p, int64_t block) { return min64(p->eb, p->e - block * p->eb); }

static void fill_w1(void *packed, void *arg) {
    const pack_job *j = arg;
    const ir_plan *p = j->p;
    int64_t all = p->c + p->up_c;
    size_t stride = align64(leat__f32_gemm_packed_bytes(j->count, p->eb)) / sizeof(float);
    for (int64_t b = 0; b < p->blocks; b++)
        leat__f32_gemm_pack_tap(j->w + b * p->eb * all + j->first, 1, 0, j->count, p->eb, j->count, block_there(p, b), 1, all,
                                (float *)packed + (size_t)b * stride);
}

static void fill_wd(void *packed, void *arg) {
    const pack_job *j = arg;
    const ir_plan *p = j->p;
    int64_t taps = leat__conv_taps(&p->dw);
    float *to = packed;
    for (int64_t b = 0; b < p->blocks; b++)
        for (int64_t t = 0; t < taps; t++)
            for (int64_t c = 0; c < p->eb; c++) *to++ = c < block_there(p, b) ? j->w[(b * p->eb + c) * taps + t] : 0.0f;
}

static void fill_w2(void *packed, void *arg) {
    const pack_job *j = arg;
    const ir_plan *p = j->p;
    for (int64_t b = 0; b < p->blocks; b++)
        leat__f32_gemm_pack_tap(j->w + b * p->eb, p->blocks, b, p->eb, p->co, block_there(p, b), p->co, 1, p->e, packed);
}

static void fill_from(const float *w, void *packed, void *arg) {
    pack_job *j = arg;
    j->w = w;
    j->fill(packed, j);
}

static const float *pack_one(leat_op_call *call, pack_job job, int input, size_t bytes) {
    const ir_plan *p = job.p;
    int scale = input == IR_W1 ? IR_S1 : input == IR_WD ? IR_SD : IR_S2;
    uint64_t variant = leat__f32_gemm_format() | (uint64_t)input << 8 | (uint64_t)(job.first & 0xfff) << 12 | (uint64_t)(p->eb & 0xfffff) << 24 |
                       (uint64_t)(p->e & 0xfffff) << 44;
    return leat__op_pack_scaled(call, input, scale, variant, bytes, fill_from, &job);
}

/* W1's columns are those of X and UP, in the order of the concatenation that they replace. */
static int pack_expansion(leat_op_call *call, ir_plan *p) {
    int up_first = leat__attr_int(call->attrs, "up_first", 0) != 0;
    size_t bytes = align64(leat__f32_gemm_packed_bytes(p->c, p->eb)), up_bytes = align64(leat__f32_gemm_packed_bytes(p->up_c, p->eb));
    p->w1_block = bytes / sizeof(float);
    p->w1_up_block = up_bytes / sizeof(float);
    pack_job own = {.p = p, .fill = fill_w1, .first = up_first ? p->up_c : 0, .count = p->c};
    p->w1 = pack_one(call, own, IR_W1, bytes * (size_t)p->blocks);
    if (!p->w1 || !p->up_c) return p->w1 ? LEAT_OK : LEAT_ENOMEM;
    pack_job up = {.p = p, .fill = fill_w1, .first = up_first ? 0 : p->c, .count = p->up_c};
    p->w1_up = pack_one(call, up, IR_W1, up_bytes * (size_t)p->blocks);
    return p->w1_up ? LEAT_OK : LEAT_ENOMEM;
}

static int pack_weights(leat_op_call *call, ir_plan *p) {
    static const int weights[] = {IR_W1, IR_WD, IR_W2};
    for (int i = 0; i < 3; i++)
        if (leat__op_in(call, weights[i]) && !leat__op_is_const(call, weights[i]))
            return leat__op_fail(call, LEAT_EUNSUPPORTED, "input %d must be constant", weights[i]);
    pack_job dw = {.p = p, .fill = fill_wd}, w2 = {.p = p, .fill = fill_w2};
    p->wd = pack_one(call, dw, IR_WD, (size_t)(p->blocks * p->eb * leat__conv_taps(&p->dw)) * sizeof(float));
    p->w2 = pack_one(call, w2, IR_W2, leat__f32_gemm_packed_bytes(p->blocks * p->eb, p->co));
    if (!p->wd || !p->w2) return LEAT_ENOMEM;
    return leat__op_in(call, IR_W1) ? pack_expansion(call, p) : LEAT_OK;
}

/* ---- enlarging ----------------------------------------------------------------------------------------------------------- */

typedef enum up_mode { UP_HALF_PIXEL, UP_PYTORCH, UP_ALIGN_CORNERS, UP_ASYMMETRIC } up_mode;

/* Where output i lies in the input, as ONNX Resize defines it for scale = out / in. */
static double source_of(up_mode mode, int64_t i, int64_t in, int64_t out) {
    double scale = (double)out / (double)in;
    if (mode == UP_ALIGN_CORNERS) return out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0;
    if (mode == UP_ASYMMETRIC) return (double)i / scale;
    return mode == UP_PYTORCH && out == 1 ? 0 : ((double)i + 0.5) / scale - 0.5;
}

static void fill_axis(up_mode mode, int64_t in, int64_t out, ir_axis *axis) {
    for (int64_t i = 0; i < out; i++) {
        double at = source_of(mode, i, in, out);
        at = at < 0 ? 0 : at > (double)(in - 1) ? (double)(in - 1) : at;
        axis->from[i] = (int32_t)at;
        axis->weight[i] = (float)(at - (double)axis->from[i]);
    }
}

static int prepare_axes(leat_op_call *call, ir_plan *p) {
    static const char *const names[] = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"};
    const char *name = leat__attr_string(call->attrs, "up_mode", "half_pixel");
    int64_t h = p->dw.in[1], w = p->dw.in[2];
    int mode = 0;
    while (mode < 4 && strcmp(name, names[mode]) != 0) mode++;
    if (mode == 4) return leat__op_fail(call, LEAT_EUNSUPPORTED, "up_mode '%.64s'", name);
    char *tables = call->services->state(call, (size_t)(h + w) * (sizeof(int32_t) + sizeof(float)));
    if (!tables) return leat__op_fail(call, LEAT_ENOMEM, "no memory for tables of %lld x %lld", (long long)h, (long long)w);
    p->up_rows = (ir_axis){(int32_t *)tables, (float *)tables + h};
    p->up_columns = (ir_axis){(int32_t *)tables + 2 * h, (float *)tables + 2 * h + w};
    fill_axis((up_mode)mode, p->up_h, h, &p->up_rows);
    fill_axis((up_mode)mode, p->up_w, w, &p->up_columns);
    return LEAT_OK;
}

/* ---- tiling -------------------------------------------------------------------------------------------------------------- */

static int64_t kernel_extent(const leat_conv_shape *s, int a) { return (s->kernel[a] - 1) * s->dilation[a] + 1; }

static void size_tile(ir_plan *p) {
    const leat_conv_shape *s = &p->dw;
    p->strip = ceil_div(s->out[2], p->strips);
    p->columns = min64(s->in[2], (p->strip - 1) * s->stride[2] + kernel_extent(s, 2));
    p->ring_rows = min64(s->in[1], (p->block - 1) * s->stride[1] + kernel_extent(s, 1));
    if (!p->up_c) return;
    p->low_rows = min64(p->up_h, ceil_div(p->ring_rows * p->up_h, max64(1, s->in[1])) + 3);
    p->low_columns = min64(p->up_w, ceil_div(p->columns * p->up_w, max64(1, s->in[2])) + 3);
}

static double tile_bytes(const ir_plan *p) {
    double ring = p->ringed ? (double)p->ring_rows * (double)p->columns : 0;
    ring += (double)(p->low_rows * p->low_columns);
    return (ring + (double)p->block * (double)p->strip) * (double)(p->blocks * p->eb) * sizeof(float);
}

static double l2_budget(void) {
    size_t l1, l2, l3;
    leat__cpu_caches(&l1, &l2, &l3);
    return 0.5 * (double)(l2 ? l2 : DEFAULT_L2);
}

static void choose_tile(ir_plan *p) {
    const leat_conv_shape *s = &p->dw;
    double budget = l2_budget();
    p->strips = 1;
    p->block = min64(s->out[1], ceil_div(LEAST_ROWS, s->out[2]));
    size_tile(p);
    while (tile_bytes(p) > budget && ceil_div(s->out[2], p->strips + 1) >= LEAST_STRIP) {
        p->strips++;
        p->block = 1;
        size_tile(p);
    }
}

static void choose_way(ir_plan *p) {
    const leat_conv_shape *s = &p->dw;
    choose_tile(p);
    int64_t tasks = s->n * p->strips, wanted = p->threads == 1 ? 1 : TASKS_PER_THREAD * (int64_t)p->threads, most = ceil_div(s->out[1], p->block);
    double shared = p->w1 ? (double)max64(0, kernel_extent(s, 1) - s->stride[1]) / (double)max64(1, s->in[1]) : 0; /* of all rows, a cut */
    int64_t affordable = shared > 0 ? 1 + (int64_t)(HALO_LIMIT / shared) : most;
    p->segments = max64(1, min64(min64(ceil_div(wanted, tasks), affordable), most));
    while (p->segments > 1 && tasks * p->segments % p->threads) p->segments--;
    double middle = (double)(s->out[1] * s->out[2] * p->blocks * p->eb) * sizeof(float);
    double ring = (double)(s->in[1] * s->in[2] * p->eb) * sizeof(float); /* of one block's stage */
    p->staged = p->w1 && (tasks * p->segments < p->threads || (middle <= STAGED_BYTES && ring <= l2_budget()));
    if (!p->staged) return;
    p->strips = p->segments = 1;
    p->block = s->out[1];
    size_tile(p);
    p->ring_rows = s->in[1];
    p->columns = s->in[2];
    p->low_rows = p->up_h;
    p->low_columns = p->up_w;
}

static size_t take(size_t *total, size_t bytes) {
    size_t at = *total;
    *total += align64(bytes) + 64;
    return at;
}

static int is_plain(const leat_tensor *t) { return t && !leat__is_nhwc(t) && t->dims[1] > 1 && t->dims[2] * t->dims[3] > 1; }

static void size_scratch(leat_op_call *call, ir_plan *p) {
    const leat_conv_shape *s = &p->dw;
    int64_t in = leat__conv_in_pixels(s), out = leat__conv_out_pixels(s), channels = p->blocks * p->eb;
    leat_gemm expand = leat__ir_expand_gemm(p, in), project = leat__ir_project_gemm(p, out, out);
    leat_gemm low_rows = leat__ir_enlarged_gemm(p, p->low_columns);
    low_rows.a = project.a = (const float *)p; /* only whether there is one counts */
    size_t g1 = leat__f32_gemm_scratch(&expand), g2 = leat__f32_gemm_scratch(&project), g3 = leat__f32_gemm_scratch(&low_rows), total = 64, own = 0;
    size_t gemm = g1 > g2 && g1 > g3 ? g1 : g2 > g3 ? g2 : g3;
    int64_t kept = p->staged ? p->eb : channels, ring = p->ringed ? p->ring_rows * p->columns * kept : 0;
    int64_t low = p->up_c ? p->low_rows * p->low_columns * kept : 0;
    p->at_gemm = take(&own, gemm); /* first: a worker's scratch is the product's too */
    p->at_ring = take(&own, (size_t)ring * sizeof(float));
    p->at_low = take(&own, (size_t)low * sizeof(float));
    p->at_lerp = take(&own, (size_t)(p->low_columns * p->eb) * sizeof(float));
    if (p->staged) p->at_middle = take(&total, (size_t)(out * channels) * sizeof(float));
    else p->at_middle = take(&own, (size_t)(p->block * p->strip * channels) * sizeof(float));
    p->worker_bytes = own;
    p->at_biases = take(&total, (size_t)(2 * channels) * sizeof(float));
    p->at_workers = take(&total, own * (size_t)p->threads);
    if (is_plain(call->in[IR_X])) p->at_x = take(&total, leat_tensor_bytes(call->in[IR_X]));
    if (is_plain(leat__op_in(call, IR_X2))) p->at_x2 = take(&total, leat_tensor_bytes(call->in[IR_X2]));
    if (is_plain(leat__op_out(call, 0))) p->at_y = take(&total, leat_tensor_bytes(call->out[0]));
    if (is_plain(leat__op_in(call, IR_UP))) p->at_up = take(&total, leat_tensor_bytes(call->in[IR_UP]));
    if (is_plain(leat__op_in(call, IR_R))) p->at_residual = take(&total, leat_tensor_bytes(call->in[IR_R]));
    call->scratch_bytes = total;
}

static int ir_prepare(leat_op_call *call) {
    ir_plan *p = leat__op_state(call, sizeof *p);
    if (!p) return LEAT_ENOMEM;
    int status = read_shapes(call, p);
    if (!status) status = leat__fused_act(call, "act1", &p->expand.act, &p->expand.params);
    if (!status) status = leat__fused_act(call, "actd", &p->act_dw, &p->params_dw);
    if (!status) status = leat__fused_act(call, "act2", &p->project.act, &p->project.params);
    if (!status) status = pack_weights(call, p);
    if (!status && p->up_c) status = prepare_axes(call, p);
    if (status) return status;
    const leat_conv_shape *s = &p->dw;
    p->project.after = leat__attr_int(call->attrs, "residual_after", 0) != 0;
    p->threads = call->threads < 1 ? 1 : call->threads;
    if ((double)leat__conv_in_pixels(s) * (double)(p->blocks * p->eb) > MOST_MIDDLE)
        return leat__op_fail(call, LEAT_ELIMIT, "an expanded image of %lld pixels by %lld channels", (long long)leat__conv_in_pixels(s), (long long)p->e);
    if (s->n > 0 && leat__conv_out_pixels(s) > 0) choose_way(p);
    else p->strips = p->segments = p->block = 1;
    size_scratch(call, p);
    int64_t out = leat__conv_out_pixels(s);
    call->macs = s->n * p->e * ((p->w1 ? leat__conv_in_pixels(s) * (p->c + p->up_c) : 0) + out * leat__conv_taps(s) + out * p->co);
    snprintf(p->kernel, sizeof p->kernel, "leat_f32_invres_%s_%s", p->staged ? "staged" : "tiled", leat__gemm_f32.isa);
    call->kernel = p->kernel;
    return LEAT_OK;
}

/* ---- run ----------------------------------------------------------------------------------------------------------------- */

static const float *as_nhwc(const leat_op_call *call, const leat_tensor *t, size_t at) {
    if (!t || !at) return t ? t->data : NULL;
    float *copy = (float *)((char *)call->scratch + at);
    int64_t pixels = t->dims[2] * t->dims[3], image = t->dims[1] * pixels;
    for (int64_t n = 0; n < t->dims[0]; n++) leat__f32_to_nhwc((const float *)t->data + n * image, t->dims[1], pixels, 0, pixels, copy + n * image);
    return copy;
}

static int ir_run_op(leat_op_call *call) {
    const ir_plan *p = call->state;
    leat_tensor *y = leat__op_out(call, 0);
    if (!y || leat_tensor_count(y) == 0) return LEAT_OK;
    ir_run r = {.call = call, .p = p, .x = as_nhwc(call, call->in[IR_X], p->at_x), .up = as_nhwc(call, leat__op_in(call, IR_UP), p->at_up),
                .residual = as_nhwc(call, leat__op_in(call, IR_R), p->at_residual)};
    r.x2 = as_nhwc(call, leat__op_in(call, IR_X2), p->at_x2);
    r.y = p->at_y ? (float *)((char *)call->scratch + p->at_y) : y->data;
    leat__ir_run(&r);
    int64_t pixels = leat__conv_out_pixels(&p->dw), image = pixels * p->co;
    for (int64_t n = 0; n < p->dw.n && p->at_y; n++)
        leat__f32_to_nchw(r.y + n * image, p->co, pixels, 0, pixels, (float *)y->data + n * image);
    return LEAT_OK;
}

const leat_op leat__ops_inverted_residual[] = {
    {"leat", "InvertedResidual", 1, 0, 6, IR_INPUTS, 1, 1, 0, LEAT_OP_NHWC, 0, ir_infer, ir_prepare, ir_run_op},
    {0}};
