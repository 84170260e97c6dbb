/* vmath_vec.h - transcendental functions of one vector, over any SIMD width; needs the names that simd_<isa>.h defines:
 *
 *   VF VI VM         vector of W floats, of W int32, comparison mask            W  lanes
 *   V_SET V_LOAD V_STORE V_LOADN(p, n) V_STOREN(p, v, n)                       n in [1, W): the rest reads as 0 and is not written
 *   V_ADD V_SUB V_MUL V_DIV V_SQRT V_FMA(a, b, c) = ab + c   V_FNMA = c - ab   V_ABS V_NEG V_COPYSIGN(magnitude, sign) V_RINT
 *   V_FMA1(s, b, c)  sb + c for a float s                                       V_LT V_UNORD V_SEL(mask, yes, no)
 *   V_MIN(a, b) V_MAX(a, b)  b when either is NaN                               V_MINP V_MAXP  NaN when either is
 *   V_ATMOST(limit, x) V_ATLEAST(limit, x)  V_MIN and V_MAX for a limit that is no NaN: a NaN passes (of zeros, either)
 *   V_MAXNUM(x, b)   V_MAX for b that is no NaN: then b where x is one (of zeros, either)
 *   V_SCALE(v, n)    v * 2^n for an integral float n in [-160, 160], gradual underflow and overflow to infinity
 *   V_SCALE_NEAR(v, n)   the same for n in [-125, 126] and v in [sqrt 1/2, sqrt 2]
 *   V_SPLIT(v, &e)   positive v = m * 2^e, m in [sqrt 1/2, sqrt 2), denormals too    V_HSUM V_HMAX V_HMIN
 *
 * Polynomials: fitted for this file by reweighted least squares towards the minimax; the error quoted at each is that of the fit.
 */
#ifndef LEAT_CPU_VMATH_VEC_H
#define LEAT_CPU_VMATH_VEC_H

#include <math.h>

/* ---- functions of one vector ---------------------------------------------------------------------------------------- */

/* e^x = 2^n e^r, r in [-ln 2 / 2, ln 2 / 2]; e^r = 1 + r + r^2 P(r), fit 3e-9. */
static inline VF v_exp(VF x) {
    x = V_ATLEAST(V_SET(-110.0f), V_ATMOST(V_SET(100.0f), x)); /* both ends lie in what becomes 0 and infinity; a NaN passes */
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
    VF t = V_ATMOST(V_SET(126.0f), V_ATLEAST(V_SET(-125.0f), V_MUL(x, scale)));
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
    a = V_ATMOST(V_SET(4.0f), a);
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
static inline VF v_finite_below(VF x) { return V_ATLEAST(V_SET(-3.402823466e38f), x); }

/* x/2 erfc(-x / sqrt 2), erfc(a / sqrt 2) = e^Q(a) for all a >= 0 (2 - that on the right): the fit costs GELU 3e-8 absolute, and beyond 5.6 Q falls
 * on, to -397 at 13, so that the tail ends in zero by itself. */
static inline VF v_gelu(VF x) {
    VF a = V_ATMOST(V_SET(13.0f), V_ABS(x)), q = V_SET(-1.435045525e-06f);
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
    VF c = V_ATLEAST(V_SET(-100.0f), V_ATMOST(V_SET(100.0f), x));
    VF u = V_MUL(c, V_FMA(V_MUL(c, c), V_SET(0.0713548162726f), V_SET(1.5957691216f)));
    return V_MUL(v_finite_below(x), v_sigmoid(u));
}

static inline VF v_softplus(VF x) {
    VF e = v_exp(V_NEG(V_ABS(x)));
    return V_ADD(V_ATLEAST(V_SET(0.0f), x), v_log(V_ADD(V_SET(1.0f), e)));
}

/* tanh(log(1 + e^x)) = n / (n + 2), n = e^x (e^x + 2); it is 1 long before x = 20. */
static inline VF v_mish(VF x) {
    VF e = v_exp(V_ATMOST(V_SET(20.0f), x)), n = V_MUL(e, V_ADD(e, V_SET(2.0f)));
    return V_MUL(v_finite_below(x), V_DIV(n, V_ADD(n, V_SET(2.0f))));
}

static inline VF v_elu(VF x, VF alpha, VF inverse) {
    VF low = V_MUL(alpha, V_SUB(v_exp(V_MUL(V_ATMOST(V_SET(0.0f), x), inverse)), V_SET(1.0f)));
    return V_SEL(V_LT(x, V_SET(0.0f)), low, x);
}

static inline VF v_clip(VF x, VF lo, VF hi) { return V_ATMOST(hi, V_ATLEAST(lo, x)); }
static inline VF v_shrink(VF x, VF lambda, VF bias) {
    VF inside = V_SEL(V_UNORD(x), x, V_SET(0.0f));
    VF y = V_SEL(V_LT(lambda, x), V_SUB(x, bias), inside);
    return V_SEL(V_LT(x, V_NEG(lambda)), V_ADD(x, bias), y);
}

#endif
