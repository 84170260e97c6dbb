/* test_ops_nn.c - pooling, resize, recurrent, quantised, signal and region operators: each against a direct reading of its definition,
 * written here in float64, or against values worked out by hand; plain and channels-last storage, one thread and two, hostile attributes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "op_harness.h"

#define DIMS(...) (int64_t[]){__VA_ARGS__}
#define F32(...) (float[]){__VA_ARGS__}

/* ---- helpers ---------------------------------------------------------------------------------------------------------- */

static uint64_t seed = 12345;

static float noise(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(seed >> 40) / 8388608.0f - 1.0f;
}

static int noise_int(int lo, int hi) { return lo + (int)((noise() + 1) / 2 * (float)(hi - lo + 1)) % (hi - lo + 1); }

/* Element index of [n, c, h, w] in the tensor's storage. */
static int64_t at4(const leat_tensor *t, int64_t n, int64_t c, int64_t h, int64_t w) {
    const int64_t *d = t->dims;
    return leat__is_nhwc(t) ? ((n * d[2] + h) * d[3] + w) * d[1] + c : ((n * d[1] + c) * d[2] + h) * d[3] + w;
}

static leat_tensor *in_noise(op_case *c, int rank, const int64_t *dims) {
    leat_tensor *t = op_in(c, LEAT_DTYPE_F32, rank, dims, NULL);
    for (int64_t i = 0; i < leat_tensor_count(t); i++) ((float *)t->data)[i] = noise();
    return t;
}

static leat_tensor *in_bytes(op_case *c, leat_dtype dtype, int rank, const int64_t *dims) {
    leat_tensor *t = op_in(c, dtype, rank, dims, NULL);
    for (int64_t i = 0; i < leat_tensor_count(t); i++) ((uint8_t *)t->data)[i] = (uint8_t)noise_int(0, 255);
    return t;
}

static void in_float(op_case *c, float v) { op_in(c, LEAT_DTYPE_F32, 0, NULL, &v); }
static void in_byte(op_case *c, leat_dtype dtype, int v) { op_in(c, dtype, 0, NULL, &(uint8_t){(uint8_t)v}); }

static void must_run(op_case *c) {
    int status = op_run(c);
    if (status) fail_msg("%s: %s", leat_status_name(status), c->error.message);
}

static void expect_near(double got, double want, double limit, const char *what) {
    if (!(fabs(got - want) <= limit)) fail_msg("%s: %.9g, expected %.9g", what, got, want);
}

static void with_threads(op_case *c, int threads) {
    if (threads < 2) return;
    assert_int_equal(leat_tpool_new(threads, &c->call.pool), LEAT_OK);
    c->call.threads = threads;
}

static void close_case(op_case *c) {
    leat_tpool_unref(c->call.pool);
    op_close(c);
}

