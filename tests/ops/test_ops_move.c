/* test_ops_move.c - data-movement operators against expectations written by hand or computed element by element: shapes of all opsets,
 * channels-last storage against plain, hostile attributes and indices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "op_harness.h"

#define DIMS(...) (int64_t[]){__VA_ARGS__}
#define F32(...) (float[]){__VA_ARGS__}
#define I64(...) (int64_t[]){__VA_ARGS__}

/* ---- helpers ---------------------------------------------------------------------------------------------------------- */

static void in_ints(op_case *c, int n, const int64_t *values) { op_in(c, LEAT_DTYPE_I64, 1, DIMS(n), values); }
static void in_int(op_case *c, int64_t value) { op_in(c, LEAT_DTYPE_I64, 0, NULL, &value); }

/* A float input 0, 1, 2, ... */
static leat_tensor *in_ramp(op_case *c, int rank, const int64_t *dims) {
    leat_tensor *t = op_in(c, LEAT_DTYPE_F32, rank, dims, NULL);
    for (int64_t i = 0; i < leat_tensor_count(t); i++) ((float *)t->data)[i] = (float)i;
    return t;
}

static void expect_dims(const op_case *c, int i, int rank, const int64_t *dims) {
    assert_int_equal(c->out[i].rank, rank);
    for (int a = 0; a < rank; a++) assert_int_equal(c->out[i].dims[a], dims[a]);
}

static void expect_f32(op_case *c, int i, int rank, const int64_t *dims, const float *values) {
    if (c->error.status) fail_msg("%s", c->error.message);
    expect_dims(c, i, rank, dims);
    assert_memory_equal(op_f32(c, i), values, leat_tensor_bytes(&c->out[i]));
}

static void expect_failure(op_case *c, int status, const char *text) {
    assert_int_equal(op_run(c), status);
    if (!strstr(c->error.message, text)) fail_msg("message is '%s', should have '%s'", c->error.message, text);
    op_close(c);
}

/* Rewrites a plain tensor as channels-last in place, or back. */
static void swap_layout(leat_tensor *t, int to_nhwc) {
    int64_t n = t->dims[0], ch = t->dims[1], s = 1, elem = (int64_t)leat_dtype_size(t->dtype);
    for (int a = 2; a < t->rank; a++) s *= t->dims[a];
    uint8_t *copy = leat__alloc(leat_tensor_bytes(t), LEAT_MEMORY_OTHER), *data = t->data;
    memcpy(copy, data, leat_tensor_bytes(t));
    for (int64_t b = 0; b < n; b++)
        for (int64_t k = 0; k < ch; k++)
            for (int64_t p = 0; p < s; p++) {
                int64_t plain = (b * ch + k) * s + p, last = (b * s + p) * ch + k;
                memcpy(data + (to_nhwc ? last : plain) * elem, copy + (to_nhwc ? plain : last) * elem, (size_t)elem);
            }
    leat__free(copy);
    t->flags = to_nhwc ? LEAT_TENSOR_NHWC : 0;
}

/* Runs `c`, then the same with all inputs of rank >= 3 channels-last, and wants the same logical result. */
static void expect_same_in_nhwc(op_case *c) {
    void *plain[OP_MAX];
    int n_out = c->call.n_out;
    assert_int_equal(op_run(c), LEAT_OK);
    for (int i = 0; i < n_out; i++) {
        plain[i] = c->out[i].data;
        assert_int_equal(c->out[i].flags, 0);
    }
    for (int i = 0; i < c->call.n_in; i++)
        if (c->in_list[i] && c->in_list[i]->rank >= 3) swap_layout(c->in_list[i], 1);
    assert_int_equal(op_run(c), LEAT_OK);
    for (int i = 0; i < n_out; i++) {
        assert_int_equal(c->out[i].flags, LEAT_TENSOR_NHWC);
        swap_layout(&c->out[i], 0);
        assert_memory_equal(c->out[i].data, plain[i], leat_tensor_bytes(&c->out[i]));
    }
    op_close(c);
}

/* ---- shapes ----------------------------------------------------------------------------------------------------------- */

