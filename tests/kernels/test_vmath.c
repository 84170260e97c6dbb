/* test_vmath.c - every level of the vector math against float64: the stated tolerances over all magnitudes, special values, odd lengths with canaries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "base/rng.h"
#include "cpu/cpu.h"
#include "cpu/vmath.h"

enum { SEED = 20260101, GUARD = 16 };
static const float canary = 12345.678f;

/* ---- activations in double ------------------------------------------------------------------------------------------- */

static double sigmoid64(double v) { return v >= 0 ? 1 / (1 + exp(-v)) : exp(v) / (1 + exp(v)); }
static double softplus64(double v) { return v > 0 ? v + log1p(exp(-v)) : log1p(exp(v)); }
static double clamp64(double v, double lo, double hi) { return v < lo ? lo : v > hi ? hi : v; }
static double times(double a, double b) { return b == 0 && !isnan(a) ? 0 : a * b; } /* the limit at -inf is 0 */

static double act64(int kind, double v, const leat_act_params *p) {
    double a = p->alpha, b = p->beta;
    switch (kind) {
    case LEAT_ACT_RELU: return v < 0 ? 0 : v;
    case LEAT_ACT_CLIP: return clamp64(v, p->lo, p->hi);
    case LEAT_ACT_SIGMOID: return sigmoid64(v);
    case LEAT_ACT_SILU: return times(v, sigmoid64(a * v));
    case LEAT_ACT_HARD_SWISH: return times(v, clamp64(v / 6 + 0.5, 0, 1));
    case LEAT_ACT_HARD_SIGMOID: return clamp64(a * v + b, 0, 1);
    case LEAT_ACT_LEAKY_RELU: return v < 0 ? a * v : v;
    case LEAT_ACT_TANH: return tanh(v);
    case LEAT_ACT_GELU: return 0.5 * times(v, erfc(-v / sqrt(2.0)));
    case LEAT_ACT_GELU_TANH: return times(v, sigmoid64(2 * sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
    case LEAT_ACT_ELU: return v < 0 ? a * expm1(v) : v;
    case LEAT_ACT_SELU: return b * (v < 0 ? a * expm1(v) : v);
    case LEAT_ACT_CELU: return v < 0 ? a * expm1(v / a) : v;
    case LEAT_ACT_SOFTPLUS: return softplus64(v);
    case LEAT_ACT_MISH: return times(v, tanh(softplus64(v)));
    case LEAT_ACT_SOFTSIGN: return isinf(v) ? NAN : v / (1 + fabs(v));
    case LEAT_ACT_THRESHOLDED_RELU: return v > a ? v : 0 * (isnan(v) ? v : 0);
    case LEAT_ACT_SHRINK: return v < -a ? v + b : v > a ? v - b : isnan(v) ? v : 0;
    case LEAT_ACT_EXP: return exp(v);
    case LEAT_ACT_LOG: return log(v);
    case LEAT_ACT_ERF: return erf(v);
    case LEAT_ACT_SQRT: return sqrt(v);
    case LEAT_ACT_RECIPROCAL: return 1 / v;
    case LEAT_ACT_ABS: return fabs(v);
    case LEAT_ACT_NEG: return -v;
    case LEAT_ACT_AFFINE: return a * v + b;
    default: return v;
    }
}

static double ulp_of(double v) {
    int e;
    if (!isfinite(v) || fabs(v) < 1.17549435e-38) return 1.401298464e-45;
    frexp(v, &e);
    return ldexp(1.0, e - 24);
}

static double tolerance(int kind, double want) {
    double u = ulp_of(want), wide = 4e-7 * (fabs(want) > 1 ? fabs(want) : 1);
    switch (kind) {
    case LEAT_ACT_EXP:
    case LEAT_ACT_LOG: return 2 * u;
    case LEAT_ACT_TANH:
    case LEAT_ACT_SIGMOID: return 4 * u;
    case LEAT_ACT_ERF: return 4 * u > 2e-7 ? 4 * u : 2e-7;
    case LEAT_ACT_SILU:
    case LEAT_ACT_GELU:
    case LEAT_ACT_GELU_TANH:
    case LEAT_ACT_ELU:
    case LEAT_ACT_SELU:
    case LEAT_ACT_CELU:
    case LEAT_ACT_SOFTPLUS:
    case LEAT_ACT_MISH:
    case LEAT_ACT_HARD_SWISH:
    case LEAT_ACT_HARD_SIGMOID:
    case LEAT_ACT_AFFINE: return wide;
    case LEAT_ACT_NONE:
    case LEAT_ACT_RELU:
    case LEAT_ACT_CLIP:
    case LEAT_ACT_ABS:
    case LEAT_ACT_NEG: return 0;
    case LEAT_ACT_SOFTSIGN: return 2 * u;
    default: return u;
    }
}

static int agrees(double got, double want, double tol) {
    if (isnan(want)) return isnan(got);
    if (fabs(want) > 3.4028235677973366e38) return isinf(got) && (got > 0) == (want > 0); /* rounds to infinity */
    return fabs(got - want) <= tol;
}

static void check_act(int kind, const float *x, int n) {
    leat_act_params p;
    float *y = malloc((size_t)n * sizeof *y);
    leat__act_defaults(kind, &p);
    if (kind == LEAT_ACT_CLIP) p.lo = -1, p.hi = 6;
    if (kind == LEAT_ACT_SHRINK) p.beta = 0.25f;
    if (kind == LEAT_ACT_CELU) p.alpha = 2;
    leat__act_map_f32(kind, x, y, n, &p);
    for (int i = 0; i < n; i++) {
        double want = act64(kind, (double)x[i], &p);
        if (agrees(y[i], want, tolerance(kind, want))) continue;
        /* the boundary of overflow may round either way */
        if (isinf(y[i]) && fabs(want) > 3.40282e38) continue;
        fail_msg("%s level %s: f(%.9g) = %.9g, not %.9g (off by %.3g, allowed %.3g)", leat__act_name(kind), leat_isa_name(leat__cpu_level()), x[i], y[i], want,
                 fabs((double)y[i] - want), tolerance(kind, want));
    }
    free(y);
}

static int sweep(float **out) { /* every exponent with a few mantissas, both signs; a fine grid around the origin; specials */
    static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 88.72f, -87.3f, -103.9f, 1.0f, -1.0f, 0.625f, 4.0f, -5.7f, 3.4e38f};
    enum { GRID = 40000, SPECIALS = sizeof special / sizeof *special };
    float *x = malloc((size_t)(256 * 2 * 16 + GRID + SPECIALS) * sizeof *x);
    int n = 0;
    for (int e = 0; e < 255; e++)
        for (int k = 0; k < 32; k++) {
            uint32_t bits = (uint32_t)(k & 1) << 31 | (uint32_t)e << 23 | ((uint32_t)leat__rng_u64(SEED, 1, (uint64_t)n) & 0x7fffff);
            memcpy(&x[n++], &bits, 4);
        }
    for (int i = 0; i < GRID; i++) x[n++] = (float)(leat__rng_uniform(SEED, 2, (uint64_t)i) * 40 - 20);
    for (int i = 0; i < SPECIALS; i++) x[n++] = special[i];
    *out = x;
    return n;
}

static int each_level(void (*check)(void)) {
    int levels = 0;
    for (leat_isa level = LEAT_ISA_REF; level < LEAT_ISA_COUNT; level = leat_isa_next(level), levels++) {
        leat__cpu_select(level);
        check();
    }
    return levels;
}

static int limited(int kind) { /* stated for |x| <= 100 only */
    return kind == LEAT_ACT_SOFTPLUS || kind == LEAT_ACT_MISH || kind == LEAT_ACT_GELU || kind == LEAT_ACT_GELU_TANH || kind == LEAT_ACT_SILU;
}

static void check_activations(void) {
    float *x, *small;
    int n = sweep(&x), m = 0;
    small = malloc((size_t)n * sizeof *small);
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) <= 100 || !isfinite(x[i])) small[m++] = x[i];
    for (int kind = 0; kind < LEAT_ACT_COUNT; kind++) check_act(kind, limited(kind) ? small : x, limited(kind) ? m : n);
    free(x);
    free(small);
}

