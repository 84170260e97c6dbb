/* qdot_neon_tmpl.h - rows of every block format times few tokens, one text for baseline Advanced SIMD and for its dot products of bytes; see qdot.h.
 *
 * The including file brings the inner products, of signed bytes:
 *
 *   narrow                           several sums of products of one unit (a group of 32 or a half of 16), of weights of at most 5 bits
 *   narrow32(w0, x0, w1, x1)         of 32      narrow16(w, x)      of 16      join_narrow(a, b, c, d)      four units' totals in four lanes
 *   wide32(w0, x0, w1, x1)           of 32 weights of 8 bits, in 4 lanes
 *   add16(sum, w, x)                 of 16 weights of 6 bits or less, added to 4 lanes, in whichever order
 *
 * Four units are joined by pairwise additions into one vector, so that conversion and scale cost an operation for 128 weights, not for 32: 3 additions take the
 * place of 3 conversions and 3 multiplications, which have fewer units.  Then
 *
 *   small formats    sums to float, times the product of both sides' scales
 *   Q2_K, Q3_K, Q4_K sums times scale times the activations' grain (qmat.h), added up over the chunk as integers: at most 16 * 48 * 127 * 15 * 255,
 *                    16 * 64 * 127 * 32 * 255, 8 * 480 * 127 * 63 * 255 / 4 a lane, below 2^31
 *   Q5_K             the same for each half of the chunk, since both together pass 2^31
 *   Q6_K, IQ4_XS     sums times scale, of both halves of a group, below 2^24; the activations' scale as float
 *
 * Minima of the K formats are integers too: minimum * grain, 14 bits, times sums of activations.  The offset of Q6_K is where its sums begin (leat_qact: fours), Q4_0's is a
 * multiply-add for 128 weights.  Two rows share the loads of activations, and up to two tokens those of weights; no value depends on which go together. */
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
    const int32_t *fours;
    int64_t        groups;
} chunk;

INLINE int32x4_t join(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d) { return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)); }

/* ---- products ----------------------------------------------------------------------------------------------------------------- */

/* Totals of four groups of each row; of formats with halves those of first halves, then those of second ones. */
INLINE void group_sums(const int f, const int8x16_t w[ROWS][4][2], const int8_t *q, int32x4_t total[ROWS][2]) {
    narrow    n[ROWS][4];
    int32x4_t v[ROWS][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        int8x16_t x0 = vld1q_s8(q + 32 * j), x1 = vld1q_s8(q + 32 * j + 16);
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) {
            if (is_wide(f)) v[r][j] = wide32(w[r][j][0], x0, w[r][j][1], x1);
            else n[r][j] = narrow32(w[r][j][0], x0, w[r][j][1], x1);
        }
    }
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; r++) total[r][0] = is_wide(f) ? join(v[r][0], v[r][1], v[r][2], v[r][3]) : join_narrow(n[r][0], n[r][1], n[r][2], n[r][3]);
}

INLINE void half_sums(const int f, const int8x16_t w[ROWS][4][2], const int8_t *q, const int32_t *fours, int32x4_t total[ROWS][2]) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        narrow    n[ROWS][4];
        int32x4_t v[ROWS][4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            int8x16_t x = vld1q_s8(q + 32 * j + 16 * h);
#pragma GCC unroll 2
            for (int r = 0; r < ROWS; r++) {
                if (f == Q6_K) v[r][j] = add16(vld1q_s32(fours + 8 * j + 4 * h), w[r][j][h], x);
                else n[r][j] = narrow16(w[r][j][h], x);
            }
        }
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) total[r][h] = f == Q6_K ? join(v[r][0], v[r][1], v[r][2], v[r][3]) : join_narrow(n[r][0], n[r][1], n[r][2], n[r][3]);
    }
}

/* ---- small formats ------------------------------------------------------------------------------------------------------------ */

/* What the sums of activations are multiplied with; q of Q5_1 comes less 16. */
INLINE float32x4_t bias_factor(const int f, const uint8_t *b, float32x4_t scale) {
    if (f == Q4_0) return scale;
    float32x4_t minimum = four_halves(b + 2, small_bytes(f));
    return f == Q5_1 ? vfmaq_n_f32(minimum, scale, 16) : minimum;
}
INLINE int has_bias(const int f) { return f == Q4_0 || f == Q4_1 || f == Q5_1; }

INLINE void add_quad(const int f, const uint8_t *const b[ROWS], const chunk *x, const int tokens, sums *s) {
    int8x16_t   w[ROWS][4][2];
    float32x4_t scale[ROWS], factor[ROWS];
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; r++) {
        unpack(f, b[r], 0, w[r]);
        scale[r] = four_halves(b[r], small_bytes(f));
        if (has_bias(f)) factor[r] = bias_factor(f, b[r], scale[r]);
    }