static void reshape_case(int opset, int as_input, int n, const int64_t *shape, int rank, const int64_t *want, int allow_zero) {
    op_case c;
    op_open(&c, "", "Reshape", opset);
    in_ramp(&c, 3, DIMS(2, 3, 4));
    if (as_input) in_ints(&c, n, shape);
    else op_attr_ints(&c, "shape", shape, n);
    if (allow_zero) op_attr_int(&c, "allowzero", 1);
    op_out(&c);
    int status = op_run(&c);
    if (want) {
        assert_int_equal(status, LEAT_OK);
        expect_dims(&c, 0, rank, want);
        assert_memory_equal(c.out[0].data, c.in[0].data, 96);
    } else assert_int_equal(status, LEAT_ESHAPE);
    op_close(&c);
}

static void test_reshape(void **state) {
    reshape_case(13, 1, 2, I64(0, -1), 2, DIMS(2, 12), 0);
    reshape_case(4, 0, 3, I64(4, -1, 1), 3, DIMS(4, 6, 1), 0);
    reshape_case(5, 1, 1, I64(24), 1, DIMS(24), 0);
    reshape_case(13, 1, 2, I64(5, -1), 0, NULL, 0);
    reshape_case(13, 1, 2, I64(-1, -1), 0, NULL, 0);
    reshape_case(13, 1, 4, I64(2, 3, 4, 0), 0, NULL, 0); /* 0 keeps an axis that is not there */
    reshape_case(14, 1, 2, I64(0, 24), 0, NULL, 1);      /* allowzero: really 0 elements */
    reshape_case(13, 1, 1, I64(-2), 0, NULL, 0);
    op_case c;
    op_open(&c, "", "Reshape", 13);
    in_ramp(&c, 1, DIMS(6));
    in_ints(&c, 2, I64(INT64_MAX, INT64_MAX));
    op_out(&c);
    expect_failure(&c, LEAT_ELIMIT, "too large");
}

static void squeeze_case(const char *op, int opset, int as_input, int n, const int64_t *axes, int rank, const int64_t *want) {
    op_case c;
    op_open(&c, "", op, opset);
    in_ramp(&c, 4, DIMS(1, 3, 1, 2));
    if (n >= 0 && as_input) in_ints(&c, n, axes);
    if (n >= 0 && !as_input) op_attr_ints(&c, "axes", axes, n);
    op_out(&c);
    int status = op_run(&c);
    if (want) {
        assert_int_equal(status, LEAT_OK);
        expect_dims(&c, 0, rank, want);
    } else assert_int_equal(status, LEAT_ESHAPE);
    op_close(&c);
}

static void test_squeeze(void **state) {
    squeeze_case("Squeeze", 11, 0, 1, I64(0), 3, DIMS(3, 1, 2));
    squeeze_case("Squeeze", 13, 1, 2, I64(-2, 0), 2, DIMS(3, 2));
    squeeze_case("Squeeze", 13, 0, -1, NULL, 2, DIMS(3, 2));
    squeeze_case("Squeeze", 13, 1, 1, I64(1), 0, NULL);
    squeeze_case("Squeeze", 13, 1, 1, I64(4), 0, NULL);
    squeeze_case("Squeeze", 13, 1, 2, I64(0, -4), 0, NULL); /* the same axis twice */
    squeeze_case("Unsqueeze", 11, 0, 2, I64(0, 5), 6, DIMS(1, 1, 3, 1, 2, 1));
    squeeze_case("Unsqueeze", 13, 1, 1, I64(-1), 5, DIMS(1, 3, 1, 2, 1));
    squeeze_case("Unsqueeze", 13, 1, 1, I64(5), 0, NULL);
}

static void test_dynamic_shape_is_said(void **state) {
    op_case c;
    op_open(&c, "", "Reshape", 13);
    in_ramp(&c, 1, DIMS(6));
    in_ints(&c, 2, I64(2, 3));
    c.in[1].data = NULL;
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_EDYNAMIC);
    op_close(&c);
}

