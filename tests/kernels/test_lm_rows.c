/* test_lm_rows.c - rows of a language model at every level against float64: odd lengths, canaries, aliasing, infinities. */
#include "kernel_util.h"

#include "cpu/lm_rows.h"

static const int lengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 80, 96, 100, 127, 128, 129, 255, 256, 257, 768, 2048, 4095, 4097, 9001};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* Within 4 ulp of the largest of the row: 4 * 2^-23 of it. */
static void expect_row(const char *what, const double *want, const float *got, int64_t n, double largest) {
    for (int64_t i = 0; i < n; i++) largest = fabs(want[i]) > largest ? fabs(want[i]) : largest;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(want[i] - (double)got[i]) <= largest * 4 / 8388608))
            fail_msg("%s, %s, n = %d: [%d] = %.9g, not %.9g", leat_isa_name(leat__cpu_level()), what, (int)n, (int)i, got[i], want[i]);
    kt_check_canaries(got, n);
}

typedef struct rows {
    int64_t n;
    float  *x, *y, *z, *out;
    double *want;
} rows;

static rows rows_new(int64_t n, float spread) {
    rows r = {n, kt_alloc(n), kt_alloc(n), kt_alloc(n), kt_alloc(n), malloc((size_t)n * sizeof(double))};
    for (int64_t i = 0; i < n; i++) r.x[i] *= spread;
    return r;
}
static void rows_free(rows *r) {
    kt_free(r->x), kt_free(r->y), kt_free(r->z), kt_free(r->out);
    free(r->want);
}

static void norms(rows *r) {
    double square = 0, mean = 0, deviation = 0, eps = (double)1e-5f;
    for (int64_t i = 0; i < r->n; i++) square += (double)r->x[i] * r->x[i], mean += r->x[i];
    mean /= (double)r->n;
    for (int64_t i = 0; i < r->n; i++) deviation += (r->x[i] - mean) * (r->x[i] - mean);
    double rms = 1 / sqrt(square / (double)r->n + eps), inverse = 1 / sqrt(deviation / (double)r->n + eps);
    for (int with = 0; with < 2; with++) {
        for (int64_t i = 0; i < r->n; i++) r->want[i] = r->x[i] * rms * (with ? r->y[i] : 1);
        leat__lm_rows.rms_norm(r->x, with ? r->y : NULL, 1e-5f, r->n, r->out);
        expect_row("rms_norm", r->want, r->out, r->n, with ? rms * 5 : 0);
    }
    for (int with = 0; with < 4; with++) {
        for (int64_t i = 0; i < r->n; i++) r->want[i] = (r->x[i] - mean) * inverse * (with & 1 ? r->y[i] : 1) + (with & 2 ? r->z[i] : 0);
        leat__lm_rows.layer_norm(r->x, with & 1 ? r->y : NULL, with & 2 ? r->z : NULL, 1e-5f, r->n, r->out);
        expect_row("layer_norm", r->want, r->out, r->n, fmax(5, fabs(mean) * inverse));
    }
}

static void test_norms(void **state) {
    (void)state;
    KT_EACH_LEVEL(level)
        for (int k = 0; k < LENGTHS; k++)
            for (int spread = 0; spread < 2; spread++) {
                rows r = rows_new(lengths[k], spread ? 100 : 1);
                norms(&r);
                rows_free(&r);
            }
}

static double silu64(double v) { return v / (1 + exp(-v)); }
static double gelu_tanh64(double v) { return 0.5 * v * (1 + tanh(sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))); }
static double gelu_erf64(double v) { return 0.5 * v * erfc(-v / sqrt(2.0)); }