/* ---- pooling ---------------------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t k[2], s[2], p[4], d[2];
    int     ceil_mode, include_pad;
} pool_shape;

static double pool_want(const leat_tensor *x, const pool_shape *g, int max, int64_t n, int64_t c, int64_t oy, int64_t ox) {
    double best = -INFINITY, sum = 0;
    int inside = 0, padded = 0;
    for (int64_t i = 0; i < g->k[0]; i++)
        for (int64_t k = 0; k < g->k[1]; k++) {
            int64_t y = oy * g->s[0] - g->p[0] + i * g->d[0], xx = ox * g->s[1] - g->p[1] + k * g->d[1];
            if (y < x->dims[2] + g->p[2] && xx < x->dims[3] + g->p[3]) padded++;
            if (y < 0 || xx < 0 || y >= x->dims[2] || xx >= x->dims[3]) continue;
            double v = ((const float *)x->data)[at4(x, n, c, y, xx)];
            inside++;
            sum += v;
            best = fmax(best, v);
        }
    return max ? best : sum / (g->include_pad ? padded : inside);
}

static void check_pool(const pool_shape *g, int max, int nhwc, int threads, int64_t channels) {
    op_case c;
    op_open(&c, "", max ? "MaxPool" : "AveragePool", 19);
    leat_tensor *x = in_noise(&c, 4, DIMS(2, channels, 9, 11)), *y = op_out(&c);
    x->flags = nhwc ? LEAT_TENSOR_NHWC : 0;
    op_attr_ints(&c, "kernel_shape", g->k, 2);
    op_attr_ints(&c, "strides", g->s, 2);
    op_attr_ints(&c, "pads", g->p, 4);
    op_attr_ints(&c, "dilations", g->d, 2);
    op_attr_int(&c, "ceil_mode", g->ceil_mode);
    op_attr_int(&c, "count_include_pad", g->include_pad);
    with_threads(&c, threads);
    must_run(&c);
    assert_int_equal(y->flags, x->flags);
    for (int64_t n = 0; n < 2; n++)
        for (int64_t ch = 0; ch < channels; ch++)
            for (int64_t h = 0; h < y->dims[2]; h++)
                for (int64_t w = 0; w < y->dims[3]; w++)
                    expect_near(op_f32(&c, 0)[at4(y, n, ch, h, w)], pool_want(x, g, max, n, ch, h, w), 1e-6, "pool");
    close_case(&c);
}

static void test_pool(void **state) {
    static const pool_shape shapes[] = {
        {{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 0, 0}, {{2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1, 0}, {{3, 2}, {1, 3}, {1, 0, 2, 1}, {2, 1}, 0, 1},
        {{5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}, 0, 0}, {{9, 9}, {4, 4}, {4, 4, 4, 4}, {1, 1}, 1, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int bits = 0; bits < 8; bits++) check_pool(&shapes[i], bits & 1, bits >> 1 & 1, 1 + (bits >> 2), 3 + 17 * (int64_t)i);
}

static void test_pool_indices(void **state) {
    op_case c;
    op_open(&c, "", "MaxPool", 12);
    op_in(&c, LEAT_DTYPE_F32, 4, DIMS(1, 1, 3, 4), F32(1, 2, 3, 4, 5, 6, 9, 8, 7, 0, 1, 2));
    op_out(&c);
    op_out(&c);
    op_attr_ints(&c, "kernel_shape", DIMS(2, 2), 2);
    op_attr_int(&c, "storage_order", 1);
    must_run(&c);
    assert_memory_equal(op_f32(&c, 0), F32(6, 9, 9, 7, 9, 9), 24);
    assert_memory_equal(op_i64(&c, 1), DIMS(4, 7, 7, 2, 7, 7), 48); /* column-major: y + 3 x */
    op_close(&c);
}

static void test_global_pool(void **state) {
    for (int bits = 0; bits < 8; bits++) {
        op_case c;
        op_open(&c, "", bits & 1 ? "GlobalMaxPool" : "GlobalAveragePool", 11);
        leat_tensor *x = in_noise(&c, 4, DIMS(2, 37, 40, 41)), *y = op_out(&c);
        x->flags = bits & 2 ? LEAT_TENSOR_NHWC : 0;
        with_threads(&c, bits & 4 ? 2 : 1);
        must_run(&c);
        for (int64_t i = 0; i < 2 * 37; i++) {
            double sum = 0, max = -INFINITY;
            for (int64_t k = 0; k < 40 * 41; k++) {
                double v = ((const float *)x->data)[at4(x, i / 37, i % 37, k / 41, k % 41)];
                sum += v;
                max = fmax(max, v);
            }
            expect_near(op_f32(&c, 0)[at4(y, i / 37, i % 37, 0, 0)], bits & 1 ? max : sum / (40 * 41), 1e-6, "global pool");
        }
        close_case(&c);
    }
}

static void test_pool_refuses(void **state) {
    static const int64_t bad[][2] = {{0, 2}, {2, -1}, {INT64_MAX, 2}};
    for (int i = 0; i < 3; i++) {
        op_case c;
        op_open(&c, "", "MaxPool", 12);
        in_noise(&c, 4, DIMS(1, 1, 4, 4));
        op_out(&c);
        op_attr_ints(&c, "kernel_shape", bad[i], 2);
        assert_int_equal(op_run(&c), LEAT_EINVAL);
        assert_non_null(strstr(c.error.message, "kernel_shape"));
        op_close(&c);
    }
}

/* ---- resize ----------------------------------------------------------------------------------------------------------- */