static void test_shape_slices(void **state) {
    static const struct { int64_t start, end; int n; int64_t want[3]; } cases[] = {
        {0, 99, 3, {2, 3, 4}}, {-1, 99, 1, {4}}, {1, -1, 1, {3}}, {-99, 2, 2, {2, 3}}, {2, 1, 0, {0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        op_case c;
        op_open(&c, "", "Shape", 15);
        in_ramp(&c, 3, DIMS(2, 3, 4));
        op_attr_int(&c, "start", cases[i].start);
        op_attr_int(&c, "end", cases[i].end);
        op_out(&c);
        assert_int_equal(op_run(&c), LEAT_OK);
        expect_dims(&c, 0, 1, DIMS(cases[i].n));
        if (cases[i].n) assert_memory_equal(op_i64(&c, 0), cases[i].want, (size_t)cases[i].n * 8);
        op_close(&c);
    }
}

/* ---- slices, pads, joins ---------------------------------------------------------------------------------------------- */

static void slice_case(int64_t start, int64_t end, int64_t step, int n, const float *want) {
    op_case c;
    op_open(&c, "", "Slice", 13);
    in_ramp(&c, 1, DIMS(5));
    in_ints(&c, 1, I64(start));
    in_ints(&c, 1, I64(end));
    in_ints(&c, 1, I64(-1));
    in_ints(&c, 1, I64(step));
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 1, DIMS(n), want);
    op_close(&c);
}

static void test_slice(void **state) {
    slice_case(1, 4, 1, 3, F32(1, 2, 3));
    slice_case(-2, INT64_MAX, 1, 2, F32(3, 4));
    slice_case(-1, INT64_MIN, -1, 5, F32(4, 3, 2, 1, 0));
    slice_case(-1, -6, -2, 3, F32(4, 2, 0));
    slice_case(3, 0, -1, 3, F32(3, 2, 1));
    slice_case(99, -99, -3, 2, F32(4, 1));
    slice_case(-99, 99, 4, 2, F32(0, 4));
    slice_case(4, 1, 1, 0, F32(0));
    slice_case(0, 5, INT64_MAX, 1, F32(0));
    slice_case(4, INT64_MIN, INT64_MIN, 1, F32(4));
    slice_case(-99, INT64_MIN, -1, 1, F32(0)); /* start clamps to 0, as the specification and not as numpy has it */
}

static void test_slice_layouts(void **state) {
    op_case c;
    op_open(&c, "", "Slice", 13);
    in_ramp(&c, 4, DIMS(2, 5, 6, 7));
    in_ints(&c, 3, I64(4, 1, -1));
    in_ints(&c, 3, I64(0, 99, -99));
    in_ints(&c, 3, I64(1, 2, 3));
    in_ints(&c, 3, I64(-2, 2, -3));
    op_out(&c);
    expect_same_in_nhwc(&c);
    op_open(&c, "", "Slice", 9);
    in_ramp(&c, 3, DIMS(1, 4, 9));
    op_attr_ints(&c, "starts", I64(1, 2), 2);
    op_attr_ints(&c, "ends", I64(3, -1), 2);
    op_attr_ints(&c, "axes", I64(1, 2), 2);
    op_out(&c);
    expect_same_in_nhwc(&c);
}

static void pad_case(const char *mode, int64_t before, int64_t after, int n, const float *want) {
    op_case c;
    float value = 9;
    op_open(&c, "", "Pad", 19);
    in_ramp(&c, 1, DIMS(3));
    in_ints(&c, 2, I64(before, after));
    op_in(&c, LEAT_DTYPE_F32, 0, NULL, &value);
    op_attr_string(&c, "mode", mode);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 1, DIMS(n), want);
    op_close(&c);
}

