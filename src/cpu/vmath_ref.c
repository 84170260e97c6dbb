/* vmath_ref.c - the vector-math family in plain C over libm: what the vector forms are measured against. */
#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "cpu/vmath.h"

/* ---- activations ---------------------------------------------------------------------------------------------------- */

#define REF_ACT(name, expression)                                                                               \
    static void act_##name(const float *x, float *y, int64_t n, const leat_act_params *p) {                     \
        (void)p;                                                                                                \
        for (int64_t i = 0; i < n; i++) {                                                                       \
            float v = x[i];                                                                                     \
            y[i] = expression;                                                                                  \
        }                                                                                                       \
    }

static float sigmoid1(float v) {
    if (v >= 0) return 1.0f / (1.0f + expf(-v));
    float e = expf(v);
    return e / (1.0f + e);
}
static float clamp1(float v, float lo, float hi) {
    v = v < lo ? lo : v; /* a NaN compares false and stays */
    return v > hi ? hi : v;
}
static float softplus1(float v) { return (v > 0 ? v : 0) + log1pf(expf(-fabsf(v))) + (v != v ? v : 0); }
static float gelu_tanh1(float v) {
    if (fabsf(v) > 1e9f) return v > 0 ? v : v < 0 ? -0.0f : v; /* v^3 would overflow */
    return 0.5f * v * (1.0f + tanhf(0.7978845608028654f * (v + 0.044715f * v * v * v)));
}
static float gelu1(float v) { return v == -INFINITY ? -0.0f : 0.5f * v * erfcf(v * -0.70710678118654752f); }
static float silu1(float v, float alpha) {
    float s = sigmoid1(alpha * v);
    return s == 0 && v == v ? v < 0 ? -0.0f : 0.0f : v * s; /* -inf * 0 is not a NaN here */
}
static float mish1(float v) { return v == -INFINITY ? -0.0f : v * tanhf(softplus1(v)); }
static float shrink1(float v, float lambda, float bias) { return v < -lambda ? v + bias : v > lambda ? v - bias : v != v ? v : 0; }

REF_ACT(none, v)
REF_ACT(relu, v < 0 ? 0 : v)
REF_ACT(clip, clamp1(v, p->lo, p->hi))
REF_ACT(sigmoid, sigmoid1(v))
REF_ACT(silu, silu1(v, p->alpha))
REF_ACT(hard_swish, v == -INFINITY ? -0.0f : v * clamp1(v * (1.0f / 6.0f) + 0.5f, 0, 1))
REF_ACT(hard_sigmoid, clamp1(p->alpha * v + p->beta, 0, 1))
REF_ACT(leaky_relu, v < 0 ? p->alpha * v : v)
REF_ACT(tanh, tanhf(v))
REF_ACT(gelu, gelu1(v))
REF_ACT(gelu_tanh, gelu_tanh1(v))
REF_ACT(elu, v < 0 ? p->alpha * expm1f(v) : v)
REF_ACT(selu, p->beta * (v < 0 ? p->alpha * expm1f(v) : v))
REF_ACT(celu, v < 0 ? p->alpha * expm1f(v / p->alpha) : v)
REF_ACT(softplus, softplus1(v))
REF_ACT(mish, mish1(v))
REF_ACT(softsign, v / (1.0f + fabsf(v)))
REF_ACT(thresholded_relu, v > p->alpha ? v : v != v ? v : 0)
REF_ACT(shrink, shrink1(v, p->alpha, p->beta))
REF_ACT(exp, expf(v))
REF_ACT(log, logf(v))
REF_ACT(erf, erff(v))
REF_ACT(sqrt, sqrtf(v))
REF_ACT(reciprocal, 1.0f / v)
REF_ACT(abs, fabsf(v))
REF_ACT(neg, -v)
REF_ACT(affine, p->alpha *v + p->beta)

/* ---- arithmetic ----------------------------------------------------------------------------------------------------- */

#define REF_BINARY(name, expression)                                                       \
    static void vv_##name(const float *a, const float *b, float *y, int64_t n) {           \
        for (int64_t i = 0; i < n; i++) {                                                  \
            float l = a[i], r = b[i];                                                      \
            y[i] = expression;                                                             \
        }                                                                                  \
    }                                                                                      \
    static void vs_##name(const float *a, float r, float *y, int64_t n) {                  \
        for (int64_t i = 0; i < n; i++) {                                                  \
            float l = a[i];                                                                \
            y[i] = expression;                                                             \
        }                                                                                  \
    }                                                                                      \
    static void sv_##name(float l, const float *b, float *y, int64_t n) {                  \
        for (int64_t i = 0; i < n; i++) {                                                  \
            float r = b[i];                                                                \
            y[i] = expression;                                                             \
        }                                                                                  \
    }

static inline float min1(float l, float r) { return l != l ? l : r != r ? r : l < r ? l : r; }
static inline float max1(float l, float r) { return l != l ? l : r != r ? r : l > r ? l : r; }

REF_BINARY(add, l + r)
REF_BINARY(sub, l - r)
REF_BINARY(mul, l *r)
REF_BINARY(div, l / r)
REF_BINARY(min, min1(l, r))
REF_BINARY(max, max1(l, r))
REF_BINARY(prelu, l < 0 ? l * r : l)

/* ---- reductions ----------------------------------------------------------------------------------------------------- */

