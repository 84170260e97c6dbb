/* qgemm_tmpl.h - tiles of LEAT_QGEMM_ROWS rows x T tokens of unpacked weights, one text for all vector widths.
 *
 * The includer defines VI, VF, LANES (32-bit), MOST (tokens), LOADI, LOADF, STOREF, STOREI, SETI, SETF (one value to all lanes), CVT, FMA, MUL, ADDF, and either
 *   DP(acc, w, x)                        unsigned w times signed x into 32 bits, exact, or
 *   DOT16(w, x), PAIRS(v), ADD16, ADD32  sums of two products in 16 bits, and of two such sums in 32, with XOR, AND, ABS8, NEGATIVE8 (all ones where so)
 * Without DP as many sums are added in 16 bits as the weights' bits allow: 8 x 2 x 15 x 127 and 2 x 2 x 63 x 127 fit.
 *
 * T tokens x NV vectors of rows are summed at once; what the accumulators start from, -offset * sum of q, and the tokens' factors of the
 * minima are made before the loop, since together they are one load in it.
 */
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define NV 2
#define ROWS LEAT_QGEMM_ROWS
#define PASSES (ROWS / (NV * LANES))
#define HALVES (LEAT_QGEMM_DEPTH / 16)
#define STAY(v) __asm__("" : "+v"(v)) /* or gcc adds in another order, with more values than registers */
#define UNROLL_T _Pragma("GCC unroll 6")
#define UNROLL_V _Pragma("GCC unroll 2")
#define UNROLL_K _Pragma("GCC unroll 8")

/* Of each token and group: what its integer sum starts from, and the factor of the minimum. */
typedef struct start {
    int32_t sum[MOST][HALVES];
    float   factor[MOST][HALVES];
} start;

/* ---- before the loop ------------------------------------------------------------------------------------------------------ */

/* Groups of 32: the sums lie in pairs. */
INLINE void start_pairs(const int16_t *sum, const float *scale, int64_t groups, int offset, int min, int32_t *to, float *factor) {
    const __m256i minus = _mm256_set1_epi16((short)-offset), ones = _mm256_set1_epi16(1);
    int64_t g = 0;
    for (; g + 8 <= groups; g += 8) {
        __m256i both = _mm256_loadu_si256((const __m256i *)(const void *)(sum + 2 * g));
        _mm256_storeu_si256((__m256i *)(void *)(to + g), _mm256_madd_epi16(both, minus));
        if (min) _mm256_storeu_ps(factor + g, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_madd_epi16(both, ones)), _mm256_loadu_ps(scale + g)));
    }
    for (; g < groups; g++) {
        int both = sum[2 * g] + sum[2 * g + 1];
        to[g] = -offset * both;
        factor[g] = (float)both * scale[g];
    }
}

/* Groups of 16. */
INLINE void start_halves(const int16_t *sum, const float *scale, int64_t groups, int offset, int min, int32_t *to, float *factor) {
    const __m256i minus = _mm256_set1_epi32(-offset);
    const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    int64_t g = 0;
    for (; g + 4 <= groups; g += 4) {
        __m256i wide = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(sum + 2 * g)));
        _mm256_storeu_si256((__m256i *)(void *)(to + 2 * g), _mm256_mullo_epi32(wide, minus));
        __m256 both = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(scale + g)), twice);
        if (min) _mm256_storeu_ps(factor + 2 * g, _mm256_mul_ps(_mm256_cvtepi32_ps(wide), both));
    }
    for (int64_t h = 2 * g; h < 2 * groups; h++) {
        to[h] = -offset * sum[h];
        factor[h] = (float)sum[h] * scale[h / 2];
    }
}

INLINE void prepare(start *s, const leat_qgemm_tile *t, const int halves, const int min, const int T) {
    for (int i = 0; i < T; i++) {
        const int16_t *sum = t->sum + i * 2 * t->ldscale;
        const float   *scale = t->x_scale + i * t->ldscale;
        if (halves) start_halves(sum, scale, t->groups, t->offset, min, s->sum[i], s->factor[i]);
        else start_pairs(sum, scale, t->groups, t->offset, min, s->sum[i], s->factor[i]);
    }
}

/* ---- integer sums --------------------------------------------------------------------------------------------------------- */

/* Four activations, for all lanes. */
INLINE int32_t load_quad(const int8_t *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* acc += `quads` times four products of w [quads][ROWS][4] and x [T][ldq]. */
#ifdef DP
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
    UNROLL_T for (int i = 0; i < T; i++) {
        VI from = SETI(s->sum[i][group]);
        UNROLL_V for (int v = 0; v < NV; v++) acc[i][v] = from;
    }
}

