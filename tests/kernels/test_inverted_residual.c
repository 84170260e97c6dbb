/* test_inverted_residual.c - the fused block at every level against its three convolutions in float64: strides, pads, kernels, with and
 * without expansion, strips, stages, several threads, both layouts. */
#include "kernel_util.h"

#include "../ops/op_harness.h"
#include "cpu/act.h"

typedef struct ir_case {
    int     n, h, w, c, e, co, k, stride, dil, pad[4], expand, residual, after, bias, nhwc, act1, actd, act2, threads, up_c, up_h, up_w, up_first, up_mode;
    int64_t oh, ow;
} ir_case;

static leat_tpool *pool;

static double activated(int act, double v) {
    switch (act) {
    case LEAT_ACT_RELU: return v < 0 ? 0 : v;
    case LEAT_ACT_CLIP: return fmin(fmax(v, 0), 0.7);
    case LEAT_ACT_HARD_SWISH: return v * fmin(fmax(v / 6 + 0.5, 0), 1);
    default: return v;
    }
}

/* Plain order everywhere. */
static void pointwise(const double *x, const float *w, const float *b, int64_t n, int64_t pixels, int c, int o, int act, double *y) {
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < o; j++)
            for (int64_t p = 0; p < pixels; p++) {
                double sum = b ? b[j] : 0;
                for (int k = 0; k < c; k++) sum += x[(i * c + k) * pixels + p] * w[j * c + k];
                y[(i * o + j) * pixels + p] = activated(act, sum);
            }
}

static void depthwise(const ir_case *t, const double *x, const float *w, const float *b, double *y) {
    for (int64_t i = 0; i < (int64_t)t->n * t->e; i++)
        for (int64_t p = 0; p < t->oh * t->ow; p++) {
            double sum = b ? b[i % t->e] : 0;
            for (int k = 0; k < t->k * t->k; k++) {
                int64_t ih = p / t->ow * t->stride - t->pad[0] + k / t->k * t->dil, iw = p % t->ow * t->stride - t->pad[1] + k % t->k * t->dil;
                if (ih < 0 || iw < 0 || ih >= t->h || iw >= t->w) continue;
                sum += x[(i * t->h + ih) * t->w + iw] * w[i % t->e * t->k * t->k + k];
            }
            y[i * t->oh * t->ow + p] = activated(t->actd, sum);
        }
}

static const char *const up_modes[] = {"half_pixel", "align_corners", "asymmetric"};

static double source_of(int mode, int64_t i, int64_t in, int64_t out) {
    double at = mode == 0 ? ((double)i + 0.5) * (double)in / (double)out - 0.5 : mode == 1 ? (out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0)
                                                                                           : (double)i * (double)in / (double)out;
    return at < 0 ? 0 : at > (double)(in - 1) ? (double)(in - 1) : at;
}

/* The smaller tensor enlarged to [h, w]. */
static double enlarged(const ir_case *t, const float *up, int64_t plane, int64_t p) {
    double y = source_of(t->up_mode, p / t->w, t->up_h, t->h), x = source_of(t->up_mode, p % t->w, t->up_w, t->w), fy = y - floor(y), fx = x - floor(x);
    int64_t y0 = (int64_t)y, x0 = (int64_t)x, y1 = y0 + 1 < t->up_h ? y0 + 1 : y0, x1 = x0 + 1 < t->up_w ? x0 + 1 : x0;
    const float *image = up + plane * t->up_h * t->up_w;
    return (1 - fy) * ((1 - fx) * image[y0 * t->up_w + x0] + fx * image[y0 * t->up_w + x1]) +
           fy * ((1 - fx) * image[y1 * t->up_w + x0] + fx * image[y1 * t->up_w + x1]);
}

/* X and the enlarged tensor side by side. */
static void concatenate(const ir_case *t, const float *x, const float *up, double *to) {
    int64_t pixels = (int64_t)t->h * t->w, all = t->c + t->up_c;
    for (int64_t n = 0; n < t->n; n++)
        for (int64_t c = 0; c < all; c++)
            for (int64_t p = 0; p < pixels; p++) {
                int64_t own = t->up_first ? c - t->up_c : c, other = t->up_first ? c : c - t->c;
                int from_up = t->up_first ? c < t->up_c : c >= t->c;
                to[(n * all + c) * pixels + p] = from_up ? enlarged(t, up, n * t->up_c + other, p) : x[(n * t->c + own) * pixels + p];
            }
}

static leat_tensor *add_image(op_case *op, const ir_case *t, int channels, int64_t h, int64_t w, const float *plain) {
    leat_tensor *x = op_in(op, LEAT_DTYPE_F32, 4, (int64_t[]){t->n, channels, h, w}, plain);
    if (!t->nhwc) return x;
    x->flags = LEAT_TENSOR_NHWC;
    for (int64_t i = 0; i < (int64_t)t->n * channels * h * w; i++) {
        int64_t p = i % (h * w), c = i / (h * w) % channels, n = i / (h * w) / channels;
        ((float *)x->data)[(n * h * w + p) * channels + c] = plain[i];
    }
    return x;
}

