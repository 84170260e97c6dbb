/* vmath_tmpl.h - the vector-math family over any SIMD width; included once by each vmath_<isa>.c, after simd_<isa>.h. */
#include "cpu/vmath_vec.h"

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

#define ACT_ROW(name, expression)                                                                       \
    static void act_##name(const float *x, float *y, int64_t n, const leat_act_params *p) {             \
        const VF alpha = V_SET(p ? p->alpha : 0), beta = V_SET(p ? p->beta : 0);                        \
        const VF lo = V_SET(p ? p->lo : 0), hi = V_SET(p ? p->hi : 0);                                  \
        int64_t  i = 0;                                                                                 \
        (void)alpha, (void)beta, (void)lo, (void)hi;                                                    \
        for (; i + W <= n; i += W) {                                                                    \
            VF v = V_LOAD(x + i);                                                                       \
            V_STORE(y + i, expression);                                                                 \
        }                                                                                               \
        if (i < n) {                                                                                    \
            VF v = V_LOADN(x + i, n - i);                                                               \
            V_STOREN(y + i, expression, n - i);                                                         \
        }                                                                                               \
    }

ACT_ROW(relu, V_ATLEAST(V_SET(0.0f), v))
ACT_ROW(clip, v_clip(v, lo, hi))
ACT_ROW(sigmoid, v_sigmoid(v))
ACT_ROW(silu, v_silu(v, V_MUL(alpha, V_SET(-1.44269504f))))
ACT_ROW(hard_swish, V_MUL(v_finite_below(v), v_clip(V_FMA(v, V_SET(1.0f / 6.0f), V_SET(0.5f)), V_SET(0.0f), V_SET(1.0f))))
ACT_ROW(hard_sigmoid, v_clip(V_FMA(alpha, v, beta), V_SET(0.0f), V_SET(1.0f)))
ACT_ROW(leaky_relu, V_SEL(V_LT(v, V_SET(0.0f)), V_MUL(alpha, v), v))
ACT_ROW(tanh, v_tanh(v))
ACT_ROW(gelu, v_gelu(v))
ACT_ROW(gelu_tanh, v_gelu_tanh(v))
ACT_ROW(elu, v_elu(v, alpha, V_SET(1.0f)))
ACT_ROW(selu, V_MUL(beta, v_elu(v, alpha, V_SET(1.0f))))
ACT_ROW(celu, v_elu(v, alpha, V_DIV(V_SET(1.0f), alpha)))
ACT_ROW(softplus, v_softplus(v))
ACT_ROW(mish, v_mish(v))
ACT_ROW(softsign, V_DIV(v, V_ADD(V_SET(1.0f), V_ABS(v))))
ACT_ROW(thresholded_relu, V_SEL(V_LT(alpha, v), v, V_SEL(V_UNORD(v), v, V_SET(0.0f))))
ACT_ROW(shrink, v_shrink(v, alpha, beta))
ACT_ROW(exp, v_exp(v))
ACT_ROW(log, v_log(v))
ACT_ROW(erf, v_erf(v))
ACT_ROW(sqrt, V_SQRT(v))
ACT_ROW(reciprocal, V_DIV(V_SET(1.0f), v))
ACT_ROW(abs, V_ABS(v))
ACT_ROW(neg, V_NEG(v))
ACT_ROW(affine, V_FMA(alpha, v, beta))

#define BINARY_LOOP(left, right, expression)                                    \
    int64_t i = 0;                                                              \
    for (; i + W <= n; i += W) {                                                \
        VF l = left(V_LOAD, a), r = right(V_LOAD, b);                           \
        V_STORE(y + i, expression);                                             \
    }                                                                           \
    if (i < n) {                                                                \
        VF l = left(TAIL, a), r = right(TAIL, b);                               \
        V_STOREN(y + i, expression, n - i);                                     \
    }
#define TAIL(p) V_LOADN(p, n - i)
#define VECTOR(load, p) load(p + i)
#define SCALAR(load, p) V_SET(p)
#define BINARY_ROWS(name, expression)                                                                                           \
    static void vv_##name(const float *a, const float *b, float *y, int64_t n) { BINARY_LOOP(VECTOR, VECTOR, expression) }      \
    static void vs_##name(const float *a, float b, float *y, int64_t n) { BINARY_LOOP(VECTOR, SCALAR, expression) }             \
    static void sv_##name(float a, const float *b, float *y, int64_t n) { BINARY_LOOP(SCALAR, VECTOR, expression) }

BINARY_ROWS(add, V_ADD(l, r))
BINARY_ROWS(sub, V_SUB(l, r))
BINARY_ROWS(mul, V_MUL(l, r))
BINARY_ROWS(div, V_DIV(l, r))
BINARY_ROWS(min, V_MINP(l, r))
BINARY_ROWS(max, V_MAXP(l, r))
BINARY_ROWS(prelu, V_SEL(V_LT(l, V_SET(0.0f)), V_MUL(l, r), l))

