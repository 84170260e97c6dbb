/* lm_rows_ref.c - rows of a language model in plain C over libm, sums in double: what the vector forms are measured against. */
#include <math.h>

#include "cpu/lm_rows.h"

static void rms_norm(const float *x, const float *weight, float eps, int64_t n, float *out) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    float inverse = (float)(1.0 / sqrt(sum / (double)n + (double)eps));
    for (int64_t i = 0; i < n; i++) out[i] = weight ? x[i] * inverse * weight[i] : x[i] * inverse;
}

static void layer_norm(const float *x, const float *weight, const float *bias, float eps, int64_t n, float *out) {
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i];
    float mean = (float)(sum / (double)n);
    for (int64_t i = 0; i < n; i++) square += ((double)x[i] - (double)mean) * ((double)x[i] - (double)mean);
    float inverse = (float)(1.0 / sqrt(square / (double)n + (double)eps));
    for (int64_t i = 0; i < n; i++) {
        float y = (x[i] - mean) * inverse;
        if (weight) y *= weight[i];
        out[i] = bias ? y + bias[i] : y;
    }
}

static void add(const float *x, const float *y, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = x[i] + y[i];
}

static void scale(const float *x, float factor, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = x[i] * factor;
}

static void add_scaled(const float *x, float factor, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] += x[i] * factor;
}

/* ---- activations: the limits hold at both infinities ---------------------------------------------------------------- */

static float silu1(float v) { return v < -100.0f ? -0.0f : v / (1.0f + expf(-v)); }
static float gelu_tanh1(float v) {
    if (fabsf(v) > 100.0f) return v > 0 ? v : -0.0f;
    return 0.5f * v * (1.0f + tanhf(0.7978845608028654f * (v + 0.044715f * v * v * v)));
}
static float gelu_erf1(float v) { return v < -100.0f ? -0.0f : 0.5f * v * erfcf(v * -0.70710678118654752f); }

static void silu_mul(const float *gate, const float *up, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = up ? silu1(gate[i]) * up[i] : silu1(gate[i]);
}
static void gelu_mul(const float *gate, const float *up, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = up ? gelu_tanh1(gate[i]) * up[i] : gelu_tanh1(gate[i]);
}
static void gelu_erf(const float *x, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = gelu_erf1(x[i]);
}

static void softcap(const float *x, float cap, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = cap * tanhf(x[i] / cap);
}

static void tame(const float *x, float limit, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = isnan(x[i]) ? -INFINITY : fminf(x[i], limit);
}

/* ---- positions, choices --------------------------------------------------------------------------------------------- */

static inline void rotate(float *a, float *b, float cosine, float sine) {
    float x = *a, y = *b;
    *a = x * cosine - y * sine;
    *b = x * sine + y * cosine;
}
static void rope_pairs(float *x, const float *cosine, const float *sine, int64_t half) {
    for (int64_t i = 0; i < half; i++) rotate(&x[2 * i], &x[2 * i + 1], cosine[i], sine[i]);
}
static void rope_halves(float *x, const float *cosine, const float *sine, int64_t half) {
    for (int64_t i = 0; i < half; i++) rotate(&x[i], &x[i + half], cosine[i], sine[i]);
}

static int64_t argmax(const float *x, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best] || (x[best] != x[best] && x[i] == x[i])) best = i;
    return best;
}

static float softmax(float *x, int64_t n) {
    float  largest = x[argmax(x, n)];
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - largest);
        sum += (double)x[i];
    }
    float inverse = (float)(1.0 / sum);
    for (int64_t i = 0; i < n; i++) x[i] *= inverse;
    return largest + (float)log(sum);
}

void leat__lm_rows_fill_ref(leat_lm_rows *table) {
    *table = (leat_lm_rows){.rms_norm = rms_norm, .layer_norm = layer_norm, .add = add, .scale = scale, .add_scaled = add_scaled, .silu_mul = silu_mul,
                            .gelu_mul = gelu_mul, .gelu_erf = gelu_erf, .rope_pairs = rope_pairs, .rope_halves = rope_halves, .softmax = softmax,
                            .softcap = softcap, .tame = tame, .argmax = argmax, .isa = "ref"};
}
