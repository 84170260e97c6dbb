/* test_nn_kernels.c - every level of the pooling, interpolation, quantisation, integer product and recurrent kernels against sums done
 * here in the plainest way, over odd sizes; buffers end where the contracts say that reading ends. */
#include "kernel_util.h"

#include "cpu/pool.h"
#include "cpu/qrows.h"
#include "cpu/quant.h"
#include "cpu/resize.h"
#include "cpu/rnn.h"

enum { ROUNDS = 60, LIST = 12 };

/* ---- pool ------------------------------------------------------------------------------------------------------------- */

static void check_lists(int n, int64_t c, int first) {
    float *in[LIST], *out = kt_alloc(c), *start = kt_alloc(c), scale = 0.25f;
    const float *rows[LIST];
    for (int i = 0; i < n; i++) rows[i] = in[i] = kt_alloc(c);
    for (int pass = 0; pass < 2; pass++) {
        memcpy(out, start, (size_t)c * sizeof(float));
        if (pass) leat__pool.sum_f32(out, rows, n, c, scale, first);
        else leat__pool.max_f32(out, rows, n, c, first);
        for (int64_t j = 0; j < c; j++) {
            float want = first ? (pass ? 0 : -INFINITY) : start[j];
            for (int i = 0; i < n; i++) want = pass ? want + in[i][j] : fmaxf(want, in[i][j]);
            if (pass) want *= scale;
            if (want != out[j]) fail_msg("pass %d, element %d of %d: %g, expected %g", pass, (int)j, (int)c, (double)out[j], (double)want);
        }
        kt_check_canaries(out, c);
    }
    for (int i = 0; i < n; i++) kt_free(in[i]);
    kt_free(out);
    kt_free(start);
}

static void check_runs(int n, int64_t c, int64_t count, int64_t step) {
    float *in[LIST], *out = kt_alloc(c * count), scale = 0.125f;
    const float *rows[LIST];
    for (int i = 0; i < n; i++) rows[i] = in[i] = kt_alloc((count - 1) * step + c);
    for (int pass = 0; pass < 2; pass++) {
        if (pass) leat__pool.sum_run_f32(out, rows, n, c, scale, count, step);
        else leat__pool.max_run_f32(out, rows, n, c, count, step);
        for (int64_t k = 0; k < count * c; k++) {
            float want = pass ? 0 : -INFINITY;
            for (int i = 0; i < n; i++) {
                float v = in[i][k / c * step + k % c];
                want = pass ? want + v : fmaxf(want, v);
            }
            assert_true(out[k] == (pass ? want * scale : want));
        }
        kt_check_canaries(out, c * count);
    }
    for (int i = 0; i < n; i++) kt_free(in[i]);
    kt_free(out);
}

static void check_bytes(int n, int64_t c, int first) {
    uint8_t *in[LIST], *out = malloc((size_t)c);
    const uint8_t *rows[LIST];
    for (int i = 0; i < n; i++) {
        rows[i] = in[i] = malloc((size_t)c);
        for (int64_t j = 0; j < c; j++) in[i][j] = (uint8_t)kt_next();
    }
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        memset(out, 100, (size_t)c);
        if (is_signed) leat__pool.max_i8((int8_t *)out, (const int8_t *const *)rows, n, c, first);
        else leat__pool.max_u8(out, rows, n, c, first);
        for (int64_t j = 0; j < c; j++) {
            int want = first ? -1000 : 100;
            for (int i = 0; i < n; i++) {
                int v = is_signed ? (int8_t)in[i][j] : in[i][j];
                want = v > want ? v : want;
            }
            assert_int_equal(is_signed ? (int8_t)out[j] : out[j], want);
        }
    }
    for (int i = 0; i < n; i++) free(in[i]);
    free(out);
}

