/* test_conv_transpose.c - ConvTranspose at every level against scattering by its definition in float64; also a shape from output_shape. */
#include "kernel_util.h"

#include "../ops/op_harness.h"

typedef struct tc {
    int     axes, group, cin, cout, n;
    int64_t in[3], k[3], stride[3], dil[3], pads[6], extra[3], out[3];
} tc;

static int64_t volume(const int64_t *v) { return v[0] * v[1] * v[2]; }

static void random_case(tc *c) {
    *c = (tc){.axes = kt_int(1, 3), .group = kt_int(0, 2) ? 1 : 2, .n = kt_int(1, 2)};
    c->cin = c->group * kt_int(1, 12), c->cout = c->group * kt_int(1, 20);
    for (int a = 0; a < 3; a++) {
        int used = a >= 3 - c->axes;
        c->k[a] = used ? kt_int(1, 4) : 1, c->stride[a] = used ? kt_int(1, 3) : 1, c->dil[a] = used ? kt_int(1, 2) : 1;
        c->in[a] = used ? kt_int(1, 6) : 1;
        c->extra[a] = used ? kt_int(0, (int)c->stride[a] - 1) : 0;
        int64_t full = c->stride[a] * (c->in[a] - 1) + c->extra[a] + (c->k[a] - 1) * c->dil[a] + 1;
        for (int e = 0; e < 2 && used; e++) c->pads[a + 3 * e] = kt_int(0, full > 3 ? 1 : 0);
        c->out[a] = full - c->pads[a] - c->pads[a + 3];
    }
}

static void scatter(const tc *c, const float *x, const float *w, const float *bias, double *y) {
    int64_t ip = volume(c->in), op = volume(c->out), kp = volume(c->k), ci = c->cin / c->group, co = c->cout / c->group;
    for (int64_t i = 0; i < c->n * c->cout * op; i++) y[i] = bias[i / op % c->cout];
    for (int64_t n = 0; n < c->n; n++)
        for (int64_t i = 0; i < c->cin; i++)
            for (int64_t o = 0; o < co; o++)
                for (int64_t p = 0; p < ip; p++)
                    for (int64_t t = 0; t < kp; t++) {
                        int64_t at[3] = {p / (c->in[1] * c->in[2]), p / c->in[2] % c->in[1], p % c->in[2]};
                        int64_t k[3] = {t / (c->k[1] * c->k[2]), t / c->k[2] % c->k[1], t % c->k[2]};
                        int there = 1;
                        for (int a = 0; a < 3; a++) {
                            at[a] = at[a] * c->stride[a] - c->pads[a] + k[a] * c->dil[a];
                            there = there && at[a] >= 0 && at[a] < c->out[a];
                        }
                        if (!there) continue;
                        int64_t to = ((n * c->cout + i / ci * co + o) * c->out[0] + at[0]) * c->out[1] * c->out[2] + at[1] * c->out[2] + at[2];
                        y[to] += (double)x[(n * c->cin + i) * ip + p] * w[(i * co + o) * kp + t];
                    }
}

static void set_attributes(op_case *op, const tc *c, int64_t *pads) {
    int skip = 3 - c->axes;
    for (int a = 0; a < c->axes; a++) pads[a] = c->pads[skip + a], pads[c->axes + a] = c->pads[3 + skip + a];
    op_attr_ints(op, "pads", pads, 2 * c->axes);
    op_attr_ints(op, "strides", c->stride + skip, c->axes);
    op_attr_ints(op, "dilations", c->dil + skip, c->axes);
    op_attr_ints(op, "output_padding", c->extra + skip, c->axes);
    op_attr_int(op, "group", c->group);
}

static void run_case(const tc *c) {
    op_case op;
    int skip = 3 - c->axes;
    int64_t pads[6], xd[5] = {c->n, c->cin}, wd[5] = {c->cin, c->cout / c->group}, cout = c->cout;
    memcpy(xd + 2, c->in + skip, (size_t)c->axes * 8);
    memcpy(wd + 2, c->k + skip, (size_t)c->axes * 8);
    int64_t nx = c->n * c->cin * volume(c->in), nw = c->cin * (c->cout / c->group) * volume(c->k), ny = c->n * c->cout * volume(c->out);
    float *x = kt_alloc(nx), *w = kt_alloc(nw), *b = kt_alloc(cout);
    double *want = malloc((size_t)(ny + 1) * sizeof(double));
    scatter(c, x, w, b, want);
    op_open(&op, "", "ConvTranspose", 11);
    op_in(&op, LEAT_DTYPE_F32, 2 + c->axes, xd, x);
    op_in(&op, LEAT_DTYPE_F32, 2 + c->axes, wd, w);
    op_in(&op, LEAT_DTYPE_F32, 1, &cout, b);
    op.in_const[1] = (uint8_t)kt_int(0, 1);
    set_attributes(&op, c, pads);
    op_out(&op);
    if (op_run(&op) != LEAT_OK) fail_msg("%s", op.error.message);
    assert_int_equal(leat_tensor_count(&op.out[0]), ny);
    for (int64_t i = 0; i < ny; i++)
        if (!(fabs(op_f32(&op, 0)[i] - want[i]) < 1e-4)) fail_msg("%s [%d] %g, want %g", op.call.kernel, (int)i, (double)op_f32(&op, 0)[i], want[i]);
    op_close(&op);
    kt_free(x), kt_free(w), kt_free(b);
    free(want);
}

static void test_random(void **state) {
    for (int i = 0; i < 200; i++) {
        tc c;
        random_case(&c);
        if (volume(c.out) <= 0) continue;
        KT_EACH_LEVEL(level) run_case(&c);
    }
}

static void test_output_shape(void **state) {
    op_case op;
    op_open(&op, "", "ConvTranspose", 11);
    op_in(&op, LEAT_DTYPE_F32, 4, (int64_t[]){1, 1, 3, 3}, NULL);
    op_in(&op, LEAT_DTYPE_F32, 4, (int64_t[]){1, 2, 3, 3}, NULL);
    op_attr_ints(&op, "strides", (int64_t[]){3, 2}, 2);
    op_attr_ints(&op, "output_shape", (int64_t[]){10, 8}, 2);
    op_out(&op);
    assert_int_equal(op_run(&op), LEAT_OK);
    assert_int_equal(op.out[0].dims[2], 10);
    assert_int_equal(op.out[0].dims[3], 8);
    op_close(&op);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_output_shape)};
    return cmocka_run_group_tests(tests, kt_seed, NULL);
}