static void test_pad(void **state) {
    pad_case("constant", 1, 2, 6, F32(9, 0, 1, 2, 9, 9));
    pad_case("constant", -1, 1, 3, F32(1, 2, 9));
    pad_case("constant", -4, 3, 2, F32(9, 9));
    pad_case("constant", 5, -4, 4, F32(9, 9, 9, 9));
    pad_case("edge", 2, 1, 6, F32(0, 0, 0, 1, 2, 2));
    pad_case("reflect", 2, 2, 7, F32(2, 1, 0, 1, 2, 1, 0));
    pad_case("reflect", 5, 0, 8, F32(1, 0, 1, 2, 1, 0, 1, 2)); /* bounces */
    pad_case("wrap", 2, 4, 9, F32(1, 2, 0, 1, 2, 0, 1, 2, 0));
    pad_case("edge", -1, 2, 4, F32(1, 2, 2, 2));
}

static void test_pad_layouts(void **state) {
    static const char *const modes[] = {"constant", "edge", "reflect", "wrap"};
    for (int m = 0; m < 4; m++)
        for (int spatial_only = 0; spatial_only < 2; spatial_only++) {
            op_case c;
            op_open(&c, "", "Pad", 19);
            in_ramp(&c, 4, DIMS(2, 3, 4, 5));
            if (spatial_only) in_ints(&c, 4, I64(1, 2, 3, -1));
            else in_ints(&c, 8, I64(0, 2, 1, -1, 1, 1, 2, 3));
            op_absent(&c);
            if (spatial_only) in_ints(&c, 2, I64(2, -1));
            op_attr_string(&c, "mode", modes[m]);
            op_out(&c);
            expect_same_in_nhwc(&c);
        }
}

static void test_pad_bad(void **state) {
    op_case c;
    op_open(&c, "", "Pad", 13);
    in_ramp(&c, 1, DIMS(3));
    in_ints(&c, 2, I64(-2, -2));
    op_out(&c);
    expect_failure(&c, LEAT_ESHAPE, "leave nothing");
    op_open(&c, "", "Pad", 13);
    in_ramp(&c, 1, DIMS(3));
    in_ints(&c, 2, I64(INT64_MIN, INT64_MAX));
    op_out(&c);
    expect_failure(&c, LEAT_ELIMIT, "pads[0]");
}

static void test_concat_split(void **state) {
    op_case c;
    op_open(&c, "", "Concat", 13);
    in_ramp(&c, 4, DIMS(2, 3, 2, 3));
    in_ramp(&c, 4, DIMS(2, 1, 2, 3));
    in_ramp(&c, 4, DIMS(2, 17, 2, 3));
    op_attr_int(&c, "axis", 1);
    op_out(&c);
    expect_same_in_nhwc(&c);
    op_open(&c, "", "Concat", 13);
    in_ramp(&c, 2, DIMS(2, 1));
    in_ramp(&c, 2, DIMS(2, 2));
    op_attr_int(&c, "axis", -1);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 2, DIMS(2, 3), F32(0, 0, 1, 1, 2, 3));
    op_close(&c);
    op_open(&c, "", "Split", 18);
    in_ramp(&c, 4, DIMS(2, 7, 2, 3));
    op_absent(&c);
    op_attr_int(&c, "axis", 1);
    op_attr_int(&c, "num_outputs", 3);
    for (int i = 0; i < 3; i++) op_out(&c);
    expect_same_in_nhwc(&c);
    op_open(&c, "", "Split", 11);
    in_ramp(&c, 1, DIMS(6));
    op_attr_ints(&c, "split", I64(1, 5), 2);
    op_out(&c), op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 1, 1, DIMS(5), F32(1, 2, 3, 4, 5));
    op_close(&c);
    op_open(&c, "", "Split", 13);
    in_ramp(&c, 1, DIMS(6));
    in_ints(&c, 2, I64(1, 6));
    op_out(&c), op_out(&c);
    expect_failure(&c, LEAT_ESHAPE, "sum to 7");
}

/* ---- permutations ----------------------------------------------------------------------------------------------------- */

