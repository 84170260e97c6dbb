/* vmath_tmpl.h - the vector-math family over any SIMD width; included once by each vmath_<isa>.c, which first defines:
 *
 *   VF VI VM         vector of W floats, of W int32, comparison mask            W  lanes
 *   V_SET V_LOAD V_STORE V_LOADN(p, n) V_STOREN(p, v, n)                       n in [1, W): the rest reads as 0 and is not written
 *   V_ADD V_SUB V_MUL V_DIV V_SQRT V_FMA(a, b, c) = ab + c   V_FNMA = c - ab   V_ABS V_NEG V_COPYSIGN(magnitude, sign) V_RINT
 *   V_MIN(a, b) V_MAX(a, b)  the hardware's: b when either is NaN               V_LT V_UNORD V_SEL(mask, yes, no)
 *   V_SCALE(v, n)    v * 2^n for an integral float n in [-160, 160], gradual underflow and overflow to infinity
 *   V_SCALE_NEAR(v, n)   the same for n in [-125, 126] and v in [sqrt 1/2, sqrt 2]
 *   V_SPLIT(v, &e)   positive v = m * 2^e, m in [sqrt 1/2, sqrt 2), denormals too    V_HSUM V_HMAX V_HMIN
 *
 * Polynomials: fitted for this file by reweighted least squares towards the minimax; the error quoted at each is that of the fit.
 */
#include <math.h>

/* ---- functions of one vector ---------------------------------------------------------------------------------------- */

/* e^x = 2^n e^r, r in [-ln 2 / 2, ln 2 / 2]; e^r = 1 + r + r^2 P(r), fit 3e-9. */
static inline VF v_exp(VF x) {
    x = V_MAX(V_SET(-110.0f), V_MIN(V_SET(100.0f), x)); /* both ends lie in what becomes 0 and infinity; a NaN passes */
    VF n = V_RINT(V_MUL(x, V_SET(1.44269504f)));
    VF r = V_FNMA(n, V_SET(0.693145752f), x);
    r = V_FNMA(n, V_SET(1.42860677e-6f), r);
    VF p = V_SET(0.001395054067f);
    p = V_FMA(p, r, V_SET(0.008368917946f));
    p = V_FMA(p, r, V_SET(0.04166620506f));
    p = V_FMA(p, r, V_SET(0.166665186f));
    p = V_FMA(p, r, V_SET(0.5000000095f));
    p = V_ADD(V_FMA(V_MUL(r, r), p, r), V_SET(1.0f));
    return V_SCALE(p, n);
}

/* log m = f - f^2/2 + f^3 P(f), f = m - 1, fit 6e-9 f^2; plus e ln 2 in two parts. */
static inline VF v_log(VF x) {
    VF e, f = V_SUB(V_SPLIT(x, &e), V_SET(1.0f)), z = V_MUL(f, f);
    VF p = V_SET(-0.07859619493f);
    p = V_FMA(p, f, V_SET(0.1288165408f));
    p = V_FMA(p, f, V_SET(-0.1312875483f));
    p = V_FMA(p, f, V_SET(0.1418119103f));
    p = V_FMA(p, f, V_SET(-0.1662455396f));
    p = V_FMA(p, f, V_SET(0.2000228631f));
    p = V_FMA(p, f, V_SET(-0.2500081041f));
    p = V_FMA(p, f, V_SET(0.3333331673f));
    p = V_MUL(V_MUL(p, f), z);
    p = V_FMA(e, V_SET(1.42860677e-6f), p);
    p = V_FNMA(V_SET(0.5f), z, p);
    VF y = V_FMA(e, V_SET(0.693145752f), V_ADD(f, p));
    VF zero = V_SET(0.0f);
    y = V_SEL(V_LT(x, V_SET(INFINITY)), y, x); /* +inf and NaN */
    y = V_SEL(V_EQ(x, zero), V_SET(-INFINITY), y);
    return V_SEL(V_LT(x, zero), V_SET(NAN), y);
}

