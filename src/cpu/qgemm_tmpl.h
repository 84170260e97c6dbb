/* qgemm_tmpl.h - tiles of LEAT_QGEMM_ROWS rows x T tokens of unpacked weights, one text for all vector widths.
 *
 * The includer defines VI, VF, LANES (32-bit, that many rows), MOST (tokens), LOADI, LOADF, STOREF, STOREI, SETI, SETF (one value to all lanes), CVT, FMA, MUL, ADDF, and
 *   DP(acc, w, x)                        unsigned w times signed x into 32 bits, exact, or
 *   DOT16(w, x), PAIRS(v), ADD16, ADD32  sums of two products in 16 bits, and of two such sums in 32, with XOR, AND, ABS8, NEGATIVE8 (all ones where so), or
 *   OWN_DOTS                             it has a dots() of its own, behind this text; PIECE bytes of a row lie together in its panels (4 unless it says so)
 * With DOT16 as many sums are added in 16 bits as the weights' bits allow: 8 x 2 x 15 x 127 and 2 x 2 x 63 x 127 fit.
 *
 * T tokens x NV vectors of rows are summed at once; what the accumulators start from, -offset * sum of q, and the tokens' factors of the
 * minima are made before the loop, since together they are one load in it: qgemm_start_avx2.h and qgemm_start_neon.h.  A vector may hold
 * two tokens (PER) and half as many rows; their scales then stand in the panel in that form.
 */
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#ifndef NV
#define NV 2
#endif
#ifndef PIECE
#define PIECE 4
#endif
#ifndef PER
#define PER 1 /* tokens of a vector */
#endif
#define ROWS LEAT_QGEMM_ROWS
#define WIDTH (PER * ROWS) /* of a group's scales */
#define PASSES (ROWS / (NV * LANES))
#define HALVES (LEAT_QGEMM_DEPTH / 16)
#ifdef __clang__ /* which takes a number for a factor, not for a limit */
#define UNROLL_T _Pragma("clang loop unroll(full)")
#define UNROLL_V UNROLL_T
#define UNROLL_K UNROLL_T
#else
#define UNROLL_T _Pragma("GCC unroll 6")
#define UNROLL_V _Pragma("GCC unroll 4")
#define UNROLL_K _Pragma("GCC unroll 8")
#endif

#ifdef __AVX2__
#include "cpu/qgemm_start_avx2.h"
#else
#include "cpu/qgemm_start_neon.h"
#endif

/* ---- integer sums --------------------------------------------------------------------------------------------------------- */