static void test_transpose(void **state) {
    op_case c;
    op_open(&c, "", "Transpose", 13);
    in_ramp(&c, 3, DIMS(2, 3, 4));
    op_attr_ints(&c, "perm", I64(2, 0, 1), 3);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_dims(&c, 0, 3, DIMS(4, 2, 3));
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++) assert_true(op_f32(&c, 0)[(k * 2 + i) * 3 + j] == (float)((i * 3 + j) * 4 + k));
    op_close(&c);
    op_open(&c, "", "Transpose", 13);
    in_ramp(&c, 2, DIMS(2, 3));
    op_attr_ints(&c, "perm", I64(1, 1), 2);
    op_out(&c);
    expect_failure(&c, LEAT_ESHAPE, "permutation");
}

static void test_layout_converters(void **state) {
    for (int channels = 1; channels < 40; channels += 2) {
        op_case c, back;
        op_open(&c, "leat", "ToNHWC", 1);
        in_ramp(&c, 4, DIMS(2, channels, 5, 3));
        op_out(&c);
        assert_int_equal(op_run(&c), LEAT_OK);
        assert_int_equal(c.out[0].flags, LEAT_TENSOR_NHWC);
        expect_dims(&c, 0, 4, DIMS(2, channels, 5, 3));
        assert_true(op_f32(&c, 0)[channels] == 1); /* pixel 1 of channel 0 */
        op_open(&back, "leat", "ToNCHW", 1);
        op_in(&back, LEAT_DTYPE_F32, 4, c.out[0].dims, c.out[0].data)->flags = LEAT_TENSOR_NHWC;
        op_out(&back);
        assert_int_equal(op_run(&back), LEAT_OK);
        assert_int_equal(back.out[0].flags, 0);
        assert_memory_equal(back.out[0].data, c.in[0].data, leat_tensor_bytes(&c.in[0]));
        op_close(&c);
        op_close(&back);
    }
}

static void test_channel_shuffle(void **state) {
    op_case c;
    op_open(&c, "leat", "ChannelShuffle", 1);
    in_ramp(&c, 3, DIMS(1, 6, 2));
    op_attr_int(&c, "groups", 2);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 3, DIMS(1, 6, 2), F32(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11));
    op_close(&c);
    for (int groups = 1; groups <= 4; groups++) {
        op_open(&c, "leat", "ChannelShuffle", 1);
        in_ramp(&c, 4, DIMS(2, 24 * groups, 3, 5));
        op_attr_int(&c, "groups", groups);
        op_out(&c);
        expect_same_in_nhwc(&c);
    }
    op_open(&c, "leat", "ChannelShuffle", 1);
    in_ramp(&c, 3, DIMS(1, 6, 2));
    op_attr_int(&c, "groups", 4);
    op_out(&c);
    expect_failure(&c, LEAT_ESHAPE, "groups");
}

static void test_depth_space(void **state) {
    for (int crd = 0; crd < 2; crd++) {
        op_case c;
        op_open(&c, "", "DepthToSpace", 13);
        in_ramp(&c, 4, DIMS(2, 12, 2, 3));
        op_attr_int(&c, "blocksize", 2);
        op_attr_string(&c, "mode", crd ? "CRD" : "DCR");
        op_out(&c);
        assert_int_equal(op_run(&c), LEAT_OK);
        expect_dims(&c, 0, 4, DIMS(2, 3, 4, 6));
        for (int64_t i = 0; i < 144; i++) { /* i = ((n 3 + ch) 4 + y) 6 + x */
            int64_t x = i % 6, y = i / 6 % 4, ch = i / 24 % 3, n = i / 72, k = y % 2 * 2 + x % 2;
            int64_t from = ((n * 12 + (crd ? ch * 4 + k : k * 3 + ch)) * 2 + y / 2) * 3 + x / 2;
            assert_true(op_f32(&c, 0)[i] == (float)from);
        }
        expect_same_in_nhwc(&c);
        op_open(&c, "", "SpaceToDepth", 13);
        in_ramp(&c, 4, DIMS(1, 3, 4, 6));
        op_attr_int(&c, "blocksize", 2);
        op_out(&c);
        expect_same_in_nhwc(&c);
    }
}

/* ---- indices ---------------------------------------------------------------------------------------------------------- */