/* 1 / (1 + e^-x), by e^-|x| on both sides: nothing overflows and small results keep their precision. */
static inline VF v_sigmoid(VF x) {
    VF e = v_exp(V_NEG(V_ABS(x))), one = V_SET(1.0f);
    VF s = V_DIV(V_SEL(V_LT(x, V_SET(0.0f)), e, one), V_ADD(one, e));
    return s;
}

/* x / (1 + e^-ax).  The result forgives more than the sigmoid alone (errors of the exponential count by a quarter at most), so e^-ax =
 * 2^n 2^f needs one multiplication to reduce and a shorter polynomial, fit 9e-8; from 2^126 on the result is 0. */
static inline VF v_silu(VF x, VF scale) { /* scale = -a log2 e */
    VF t = V_MIN(V_SET(126.0f), V_MAX(V_SET(-125.0f), V_MUL(x, scale)));
    VF n = V_RINT(t), f = V_SUB(t, n), one = V_SET(1.0f);
    VF p = V_SET(0.00132646988f);
    p = V_FMA(p, f, V_SET(0.009671508823f));
    p = V_FMA(p, f, V_SET(0.05550733776f));
    p = V_FMA(p, f, V_SET(0.2402224215f));
    p = V_FMA(p, f, V_SET(0.6931469776f));
    VF e = V_SCALE_NEAR(V_FMA(p, f, one), n);
    return V_DIV(V_SEL(V_LT(t, V_SET(126.0f)), x, V_SET(0.0f)), V_ADD(one, e));
}

/* Small |x|: x + x^3 P(x^2), fit 4e-9; else 1 - 2 / (e^2|x| + 1). */
static inline VF v_tanh(VF x) {
    VF a = V_ABS(x), z = V_MUL(x, x), one = V_SET(1.0f);
    VF p = V_SET(-0.005717043591f);
    p = V_FMA(p, z, V_SET(0.02065058607f));
    p = V_FMA(p, z, V_SET(-0.05374349774f));
    p = V_FMA(p, z, V_SET(0.1333149128f));
    p = V_FMA(p, z, V_SET(-0.3333328393f));
    p = V_FMA(V_MUL(p, z), x, x);
    VF e = v_exp(V_ADD(a, a));
    VF large = V_SUB(one, V_DIV(V_SET(2.0f), V_ADD(e, one)));
    return V_SEL(V_LT(a, V_SET(0.625f)), p, V_COPYSIGN(large, x));
}

/* erfc |x| for |x| >= 1: e^Q(|x|), fit 1e-9; beyond 4 it is held at 1.5e-8. */
static inline VF v_erfc_tail(VF a) {
    a = V_MIN(V_SET(4.0f), a);
    VF q = V_SET(0.0001855741119f);
    q = V_FMA(q, a, V_SET(-0.002939608346f));
    q = V_FMA(q, a, V_SET(0.02180532267f));
    q = V_FMA(q, a, V_SET(-0.1030373782f));
    q = V_FMA(q, a, V_SET(-0.638225666f));
    q = V_FMA(q, a, V_SET(-1.127040043f));
    return v_exp(V_FMA(q, a, V_SET(-0.0003537176776f)));
}

/* erf x = x P(x^2) for |x| < 1, fit 1e-9. */
static inline VF v_erf_centre(VF x) {
    VF z = V_MUL(x, x), p = V_SET(7.889123174e-05f);
    p = V_FMA(p, z, V_SET(-0.0008020842461f));
    p = V_FMA(p, z, V_SET(0.005189535485f));
    p = V_FMA(p, z, V_SET(-0.02685444468f));
    p = V_FMA(p, z, V_SET(0.1128360018f));
    p = V_FMA(p, z, V_SET(-0.3761262714f));
    return V_MUL(V_FMA(p, z, V_SET(1.128379166f)), x);
}

static inline VF v_erf(VF x) {
    VF a = V_ABS(x), one = V_SET(1.0f);
    return V_SEL(V_LT(a, one), v_erf_centre(x), V_COPYSIGN(V_SUB(one, v_erfc_tail(a)), x));
}

/* -inf times 0 must be a signed zero, not a NaN: the factor x is kept finite below. */
static inline VF v_finite_below(VF x) { return V_MAX(V_SET(-3.402823466e38f), x); }