static void affine(const float *x, const float *scale, const float *bias, float *y, int64_t n) {
    int64_t i = 0;
    for (; i + W <= n; i += W) V_STORE(y + i, V_FMA(V_LOAD(x + i), V_LOAD(scale + i), V_LOAD(bias + i)));
    if (i < n) V_STOREN(y + i, V_FMA(V_LOADN(x + i, n - i), V_LOADN(scale + i, n - i), V_LOADN(bias + i, n - i)), n - i);
}

/* ---- reductions: four partial sums, emptied into a double every BLOCK elements ---------------------------------------- */

enum { BLOCK = 4096 };

#define SUM_LOOP(term)                                                              \
    double total = 0;                                                               \
    for (int64_t from = 0; from < n; from += BLOCK) {                               \
        int64_t i = from, end = n - from < BLOCK ? n : from + BLOCK;                \
        VF s0 = V_SET(0.0f), s1 = s0, s2 = s0, s3 = s0;                             \
        for (; i + 4 * W <= end; i += 4 * W) {                                      \
            s0 = term(s0, V_LOAD(x + i));                                           \
            s1 = term(s1, V_LOAD(x + i + W));                                       \
            s2 = term(s2, V_LOAD(x + i + 2 * W));                                   \
            s3 = term(s3, V_LOAD(x + i + 3 * W));                                   \
        }                                                                           \
        for (; i + W <= end; i += W) s0 = term(s0, V_LOAD(x + i));                  \
        if (i < end) s1 = LAST_##term(s1, end - i);                                 \
        total += (double)V_HSUM(V_ADD(V_ADD(s0, s1), V_ADD(s2, s3)));               \
    }                                                                               \
    return total

static inline VF v_dev(VF s, VF v, VF mean) {
    VF d = V_SUB(v, mean);
    return V_FMA(d, d, s);
}
#define TERM_SUM(s, v) V_ADD(s, v)
#define TERM_ABS(s, v) V_ADD(s, V_ABS(v))
#define TERM_DEV(s, v) v_dev(s, v, centre)
#define LAST_TERM_SUM(s, k) V_ADD(s, V_LOADN(x + i, k))
#define LAST_TERM_ABS(s, k) V_ADD(s, V_ABS(V_LOADN(x + i, k)))
#define LAST_TERM_DEV(s, k) v_dev(s, V_LOADN(x + i, k), V_KEEP(centre, k)) /* lanes past the end: 0 - 0 */

static double sum64(const float *x, int64_t n) { SUM_LOOP(TERM_SUM); }
static double sumabs64(const float *x, int64_t n) { SUM_LOOP(TERM_ABS); }
static double dev64(const float *x, int64_t n, float mean) {
    const VF centre = V_SET(mean);
    SUM_LOOP(TERM_DEV);
}
static float red_sum(const float *x, int64_t n) { return (float)sum64(x, n); }
static float red_sumsq(const float *x, int64_t n) { return (float)dev64(x, n, 0); }
static float red_sumabs(const float *x, int64_t n) { return (float)sumabs64(x, n); }

#define EXTREME_ROW(name, fn, start, final)                                         \
    static float red_##name(const float *x, int64_t n) {                            \
        VF      m0 = V_SET(start), m1 = m0;                                         \
        int64_t i = 0;                                                              \
        for (; i + 2 * W <= n; i += 2 * W) {                                        \
            m0 = fn(m0, V_LOAD(x + i));                                             \
            m1 = fn(m1, V_LOAD(x + i + W));                                         \
        }                                                                           \
        if (i + W <= n) m0 = fn(m0, V_LOAD(x + i)), i += W;                         \
        m0 = fn(m0, m1);                                                            \
        float lanes[W];                                                             \
        V_STORE(lanes, m0);                                                         \
        float best = start;                                                         \
        for (int k = 0; k < W; k++) best = final(best, lanes[k]);                   \
        for (; i < n; i++) best = final(best, x[i]);                                \
        return best;                                                                \
    }
static inline float min1(float a, float b) { return a != a ? a : b != b ? b : b < a ? b : a; }
static inline float max1(float a, float b) { return a != a ? a : b != b ? b : b > a ? b : a; }
EXTREME_ROW(max, V_MAXP, -INFINITY, max1)
EXTREME_ROW(min, V_MINP, INFINITY, min1)

#define REDUCE_ROW(name, expression)                                                        \
    static void redrow_##name(const float *x, float *acc, int64_t n) {                      \
        int64_t i = 0;                                                                      \
        for (; i + W <= n; i += W) {                                                        \
            VF v = V_LOAD(x + i), a = V_LOAD(acc + i);                                      \
            V_STORE(acc + i, expression);                                                   \
        }                                                                                   \
        if (i < n) {                                                                        \
            VF v = V_LOADN(x + i, n - i), a = V_LOADN(acc + i, n - i);                      \
            V_STOREN(acc + i, expression, n - i);                                           \
        }                                                                                   \
    }