/* Bilinear value at fractional (y, x), edges held. */
static double bilinear(const leat_tensor *x, int64_t n, int64_t c, double y, double xx) {
    y = fmin(fmax(y, 0), (double)(x->dims[2] - 1));
    xx = fmin(fmax(xx, 0), (double)(x->dims[3] - 1));
    int64_t y0 = (int64_t)y, x0 = (int64_t)xx, y1 = y0 + (y0 + 1 < x->dims[2]), x1 = x0 + (x0 + 1 < x->dims[3]);
    const float *v = x->data;
    double fy = y - (double)y0, fx = xx - (double)x0;
    return (1 - fy) * ((1 - fx) * v[at4(x, n, c, y0, x0)] + fx * v[at4(x, n, c, y0, x1)]) +
           fy * ((1 - fx) * v[at4(x, n, c, y1, x0)] + fx * v[at4(x, n, c, y1, x1)]);
}

static void check_bilinear(int align, int nhwc, int threads, int64_t channels, int64_t out_h, int64_t out_w, int constant) {
    op_case c;
    op_open(&c, "", "Resize", 13);
    leat_tensor *x = in_noise(&c, 4, DIMS(2, channels, 7, 10)), *y = op_out(&c);
    x->flags = nhwc ? LEAT_TENSOR_NHWC : 0;
    op_absent(&c);
    op_absent(&c);
    op_in(&c, LEAT_DTYPE_I64, 1, DIMS(4), DIMS(2, channels, out_h, out_w));
    c.in_const[3] = (uint8_t)constant;
    op_attr_string(&c, "mode", "linear");
    op_attr_string(&c, "coordinate_transformation_mode", align ? "align_corners" : "half_pixel");
    with_threads(&c, threads);
    must_run(&c);
    for (int64_t i = 0; i < 2 * channels * out_h * out_w; i++) {
        int64_t w = i % out_w, h = i / out_w % out_h, ch = i / (out_w * out_h) % channels, n = i / (out_w * out_h * channels);
        double sy = align ? (double)h * 6 / (double)(out_h - 1) : ((double)h + 0.5) * 7 / (double)out_h - 0.5;
        double sx = align ? (double)w * 9 / (double)(out_w - 1) : ((double)w + 0.5) * 10 / (double)out_w - 0.5;
        expect_near(op_f32(&c, 0)[at4(y, n, ch, h, w)], bilinear(x, n, ch, sy, sx), 2e-6, "bilinear");
    }
    close_case(&c);
}

static void test_bilinear(void **state) {
    for (int bits = 0; bits < 16; bits++) {
        check_bilinear(bits & 1, bits >> 1 & 1, 1 + (bits >> 2 & 1), 19, 14, 20, bits >> 3);
        check_bilinear(bits & 1, bits >> 1 & 1, 1 + (bits >> 2 & 1), 2, 5, 23, bits >> 3);
    }
}

static void test_nearest(void **state) {
    for (int nhwc = 0; nhwc < 2; nhwc++) {
        op_case c;
        op_open(&c, "", "Upsample", 9);
        leat_tensor *x = in_noise(&c, 4, DIMS(1, 5, 3, 4)), *y = op_out(&c);
        x->flags = nhwc ? LEAT_TENSOR_NHWC : 0;
        op_in(&c, LEAT_DTYPE_F32, 1, DIMS(4), F32(1, 1, 2, 3));
        must_run(&c);
        assert_int_equal(y->dims[2], 6);
        assert_int_equal(y->dims[3], 12);
        for (int64_t i = 0; i < 5 * 6 * 12; i++) {
            int64_t w = i % 12, h = i / 12 % 6, ch = i / 72;
            assert_true(op_f32(&c, 0)[at4(y, 0, ch, h, w)] == ((float *)x->data)[at4(x, 0, ch, h / 2, w / 3)]);
        }
        op_close(&c);
    }
}

static void test_resize_refuses(void **state) {
    static const float bad[] = {0, -1, NAN, 1e30f};
    for (int i = 0; i < 4; i++) {
        op_case c;
        op_open(&c, "", "Upsample", 9);
        in_noise(&c, 4, DIMS(1, 1, 4, 4));
        op_out(&c);
        op_in(&c, LEAT_DTYPE_F32, 1, DIMS(4), F32(1, 1, 2, bad[i]));
        assert_int_not_equal(op_run(&c), LEAT_OK);
        op_close(&c);
    }
}

/* ---- recurrent -------------------------------------------------------------------------------------------------------- */