/* x/2 erfc(-x / sqrt 2), erfc(a / sqrt 2) = e^Q(a) for all a >= 0 (2 - that on the right): the fit costs GELU 3e-8 absolute, and beyond 5.6 Q falls
 * on, to -397 at 13, so that the tail ends in zero by itself. */
static inline VF v_gelu(VF x) {
    VF a = V_MIN(V_SET(13.0f), V_ABS(x)), q = V_SET(-1.435045525e-06f);
    q = V_FMA(q, a, V_SET(2.096672968e-05f));
    q = V_FMA(q, a, V_SET(-9.904157973e-05f));
    q = V_FMA(q, a, V_SET(-0.000167453405f));
    q = V_FMA(q, a, V_SET(0.004991316511f));
    q = V_FMA(q, a, V_SET(-0.0364547093f));
    q = V_FMA(q, a, V_SET(-0.3182756868f));
    q = V_FMA(q, a, V_SET(-0.7978884638f));
    VF e = v_exp(V_FMA(q, a, V_SET(8.177852884e-08f)));
    VF twice = V_SEL(V_LT(x, V_SET(0.0f)), e, V_SUB(V_SET(2.0f), e));
    return V_MUL(V_MUL(V_SET(0.5f), v_finite_below(x)), twice);
}

/* x/2 (1 + tanh u) = x sigmoid(2u); u is monotonic, so x may be cut where the sigmoid has long been 0 or 1. */
static inline VF v_gelu_tanh(VF x) {
    VF c = V_MAX(V_SET(-100.0f), V_MIN(V_SET(100.0f), x));
    VF u = V_MUL(c, V_FMA(V_MUL(c, c), V_SET(0.0713548162726f), V_SET(1.5957691216f)));
    return V_MUL(v_finite_below(x), v_sigmoid(u));
}

static inline VF v_softplus(VF x) {
    VF e = v_exp(V_NEG(V_ABS(x)));
    return V_ADD(V_MAX(V_SET(0.0f), x), v_log(V_ADD(V_SET(1.0f), e)));
}

/* tanh(log(1 + e^x)) = n / (n + 2), n = e^x (e^x + 2); it is 1 long before x = 20. */
static inline VF v_mish(VF x) {
    VF e = v_exp(V_MIN(V_SET(20.0f), x)), n = V_MUL(e, V_ADD(e, V_SET(2.0f)));
    return V_MUL(v_finite_below(x), V_DIV(n, V_ADD(n, V_SET(2.0f))));
}

static inline VF v_elu(VF x, VF alpha, VF inverse) {
    VF low = V_MUL(alpha, V_SUB(v_exp(V_MUL(V_MIN(V_SET(0.0f), x), inverse)), V_SET(1.0f)));
    return V_SEL(V_LT(x, V_SET(0.0f)), low, x);
}

static inline VF v_clip(VF x, VF lo, VF hi) { return V_MIN(hi, V_MAX(lo, x)); }
static inline VF v_shrink(VF x, VF lambda, VF bias) {
    VF inside = V_SEL(V_UNORD(x), x, V_SET(0.0f));
    VF y = V_SEL(V_LT(lambda, x), V_SUB(x, bias), inside);
    return V_SEL(V_LT(x, V_NEG(lambda)), V_ADD(x, bias), y);
}
static inline VF v_minp(VF a, VF b) { return V_SEL(V_UNORD(a), a, V_MIN(a, b)); }
static inline VF v_maxp(VF a, VF b) { return V_SEL(V_UNORD(a), a, V_MAX(a, b)); }

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

ACT_ROW(relu, V_MAX(V_SET(0.0f), v))
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
BINARY_ROWS(min, v_minp(l, r))
BINARY_ROWS(max, v_maxp(l, r))
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
EXTREME_ROW(max, v_maxp, -INFINITY, max1)
EXTREME_ROW(min, v_minp, INFINITY, min1)

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
REDUCE_ROW(max, v_maxp(a, v))
REDUCE_ROW(min, v_minp(a, v))
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
