/* test_elementwise.c - unary, binary, variadic, Where, Cast, reductions and softmax through the operator table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "op_harness.h"

#define DIMS(...) (sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__}
#define F(...) (float[]){__VA_ARGS__}
#define I(...) (int64_t[]){__VA_ARGS__}

static void expect_f32(op_case *c, int n, const float *want) {
    assert_int_equal(leat_tensor_count(&c->out[0]), n);
    for (int i = 0; i < n; i++)
        if (!(fabsf(op_f32(c, 0)[i] - want[i]) <= 1e-6f + 1e-6f * fabsf(want[i]))) fail_msg("element %d is %.9g, not %.9g", i, op_f32(c, 0)[i], want[i]);
}

static void run(op_case *c) {
    op_out(c);
    int status = op_run(c);
    if (status) fail_msg("status %d: %s", status, c->error.message);
}

static void broadcasts_both_ways(void **state) {
    op_case c;
    op_open(&c, "", "Sub", 13);
    op_in(&c, LEAT_DTYPE_F32, DIMS(2, 1), F(10, 20));
    op_in(&c, LEAT_DTYPE_F32, DIMS(3), F(1, 2, 3));
    run(&c);
    expect_f32(&c, 6, F(9, 8, 7, 19, 18, 17));
    op_close(&c);
}

static void mixes_layouts(void **state) {
    op_case c;
    op_open(&c, "", "Add", 13);
    op_in(&c, LEAT_DTYPE_F32, DIMS(1, 2, 1, 2), F(1, 2, 3, 4))->flags = LEAT_TENSOR_NHWC; /* stored [w][c]: c0 = 1, 3; c1 = 2, 4 */
    op_in(&c, LEAT_DTYPE_F32, DIMS(2, 1, 1), F(10, 20));
    run(&c);
    assert_true(leat__is_nhwc(&c.out[0]));
    expect_f32(&c, 4, F(11, 22, 13, 24));
    op_close(&c);
    op_open(&c, "", "Add", 13);
    op_in(&c, LEAT_DTYPE_F32, DIMS(1, 2, 1, 2), F(1, 2, 3, 4))->flags = LEAT_TENSOR_NHWC;
    op_in(&c, LEAT_DTYPE_F32, DIMS(1, 2, 1, 2), F(10, 20, 30, 40));
    run(&c);
    expect_f32(&c, 4, F(11, 32, 23, 44));
    op_close(&c);
}

/* Few channels (and none), channels-last, more pixels than a tile: by channel, by pixel, and both ways round. */
static void broadcasts_over_short_rows(void **state) {
    for (int64_t channels = 0; channels <= 33; channels++)
        for (int by_pixel = 0; by_pixel < 2; by_pixel++)
            for (int second = 0; second < 2; second++) {
                op_case c;
                int64_t full[4] = {1, channels, 23, 61}, part[4] = {1, by_pixel ? 1 : channels, by_pixel ? 23 : 1, by_pixel ? 61 : 1};
                op_open(&c, "", "Sub", 13);
                for (int i = 0; i < 2; i++) {
                    leat_tensor *t = op_in(&c, LEAT_DTYPE_F32, 4, i == second ? part : full, NULL);
                    for (int64_t k = 0; k < leat_tensor_count(t); k++) ((float *)t->data)[k] = (float)(k * (i + 2) % 1009);
                    t->flags = LEAT_TENSOR_NHWC;
                }
                run(&c);
                for (int64_t k = 0; k < 23 * 61 * channels; k++) {
                    int64_t at = by_pixel ? k / channels : k % channels;
                    const float *a = c.in[0].data, *b = c.in[1].data;
                    assert_true(op_f32(&c, 0)[k] == (second ? a[k] - b[at] : a[at] - b[k]));
                }
                op_close(&c);
            }
}

static void old_axis_attribute(void **state) {
    op_case c;
    op_open(&c, "", "Mul", 6);
    op_in(&c, LEAT_DTYPE_F32, DIMS(1, 2, 2), F(1, 2, 3, 4));
    op_in(&c, LEAT_DTYPE_F32, DIMS(2), F(10, 100));
    op_attr_int(&c, "axis", 1);
    op_attr_int(&c, "broadcast", 1);
    run(&c);
    expect_f32(&c, 4, F(10, 20, 300, 400));
    op_close(&c);
}

