/* inverted_residual.c - InvertedResidual of domain "leat" (contract in fused.h): 1x1 expansion, depthwise, 1x1 projection in one operator, so
 * that the wide middle never leaves the cache.  Without W1 it is a depthwise-separable convolution.
 *
 * prepare packs the weights in blocks of expanded channels and chooses between tiles and stages (inverted_residual_run.c).  A tile is a
 * strip of columns by a block of rows: narrow enough that the ring of expanded rows and the depthwise result fit in L2, large enough
 * that the products have rows to reuse the weights on.  With several threads a strip is cut into segments of rows; at a cut the rows
 * that both sides need are expanded twice, and where that would cost more than HALO_LIMIT the block runs in stages.
 */
#include "ops/inverted_residual.h"

#include <stdio.h>

#include "cpu/cpu.h"
#include "ops/conv_geom.h"
#include "ops/fuse_attr.h"
#include "ops/pack_scaled.h"

#define LEAST_ROWS 64     /* of a product, where the map has them */
#define LEAST_STRIP 40    /* output columns: below, halo columns cost too much */
#define DEFAULT_L2 524288
#define STAGED_BYTES 2e6   /* a middle up to here lives in L2 and L3 well enough */
#define HALO_LIMIT 0.06   /* of the expansion's work */

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
    int64_t by16 = ceil_div(p->e, 16), by32 = ceil_div(p->e, 32);
    p->eb = !expands ? max64(p->e, 1) : by16 * 16 < by32 * 32 ? 16 : 32;
    p->blocks = max64(1, ceil_div(p->e, p->eb));
}

/* Shapes of the three steps into p->dw, c, e, co. */
static int read_shapes(leat_op_call *call, ir_plan *p) {
    const leat_tensor *x = leat__op_in(call, IR_X), *wd = leat__op_in(call, IR_WD), *w2 = leat__op_in(call, IR_W2);
    if (!x || !wd || !w2 || x->rank != 4 || wd->rank != 4 || w2->rank != 4 || x->dtype != LEAT_DTYPE_F32)
        return leat__op_fail(call, LEAT_ESHAPE, "inputs X, WD and W2 must be float32 of rank 4");
    const leat_tensor *x2 = leat__op_in(call, IR_X2);
    if (x2 && (x2->dtype != x->dtype || !leat__dims_equal(x, x2) || !leat__op_in(call, IR_W1) || x->dims[1] > INT32_MAX))
        return leat__op_fail(call, LEAT_ESHAPE, "X2 must have the shape of X, and W1 be there");
    leat_tensor expanded = *x; /* what the depthwise sees */
    p->parts = x2 ? 2 : 1;
    p->c = x->dims[1] * p->parts;
    p->e = expanded.dims[1] = wd->dims[0];
    p->co = w2->dims[0];
    int status = LEAT_OK;
    if (wd->dims[1] != 1) status = leat__op_fail(call, LEAT_ESHAPE, "WD must have one input channel per filter");
    if (!status && !leat__op_in(call, IR_W1) && p->e != p->c) status = leat__op_fail(call, LEAT_ESHAPE, "without W1, WD must have X's channels");
    if (!status && leat__op_in(call, IR_W1)) status = check_pointwise(call, IR_W1, p->e, p->c);
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
} pack_job;

static int64_t block_there(const ir_plan *p, int64_t block) { return min64(p->eb, p->e - block * p->eb); }