static void gather_open(op_case *c, const char *op, int64_t axis, int64_t a, int64_t b) {
    op_open(c, "", op, 13);
    in_ramp(c, 2, DIMS(3, 2));
    op_in(c, LEAT_DTYPE_I64, 2, DIMS(1, 2), I64(a, b));
    if (axis != 99) op_attr_int(c, "axis", axis);
    op_out(c);
}

static void test_gather(void **state) {
    op_case c;
    gather_open(&c, "Gather", 0, -1, 1);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 3, DIMS(1, 2, 2), F32(4, 5, 2, 3));
    op_close(&c);
    gather_open(&c, "Gather", 0, 0, 3);
    expect_failure(&c, LEAT_EINVAL, "index 3");
    gather_open(&c, "GatherElements", 0, 2, -2);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 2, DIMS(1, 2), F32(4, 3));
    op_close(&c);
    gather_open(&c, "GatherND", 99, 2, -1);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 1, DIMS(1), F32(5));
    op_close(&c);
    gather_open(&c, "GatherND", 99, 0, INT64_MIN);
    expect_failure(&c, LEAT_EINVAL, "index -9223372036854775808");
}

static void scatter_case(const char *reduction, const float *want) {
    op_case c;
    op_open(&c, "", "ScatterElements", 18);
    op_in(&c, LEAT_DTYPE_F32, 1, DIMS(4), F32(1, 2, 3, 4));
    in_ints(&c, 3, I64(1, -1, 1));
    op_in(&c, LEAT_DTYPE_F32, 1, DIMS(3), F32(10, 3, 0.5f));
    op_attr_string(&c, "reduction", reduction);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 1, DIMS(4), want);
    op_close(&c);
}

static void test_scatter(void **state) {
    op_case c;
    scatter_case("none", F32(1, 0.5f, 3, 3));
    scatter_case("add", F32(1, 12.5f, 3, 7));
    scatter_case("mul", F32(1, 10, 3, 12));
    scatter_case("max", F32(1, 10, 3, 4));
    scatter_case("min", F32(1, 0.5f, 3, 3));
    op_open(&c, "", "ScatterND", 18);
    in_ramp(&c, 2, DIMS(3, 2));
    op_in(&c, LEAT_DTYPE_I64, 2, DIMS(2, 1), I64(-1, 0));
    op_in(&c, LEAT_DTYPE_F32, 2, DIMS(2, 2), F32(7, 8, 9, 10));
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 2, DIMS(3, 2), F32(9, 10, 2, 3, 7, 8));
    op_close(&c);
    op_open(&c, "", "ScatterND", 18);
    in_ramp(&c, 2, DIMS(3, 2));
    op_in(&c, LEAT_DTYPE_I64, 2, DIMS(1, 1), I64(3));
    op_in(&c, LEAT_DTYPE_F32, 2, DIMS(1, 2), F32(7, 8));
    op_out(&c);
    expect_failure(&c, LEAT_EINVAL, "index 3");
}

/* Constant indices that form a box take the strided copy; a bent one, and a repeated one, must not.  Both ways give the same. */
static void test_scatter_box(void **state) {
    for (int bend = 0; bend < 4; bend++) {
        op_case c;
        float *want;
        op_open(&c, "", "ScatterND", 16);
        in_ramp(&c, 3, DIMS(3, 5, 4));
        int64_t *index = op_in(&c, LEAT_DTYPE_I64, 3, DIMS(2, 3, 2), NULL)->data; /* rows 0 and 2, columns -4, -2 and 0 apart */
        for (int i = 0; i < 6; i++) index[2 * i] = i / 3 * 2, index[2 * i + 1] = i % 3 * 2 - 5;
        if (bend == 1) index[5] = 3;
        if (bend == 2) index[2 * 3] = 0; /* the same place twice: the later update wins */
        if (bend == 3) index[11] = 1, index[1] = -5;
        float *update = in_ramp(&c, 3, DIMS(2, 3, 4))->data;
        op_out(&c);
        c.in_const[1] = bend != 3;
        want = op_block(&c, 240);
        for (int i = 0; i < 60; i++) want[i] = (float)i;
        for (int i = 0; i < 6; i++) memcpy(want + (index[2 * i] * 5 + (index[2 * i + 1] + 5) % 5) * 4, update + 4 * i, 16);
        assert_int_equal(op_run(&c), LEAT_OK);
        assert_int_equal(c.call.state != NULL, bend == 0);
        expect_f32(&c, 0, 3, DIMS(3, 5, 4), want);
        op_close(&c);
    }
}

