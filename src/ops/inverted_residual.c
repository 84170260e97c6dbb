/* inverted_residual.c - InvertedResidual of domain "leat" (contract in fused.h): 1x1 expansion, depthwise, 1x1 projection in one operator, so
 * that the wide middle never leaves the cache.  Without W1 it is a depthwise-separable convolution.
 *
 * prepare packs the three weights and chooses between tiles and stages (inverted_residual_run.c).  A tile is a strip of columns by a
 * block of rows: narrow enough that the ring of expanded rows and the depthwise result fit in L2, large enough that the products
 * have rows to reuse the weights on.  With several threads a strip is cut into segments of rows; at a cut the rows that both sides
 * need are expanded twice, and where that would cost more than HALO_LIMIT the three steps run as stages.
 */
#include "ops/inverted_residual.h"

#include <stdio.h>

#include "cpu/cpu.h"
#include "ops/conv_geom.h"
#include "ops/fuse_attr.h"

#define LEAST_ROWS 64     /* of a product, where the map has them */
#define LEAST_STRIP 40    /* output columns: below, halo columns cost too much */
#define DEFAULT_L2 524288
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

/* Shapes of the three steps into p->dw, c, e, co. */
static int read_shapes(leat_op_call *call, ir_plan *p) {
    const leat_tensor *x = leat__op_in(call, IR_X), *wd = leat__op_in(call, IR_WD), *w2 = leat__op_in(call, IR_W2);
    if (!x || !wd || !w2 || x->rank != 4 || wd->rank != 4 || w2->rank != 4 || x->dtype != LEAT_DTYPE_F32)
        return leat__op_fail(call, LEAT_ESHAPE, "inputs X, WD and W2 must be float32 of rank 4");
    leat_tensor expanded = *x; /* what the depthwise sees */
    p->c = x->dims[1];
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
    if (!status) status = leat__conv_geometry_of_group(call, &expanded, wd, p->e, &p->dw);
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
    const float *w;
    int64_t      rows, columns; /* [out, in] or [channels, taps] */
} pack_job;

static void fill_pointwise(void *block, void *arg) {
    const pack_job *j = arg;
    leat__f32_gemm_pack(j->w, 1, j->columns, j->rows, 0, 1, j->columns, block);
}

static void fill_depthwise(void *block, void *arg) {
    const pack_job *j = arg;
    leat__f32_dwconv_pack(j->w, j->rows, j->columns, block);
}

static int pack_weights(leat_op_call *call, ir_plan *p) {
    static const int weights[] = {IR_W1, IR_WD, IR_W2};
    for (int i = 0; i < 3; i++)
        if (leat__op_in(call, weights[i]) && !leat__op_is_const(call, weights[i]))
            return leat__op_fail(call, LEAT_EUNSUPPORTED, "input %d must be constant", weights[i]);
    uint64_t format = leat__f32_gemm_format();
    pack_job dw = {call->in[IR_WD]->data, p->e, leat__conv_taps(&p->dw)}, w2 = {call->in[IR_W2]->data, p->co, p->e};
    p->wd = leat__op_pack(call, dw.w, 1, (size_t)(dw.rows * dw.columns) * sizeof(float), fill_depthwise, &dw);
    p->w2 = leat__op_pack(call, w2.w, 2 + format, leat__f32_gemm_packed_bytes(p->e, p->co), fill_pointwise, &w2);
    if (!p->wd || !p->w2) return LEAT_ENOMEM;
    if (!leat__op_in(call, IR_W1)) return LEAT_OK;
    pack_job w1 = {call->in[IR_W1]->data, p->e, p->c};
    p->w1 = leat__op_pack(call, w1.w, 2 + format, leat__f32_gemm_packed_bytes(p->c, p->e), fill_pointwise, &w1);
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
    return (ring + (double)p->block * (double)p->strip) * (double)p->e * sizeof(float);
}

static void choose_tile(ir_plan *p) {
    const leat_conv_shape *s = &p->dw;
    size_t l1, l2, l3;
    leat__cpu_caches(&l1, &l2, &l3);
    double budget = 0.75 * (double)(l2 ? l2 : DEFAULT_L2);
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
    int64_t tasks = s->n * p->strips, wanted = p->threads == 1 ? 1 : 4 * (int64_t)p->threads;
    double shared = p->w1 ? (double)max64(0, kernel_extent(s, 1) - s->stride[1]) / (double)max64(1, s->in[1]) : 0; /* rows per cut, of all rows */
    int64_t affordable = 1 + (shared > 0 ? (int64_t)(HALO_LIMIT / shared) : s->out[1]);
    p->segments = max64(1, min64(min64(ceil_div(wanted, tasks), affordable), ceil_div(s->out[1], p->block)));
    p->staged = tasks * p->segments < p->threads || s->out[1] * s->out[2] <= 2 * LEAST_ROWS;
}

static size_t take(size_t *total, size_t bytes) {
    size_t at = *total;
    *total += align64(bytes) + 64;
    return at;
}

static int is_plain(const leat_tensor *t) { return t && !leat__is_nhwc(t) && t->dims[1] > 1 && t->dims[2] * t->dims[3] > 1; }

static void size_scratch(leat_op_call *call, ir_plan *p) {
    const leat_conv_shape *s = &p->dw;
    int64_t in = leat__conv_in_pixels(s), out = leat__conv_out_pixels(s);
    leat_gemm expand = leat__ir_expand_gemm(p, call, in), project = leat__ir_project_gemm(p, call, out);
    expand.a = project.a = (const float *)p; /* only whether there is one counts */
    size_t g1 = leat__f32_gemm_scratch(&expand), g2 = leat__f32_gemm_scratch(&project), gemm = g1 > g2 ? g1 : g2, total = 64, own = 0;
    int64_t ring = p->staged ? in : p->ring_rows * p->columns, middle = p->staged ? out : p->block * p->strip;
    size_t *space = p->staged ? &total : &own;
    p->at_ring = p->w1 ? take(space, (size_t)(ring * p->e) * sizeof(float)) : 0;
    p->at_middle = take(space, (size_t)(middle * p->e) * sizeof(float));
    p->at_gemm = take(&own, gemm);
    p->worker_bytes = own;
    p->at_workers = take(&total, own * (size_t)p->threads);
    if (is_plain(call->in[IR_X])) p->at_x = take(&total, leat_tensor_bytes(call->in[IR_X]));
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
    else p->staged = p->strips = p->segments = p->block = 1;
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