static void activations_keep_tolerance(void **state) { assert_true(each_level(check_activations) > 0); }

/* ---- lengths and canaries --------------------------------------------------------------------------------------------- */

static void check_lengths(void) {
    float a[GUARD + 70 + GUARD], b[70], y[GUARD + 70 + GUARD], whole[70];
    const leat_vmath_table *v = leat__vmath();
    for (int i = 0; i < 70; i++) {
        a[GUARD + i] = (float)leat__rng_normal(SEED, 3, (uint64_t)i);
        b[i] = (float)leat__rng_normal(SEED, 4, (uint64_t)i) + 3;
    }
    for (int n = 0; n <= 70; n++) {
        for (int kind = 1; kind < LEAT_ACT_COUNT; kind++) {
            for (size_t i = 0; i < sizeof y / sizeof *y; i++) y[i] = canary;
            leat__act_map_f32(kind, a + GUARD, whole, 70, NULL);
            leat__act_map_f32(kind, a + GUARD, y + GUARD, n, NULL);
            assert_true(y[GUARD - 1] == canary && y[GUARD + n] == canary);
            assert_memory_equal(y + GUARD, whole, (size_t)n * sizeof *y); /* tails give the same bits */
        }
        for (int op = 0; op < LEAT_VBIN_COUNT; op++) {
            for (size_t i = 0; i < sizeof y / sizeof *y; i++) y[i] = canary;
            v->vv[op](a + GUARD, b, y + GUARD, n);
            assert_true(y[GUARD + n] == canary);
            float l = n ? a[GUARD + n - 1] : 0, r = n ? b[n - 1] : 0;
            float want = op == LEAT_VBIN_ADD ? l + r : op == LEAT_VBIN_SUB ? l - r : op == LEAT_VBIN_MUL ? l * r : op == LEAT_VBIN_DIV ? l / r :
                         op == LEAT_VBIN_MIN ? fminf(l, r) : op == LEAT_VBIN_MAX ? fmaxf(l, r) : l < 0 ? l * r : l;
            if (n) assert_true(y[GUARD + n - 1] == want);
        }
    }
}
static void lengths_and_canaries(void **state) { each_level(check_lengths); }