enum { T = 5, B = 6, I = 7, H = 20 };

static double sigmoid(double v) { return 1 / (1 + exp(-v)); }

/* One gate before its activation: W x + R h + both biases. */
static double gate(const op_case *c, int row, int rows, const float *x, const double *h, int with_r) {
    const float *w = c->in[1].data, *r = c->in[2].data, *b = c->in[3].data;
    double sum = b[row] + (with_r ? b[rows + row] : 0);
    for (int i = 0; i < I; i++) sum += (double)w[row * I + i] * x[i];
    for (int i = 0; i < H && with_r; i++) sum += (double)r[row * H + i] * h[i];
    return sum;
}

static void lstm_step(const op_case *c, const float *x, double *h, double *cell) {
    double g[4][H];
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < H; i++) g[k][i] = gate(c, k * H + i, 4 * H, x, h, 1);
    for (int i = 0; i < H; i++) {
        cell[i] = sigmoid(g[2][i]) * cell[i] + sigmoid(g[0][i]) * tanh(g[3][i]);
        h[i] = sigmoid(g[1][i]) * tanh(cell[i]);
    }
}

static void gru_step(const op_case *c, const float *x, double *h, int before) {
    const float *r = c->in[2].data, *b = c->in[3].data;
    double z[H], reset[H], next[H];
    for (int i = 0; i < H; i++) {
        z[i] = sigmoid(gate(c, i, 3 * H, x, h, 1));
        reset[i] = sigmoid(gate(c, H + i, 3 * H, x, h, 1));
    }
    for (int i = 0; i < H; i++) {
        double sum = gate(c, 2 * H + i, 3 * H, x, h, 0), rh = b[3 * H + 2 * H + i];
        for (int k = 0; k < H; k++) rh += (double)r[(2 * H + i) * H + k] * h[k] * (before ? 1 : reset[k]);
        next[i] = tanh(sum + (before ? reset[i] : 1) * rh);
    }
    for (int i = 0; i < H; i++) h[i] = (1 - z[i]) * next[i] + z[i] * h[i];
}

static void check_recurrent(const char *name, int gates, int reverse, int before, int threads, int constant, int lengths) {
    static const int32_t lens[B] = {5, 1, 3, 5, 2, 4};
    op_case c;
    op_open(&c, "", name, 14);
    leat_tensor *x = in_noise(&c, 3, DIMS(T, B, I));
    in_noise(&c, 3, DIMS(1, gates * H, I));
    in_noise(&c, 3, DIMS(1, gates * H, H));
    in_noise(&c, 2, DIMS(1, 2 * gates * H));
    if (lengths) op_in(&c, LEAT_DTYPE_I32, 1, DIMS(B), lens);
    c.in_const[1] = c.in_const[2] = (uint8_t)constant;
    op_attr_int(&c, "hidden_size", H);
    op_attr_int(&c, "linear_before_reset", before);
    if (reverse) op_attr_string(&c, "direction", "reverse");
    op_out(&c);
    op_out(&c);
    with_threads(&c, threads);
    must_run(&c);
    for (int b = 0; b < B; b++) {
        double h[H] = {0}, cell[H] = {0};
        int n = lengths ? lens[b] : T;
        for (int k = 0; k < T; k++) {
            int t = k >= n ? k : reverse ? n - 1 - k : k;
            const float *y = op_f32(&c, 0) + (t * B + b) * H;
            if (k < n && gates == 4) lstm_step(&c, (const float *)x->data + (t * B + b) * I, h, cell);
            else if (k < n) gru_step(&c, (const float *)x->data + (t * B + b) * I, h, before);
            for (int i = 0; i < H; i++) expect_near(y[i], k < n ? h[i] : 0, 2e-5, name);
        }
        for (int i = 0; i < H; i++) expect_near(op_f32(&c, 1)[b * H + i], h[i], 2e-5, "last state");
    }
    close_case(&c);
}

static void test_recurrent(void **state) {
    for (int bits = 0; bits < 16; bits++) {
        check_recurrent("LSTM", 4, bits & 1, 0, 1 + (bits >> 1 & 1), bits >> 2 & 1, bits >> 3);
        check_recurrent("GRU", 3, bits & 1, bits >> 2 & 1, 1 + (bits >> 1 & 1), 1, bits >> 3);
    }
}