static void test_topk(void **state) {
    op_case c;
    const float nan_value = __builtin_nanf("");
    op_open(&c, "", "TopK", 11);
    op_in(&c, LEAT_DTYPE_F32, 2, DIMS(2, 5), F32(3, 1, 3, -0.0f, 2, 0, nan_value, -1, 5, 5));
    in_ints(&c, 1, I64(3));
    op_out(&c), op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_dims(&c, 1, 2, DIMS(2, 3));
    assert_memory_equal(op_i64(&c, 1), I64(0, 2, 4, 1, 3, 4), 48); /* the lower index first among equals; NaN counts as largest */
    op_close(&c);
    op_open(&c, "", "TopK", 11);
    op_in(&c, LEAT_DTYPE_I8, 2, DIMS(3, 1), (int8_t[]){5, -128, 127});
    in_ints(&c, 1, I64(2));
    op_attr_int(&c, "axis", 0);
    op_attr_int(&c, "largest", 0);
    op_out(&c), op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    assert_memory_equal(c.out[0].data, ((int8_t[]){-128, 5}), 2);
    op_close(&c);
    op_open(&c, "", "TopK", 11);
    in_ramp(&c, 1, DIMS(3));
    in_ints(&c, 1, I64(4));
    op_out(&c), op_out(&c);
    expect_failure(&c, LEAT_EINVAL, "k = 4");
}

/* ---- data-dependent sizes --------------------------------------------------------------------------------------------- */

static void test_selection(void **state) {
    op_case c;
    op_open(&c, "", "NonZero", 13);
    op_in(&c, LEAT_DTYPE_F32, 2, DIMS(2, 2), F32(0, -0.0f, 3, 1));
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_dims(&c, 0, 2, DIMS(2, 2));
    assert_memory_equal(op_i64(&c, 0), I64(1, 1, 0, 1), 32);
    op_close(&c);
    op_open(&c, "", "Compress", 11);
    in_ramp(&c, 2, DIMS(3, 2));
    op_in(&c, LEAT_DTYPE_BOOL, 1, DIMS(2), (uint8_t[]){0, 1});
    op_attr_int(&c, "axis", 0);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 2, DIMS(1, 2), F32(2, 3));
    op_close(&c);
    for (int sorted = 0; sorted < 2; sorted++) {
        op_open(&c, "", "Unique", 11);
        op_in(&c, LEAT_DTYPE_F32, 1, DIMS(6), F32(2, 1, 1, 3, 4, 3));
        op_attr_int(&c, "sorted", sorted);
        for (int i = 0; i < 4; i++) op_out(&c);
        assert_int_equal(op_run(&c), LEAT_OK);
        expect_f32(&c, 0, 1, DIMS(4), sorted ? F32(1, 2, 3, 4) : F32(2, 1, 3, 4));
        assert_memory_equal(op_i64(&c, 1), sorted ? I64(1, 0, 3, 4) : I64(0, 1, 3, 4), 32);
        assert_memory_equal(op_i64(&c, 2), sorted ? I64(1, 0, 0, 2, 3, 2) : I64(0, 1, 1, 2, 3, 2), 48);
        assert_memory_equal(op_i64(&c, 3), sorted ? I64(2, 1, 2, 1) : I64(1, 2, 2, 1), 32);
        op_close(&c);
    }
}