/* ---- reductions, softmax, normalisation ------------------------------------------------------------------------------- */

static void check_reductions(void) {
    static const int lengths[] = {0, 1, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 4095, 4097, 100003};
    const leat_vmath_table *v = leat__vmath();
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        int n = lengths[k];
        float *x = malloc((size_t)(n + 1) * sizeof *x), *y = malloc((size_t)(n + 1) * sizeof *y);
        double sum = 0, sumabs = 0, sumsq = 0, dev = 0, expo = 0, mean = 0;
        float max = -INFINITY, min = INFINITY;
        for (int i = 0; i < n; i++) {
            x[i] = (float)leat__rng_normal(SEED, 5, (uint64_t)i) + 100;
            sum += x[i], sumabs += fabsf(x[i]), sumsq += (double)x[i] * x[i];
            max = fmaxf(max, x[i]), min = fminf(min, x[i]);
        }
        mean = n ? (float)(sum / n) : 0;
        for (int i = 0; i < n; i++) dev += (x[i] - mean) * (x[i] - mean), expo += exp((double)x[i] - max);
        assert_true(fabs(v->red[LEAT_VRED_SUM](x, n) - sum) <= 4e-7 * sumabs);
        assert_true(fabs(v->red[LEAT_VRED_SUMABS](x, n) - sumabs) <= 4e-7 * sumabs);
        assert_true(fabs(v->red[LEAT_VRED_SUMSQ](x, n) - sumsq) <= 4e-7 * sumsq);
        assert_true(fabs(v->dev64(x, n, (float)mean) - dev) <= 1e-5 * dev);
        assert_true(v->red[LEAT_VRED_MAX](x, n) == max && v->red[LEAT_VRED_MIN](x, n) == min);
        y[n] = canary;
        if (n) assert_true(fabs(v->expsum(x, y, n, max) - expo) <= 1e-6 * expo);
        leat__softmax_row(x, y, n);
        for (int i = 0; i < n; i++) assert_true(fabs(y[i] - exp((double)x[i] - max) / expo) <= 4e-7);
        leat__layer_norm_row(x, NULL, NULL, y, n, 1e-5f, NULL, NULL);
        for (int i = 0; i < n; i++) assert_true(fabs(y[i] - (x[i] - sum / n) / sqrt(dev / n + 1e-5)) <= 3e-5);
        assert_true(y[n] == canary);
        if (n > 2) {
            x[n - 1] = NAN;
            assert_true(isnan(v->red[LEAT_VRED_MAX](x, n)) && isnan(v->red[LEAT_VRED_MIN](x, n)));
            x[0] = NAN, x[n - 1] = 0;
            assert_true(isnan(v->red[LEAT_VRED_MAX](x, n)) && isnan(v->red[LEAT_VRED_MIN](x, n)));
        }
        free(x);
        free(y);
    }
}
static void reductions(void **state) { each_level(check_reductions); }