static void test_recurrent_refuses(void **state) {
    op_case c;
    op_open(&c, "", "LSTM", 14);
    in_noise(&c, 3, DIMS(2, 1, 3));
    in_noise(&c, 3, DIMS(1, 16, 3));
    in_noise(&c, 3, DIMS(1, 16, 4));
    op_absent(&c);
    op_in(&c, LEAT_DTYPE_I32, 1, DIMS(1), (int32_t[]){9});
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_EINVAL); /* longer than the sequence */
    op_close(&c);
    op_open(&c, "", "LSTM", 14);
    in_noise(&c, 3, DIMS(2, 1, 3));
    in_noise(&c, 3, DIMS(1, 16, 3));
    in_noise(&c, 3, DIMS(1, 12, 4));
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_ESHAPE);
    op_close(&c);
}

/* ---- quantised ---------------------------------------------------------------------------------------------------------- */

static void test_quantize(void **state) {
    op_case c;
    op_open(&c, "", "QuantizeLinear", 13);
    op_in(&c, LEAT_DTYPE_F32, 2, DIMS(2, 3), F32(0.5f, 1.5f, 2.5f, -300, 4, 1000));
    op_in(&c, LEAT_DTYPE_F32, 1, DIMS(2), F32(1, 2));
    op_in(&c, LEAT_DTYPE_U8, 1, DIMS(2), (uint8_t[]){10, 20});
    op_attr_int(&c, "axis", 0);
    op_out(&c);
    must_run(&c);
    assert_memory_equal(c.out[0].data, ((uint8_t[]){10, 12, 12, 0, 22, 255}), 6); /* ties to even, per row */
    op_close(&c);
    op_open(&c, "", "DequantizeLinear", 21);
    op_in(&c, LEAT_DTYPE_I8, 2, DIMS(1, 4), (int8_t[]){1, 2, 3, -4});
    op_in(&c, LEAT_DTYPE_F32, 2, DIMS(1, 2), F32(10, 100));
    op_attr_int(&c, "block_size", 2);
    op_out(&c);
    must_run(&c);
    assert_memory_equal(op_f32(&c, 0), F32(10, 20, 300, -400), 16);
    op_close(&c);
}

static int clamp16(int v) { return v < -32768 ? -32768 : v > 32767 ? 32767 : v; }

typedef struct {
    int64_t c_in, c_out, group, k, stride, pad;
    int     nhwc, threads, exact, constant;
} qconv_shape;

/* Sum for one output, pairs of products along (row, column, channel) clamped unless exact. */
static int32_t qconv_sum(const qconv_shape *q, const leat_tensor *x, const int8_t *w, int xz, int64_t o, int64_t oy, int64_t ox) {
    int64_t cg = q->c_in / q->group, g = o / (q->c_out / q->group), n = 0;
    int sum = 0, first = 0, correction = 0;
    for (int64_t i = 0; i < q->k; i++)
        for (int64_t j = 0; j < q->k; j++)
            for (int64_t c = 0; c < cg; c++, n++) {
                int64_t y = oy * q->stride - q->pad + i, xx = ox * q->stride - q->pad + j;
                int inside = y >= 0 && xx >= 0 && y < x->dims[2] && xx < x->dims[3], weight = w[((o * cg + c) * q->k + i) * q->k + j];
                int v = inside ? ((const uint8_t *)x->data)[at4(x, 0, g * cg + c, y, xx)] : xz;
                correction += xz * weight;
                if (q->exact || cg == 1) sum += v * weight;
                else if (n & 1) sum += clamp16(first + v * weight);
                else first = v * weight;
            }
    if (!(q->exact || cg == 1) && (n & 1)) sum += clamp16(first);
    return sum - correction;
}

