/* test_norms.c - normalisations against plain double loops: plain and channels-last, large means, one and two threads, shapes that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "op_harness.h"

enum { SEED = 7 };

static float *noise(int64_t n, uint64_t stream, float mean) {
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = mean + (float)leat__rng_normal(SEED, stream, (uint64_t)i);
    return x;
}

/* Element (n, c, s) of [N, C, S], stored plain or channels-last. */
static int64_t at(int nhwc, int64_t C, int64_t S, int64_t n, int64_t c, int64_t s) { return nhwc ? (n * S + s) * C + c : (n * C + c) * S + s; }

typedef struct norm_shape {
    int64_t N, C, S, groups;
    float   mean;
    int     nhwc, threads;
} norm_shape;

static void check_group(const norm_shape *z, const float *x, const float *y, const float *scale, const float *bias) {
    int64_t size = z->C / z->groups;
    for (int64_t n = 0; n < z->N; n++)
        for (int64_t g = 0; g < z->groups; g++) {
            double sum = 0, dev = 0;
            for (int64_t c = g * size; c < (g + 1) * size; c++)
                for (int64_t s = 0; s < z->S; s++) sum += x[at(z->nhwc, z->C, z->S, n, c, s)];
            double mean = sum / (double)(size * z->S);
            for (int64_t c = g * size; c < (g + 1) * size; c++)
                for (int64_t s = 0; s < z->S; s++) dev += pow(x[at(z->nhwc, z->C, z->S, n, c, s)] - mean, 2);
            double inverse = 1 / sqrt(dev / (double)(size * z->S) + 1e-3);
            for (int64_t c = g * size; c < (g + 1) * size; c++)
                for (int64_t s = 0; s < z->S; s++) {
                    int64_t i = at(z->nhwc, z->C, z->S, n, c, s);
                    double want = (x[i] - mean) * inverse * scale[c] + bias[c];
                    if (!(fabs(y[i] - want) <= 2e-5 * (1 + fabs(z->mean)))) fail_msg("nhwc %d element %lld is %g, not %g", z->nhwc, (long long)i, y[i], want);
                }
        }
}

static void run_group(const norm_shape *z, const char *name, int opset) {
    op_case c;
    leat_tpool *pool = NULL;
    float *x = noise(z->N * z->C * z->S, 1, z->mean), *scale = noise(z->C, 2, 1), *bias = noise(z->C, 3, 0);
    op_open(&c, "", name, opset);
    op_in(&c, LEAT_DTYPE_F32, 3, (int64_t[]){z->N, z->C, z->S}, x)->flags = z->nhwc ? LEAT_TENSOR_NHWC : 0;
    op_in(&c, LEAT_DTYPE_F32, 1, &z->C, scale);
    op_in(&c, LEAT_DTYPE_F32, 1, &z->C, bias);
    op_attr_float(&c, "epsilon", 1e-3f);
    op_attr_int(&c, "num_groups", z->groups);
    if (z->threads > 1) assert_int_equal(leat_tpool_new(z->threads, &pool), LEAT_OK);
    c.call.pool = pool;
    c.call.threads = z->threads;
    op_out(&c);
    if (op_run(&c)) fail_msg("%s", c.error.message);
    check_group(z, x, op_f32(&c, 0), scale, bias);
    leat_tpool_unref(pool);
    op_close(&c);
    free(x);
    free(scale);
    free(bias);
}

static void instance_and_group(void **state) {
    static const norm_shape shapes[] = {
        {1, 1, 1, 1, 0, 0, 1},   {2, 3, 7, 3, 0, 0, 1},      {2, 3, 7, 3, 0, 1, 1},        {1, 33, 4099, 33, 0, 1, 2}, {1, 33, 4099, 33, 0, 0, 2},
        {1, 4, 70001, 4, 0, 1, 2}, {3, 8, 50, 2, 0, 0, 1}, {3, 8, 50, 2, 0, 1, 1},        {1, 16, 1000, 16, 300, 0, 1}, {1, 16, 1000, 16, 300, 1, 1},
        {1, 40, 5, 4, 0, 1, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (shapes[i].groups == shapes[i].C) run_group(&shapes[i], "InstanceNormalization", 6);
        run_group(&shapes[i], "GroupNormalization", 21);
    }
}

static void threads_do_not_matter(void **state) {
    enum { C = 24, S = 30000 };
    float *x = noise(C * S, 4, 2), ones[C], *first = malloc(C * S * sizeof *first);
    for (int i = 0; i < C; i++) ones[i] = 1;
    for (int threads = 1; threads <= 3; threads++) {
        op_case c;
        leat_tpool *pool;
        assert_int_equal(leat_tpool_new(threads, &pool), LEAT_OK);
        op_open(&c, "", "InstanceNormalization", 6);
        op_in(&c, LEAT_DTYPE_F32, 3, (int64_t[]){1, C, S}, x)->flags = LEAT_TENSOR_NHWC;
        op_in(&c, LEAT_DTYPE_F32, 1, (int64_t[]){C}, ones);
        op_in(&c, LEAT_DTYPE_F32, 1, (int64_t[]){C}, ones);
        c.call.pool = pool;
        c.call.threads = threads;
        op_out(&c);
        assert_int_equal(op_run(&c), LEAT_OK);
        if (threads == 1) memcpy(first, op_f32(&c, 0), C * S * sizeof *first);
        assert_memory_equal(first, op_f32(&c, 0), C * S * sizeof *first);
        op_close(&c);
        leat_tpool_unref(pool);
    }
    free(x);
    free(first);
}

static void layer_norm_of_a_large_mean(void **state) {
    enum { ROWS = 5, N = 1023 };
    op_case c;
    float *x = noise(ROWS * N, 5, 1000), *ones = malloc(N * sizeof *ones);
    for (int i = 0; i < N; i++) ones[i] = 1;
    op_open(&c, "", "LayerNormalization", 17);
    op_in(&c, LEAT_DTYPE_F32, 2, (int64_t[]){ROWS, N}, x);
    op_in(&c, LEAT_DTYPE_F32, 1, (int64_t[]){N}, ones);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    for (int r = 0; r < ROWS; r++) {
        double sum = 0, square = 0;
        for (int i = 0; i < N; i++) sum += op_f32(&c, 0)[r * N + i], square += pow(op_f32(&c, 0)[r * N + i], 2);
        assert_true(fabs(sum / N) < 1e-4 && fabs(square / N - 1) < 1e-3);
    }
    op_close(&c);
    free(x);
    free(ones);
}

static void refuses_wrong_shapes(void **state) {
    op_case c;
    op_open(&c, "", "BatchNormalization", 9);
    op_in(&c, LEAT_DTYPE_F32, 2, (int64_t[]){2, 4}, NULL);
    for (int i = 0; i < 4; i++) op_in(&c, LEAT_DTYPE_F32, 1, (int64_t[]){i == 3 ? 5 : 4}, NULL);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_ESHAPE);
    op_close(&c);
    op_open(&c, "", "GroupNormalization", 21);
    op_in(&c, LEAT_DTYPE_F32, 3, (int64_t[]){1, 4, 4}, NULL);
    op_in(&c, LEAT_DTYPE_F32, 1, (int64_t[]){4}, NULL);
    op_in(&c, LEAT_DTYPE_F32, 1, (int64_t[]){4}, NULL);
    op_attr_int(&c, "num_groups", 3);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_ESHAPE);
    op_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instance_and_group), cmocka_unit_test(threads_do_not_matter), cmocka_unit_test(layer_norm_of_a_large_mean),
        cmocka_unit_test(refuses_wrong_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
