/* qdot_neon_tmpl.h - rows of every block format times few tokens, one text for baseline Advanced SIMD and its dot products; see qdot.h.
 *
 * The including file brings the inner products, of signed bytes:
 *
 *   narrow                      sums of products of a unit, a group of 32 or a half of 16, in several lanes
 *   narrow32(z, w0, x0, w1, x1) a unit of 32, of weights of up to 31; z: four zeros to begin with
 *   narrow16(z, w, x)           a unit of 16, of weights of up to 63
 *   join_narrow(a, b, c, d)     the totals of four units, one a lane
 *   wide32(z, w0, x0, w1, x1)   32 weights of up to 8 bits, in four lanes
 *   add16(start, w, x)          16 weights of up to 7 bits, added to four lanes, in whichever order
 *
 * Four units are joined by pairwise additions into one vector, so that a conversion and a product with a scale serve 128 weights:
 * three additions take the place of three conversions and three multiply-adds, which have fewer pipes.  Then
 *
 *   small formats      sums to float, times the product of both sides' scales
 *   Q2_K to Q5_K       times scale times the activations' grain (qmat.h), a chunk added up as integers: a lane holds two groups, at
 *                      most 2 * 32 * 16 * 127 * 63 * 255 in Q5_K, and less in the others, below 2^31
 *   Q6_K, IQ4_XS       times scale, below 2^25; to float, times the activations' scale
 *
 * Minima of the K formats are integers too: minimum * grain, 14 bits, times sums of activations.  So is the offset of Q5_K; that of Q6_K
 * is where its sums begin (leat_qact: fours), that of Q4_0 and of Q5_1 a multiply-add for 128 weights.
 * Two rows share the loads of activations, two tokens those of weights.  Values do not depend on who goes with whom: each row and token
 * has its own sums, made in the same order. */
#ifndef LEAT_CPU_QDOT_NEON_TMPL_H
#define LEAT_CPU_QDOT_NEON_TMPL_H

#include "cpu/qdot_unpack_neon_tmpl.h"

enum { QUAD = 128, ROWS = 2, MOST_TOKENS = 2, MOST_QUAD_BYTES = 136 };

/* Of rows and tokens. */
typedef struct sums {
    float32x4_t main[MOST_TOKENS][ROWS], bias[MOST_TOKENS][ROWS];
} sums;

/* Where the tokens go on. */
typedef struct chunk {
    const int8_t  *q;
    const float   *scale, *bias, *unit;
    const int16_t *sum, *grain;
    const int32_t *fours, *zeros;
    int64_t        groups;
} chunk;

/* Zeros, but the compiler does not know it and loads them for each sum: copies of a zeroed register would take a pipe from the arithmetic.
 * Q8_0 is bound by loads. */
INLINE const int32_t *zeros(const int f, chunk *x) {
    if (f != Q8_0) PIN("r", x->zeros);
    return x->zeros;
}

INLINE int32x4_t join(const int32x4_t v[4]) { return vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3])); }

/* ---- products -------------------------------------------------------------------------------------------------------------- */

/* Totals of four groups of each row; of formats with halves those of first halves, then those of second ones. */
INLINE void group_sums(const int f, const int8x16_t w[ROWS][4][2], chunk *x, const int64_t at, int32x4_t total[ROWS][2]) {
    narrow    n[ROWS][4];
    int32x4_t v[ROWS][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        int8x16_t x0 = vld1q_s8(x->q + at + 32 * j), x1 = vld1q_s8(x->q + at + 32 * j + 16);
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) {
            if (is_wide(f)) v[r][j] = wide32(zeros(f, x), w[r][j][0], x0, w[r][j][1], x1);
            else n[r][j] = narrow32(zeros(f, x), w[r][j][0], x0, w[r][j][1], x1);
        }
    }
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; r++) total[r][0] = is_wide(f) ? join(v[r]) : join_narrow(n[r][0], n[r][1], n[r][2], n[r][3]);
}