static void integers_never_trap(void **state) {
    op_case c;
    op_open(&c, "", "Div", 13);
    op_in(&c, LEAT_DTYPE_I64, DIMS(4), I(INT64_MIN, 7, -7, 9));
    op_in(&c, LEAT_DTYPE_I64, DIMS(4), I(-1, 0, 2, 3));
    run(&c);
    assert_memory_equal(op_i64(&c, 0), I(INT64_MIN, 0, -3, 3), 32);
    op_close(&c);
    op_open(&c, "", "Mod", 13);
    op_in(&c, LEAT_DTYPE_I64, DIMS(4), I(INT64_MIN, 7, -7, 7));
    op_in(&c, LEAT_DTYPE_I64, DIMS(4), I(-1, 0, 3, -3));
    run(&c);
    assert_memory_equal(op_i64(&c, 0), I(0, 0, 2, -2), 32);
    op_close(&c);
}

static void refuses_mismatches(void **state) {
    op_case c;
    op_open(&c, "", "Add", 13);
    op_in(&c, LEAT_DTYPE_F32, DIMS(2), F(1, 2));
    op_in(&c, LEAT_DTYPE_F32, DIMS(3), F(1, 2, 3));
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_ESHAPE);
    op_close(&c);
    op_open(&c, "", "Add", 13);
    op_in(&c, LEAT_DTYPE_F32, DIMS(2), F(1, 2));
    op_in(&c, LEAT_DTYPE_I64, DIMS(2), I(1, 2));
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_ETYPE);
    op_close(&c);
}

static void casts_saturate(void **state) {
    op_case c;
    op_open(&c, "", "Cast", 13);
    op_in(&c, LEAT_DTYPE_F32, DIMS(6), F(1e30f, -1e30f, NAN, 2.9f, -2.9f, INFINITY));
    op_attr_int(&c, "to", LEAT_DTYPE_I64);
    run(&c);
    assert_memory_equal(op_i64(&c, 0), I(INT64_MAX, INT64_MIN, 0, 2, -2, INT64_MAX), 48);
    op_close(&c);
}

static void casts_through_halves(void **state) {
    op_case c;
    op_open(&c, "", "Cast", 13);
    op_in(&c, LEAT_DTYPE_I64, DIMS(3), I(1, -3, 70000));
    op_attr_int(&c, "to", LEAT_DTYPE_F16);
    run(&c);
    assert_memory_equal(c.out[0].data, ((uint16_t[]){0x3c00, 0xc200, 0x7c00}), 6);
    op_close(&c);
}