/* ---- halves: all 65536 patterns, and rounding at ties ------------------------------------------------------------------ */

static void check_halves(void) {
    enum { ALL = 65536, MANY = 30011 };
    const leat_vmath_table *v = leat__vmath();
    uint16_t *h = malloc(ALL * sizeof *h), *back = malloc((ALL + 1) * sizeof *back);
    float *f = malloc((ALL + 1) * sizeof *f);
    for (int i = 0; i < ALL; i++) h[i] = (uint16_t)i;
    v->f16_to_f32(h, f, ALL - 1);
    for (int i = 0; i < ALL - 1; i++) assert_true(f[i] == leat__f16_to_f32(h[i]) || (isnan(f[i]) && isnan(leat__f16_to_f32(h[i]))));
    v->bf16_to_f32(h, f, ALL - 1);
    for (int i = 0; i < ALL - 1; i++) assert_true(f[i] == leat__bf16_to_f32(h[i]) || (isnan(f[i]) && isnan(leat__bf16_to_f32(h[i]))));
    for (int i = 0; i < MANY; i++) {
        uint32_t bits = (uint32_t)leat__rng_u64(SEED, 6, (uint64_t)i);
        if (i % 3 == 0) bits &= 0xffff8000u; /* ties of bfloat16 */
        if (i % 5 == 0) bits = (bits & 0x87fff000u) | 0x38000000u; /* ties of float16 */
        memcpy(&f[i], &bits, 4);
    }
    back[MANY] = 0x1234;
    v->f32_to_f16(f, back, MANY);
    for (int i = 0; i < MANY; i++)
        assert_true(isnan(f[i]) ? (back[i] & 0x7fff) > 0x7c00 : back[i] == leat__f32_to_f16(f[i]));
    v->f32_to_bf16(f, back, MANY);
    for (int i = 0; i < MANY; i++)
        assert_true(isnan(f[i]) ? (back[i] & 0x7fff) > 0x7f80 : back[i] == leat__f32_to_bf16(f[i]));
    assert_int_equal(back[MANY], 0x1234);
    free(h);
    free(back);
    free(f);
}
static void halves(void **state) { each_level(check_halves); }

static void names(void **state) {
    assert_int_equal(leat__act_parse("gelu_tanh"), LEAT_ACT_GELU_TANH);
    assert_int_equal(leat__act_parse(""), LEAT_ACT_NONE);
    assert_int_equal(leat__act_parse("nonsense"), -1);
    for (int i = 0; i < LEAT_ACT_COUNT; i++) assert_int_equal(leat__act_parse(leat__act_name(i)), i);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_keep_tolerance), cmocka_unit_test(lengths_and_canaries), cmocka_unit_test(reductions),
        cmocka_unit_test(halves), cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