#pragma GCC unroll 2
    for (int t = 0; t < tokens; t++) {
        int32x4_t   total[ROWS][2];
        float32x4_t xs = vld1q_f32(x->scale + t * x->groups);
        group_sums(f, (const int8x16_t(*)[4][2])w, x->q + 32 * t * x->groups, total);
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) {
            s->main[t][r] = vfmaq_f32(s->main[t][r], vcvtq_f32_s32(total[r][0]), vmulq_f32(scale[r], xs));
            if (has_bias(f)) s->bias[t][r] = vfmaq_f32(s->bias[t][r], factor[r], vld1q_f32(x->bias + t * x->groups));
        }
    }
}

/* ---- chunks of 256 ------------------------------------------------------------------------------------------------------------ */

/* Of both rows, before a token comes. */
typedef struct front {
    factors     factor[ROWS];
    float32x4_t unit[ROWS];
} front;

/* Of a token: grains of the groups; sums of activations of groups, or of first and of second halves. */
typedef struct side {
    int16x8_t grain, sum[2];
} side;

INLINE int has_minima(const int f) { return f == Q2_K || f == Q4_K || f == Q5_K; }

INLINE side open_side(const int f, const int16_t *grain, const int16_t *sum) {
    int16x8_t a = vld1q_s16(sum), b = vld1q_s16(sum + 8);
    side      x = {.grain = vuzp1q_s16(vld1q_s16(grain), vld1q_s16(grain + 8))};
    x.sum[0] = has_halves(f) ? vuzp1q_s16(a, b) : vpaddq_s16(a, b);
    x.sum[1] = vuzp2q_s16(a, b);
    return x;
}

/* Minima times grains times sums of activations, in four lanes. */
INLINE int32x4_t minima(const int f, const factors *w, const side *x) {
    int16x8_t m = vmulq_s16(w->minimum[0], x->grain);
    int32x4_t v = vmlal_high_s16(vmull_s16(vget_low_s16(m), vget_low_s16(x->sum[0])), m, x->sum[0]);
    if (!has_halves(f)) return v;
    m = vmulq_s16(w->minimum[1], x->grain);
    return vmlal_high_s16(vmlal_s16(v, vget_low_s16(m), vget_low_s16(x->sum[1])), m, x->sum[1]);
}

/* Four groups' totals times scale and grain. */
INLINE int32x4_t times_grain(const int f, const int32x4_t total[2], const factors *w, const side *x, const int k) {
    int32x4_t v;
#pragma GCC unroll 2
    for (int h = 0; h <= has_halves(f); h++) {
        int32x4_t factor = k ? vmull_high_s16(w->scale[h], x->grain) : vmull_s16(vget_low_s16(w->scale[h]), vget_low_s16(x->grain));
        v = h ? vmlaq_s32(v, total[h], factor) : vmulq_s32(total[h], factor);
    }
    return v;
}

/* Times scale alone. */
INLINE float32x4_t times_scale(const int f, const int32x4_t total[2], const factors *w, const int k) {
    int32x4_t v;
#pragma GCC unroll 2
    for (int h = 0; h <= has_halves(f); h++) {
        int32x4_t factor = k ? vmovl_high_s16(w->scale[h]) : vmovl_s16(vget_low_s16(w->scale[h]));
        v = h ? vmlaq_s32(v, total[h], factor) : vmulq_s32(total[h], factor);
    }
    return vcvtq_f32_s32(v);
}

INLINE void finish_chunk(const int f, const int32x4_t total[2][2], const front *w, const int r, const side *x, float unit, const float *scale, float32x4_t *main) {
    const int d = f == Q3_K || f == Q6_K; /* the lane */
    if (f == Q6_K || f == IQ4_XS) {
        float32x4_t v = vmulq_f32(times_scale(f, total[0], &w->factor[r], 0), vld1q_f32(scale));
        v = vfmaq_f32(v, times_scale(f, total[1], &w->factor[r], 1), vld1q_f32(scale + 4));
        *main = d ? vfmaq_laneq_f32(*main, v, w->unit[r], 1) : vfmaq_laneq_f32(*main, v, w->unit[r], 0);
        return;
    }
    int32x4_t   low = times_grain(f, total[0], &w->factor[r], x, 0), high = times_grain(f, total[1], &w->factor[r], x, 1);
    float32x4_t units = vmulq_n_f32(w->unit[r], unit);
    float32x4_t v = f == Q5_K ? vaddq_f32(vcvtq_f32_s32(low), vcvtq_f32_s32(high)) : vcvtq_f32_s32(vaddq_s32(low, high));
    *main = d ? vfmaq_laneq_f32(*main, v, units, 1) : vfmaq_laneq_f32(*main, v, units, 0);
    if (has_minima(f)) *main = vfmsq_laneq_f32(*main, vcvtq_f32_s32(minima(f, &w->factor[r], x)), units, 1);
}