/* The enlarged tensor is input 12, after the residual, three scales and X2. */
static void add_up(op_case *op, const ir_case *t, const float *up) {
    while (op->call.n_in < 12) op_absent(op);
    ir_case small = *t;
    add_image(op, &small, t->up_c, t->up_h, t->up_w, up);
    op_attr_int(op, "up_first", t->up_first);
    op_attr_string(op, "up_mode", up_modes[t->up_mode]);
}

static void add_weight(op_case *op, const float *w, int rank, int64_t d0, int64_t d1, int64_t k, int wanted) {
    if (!wanted) {
        op_absent(op);
        return;
    }
    op_in(op, LEAT_DTYPE_F32, rank, (int64_t[]){d0, d1, k, k}, w);
    op->in_const[op->call.n_in - 1] = 1;
}

static void set_act(op_case *op, const char *name, const char *lo, const char *hi, int act) {
    op_attr_string(op, name, leat__act_name(act));
    op_attr_float(op, lo, 0);
    op_attr_float(op, hi, 0.7f);
}

typedef struct ir_data {
    float  *x, *up, *w1, *b1, *wd, *bd, *w2, *b2, *r;
    double *want;
} ir_data;

static void make_data(const ir_case *t, ir_data *d) {
    int64_t in = (int64_t)t->h * t->w, out = t->oh * t->ow;
    d->x = kt_alloc(t->n * t->c * in), d->w1 = kt_alloc((int64_t)t->e * (t->c + t->up_c)), d->up = kt_alloc(t->n * t->up_c * t->up_h * t->up_w + 1);
    d->b1 = kt_alloc(t->e), d->wd = kt_alloc(t->e * t->k * t->k);
    d->bd = kt_alloc(t->e), d->w2 = kt_alloc((int64_t)t->co * t->e), d->b2 = kt_alloc(t->co), d->r = kt_alloc(t->n * t->co * out);
    double *x = malloc((size_t)(t->n * (t->c + t->up_c) * in) * 8), *m1 = malloc((size_t)(t->n * t->e * in) * 8), *m2 = malloc((size_t)(t->n * t->e * out) * 8);
    d->want = malloc((size_t)(t->n * t->co * out) * 8);
    concatenate(t, d->x, d->up, x);
    if (t->expand) pointwise(x, d->w1, t->bias ? d->b1 : NULL, t->n, in, t->c + t->up_c, t->e, t->act1, m1);
    depthwise(t, t->expand ? m1 : x, d->wd, t->bias ? d->bd : NULL, m2);
    pointwise(m2, d->w2, t->bias ? d->b2 : NULL, t->n, out, t->e, t->co, LEAT_ACT_NONE, d->want);
    for (int64_t i = 0; i < t->n * t->co * out; i++) {
        double r = t->residual ? d->r[i] : 0;
        d->want[i] = t->after ? activated(t->act2, d->want[i]) + r : activated(t->act2, d->want[i] + r);
    }
    free(x), free(m1), free(m2);
}

static void free_data(ir_data *d) {
    kt_free(d->x), kt_free(d->up), kt_free(d->w1), kt_free(d->b1), kt_free(d->wd), kt_free(d->bd), kt_free(d->w2), kt_free(d->b2), kt_free(d->r);
    free(d->want);
}

static void open_case(op_case *op, const ir_case *t, const ir_data *d, int64_t *strides, int64_t *pads, int64_t *dilations) {
    op_open(op, "leat", "InvertedResidual", 1);
    add_image(op, t, t->c, t->h, t->w, d->x);
    add_weight(op, d->w1, 4, t->e, t->c + t->up_c, 1, t->expand);
    add_weight(op, d->b1, 1, t->e, 0, 0, t->expand && t->bias);
    add_weight(op, d->wd, 4, t->e, 1, t->k, 1);
    add_weight(op, d->bd, 1, t->e, 0, 0, t->bias);
    add_weight(op, d->w2, 4, t->co, t->e, 1, 1);
    add_weight(op, d->b2, 1, t->co, 0, 0, t->bias);
    if (t->residual) add_image(op, t, t->co, t->oh, t->ow, d->r);
    if (t->up_c) add_up(op, t, d->up);
    for (int i = 0; i < 4; i++) pads[i] = t->pad[i];
    strides[0] = strides[1] = t->stride, dilations[0] = dilations[1] = t->dil;
    op_attr_ints(op, "strides", strides, 2);
    op_attr_ints(op, "pads", pads, 4);
    op_attr_ints(op, "dilations", dilations, 2);
    set_act(op, "act1", "act1_lo", "act1_hi", t->act1);
    set_act(op, "actd", "actd_lo", "actd_hi", t->actd);
    set_act(op, "act2", "act2_lo", "act2_hi", t->act2);
    op_attr_int(op, "residual_after", t->after);
    op_out(op);
}