static double sum64(const float *x, int64_t n) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += x[i];
    return s;
}
static double dev64(const float *x, int64_t n, float mean) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) {
        float d = x[i] - mean;
        s += (double)d * d;
    }
    return s;
}
static float red_sum(const float *x, int64_t n) { return (float)sum64(x, n); }
static float red_sumsq(const float *x, int64_t n) { return (float)dev64(x, n, 0); }
static float red_sumabs(const float *x, int64_t n) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += fabsf(x[i]);
    return (float)s;
}
static float red_max(const float *x, int64_t n) {
    float m = -INFINITY;
    for (int64_t i = 0; i < n; i++) m = max1(m, x[i]);
    return m;
}
static float red_min(const float *x, int64_t n) {
    float m = INFINITY;
    for (int64_t i = 0; i < n; i++) m = min1(m, x[i]);
    return m;
}

#define REF_REDROW(name, expression)                                       \
    static void redrow_##name(const float *x, float *acc, int64_t n) {     \
        for (int64_t i = 0; i < n; i++) {                                  \
            float v = x[i], a = acc[i];                                    \
            acc[i] = expression;                                           \
        }                                                                  \
    }
REF_REDROW(sum, a + v)
REF_REDROW(max, max1(a, v))
REF_REDROW(min, min1(a, v))
REF_REDROW(sumsq, a + v * v)
REF_REDROW(sumabs, a + fabsf(v))

static void colsum(const float *x, int64_t rows, int64_t stride, int64_t n, float *acc) {
    for (int64_t i = 0; i < n; i++) {
        double s = 0;
        for (int64_t r = 0; r < rows; r++) s += x[r * stride + i];
        acc[i] += (float)s;
    }
}
static void coldev(const float *x, int64_t rows, int64_t stride, int64_t n, const float *mean, float *acc) {
    for (int64_t i = 0; i < n; i++) {
        double s = 0;
        for (int64_t r = 0; r < rows; r++) {
            float d = x[r * stride + i] - mean[i];
            s += (double)d * d;
        }
        acc[i] += (float)s;
    }
}
static void affine(const float *x, const float *scale, const float *bias, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = x[i] * scale[i] + bias[i];
}
static void affine_rows(const float *x, int64_t rows, int64_t n, const float *scale, const float *bias, float *y) {
    for (int64_t r = 0; r < rows; r++) affine(x + r * n, scale, bias, y + r * n, n);
}
static float expsum(const float *x, float *y, int64_t n, float shift) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += y[i] = expf(x[i] - shift);
    return (float)s;
}

/* ---- half precision ------------------------------------------------------------------------------------------------- */

static void f16_to_f32(const uint16_t *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = leat__f16_to_f32(x[i]);
}
static void f32_to_f16(const float *x, uint16_t *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = leat__f32_to_f16(x[i]);
}
static void bf16_to_f32(const uint16_t *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = leat__bf16_to_f32(x[i]);
}
static void f32_to_bf16(const float *x, uint16_t *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = leat__f32_to_bf16(x[i]);
}

#define FILL_ACT(KIND, name) t->act[LEAT_ACT_##KIND] = act_##name

static void fill_activations(leat_vmath_table *t) {
    FILL_ACT(NONE, none);
    FILL_ACT(RELU, relu);
    FILL_ACT(CLIP, clip);
    FILL_ACT(SIGMOID, sigmoid);
    FILL_ACT(SILU, silu);
    FILL_ACT(HARD_SWISH, hard_swish);
    FILL_ACT(HARD_SIGMOID, hard_sigmoid);
    FILL_ACT(LEAKY_RELU, leaky_relu);
    FILL_ACT(TANH, tanh);
    FILL_ACT(GELU, gelu);
    FILL_ACT(GELU_TANH, gelu_tanh);
    FILL_ACT(ELU, elu);
    FILL_ACT(SELU, selu);
    FILL_ACT(CELU, celu);
    FILL_ACT(SOFTPLUS, softplus);
    FILL_ACT(MISH, mish);
    FILL_ACT(SOFTSIGN, softsign);
    FILL_ACT(THRESHOLDED_RELU, thresholded_relu);
    FILL_ACT(SHRINK, shrink);
    FILL_ACT(EXP, exp);
    FILL_ACT(LOG, log);
    FILL_ACT(ERF, erf);
    FILL_ACT(SQRT, sqrt);
    FILL_ACT(RECIPROCAL, reciprocal);
    FILL_ACT(ABS, abs);
    FILL_ACT(NEG, neg);
    FILL_ACT(AFFINE, affine);
}

#define FILL_BINARY(KIND, name) t->vv[LEAT_VBIN_##KIND] = vv_##name, t->vs[LEAT_VBIN_##KIND] = vs_##name, t->sv[LEAT_VBIN_##KIND] = sv_##name
#define FILL_REDUCE(KIND, name) t->red[LEAT_VRED_##KIND] = red_##name, t->redrow[LEAT_VRED_##KIND] = redrow_##name

void leat__vmath_fill_ref(leat_vmath_table *t) {
    t->isa = "ref";
    fill_activations(t);
    FILL_BINARY(ADD, add);
    FILL_BINARY(SUB, sub);
    FILL_BINARY(MUL, mul);
    FILL_BINARY(DIV, div);
    FILL_BINARY(MIN, min);
    FILL_BINARY(MAX, max);
    FILL_BINARY(PRELU, prelu);
    FILL_REDUCE(SUM, sum);
    FILL_REDUCE(MAX, max);
    FILL_REDUCE(MIN, min);
    FILL_REDUCE(SUMSQ, sumsq);
    FILL_REDUCE(SUMABS, sumabs);
    t->affine = affine;
    t->sum64 = sum64;
    t->dev64 = dev64;
    t->colsum = colsum;
    t->coldev = coldev;
    t->affine_rows = affine_rows;
    t->expsum = expsum;
    t->f16_to_f32 = f16_to_f32;
    t->f32_to_f16 = f32_to_f16;
    t->bf16_to_f32 = bf16_to_f32;
    t->f32_to_bf16 = f32_to_bf16;
}