INLINE void add_chunk(const int f, const uint8_t *const b[ROWS], const chunk *x, const int tokens, sums *s) {
    int32x4_t total[MOST_TOKENS][ROWS][2][2];
    front     w;
#pragma GCC unroll 2
    for (int k = 0; k < 2; k++) {
        int8x16_t q[ROWS][4][2];
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++) unpack(f, b[r], k, q[r]);
#pragma GCC unroll 2
        for (int t = 0; t < tokens; t++) {
            const int64_t at = 32 * t * x->groups + QUAD * k;
            int32x4_t     v[ROWS][2];
            if (has_halves(f)) half_sums(f, (const int8x16_t(*)[4][2])q, x->q + at, x->fours + at / 4, v);
            else group_sums(f, (const int8x16_t(*)[4][2])q, x->q + at, v);
#pragma GCC unroll 2
            for (int r = 0; r < ROWS; r++) total[t][r][k][0] = v[r][0], total[t][r][k][1] = v[r][1];
        }
    }
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; r++) open_factors(f, b[r], &w.factor[r]), w.unit[r] = chunk_unit(f, b[r]);
#pragma GCC unroll 2
    for (int t = 0; t < tokens; t++) {
        const side y = open_side(f, x->grain + 2 * t * x->groups, x->sum + 2 * t * x->groups);
#pragma GCC unroll 2
        for (int r = 0; r < ROWS; r++)
            finish_chunk(f, (const int32x4_t(*)[2])total[t][r], &w, r, &y, x->unit[t * x->groups / 8], x->scale + t * x->groups, &s->main[t][r]);
    }
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

/* Asks for the lines that lie AHEAD bytes behind `bytes` at w, into the second-level cache; what is asked for need not be there. */
enum { AHEAD = 6144 };
INLINE void look_ahead(const uint8_t *w, const int bytes) {
#pragma GCC unroll 5
    for (int i = 0; i < bytes; i += 64) __builtin_prefetch((const void *)((uintptr_t)w + AHEAD + (uintptr_t)i), 0, 2);
}

INLINE void add_some(const int f, const uint8_t *const b[ROWS], const chunk *x, const int tokens, sums *s) {
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

/* Rows at w and at w + stride, which may be 0: y[0] and y[next]. */
INLINE void two_rows(const int f, const uint8_t *w, int64_t stride, const leat_qact *act, int64_t first, const int tokens, float *y, int64_t ldy, int64_t next) {
    const int      step = is_small(f) ? QUAD : 2 * QUAD, bytes = is_small(f) ? 4 * small_bytes(f) : chunk_bytes(f);
    const int64_t  at = first * act->groups;
    const uint8_t *b[ROWS] = {w, w + stride};
    chunk          x = {act->q + 32 * at, act->scale + at, act->bias + at, act->unit + at / 8, act->sum + 2 * at, act->grain + 2 * at, act->fours + 8 * at, act->groups};
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
        for (int r = 0; r < ROWS; r++)
            y[t * ldy + r * next] = vaddvq_f32(has_bias(f) ? vfmaq_n_f32(s.main[t][r], s.bias[t][r], f == Q4_0 ? -8 : 1) : s.main[t][r]);
}

INLINE void all_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    for (int64_t r = 0; r < rows; r += ROWS, w += ROWS * stride, y += ROWS) {
        const int64_t other = r + 1 < rows; /* a row that is left goes with itself */
        int64_t       t = 0;
        for (; t + 2 <= act->n; t += 2) two_rows(f, w, other * stride, act, t, 2, y + t * ldy, ldy, other);
        if (t < act->n) two_rows(f, w, other * stride, act, t, 1, y + t * ldy, ldy, other);
    }
}

#define KERNEL(name, f)                                                                                                             \
    static void name(const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {                  \
        all_rows(f, w, stride, rows, act, y, ldy);                                                                                   \
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
    } all[] = {{Q4_0, q4_0_rows}, {Q4_1, q4_1_rows}, {Q5_0, q5_0_rows}, {Q5_1, q5_1_rows}, {Q8_0, q8_0_rows},     {Q2_K, q2_k_rows},
               {Q3_K, q3_k_rows}, {Q4_K, q4_k_rows}, {Q5_K, q5_k_rows}, {Q6_K, q6_k_rows}, {IQ4_NL, iq4_nl_rows}, {IQ4_XS, iq4_xs_rows}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) table->rows[all[i].type] = all[i].rows;
}

#endif