/* Four activations, for all lanes. */
INLINE int32_t load_quad(const int8_t *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* acc += `quads` times four products of w [quads][ROWS][4] and x [T][ldq]. */
#if defined(OWN_DOTS)
INLINE void dots(VI acc[MOST][NV], const uint8_t *w, const int8_t *x, int64_t ldq, const int quads, const int bits, const int T);
#elif defined(DP)
INLINE void dots(VI acc[MOST][NV], const uint8_t *w, const int8_t *x, int64_t ldq, const int quads, const int bits, const int T) {
    UNROLL_K for (int k = 0; k < quads; k++) {
        VI wv[NV];
        UNROLL_V for (int v = 0; v < NV; v++) wv[v] = LOADI(w + 4 * (k * ROWS + v * LANES));
        UNROLL_T for (int i = 0; i < T; i++) {
            VI xv = SETI(load_quad(x + i * ldq + 4 * k));
            UNROLL_V for (int v = 0; v < NV; v++) acc[i][v] = DP(acc[i][v], wv[v], xv);
        }
    }
}
#else
INLINE void dots_4(VI acc[MOST][NV], const uint8_t *w, const int8_t *x, int64_t ldq, const int quads, const int T) {
    VI part[MOST][NV];
    UNROLL_K for (int k = 0; k < quads; k++) {
        VI wv[NV];
        UNROLL_V for (int v = 0; v < NV; v++) wv[v] = LOADI(w + 4 * (k * ROWS + v * LANES));
        UNROLL_T for (int i = 0; i < T; i++) {
            VI xv = SETI(load_quad(x + i * ldq + 4 * k));
            UNROLL_V for (int v = 0; v < NV; v++) {
                part[i][v] = k ? ADD16(part[i][v], DOT16(wv[v], xv)) : DOT16(wv[v], xv);
                STAY(part[i][v]);
            }
        }
    }
    UNROLL_T for (int i = 0; i < T; i++)
        UNROLL_V for (int v = 0; v < NV; v++) acc[i][v] = ADD32(acc[i][v], PAIRS(part[i][v]));
}

INLINE void dots_6(VI acc[MOST][NV], const uint8_t *w, const int8_t *x, int64_t ldq, const int quads, const int T) {
    UNROLL_K for (int k = 0; k < quads; k += 2) {
        VI w0[NV], w1[NV];
        UNROLL_V for (int v = 0; v < NV; v++) w0[v] = LOADI(w + 4 * (k * ROWS + v * LANES));
        UNROLL_V for (int v = 0; v < NV; v++) w1[v] = LOADI(w + 4 * ((k + 1) * ROWS + v * LANES));
        UNROLL_T for (int i = 0; i < T; i++) {
            VI x0 = SETI(load_quad(x + i * ldq + 4 * k)), x1 = SETI(load_quad(x + i * ldq + 4 * k + 4));
            UNROLL_V for (int v = 0; v < NV; v++) {
                acc[i][v] = ADD32(acc[i][v], PAIRS(ADD16(DOT16(w0[v], x0), DOT16(w1[v], x1))));
                STAY(acc[i][v]);
            }
        }
    }
}

/* Signed weights: |w| times x or -x - 1, exact in 16 bits even for -128; what is missing is in the sums that they start from. */
INLINE void dots_8(VI acc[MOST][NV], const uint8_t *w, const int8_t *x, int64_t ldq, const int quads, const int T) {
    UNROLL_K for (int k = 0; k < quads; k++) {
        VI size[NV], negative[NV];
        UNROLL_V for (int v = 0; v < NV; v++) {
            VI wv = LOADI(w + 4 * (k * ROWS + v * LANES));
            size[v] = ABS8(wv);
            negative[v] = NEGATIVE8(wv);
        }
        UNROLL_T for (int i = 0; i < T; i++) {
            VI xv = SETI(load_quad(x + i * ldq + 4 * k));
            UNROLL_V for (int v = 0; v < NV; v++) {
                acc[i][v] = ADD32(acc[i][v], PAIRS(DOT16(size[v], XOR(xv, negative[v]))));
                STAY(acc[i][v]);
            }
        }
    }
}

INLINE void dots(VI acc[MOST][NV], const uint8_t *w, const int8_t *x, int64_t ldq, const int quads, const int bits, const int T) {
    if (bits == 4) dots_4(acc, w, x, ldq, quads, T);
    else if (bits == 6) dots_6(acc, w, x, ldq, quads, T);
    else dots_8(acc, w, x, ldq, quads, T);
}

/* Makes a panel signed, and the sums that its groups start from: of |w| over negative w. */
static void make_signed(uint8_t *bytes, int64_t groups, int32_t *sums) {
    for (int64_t g = 0; g < groups; g++, sums += ROWS, bytes += 32 * ROWS)
        for (int r = 0; r < ROWS; r += LANES) {
            VI sum = SETI(0);
            for (int k = 0; k < 8; k++) {
                uint8_t *at = bytes + 4 * (k * ROWS + r);
                VI w = XOR(LOADI(at), SETI((int)0x80808080u));
                sum = ADD32(sum, PAIRS(DOT16(AND(ABS8(w), NEGATIVE8(w)), SETI(0x01010101))));
                STOREI(at, w);
            }
            STOREI(sums + r, sum);
        }
}
#endif

INLINE void open_sums(VI acc[MOST][NV], const start *s, int64_t group, const int T) {
    UNROLL_V for (int v = 0; v < NV; v++) {
        const start *own = AGAIN(s);
        UNROLL_T for (int i = 0; i < T; i++) acc[i][v] = TOKEN_I(own->sum[i][group]);
    }
}

#ifdef DOT16
/* The panel's own sums, the same for all tokens. */
INLINE void open_signed(VI acc[MOST][NV], const int32_t *sums, const int T) {
    UNROLL_T for (int i = 0; i < T; i++)
        UNROLL_V for (int v = 0; v < NV; v++) acc[i][v] = LOADI(sums + v * LANES);
}
#endif

/* ---- what comes next ------------------------------------------------------------------------------------------------------ */

INLINE void fetch_ahead(leat_qgemm_ahead *a) {
    for (int64_t i = a->lines; i > 0 && a->rows > 0; i--) {
        __builtin_prefetch(a->at, 0, 2);
        a->at += 64;
        a->left -= 64;
        if (a->left > 0) continue;
        a->at += a->left - a->row + a->stride; /* the next row's beginning */
        a->left = a->row;
        a->rows--;
    }
}

/* ---- a group of 32 -------------------------------------------------------------------------------------------------------- */

INLINE void add_minima(VF y[MOST][NV], const start *s, const float *added, int64_t group, const int T) {
    UNROLL_T for (int i = 0; i < T; i++) {
        VF factor = TOKEN_F(s->factor[i][group]);
        UNROLL_V for (int v = 0; v < NV; v++) y[i][v] = FMA(factor, LOADF(added + WIDTH * group + v * PER * LANES), y[i][v]);
    }
}

INLINE void group_32(VF y[MOST][NV], const leat_qgemm_tile *t, const start *s, int64_t g, int pass, const int bits, const int min, const int T) {
    const float *scale = t->scale + WIDTH * g + pass * NV * PER * LANES;
    VI acc[MOST][NV];
#ifdef DOT16
    if (bits == 8) open_signed(acc, (const int32_t *)(const void *)t->added + g * ROWS + pass * NV * LANES, T);
    else
#endif
        open_sums(acc, s, g, T);
    dots(acc, t->bytes + 32 * g * ROWS + pass * NV * LANES * PIECE, TOKENS_Q(t, s, 32 * g), TOKENS_LDQ(t), 8, bits, T);
    UNROLL_T for (int i = 0; i < T; i++) {
        VF x_scale = TOKENS_SCALE(t, s, i, g);
        UNROLL_V for (int v = 0; v < NV; v++) y[i][v] = FMA(CVT(acc[i][v]), MUL(x_scale, LOADF(scale + v * PER * LANES)), y[i][v]);
    }
    if (min) add_minima(y, s, t->added + pass * NV * PER * LANES, g, T);
}

INLINE void group_16(VF y[MOST][NV], const leat_qgemm_tile *t, const start *s, int64_t g, int pass, const int bits, const int min, const int T) {
    VF both[MOST][NV];
    UNROLL_V for (int half = 0; half < 2; half++) {
        const float *scale = t->scale + WIDTH * (2 * g + half) + pass * NV * PER * LANES;
        VI acc[MOST][NV];
        open_sums(acc, s, 2 * g + half, T);
        dots(acc, t->bytes + (32 * g + 16 * half) * ROWS + pass * NV * LANES * PIECE, TOKENS_Q(t, s, 32 * g + 16 * half), TOKENS_LDQ(t), 4, bits, T);
        UNROLL_T for (int i = 0; i < T; i++)
            UNROLL_V for (int v = 0; v < NV; v++) {
                VF w = LOADF(scale + v * PER * LANES);
                both[i][v] = half ? FMA(CVT(acc[i][v]), w, both[i][v]) : MUL(CVT(acc[i][v]), w);
            }
    }
    UNROLL_T for (int i = 0; i < T; i++) {
        VF x_scale = TOKENS_SCALE(t, s, i, g);
        UNROLL_V for (int v = 0; v < NV; v++) y[i][v] = FMA(both[i][v], x_scale, y[i][v]);
    }
    if (!min) return;
    add_minima(y, s, t->added + pass * NV * PER * LANES, 2 * g, T);
    add_minima(y, s, t->added + pass * NV * PER * LANES, 2 * g + 1, T);
}

INLINE void tile(const leat_qgemm_tile *t, const int halves, const int bits, const int min, const int tokens) {
    const int T = (tokens + PER - 1) / PER; /* vectors of tokens */
    start s;
    prepare(&s, t, halves, min, tokens);
    for (int pass = 0; pass < PASSES; pass++) {
        VF y[MOST][NV];
        UNROLL_T for (int i = 0; i < T; i++)
            UNROLL_V for (int v = 0; v < NV; v++) y[i][v] = LOAD_Y(t, i, (pass * NV + v) * LANES, tokens);
        for (int64_t g = 0; g < t->groups; g++) {
            if (pass < 2) fetch_ahead(t->ahead); /* later passes leave the lines time to come */
            if (halves) group_16(y, t, &s, g, pass, bits, min, T);
            else group_32(y, t, &s, g, pass, bits, min, T);
        }
        UNROLL_T for (int i = 0; i < T; i++)
            UNROLL_V for (int v = 0; v < NV; v++) STORE_Y(t, i, (pass * NV + v) * LANES, y[i][v], tokens);
    }
}

/* ---- the table ------------------------------------------------------------------------------------------------------------ */

#define TILE_NAME(name, T) tile_##name##_##T
#define DEFINE_TILE(name, halves, bits, min, T) \
    static void TILE_NAME(name, T)(const leat_qgemm_tile *t) { tile(t, halves, bits, min, T); }
#define DEFINE_TILES(name, halves, bits, min) EACH_T(DEFINE_TILE, name, halves, bits, min)
#define SET_TILE(name, kind, a, b, T) table->tile[kind][T] = TILE_NAME(name, T);
#define SET_TILES(name, kind, best)          \
    EACH_T(SET_TILE, name, kind, 0, 0)       \
    table->most[kind] = best;