static const float cube[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static void reduces_rows_columns_and_holes(void **state) {
    op_case c;
    op_open(&c, "", "ReduceSum", 11);
    op_in(&c, LEAT_DTYPE_F32, DIMS(2, 3, 2), cube);
    op_attr_ints(&c, "axes", I(1), 1);
    run(&c);
    expect_f32(&c, 4, F(9, 12, 27, 30));
    op_close(&c);
    op_open(&c, "", "ReduceMax", 18);
    op_in(&c, LEAT_DTYPE_F32, DIMS(2, 3, 2), cube);
    op_in(&c, LEAT_DTYPE_I64, DIMS(2), I(0, -1));
    op_attr_int(&c, "keepdims", 0);
    run(&c);
    assert_int_equal(c.out[0].rank, 1);
    expect_f32(&c, 3, F(8, 10, 12));
    op_close(&c);
    op_open(&c, "", "ReduceLogSumExp", 18);
    op_in(&c, LEAT_DTYPE_F32, DIMS(2), F(1000, 1000));
    run(&c);
    expect_f32(&c, 1, F(1000.6931472f));
    op_close(&c);
}

static void reduces_channels_last_to_plain(void **state) {
    op_case c; /* [1, 2, 2, 1] stored [h][c] = {1 2 3 4}: c0 = 1, 3; c1 = 2, 4; reduced over n, the output [2, 2, 1] is c-major */
    op_open(&c, "", "ReduceSum", 11);
    op_in(&c, LEAT_DTYPE_F32, DIMS(1, 2, 2, 1), F(1, 2, 3, 4))->flags = LEAT_TENSOR_NHWC;
    op_attr_ints(&c, "axes", I(0), 1);
    op_attr_int(&c, "keepdims", 0);
    run(&c);
    expect_f32(&c, 4, F(1, 3, 2, 4));
    op_close(&c);
}

static void softmax_of_rows_and_columns(void **state) {
    op_case c;
    op_open(&c, "", "Softmax", 13);
    op_in(&c, LEAT_DTYPE_F32, DIMS(2, 2), F(0, logf(3), 1000, 1000));
    run(&c);
    expect_f32(&c, 4, F(0.25f, 0.75f, 0.5f, 0.5f));
    op_close(&c);
    op_open(&c, "", "Softmax", 13);
    op_in(&c, LEAT_DTYPE_F32, DIMS(2, 2), F(0, 1, logf(3), 1));
    op_attr_int(&c, "axis", 0);
    run(&c);
    expect_f32(&c, 4, F(0.25f, 0.5f, 0.75f, 0.5f));
    op_close(&c);
}

/* [N, R, C] times [N, 1, C] on either side: the row repeats, over more than one piece of the parallel walk. */
static void rows_repeat(void **state) {
    static const int64_t shapes[][3] = {{2, 9, 8}, {3, 700, 33}, {1, 5, 256}, {2, 4, 257}, {1, 9000, 7}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int side = 0; side < 2; side++) {
            int64_t N = shapes[k][0], R = shapes[k][1], C = shapes[k][2];
            float *x = malloc((size_t)(N * R * C) * sizeof *x), *row = malloc((size_t)(N * C) * sizeof *row);
            for (int64_t i = 0; i < N * R * C; i++) x[i] = (float)(i % 1001);
            for (int64_t i = 0; i < N * C; i++) row[i] = (float)(i % 97);
            op_case c;
            op_open(&c, "", "Sub", 13);
            for (int i = 0; i < 2; i++) op_in(&c, LEAT_DTYPE_F32, 3, (int64_t[]){N, i == side ? 1 : R, C}, i == side ? row : x);
            run(&c);
            for (int64_t i = 0; i < N * R * C; i++) {
                float r = row[i / (R * C) * C + i % C], want = side ? x[i] - r : r - x[i];
                if (op_f32(&c, 0)[i] != want) fail_msg("shape %d side %d element %d: %g, not %g", (int)k, side, (int)i, op_f32(&c, 0)[i], want);
            }
            op_close(&c);
            free(x);
            free(row);
        }
}

static void softmax_of_short_rows(void **state) {
    enum { ROWS = 301 };
    for (int n = 1; n <= 14; n++) {
        float *x = malloc((size_t)(ROWS * n) * sizeof *x);
        for (int i = 0; i < ROWS * n; i++) x[i] = (float)((i * 37) % 101) * 0.1f;
        op_case c;
        op_open(&c, "", "Softmax", 13);
        op_in(&c, LEAT_DTYPE_F32, DIMS(ROWS, n), x);
        run(&c);
        for (int i = 0; i < ROWS * n; i++) {
            double sum = 0;
            for (int k = 0; k < n; k++) sum += exp((double)x[i / n * n + k] - x[i]);
            assert_true(fabs(op_f32(&c, 0)[i] - 1 / sum) < 1e-6);
        }
        op_close(&c);
        free(x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broadcasts_both_ways),   cmocka_unit_test(mixes_layouts),
        cmocka_unit_test(broadcasts_over_short_rows), cmocka_unit_test(old_axis_attribute), cmocka_unit_test(integers_never_trap),
        cmocka_unit_test(refuses_mismatches),     cmocka_unit_test(casts_saturate),
        cmocka_unit_test(casts_through_halves),   cmocka_unit_test(reduces_rows_columns_and_holes),
        cmocka_unit_test(reduces_channels_last_to_plain), cmocka_unit_test(softmax_of_rows_and_columns),
        cmocka_unit_test(rows_repeat), cmocka_unit_test(softmax_of_short_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