INLINE void half_sums(const int f, const int8x16_t w[ROWS][4][2], chunk *x, const int64_t at, int32x4_t total[ROWS][2]) {
    const int32_t *fours[ROWS] = {x->fours + at / 4, x->fours + at / 4};
    PIN("r", fours[1]); /* loaded again, not copied, as zeros are */
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        narrow    n[ROWS][4];
        int32x4_t v[ROWS][4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            int8x16_t some = vld1q_s8(x->q + at + 32 * j + 16 * h);
#pragma GCC unroll 2
            for (int r = 0; r < ROWS; r++) {
                if (f == Q6_K) v[r][j] = add16(fours[r] + 8 * j + 4 * h, w[r][j][h], some);
                else n[r][j] = narrow16(zeros(f, x), w[r][j][h], some);
            }
        }
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) total[r][h] = f == Q6_K ? join(v[r]) : join_narrow(n[r][0], n[r][1], n[r][2], n[r][3]);
    }
}

/* ---- small formats --------------------------------------------------------------------------------------------------------- */

/* Scales, and what the sums of activations are multiplied with; q of Q5_1 comes less 16. */
INLINE void quad_factors(const int f, const uint8_t *b, float32x4_t *scale, float32x4_t *bias) {
    if (f != Q4_1 && f != Q5_1) {
        *bias = *scale = four_halves(b, small_bytes(f));
        return;
    }
    four_pairs(b, small_bytes(f), scale, bias);
    if (f == Q5_1) *bias = vfmaq_n_f32(*bias, *scale, 16);
}
INLINE int has_bias(const int f) { return f == Q4_0 || f == Q4_1 || f == Q5_1; }

INLINE void add_quad(const int f, const uint8_t *const b[ROWS], chunk *x, const int tokens, sums *s) {
    int8x16_t   w[ROWS][4][2];
    float32x4_t scale[ROWS], bias[ROWS];
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; r++) {
        unpack(f, b[r], 0, w[r]);
        quad_factors(f, b[r], &scale[r], &bias[r]);
    }
#pragma GCC unroll 2
    for (int t = 0; t < tokens; t++) {
        int32x4_t   total[ROWS][2];
        float32x4_t xs = vld1q_f32(x->scale + t * x->groups);
        group_sums(f, (const int8x16_t(*)[4][2])w, x, 32 * t * x->groups, total);
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) {
            s->main[t][r] = vfmaq_f32(s->main[t][r], vcvtq_f32_s32(total[r][0]), vmulq_f32(scale[r], xs));
            if (has_bias(f)) s->bias[t][r] = vfmaq_f32(s->bias[t][r], bias[r], vld1q_f32(x->bias + t * x->groups));
        }
    }
}

/* ---- chunks of 256 --------------------------------------------------------------------------------------------------------- */

/* Of a token: grains of the groups; sums of activations of groups, or of first and of second halves. */
typedef struct side {
    int16x8_t grain, sum[2];
} side;

INLINE side open_side(const int f, const int16_t *grain, const int16_t *sum) {
    int16x8_t a = vld1q_s16(sum), b = vld1q_s16(sum + 8);
    side      x = {.grain = vuzp1q_s16(vld1q_s16(grain), vld1q_s16(grain + 8))};
    x.sum[0] = has_halves(f) ? vuzp1q_s16(a, b) : vpaddq_s16(a, b);
    x.sum[1] = vuzp2q_s16(a, b);
    return x;
}

/* Minima (or scales) times grains times sums of activations, in four lanes. */
INLINE int32x4_t times_sums(const int f, const int16x8_t minimum[2], const side *x) {
    int16x8_t m = vmulq_s16(minimum[0], x->grain);
    int32x4_t v = vmlal_high_s16(vmull_s16(vget_low_s16(m), vget_low_s16(x->sum[0])), m, x->sum[0]);
    if (!has_halves(f)) return v;
    m = vmulq_s16(minimum[1], x->grain);
    return vmlal_high_s16(vmlal_s16(v, vget_low_s16(m), vget_low_s16(x->sum[1])), m, x->sum[1]);
}

INLINE int32x4_t four_scales(int16x8_t scale, const int k) { return k ? vmovl_high_s16(scale) : vmovl_s16(vget_low_s16(scale)); }
INLINE int32x4_t four_products(int16x8_t scale, int16x8_t grain, const int k) {
    return k ? vmull_high_s16(scale, grain) : vmull_s16(vget_low_s16(scale), vget_low_s16(grain));
}

/* Totals of groups 4k.. times scale, and times grain where x is. */
INLINE int32x4_t scaled(const int f, const int32x4_t total[2], const factors *w, const side *x, const int k) {
    int32x4_t v = vmulq_s32(total[0], x ? four_products(w->scale[0], x->grain, k) : four_scales(w->scale[0], k));
    if (!has_halves(f)) return v;
    return vmlaq_s32(v, total[1], x ? four_products(w->scale[1], x->grain, k) : four_scales(w->scale[1], k));
}

