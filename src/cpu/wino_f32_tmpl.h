/* wino_f32_tmpl.h - the tile transforms, written once over a vector type; included by wino_f32_{ref,avx2,avx512,neon}.c.
 *
 * The includer defines V (vector), W (its floats), LOAD(p), LOAD_PART(p, n), STORE(p, v), STORE_PART(p, v, n), SET(f), ADD, SUB, MUL,
 * FMA(a, b, c) = a * b + c, CLIP(v, lo, hi) and NAME(x).
 *
 * With points 0, +-a, +-b, infinity (a = 3/4, b = 3/2) a row d0..d5 becomes
 *   a2b2 d0 - (a2 + b2) d2 + d4,   (d4 - b2 d2) +- a (d3 - b2 d1),   (d4 - a2 d2) +- b (d3 - a2 d1),   a2b2 d1 - (a2 + b2) d3 + d5
 * and m0..m5 becomes  m0 + p + q,  a s + b t,  a2 p + b2 q,  a3 s + b3 t + m5  with p, s = m1 +- m2 and q, t = m3 +- m4.
 */
#define A1 0.75f
#define B1 1.5f
#define A2 (A1 * A1)
#define B2 (B1 * B1)

static inline void NAME(in6)(V *d) {
    V d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    V e1 = FMA(SET(-B2), d2, d4), o1 = MUL(SET(A1), FMA(SET(-B2), d1, d3));
    V e2 = FMA(SET(-A2), d2, d4), o2 = MUL(SET(B1), FMA(SET(-A2), d1, d3));
    d[0] = FMA(SET(A2 * B2), d0, FMA(SET(-(A2 + B2)), d2, d4));
    d[1] = ADD(e1, o1);
    d[2] = SUB(e1, o1);
    d[3] = ADD(e2, o2);
    d[4] = SUB(e2, o2);
    d[5] = FMA(SET(A2 * B2), d1, FMA(SET(-(A2 + B2)), d3, d5));
}

static inline void NAME(out6)(const V *m, V *y) {
    V p = ADD(m[1], m[2]), s = SUB(m[1], m[2]), q = ADD(m[3], m[4]), t = SUB(m[3], m[4]);
    y[0] = ADD(ADD(m[0], p), q);
    y[1] = FMA(SET(B1), t, MUL(SET(A1), s));
    y[2] = FMA(SET(B2), q, MUL(SET(A2), p));
    y[3] = FMA(SET(B2 * B1), t, FMA(SET(A2 * A1), s, m[5]));
}

/* F(2, 3), points 0, 1, -1, infinity. */
static inline void NAME(in4)(V *d) {
    V d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    d[0] = SUB(d0, d2);
    d[1] = ADD(d1, d2);
    d[2] = SUB(d2, d1);
    d[3] = SUB(d3, d1);
}

static inline void NAME(out4)(const V *m, V *y) {
    y[0] = ADD(ADD(m[0], m[1]), m[2]);
    y[1] = ADD(SUB(m[1], m[2]), m[3]);
}

#define UNROLL _Pragma("GCC unroll 6") /* or the tile lives in memory and is copied about */

/* S points a side; one vector of channels. */
#define IN_VECTOR(S, TRANSFORM, LOADS)                                 \
    do {                                                               \
        V t[S][S];                                                     \
        UNROLL                                                         \
        for (int j = 0; j < S; j++) {                                  \
            V d[S];                                                    \
            UNROLL                                                     \
            for (int i = 0; i < S; i++) d[i] = LOADS(px[i * S + j] + k); \
            TRANSFORM(d);                                              \
            UNROLL                                                     \
            for (int i = 0; i < S; i++) t[i][j] = d[i];                \
        }                                                              \
        UNROLL                                                         \
        for (int i = 0; i < S; i++) {                                  \
            TRANSFORM(t[i]);                                           \
            UNROLL                                                     \
            for (int j = 0; j < S; j++) STORE(v + (i * S + j) * v_stride + k, t[i][j]); \
        }                                                              \
    } while (0)

#define LOAD_REST(p) LOAD_PART(p, c - k)

static void NAME(wino_in4)(const float *const *px, int64_t c, float *v, int64_t v_stride) {
    int64_t k = 0;
    for (; k + W <= c; k += W) IN_VECTOR(6, NAME(in6), LOAD);
    if (k < c) IN_VECTOR(6, NAME(in6), LOAD_REST);
}

static void NAME(wino_in2)(const float *const *px, int64_t c, float *v, int64_t v_stride) {
    int64_t k = 0;
    for (; k + W <= c; k += W) IN_VECTOR(4, NAME(in4), LOAD);
    if (k < c) IN_VECTOR(4, NAME(in4), LOAD_REST);
}

/* Stores `left` >= 1 channels of pixel i, finished. */
static inline void NAME(finish)(const leat_wino_out *o, int i, int64_t k, V y, int64_t left) {
    if (!o->y[i]) return;
    if (left >= W) {
        if (o->before[i]) y = ADD(y, LOAD(o->before[i] + k));
        y = CLIP(y, SET(o->lo), SET(o->hi));
        if (o->after[i]) y = ADD(y, LOAD(o->after[i] + k));
        STORE(o->y[i] + k, y);
        return;
    }
    if (o->before[i]) y = ADD(y, LOAD_PART(o->before[i] + k, left));
    y = CLIP(y, SET(o->lo), SET(o->hi));
    if (o->after[i]) y = ADD(y, LOAD_PART(o->after[i] + k, left));
    STORE_PART(o->y[i] + k, y, left);
}

/* S points and R outputs a side; one vector of channels. */
#define OUT_VECTOR(S, R, TRANSFORM)                                    \
    do {                                                               \
        V t[R][S], y[R];                                               \
        UNROLL                                                         \
        for (int j = 0; j < S; j++) {                                  \
            V m[S];                                                    \
            UNROLL                                                     \
            for (int i = 0; i < S; i++) m[i] = LOAD(o->m + (i * S + j) * o->m_stride + k); \
            TRANSFORM(m, y);                                           \
            UNROLL                                                     \
            for (int i = 0; i < R; i++) t[i][j] = y[i];                \
        }                                                              \
        V bias = SET(0);                                               \
        if (o->bias) bias = left >= W ? LOAD(o->bias + k) : LOAD_PART(o->bias + k, left); \
        UNROLL                                                         \
        for (int i = 0; i < R; i++) {                                  \
            TRANSFORM(t[i], y);                                        \
            UNROLL                                                     \
            for (int j = 0; j < R; j++) NAME(finish)(o, i * R + j, k, ADD(y[j], bias), left); \
        }                                                              \
    } while (0)

static void NAME(wino_out4)(const leat_wino_out *o) {
    for (int64_t k = 0; k < o->n; k += W) {
        int64_t left = o->n - k;
        OUT_VECTOR(6, 4, NAME(out6));
    }
}

static void NAME(wino_out2)(const leat_wino_out *o) {
    for (int64_t k = 0; k < o->n; k += W) {
        int64_t left = o->n - k;
        OUT_VECTOR(4, 2, NAME(out4));
    }
}