static void check_rows(int64_t n, int64_t stride) {
    int64_t in_n = n ? (n - 1) * stride + 1 : 1;
    float *in = kt_alloc(in_n), *a = kt_alloc(n), *b = kt_alloc(n);
    float *start = malloc((size_t)n * sizeof(float) + 1);
    memcpy(b, a, (size_t)n * sizeof(float));
    memcpy(start, a, (size_t)n * sizeof(float));
    leat__pool.max_row_f32(a, in, n, stride);
    leat__pool.add_row_f32(b, in, n, stride);
    for (int64_t i = 0; i < n; i++) {
        assert_true(a[i] == fmaxf(start[i], in[i * stride]));
        assert_true(b[i] == start[i] + in[i * stride]);
    }
    double sum = 0, max = -INFINITY;
    for (int64_t i = 0; i < in_n; i++) {
        sum += in[i];
        max = fmax(max, in[i]);
    }
    assert_true(fabs(leat__pool.reduce_sum_f32(in, in_n) - sum) <= 1e-6 * (double)in_n);
    assert_true(leat__pool.reduce_max_f32(in, in_n) == (float)max);
    kt_check_canaries(a, n);
    kt_check_canaries(b, n);
    kt_free(in);
    kt_free(a);
    kt_free(b);
    free(start);
}

static void test_pool(void **state) {
    KT_EACH_LEVEL(level) {
        for (int i = 0; i < ROUNDS; i++) {
            check_lists(kt_int(1, LIST), kt_int(1, 150), kt_int(0, 1));
            check_runs(kt_int(1, LIST), kt_int(1, 150), kt_int(1, 6), kt_int(1, 200));
            check_bytes(kt_int(1, LIST), kt_int(1, 150), kt_int(0, 1));
            check_rows(kt_int(0, 90), kt_int(1, 4));
        }
    }
}

/* ---- resize ------------------------------------------------------------------------------------------------------------- */

static void check_mix(int n, int64_t c) {
    float *in[LIST], *w = kt_alloc(LIST), *out = kt_alloc(c);
    const float *rows[LIST];
    for (int i = 0; i < n; i++) rows[i] = in[i] = kt_alloc(c);
    leat__resize.mix_f32(out, rows, w, n, c);
    for (int64_t j = 0; j < c; j++) {
        double want = 0;
        for (int i = 0; i < n; i++) want += (double)w[i] * in[i][j];
        assert_true(fabs(want - out[j]) <= 1e-6 * (n + 1));
    }
    kt_check_canaries(out, c);
    for (int i = 0; i < n; i++) kt_free(in[i]);
    kt_free(w);
    kt_free(out);
}

static void check_taps(int t, int64_t n) {
    int64_t in_n = kt_int(1, 40);
    float *in = kt_alloc(in_n), *w = kt_alloc(n * t), *out = kt_alloc(n);
    int32_t *index = malloc((size_t)(n * t) * sizeof *index + 1);
    for (int64_t i = 0; i < n * t; i++) index[i] = kt_int(0, (int)in_n - 1);
    leat__resize.taps_f32(out, in, index, w, t, n);
    for (int64_t j = 0; j < n; j++) {
        double want = 0;
        for (int i = 0; i < t; i++) want += (double)w[j * t + i] * in[index[j * t + i]];
        assert_true(fabs(want - out[j]) <= 1e-6 * t);
    }
    kt_check_canaries(out, n);
    kt_free(in);
    kt_free(w);
    kt_free(out);
    free(index);
}

static void test_resize(void **state) {
    KT_EACH_LEVEL(level) {
        for (int i = 0; i < ROUNDS; i++) {
            check_mix(kt_int(0, 2) ? kt_int(0, LIST) : 4, kt_int(1, 100));
            check_taps(kt_int(1, 5), kt_int(0, 70));
        }
    }
}

/* ---- quant -------------------------------------------------------------------------------------------------------------- */

static int expected(double v, int zero, int low, int high) {
    double r = nearbyint(v) + zero;
    return r < low ? low : r > high ? high : (int)r;
}