/* main += unit * v, the unit being d. */
INLINE float32x4_t add_units(const int f, float32x4_t main, float32x4_t v, float32x4_t unit) {
    return d_is_second(f) ? vfmaq_laneq_f32(main, v, unit, 1) : vfmaq_laneq_f32(main, v, unit, 0);
}

/* Lanes of Q2_K: its weights come where they lie. */
static const float q2_shares[4] = {1, 0.25f, 0.0625f, 1};

/* One row and one token. */
INLINE float32x4_t finish_by_scale(const int f, const int32x4_t total[2][2], const factors *w, float32x4_t unit,
                                   const float *scale, float32x4_t main) {
    float32x4_t v = vmulq_f32(vcvtq_f32_s32(scaled(f, total[0], w, NULL, 0)), vld1q_f32(scale));
    v = vfmaq_f32(v, vcvtq_f32_s32(scaled(f, total[1], w, NULL, 1)), vld1q_f32(scale + 4));
    return add_units(f, main, v, unit);
}

INLINE float32x4_t finish_by_grain(const int f, const int32x4_t total[2][2], const factors *w, float32x4_t unit,
                                   const side *x, float32x4_t main) {
    int32x4_t a = scaled(f, total[0], w, x, 0), b = scaled(f, total[1], w, x, 1);
    float32x4_t v = vcvtq_f32_s32(vaddq_s32(a, b));
    if (f == Q5_K) v = vfmaq_n_f32(v, vcvtq_f32_s32(times_sums(f, w->scale, x)), 16);
    main = add_units(f, main, f == Q2_K ? vmulq_f32(v, vld1q_f32(q2_shares)) : v, unit);
    return has_minima(f) ? vfmsq_laneq_f32(main, vcvtq_f32_s32(times_sums(f, w->minimum, x)), unit, 1) : main;
}

INLINE void add_chunk(const int f, const uint8_t *const b[ROWS], chunk *x, const int tokens, sums *s) {
    int32x4_t   total[MOST_TOKENS][ROWS][2][2];
    factors     w[ROWS];
    float32x4_t unit[ROWS];
#pragma GCC unroll 2
    for (int k = 0; k < 2; k++) {
        int8x16_t q[ROWS][4][2];
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) unpack(f, b[r], k, q[r]);
#pragma GCC unroll 2
        for (int t = 0; t < tokens; t++) {
            const int64_t at = 32 * t * x->groups + QUAD * k;
            int32x4_t     v[ROWS][2];
            if (has_halves(f)) half_sums(f, (const int8x16_t(*)[4][2])q, x, at, v);
            else group_sums(f, (const int8x16_t(*)[4][2])q, x, at, v);
#pragma GCC unroll 2
            for (int r = 0; r < ROWS; r++) total[t][r][k][0] = v[r][0], total[t][r][k][1] = v[r][1];
        }
    }
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; r++) open_factors(f, b[r], &w[r]), unit[r] = chunk_unit(f, b[r]);
#pragma GCC unroll 2
    for (int t = 0; t < tokens; t++) {
        const int64_t at = t * x->groups;
        const side    y = open_side(f, x->grain + 2 * at, x->sum + 2 * at);
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) {
            const int32x4_t(*v)[2] = (const int32x4_t(*)[2])total[t][r];
            if (f == Q6_K || f == IQ4_XS) s->main[t][r] = finish_by_scale(f, v, &w[r], unit[r], x->scale + at, s->main[t][r]);
            else s->main[t][r] = finish_by_grain(f, v, &w[r], vmulq_n_f32(unit[r], x->unit[at / 8]), &y, s->main[t][r]);
        }
    }
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

/* Asks for the lines that lie AHEAD bytes behind `bytes` at w; what is asked for need not be there. */
enum { AHEAD = 6144 };
INLINE void look_ahead(const uint8_t *w, const int bytes) {
#pragma GCC unroll 5
    for (int i = 0; i < bytes; i += 64) __builtin_prefetch((const void *)((uintptr_t)w + AHEAD + (uintptr_t)i), 0, 2);
}