static void fill_w1(void *packed, void *arg) {
    const pack_job *j = arg;
    const ir_plan *p = j->p;
    for (int64_t b = 0; b < p->blocks; b++)
        leat__f32_gemm_pack_tap(j->w + b * p->eb * p->c, 1, 0, p->c, p->eb, p->c, block_there(p, b), 1, p->c, (float *)packed + (size_t)b * p->w1_block);
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

static const float *pack_one(leat_op_call *call, const ir_plan *p, int input, size_t bytes, void (*fill)(void *, void *)) {
    pack_job job = {.p = p, .fill = fill};
    int scale = input == IR_W1 ? IR_S1 : input == IR_WD ? IR_SD : IR_S2;
    uint64_t variant = leat__f32_gemm_format() | (uint64_t)input << 8 | (uint64_t)(p->eb & 0xffffff) << 16 | (uint64_t)(p->e & 0xffffff) << 40;
    return leat__op_pack_scaled(call, input, scale, variant, bytes, fill_from, &job);
}

static int pack_weights(leat_op_call *call, ir_plan *p) {
    static const int weights[] = {IR_W1, IR_WD, IR_W2};
    for (int i = 0; i < 3; i++)
        if (leat__op_in(call, weights[i]) && !leat__op_is_const(call, weights[i]))
            return leat__op_fail(call, LEAT_EUNSUPPORTED, "input %d must be constant", weights[i]);
    size_t block_bytes = align64(leat__f32_gemm_packed_bytes(p->c, p->eb));
    p->w1_block = block_bytes / sizeof(float);
    p->wd = pack_one(call, p, IR_WD, (size_t)(p->blocks * p->eb * leat__conv_taps(&p->dw)) * sizeof(float), fill_wd);
    p->w2 = pack_one(call, p, IR_W2, leat__f32_gemm_packed_bytes(p->blocks * p->eb, p->co), fill_w2);
    if (!p->wd || !p->w2) return LEAT_ENOMEM;
    if (!leat__op_in(call, IR_W1)) return LEAT_OK;
    p->w1 = pack_one(call, p, IR_W1, block_bytes * (size_t)p->blocks, fill_w1);
    return p->w1 ? LEAT_OK : LEAT_ENOMEM;
}

/* ---- tiling -------------------------------------------------------------------------------------------------------------- */

static int64_t kernel_extent(const leat_conv_shape *s, int a) { return (s->kernel[a] - 1) * s->dilation[a] + 1; }

static void size_tile(ir_plan *p) {
    const leat_conv_shape *s = &p->dw;
    p->strip = ceil_div(s->out[2], p->strips);
    p->columns = min64(s->in[2], (p->strip - 1) * s->stride[2] + kernel_extent(s, 2));
    p->ring_rows = min64(s->in[1], (p->block - 1) * s->stride[1] + kernel_extent(s, 1));
}

static double tile_bytes(const ir_plan *p) {
    double ring = p->w1 ? (double)p->ring_rows * (double)p->columns : 0;
    return (ring + (double)p->block * (double)p->strip) * (double)(p->blocks * p->eb) * sizeof(float);
}

static void choose_tile(ir_plan *p) {
    const leat_conv_shape *s = &p->dw;
    size_t l1, l2, l3;
    leat__cpu_caches(&l1, &l2, &l3);
    double budget = 0.5 * (double)(l2 ? l2 : DEFAULT_L2);
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
    int64_t tasks = s->n * p->strips, wanted = p->threads == 1 ? 1 : 4 * (int64_t)p->threads, most = ceil_div(s->out[1], p->block);
    double shared = p->w1 ? (double)max64(0, kernel_extent(s, 1) - s->stride[1]) / (double)max64(1, s->in[1]) : 0; /* of all rows, a cut */
    int64_t affordable = shared > 0 ? 1 + (int64_t)(HALO_LIMIT / shared) : most;
    p->segments = max64(1, min64(min64(ceil_div(wanted, tasks), affordable), most));
    double middle = (double)(s->out[1] * s->out[2] * p->blocks * p->eb) * sizeof(float);
    p->staged = p->w1 && (tasks * p->segments < p->threads || middle <= STAGED_BYTES);
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
    project.a = (const float *)p; /* only whether there is one counts */
    if (p->parts == 1) expand.a = project.a;
    size_t g1 = leat__f32_gemm_scratch(&expand), g2 = leat__f32_gemm_scratch(&project), gemm = g1 > g2 ? g1 : g2, total = 64, own = 0;
    int64_t ring = !p->w1 ? 0 : p->staged ? in * p->eb : p->ring_rows * p->columns * channels;
    p->at_gemm = take(&own, gemm); /* first: a worker's scratch is the product's too */
    p->at_ring = take(&own, (size_t)ring * sizeof(float));
    if (p->staged) p->at_middle = take(&total, (size_t)(out * channels) * sizeof(float));
    else p->at_middle = take(&own, (size_t)(p->block * p->strip * channels) * sizeof(float));
    p->worker_bytes = own;
    p->at_biases = take(&total, (size_t)(2 * channels) * sizeof(float));
    p->at_workers = take(&total, own * (size_t)p->threads);
    if (is_plain(call->in[IR_X])) p->at_x = take(&total, leat_tensor_bytes(call->in[IR_X]));
    if (is_plain(leat__op_in(call, IR_X2))) p->at_x2 = take(&total, leat_tensor_bytes(call->in[IR_X2]));
    if (is_plain(leat__op_out(call, 0))) p->at_y = take(&total, leat_tensor_bytes(call->out[0]));
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
    if (status) return status;
    const leat_conv_shape *s = &p->dw;
    p->project.after = leat__attr_int(call->attrs, "residual_after", 0) != 0;
    p->threads = call->threads < 1 ? 1 : call->threads;
    if (s->n > 0 && leat__conv_out_pixels(s) > 0) choose_way(p);
    else p->strips = p->segments = p->block = 1;
    size_scratch(call, p);
    int64_t out = leat__conv_out_pixels(s);
    call->macs = s->n * p->e * ((p->w1 ? leat__conv_in_pixels(s) * p->c : 0) + out * leat__conv_taps(s) + out * p->co);
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
    ir_run r = {.call = call, .p = p, .x = as_nhwc(call, call->in[IR_X], p->at_x), .residual = as_nhwc(call, leat__op_in(call, IR_R), p->at_residual)};
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