static void check_quantize(int64_t n) {
    float *x = malloc((size_t)n * sizeof(float) + 1), *back = kt_alloc(n), scale = 0.0625f;
    int8_t *y = malloc((size_t)n + 1);
    int zero = kt_int(-128, 127);
    for (int64_t i = 0; i < n; i++) x[i] = (float)kt_int(-400, 400) * 0.03125f; /* half of them are ties */
    if (n > 3) x[1] = 1e30f, x[2] = -INFINITY;
    leat__quant.quantize_i8(x, y, n, scale, zero);
    for (int64_t i = 0; i < n; i++) assert_int_equal(y[i], expected((double)(x[i] / scale), zero, -128, 127));
    leat__quant.dequantize_i8(y, back, n, scale, zero);
    for (int64_t i = 0; i < n; i++) assert_true(back[i] == (float)(y[i] - zero) * scale);
    kt_check_canaries(back, n);
    zero = kt_int(0, 255);
    leat__quant.quantize_u8(x, (uint8_t *)y, n, scale, zero);
    for (int64_t i = 0; i < n; i++) assert_int_equal(((uint8_t *)y)[i], expected((double)(x[i] / scale), zero, 0, 255));
    leat__quant.dequantize_u8((uint8_t *)y, back, n, scale, zero);
    for (int64_t i = 0; i < n; i++) assert_true(back[i] == (float)(((uint8_t *)y)[i] - zero) * scale);
    free(x);
    free(y);
    kt_free(back);
}

static void check_requantize(int64_t n) {
    int32_t *acc = malloc((size_t)n * sizeof *acc + 1);
    float *scale = malloc((size_t)n * sizeof *scale + 1);
    uint8_t *y = malloc((size_t)n + 1);
    for (int64_t i = 0; i < n; i++) {
        acc[i] = kt_int(-60000, 60000) * (kt_int(0, 9) ? 1 : 30000);
        scale[i] = 0.00390625f * (float)kt_int(1, 4);
    }
    leat__quant.requantize_u8(acc, y, n, scale, 7);
    for (int64_t i = 0; i < n; i++) assert_int_equal(y[i], expected((double)((float)acc[i] * scale[i]), 7, 0, 255));
    leat__quant.requantize_i8(acc, (int8_t *)y, n, scale, -9);
    for (int64_t i = 0; i < n; i++) assert_int_equal((int8_t)y[i], expected((double)((float)acc[i] * scale[i]), -9, -128, 127));
    free(acc);
    free(scale);
    free(y);
}

static void test_quant(void **state) {
    KT_EACH_LEVEL(level) {
        for (int i = 0; i < ROUNDS; i++) {
            check_quantize(kt_int(0, 200));
            check_requantize(kt_int(0, 200));
        }
    }
}

/* ---- qrows -------------------------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t rows, k, n, ldx, ldy, offset[4];
    int     segments;
    int8_t *w; /* [segments][k][n] */
    int32_t *init, *y;
} product;

static void product_open(product *p, int64_t k) {
    p->rows = kt_int(1, 9);
    p->k = k;
    p->n = kt_int(1, 150);
    p->segments = kt_int(1, 4);
    p->ldx = kt_int(1, 40);
    p->ldy = leat__qrows_round(p->n) + kt_int(0, 3);
    for (int s = 0; s < p->segments; s++) p->offset[s] = kt_int(0, 50);
    p->w = malloc((size_t)(p->segments * k * p->n));
    p->init = malloc((size_t)leat__qrows_round(p->n) * sizeof(int32_t));
    p->y = malloc((size_t)(p->rows * p->ldy) * sizeof(int32_t));
    for (int64_t i = 0; i < p->segments * k * p->n; i++) p->w[i] = (int8_t)kt_next();
    for (int64_t i = 0; i < leat__qrows_round(p->n); i++) p->init[i] = kt_int(-1000, 1000);
}

static void product_close(product *p) {
    free(p->w);
    free(p->init);
    free(p->y);
}