static void test_made_tensors(void **state) {
    op_case c;
    op_open(&c, "", "Range", 11);
    in_int(&c, 10), in_int(&c, 3), in_int(&c, -3);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_dims(&c, 0, 1, DIMS(3));
    assert_memory_equal(op_i64(&c, 0), I64(10, 7, 4), 24);
    op_close(&c);
    op_open(&c, "", "Range", 11);
    in_int(&c, 0), in_int(&c, 3), in_int(&c, 0);
    op_out(&c);
    expect_failure(&c, LEAT_EINVAL, "delta");
    op_open(&c, "", "Range", 11);
    in_int(&c, INT64_MIN), in_int(&c, INT64_MAX), in_int(&c, 1);
    op_out(&c);
    expect_failure(&c, LEAT_ELIMIT, "too large");
    op_open(&c, "", "ConstantOfShape", 9);
    in_ints(&c, 2, I64(INT64_MAX, 2));
    op_out(&c);
    expect_failure(&c, LEAT_ELIMIT, "too large");
    op_open(&c, "", "Expand", 13);
    in_ramp(&c, 2, DIMS(2, 1));
    in_ints(&c, 3, I64(2, 1, 3));
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 3, DIMS(2, 2, 3), F32(0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1));
    op_close(&c);
    op_open(&c, "", "Tile", 13);
    in_ramp(&c, 2, DIMS(2, 2));
    in_ints(&c, 2, I64(2, 2));
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    expect_f32(&c, 0, 2, DIMS(4, 4), F32(0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3));
    op_close(&c);
}

/* ---- sequences -------------------------------------------------------------------------------------------------------- */

static void test_hostile_sequence(void **state) {
    int64_t blob[8 + 16 + 8] = {0x3151455354414541, 1, 1, 0, 0, 0, 0, 0, 1, 1, 4}; /* one entry: float32[4] */
    for (int bad = 0; bad < 5; bad++) {
        op_case c;
        int64_t copy[32];
        memcpy(copy, blob, sizeof copy);
        if (bad == 1) copy[1] = 2;                   /* more entries than there are */
        if (bad == 2) copy[10] = INT64_MAX / 2;      /* elements past the end */
        if (bad == 3) copy[9] = 9;                   /* rank */
        if (bad == 4) copy[8] = 99;                  /* type */
        op_open(&c, "", "SequenceAt", 11);
        op_in(&c, LEAT_DTYPE_U8, 1, DIMS(sizeof copy), copy);
        in_int(&c, -1);
        op_out(&c);
        if (bad) expect_failure(&c, LEAT_ETYPE, "no sequence");
        else {
            assert_int_equal(op_run(&c), LEAT_OK);
            expect_dims(&c, 0, 1, DIMS(4));
            op_close(&c);
        }
    }
}

/* ---- the table -------------------------------------------------------------------------------------------------------- */

/* Two rows for one operator and opset would make the result depend on the order of families. */
static void test_rows_do_not_overlap(void **state) {
    const leat_op *a, *b;
    for (int i = 0; (a = leat__op_at(i)) != NULL; i++)
        for (int j = i + 1; (b = leat__op_at(j)) != NULL; j++) {
            if (strcmp(a->name, b->name) != 0 || strcmp(a->domain, b->domain) != 0) continue;
            int apart = (a->until && a->until < b->since) || (b->until && b->until < a->since);
            if (!apart) fail_msg("%s is in the table twice for opset %d", a->name, a->since > b->since ? a->since : b->since);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reshape), cmocka_unit_test(test_squeeze), cmocka_unit_test(test_dynamic_shape_is_said),
        cmocka_unit_test(test_shape_slices), cmocka_unit_test(test_slice), cmocka_unit_test(test_slice_layouts),
        cmocka_unit_test(test_pad), cmocka_unit_test(test_pad_layouts), cmocka_unit_test(test_pad_bad),
        cmocka_unit_test(test_concat_split), cmocka_unit_test(test_transpose), cmocka_unit_test(test_layout_converters),
        cmocka_unit_test(test_channel_shuffle), cmocka_unit_test(test_depth_space), cmocka_unit_test(test_gather),
        cmocka_unit_test(test_scatter), cmocka_unit_test(test_scatter_box), cmocka_unit_test(test_topk),
            cmocka_unit_test(test_selection),
        cmocka_unit_test(test_made_tensors), cmocka_unit_test(test_hostile_sequence), cmocka_unit_test(test_rows_do_not_overlap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
