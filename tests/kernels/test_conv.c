/* test_conv.c - the Conv operators at every level against a direct convolution in float64: random shapes, pads, strides, dilations, groups,
 * 1 to 3 axes, both layouts of every tensor, fused bias, residual and activation, one and two threads. */
#include "kernel_util.h"

#include "../ops/op_harness.h"
#include "cpu/conv_f32.h"

typedef struct conv_case {
    leat_conv_shape s;
    int             axes, bias, residual, after, act, x_nhwc, y_nhwc, r_nhwc, constant;
    float          *x, *w, *b, *r; /* plain order */
    double         *want;
    int64_t         xs, ws, ys;
} conv_case;

static double window_sum(const conv_case *c, int64_t n, int64_t co, const int64_t *o) {
    const leat_conv_shape *s = &c->s;
    int64_t cin = s->cin / s->group, first = co / (s->cout / s->group) * cin, i[3];
    double sum = 0;
    for (int64_t ci = 0; ci < cin; ci++)
        for (int64_t t = 0; t < leat__conv_taps(s); t++) {
            int64_t k[3] = {t / (s->kernel[1] * s->kernel[2]), t / s->kernel[2] % s->kernel[1], t % s->kernel[2]};
            int there = 1;
            for (int a = 0; a < 3; a++) {
                i[a] = o[a] * s->stride[a] - s->pad[a] + k[a] * s->dilation[a];
                there = there && i[a] >= 0 && i[a] < s->in[a];
            }
            if (!there) continue;
            double x = c->x[(((n * s->cin + first + ci) * s->in[0] + i[0]) * s->in[1] + i[1]) * s->in[2] + i[2]];
            sum += x * c->w[(co * cin + ci) * leat__conv_taps(s) + t];
        }
    return sum;
}

static double activated(int act, double v) {
    if (act == LEAT_ACT_RELU) return v < 0 ? 0 : v;
    if (act == LEAT_ACT_CLIP) return fmin(fmax(v, -0.25), 0.5);
    if (act == LEAT_ACT_SILU) return v / (1 + exp(-v));
    return v;
}

static void compute_want(conv_case *c) {
    const leat_conv_shape *s = &c->s;
    int64_t at = 0;
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t co = 0; co < s->cout; co++)
            for (int64_t p = 0; p < leat__conv_out_pixels(s); p++, at++) {
                int64_t o[3] = {p / (s->out[1] * s->out[2]), p / s->out[2] % s->out[1], p % s->out[2]};
                double v = window_sum(c, n, co, o) + (c->bias ? c->b[co] : 0), r = c->residual ? c->r[at] : 0;
                c->want[at] = c->after ? activated(c->act, v) + r : activated(c->act, v + r);
            }
}

static void complete(conv_case *c) {
    leat_conv_shape *s = &c->s;
    for (int a = 0; a < 3; a++) s->out[a] = (s->in[a] + s->pad[a] + s->pad_end[a] - (s->kernel[a] - 1) * s->dilation[a] - 1) / s->stride[a] + 1;
    c->xs = s->n * s->cin * leat__conv_in_pixels(s);
    c->ys = s->n * s->cout * leat__conv_out_pixels(s);
    c->ws = s->cout * (s->cin / s->group) * leat__conv_taps(s);
    c->x = kt_alloc(c->xs), c->w = kt_alloc(c->ws), c->b = kt_alloc(s->cout), c->r = kt_alloc(c->ys);
    c->want = malloc((size_t)(c->ys + 1) * sizeof(double));
    compute_want(c);
}

static void release(conv_case *c) {
    kt_free(c->x), kt_free(c->w), kt_free(c->b), kt_free(c->r);
    free(c->want);
}

static leat_tensor *add_tensor(op_case *op, const conv_case *c, int64_t channels, const int64_t *size, const float *plain, int nhwc) {
    int64_t dims[5] = {c->s.n, channels}, pixels = size[0] * size[1] * size[2], count = c->s.n * channels * pixels;
    for (int a = 0; a < c->axes; a++) dims[2 + a] = size[3 - c->axes + a];
    leat_tensor *t = op_in(op, LEAT_DTYPE_F32, 2 + c->axes, dims, plain);
    if (!nhwc) return t;
    t->flags = LEAT_TENSOR_NHWC;
    for (int64_t i = 0; i < count; i++) {
        int64_t n = i / (channels * pixels), ch = i / pixels % channels, p = i % pixels;
        ((float *)t->data)[(n * pixels + p) * channels + ch] = plain[i];
    }
    return t;
}