static leat_qrows_source source_of(const product *p, const int8_t *zero) {
    return (leat_qrows_source){.data = p->w, .zero = zero, .is_signed = 1, .segment_stride = p->k * p->n, .inner = p->k, .inner_stride = p->n, .n_stride = 1};
}

static void check_exact(void) {
    product p;
    product_open(&p, kt_int(1, 20));
    int8_t zero = (int8_t)kt_int(-128, 127);
    leat_qrows_source from = source_of(&p, &zero);
    int64_t pairs = (p.k + 1) / 2, x_n = 50 + (p.rows - 1) * p.ldx + 2 * pairs;
    int16_t *x = malloc((size_t)x_n * sizeof *x), *packed = malloc((size_t)(p.segments * 2 * pairs * leat__qrows_round(p.n)) * sizeof *packed);
    for (int64_t i = 0; i < x_n; i++) x[i] = (int16_t)kt_int(-255, 255);
    leat__qrows_pack(packed, &from, p.segments, p.k, p.n);
    leat__qrows.rows_i16(p.y, p.ldy, x, p.ldx, p.rows, p.offset, p.segments, pairs, packed, p.n, p.init);
    for (int64_t r = 0; r < p.rows; r++)
        for (int64_t j = 0; j < p.n; j++) {
            int32_t want = p.init[j];
            for (int s = 0; s < p.segments; s++)
                for (int64_t i = 0; i < p.k; i++) want += x[r * p.ldx + p.offset[s] + i] * (p.w[(s * p.k + i) * p.n + j] - zero);
            assert_int_equal(p.y[r * p.ldy + j], want);
        }
    free(x);
    free(packed);
    product_close(&p);
}

static int clamp16(int v) { return v < -32768 ? -32768 : v > 32767 ? 32767 : v; }

static void check_bytes_product(void) {
    product p;
    product_open(&p, 2 * kt_int(1, 10));
    leat_qrows_source from = source_of(&p, NULL);
    int64_t quads = (p.k + 3) / 4, x_n = 50 + (p.rows - 1) * p.ldx + 4 * quads;
    uint8_t *x = malloc((size_t)x_n);
    int8_t *packed = malloc((size_t)(p.segments * 4 * quads * leat__qrows_round(p.n)));
    for (int64_t i = 0; i < x_n; i++) x[i] = kt_int(0, 2) ? (uint8_t)kt_next() : 255; /* many pairs overflow 16 bits */
    leat__qrows_pack_bytes(packed, &from, p.segments, p.k, p.n);
    leat__qrows.rows_u8s8(p.y, p.ldy, x, p.ldx, p.rows, p.offset, p.segments, quads, packed, p.n, p.init);
    for (int64_t r = 0; r < p.rows; r++)
        for (int64_t j = 0; j < p.n; j++) {
            int32_t want = p.init[j];
            for (int s = 0; s < p.segments; s++)
                for (int64_t i = 0; i < p.k; i += 2) {
                    const uint8_t *a = x + r * p.ldx + p.offset[s] + i;
                    const int8_t *b = p.w + (s * p.k + i) * p.n + j;
                    want += clamp16(a[0] * b[0] + a[1] * b[p.n]);
                }
            assert_int_equal(p.y[r * p.ldy + j], want);
        }
    free(x);
    free(packed);
    product_close(&p);
}

