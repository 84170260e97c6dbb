/* lm_rows_tmpl.h - the rows of a language model over any SIMD width; included once by each lm_rows_<isa>.c, after simd_<isa>.h and
 *
 *   V_PAIRS(p)   W/2 floats, each in two neighbouring lanes        V_SWAP(v)   neighbours exchanged
 *   V_MULSUBADD(a, b, c)   ab - c in even lanes, ab + c in odd ones
 */
#include <math.h>

#include "cpu/vmath_vec.h"

enum { BLOCK = 4096 }; /* elements between two flushes of partial sums into a double */

/* ---- sums ----------------------------------------------------------------------------------------------------------- */

static inline VF v_square(VF s, VF v, VF centre) {
    VF d = V_SUB(v, centre);
    return V_FMA(d, d, s);
}

/* sum (x - centre)^2 */
static double squares(const float *x, int64_t n, float centre) {
    const VF c = V_SET(centre);
    double   total = 0;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t i = from, end = n - from < BLOCK ? n : from + BLOCK;
        VF      s0 = V_SET(0.0f), s1 = s0, s2 = s0, s3 = s0;
        for (; i + 4 * W <= end; i += 4 * W) {
            s0 = v_square(s0, V_LOAD(x + i), c);
            s1 = v_square(s1, V_LOAD(x + i + W), c);
            s2 = v_square(s2, V_LOAD(x + i + 2 * W), c);
            s3 = v_square(s3, V_LOAD(x + i + 3 * W), c);
        }
        for (; i + W <= end; i += W) s0 = v_square(s0, V_LOAD(x + i), c);
        if (i < end) s1 = v_square(s1, V_LOADN(x + i, end - i), V_KEEP(c, end - i));
        total += (double)V_HSUM(V_ADD(V_ADD(s0, s1), V_ADD(s2, s3)));
    }
    return total;
}

static double plain_sum(const float *x, int64_t n) {
    double total = 0;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t i = from, end = n - from < BLOCK ? n : from + BLOCK;
        VF      s0 = V_SET(0.0f), s1 = s0;
        for (; i + 2 * W <= end; i += 2 * W) {
            s0 = V_ADD(s0, V_LOAD(x + i));
            s1 = V_ADD(s1, V_LOAD(x + i + W));
        }
        if (i + W <= end) s0 = V_ADD(s0, V_LOAD(x + i)), i += W;
        if (i < end) s1 = V_ADD(s1, V_LOADN(x + i, end - i));
        total += (double)V_HSUM(V_ADD(s0, s1));
    }
    return total;
}

/* ---- rows: `value` of the vector v at i; GET reads a whole vector or the tail ------------------------------------------ */

#define ROW(value)                                          \
    int64_t i = 0;                                          \
    for (; i + W <= n; i += W) V_STORE(out + i, value(WHOLE)); \
    if (i < n) V_STOREN(out + i, value(PART), n - i)
#define WHOLE(p) V_LOAD((p) + i)
#define PART(p) V_LOADN((p) + i, n - i)

static void rms_norm(const float *x, const float *weight, float eps, int64_t n, float *out) {
    const VF inverse = V_SET((float)(1.0 / sqrt(squares(x, n, 0) / (double)n + (double)eps)));
#define PLAIN(GET) V_MUL(GET(x), inverse)
#define WEIGHTED(GET) V_MUL(V_MUL(GET(x), inverse), GET(weight))
    if (weight) {
        ROW(WEIGHTED);
    } else {
        ROW(PLAIN);
    }
#undef PLAIN
#undef WEIGHTED
}

static void layer_norm(const float *x, const float *weight, const float *bias, float eps, int64_t n, float *out) {
    float    mean = (float)(plain_sum(x, n) / (double)n);
    const VF inverse = V_SET((float)(1.0 / sqrt(squares(x, n, mean) / (double)n + (double)eps))), m = V_SET(mean);
#define UNIT(GET) V_MUL(V_SUB(GET(x), m), inverse)
#define WEIGHTED(GET) V_MUL(UNIT(GET), GET(weight))
#define SHIFTED(GET) V_ADD(UNIT(GET), GET(bias))
#define BOTH(GET) V_FMA(UNIT(GET), GET(weight), GET(bias))
    if (weight && bias) {
        ROW(BOTH);
    } else if (weight) {
        ROW(WEIGHTED);
    } else if (bias) {
        ROW(SHIFTED);
    } else {
        ROW(UNIT);
    }
#undef UNIT
#undef WEIGHTED
#undef SHIFTED
#undef BOTH
}

#define ADD(GET) V_ADD(GET(x), GET(y))
#define SCALED(GET) V_MUL(GET(x), f)
#define ADD_SCALED(GET) V_FMA(GET(x), f, GET(out))
#define SILU(GET) v_silu(GET(gate), f)
#define SILU_MUL(GET) V_MUL(v_silu(GET(gate), f), GET(up))
#define GELU(GET) v_gelu_tanh(GET(gate))
#define GELU_MUL(GET) V_MUL(v_gelu_tanh(GET(gate)), GET(up))
#define GELU_ERF(GET) v_gelu(GET(x))
#define TAME(GET) V_ATMOST(f, V_MAXNUM(GET(x), least))
#define SOFTCAP(GET) V_MUL(v_tanh(V_MUL(GET(x), inverse)), f)