static void run_level(const ir_case *t, const ir_data *d, leat_isa level) {
    op_case op;
    int64_t strides[2], pads[4], dilations[2], out = t->oh * t->ow;
    open_case(&op, t, d, strides, pads, dilations);
    leat__cpu_select(level);
    op.call.pool = t->threads > 1 ? pool : NULL;
    op.call.threads = t->threads;
    int status = op.call.op->infer(&op.call);
    if (!status) status = op_allocate(&op);
    op.out[0].flags = t->nhwc ? LEAT_TENSOR_NHWC : 0;
    if (!status) status = op.call.op->prepare(&op.call);
    if (status) fail_msg("%s", op.error.message);
    op.call.scratch = op_block(&op, op.call.scratch_bytes);
    assert_int_equal(op.call.op->run(&op.call), LEAT_OK);
    for (int64_t i = 0; i < t->n * t->co * out; i++) {
        int64_t p = i % out, c = i / out % t->co, n = i / out / t->co;
        double got = op_f32(&op, 0)[t->nhwc ? (n * out + p) * t->co + c : i];
        if (!(fabs(got - d->want[i]) <= 2e-5 * sqrt((double)t->e * (t->c + t->up_c)) + 1e-5))
            fail_msg("%s n %d c %d pixel %d: %g, want %g; %dx%d c %d e %d co %d k %d s %d d %d threads %d", op.call.kernel, (int)n, (int)c, (int)p, got,
                     d->want[i], t->h, t->w, t->c, t->e, t->co, t->k, t->stride, t->dil, t->threads);
    }
    op_close(&op);
}

static void check(ir_case *t) {
    ir_data d;
    int room_h = t->h + t->pad[0] + t->pad[2] - (t->k - 1) * t->dil - 1, room_w = t->w + t->pad[1] + t->pad[3] - (t->k - 1) * t->dil - 1;
    if (room_h < 0 || room_w < 0) return;
    t->oh = room_h / t->stride + 1;
    t->ow = room_w / t->stride + 1;
    make_data(t, &d);
    KT_EACH_LEVEL(level) run_level(t, &d, level);
    free_data(&d);
}

static ir_case random_case(void) {
    static const int acts[] = {LEAT_ACT_NONE, LEAT_ACT_RELU, LEAT_ACT_CLIP, LEAT_ACT_HARD_SWISH};
    ir_case t = {.n = kt_int(1, 2), .h = kt_int(3, 20), .w = kt_int(3, 30), .c = kt_int(1, 20), .co = kt_int(1, 20), .k = 2 * kt_int(1, 2) + 1};
    t.stride = kt_int(1, 2), t.dil = kt_int(1, 5) == 1 ? 2 : 1, t.expand = kt_int(0, 3) > 0, t.e = t.expand ? kt_int(1, 40) : t.c;
    for (int i = 0; i < 4; i++) t.pad[i] = kt_int(0, t.k / 2);
    t.residual = kt_int(0, 1), t.after = kt_int(0, 1), t.bias = kt_int(0, 3) > 0, t.nhwc = kt_int(0, 3) > 0, t.threads = kt_int(1, 3);
    t.up_c = t.expand && kt_int(0, 1) ? kt_int(1, 20) : 0, t.up_h = kt_int(1, t.h), t.up_w = kt_int(1, t.w), t.up_first = kt_int(0, 1), t.up_mode = kt_int(0, 2);
    t.act1 = acts[kt_int(0, 3)], t.actd = acts[kt_int(0, 3)], t.act2 = acts[kt_int(0, 3)];
    return t;
}

static void test_random(void **state) {
    for (int i = 0; i < 200; i++) {
        ir_case t = random_case();
        check(&t);
    }
}

/* Wide rows of many expanded channels are cut into strips, high maps into segments. */
static void test_strips_and_segments(void **state) {
    for (int i = 0; i < 6; i++) {
        ir_case t = random_case();
        t.up_c = i % 2 ? 3 : 0, t.up_h = 5, t.up_w = 50;
        t.h = 9, t.w = kt_int(100, 130), t.e = 700, t.c = 5, t.co = 6, t.n = 1, t.expand = 1;
        check(&t);
        t = random_case();
        t.expand = 0, t.e = t.c = 256, t.up_c = 0;
        check(&t);
        t = random_case();
        t.h = 120, t.w = 12, t.threads = 3, t.up_h = 60, t.up_w = 6;
        check(&t);
    }
}

static int open_pool(void **state) { return kt_seed(state) || leat_tpool_new(3, &pool); }
static int close_pool(void **state) { return leat_tpool_unref(pool), 0; }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_strips_and_segments)};
    return cmocka_run_group_tests(tests, open_pool, close_pool);
}
