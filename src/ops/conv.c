/* conv.c - Conv, FusedConv (com.microsoft), Conv of domain "leat" (fused.h), ConvTranspose: 1 to 3 spatial axes, groups, both layouts.
 *
 * prepare picks a way by the shape: depthwise, a padded copy for few channels, Winograd (3x3 stride 1), else the matrix multiply over
 * indirect rows, which covers everything.  Constant weights are packed once per model, others in every run.
 */
#include <stdio.h>
#include <string.h>

#include "ops/conv_geom.h"
#include "ops/conv_plan.h"
#include "ops/fuse_attr.h"
#include "ops/pack_scaled.h"

#define CONV_SCALE 4 /* input of leat.Conv */
#define SMALL_CIN 12 /* up to here a padded copy beats even Winograd */
#define FEW_CIN 32   /* up to here one beats the table of addresses */

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static const leat_tensor *conv_bias(const leat_op_call *call) { return leat__op_in(call, 2); }
static const leat_tensor *conv_residual(const leat_op_call *call) { return call->op->max_in > 3 ? leat__op_in(call, 3) : NULL; }

static int is_transpose(const leat_op_call *call) { return strcmp(call->op->name, "ConvTranspose") == 0; }

static int read_geometry(leat_op_call *call, leat_conv_shape *s) {
    const leat_tensor *x = leat__op_in(call, 0), *w = leat__op_in(call, 1);
    return is_transpose(call) ? leat__conv_transpose_geometry(call, x, w, s) : leat__conv_geometry(call, x, w, s);
}

static int conv_infer(leat_op_call *call) {
    leat_conv_shape shape;
    const leat_tensor *x = leat__op_in(call, 0);
    int status = read_geometry(call, &shape);
    if (!status) status = leat__conv_check_bias(call, &shape, x, conv_bias(call));
    if (!status) status = leat__op_check_scale(call, 1, CONV_SCALE, shape.cout);
    if (status) return status;
    leat_tensor y = {0};
    const leat_tensor *residual = conv_residual(call);
    if (x->dtype != LEAT_DTYPE_F32 && (x->dtype != LEAT_DTYPE_F64 || is_transpose(call)))
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "element type %s", leat_dtype_name(x->dtype));
    status = leat__conv_set_output(call, &shape, x, &y);
    if (status) return status;
    if (residual && (residual->dtype != LEAT_DTYPE_F32 || x->dtype != LEAT_DTYPE_F32 || !leat__dims_equal(residual, &y)))
        return leat__op_fail(call, LEAT_ESHAPE, "the residual must be float32 with the shape of the output");
    if (leat__op_out(call, 0)) leat__tensor_set(leat__op_out(call, 0), y.dtype, y.rank, y.dims);
    return LEAT_OK;
}

/* ---- prepare ------------------------------------------------------------------------------------------------------------- */

static int is_depthwise(const leat_conv_shape *s) {
    return s->group == s->cin && s->cin == s->cout && s->group > 1 && leat__conv_is_flat(s) &&
           s->kernel[1] <= LEAT_DWCONV_MAX_ROWS;
}

static int suits_few(const leat_conv_shape *s, int64_t most) {
    return s->group == 1 && s->cin <= most && s->kernel[2] > 1 && s->dilation[2] == 1 && leat__conv_is_flat(s) &&
           leat__conv_padding_is_small(s);
}

static const conv_algo *choose(const leat_conv_shape *s) {
    if (is_depthwise(s)) return &leat__conv_depthwise;
    if (leat__conv_suits_thin(s)) return &leat__conv_thin;
    if (suits_few(s, SMALL_CIN)) return &leat__conv_few;
    int tile = leat__conv_wino_tile(s);
    if (tile) return tile == 4 ? &leat__conv_wino4 : &leat__conv_wino2;
    return suits_few(s, FEW_CIN) ? &leat__conv_few : &leat__conv_gemm;
}

static int stays_plain(const leat_tensor *t) {
    int64_t pixels = 1;
    for (int a = 2; a < t->rank; a++) pixels *= t->dims[a];
    return leat__is_nhwc(t) || t->dims[1] == 1 || pixels == 1; /* the same bytes in both layouts */
}

static size_t take(size_t *total, size_t bytes) {
    size_t at = *total;
    *total += align64(bytes) + 64;
    return at;
}

static void pack_plan(const float *w, void *packed, void *arg) {
    const conv_plan *plan = arg;
    plan->algo->pack(plan, w, packed);
}

static int prepare_weights(leat_op_call *call, conv_plan *p, size_t *total) {
    size_t bytes = p->algo->packed_bytes(p);
    if (!leat__op_is_const(call, 1)) {
        p->at_weights = take(total, bytes);
        return LEAT_OK;
    }
    const leat_conv_shape *s = &p->shape;
    uint64_t variant = leat__f32_gemm_format() | (uint64_t)(p->algo->name[0] & 0x7f) << 8 | (uint64_t)(p->algo->name[5] & 0x7f) << 56 | (uint64_t)p->variant << 16 |
                       (uint64_t)(s->group & 0xffff) << 24 | (uint64_t)(leat__conv_taps(s) & 0xffff) << 40;
    p->weights = leat__op_pack_scaled(call, 1, CONV_SCALE, variant, bytes, pack_plan, p);
    return p->weights ? LEAT_OK : LEAT_ENOMEM;
}