static void add(const float *x, const float *y, int64_t n, float *out) { ROW(ADD); }
static void scale(const float *x, float factor, int64_t n, float *out) {
    const VF f = V_SET(factor);
    ROW(SCALED);
}
static void add_scaled(const float *x, float factor, int64_t n, float *out) {
    const VF f = V_SET(factor);
    ROW(ADD_SCALED);
}
static void silu_mul(const float *gate, const float *up, int64_t n, float *out) {
    const VF f = V_SET(-1.44269504f);
    if (up) {
        ROW(SILU_MUL);
    } else {
        ROW(SILU);
    }
}
static void gelu_mul(const float *gate, const float *up, int64_t n, float *out) {
    if (up) {
        ROW(GELU_MUL);
    } else {
        ROW(GELU);
    }
}
static void gelu_erf(const float *x, int64_t n, float *out) { ROW(GELU_ERF); }
static void softcap(const float *x, float cap, int64_t n, float *out) {
    const VF f = V_SET(cap), inverse = V_SET(1.0f / cap);
    ROW(SOFTCAP);
}
static void tame(const float *x, float limit, int64_t n, float *out) {
    const VF f = V_SET(limit), least = V_SET(-INFINITY);
    ROW(TAME);
}

/* ---- positions ------------------------------------------------------------------------------------------------------ */

static inline void rotate(float *a, float *b, float cosine, float sine) {
    float x = *a, y = *b;
    *a = x * cosine - y * sine;
    *b = x * sine + y * cosine;
}

static void rope_pairs(float *x, const float *cosine, const float *sine, int64_t half) {
    int64_t i = 0;
    for (; i + W / 2 <= half; i += W / 2) {
        VF v = V_LOAD(x + 2 * i);
        V_STORE(x + 2 * i, V_MULSUBADD(v, V_PAIRS(cosine + i), V_MUL(V_SWAP(v), V_PAIRS(sine + i))));
    }
    for (; i < half; i++) rotate(&x[2 * i], &x[2 * i + 1], cosine[i], sine[i]);
}

static void rope_halves(float *x, const float *cosine, const float *sine, int64_t half) {
    int64_t i = 0;
    for (; i + W <= half; i += W) {
        VF a = V_LOAD(x + i), b = V_LOAD(x + i + half), c = V_LOAD(cosine + i), s = V_LOAD(sine + i);
        V_STORE(x + i, V_FNMA(b, s, V_MUL(a, c)));
        V_STORE(x + i + half, V_FMA(a, s, V_MUL(b, c)));
    }
    for (; i < half; i++) rotate(&x[i], &x[i + half], cosine[i], sine[i]);
}

/* ---- choices -------------------------------------------------------------------------------------------------------- */

static inline float largest_lane(VF v) {
    float lanes[W], best = -INFINITY;
    V_STORE(lanes, v);
    for (int k = 0; k < W; k++) best = lanes[k] > best ? lanes[k] : best;
    return best;
}

/* The largest, NaN passed over; -INFINITY for nothing else. */
static float largest(const float *x, int64_t n) {
    VF      m0 = V_SET(-INFINITY), m1 = m0, m2 = m0, m3 = m0;
    int64_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
        m0 = V_MAXNUM(V_LOAD(x + i), m0);
        m1 = V_MAXNUM(V_LOAD(x + i + W), m1);
        m2 = V_MAXNUM(V_LOAD(x + i + 2 * W), m2);
        m3 = V_MAXNUM(V_LOAD(x + i + 3 * W), m3);
    }
    for (; i + W <= n; i += W) m0 = V_MAXNUM(V_LOAD(x + i), m0);
    float best = largest_lane(V_MAXNUM(V_MAXNUM(m0, m1), V_MAXNUM(m2, m3)));
    for (; i < n; i++) best = x[i] > best ? x[i] : best;
    return best;
}

/* The first block that has the largest is remembered, and only that one searched. */
static int64_t argmax(const float *x, int64_t n) {
    float   best = -INFINITY;
    int64_t start = 0;
    for (int64_t from = 0; from < n; from += BLOCK) {
        float here = largest(x + from, n - from < BLOCK ? n - from : BLOCK);
        if (here > best) best = here, start = from;
    }
    for (int64_t i = start; i < n; i++)
        if (x[i] == best) return i;
    return 0;
}

static float softmax(float *x, int64_t n) {
    float    top = largest(x, n);
    const VF shift = V_SET(top);
    double   total = 0;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t i = from, end = n - from < BLOCK ? n : from + BLOCK;
        VF      s = V_SET(0.0f);
        for (; i + W <= end; i += W) {
            VF e = v_exp(V_SUB(V_LOAD(x + i), shift));
            V_STORE(x + i, e);
            s = V_ADD(s, e);
        }
        if (i < end) {
            VF e = V_KEEP(v_exp(V_SUB(V_LOADN(x + i, end - i), shift)), end - i);
            V_STOREN(x + i, e, end - i);
            s = V_ADD(s, e);
        }
        total += (double)V_HSUM(s);
    }
    scale(x, (float)(1.0 / total), n, x);
    return top + (float)log(total);
}

#define LM_ROWS_TABLE(name)                                                                                                                      \
    {.rms_norm = rms_norm, .layer_norm = layer_norm, .add = add, .scale = scale, .add_scaled = add_scaled, .silu_mul = silu_mul, .gelu_mul = gelu_mul, \
     .gelu_erf = gelu_erf, .rope_pairs = rope_pairs, .rope_halves = rope_halves, .softmax = softmax, .softcap = softcap, .tame = tame, .argmax = argmax, .isa = name}