/* The panel's own sums, the same for all tokens. */
INLINE void open_signed(VI acc[MOST][NV], const int32_t *sums, const int T) {
    UNROLL_T for (int i = 0; i < T; i++)
        UNROLL_V for (int v = 0; v < NV; v++) acc[i][v] = LOADI(sums + v * LANES);
}

/* ---- what comes next ------------------------------------------------------------------------------------------------------ */

INLINE void fetch_ahead(leat_qgemm_ahead *a) {
    for (int64_t i = a->lines; i > 0 && a->rows > 0; i--) {
        _mm_prefetch((const char *)a->at, _MM_HINT_T1);
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
        VF factor = SETF(s->factor[i][group]);
        UNROLL_V for (int v = 0; v < NV; v++) y[i][v] = FMA(factor, LOADF(added + group * ROWS + v * LANES), y[i][v]);
    }
}

INLINE void group_32(VF y[MOST][NV], const leat_qgemm_tile *t, const start *s, int64_t g, int pass, const int bits, const int min, const int T) {
    const float *scale = t->scale + g * ROWS + pass * NV * LANES;
    VI acc[MOST][NV];
    if (bits == 8) open_signed(acc, (const int32_t *)(const void *)t->added + g * ROWS + pass * NV * LANES, T);
    else open_sums(acc, s, g, T);
    dots(acc, t->bytes + 32 * g * ROWS + pass * NV * LANES * 4, t->q + 32 * g, t->ldq, 8, bits, T);
    UNROLL_T for (int i = 0; i < T; i++) {
        VF x_scale = SETF(t->x_scale[i * t->ldscale + g]);
        UNROLL_V for (int v = 0; v < NV; v++) y[i][v] = FMA(CVT(acc[i][v]), MUL(x_scale, LOADF(scale + v * LANES)), y[i][v]);
    }
    if (min) add_minima(y, s, t->added + pass * NV * LANES, g, T);
}

INLINE void group_16(VF y[MOST][NV], const leat_qgemm_tile *t, const start *s, int64_t g, int pass, const int bits, const int min, const int T) {
    VF both[MOST][NV];
    UNROLL_V for (int half = 0; half < 2; half++) {
        const float *scale = t->scale + (2 * g + half) * ROWS + pass * NV * LANES;
        VI acc[MOST][NV];
        open_sums(acc, s, 2 * g + half, T);
        dots(acc, t->bytes + (32 * g + 16 * half) * ROWS + pass * NV * LANES * 4, t->q + 32 * g + 16 * half, t->ldq, 4, bits, T);
        UNROLL_T for (int i = 0; i < T; i++)
            UNROLL_V for (int v = 0; v < NV; v++) {
                VF w = LOADF(scale + v * LANES);
                both[i][v] = half ? FMA(CVT(acc[i][v]), w, both[i][v]) : MUL(CVT(acc[i][v]), w);
            }
    }
    UNROLL_T for (int i = 0; i < T; i++) {
        VF x_scale = SETF(t->x_scale[i * t->ldscale + g]);
        UNROLL_V for (int v = 0; v < NV; v++) y[i][v] = FMA(both[i][v], x_scale, y[i][v]);
    }
    if (!min) return;
    add_minima(y, s, t->added + pass * NV * LANES, 2 * g, T);
    add_minima(y, s, t->added + pass * NV * LANES, 2 * g + 1, T);
}

INLINE void tile(const leat_qgemm_tile *t, const int halves, const int bits, const int min, const int T) {
    start s;
    prepare(&s, t, halves, min, T);
    for (int pass = 0; pass < PASSES; pass++) {
        VF y[MOST][NV];
        UNROLL_T for (int i = 0; i < T; i++)
            UNROLL_V for (int v = 0; v < NV; v++) y[i][v] = LOADF(t->y + i * t->ldy + (pass * NV + v) * LANES);
        for (int64_t g = 0; g < t->groups; g++) {
            fetch_ahead(t->ahead);
            if (halves) group_16(y, t, &s, g, pass, bits, min, T);
            else group_32(y, t, &s, g, pass, bits, min, T);
        }
        UNROLL_T for (int i = 0; i < T; i++)
            UNROLL_V for (int v = 0; v < NV; v++) STOREF(t->y + i * t->ldy + (pass * NV + v) * LANES, y[i][v]);
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