static void check_qconv(const qconv_shape *q) {
    op_case c;
    op_open(&c, "", "QLinearConv", 10);
    leat_tensor *x = in_bytes(&c, LEAT_DTYPE_U8, 4, DIMS(1, q->c_in, 7, 36)), *y = op_out(&c);
    x->flags = q->nhwc ? LEAT_TENSOR_NHWC : 0;
    in_float(&c, 0.02f);
    in_byte(&c, LEAT_DTYPE_U8, 131);
    leat_tensor *w = in_bytes(&c, LEAT_DTYPE_I8, 4, DIMS(q->c_out, q->c_in / q->group, q->k, q->k)), *scale = in_noise(&c, 1, DIMS(q->c_out));
    for (int64_t i = 0; i < q->c_out; i++) ((float *)scale->data)[i] = 0.01f + 0.001f * (float)i;
    in_byte(&c, LEAT_DTYPE_I8, 0);
    in_float(&c, 0.3f);
    in_byte(&c, LEAT_DTYPE_U8, 77);
    c.in_const[3] = c.in_const[5] = 1;
    if (!q->constant) c.in_const[3] = 0;
    op_attr_int(&c, "group", q->group);
    op_attr_ints(&c, "strides", DIMS(q->stride, q->stride), 2);
    op_attr_ints(&c, "pads", DIMS(q->pad, q->pad, q->pad, q->pad), 4);
    with_threads(&c, q->threads);
    if (q->exact) setenv("LEAT_INT8_EXACT", "1", 1);
    must_run(&c);
    unsetenv("LEAT_INT8_EXACT");
    for (int64_t i = 0; i < leat_tensor_count(y); i++) {
        int64_t ox = i % y->dims[3], oy = i / y->dims[3] % y->dims[2], o = i / (y->dims[3] * y->dims[2]);
        float v = (float)qconv_sum(q, x, w->data, 131, o, oy, ox) * (0.02f * ((float *)scale->data)[o] / 0.3f);
        double want = fmin(fmax(nearbyint((double)v) + 77, 0), 255);
        assert_int_equal(((uint8_t *)y->data)[at4(y, 0, o, oy, ox)], (int)want);
    }
    close_case(&c);
}