static void open_case(op_case *op, const conv_case *c) {
    const leat_conv_shape *s = &c->s;
    static int64_t pads[6], strides[3], dilations[3];
    int64_t wdims[5] = {s->cout, s->cin / s->group};
    int skip = 3 - c->axes;
    for (int a = 0; a < c->axes; a++) {
        wdims[2 + a] = s->kernel[skip + a];
        strides[a] = s->stride[skip + a], dilations[a] = s->dilation[skip + a];
        pads[a] = s->pad[skip + a], pads[c->axes + a] = s->pad_end[skip + a];
    }
    op_open(op, c->residual || c->act || c->after ? "leat" : "", "Conv", c->residual || c->act || c->after ? 1 : 11);
    add_tensor(op, c, s->cin, s->in, c->x, c->x_nhwc);
    op_in(op, LEAT_DTYPE_F32, 2 + c->axes, wdims, c->w);
    op->in_const[1] = (uint8_t)c->constant;
    if (c->bias) op_in(op, LEAT_DTYPE_F32, 1, &s->cout, c->b);
    else op_absent(op);
    if (c->residual) add_tensor(op, c, s->cout, s->out, c->r, c->r_nhwc);
    op_attr_ints(op, "pads", pads, 2 * c->axes);
    op_attr_ints(op, "strides", strides, c->axes);
    op_attr_ints(op, "dilations", dilations, c->axes);
    op_attr_int(op, "group", s->group);
    op_attr_int(op, "residual_after", c->after);
    op_attr_string(op, "act", leat__act_name(c->act));
    op_attr_float(op, "act_lo", -0.25f);
    op_attr_float(op, "act_hi", 0.5f);
    op_out(op);
}

static int run_op(op_case *op, const conv_case *c) {
    int status = op->call.op->infer(&op->call);
    if (!status) status = op_allocate(op);
    op->out[0].flags = c->y_nhwc ? LEAT_TENSOR_NHWC : 0;
    if (!status) status = op->call.op->prepare(&op->call);
    if (status) return status;
    op->call.scratch = op_block(op, op->call.scratch_bytes);
    return op->call.op->run(&op->call);
}

static void compare(const op_case *op, const conv_case *c, const char *what) {
    const leat_conv_shape *s = &c->s;
    int64_t pixels = leat__conv_out_pixels(s), depth = s->cin / s->group * leat__conv_taps(s);
    double limit = 3e-6 * sqrt((double)depth + 4) + 1e-7 * (double)depth + 1e-6;
    if (strstr(op->call.kernel, "wino")) limit *= 20;
    for (int64_t i = 0; i < c->ys; i++) {
        int64_t n = i / (s->cout * pixels), co = i / pixels % s->cout, p = i % pixels;
        double got = op_f32(op, 0)[c->y_nhwc ? (n * pixels + p) * s->cout + co : i];
        if (!(fabs(got - c->want[i]) <= limit))
            fail_msg("%s %s: n %d co %d pixel %d: %g, want %g; in %dx%dx%d c %d->%d g %d k %dx%dx%d s %d,%d pad %d,%d dil %d", op->call.kernel,
                     what, (int)n, (int)co, (int)p, got, c->want[i], (int)s->in[0], (int)s->in[1], (int)s->in[2], (int)s->cin, (int)s->cout,
                     (int)s->group, (int)s->kernel[0], (int)s->kernel[1], (int)s->kernel[2], (int)s->stride[1], (int)s->stride[2],
                     (int)s->pad[1], (int)s->pad[2], (int)s->dilation[1]);
    }
}

static leat_tpool *pool;

static void check(conv_case *c) {
    complete(c);
    KT_EACH_LEVEL(level) {
        for (int threads = 1; threads <= 3; threads += 2) {
            op_case op;
            open_case(&op, c);
            leat__cpu_select(level);
            op.call.pool = threads > 1 ? pool : NULL;
            op.call.threads = threads;
            if (run_op(&op, c) != LEAT_OK) fail_msg("%s", op.error.message);
            compare(&op, c, threads > 1 ? "threads" : "alone");
            op_close(&op);
        }
    }
    release(c);
}

static void random_flags(conv_case *c) {
    static const int acts[] = {LEAT_ACT_NONE, LEAT_ACT_RELU, LEAT_ACT_CLIP, LEAT_ACT_SILU};
    c->bias = kt_int(0, 2) > 0, c->residual = kt_int(0, 2) == 0, c->after = kt_int(0, 1), c->act = acts[kt_int(0, 3)];
    c->x_nhwc = kt_int(0, 2) > 0, c->y_nhwc = kt_int(0, 2) > 0, c->r_nhwc = kt_int(0, 2) > 0, c->constant = kt_int(0, 3) > 0;
}

static void random_axis(leat_conv_shape *s, int a, int k, int stride, int dilation, int most) {
    s->kernel[a] = k, s->stride[a] = stride, s->dilation[a] = dilation;
    s->pad[a] = kt_int(0, k), s->pad_end[a] = kt_int(0, k);
    int64_t least = (k - 1) * dilation + 1 - s->pad[a] - s->pad_end[a];
    s->in[a] = kt_int(least < 1 ? 1 : (int)least, most);
}