static void activations(rows *r) {
    const leat_lm_rows *k = &leat__lm_rows;
    for (int with = 0; with < 2; with++) {
        for (int64_t i = 0; i < r->n; i++) r->want[i] = silu64(r->x[i]) * (with ? r->y[i] : 1);
        k->silu_mul(r->x, with ? r->y : NULL, r->n, r->out);
        expect_row("silu_mul", r->want, r->out, r->n, 1);
        for (int64_t i = 0; i < r->n; i++) r->want[i] = gelu_tanh64(r->x[i]) * (with ? r->y[i] : 1);
        k->gelu_mul(r->x, with ? r->y : NULL, r->n, r->out);
        expect_row("gelu_mul", r->want, r->out, r->n, 1);
    }
    for (int64_t i = 0; i < r->n; i++) r->want[i] = gelu_erf64(r->x[i]);
    k->gelu_erf(r->x, r->n, r->out);
    expect_row("gelu_erf", r->want, r->out, r->n, 1);
    for (int64_t i = 0; i < r->n; i++) r->want[i] = 30 * tanh((double)r->x[i] / 30);
    k->softcap(r->x, 30, r->n, r->out);
    expect_row("softcap", r->want, r->out, r->n, 0);
}

static void arithmetic(rows *r) {
    const leat_lm_rows *k = &leat__lm_rows;
    for (int64_t i = 0; i < r->n; i++) r->want[i] = (double)r->x[i] + r->y[i];
    k->add(r->x, r->y, r->n, r->out);
    expect_row("add", r->want, r->out, r->n, 0);
    for (int64_t i = 0; i < r->n; i++) r->want[i] = (double)r->x[i] * 0.3f;
    k->scale(r->x, 0.3f, r->n, r->out);
    expect_row("scale", r->want, r->out, r->n, 0);
    double terms = 0; /* they may cancel, and only some compilers' reference multiplies and adds in one */
    for (int64_t i = 0; i < r->n; i++) r->want[i] = (double)r->out[i] + (double)r->y[i] * 0.7f, terms = fmax(terms, fabs((double)r->out[i]));
    k->add_scaled(r->y, 0.7f, r->n, r->out);
    expect_row("add_scaled", r->want, r->out, r->n, terms);
    k->add(r->x, r->y, r->n, r->x); /* in place */
    for (int64_t i = 0; i < r->n; i++) r->want[i] = (double)r->x[i] * (double)r->y[i] / (1 + exp(-(double)r->x[i]));
    k->silu_mul(r->x, r->y, r->n, r->x);
    expect_row("silu_mul in place", r->want, r->x, r->n, 1);
}

static void test_activations(void **state) {
    (void)state;
    KT_EACH_LEVEL(level)
        for (int k = 0; k < LENGTHS; k++)
            for (int spread = 0; spread < 3; spread++) {
                rows r = rows_new(lengths[k], spread == 2 ? 300 : spread ? 8 : 1);
                activations(&r);
                arithmetic(&r);
                rows_free(&r);
            }
}

/* Infinities of a model gone wrong reach their limits, a NaN stays one. */
static void test_limits(void **state) {
    static const float x[4] = {INFINITY, -INFINITY, NAN, -1e38f};
    float              y[4 + 16];
    (void)state;
    KT_EACH_LEVEL(level) {
        leat__lm_rows.silu_mul(x, NULL, 4, y);
        assert_true(y[0] == INFINITY && y[1] == 0 && isnan(y[2]) && y[3] == 0);
        leat__lm_rows.gelu_mul(x, NULL, 4, y);
        assert_true(y[0] == INFINITY && y[1] == 0 && isnan(y[2]) && y[3] == 0);
        leat__lm_rows.gelu_erf(x, 4, y);
        assert_true(y[0] == INFINITY && y[1] == 0 && isnan(y[2]) && y[3] == 0);
        leat__lm_rows.softcap(x, 50, 4, y);
        assert_true(y[0] == 50 && y[1] == -50 && isnan(y[2]) && y[3] == -50);
    }
}