REDUCE_ROW(sum, V_ADD(a, v))
REDUCE_ROW(max, V_MAXP(a, v))
REDUCE_ROW(min, V_MINP(a, v))
REDUCE_ROW(sumsq, V_FMA(v, v, a))
REDUCE_ROW(sumabs, V_ADD(a, V_ABS(v)))

/* Down the columns: blocks of two vectors by two rows, then single vectors. */
#define COLUMN_LOOP(term0, term1, last)                                             \
    int64_t i = 0;                                                                  \
    for (; i + 2 * W <= n; i += 2 * W) {                                            \
        VF a0 = V_SET(0.0f), a1 = a0, b0 = a0, b1 = a0;                             \
        int64_t r = 0;                                                              \
        for (; r + 2 <= rows; r += 2) {                                             \
            const float *p = x + r * stride + i;                                    \
            a0 = term0(a0, V_LOAD(p)), a1 = term1(a1, V_LOAD(p + W));               \
            b0 = term0(b0, V_LOAD(p + stride)), b1 = term1(b1, V_LOAD(p + stride + W)); \
        }                                                                           \
        if (r < rows) a0 = term0(a0, V_LOAD(x + r * stride + i)), a1 = term1(a1, V_LOAD(x + r * stride + i + W)); \
        V_STORE(acc + i, V_ADD(V_LOAD(acc + i), V_ADD(a0, b0)));                    \
        V_STORE(acc + i + W, V_ADD(V_LOAD(acc + i + W), V_ADD(a1, b1)));            \
    }                                                                               \
    for (; i < n; i += W) {                                                         \
        int64_t k = n - i < W ? n - i : W;                                          \
        VF a0 = V_SET(0.0f), a1 = a0;                                               \
        for (int64_t r = 0; r + 2 <= rows; r += 2) {                                \
            a0 = last(a0, PART(x + r * stride + i, k));                             \
            a1 = last(a1, PART(x + (r + 1) * stride + i, k));                       \
        }                                                                           \
        if (rows & 1) a0 = last(a0, PART(x + (rows - 1) * stride + i, k));          \
        a0 = V_ADD(PART(acc + i, k), V_ADD(a0, a1));                                \
        if (k == W) V_STORE(acc + i, a0);                                           \
        else V_STOREN(acc + i, a0, k);                                              \
    }
#define PART(p, k) ((k) == W ? V_LOAD(p) : V_LOADN(p, k))
#define COLUMN_DEV0(s, v) v_dev(s, v, V_LOAD(mean + i))
#define COLUMN_DEV1(s, v) v_dev(s, v, V_LOAD(mean + i + W))
#define COLUMN_DEVL(s, v) v_dev(s, v, PART(mean + i, k))

static void colsum(const float *x, int64_t rows, int64_t stride, int64_t n, float *acc) { COLUMN_LOOP(V_ADD, V_ADD, V_ADD) }
static void coldev(const float *x, int64_t rows, int64_t stride, int64_t n, const float *mean, float *acc) {
    COLUMN_LOOP(COLUMN_DEV0, COLUMN_DEV1, COLUMN_DEVL)
}

static void affine_rows(const float *x, int64_t rows, int64_t n, const float *scale, const float *bias, float *y) {
    for (int64_t r = 0; r < rows; r++) affine(x + r * n, scale, bias, y + r * n, n);
}

static float expsum(const float *x, float *y, int64_t n, float shift) {
    const VF c = V_SET(shift);
    double total = 0;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t i = from, end = n - from < BLOCK ? n : from + BLOCK;
        VF s = V_SET(0.0f);
        for (; i + W <= end; i += W) {
            VF e = v_exp(V_SUB(V_LOAD(x + i), c));
            V_STORE(y + i, e);
            s = V_ADD(s, e);
        }
        if (i < end) {
            VF e = V_KEEP(v_exp(V_SUB(V_LOADN(x + i, end - i), c)), end - i);
            V_STOREN(y + i, e, end - i);
            s = V_ADD(s, e);
        }
        total += (double)V_HSUM(s);
    }
    return (float)total;
}

/* ---- table ---------------------------------------------------------------------------------------------------------- */

#define FILL_ACT(KIND, name) t->act[LEAT_ACT_##KIND] = act_##name
#define FILL_BINARY(KIND, name) \
    t->vv[LEAT_VBIN_##KIND] = vv_##name, t->vs[LEAT_VBIN_##KIND] = vs_##name, t->sv[LEAT_VBIN_##KIND] = sv_##name
#define FILL_REDUCE(KIND, name) t->red[LEAT_VRED_##KIND] = red_##name, t->redrow[LEAT_VRED_##KIND] = redrow_##name

static void fill_activations(leat_vmath_table *t) {
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

static void fill_table(leat_vmath_table *t) {
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