INLINE void add_some(const int f, const uint8_t *const b[ROWS], chunk *x, const int tokens, sums *s) {
    if (is_small(f)) add_quad(f, b, x, tokens, s);
    else add_chunk(f, b, x, tokens, s);
}

INLINE void advance(chunk *x, const int step) {
    x->q += step;
    x->scale += step / 32;
    x->bias += step / 32;
    x->unit += step / 256;
    x->sum += step / 16;
    x->grain += step / 16;
    x->fours += step / 4;
}

static const int32_t none[4];

/* Rows at w and at w + stride, which may be 0: y[0] and y[next]. */
INLINE void two_rows(const int f, const uint8_t *w, int64_t stride, const leat_qact *act, int64_t first, const int tokens,
                     float *y, int64_t ldy, int64_t next) {
    const int      step = is_small(f) ? QUAD : 2 * QUAD, bytes = is_small(f) ? 4 * small_bytes(f) : chunk_bytes(f);
    const int64_t  at = first * act->groups;
    const uint8_t *b[ROWS] = {w, w + stride};
    chunk          x = {act->q + 32 * at, act->scale + at, act->bias + at, act->unit + at / 8,
                        act->sum + 2 * at, act->grain + 2 * at, act->fours + 8 * at, none, act->groups};
    sums           s;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) s.main[i / 2][i % 2] = s.bias[i / 2][i % 2] = vdupq_n_f32(0);
    for (int64_t left = act->cols / step; left > 0; left--) {
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) look_ahead(b[r], bytes);
        add_some(f, b, &x, tokens, &s);
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) b[r] += bytes;
        advance(&x, step);
    }
    if (is_small(f) && act->cols % step) {
        uint8_t rest[ROWS][MOST_QUAD_BYTES] = {{0}};
        for (int r = 0; r < ROWS; r++) memcpy(rest[r], b[r], (size_t)(act->cols % step / 32 * small_bytes(f)));
        add_some(f, (const uint8_t *const[]){rest[0], rest[1]}, &x, tokens, &s);
    }
#pragma GCC unroll 2
    for (int t = 0; t < tokens; t++)
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) {
            if (has_bias(f)) s.main[t][r] = vfmaq_n_f32(s.main[t][r], s.bias[t][r], f == Q4_0 ? -8 : 1);
            y[t * ldy + r * next] = vaddvq_f32(s.main[t][r]);
        }
}

INLINE void all_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    for (int64_t r = 0; r < rows; r += ROWS, w += ROWS * stride, y += ROWS) {
        const int64_t other = r + 1 < rows; /* a row that is left goes with itself */
        int64_t       t = 0;
        for (; t + 2 <= act->n; t += 2) two_rows(f, w, other * stride, act, t, 2, y + t * ldy, ldy, other);
        if (t < act->n) two_rows(f, w, other * stride, act, t, 1, y + t * ldy, ldy, other);
    }
}

#define KERNEL(name, f)                                                                                                      \
    static void name(const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {          \
        all_rows(f, w, stride, rows, act, y, ldy);                                                                           \
    }
KERNEL(q4_0_rows, Q4_0)
KERNEL(q4_1_rows, Q4_1)
KERNEL(q5_0_rows, Q5_0)
KERNEL(q5_1_rows, Q5_1)
KERNEL(q8_0_rows, Q8_0)
KERNEL(q2_k_rows, Q2_K)
KERNEL(q3_k_rows, Q3_K)
KERNEL(q4_k_rows, Q4_K)
KERNEL(q5_k_rows, Q5_K)
KERNEL(q6_k_rows, Q6_K)
KERNEL(iq4_nl_rows, IQ4_NL)
KERNEL(iq4_xs_rows, IQ4_XS)

INLINE void fill(leat_qdot_kernels *table) {
    const struct {
        int            type;
        leat_qdot_rows rows;
    } all[] = {{Q4_0, q4_0_rows}, {Q4_1, q4_1_rows}, {Q5_0, q5_0_rows}, {Q5_1, q5_1_rows},     {Q8_0, q8_0_rows},
               {Q2_K, q2_k_rows}, {Q3_K, q3_k_rows}, {Q4_K, q4_k_rows}, {Q5_K, q5_k_rows},     {Q6_K, q6_k_rows},
               {IQ4_NL, iq4_nl_rows}, {IQ4_XS, iq4_xs_rows}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) table->rows[all[i].type] = all[i].rows;
}

#endif