static void test_rope(void **state) {
    (void)state;
    KT_EACH_LEVEL(level)
        for (int half = 1; half <= 130; half++) {
            rows r = rows_new(2 * half, 3);
            for (int i = 0; i < half; i++) r.y[i] = cosf((float)i * 0.37f), r.z[i] = sinf((float)i * 0.37f);
            for (int halves = 0; halves < 2; halves++) {
                for (int i = 0; i < half; i++) {
                    int    a = halves ? i : 2 * i, b = halves ? i + half : 2 * i + 1;
                    double c = r.y[i], s = r.z[i];
                    r.want[a] = r.x[a] * c - r.x[b] * s;
                    r.want[b] = r.x[a] * s + r.x[b] * c;
                }
                (halves ? leat__lm_rows.rope_halves : leat__lm_rows.rope_pairs)(r.x, r.y, r.z, half);
                expect_row(halves ? "rope_halves" : "rope_pairs", r.want, r.x, 2 * half, 0);
            }
            rows_free(&r);
        }
}

static void test_softmax(void **state) {
    (void)state;
    KT_EACH_LEVEL(level)
        for (int k = 0; k < LENGTHS; k++) {
            rows   r = rows_new(lengths[k], kt_int(0, 1) ? 40 : 2);
            double max = -INFINITY, sum = 0;
            if (r.n > 3) r.x[r.n / 2] = -INFINITY; /* what a filter has taken out */
            for (int64_t i = 0; i < r.n; i++) max = fmax(max, r.x[i]);
            for (int64_t i = 0; i < r.n; i++) sum += r.want[i] = exp(r.x[i] - max);
            for (int64_t i = 0; i < r.n; i++) r.want[i] /= sum;
            float log_sum = leat__lm_rows.softmax(r.x, r.n);
            expect_row("softmax", r.want, r.x, r.n, 0);
            if (r.n > 3) assert_true(r.x[r.n / 2] == 0);
            assert_true(fabs((double)log_sum - (max + log(sum))) <= 1e-6 * (fabs(max) + 1));
            rows_free(&r);
        }
}

static void test_argmax(void **state) {
    (void)state;
    KT_EACH_LEVEL(level) {
        for (int k = 0; k < LENGTHS; k++)
            for (int round = 0; round < 8; round++) {
                rows r = rows_new(lengths[k], 1);
                int  first = kt_int(0, (int)r.n - 1), second = kt_int(first, (int)r.n - 1), nan = kt_int(0, (int)r.n - 1);
                r.x[nan] = NAN;
                r.x[first] = r.x[second] = 2; /* the first among equals */
                assert_int_equal(leat__lm_rows.argmax(r.x, r.n), first);
                rows_free(&r);
            }
        float low[40], nans[40];
        for (int i = 0; i < 40; i++) low[i] = -INFINITY, nans[i] = NAN;
        low[0] = NAN;
        assert_int_equal(leat__lm_rows.argmax(low, 40), 1);
        assert_int_equal(leat__lm_rows.argmax(nans, 40), 0);
    }
}

static void test_tame(void **state) {
    (void)state;
    KT_EACH_LEVEL(level)
        for (int k = 0; k < LENGTHS; k++)
            for (int round = 0; round < 4; round++) {
                rows  r = rows_new(lengths[k], 1);
                int   nan = kt_int(0, (int)r.n - 1), least = kt_int(0, (int)r.n - 1);
                r.x[least] = -INFINITY;
                r.x[nan] = round % 2 ? NAN : INFINITY;
                leat__lm_rows.tame(r.x, 0.25f, r.n, r.out);
                for (int64_t i = 0; i < r.n; i++) assert_true(r.out[i] == (isnan(r.x[i]) ? -INFINITY : r.x[i] < 0.25f ? r.x[i] : 0.25f));
                kt_check_canaries(r.out, r.n);
                rows_free(&r);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_norms), cmocka_unit_test(test_activations), cmocka_unit_test(test_limits), cmocka_unit_test(test_rope),
                                       cmocka_unit_test(test_softmax), cmocka_unit_test(test_argmax), cmocka_unit_test(test_tame)};
    return cmocka_run_group_tests(tests, kt_seed, NULL);
}