static void check_window(void) {
    int64_t c = kt_int(1, 90), wide = leat__qrows_round(c), offset[9];
    int n = kt_int(1, 9);
    int16_t *x = malloc((size_t)(60 + wide) * sizeof *x), *packed = malloc((size_t)(2 * ((n + 1) / 2) * wide) * sizeof *packed);
    int8_t *w = malloc((size_t)(n * c));
    int32_t *y = malloc((size_t)wide * sizeof *y), *init = calloc((size_t)wide, sizeof *init);
    uint8_t zero = 0;
    for (int i = 0; i < n; i++) offset[i] = kt_int(0, 60);
    for (int64_t i = 0; i < 60 + wide; i++) x[i] = (int16_t)kt_int(-255, 255);
    for (int64_t i = 0; i < n * c; i++) w[i] = (int8_t)kt_next();
    leat_qrows_source from = {.data = w, .zero = &zero, .is_signed = 1, .segment_stride = 1, .inner = 1, .n_stride = n};
    leat__qrows_pack_window(packed, &from, n, c);
    leat__qrows.window_i16(y, x, offset, n, packed, c, kt_int(0, 1) ? init : NULL);
    for (int64_t j = 0; j < c; j++) {
        int32_t want = 0;
        for (int i = 0; i < n; i++) want += x[offset[i] + j] * w[j * n + i];
        assert_int_equal(y[j], want);
    }
    free(x);
    free(packed);
    free(w);
    free(y);
    free(init);
}

static void test_qrows(void **state) {
    KT_EACH_LEVEL(level) {
        for (int i = 0; i < ROUNDS; i++) {
            check_exact();
            check_bytes_product();
            check_window();
        }
    }
}

/* ---- rnn ---------------------------------------------------------------------------------------------------------------- */

static void check_rnn_rows(void) {
    int64_t rows = kt_int(1, 9), k = kt_int(0, 70), n = kt_int(1, 200), ldx = k + kt_int(0, 4), ldy = leat__rnn_round(n) + kt_int(0, 3);
    float *x = kt_alloc(rows * ldx + 1), *w = kt_alloc(n * k + 1), *y = kt_alloc(rows * ldy), *packed = kt_alloc(leat__rnn_round(n) * k + 1);
    float *start = malloc((size_t)(rows * ldy) * sizeof(float));
    memcpy(start, y, (size_t)(rows * ldy) * sizeof(float));
    leat__rnn_pack(packed, w, k, n);
    leat__rnn.rows_f32(y, ldy, x, ldx, rows, packed, k, n);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < n; j++) {
            double want = start[r * ldy + j];
            for (int64_t i = 0; i < k; i++) want += (double)x[r * ldx + i] * w[j * k + i];
            assert_true(fabs(want - y[r * ldy + j]) <= 1e-6 * (double)(k + 1));
        }
    kt_check_canaries(y, rows * ldy);
    kt_free(x);
    kt_free(w);
    kt_free(y);
    kt_free(packed);
    free(start);
}

static void check_cells(int64_t n) {
    float *c = kt_alloc(n), *i = kt_alloc(n), *f = kt_alloc(n), *g = kt_alloc(n), *h = kt_alloc(n);
    float *c0 = malloc((size_t)n * sizeof(float) + 1), *h0 = malloc((size_t)n * sizeof(float) + 1);
    memcpy(c0, c, (size_t)n * sizeof(float));
    memcpy(h0, h, (size_t)n * sizeof(float));
    leat__rnn.lstm_cell(c, i, f, g, n);
    leat__rnn.gru_cell(h, i, g, n);
    for (int64_t j = 0; j < n; j++) {
        assert_true(fabs((double)f[j] * c0[j] + (double)i[j] * g[j] - c[j]) < 1e-6);
        assert_true(fabs((1.0 - i[j]) * g[j] + (double)i[j] * h0[j] - h[j]) < 1e-6);
    }
    kt_check_canaries(c, n);
    kt_check_canaries(h, n);
    kt_free(c);
    kt_free(i);
    kt_free(f);
    kt_free(g);
    kt_free(h);
    free(c0);
    free(h0);
}

static void test_rnn(void **state) {
    KT_EACH_LEVEL(level) {
        for (int i = 0; i < ROUNDS; i++) {
            check_rnn_rows();
            check_cells(kt_int(0, 60));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool), cmocka_unit_test(test_resize), cmocka_unit_test(test_quant), cmocka_unit_test(test_qrows), cmocka_unit_test(test_rnn),
    };
    return cmocka_run_group_tests_name("nn kernels", tests, kt_seed, NULL);
}