static void prepare_layout(leat_op_call *call, conv_plan *p, size_t *total) {
    const leat_tensor *x = call->in[0], *y = leat__op_out(call, 0), *residual = conv_residual(call);
    if (!stays_plain(x) && !p->algo->takes_plain) p->at_x = take(total, leat_tensor_bytes(x));
    if (y && !stays_plain(y)) p->at_y = take(total, leat_tensor_bytes(y));
    if (residual && !stays_plain(residual)) p->at_residual = take(total, leat_tensor_bytes(residual));
}

static int conv_prepare(leat_op_call *call) {
    conv_plan *p = leat__op_state(call, sizeof *p);
    if (!p) return LEAT_ENOMEM;
    leat_conv_shape *s = &p->shape;
    int status = read_geometry(call, s);
    if (!status) status = leat__epilogue_attrs(call, &p->epilogue);
    if (status) return status;
    call->macs = s->n * (is_transpose(call) ? leat__conv_in_pixels(s) : leat__conv_out_pixels(s)) * s->cout * (s->cin / s->group) *
                 leat__conv_taps(s);
    if (call->in[0]->dtype == LEAT_DTYPE_F64) {
        call->kernel = "leat_f64_conv_direct_ref";
        return LEAT_OK;
    }
    size_t total = 64;
    p->algo = is_transpose(call) ? &leat__conv_phases : choose(s);
    p->threads = call->threads < 1 ? 1 : call->threads;
    p->algo->scratch(p, p->threads);
    status = prepare_weights(call, p, &total);
    prepare_layout(call, p, &total);
    p->at_shared = take(&total, p->shared_bytes);
    p->worker_bytes = align64(p->worker_bytes);
    p->at_workers = take(&total, p->worker_bytes * (size_t)p->threads);
    call->scratch_bytes = total;
    snprintf(p->kernel, sizeof p->kernel, "leat_f32_%s_%s", p->algo->name,
             p->algo == &leat__conv_depthwise ? leat__dwconv_f32.isa : leat__gemm_f32.isa);
    call->kernel = p->kernel;
    return status;
}

/* ---- run ----------------------------------------------------------------------------------------------------------------- */

#define COPY_PIXELS 512

typedef struct copy_job {
    const float *from;
    float       *to;
    int64_t      channels, pixels, chunks;
    int          to_nhwc;
} copy_job;

static void copy_chunk(void *arg, int64_t index, int worker) {
    const copy_job *j = arg;
    int64_t n = index / j->chunks, c = index % j->chunks, at = n * j->channels * j->pixels;
    int64_t p0 = c * j->pixels / j->chunks, p1 = (c + 1) * j->pixels / j->chunks;
    (j->to_nhwc ? leat__f32_to_nhwc : leat__f32_to_nchw)(j->from + at, j->channels, j->pixels, p0, p1, j->to + at);
}

static void copy_layout(leat_op_call *call, int64_t n, int64_t channels, int64_t pixels, const float *from, float *to, int to_nhwc) {
    copy_job j = {from, to, channels, pixels, (pixels + COPY_PIXELS - 1) / COPY_PIXELS, to_nhwc};
    leat__tpool_for_n(call->pool, call->threads, n * j.chunks, copy_chunk, &j);
}

static const float *as_nhwc(leat_op_call *call, const leat_tensor *t, size_t at, int64_t pixels) {
    if (!t || !at) return t ? t->data : NULL;
    float *copy = (float *)((char *)call->scratch + at);
    copy_layout(call, t->dims[0], t->dims[1], pixels, t->data, copy, 1);
    return copy;
}

static int conv_run_op(leat_op_call *call) {
    conv_plan *p = call->state;
    leat_tensor *y = leat__op_out(call, 0);
    if (!y || leat_tensor_count(y) == 0) return LEAT_OK;
    if (y->dtype == LEAT_DTYPE_F64) {
        leat__conv_direct_f64(call, &p->shape);
        return LEAT_OK;
    }
    char *scratch = call->scratch;
    const leat_conv_shape *s = &p->shape;
    conv_run r = {.call = call, .plan = p, .weights = p->weights, .workers = scratch + p->at_workers, .shared = scratch + p->at_shared};
    r.x = as_nhwc(call, call->in[0], p->at_x, leat__conv_in_pixels(s));
    r.x_plain = p->algo->takes_plain && !stays_plain(call->in[0]);
    r.residual = as_nhwc(call, conv_residual(call), p->at_residual, leat__conv_out_pixels(s));
    r.y = p->at_y ? (float *)(scratch + p->at_y) : y->data;
    if (!r.weights) {
        p->algo->pack(p, call->in[1]->data, scratch + p->at_weights);
        r.weights = (const float *)(scratch + p->at_weights);
    }
    p->algo->run(&r);
    if (p->at_y) copy_layout(call, s->n, s->cout, leat__conv_out_pixels(s), r.y, y->data, 0);
    return LEAT_OK;
}

const leat_op leat__ops_conv[] = {
    {"", "Conv", 1, 0, 2, 3, 1, 1, 0, LEAT_OP_NHWC, 0, conv_infer, conv_prepare, conv_run_op},
    {"leat", "Conv", 1, 0, 2, 5, 1, 1, 0, LEAT_OP_NHWC, 0, conv_infer, conv_prepare, conv_run_op},
    {"", "ConvTranspose", 1, 0, 2, 3, 1, 1, 0, LEAT_OP_NHWC, 0, conv_infer, conv_prepare, conv_run_op},
    {"com.microsoft", "FusedConv", 1, 0, 2, 4, 1, 1, 0, LEAT_OP_NHWC, 0, conv_infer, conv_prepare, conv_run_op},
    {0}};