static void test_qconv(void **state) {
    static const qconv_shape shapes[] = {{3, 9, 1, 3, 2, 1, 0, 1, 0, 0}, {16, 33, 1, 1, 1, 0, 0, 1, 0, 0}, {20, 20, 20, 3, 1, 1, 0, 1, 0, 0},
                                         {12, 6, 3, 3, 1, 0, 0, 1, 0, 0}, {5, 70, 1, 2, 1, 1, 0, 1, 0, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int bits = 0; bits < 16; bits++) {
            qconv_shape q = shapes[i];
            q.nhwc = bits & 1;
            q.threads = 1 + (bits >> 1 & 1);
            q.exact = bits >> 2 & 1;
            q.constant = bits >> 3;
            check_qconv(&q);
        }
}

static void test_matmul_integer(void **state) {
    op_case c;
    op_open(&c, "", "MatMulInteger", 10);
    leat_tensor *a = in_bytes(&c, LEAT_DTYPE_U8, 3, DIMS(2, 5, 33)), *b = in_bytes(&c, LEAT_DTYPE_I8, 2, DIMS(33, 300)), *y = op_out(&c);
    in_byte(&c, LEAT_DTYPE_U8, 200);
    leat_tensor *zero = in_bytes(&c, LEAT_DTYPE_I8, 1, DIMS(300));
    must_run(&c);
    for (int64_t i = 0; i < 2 * 5 * 300; i++) {
        int32_t want = 0;
        for (int64_t k = 0; k < 33; k++)
            want += (((uint8_t *)a->data)[i / 300 * 33 + k] - 200) * (((int8_t *)b->data)[k * 300 + i % 300] - ((int8_t *)zero->data)[i % 300]);
        assert_int_equal(((int32_t *)y->data)[i], want);
    }
    op_close(&c);
}

static void test_qlinear_add(void **state) {
    op_case c;
    op_open(&c, "com.microsoft", "QLinearAdd", 1);
    op_in(&c, LEAT_DTYPE_U8, 2, DIMS(2, 2), (uint8_t[]){10, 20, 30, 255});
    in_float(&c, 0.5f);
    in_byte(&c, LEAT_DTYPE_U8, 10);
    op_in(&c, LEAT_DTYPE_U8, 1, DIMS(2), (uint8_t[]){0, 8});
    in_float(&c, 0.25f);
    in_byte(&c, LEAT_DTYPE_U8, 4);
    in_float(&c, 1);
    in_byte(&c, LEAT_DTYPE_U8, 3);
    op_out(&c);
    must_run(&c);
    assert_memory_equal(c.out[0].data, ((uint8_t[]){2, 9, 12, 127}), 4); /* -1, 6, 9, 123.5 -> 124 (even), plus 3 */
    op_close(&c);
}

/* ---- regions, signals ---------------------------------------------------------------------------------------------------- */

static void test_nms(void **state) {
    op_case c;
    op_open(&c, "", "NonMaxSuppression", 11);
    op_in(&c, LEAT_DTYPE_F32, 3, DIMS(1, 4, 4), F32(0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 1, 11, 0, 10, 0, 20, 1, 21)); /* the third is flipped */
    op_in(&c, LEAT_DTYPE_F32, 3, DIMS(1, 1, 4), F32(0.5f, 0.75f, 0.6f, 0.1f));
    op_in(&c, LEAT_DTYPE_I64, 0, NULL, &(int64_t){9});
    in_float(&c, 0.5f);
    in_float(&c, 0.2f);
    op_out(&c);
    must_run(&c);
    assert_int_equal(c.out[0].dims[0], 2);
    assert_memory_equal(op_i64(&c, 0), DIMS(0, 0, 1, 0, 0, 2), 48);
    op_close(&c);
}

static void check_dft(int64_t n, int inverse) {
    op_case c;
    op_open(&c, "", "DFT", 20);
    leat_tensor *x = in_noise(&c, 3, DIMS(1, n, 2));
    op_attr_int(&c, "inverse", inverse);
    op_out(&c);
    must_run(&c);
    for (int64_t k = 0; k < n; k++) {
        double re = 0, im = 0, sign = inverse ? 1 : -1;
        for (int64_t i = 0; i < n; i++) {
            double a = ((float *)x->data)[2 * i], b = ((float *)x->data)[2 * i + 1], t = sign * 2 * 3.14159265358979323846 * (double)(i * k % n) / (double)n;
            re += a * cos(t) - b * sin(t);
            im += a * sin(t) + b * cos(t);
        }
        expect_near(op_f32(&c, 0)[2 * k], inverse ? re / (double)n : re, 1e-5, "re");
        expect_near(op_f32(&c, 0)[2 * k + 1], inverse ? im / (double)n : im, 1e-5, "im");
    }
    op_close(&c);
}

static void test_dft(void **state) {
    static const int64_t sizes[] = {1, 2, 3, 8, 12, 15, 64, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_dft(sizes[i], 0);
        check_dft(sizes[i], 1);
    }
}

static void test_grid_sample(void **state) {
    op_case c;
    op_open(&c, "", "GridSample", 16);
    op_in(&c, LEAT_DTYPE_F32, 4, DIMS(1, 1, 2, 2), F32(1, 2, 3, 4));
    op_in(&c, LEAT_DTYPE_F32, 4, DIMS(1, 1, 4, 2), F32(0, 0, -1, -1, 1, 0, NAN, 5));
    op_attr_int(&c, "align_corners", 1);
    op_out(&c);
    must_run(&c);
    assert_memory_equal(op_f32(&c, 0), F32(2.5f, 1, 3, 0), 16);
    op_close(&c);
}

static void test_roi_align_refuses(void **state) {
    op_case c;
    op_open(&c, "", "RoiAlign", 16);
    in_noise(&c, 4, DIMS(1, 1, 4, 4));
    op_in(&c, LEAT_DTYPE_F32, 2, DIMS(1, 4), F32(0, 0, 2, 2));
    op_in(&c, LEAT_DTYPE_I64, 1, DIMS(1), DIMS(7));
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_EINVAL);
    op_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool),          cmocka_unit_test(test_pool_indices),      cmocka_unit_test(test_global_pool),
        cmocka_unit_test(test_pool_refuses),  cmocka_unit_test(test_bilinear),          cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_resize_refuses), cmocka_unit_test(test_recurrent),        cmocka_unit_test(test_recurrent_refuses),
        cmocka_unit_test(test_quantize),      cmocka_unit_test(test_qconv),             cmocka_unit_test(test_matmul_integer),
        cmocka_unit_test(test_qlinear_add),   cmocka_unit_test(test_nms),               cmocka_unit_test(test_dft),
        cmocka_unit_test(test_grid_sample),   cmocka_unit_test(test_roi_align_refuses),
    };
    return cmocka_run_group_tests_name("nn operators", tests, NULL, NULL);
}