static conv_case blank(int axes) {
    conv_case c = {.axes = axes};
    c.s.n = kt_int(1, 2);
    for (int a = 0; a < 3; a++) c.s.in[a] = c.s.kernel[a] = c.s.stride[a] = c.s.dilation[a] = 1;
    random_flags(&c);
    return c;
}

static void test_two_axes(void **state) {
    for (int i = 0; i < 150; i++) {
        conv_case c = blank(2);
        c.s.group = kt_int(0, 3) ? 1 : kt_int(2, 4);
        c.s.cin = c.s.group * kt_int(1, 20);
        c.s.cout = c.s.group * kt_int(1, 40);
        random_axis(&c.s, 1, kt_int(1, 5), kt_int(1, 3), kt_int(1, 2), 16);
        random_axis(&c.s, 2, kt_int(1, 5), kt_int(1, 3), kt_int(1, 2), 16);
        check(&c);
    }
}

static void test_pointwise(void **state) {
    for (int i = 0; i < 60; i++) {
        conv_case c = blank(2);
        c.s.group = kt_int(0, 3) ? 1 : 3;
        c.s.cin = c.s.group * kt_int(1, 64), c.s.cout = c.s.group * kt_int(1, 64);
        c.s.in[1] = kt_int(1, 14), c.s.in[2] = kt_int(1, 14);
        c.s.stride[1] = c.s.stride[2] = kt_int(1, 2);
        check(&c);
    }
}

static void test_depthwise(void **state) {
    for (int i = 0; i < 150; i++) {
        conv_case c = blank(2);
        c.s.group = c.s.cin = c.s.cout = kt_int(1, 4) == 1 ? kt_int(2, 40) : 8 * kt_int(1, 5);
        int k = 2 * kt_int(1, 3) + 1, s = kt_int(1, 2), d = kt_int(1, 5) == 1 ? 2 : 1;
        random_axis(&c.s, 1, k, s, d, 17);
        random_axis(&c.s, 2, k, s, d, 17);
        check(&c);
    }
}

static void test_three_by_three(void **state) {
    for (int i = 0; i < 40; i++) {
        conv_case c = blank(2);
        c.s.group = 1, c.s.cin = kt_int(12, 48), c.s.cout = kt_int(12, 48);
        random_axis(&c.s, 1, 3, 1, 1, 30);
        random_axis(&c.s, 2, 3, 1, 1, 30);
        check(&c);
    }
}

static void test_one_and_three_axes(void **state) {
    for (int i = 0; i < 60; i++) {
        conv_case c = blank(i % 2 ? 3 : 1);
        c.s.group = kt_int(0, 2) ? 1 : 2;
        c.s.cin = c.s.group * kt_int(1, 12), c.s.cout = c.s.group * kt_int(1, 12);
        for (int a = 3 - c.axes; a < 3; a++) random_axis(&c.s, a, kt_int(1, 3), kt_int(1, 2), kt_int(1, 2), 7);
        check(&c);
    }
}

/* The kernel's only position along D lies in the padding: found by seed 123. */
static void test_depth_in_the_padding(void **state) {
    conv_case c = blank(3);
    c.s.group = 1, c.s.cin = 3, c.s.cout = 2;
    random_axis(&c.s, 1, 3, 1, 1, 7);
    random_axis(&c.s, 2, 3, 1, 1, 7);
    c.s.stride[0] = 2, c.s.pad[0] = 1;
    check(&c);
}

/* Pads and strides near 2^31: the output is tiny, a padded copy would not fit in any memory. */
static void test_vast_padding(void **state) {
    int64_t far = 2147483646;
    op_case op;
    op_open(&op, "", "Conv", 11);
    op_in(&op, LEAT_DTYPE_F32, 4, (int64_t[]){1, 3, 4, 4}, NULL);
    op_in(&op, LEAT_DTYPE_F32, 4, (int64_t[]){1, 3, 3, 3}, NULL);
    op_attr_ints(&op, "pads", (int64_t[]){far, far, far, far}, 4);
    op_attr_ints(&op, "strides", (int64_t[]){far, far}, 2);
    op_out(&op);
    assert_int_equal(op_run(&op), LEAT_OK);
    assert_int_equal(leat_tensor_count(&op.out[0]), 9);
    assert_true(op.call.scratch_bytes < 1 << 20);
    op_close(&op);
}

static int open_pool(void **state) { return kt_seed(state) || leat_tpool_new(3, &pool); }
static int close_pool(void **state) { return leat_tpool_unref(pool), 0; }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_axes),       cmocka_unit_test(test_pointwise),          cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_three_by_three), cmocka_unit_test(test_one_and_three_axes),
        cmocka_unit_test(test_depth_in_the_padding),
        cmocka_unit_test(test_vast_padding),
    };
    return cmocka_run_group_tests(tests, open_pool, close_pool);
}
